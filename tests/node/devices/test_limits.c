#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/devices/limits.h"
#include "node/devices/tree_io.h"

static void cold_rack_has_time_for_each_of_its_gpus(void **state)
{
    (void)state;
    assert_int_equal(gm_limit_ms(GM_LIMIT_PROBE_MS, 0), 4000);
    assert_int_equal(gm_limit_ms(GM_LIMIT_PROBE_MS, 8), 28000);
    assert_int_equal(gm_limit_ms(GM_LIMIT_PROOF_MS, 0), 20000);
    assert_int_equal(gm_limit_ms(GM_LIMIT_PROOF_MS, 8), 44000);
}

/* Nodes prove one device at a time; its driver starts them all. */
static void gpus_are_the_machines_and_not_the_lists(void **state)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    struct tree tree;
    (void)state;
    tree_init(&tree);
    assert_int_equal(gm_limit_gpus(tree.root, &list), 0);
    assert_int_equal(gm_device_get(&list, "cpu", GM_DEVICE_CPU, &d, &err), 0);
    assert_int_equal(gm_device_get(&list, "0000:03:00.0", GM_DEVICE_DRM, &d, &err), 0);
    assert_int_equal(gm_limit_gpus(tree.root, &list), 0);
    assert_int_equal(gm_device_get(&list, "0000:10:00.0", GM_DEVICE_NVIDIA, &d, &err), 0);
    assert_int_equal(gm_limit_gpus(tree.root, &list), 1);
    for (int i = 0; i < 8; i++) {
        char id[16];
        snprintf(id, sizeof(id), "0000:1%d:00.0", i);
        tree_nvidia(&tree, id, "NVIDIA L4");
    }
    assert_int_equal(gm_limit_gpus(tree.root, &list), 8);
    for (int i = 0; i < 80; i++) {
        char id[16];
        snprintf(id, sizeof(id), "0001:%02d:00.0", i);
        tree_nvidia(&tree, id, "NVIDIA L4");
    }
    assert_int_equal(gm_limit_gpus(tree.root, &list), GM_DEVICES_MAX);
    gm_device_list_fini(&list);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_rack_has_time_for_each_of_its_gpus),
        cmocka_unit_test(gpus_are_the_machines_and_not_the_lists),
    };
    return cmocka_run_group_tests_name("node/devices/limits", tests, NULL, NULL);
}
