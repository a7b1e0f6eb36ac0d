#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/av.h"
#include "media/images/sheets.h"
#include "media/picture/image.h"

#define TICKS 1000

static Gm__ThumbnailsParams params;
static Gm__Policy policy;
static struct gm_err err;

static void reset(uint32_t columns, uint32_t rows, uint32_t interval_s)
{
    gm__thumbnails_params__init(&params);
    gm__policy__init(&policy);
    policy.thumbnails = &params;
    policy.timescale = TICKS;
    policy.tile_height_px = 8;
    params.width = 16;
    params.columns = columns;
    params.rows = rows;
    params.interval_s = interval_s;
}

static void the_grid_covers_the_programme(void **state)
{
    static const struct {
        uint32_t columns, rows, interval_s;
        int64_t end;
        size_t tiles, sheets;
        uint32_t across, down; /* of every sheet */
    } table[] = {
        {3, 2, 5, 1, 1, 1, 1, 1},     {3, 2, 5, 5000, 1, 1, 1, 1},
        {3, 2, 5, 5001, 2, 1, 2, 1},  {3, 2, 5, 15000, 3, 1, 3, 1},
        {3, 2, 5, 15001, 4, 1, 3, 2}, {3, 2, 5, 30000, 6, 1, 3, 2},
        {3, 2, 5, 30001, 7, 2, 3, 2}, {3, 2, 7, 100000, 15, 3, 3, 2},
        {1, 1, 1, 3000, 3, 3, 1, 1},  {10, 10, 3600, 604800000, 168, 2, 10, 10},
    };
    static const int64_t times[] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct gm_sheets s;
        reset(table[i].columns, table[i].rows, table[i].interval_s);
        assert_int_equal(gm_sheets_lay_out(&policy, times, 1, table[i].end, &s, &err), 0);
        assert_int_equal(s.tiles, table[i].tiles);
        assert_int_equal(s.sheets, table[i].sheets);
        assert_int_equal(s.columns, table[i].across);
        assert_int_equal(s.rows, table[i].down);
    }
}

static void wrong_plans_and_times_are_refused(void **state)
{
    static const int64_t good[] = {0, 10};
    static const int64_t falling[] = {10, 10};
    static const int64_t negative[] = {-1, 10};
    struct gm_sheets s = {.columns = 77};
    (void)state;
    reset(3, 2, 5);
    assert_int_equal(gm_sheets_lay_out(&policy, good, 0, 20, &s, &err), -GM_E_PROTO);
    assert_int_equal(gm_sheets_lay_out(&policy, good, 2, 10, &s, &err), -GM_E_PROTO);
    assert_int_equal(gm_sheets_lay_out(&policy, falling, 2, 20, &s, &err), -GM_E_PROTO);
    assert_int_equal(gm_sheets_lay_out(&policy, negative, 2, 20, &s, &err), -GM_E_PROTO);
    assert_int_equal(gm_sheets_lay_out(&policy, good, 2, (int64_t)60001 * 5 * TICKS, &s, &err),
                     -GM_E_LIMIT);
    for (int k = 0; k < 7; k++) {
        reset(3, 2, 5);
        switch (k) {
        case 0:
            params.columns = 0;
            break;
        case 1:
            params.interval_s = 0;
            break;
        case 2:
            params.width = 15;
            break;
        case 3:
            policy.tile_height_px = 0;
            break;
        case 4:
            params.columns = 5000;
            break;
        case 5:
            params.format = "webp";
            params.rows = 2048;
            break;
        default:
            params.format = "gif";
            break;
        }
        assert_int_equal(gm_sheets_lay_out(&policy, good, 2, 20, &s, &err), -GM_E_CONFIG);
    }
    assert_int_equal(s.columns, 77);
}

static void tiles_show_what_is_on_screen(void **state)
{
    /* a late start, and pictures that stay longer than an interval */
    static const int64_t times[] = {700, 4990, 5010, 21000};
    static const size_t want[] = {0, 1, 2, 2, 2, 3};
    struct gm_sheets s;
    (void)state;
    reset(3, 2, 5);
    assert_int_equal(gm_sheets_lay_out(&policy, times, 4, 26000, &s, &err), 0);
    assert_int_equal(s.tiles, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(gm_sheets_picture(&s, i), want[i]);
    }
}

static void the_index_has_no_holes(void **state)
{
    static const int64_t times[] = {0, 5000};
    struct gm_sheets s;
    struct gm_buf text = {0};
    (void)state;
    reset(2, 1, 5);
    params.format = "webp";
    policy.timescale = 3000;
    assert_int_equal(gm_sheets_lay_out(&policy, times, 2, 33334, &s, &err), 0);
    gm_sheets_index(&s, &text);
    assert_string_equal((const char *)text.data, "WEBVTT\n"
                                                 "\n00:00:00.000 --> 00:00:05.000\n"
                                                 "sprite-001.webp#xywh=0,0,16,8\n"
                                                 "\n00:00:05.000 --> 00:00:10.000\n"
                                                 "sprite-001.webp#xywh=16,0,16,8\n"
                                                 "\n00:00:10.000 --> 00:00:11.112\n"
                                                 "sprite-002.webp#xywh=0,0,16,8\n");
    gm_buf_fini(&text);
}

/* Picture n is one shade of grey. */
static int read_picture(void *arg, size_t picture, uint8_t *out, size_t size, struct gm_err *e)
{
    size_t *reads = arg;
    (*reads)++;
    assert_int_equal(size, 16 * 8 * 3 / 2);
    if (picture == 9) {
        return gm_err_set(e, GM_E_STORE_CORRUPT, 0, "no such picture");
    }
    memset(out, 60 + 40 * (int)picture, 16 * 8);
    memset(out + (ptrdiff_t)16 * 8, 128, 16 * 8 / 2);
    return 0;
}

static void sheets_have_their_tiles_in_place(void **state)
{
    static const int64_t times[] = {0, 5000, 15000};
    static const char *const formats[] = {"jpeg", "webp"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct gm_sheets s;
        struct gm_buf file = {0};
        size_t reads = 0;
        AVFrame *back = NULL;
        reset(3, 2, 5);
        params.format = (char *)(uintptr_t)formats[k];
        assert_int_equal(gm_sheets_lay_out(&policy, times, 3, 19000, &s, &err), 0);
        assert_int_equal(gm_sheets_encode(&s, 0, read_picture, &reads, &file, &err), 0);
        assert_int_equal(reads, 3); /* the second is shown twice, read once */
        assert_int_equal(gm_image_decode(file.data, file.size, &back, &err), 0);
        assert_int_equal(back->width, 48);
        assert_int_equal(back->height, 16);
        static const int want[] = {60, 100, 100, 140, -1, -1};
        for (int i = 0; i < 6; i++) {
            int x = i % 3 * 16 + 8;
            int y = i / 3 * 8 + 4;
            int v = back->data[0][y * back->linesize[0] + x];
            int shade = want[i] >= 0 ? want[i] : k == 0 ? 0 : 16;
            assert_in_range(v + 10, shade + 4, shade + 16);
        }
        av_frame_free(&back);
        gm_buf_fini(&file);
    }
    /* the second of two sheets is as large as the first */
    struct gm_sheets s;
    struct gm_buf file = {0};
    struct gm_image_header h;
    size_t reads = 0;
    reset(2, 2, 5);
    assert_int_equal(gm_sheets_lay_out(&policy, times, 3, 25000, &s, &err), 0);
    assert_int_equal(gm_sheets_encode(&s, 1, read_picture, &reads, &file, &err), 0);
    assert_int_equal(gm_image_header_read(file.data, file.size, &h, &err), 0);
    assert_int_equal(h.width_px, 32);
    assert_int_equal(h.height_px, 16);
    gm_buf_fini(&file);
}

static int refuse(void *arg, size_t picture, uint8_t *out, size_t size, struct gm_err *e)
{
    return read_picture(arg, picture + 9, out, size, e);
}

static void a_failed_read_fails_the_sheet(void **state)
{
    static const int64_t times[] = {0};
    struct gm_sheets s;
    struct gm_buf file = {0};
    size_t reads = 0;
    (void)state;
    reset(2, 2, 5);
    assert_int_equal(gm_sheets_lay_out(&policy, times, 1, 5000, &s, &err), 0);
    assert_int_equal(gm_sheets_encode(&s, 0, refuse, &reads, &file, &err), -GM_E_STORE_CORRUPT);
    assert_int_equal(file.size, 0);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_covers_the_programme),
        cmocka_unit_test(wrong_plans_and_times_are_refused),
        cmocka_unit_test(tiles_show_what_is_on_screen),
        cmocka_unit_test(the_index_has_no_holes),
        cmocka_unit_test(sheets_have_their_tiles_in_place),
        cmocka_unit_test(a_failed_read_fails_the_sheet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
