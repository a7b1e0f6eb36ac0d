#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/picture/graph.h"
#include "media/picture/scaler.h"
#include "media/plan/plan.h"

static const struct gm_colour hd = {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709,
                                    AVCOL_RANGE_MPEG};

static Gm__VideoFacts facts_of(const char *format, const char *location)
{
    Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
    v.pixel_format = (char *)(uintptr_t)format;
    v.chroma_location = (char *)(uintptr_t)location;
    v.width_px = 128;
    v.height_px = 72;
    return v;
}

static void only_a_change_of_size_goes_to_zimg(void **state)
{
    (void)state;
    struct gm_colour full = hd, sd = hd;
    full.range = AVCOL_RANGE_JPEG;
    sd.matrix = AVCOL_SPC_SMPTE170M;
    const struct {
        const char *format, *location;
        int turn;
        struct gm_colour source, target;
        enum AVPixelFormat to;
        bool fits;
    } rows[] = {
        {"yuv420p", "left", 0, hd, hd, AV_PIX_FMT_YUV420P, true},
        {"yuv420p", "", 0, hd, hd, AV_PIX_FMT_YUV420P, true},
        {"yuv420p", "topleft", 0, hd, hd, AV_PIX_FMT_YUV420P, false},
        {"yuv420p", "left", 90, hd, hd, AV_PIX_FMT_YUV420P, false}, /* chroma is on top then */
        {"yuv422p", "left", 0, hd, hd, AV_PIX_FMT_YUV420P, false},
        {"yuv420p10le", "left", 0, hd, hd, AV_PIX_FMT_YUV420P, false},
        {"yuv420p", "left", 0, hd, hd, AV_PIX_FMT_YUV420P10LE, false},
        {"yuv420p", "left", 0, full, hd, AV_PIX_FMT_YUV420P, false},
        {"yuv420p", "left", 0, full, full, AV_PIX_FMT_YUV420P, false},
        {"yuv420p", "left", 0, sd, hd, AV_PIX_FMT_YUV420P, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v = facts_of(rows[i].format, rows[i].location);
        v.rotation_deg = rows[i].turn;
        if (gm_scaler_plan(&v, rows[i].source, rows[i].target, rows[i].to) != rows[i].fits) {
            fail_msg("row %zu", i);
        }
        v.width_px += rows[i].fits;
        assert_false(gm_scaler_plan(&v, rows[i].source, rows[i].target, rows[i].to) &&
                     rows[i].fits);
    }
}

static void its_chain_ends_as_the_other(void **state)
{
    (void)state;
    Gm__VideoFacts v = facts_of("yuv420p", "left");
    char text[128], small[16];
    assert_int_equal(gm_scaler_filters(&v, 64, 36, "scale=64:36,setsar=1", text, sizeof text, NULL),
                     0);
    assert_string_equal(
        text, "zscale=w=64:h=36:filter=bicubic:param_a=0:param_b=0.6:dither=none,setsar=1");
    assert_int_equal(
        gm_scaler_filters(&v, 128, 72, "scale=128:72,setsar=1", text, sizeof text, NULL), 0);
    assert_string_equal(text, "setsar=1");
    assert_int_equal(gm_scaler_filters(&v, 128, 72, "scale=128:72", text, sizeof text, NULL), 0);
    assert_string_equal(text, "null");
    v.rotation_deg = 180;
    assert_int_equal(gm_scaler_filters(&v, 128, 72, "scale,x", text, sizeof text, NULL), 0);
    assert_string_equal(text, "x");
    v.rotation_deg = 90;
    assert_int_equal(gm_scaler_filters(&v, 72, 128, "scale,x", text, sizeof text, NULL), 0);
    assert_string_equal(text, "x");
    assert_int_equal(gm_scaler_filters(&v, 64, 36, "scale", small, sizeof small, NULL),
                     -GM_E_LIMIT);
}

static void pictures_that_turn_out_otherwise_do_not(void **state)
{
    (void)state;
    AVFrame *f = clip_picture(128, 72, AV_PIX_FMT_YUV420P, 0);
    const char *scales = "zscale=w=64:h=36";
    assert_true(gm_scaler_takes(scales, f, 64, 36));
    assert_false(gm_scaler_takes("", f, 64, 36));
    assert_true(gm_scaler_takes("null", f, 128, 72));
    assert_false(gm_scaler_takes("null", f, 64, 36));
    assert_false(gm_scaler_takes("null", f, 128, 36));
    f->chroma_location = AVCHROMA_LOC_LEFT;
    assert_true(gm_scaler_takes(scales, f, 64, 36));
    f->chroma_location = AVCHROMA_LOC_CENTER;
    assert_false(gm_scaler_takes(scales, f, 64, 36));
    f->chroma_location = AVCHROMA_LOC_UNSPECIFIED;
    f->color_range = AVCOL_RANGE_JPEG;
    assert_false(gm_scaler_takes(scales, f, 64, 36));
    av_frame_free(&f);
    static const struct {
        int w, h;
        enum AVPixelFormat format;
    } others[] = {{127, 72, AV_PIX_FMT_YUV420P},
                  {128, 71, AV_PIX_FMT_YUV420P},
                  {128, 72, AV_PIX_FMT_YUV422P}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        f = clip_picture(others[i].w, others[i].h, others[i].format, 0);
        assert_false(gm_scaler_takes(scales, f, 64, 36));
        av_frame_free(&f);
    }
}

/* No overshoot that one of them would clip. */
static void smooth(AVFrame *f)
{
    for (int p = 0; p < 3; p++) {
        int rows = p == 0 ? f->height : AV_CEIL_RSHIFT(f->height, 1);
        int columns = p == 0 ? f->width : AV_CEIL_RSHIFT(f->width, 1);
        for (int y = 0; f->format == AV_PIX_FMT_YUV420P && y < rows; y++) {
            for (int x = 0; x < columns; x++) {
                f->data[p][y * f->linesize[p] + x] =
                    (uint8_t)(abs((x * 5 + y * 3) % 128 - 64) + 64);
            }
        }
    }
}

static AVFrame *through(struct gm_graph *g, int w, int h, enum AVPixelFormat format,
                        enum AVChromaLocation at)
{
    AVFrame *f = clip_picture(w, h, format, 5);
    smooth(f);
    f->chroma_location = at;
    f->colorspace = AVCOL_SPC_BT709; /* as the front tags them */
    assert_int_equal(gm_graph_push(g, f, 0, NULL), 0);
    AVFrame *out = av_frame_clone(gm_graph_get(g, 0));
    av_frame_free(&f);
    assert_non_null(out);
    assert_int_equal(out->width, 64);
    assert_int_equal(out->height, 36);
    return out;
}

/* Of all samples but `edge` ones at each side. */
static int furthest(const AVFrame *a, const AVFrame *b, int edge)
{
    int most = 0;
    for (int p = 0; p < 3; p++) {
        for (int y = edge; y < (p == 0 ? 36 : 18) - edge; y++) {
            for (int x = edge; x < (p == 0 ? 64 : 32) - edge; x++) {
                int d = a->data[p][y * a->linesize[p] + x] - b->data[p][y * b->linesize[p] + x];
                most = abs(d) > most ? abs(d) : most;
            }
        }
    }
    return most;
}

/* Both scalers have one kernel, so they differ by rounding, and at the edges, where one repeats and
 * the other mirrors; a picture that changed its kind goes the other's way, bit for bit. */
static void both_make_one_picture(void **state)
{
    (void)state;
    Gm__VideoFacts v = facts_of("yuv420p", "left");
    char chain[512], quick[512];
    assert_int_equal(gm_plan_filters(64, 36, &hd, AV_PIX_FMT_YUV420P, chain, sizeof chain, NULL),
                     0);
    assert_int_equal(gm_scaler_filters(&v, 64, 36, chain, quick, sizeof quick, NULL), 0);
    struct gm_graph_output o = {
        .filters = chain, .width_px = 64, .height_px = 36, .format = AV_PIX_FMT_YUV420P};
    struct gm_graph *slow = NULL, *fast = NULL;
    assert_int_equal(gm_graph_create(&o, 1, 1000, &slow, NULL), 0);
    o.quick = quick;
    assert_int_equal(gm_graph_create(&o, 1, 1000, &fast, NULL), 0);
    static const struct {
        int w, h;
        enum AVPixelFormat format;
        enum AVChromaLocation at;
        bool differs;
    } rows[] = {{128, 72, AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT, true},
                {127, 71, AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT, false},
                {128, 72, AV_PIX_FMT_YUV420P, AVCHROMA_LOC_CENTER, false},
                {128, 72, AV_PIX_FMT_YUV444P, AVCHROMA_LOC_LEFT, false},
                {160, 90, AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFrame *a = through(slow, rows[i].w, rows[i].h, rows[i].format, rows[i].at);
        AVFrame *b = through(fast, rows[i].w, rows[i].h, rows[i].format, rows[i].at);
        int d = furthest(a, b, rows[i].differs ? 4 : 0);
        if (rows[i].differs ? d == 0 || d > 2 : d != 0) {
            fail_msg("row %zu: they differ by %d", i, d);
        }
        av_frame_free(&a);
        av_frame_free(&b);
    }
    gm_graph_destroy(&slow);
    gm_graph_destroy(&fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_change_of_size_goes_to_zimg),
        cmocka_unit_test(its_chain_ends_as_the_other),
        cmocka_unit_test(pictures_that_turn_out_otherwise_do_not),
        cmocka_unit_test(both_make_one_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
