/* The farm: its clock, the core, and what nodes hear and say. */
#include "sim/quality/farm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"

#define UNIX_BASE INT64_C(1700000000000)
#define TICK (100 * GM_MS)
#define HEARTBEAT_MS 5000u /* of lease_ms, 15000: nodes only die here */
#define NODE_SCRATCH (UINT64_C(1) << 40)
#define PIXELS_A_SECOND 56e6 /* of a thread of speed 1, of a ladder of 1080p: times.tsv */
#define MOST_GPUS 8
#define MOST_NODE_TASKS 128

void q_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(2);
}

void *q_grow(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return list;
    }
    *cap = *cap > 0 ? *cap * 2 : 64;
    void *grown = realloc(list, *cap * size);
    if (!grown) {
        q_die("out of memory");
    }
    return grown;
}

static uint32_t node_of(const struct q_farm *farm, const char *id)
{
    unsigned n;
    if (sscanf(id, "node-%u", &n) != 1 || n >= farm->node_count) {
        q_die("the core speaks to %s, which is no node", id);
    }
    return n;
}

static uint32_t job_of(const struct q_farm *farm, const char *id)
{
    unsigned n;
    if (sscanf(id, "job-%u", &n) != 1 || n >= farm->job_count) {
        q_die("the core speaks of %s, which is no job", id);
    }
    return n;
}

static void plan_event(struct q_farm *farm, gm_time at, enum q_event_kind kind, uint32_t which)
{
    q_queue_push(&farm->queue, (struct q_event){.at = at, .kind = kind, .which = which});
}

void q_job_ready(struct q_farm *farm, struct q_job *job, enum q_role role, uint32_t chunk)
{
    gm_time *at = role == Q_ENCODE ? &job->chunk_ready[chunk] : &job->ready[role];
    *at = *at == -1 ? farm->now : *at;
}

static void note_wait(struct q_farm *farm, uint32_t number, enum q_role role, gm_time *ready)
{
    if (*ready < 0) {
        return; /* it was assigned before, or is not counted */
    }
    farm->waits = q_grow(farm->waits, farm->wait_count, &farm->wait_cap, sizeof(*farm->waits));
    farm->waits[farm->wait_count++] =
        (struct q_wait){.ready = *ready,
                        .wait = farm->now - *ready,
                        .job = number,
                        .role = role,
                        .first = role != Q_ENCODE || !farm->jobs[number].chunk_began};
    farm->jobs[number].chunk_began = farm->jobs[number].chunk_began || role == Q_ENCODE;
    *ready = -2;
}

static enum q_role role_of(const char *type)
{
    static const char *const names[Q_ROLES] = {"inspect", "plan",       "split", "encode",
                                               "audio",   "thumbnails", "mp4",   "package"};
    for (int r = 0; r < Q_ROLES; r++) {
        if (strcmp(names[r], type) == 0) {
            return (enum q_role)r;
        }
    }
    q_die("a task of type %s", type);
}

static uint32_t skip_of(const Gm__TaskSpec *spec)
{
    for (size_t i = 0; i < spec->n_skip; i++) {
        if (spec->skip[i]->stream == 0) {
            return spec->skip[i]->count;
        }
    }
    return 0;
}

static void take_assign(struct q_farm *farm, struct q_node *node, const Gm__Assign *m)
{
    struct q_task *task = calloc(1, sizeof(*task));
    if (!task) {
        q_die("out of memory");
    }
    const Gm__TaskSpec *spec = m->spec;
    task->task_id = m->task_id;
    task->term = m->term;
    task->epoch = m->epoch;
    task->role = role_of(spec->type);
    task->job = job_of(farm, spec->job_id);
    task->device = strcmp(m->device, "cpu") == 0 ? 0 : 1;
    task->received = (uint32_t)spec->n_inputs;
    task->complete = spec->inputs_complete;
    task->speed = node->kind->speed;
    task->began = farm->now;
    task->demand = (struct gm_capacity){.slots = m->demand->slots,
                                        .cpu_milli = m->demand->cpu_milli,
                                        .memory_bytes = m->demand->memory_bytes,
                                        .scratch_bytes = m->demand->scratch_bytes,
                                        .sessions = m->demand->sessions};
    struct q_job *job = &farm->jobs[task->job];
    job->began = job->began < 0 ? farm->now : job->began;
    task->skip = task->role == Q_SPLIT ? skip_of(spec) : 0;
    if (task->role == Q_ENCODE) {
        task->first = spec->inputs[0]->item->index;
        task->count = (uint32_t)spec->n_inputs;
        for (uint32_t i = 0; i < task->count; i++) {
            note_wait(farm, task->job, Q_ENCODE, &job->chunk_ready[task->first + i]);
        }
    } else {
        note_wait(farm, task->job, task->role, &job->ready[task->role]);
    }
    task->next = node->tasks;
    node->tasks = task;
    farm->assigned++;
    q_task_begin(farm, node, task);
}

static struct q_task *find_task(const struct q_node *node, uint64_t epoch)
{
    struct q_task *task = node->tasks;
    while (task && task->epoch != epoch) {
        task = task->next;
    }
    return task;
}

void q_task_end(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    struct q_task **at = &node->tasks;
    while (*at != task) {
        at = &(*at)->next;
    }
    *at = task->next;
    farm->tasks_done += task->cancelled ? 0 : 1;
    farm->task_seconds += task->cancelled ? 0 : (double)(farm->now - task->began) / (double)GM_SEC;
    free(task);
}

static void take_feed(struct q_farm *farm, struct q_node *node, const Gm__Feed *m)
{
    struct q_task *task = find_task(node, m->epoch);
    if (!task || task->cancelled) {
        return;
    }
    task->received = m->first + (uint32_t)m->n_inputs;
    if (m->inputs_complete && !task->complete) {
        task->complete = true;
        q_task_fed(farm, node, task);
    }
}

static void offer(struct q_farm *farm, struct q_node *node)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer m = GM__OFFER__INIT;
    Gm__Capacity usable = GM__CAPACITY__INIT, whole = GM__CAPACITY__INIT;
    const struct q_node_kind *k = node->kind;
    whole.cpu_milli = k->threads * 1000;
    whole.memory_bytes = k->threads * Q_THREAD_MEMORY;
    whole.scratch_bytes = NODE_SCRATCH;
    m.node = &whole;
    m.usable = &usable;
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &m;
    for (uint32_t d = 0; d <= k->gpus; d++) {
        char id[16];
        (void)snprintf(id, sizeof(id), d == 0 ? "cpu" : "gpu%u", d);
        m.device = id;
        usable.slots = d == 0 ? k->threads : Q_GPU_SLOTS;
        usable.cpu_milli = usable.slots * 1000;
        usable.memory_bytes = whole.memory_bytes;
        usable.scratch_bytes = whole.scratch_bytes;
        q_farm_message(farm, node, &envelope);
    }
}

/* The others need no answer, or say what a farm without faults of the network knows. */
static void deliver(struct q_farm *farm, const struct gm_send *send)
{
    struct q_node *node = &farm->nodes[node_of(farm, send->node_id)];
    const Gm__Envelope *e = send->envelope;
    struct q_task *task = NULL;
    if (!node->alive) {
        return;
    }
    switch (e->body_case) {
    case GM__ENVELOPE__BODY_ASSIGN:
        take_assign(farm, node, e->assign);
        break;
    case GM__ENVELOPE__BODY_FEED:
        take_feed(farm, node, e->feed);
        break;
    case GM__ENVELOPE__BODY_CANCEL:
        task = find_task(node, e->cancel->epoch);
        if (task && !task->cancelled) {
            task->cancelled = true;
            farm->cancelled++;
            q_queue_push(&farm->queue, (struct q_event){.at = farm->now,
                                                        .kind = Q_EV_GONE,
                                                        .which = node_of(farm, node->id),
                                                        .epoch = task->epoch});
        }
        break;
    case GM__ENVELOPE__BODY_REFUSE:
        q_die("%s is refused: %s", node->id, e->refuse->error->text);
    case GM__ENVELOPE__BODY_ACK:
        if (e->ack->stale && farm->cancelled == 0) {
            q_die("what %s said is stale, though nothing was cancelled", node->id);
        }
        break;
    default:
        break;
    }
}

void q_farm_event(struct q_farm *farm, const struct gm_event *event)
{
    struct gm_event copy = *event;
    struct gm_effects fx = {0};
    struct gm_err err = {.code = GM_OK};
    copy.unix_ms = UNIX_BASE + farm->now / GM_MS;
    if (gm_core_step(farm->core, &copy, farm->now, &fx, &err) < 0) {
        q_die("%.1f s: %s", (double)farm->now / (double)GM_SEC, err.text);
    }
    for (size_t i = 0; i < fx.event_count; i++) {
        const struct gm_job_event *e = &fx.events[i];
        bool failed = strcmp(e->type, "job.failed") == 0;
        if (failed || strcmp(e->type, "job.done") == 0) {
            farm->jobs[job_of(farm, e->job_id)].ended = farm->now;
            farm->ended++;
            farm->failed += failed ? 1 : 0;
        }
    }
    for (size_t i = 0; i < fx.publish_count; i++) {
        plan_event(farm, farm->now, Q_EV_TOLD, job_of(farm, fx.publishes[i].job_id));
    }
    for (size_t i = 0; i < fx.cleanup_count; i++) {
        plan_event(farm, farm->now, Q_EV_CLEANED, job_of(farm, fx.cleanups[i].job_id));
    }
    for (size_t i = 0; i < fx.send_count; i++) {
        deliver(farm, &fx.sends[i]);
    }
    gm_effects_fini(&fx);
}

void q_farm_message(struct q_farm *farm, const struct q_node *node, Gm__Envelope *envelope)
{
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node->id, .envelope = envelope};
    envelope->version = GM_PROTOCOL_VERSION;
    envelope->seq = ++farm->seq;
    q_farm_event(farm, &event);
}

/* As gopmill-hwtest would have measured the node. */
static void make_device(const struct q_node_kind *k, uint32_t d, Gm__Device *device,
                        Gm__Measured *measured, Gm__Rate rates[2], Gm__Rate *list[2])
{
    static const char *const codecs[] = {"h264", "hevc"};
    gm__device__init(device);
    gm__measured__init(measured);
    device->kind = (char *)(uintptr_t)(d == 0 ? "cpu" : "nvidia");
    device->name = (char *)(uintptr_t)k->name;
    device->measured = measured;
    measured->rates = list;
    measured->n_rates = 2;
    for (int i = 0; i < 2; i++) {
        double one = d == 0 ? k->speed * PIXELS_A_SECOND : k->gpu_rate / Q_GPU_SLOTS;
        gm__rate__init(&rates[i]);
        rates[i].what = (char *)"encode";
        rates[i].api = (char *)(uintptr_t)(d == 0 ? "software" : "nvenc");
        rates[i].codec = (char *)(uintptr_t)codecs[i];
        rates[i].depth = 8;
        rates[i].height = 1080;
        rates[i].one = (uint64_t)one;
        rates[i].all = (uint64_t)(d == 0 ? one * k->threads : k->gpu_rate);
        list[i] = &rates[i];
    }
}

static void hello(struct q_farm *farm, struct q_node *node)
{
    static char h264[] = "h264", hevc[] = "hevc", nvenc_name[] = "nvenc", print[] = "assumed";
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello m = GM__HELLO__INIT;
    Gm__Device devices[1 + MOST_GPUS], *list[1 + MOST_GPUS];
    Gm__Measured measured[1 + MOST_GPUS];
    Gm__Rate rates[1 + MOST_GPUS][2], *rate_lists[1 + MOST_GPUS][2];
    Gm__Capacity capacity = GM__CAPACITY__INIT;
    Gm__Chain nvenc = GM__CHAIN__INIT, *chains[] = {&nvenc};
    char *codecs[] = {h264, hevc}, ids[1 + MOST_GPUS][16];
    nvenc.name = nvenc_name;
    nvenc.fingerprint = print;
    nvenc.codecs = codecs;
    nvenc.n_codecs = 2;
    m.node_id = node->id;
    m.instance = 1;
    m.protocol = GM_PROTOCOL_VERSION;
    m.hostname = node->id;
    m.devices = list;
    for (uint32_t d = 0; d <= node->kind->gpus; d++) {
        make_device(node->kind, d, &devices[d], &measured[d], rates[d], rate_lists[d]);
        (void)snprintf(ids[d], sizeof(ids[d]), d == 0 ? "cpu" : "gpu%u", d);
        devices[d].id = ids[d];
        devices[d].capacity = &capacity;
        devices[d].chains = chains;
        devices[d].n_chains = d == 0 ? 0 : 1;
        list[m.n_devices++] = &devices[d];
    }
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &m;
    q_farm_message(farm, node, &envelope);
    offer(farm, node);
}

struct q_farm *q_farm_open(const struct q_params *params, const struct q_times *times,
                           const struct q_node_kind *const *nodes, uint32_t node_count)
{
    struct q_farm *farm = calloc(1, sizeof(*farm));
    struct gm_err err = {.code = GM_OK};
    struct gm_effects fx = {0};
    struct gm_core_params core = {.term = 1,
                                  .heartbeat_ms = HEARTBEAT_MS,
                                  .preempt_ms = params->preempt_ms,
                                  .max_jobs = UINT32_MAX,
                                  .tenants = params->tenants,
                                  .tenant_count = params->tenant_count};
    if (!farm || (farm->nodes = calloc(node_count, sizeof(*farm->nodes))) == NULL) {
        q_die("out of memory");
    }
    farm->times = times;
    farm->now = GM_SEC;
    farm->random = params->seed;
    farm->node_count = node_count;
    if (gm_core_create(&core, &farm->core, &err) < 0 ||
        gm_core_loaded(farm->core, farm->now, &fx, &err) < 0) {
        q_die("%s", err.text);
    }
    gm_effects_fini(&fx);
    for (uint32_t i = 0; i < node_count; i++) {
        struct q_node *node = &farm->nodes[i];
        node->kind = nodes[i];
        node->alive = true;
        (void)snprintf(node->id, sizeof(node->id), "node-%u", i);
        hello(farm, node);
        plan_event(farm, farm->now + (gm_time)(q_random(&farm->random) % HEARTBEAT_MS) * GM_MS,
                   Q_EV_RENEW, i);
    }
    plan_event(farm, farm->now + TICK, Q_EV_TICK, 0);
    return farm;
}

static void drop_tasks(struct q_node *node)
{
    while (node->tasks) {
        struct q_task *next = node->tasks->next;
        free(node->tasks);
        node->tasks = next;
    }
}

void q_farm_close(struct q_farm *farm)
{
    for (uint32_t i = 0; i < farm->node_count; i++) {
        drop_tasks(&farm->nodes[i]);
    }
    for (uint32_t j = 0; j < farm->job_count; j++) {
        free(farm->jobs[j].chunk_ready);
    }
    gm_core_destroy(&farm->core);
    free(farm->nodes);
    free(farm->jobs);
    free(farm->waits);
    free(farm->queue.list);
    free(farm);
}

void q_farm_kill(struct q_farm *farm, uint32_t node, gm_time at)
{
    plan_event(farm, at, Q_EV_KILL, node);
}

static void renew(struct q_farm *farm, struct q_node *node)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renew m = GM__RENEW__INIT;
    Gm__LeaseState states[MOST_NODE_TASKS], *list[MOST_NODE_TASKS];
    m.leases = list;
    for (const struct q_task *t = node->tasks; t && m.n_leases < MOST_NODE_TASKS; t = t->next) {
        Gm__LeaseState *s = &states[m.n_leases];
        gm__lease_state__init(s);
        s->task_id = t->task_id;
        s->term = t->term;
        s->epoch = t->epoch;
        s->progress = (uint64_t)farm->now; /* it works */
        s->inputs_received = t->received;
        list[m.n_leases++] = s;
    }
    envelope.body_case = GM__ENVELOPE__BODY_RENEW;
    envelope.renew = &m;
    m.number = farm->seq;
    q_farm_message(farm, node, &envelope);
}

/* A cancelled task is over at once. */
static void say_gone(struct q_farm *farm, struct q_node *node, struct q_task *task)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Failed m = GM__FAILED__INIT;
    Gm__Error error = GM__ERROR__INIT;
    error.code = GM_E_CANCELLED;
    error.text = (char *)"cancelled";
    m.task_id = task->task_id;
    m.term = task->term;
    m.epoch = task->epoch;
    m.error = &error;
    m.chunk = -1;
    envelope.body_case = GM__ENVELOPE__BODY_FAILED;
    envelope.failed = &m;
    q_task_end(farm, node, task);
    q_farm_message(farm, node, &envelope);
}

static void tick(struct q_farm *farm)
{
    struct gm_event event = {.type = GM_EV_TICK};
    q_farm_event(farm, &event);
    plan_event(farm, farm->now + TICK, Q_EV_TICK, 0);
    if (farm->look && farm->now % GM_SEC == 0) {
        farm->look(farm, farm->look_arg);
    }
}

static void happen(struct q_farm *farm, const struct q_event *e)
{
    struct q_node *node =
        &farm->nodes[e->kind == Q_EV_SUBMIT || e->kind == Q_EV_TOLD || e->kind == Q_EV_CLEANED
                         ? 0
                         : e->which];
    struct gm_event told = {.type = e->kind == Q_EV_TOLD ? GM_EV_PUBLISHED : GM_EV_CLEANED};
    struct q_task *task = NULL;
    switch (e->kind) {
    case Q_EV_SUBMIT:
        q_job_submit(farm, e->which);
        break;
    case Q_EV_KILL:
        node->alive = false;
        drop_tasks(node);
        break;
    case Q_EV_RENEW:
        if (node->alive) {
            renew(farm, node);
            plan_event(farm, farm->now + HEARTBEAT_MS * GM_MS, Q_EV_RENEW, e->which);
        }
        break;
    case Q_EV_TICK:
        tick(farm);
        break;
    case Q_EV_WORK:
    case Q_EV_GONE:
        task = node->alive ? find_task(node, e->epoch) : NULL;
        if (task && e->kind == Q_EV_GONE) {
            say_gone(farm, node, task);
        } else if (task && !task->cancelled) {
            q_task_work(farm, node, task);
        }
        break;
    case Q_EV_TOLD:
    case Q_EV_CLEANED:
    default:
        told.job_id = farm->jobs[e->which].id;
        q_farm_event(farm, &told);
    }
}

bool q_farm_run(struct q_farm *farm, gm_time end)
{
    struct q_event event;
    while (farm->ended < farm->job_count && q_queue_pop(&farm->queue, &event)) {
        if (event.at > end) {
            q_queue_push(&farm->queue, event);
            farm->now = end;
            break;
        }
        farm->now = event.at;
        happen(farm, &event);
    }
    return farm->ended == farm->job_count;
}
