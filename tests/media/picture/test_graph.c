#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/picture/graph.h"

#define FLAGS "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
#define TO(w, h) "scale=" #w ":" #h ":" FLAGS ":out_range=tv,setsar=1,format=yuv420p"

static struct gm_graph *make(const struct gm_graph_output *outputs, size_t count)
{
    struct gm_graph *g = NULL;
    struct gm_err err = {0};
    if (gm_graph_create(outputs, count, 12800, &g, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return g;
}

static const struct gm_graph_output two[] = {
    {.filters = TO(64, 36), .width_px = 64, .height_px = 36, .format = AV_PIX_FMT_YUV420P},
    {.filters = "transpose=clock," TO(54, 96),
     .width_px = 54,
     .height_px = 96,
     .format = AV_PIX_FMT_YUV420P},
};

static void each_picture_gives_one_a_output_at_its_time(void **state)
{
    (void)state;
    struct gm_graph *g = make(two, 2);
    struct gm_err err = {0};
    static const int64_t times[] = {0, 1, 512, 513, 1000000, 99999999999};
    for (int i = 0; i < 6; i++) {
        AVFrame *f = clip_picture(128, 72, AV_PIX_FMT_YUV420P, i);
        f->pict_type = AV_PICTURE_TYPE_B;
        f->pts = 7;
        assert_non_null(av_frame_new_side_data(f, AV_FRAME_DATA_A53_CC, 3));
        assert_int_equal(gm_graph_push(g, f, times[i], &err), 0);
        for (size_t k = 0; k < 2; k++) {
            const AVFrame *out = gm_graph_get(g, k);
            assert_int_equal(out->pts, times[i]);
            assert_int_equal(out->width, two[k].width_px);
            assert_int_equal(out->height, two[k].height_px);
            assert_int_equal(out->format, AV_PIX_FMT_YUV420P);
            assert_int_equal(out->pict_type, AV_PICTURE_TYPE_NONE);
            assert_int_equal(out->nb_side_data, 0);
        }
        assert_int_equal(f->pts, 7);
        assert_int_equal(f->nb_side_data, 1);
        av_frame_free(&f);
    }
    gm_graph_destroy(&g);
}

static void a_picture_of_another_kind_rebuilds_the_graph(void **state)
{
    (void)state;
    static const struct {
        int w, h;
        enum AVPixelFormat format;
    } kinds[] = {{128, 72, AV_PIX_FMT_YUV420P}, {64, 36, AV_PIX_FMT_YUV420P},
                 {65, 37, AV_PIX_FMT_YUV444P},  {128, 72, AV_PIX_FMT_RGB24},
                 {128, 72, AV_PIX_FMT_GRAY8},   {128, 72, AV_PIX_FMT_YUV420P}};
    struct gm_graph *g = make(two, 1);
    struct gm_err err = {0};
    uint8_t first[32];
    uint8_t last[32];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        AVFrame *f = clip_picture(kinds[i].w, kinds[i].h, kinds[i].format, 3);
        assert_int_equal(gm_graph_push(g, f, (int64_t)i, &err), 0);
        assert_int_equal(gm_graph_get(g, 0)->width, 64);
        clip_hash(gm_graph_get(g, 0), i == 0 ? first : last);
        av_frame_free(&f);
    }
    assert_memory_equal(first, last, 32);
    gm_graph_destroy(&g);
}

static void full_range_becomes_limited(void **state)
{
    (void)state;
    struct gm_graph *g = make(two, 1);
    struct gm_err err = {0};
    AVFrame *f = clip_picture(128, 72, AV_PIX_FMT_YUVJ420P, 0);
    f->color_range = AVCOL_RANGE_JPEG;
    for (int y = 0; y < 72; y++) {
        memset(f->data[0] + y * f->linesize[0], 255, 128);
    }
    assert_int_equal(gm_graph_push(g, f, 0, &err), 0);
    assert_int_equal(gm_graph_get(g, 0)->data[0][0], 235);
    assert_int_not_equal(gm_graph_get(g, 0)->color_range, AVCOL_RANGE_JPEG);
    av_frame_free(&f);
    gm_graph_destroy(&g);
}

/* Output 1 is made from output 0, so it equals a second graph over output 0's pictures; output 2
 * has any size and format. */
static void an_output_can_be_made_from_another(void **state)
{
    (void)state;
    static const struct gm_graph_output chain[] = {
        {.filters = TO(64, 36), .width_px = 64, .height_px = 36, .format = AV_PIX_FMT_YUV420P},
        {.filters = TO(32, 18),
         .parent = 1,
         .width_px = 32,
         .height_px = 18,
         .format = AV_PIX_FMT_YUV420P},
        {.filters = "vflip", .parent = 0, .format = AV_PIX_FMT_NONE},
    };
    static const struct gm_graph_output second = {
        .filters = TO(32, 18), .width_px = 32, .height_px = 18, .format = AV_PIX_FMT_YUV420P};
    struct gm_graph *g = make(chain, 3);
    struct gm_graph *h = make(&second, 1);
    for (int i = 0; i < 3; i++) {
        AVFrame *f = clip_picture(128, 72, AV_PIX_FMT_YUV422P, i);
        uint8_t ours[32], theirs[32];
        assert_int_equal(gm_graph_push(g, f, i, NULL), 0);
        assert_int_equal(gm_graph_push(h, gm_graph_get(g, 0), i, NULL), 0);
        clip_hash(gm_graph_get(g, 1), ours);
        clip_hash(gm_graph_get(h, 0), theirs);
        assert_memory_equal(ours, theirs, 32);
        assert_int_equal(gm_graph_get(g, 2)->format, AV_PIX_FMT_YUV422P);
        assert_int_equal(gm_graph_get(g, 2)->height, 72);
        av_frame_free(&f);
    }
    gm_graph_destroy(&g);
    gm_graph_destroy(&h);
}

static void filters_that_break_the_rule_fail(void **state)
{
    (void)state;
    static const struct gm_graph_output bad[] = {
        {.filters = "nonsense=1", .width_px = 64, .height_px = 36, .format = AV_PIX_FMT_YUV420P},
        {.filters = TO(64, 34), .width_px = 64, .height_px = 36, .format = AV_PIX_FMT_YUV420P},
        {.filters = "fps=50," TO(64, 36),
         .width_px = 64,
         .height_px = 36,
         .format = AV_PIX_FMT_YUV420P},
        {.filters = "select=0," TO(64, 36),
         .width_px = 64,
         .height_px = 36,
         .format = AV_PIX_FMT_YUV420P},
        {.filters = "split[a]," TO(64, 36),
         .width_px = 64,
         .height_px = 36,
         .format = AV_PIX_FMT_YUV420P},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gm_graph *g = make(&bad[i], 1);
        struct gm_err err = {0};
        AVFrame *f = clip_picture(128, 72, AV_PIX_FMT_YUV420P, 0);
        int rc = 0;
        for (int64_t k = 0; k < 3 && rc == 0; k++) {
            rc = gm_graph_push(g, f, k * 512, &err);
        }
        assert_int_equal(rc, -GM_E_MEDIA);
        av_frame_free(&f);
        gm_graph_destroy(&g);
    }
    struct gm_graph *none = NULL;
    assert_int_equal(gm_graph_create(two, 0, 12800, &none, NULL), -GM_E_INVAL);
    assert_int_equal(gm_graph_create(two, 1, 0, &none, NULL), -GM_E_INVAL);
    struct gm_graph_output late = two[0];
    late.parent = 1;
    assert_int_equal(gm_graph_create(&late, 1, 12800, &none, NULL), -GM_E_INVAL);
    assert_null(none);
}

static AVFrame *solid(int w, int h, uint8_t r, uint8_t g, uint8_t b, uint8_t a)
{
    AVFrame *f = clip_picture(w, h, AV_PIX_FMT_RGBA, 0);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            uint8_t *p = f->data[0] + y * f->linesize[0] + x * 4;
            p[0] = r;
            p[1] = g;
            p[2] = b;
            p[3] = a;
        }
    }
    return f;
}

static void the_watermark_lies_where_it_was_put(void **state)
{
    (void)state;
    static const struct {
        const char *position;
        int x, y; /* of its first sample on 160x90, margin 0.1 * 90 -> 10, size 0.25: 40x20 */
    } rows[] = {
        {"top-left", 10, 10},      {"top-right", 110, 10}, {"bottom-left", 10, 60},
        {"bottom-right", 110, 60}, {"center", 60, 34},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Watermark how = GM__WATERMARK__INIT;
        how.position = (char *)(uintptr_t)rows[i].position;
        how.opacity = 1;
        how.margin = 0.1;
        how.size = 0.25;
        struct gm_watermark mark = {solid(20, 10, 255, 255, 255, 255), &how};
        struct gm_graph_output out = {.filters = TO(160, 90),
                                      .width_px = 160,
                                      .height_px = 90,
                                      .format = AV_PIX_FMT_YUV420P,
                                      .watermark = &mark};
        struct gm_graph *g = make(&out, 1);
        struct gm_err err = {0};
        for (int k = 0; k < 4; k++) {
            AVFrame *f = solid(160, 90, 0, 0, 0, 255);
            assert_int_equal(gm_graph_push(g, f, 1000 + k * 512, &err), 0);
            const AVFrame *o = gm_graph_get(g, 0);
            assert_int_equal(o->pts, 1000 + k * 512);
            for (int y = 0; y < 90; y++) {
                for (int x = 0; x < 160; x++) {
                    bool inside = x >= rows[i].x && x < rows[i].x + 40 && y >= rows[i].y &&
                                  y < rows[i].y + 20;
                    assert_int_equal(o->data[0][y * o->linesize[0] + x], inside ? 235 : 16);
                }
            }
            av_frame_free(&f);
        }
        gm_graph_destroy(&g);
        av_frame_free(&mark.image);
    }
}

static void opacity_mixes(void **state)
{
    (void)state;
    Gm__Watermark how = GM__WATERMARK__INIT;
    how.position = "center";
    how.opacity = 0.5;
    how.size = 1;
    struct gm_watermark mark = {solid(20, 10, 255, 255, 255, 255), &how};
    struct gm_graph_output out = {.filters = TO(160, 80),
                                  .width_px = 160,
                                  .height_px = 80,
                                  .format = AV_PIX_FMT_YUV420P,
                                  .watermark = &mark};
    struct gm_graph *g = make(&out, 1);
    struct gm_err err = {0};
    AVFrame *f = solid(160, 80, 0, 0, 0, 255);
    assert_int_equal(gm_graph_push(g, f, 0, &err), 0);
    int v = gm_graph_get(g, 0)->data[0][40 * gm_graph_get(g, 0)->linesize[0] + 80];
    assert_in_range(v, 124, 127);
    av_frame_free(&f);
    gm_graph_destroy(&g);
    av_frame_free(&mark.image);
}

/* A ramp that 8 bits can't hold comes through beside the watermark. */
static void ten_bits_stay_ten(void **state)
{
    (void)state;
    Gm__Watermark how = GM__WATERMARK__INIT;
    how.position = "top-left";
    how.opacity = 1;
    how.size = 0.25;
    struct gm_watermark mark = {solid(20, 10, 255, 255, 255, 255), &how};
    struct gm_graph_output out = {.filters = "null",
                                  .width_px = 160,
                                  .height_px = 80,
                                  .format = AV_PIX_FMT_YUV420P10LE,
                                  .matrix = AVCOL_SPC_BT709,
                                  .watermark = &mark};
    struct gm_graph *g = make(&out, 1);
    struct gm_err err = {0};
    AVFrame *f = clip_picture(160, 80, AV_PIX_FMT_YUV420P10LE, 0);
    for (int y = 0; y < 80; y++) {
        for (int x = 0; x < 160; x++) {
            uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0] + (ptrdiff_t)x * 2;
            p[0] = (uint8_t)((301 + x) & 255);
            p[1] = (uint8_t)((301 + x) >> 8);
        }
    }
    assert_int_equal(gm_graph_push(g, f, 0, &err), 0);
    const AVFrame *o = gm_graph_get(g, 0);
    for (int x = 0; x < 160; x++) {
        const uint8_t *p = o->data[0] + (ptrdiff_t)x * 2;
        int v = p[0] | p[1] << 8;
        int want = x < 40 ? 940 : 301 + x;
        assert_in_range(v, want - (x < 40 ? 3 : 0), want + (x < 40 ? 1 : 0));
    }
    av_frame_free(&f);
    gm_graph_destroy(&g);
    av_frame_free(&mark.image);
}

/* Every kind of picture that sources commonly have, through both graphs and a watermark. */
static const enum AVPixelFormat formats[] = {
    AV_PIX_FMT_YUV420P,     AV_PIX_FMT_YUVJ420P,    AV_PIX_FMT_YUV422P,     AV_PIX_FMT_YUV444P,
    AV_PIX_FMT_YUV410P,     AV_PIX_FMT_YUV411P,     AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUV422P10LE,
    AV_PIX_FMT_YUV444P10LE, AV_PIX_FMT_YUV420P12LE, AV_PIX_FMT_YUVA420P,    AV_PIX_FMT_NV12,
    AV_PIX_FMT_P010LE,      AV_PIX_FMT_GRAY8,       AV_PIX_FMT_GBRP,        AV_PIX_FMT_RGB24,
    AV_PIX_FMT_BGRA,        AV_PIX_FMT_BGR0,        AV_PIX_FMT_RGB555LE,    AV_PIX_FMT_YUYV422,
    AV_PIX_FMT_UYVY422,     AV_PIX_FMT_PAL8,        AV_PIX_FMT_RGB48LE,     AV_PIX_FMT_YUV440P,
    AV_PIX_FMT_GBRP10LE,    AV_PIX_FMT_GRAY10LE,
};

static AVFrame *noise(int w, int h, enum AVPixelFormat format)
{
    AVFrame *out = gm_av_frame(format, w, h);
    uint32_t seed = 1;
    if (out == NULL) {
        abort();
    }
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    bool wide = d->comp[0].depth > 8;
    int shift = wide && d->comp[0].shift == 0 ? 16 - d->comp[0].depth : 0;
    for (int p = 0; p < AV_NUM_DATA_POINTERS && out->buf[p] != NULL; p++) {
        for (size_t i = 0; i + 1 < out->buf[p]->size; i += 2) {
            seed = seed * 1664525U + 1013904223U;
            uint32_t v = (seed >> 16) >> shift;
            out->buf[p]->data[i] = (uint8_t)v;
            out->buf[p]->data[i + 1] = (uint8_t)(v >> 8);
        }
    }
    return out;
}

static const struct {
    int w, h;
} sizes[] = {{200, 114}, {101, 61}, {48, 272}};

static void hash_format(struct gm_sha256 *h, void *arg)
{
    enum AVPixelFormat format = *(const enum AVPixelFormat *)arg;
    Gm__Watermark how = GM__WATERMARK__INIT;
    how.position = "bottom-right";
    how.opacity = 0.37;
    how.margin = 0.05;
    how.size = 0.4;
    struct gm_watermark mark = {solid(33, 21, 10, 200, 90, 180), &how};
    struct gm_graph_output outputs[] = {two[0], two[1], two[0], two[0], two[0]};
    outputs[1].filters = "scale=" FLAGS ",format=yuv420p,transpose=clock," TO(54, 96);
    outputs[2].watermark = &mark;
    outputs[3] = (struct gm_graph_output){
        .filters = TO(200, 114), .width_px = 200, .height_px = 114, .format = AV_PIX_FMT_YUV420P};
    outputs[4] = (struct gm_graph_output){.filters = "scale=160:90:" FLAGS
                                                     ":out_range=pc,setsar=1,format=yuvj420p",
                                          .width_px = 160,
                                          .height_px = 90,
                                          .format = AV_PIX_FMT_YUVJ420P};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct gm_graph *g = NULL;
        AVFrame *f = noise(sizes[i].w, sizes[i].h, format);
        if (gm_graph_create(outputs, 5, 12800, &g, NULL) < 0 || gm_graph_push(g, f, 0, NULL) < 0) {
            abort();
        }
        for (size_t k = 0; k < 5; k++) {
            child_add_frame(h, gm_graph_get(g, k));
        }
        av_frame_free(&f);
        gm_graph_destroy(&g);
    }
    av_frame_free(&mark.image);
}

static void plain_c_gives_the_same_pictures(void **state)
{
    (void)state;
    int differ = 0;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        enum AVPixelFormat format = formats[i];
        uint8_t with[32];
        uint8_t sse2[32];
        uint8_t without[32];
        child_hash(NULL, hash_format, &format, with);
        child_hash("mmx+mmxext+sse+sse2", hash_format, &format, sse2);
        child_hash("none", hash_format, &format, without);
        /* libswscale splits packed 4:2:2 by rounding down in C and up in SSE2, which every x86-64
         * has: these two are the same on every machine, but not without any vectors. */
        bool packed = format == AV_PIX_FMT_YUYV422 || format == AV_PIX_FMT_UYVY422;
        if ((!packed && memcmp(with, without, 32) != 0) || memcmp(with, sse2, 32) != 0) {
            print_error("%s differs (plain C %d, SSE2 %d)\n", av_get_pix_fmt_name(format),
                        memcmp(with, without, 32) != 0, memcmp(with, sse2, 32) != 0);
            differ++;
        }
    }
    assert_int_equal(differ, 0);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_gives_the_same_pictures),
        cmocka_unit_test(each_picture_gives_one_a_output_at_its_time),
        cmocka_unit_test(a_picture_of_another_kind_rebuilds_the_graph),
        cmocka_unit_test(full_range_becomes_limited),
        cmocka_unit_test(an_output_can_be_made_from_another),
        cmocka_unit_test(filters_that_break_the_rule_fail),
        cmocka_unit_test(the_watermark_lies_where_it_was_put),
        cmocka_unit_test(opacity_mixes),
        cmocka_unit_test(ten_bits_stay_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
