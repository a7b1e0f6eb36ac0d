#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/text/text_markup.h"

#define ASS_HEAD                                                                                   \
    "[Script Info]\r\nTitle: x\r\n\r\n[V4+ Styles]\r\n"                                            \
    "Format: Name, Fontname, Bold, Italic, Underline, Alignment\r\n"                               \
    "Style: Default,Arial,0,0,0,2\r\nStyle: Loud ,Arial,-1,0,0,2\r\n"                              \
    "Style: Top,Arial,0,-1,-1,7\r\n\r\n[Events]\r\nStyle: Not,A,1,1,1,1\r\n"

static struct gm_text_styles styles_of(const char *head)
{
    struct gm_text_styles styles = {0};
    struct gm_err err = {0};
    assert_int_equal(gm_text_styles_read(head, strlen(head), &styles, &err), 0);
    return styles;
}

static void events_become_payloads(void **state)
{
    static const struct {
        const char *event, *text, *settings;
    } rows[] = {
        {"0,0,Default,,0,0,0,,plain, with commas", "plain, with commas", ""},
        {"0,0,Default,,0,0,0,,a < b & c --> d", "a &lt; b &amp; c --&gt; d", ""},
        {"0,0,Default,,0,0,0,,one\\Ntwo\\nsoft\\hhard", "one\ntwo soft\xC2\xA0hard", ""},
        {"0,0,Default,,0,0,0,, \\N\\N a  b \\N \\N c\\N ", "a  b\n c", ""},
        {"0,0,Default,,0,0,0,,{\\b1}b{\\i1}bi{\\b0}i{\\i0} none",
         "<b>b</b><b><i>bi</i></b><i>i</i>"
         " none",
         ""},
        {"0,0,Default,,0,0,0,,{\\u1}u{\\b700}bu{\\r}none{\\rLoud}loud",
         "<u>u</u><b><u>bu</u></b>none<b>loud</b>", ""},
        {"0,0,Loud,,0,0,0,,x{\\b0}y{\\b}z", "<b>x</b>y<b>z</b>", ""},
        {"0,0,Top,,0,0,0,,x", "<i><u>x</u></i>", "line:0 position:5% align:left"},
        {"0,0,Default,,0,0,0,,{\\an8}x{\\an1}", "x", "line:0"},
        {"0,0,Default,,0,0,0,,{\\a10}x", "x", "line:50%"},
        {"0,0,Default,,0,0,0,,{\\an3}x", "x", "position:95% align:right"},
        {"0,0,Default,,0,0,0,,{\\blur3\\bord2\\be1\\iclip(1,2,3,4)\\alpha&H80&\\pos(1,2)}x", "x",
         ""},
        {"0,0,Default,,0,0,0,,{\\t(0,100,\\b1\\i1)}x", "x", ""},
        {"0,0,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}x", "x", ""},
        {"0,0,Default,,0,0,0,,{a comment}x{unclosed", "x{unclosed", ""},
        {"0,0,Default,,0,0,0,,\\{x\\} \\\\N", "{x} \\N", ""},
        {"0,0,Default,,0,0,0,,bad \xff\xc3(\xe2\x82 utf",
         "bad \xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF"
         "\xBD\xEF\xBF\xBD utf",
         ""},
        {"0,0,Unknown,,0,0,0,,x\x01\x7fy\tz", "xy z", ""},
        {"0,0,Default,,0,0,0,,{\\i1} \\N ", "", ""},
        {"no event", "", ""},
        {"", "", ""},
    };
    struct gm_text_styles styles = styles_of(ASS_HEAD);
    (void)state;
    assert_int_equal(styles.count, 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_buf out = {0};
        char settings[GM_CUES_SETTINGS];
        bool cut = true;
        gm_buf_str(&out, "");
        gm_text_from_event(&styles, rows[i].event, &out, settings, &cut);
        if (strcmp(out.data != NULL ? (char *)out.data : "", rows[i].text) != 0 ||
            strcmp(settings, rows[i].settings) != 0 || cut) {
            fail_msg("row %zu: `%s` [%s]", i, (char *)out.data, settings);
        }
        gm_buf_fini(&out);
    }
    gm_text_styles_fini(&styles);
}

static void old_scripts_number_places_otherwise(void **state)
{
    struct gm_text_styles s = styles_of("[V4 Styles]\nFormat: Name, Alignment\nStyle: a,1\n"
                                        "Style: b,6\nStyle: c,11\nStyle: d,4\n");
    (void)state;
    assert_int_equal(s.count, 4);
    assert_int_equal(s.list[0].align, 1);
    assert_int_equal(s.list[1].align, 8);
    assert_int_equal(s.list[2].align, 6);
    assert_int_equal(s.list[3].align, 2);
    gm_text_styles_fini(&s);
}

static void odd_heads_are_passed_over(void **state)
{
    char many[40 * 400] = "[V4+ Styles]\nFormat: Name, Bold\n";
    (void)state;
    struct gm_text_styles s =
        styles_of("[V4+ Styles]\nStyle: before,1\nFormat: ,,,,Name\nStyle: a,b,c,d,e,f\nStyle:\n"
                  ":::\n[V4+ Styles\nFormat\nStyle");
    assert_int_equal(s.count, 3);
    assert_string_equal(s.list[1].name, "e");
    gm_text_styles_fini(&s);
    for (int i = 0; i < 400; i++) {
        (void)snprintf(many + strlen(many), 40, "Style: s%d,1\n", i);
    }
    s = styles_of(many);
    assert_int_equal(s.count, GM_TEXT_MAX_STYLES);
    gm_text_styles_fini(&s);
}

static void long_text_is_cut_between_characters(void **state)
{
    size_t size = 4 * GM_CUES_MAX_TEXT;
    char *event = malloc(size);
    struct gm_text_styles styles = {0};
    struct gm_buf out = {0};
    char settings[GM_CUES_SETTINGS];
    bool cut = false;
    (void)state;
    assert_non_null(event);
    (void)snprintf(event, size, "0,0,Default,,0,0,0,,{\\i1}");
    for (size_t n = strlen(event); n + 3 < size; n += 2) {
        memcpy(event + n, "\xC3\xA4", 3);
    }
    gm_text_from_event(&styles, event, &out, settings, &cut);
    assert_true(cut);
    assert_true(out.size <= GM_CUES_MAX_TEXT && out.size > GM_CUES_MAX_TEXT - 100);
    assert_string_equal((char *)out.data + out.size - 6, "\xC3\xA4</i>");
    gm_buf_fini(&out);
    free(event);
}

static void settings_are_filtered(void **state)
{
    static const char *const rows[][2] = {
        {"line:0 position:20%,line-left align:start", "line:0 position:20%,line-left align:start"},
        {"region:x line:-1", "line:-1"},
        {"line:1\nline:2 --> evil", "line:1 line:2"},
        {"line: position:a:b size:<b>", ""},
        {"", ""},
    };
    char out[GM_CUES_SETTINGS];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gm_text_settings((const uint8_t *)rows[i][0], strlen(rows[i][0]), out);
        assert_string_equal(out, rows[i][1]);
    }
    char wide[30 * 16] = "";
    for (int i = 0; i < 30; i++) {
        (void)strcat(wide, "position:50% ");
    }
    gm_text_settings((const uint8_t *)wide, strlen(wide), out);
    assert_true(strlen(out) < GM_CUES_SETTINGS && strlen(out) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_become_payloads),
        cmocka_unit_test(old_scripts_number_places_otherwise),
        cmocka_unit_test(odd_heads_are_passed_over),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(settings_are_filtered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
