/* What was taken stays as it is until all goes at once. */
#include "scheduler/core/pile.h"

#include <stdint.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "wire.pb-c.h"

#define THINGS 3000u

static void things_lie_beside_each_other(void **arg)
{
    struct gm_pile pile = {0};
    uint8_t *things[THINGS];
    size_t sizes[THINGS];
    (void)arg;
    for (uint32_t i = 0; i < THINGS; i++) { /* several blocks, and some that fit in none */
        sizes[i] = i % 1000 == 500 ? (3u << 20) + i : i % 2000;
        things[i] = gm_pile_take(&pile, sizes[i]);
        assert_int_equal((uintptr_t)things[i] % 16, 0);
        memset(things[i], (int)i, sizes[i]);
    }
    for (uint32_t i = 0; i < THINGS; i++) {
        for (size_t at = 0; at < sizes[i]; at += 97) {
            assert_int_equal(things[i][at], (uint8_t)i);
        }
    }
    gm_pile_fini(&pile);
    assert_null(pile.blocks);
    (void)gm_pile_take(&pile, 1);
    gm_pile_fini(&pile);
}

static void messages_are_decoded_into_it(void **arg)
{
    struct gm_pile pile = {0};
    ProtobufCAllocator memory = gm_pile_allocator(&pile);
    Gm__Object object = GM__OBJECT__INIT;
    Gm__Object *list[] = {&object};
    Gm__Item item = GM__ITEM__INIT;
    uint8_t packed[256];
    (void)arg;
    object.key = (char *)"key";
    object.size = 77;
    item.index = 5;
    item.objects = list;
    item.n_objects = 1;
    size_t size = gm__item__pack(&item, packed);
    for (uint32_t i = 0; i < THINGS; i++) {
        Gm__Item *copy = gm__item__unpack(&memory, size, packed);
        assert_non_null(copy);
        assert_int_equal(copy->index, 5);
        assert_string_equal(copy->objects[0]->key, "key");
        assert_true(copy->objects[0]->size == 77);
    }
    gm_pile_fini(&pile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_lie_beside_each_other),
        cmocka_unit_test(messages_are_decoded_into_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
