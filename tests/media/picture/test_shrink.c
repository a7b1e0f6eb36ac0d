#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/picture/shrink.h"

static AVFrame *shrink(const AVFrame *in, const struct gm_shrink_to *to)
{
    struct gm_shrink *s = NULL;
    struct gm_err err = {0};
    AVFrame *out = NULL;
    assert_int_equal(gm_shrink_create(&s, &err), 0);
    assert_int_equal(gm_shrink_picture(s, in, to, &out, &err), 0);
    gm_shrink_destroy(&s);
    return out;
}

static void put(AVFrame *f, int plane, int x, int y, unsigned v)
{
    uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    if (av_pix_fmt_desc_get((enum AVPixelFormat)f->format)->comp[plane].depth > 8) {
        ((uint16_t *)(void *)row)[x] = (uint16_t)v;
    } else {
        row[x] = (uint8_t)v;
    }
}

static unsigned at(const AVFrame *f, int plane, int x, int y)
{
    const uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    return av_pix_fmt_desc_get((enum AVPixelFormat)f->format)->comp[plane].depth > 8
               ? ((const uint16_t *)(const void *)row)[x]
               : row[x];
}

/* Planes that rise to the right: 100 + 4 x of luma, 60 + 8 x and 200 - 8 x of chroma, in luma's
 * columns of 8 bits. */
static AVFrame *ramps(enum AVPixelFormat format, int width, int height)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    AVFrame *f = gm_av_frame(format, width, height);
    assert_non_null(f);
    f->color_range = AVCOL_RANGE_MPEG;
    f->colorspace = AVCOL_SPC_BT709;
    f->color_primaries = AVCOL_PRI_BT709;
    f->color_trc = AVCOL_TRC_BT709;
    for (int p = 0; p < 3; p++) {
        int w = p > 0 ? AV_CEIL_RSHIFT(width, d->log2_chroma_w) : width;
        int h = p > 0 ? AV_CEIL_RSHIFT(height, d->log2_chroma_h) : height;
        for (int i = 0; i < w * h; i++) {
            /* the mean of the luma columns that a chroma sample belongs to */
            int two = p > 0 ? (2 * (i % w) + 1) * (1 << d->log2_chroma_w) - 1 : 2 * (i % w);
            int v = p == 0 ? 100 + 2 * two : p == 1 ? 60 + 4 * two : 200 - 4 * two;
            put(f, p, i % w, i / w, (unsigned)v << (d->comp[p].depth - 8));
        }
    }
    return f;
}

/* Each kind of planes gives the same small picture: chroma in the middle. */
static void means_of_every_kind_of_planes(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P,     AV_PIX_FMT_YUV422P,
                                                 AV_PIX_FMT_YUV444P,     AV_PIX_FMT_YUV420P10LE,
                                                 AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV444P12LE};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        for (int deep = 0; deep < 2; deep++) {
            const struct gm_shrink_to to = {4, 2, deep == 1, false};
            AVFrame *in = ramps(formats[i], 16, 8);
            AVFrame *out = shrink(in, &to);
            assert_int_equal(out->format, deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P);
            for (int x = 0; x < 4; x++) {
                /* 4 columns: the middle one of 4 x .. 4 x + 3 is 4 x + 1.5 */
                assert_int_equal(at(out, 0, x, 1), (100 + 4 * 4 * x + 6) << 2 * deep);
            }
            for (int x = 0; x < 2; x++) {
                assert_int_equal(at(out, 1, x, 0), (60 + 8 * 8 * x + 28) << 2 * deep);
                assert_int_equal(at(out, 2, x, 0), (200 - 8 * 8 * x - 28) << 2 * deep);
            }
            assert_int_equal(out->colorspace, AVCOL_SPC_BT709);
            assert_int_equal(out->color_range, AVCOL_RANGE_MPEG);
            av_frame_free(&in);
            av_frame_free(&out);
        }
    }
}

static void luma_alone_is_the_same_luma(void **state)
{
    (void)state;
    const struct gm_shrink_to all = {6, 4, false, false}, luma = {6, 4, false, true};
    AVFrame *in = ramps(AV_PIX_FMT_YUV420P, 16, 8);
    AVFrame *whole = shrink(in, &all), *grey = shrink(in, &luma);
    assert_int_equal(grey->format, AV_PIX_FMT_GRAY8);
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 6; x++) {
            assert_int_equal(at(grey, 0, x, y), at(whole, 0, x, y));
        }
    }
    av_frame_free(&in);
    av_frame_free(&whole);
    av_frame_free(&grey);
}

/* RGB, and planes that are interleaved, become planar first. */
static void other_formats_are_converted(void **state)
{
    (void)state;
    const struct gm_shrink_to to = {4, 2, false, false};
    AVFrame *rgb = gm_av_frame(AV_PIX_FMT_RGB24, 16, 8);
    assert_non_null(rgb);
    rgb->colorspace = AVCOL_SPC_RGB;
    rgb->color_range = AVCOL_RANGE_JPEG;
    for (int y = 0; y < 8; y++) {
        memset(rgb->data[0] + (ptrdiff_t)y * rgb->linesize[0], 255, 3 * 16);
    }
    AVFrame *out = shrink(rgb, &to);
    assert_int_equal(out->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(out->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(at(out, 0, 1, 1), 235);
    assert_int_equal(at(out, 1, 1, 0), 128);
    av_frame_free(&rgb);
    av_frame_free(&out);
    AVFrame *nv12 = gm_av_frame(AV_PIX_FMT_NV12, 16, 8);
    assert_non_null(nv12);
    nv12->colorspace = AVCOL_SPC_SMPTE170M;
    nv12->color_range = AVCOL_RANGE_MPEG;
    for (int y = 0; y < 8; y++) {
        memset(nv12->data[0] + (ptrdiff_t)y * nv12->linesize[0], 90, 16);
        memset(nv12->data[1] + (ptrdiff_t)(y / 2) * nv12->linesize[1], 140, 16);
    }
    out = shrink(nv12, &to);
    assert_int_equal(out->colorspace, AVCOL_SPC_SMPTE170M);
    assert_int_equal(at(out, 0, 3, 0), 90);
    assert_int_equal(at(out, 2, 0, 0), 140);
    av_frame_free(&nv12);
    av_frame_free(&out);
}

static void odd_sizes_are_refused(void **state)
{
    (void)state;
    static const struct gm_shrink_to sizes[] = {
        {3, 2, false, false}, {4, 0, false, false}, {4098, 2, false, false}, {4, 7, false, false}};
    struct gm_shrink *s = NULL;
    struct gm_err err = {0};
    AVFrame *in = ramps(AV_PIX_FMT_YUV420P, 16, 8), *out = NULL;
    assert_int_equal(gm_shrink_create(&s, &err), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(gm_shrink_picture(s, in, &sizes[i], &out, &err), -GM_E_INVAL);
        assert_null(out);
    }
    gm_shrink_destroy(&s);
    av_frame_free(&in);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_of_every_kind_of_planes),
        cmocka_unit_test(luma_alone_is_the_same_luma),
        cmocka_unit_test(other_formats_are_converted),
        cmocka_unit_test(odd_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
