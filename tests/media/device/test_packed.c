#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/device/packed.h"

static void repacking_keeps_every_sample(void **state)
{
    (void)state;
    static const enum AVPixelFormat planar[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10LE};
    struct gm_err err;
    for (int i = 0; i < 2; i++) {
        uint8_t a[32], b[32];
        AVFrame *from = clip_picture(70, 38, planar[i], 3);
        AVFrame *packed = gm_av_frame(gm_packed_format(i == 0 ? 8 : 10), 70, 38);
        AVFrame *back = gm_av_frame(planar[i], 70, 38);
        assert_int_equal(gm_packed_copy(from, packed, &err), 0);
        assert_int_equal(gm_packed_copy(packed, back, &err), 0);
        clip_hash(from, a);
        clip_hash(back, b);
        assert_memory_equal(a, b, 32);
        if (i == 1) { /* the upper ten bits, chroma interleaved */
            const uint16_t *v = (const uint16_t *)(const void *)from->data[2];
            const uint16_t *uv = (const uint16_t *)(const void *)packed->data[1];
            assert_int_equal(uv[3], v[1] << 6);
        }
        assert_int_equal(gm_packed_copy(from, back, &err), -GM_E_BUG);
        av_frame_free(&back);
        back = gm_av_frame(planar[i], 72, 38);
        assert_int_equal(gm_packed_copy(packed, back, &err), -GM_E_BUG);
        av_frame_free(&from);
        av_frame_free(&packed);
        av_frame_free(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repacking_keeps_every_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
