#include "tests/scheduler/helper.h"

#include <sys/stat.h>

#include "common/yaml.h"
#include "scheduler/settings.h"

/* The example file names every option once, and its values are the defaults. */
static void example_equals_the_table(void **state)
{
    struct gm_settings shipped = {0};
    struct gm_settings plain = {0};
    struct gm_err err = {0};
    uint8_t *text = NULL;
    size_t size = 0;
    struct gm_yaml *doc = NULL;
    const char *path = GM_SOURCE_DIR "/config/scheduler.yaml";
    (void)state;
    ASSERT_OK(gm_config_load(path, gm_settings_options(), &shipped, &err));
    ASSERT_OK(gm_config_load(NULL, gm_settings_options(), &plain, &err));
    ASSERT_OK(gm_fs_read(path, 1 << 20, &text, &size, &err));
    ASSERT_OK(gm_yaml_parse(path, text, size, &doc, &err));
    for (const struct gm_option *o = gm_settings_options(); o->name != NULL; o++) {
        const char *a = (const char *)&shipped + o->offset;
        const char *b = (const char *)&plain + o->offset;
        if (gm_yaml_find(doc, o->name) == NULL) {
            fail_msg("config/scheduler.yaml lacks %s", o->name);
        }
        if (o->type == GM_OPT_STRING) {
            assert_string_equal(*(char *const *)(const void *)a, *(char *const *)(const void *)b);
        } else if (o->type == GM_OPT_BOOL) {
            assert_int_equal(*(const bool *)a, *(const bool *)b);
        } else if (o->type == GM_OPT_LIST) {
            char *const *x = *(char **const *)(const void *)a;
            char *const *y = *(char **const *)(const void *)b;
            size_t i = 0;
            for (; x != NULL && x[i] != NULL; i++) {
                assert_non_null(y[i]);
                assert_string_equal(x[i], y[i]);
            }
            assert_true(y == NULL || y[i] == NULL);
        } else {
            assert_true(*(const int64_t *)(const void *)a == *(const int64_t *)(const void *)b);
        }
    }
    gm_yaml_destroy(&doc);
    free(text);
    gm_settings_fini(&shipped);
    gm_settings_fini(&plain);
}

static int load(const char *folder, const char *text, struct gm_settings *out, struct gm_err *err)
{
    char path[512];
    write_file(folder, "c.yaml", text, strlen(text));
    path_in(path, folder, "c.yaml");
    return gm_settings_load(path, out, err);
}

static void values_follow_from_others(void **state)
{
    struct gm_settings s = {0};
    struct gm_err err = {0};
    ASSERT_OK(load(*state, "state: /x y/s\n", &s, &err));
    assert_string_equal(s.work_store, "file:///x%20y/s/work");
    assert_string_equal(s.allow_sources[0], "/");
    assert_int_equal(s.lease_ms, 15000);
    gm_settings_fini(&s);
    s = (struct gm_settings){0};
    ASSERT_OK(load(*state, "state: s\n", &s, &err));
    assert_int_equal(s.state[0], '/');
    gm_settings_fini(&s);
}

static void buckets_may_be_named(void **state)
{
    struct gm_settings s = {0};
    struct gm_err err = {0};
    char text[1200];
    char path[512];
    write_file(*state, "keys", "id=a\nsecret=b\n", 15);
    path_in(path, *state, "keys");
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(snprintf(text, sizeof text,
                         "work_store: s3://media/work//\n"
                         "storage: [\"s3://media endpoint=http://h keys=%s\"]\n"
                         "allow_sources: [/media, \"s3://media/in\", \"https://h/\"]\n",
                         path) < (int)sizeof text);
    ASSERT_OK(load(*state, text, &s, &err));
    assert_string_equal(s.work_store, "s3://media/work");
    gm_settings_fini(&s);
}

static void wrong_settings_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"stat: /x\n", "did you mean `state`?"},
        {"state: \"\"\n", "state: name a folder"},
        {"listen: []\n", "listen"},
        {"listen: [127.0.0.1:7800]\n", "listen: `127.0.0.1:7800` is neither"},
        {"listen: [\"tcp://*:7800\"]\n", "reached by other machines"},
        {"security: tls\n", "neither curve nor none"},
        {"http: nothing\n", "neither"},
        {"http: http://127.0.0.1:7801\n", "neither"},
        {"log_level: loud\n", "log_level"},
        {"lease_ms: 999\n", "lease_ms"},
        {"lease_ms: 1000\nheartbeat_ms: 400\n", "three times"},
        {"allow_sources: [media]\n", "allow_sources: `media`"},
        {"allow_destinations: [out]\n", "allow_destinations: `out`"},
        {"allow_sources: [\"s3://B\"]\n", "allow_sources: `s3://B`"},
        {"work_store: s3://x\n", "work_store"},
        {"work_store: s3://media\n", "work_store: no line of `storage`"},
        {"work_store: s3://media/w\nuploads: s3://media/w/jobs/x\n", "lies in the work store"},
        {"work_store: s3://media/w\nuploads: s3://media/w/jobsx\n", "no line of `storage`"},
        {"storage: [\"s3://media\"]\n", "storage: s3://media lacks endpoint= or keys="},
        {"max_jobs: 0\n", "max_jobs"},
        {"keep_jobs: 0\n", "keep_jobs"},
        {"keep_jobs: 10001\n", "keep_jobs"},
        {"max_attempts: 1\n", "max_attempts"},
        {"retry_ms: 9\n", "retry_ms"},
        {"grant_key_file: \"\"\n", "grant_key_file"},
        {"tenants: [\"a b\"]\n", "tenants: `b` is none of weight=N"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_settings s = {0};
        struct gm_err err = {0};
        int rc = load(*state, rows[i].text, &s, &err);
        if (rc >= 0 || strstr(err.text, rows[i].says) == NULL) {
            fail_msg("`%s`: rc %d, `%s`", rows[i].text, rc, err.text);
        }
        gm_settings_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_equals_the_table),
        cmocka_unit_test_setup_teardown(values_follow_from_others, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(buckets_may_be_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(wrong_settings_are_refused, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
