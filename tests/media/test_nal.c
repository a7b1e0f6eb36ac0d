#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

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

static void parameter_sets_say_whether_fields_may_come(void **state)
{
    /* As x264 writes them. */
    static const struct {
        uint8_t set[40];
        size_t size;
        bool fields;
    } rows[] = {
        /* High */
        {{0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x46, 0x2e, 0xc0, 0x44, 0x00, 0x00,
          0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x48, 0x96, 0x58},
         24,
         false},
        /* High, field macroblocks */
        {{0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x46, 0x6f, 0xcb, 0x80, 0x88, 0x00, 0x00,
          0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0x90, 0xf8, 0xa1, 0x4c, 0xb0},
         25,
         true},
        /* 4:4:4 */
        {{0x67, 0xf4, 0x00, 0x0a, 0x91, 0x9b, 0x28, 0xc5, 0xd8, 0x08, 0x80, 0x00,
          0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x89, 0x12, 0xcb},
         23,
         false},
        /* Main */
        {{0x67, 0x4d, 0x40, 0x0a, 0xec, 0xa3, 0x17, 0x60, 0x22, 0x00, 0x00, 0x03,
          0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x24, 0x4b, 0x2c},
         23,
         false},
        /* Main, field macroblocks */
        {{0x67, 0x4d, 0x40, 0x15, 0xec, 0xa3, 0x37, 0xe5, 0xc0, 0x44, 0x00, 0x00,
          0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x7c, 0x50, 0xa6, 0x58},
         24,
         true},
        /* Baseline */
        {{0x67, 0x42, 0xc0, 0x0a, 0xd9, 0x06, 0x2e, 0xc0, 0x44, 0x00, 0x00, 0x03,
          0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x48, 0x99, 0x20},
         23,
         false},
        /* Written by hand. */
        /* scaling lists, some cut short */
        {{0x67, 0x64, 0x00, 0x1f, 0xad, 0xff, 0xff, 0xc2, 0x29, 0x52, 0x37, 0xff, 0x92, 0x05,
          0x69, 0x24, 0x92, 0x5f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe5, 0x95, 0x8c, 0xf2},
         28,
         false},
        /* the same of fields */
        {{0x67, 0x64, 0x00, 0x1f, 0xad, 0xff, 0xff, 0xc2, 0x29, 0x52, 0x37, 0xff, 0x92, 0x05,
          0x69, 0x24, 0x92, 0x5f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe5, 0x95, 0x8c, 0xd9},
         28,
         true},
        /* 4:4:4 with the last of 12 lists, picture order of type 1 */
        {{0x67, 0xf4, 0x00, 0x1f, 0x91, 0xa0, 0x02, 0x92, 0x49, 0x25, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xfe, 0x54, 0x29, 0x88, 0x99, 0x18, 0xcf, 0x20},
         24,
         false},
        /* the same of fields */
        {{0x67, 0xf4, 0x00, 0x1f, 0x91, 0xa0, 0x02, 0x92, 0x49, 0x25, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xfe, 0x54, 0x29, 0x88, 0x99, 0x18, 0xcd, 0x90},
         24,
         true},
        /* picture order of type 2 */
        {{0x67, 0x6e, 0x00, 0x1f, 0xac, 0x2b, 0x63, 0x3c, 0x80}, 9, false},
        /* the same of fields */
        {{0x67, 0x6e, 0x00, 0x1f, 0xac, 0x2b, 0x63, 0x36, 0x40}, 9, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t config[80] = {1, 100, 0, 31, 0xff, 0xe1, 0, (uint8_t)rows[i].size};
        uint8_t annexb[80] = {0, 0, 1, 0x68, 0xce, 0, 0, 0, 1};
        size_t n = rows[i].size;
        memcpy(config + 8, rows[i].set, n);
        memcpy(annexb + 9, rows[i].set, n);
        assert_int_equal(gm_nal_has_fields(config, 8 + n), rows[i].fields);
        assert_int_equal(gm_nal_has_fields(annexb, 9 + n), rows[i].fields);
        assert_true(gm_nal_has_fields(config, 8 + n - 1)); /* cut off */
        assert_true(gm_nal_has_fields(annexb, 9 + 6));
    }
    assert_true(gm_nal_has_fields(NULL, 0));
    assert_true(gm_nal_has_fields(avcc, sizeof avcc)); /* no set */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_pictures_that_nothing_reaches_behind_are_closed),
        cmocka_unit_test(parameter_sets_say_whether_fields_may_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
