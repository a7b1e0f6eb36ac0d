#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/nal.h"

static const uint8_t avcc[] = {1, 100, 0, 31, 0xff, 0xe0}; /* 4-byte lengths */
static const uint8_t hvcc[23] = {1, [21] = 0xfd};          /* 2-byte lengths */

static void only_pictures_that_nothing_reaches_behind_are_closed(void **state)
{
    static const struct {
        enum AVCodecID codec;
        const uint8_t *extra;
        size_t extra_size;
        uint8_t data[16];
        size_t size;
        bool closed;
    } rows[] = {
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 2, 0x65, 1}, 6, true},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 2, 0x41, 1}, 6, false},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 1, 0x09, 0, 0, 0, 2, 0x65, 1}, 11, true},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 0, 0, 0, 0, 1, 0x65}, 9, true},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 9, 0x65, 1}, 6, false}, /* longer than it is */
        {AV_CODEC_ID_H264, avcc, 6, {0, 0}, 2, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65}, 10, true},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 0x06, 1, 0, 0, 1, 0x41}, 9, false},
        {AV_CODEC_ID_H264, NULL, 0, {1, 2, 3}, 3, false},
        {AV_CODEC_ID_HEVC, hvcc, 23, {0, 2, 0x26, 1}, 4, true},  /* IDR_W_RADL */
        {AV_CODEC_ID_HEVC, hvcc, 23, {0, 2, 0x2a, 1}, 4, true},  /* CRA */
        {AV_CODEC_ID_HEVC, hvcc, 23, {0, 2, 0x02, 1}, 4, false}, /* TRAIL_R */
        {AV_CODEC_ID_HEVC, NULL, 0, {0, 0, 1, 0x40, 1, 0, 0, 1, 0x28, 1}, 10, true},
        {AV_CODEC_ID_VP9, NULL, 0, {0}, 1, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_nal_is_closed(rows[i].codec, rows[i].extra, rows[i].extra_size,
                                          rows[i].data, rows[i].size),
                         rows[i].closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_pictures_that_nothing_reaches_behind_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
