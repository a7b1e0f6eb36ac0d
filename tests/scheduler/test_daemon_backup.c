/* A job through the daemon whose result is to lie at a second place, too. Farms:
 * tests/system/backup.sh; tries and restarts: core/test_backup.c. */
#include "tests/scheduler/daemon_story.h"

static void submit(const struct farm *f, const char *backup, char id[64])
{
    char more[600];
    (void)snprintf(more, sizeof more, ",\"backup\":\"file://%s/%s\"", f->folder, backup);
    farm_submit(f, PIPELINE, more, id);
}

/* Asked for until it is not `waiting`. */
static void expect_backup(const struct farm *f, const char *id, const char *state,
                          const char *error)
{
    char path[128];
    json_t *j = NULL;
    const json_t *backup = NULL;
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    for (int i = 0; i < 2400; i++) {
        json_decref(j);
        j = NULL;
        assert_int_equal(farm_call(f, "GET", path, NULL, &j), 200);
        backup = json_object_get(j, "backup");
        if (strcmp(json_string_value(json_object_get(backup, "state")), "waiting") != 0) {
            break;
        }
        (void)poll(NULL, 0, 50);
    }
    const json_t *why = json_object_get(backup, "error");
    const char *code = json_string_value(json_object_get(why, "code"));
    assert_string_equal(json_string_value(json_object_get(backup, "state")), state);
    assert_string_equal(code != NULL ? code : "", error);
    json_decref(j);
}

static void what_was_published_lies_there_too(void **state)
{
    static const char over[] = "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": "
                               "\"older\", \"title\": \"another\"}}";
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    submit(&f, "out/second", id);
    assert_true(farm_has(&f, "out/second/.gm-store"));
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    expect_backup(&f, id, "done", "");
    expect_file(&f, "out/second/" SEGMENT, "a segment");
    expect_file(&f, "out/second/master.m3u8", "master");

    write_file(*state, "out/second/report.json", over, strlen(over));
    submit(&f, "out/second", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done"); /* another title stands there, and stays */
    expect_backup(&f, id, "failed", "storage.title_exists");
    expect_file(&f, "out/second/report.json", over);
    farm_stop(&f);
    node_close(&n);
}

static void places_that_are_one_are_refused(void **state)
{
    static const char *const refused[] = {"out/a", "out/a/below", "out"};
    struct farm f;
    farm_start(&f, *state);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char body[2048];
        json_t *j = NULL;
        (void)snprintf(body, sizeof body,
                       "{\"pipeline\":%s,\"source\":\"%s\",\"destination\":\"%s\",\"backup\":"
                       "\"file://%s/%s\"}",
                       PIPELINE, f.source, f.destination, f.folder, refused[i]);
        assert_int_equal(farm_call(&f, "POST", "/v1/jobs", body, &j), 400);
        json_decref(j);
    }
    assert_false(farm_has(&f, "out/a/below"));
    farm_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_published_lies_there_too, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(places_that_are_one_are_refused, make_folder,
                                        remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
