/* What speaks against a device, by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "scheduler/core/health.h"

static struct gm_health_work chunk(int64_t n)
{
    return (struct gm_health_work){.job = 1, .task = 3, .first = n, .count = 1};
}

static void fail_at(struct gm_health *h, int64_t n)
{
    struct gm_health_work w = chunk(n);
    gm_health_fail(h, &w, 1, GM_E_MEDIA, 0);
}

static bool pass_elsewhere(struct gm_health *h, int64_t n)
{
    struct gm_health_work w = chunk(n);
    return gm_health_pass_elsewhere(h, &w);
}

static void what_passes_elsewhere_is_a_strike(void **state)
{
    (void)state;
    struct gm_health h = {0};
    fail_at(&h, 3);
    fail_at(&h, 4);
    assert_int_equal(gm_health_pending(&h), 2);
    assert_false(pass_elsewhere(&h, 5));
    assert_true(pass_elsewhere(&h, 3));
    assert_int_equal(gm_health_strikes(&h), 1);
    assert_int_equal(gm_health_pending(&h), 1);
    assert_true(pass_elsewhere(&h, 4));
    assert_int_equal(gm_health_strikes(&h), 2);
    assert_false(pass_elsewhere(&h, 4)); /* once */
}

static void what_passes_there_later_is_none(void **state)
{
    (void)state;
    struct gm_health h = {0};
    fail_at(&h, 3);
    struct gm_health_work w = chunk(3);
    gm_health_pass(&h, &w);
    assert_int_equal(gm_health_pending(&h), 0);
    assert_false(pass_elsewhere(&h, 3));
    assert_int_equal(gm_health_strikes(&h), 0);
}

static void what_fails_elsewhere_too_is_none(void **state)
{
    (void)state;
    struct gm_health h = {0};
    fail_at(&h, 3);
    fail_at(&h, 4);
    struct gm_health_work run = {.job = 1, .task = 3, .first = 2, .count = 2};
    assert_true(gm_health_fail_elsewhere(&h, &run));
    assert_false(gm_health_fail_elsewhere(&h, &run));
    assert_false(pass_elsewhere(&h, 3));
    assert_true(pass_elsewhere(&h, 4));
    assert_int_equal(gm_health_strikes(&h), 1);
}

/* A run is one piece of work: all that it left must pass. */
static void a_run_is_a_strike_when_all_of_it_passed(void **state)
{
    (void)state;
    struct gm_health h = {0};
    struct gm_health_work run = {.job = 1, .task = 3, .first = 4, .count = 4};
    gm_health_fail(&h, &run, 3, GM_E_MEDIA, 0); /* chunk 4 is done */
    assert_int_equal(gm_health_pending(&h), 1);
    assert_false(pass_elsewhere(&h, 5));
    assert_false(pass_elsewhere(&h, 6));
    assert_true(pass_elsewhere(&h, 7));
    assert_int_equal(gm_health_strikes(&h), 1);
}

static void a_part_that_fails_alone_stands_for_its_run(void **state)
{
    (void)state;
    struct gm_health h = {0};
    struct gm_health_work run = {.job = 1, .task = 3, .first = 4, .count = 4};
    gm_health_fail(&h, &run, 4, GM_E_MEDIA, 0);
    fail_at(&h, 5);
    assert_int_equal(h.count, 1); /* not two pieces of work */
    assert_false(pass_elsewhere(&h, 4));
    assert_true(pass_elsewhere(&h, 5));
}

static void other_work_is_other_work(void **state)
{
    (void)state;
    struct gm_health h = {0};
    struct gm_health_work others[] = {{.job = 2, .task = 3, .first = 3, .count = 1},
                                      {.job = 1, .task = 2, .first = 3, .count = 1},
                                      {.job = 1, .task = 3, .instance = 1, .first = 3, .count = 1},
                                      {.job = 1, .task = 3, .first = -1, .count = 1}};
    fail_at(&h, 3);
    for (size_t i = 0; i < 4; i++) {
        assert_false(gm_health_pass_elsewhere(&h, &others[i]));
        assert_false(gm_health_fail_elsewhere(&h, &others[i]));
    }
    assert_int_equal(gm_health_pending(&h), 1);
}

static void jobs_that_end_take_their_marks_along(void **state)
{
    (void)state;
    struct gm_health h = {0};
    fail_at(&h, 3);
    fail_at(&h, 4);
    assert_true(pass_elsewhere(&h, 4));
    gm_health_forget_job(&h, 2);
    assert_int_equal(h.count, 2);
    gm_health_forget_job(&h, 1);
    assert_int_equal(h.count, 1); /* the strike was proved */
    assert_int_equal(gm_health_strikes(&h), 1);
}

static void marks_grow_old(void **state)
{
    (void)state;
    struct gm_health h = {0};
    fail_at(&h, 3);
    gm_health_age(&h, GM_HEALTH_KEPT - 1);
    assert_int_equal(h.count, 1);
    gm_health_age(&h, GM_HEALTH_KEPT);
    assert_int_equal(h.count, 0);
    fail_at(&h, 3);
    for (int64_t i = 100; i < 100 + GM_HEALTH_PASSES; i++) {
        gm_health_age(&h, 0);
        assert_int_equal(h.count, 1);
        struct gm_health_work w = chunk(i);
        gm_health_pass(&h, &w);
        assert_int_equal(gm_health_pending(&h), 0); /* something passes: no black hole */
    }
    gm_health_age(&h, 0);
    assert_int_equal(h.count, 0);
}

static void the_oldest_mark_makes_room(void **state)
{
    (void)state;
    struct gm_health h = {0};
    for (int64_t i = 0; i <= GM_HEALTH_MARKS; i++) {
        fail_at(&h, i);
    }
    assert_int_equal(h.count, GM_HEALTH_MARKS);
    assert_false(pass_elsewhere(&h, 0));
    assert_true(pass_elsewhere(&h, GM_HEALTH_MARKS));
}

static void some_codes_say_nothing_of_a_device(void **state)
{
    static const enum gm_code none[] = {GM_E_NODE_LOST,     GM_E_CANCELLED,     GM_E_NOMEM,
                                        GM_E_NO_SCRATCH,    GM_E_STORE,         GM_E_STORE_CORRUPT,
                                        GM_E_MEDIA_CHUNK,   GM_E_BUSY,          GM_E_DEVICE_BUSY,
                                        GM_E_DEVICE_MEMORY, GM_E_INPUT_DAMAGED, GM_E_PROTO};
    static const enum gm_code some[] = {
        GM_E_MEDIA,      GM_E_MEDIA_VERIFY, GM_E_WORKER_DIED,   GM_E_WORKER_HUNG, GM_E_SANDBOX,
        GM_E_NODE_GRANT, GM_E_DEVICE_LOST,  GM_E_DEVICE_DRIVER, GM_E_SYS,         GM_E_BUG};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_false(gm_health_counts(&(struct gm_err){.code = none[i]}));
    }
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        assert_true(gm_health_counts(&(struct gm_err){.code = some[i]}));
    }
    assert_false(gm_health_counts(&(struct gm_err){.code = GM_E_WORKER_DIED, .native = SIGKILL}));
    assert_false(gm_health_counts(&(struct gm_err){.code = GM_E_NODE_GRANT, .native = ETIME}));
    assert_false(gm_health_counts(&(struct gm_err){.code = GM_E_TIMEOUT, .native = ETIME}));
    assert_true(gm_health_counts(&(struct gm_err){.code = GM_E_TIMEOUT}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_passes_elsewhere_is_a_strike),
                                       cmocka_unit_test(what_passes_there_later_is_none),
                                       cmocka_unit_test(what_fails_elsewhere_too_is_none),
                                       cmocka_unit_test(a_run_is_a_strike_when_all_of_it_passed),
                                       cmocka_unit_test(a_part_that_fails_alone_stands_for_its_run),
                                       cmocka_unit_test(other_work_is_other_work),
                                       cmocka_unit_test(jobs_that_end_take_their_marks_along),
                                       cmocka_unit_test(marks_grow_old),
                                       cmocka_unit_test(the_oldest_mark_makes_room),
                                       cmocka_unit_test(some_codes_say_nothing_of_a_device)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
