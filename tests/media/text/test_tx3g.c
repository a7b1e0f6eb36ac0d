#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/text/tx3g.h"

#define T(s) "00:00:0" s
#define HEAD "WEBVTT\n\n"

static struct gm_tx3g *open_text(const char *text, int64_t end_ms)
{
    struct gm_tx3g *t = NULL;
    struct gm_err err = {0};
    assert_int_equal(gm_tx3g_create((const uint8_t *)text, strlen(text), end_ms, &t, &err), 0);
    return t;
}

/* The next sample: where it begins, how long it is, its text. */
static void expect(struct gm_tx3g *t, int64_t start, int64_t duration, const char *text)
{
    struct gm_buf out = {0};
    struct gm_err err = {0};
    int64_t got = 0;
    assert_int_equal(gm_tx3g_start(t), start);
    assert_int_equal(gm_tx3g_next(t, &out, &got, &err), 0);
    assert_int_equal(got, duration);
    assert_int_equal(out.data[0] << 8 | out.data[1], strlen(text));
    assert_memory_equal(out.data + 2, text, strlen(text));
    gm_buf_fini(&out);
}

static void samples_follow_without_a_gap(void **state)
{
    struct gm_tx3g *t = open_text(
        HEAD T("0.500") " --> " T("2.000") "\na &lt;b&gt; &amp; c\n\n" T("1.000") " --> " T(
            "3."
            "00"
            "0") " line:0\n<i>two</i>\nlines\n\n" T("3.000") " --> " T("3.500") "\nx\n\n" T("6.000") " --> " T("9.000") "\nend\n"
                                                                                                                        "\n" T(
                                                                                                                            "8."
                                                                                                                            "00"
                                                                                                                            "0") " --> " T("9.000") "\nnever\n\n",
        7000);
    (void)state;
    expect(t, 0, 500, "");
    expect(t, 500, 500, "a <b> & c");
    expect(t, 1000, 1000, "a <b> & c\ntwo\nlines");
    expect(t, 2000, 1000, "two\nlines");
    expect(t, 3000, 500, "x");
    expect(t, 3500, 2500, "");
    expect(t, 6000, 1000, "end");
    assert_int_equal(gm_tx3g_start(t), 7000);
    assert_int_equal(gm_tx3g_left_out(t), 0);
    gm_tx3g_destroy(&t);
    t = open_text(HEAD, 5);
    expect(t, 0, 5, "");
    gm_tx3g_destroy(&t);
}

static void markup_becomes_style_records(void **state)
{
    struct gm_tx3g *t = open_text(HEAD T("0.000") " --> " T("1.000") "\n<b>\xC3\xA4</b> <b><i>bi"
                                                                     "</i></b><i>i</i>&amp; <u>u"
                                                                     "</u>\n\n",
                                  1000);
    struct gm_buf out = {0};
    struct gm_err err = {0};
    int64_t duration = 0;
    (void)state;
    assert_int_equal(gm_tx3g_next(t, &out, &duration, &err), 0);
    size_t text = 9;
    assert_int_equal(out.data[1], text);
    assert_memory_equal(out.data + 2, "\xC3\xA4 bii& u", text);
    const uint8_t *styl = out.data + 2 + text;
    assert_int_equal(out.size, 2 + text + 10 + 4 * 12);
    assert_memory_equal(styl, "\0\0\0\x3Astyl\0\4", 10);
    static const uint8_t runs[4][3] = {{0, 1, 1}, {2, 4, 3}, {4, 5, 2}, {7, 8, 4}};
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *r = styl + 10 + 12 * i;
        assert_int_equal(r[1], runs[i][0]);
        assert_int_equal(r[3], runs[i][1]);
        assert_int_equal(r[6], runs[i][2]);
    }
    gm_buf_fini(&out);
    gm_tx3g_destroy(&t);
}

static void limits_hold(void **state)
{
    size_t cap = 40 * 20000;
    char *text = malloc(cap);
    size_t n = 0;
    struct gm_buf out = {0};
    struct gm_err err = {0};
    int64_t duration = 0;
    (void)state;
    assert_non_null(text);
    n += (size_t)snprintf(text, cap, HEAD);
    for (int i = 0; i < 36; i++) { /* 36 cues of 8000 bytes together */
        n += (size_t)snprintf(text + n, cap - n, "00:00:00.000 --> 00:00:01.000\n");
        memset(text + n, 'a', 8000);
        n += 8000;
        n += (size_t)snprintf(text + n, cap - n, "\n\n");
    }
    struct gm_tx3g *t = open_text(text, 2000);
    assert_int_equal(gm_tx3g_next(t, &out, &duration, &err), 0);
    assert_int_equal(out.data[0] << 8 | out.data[1], 8 * 8001 - 1);
    assert_int_equal(gm_tx3g_left_out(t), 4 + 32 - 8);
    gm_buf_fini(&out);
    gm_tx3g_destroy(&t);
    text[n - 2] = 'x';
    assert_int_equal(gm_tx3g_create((const uint8_t *)text, n, 2000, &t, &err), -GM_E_MEDIA);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_follow_without_a_gap),
        cmocka_unit_test(markup_becomes_style_records),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
