#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/picture/graph.h"
#include "media/picture/image.h"
#include "media/picture/still.h"

static const char *const formats[] = {"jpeg", "webp"};

static void formats_have_names(void **state)
{
    (void)state;
    assert_string_equal(gm_still_find("")->name, "jpeg");
    assert_string_equal(gm_still_find(NULL)->ext, "jpg");
    assert_string_equal(gm_still_find("webp")->mime, "image/webp");
    assert_null(gm_still_find("gif"));
}

/* Files from pictures of many sizes, through the filters that make them fit. */
static void hash_stills(struct gm_sha256 *h, void *arg)
{
    static const int sizes[][2] = {{160, 90}, {17, 13}, {2, 2}, {640, 360}};
    const struct gm_still *still = arg;
    for (size_t i = 0; i < 4; i++) {
        for (int q = 5; q <= 100; q += 30) {
            struct gm_buf out = {0};
            char filters[GM_STILL_FILTERS_SIZE];
            struct gm_graph *graph = NULL;
            AVFrame *f = clip_picture(sizes[i][0], sizes[i][1], AV_PIX_FMT_YUV420P, (int)i);
            f->colorspace = AVCOL_SPC_BT709;
            f->color_range = AVCOL_RANGE_MPEG;
            if (gm_still_filters(still, 160, 90, filters, NULL) < 0) {
                abort();
            }
            struct gm_graph_output o = {
                .filters = filters, .width_px = 160, .height_px = 90, .format = still->format};
            if (gm_graph_create(&o, 1, 1, &graph, NULL) < 0 ||
                gm_graph_push(graph, f, 0, NULL) < 0 ||
                gm_still_encode(still, gm_graph_get(graph, 0), q, &out, NULL) < 0) {
                abort();
            }
            gm_sha256_update(h, out.data, out.size);
            AVFrame *back = NULL;
            if (gm_image_decode(out.data, out.size, &back, NULL) < 0) {
                abort();
            }
            child_add_frame(h, back);
            av_frame_free(&back);
            av_frame_free(&f);
            gm_graph_destroy(&graph);
            gm_buf_fini(&out);
        }
    }
}

static void plain_c_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        uint8_t with[32];
        uint8_t sse2[32];
        uint8_t without[32];
        void *still = (void *)(uintptr_t)gm_still_find(formats[k]);
        child_hash(NULL, hash_stills, still, with);
        child_hash("mmx+mmxext+sse+sse2", hash_stills, still, sse2);
        child_hash("none", hash_stills, still, without);
        assert_memory_equal(with, sse2, 32);
        assert_memory_equal(with, without, 32);
    }
}

/* A picture of BT.709 red becomes a file whose BT.601 decoding is that red. */
static void colours_survive(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct gm_still *still = gm_still_find(formats[k]);
        char filters[GM_STILL_FILTERS_SIZE];
        struct gm_graph *graph = NULL;
        struct gm_err err;
        struct gm_buf out = {0};
        AVFrame *back = NULL;
        AVFrame *f = clip_picture(64, 48, AV_PIX_FMT_YUV420P, 0);
        f->colorspace = AVCOL_SPC_BT709;
        f->color_range = AVCOL_RANGE_MPEG;
        static const int red[3] = {63, 102, 240}; /* ITU-R BT.709, limited */
        for (int p = 0; p < 3; p++) {
            memset(f->data[p], red[p], (size_t)f->linesize[p] * (p == 0 ? 48 : 24));
        }
        assert_int_equal(gm_still_filters(still, 64, 48, filters, &err), 0);
        struct gm_graph_output o = {
            .filters = filters, .width_px = 64, .height_px = 48, .format = still->format};
        assert_int_equal(gm_graph_create(&o, 1, 1, &graph, &err), 0);
        assert_int_equal(gm_graph_push(graph, f, 0, &err), 0);
        gm_buf_str(&out, "before");
        assert_int_equal(
            gm_still_encode(still, gm_graph_get(graph, 0), still->poster_quality, &out, &err), 0);
        assert_memory_equal(out.data, "before", 6);
        assert_int_equal(gm_image_decode(out.data + 6, out.size - 6, &back, &err), 0);
        assert_int_equal(back->width, 64);
        assert_int_equal(back->height, 48);
        /* pure red: full range 76 85 255; limited 81 90 240 */
        static const int want[2][3] = {{76, 85, 255}, {81, 90, 240}};
        for (int p = 0; p < 3; p++) {
            assert_in_range(back->data[p][0] + 3, want[k][p], want[k][p] + 6);
        }
        av_frame_free(&back);
        av_frame_free(&f);
        gm_graph_destroy(&graph);
        gm_buf_fini(&out);
    }
}

static void other_pictures_are_refused(void **state)
{
    (void)state;
    struct gm_err err;
    struct gm_buf out = {0};
    const struct gm_still *jpeg = gm_still_find("jpeg");
    const struct gm_still *webp = gm_still_find("webp");
    AVFrame *f = clip_picture(64, 48, AV_PIX_FMT_YUV420P, 0);
    assert_int_equal(gm_still_encode(jpeg, f, 80, &out, &err), -GM_E_INVAL);
    f->width = (int)webp->max_side + 1;
    assert_int_equal(gm_still_encode(webp, f, 80, &out, &err), -GM_E_INVAL);
    f->width = 64;
    f->format = AV_PIX_FMT_YUVJ420P;
    assert_int_equal(gm_still_encode(webp, f, 80, &out, &err), -GM_E_INVAL);
    assert_int_equal(gm_still_encode(jpeg, f, 0, &out, &err), -GM_E_INVAL);
    assert_int_equal(gm_still_encode(jpeg, f, 101, &out, &err), -GM_E_INVAL);
    f->width = (int)jpeg->max_side + 1;
    assert_int_equal(gm_still_encode(jpeg, f, 80, &out, &err), -GM_E_INVAL);
    f->width = 0;
    assert_int_equal(gm_still_encode(jpeg, f, 80, &out, &err), -GM_E_INVAL);
    assert_int_equal(out.size, 0);
    f->width = 64;
    av_frame_free(&f);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_have_names),
        cmocka_unit_test(plain_c_gives_the_same_bytes),
        cmocka_unit_test(colours_survive),
        cmocka_unit_test(other_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
