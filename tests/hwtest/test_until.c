#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hwtest/until.h"

#define PATIENCE (60 * GM_SEC)

static int flag_of(const struct gm_hwtest_until *u)
{
    return __atomic_load_n(gm_hwtest_until_flag(u), __ATOMIC_ACQUIRE);
}

static void wait_for_its_end(const struct gm_hwtest_until *u)
{
    gm_time end = gm_time_now() + PATIENCE;
    while (flag_of(u) == 0 && gm_time_now() < end) {
        const struct timespec moment = {.tv_nsec = 1000000};
        (void)nanosleep(&moment, NULL);
    }
    assert_int_not_equal(flag_of(u), 0);
}

static void it_goes_on_without_a_reason(void **state)
{
    (void)state;
    struct gm_hwtest_until *u = NULL;
    struct gm_err err;
    assert_int_equal(gm_hwtest_until_start(0, &u, &err), 0);
    assert_int_equal(flag_of(u), 0);
    assert_null(gm_hwtest_until_why(u));
    assert_false(gm_hwtest_until_is_signal(u));
    assert_true(gm_hwtest_until_end(u) == INT64_MAX);
    gm_hwtest_until_stop(&u);
    assert_null(u);
    gm_hwtest_until_stop(&u);
}

static void no_object_never_ends(void **state)
{
    (void)state;
    assert_null(gm_hwtest_until_flag(NULL));
    assert_null(gm_hwtest_until_why(NULL));
    assert_false(gm_hwtest_until_is_signal(NULL));
    assert_true(gm_hwtest_until_end(NULL) == INT64_MAX);
}

static void signals_end_it_and_a_second_one_kills_nobody(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    sigset_t before, after;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    for (int i = 0; i < 2; i++) {
        struct gm_hwtest_until *u = NULL;
        struct gm_err err;
        assert_int_equal(gm_hwtest_until_start(0, &u, &err), 0);
        assert_int_equal(kill(getpid(), signals[i]), 0);
        wait_for_its_end(u);
        assert_int_equal(kill(getpid(), signals[i]), 0);
        assert_true(gm_hwtest_until_is_signal(u));
        assert_string_equal(gm_hwtest_until_why(u), "the run was ended early by a signal");
        gm_hwtest_until_stop(&u);
        assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &after), 0);
        assert_int_equal(sigismember(&after, signals[i]), sigismember(&before, signals[i]));
    }
}

static void time_ends_it(void **state)
{
    (void)state;
    struct gm_hwtest_until *u = NULL;
    struct gm_err err;
    gm_time before = gm_time_now();
    assert_int_equal(gm_hwtest_until_start(1, &u, &err), 0);
    assert_true(gm_hwtest_until_end(u) >= before + GM_SEC);
    wait_for_its_end(u);
    assert_true(gm_time_now() >= gm_hwtest_until_end(u));
    assert_false(gm_hwtest_until_is_signal(u));
    assert_string_equal(gm_hwtest_until_why(u), "the time of --time-limit is over");
    gm_hwtest_until_stop(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_without_a_reason),
        cmocka_unit_test(no_object_never_ends),
        cmocka_unit_test(signals_end_it_and_a_second_one_kills_nobody),
        cmocka_unit_test(time_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
