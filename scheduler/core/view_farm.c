/* Views of the farm as a whole, and of what a job's tasks need. Nothing here changes anything. */
#include "scheduler/core/view_farm.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/lease.h"
#include "scheduler/core/node.h"
#include "scheduler/core/order.h"
#include "scheduler/core/view_nodes.h"

static void add_speed(const struct gm_cjob *job, struct gm_farm_view *out)
{
    if (job->state != GM_JOB_RUNNING || job->fps <= 0) {
        return;
    }
    out->fps += job->fps;
    out->pixels_per_s += job->fps * (double)job->picture_pixels;
    if (job->rate_num > 0 && job->rate_den > 0) {
        out->speed += job->fps * (double)job->rate_den / (double)job->rate_num;
        out->speed_known = true;
    }
}

/* Who encodes has a lease; each job is met at the first of its own. */
static void fill_speed(const struct gm_core *core, struct gm_farm_view *out)
{
    for (const struct gm_lease *lease = core->leases; lease; lease = lease->hh.next) {
        if (lease->job->leases == lease) {
            add_speed(lease->job, out);
        }
    }
    out->speed_known = out->speed_known || out->fps <= 0;
}

static void fill_nodes(const struct gm_core *core, struct gm_farm_view *out)
{
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        out->nodes_draining += node->draining ? 1 : 0;
        out->nodes_gone += !node->draining && !node->connected ? 1 : 0;
    }
}

static gm_time longest_wait(const struct gm_core *core, gm_time now)
{
    if (core->order.waiting.count == 0) {
        return 0;
    }
    gm_time since = gm_core_order_waiting(core, 0)->turn.since;
    return now > since ? now - since : 0;
}

int gm_view_farm(const struct gm_core *core, gm_time now, struct gm_farm_view *out,
                 struct gm_err *err)
{
    struct gm_farm_view v = {.ready_units = core->ready_units, .waits = longest_wait(core, now)};
    v.failed = calloc(GM_CORE_CODES, sizeof(*v.failed));
    if (!v.failed) {
        return gm_err_nomem(err);
    }
    for (unsigned c = 0; c < GM_CORE_CODES; c++) {
        const struct gm_failed *f = &core->failed[c];
        if (f->count > 0) {
            v.failed[v.failed_count++] =
                (struct gm_failed_view){(enum gm_code)c, f->count, f->last_unix_ms};
        }
    }
    gm_view_totals(core, &v.totals);
    fill_nodes(core, &v);
    fill_speed(core, &v);
    *out = v;
    return 0;
}

void gm_view_farm_fini(struct gm_farm_view *view)
{
    free(view->failed);
    memset(view, 0, sizeof(*view));
}

/* ---- nodes, in short */

/* FNV-1a. */
static uint64_t sign_add(uint64_t sign, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        sign = (sign ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sign;
}

static uint64_t sign_of(const struct gm_core *core, const struct gm_cnode *node,
                        const struct gm_brief_view *brief)
{
    uint64_t sign = UINT64_C(0xcbf29ce484222325);
    sign = sign_add(sign, brief->state, strlen(brief->state));
    sign = sign_add(sign, &brief->connected, sizeof brief->connected);
    sign = sign_add(sign, &node->instance, sizeof node->instance);
    for (size_t i = 0; i < node->device_count; i++) {
        const struct gm_cdevice *d = &node->devices[i];
        uint64_t slots[] = {gm_core_usable(d).slots, d->used.slots};
        const char *held = gm_core_held(core, node, d);
        sign = sign_add(sign, d->id, strlen(d->id));
        sign = sign_add(sign, slots, sizeof slots);
        sign = sign_add(sign, held, strlen(held));
    }
    return sign;
}

void gm_view_briefs(const struct gm_core *core, void (*fn)(const struct gm_brief_view *, void *arg),
                    void *arg)
{
    for (const struct gm_cnode *node = core->nodes; node; node = node->hh.next) {
        struct gm_brief_view brief = {.id = node->id,
                                      .state = gm_core_node_state(core, node),
                                      .connected = node->connected,
                                      .draining = node->draining};
        brief.sign = sign_of(core, node, &brief);
        fn(&brief, arg);
    }
}

/* ---- what was published */

const char *gm_view_next_published(const struct gm_core *core, const char *after)
{
    const char *id = gm_view_next_job(core, after, true);
    const struct gm_cjob *job = NULL;
    if (id) {
        HASH_FIND_STR(core->jobs, id, job);
    }
    while (job && (job->state != GM_JOB_DONE || job->plan_only || job->publication[0] == '\0')) {
        job = job->hh.prev;
    }
    return job ? job->id : NULL;
}

/* ---- what hangs together */

struct held {
    uint32_t task;    /* its place in the job */
    const char *node; /* borrowed */
};

static int by_task_and_node(const void *pa, const void *pb)
{
    const struct held *a = pa, *b = pb;
    if (a->task != b->task) {
        return a->task < b->task ? -1 : 1;
    }
    return strcmp(a->node, b->node);
}

static size_t list_held(const struct gm_cjob *job, struct held *held)
{
    size_t n = 0;
    const struct gm_lease *lease;
    DL_FOREACH2(job->leases, lease, job_next)
    {
        if (!lease->cancelling) {
            held[n++] = (struct held){lease->inst->task->position, lease->node->id};
        }
    }
    if (n > 1) {
        qsort(held, n, sizeof(*held), by_task_and_node);
    }
    return n;
}

static bool is_stream(const struct gm_ctask *task, const struct gm_ctask *need)
{
    return task->type->feed != GM_FEED_NONE && need->type->role == GM_ROLE_SPLIT;
}

int gm_view_links(const struct gm_core *core, const char *job_id, struct gm_links_view *out,
                  struct gm_err *err)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    if (!job) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no job is called %.64s", job_id);
    }
    size_t most = job->lease_count + 1, at = 0;
    for (uint32_t t = 0; t < job->task_count; t++) {
        most += job->tasks[t].need_count;
    }
    struct gm_links_view v = {.rows = calloc(most, sizeof(*v.rows))};
    struct held *held = calloc(job->lease_count + 1, sizeof(*held));
    if (!v.rows || !held) {
        free(v.rows);
        free(held);
        return gm_err_nomem(err);
    }
    size_t held_count = list_held(job, held);
    for (uint32_t t = 0; t < job->task_count; t++) {
        const struct gm_ctask *task = &job->tasks[t];
        for (uint32_t i = 0; i < task->need_count; i++) {
            const struct gm_ctask *need = &job->tasks[task->needs[i]];
            v.rows[v.count++] = (struct gm_link_view){
                task->name, is_stream(task, need) ? GM_LINK_STREAM : GM_LINK_NEED, need->name};
        }
        for (; at < held_count && held[at].task == t; at++) {
            bool again =
                at > 0 && held[at - 1].task == t && strcmp(held[at - 1].node, held[at].node) == 0;
            if (!again) {
                v.rows[v.count++] = (struct gm_link_view){task->name, GM_LINK_NODE, held[at].node};
            }
        }
    }
    free(held);
    *out = v;
    return 0;
}

void gm_view_links_fini(struct gm_links_view *view)
{
    free(view->rows);
    memset(view, 0, sizeof(*view));
}
