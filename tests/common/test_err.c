#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/fs.h"

static void every_row_of_the_catalogue_is_whole(void **state)
{
    size_t count;
    const struct gm_code_info *rows = gm_code_list(&count);

    (void)state;
    assert_true(count > 30);
    for (size_t i = 0; i < count; i++) {
        const struct gm_code_info *r = &rows[i];

        print_message("%d %s\n", (int)r->code, r->id);
        assert_true(i == 0 || r->code > rows[i - 1].code);
        assert_non_null(strchr(r->id, '.'));
        assert_int_equal(strspn(r->id, "abcdefghijklmnopqrstuvwxyz_."), strlen(r->id));
        assert_true(r->http_status >= 400 && r->http_status <= 599);
        assert_true(strlen(r->meaning) > 0 && r->meaning[strlen(r->meaning) - 1] != '.');
        assert_true(strlen(r->remedy) > 0 && r->remedy[strlen(r->remedy) - 1] == '.');
        assert_null(strpbrk(r->meaning, "|\n"));
        assert_null(strpbrk(r->remedy, "|\n"));
        assert_ptr_equal(gm_code_get((int)r->code), r);
        assert_ptr_equal(gm_code_find(r->id), r); /* so no id stands twice */
    }
}

static void unknown_codes_count_as_bugs(void **state)
{
    (void)state;
    assert_int_equal(gm_code_get(0)->code, GM_E_BUG);
    assert_int_equal(gm_code_get(-4)->code, GM_E_BUG);
    assert_int_equal(gm_code_get(60000)->code, GM_E_BUG);
    assert_null(gm_code_find("no.such"));
    assert_null(gm_code_find(""));
}

static void set_fills_and_answers_the_negative_code(void **state)
{
    struct gm_err err = {0};

    (void)state;
    assert_int_equal(gm_err_set(&err, GM_E_LIMIT, 7, "%d of %s", 3, "x"), -GM_E_LIMIT);
    assert_int_equal(err.code, GM_E_LIMIT);
    assert_int_equal(err.native, 7);
    assert_string_equal(err.text, "3 of x");
    assert_int_equal(gm_err_set(NULL, GM_E_LIMIT, 0, "x"), -GM_E_LIMIT);
    assert_int_equal(gm_err_nomem(&err), -GM_E_NOMEM);
    assert_int_equal(gm_err_nomem(NULL), -GM_E_NOMEM);
}

static void texts_are_one_line_of_utf8(void **state)
{
    struct gm_err err;
    char text[400];

    (void)state;
    (void)gm_err_set(&err, GM_E_INVAL, 0, "a\nb\xff\xc3\xa4");
    assert_string_equal(err.text, "a b?\xc3\xa4");
    memset(text, 'x', sizeof(text));
    text[399] = '\0';
    (void)gm_err_set(&err, GM_E_INVAL, 0, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_string_equal(err.text + sizeof(err.text) - 4, "...");
}

static void errno_maps_to_codes(void **state)
{
    static const struct {
        int errnum;
        enum gm_code code;
    } rows[] = {{ENOMEM, GM_E_NOMEM},     {ENOSPC, GM_E_NO_SCRATCH}, {EDQUOT, GM_E_NO_SCRATCH},
                {EFBIG, GM_E_NO_SCRATCH}, {ENOENT, GM_E_SYS},        {EIO, GM_E_SYS}};
    struct gm_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gm_err_sys(&err, rows[i].errnum, "opening %s", "x"), -(int)rows[i].code);
        assert_int_equal(err.native, rows[i].errnum);
    }
    (void)gm_err_sys(&err, ENOENT, "opening %s failed", "x");
    assert_string_equal(err.text, "opening x failed: No such file or directory");
}

static void a_long_path_does_not_hide_the_reason(void **state)
{
    struct gm_err err;
    char path[300];

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    (void)gm_err_sys(&err, ENOENT, "opening %s failed", path);
    assert_non_null(strstr(err.text, "No such file"));
}

static void wrap_keeps_code_and_native(void **state)
{
    struct gm_err err;
    char text[300];
    int rc = gm_err_set(&err, GM_E_MEDIA, -5, "it broke");

    (void)state;
    assert_int_equal(gm_err_wrap(&err, rc, "job %d: ", 9), -GM_E_MEDIA);
    assert_string_equal(err.text, "job 9: it broke");
    assert_int_equal(err.native, -5);
    assert_int_equal(gm_err_wrap(NULL, -3, "x"), -3);
    /* context that is too long is dropped, not the error */
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)gm_err_wrap(&err, rc, "%s", text);
    assert_string_equal(err.text, "job 9: it broke");
    text[230] = '\0';
    (void)gm_err_wrap(&err, rc, "%s", text);
    assert_string_equal(err.text + sizeof(err.text) - 4, "...");
}

static void names_of_enums(void **state)
{
    (void)state;
    assert_string_equal(gm_retry_name(GM_RETRY_NEVER), "never");
    assert_string_equal(gm_retry_name(GM_RETRY_SAME_NODE), "same-node");
    assert_string_equal(gm_retry_name(GM_RETRY_OTHER_NODE), "other-node");
    assert_string_equal(gm_blame_name(GM_BLAME_USER), "user");
    assert_string_equal(gm_blame_name(GM_BLAME_INPUT), "input");
    assert_string_equal(gm_blame_name(GM_BLAME_NODE), "node");
    assert_string_equal(gm_blame_name(GM_BLAME_DEVICE), "device");
    assert_string_equal(gm_blame_name(GM_BLAME_STORAGE), "storage");
    assert_string_equal(gm_blame_name(GM_BLAME_US), "gopmill");
}

/* docs/errors.md is the catalogue as a table. With GM_UPDATE_DOCS=1 the file is written anew. */
static void the_document_of_errors_is_current(void **state)
{
    static const char path[] = GM_SOURCE_DIR "/docs/errors.md";
    const char *update = getenv("GM_UPDATE_DOCS");
    struct gm_buf want = {0};
    struct gm_err err = {0};
    uint8_t *have = NULL;
    size_t have_size = 0;
    size_t count;
    const struct gm_code_info *rows = gm_code_list(&count);

    (void)state;
    gm_buf_str(&want, "# Errors\n\n"
                      "Made from `common/catalogue.def`; `GM_UPDATE_DOCS=1` before the program "
                      "`common_test_err`\nwrites it anew.\n\n"
                      "Blame says where to look first. Retry says what gopmill itself does: "
                      "`never`, again on the\n`same-node` after a pause, or on an `other-node`.\n\n"
                      "| code | meaning | blame | retry | HTTP | what to do |\n"
                      "| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        gm_buf_printf(&want, "| `%s` | %s | %s | %s | %d | %s |\n", rows[i].id, rows[i].meaning,
                      gm_blame_name(rows[i].blame), gm_retry_name(rows[i].retry),
                      rows[i].http_status, rows[i].remedy);
    }
    assert_int_equal(gm_buf_check(&want, &err), 0);
    if (update != NULL && strcmp(update, "1") == 0) {
        assert_int_equal(gm_fs_write_atomic(path, want.data, want.size, &err), 0);
    }
    if (gm_fs_read(path, 1 << 20, &have, &have_size, &err) < 0) {
        print_error("%s\n", err.text);
    }
    if (have == NULL || strcmp((const char *)have, (const char *)want.data) != 0) {
        print_error("docs/errors.md should be:\n%s", (const char *)want.data);
        fail();
    }
    free(have);
    gm_buf_fini(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_catalogue_is_whole),
        cmocka_unit_test(unknown_codes_count_as_bugs),
        cmocka_unit_test(set_fills_and_answers_the_negative_code),
        cmocka_unit_test(texts_are_one_line_of_utf8),
        cmocka_unit_test(errno_maps_to_codes),
        cmocka_unit_test(a_long_path_does_not_hide_the_reason),
        cmocka_unit_test(wrap_keeps_code_and_native),
        cmocka_unit_test(names_of_enums),
        cmocka_unit_test(the_document_of_errors_is_current),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
