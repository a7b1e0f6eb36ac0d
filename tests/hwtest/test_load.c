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
    gm_time late;    /* they make nothing for so long behind the first */
    unsigned group;  /* whose rate it counts to */
    int *live, *all; /* lanes that are open; that ever were */
};
struct state {
    uint64_t steps;
    gm_time first;
};
static const struct work GOOD = {.opens = 9};

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
    s->first = s->first == 0 ? gm_time_now() : s->first;
    *io_count += w->dead || (w->late > 0 && gm_time_now() - s->first < w->late) ? 0 : 1;
    return 0;
}

static void close_lane(struct gm_hwtest_lane *lane)
{
    const struct work *w = lane->how;
    test_free(lane->state);
    --*w->live;
}

#define LANES 3
/* As many lanes as are in works, and what runs them. */
struct rig {
    int live, all;
    size_t opened;
    struct work work[LANES];
    struct gm_hwtest_lane lanes[LANES];
    struct gm_hwtest_watch *watch;
    struct gm_hwtest_load load;
    struct gm_err err;
};

/* Returns what opening them did. */
static int rig_open(struct rig *r, const struct work *works, size_t count)
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < count; i++) {
        r->work[i] = works[i];
        r->work[i].live = &r->live;
        r->work[i].all = &r->all;
        r->lanes[i] = (struct gm_hwtest_lane){.open = open_lane,
                                              .step = step_lane,
                                              .close = close_lane,
                                              .how = &r->work[i],
                                              .group = works[i].group};
    }
    assert_int_equal(gm_hwtest_watch_open(NULL, &r->watch, &r->err), 0);
    return gm_hwtest_load_open(r->lanes, 0, count, &r->opened, &r->err);
}

static int rig_run(struct rig *r, size_t count, const struct gm_hwtest_window *window)
{
    return gm_hwtest_load_run(r->lanes, count, window, r->watch, &r->load, &r->err);
}

static void rig_close(struct rig *r)
{
    for (int i = 0; i < 2; i++) { /* the second time nothing is open */
        gm_hwtest_load_close(r->lanes, LANES);
        assert_int_equal(r->live, 0);
    }
    gm_hwtest_watch_close(&r->watch);
}

static void lanes_count_to_their_groups(void **state)
{
    (void)state;
    const struct work works[] = {GOOD, GOOD, {.opens = 9, .group = 2}};
    struct rig r;
    const struct gm_hwtest_load *load = &r.load;
    assert_int_equal(rig_open(&r, works, 3), 0);
    assert_true(r.opened == 3 && r.live == 3);
    for (int i = 0; i < 2; i++) { /* again with fewer */
        assert_int_equal(rig_run(&r, 3 - (size_t)i, &gm_hwtest_window_quick), 0);
        assert_true(load->rate[0] > 0 && load->slowest > 0 && load->slowest <= load->rate[0]);
        assert_true(load->rate[1] == 0.0 && (load->rate[2] > 0) == (i == 0));
        assert_true(load->least[0] >= load->slowest && load->least[1] == 0.0);
        assert_true((load->least[2] > 0) == (i == 0));
        assert_true(load->seen.cpus > 0.0 && !load->seen.has_watts); /* they never rest */
    }
    rig_close(&r);
}

static void those_that_opened_before_a_refusal_stay(void **state)
{
    (void)state;
    const struct work works[] = {{.opens = 2}, {.opens = 2}, {.opens = 2}};
    struct rig r;
    assert_int_equal(rig_open(&r, works, 3), -GM_E_DEVICE_BUSY);
    assert_true(r.opened == 2 && r.live == 2);
    rig_close(&r);
}

static void a_lane_that_fails_ends_all(void **state)
{
    (void)state;
    const struct work works[] = {GOOD, {.opens = 9, .fails = 3}};
    struct rig r;
    assert_int_equal(rig_open(&r, works, 2), 0);
    assert_int_equal(rig_run(&r, 2, &gm_hwtest_window_usual), -GM_E_DEVICE_LOST);
    assert_true(r.err.native == 7 && strstr(r.err.text, "bus") != NULL);
    assert_int_equal(rig_run(&r, 0, &gm_hwtest_window_quick), -GM_E_LIMIT);
    assert_int_equal(rig_run(&r, GM_HWTEST_LANES_MAX + 1, &gm_hwtest_window_quick), -GM_E_LIMIT);
    rig_close(&r);
}

static void a_lane_that_makes_nothing_is_a_failure(void **state)
{
    (void)state;
    const struct gm_hwtest_window window = {
        .least = GM_SEC / 20, .longest = GM_SEC / 5, .pictures = 2};
    const struct work works[] = {{.opens = 9, .group = 1}, GOOD, {.opens = 9, .dead = true}};
    struct rig r;
    const struct gm_hwtest_load *load = &r.load;
    assert_int_equal(rig_open(&r, works, 3), 0);
    assert_int_equal(rig_run(&r, 3, &window), 0);
    assert_true(load->slowest == 0.0 && load->least[0] == 0.0 && load->least[1] > 0);
    assert_true(load->rate[0] > 0);
    struct gm_hwtest_check c = gm_hwtest_check_make("gpu", "encode", 3);
    gm_hwtest_load_measure(&c, load->rate[0], "fps", load->least[0]);
    assert_true(c.status == GM_HWTEST_FAIL && c.has_value && c.remedy[0] != '\0');
    gm_hwtest_load_measure(&c, 0.0, "fps", 0.0);
    assert_true(c.status == GM_HWTEST_FAIL && c.has_low);
    c = gm_hwtest_check_make("gpu", "encode", 3);
    gm_hwtest_load_measure(&c, load->rate[1], "fps", load->least[1]);
    assert_true(c.status == GM_HWTEST_PASS && c.better == GM_HWTEST_HIGHER && c.remedy[0] == '\0');
    rig_close(&r);
}

/* A decoder's first picture comes behind many packets: what it makes is told of the time after. */
static void a_late_first_picture_is_waited_for(void **state)
{
    (void)state;
    const struct gm_hwtest_window window = {.least = GM_SEC / 10, .longest = 20 * GM_SEC};
    const struct work works[] = {GOOD, {.opens = 9, .late = GM_SEC / 2}};
    struct rig r;
    assert_int_equal(rig_open(&r, works, 2), 0);
    assert_int_equal(rig_run(&r, 2, &window), 0);
    assert_true(r.load.slowest > 0.0);
    rig_close(&r);
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
        cmocka_unit_test(a_late_first_picture_is_waited_for),
        cmocka_unit_test(what_is_full_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
