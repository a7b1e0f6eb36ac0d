#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "media/format/nal.h"

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

static void messages_on_film_grain_are_found(void **state)
{
    static const struct {
        enum AVCodecID codec;
        const uint8_t *extra;
        size_t extra_size;
        uint8_t data[24];
        size_t size;
        bool grain;
    } rows[] = {
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 19, 1, 0xff, 0x80}, 8, true},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 4, 1, 19, 0x80}, 8, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 4, 2, 19, 1, 19, 1, 5, 0x80}, 12, true},
        /* behind a message with zeros, and a byte between them that does not count */
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 4, 4, 0, 0, 3, 0, 1, 19, 1, 5, 0x80}, 15, true},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 4, 5, 0, 0, 3, 0, 1, 19, 1, 5, 0x80}, 15, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 255, 255, 19, 0, 0x80}, 9, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 0x65, 19, 1, 5, 0x80}, 8, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6}, 4, false},
        {AV_CODEC_ID_H264, NULL, 0, {0, 0, 1, 6, 19}, 5, false},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 5, 6, 19, 1, 5, 0x80}, 9, true},
        {AV_CODEC_ID_H264, avcc, 6, {0, 0, 0, 1, 9, 0, 0, 0, 5, 6, 19, 1, 5, 0x80}, 14, true},
        {AV_CODEC_ID_HEVC, hvcc, 23, {0, 6, 0x4e, 1, 19, 1, 5, 0x80}, 8, true},
        {AV_CODEC_ID_HEVC, NULL, 0, {0, 0, 1, 0x4e, 1, 19, 1, 5, 0x80}, 9, true},
        {AV_CODEC_ID_HEVC, NULL, 0, {0, 0, 1, 0x4e, 1, 20, 1, 5, 0x80}, 9, false},
        {AV_CODEC_ID_VP9, NULL, 0, {0, 0, 1, 6, 19, 1, 5, 0x80}, 8, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_nal_has_grain(rows[i].codec, rows[i].extra, rows[i].extra_size,
                                          rows[i].data, rows[i].size),
                         rows[i].grain);
    }
}

/* hex: digits; returns how many bytes they are. */
static size_t read_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; hex[2 * n] != '\0'; n++) {
        assert_int_equal(sscanf(hex + 2 * n, "%2hhx", &out[n]), 1);
    }
    return n;
}

static void parameter_sets_say_whether_fields_may_come(void **state)
{
    static const struct {
        const char *set;
        bool fields;
    } rows[] = {
        /* As x264 writes them: High, the same with field macroblocks; */
        {"6764000aacd9462ec044000003000400000300c83c489658", false},
        {"67640015acd9466fcb808800000300080000030190f8a14cb0", true},
        /* 4:4:4; */
        {"67f4000a919b28c5d808800000030080000019078912cb", false},
        /* Main, the same with field macroblocks; */
        {"674d400aeca3176022000003000200000300641e244b2c", false},
        {"674d4015eca337e5c044000003000400000300c87c50a658", true},
        /* Baseline. */
        {"6742c00ad9062ec044000003000400000300c83c489920", false},
        /* Written by hand, then the same of fields: scaling lists, some cut short; */
        {"6764001fadffffc2295237ff92056924925fffffffffffffe5958cf2", false},
        {"6764001fadffffc2295237ff92056924925fffffffffffffe5958cd9", true},
        /* 4:4:4 with the last of 12 lists, picture order of type 1; */
        {"67f4001f91a002924925fffffffffffffe5429889918cf20", false},
        {"67f4001f91a002924925fffffffffffffe5429889918cd90", true},
        /* picture order of type 2. */
        {"676e001fac2b633c80", false},
        {"676e001fac2b633640", true},
        /* A list whose first step is as large as can be written. */
        {"6764001fad8000000300fffffffe1e02e39f", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t config[80] = {1, 100, 0, 31, 0xff, 0xe1};
        uint8_t annexb[80] = {0, 0, 1, 0x68, 0xce, 0, 0, 0, 1};
        size_t n = read_hex(rows[i].set, config + 8);
        config[7] = (uint8_t)n;
        memcpy(annexb + 9, config + 8, n);
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
        cmocka_unit_test(messages_on_film_grain_are_found),
        cmocka_unit_test(parameter_sets_say_whether_fields_may_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
