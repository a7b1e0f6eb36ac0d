#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/load.h"

/* What a lane of these tests does. */
struct work {
    int opens;       /* may be opened so often, then DEVICE_BUSY */
    uint64_t fails;  /* its step of that number fails; 0: never */
    bool dead;       /* its steps make nothing */
    int *live, *all; /* lanes that are open; that ever were */
};
struct state {
    uint64_t steps;
};

static int open_lane(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    const struct work *w = lane->how;
    if (*w->all >= w->opens) {
        return gm_err_set(err, GM_E_DEVICE_BUSY, 0, "no session is free");
    }
    lane->state = test_calloc(1, sizeof(struct state));
    ++*w->live;
    ++*w->all;
    return 0;
}

static int step_lane(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    const struct work *w = lane->how;
    struct state *s = lane->state;
    if (++s->steps == w->fails) {
        return gm_err_set(err, GM_E_DEVICE_LOST, 7, "it fell off the bus");
    }
    *io_count += w->dead ? 0 : 1;
    return 0;
}

static void close_lane(struct gm_hwtest_lane *lane)
{
    const struct work *w = lane->how;
    test_free(lane->state);
    --*w->live;
}

static struct gm_hwtest_lane lane_of(const struct work *w, unsigned group)
{
    return (struct gm_hwtest_lane){
        .open = open_lane, .step = step_lane, .close = close_lane, .how = w, .group = group};
}

static void lanes_count_to_their_groups(void **state)
{
    (void)state;
    int live = 0, all = 0;
    size_t opened = 0;
    struct gm_err err;
    struct gm_hwtest_watch *watch = NULL;
    struct gm_hwtest_load load;
    const struct work w = {.opens = 9, .live = &live, .all = &all};
    struct gm_hwtest_lane lanes[] = {lane_of(&w, 0), lane_of(&w, 0), lane_of(&w, 2)};
    assert_int_equal(gm_hwtest_watch_open(NULL, &watch, &err), 0);
    assert_int_equal(gm_hwtest_load_open(lanes, 0, 3, &opened, &err), 0);
    assert_true(opened == 3 && live == 3);
    for (int i = 0; i < 2; i++) { /* again with fewer */
        assert_int_equal(
            gm_hwtest_load_run(lanes, 3 - (size_t)i, &gm_hwtest_window_quick, watch, &load, &err),
            0);
        assert_true(load.rate[0] > 0 && load.slowest > 0 && load.slowest <= load.rate[0]);
        assert_true(load.rate[1] == 0.0 && (load.rate[2] > 0) == (i == 0));
        assert_true(load.least[0] >= load.slowest && load.least[1] == 0.0);
        assert_true((load.least[2] > 0) == (i == 0));
        assert_true(load.seen.cpus > 0.0 && !load.seen.has_watts); /* they never rest */
    }
    gm_hwtest_load_close(lanes, 3);
    assert_int_equal(live, 0);
    gm_hwtest_load_close(lanes, 3); /* nothing is open */
    gm_hwtest_watch_close(&watch);
}

static void those_that_opened_before_a_refusal_stay(void **state)
{
    (void)state;
    int live = 0, all = 0;
    size_t opened = 9;
    struct gm_err err;
    const struct work w = {.opens = 2, .live = &live, .all = &all};
    struct gm_hwtest_lane lanes[] = {lane_of(&w, 0), lane_of(&w, 0), lane_of(&w, 0)};
    assert_int_equal(gm_hwtest_load_open(lanes, 0, 3, &opened, &err), -GM_E_DEVICE_BUSY);
    assert_true(opened == 2 && live == 2);
    gm_hwtest_load_close(lanes, 3);
    assert_int_equal(live, 0);
}

static void a_lane_that_fails_ends_all(void **state)
{
    (void)state;
    int live = 0, all = 0;
    size_t opened = 0;
    struct gm_err err;
    struct gm_hwtest_watch *watch = NULL;
    struct gm_hwtest_load load;
    const struct work good = {.opens = 9, .live = &live, .all = &all};
    const struct work bad = {.opens = 9, .fails = 3, .live = &live, .all = &all};
    struct gm_hwtest_lane lanes[] = {lane_of(&good, 0), lane_of(&bad, 0)};
    assert_int_equal(gm_hwtest_watch_open(NULL, &watch, &err), 0);
    assert_int_equal(gm_hwtest_load_open(lanes, 0, 2, &opened, &err), 0);
    assert_int_equal(gm_hwtest_load_run(lanes, 2, &gm_hwtest_window_usual, watch, &load, &err),
                     -GM_E_DEVICE_LOST);
    assert_true(err.native == 7 && strstr(err.text, "bus") != NULL);
    assert_int_equal(gm_hwtest_load_run(lanes, 0, &gm_hwtest_window_quick, watch, &load, &err),
                     -GM_E_LIMIT);
    assert_int_equal(gm_hwtest_load_run(lanes, GM_HWTEST_LANES_MAX + 1, &gm_hwtest_window_quick,
                                        watch, &load, &err),
                     -GM_E_LIMIT);
    gm_hwtest_load_close(lanes, 2);
    gm_hwtest_watch_close(&watch);
}

static void a_lane_that_makes_nothing_is_a_failure(void **state)
{
    (void)state;
    int live = 0, all = 0;
    size_t opened = 0;
    struct gm_err err;
    struct gm_hwtest_watch *watch = NULL;
    struct gm_hwtest_load load;
    const struct gm_hwtest_window window = {
        .least = GM_SEC / 100, .longest = GM_SEC / 50, .pictures = 2};
    const struct work good = {.opens = 9, .live = &live, .all = &all};
    const struct work dead = {.opens = 9, .dead = true, .live = &live, .all = &all};
    struct gm_hwtest_lane lanes[] = {lane_of(&good, 1), lane_of(&good, 0), lane_of(&dead, 0)};
    assert_int_equal(gm_hwtest_watch_open(NULL, &watch, &err), 0);
    assert_int_equal(gm_hwtest_load_open(lanes, 0, 3, &opened, &err), 0);
    assert_int_equal(gm_hwtest_load_run(lanes, 3, &window, watch, &load, &err), 0);
    assert_true(load.slowest == 0.0 && load.least[0] == 0.0 && load.least[1] > 0);
    assert_true(load.rate[0] > 0);
    struct gm_hwtest_check c = gm_hwtest_check_make("gpu", "encode", 3);
    gm_hwtest_load_measure(&c, load.rate[0], "fps", load.least[0]);
    assert_true(c.status == GM_HWTEST_FAIL && c.has_value && c.remedy[0] != '\0');
    gm_hwtest_load_measure(&c, 0.0, "fps", 0.0);
    assert_true(c.status == GM_HWTEST_FAIL && c.has_low);
    c = gm_hwtest_check_make("gpu", "encode", 3);
    gm_hwtest_load_measure(&c, load.rate[1], "fps", load.least[1]);
    assert_true(c.status == GM_HWTEST_PASS && c.better == GM_HWTEST_HIGHER && c.remedy[0] == '\0');
    gm_hwtest_load_close(lanes, 3);
    gm_hwtest_watch_close(&watch);
}

static void what_is_full_is_named(void **state)
{
    (void)state;
    static const struct {
        struct gm_hwtest_seen seen;
        const char *want;
    } rows[] = {
        {{.cpus = 0.9, .has_use = true, .encoder = 100}, "processors of this machine (90 % busy)"},
        {{.cpus = 0.5, .has_use = true, .encoder = 97, .decoder = 95}, "the encoder (NVML: 97 %"},
        {{.cpus = 0.5, .has_use = true, .encoder = 50, .decoder = 95}, "the decoder (NVML: 95 %"},
        {{.has_watts = true, .watts = 70, .limit_watts = 72}, "its power limit (70 of 72 W)"},
        {{.has_watts = true, .watts = 70, .has_use = true, .processor = 99}, "multiprocessors"},
        {{.cpus = 0.2, .has_use = true, .encoder = 50}, "nothing that NVML"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];
        gm_hwtest_limit(&rows[i].seen, text, sizeof text);
        assert_non_null(strstr(text, rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_count_to_their_groups),
        cmocka_unit_test(those_that_opened_before_a_refusal_stay),
        cmocka_unit_test(a_lane_that_fails_ends_all),
        cmocka_unit_test(a_lane_that_makes_nothing_is_a_failure),
        cmocka_unit_test(what_is_full_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
