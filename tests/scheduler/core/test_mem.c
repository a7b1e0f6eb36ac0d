/* What a deep queue takes: arrays without much room that stays empty, chunks without padding. */
#include "scheduler/core/state.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define MANY 300000u

static void large_arrays_have_little_room(void **arg)
{
    uint64_t *array = NULL;
    size_t cap = 0, grown = 0;
    (void)arg;
    for (size_t i = 0; i < MANY; i++) {
        size_t before = cap;
        array = gm_mem_grow(array, i, &cap, sizeof(*array));
        assert_int_equal(array[i], 0);
        array[i] = i + 1;
        grown += cap != before ? 1 : 0;
        assert_true(cap > i);
        assert_true(i < 16384 || cap <= i + i / 4);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(array[i], i + 1);
    }
    assert_true(grown < 64); /* each time all may be copied */
    free(array);
}

static void a_queued_chunk_is_small(void **arg)
{
    (void)arg;
    assert_true(sizeof(struct gm_core_chunk) <= 72);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_arrays_have_little_room),
        cmocka_unit_test(a_queued_chunk_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
