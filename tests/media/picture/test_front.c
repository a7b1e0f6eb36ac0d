#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

#include "media/av.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/picture/front.h"
#include "media/picture/front_shape.h"

#define BWDIF "bwdif=mode=send_frame:parity=tff:deint=all"
#define FRAMES 12

struct setup {
    Gm__Policy policy;
    Gm__VideoFacts facts;
    Gm__Rational aspect;
    struct gm_front *front;
};

static void open_front(struct setup *s, const char *filters, int width, int height, int turn)
{
    gm__policy__init(&s->policy);
    gm__video_facts__init(&s->facts);
    gm__rational__init(&s->aspect);
    s->policy.front_filters = (char *)(uintptr_t)filters;
    s->policy.timescale = 25000;
    s->facts.width_px = (uint32_t)width;
    s->facts.height_px = (uint32_t)height;
    s->facts.rotation_deg = turn;
    s->aspect.num = s->aspect.den = 1;
    s->facts.sample_aspect = &s->aspect;
    assert_int_equal(gm_front_create(&s->policy, &s->facts, &s->front, NULL), 0);
}

/* The whole of pictures [from, to) through one libavfilter graph, as a reference. */
static void filter_whole(const char *filters, AVFrame **pictures, size_t count, AVFrame **out)
{
    AVFilterGraph *g = avfilter_graph_alloc();
    AVFilterInOut *open_in = NULL, *open_out = NULL;
    char text[256];
    assert_non_null(g);
    (void)snprintf(text, sizeof text,
                   "buffer@in=video_size=%dx%d:pix_fmt=%d:time_base=1/25:pixel_aspect=1/1,%s,"
                   "buffersink@out",
                   pictures[0]->width, pictures[0]->height, pictures[0]->format, filters);
    g->nb_threads = 1;
    assert_true(avfilter_graph_parse2(g, text, &open_in, &open_out) >= 0);
    assert_true(avfilter_graph_config(g, NULL) >= 0);
    AVFilterContext *source = avfilter_graph_get_filter(g, "buffer@in");
    AVFilterContext *sink = avfilter_graph_get_filter(g, "buffersink@out");
    for (size_t i = 0; i < count; i++) {
        AVFrame *copy = av_frame_clone(pictures[i]);
        copy->pts = (int64_t)i;
        assert_true(av_buffersrc_add_frame(source, copy) >= 0);
        av_frame_free(&copy);
    }
    assert_true(av_buffersrc_add_frame(source, NULL) >= 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = av_frame_alloc();
        assert_true(av_buffersink_get_frame(sink, out[i]) >= 0);
    }
    avfilter_graph_free(&g);
}

static void assert_same(const AVFrame *a, const AVFrame *b)
{
    uint8_t x[32], y[32];
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->format, b->format);
    clip_hash(a, x);
    clip_hash(b, y);
    assert_memory_equal(x, y, 32);
}

static void make_pictures(AVFrame **out, size_t count, int width, int height,
                          enum AVPixelFormat format)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = clip_picture(width, height, format, (int)i);
    }
}

static void free_pictures(AVFrame **pictures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        av_frame_free(&pictures[i]);
    }
}

/* Takes what is ready; each must be the next of `whole`, or context. */
static void take(struct gm_front *f, AVFrame **whole, int64_t *next)
{
    AVFrame *p;
    int64_t tag;
    while ((p = gm_front_next(f, &tag)) != NULL) {
        if (tag >= 0) {
            assert_int_equal(tag, *next);
            assert_same(p, whole[(*next)++]);
        }
    }
}

/* Chunks of any length, each with its context, give the pictures of the whole. */
static void chunks_with_context_equal_the_whole(void **state)
{
    static const char *const filters[] = {BWDIF, BWDIF ",transpose=clock", "hflip", ""};
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10LE};
    (void)state;
    for (size_t k = 0; k < 8; k++) {
        AVFrame *in[FRAMES], *whole[FRAMES];
        struct setup s;
        const char *chain = filters[k % 4];
        make_pictures(in, FRAMES, 48, 32, formats[k / 4]);
        if (chain[0] != '\0' && strstr(chain, "transpose") != NULL && k / 4 == 1) {
            chain = BWDIF ",hflip";
        }
        filter_whole(chain[0] != '\0' ? chain : "null", in, FRAMES, whole);
        open_front(&s, chain, 48, 32, strstr(chain, "transpose") != NULL ? 90 : 0);
        for (int length = 1; length <= FRAMES; length++) {
            int64_t next = 0;
            for (int from = 0; from < FRAMES; from += length) {
                int to = from + length < FRAMES ? from + length : FRAMES;
                gm_front_start(s.front);
                for (int i = from > 0 ? from - 1 : 0; i < to + (to < FRAMES); i++) {
                    int64_t tag = i >= from && i < to ? i : -1;
                    assert_int_equal(gm_front_push(s.front, in[i], tag, NULL), 0);
                    take(s.front, whole, &next);
                }
                assert_true(to == FRAMES || next == to); /* without an end, too */
                assert_int_equal(gm_front_end(s.front, NULL), 0);
                take(s.front, whole, &next);
                assert_int_equal(next, to);
            }
        }
        gm_front_destroy(&s.front);
        free_pictures(in, FRAMES);
        free_pictures(whole, FRAMES);
    }
}

/* Deinterlacing of pictures of several sizes and formats. */
static void hash_fields(struct gm_sha256 *h, void *arg)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10LE,
                                                 AV_PIX_FMT_YUV444P};
    (void)arg;
    for (int k = 0; k < 12; k++) {
        struct setup s;
        int64_t tag;
        int width = 40 + k * 7;
        int height = 32 + k * 3;
        open_front(&s, k % 2 == 0 ? BWDIF : "bwdif=mode=send_frame:parity=bff:deint=all", width,
                   height, 0);
        for (int i = 0; i <= 4; i++) {
            AVFrame *p = i < 4 ? clip_picture(width, height, formats[k % 3], i) : NULL;
            assert_int_equal(
                p != NULL ? gm_front_push(s.front, p, i, NULL) : gm_front_end(s.front, NULL), 0);
            av_frame_free(&p);
            while ((p = gm_front_next(s.front, &tag)) != NULL) {
                child_add_frame(h, p);
            }
        }
        gm_front_destroy(&s.front);
    }
}

static void plain_c_filters_the_same(void **state)
{
    uint8_t with[32], without[32], sse2[32];
    (void)state;
    child_hash(NULL, hash_fields, NULL, with);
    child_hash("none", hash_fields, NULL, without);
    child_hash("mmx+mmxext+sse+sse2", hash_fields, NULL, sse2);
    assert_memory_equal(with, without, 32);
    assert_memory_equal(with, sse2, 32);
}

static void what_a_chunk_left_is_forgotten(void **state)
{
    AVFrame *in[4], *whole[2];
    struct setup s;
    int64_t next = 0;
    (void)state;
    make_pictures(in, 4, 48, 32, AV_PIX_FMT_YUV420P);
    filter_whole(BWDIF, in + 2, 2, whole);
    open_front(&s, BWDIF, 48, 32, 0);
    assert_int_equal(gm_front_push(s.front, in[0], 7, NULL), 0);
    assert_int_equal(gm_front_push(s.front, in[1], 8, NULL), 0);
    gm_front_start(s.front);
    assert_int_equal(gm_front_push(s.front, in[2], 0, NULL), 0);
    assert_int_equal(gm_front_push(s.front, in[3], 1, NULL), 0);
    assert_int_equal(gm_front_end(s.front, NULL), 0);
    take(s.front, whole, &next);
    assert_int_equal(next, 2);
    gm_front_destroy(&s.front);
    gm_front_destroy(&s.front);
    free_pictures(in, 4);
    free_pictures(whole, 2);
}

static void pictures_of_another_kind_come_in_order(void **state)
{
    AVFrame *a[3], *b[3], *whole[6];
    struct setup s;
    int64_t next = 0;
    (void)state;
    make_pictures(a, 3, 48, 32, AV_PIX_FMT_YUV420P);
    make_pictures(b, 3, 96, 64, AV_PIX_FMT_YUV422P);
    filter_whole(BWDIF, a, 3, whole);
    filter_whole(BWDIF, b, 3, whole + 3);
    open_front(&s, BWDIF, 48, 32, 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(gm_front_push(s.front, i < 3 ? a[i] : b[i - 3], i, NULL), 0);
    }
    assert_int_equal(gm_front_end(s.front, NULL), 0);
    take(s.front, whole, &next);
    assert_int_equal(next, 6);
    gm_front_destroy(&s.front);
    free_pictures(a, 3);
    free_pictures(b, 3);
    free_pictures(whole, 6);
}

static void captions_go_with_their_picture(void **state)
{
    static const char *const filters[] = {"", "vflip", BWDIF};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        AVFrame *in[6];
        struct setup s;
        int64_t tag, next = 0;
        make_pictures(in, 6, 48, 32, AV_PIX_FMT_YUV420P);
        for (int i = 0; i < 6; i += 2) {
            AVFrameSideData *d = av_frame_new_side_data(in[i], AV_FRAME_DATA_A53_CC, 3);
            assert_non_null(d);
            memset(d->data, 0xfc + i, 3);
        }
        open_front(&s, filters[k], 48, 32, 0);
        for (int i = 0; i < 6; i++) {
            assert_int_equal(gm_front_push(s.front, in[i], i, NULL), 0);
        }
        assert_int_equal(gm_front_end(s.front, NULL), 0);
        AVFrame *p;
        while ((p = gm_front_next(s.front, &tag)) != NULL) {
            const AVFrameSideData *d = av_frame_get_side_data(p, AV_FRAME_DATA_A53_CC);
            assert_int_equal(tag, next++);
            assert_int_equal(d != NULL, tag % 2 == 0);
            assert_true(d == NULL || (d->size == 3 && d->data[2] == (uint8_t)(0xfc + tag)));
        }
        assert_int_equal(next, 6);
        gm_front_destroy(&s.front);
        free_pictures(in, 6);
    }
}

/* A picture of another shape lies in the middle of black. */
static void another_shape_gets_bars(void **state)
{
    struct setup s;
    int64_t tag;
    (void)state;
    open_front(&s, "", 64, 36, 0);
    AVFrame *p = clip_picture(48, 36, AV_PIX_FMT_YUV420P, 0);
    memset(p->data[0], 200, (size_t)p->linesize[0] * 36);
    assert_int_equal(gm_front_push(s.front, p, 5, NULL), 0);
    AVFrame *out = gm_front_next(s.front, &tag);
    assert_non_null(out);
    assert_int_equal(tag, 5);
    assert_int_equal(out->width, 64);
    assert_int_equal(out->height, 36);
    for (int x = 0; x < 64; x++) {
        assert_int_equal(out->data[0][10 * out->linesize[0] + x], x >= 8 && x < 56 ? 200 : 16);
    }
    av_frame_free(&p);
    p = clip_picture(128, 72, AV_PIX_FMT_YUV420P, 0); /* the same shape: nothing is done */
    assert_int_equal(gm_front_push(s.front, p, 6, NULL), 0);
    out = gm_front_next(s.front, &tag);
    assert_non_null(out);
    assert_ptr_equal(out->data[0], p->data[0]);
    av_frame_free(&p);
    gm_front_destroy(&s.front);
}

/* Cropped on the left: what comes does not depend on where samples lie in memory. */
static void cropped_pictures_are_like_others(void **state)
{
    static const char *const filters[] = {"", BWDIF};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        AVFrame *in[4], *plain[4], *whole[4];
        struct setup s;
        int64_t next = 0;
        for (int i = 0; i < 4; i++) {
            in[i] = clip_picture(64, 40, AV_PIX_FMT_YUV420P, i);
            in[i]->crop_left = 6;
            in[i]->crop_top = 2;
            assert_true(av_frame_apply_cropping(in[i], AV_FRAME_CROP_UNALIGNED) >= 0);
            plain[i] = gm_av_frame(AV_PIX_FMT_YUV420P, 58, 38);
            assert_non_null(plain[i]);
            assert_true(av_frame_copy(plain[i], in[i]) >= 0);
        }
        filter_whole(filters[k][0] != '\0' ? filters[k] : "null", plain, 4, whole);
        open_front(&s, filters[k], 58, 38, 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(gm_front_push(s.front, in[i], i, NULL), 0);
        }
        assert_int_equal(gm_front_end(s.front, NULL), 0);
        take(s.front, whole, &next);
        assert_int_equal(next, 4);
        gm_front_destroy(&s.front);
        free_pictures(in, 4);
        free_pictures(plain, 4);
        free_pictures(whole, 4);
    }
}

static void bars_follow_from_the_shapes(void **state)
{
    static const struct {
        int width, height; /* the programme, as decoded */
        AVRational aspect;
        bool fixed;
        int turn;
        int w, h; /* the picture */
        AVRational own;
        struct gm_front_bars bars;
    } rows[] = {
        {640, 360, {1, 1}, false, 0, 640, 360, {1, 1}, {0}},
        {640, 360, {1, 1}, false, 0, 426, 240, {1, 1}, {0}}, /* rounding */
        {640, 360, {1, 1}, false, 0, 854, 480, {0, 1}, {0}},
        {640, 360, {1, 1}, false, 0, 640, 480, {1, 1}, {854, 480, 106, 0}},
        {640, 360, {1, 1}, false, 0, 640, 272, {1, 1}, {640, 360, 0, 44}},
        {640, 360, {1, 1}, false, 0, 480, 360, {4, 3}, {0}},
        {640, 360, {1, 1}, false, 0, 360, 640, {1, 1}, {1138, 640, 388, 0}},
        {640, 360, {1, 1}, false, 90, 640, 480, {1, 1}, {480, 854, 0, 106}},
        {720, 576, {64, 45}, true, 0, 720, 576, {16, 15}, {0}},
        {720, 576, {64, 45}, false, 0, 720, 576, {16, 15}, {960, 576, 120, 0}},
        {720, 576, {64, 45}, false, 90, 720, 576, {16, 15}, {576, 960, 0, 120}},
        {720, 576, {64, 45}, false, 0, 720, 576, {1, 1000}, {1024, 576, 152, 0}},
        {640, 360, {1, 1}, false, 0, 16, 16000, {1, 1}, {0}}, /* no canvas is that large */
        {640, 360, {1, 1}, false, 0, 16, 9000, {1, 1}, {0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_front_shape s;
        Gm__VideoFacts v;
        Gm__Rational r;
        AVFrame *p = av_frame_alloc();
        gm__video_facts__init(&v);
        gm__rational__init(&r);
        r.num = rows[i].aspect.num;
        r.den = rows[i].aspect.den;
        v.sample_aspect = &r;
        v.width_px = (uint32_t)rows[i].width;
        v.height_px = (uint32_t)rows[i].height;
        v.fixed_aspect = rows[i].fixed;
        v.rotation_deg = rows[i].turn;
        s = gm_front_shape(&v);
        p->width = rows[i].w;
        p->height = rows[i].h;
        p->sample_aspect_ratio = rows[i].own;
        struct gm_front_bars b = gm_front_bars(&s, p);
        if (memcmp(&b, &rows[i].bars, sizeof b) != 0) {
            fail_msg("row %zu: %dx%d at %d,%d", i, b.width, b.height, b.x, b.y);
        }
        av_frame_free(&p);
    }
}

static void filters_that_break_the_rule_fail(void **state)
{
    struct setup s;
    struct gm_err err = {0};
    AVFrame *in[4];
    (void)state;
    make_pictures(in, 4, 48, 32, AV_PIX_FMT_YUV420P);
    open_front(&s, "nosuchfilter", 48, 32, 0);
    assert_int_equal(gm_front_push(s.front, in[0], 0, &err), -GM_E_MEDIA);
    gm_front_destroy(&s.front);
    open_front(&s, "select=mod(n\\,2)", 48, 32, 0); /* loses every other one */
    int rc = 0;
    for (int i = 0; i < 4 && rc == 0; i++) {
        rc = gm_front_push(s.front, in[i], i, &err);
    }
    assert_int_equal(rc, -GM_E_MEDIA);
    gm_front_destroy(&s.front);
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    struct gm_front *none = NULL;
    assert_int_equal(gm_front_create(&policy, &facts, &none, &err), -GM_E_INVAL);
    assert_null(none);
    free_pictures(in, 4);
}

/* The container's part of pictures of the size that it speaks of; others are shown whole. */
static void a_container_s_part_is_cut_out_first(void **state)
{
    static const int sizes[][2] = {{64, 40}, {64, 48}, {64, 40}};
    struct setup s;
    Gm__Crop crop = GM__CROP__INIT;
    (void)state;
    open_front(&s, "", 48, 30, 0);
    gm_front_destroy(&s.front);
    crop.x_px = 6;
    crop.y_px = 4;
    crop.whole_width_px = 64;
    crop.whole_height_px = 40;
    s.facts.crop = &crop;
    assert_int_equal(gm_front_create(&s.policy, &s.facts, &s.front, NULL), 0);
    for (int i = 0; i < 3; i++) {
        AVFrame *in = clip_picture(sizes[i][0], sizes[i][1], AV_PIX_FMT_YUV420P, i);
        int64_t tag;
        assert_int_equal(gm_front_push(s.front, in, i, NULL), 0);
        assert_int_equal(gm_front_end(s.front, NULL), 0);
        const AVFrame *out = gm_front_next(s.front, &tag);
        assert_non_null(out);
        bool part = i != 1;
        assert_true(part ? out->width == 48 && out->height == 30 : out->width >= 64);
        for (int y = 0; part && y < 30; y++) {
            assert_memory_equal(out->data[0] + y * out->linesize[0],
                                in->data[0] + (y + 4) * in->linesize[0] + 6, 48);
        }
        for (int y = 0; part && y < 15; y++) {
            assert_memory_equal(out->data[2] + y * out->linesize[2],
                                in->data[2] + (y + 2) * in->linesize[2] + 3, 24);
        }
        assert_int_equal(in->width, 64); /* not touched */
        av_frame_free(&in);
    }
    gm_front_destroy(&s.front);
    crop.x_px = 17; /* beyond the right */
    assert_int_equal(gm_front_create(&s.policy, &s.facts, &s.front, NULL), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_filters_the_same),
        cmocka_unit_test(chunks_with_context_equal_the_whole),
        cmocka_unit_test(what_a_chunk_left_is_forgotten),
        cmocka_unit_test(pictures_of_another_kind_come_in_order),
        cmocka_unit_test(captions_go_with_their_picture),
        cmocka_unit_test(another_shape_gets_bars),
        cmocka_unit_test(cropped_pictures_are_like_others),
        cmocka_unit_test(a_container_s_part_is_cut_out_first),
        cmocka_unit_test(bars_follow_from_the_shapes),
        cmocka_unit_test(filters_that_break_the_rule_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
