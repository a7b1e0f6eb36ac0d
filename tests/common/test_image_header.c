#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/image_header.h"

static const uint8_t PNG[] = {
    0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,  'I', 'H', 'D', 'R', 0, 0,   1,   44,
    0,    0,   0,   200, 8,    6,    0,    0,    0, 1, 2, 3,   4,   0,   0,   0,   2, 'I', 'D', 'A',
    'T',  9,   9,   1,   2,    3,    4,    0,    0, 0, 0, 'I', 'E', 'N', 'D', 1,   2, 3,   4};
static const uint8_t JPEG[] = {0xff, 0xd8, 0xff, 0xe0, 0, 4,  1, 2, 0xff, 0xff, 0xc2, 0,
                               11,   8,    0,    200,  1, 44, 1, 1, 0x11, 0,    0xff, 0xda};
/* lossy, 300x200 */
static const uint8_t VP8[] = {'R', 'I',  'F',  'F',  24,  0,  0,   0, 'W', 'E', 'B',
                              'P', 'V',  'P',  '8',  ' ', 12, 0,   0, 0,   0,   0,
                              0,   0x9d, 0x01, 0x2a, 44,  1,  200, 0, 0,   0};
/* lossless: 299 | 199 << 14 */
static const uint8_t VP8L[] = {'R',  'I',  'F', 'F', 24,  0,  0, 0, 'W', 'E',  'B',
                               'P',  'V',  'P', '8', 'L', 12, 0, 0, 0,   0x2f, 0x2b,
                               0xc1, 0x31, 0,   0,   0,   0,  0, 0, 0,   0};
static const uint8_t VP8X[] = {'R',  'I', 'F', 'F', 22,  0,   0,  0,   'W', 'E',
                               'B',  'P', 'V', 'P', '8', 'X', 10, 0,   0,   0,
                               0x10, 0,   0,   0,   43,  1,   0,  199, 0,   0};

static void sizes_are_read(void **state)
{
    static const struct {
        const uint8_t *data;
        size_t size;
        enum gm_image_kind kind;
    } rows[] = {{PNG, sizeof PNG, GM_IMAGE_PNG},
                {JPEG, sizeof JPEG, GM_IMAGE_JPEG},
                {VP8, sizeof VP8, GM_IMAGE_WEBP},
                {VP8L, sizeof VP8L, GM_IMAGE_WEBP},
                {VP8X, sizeof VP8X, GM_IMAGE_WEBP}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_image_header h = {0};
        struct gm_err err = {0};
        if (gm_image_header_read(rows[i].data, rows[i].size, &h, &err) < 0) {
            fail_msg("row %zu: %s", i, err.text);
        }
        assert_int_equal(h.kind, rows[i].kind);
        assert_int_equal(h.width_px, 300);
        assert_int_equal(h.height_px, 200);
    }
}

static void every_cut_is_refused(void **state)
{
    static const struct {
        const uint8_t *data;
        size_t size;
        size_t enough; /* bytes after which a JPEG's header is whole */
    } rows[] = {{PNG, sizeof PNG, sizeof PNG},
                {JPEG, sizeof JPEG, 22},
                {VP8, sizeof VP8, sizeof VP8},
                {VP8L, sizeof VP8L, sizeof VP8L},
                {VP8X, sizeof VP8X, sizeof VP8X}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t n = 0; n < rows[i].enough; n++) {
            struct gm_image_header h = {.width_px = 7};
            uint8_t copy[80];
            memcpy(copy, rows[i].data, n); /* exact room: a read behind it is found by ASan */
            struct gm_err err = {0};
            if (gm_image_header_read(copy, n, &h, &err) != -GM_E_BAD_IMAGE) {
                fail_msg("row %zu passes with %zu bytes", i, n);
            }
            assert_int_equal(h.width_px, 7);
        }
    }
}

static void refused(const uint8_t *from, size_t size, size_t at, const char *bytes, size_t count)
{
    uint8_t copy[80];
    struct gm_image_header h;
    struct gm_err err = {0};
    memcpy(copy, from, size);
    memcpy(copy + at, bytes, count);
    assert_int_equal(gm_image_header_read(copy, size, &h, &err), -GM_E_BAD_IMAGE);
}

static void odd_images_are_refused(void **state)
{
    (void)state;
    refused(PNG, sizeof PNG, 0, "GIF89a", 6);
    refused(PNG, sizeof PNG, 12, "IDAT", 4);                     /* does not begin with IHDR */
    refused(PNG, sizeof PNG, 16, "\0\0\0\0", 4);                 /* no width */
    refused(PNG, sizeof PNG, 16, "\0\0\x13\x88\0\0\x13\x88", 8); /* 25 million pixels */
    refused(PNG, sizeof PNG, 16, "\0\0\x40\x01\0\0\0\1", 8);     /* a side of 16385 */
    refused(PNG, sizeof PNG, 33, "\xff\xff\xff\xff", 4);         /* a chunk's length */
    refused(JPEG, sizeof JPEG, 4, "\xff\xff", 2);                /* a segment's length */
    refused(JPEG, sizeof JPEG, 10, "\xda", 1);                   /* scan before the frame header */
    refused(VP8X, sizeof VP8X, 20, "\x12", 1);                   /* animated */
    refused(VP8, sizeof VP8, 23, "\0", 1);                       /* start code */
    refused(VP8L, sizeof VP8L, 20, "\0", 1);                     /* signature */
    refused(VP8, sizeof VP8, 12, "ALPH", 4);
    refused(VP8, sizeof VP8, 16, "\xff", 1); /* chunk longer than the file */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(odd_images_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
