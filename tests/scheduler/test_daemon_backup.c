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

/* Asked for until a report there says so. */
static void expect_told(const struct farm *f, const char *name, const char *state)
{
    char path[512];
    bool told = false;
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    for (int i = 0; i < 2400 && !told; i++) {
        json_t *j = json_load_file(path, 0, NULL);
        const char *said =
            json_string_value(json_object_get(json_object_get(j, "backup"), "state"));
        told = said != NULL && strcmp(said, state) == 0;
        json_decref(j);
        (void)poll(NULL, 0, told ? 0 : 50);
    }
    assert_true(told);
}

/* Another destination's, published while this one waited: with or without `replace`. */
static void what_was_published_later_stays_there(void **state)
{
    static const char over[] =
        "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": \"later\", "
        "\"title\": \"another\", \"finished\": \"%d-01-01T00:00:00.000Z\"}}";
    struct farm f;
    struct node n;
    char id[64], more[600], report[256];
    begin(&f, &n, *state);
    for (int year = 9000; year >= 2000; year -= 7000) {
        (void)snprintf(more, sizeof more, ",\"replace\":true,\"backup\":\"file://%s/out/second\"",
                       f.folder);
        farm_submit(&f, PIPELINE, more, id);
        (void)snprintf(report, sizeof report, over, year);
        write_file(*state, "out/second/report.json", report, strlen(report));
        node_work(&n, 5);
        wait_for(&f, id, "job.done");
        expect_backup(&f, id, year == 9000 ? "failed" : "done", year == 9000 ? "api.conflict" : "");
    }
    farm_stop(&f);
    node_close(&n);
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
    expect_told(&f, "out/a/report.json", "done");
    expect_told(&f, "out/second/report.json", "done");

    write_file(*state, "out/second/report.json", over, strlen(over));
    submit(&f, "out/second", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done"); /* another title stands there, and stays */
    expect_backup(&f, id, "failed", "storage.title_exists");
    expect_file(&f, "out/second/report.json", over);
    expect_told(&f, "out/a/report.json", "failed");
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
        cmocka_unit_test_setup_teardown(what_was_published_later_stays_there, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(places_that_are_one_are_refused, make_folder,
                                        remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
