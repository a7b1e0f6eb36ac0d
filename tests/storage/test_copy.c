/* A body from one store to another: as a file, and by ranges where the store has no files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hash.h"
#include "storage/backend.h"
#include "tests/common/scratch.h"

#define LARGE ((size_t)9 << 20) /* more than a block of gm_store_copy */

static struct gm_err err;

static struct gm_store *open_at(const struct scratch *s, const char *name)
{
    struct gm_store *store = NULL;
    char url[200];
    snprintf(url, sizeof(url), "file://%s/%s", s->path, name);
    assert_int_equal(gm_store_open(url, true, &store, &err), 0);
    return store;
}

/* As a store of a server: without files. */
static void be_remote(struct gm_store *store, struct gm_store_ops *ops)
{
    *ops = *store->ops;
    ops->open = NULL;
    store->ops = ops;
}

static int never(void *arg, struct gm_err *e)
{
    (void)arg;
    return gm_err_set(e, GM_E_STORE, 0, "not wanted");
}

static void check_copy(bool remote)
{
    static uint8_t body[LARGE], back[LARGE];
    struct scratch s;
    struct gm_store_ops ops;
    struct gm_store_stat stat;
    uint8_t hash[GM_SHA256_SIZE], wrong[GM_SHA256_SIZE] = {0};
    size_t got = 0;
    scratch_make(&s);
    for (size_t i = 0; i < LARGE; i++) {
        body[i] = (uint8_t)(i * 31 + (i >> 13));
    }
    gm_sha256(body, LARGE, hash);
    struct gm_store *from = open_at(&s, "from"), *to = open_at(&s, "to");
    assert_int_equal(gm_store_put_bytes(from, "v/x/a", body, LARGE, &err), 0);
    assert_int_equal(gm_store_put_bytes(from, "empty", "", 0, &err), 0);
    if (remote) {
        be_remote(from, &ops);
    }
    struct gm_store_copy copy = {
        .from = from, .to = to, .key = "v/x/a", .size = LARGE, .sha256 = wrong, .scratch = s.path};
    assert_int_equal(gm_store_copy(&copy, &err), -GM_E_STORE_CORRUPT);
    copy.sha256 = hash;
    copy.size = LARGE + 1;
    assert_int_equal(gm_store_copy(&copy, &err), -GM_E_STORE_CORRUPT);
    copy.size = LARGE;
    const struct gm_put_guard guard = {.check = never};
    copy.guard = &guard;
    assert_int_equal(gm_store_copy(&copy, &err), -GM_E_STORE);
    copy.guard = NULL;
    assert_int_equal(gm_store_head(to, "v/x/a", &stat, &err), -GM_E_NOTFOUND);
    assert_int_equal(gm_store_copy(&copy, &err), 0);
    assert_int_equal(gm_store_get(to, "v/x/a", 0, back, LARGE, &got, &err), 0);
    assert_int_equal(got, LARGE);
    assert_memory_equal(back, body, LARGE);
    copy.key = "empty";
    copy.size = 0;
    copy.sha256 = NULL;
    assert_int_equal(gm_store_copy(&copy, &err), 0);
    copy.key = "../out";
    assert_int_equal(gm_store_copy(&copy, &err), -GM_E_INVAL);
    copy.key = "missing";
    copy.size = 1;
    assert_int_equal(gm_store_copy(&copy, &err), -GM_E_NOTFOUND);
    gm_store_close(&from);
    gm_store_close(&to);
    scratch_remove(&s);
}

static void a_file_is_put_as_it_is(void **state)
{
    (void)state;
    check_copy(false);
}

static void a_body_of_a_server_goes_by_a_file_without_a_name(void **state)
{
    (void)state;
    check_copy(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_put_as_it_is),
        cmocka_unit_test(a_body_of_a_server_goes_by_a_file_without_a_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
