#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "store_fixture.h"

static void a_mark_is_written_once(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE] = "";
    char again[GM_ID_SIZE] = "";
    struct gm_err err;

    assert_int_equal(gm_store_mark(f->store, false, mark, &err), -GM_E_NOTFOUND);
    assert_string_equal(mark, "");
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_int_equal(strlen(mark), GM_ID_SIZE - 1);
    assert_int_equal(gm_store_mark(f->store, false, again, &err), 0);
    assert_string_equal(again, mark);
    assert_int_equal(gm_store_mark(f->store, true, again, &err), 0);
    assert_string_equal(again, mark);
}

static void a_mark_is_no_object(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE];
    struct gm_err err;

    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_int_equal(count_objects(f), 0);
    assert_int_equal(gm_store_delete(f->store, ".gm-store", &err), -GM_E_INVAL);
    assert_int_equal(gm_store_put_bytes(f->store, ".gm-store", "x", 1, &err), -GM_E_INVAL);
}

static void what_is_no_mark_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "short",
                                        "01k000000000000000000000000",
                                        "\n",
                                        "01k00000000000000000000000\nx",
                                        "01K00000000000000000000000"};
    struct fixture *f = *state;
    char mark[GM_ID_SIZE] = "";
    struct gm_err err;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            gm_fs_write_atomic(root_path(f, ".gm-store"), texts[i], strlen(texts[i]), &err), 0);
        assert_int_equal(gm_store_mark(f->store, true, mark, &err), -GM_E_STORE_CORRUPT);
        assert_string_equal(mark, "");
    }
    assert_int_equal(
        gm_fs_write_atomic(root_path(f, ".gm-store"), "01k00000000000000000000000\n", 27, &err), 0);
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_string_equal(mark, "01k00000000000000000000000");
}

/* url opens with the mark, or is away. */
static void expect(const char *url, const char *mark, int want)
{
    struct gm_store *store = NULL;
    struct gm_err err = {0};

    assert_int_equal(gm_store_open_marked(url, mark, &store, &err), want);
    assert_int_equal(store != NULL, want == 0);
    if (want == -GM_E_STORE) {
        assert_non_null(strstr(err.text, "is its file system mounted?"));
    }
    gm_store_close(&store);
}

static void a_store_without_its_mark_is_away(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE];
    char other[GM_ID_SIZE];
    struct gm_err err;
    char *missing = NULL;

    assert_int_equal(gm_store_url(scratch_path(&f->scratch, "missing"), &missing, &err), 0);
    assert_int_equal(gm_id_make(other, &err), 0);
    expect(f->url, other, -GM_E_STORE); /* it has none: the folder below a mount point */
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    expect(f->url, mark, 0);
    expect(f->url, other, -GM_E_STORE);
    expect(f->url, "", 0);
    expect(missing, mark, -GM_E_STORE);
    expect(missing, "", -GM_E_NOTFOUND);
    assert_int_equal(access(scratch_path(&f->scratch, "missing"), F_OK), -1);
    free(missing);
}

static void a_store_whose_mark_is_broken_is_away(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE];
    struct gm_store *store = NULL;
    struct gm_err err = {0};

    assert_int_equal(gm_store_mark(f->store, true, mark, &err), 0);
    assert_int_equal(gm_fs_write_atomic(root_path(f, ".gm-store"), "", 0, &err), 0);
    expect(f->url, mark, -GM_E_STORE);
    assert_int_equal(gm_store_open_marked(f->url, mark, &store, &err), -GM_E_STORE);
    assert_non_null(strstr(err.text, mark)); /* what is to be written back */
    assert_non_null(strstr(err.text, "write that mark to .gm-store"));
}

static void a_folder_in_the_place_of_the_mark_is_told(void **state)
{
    struct fixture *f = *state;
    char mark[GM_ID_SIZE];
    struct gm_err err = {0};

    assert_int_equal(mkdir(root_path(f, ".gm-store"), 0755), 0);
    assert_int_equal(gm_store_mark(f->store, true, mark, &err), -GM_E_STORE_DENIED);
    assert_non_null(strstr(err.text, "a folder of that name must go"));
    expect(f->url, "01k00000000000000000000000", -GM_E_STORE);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_mark_is_written_once),
        WITH_STORE(a_mark_is_no_object),
        WITH_STORE(what_is_no_mark_is_refused),
        WITH_STORE(a_store_without_its_mark_is_away),
        WITH_STORE(a_store_whose_mark_is_broken_is_away),
        WITH_STORE(a_folder_in_the_place_of_the_mark_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
