#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hwtest/level3.h"

/* The one check of a folder that can't be written, whose text has the words. */
static void write_fails(const char *folder, const char *words)
{
    struct gm_hwtest_report r = {0};
    struct gm_err err;
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    assert_int_equal(gm_hwtest_storage(false, &r, &err), 0);
    assert_int_equal(r.check_count, 1);
    const struct gm_hwtest_check *c = gm_hwtest_find(&r, "machine", "storage.write");
    assert_non_null(c);
    assert_true(c->status == GM_HWTEST_FAIL && c->level == 3 && !c->has_value);
    if (strstr(c->text, words) == NULL || strstr(c->text, folder) == NULL) {
        fail_msg("%s", c->text);
    }
    assert_non_null(strstr(c->remedy, "TMPDIR"));
    gm_hwtest_report_fini(&r);
}

static void a_folder_that_is_none_fails_to_be_written(void **state)
{
    (void)state;
    write_fails("/no/such/folder", "no file could be made there");
}

static void a_full_disk_fails_to_be_written_and_nothing_stays(void **state)
{
    (void)state;
    char folder[] = "/tmp/gm-storage-XXXXXX";
    struct rlimit before;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_fails(folder, "File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_that_is_none_fails_to_be_written),
        cmocka_unit_test(a_full_disk_fails_to_be_written_and_nothing_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
