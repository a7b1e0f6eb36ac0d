#include "node/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "proto/envelope.h"

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/gm-state-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    struct gm_err err;
    (void)state;
    return gm_fs_remove_tree(folder, &err);
}

static void second_agent_is_kept_out(void **state)
{
    struct gm_state first = {.lock = -1};
    struct gm_state second = {.lock = -1};
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_state_open(folder, &first, &err), 0);
    assert_int_equal(gm_state_open(folder, &second, &err), -GM_E_CONFLICT);
    gm_state_close(&second);
    gm_state_close(&first);
    assert_int_equal(gm_state_open(folder, &second, &err), 0);
    gm_state_close(&second);
}

static void scratch_is_emptied_at_start_and_cache_is_not(void **state)
{
    struct gm_state s = {.lock = -1};
    struct gm_err err;
    char left[128];
    char kept[128];
    (void)state;
    snprintf(left, sizeof(left), "%s/scratch/0/t1-1", folder);
    snprintf(kept, sizeof(kept), "%s/cache/x", folder);
    assert_int_equal(gm_fs_mkdirs(left, &err), 0);
    assert_int_equal(gm_fs_mkdirs(kept, &err), 0);
    assert_int_equal(gm_state_open(folder, &s, &err), 0);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(access(s.scratch, W_OK), 0);
    gm_state_close(&s);
}

static void node_id_lasts_and_is_wellformed(void **state)
{
    static const struct {
        const char *host;
        const char *start;
    } cases[] = {{"rack7", "rack7-"},
                 {"Big_Box.example.org", "bigbox-"},
                 {"", "node-"},
                 {"...", "node-"},
                 {"a-very-long-host-name-that-goes-on-and-on-and-on-and-on-for-ever",
                  "a-very-long-host-name-that-goes-on-and-on-and-o-"}};
    struct gm_state s = {.lock = -1};
    struct gm_err err;
    char digits[9] = "";
    (void)state;
    assert_int_equal(gm_state_open(folder, &s, &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *id = NULL;
        assert_int_equal(gm_state_node_id(&s, cases[i].host, &id, &err), 0);
        assert_true(gm_is_node_id(id));
        size_t length = strlen(cases[i].start);
        assert_int_equal(strncmp(id, cases[i].start, length), 0);
        assert_int_equal(strlen(id), length + 8);
        if (i > 0) {
            assert_string_equal(id + length, digits); /* made once */
        }
        memcpy(digits, id + length, sizeof(digits));
        free(id);
    }
    gm_state_close(&s);
}

static void damaged_id_is_made_anew(void **state)
{
    struct gm_state s = {.lock = -1};
    struct gm_err err;
    char path[128];
    char *id = NULL;
    (void)state;
    assert_int_equal(gm_state_open(folder, &s, &err), 0);
    snprintf(path, sizeof(path), "%s/node-id", folder);
    assert_int_equal(gm_fs_write_atomic(path, "ZZ/../Z!", 8, &err), 0);
    assert_int_equal(gm_state_node_id(&s, "h", &id, &err), 0);
    assert_true(gm_is_node_id(id));
    free(id);
    gm_state_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_agent_is_kept_out, setup, teardown),
        cmocka_unit_test_setup_teardown(scratch_is_emptied_at_start_and_cache_is_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(node_id_lasts_and_is_wellformed, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_id_is_made_anew, setup, teardown),
    };
    return cmocka_run_group_tests_name("node/state", tests, NULL, NULL);
}
