#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/dict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/picture/compare.h"

static AVFrame *spoiled(const AVFrame *from, unsigned seed, int most, bool wide)
{
    AVFrame *f = av_frame_clone(from);
    assert_non_null(f);
    assert_true(av_frame_make_writable(f) >= 0);
    for (int p = 0; p < 3; p++) {
        int w = p ? (f->width + 1) / 2 : f->width, h = p ? (f->height + 1) / 2 : f->height;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                seed = seed * 1664525u + 1013904223u;
                int d = most > 0 ? (int)(seed >> 16) % (2 * most + 1) - most : 0;
                uint8_t *at = f->data[p] + y * f->linesize[p] + x * (wide ? 2 : 1);
                int top = wide ? 1023 : 255;
                int v = wide ? *(uint16_t *)(void *)at : *at;
                v = v + d < 0 ? 0 : v + d > top ? top : v + d;
                if (wide) {
                    *(uint16_t *)(void *)at = (uint16_t)v;
                } else {
                    *at = (uint8_t)v;
                }
            }
        }
    }
    return f;
}

/* What libavfilter's filter of that name says of the two. */
static double ask_filter(const char *filter, const char *key, AVFrame *a, AVFrame *b)
{
    AVFilterGraph *g = avfilter_graph_alloc();
    AVFilterContext *in[2], *out, *f;
    char args[160];
    (void)snprintf(args, sizeof args, "width=%d:height=%d:pix_fmt=%d:time_base=1/25", a->width,
                   a->height, a->format);
    for (int i = 0; i < 2; i++) {
        assert_true(avfilter_graph_create_filter(&in[i], avfilter_get_by_name("buffer"),
                                                 i ? "b" : "a", args, NULL, g) >= 0);
    }
    assert_true(avfilter_graph_create_filter(&f, avfilter_get_by_name(filter), "f", "", NULL, g) >=
                0);
    assert_true(avfilter_graph_create_filter(&out, avfilter_get_by_name("buffersink"), "o", NULL,
                                             NULL, g) >= 0);
    assert_true(avfilter_link(in[0], 0, f, 0) >= 0 && avfilter_link(in[1], 0, f, 1) >= 0);
    assert_true(avfilter_link(f, 0, out, 0) >= 0 && avfilter_graph_config(g, NULL) >= 0);
    a->pts = b->pts = 0;
    AVFrame *said = av_frame_alloc();
    assert_true(av_buffersrc_write_frame(in[0], a) >= 0 && av_buffersrc_write_frame(in[1], b) >= 0);
    for (int i = 0; i < 2; i++) {
        assert_true(av_buffersrc_add_frame(in[i], NULL) >= 0);
    }
    assert_true(av_buffersink_get_frame(out, said) >= 0);
    const AVDictionaryEntry *e = av_dict_get(said->metadata, key, NULL, 0);
    assert_non_null(e);
    double v = strtod(e->value, NULL);
    av_frame_free(&said);
    avfilter_graph_free(&g);
    return v;
}

static bool is_near(double a, double b, double most)
{
    return a - b <= most && b - a <= most;
}

static void numbers_are_those_of_ffmpeg(void **state)
{
    (void)state;
    static const struct {
        int width, height, format, most;
    } rows[] = {{96, 80, AV_PIX_FMT_YUV420P, 2},
                {96, 80, AV_PIX_FMT_YUV420P, 40},
                {98, 82, AV_PIX_FMT_YUV420P, 12},
                {64, 48, AV_PIX_FMT_YUV420P10, 30},
                {130, 66, AV_PIX_FMT_YUV420P10, 300}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool wide = rows[i].format == AV_PIX_FMT_YUV420P10;
        AVFrame *a = clip_picture(rows[i].width, rows[i].height, AV_PIX_FMT_YUV420P, 3);
        if (wide) { /* 10 bits in the same shape */
            AVFrame *w = gm_av_frame(rows[i].format, a->width, a->height);
            assert_non_null(w);
            for (int p = 0; p < 3; p++) {
                for (int y = 0; y < (p ? a->height / 2 : a->height); y++) {
                    for (int x = 0; x < (p ? a->width / 2 : a->width); x++) {
                        ((uint16_t *)(void *)(w->data[p] + y * w->linesize[p]))[x] =
                            (uint16_t)(a->data[p][y * a->linesize[p] + x] * 4);
                    }
                }
            }
            av_frame_free(&a);
            a = w;
        }
        AVFrame *b = spoiled(a, (unsigned)i, rows[i].most, wide);
        struct gm_compare sum = {0};
        assert_int_equal(gm_compare_add(&sum, a, b, NULL), 0);
        double ssim = gm_compare_ssim(&sum), psnr = gm_compare_psnr(gm_compare_mse(&sum));
        double want = ask_filter("ssim", "lavfi.ssim.All", a, b);
        double want_db = ask_filter("psnr", "lavfi.psnr.psnr_avg", a, b);
        if (!is_near(ssim, want, 2e-4) || !is_near(psnr, want_db, 0.02)) {
            fail_msg("row %zu: ssim %f, ffmpeg %f; psnr %f, ffmpeg %f", i, ssim, want, psnr,
                     want_db);
        }
        av_frame_free(&a);
        av_frame_free(&b);
    }
}

static void the_same_picture_is_perfect(void **state)
{
    (void)state;
    static const int sizes[][2] = {{96, 80}, {16, 16}, {6, 6}, {2, 2}};
    for (size_t i = 0; i < 4; i++) {
        AVFrame *a = clip_picture(sizes[i][0], sizes[i][1], AV_PIX_FMT_YUV420P, 1);
        struct gm_compare sum = {0};
        assert_int_equal(gm_compare_add(&sum, a, a, NULL), 0);
        assert_true(is_near(gm_compare_ssim(&sum), 1, 1e-12));
        assert_true(is_near(gm_compare_psnr(gm_compare_mse(&sum)), 100, 1e-12));
        av_frame_free(&a);
    }
    struct gm_compare none = {0};
    assert_true(is_near(gm_compare_ssim(&none), 0, 1e-12));
    assert_true(is_near(gm_compare_mse(&none), 0, 1e-12));
    assert_true(is_near(gm_compare_psnr(0.0001), 40, 1e-3));
    assert_true(is_near(gm_compare_psnr(1), 0, 1e-3));
}

static void other_shapes_are_refused(void **state)
{
    (void)state;
    AVFrame *a = clip_picture(96, 80, AV_PIX_FMT_YUV420P, 1);
    AVFrame *b = clip_picture(96, 82, AV_PIX_FMT_YUV420P, 1);
    AVFrame *c = clip_picture(96, 80, AV_PIX_FMT_YUV422P, 1);
    struct gm_compare sum = {0};
    struct gm_err err;
    assert_int_equal(gm_compare_add(&sum, a, b, &err), -GM_E_INVAL);
    assert_int_equal(gm_compare_add(&sum, a, c, &err), -GM_E_INVAL);
    assert_int_equal(sum.pictures, 0);
    av_frame_free(&a);
    av_frame_free(&b);
    av_frame_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_ffmpeg),
        cmocka_unit_test(the_same_picture_is_perfect),
        cmocka_unit_test(other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
