#include "scheduler/hooks/readers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int cut_count, cut_last;

static void on_cut(int fd, const char *why, void *arg)
{
    (void)arg;
    assert_non_null(why);
    cut_count++;
    cut_last = fd;
}

static void sweep(const struct gm_readers *r, const struct gm_allow *allow, gm_time now)
{
    cut_count = 0;
    gm_readers_sweep(r, allow, now, 0, on_cut, NULL);
}

static void newcomers_take_the_room_of_who_says_nothing(void **state)
{
    struct gm_readers r = {.count = 0};
    (void)state;
    for (int fd = 0; fd < GM_READERS_MAX; fd++) {
        assert_int_equal(gm_readers_opened(&r, fd, fd), -1);
    }
    assert_int_equal(gm_readers_opened(&r, 1000, GM_READERS_ROOM_TIME - 1), 1000);
    assert_non_null(gm_readers_said(&r, 1000, NULL, (const uint8_t *)"\1", 1));
    assert_null(gm_readers_said(&r, 0, NULL, (const uint8_t *)"\1", 1));
    assert_int_equal(gm_readers_opened(&r, 1000, GM_READERS_ROOM_TIME + 1), 1); /* 0 subscribed */
    for (int fd = 2; fd <= 1000; fd++) {
        (void)gm_readers_said(&r, fd, NULL, (const uint8_t *)"\1", 1);
    }
    assert_int_equal(gm_readers_opened(&r, 2000, INT64_MAX), 2000);
    gm_readers_closed(&r, 77);
    assert_int_equal(gm_readers_opened(&r, 2000, 0), -1);
}

static void who_says_nothing_or_loses_its_key_is_cut(void **state)
{
    struct gm_readers r = {.count = 0};
    struct gm_allow allow = {0};
    struct gm_err err;
    struct gm_allowed row = {.name = "a", .role = GM_CURVE_CLIENT, .until_unix_ms = INT64_MAX};
    (void)state;
    memset(row.key, 'k', GM_CURVE_TEXT - 1);
    assert_int_equal(gm_allow_add(&allow, &row, &err), 0);
    assert_int_equal(gm_readers_opened(&r, 5, 0), -1);
    assert_int_equal(gm_readers_opened(&r, 6, 0), -1);
    assert_false(gm_readers_any(&r));
    assert_null(gm_readers_said(&r, 5, row.key, (const uint8_t *)"\1job.", 5));
    assert_true(gm_readers_any(&r));
    sweep(&r, &allow, GM_READERS_PROOF_TIME - 1);
    assert_int_equal(cut_count, 0);
    sweep(&r, &allow, GM_READERS_PROOF_TIME);
    assert_int_equal(cut_count, 1);
    assert_int_equal(cut_last, 6);
    gm_readers_closed(&r, 6);
    allow.rows[0].role = GM_CURVE_NODE; /* the same key, for something else */
    sweep(&r, &allow, 0);
    assert_int_equal(cut_last, 5);
    sweep(&r, NULL, INT64_MAX); /* no keys are asked for */
    assert_int_equal(cut_count, 0);
    gm_allow_fini(&allow);
}

static void what_is_asked_for_is_bounded(void **state)
{
    struct gm_readers r = {.count = 0};
    uint8_t topic[GM_READERS_TOPIC_BYTES + 2] = {1};
    (void)state;
    (void)gm_readers_opened(&r, 5, 0);
    for (int i = 0; i < GM_READERS_TOPICS; i++) {
        assert_null(gm_readers_said(&r, 5, NULL, topic, GM_READERS_TOPIC_BYTES + 1));
        assert_null(gm_readers_said(&r, 5, NULL, (const uint8_t *)"", 1));
    }
    assert_non_null(gm_readers_said(&r, 5, NULL, topic, 2));
    (void)gm_readers_opened(&r, 5, 0);
    assert_non_null(gm_readers_said(&r, 5, NULL, topic, sizeof topic));
    assert_non_null(gm_readers_said(&r, 5, NULL, (const uint8_t *)"\2", 1));
    assert_non_null(gm_readers_said(&r, 5, NULL, topic, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newcomers_take_the_room_of_who_says_nothing),
        cmocka_unit_test(who_says_nothing_or_loses_its_key_is_cut),
        cmocka_unit_test(what_is_asked_for_is_bounded),
    };
    return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}
