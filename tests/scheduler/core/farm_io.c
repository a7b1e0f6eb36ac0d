/* Random farms and random work: farm_io.h. */
#include "scheduler/core/farm_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/lease.h"

#define RATES 4
#define DEVICES 3

static const char *const codecs[] = {"h264", "hevc", "hevc10", "av1"};

/* A device as a message, with all that hangs from it. */
struct said {
    Gm__Device device, *list;
    Gm__Chain chains[2], *chain_list[2];
    Gm__Measured measured;
    Gm__Rate rates[RATES], *rate_list[RATES];
    char id[16];
};

uint64_t farm_random(struct farm *farm, uint64_t below)
{
    farm->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = farm->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void step(struct farm *farm, const struct gm_event *event)
{
    struct gm_effects fx = {0};
    struct gm_err err = {.code = GM_OK};
    farm->now += GM_MS;
    if (gm_core_step(farm->core, event, farm->now, &fx, &err) < 0) {
        fail_msg("the farm: %s", err.text);
    }
    gm_effects_fini(&fx);
}

static void send(struct farm *farm, const char *node, Gm__Envelope *envelope)
{
    step(farm, &(struct gm_event){.type = GM_EV_MESSAGE, .node_id = node, .envelope = envelope});
}

static void set_chain(struct farm *farm, struct said *s, const char *name)
{
    static const char *const prints[] = {"chip a", "chip b", "chip c"};
    size_t at = s->device.n_chains++;
    Gm__Chain *c = &s->chains[at];
    uint64_t print = farm_random(farm, 3);
    gm__chain__init(c);
    c->name = (char *)(uintptr_t)name;
    if (strcmp(name, "cpu") != 0) {
        bool same = at > 0 && strcmp(s->chains[0].name, name) == 0 &&
                    strcmp(s->chains[0].fingerprint, prints[print]) == 0;
        c->fingerprint = (char *)(uintptr_t)prints[same ? (print + 1) % 3 : print];
        c->codecs = (char **)(uintptr_t)codecs;
        c->n_codecs = 1 + farm_random(farm, 4);
    }
    s->chain_list[at] = c;
}

static void set_rates(struct farm *farm, struct said *s)
{
    gm__measured__init(&s->measured);
    for (size_t i = 0; i < RATES; i++) {
        Gm__Rate *r = &s->rates[i];
        gm__rate__init(r);
        r->what = (char *)(i == 3 && farm_random(farm, 2) ? "decode" : "encode");
        r->api = (char *)(uintptr_t)(farm->even || farm_random(farm, 2) ? s->chains[0].name
                                                                        : "software");
        r->codec = (char *)(uintptr_t)(i < 2 ? "h264" : i == 2 ? "hevc" : "odd");
        r->depth = farm->even ? (i == 1 ? 10 : 8) : farm_random(farm, 3) ? 8 : 10;
        bool told = farm->even;
        r->one = told || farm_random(farm, 5) ? 100000 + farm_random(farm, told ? 5000 : 30000) : 0;
        r->all =
            told || farm_random(farm, 4) ? 300000 + farm_random(farm, told ? 9000 : 200000) : 0;
        s->rate_list[i] = r;
    }
    s->measured.rates = s->rate_list;
    s->measured.n_rates = RATES;
    s->device.measured = &s->measured;
}

static void say_device(struct farm *farm, struct said *s, uint32_t number)
{
    static const char *const names[] = {"cpu", "nvenc", "vaapi"};
    memset(s, 0, sizeof(*s));
    gm__device__init(&s->device);
    (void)snprintf(s->id, sizeof(s->id), "device-%u", number);
    const char *name = names[number == 0 && !farm->even ? 0 : farm_random(farm, 3)];
    s->device.id = s->id;
    s->device.kind = (char *)(strcmp(name, "cpu") == 0 ? "cpu" : "drm");
    s->device.description = (char *)"";
    s->device.chains = s->chain_list;
    set_chain(farm, s, name);
    if (!farm->even && strcmp(name, "cpu") != 0 && farm_random(farm, 4) == 0) {
        set_chain(farm, s, farm_random(farm, 2) ? name : "qsv");
    }
    if (farm->even ? farm->measured : farm_random(farm, 2)) {
        set_rates(farm, s);
    }
    s->list = &s->device;
}

static void offer(struct farm *farm, const char *node, const char *device)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Offer m = GM__OFFER__INIT;
    Gm__Capacity c = GM__CAPACITY__INIT, whole = GM__CAPACITY__INIT;
    uint64_t slots = farm->even ? 4 : farm_random(farm, 7);
    c.slots = (uint32_t)slots;
    c.cpu_milli = (uint32_t)(farm->even ? 8000 : slots * 1000 + farm_random(farm, 4) * 500);
    c.memory_bytes = farm->even ? UINT64_C(16) << 30 : farm_random(farm, 8) << 30;
    c.scratch_bytes = farm->even ? UINT64_C(64) << 30 : farm_random(farm, 8) << 30;
    c.sessions = (uint32_t)(farm_random(farm, 2) ? 0 : 1 + farm_random(farm, 6));
    c.device_memory_bytes = farm->even             ? UINT64_C(8) << 30
                            : farm_random(farm, 3) ? farm_random(farm, 5) << 30
                                                   : 0;
    m.device = (char *)(uintptr_t)device;
    m.usable = &c;
    if (node[strlen(node) - 1] % 2 != 0 && !farm->even) { /* it tells what its devices share */
        whole.cpu_milli = (uint32_t)(farm_random(farm, 12) * 500);
        whole.memory_bytes = farm_random(farm, 16) << 30;
        whole.scratch_bytes = farm_random(farm, 16) << 30;
        m.node = &whole;
    }
    envelope.body_case = GM__ENVELOPE__BODY_OFFER;
    envelope.offer = &m;
    send(farm, node, &envelope);
}

static void forget_runs(struct farm *farm, const struct gm_cnode *node)
{
    for (uint32_t i = 0; node && i < farm->run_count;) {
        if (farm->runs[i].device->node == node) {
            farm->runs[i] = farm->runs[--farm->run_count];
        } else {
            i++;
        }
    }
}

void farm_hello(struct farm *farm, uint32_t number, uint64_t instance)
{
    struct said said[DEVICES];
    Gm__Device *list[DEVICES];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello m = GM__HELLO__INIT;
    char id[16];
    struct gm_cnode *known = NULL;
    (void)snprintf(id, sizeof(id), "node-%u", number);
    HASH_FIND_STR(farm->core->nodes, id, known);
    forget_runs(farm, known && known->instance != instance ? known : NULL);
    m.n_devices = farm->even ? 1 : 1 + farm_random(farm, DEVICES);
    for (uint32_t i = 0; i < m.n_devices; i++) {
        say_device(farm, &said[i], i);
        list[i] = said[i].list;
    }
    m.devices = list;
    m.node_id = id;
    m.hostname = m.build = (char *)"";
    m.instance = instance;
    m.protocol = GM_PROTOCOL_VERSION;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &m;
    send(farm, id, &envelope);
    HASH_FIND_STR(farm->core->nodes, id, known);
    assert_non_null(known);
    for (size_t i = 0; i < known->device_count; i++) {
        offer(farm, id, known->devices[i].id);
    }
}

struct farm *farm_create(uint64_t seed, uint32_t nodes, bool even, bool measured)
{
    struct farm *farm = calloc(1, sizeof(*farm));
    struct gm_core_params params = {.term = 1, .lease_ms = 3600000};
    struct gm_err err = {.code = GM_OK};
    assert_non_null(farm);
    farm->random = seed;
    farm->nodes = nodes;
    farm->even = even;
    farm->measured = measured;
    farm->now = GM_SEC;
    assert_int_equal(gm_core_create(&params, &farm->core, &err), 0);
    for (uint32_t i = 0; i < nodes; i++) {
        farm_hello(farm, i, 1);
    }
    return farm;
}

void farm_destroy(struct farm *farm)
{
    gm_core_destroy(&farm->core);
    free(farm);
}

void farm_event(struct farm *farm)
{
    char id[16];
    uint32_t number = (uint32_t)farm_random(farm, farm->nodes);
    struct gm_cnode *node = NULL;
    (void)snprintf(id, sizeof(id), "node-%u", number);
    HASH_FIND_STR(farm->core->nodes, id, node);
    switch (farm_random(farm, 6)) {
    case 0:
        farm_hello(farm, number, 1 + farm_random(farm, 1000));
        break;
    case 1:
        step(farm, &(struct gm_event){.type = GM_EV_NODE_GONE, .node_id = id});
        break;
    case 2:
    case 3:
        if (node) {
            step(farm, &(struct gm_event){
                           .type = GM_EV_DRAIN, .node_id = id, .resume = farm_random(farm, 3) > 0});
        }
        break;
    default:
        if (node) {
            offer(farm, id, node->devices[farm_random(farm, node->device_count)].id);
        }
        break;
    }
}

static void ask_job(struct farm *farm, struct farm_ask *out)
{
    static const char *const types[] = {"inspect", "plan", "encode", "encode", "encode", "package"};
    static const struct gm_cwork works[] = {{"h264", 8, 3000, 2000},
                                            {"hevc", 8, 1000, 0},
                                            {"h264", 10, 500, 500},
                                            {"odd", 8, 700, 700}};
    memset(out, 0, sizeof(*out));
    out->task.job = &out->job;
    out->task.type = gm_core_task_type_find(types[farm_random(farm, 6)]);
    out->inst.task = &out->task;
    out->job.renditions = (uint32_t)farm_random(farm, 5);
    for (uint64_t n = farm_random(farm, 3); out->job.work_count < n;) {
        out->job.works[out->job.work_count++] = works[farm_random(farm, farm->even ? 3 : 4)];
    }
    if (farm->run_count > 0 && farm_random(farm, 2)) {
        out->first.device = farm->runs[farm_random(farm, farm->run_count)].device;
        out->first.chunk_count = 1;
        DL_APPEND2(out->job.leases, &out->first, job_prev, job_next);
        out->job.leading = 1;
    }
}

static void ask_wish(struct farm *farm, struct farm_ask *out)
{
    static const char *const names[] = {"cpu", "nvenc", "vaapi", "qsv"};
    static const char *const prints[] = {"chip a", "chip b", "chip c"};
    out->wish.name = names[farm_random(farm, 4)];
    if (strcmp(out->wish.name, "cpu") == 0) {
        return;
    }
    if (farm_random(farm, 2)) {
        out->wish.fingerprint = prints[farm_random(farm, 3)];
        out->wish.sessions = out->wish.least = farm_random(farm, 4);
    } else {
        gm__encode_params__init(&out->params);
        out->params.codec = (char *)(farm_random(farm, 2) ? "hevc" : "h264");
        out->params.bit_depth = farm_random(farm, 2) ? 8 : 10;
        out->wish.params = farm_random(farm, 2) ? &out->params : NULL;
        out->wish.sessions = 1;
        out->wish.least = 1 + farm_random(farm, 3);
    }
}

void farm_ask(struct farm *farm, struct farm_ask *out)
{
    ask_job(farm, out);
    ask_wish(farm, out);
    out->unit.avoid = out->avoid;
    if (farm_random(farm, 4) == 0) {
        uint64_t first = farm_random(farm, farm->nodes);
        out->unit.avoid_count = (uint8_t)(1 + farm_random(farm, 3));
        for (uint32_t i = 0; i < out->unit.avoid_count; i++) {
            (void)snprintf(out->avoided[i], sizeof(out->avoided[i]), "node-%u",
                           (unsigned)(first + i));
            out->avoid[i].node_id = out->avoided[i];
        }
    }
    out->demand = (struct gm_capacity){.cpu_milli = 500 * (1 + farm_random(farm, 3)),
                                       .memory_bytes = (1 + farm_random(farm, 2)) << 29,
                                       .scratch_bytes = farm_random(farm, 3) << 29,
                                       .slots = 1,
                                       .sessions = out->wish.sessions};
    if (strcmp(out->wish.name, "cpu") != 0) {
        out->demand.device_memory_bytes = farm_random(farm, 4) * (UINT64_C(700) << 20);
    }
    if (farm_random(farm, 20) == 0) {
        out->demand.memory_bytes = farm_random(farm, 10) << 30;
    }
}

void farm_start(struct farm *farm, struct gm_cdevice *device, const struct gm_capacity *demand)
{
    if (farm->run_count == FARM_LEASES) {
        farm_end(farm);
    }
    farm->runs[farm->run_count].device = device;
    farm->runs[farm->run_count++].demand = *demand;
    gm_core_use(farm->core, device, demand, false);
}

void farm_end(struct farm *farm)
{
    if (farm->run_count == 0) {
        return;
    }
    uint64_t at = farm_random(farm, farm->run_count);
    gm_core_use(farm->core, farm->runs[at].device, &farm->runs[at].demand, true);
    farm->runs[at] = farm->runs[--farm->run_count];
}
