/* Room of a pool overlaps with nothing, fits any type, and is all given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/pool.h"

#define COUNT 3000

static void what_is_taken_stays_as_it_was_written(void **state)
{
    struct gm_pool pool = {NULL};
    unsigned char *taken[COUNT];
    size_t sizes[COUNT];
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i % 100 == 99 ? 5000 : i * 7 % 300; /* also none, and more than a block */
        taken[i] = gm_pool_take(&pool, sizes[i]);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % _Alignof(max_align_t), 0);
        memset(taken[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t b = 0; b < sizes[i]; b++) {
            assert_int_equal(taken[i][b], i % 251);
        }
    }
    gm_pool_fini(&pool);
    assert_null(pool.blocks);
    gm_pool_fini(&pool);
}

static void a_text_is_a_copy(void **state)
{
    struct gm_pool pool = {NULL};
    char text[700];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    char *a = gm_pool_text(&pool, text), *b = gm_pool_text(&pool, "");
    text[0] = 'y';
    assert_int_equal(strlen(a), sizeof text - 1);
    assert_int_equal(a[0], 'x');
    assert_string_equal(b, "");
    gm_pool_fini(&pool);
}

static void what_no_memory_has_is_refused(void **state)
{
    struct gm_pool pool = {NULL};
    (void)state;
    assert_null(gm_pool_take(&pool, SIZE_MAX));
    assert_null(gm_pool_take(&pool, SIZE_MAX / 2));
    assert_non_null(gm_pool_take(&pool, 1));
    gm_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_stays_as_it_was_written),
        cmocka_unit_test(a_text_is_a_copy),
        cmocka_unit_test(what_no_memory_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
