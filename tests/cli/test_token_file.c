/* The file of the API's tokens, changed in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/token_file.h"
#include "tests/common/scratch.h"

#define HASH(digit) digit "000000000000000000000000000000000000000000000000000000000000000"

static struct gm_err err;

static void expect(const char *path, const char *text)
{
    uint8_t *found = NULL;
    size_t size = 0;
    assert_int_equal(gm_fs_read(path, 4096, &found, &size, &err), 0);
    assert_string_equal((char *)found, text);
    free(found);
}

static void rows_come_and_go(void **state)
{
    struct scratch s;
    struct stat st;
    struct gm_token a = {.id = "a", .role = GM_TOKEN_ADMIN, .until_unix_ms = INT64_MAX};
    struct gm_token b = {
        .id = "b", .role = GM_TOKEN_SUBMIT, .tenant = "news", .until_unix_ms = 1000};
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "tokens");
    b.sha256[0] = 0x10;
    assert_int_equal(gm_token_file_remove(path, "a", &err), -GM_E_SYS);
    assert_int_equal(gm_token_file_add(path, &a, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    expect(path, "a admin * " HASH("0") "\n");
    assert_int_equal(gm_token_file_add(path, &a, &err), -GM_E_CONFLICT);
    const char *by_hand = "# b is whose\n\n  a admin * " HASH("0"); /* no line end */
    assert_int_equal(gm_fs_write_private(path, by_hand, strlen(by_hand), &err), 0);
    assert_int_equal(gm_token_file_add(path, &b, &err), 0);
    expect(path, "# b is whose\n\n  a admin * " HASH("0") "\nb submit news " HASH(
                     "1") " 1970-01-01T00:00:01Z\n");
    assert_int_equal(gm_token_file_remove(path, "c", &err), -GM_E_NOTFOUND);
    assert_int_equal(gm_token_file_remove(path, "a", &err), 0);
    expect(path, "# b is whose\n\nb submit news " HASH("1") " 1970-01-01T00:00:01Z\n");
    assert_int_equal(gm_fs_write_private(path, "wrong\n", 6, &err), 0);
    assert_int_equal(gm_token_file_add(path, &a, &err), -GM_E_CONFIG);
    assert_int_equal(gm_token_file_remove(path, "a", &err), -GM_E_CONFIG);
    expect(path, "wrong\n");
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_come_and_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
