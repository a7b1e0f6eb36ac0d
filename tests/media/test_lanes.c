#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "media/av.h"
#include "media/lanes.h"

#define LANES 5
#define PICTURES 300

struct seen {
    size_t count[LANES];
    bool in_order;
    size_t fail_lane, fail_at; /* SIZE_MAX: never */
    pthread_mutex_t lock;
    size_t inside[LANES], ends;
};

static int note(void *arg, size_t lane, size_t index, AVFrame *frame, struct gm_err *err)
{
    struct seen *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    bool alone = s->inside[lane]++ == 0;
    s->ends += frame == NULL;
    (void)pthread_mutex_unlock(&s->lock);
    if (frame == NULL) {
        s->inside[lane]--;
        return 0;
    }
    if (!alone || index != s->count[lane] || frame->pts != (int64_t)(index * LANES + lane)) {
        s->in_order = false;
    }
    frame->pts = -1; /* the lane's own copy */
    s->count[lane]++;
    (void)pthread_mutex_lock(&s->lock);
    s->inside[lane]--;
    (void)pthread_mutex_unlock(&s->lock);
    return lane == s->fail_lane && index == s->fail_at
               ? gm_err_set(err, GM_E_MEDIA, 0, "lane %zu stops at %zu", lane, index)
               : 0;
}

static struct seen fresh(void)
{
    struct seen s = {.in_order = true, .fail_lane = SIZE_MAX};
    (void)pthread_mutex_init(&s.lock, NULL);
    return s;
}

static AVFrame *picture(void)
{
    AVFrame *f = gm_av_frame(AV_PIX_FMT_GRAY8, 4, 4);
    assert_non_null(f);
    return f;
}

static int push_all(struct gm_lanes *l, size_t pictures, struct gm_err *err)
{
    AVFrame *f = picture();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pictures; i++) {
        for (size_t k = 0; rc == 0 && k < LANES; k++) {
            f->pts = (int64_t)(i * LANES + k);
            rc = gm_lanes_push(l, k, i, f, err);
            assert_int_equal(f->pts, (int64_t)(i * LANES + k));
        }
    }
    av_frame_free(&f);
    return rc;
}

static void every_lane_keeps_its_order(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 9; threads += 2) {
        struct seen s = fresh();
        struct gm_lanes *l = NULL;
        struct gm_err err = {0};
        assert_int_equal(gm_lanes_create(LANES, threads, note, &s, &l, &err), 0);
        assert_int_equal(push_all(l, PICTURES, &err), 0);
        assert_int_equal(gm_lanes_push(l, 1, 0, NULL, &err), 0);
        assert_int_equal(gm_lanes_drain(l, &err), 0);
        assert_int_equal(s.ends, 1);
        for (size_t k = 0; k < LANES; k++) {
            assert_int_equal(s.count[k], PICTURES);
        }
        assert_true(s.in_order);
        gm_lanes_destroy(&l);
        assert_null(l);
    }
}

static void an_error_ends_all_lanes_until_they_are_cleared(void **state)
{
    struct seen s = fresh();
    struct gm_lanes *l = NULL;
    struct gm_err err = {0};
    (void)state;
    s.fail_lane = 3;
    s.fail_at = 20;
    assert_int_equal(gm_lanes_create(LANES, 2, note, &s, &l, &err), 0);
    (void)push_all(l, PICTURES, &err);
    memset(&err, 0, sizeof err);
    assert_int_equal(gm_lanes_drain(l, &err), -GM_E_MEDIA);
    assert_string_equal(err.text, "lane 3 stops at 20");
    assert_int_equal(s.count[3], 21);
    AVFrame *f = picture();
    assert_int_equal(gm_lanes_push(l, 0, 0, f, &err), -GM_E_MEDIA);
    av_frame_free(&f);
    gm_lanes_clear(l);
    memset(s.count, 0, sizeof s.count);
    s.fail_lane = SIZE_MAX;
    assert_int_equal(push_all(l, 10, &err), 0);
    assert_int_equal(gm_lanes_drain(l, &err), 0);
    assert_int_equal(s.count[4], 10);
    assert_true(s.in_order);
    gm_lanes_destroy(&l);
}

static void what_waits_can_be_thrown_away(void **state)
{
    struct seen s = fresh();
    struct gm_lanes *l = NULL;
    struct gm_err err = {0};
    (void)state;
    assert_int_equal(gm_lanes_create(LANES, 1, note, &s, &l, &err), 0);
    assert_int_equal(push_all(l, GM_LANES_DEPTH, &err), 0);
    gm_lanes_clear(l);
    assert_int_equal(gm_lanes_drain(l, &err), 0);
    assert_int_equal(push_all(l, 1, &err), -0);
    gm_lanes_destroy(&l); /* with pictures waiting */
    assert_int_equal(gm_lanes_create(0, 1, note, &s, &l, &err), -GM_E_INVAL);
    assert_int_equal(gm_lanes_create(1, 0, note, &s, &l, &err), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lane_keeps_its_order),
        cmocka_unit_test(an_error_ends_all_lanes_until_they_are_cleared),
        cmocka_unit_test(what_waits_can_be_thrown_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
