#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/picture/image.h"

/* A file of the picture, by libavcodec. */
static void make_image(const char *encoder, int w, int h, enum AVPixelFormat format,
                       struct gm_buf *out)
{
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder_by_name(encoder));
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = clip_picture(w, h, format, 0);
    ctx->width = w;
    ctx->height = h;
    ctx->pix_fmt = format;
    ctx->time_base = (AVRational){1, 1};
    assert_true(avcodec_open2(ctx, NULL, NULL) >= 0);
    assert_true(avcodec_send_frame(ctx, f) >= 0);
    assert_true(avcodec_send_frame(ctx, NULL) >= 0);
    assert_true(avcodec_receive_packet(ctx, packet) >= 0);
    gm_buf_add(out, packet->data, (size_t)packet->size);
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
}

static void a_png_is_read_exactly(void **state)
{
    (void)state;
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_RGBA,    AV_PIX_FMT_RGB24,
                                                 AV_PIX_FMT_GRAY8,   AV_PIX_FMT_RGBA64BE,
                                                 AV_PIX_FMT_RGB48BE, AV_PIX_FMT_GRAY16BE};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct gm_buf png = {0};
        AVFrame *back = NULL;
        struct gm_err err;
        uint8_t a[32];
        uint8_t b[32];
        make_image("png", 37, 21, formats[i], &png);
        assert_int_equal(gm_image_decode(png.data, png.size, &back, &err), 0);
        AVFrame *f = clip_picture(37, 21, formats[i], 0);
        assert_int_equal(back->format, formats[i]);
        clip_hash(f, a);
        clip_hash(back, b);
        assert_memory_equal(a, b, 32);
        av_frame_free(&f);
        av_frame_free(&back);
        gm_buf_fini(&png);
    }
}

static void images_that_are_none_are_refused(void **state)
{
    (void)state;
    struct gm_err err;
    struct gm_buf png = {0};
    AVFrame *back = NULL;
    make_image("png", 37, 21, AV_PIX_FMT_RGBA, &png);
    assert_int_equal(gm_image_decode((const uint8_t *)"GIF89a", 6, &back, &err), -GM_E_BAD_IMAGE);
    assert_int_equal(gm_image_decode(png.data, 0, &back, &err), -GM_E_BAD_IMAGE);
    for (size_t cut = 1; cut < png.size; cut += 41) {
        assert_int_equal(gm_image_decode(png.data, cut, &back, &err), -GM_E_BAD_IMAGE);
    }
    /* IHDR says 5000x5000: over the limit, refused before memory is asked for */
    struct gm_buf large = {0};
    gm_buf_add(&large, png.data, png.size);
    memcpy(large.data + 16, "\0\0\x13\x88\0\0\x13\x88", 8);
    assert_int_equal(gm_image_decode(large.data, large.size, &back, &err), -GM_E_BAD_IMAGE);
    assert_null(back);
    gm_buf_fini(&large);
    gm_buf_fini(&png);
}

static void other_kinds_are_read_too(void **state)
{
    (void)state;
    static const struct {
        const char *encoder;
        enum AVPixelFormat format;
    } rows[] = {{"mjpeg", AV_PIX_FMT_YUVJ444P},   {"mjpeg", AV_PIX_FMT_YUVJ420P},
                {"libwebp", AV_PIX_FMT_YUVA420P}, {"libwebp", AV_PIX_FMT_YUV420P},
                {"libwebp", AV_PIX_FMT_RGB32},    {"png", AV_PIX_FMT_PAL8},
                {"png", AV_PIX_FMT_YA8},          {"png", AV_PIX_FMT_MONOBLACK}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_buf file = {0};
        AVFrame *back = NULL;
        struct gm_err err = {0};
        make_image(rows[i].encoder, 38, 22, rows[i].format, &file);
        if (gm_image_decode(file.data, file.size, &back, &err) < 0) {
            fail_msg("%s: %s", rows[i].encoder, err.text);
        }
        assert_int_equal(back->width, 38);
        assert_int_equal(back->height, 22);
        av_frame_free(&back);
        gm_buf_fini(&file);
    }
}

/* A JPEG with an Exif block that holds nothing but the orientation. */
static void orient(const struct gm_buf *jpeg, uint8_t orientation, struct gm_buf *out)
{
    const uint8_t app1[] = {0xff, 0xe1, 0, 34, 'E', 'x',         'i', 'f', 0, 0,    'M', 'M',
                            0,    42,   0, 0,  0,   8,           0,   1,   1, 0x12, 0,   3,
                            0,    0,    0, 1,  0,   orientation, 0,   0,   0, 0,    0,   0};
    gm_buf_add(out, jpeg->data, 2);
    gm_buf_add(out, app1, sizeof app1);
    gm_buf_add(out, jpeg->data + 2, jpeg->size - 2);
}

static void photographs_are_turned_upright(void **state)
{
    (void)state;
    /* 64x32: white in the top left corner; where the corner is after turning */
    static const struct {
        uint8_t orientation;
        int width, height;
        bool right, bottom;
    } rows[] = {{1, 64, 32, false, false}, {2, 64, 32, true, false},  {3, 64, 32, true, true},
                {4, 64, 32, false, true},  {5, 32, 64, false, false}, {6, 32, 64, true, false},
                {7, 32, 64, true, true},   {8, 32, 64, false, true},  {9, 64, 32, false, false}};
    struct gm_buf plain = {0};
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = clip_picture(64, 32, AV_PIX_FMT_YUVJ420P, 0);
    for (int p = 0; p < 3; p++) {
        memset(f->data[p], p == 0 ? 20 : 128, (size_t)f->linesize[p] * (p == 0 ? 32 : 16));
    }
    for (int y = 0; y < 16; y++) {
        memset(f->data[0] + y * f->linesize[0], 235, 16);
    }
    ctx->width = 64;
    ctx->height = 32;
    ctx->pix_fmt = AV_PIX_FMT_YUVJ420P;
    ctx->time_base = (AVRational){1, 1};
    assert_true(avcodec_open2(ctx, NULL, NULL) >= 0);
    assert_true(avcodec_send_frame(ctx, f) >= 0);
    assert_true(avcodec_send_frame(ctx, NULL) >= 0);
    assert_true(avcodec_receive_packet(ctx, packet) >= 0);
    gm_buf_add(&plain, packet->data, (size_t)packet->size);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_buf file = {0};
        struct gm_err err = {0};
        AVFrame *back = NULL;
        orient(&plain, rows[i].orientation, &file);
        assert_int_equal(gm_image_decode(file.data, file.size, &back, &err), 0);
        assert_int_equal(back->width, rows[i].width);
        assert_int_equal(back->height, rows[i].height);
        for (int corner = 0; corner < 4; corner++) {
            int x = corner % 2 != 0 ? back->width - 4 : 3;
            int y = corner / 2 != 0 ? back->height - 4 : 3;
            size_t step = back->format == AV_PIX_FMT_RGBA ? 4 : 1;
            int v = back->data[0][(size_t)y * (size_t)back->linesize[0] + (size_t)x * step];
            bool lit = (corner % 2 != 0) == rows[i].right && (corner / 2 != 0) == rows[i].bottom;
            assert_int_equal(v > 128, lit);
        }
        av_frame_free(&back);
        gm_buf_fini(&file);
    }
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    gm_buf_fini(&plain);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_is_read_exactly),
        cmocka_unit_test(images_that_are_none_are_refused),
        cmocka_unit_test(other_kinds_are_read_too),
        cmocka_unit_test(photographs_are_turned_upright),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
