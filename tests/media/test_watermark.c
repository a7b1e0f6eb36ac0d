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
#include "media/watermark.h"

/* A PNG of the picture, by libavcodec. */
static void make_png(int w, int h, enum AVPixelFormat format, struct gm_buf *out)
{
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG));
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
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_RGBA, AV_PIX_FMT_RGB24,
                                                 AV_PIX_FMT_GRAY8};
    for (size_t i = 0; i < 3; i++) {
        struct gm_buf png = {0};
        AVFrame *back = NULL;
        struct gm_err err;
        uint8_t a[32];
        uint8_t b[32];
        make_png(37, 21, formats[i], &png);
        assert_int_equal(gm_watermark_decode(png.data, png.size, &back, &err), 0);
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
    make_png(37, 21, AV_PIX_FMT_RGBA, &png);
    assert_int_equal(gm_watermark_decode((const uint8_t *)"GIF89a", 6, &back, &err), -GM_E_CONFIG);
    assert_int_equal(gm_watermark_decode(png.data, 0, &back, &err), -GM_E_CONFIG);
    for (size_t cut = 1; cut < png.size / 2; cut += 97) {
        assert_int_equal(gm_watermark_decode(png.data, cut, &back, &err), -GM_E_CONFIG);
    }
    /* IHDR says 5000x5000: over the limit, refused before memory is asked for */
    struct gm_buf large = {0};
    gm_buf_add(&large, png.data, png.size);
    memcpy(large.data + 16, "\0\0\x13\x88\0\0\x13\x88", 8);
    assert_int_equal(gm_watermark_decode(large.data, large.size, &back, &err), -GM_E_CONFIG);
    assert_null(back);
    gm_buf_fini(&large);
    gm_buf_fini(&png);
}

static void it_is_placed_by_share_of_the_picture(void **state)
{
    (void)state;
    static const struct {
        int image_w, image_h;
        const char *position;
        double margin, size;
        uint32_t w, h;
        struct gm_watermark_place want;
    } rows[] = {
        {200, 100, "top-left", 0, 0.1, 1920, 1080, {0, 0, 192, 96}},
        {200, 100, "bottom-right", 0.02, 0.1, 1920, 1080, {1706, 962, 192, 96}},
        {200, 100, "top-right", 0.02, 0.1, 1080, 1920, {950, 22, 108, 54}},
        {200, 100, "center", 0.5, 0.5, 640, 360, {160, 100, 320, 160}},
        /* a tall image is held inside of the picture */
        {10, 1000, "bottom-left", 0.05, 1, 640, 360, {18, 0, 4, 360}},
        /* a margin that leaves no room gives way */
        {100, 100, "bottom-right", 0.5, 1, 100, 100, {0, 0, 100, 100}},
        /* never nothing */
        {1000, 1, "top-left", 0, 0.01, 64, 36, {0, 0, 2, 2}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Watermark how = GM__WATERMARK__INIT;
        AVFrame *image = av_frame_alloc();
        image->width = rows[i].image_w;
        image->height = rows[i].image_h;
        struct gm_watermark mark = {image, &how};
        how.position = (char *)(uintptr_t)rows[i].position;
        how.margin = rows[i].margin;
        how.size = rows[i].size;
        struct gm_watermark_place p = gm_watermark_place(&mark, rows[i].w, rows[i].h);
        assert_int_equal(p.x_px, rows[i].want.x_px);
        assert_int_equal(p.y_px, rows[i].want.y_px);
        assert_int_equal(p.width_px, rows[i].want.width_px);
        assert_int_equal(p.height_px, rows[i].want.height_px);
        av_frame_free(&image);
    }
}

static void assets_are_found_and_settings_checked(void **state)
{
    (void)state;
    struct gm_buf png = {0};
    struct gm_err err;
    make_png(8, 8, AV_PIX_FMT_RGBA, &png);
    Gm__Asset asset = GM__ASSET__INIT;
    asset.name = "logo.png";
    asset.data = (ProtobufCBinaryData){png.size, png.data};
    Gm__Asset *assets[] = {&asset};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    pipeline.assets = assets;
    pipeline.n_assets = 1;
    Gm__Watermark how = GM__WATERMARK__INIT;
    how.image = "logo.png";
    how.position = "center";
    how.opacity = 0.5;
    how.size = 0.2;
    struct gm_watermark *mark = NULL;
    assert_int_equal(gm_watermark_create(&how, &pipeline, &mark, &err), 0);
    assert_int_equal(mark->image->width, 8);
    gm_watermark_destroy(&mark);
    for (int k = 0; k < 6; k++) {
        Gm__Watermark bad = how;
        switch (k) {
        case 0:
            bad.image = "other.png";
            break;
        case 1:
            bad.position = "left";
            break;
        case 2:
            bad.opacity = 1.5;
            break;
        case 3:
            bad.margin = -0.1;
            break;
        case 4:
            bad.size = 0;
            break;
        default:
            bad.size = (double)__builtin_nanf("");
            break;
        }
        assert_int_equal(gm_watermark_create(&bad, &pipeline, &mark, &err), -GM_E_CONFIG);
        assert_null(mark);
    }
    gm_buf_fini(&png);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_is_read_exactly),
        cmocka_unit_test(images_that_are_none_are_refused),
        cmocka_unit_test(it_is_placed_by_share_of_the_picture),
        cmocka_unit_test(assets_are_found_and_settings_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
