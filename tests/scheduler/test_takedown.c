/* DELETE /v1/assets/ID through the daemon: what goes, what waits, and who is refused. */
#include "tests/scheduler/daemon_story.h"

/* Asked for until the answer is that, 404 mostly; *out (owned, or NULL) is the last one. */
static void wait_status(const struct farm *f, const char *path, int status, json_t **out)
{
    json_t *j = NULL;
    int got = 0;
    for (int i = 0; i < 400 && got != status; i++) {
        json_decref(j);
        got = farm_call(f, "GET", path, NULL, &j);
        if (got != status) {
            (void)poll(NULL, 0, 50);
        }
    }
    assert_int_equal(got, status);
    if (out != NULL) {
        *out = j;
    } else {
        json_decref(j);
    }
}

static void wait_failure(const struct farm *f, const char *path)
{
    bool failed = false;
    for (int i = 0; i < 400 && !failed; i++) {
        json_t *j = NULL;
        assert_int_equal(farm_call(f, "GET", path, NULL, &j), 200);
        const json_t *removing = json_object_get(j, "removing");
        failed = json_integer_value(json_object_get(removing, "failures")) > 0;
        assert_true(!failed || json_is_object(json_object_get(removing, "error")));
        json_decref(j);
        (void)poll(NULL, 0, failed ? 0 : 50);
    }
    assert_true(failed);
}

static void publish(const struct farm *f, struct node *n, const char *more, char id[64])
{
    farm_submit(f, PIPELINE, more, id);
    node_work(n, 5);
    wait_for(f, id, "job.done");
}

static size_t listed(const struct farm *f)
{
    json_t *j = NULL;
    assert_int_equal(farm_call(f, "GET", "/v1/assets", NULL, &j), 200);
    size_t n = json_array_size(json_object_get(j, "assets"));
    json_decref(j);
    return n;
}

static void move(const struct farm *f, const char *from, const char *to)
{
    char a[512], b[512];
    path_in(a, f->folder, from);
    path_in(b, f->folder, to);
    assert_int_equal(rename(a, b), 0);
}

static void expect_gone(const struct farm *f, const char *id)
{
    char path[128];
    json_t *j = NULL;
    static const char *const gone[] = {"report.json", "master.m3u8", "manifest.mpd", "v"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "out/a/%s", gone[i]);
        assert_false(farm_has(f, name));
    }
    assert_int_equal(listed(f), 0);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    assert_int_equal(farm_call(f, "GET", path, NULL, &j), 200);
    assert_true(json_is_true(json_object_get(j, "removed")));
    json_decref(j);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/files/master.m3u8", id);
    farm_expect(f, "GET", path, NULL, 404, "api.not_found");
}

static void a_title_goes_with_all_that_it_has(void **state)
{
    struct farm f;
    struct node n;
    char id[64], again[64], path[128];
    begin(&f, &n, *state);
    void *context = zmq_ctx_new(), *sub = subscribe(&f, context);
    publish(&f, &n, "", id);
    json_decref(wait_event(sub, "job.done"));
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    farm_expect(&f, "DELETE", "/v1/assets/nosuch", NULL, 404, "api.not_found");
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_status(&f, path, 404, NULL);
    json_t *event = wait_event(sub, "asset.removed");
    assert_string_equal(json_string_value(json_object_get(event, "subject")), id);
    json_decref(event);
    (void)zmq_close(sub);
    (void)zmq_ctx_term(context);
    expect_gone(&f, id);
    wait_for(&f, id, "job.done"); /* its stream is as it was */
    farm_kill(&f);
    farm_start(&f, *state);
    wait_status(&f, "/v1/assets", 200, NULL);
    expect_gone(&f, id);
    farm_expect(&f, "DELETE", path, NULL, 404, "api.not_found");
    node_hello(&n);
    publish(&f, &n, "", again); /* the same title, anew */
    assert_int_equal(listed(&f), 1);
    expect_file(&f, "out/a/master.m3u8", "master");
    farm_stop(&f);
    node_close(&n);
}

static void a_removal_outlives_its_scheduler(void **state)
{
    struct farm f;
    struct node n;
    char id[64], path[128];
    begin(&f, &n, *state);
    publish(&f, &n, "", id);
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    move(&f, "out/a", "out/away");
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_failure(&f, path);
    char body[2048];
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":" PIPELINE ",\"source\":\"%s\",\"destination\":\"%s\"}", f.source,
                   f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 409, "api.conflict"); /* not while it is cleared */
    farm_kill(&f);
    {
        char made[512]; /* of the mark that the refused job's check may have left */
        path_in(made, f.folder, "out/a/.gm-store");
        (void)unlink(made);
        path_in(made, f.folder, "out/a");
        (void)rmdir(made);
    }
    move(&f, "out/away", "out/a");
    farm_start(&f, *state);
    wait_status(&f, path, 404, NULL);
    expect_gone(&f, id);
    farm_stop(&f);
    node_close(&n);
}

static void who_writes_there_comes_first(void **state)
{
    struct farm f;
    struct node n;
    char id[64], other[64], path[128];
    begin(&f, &n, *state);
    publish(&f, &n, "", id);
    farm_submit(&f, PIPELINE, "",
                other); /* the same title again, unfinished: a retry is one, too */
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    farm_expect(&f, "DELETE", path, NULL, 409, "api.conflict");
    expect_file(&f, "out/a/master.m3u8", "master");
    farm_kill(&f);
}

static void anothers_title_stays(void **state)
{
    static const char over[] = "{\"job\": {\"id\": \"x\", \"state\": \"done\", \"publication\": "
                               "\"fedcba9876543210\", \"title\": \"another\"}}";
    struct farm f;
    struct node n;
    char id[64], path[128];
    begin(&f, &n, *state);
    publish(&f, &n, "", id);
    write_file(*state, "out/a/report.json", over, strlen(over)); /* of another farm */
    write_file(*state, "out/a/master.m3u8", "v/fedcba9876543210/x", 20);
    write_file(*state, "out/a/manifest.mpd", "v/fedcba9876543210/y", 20);
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_status(&f, path, 404, NULL);
    expect_file(&f, "out/a/report.json", over);
    expect_file(&f, "out/a/master.m3u8", "v/fedcba9876543210/x");
    assert_false(farm_has(&f, "out/a/" SEGMENT));
    farm_stop(&f);
    node_close(&n);
}

static void its_backup_goes_too(void **state)
{
    struct farm f;
    struct node n;
    char id[64], path[128], job[128], more[600];
    json_t *j = NULL;
    begin(&f, &n, *state);
    (void)snprintf(more, sizeof more, ",\"backup\":\"file://%s/out/second\"", f.folder);
    farm_submit(&f, PIPELINE, more, id);
    move(&f, "out/second", "out/away"); /* it waits */
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    (void)snprintf(job, sizeof job, "/v1/jobs/%s", id);
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    assert_int_equal(farm_call(&f, "GET", job, NULL, &j), 200);
    const json_t *backup = json_object_get(j, "backup");
    assert_string_equal(json_string_value(json_object_get(backup, "state")), "failed");
    json_decref(j);
    wait_failure(&f, path);
    assert_false(farm_has(&f, "out/a/master.m3u8"));
    farm_kill(&f);
    write_file(*state, "out/away/master.m3u8", "master", 6);
    write_file(*state, "out/away/report.json", "{}", 2);
    (void)snprintf(more, sizeof more, "{\"job\": {\"id\": \"%s\", \"state\": \"done\"}}", id);
    write_file(*state, "out/away/report.json", more, strlen(more));
    move(&f, "out/away", "out/second");
    farm_start(&f, *state);
    wait_status(&f, path, 404, NULL);
    assert_false(farm_has(&f, "out/second/master.m3u8"));
    assert_false(farm_has(&f, "out/second/report.json"));
    farm_stop(&f);
    node_close(&n);
}

/* The title before, which it replaced, does not come back. */
static void what_it_replaced_goes_with_it(void **state)
{
    struct farm f;
    struct node n;
    char first[64], id[64], path[128];
    begin(&f, &n, *state);
    publish(&f, &n, "", first);
    publish(&f, &n, ",\"replace\":true", id);
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_status(&f, path, 404, NULL);
    expect_gone(&f, first);
    farm_kill(&f);
    farm_start(&f, *state);
    wait_status(&f, path, 404, NULL);
    expect_gone(&f, first);
    farm_stop(&f);
    node_close(&n);
}

static void a_place_that_is_away_keeps_no_other(void **state)
{
    struct farm f;
    struct node n;
    char id[64], again[64], path[128], force[140], more[600];
    begin(&f, &n, *state);
    (void)snprintf(more, sizeof more, ",\"backup\":\"file://%s/out/second\"", f.folder);
    farm_submit(&f, PIPELINE, more, id);
    move(&f, "out/second", "out/away");
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    (void)snprintf(force, sizeof force, "%s?force=1", path);
    farm_expect(&f, "DELETE", force, NULL, 409, "api.conflict"); /* it was not asked to go */
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_failure(&f, path);
    publish(&f, &n, "", again);
    assert_int_equal(listed(&f), 2);
    farm_expect(&f, "DELETE", force, NULL, 202, NULL);
    wait_status(&f, path, 404, NULL);
    assert_int_equal(listed(&f), 1);
    farm_kill(&f);
    farm_start(&f, *state);
    (void)snprintf(more, sizeof more, "/v1/assets/%s", again);
    wait_status(&f, more, 200, NULL);
    farm_expect(&f, "GET", path, NULL, 404, "api.not_found");
    expect_file(&f, "out/a/master.m3u8", "master");
    farm_stop(&f);
    node_close(&n);
}

/* A job that failed there and shares outputs with the title has nothing to go on from. */
static void what_failed_there_is_made_anew(void **state)
{
    struct farm f;
    struct node n;
    json_t *j = NULL;
    char id[64], failed[64], path[128];
    farm_start_keeping(&f, *state, 3600000);
    node_open(&n, &f);
    node_hello(&n);
    publish(&f, &n, "", id);
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(&f, PIPELINE, "", failed);
    node_work(&n, 5);
    wait_for(&f, failed, "job.failed");
    (void)snprintf(path, sizeof path, "/v1/assets/%s", id);
    farm_expect(&f, "DELETE", path, NULL, 202, NULL);
    wait_status(&f, path, 404, NULL);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:retry", failed);
    assert_int_equal(farm_call(&f, "POST", path, NULL, &j), 201);
    const char *why = json_string_value(json_object_get(json_object_get(j, "again"), "why"));
    assert_non_null(why);
    assert_non_null(strstr(why, "is not kept any more"));
    json_decref(j);
    farm_kill(&f);
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_failed_there_is_made_anew, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_title_goes_with_all_that_it_has, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_removal_outlives_its_scheduler, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(who_writes_there_comes_first, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(anothers_title_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(its_backup_goes_too, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_it_replaced_goes_with_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_place_that_is_away_keeps_no_other, make_folder,
                                        remove_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
