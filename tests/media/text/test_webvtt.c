#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media/text/webvtt.h"

struct seen {
    int cues, stop_at;
    int64_t start_ms, end_ms;
    char text[64], settings[64];
};

static int take(const struct gm_webvtt_cue *cue, void *arg)
{
    struct seen *s = arg;
    s->cues++;
    s->start_ms = cue->start_ms;
    s->end_ms = cue->end_ms;
    (void)snprintf(s->text, sizeof s->text, "%.*s", (int)cue->text_size, cue->text);
    (void)snprintf(s->settings, sizeof s->settings, "%.*s", (int)cue->settings_size, cue->settings);
    return s->cues == s->stop_at ? 7 : 0;
}

static void what_is_written_is_read_back(void **state)
{
    struct gm_buf out = {0};
    struct gm_err err = {0};
    struct gm_cue a = {.start_ms = 0, .end_ms = 1, .text = (char *)(uintptr_t) "<b>a</b>\nb"};
    struct gm_cue b = {.start_ms = 3661001,
                       .end_ms = 99 * 3600000 + 3599999,
                       .text = (char *)(uintptr_t) "\xC3\xA4",
                       .settings = "line:0"};
    (void)state;
    for (int segment = 0; segment < 2; segment++) {
        struct seen s = {0};
        gm_webvtt_head(&out, segment != 0);
        gm_webvtt_cue(&out, &a);
        gm_webvtt_cue(&out, &b);
        assert_non_null(strstr((char *)out.data, "01:01:01.001 --> 99:59:59.999 line:0\n"));
        assert_int_equal(gm_webvtt_read(out.data, out.size, segment != 0, take, &s, &err), 0);
        assert_int_equal(s.cues, 2);
        assert_int_equal(s.start_ms, b.start_ms);
        assert_int_equal(s.end_ms, b.end_ms);
        assert_string_equal(s.text, b.text);
        assert_string_equal(s.settings, "line:0");
        assert_int_equal(gm_webvtt_read(out.data, out.size, segment == 0, take, &s, &err),
                         -GM_E_MEDIA);
        s = (struct seen){.stop_at = 1};
        assert_int_equal(gm_webvtt_read(out.data, out.size, segment != 0, take, &s, &err), 7);
        assert_string_equal(s.text, "<b>a</b>\nb");
        for (size_t cut = 8; cut < out.size; cut++) { /* each cut is an error, or whole cues */
            s = (struct seen){0};
            if (gm_webvtt_read(out.data, cut, segment != 0, take, &s, &err) == 0) {
                assert_true(s.cues < 2);
            }
        }
        gm_buf_fini(&out);
    }
}

static void malformed_text_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "WEBVTT",
        "WEBVTT\n",
        "WEBVTT\n\nx",
        "WEBVTT\n\nx\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.000\nx\n\n",
        "WEBVTT\n\n00:00:01.000 --> 00:00:00.000\nx\n\n",
        "WEBVTT\n\n00:00:00.000 -->  00:00:01.000\nx\n\n",
        "WEBVTT\n\n00:60:00.000 --> 01:00:01.000\nx\n\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000x\nx\n\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n\n\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nx\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na --> b\n\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n\xff\n\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n\xe2\x82\n\n",
        "WEBVTT\n\n00:00:02.000 --> 00:00:03.000\nx\n\n00:00:01.000 --> 00:00:03.000\nx\n\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen s = {0};
        struct gm_err err = {0};
        int rc = gm_webvtt_read((const uint8_t *)rows[i], strlen(rows[i]), false, take, &s, &err);
        if (rc != -GM_E_MEDIA || err.text[0] == '\0') {
            fail_msg("row %zu: %d", i, rc);
        }
    }
}

static void chapters_are_cues(void **state)
{
    Gm__Chapter a = GM__CHAPTER__INIT, b = GM__CHAPTER__INIT;
    Gm__Chapter *list[] = {&a, &b};
    struct gm_buf out = {0};
    struct gm_err err = {0};
    struct seen s = {0};
    (void)state;
    a.end_us = 1999499;
    a.title = (char *)(uintptr_t) "A & <B> --> \n\xff";
    b.start_us = b.end_us = 1999500;
    b.title = (char *)(uintptr_t) "  ";
    gm_webvtt_chapters(&out, list, 2);
    assert_string_equal((char *)out.data, "WEBVTT\n\n00:00:00.000 --> 00:00:01.999\n"
                                          "A &amp; &lt;B&gt; --&gt;  \xEF\xBF\xBD\n\n"
                                          "00:00:02.000 --> 00:00:02.001\nChapter 2\n\n");
    assert_int_equal(gm_webvtt_read(out.data, out.size, false, take, &s, &err), 0);
    gm_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(chapters_are_cues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
