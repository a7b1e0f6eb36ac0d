#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/picture/flatten.h"
#include "media/picture/graphics.h"

#define BACK 0x2040e0u /* 32 64 224 */

static AVFrame *frame(enum AVPixelFormat format, int w, int h)
{
    AVFrame *f = gm_av_frame(format, w, h);
    assert_non_null(f);
    for (int i = 0; i < 4 && f->buf[i] != NULL; i++) {
        memset(f->buf[i]->data, 0, f->buf[i]->size); /* av_write_image_line sets bits */
    }
    gm_colour_tag(
        (struct gm_colour){AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG}, f);
    return f;
}

static uint32_t read_part(const AVFrame *f, int component, int x, int y)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    uint16_t row[64];
    av_read_image_line(row, (const uint8_t **)(uintptr_t)f->data, f->linesize, desc, x, y,
                       component, 1, 0);
    return row[0];
}

static void write_part(AVFrame *f, int component, int x, int y, uint32_t value)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    uint16_t row[1] = {(uint16_t)value};
    av_write_image_line(row, f->data, f->linesize, desc, x, y, component, 1);
}

/* Every format with alpha that a decoder may give. */
static const enum AVPixelFormat formats[] = {
    AV_PIX_FMT_YUVA420P,     AV_PIX_FMT_YUVA422P,     AV_PIX_FMT_YUVA444P,
    AV_PIX_FMT_YUVA420P10LE, AV_PIX_FMT_YUVA422P10LE, AV_PIX_FMT_YUVA444P12LE,
    AV_PIX_FMT_YUVA444P16LE, AV_PIX_FMT_RGBA,         AV_PIX_FMT_BGRA,
    AV_PIX_FMT_ARGB,         AV_PIX_FMT_ABGR,         AV_PIX_FMT_RGBA64LE,
    AV_PIX_FMT_RGBA64BE,     AV_PIX_FMT_GBRAP,        AV_PIX_FMT_GBRAP10LE,
    AV_PIX_FMT_GBRAP12LE,    AV_PIX_FMT_GBRAP16LE,    AV_PIX_FMT_YA8,
    AV_PIX_FMT_YA16BE,
};

static void alpha_lets_the_background_through(void **state)
{
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(formats[i]);
        AVFrame *f = frame(formats[i], 9, 7);
        int alpha = desc->nb_components - 1, depth = desc->comp[0].depth;
        uint32_t most = (1u << depth) - 1, value = most * 3 / 4;
        assert_true(gm_flatten_wants(f));
        for (int c = 0; c < desc->nb_components; c++) {
            bool sub = (c == 1 || c == 2) && (desc->flags & AV_PIX_FMT_FLAG_RGB) == 0;
            for (int y = 0; y < AV_CEIL_RSHIFT(7, sub ? desc->log2_chroma_h : 0); y++) {
                for (int x = 0; x < AV_CEIL_RSHIFT(9, sub ? desc->log2_chroma_w : 0); x++) {
                    /* columns 0 and 1 opaque, 2 and 3 transparent, 4 and 5 half */
                    uint32_t a = x < 2 ? most : x < 4 ? 0 : (most + 1) / 2;
                    write_part(f, c, x, y, c == alpha ? a : value);
                }
            }
        }
        assert_int_equal(gm_flatten(f, BACK, &err), 0);
        double rgb[3] = {32 / 255.0, 64 / 255.0, 224 / 255.0};
        uint32_t back[3];
        gm_graphics_codes(
            (struct gm_colour){f->color_primaries, f->color_trc, f->colorspace, f->color_range},
            formats[i], rgb, back);
        for (int c = 0; c < alpha; c++) {
            int shift = (c == 1 || c == 2) && (desc->flags & AV_PIX_FMT_FLAG_RGB) == 0
                            ? desc->log2_chroma_w
                            : 0;
            assert_int_equal(read_part(f, c, 0, 0), value);
            assert_int_equal(read_part(f, c, 2 >> shift, 1 >> shift), back[c]);
            uint32_t mid = read_part(f, c, 4 >> shift, 2 >> shift);
            assert_true(fabs(mid - (value + back[c]) / 2.0) <= 1 + most / 250.0);
        }
        assert_int_equal(read_part(f, alpha, 2, 0), most);
        assert_int_equal(read_part(f, alpha, 8, 6), most);
        av_frame_free(&f);
    }
}

static void palettes_are_flattened_entry_by_entry(void **state)
{
    AVFrame *f = frame(AV_PIX_FMT_PAL8, 16, 16);
    struct gm_err err;
    const uint32_t entries[3] = {0xff102030, 0x00ffffff, 0x80ff0000};
    uint32_t got[3];
    (void)state;
    memset(f->data[1], 0, 1024);
    memcpy(f->data[1], entries, sizeof entries);
    assert_true(gm_flatten_wants(f));
    assert_int_equal(gm_flatten(f, BACK, &err), 0);
    memcpy(got, f->data[1], sizeof got);
    assert_int_equal(got[0], 0xff102030);
    assert_int_equal(got[1], 0xff000000 | BACK);
    assert_int_equal(got[2], 0xff902070);
    av_frame_free(&f);
}

static void the_source_picture_is_left_alone(void **state)
{
    AVFrame *f = frame(AV_PIX_FMT_RGBA, 16, 16);
    struct gm_err err;
    (void)state;
    memset(f->data[0], 0, (size_t)f->linesize[0] * 16);
    AVFrame *copy = av_frame_clone(f);
    assert_int_equal(gm_flatten(copy, 0xffffff, &err), 0);
    assert_int_equal(read_part(f, 0, 0, 0), 0);
    assert_int_equal(read_part(copy, 0, 0, 0), 255);
    av_frame_free(&f);
    av_frame_free(&copy);
}

static void opaque_formats_are_not_wanted(void **state)
{
    static const enum AVPixelFormat opaque[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_RGB24,
                                                AV_PIX_FMT_GBRP, AV_PIX_FMT_GRAY8};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        AVFrame *f = frame(opaque[i], 16, 16);
        assert_false(gm_flatten_wants(f));
        av_frame_free(&f);
    }
    AVFrame *f = frame(AV_PIX_FMT_GBRAPF32LE, 16, 16);
    struct gm_err err;
    assert_int_equal(gm_flatten(f, 0, &err), -GM_E_MEDIA);
    av_frame_free(&f);
}

static void colours_are_read_from_text(void **state)
{
    (void)state;
    assert_int_equal(gm_flatten_colour("#000000"), 0);
    assert_int_equal(gm_flatten_colour("#2040e0"), BACK);
    assert_int_equal(gm_flatten_colour("#FFffFF"), 0xffffff);
    assert_int_equal(gm_flatten_colour(""), 0);
    assert_int_equal(gm_flatten_colour("white"), 0);
    assert_int_equal(gm_flatten_colour("#12345"), 0);
    assert_int_equal(gm_flatten_colour("#12345g"), 0);
}

/* Levels of BT.2408-4 table 1: white 58 % of PQ, 75 % of HLG. */
static void graphics_have_white_at_the_reference_level(void **state)
{
    static const struct {
        enum AVColorTransferCharacteristic transfer;
        double white, grey; /* grey: sRGB 128, 43.8 cd/m2 */
    } rows[] = {{AVCOL_TRC_SMPTE2084, 0.5807, 0.4215}, {AVCOL_TRC_ARIB_STD_B67, 0.7498, 0.461}};
    static const uint8_t white[3] = {255, 255, 255}, grey[3] = {128, 128, 128},
                         black[3] = {0, 0, 0}, red[3] = {255, 0, 0};
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct gm_graphics *g = NULL;
        double out[3];
        assert_int_equal(
            gm_graphics_create((struct gm_colour){AVCOL_PRI_BT2020, rows[i].transfer,
                                                  AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG},
                               &g, &err),
            0);
        gm_graphics_rgb(g, white, out);
        assert_true(fabs(out[0] - rows[i].white) < 0.002 && fabs(out[2] - out[0]) < 0.001);
        gm_graphics_rgb(g, grey, out);
        if (fabs(out[0] - rows[i].grey) > 0.01) {
            fail_msg("grey of row %zu: %f", i, out[0]);
        }
        gm_graphics_rgb(g, black, out);
        assert_true(fabs(out[0]) < 1e-3 && fabs(out[1]) < 1e-3);
        gm_graphics_rgb(g, red, out);
        assert_true(out[0] > out[1] && out[1] > out[2] && out[2] > 0);
        gm_graphics_destroy(&g);
        assert_null(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_lets_the_background_through),
        cmocka_unit_test(palettes_are_flattened_entry_by_entry),
        cmocka_unit_test(the_source_picture_is_left_alone),
        cmocka_unit_test(opaque_formats_are_not_wanted),
        cmocka_unit_test(colours_are_read_from_text),
        cmocka_unit_test(graphics_have_white_at_the_reference_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
