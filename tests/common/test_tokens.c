/* Tokens of the HTTP API, and the file of their hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "common/scratch.h"
#include "common/tokens.h"

/* SHA-256 of "abc", FIPS 180-2 appendix B.1. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

static struct gm_err err;

static int parse(const char *text, struct gm_tokens *out)
{
    return gm_tokens_parse("t", text, strlen(text), out, &err);
}

static void a_token_is_256_random_bits(void **state)
{
    char one[GM_TOKEN_SIZE], other[GM_TOKEN_SIZE];
    (void)state;
    assert_int_equal(gm_token_make(one, &err), 0);
    assert_int_equal(gm_token_make(other, &err), 0);
    assert_true(gm_token_is(one) && gm_token_is(other));
    assert_int_equal(strlen(one), 8 + 43); /* 256 bits, 6 a character */
    assert_string_not_equal(one, other);
    assert_false(gm_token_is("") || gm_token_is("gopmill_") || gm_token_is(one + 1));
    one[20] = '+'; /* of the other base64 */
    assert_false(gm_token_is(one));
    memcpy(one, "gopmill-", 8);
    one[20] = 'a';
    assert_false(gm_token_is(one));
}

static void a_list_is_read(void **state)
{
    struct gm_tokens list = {0};
    char line[256];
    (void)state;
    assert_int_equal(parse("# who\n\nci submit news " ABC " 2026-01-31T12:00:00Z\n"
                           "op-1\toperate  *\t" ZERO "\n",
                           &list),
                     0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.rows[0].id, "ci");
    assert_int_equal(list.rows[0].role, GM_TOKEN_SUBMIT);
    assert_string_equal(list.rows[0].tenant, "news");
    assert_true(list.rows[0].until_unix_ms == INT64_C(1769860800000));
    assert_string_equal(list.rows[1].tenant, "");
    assert_true(list.rows[1].until_unix_ms == INT64_MAX);
    gm_token_line(&list.rows[0], line);
    assert_string_equal(line, "ci submit news " ABC " 2026-01-31T12:00:00Z\n");
    gm_token_line(&list.rows[1], line);
    assert_string_equal(line, "op-1 operate * " ZERO "\n");
    assert_ptr_equal(gm_tokens_find(&list, "abc"), &list.rows[0]);
    assert_null(gm_tokens_find(&list, "abd"));
    assert_null(gm_tokens_find(&list, ""));
    gm_tokens_fini(&list);
    assert_int_equal(parse("", &list), 0);
    assert_null(gm_tokens_find(&list, "abc"));
    gm_tokens_fini(&list);
}

static void wrong_lines_are_named(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"a submit *", "t:2: a line is"},
        {"a submit * " ABC " 2026-01-31T12:00:00Z more", "a line is"},
        {"A submit * " ABC, "an id is"},
        {"a nobody * " ABC, "roles are"},
        {"a Submit * " ABC, "roles are"},
        {"a submit a/b " ABC, "a tenant has"},
        {"a submit -b " ABC, "a tenant has"},
        {"a operate news " ABC, "are of all tenants"},
        {"a admin news " ABC, "are of all tenants"},
        {"a submit * " ABC "0", "64 lower-case"},
        {"a submit * BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", "64 lower"},
        {"a submit * " ABC " 2026-02-31T12:00:00Z", "UNTIL"},
        {"a submit * " ABC " 2026-01-31", "UNTIL"},
        {"a submit * " ABC "\r", "64 lower-case"},
        {"first submit * " ABC, "id first is there twice"},
        {"a submit * " ZERO, "is there twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_tokens list = {0};
        char text[512];
        (void)snprintf(text, sizeof text, "first submit * " ZERO "\n%s\n", rows[i].line);
        assert_int_equal(parse(text, &list), -GM_E_CONFIG);
        if (strstr(err.text, rows[i].says) == NULL) {
            fail_msg("`%s` should say `%s`", err.text, rows[i].says);
        }
        assert_null(list.rows);
    }
    struct gm_tokens list = {0};
    assert_int_equal(gm_tokens_parse("t", "#\0", 2, &list, &err), -GM_E_CONFIG);
}

static void files_are_their_owners_alone(void **state)
{
    struct scratch s;
    struct gm_tokens list = {0};
    char token[GM_TOKEN_SIZE], back[GM_TOKEN_SIZE], text[128];
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "tokens");
    assert_int_equal(gm_tokens_load(path, &list, &err), -GM_E_SYS);
    assert_int_equal(gm_fs_write_private(path, "", 0, &err), 0);
    assert_int_equal(gm_tokens_load(path, &list, &err), 0);
    gm_tokens_fini(&list);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(gm_tokens_load(path, &list, &err), -GM_E_CONFIG);
    const char *pipe = scratch_path(&s, "pipe"); /* who looks at it must not wait */
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(gm_tokens_load(pipe, &list, &err), -GM_E_CONFIG);

    path = scratch_path(&s, "token");
    assert_int_equal(gm_token_make(token, &err), 0);
    (void)snprintf(text, sizeof text, "\n %s\r\n", token);
    assert_int_equal(gm_fs_write_private(path, text, strlen(text), &err), 0);
    assert_int_equal(gm_token_read(path, back, &err), 0);
    assert_string_equal(back, token);
    (void)snprintf(text, sizeof text, "%s x", token);
    assert_int_equal(gm_fs_write_private(path, text, strlen(text), &err), 0);
    assert_int_equal(gm_token_read(path, back, &err), -GM_E_CONFIG);
    assert_null(strstr(err.text, token));
    assert_int_equal(gm_token_read(token, back, &err), -GM_E_SYS); /* in place of a path */
    assert_null(strstr(err.text, token));
    assert_int_equal(gm_err_set(&err, GM_E_INVAL, 0, "%.40s and %s x", token, token), -GM_E_INVAL);
    assert_string_equal(err.text, "gopmill_*** and gopmill_*** x");
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(gm_token_read(path, back, &err), -GM_E_CONFIG);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_256_random_bits),
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(files_are_their_owners_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
