#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/array.h"

static void elements_survive_growing(void **state)
{
    int64_t *items = NULL;
    size_t cap = 0;
    struct gm_err err;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(gm_array_reserve(&items, i, 1, &cap, sizeof(*items), &err), 0);
        assert_true(cap > i);
        items[i] = (int64_t)i * 3;
    }
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(items[i], i * 3);
    }
    free(items);
}

static void room_is_made_in_large_steps(void **state)
{
    static const struct {
        size_t count, more, before, after;
    } rows[] = {
        {0, 1, 0, 16},   {0, 17, 0, 17},  {16, 1, 16, 32},
        {16, 0, 16, 16}, {10, 6, 16, 16}, {10, 90, 16, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *items = malloc(rows[i].before + 1);
        size_t cap = rows[i].before;
        struct gm_err err;

        assert_non_null(items);
        assert_int_equal(gm_array_reserve(&items, rows[i].count, rows[i].more, &cap, 1, &err), 0);
        assert_int_equal(cap, rows[i].after);
        free(items);
    }
}

static void what_no_memory_holds_is_refused(void **state)
{
    static const size_t mores[] = {SIZE_MAX, SIZE_MAX / 8, SIZE_MAX / 16};
    int64_t item = 1;
    int64_t *items = &item;
    size_t cap = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(mores) / sizeof(mores[0]); i++) {
        struct gm_err err = {0};

        assert_int_equal(gm_array_reserve(&items, 1, mores[i], &cap, sizeof(*items), &err),
                         -GM_E_NOMEM);
        assert_int_equal(err.code, GM_E_NOMEM);
        assert_ptr_equal(items, &item);
        assert_int_equal(cap, 1);
    }
}

static void numbers_are_sorted(void **state)
{
    int64_t numbers[] = {3, INT64_MAX, -1, INT64_MIN, 0, 3};
    static const int64_t sorted[] = {INT64_MIN, -1, 0, 3, 3, INT64_MAX};

    (void)state;
    qsort(numbers, 6, sizeof(numbers[0]), gm_array_compare_int64);
    assert_memory_equal(numbers, sorted, sizeof(sorted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_survive_growing),
        cmocka_unit_test(room_is_made_in_large_steps),
        cmocka_unit_test(what_no_memory_holds_is_refused),
        cmocka_unit_test(numbers_are_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
