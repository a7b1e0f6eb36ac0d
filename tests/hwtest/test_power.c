#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/power.h"
#include "tests/common/scratch.h"

#define RAPL "sys/class/powercap/intel-rapl:"
#define HWMON "sys/bus/pci/devices/0000:03:00.0/hwmon/hwmon4"

static struct scratch root;

static void put(const char *folder, const char *name, const char *text)
{
    char path[512];
    assert_int_equal(gm_fs_mkdirs(scratch_path(&root, folder), NULL), 0);
    assert_int_equal(
        gm_fs_path(path, sizeof(path), NULL, "%s/%s", scratch_path(&root, folder), name), 0);
    assert_int_equal(gm_fs_write_atomic(path, text, strlen(text), NULL), 0);
}

static int make(void **state)
{
    (void)state;
    scratch_make(&root);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    scratch_remove(&root);
    return 0;
}

static struct gm_hwtest_energy now(const char *pci, gm_time at)
{
    struct gm_hwtest_energy e;
    assert_true(gm_hwtest_energy_read(root.path, pci, at, &e));
    assert_true(e.at == at);
    return e;
}

static void packages_are_added_and_what_is_in_them_is_not_counted_twice(void **state)
{
    (void)state;
    put(RAPL "0", "name", "package-0\n");
    put(RAPL "1", "name", "package-1\n");
    put(RAPL "2", "name", "psys\n"); /* all of the machine */
    put(RAPL "0", "energy_uj", "1000000\n");
    put(RAPL "1", "energy_uj", "5000000\n");
    put(RAPL "2", "energy_uj", "9000000\n");
    put(RAPL "0:0", "energy_uj", "900000\n"); /* its cores */
    put("sys/class/powercap/intel-rapl", "enabled", "1\n");
    struct gm_hwtest_energy before = now(NULL, GM_SEC);
    assert_int_equal(before.count, 2);
    put(RAPL "0", "energy_uj", "31000000\n");
    put(RAPL "1", "energy_uj", "15000000\n");
    struct gm_hwtest_energy after = now(NULL, 3 * GM_SEC);
    double watts = 0;
    assert_true(gm_hwtest_energy_watts(&before, &after, &watts));
    assert_true(watts > 19.99 && watts < 20.01); /* 40 J in 2 s */
}

static void a_counter_that_wraps_is_followed_where_its_range_is_told(void **state)
{
    (void)state;
    double watts = -1;
    put(RAPL "0", "name", "package-0\n");
    put(RAPL "0", "energy_uj", "262000000\n");
    struct gm_hwtest_energy before = now(NULL, GM_SEC);
    put(RAPL "0", "energy_uj", "1000000\n");
    struct gm_hwtest_energy after = now(NULL, 2 * GM_SEC);
    assert_false(gm_hwtest_energy_watts(&before, &after, &watts));
    before.range_uj[0] = after.range_uj[0] = 265000000;
    assert_true(gm_hwtest_energy_watts(&before, &after, &watts));
    assert_true(watts > 3.99 && watts < 4.01);
    put(RAPL "0", "max_energy_range_uj", "265000000\n");
    assert_true(now(NULL, GM_SEC).range_uj[0] == 265000000);
    assert_false(gm_hwtest_energy_watts(&after, &before, &watts)); /* no time passed */
}

static void what_is_no_number_is_not_there(void **state)
{
    (void)state;
    struct gm_hwtest_energy e;
    assert_false(gm_hwtest_energy_read(root.path, NULL, 0, &e));
    assert_int_equal(e.count, 0);
    static const char *const bad[] = {
        "", "-5\n", "12x\n", "99999999999999999999999\n",
        "1111111111111111111111111111111111111111111111111111111111111111111"};
    put(RAPL "0", "name", "package-0\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(RAPL "0", "energy_uj", bad[i]);
        assert_false(gm_hwtest_energy_read(root.path, NULL, 0, &e));
    }
    double watts = 0;
    assert_false(gm_hwtest_energy_watts(&e, &e, &watts));
}

static void a_device_tells_its_watts_or_its_energy(void **state)
{
    (void)state;
    double watts = 0, limit = -1;
    assert_false(gm_hwtest_power_read(root.path, "0000:03:00.0", &watts, &limit));
    put(HWMON, "name", "xe\n");
    assert_false(gm_hwtest_power_read(root.path, "0000:03:00.0", &watts, &limit));
    put(HWMON, "energy1_input", "7000000\n");
    assert_int_equal(now("0000:03:00.0", 0).count, 1);
    put(HWMON, "power1_input", "43000000\n");
    assert_true(gm_hwtest_power_read(root.path, "0000:03:00.0", &watts, &limit));
    assert_true(watts > 42.9 && watts < 43.1 && limit > -0.1 && limit < 0.1);
    put(HWMON, "power1_average", "41000000\n"); /* goes first */
    put(HWMON, "power1_cap", "150000000\n");
    assert_true(gm_hwtest_power_read(root.path, "0000:03:00.0", &watts, &limit));
    assert_true(watts > 40.9 && watts < 41.1 && limit > 149.9 && limit < 150.1);
    assert_false(gm_hwtest_power_read(root.path, "0000:04:00.0", &watts, &limit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packages_are_added_and_what_is_in_them_is_not_counted_twice,
                                        make, drop),
        cmocka_unit_test_setup_teardown(a_counter_that_wraps_is_followed_where_its_range_is_told,
                                        make, drop),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_not_there, make, drop),
        cmocka_unit_test_setup_teardown(a_device_tells_its_watts_or_its_energy, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
