#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <libavutil/eval.h>

#include "common/buf.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/picture/watermark.h"

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
    for (int k = 0; k < 9; k++) {
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
        case 5:
            bad.start_s = -1;
            break;
        case 6:
            bad.start_s = 5;
            bad.end_s = 5;
            break;
        case 7:
            bad.end_s = 1e9;
            break;
        default:
            bad.size = (double)__builtin_nanf("");
            break;
        }
        assert_int_equal(gm_watermark_create(&bad, &pipeline, &mark, &err),
                         k == 0 ? -GM_E_BAD_IMAGE : -GM_E_CONFIG);
        assert_null(mark);
    }
    gm_buf_fini(&png);
}

/* Whether it shows at tick t: what the overlay filter makes of the expression. */
static bool shows(const char *enable, int64_t t, uint32_t timescale)
{
    char text[GM_WATERMARK_ENABLE_SIZE] = "1";
    double value = 0;
    static const char *const names[] = {"t", NULL};
    if (enable[0] != '\0') {
        size_t n = strlen(enable);
        assert_memory_equal(enable, ":enable='", 9);
        assert_int_equal(enable[n - 1], '\'');
        memcpy(text, enable + 9, n - 10);
        text[n - 10] = '\0';
    }
    const double values[] = {(double)t * av_q2d((AVRational){1, (int)timescale}), 0};
    assert_true(av_expr_parse_and_eval(&value, text, names, values, NULL, NULL, NULL, NULL, NULL, 0,
                                       NULL) >= 0);
    return value > 0.5;
}

static void the_window_is_exact_to_the_tick(void **state)
{
    (void)state;
    static const struct {
        double from, until;
        uint32_t timescale;
        int64_t first, end; /* ticks; end < 0: never */
    } rows[] = {
        {0, 0, 30000, 0, -1},
        {5, 20, 30000, 150000, 600000},
        {5, 0, 12800, 64000, -1},
        {0, 0.04, 25000, 0, 1000},
        {1.001, 2.002, 60000, 60060, 120120},
        {0.1, 0.3, 90000, 9000, 27000},
        {1.0 / 3, 2.0 / 3, 30000, 10000, 20001}, /* 0.333333 s and 0.666667 s */
        {604799, 604800, 1000000, 604799000000, 604800000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Watermark how = GM__WATERMARK__INIT;
        struct gm_watermark mark = {NULL, &how};
        char enable[GM_WATERMARK_ENABLE_SIZE];
        how.start_s = rows[i].from;
        how.end_s = rows[i].until;
        gm_watermark_enable(&mark, rows[i].timescale, enable);
        if (rows[i].first > 0) {
            assert_false(shows(enable, rows[i].first - 1, rows[i].timescale));
            assert_false(shows(enable, 0, rows[i].timescale));
        }
        assert_true(shows(enable, rows[i].first, rows[i].timescale));
        if (rows[i].end >= 0) {
            assert_true(shows(enable, rows[i].end - 1, rows[i].timescale));
            assert_false(shows(enable, rows[i].end, rows[i].timescale));
        } else {
            assert_true(shows(enable, INT64_C(1) << 40, rows[i].timescale));
        }
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_placed_by_share_of_the_picture),
        cmocka_unit_test(assets_are_found_and_settings_checked),
        cmocka_unit_test(the_window_is_exact_to_the_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
