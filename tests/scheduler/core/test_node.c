/* scheduler/core/node.c: what nodes are told of how often they are to be heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/envelope.h"
#include "scheduler/core/state.h"

static struct gm_core *core_of(uint32_t heartbeat_ms, uint32_t lease_ms)
{
    struct gm_core *core = NULL;
    struct gm_err err;
    struct gm_core_params params = {.term = 1, .heartbeat_ms = heartbeat_ms, .lease_ms = lease_ms};
    assert_int_equal(gm_core_create(&params, &core, &err), 0);
    return core;
}

/* What it is told in the answer. */
static uint32_t say(struct gm_core *core, const char *node, Gm__Envelope *envelope)
{
    struct gm_effects fx = {0};
    struct gm_err err;
    struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = node, .envelope = envelope};
    uint32_t idle_ms = 0;
    assert_int_equal(gm_core_step(core, &event, GM_SEC, &fx, &err), 0);
    for (size_t i = 0; i < fx.send_count; i++) {
        const Gm__Envelope *e = fx.sends[i].envelope;
        idle_ms = e->body_case == GM__ENVELOPE__BODY_WELCOME   ? e->welcome->idle_ms
                  : e->body_case == GM__ENVELOPE__BODY_RENEWED ? e->renewed->idle_ms
                                                               : idle_ms;
    }
    gm_effects_fini(&fx);
    return idle_ms;
}

static uint32_t greet(struct gm_core *core, uint32_t number)
{
    char id[16];
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Hello m = GM__HELLO__INIT;
    Gm__Device cpu = GM__DEVICE__INIT;
    Gm__Device *devices[] = {&cpu};
    (void)snprintf(id, sizeof id, "n%u", number);
    cpu.id = cpu.kind = (char *)"cpu";
    m.node_id = id;
    m.instance = 1;
    m.protocol = GM_PROTOCOL_VERSION;
    m.devices = devices;
    m.n_devices = 1;
    envelope.body_case = GM__ENVELOPE__BODY_HELLO;
    envelope.hello = &m;
    return say(core, id, &envelope);
}

static uint32_t renew(struct gm_core *core, const char *id)
{
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__Renew m = GM__RENEW__INIT;
    envelope.body_case = GM__ENVELOPE__BODY_RENEW;
    envelope.renew = &m;
    return say(core, id, &envelope);
}

static void idle_nodes_say_less_the_more_they_are(void **state)
{
    (void)state;
    struct gm_core *core = core_of(1000, 15000);
    uint32_t told = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        told = greet(core, i);
        assert_int_equal(told, 1000); /* they are few enough */
    }
    for (uint32_t i = 2000; i < 6000; i++) {
        told = greet(core, i);
    }
    assert_int_equal(told, 3000);
    assert_int_equal(renew(core, "n0"), 3000); /* who came before hears of it */
    gm_core_destroy(&core);
}

/* Else a lost one or two would end what they hold against being taken for gone. */
static void several_renews_come_within_a_lease(void **state)
{
    (void)state;
    struct gm_core *core = core_of(1000, 6000);
    for (uint32_t i = 0; i < 6000; i++) {
        (void)greet(core, i);
    }
    assert_int_equal(renew(core, "n0"), 2000);
    gm_core_destroy(&core);
    core = core_of(1000, 1500);
    assert_int_equal(greet(core, 0), 1000); /* never more often than others */
    gm_core_destroy(&core);
}

/* The node may have written this Renew before its lease came: its next one ends the slot's wait. */
static void what_is_cancelled_is_asked_for_soon(void **state)
{
    (void)state;
    struct gm_core *core = core_of(1000, 15000);
    for (uint32_t i = 0; i < 6000; i++) {
        (void)greet(core, i);
    }
    struct gm_cnode *node = NULL;
    HASH_FIND_STR(core->nodes, "n0", node);
    struct gm_lease lease = {.node = node, .task_id = 1, .epoch = 1, .cancelled_at = GM_SEC};
    DL_APPEND2(node->leases, &lease, node_prev, node_next);
    assert_int_equal(renew(core, "n0"), 3000);
    lease.cancelling = true;
    assert_int_equal(renew(core, "n0"), 1000);
    assert_int_equal(renew(core, "n1"), 3000);
    DL_DELETE2(node->leases, &lease, node_prev, node_next);
    assert_int_equal(renew(core, "n0"), 3000);
    gm_core_destroy(&core);
}

static void a_node_without_urls_is_refused_where_jobs_may_need_them(void **state)
{
    (void)state;
    for (int row = 0; row < 4; row++) {
        struct gm_core *core = NULL;
        struct gm_err err;
        struct gm_core_params params = {.term = 1, .urls = (row & 1) != 0};
        struct gm_effects fx = {0};
        Gm__Envelope envelope = GM__ENVELOPE__INIT;
        Gm__Hello m = GM__HELLO__INIT;
        Gm__Device cpu = GM__DEVICE__INIT;
        Gm__Device *devices[] = {&cpu};
        struct gm_event event = {.type = GM_EV_MESSAGE, .node_id = "n1", .envelope = &envelope};
        cpu.id = cpu.kind = (char *)"cpu";
        m.node_id = (char *)"n1";
        m.instance = 1;
        m.protocol = GM_PROTOCOL_VERSION;
        m.urls = (row & 2) != 0;
        m.devices = devices;
        m.n_devices = 1;
        envelope.body_case = GM__ENVELOPE__BODY_HELLO;
        envelope.hello = &m;
        assert_int_equal(gm_core_create(&params, &core, &err), 0);
        assert_int_equal(gm_core_step(core, &event, GM_SEC, &fx, &err), 0);
        assert_int_equal(fx.sends[0].envelope->body_case,
                         row == 1 ? GM__ENVELOPE__BODY_REFUSE : GM__ENVELOPE__BODY_WELCOME);
        gm_effects_fini(&fx);
        gm_core_destroy(&core);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_urls_is_refused_where_jobs_may_need_them),
        cmocka_unit_test(idle_nodes_say_less_the_more_they_are),
        cmocka_unit_test(several_renews_come_within_a_lease),
        cmocka_unit_test(what_is_cancelled_is_asked_for_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
