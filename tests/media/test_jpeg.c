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
#include "media/image.h"
#include "media/jpeg.h"

static void hash_jpegs(struct gm_sha256 *h, void *arg)
{
    static const int sizes[][2] = {{160, 90}, {17, 13}, {1, 1}, {640, 360}};
    (void)arg;
    for (size_t i = 0; i < 4; i++) {
        for (int q = 1; q <= 31; q += 10) {
            struct gm_buf out = {0};
            AVFrame *f = clip_picture(sizes[i][0], sizes[i][1], AV_PIX_FMT_YUVJ420P, (int)i);
            if (gm_jpeg_encode(f, q, &out, NULL) < 0) {
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
            gm_buf_fini(&out);
        }
    }
}

static void plain_c_gives_the_same_bytes(void **state)
{
    (void)state;
    uint8_t with[32];
    uint8_t sse2[32];
    uint8_t without[32];
    child_hash(NULL, hash_jpegs, NULL, with);
    child_hash("mmx+mmxext+sse+sse2", hash_jpegs, NULL, sse2);
    child_hash("none", hash_jpegs, NULL, without);
    assert_memory_equal(with, sse2, 32);
    assert_memory_equal(with, without, 32);
}

static void the_picture_comes_back(void **state)
{
    (void)state;
    struct gm_err err;
    struct gm_buf out = {0};
    AVFrame *f = clip_picture(64, 48, AV_PIX_FMT_YUVJ420P, 0);
    for (int p = 0; p < 3; p++) {
        memset(f->data[p], p == 0 ? 90 : 128, (size_t)f->linesize[p] * (p == 0 ? 48 : 24));
    }
    gm_buf_str(&out, "before");
    assert_int_equal(gm_jpeg_encode(f, 2, &out, &err), 0);
    assert_memory_equal(out.data, "before\xff\xd8", 8);
    AVFrame *back = NULL;
    assert_int_equal(gm_image_decode(out.data + 6, out.size - 6, &back, &err), 0);
    assert_int_equal(back->width, 64);
    assert_int_equal(back->height, 48);
    assert_in_range(back->data[0][0], 88, 92);
    av_frame_free(&back);
    av_frame_free(&f);
    gm_buf_fini(&out);
}

static void other_pictures_are_refused(void **state)
{
    (void)state;
    struct gm_err err;
    struct gm_buf out = {0};
    AVFrame *f = clip_picture(64, 48, AV_PIX_FMT_YUV420P, 0);
    assert_int_equal(gm_jpeg_encode(f, 2, &out, &err), -GM_E_INVAL);
    f->format = AV_PIX_FMT_YUVJ420P;
    assert_int_equal(gm_jpeg_encode(f, 0, &out, &err), -GM_E_INVAL);
    assert_int_equal(gm_jpeg_encode(f, 32, &out, &err), -GM_E_INVAL);
    f->width = GM_JPEG_MAX_SIDE + 1;
    assert_int_equal(gm_jpeg_encode(f, 2, &out, &err), -GM_E_INVAL);
    f->width = 0;
    assert_int_equal(gm_jpeg_encode(f, 2, &out, &err), -GM_E_INVAL);
    assert_int_equal(out.size, 0);
    av_frame_free(&f);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_c_gives_the_same_bytes),
        cmocka_unit_test(the_picture_comes_back),
        cmocka_unit_test(other_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
