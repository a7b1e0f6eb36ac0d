#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/fixed.h"
#include "media/encode/vbv.h"

#define TICKS 30000

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static struct gm_vbv declared(int64_t rate, int64_t size)
{
    Gm__Rendition r = GM__RENDITION__INIT;
    struct gm_vbv vbv;
    r.maxrate_bps = rate;
    r.bufsize_bits = size;
    assert_true(gm_vbv_declared(&r, TICKS, &vbv));
    return vbv;
}

static void only_capped_renditions_have_a_buffer(void **state)
{
    (void)state;
    Gm__Rendition r = GM__RENDITION__INIT;
    struct gm_vbv vbv;
    assert_false(gm_vbv_declared(&r, TICKS, &vbv));
    r.maxrate_bps = 1000;
    assert_false(gm_vbv_declared(&r, TICKS, &vbv));
    r.bufsize_bits = 2000;
    assert_false(gm_vbv_declared(&r, 0, &vbv));
    assert_true(gm_vbv_declared(&r, TICKS, &vbv));
    assert_int_equal(gm_vbv_entry(&vbv), 1000);
}

/* An encoder that takes all it may, in the worst order, keeps the promise at the first attempt. */
static void a_greedy_encoder_keeps_the_promise(void **state)
{
    (void)state;
    uint32_t seed = 5;
    for (int round = 0; round < 2000; round++) {
        int64_t rate = 16000 + next_random(&seed) % 10000000;
        struct gm_vbv vbv = declared(rate, rate * (1 + (int64_t)next_random(&seed) % 40) / 10);
        int64_t start = next_random(&seed) % 1000000;
        int frames = 30 + (int)(next_random(&seed) % 900);
        int64_t step = 1000;
        bool last = next_random(&seed) % 4 == 0;
        struct gm_vbv_limits l;
        gm_vbv_limits(&vbv, frames * step, last, 0, &l);
        assert_true(l.rate_bps <= rate && l.buffer_bits <= vbv.size_bits / 2);
        assert_true(l.init_bits <= l.buffer_bits && l.crf_add == 0);
        struct gm_vbv_walk w;
        gm_vbv_walk_start(&w, &vbv, start);
        int64_t own = l.init_bits * TICKS; /* in bit ticks, exact */
        for (int i = 0; i < frames; i++) {
            int64_t take = own / TICKS;
            switch (next_random(&seed) % 3) {
            case 0:
                take = 0;
                break;
            case 1:
                take = take * (next_random(&seed) % 100) / 100;
                break;
            default:
                break;
            }
            size_t bytes = (size_t)(take / 8);
            gm_vbv_walk_sample(&w, start + i * step, bytes);
            own -= (int64_t)bytes * 8 * TICKS;
            own += l.rate_bps * step;
            own = own < l.buffer_bits * TICKS ? own : l.buffer_bits * TICKS;
        }
        gm_vbv_walk_end(&w, start + frames * step);
        assert_true(gm_bucket_holds(&w.bucket, gm_vbv_entry(&vbv), last));
    }
}

static void every_attempt_gives_less(void **state)
{
    (void)state;
    struct gm_vbv vbv = declared(1000000, 2000000);
    struct gm_vbv_limits before, now;
    gm_vbv_limits(&vbv, 6 * TICKS, false, 0, &before);
    assert_int_equal(before.buffer_bits, 1000000);
    assert_int_equal(before.init_bits, 1000000);
    assert_int_equal(before.rate_bps, 833333);
    for (uint32_t i = 1; i < GM_VBV_ATTEMPTS; i++) {
        gm_vbv_limits(&vbv, 6 * TICKS, false, i, &now);
        assert_true(now.rate_bps < before.rate_bps && now.buffer_bits < before.buffer_bits);
        assert_true(now.crf_add > before.crf_add && now.init_bits <= now.buffer_bits);
        before = now;
    }
    gm_vbv_limits(&vbv, 6 * TICKS, false, UINT32_MAX, &now);
    assert_int_equal(now.rate_bps, before.rate_bps);
    gm_vbv_limits(&vbv, 6 * TICKS, true, 0, &now);
    assert_int_equal(now.rate_bps, 1000000); /* nothing follows */
    gm_vbv_limits(&vbv, 1, false, 0, &now);  /* a tick long */
    assert_true(now.rate_bps >= 1000 && now.buffer_bits >= 1000 && now.init_bits >= 0);
}

/* Bits that come in are counted from the programme's start, so that pieces add up to the whole. */
static void pieces_add_up_to_the_whole(void **state)
{
    (void)state;
    struct gm_vbv vbv = declared(999983, 1500001);
    uint32_t seed = 3;
    struct gm_vbv_walk whole, piece;
    struct gm_bucket joined;
    gm_vbv_walk_start(&whole, &vbv, 0);
    gm_bucket_init(&joined, vbv.size_bits);
    int64_t t = 0;
    for (int k = 0; k < 200; k++) {
        gm_vbv_walk_start(&piece, &vbv, t);
        for (int i = 0; i < 50; i++) {
            size_t bytes = next_random(&seed) % 8000;
            gm_vbv_walk_sample(&whole, t, bytes);
            gm_vbv_walk_sample(&piece, t, bytes);
            t += 1 + next_random(&seed) % 2000;
        }
        gm_vbv_walk_end(&piece, t);
        gm_bucket_join(&joined, &piece.bucket);
    }
    gm_vbv_walk_end(&whole, t);
    assert_int_equal(joined.need, whole.bucket.need);
    assert_int_equal(joined.low, whole.bucket.low);
    assert_int_equal(joined.cap, whole.bucket.cap);
    assert_int_equal(gm_bucket_end(&joined, 750000), gm_bucket_end(&whole.bucket, 750000));
    Gm__BufferWalk m;
    gm_vbv_walk_message(&whole, &m);
    assert_true(m.need == whole.bucket.need && m.gain == whole.bucket.gain &&
                m.cap == whole.bucket.cap && m.low == whole.bucket.low);
}

/* Bits fall by half every `step` hundredths of crf, as with libvpx and SVT-AV1 from 700 to 1500. */
static void a_crf_that_holds_is_found_from_the_misses(void **state)
{
    (void)state;
    const int64_t room = 1000000;
    for (int32_t step = 700; step <= 1500; step += 100) {
        for (int64_t first = 1020000; first < 6000000; first += 90000) {
            struct gm_vbv_miss before = {0}, now = {.most_add = 30};
            int32_t add = 0;
            uint32_t attempt = 0;
            for (;; attempt++) {
                assert_true(attempt < 5);
                int64_t bits = gm_fixed_scale(first, -(int64_t)add * 100 * GM_Q16 / step);
                if (bits <= room) {
                    break;
                }
                now.crf_add = add;
                now.bits = bits;
                now.over_bits = bits - room;
                int32_t next = gm_vbv_worse(attempt > 0 ? &before : NULL, &now, attempt);
                assert_true(next > add && next <= 30);
                before = now;
                add = next;
                if (add == 30) {
                    break; /* nothing coarser is left */
                }
            }
            /* not needlessly coarse: a half of the bits that there is room for is taken */
            int64_t taken = gm_fixed_scale(first, -(int64_t)add * 100 * GM_Q16 / step);
            assert_true(add == 30 || taken * 2 > room);
        }
    }
}

static void a_search_that_is_misled_ends_at_the_coarsest(void **state)
{
    (void)state;
    struct gm_vbv_miss before = {0}, now = {.most_add = 28, .bits = 1000, .over_bits = 1};
    for (uint32_t attempt = 0; attempt + 1 < GM_VBV_ATTEMPTS; attempt++) {
        int32_t next = gm_vbv_worse(attempt > 0 ? &before : NULL, &now, attempt);
        assert_true(next > now.crf_add || next == 28);
        before = now;
        now.crf_add = next;
    }
    assert_int_equal(now.crf_add, 28);
    now = (struct gm_vbv_miss){.most_add = 0, .bits = 1, .over_bits = INT64_MAX / 2};
    assert_int_equal(gm_vbv_worse(NULL, &now, 0), 0);
}

static void a_walk_tells_which_bits_were_too_many(void **state)
{
    (void)state;
    struct gm_vbv vbv = declared(80000, 80000); /* entered with 40000 bits */
    struct gm_vbv_miss m = {0};
    struct gm_vbv_walk w;
    gm_vbv_walk_start(&w, &vbv, 0); /* too much at first, much time after */
    gm_vbv_walk_sample(&w, 0, 4000);
    gm_vbv_walk_sample(&w, 3000, 3000); /* 8000 have come in */
    gm_vbv_walk_sample(&w, 5 * TICKS, 1000);
    gm_vbv_walk_end(&w, 6 * TICKS);
    assert_true(gm_vbv_walk_broke(&w, false, &m));
    assert_int_equal(m.bits, 56000);
    assert_int_equal(m.over_bits, 8000);
    gm_vbv_walk_start(&w, &vbv, 0); /* never empty, but emptier at the end */
    gm_vbv_walk_sample(&w, 0, 1000);
    gm_vbv_walk_sample(&w, 3000, 4000);
    gm_vbv_walk_end(&w, 6000);
    assert_true(gm_vbv_walk_broke(&w, false, &m));
    assert_int_equal(m.bits, 40000);
    assert_int_equal(m.over_bits, 24000);
    m.bits = 7;
    assert_false(gm_vbv_walk_broke(&w, true, &m)); /* nothing follows */
    assert_int_equal(m.bits, 7);
    gm_vbv_walk_start(&w, &vbv, 0); /* easy seconds fill it, then too much: only this counts */
    for (int i = 0; i < 10; i++) {
        gm_vbv_walk_sample(&w, (int64_t)i * TICKS, 2000);
    }
    gm_vbv_walk_sample(&w, 10 * TICKS, 9000); /* full: 80000; 8000 left */
    gm_vbv_walk_sample(&w, 10 * TICKS + 3000, 3000);
    gm_vbv_walk_end(&w, 20 * TICKS);
    assert_true(gm_vbv_walk_broke(&w, true, &m));
    assert_int_equal(m.bits, 96000);
    assert_int_equal(m.over_bits, 8000);
    gm_vbv_walk_start(&w, &vbv, 0); /* and at the end */
    gm_vbv_walk_sample(&w, 0, 1000);
    gm_vbv_walk_sample(&w, 10 * TICKS, 9000);
    gm_vbv_walk_end(&w, 10 * TICKS + 3000);
    assert_true(gm_vbv_walk_broke(&w, false, &m));
    assert_int_equal(m.bits, 72000);
    assert_int_equal(m.over_bits, 24000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_capped_renditions_have_a_buffer),
        cmocka_unit_test(a_greedy_encoder_keeps_the_promise),
        cmocka_unit_test(every_attempt_gives_less),
        cmocka_unit_test(pieces_add_up_to_the_whole),
        cmocka_unit_test(a_crf_that_holds_is_found_from_the_misses),
        cmocka_unit_test(a_search_that_is_misled_ends_at_the_coarsest),
        cmocka_unit_test(a_walk_tells_which_bits_were_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
