#include "node/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs.h"

#define GIB (1ull << 30)

struct entry {
    const char *path;
    const char *text;
};

/* Detection over a made-up machine of 8 CPUs. */
static struct gm_capacity detect(const struct entry *entries, size_t count)
{
    char root[] = "/tmp/gm-capacity-XXXXXX";
    struct gm_err err;
    struct gm_capacity out = {0, 0};
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s%s", root, entries[i].path);
        *strrchr(path, '/') = '\0';
        assert_int_equal(gm_fs_mkdirs(path, &err), 0);
        snprintf(path, sizeof(path), "%s%s", root, entries[i].path);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(entries[i].text, f);
        fclose(f);
    }
    assert_int_equal(gm_capacity_detect(root, 8, &out, &err), 0);
    assert_int_equal(gm_fs_remove_tree(root, &err), 0);
    return out;
}

#define MEMINFO                                                                                    \
    {                                                                                              \
        "/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        123 kB\n"                   \
    }
#define DETECT(list) detect(list, sizeof(list) / sizeof((list)[0]))

static void machine_without_groups_is_taken_whole(void **state)
{
    const struct entry list[] = {MEMINFO};
    struct gm_capacity c = DETECT(list);
    (void)state;
    assert_int_equal(c.cpu_milli, 8000);
    assert_int_equal(c.memory_bytes, 16 * GIB);
}

static void second_version_limits_bind_at_every_level(void **state)
{
    const struct entry list[] = {
        MEMINFO,
        {"/proc/self/cgroup", "0::/a/b\n"},
        {"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
        {"/sys/fs/cgroup/a/cpu.max", "250000 100000\n"},
        {"/sys/fs/cgroup/a/b/memory.max", "4294967296\n"},
        {"/sys/fs/cgroup/a/memory.max", "max\n"},
    };
    struct gm_capacity c = DETECT(list);
    (void)state;
    assert_int_equal(c.cpu_milli, 2500);
    assert_int_equal(c.memory_bytes, 4 * GIB);
}

static void first_version_limits_bind_too(void **state)
{
    const struct entry list[] = {
        MEMINFO,
        {"/proc/self/cgroup", "5:memory:/m\n4:cpuacct,cpu:/c/d\n1:name=systemd:/x\n"},
        {"/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "300000\n"},
        {"/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n"},
        {"/sys/fs/cgroup/cpu/c/d/cpu.cfs_quota_us", "-1\n"},
        {"/sys/fs/cgroup/cpu/c/d/cpu.cfs_period_us", "100000\n"},
        {"/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "2147483648\n"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
    };
    struct gm_capacity c = DETECT(list);
    (void)state;
    assert_int_equal(c.cpu_milli, 3000);
    assert_int_equal(c.memory_bytes, 2 * GIB);
}

static void nonsense_is_no_limit_and_one_cpu_is_the_least(void **state)
{
    const struct entry bad[] = {
        MEMINFO,
        {"/proc/self/cgroup", "nonsense\n0::/\n:::\n"},
        {"/sys/fs/cgroup/cpu.max", "zero\n"},
        {"/sys/fs/cgroup/memory.max", "99999999999999999999999\n"},
    };
    const struct entry small[] = {
        {"/proc/self/cgroup", "0::/s\n"},
        {"/sys/fs/cgroup/s/cpu.max", "10000 100000\n"},
    };
    struct gm_capacity c = DETECT(bad);
    (void)state;
    assert_int_equal(c.cpu_milli, 8000);
    assert_int_equal(c.memory_bytes, 16 * GIB);
    c = DETECT(small);
    assert_int_equal(c.cpu_milli, 1000);
    assert_int_equal(c.memory_bytes, 0);
}

static void this_machine_has_something(void **state)
{
    struct gm_capacity c = {0, 0};
    struct gm_err err;
    uint64_t scratch = 0;
    (void)state;
    assert_int_equal(gm_capacity_detect("", 0, &c, &err), 0);
    assert_true(c.cpu_milli >= 1000);
    assert_true(c.memory_bytes > 0);
    assert_int_equal(gm_capacity_scratch("/tmp", &scratch, &err), 0);
    assert_int_equal(gm_capacity_scratch("/no/such/folder", &scratch, &err), -GM_E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_without_groups_is_taken_whole),
        cmocka_unit_test(second_version_limits_bind_at_every_level),
        cmocka_unit_test(first_version_limits_bind_too),
        cmocka_unit_test(nonsense_is_no_limit_and_one_cpu_is_the_least),
        cmocka_unit_test(this_machine_has_something),
    };
    return cmocka_run_group_tests_name("node/capacity", tests, NULL, NULL);
}
