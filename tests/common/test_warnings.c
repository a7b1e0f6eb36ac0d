#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/fs.h"
#include "common/warnings.h"

static bool is_sentence(const char *s)
{
    return isupper((unsigned char)s[0]) && s[strlen(s) - 1] == '.' && strchr(s, '|') == NULL;
}

static void every_row_of_the_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GM_WARNINGS; i++) {
        const struct gm_warning_info *w = gm_warning_get(i);
        const char *dot = strchr(w->code, '.');
        assert_true(dot != NULL && dot > w->code && strchr(dot + 1, '.') == NULL);
        assert_int_equal(strspn(w->code, "abcdefghijklmnopqrstuvwxyz0123456789_."),
                         strlen(w->code));
        assert_true(i == 0 || strcmp(gm_warning_get(i - 1)->code, w->code) < 0);
        assert_true(w->when[0] != '\0' && strchr(w->when, '|') == NULL);
        assert_true(isupper((unsigned char)w->done[0]) && strchr(w->done, '|') == NULL);
        if (!is_sentence(w->remedy)) {
            fail_msg("%s: %s", w->code, w->remedy);
        }
    }
}

/* The table of docs/report.md is that of common/warnings.def. With GM_UPDATE_DOCS=1 it is written
 * anew. */
static void the_table_in_the_document_is_current(void **state)
{
    static const char path[] = GM_SOURCE_DIR "/docs/report.md";
    static const char head[] = "| warning | when | what gopmill did | what you can do |\n"
                               "| --- | --- | --- | --- |\n";
    const char *update = getenv("GM_UPDATE_DOCS");
    struct gm_buf want = {0}, whole = {0};
    struct gm_err err = {0};
    uint8_t *have = NULL;
    size_t size = 0;
    (void)state;
    for (unsigned i = 0; i < GM_WARNINGS; i++) {
        const struct gm_warning_info *w = gm_warning_get(i);
        gm_buf_printf(&want, "| `%s` | %s | %s | %s |\n", w->code, w->when, w->done, w->remedy);
    }
    gm_buf_str(&want, "\n");
    assert_int_equal(gm_buf_check(&want, &err), 0);
    assert_int_equal(gm_fs_read(path, 1 << 20, &have, &size, &err), 0);
    const char *table = strstr((const char *)have, head);
    assert_non_null(table);
    table += strlen(head);
    const char *end = strstr(table, "\n\n");
    assert_non_null(end);
    end += 2;
    bool same = (size_t)(end - table) == want.size && memcmp(table, want.data, want.size) == 0;
    if (!same && update != NULL && strcmp(update, "1") == 0) {
        gm_buf_add(&whole, have, (size_t)(table - (const char *)have));
        gm_buf_add(&whole, want.data, want.size);
        gm_buf_str(&whole, end);
        assert_int_equal(gm_buf_check(&whole, &err), 0);
        assert_int_equal(gm_fs_write_atomic(path, whole.data, whole.size, &err), 0);
    } else if (!same) {
        print_error("docs/report.md should have:\n%s", (const char *)want.data);
        fail();
    }
    free(have);
    gm_buf_fini(&want);
    gm_buf_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_is_whole),
        cmocka_unit_test(the_table_in_the_document_is_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
