#include "node/node_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"

static int load(const char *text, struct gm_node_config *out, struct gm_err *err)
{
    char path[] = "/tmp/gm-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(gm_fs_write_atomic(path, text, strlen(text), err), 0);
    int rc = gm_node_config_load(path, out, err);
    unlink(path);
    return rc;
}

static void shipped_example_has_every_default(void **state)
{
    struct gm_node_config defaults = {0};
    struct gm_node_config example = {0};
    struct gm_err err;
    (void)state;
    if (gm_node_config_load(NULL, &defaults, &err) < 0 ||
        gm_node_config_load(GM_SOURCE_DIR "/config/node.yaml", &example, &err) < 0) {
        fail_msg("%s", err.text);
    }
    for (const struct gm_option *o = gm_node_options; o->name != NULL; o++) {
        const char *a = (const char *)&defaults + o->offset;
        const char *b = (const char *)&example + o->offset;
        bool same = true;
        if (o->type == GM_OPT_STRING) {
            same = strcmp(*(char *const *)a, *(char *const *)b) == 0;
        } else if (o->type == GM_OPT_BOOL) {
            same = *(const bool *)a == *(const bool *)b;
        } else if (o->type == GM_OPT_LIST) {
            char *const *x = *(char **const *)a;
            char *const *y = *(char **const *)b;
            for (; same && (*x != NULL || *y != NULL); x++, y++) {
                same = *x != NULL && *y != NULL && strcmp(*x, *y) == 0;
            }
        } else {
            same = *(const int64_t *)a == *(const int64_t *)b;
        }
        if (!same) {
            fail_msg("config/node.yaml: %s is not the default", o->name);
        }
    }
    gm_node_config_fini(&defaults);
    gm_node_config_fini(&example);
}

static void shipped_example_names_every_option(void **state)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_fs_read(GM_SOURCE_DIR "/config/node.yaml", 1 << 20, &text, &size, &err), 0);
    for (const struct gm_option *o = gm_node_options; o->name != NULL; o++) {
        char line[80];
        snprintf(line, sizeof(line), "\n%s:", o->name);
        if (strstr((const char *)text, line) == NULL) {
            fail_msg("config/node.yaml does not have %s", o->name);
        }
    }
    free(text);
}

static void values_are_read(void **state)
{
    struct gm_node_config c = {0};
    struct gm_err err;
    (void)state;
    assert_int_equal(
        load("node_id: n1\nscheduler: [tcp://a:1, ipc:///b]\nslots: 7\ncache_bytes: 3Ki\n"
             "log_json: true\ncpu_flags: none\nsecurity: none\n",
             &c, &err),
        0);
    assert_string_equal(c.node_id, "n1");
    assert_string_equal(c.scheduler[1], "ipc:///b");
    assert_null(c.scheduler[2]);
    assert_int_equal(c.slots, 7);
    assert_int_equal(c.cache_bytes, 3072);
    assert_true(c.log_json);
    gm_node_config_fini(&c);
}

static void wrong_values_are_refused_with_their_name(void **state)
{
    static const struct {
        const char *text;
        const char *named;
    } cases[] = {
        {"slots: -1\n", "slots"},
        {"slots: 100000\n", "slots"},
        {"slot: 1\n", "slot"},
        {"node_id: Upper\n", "node_id"},
        {"node_id: a/b\n", "node_id"},
        {"scheduler: []\n", "scheduler"},
        {"scheduler: [127.0.0.1:7800]\n", "scheduler"},
        {"scheduler: [tcp://10.0.0.1:7800]\n", "security: curve"},
        {"security: tls\n", "neither curve nor none"},
        {"log_level: loud\n", "log_level"},
        {"state: \"\"\n", "state"},
        {"cache: near/by\n", "cache"},
        {"cache_bytes: many\n", "cache_bytes"},
        {"log_json: maybe\n", "log_json"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gm_node_config c = {0};
        struct gm_err err = {.code = GM_OK};
        assert_int_equal(load(cases[i].text, &c, &err), -GM_E_CONFIG);
        if (strstr(err.text, cases[i].named) == NULL) {
            fail_msg("%s does not name %s", err.text, cases[i].named);
        }
        gm_node_config_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_example_has_every_default),
        cmocka_unit_test(shipped_example_names_every_option),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(wrong_values_are_refused_with_their_name),
    };
    return cmocka_run_group_tests_name("node/node_config", tests, NULL, NULL);
}
