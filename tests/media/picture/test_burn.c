#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/folder_io.h"
#include "media/picture/burn.h"
#include "media/picture/burn_pack.h"
#include "media/source_io.h"

#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ < 0) {                                                                             \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

static void packed_pixels_come_back(void **state)
{
    enum { COUNT = 5000 };
    uint8_t pixels[COUNT], back[COUNT];
    struct gm_err err = {0};
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct gm_buf packed = {0};
        uint32_t seed = 1;
        for (size_t i = 0; i < COUNT; i++) {
            seed = seed * 1664525u + 1013904223u;
            pixels[i] = kind == 0   ? 7
                        : kind == 1 ? (uint8_t)(seed >> 24)
                        : kind == 2 ? (uint8_t)(seed >> 30)
                                    : (uint8_t)(i / 300);
        }
        gm_burn_pack(pixels, COUNT, &packed);
        assert_true(packed.size < COUNT + COUNT / 100);
        ASSERT_OK(gm_burn_unpack(packed.data, packed.size, back, COUNT, &err));
        assert_memory_equal(pixels, back, COUNT);
        assert_int_equal(gm_burn_unpack(packed.data, packed.size, back, COUNT - 1, &err),
                         -GM_E_MEDIA_CHUNK);
        assert_int_equal(gm_burn_unpack(packed.data, packed.size - 1, back, COUNT, &err),
                         -GM_E_MEDIA_CHUNK);
        gm_buf_fini(&packed);
    }
    ASSERT_OK(gm_burn_unpack(NULL, 0, back, 0, &err));
    assert_int_equal(gm_burn_unpack((const uint8_t *)"\x80", 1, back, 2, &err), -GM_E_MEDIA_CHUNK);
}

static void formats_are_chosen(void **state)
{
    static const char *const can[] = {"yuv420p", "yuvj420p", "yuv422p10le", "yuv444p12le",
                                      "gray",    "nv12",     "yuv410p"};
    static const char *const not [] = {"rgb24",   "gbrp",        "yuva420p", "pal8",
                                       "yuyv422", "yuv420p10be", "nonsense", ""};
    (void)state;
    for (size_t i = 0; i < sizeof can / sizeof can[0]; i++) {
        if (!gm_burn_can(can[i])) {
            fail_msg("%s", can[i]);
        }
    }
    for (size_t i = 0; i < sizeof not / sizeof not [0]; i++) {
        if (gm_burn_can(not [i])) {
            fail_msg("%s", not [i]);
        }
    }
}

static AVFrame *grey(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = gm_av_frame(format, width, height);
    assert_non_null(f);
    f->colorspace = AVCOL_SPC_BT709;
    f->color_range = AVCOL_RANGE_MPEG;
    int wide = av_pix_fmt_desc_get(format)->comp[0].depth > 8;
    for (int p = 0; p < 3; p++) {
        int rows = p == 0 ? height : AV_CEIL_RSHIFT(height, 1);
        for (int i = 0; i < rows * f->linesize[p]; i++) {
            f->data[p][i] = wide ? (uint8_t)(i % 2 ? 2 : 0) : 128; /* 512 at 10 bits */
        }
    }
    return f;
}

static int luma(const AVFrame *f, int x, int y)
{
    const uint8_t *at = f->data[0] + y * f->linesize[0];
    return av_pix_fmt_desc_get((enum AVPixelFormat)f->format)->comp[0].depth > 8
               ? at[2 * x] | at[2 * x + 1] << 8
               : at[x];
}

/* A layer of one colour at (3, 2), 4x4. */
static void lay(AVFrame *f, uint8_t r, uint8_t g, uint8_t b, uint8_t a)
{
    uint8_t rgba[64];
    for (int i = 0; i < 16; i++) {
        memcpy(rgba + 4 * i, (uint8_t[4]){r, g, b, a}, 4);
    }
    struct gm_burn_layer layer = {.x = 3, .y = 2, .width = 4, .height = 4, .rgba = rgba};
    gm_burn_blend(&layer, f);
}

static void colours_are_the_pictures(void **state)
{
    AVFrame *f = grey(AV_PIX_FMT_YUV420P, 16, 8);
    (void)state;
    lay(f, 255, 255, 255, 255);
    assert_int_equal(luma(f, 3, 2), 235);
    assert_int_equal(luma(f, 6, 5), 235);
    assert_int_equal(luma(f, 2, 2), 128);
    assert_int_equal(luma(f, 7, 5), 128);
    lay(f, 255, 0, 0, 255); /* BT.709 red: 63, 102, 240 */
    assert_int_equal(luma(f, 4, 3), 63);
    assert_int_equal(f->data[1][1 * f->linesize[1] + 2], 102);
    assert_int_equal(f->data[2][1 * f->linesize[2] + 2], 240);
    assert_int_equal(f->data[2][1 * f->linesize[2] + 1], 184); /* half of it is covered */
    lay(f, 0, 0, 0, 51);
    assert_int_equal(luma(f, 4, 3), 54); /* 63 + 0.2 * (16 - 63) */
    av_frame_free(&f);
    f = grey(AV_PIX_FMT_YUV420P, 16, 8);
    f->color_range = AVCOL_RANGE_JPEG;
    f->colorspace = AVCOL_SPC_SMPTE170M;
    lay(f, 0, 255, 0, 255);
    assert_int_equal(luma(f, 4, 3), 150);
    av_frame_free(&f);
    f = grey(AV_PIX_FMT_YUV420P10LE, 16, 8);
    lay(f, 255, 255, 255, 255);
    assert_int_equal(luma(f, 4, 3), 940);
    assert_int_equal(luma(f, 2, 3), 512);
    f->color_trc = AVCOL_TRC_SMPTE2084;
    lay(f, 255, 255, 255, 255); /* 58 % of the range: not as bright as PQ goes */
    assert_int_equal(luma(f, 4, 3), 64 + 508);
    av_frame_free(&f);
}

static void rectangles_find_their_place(void **state)
{
    static const struct {
        uint32_t canvas_w, canvas_h, x, y, w, h, pic_w, pic_h, at_x, at_y, out_w, out_h;
    } rows[] = {
        {100, 50, 10, 20, 30, 10, 100, 50, 10, 20, 30, 10},
        {200, 100, 20, 40, 60, 20, 100, 50, 10, 20, 30, 10}, /* half as large */
        {50, 25, 5, 10, 15, 5, 100, 50, 10, 20, 30, 10},     /* twice */
        {100, 60, 10, 5, 30, 10, 100, 40, 10, 0, 30, 10},    /* bars cut off: -5 is moved to 0 */
        {100, 60, 10, 45, 30, 10, 100, 40, 10, 30, 30, 10},  /* 35 to 45: moved up */
        {160, 90, 40, 70, 80, 10, 120, 90, 20, 70, 80, 10},  /* 4:3 on a 16:9 canvas */
        {100, 50, 90, 0, 30, 10, 100, 50, 70, 0, 30, 10},    /* beyond the canvas' edge */
        {100, 50, 0, 0, 200, 10, 100, 50, 0, 0, 100, 10},    /* does not fit: clipped */
    };
    uint8_t palette[1024], indexes[200 * 100];
    struct gm_err err = {0};
    (void)state;
    memset(palette, 255, sizeof palette);
    memset(indexes, 0, sizeof indexes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__BurnPicture p = GM__BURN_PICTURE__INIT;
        Gm__BurnRect r = GM__BURN_RECT__INIT;
        struct gm_burn_layer out = {0};
        p.canvas_width = rows[i].canvas_w;
        p.canvas_height = rows[i].canvas_h;
        r.x = rows[i].x;
        r.y = rows[i].y;
        r.width = rows[i].w;
        r.height = rows[i].h;
        r.palette = (ProtobufCBinaryData){sizeof palette, palette};
        ASSERT_OK(gm_burn_place(&p, &r, indexes, rows[i].pic_w, rows[i].pic_h, &out, &err));
        if (out.x != rows[i].at_x || out.y != rows[i].at_y || out.width != rows[i].out_w ||
            out.height != rows[i].out_h) {
            fail_msg("row %zu: %u,%u %ux%u", i, out.x, out.y, out.width, out.height);
        }
        const uint8_t *middle = out.rgba + 4 * (out.width * (out.height / 2) + out.width / 2);
        assert_memory_equal(middle, "\xff\xff\xff\xff", 4);
        free(out.rgba);
    }
}

static void malformed_chunks_are_refused(void **state)
{
    struct gm_burn *b = NULL;
    struct gm_err err = {0};
    uint8_t palette[1024] = {0};
    uint8_t pixels[] = {0xff, 0, 0, 0};
    Gm__ChunkHeader h = GM__CHUNK_HEADER__INIT;
    Gm__BurnPicture p = GM__BURN_PICTURE__INIT;
    Gm__BurnRect r = GM__BURN_RECT__INIT;
    Gm__BurnPicture *pictures[1] = {&p};
    Gm__BurnRect *rects[1] = {&r};
    const AVFrame *out = NULL;
    AVFrame *f = grey(AV_PIX_FMT_YUV420P, 16, 8);
    (void)state;
    h.burn = pictures;
    h.n_burn = 1;
    p.rects = rects;
    p.n_rects = 1;
    p.end_ts = 10;
    ASSERT_OK(gm_burn_create(&b, &err));
    assert_int_equal(gm_burn_start(b, &h, &err), -GM_E_MEDIA_CHUNK); /* no canvas */
    p.canvas_width = p.canvas_height = 16;
    r.width = r.height = 10;
    assert_int_equal(gm_burn_start(b, &h, &err), -GM_E_MEDIA_CHUNK); /* no palette */
    r.palette = (ProtobufCBinaryData){sizeof palette, palette};
    r.width = 100000;
    assert_int_equal(gm_burn_start(b, &h, &err), -GM_E_MEDIA_CHUNK);
    r.width = 10;
    r.pixels = (ProtobufCBinaryData){sizeof pixels, pixels};
    ASSERT_OK(gm_burn_start(b, &h, &err));
    ASSERT_OK(gm_burn_picture(b, f, 10, &out, &err)); /* over */
    assert_ptr_equal(out, f);
    assert_int_equal(gm_burn_picture(b, f, 9, &out, &err), -GM_E_MEDIA_CHUNK); /* too few pixels */
    gm_burn_destroy(&b);
    av_frame_free(&f);
}

/* Whether all of the box is white. */
static bool shows_box(const AVFrame *f)
{
    for (int y = SOURCE_BOX_Y; y < SOURCE_BOX_Y + SOURCE_BOX_H; y++) {
        for (int x = SOURCE_BOX_X; x < SOURCE_BOX_X + SOURCE_BOX_W; x++) {
            if (f->data[0][y * f->linesize[0] + x] != 235) {
                return false;
            }
        }
    }
    return true;
}

/* All frames of the MP4 file; out: whether each shows the box. */
static size_t decode_boxes(const char *path, bool *out, size_t max)
{
    AVFormatContext *format = NULL;
    AVCodecContext *ctx = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    struct gm_err err = {0};
    size_t n = 0;
    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    ASSERT_OK(
        gm_decoder_open(format->streams[0]->codecpar, format->streams[0]->time_base, &ctx, &err));
    for (bool more = true; more;) {
        more = av_read_frame(format, packet) == 0;
        if (!more || packet->stream_index == 0) {
            assert_int_equal(avcodec_send_packet(ctx, more ? packet : NULL), 0);
            while (avcodec_receive_frame(ctx, frame) == 0) {
                assert_true(n < max);
                out[n++] = shows_box(frame);
            }
        }
        av_packet_unref(packet);
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    avformat_close_input(&format);
    return n;
}

/* 5 frames a second, keyframes each 2 s: segments of 6 s, each of them a chunk. */
static void boxes_show_on_their_frames_over_chunk_borders(void **state)
{
    static const struct source_box boxes[] = {
        {1000, true}, {2000, false}, {5000, true},   {7000, false},
        {9000, true}, {15000, true}, {15900, false}, {19000, true}, /* to the end */
    };
    static const uint32_t ladder[] = {48};
    static const struct source_params params = {.width_px = 64,
                                                .height_px = 48,
                                                .rate_num = 5,
                                                .rate_den = 1,
                                                .frames = 100,
                                                .boxes = boxes,
                                                .box_count = 8};
    const struct folder_pipeline how = {
        .ladder = ladder, .rungs = 1, .qp_plus_1 = 1, .mp4 = true, .burn = "eng"};
    char path[] = "/tmp/gm-burn-XXXXXX.mkv", made[4096];
    bool shown[128];
    struct gm_err err = {0};
    struct folder_io *f = NULL;
    (void)state;
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    close(fd);
    source_make(path, &params);
    Gm__Pipeline *pipeline = folder_pipeline(&how);
    ASSERT_OK(folder_io_create(path, pipeline, &f, &err));
    ASSERT_OK(folder_io_run_all(f, &err));
    assert_true(folder_io_items(f, "split", 0, 0) > 1);
    const Gm__TaskResult *result = folder_io_result(f, "mp4", 0);
    assert_non_null(result);
    folder_io_path(f, result->objects[0], made);
    assert_int_equal(decode_boxes(made, shown, 128), 100);
    for (int n = 0; n < 100; n++) {
        int ms = n * 200;
        bool want = (ms >= 1000 && ms < 2000) || (ms >= 5000 && ms < 7000) ||
                    (ms >= 9000 && ms < 15900) || ms >= 19000;
        if (shown[n] != want) {
            fail_msg("frame %d: %d", n, shown[n]);
        }
    }
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_pixels_come_back),
        cmocka_unit_test(formats_are_chosen),
        cmocka_unit_test(colours_are_the_pictures),
        cmocka_unit_test(rectangles_find_their_place),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(boxes_show_on_their_frames_over_chunk_borders),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
