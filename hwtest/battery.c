#include "hwtest/battery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/reference.h"
#include "kernels/twin.h"
#include "media/picture/tonemap.h"

#define HELD_MAX 32
#define LADDERS (16 + SIZES) /* the first: shapes and turns; then sizes, with a watermark */
#define SIZES 8
#define OTHERS 8 /* cases of the other kernels */
#define MARK_WIDTH 7
#define MARK_HEIGHT 5

struct bench {
    struct gm_gpu *gpu; /* borrowed; NULL: this process */
    struct gm_gpu_stream *stream;
    gm_addr held[HELD_MAX]; /* of a case */
    size_t count;
    struct gm_tonemap *pq, *hlg;      /* owned */
    const struct gm_tonemap *tonemap; /* of the case */
};

static int reserve(struct bench *b, size_t size, gm_addr *out, struct gm_err *err)
{
    gm_addr addr = 0;
    int rc = 0;
    GM_ASSERT(b->count < HELD_MAX);
    if (b->gpu != NULL) {
        rc = gm_gpu_alloc(b->gpu, size, &addr, err);
    } else {
        addr = (uintptr_t)aligned_alloc(64, (size + 63) / 64 * 64);
        rc = addr == 0 ? gm_err_nomem(err) : 0;
    }
    if (rc == 0) {
        b->held[b->count++] = addr;
        *out = addr;
    }
    return rc;
}

/* A copy of data where the kernels can read it, until release. */
static int put(struct bench *b, const void *data, size_t size, gm_addr *out, struct gm_err *err)
{
    gm_addr addr = 0;
    int rc = reserve(b, size, &addr, err);
    if (rc == 0 && b->gpu != NULL) {
        rc = gm_gpu_upload(b->stream, addr, data, size, err);
    } else if (rc == 0) {
        memcpy((void *)(uintptr_t)addr, data, size);
    }
    if (rc == 0) {
        *out = addr;
    }
    return rc;
}

static int get(struct bench *b, void *to, gm_addr from, size_t size, struct gm_err *err)
{
    if (b->gpu == NULL) {
        memcpy(to, (const void *)(uintptr_t)from, size);
        return 0;
    }
    int rc = gm_gpu_download(b->stream, to, from, size, err);
    return rc == 0 ? gm_gpu_sync(b->stream, err) : rc;
}

static int launch(struct bench *b, const struct gm_launch *l, const void *args, struct gm_err *err)
{
    return b->gpu != NULL ? gm_gpu_launch(b->stream, l, args, err) : gm_twin_run(l, args, err);
}

static void release(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->gpu != NULL) {
            gm_gpu_free(b->gpu, b->held[i]);
        } else {
            free((void *)(uintptr_t)b->held[i]);
        }
    }
    b->count = 0;
}

static int put_picture(struct bench *b, const struct gm_hwtest_picture *p, gm_addr *base,
                       struct gm_surface *out, struct gm_err *err)
{
    int rc = put(b, p->memory, p->size, base, err);
    if (rc == 0) {
        *out = gm_hwtest_picture_at(p, *base);
    }
    return rc;
}

static struct gm_ladder_params ladder_of_shape(uint32_t i)
{
    struct gm_ladder_params p = {.width_px = 200 + 7 * i, .height_px = 100 + 3 * i, .rungs = 3};
    p.deep = i % 2 == 1;
    p.turns = i / 2 % 4;
    p.mirror = i / 8 == 1;
    p.chroma_x2 = i % 3 == 0;
    p.chroma_y2 = i % 5 == 0;
    if (i % 4 == 3) {
        p.crop_x_px = 10;
        p.crop_y_px = 6;
        p.crop_width_px = 171;
        p.crop_height_px = 81;
    }
    p.rung[0] = (struct gm_ladder_rung){p.width_px, p.height_px, p.deep, NULL};
    p.rung[1] = (struct gm_ladder_rung){90 + i, 51 + i, i % 3 == 0, NULL};
    p.rung[2] = (struct gm_ladder_rung){32, 18, false, NULL};
    return p;
}

struct mark {
    struct gm_ladder_mark mark;
    uint16_t values[MARK_WIDTH * MARK_HEIGHT]; /* of all planes */
    uint8_t alpha[MARK_WIDTH * MARK_HEIGHT];
};

static void fill_mark(struct mark *m, bool deep)
{
    for (uint32_t i = 0; i < MARK_WIDTH * MARK_HEIGHT; i++) {
        m->values[i] = (uint16_t)(i * 149 % (deep ? 1024 : 256));
        m->alpha[i] = (uint8_t)(i * 37);
    }
    m->mark = (struct gm_ladder_mark){0,         0,         MARK_WIDTH, MARK_HEIGHT,
                                      m->values, m->values, m->values,  m->alpha};
}

static uint32_t at_least(uint32_t n, uint32_t least)
{
    return n > least ? n : least;
}

/* As it is, half, and as small as a ladder may make it; in both depths, and a watermark over all,
 * which sticks out of small ones. */
static struct gm_ladder_params ladder_of_size(uint32_t i, struct mark marks[2])
{
    static const uint32_t sizes[SIZES][2] = {{2, 2},   {3, 5},    {16, 16},   {33, 17},
                                             {65, 63}, {129, 64}, {1923, 34}, {34, 1081}};
    uint32_t w = sizes[i][0], h = sizes[i][1];
    struct gm_ladder_params p = {.width_px = w, .height_px = h, .deep = i % 2 == 1, .rungs = 3};
    fill_mark(&marks[0], false);
    fill_mark(&marks[1], true);
    p.rung[0] = (struct gm_ladder_rung){w, h, p.deep, NULL};
    p.rung[1] = (struct gm_ladder_rung){at_least(w / 2, 2), at_least(h / 2, 2), !p.deep, NULL};
    p.rung[2] = (struct gm_ladder_rung){
        at_least((w + GM_LADDER_RATIO_MAX - 1) / GM_LADDER_RATIO_MAX, 2),
        at_least((h + GM_LADDER_RATIO_MAX - 1) / GM_LADDER_RATIO_MAX, 2), p.deep, NULL};
    for (int k = 0; k < 3; k++) {
        p.rung[k].mark = &marks[p.rung[k].deep].mark;
    }
    return p;
}

struct ladder_run {
    struct gm_ladder_params params;
    struct mark marks[2]; /* of 8 bits and of 10 */
    struct gm_hwtest_picture in, want[3], got[3];
    struct gm_ladder *ladder;
};

static int ladder_launch(struct bench *b, struct ladder_run *r, struct gm_err *err)
{
    struct gm_ladder_frame there = {0};
    gm_addr base[3] = {0}, in = 0;
    struct gm_ladder_args args = {0};
    size_t size = 0;
    int rc = gm_ladder_create(&r->params, &r->ladder, err);
    if (rc == 0) {
        const void *plan = gm_ladder_plan(r->ladder, &size);
        rc = put(b, plan, size, &args.plan, err);
    }
    if (rc == 0) {
        rc = put_picture(b, &r->in, &in, &there.in, err);
    }
    for (uint32_t i = 0; rc == 0 && i < 3; i++) {
        rc = put_picture(b, &r->got[i], &base[i], &there.out[i], err);
    }
    if (rc == 0) {
        rc = gm_ladder_check(r->ladder, &there, err);
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof(there), &args.frames, err);
    }
    if (rc == 0) {
        struct gm_launch l = gm_ladder_launch(r->ladder, 1);
        rc = launch(b, &l, &args, err);
    }
    for (uint32_t i = 0; rc == 0 && i < 3; i++) {
        rc = get(b, r->got[i].memory, base[i], r->got[i].size, err);
    }
    return rc;
}

/* 1: equal; 0: not; negative: an error. So with the others. */
static int try_ladder(struct bench *b, uint32_t number, struct gm_err *err)
{
    struct ladder_run r = {.ladder = NULL};
    r.params = number < LADDERS - SIZES ? ladder_of_shape(number)
                                        : ladder_of_size(number - (LADDERS - SIZES), r.marks);
    struct gm_ladder_frame here = {0};
    int rc = gm_hwtest_picture_init(&r.in, r.params.width_px, r.params.height_px, r.params.deep, 16,
                                    err);
    for (uint32_t i = 0; rc == 0 && i < 3; i++) {
        const struct gm_ladder_rung *g = &r.params.rung[i];
        rc = gm_hwtest_picture_init(&r.want[i], g->width_px, g->height_px, g->deep, 8, err);
        if (rc == 0) {
            rc = gm_hwtest_picture_init(&r.got[i], g->width_px, g->height_px, g->deep, 8, err);
        }
        here.out[i] = r.want[i].surface;
    }
    if (rc == 0) {
        gm_hwtest_picture_noise(&r.in, 3 + number);
        here.in = r.in.surface;
        rc = gm_reference_ladder(&r.params, &here, err);
    }
    if (rc == 0) {
        rc = ladder_launch(b, &r, err);
    }
    int same = 1;
    for (uint32_t i = 0; i < 3; i++) {
        same = same && rc == 0 && gm_hwtest_picture_equal(&r.want[i], &r.got[i]);
        gm_hwtest_picture_fini(&r.want[i]);
        gm_hwtest_picture_fini(&r.got[i]);
    }
    gm_ladder_destroy(&r.ladder);
    gm_hwtest_picture_fini(&r.in);
    return rc < 0 ? rc : same;
}

#define LOOKS 3 /* the picture, the one before, the one after */

static int try_score(struct bench *b, uint32_t number, struct gm_err *err)
{
    struct gm_hwtest_picture looks[LOOKS] = {0};
    struct gm_score_sums want = {0}, got = {0};
    struct gm_score_frame there = {0}, here = {.sums = (uintptr_t)&want};
    struct gm_score_args args = {0};
    struct gm_launch l;
    gm_addr frames = 0;
    static const uint32_t sizes[OTHERS][2] = {{333, 97}, {334, 97}, {335, 97}, {336, 97},
                                              {2, 2},    {3, 2},    {1923, 9}, {9, 1081}};
    uint32_t w = sizes[number][0], h = sizes[number][1];
    gm_addr *at[LOOKS][2] = {
        {&there.luma, &here.luma}, {&there.before, &here.before}, {&there.after, &here.after}};
    uint32_t *stride[LOOKS][2] = {{&there.stride, &here.stride},
                                  {&there.before_stride, &here.before_stride},
                                  {&there.after_stride, &here.after_stride}};
    int rc = put(b, &got, sizeof(got), &there.sums, err);
    for (uint32_t i = 0; rc == 0 && i < LOOKS; i++) {
        struct gm_surface surface;
        gm_addr base = 0;
        if (i > 0 && (number >> (i - 1) & 1) != 0) {
            continue; /* without it */
        }
        rc = gm_hwtest_picture_init(&looks[i], w, h, false, 16 - 4 * i, err);
        if (rc == 0) {
            gm_hwtest_picture_noise(&looks[i], 4 + number + 40 * i);
            rc = put_picture(b, &looks[i], &base, &surface, err);
        }
        if (rc == 0) {
            *at[i][0] = surface.plane[0];
            *stride[i][0] = surface.stride[0];
            *at[i][1] = looks[i].surface.plane[0];
            *stride[i][1] = looks[i].surface.stride[0];
        }
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof(there), &frames, err);
    }
    if (rc == 0) {
        rc = gm_score_prepare(w, h, frames, 1, &args, &l, err);
    }
    if (rc == 0) {
        rc = launch(b, &l, &args, err);
    }
    if (rc == 0) {
        rc = get(b, &got, there.sums, sizeof(got), err);
    }
    if (rc == 0) {
        gm_reference_score(&args, &here, &want);
    }
    int same = rc == 0 && memcmp(&got, &want, sizeof(got)) == 0;
    for (uint32_t i = 0; i < LOOKS; i++) {
        gm_hwtest_picture_fini(&looks[i]);
    }
    return rc < 0 ? rc : same;
}

static int try_compare(struct bench *b, uint32_t number, struct gm_err *err)
{
    struct gm_hwtest_picture one = {0}, two = {0};
    struct gm_likeness want = {0}, got = {0};
    struct gm_compare_args args = {0};
    struct gm_compare_frame there = {0};
    struct gm_launch l;
    gm_addr base[2] = {0}, frames = 0;
    static const uint32_t sizes[OTHERS][2] = {{131, 70}, {132, 71}, {133, 72},  {134, 73},
                                              {16, 16},  {17, 16},  {1923, 17}, {16, 1081}};
    uint32_t w = sizes[number][0], h = sizes[number][1];
    bool deep = number % 2 == 1;
    int rc = gm_hwtest_picture_init(&one, w, h, deep, 8, err);
    if (rc == 0) {
        rc = gm_hwtest_picture_init(&two, w, h, deep, 4, err);
    }
    if (rc == 0) {
        gm_hwtest_picture_noise(&one, 9 + number);
        gm_hwtest_picture_noise(&two, 90 + number);
        rc = put_picture(b, &one, &base[0], &there.a, err);
    }
    if (rc == 0) {
        rc = put_picture(b, &two, &base[1], &there.b, err);
    }
    if (rc == 0) {
        rc = put(b, &got, sizeof(got), &there.likeness, err);
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof(there), &frames, err);
    }
    if (rc == 0) {
        rc = gm_compare_prepare(w, h, deep, frames, 1, &args, &l, err);
    }
    if (rc == 0) {
        rc = launch(b, &l, &args, err);
    }
    if (rc == 0) {
        rc = get(b, &got, there.likeness, sizeof(got), err);
    }
    if (rc == 0) {
        const struct gm_compare_frame here = {one.surface, two.surface, (uintptr_t)&want};
        gm_reference_compare(&args, &here, &want);
    }
    int same = rc == 0 && memcmp(&got, &want, sizeof(got)) == 0;
    gm_hwtest_picture_fini(&one);
    gm_hwtest_picture_fini(&two);
    return rc < 0 ? rc : same;
}

static int try_sprite(struct bench *b, uint32_t number, struct gm_err *err)
{
    struct gm_hwtest_picture in = {0}, sheet = {0}, want = {0};
    struct gm_launch l;
    struct gm_sprite_frame there = {.x = 4, .y = 6};
    gm_addr base[2] = {0};
    bool deep = number % 2 == 1;
    static const uint32_t sizes[OTHERS][4] = {
        {131, 70, 32, 18}, {132, 71, 32, 18}, {133, 72, 32, 18},  {134, 73, 32, 18},
        {2, 2, 2, 2},      {3, 5, 2, 4},      {1923, 17, 50, 16}, {16, 1081, 2, 34}};
    const uint32_t *size = sizes[number];
    bool lies = number % 4 / 2 == 1, out_deep = number / 2 % 2 == 1;
    struct gm_sprite_args args = {.in_width = size[0],
                                  .in_height = size[1],
                                  .deep = deep,
                                  .out_deep = out_deep,
                                  .width = size[lies ? 3 : 2],
                                  .height = size[lies ? 2 : 3],
                                  .turns = number % 4 / 2 + 2 * (number / 4 % 2),
                                  .mirror = number / 3 % 2};
    int rc = gm_hwtest_picture_init(&in, args.in_width, args.in_height, deep, 8, err);
    if (rc == 0) {
        rc = gm_hwtest_picture_init(&sheet, 60, 60, out_deep, 6, err);
    }
    if (rc == 0) {
        rc = gm_hwtest_picture_init(&want, 60, 60, out_deep, 6, err);
    }
    if (rc == 0) {
        gm_hwtest_picture_noise(&in, 10 + number);
        const struct gm_sprite_frame here = {in.surface, want.surface, there.x, there.y};
        gm_reference_sprite(&args, &here);
        rc = put_picture(b, &in, &base[0], &there.in, err);
    }
    if (rc == 0) {
        rc = put_picture(b, &sheet, &base[1], &there.sheet, err);
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof(there), &args.frames, err);
    }
    if (rc == 0) {
        rc = gm_sprite_prepare(&args, 1, &l, err);
    }
    if (rc == 0) {
        rc = launch(b, &l, &args, err);
    }
    if (rc == 0) {
        rc = get(b, sheet.memory, base[1], sheet.size, err);
    }
    int same = rc == 0 && gm_hwtest_picture_equal(&sheet, &want);
    gm_hwtest_picture_fini(&in);
    gm_hwtest_picture_fini(&sheet);
    gm_hwtest_picture_fini(&want);
    return rc < 0 ? rc : same;
}

/* want: gets the samples that media makes of in. */
static int tone_reference(const struct bench *b, const struct gm_hwtest_picture *in,
                          struct gm_hwtest_picture *want, enum AVChromaLocation place,
                          struct gm_err *err)
{
    AVFrame *source = NULL, *made = NULL;
    int rc = gm_hwtest_picture_planar(in, &source, err);
    if (rc == 0) {
        rc = gm_hwtest_picture_planar(want, &made, err);
    }
    if (rc == 0) {
        rc = gm_tonemap_apply(b->tonemap, source, place, made, err);
    }
    if (rc == 0) {
        gm_hwtest_picture_take(want, made);
    }
    av_frame_free(&source);
    av_frame_free(&made);
    return rc;
}

static int put_tables(struct bench *b, struct gm_tone_args *args, struct gm_err *err)
{
    struct gm_tonemap_tables t = gm_tonemap_tables(b->tonemap);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++) {
        rc = put(b, t.nodes[i], GM_TONE_NODES * sizeof(*t.nodes[i]), &args->nodes[i], err);
    }
    if (rc == 0) {
        rc = put(b, t.node, GM_TONE_CODES, &args->node, err);
    }
    return rc == 0 ? put(b, t.fraction, GM_TONE_CODES, &args->fraction, err) : rc;
}

static int tone_launch(struct bench *b, const struct gm_hwtest_picture *in,
                       struct gm_hwtest_picture *out, struct gm_tone_args *args, struct gm_err *err)
{
    struct gm_tone_frame there;
    struct gm_launch l;
    gm_addr base[2] = {0};
    int rc = put_tables(b, args, err);
    if (rc == 0) {
        rc = put_picture(b, in, &base[0], &there.in, err);
    }
    if (rc == 0) {
        rc = put_picture(b, out, &base[1], &there.out, err);
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof(there), &args->frames, err);
    }
    if (rc == 0) {
        rc = gm_tone_prepare(args, 1, &l, err);
    }
    if (rc == 0) {
        rc = launch(b, &l, args, err);
    }
    return rc == 0 ? get(b, out->memory, base[1], out->size, err) : rc;
}

static int try_tone(struct bench *b, uint32_t number, struct gm_err *err)
{
    struct gm_hwtest_picture in = {0}, out = {0}, want = {0};
    static const uint32_t sizes[OTHERS][2] = {{131, 57}, {132, 57}, {133, 57}, {134, 57},
                                              {2, 2},    {3, 5},    {1923, 5}, {5, 1081}};
    bool deep = number % 2 == 1, left = number / 2 % 2 == 0;
    uint32_t w = sizes[number][0], h = sizes[number][1];
    struct gm_tone_args args = {.width = w, .height = h, .deep = deep, .left = left};
    b->tonemap = number < OTHERS / 2 ? b->pq : b->hlg;
    int rc = gm_hwtest_picture_init(&in, w, h, true, 8, err);
    if (rc == 0) {
        rc = gm_hwtest_picture_init(&out, w, h, deep, 6, err);
    }
    if (rc == 0) {
        rc = gm_hwtest_picture_init(&want, w, h, deep, 6, err);
    }
    if (rc == 0) {
        gm_hwtest_picture_noise(&in, 12 + number);
        rc = tone_reference(b, &in, &want, left ? AVCHROMA_LOC_LEFT : AVCHROMA_LOC_CENTER, err);
    }
    if (rc == 0) {
        rc = tone_launch(b, &in, &out, &args, err);
    }
    int same = rc == 0 && gm_hwtest_picture_equal(&out, &want);
    gm_hwtest_picture_fini(&in);
    gm_hwtest_picture_fini(&out);
    gm_hwtest_picture_fini(&want);
    return rc < 0 ? rc : same;
}

static const struct {
    const char *name;
    uint32_t cases;
    int (*run)(struct bench *b, uint32_t number, struct gm_err *err);
} KERNELS[GM_BATTERY_KERNELS] = {{"ladder", LADDERS, try_ladder},
                                 {"score", OTHERS, try_score},
                                 {"compare", OTHERS, try_compare},
                                 {"sprite", OTHERS, try_sprite},
                                 {"tone", OTHERS, try_tone}};

int gm_battery_run(struct gm_gpu *gpu, struct gm_battery_result out[GM_BATTERY_KERNELS],
                   struct gm_err *err)
{
    struct bench b = {.gpu = gpu};
    const struct gm_tonemap_params tone = {.source = {.primaries = AVCOL_PRI_BT2020,
                                                      .transfer = AVCOL_TRC_SMPTE2084,
                                                      .matrix = AVCOL_SPC_BT2020_NCL,
                                                      .range = AVCOL_RANGE_MPEG},
                                           .source_peak = 1000,
                                           .target_peak = GM_TONEMAP_WHITE};
    struct gm_tonemap_params hlg = tone;
    hlg.source.transfer = AVCOL_TRC_ARIB_STD_B67;
    int rc = gm_tonemap_create(&tone, &b.pq, err);
    if (rc == 0) {
        rc = gm_tonemap_create(&hlg, &b.hlg, err);
    }
    memset(out, 0, GM_BATTERY_KERNELS * sizeof(*out));
    if (rc == 0 && gpu != NULL) {
        rc = gm_gpu_stream_create(gpu, &b.stream, err);
    }
    for (int k = 0; rc >= 0 && k < GM_BATTERY_KERNELS; k++) {
        out[k].name = KERNELS[k].name;
        out[k].cases = KERNELS[k].cases;
        for (uint32_t i = 0; rc >= 0 && i < KERNELS[k].cases; i++) {
            rc = KERNELS[k].run(&b, i, err);
            release(&b);
            out[k].equal += rc == 1 ? 1 : 0;
            if (rc == 0 && out[k].first[0] == '\0') {
                (void)snprintf(out[k].first, sizeof(out[k].first),
                               "case %u is the first that is "
                               "not the reference's",
                               i);
            }
        }
    }
    if (b.stream != NULL) {
        gm_gpu_stream_destroy(&b.stream);
    }
    gm_tonemap_destroy(&b.pq);
    gm_tonemap_destroy(&b.hlg);
    return rc < 0 ? rc : 0;
}
