/* The heap of what comes first. */
#include "scheduler/core/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define THINGS 200u

struct thing {
    struct gm_heap_node node; /* first */
    uint32_t key, number;
};

static bool before(const struct gm_heap_node *a, const struct gm_heap_node *b)
{
    const struct thing *x = (const struct thing *)(const void *)a;
    const struct thing *y = (const struct thing *)(const void *)b;
    return x->key != y->key ? x->key < y->key : x->number < y->number;
}

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* What a walk over all says is first. */
static const struct thing *least(const struct thing *things)
{
    const struct thing *best = NULL;
    for (uint32_t i = 0; i < THINGS; i++) {
        if (things[i].node.at != 0 && (!best || before(&things[i].node, &best->node))) {
            best = &things[i];
        }
    }
    return best;
}

static void the_first_is_the_least_whatever_came_and_went(void **arg)
{
    (void)arg;
    static struct thing things[THINGS];
    struct gm_heap heap = {0};
    size_t count = 0;
    seed = 7;
    for (uint32_t i = 0; i < THINGS; i++) {
        things[i].number = i;
    }
    for (uint32_t step = 0; step < 20000; step++) {
        struct thing *t = &things[chance(THINGS)];
        if (t->node.at == 0) {
            t->key = chance(50);
            gm_heap_push(&heap, &t->node, before);
            count++;
        } else if (chance(2) == 0) {
            gm_heap_remove(&heap, &t->node, before);
            assert_int_equal(t->node.at, 0);
            count--;
        } else {
            t->key = chance(50);
            gm_heap_move(&heap, &t->node, before);
        }
        assert_int_equal(heap.count, count);
        assert_true(gm_heap_is_sound(&heap, before));
        assert_ptr_equal(gm_heap_first(&heap), least(things));
    }
    gm_heap_fini(&heap);
}

static void what_is_in_no_heap_can_be_taken_out(void **arg)
{
    (void)arg;
    struct gm_heap heap = {0};
    struct thing t = {.key = 1};
    gm_heap_remove(&heap, &t.node, before);
    gm_heap_move(&heap, &t.node, before);
    assert_null(gm_heap_first(&heap));
    gm_heap_push(&heap, &t.node, before);
    t.node.at = 2;
    assert_false(gm_heap_is_sound(&heap, before));
    gm_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_least_whatever_came_and_went),
        cmocka_unit_test(what_is_in_no_heap_can_be_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
