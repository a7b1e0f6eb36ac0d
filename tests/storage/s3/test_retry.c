#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/s3/retry.h"

static void pauses_double_and_are_shaken(void **state)
{
    (void)state;
    for (unsigned tries = 0; tries < 70; tries++) {
        struct gm_s3_retry low = {tries, 100, 1000 * GM_SEC};
        struct gm_s3_retry high = low;
        gm_time whole = tries < 8 ? GM_S3_PAUSE_FIRST << tries : GM_S3_PAUSE_MAX;
        gm_time least = 0;
        gm_time most = 0;

        assert_true(gm_s3_retry_next(&low, 0, 0, 0, &least));
        assert_true(gm_s3_retry_next(&high, 0, UINT32_MAX, 0, &most));
        assert_true(least == whole / 2);
        assert_true(most > whole - whole / 1000 && most <= whole);
        assert_int_equal(low.tries, tries + 1);
    }
}

static void a_budget_of_tries_ends(void **state)
{
    struct gm_s3_retry retry = {0, 3, 1000 * GM_SEC};
    gm_time pause = -1;

    (void)state;
    assert_true(gm_s3_retry_next(&retry, 0, 0, 0, &pause)); /* the 2nd */
    assert_true(gm_s3_retry_next(&retry, 0, 0, 0, &pause)); /* the 3rd */
    pause = -1;
    assert_false(gm_s3_retry_next(&retry, 0, 0, 0, &pause));
    assert_true(pause == -1);
    retry = (struct gm_s3_retry){0, 0, GM_SEC};
    assert_false(gm_s3_retry_next(&retry, 0, 0, 0, &pause));
    retry.max_tries = 1;
    assert_false(gm_s3_retry_next(&retry, 0, 0, 0, &pause));
}

static void a_budget_of_time_ends(void **state)
{
    struct gm_s3_retry retry = {0, 100, 5 * GM_SEC};
    gm_time pause = -1;

    (void)state;
    assert_false(gm_s3_retry_next(&retry, 5 * GM_SEC - 49 * GM_MS, 0, 0, &pause));
    assert_false(gm_s3_retry_next(&retry, 6 * GM_SEC, 0, 0, &pause));
    assert_true(pause == -1);
    assert_int_equal(retry.tries, 0);
    assert_true(gm_s3_retry_next(&retry, 5 * GM_SEC - 50 * GM_MS, 0, 0, &pause));
    assert_true(pause == 50 * GM_MS);
}

static void the_server_may_ask_for_a_longer_pause(void **state)
{
    struct gm_s3_retry retry = {0, 100, 60 * GM_SEC};
    gm_time pause = -1;

    (void)state;
    assert_true(gm_s3_retry_next(&retry, 0, 0, 30 * GM_SEC, &pause));
    assert_true(pause == 30 * GM_SEC);
    assert_true(gm_s3_retry_next(&retry, 0, 0, GM_MS, &pause));
    assert_true(pause == 100 * GM_MS);                                 /* never a shorter one */
    assert_false(gm_s3_retry_next(&retry, 0, 0, 61 * GM_SEC, &pause)); /* nor more than there is */
    assert_true(gm_s3_retry_after("30") == 30 * GM_SEC);
    assert_true(gm_s3_retry_after("3600") == 3600 * GM_SEC);
    assert_true(gm_s3_retry_after("3601") == 0);
    assert_true(gm_s3_retry_after("0") == 0);
    assert_true(gm_s3_retry_after("-1") == 0);
    assert_true(gm_s3_retry_after("") == 0);
    assert_true(gm_s3_retry_after("Fri, 31 Dec 1999 23:59:59 GMT") == 0);
}

/* Told by what was sent before, or by the one that decides. */
static void break_down(struct gm_s3_breaker *breaker, int count, gm_time now)
{
    for (int i = 0; i < count; i++) {
        gm_s3_breaker_told(breaker, breaker->probing, true, now, UINT32_MAX);
    }
}

static void failures_in_a_row_open_the_breaker(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time wait = -1;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT - 1, 0);
    gm_s3_breaker_told(&breaker, breaker.probing, false, 0,
                       0); /* an answer: it counts from the start again */
    break_down(&breaker, GM_S3_BREAKER_LIMIT - 1, 0);
    assert_true(gm_s3_breaker_allows(&breaker, 0, &wait));
    assert_true(wait == -1);
    break_down(&breaker, 1, 0);
    assert_false(gm_s3_breaker_allows(&breaker, 0, &wait));
    assert_true(wait > GM_S3_BREAKER_FIRST / 2 && wait <= GM_S3_BREAKER_FIRST);
    assert_false(gm_s3_breaker_allows(&breaker, breaker.until - 1, &wait));
    assert_true(wait == GM_MS);
}

static void one_request_decides_after_a_rest(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time wait = -1;
    gm_time now;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    now = breaker.until;
    assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
    assert_false(gm_s3_breaker_allows(&breaker, now, &wait)); /* one alone */
    gm_s3_breaker_told(&breaker, breaker.probing, false, now, 0);
    assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
    assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
    break_down(&breaker, GM_S3_BREAKER_LIMIT, now); /* and its rests begin short again */
    assert_true(breaker.until - now <= GM_S3_BREAKER_FIRST);
}

static void rests_grow_while_it_fails(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time now = 0;
    gm_time wait = 0;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    for (int i = 0; i < 70; i++) {
        gm_time whole = i < 6 ? GM_S3_BREAKER_FIRST << i : GM_S3_BREAKER_MAX;

        assert_true(breaker.until - now > whole - whole / 1000 && breaker.until - now <= whole);
        now = breaker.until;
        assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
        break_down(&breaker, 1, now);
    }
}

static void what_was_under_way_does_not_prolong_the_rest(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time until;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    until = breaker.until;
    break_down(&breaker, 100, GM_SEC / 4);
    assert_true(breaker.until == until);
    gm_s3_breaker_told(&breaker, breaker.probing, false, GM_SEC / 4, 0); /* but an answer ends it */
    assert_false(breaker.open);
}

static void who_was_sent_before_does_not_decide(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time wait = 0;
    gm_time until;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    assert_true(gm_s3_breaker_allows(&breaker, breaker.until, &wait));
    until = breaker.until;
    for (int ill = 0; ill < 2; ill++) {
        gm_s3_breaker_told(&breaker, false, ill != 0, until - GM_MS, 0);
        assert_true(breaker.open && breaker.probing);
        assert_true(breaker.until == until);
    }
    gm_s3_breaker_told(&breaker, true, false, until - GM_MS, 0);
    assert_false(breaker.open);
}

static void a_request_that_never_ends_is_followed_by_another(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time wait = 0;
    gm_time now;

    (void)state;
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    now = breaker.until;
    assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
    assert_false(gm_s3_breaker_allows(&breaker, now, &wait));
    assert_true(wait == GM_S3_PROBE_ASK); /* it may end in a moment */
    assert_false(gm_s3_breaker_allows(&breaker, now + GM_S3_PROBE_TIME - GM_MS, &wait));
    assert_true(wait == GM_MS);
    assert_true(gm_s3_breaker_allows(&breaker, now + GM_S3_PROBE_TIME, &wait));
}

static void a_request_that_is_given_up_is_followed_at_once(void **state)
{
    struct gm_s3_breaker breaker = {0};
    gm_time wait = 0;
    gm_time now;

    (void)state;
    gm_s3_breaker_given_up(&breaker, 5); /* none was let through */
    assert_true(breaker.until == 0);
    break_down(&breaker, GM_S3_BREAKER_LIMIT, 0);
    now = breaker.until;
    gm_s3_breaker_given_up(&breaker, 0);
    assert_false(gm_s3_breaker_allows(&breaker, now - GM_MS, &wait));
    assert_true(gm_s3_breaker_allows(&breaker, now, &wait));
    gm_s3_breaker_given_up(&breaker, now + GM_MS);
    assert_true(gm_s3_breaker_allows(&breaker, now + GM_MS, &wait));
    assert_false(gm_s3_breaker_allows(&breaker, now + GM_MS, &wait)); /* and again one alone */
    break_down(&breaker, 1, now + GM_MS);
    assert_true(breaker.until - now > GM_S3_BREAKER_FIRST / 2); /* its rest was not forgotten */
}

static void a_body_that_drips_is_told(void **state)
{
    (void)state;
    assert_false(gm_s3_drips(GM_S3_DRIP_TIME - 1, 0));
    assert_true(gm_s3_drips(GM_S3_DRIP_TIME, 0));
    assert_true(gm_s3_drips(600 * GM_SEC, UINT64_C(600) * GM_S3_DRIP_RATE - 1));
    assert_false(gm_s3_drips(600 * GM_SEC, UINT64_C(600) * GM_S3_DRIP_RATE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_and_are_shaken),
        cmocka_unit_test(a_budget_of_tries_ends),
        cmocka_unit_test(a_budget_of_time_ends),
        cmocka_unit_test(the_server_may_ask_for_a_longer_pause),
        cmocka_unit_test(a_body_that_drips_is_told),
        cmocka_unit_test(failures_in_a_row_open_the_breaker),
        cmocka_unit_test(one_request_decides_after_a_rest),
        cmocka_unit_test(rests_grow_while_it_fails),
        cmocka_unit_test(what_was_under_way_does_not_prolong_the_rest),
        cmocka_unit_test(who_was_sent_before_does_not_decide),
        cmocka_unit_test(a_request_that_never_ends_is_followed_by_another),
        cmocka_unit_test(a_request_that_is_given_up_is_followed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
