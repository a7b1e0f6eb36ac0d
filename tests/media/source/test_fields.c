#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "media/av.h"
#include "media/chunk_io.h"
#include "media/source/fields.h"

enum kind { PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST, STILL, PULLDOWN };

#define WIDTH 128
#define HEIGHT 240

/* A bar with soft edges, and texture that moves with it, at time t (fields). */
static int shade(int x, int y, int t)
{
    int at = (x * 4 - t * 7 + 4096) % 512;
    int edge = at < 256 ? at : 511 - at;
    int texture = (((x - t * 2 + 1024) / 5) ^ (y / 3)) % 7 * 9;
    return 30 + edge / 2 + texture;
}

static void set(AVFrame *f, int x, int y, int v)
{
    if (f->format == AV_PIX_FMT_YUV420P) {
        f->data[0][y * f->linesize[0] + x] = (uint8_t)v;
    } else if (f->format == AV_PIX_FMT_YUYV422) {
        f->data[0][y * f->linesize[0] + x * 2] = (uint8_t)v;
    } else { /* yuv422p10le */
        uint8_t *at = f->data[0] + (ptrdiff_t)y * f->linesize[0] + (ptrdiff_t)x * 2;
        at[0] = (uint8_t)(v * 4);
        at[1] = (uint8_t)(v * 4 >> 8);
    }
}

static AVFrame *picture(enum kind kind, enum AVPixelFormat format, int i)
{
    AVFrame *f = clip_picture(WIDTH, HEIGHT, format, 0);
    for (int y = 0; y < HEIGHT; y++) {
        bool bottom = y % 2 != 0;
        int t = 2 * i;
        switch (kind) {
        case PROGRESSIVE:
            break;
        case TOP_FIRST:
            t += bottom;
            break;
        case BOTTOM_FIRST:
            t += !bottom;
            break;
        case STILL:
            t = 0;
            break;
        case PULLDOWN: { /* 2:3: pictures A, A/B, B/C, C, D of film */
            static const int top[5] = {0, 0, 1, 2, 3}, low[5] = {0, 1, 2, 2, 3};
            t = (i / 5 * 4 + (bottom ? low : top)[i % 5]) * 2;
            break;
        }
        }
        for (int x = 0; x < WIDTH; x++) {
            set(f, x, y, shade(x, y, t));
        }
    }
    return f;
}

static void fill(struct gm_fields *f, enum kind kind, enum AVPixelFormat format, int from, int to)
{
    for (int i = from; i < to; i++) {
        AVFrame *p = picture(kind, format, i);
        assert_int_equal(gm_fields_push(f, p, NULL), 0);
        av_frame_free(&p);
    }
}

static void content_tells_whatever_the_flags(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10LE,
                                                 AV_PIX_FMT_YUYV422};
    static const struct {
        enum kind kind;
        bool interlaced, top_first;
    } rows[] = {
        {PROGRESSIVE, false, false},
        {TOP_FIRST, true, true},
        {BOTTOM_FIRST, true, false},
        {PULLDOWN, true, true},
    };
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct gm_fields f = {0};
            bool interlaced = !rows[i].interlaced, top_first = !rows[i].top_first;
            fill(&f, rows[i].kind, formats[k], 0, 22);
            assert_int_equal(f.progressive + f.top_first + f.bottom_first + f.unclear + f.still,
                             20);
            assert_true(gm_fields_judge(&f, &interlaced, &top_first));
            assert_int_equal(interlaced, rows[i].interlaced);
            if (interlaced) {
                assert_int_equal(top_first, rows[i].top_first);
            }
            gm_fields_fini(&f);
        }
    }
}

static void still_pictures_tell_nothing(void **state)
{
    struct gm_fields f = {0};
    bool a, b;
    (void)state;
    assert_false(gm_fields_judge(&f, &a, &b));
    fill(&f, STILL, AV_PIX_FMT_YUV420P, 0, 40);
    assert_int_equal(f.still, 38);
    assert_false(gm_fields_judge(&f, &a, &b));
    gm_fields_fini(&f);
}

static void pictures_of_two_stretches_are_not_compared(void **state)
{
    struct gm_fields f = {0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        fill(&f, TOP_FIRST, AV_PIX_FMT_YUV420P, i * 5, i * 5 + 2);
        gm_fields_cut(&f);
    }
    assert_int_equal(f.progressive + f.top_first + f.bottom_first + f.unclear + f.still, 0);
    fill(&f, TOP_FIRST, AV_PIX_FMT_YUV420P, 0, 2);
    fill(&f, TOP_FIRST, AV_PIX_FMT_YUV422P10LE, 2, 4); /* another format is a cut too */
    assert_int_equal(f.progressive + f.top_first + f.bottom_first + f.unclear + f.still, 0);
    gm_fields_fini(&f);
}

static void small_pictures_have_no_fields(void **state)
{
    struct gm_fields f = {0};
    (void)state;
    for (int i = 0; i < 5; i++) {
        AVFrame *p = clip_picture(320, 238, AV_PIX_FMT_YUV420P, i);
        assert_int_equal(gm_fields_push(&f, p, NULL), 0);
        av_frame_free(&p);
    }
    assert_int_equal(f.count, 0);
    gm_fields_fini(&f);
}

static void a_little_of_one_field_order_does_not_decide(void **state)
{
    struct gm_fields f = {.progressive = 80, .top_first = 20, .bottom_first = 0};
    bool interlaced, top_first;
    (void)state;
    assert_true(gm_fields_judge(&f, &interlaced, &top_first));
    assert_false(interlaced);
    f.top_first = 40;
    assert_true(gm_fields_judge(&f, &interlaced, &top_first));
    assert_true(interlaced && top_first);
    f.bottom_first = 30; /* now one, now the other: no field order */
    assert_true(gm_fields_judge(&f, &interlaced, &top_first));
    assert_false(interlaced);
}

static void formats_without_lines_are_passed_over(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_PAL8, AV_PIX_FMT_MONOWHITE};
    struct gm_fields f = {0};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (int i = 0; i < 5; i++) {
            AVFrame *p = gm_av_frame(formats[k], WIDTH, HEIGHT);
            assert_non_null(p);
            assert_int_equal(gm_fields_push(&f, p, NULL), 0);
            av_frame_free(&p);
        }
    }
    assert_int_equal(f.count, 0);
    gm_fields_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_tells_whatever_the_flags),
        cmocka_unit_test(still_pictures_tell_nothing),
        cmocka_unit_test(pictures_of_two_stretches_are_not_compared),
        cmocka_unit_test(small_pictures_have_no_fields),
        cmocka_unit_test(a_little_of_one_field_order_does_not_decide),
        cmocka_unit_test(formats_without_lines_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
