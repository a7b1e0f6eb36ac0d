/* Timers against a list that is walked. */
#include "scheduler/core/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 200

static uint64_t random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* What each timer should be: its time, 0 for one that is not set, and when it was set. */
struct plain {
    gm_time at[COUNT];
    uint64_t order[COUNT];
    uint64_t next;
};

/* The earliest that is due, or COUNT. */
static size_t first_due(const struct plain *p, gm_time now)
{
    size_t first = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        if (p->at[i] == 0 || p->at[i] > now) {
            continue;
        }
        if (first == COUNT || p->at[i] < p->at[first] ||
            (p->at[i] == p->at[first] && p->order[i] < p->order[first])) {
            first = i;
        }
    }
    return first;
}

static void take_all_due(struct gm_timers *timers, struct gm_timer *list, struct plain *p,
                         gm_time now)
{
    struct gm_timer *t;
    size_t want = first_due(p, now);
    while ((t = gm_timers_next(timers, now)) != NULL) {
        assert_int_equal(t - list, want);
        assert_int_equal(t->place, 0);
        p->at[want] = 0;
        want = first_due(p, now);
    }
    assert_int_equal(want, COUNT);
}

static void timers_come_as_a_walk_over_all_says(void **arg)
{
    (void)arg;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct gm_timers timers = {0};
        struct gm_timer list[COUNT] = {0};
        struct plain plain = {0};
        uint64_t state = seed;
        gm_time now = 1;
        for (int step = 0; step < 2000; step++) {
            size_t i = random_next(&state) % COUNT;
            switch (random_next(&state) % 8) {
            case 0:
                gm_timers_stop(&timers, &list[i]);
                plain.at[i] = 0;
                break;
            case 1:
                now += (gm_time)(random_next(&state) % 20);
                take_all_due(&timers, list, &plain, now);
                break;
            default: /* few times, so that many are the same */
                plain.at[i] = now + (gm_time)(random_next(&state) % 50);
                plain.order[i] = ++plain.next;
                gm_timers_set(&timers, &list[i], plain.at[i]);
                break;
            }
        }
        take_all_due(&timers, list, &plain, now + 1000);
        assert_int_equal(timers.count, 0);
        gm_timers_fini(&timers);
    }
}

static void a_timer_is_set_once(void **arg)
{
    (void)arg;
    struct gm_timers timers = {0};
    struct gm_timer a = {0};
    gm_timers_stop(&timers, &a);
    gm_timers_set(&timers, &a, 5);
    gm_timers_set(&timers, &a, 7);
    assert_int_equal(timers.count, 1);
    assert_null(gm_timers_next(&timers, 6));
    assert_ptr_equal(gm_timers_next(&timers, 7), &a);
    assert_null(gm_timers_next(&timers, 8));
    gm_timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_as_a_walk_over_all_says),
        cmocka_unit_test(a_timer_is_set_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
