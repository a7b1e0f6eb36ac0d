/* Folders that are renamed while they are walked: openat2 says EAGAIN. */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/syscall.h>

#include "storage/store_fixture.h"

#define FOREVER 100000

static int busy;  /* so many calls fail */
static int calls; /* that failed */

/* In place of the C library's. */
long syscall(long number, ...)
{
    long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long a[6];
    va_list args;

    va_start(args, number);
    for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
        a[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_openat2 && busy > 0) {
        busy--;
        calls++;
        errno = EAGAIN;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int head(struct fixture *f, struct gm_err *err)
{
    struct gm_store_stat st;

    return gm_store_head(f->store, "a/b", &st, err);
}

static void a_rename_in_between_is_not_seen(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(gm_store_put_bytes(f->store, "a/b", "x", 1, &err), 0);
    busy = 3;
    calls = 0;
    assert_int_equal(head(f, &err), 0);
    assert_int_equal(calls, 3);
}

static void renames_without_end_are_an_error_to_retry(void **state)
{
    struct fixture *f = *state;
    struct gm_err err = {0};

    assert_int_equal(gm_store_put_bytes(f->store, "a/b", "x", 1, &err), 0);
    busy = FOREVER;
    calls = 0;
    assert_int_equal(head(f, &err), -GM_E_STORE);
    assert_int_equal(err.native, EAGAIN);
    assert_int_equal(gm_code_get(GM_E_STORE)->retry, GM_RETRY_SAME_NODE);
    assert_true(calls > 3 && busy > 0);
    busy = 0;
    assert_int_equal(head(f, &err), 0);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_rename_in_between_is_not_seen),
        WITH_STORE(renames_without_end_are_an_error_to_retry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
