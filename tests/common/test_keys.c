#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "common/allow.h"
#include "common/scratch.h"

static struct gm_err err;

static void load_text(struct scratch *s, const char *text, int wanted, const char *says)
{
    struct gm_curve_file key = {0};
    const char *path = scratch_path(s, "k");
    assert_int_equal(gm_fs_write_private(path, text, strlen(text), &err), 0);
    assert_int_equal(gm_curve_load(path, &key, &err), wanted);
    if (says != NULL && strstr(err.text, says) == NULL) {
        fail_msg("`%s` should say `%s`", err.text, says);
    }
}

static void a_key_file_comes_back(void **state)
{
    struct scratch s;
    struct gm_curve_file key = {.name = "n-1", .role = GM_CURVE_NODE, .server_count = 2};
    struct gm_curve_file server = {0};
    struct gm_curve_file back = {0};
    struct stat st;
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "k");
    assert_int_equal(gm_curve_make(&key, &err), 0);
    assert_int_equal(gm_curve_make(&server, &err), 0);
    assert_string_not_equal(key.public_key, server.public_key);
    assert_true(gm_curve_is_text(key.public_key) && gm_curve_is_text(key.secret_key));
    memcpy(key.servers[0], server.public_key, GM_CURVE_TEXT);
    memcpy(key.servers[1], key.public_key, GM_CURVE_TEXT);
    assert_int_equal(gm_curve_save(path, &key, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(gm_curve_load(path, &back, &err), 0);
    assert_memory_equal(&back, &key, sizeof key);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(gm_curve_load(path, &back, &err), -GM_E_CONFIG);
    assert_non_null(strstr(err.text, "0600"));
    assert_int_equal(gm_curve_load(scratch_path(&s, "none"), &back, &err), -GM_E_SYS);
    scratch_remove(&s);
}

static void a_bad_key_file_is_told_by_its_line(void **state)
{
    struct scratch s;
    struct gm_curve_file key = {0};
    struct gm_curve_file other = {0};
    char text[512];
    (void)state;
    scratch_make(&s);
    assert_int_equal(gm_curve_make(&key, &err), 0);
    assert_int_equal(gm_curve_make(&other, &err), 0);
    load_text(&s, "", -GM_E_CONFIG, "must all be there");
    load_text(&s, "# only this\nname", -GM_E_CONFIG, ":2: a line is a word");
    load_text(&s, "name N1\n", -GM_E_CONFIG, ":1: a name is");
    load_text(&s, "name a\nname b\n", -GM_E_CONFIG, ":2: an unknown word");
    load_text(&s, "role king\n", -GM_E_CONFIG, "roles are");
    load_text(&s, "colour red\n", -GM_E_CONFIG, "an unknown word");
    load_text(&s, "public short\n", -GM_E_CONFIG, "40 characters");
    snprintf(text, sizeof text, "name a\nrole node\npublic %s\nsecret %s\nserver %s\n",
             other.public_key, key.secret_key, key.public_key);
    load_text(&s, text, -GM_E_CONFIG, "no pair");
    snprintf(text, sizeof text, "name a\nrole node\npublic %s\nsecret %s\n", key.public_key,
             key.secret_key);
    load_text(&s, text, -GM_E_CONFIG, "(server) is missing");
    snprintf(text, sizeof text, "name a\nrole server\npublic %s\nsecret %s\n", key.public_key,
             key.secret_key);
    load_text(&s, text, 0, NULL);
    snprintf(text, sizeof text, "server %s\nserver %s\nserver %s\nserver %s\nserver %s\n",
             key.public_key, key.public_key, key.public_key, key.public_key, key.public_key);
    load_text(&s, text, -GM_E_CONFIG, ":5: an unknown word, or one too many");
    scratch_remove(&s);
}

static void roles_do_what_is_for_them(void **state)
{
    (void)state;
    assert_int_equal(gm_curve_role_find("admin"), GM_CURVE_ADMIN);
    assert_int_equal(gm_curve_role_find("root"), -1);
    assert_true(gm_curve_role_may(GM_CURVE_NODE, GM_CURVE_NODE));
    assert_true(gm_curve_role_may(GM_CURVE_ADMIN, GM_CURVE_CLIENT));
    assert_false(gm_curve_role_may(GM_CURVE_CLIENT, GM_CURVE_ADMIN));
    assert_false(gm_curve_role_may(GM_CURVE_ADMIN, GM_CURVE_NODE));
    assert_false(gm_curve_role_may(GM_CURVE_NODE, GM_CURVE_CLIENT));
}

static void local_endpoints_need_no_keys(void **state)
{
    static const struct {
        const char *endpoint;
        bool local;
    } rows[] = {
        {"ipc:///run/x", true},
        {"tcp://127.0.0.1:7800", true},
        {"tcp://127.9.9.9:*", true},
        {"tcp://localhost:1", true},
        {"tcp://[::1]:7800", true},
        {"tcp://*:7800", false},
        {"tcp://0.0.0.0:7800", false},
        {"tcp://10.0.0.1:7800", false},
        {"tcp://[::]:7800", false},
        {"tcp://eth0:7800", false},
        {"tcp://127.0.0.1.evil:1", false},
        {"tcp://:1", false},
        {"tcp://lo", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *list[] = {(char *)(uintptr_t) "ipc:///a", (char *)(uintptr_t)rows[i].endpoint, NULL};
        if (gm_curve_is_local_endpoint(rows[i].endpoint) != rows[i].local) {
            fail_msg("%s", rows[i].endpoint);
        }
        assert_int_equal(gm_curve_check_security("", list, &err), rows[i].local ? 0 : -GM_E_CONFIG);
        assert_int_equal(gm_curve_check_security("none", list, &err), 0);
        assert_int_equal(gm_curve_check_security("curve", list, &err), 0);
        assert_int_equal(gm_curve_check_security("tls", list, &err), -GM_E_CONFIG);
    }
}

static void add(struct gm_allow *allow, const char *name, int64_t until, char key[GM_CURVE_TEXT])
{
    struct gm_curve_file pair = {0};
    struct gm_allowed row = {.role = GM_CURVE_NODE, .until_unix_ms = until};
    assert_int_equal(gm_curve_make(&pair, &err), 0);
    memcpy(row.key, pair.public_key, GM_CURVE_TEXT);
    memcpy(key, pair.public_key, GM_CURVE_TEXT);
    strcpy(row.name, name);
    assert_int_equal(gm_allow_add(allow, &row, &err), 0);
    assert_int_equal(gm_allow_add(allow, &row, &err), -GM_E_CONFLICT);
}

static void a_list_comes_back_and_keys_end(void **state)
{
    struct scratch s;
    struct gm_allow allow = {0};
    struct gm_allow back = {0};
    char a[GM_CURVE_TEXT], b[GM_CURVE_TEXT], c[GM_CURVE_TEXT];
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "allow");
    add(&allow, "n1", INT64_MAX, a);
    add(&allow, "n2", INT64_MAX, b);
    gm_allow_expire(&allow, "n1", 1000, 1769860800000);
    add(&allow, "n1", INT64_MAX, c);
    assert_int_equal(gm_allow_save(path, &allow, &err), 0);
    assert_int_equal(gm_allow_load(path, &back, &err), 0);
    assert_int_equal(back.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(back.rows[i].key, allow.rows[i].key);
        assert_string_equal(back.rows[i].name, allow.rows[i].name);
        assert_int_equal(back.rows[i].role, allow.rows[i].role);
        assert_int_equal(back.rows[i].until_unix_ms, allow.rows[i].until_unix_ms);
    }
    assert_string_equal(gm_allow_find(&back, a, 1769860799999)->name, "n1");
    assert_null(gm_allow_find(&back, a, 1769860800000));
    assert_non_null(gm_allow_find(&back, c, INT64_MAX - 1));
    assert_null(gm_allow_find(&back, "nobody", 0));
    gm_allow_expire(&back, "n1", 1769860800000, 5); /* the one that has ended goes */
    assert_int_equal(back.count, 2);
    assert_int_equal(gm_allow_remove(&back, "n1"), 1);
    assert_int_equal(gm_allow_remove(&back, "n1"), 0);
    assert_string_equal(gm_allow_find(&back, b, 0)->name, "n2");
    gm_allow_fini(&allow);
    gm_allow_fini(&back);
    scratch_remove(&s);
}

#define KEY "T<rw:AO8S&^I&iZKIP+m<45UI8H=RQcr&&bh@M$a"

static void a_bad_list_is_told_by_its_line(void **state)
{
    static const char *const texts[] = {
        "node n1 " KEY "\n",
        "node n1 " KEY " - more\n",
        "server n1 " KEY " -\n",
        "node N1 " KEY " -\n",
        "node n1 short -\n",
        "# two\nnode n1 " KEY " tomorrow\n",
        "node n1 " KEY " 2026-01-31T12:00:00Zx\n",
        "node n1 " KEY " -\nnode n2 " KEY " -\n",
    };
    struct scratch s;
    (void)state;
    scratch_make(&s);
    const char *path = scratch_path(&s, "allow");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gm_allow allow = {0};
        assert_int_equal(gm_fs_write_private(path, texts[i], strlen(texts[i]), &err), 0);
        if (gm_allow_load(path, &allow, &err) != -GM_E_CONFIG) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_null(allow.rows);
    }
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_comes_back),
        cmocka_unit_test(a_bad_key_file_is_told_by_its_line),
        cmocka_unit_test(roles_do_what_is_for_them),
        cmocka_unit_test(local_endpoints_need_no_keys),
        cmocka_unit_test(a_list_comes_back_and_keys_end),
        cmocka_unit_test(a_bad_list_is_told_by_its_line),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
