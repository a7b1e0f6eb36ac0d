/* How much a device takes at present: its state, without processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/log.h"
#include "node/agent_state.h"

#define SLOTS 3
#define PAUSE (100 * GM_SEC)

struct fixture {
    struct gm_agent agent;
    struct gm_agent_slot slots[SLOTS];
    struct gm_agent_device device;
    struct gm_device found;
    struct gm_task tasks[SLOTS];
    Gm__Assign assigns[SLOTS];
    Gm__Capacity demands[SLOTS];
};

static struct fixture *begin(void)
{
    static struct fixture f;
    gm_log_init("node", GM_LOG_ERROR, false);
    f = (struct fixture){.agent = {.params = {.device_retry_ms = PAUSE / GM_MS}},
                         .device = {.state = GM_AGENT_OFFERED, .slot_count = SLOTS}};
    f.agent.slots = f.slots;
    f.agent.slot_count = SLOTS;
    f.device.found = &f.found;
    for (size_t i = 0; i < SLOTS; i++) {
        gm__assign__init(&f.assigns[i]);
        gm__capacity__init(&f.demands[i]);
        f.assigns[i].demand = &f.demands[i];
        f.tasks[i].assign = &f.assigns[i];
    }
    gm_agent_room_reset(&f.device);
    return &f;
}

static const struct gm_task *run(struct fixture *f, size_t slot, uint32_t sessions)
{
    f->demands[slot].sessions = sessions;
    f->slots[slot].task = &f->tasks[slot];
    return &f->tasks[slot];
}

static void limits_follow_from_what_was_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t others[2]; /* 0: the slot is free */
        uint32_t demand;    /* 0: of a scheduler that tells none */
        uint32_t limit;     /* before */
        uint32_t after;
    } rows[] = {
        {{0, 0}, 4, GM_AGENT_SESSIONS_ANY, 3},
        {{2, 0}, 2, GM_AGENT_SESSIONS_ANY, 3},
        {{4, 4}, 4, GM_AGENT_SESSIONS_ANY, 11},
        {{4, 4}, 4, 3, 3}, /* given out before the limit was known */
        {{0, 0}, 3, 3, 2},
        {{0, 0}, 1, 1, 0},
        {{0, 0}, 0, GM_AGENT_SESSIONS_ANY, 0},
        {{2, 1}, 1, 4, 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = begin();
        f->device.sessions = rows[i].limit;
        for (size_t k = 0; k < 2; k++) {
            if (rows[i].others[k] > 0) {
                (void)run(f, k, rows[i].others[k]);
            }
        }
        gm_agent_room_busy(&f->agent, &f->device, run(f, 2, rows[i].demand));
        assert_int_equal(f->device.sessions, rows[i].after);
        assert_int_equal(f->device.allowed, SLOTS);
        assert_int_equal(gm_agent_room_slots(&f->device), rows[i].after == 0 ? 0 : SLOTS);
        assert_true(f->device.dirty);
    }
}

static gm_time pause_of(struct fixture *f, const struct gm_task *task)
{
    gm_time before = gm_time_now();
    gm_agent_room_busy(&f->agent, &f->device, task);
    gm_time at = f->device.sessions_grow_at;
    return at - before < 0 ? 0 : (at - before) / PAUSE; /* in whole pauses: 1, 2, 4 */
}

static void pauses_double_until_as_many_work(void **state)
{
    (void)state;
    struct fixture *f = begin();
    const struct gm_task *task = run(f, 0, 4);
    assert_int_equal(pause_of(f, task), 1);
    assert_int_equal(pause_of(f, task), 2);
    (void)run(f, 0, 3); /* fewer than were refused */
    gm_agent_room_worked(&f->agent, &f->device);
    assert_int_equal(pause_of(f, run(f, 0, 4)), 4);
    (void)run(f, 0, 2);
    (void)run(f, 1, 2); /* 4 again */
    gm_agent_room_worked(&f->agent, &f->device);
    f->slots[1].task = NULL;
    assert_int_equal(pause_of(f, run(f, 0, 4)), 1);
}

static void sessions_grow_until_they_are_enough_for_all(void **state)
{
    (void)state;
    struct fixture *f = begin();
    gm_agent_room_busy(&f->agent, &f->device, run(f, 0, 3));
    gm_time at = f->device.sessions_grow_at;
    assert_false(gm_agent_room_tick(&f->agent, &f->device, at - 1));
    assert_int_equal(f->device.sessions, 2);
    for (uint32_t limit = 3; limit < SLOTS * 3; limit++) {
        at = f->device.sessions_grow_at;
        assert_true(gm_agent_room_tick(&f->agent, &f->device, at));
        assert_int_equal(f->device.sessions, limit);
        assert_int_equal(f->device.sessions_grow_at, at + PAUSE);
    }
    assert_true(gm_agent_room_tick(&f->agent, &f->device, f->device.sessions_grow_at));
    assert_int_equal(f->device.sessions, GM_AGENT_SESSIONS_ANY);
    assert_false(gm_agent_room_tick(&f->agent, &f->device, INT64_MAX));
}

static void memory_and_sessions_are_two_things(void **state)
{
    (void)state;
    struct fixture *f = begin();
    (void)run(f, 1, 2);
    gm_agent_room_busy(&f->agent, &f->device, run(f, 0, 2));
    gm_agent_room_memory(&f->agent, &f->device);
    assert_int_equal(f->device.allowed, SLOTS - 1);
    assert_int_equal(f->device.sessions, 3);
    assert_int_equal(f->device.full, 1);
    gm_agent_room_reset(&f->device);
    assert_int_equal(f->device.allowed, SLOTS);
    assert_int_equal(f->device.sessions, GM_AGENT_SESSIONS_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_follow_from_what_was_refused),
        cmocka_unit_test(pauses_double_until_as_many_work),
        cmocka_unit_test(sessions_grow_until_they_are_enough_for_all),
        cmocka_unit_test(memory_and_sessions_are_two_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
