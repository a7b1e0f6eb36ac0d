#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/text/cues.h"

static void add(struct gm_cues *c, int64_t start, int64_t end, const char *text)
{
    struct gm_err err = {0};
    assert_int_equal(gm_cues_add(c, start, end, text, "", &err), 0);
}

static void expect(const struct gm_cues *c, size_t i, int64_t start, int64_t end, const char *text)
{
    assert_int_equal(c->list[i].start_ms, start);
    assert_int_equal(c->list[i].end_ms, end);
    assert_string_equal(c->list[i].text, text);
}

static void cues_are_sorted_and_get_ends(void **state)
{
    struct gm_cues c = {0};
    (void)state;
    add(&c, 9000, GM_CUES_NO_END, "last");
    add(&c, 1000, GM_CUES_NO_END, "a");
    add(&c, 1000, 900, "b: an end before the start is none");
    add(&c, 3000, 3500, "c");
    add(&c, -500, 400, "early");
    add(&c, -500, 0, "gone");
    add(&c, -500, GM_CUES_NO_END, "gone too");
    gm_cues_finish(&c);
    assert_int_equal(c.count, 5);
    expect(&c, 0, 0, 400, "early");
    expect(&c, 1, 1000, 3000, "a");
    expect(&c, 2, 1000, 3000, "b: an end before the start is none");
    expect(&c, 3, 3000, 3500, "c");
    expect(&c, 4, 9000, 9000 + GM_CUES_ALONE_MS, "last");
    assert_int_equal(c.left_out, 0);
    gm_cues_fini(&c);
    gm_cues_finish(&c); /* empty: nothing to do */
}

static void what_does_not_fit_is_counted(void **state)
{
    struct gm_cues c = {0};
    struct gm_err err = {0};
    char *text = malloc(GM_CUES_MAX_TEXT + 2);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', GM_CUES_MAX_TEXT + 1);
    text[GM_CUES_MAX_TEXT + 1] = '\0';
    add(&c, 1, 2, text);
    add(&c, GM_CUES_MAX_MS + 1, GM_CUES_MAX_MS + 2, "late");
    assert_int_equal(c.left_out, 2);
    text[GM_CUES_MAX_TEXT] = '\0';
    for (unsigned i = 0; i < GM_CUES_MAX_BYTES / GM_CUES_MAX_TEXT + 3; i++) {
        add(&c, i, i + 1, text);
    }
    assert_int_equal(c.left_out, 5);
    assert_int_equal(c.text_bytes, GM_CUES_MAX_BYTES);
    gm_cues_fini(&c);
    for (unsigned i = 0; i < GM_CUES_MAX + 7; i++) {
        assert_int_equal(gm_cues_add(&c, 1, INT64_MAX, "x", "line:0", &err), 0);
    }
    assert_int_equal(c.count, GM_CUES_MAX);
    assert_int_equal(c.left_out, 7);
    assert_int_equal(c.list[0].end_ms, GM_CUES_MAX_MS + 1);
    gm_cues_fini(&c);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cues_are_sorted_and_get_ends),
        cmocka_unit_test(what_does_not_fit_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
