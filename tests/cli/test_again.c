#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/again.h"

static void what_was_heard_once_is_tried_again(void **state)
{
    char url[] = "unix:/x";
    char *urls[] = {url, NULL};
    struct gm_term term = {.quiet = true};
    struct gm_session session = {.urls = urls, .term = &term};
    struct gm_again again = {.alive = gm_time_now()};
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_again_check(&again, &session, 0, "", &err), 0);
    assert_int_equal(gm_again_check(&again, &session, -GM_E_UNREACHABLE, "", &err),
                     -GM_E_UNREACHABLE);
    gm_again_heard(&again, &session);
    assert_int_equal(gm_again_check(&again, &session, -GM_E_UNREACHABLE, "", &err), 0);
    assert_true(again.told);
    assert_int_equal(gm_again_check(&again, &session, -GM_E_NOTFOUND, "", &err), -GM_E_NOTFOUND);
    again.alive -= 61 * GM_SEC;
    assert_int_equal(gm_again_check(&again, &session, -GM_E_UNREACHABLE, "", &err),
                     -GM_E_UNREACHABLE);
}

static void pauses_double(void **state)
{
    static const int expected[] = {100, 200, 400, 800, 1600, 2000, 2000};
    struct gm_session session = {.reached = false};
    struct gm_again again = {.alive = 0};
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(gm_again_pause_ms(&again), expected[i]);
    }
    gm_again_heard(&again, &session);
    assert_true(session.reached);
    assert_int_equal(gm_again_pause_ms(&again), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_heard_once_is_tried_again),
        cmocka_unit_test(pauses_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
