#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "cli/key_folder.h"
#include "tests/common/scratch.h"

#define NOW INT64_C(1700000000000)

static struct gm_err err;

static int make(const char *folder, const char *name, const char *role)
{
    struct gm_key_change change = {.name = name};
    return gm_key_folder_make(folder, role, &change, &err);
}

static int rotate(const char *folder, const char *name, struct gm_key_change *change)
{
    *change = (struct gm_key_change){.name = name};
    return gm_key_folder_rotate(folder, NOW, NOW + 1000, change, &err);
}

static struct gm_curve_file load(const char *folder, const char *name)
{
    char path[512];
    struct gm_curve_file key = {0};
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    if (gm_curve_load(path, &key, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return key;
}

static void what_is_made_fits_together(void **state)
{
    struct scratch s;
    struct gm_allow allow = {0};
    struct stat st;
    (void)state;
    scratch_make(&s);
    const char *folder = scratch_path(&s, "keys");
    assert_int_equal(gm_key_folder_list(folder, &allow, &err), -GM_E_INVAL);
    assert_int_equal(make(folder, "n1", "node"), 0);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    struct gm_curve_file key = load(folder, "n1");
    struct gm_curve_file server = load(folder, "server");
    assert_string_equal(key.name, "n1");
    assert_int_equal(key.role, GM_CURVE_NODE);
    assert_int_equal(key.server_count, 1);
    assert_string_equal(key.servers[0], server.public_key);
    assert_int_equal(make(folder, "n1", "node"), -GM_E_CONFLICT);
    assert_int_equal(make(folder, "n2", NULL), -GM_E_INVAL);
    assert_int_equal(make(folder, "n2", "server"), -GM_E_INVAL);
    assert_int_equal(make(folder, "server", "node"), -GM_E_INVAL);
    assert_int_equal(make(folder, "../n2", "node"), -GM_E_INVAL);
    assert_int_equal(make(folder, "ann", "admin"), 0);
    assert_int_equal(gm_key_folder_list(folder, &allow, &err), 0);
    assert_int_equal(allow.count, 2);
    assert_int_equal(gm_allow_find(&allow, key.public_key, NOW)->role, GM_CURVE_NODE);
    gm_allow_fini(&allow);
    scratch_remove(&s);
}

static void old_and_new_keys_are_good_for_a_while(void **state)
{
    struct scratch s;
    struct gm_allow allow = {0};
    struct gm_key_change change;
    (void)state;
    scratch_make(&s);
    const char *folder = scratch_path(&s, "keys");
    assert_int_equal(make(folder, "n1", "node"), 0);
    struct gm_curve_file old = load(folder, "n1");
    assert_int_equal(rotate(folder, "n2", &change), -GM_E_INVAL);
    assert_int_equal(rotate(folder, "n1", &change), 0);
    struct gm_curve_file new = load(folder, "n1");
    assert_string_not_equal(old.public_key, new.public_key);
    assert_int_equal(gm_key_folder_list(folder, &allow, &err), 0);
    assert_non_null(gm_allow_find(&allow, old.public_key, NOW + 999));
    assert_null(gm_allow_find(&allow, old.public_key, NOW + 1000));
    assert_non_null(gm_allow_find(&allow, new.public_key, NOW + 1000));
    gm_allow_fini(&allow);
    change = (struct gm_key_change){.name = "n1"};
    assert_int_equal(gm_key_folder_revoke(folder, &change, &err), 0);
    assert_int_equal(gm_key_folder_revoke(folder, &change, &err), -GM_E_INVAL);
    assert_int_equal(gm_key_folder_list(folder, &allow, &err), 0);
    assert_int_equal(allow.count, 0);
    assert_int_not_equal(access(scratch_path(&s, "keys/n1.key"), F_OK), 0);
    gm_allow_fini(&allow);
    scratch_remove(&s);
}

static void nodes_know_the_servers_key_before_it_changes(void **state)
{
    struct scratch s;
    struct gm_key_change change;
    (void)state;
    scratch_make(&s);
    const char *folder = scratch_path(&s, "keys");
    assert_int_equal(make(folder, "n1", "node"), 0);
    struct gm_curve_file old = load(folder, "server");
    assert_int_equal(rotate(folder, "server", &change), 0);
    assert_int_equal(change.step, GM_KEY_STEP_ANNOUNCED);
    struct gm_curve_file key = load(folder, "n1");
    struct gm_curve_file now = load(folder, "server");
    struct gm_curve_file next = load(folder, "server.next");
    assert_string_equal(now.public_key, old.public_key);
    assert_int_equal(key.server_count, 2);
    assert_string_equal(key.servers[0], old.public_key);
    assert_string_equal(key.servers[1], next.public_key);
    assert_int_equal(rotate(folder, "server", &change), 0);
    assert_int_equal(change.step, GM_KEY_STEP_MADE);
    now = load(folder, "server");
    key = load(folder, "n1");
    assert_string_equal(now.public_key, next.public_key);
    assert_int_equal(key.server_count, 1);
    assert_string_equal(key.servers[0], next.public_key);
    change = (struct gm_key_change){.name = "server"};
    assert_int_equal(gm_key_folder_revoke(folder, &change, &err), -GM_E_INVAL);
    scratch_remove(&s);
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
    struct scratch s;
    (void)state;
    scratch_make(&s);
    const char *folder = scratch_path(&s, "keys");
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(make(folder, "n1", "node"), -GM_E_CONFIG);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(make(folder, "n1", "node"), 0);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_fits_together),
        cmocka_unit_test(old_and_new_keys_are_good_for_a_while),
        cmocka_unit_test(nodes_know_the_servers_key_before_it_changes),
        cmocka_unit_test(a_folder_that_others_may_enter_is_refused),
    };
    return cmocka_run_group_tests_name("key_folder", tests, NULL, NULL);
}
