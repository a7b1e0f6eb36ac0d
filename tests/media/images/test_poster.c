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

/* A poster and what it sees with. */
struct made {
    struct gm_poster *p;    /* owned */
    struct gm_eyes *eyes;   /* owned */
    const AVFrame *picture; /* borrowed: the one that is shown */
    size_t whole;           /* pictures that were asked for as they are */
};

static void make(Gm__ThumbnailsParams *params, Gm__Policy *policy, struct made *out)
{
    struct gm_err err = {0};
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    Gm__Rendition r = GM__RENDITION__INIT;
    Gm__Rendition *list[] = {&r};
    facts.width_px = W;
    facts.height_px = H;
    static char filters[GM_STILL_FILTERS_SIZE];
    gm__policy__init(policy);
    policy->thumbnails = params;
    policy->timescale = TICKS;
    policy->poster_width_px = 48;
    policy->poster_height_px = 32;
    assert_int_equal(gm_still_filters(gm_still_find(params->format), 48, 32, filters, &err), 0);
    policy->poster_filters = filters;
    assert_int_equal(gm_poster_create(policy, &out->p, &err), 0);
    r.width_px = W;
    r.height_px = H;
    policy->renditions = list;
    policy->n_renditions = 1;
    assert_int_equal(gm_eyes_create(policy, &facts, NULL, &out->eyes, &err), 0);
    policy->n_renditions = 0;
    out->whole = 0;
}

static void unmake(struct made *m)
{
    gm_poster_destroy(&m->p);
    gm_eyes_destroy(&m->eyes);
}

static int see_sdr(void *arg, const AVFrame **out, struct gm_err *err)
{
    struct made *m = arg;
    (void)err;
    m->whole++;
    *out = m->picture;
    return 0;
}

static struct gm_poster_best run(struct made *m, const struct header *c,
                                 int (*at)(int i, int x, int y))
{
    struct gm_poster_best best;
    struct gm_err err = {0};
    assert_int_equal(gm_poster_start(m->p, &c->h, &err), 0);
    for (size_t i = 0; i < c->h.n_frames; i++) {
        AVFrame *f = scene_picture(at, (int)i);
        const struct gm_sight sight = {m->eyes, see_sdr, m};
        m->picture = f;
        gm_eyes_show(m->eyes, f);
        assert_int_equal(gm_poster_picture(m->p, i, &sight, &err), 0);
        av_frame_free(&f);
    }
    assert_int_equal(gm_poster_finish(m->p, &best, &err), 0);
    return best;
}

static void the_right_picture_wins(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*at)(int i, int x, int y);
        int64_t want; /* ticks */
        size_t
            whole; /* pictures that win by themselves, of three: no others are needed as a whole */
    } rows[] = {
        {"black start", black_start, 2480, 2}, {"flash", flash, 2480, 2},
        {"cross-fade", cross_fade, 2480, 3},   {"blurred", blurred, 2480, 2},
        {"moving", moving, 2480, 3},           {"white then black", white_then_black, 1480, 2}};
    struct header c;
    Gm__ThumbnailsParams params = GM__THUMBNAILS_PARAMS__INIT;
    Gm__Policy policy;
    params.poster_at_s = -1;
    struct made m;
    make(&params, &policy, &m);
    constant(&c, 75);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        m.whole = 0;
        struct gm_poster_best best = run(&m, &c, rows[i].at);
        if (best.ts != rows[i].want || m.whole != rows[i].whole) {
            fail_msg("%s: the picture at %d, %zu whole ones", rows[i].name, (int)best.ts, m.whole);
        }
        assert_true(best.score > 0);
        AVFrame *poster = NULL;
        struct gm_err err;
        assert_int_equal(gm_image_decode(best.file->data, best.file->size, &poster, &err), 0);
        assert_int_equal(poster->width, 48);
        assert_int_equal(poster->height, 32);
        av_frame_free(&poster);
    }
    unmake(&m);
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
    struct made m;
    make(&params, &policy, &m);
    constant(&c, 75);
    struct gm_poster_best best = run(&m, &c, level);
    assert_int_equal(best.ts, 400);
    AVFrame *poster = NULL;
    struct gm_err err;
    assert_int_equal(gm_image_decode(best.file->data, best.file->size, &poster, &err), 0);
    assert_in_range(poster->data[0][0], 58, 62); /* frame 10 */
    av_frame_free(&poster);
    /* again, and a chunk that it is not in */
    best = run(&m, &c, level);
    assert_int_equal(best.ts, 400);
    const int64_t later[] = {3000, 3040};
    fill(&c, 1, later, 2, 3080, true);
    best = run(&m, &c, level);
    assert_null(best.file);
    unmake(&m);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_a_second_is_looked_at),
        cmocka_unit_test(a_time_names_the_frame_on_screen),
        cmocka_unit_test(the_right_picture_wins),
        cmocka_unit_test(a_named_time_is_taken_whatever_it_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
