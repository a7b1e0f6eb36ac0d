#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/images/poster.h"
#include "media/picture/image.h"

#define MAX 128
#define RATE 25
#define TICKS 1000 /* a second */
#define W 96
#define H 64

struct header {
    Gm__ChunkHeader h;
    Gm__FrameEntry entries[MAX];
    Gm__FrameEntry *list[MAX];
};

static void fill(struct header *c, uint32_t index, const int64_t *times, size_t count, int64_t end,
                 bool last)
{
    gm__chunk_header__init(&c->h);
    for (size_t i = 0; i < count; i++) {
        gm__frame_entry__init(&c->entries[i]);
        c->entries[i].out_ts = times[i];
        c->list[i] = &c->entries[i];
    }
    c->h.index = index;
    c->h.frames = c->list;
    c->h.n_frames = count;
    c->h.end_ts = end;
    c->h.last = last;
}

static void constant(struct header *c, size_t count)
{
    int64_t times[MAX];
    for (size_t i = 0; i < count; i++) {
        times[i] = (int64_t)i * TICKS / RATE;
    }
    fill(c, 0, times, count, (int64_t)count * TICKS / RATE, true);
}

static void a_picture_a_second_is_looked_at(void **state)
{
    (void)state;
    struct header c;
    struct gm_poster_spot out[8] = {0};
    constant(&c, 75);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(out[i].now, 25 * i + 12); /* on screen at i + 0.5 s */
        assert_int_equal(out[i].before, 25 * i + 7);
        assert_int_equal(out[i].after, 25 * i + 17);
    }
    /* room is never overrun */
    struct gm_poster_spot one[2] = {{0}, {9, 9, 9}};
    assert_int_equal(gm_poster_select(&c.h, TICKS, one, 1), 3);
    assert_int_equal(one[1].now, 9);
    assert_int_equal(gm_poster_select(&c.h, TICKS, NULL, 0), 3);
    /* a chunk that begins after the half second: the next one */
    const int64_t late[] = {600, 1000, 1400, 1800};
    fill(&c, 3, late, 4, 2200, false);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 1);
    assert_int_equal(out[0].now, 2);
    assert_int_equal(out[0].before, 1);
    assert_int_equal(out[0].after, 3);
    /* none in the chunk: its middle; neighbours end with it */
    const int64_t brief[] = {2600, 2640, 2680};
    fill(&c, 4, brief, 3, 2720, false);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 1);
    assert_int_equal(out[0].now, 1);
    assert_int_equal(out[0].before, 0);
    assert_int_equal(out[0].after, 2);
    /* two frames a second: spots don't overlap */
    const int64_t slow[] = {0, 500, 1000, 1500, 2000, 2500, 3000};
    fill(&c, 0, slow, 7, 3500, false);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 2);
    assert_int_equal(out[0].now, 1);
    assert_int_equal(out[0].after, 2);
    assert_int_equal(out[1].before, 4);
    assert_int_equal(out[1].now, 5);
    /* one picture for a week */
    const int64_t single[] = {0};
    fill(&c, 0, single, 1, (int64_t)604800 * TICKS, true);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 1);
    assert_int_equal(out[0].before, 0);
    assert_int_equal(out[0].after, 0);
    fill(&c, 0, single, 0, 0, true);
    assert_int_equal(gm_poster_select(&c.h, TICKS, out, 8), 0);
}

static void a_time_names_the_frame_on_screen(void **state)
{
    (void)state;
    struct header c;
    const int64_t times[] = {1001, 2002, 3003};
    fill(&c, 0, times, 3, 4004, false); /* 30000/1001 at 30000 ticks: 0.0333667 s a frame */
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 0), 0); /* before the first one */
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 33366), 0);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 66733), 0);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 66734), 1);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 100100), 2); /* exactly its time */
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 133466), 2);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 133467), SIZE_MAX); /* the next chunk's */
    fill(&c, 1, times, 3, 4004, true);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 33366), SIZE_MAX); /* the chunk's before */
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 133467), 2);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, INT64_C(604800000000)), 2);
    fill(&c, 0, times, 0, 0, true);
    assert_int_equal(gm_poster_frame_at(&c.h, 30000, 0), SIZE_MAX);
}

static void a_middling_rendition_is_looked_at(void **state)
{
    (void)state;
    static const struct {
        uint32_t sides[4];
        size_t count, want;
    } rows[] = {{{1080, 720, 480, 240}, 4, 2},
                {{720, 360, 240}, 3, 1},
                {{240, 120}, 2, 0},
                {{1080}, 1, 0},
                {{1080, 240}, 2, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy p = GM__POLICY__INIT;
        Gm__Rendition r[4];
        Gm__Rendition *list[4];
        for (size_t k = 0; k < rows[i].count; k++) {
            gm__rendition__init(&r[k]);
            r[k].short_side = rows[i].sides[k];
            list[k] = &r[k];
        }
        p.renditions = list;
        p.n_renditions = rows[i].count;
        assert_int_equal(gm_poster_rung(&p), rows[i].want);
    }
}

/* ---- scenes: luma of frame i at x, y */

static int noise(int x, int y)
{
    return 60 + (x * 7 + y * 13 + x * y) % 120;
}
static int soft(int x, int y)
{
    return 80 + x / 2 + y / 2;
}
static int second(int x, int y)
{
    return 60 + (x / 2 * 31 + y / 2 * 17) % 120;
}

/* Black for two seconds, then a sharp picture. */
static int black_start(int i, int x, int y)
{
    return i < 50 ? 16 : noise(x, y);
}
/* A plain wall, one sharp flash of light in the first second, a soft picture in the third. */
static int flash(int i, int x, int y)
{
    return i >= 11 && i <= 13 ? 255 - noise(x, y) / 2
           : i < 50           ? 120
                              : soft(x, y) + (x / 8 % 2) * 20;
}
/* One scene fades to another all through the second second. Half-way there is detail all over,
 * where each scene has a plain part. */
static int cross_fade(int i, int x, int y)
{
    int t = i < 25 ? 0 : i < 50 ? i - 25 : 25;
    int from = x < W / 2 ? noise(x, y) : 110;
    int to = x >= W / 2 - 8 ? second(x, y) : 110;
    return (from * (25 - t) + to * t) / 25;
}
/* Sharp in the third second only. */
static int blurred(int i, int x, int y)
{
    return i < 50 ? soft(x, y) : noise(x, y);
}
/* Moves fast, then rests: as sharp both times. */
static int moving(int i, int x, int y)
{
    return i < 50 ? noise(x + 5 * i, y) : noise(x, y);
}
/* White title, then the picture, then black. */
static int white_then_black(int i, int x, int y)
{
    return i < 25 ? 250 : i < 50 ? noise(x, y) : 16;
}

static AVFrame *scene_picture(int (*at)(int i, int x, int y), int i)
{
    AVFrame *f = gm_av_frame(AV_PIX_FMT_YUV420P, W, H);
    assert_non_null(f);
    f->colorspace = AVCOL_SPC_SMPTE170M;
    f->color_range = AVCOL_RANGE_MPEG;
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            f->data[0][y * f->linesize[0] + x] = (uint8_t)at(i, x, y);
        }
    }
    for (int p = 1; p < 3; p++) {
        memset(f->data[p], 128, (size_t)f->linesize[p] * H / 2);
    }
    return f;
}

static struct gm_poster *make(Gm__ThumbnailsParams *params, Gm__Policy *policy)
{
    struct gm_poster *p = NULL;
    struct gm_err err = {0};
    static char filters[GM_STILL_FILTERS_SIZE];
    gm__policy__init(policy);
    policy->thumbnails = params;
    policy->timescale = TICKS;
    policy->poster_width_px = 48;
    policy->poster_height_px = 32;
    assert_int_equal(gm_still_filters(gm_still_find(params->format), 48, 32, filters, &err), 0);
    policy->poster_filters = filters;
    assert_int_equal(gm_poster_create(policy, &p, &err), 0);
    return p;
}

static struct gm_poster_best run(struct gm_poster *p, const struct header *c,
                                 int (*at)(int i, int x, int y))
{
    struct gm_poster_best best;
    struct gm_err err = {0};
    assert_int_equal(gm_poster_start(p, &c->h, &err), 0);
    for (size_t i = 0; i < c->h.n_frames; i++) {
        AVFrame *f = scene_picture(at, (int)i);
        assert_int_equal(gm_poster_picture(p, i, f, f, &err), 0);
        av_frame_free(&f);
    }
    assert_int_equal(gm_poster_finish(p, &best, &err), 0);
    return best;
}

static void the_right_picture_wins(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*at)(int i, int x, int y);
        int64_t want; /* ticks */
    } rows[] = {{"black start", black_start, 2480}, {"flash", flash, 2480},
                {"cross-fade", cross_fade, 2480},   {"blurred", blurred, 2480},
                {"moving", moving, 2480},           {"white then black", white_then_black, 1480}};
    struct header c;
    Gm__ThumbnailsParams params = GM__THUMBNAILS_PARAMS__INIT;
    Gm__Policy policy;
    params.poster_at_s = -1;
    struct gm_poster *p = make(&params, &policy);
    constant(&c, 75);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_poster_best best = run(p, &c, rows[i].at);
        if (best.ts != rows[i].want) {
            fail_msg("%s: the picture at %d", rows[i].name, (int)best.ts);
        }
        assert_true(best.score > 0);
        AVFrame *poster = NULL;
        struct gm_err err;
        assert_int_equal(gm_image_decode(best.file->data, best.file->size, &poster, &err), 0);
        assert_int_equal(poster->width, 48);
        assert_int_equal(poster->height, 32);
        av_frame_free(&poster);
    }
    gm_poster_destroy(&p);
}

static int level(int i, int x, int y)
{
    (void)x;
    (void)y;
    return 40 + 2 * i;
}

static void a_named_time_is_taken_whatever_it_scores(void **state)
{
    (void)state;
    struct header c;
    Gm__ThumbnailsParams params = GM__THUMBNAILS_PARAMS__INIT;
    Gm__Policy policy;
    params.poster_at_s = 0.4;
    params.format = "webp";
    struct gm_poster *p = make(&params, &policy);
    constant(&c, 75);
    struct gm_poster_best best = run(p, &c, level);
    assert_int_equal(best.ts, 400);
    AVFrame *poster = NULL;
    struct gm_err err;
    assert_int_equal(gm_image_decode(best.file->data, best.file->size, &poster, &err), 0);
    assert_in_range(poster->data[0][0], 58, 62); /* frame 10 */
    av_frame_free(&poster);
    /* again, and a chunk that it is not in */
    best = run(p, &c, level);
    assert_int_equal(best.ts, 400);
    const int64_t later[] = {3000, 3040};
    fill(&c, 1, later, 2, 3080, true);
    best = run(p, &c, level);
    assert_null(best.file);
    gm_poster_destroy(&p);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_a_second_is_looked_at),
        cmocka_unit_test(a_time_names_the_frame_on_screen),
        cmocka_unit_test(a_middling_rendition_is_looked_at),
        cmocka_unit_test(the_right_picture_wins),
        cmocka_unit_test(a_named_time_is_taken_whatever_it_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
