/* What a page asks of a farm and of a job: tasks, attempts, the farm at a glance. */
#include "tests/scheduler/daemon_story.h"

static json_t *get(const struct farm *f, const char *id, const char *what)
{
    char path[256];
    json_t *j = NULL;
    (void)snprintf(path, sizeof path, "/v1/%s%s%s", id[0] != '\0' ? "jobs/" : "", id, what);
    int status = farm_call(f, "GET", path, NULL, &j);
    if (status != 200) {
        fail_msg("GET %s: %d %s", path, status, json_string_value(json_object_get(j, "detail")));
    }
    return j;
}

/* What lies at a path of members and places: "tasks/3/nodes/0". */
static const json_t *at(const json_t *j, const char *path)
{
    char step[64];
    while (j != NULL && path[0] != '\0') {
        size_t n = strcspn(path, "/");
        (void)snprintf(step, sizeof step, "%.*s", (int)n, path);
        j = json_is_array(j) ? json_array_get(j, (size_t)atoi(step)) : json_object_get(j, step);
        path += n + (path[n] == '/' ? 1 : 0);
    }
    return j;
}

static void expect_number(const json_t *j, const char *path, double value)
{
    const json_t *found = at(j, path);
    if (!json_is_number(found) || json_number_value(found) != value) {
        fail_msg("%s is %g, not %g", path, json_number_value(found), value);
    }
}

static void expect_text(const json_t *j, const char *path, const char *value)
{
    const char *found = json_string_value(at(j, path));
    if (found == NULL || strcmp(found, value) != 0) {
        fail_msg("%s is %s, not %s", path, found != NULL ? found : "no string", value);
    }
}

static void look_at_a_queue(const struct farm *f)
{
    json_t *j = get(f, "", "farm");
    expect_number(j, "queue/jobs", 1);
    expect_number(j, "queue/tasks_ready", 1);
    assert_true(json_is_real(at(j, "queue/oldest_wait_s")));
    expect_number(j, "jobs/queued", 1);
    expect_number(j, "jobs/running", 0);
    expect_number(j, "nodes/connected", 0);
    expect_number(j, "throughput/speed", 0);
    assert_true(json_is_true(at(j, "ready")));
    assert_int_equal(json_array_size(at(j, "failures")), 0);
    json_decref(j);
}

static void look_at_work(const struct farm *f, const char *id)
{
    json_t *j = get(f, id, "/tasks");
    expect_text(j, "tasks/3/name", "video");
    expect_text(j, "tasks/3/state", "running");
    expect_text(j, "tasks/3/needs/0", "split");
    expect_text(j, "tasks/3/streams/0", "split");
    expect_text(j, "tasks/3/nodes/0", "node-1");
    expect_text(j, "tasks/4/needs/0", "video");
    expect_number(j, "tasks/3/instances", 1);
    assert_int_equal(json_array_size(at(j, "tasks/4/streams")), 0);
    assert_int_equal(json_array_size(at(j, "tasks/0/needs")), 0);
    assert_int_equal(json_array_size(at(j, "tasks/0/nodes")), 0);
    json_decref(j);
    j = get(f, id, "/attempts?after=3");
    assert_int_equal(json_array_size(at(j, "attempts")), 1);
    expect_text(j, "attempts/0/outcome", "running");
    assert_true(json_is_null(at(j, "attempts/0/ended")));
    assert_true(json_is_null(at(j, "attempts/0/code")));
    json_decref(j);
    j = get(f, "", "farm");
    expect_number(j, "queue/jobs", 0);
    expect_number(j, "nodes/connected", 1);
    expect_number(j, "slots", 4);
    expect_number(j, "slots_used", 1);
    json_decref(j);
}

static void look_back(const struct farm *f, const char *id)
{
    json_t *j = get(f, id, "/attempts?limit=4");
    assert_int_equal(json_array_size(at(j, "attempts")), 4);
    expect_number(j, "next", 4);
    expect_text(j, "attempts/3/task", "video");
    expect_text(j, "attempts/3/outcome", "failed");
    expect_text(j, "attempts/3/code", "node.worker_died");
    expect_text(j, "attempts/3/text", "made to fail");
    expect_text(j, "attempts/3/node", "node-1");
    expect_number(j, "attempts/3/chunks", 1);
    expect_number(j, "attempts/0/first_chunk", -1);
    expect_number(j, "attempts/0/usage/cpu_s", 0.5);
    json_decref(j);
    j = get(f, id, "/attempts?after=4");
    assert_int_equal(json_array_size(at(j, "attempts")), 2);
    assert_true(json_is_null(at(j, "next")));
    json_decref(j);
    j = get(f, "", "farm");
    expect_text(j, "failures/0/code", "node.worker_died");
    expect_number(j, "failures/0/count", 1);
    assert_true(json_is_string(at(j, "failures/0/last")));
    expect_number(j, "jobs/done", 1);
    json_decref(j);
}

/* The same line by line as at once, and over a restart. */
static void look_at_logs(struct farm *f, const char *id)
{
    char path[96];
    json_int_t after = 0;
    size_t failed = 0, i = 0, n;
    json_t *all = get(f, id, "/logs");
    const json_t *line = NULL;
    expect_text(all, "lines/0/text", "The job was accepted.");
    assert_true(json_is_null(at(all, "next")));
    n = json_array_size(at(all, "lines"));
    json_array_foreach(at(all, "lines"), i, line)
    {
        const char *text = json_string_value(at(line, "text"));
        if (strcmp(text, "Attempt 4 of `video` failed with node.worker_died: made to fail") == 0) {
            failed++;
            expect_text(line, "level", "warn");
            expect_text(line, "task", "video");
            expect_text(line, "node", "node-1");
        }
    }
    assert_int_equal(failed, 1);
    expect_text(json_array_get(at(all, "lines"), n - 1), "text", "The job is done.");
    farm_kill(f);
    farm_start(f, f->folder);
    for (i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "/logs?limit=1&after=%lld", (long long)after);
        json_t *j = get(f, id, path);
        assert_true(json_equal(at(j, "lines/0"), json_array_get(at(all, "lines"), i)));
        after = json_integer_value(at(j, "lines/0/seq"));
        assert_true(json_is_null(at(j, "next")) == (i + 1 == n));
        json_decref(j);
    }
    json_decref(all);
}

static void a_job_is_looked_at_from_its_queue_to_its_end(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    farm_start(&f, *state);
    node_open(&n, &f);
    farm_submit(&f, PIPELINE, "", id);
    look_at_a_queue(&f);
    node_hello(&n);
    node_work(&n, 3);
    Gm__Envelope *assign = node_wait(&n, GM__ENVELOPE__BODY_ASSIGN);
    look_at_work(&f, id);
    n.early[n.early_count++] = assign;
    n.lost = "video/360p/seg-00001-other.m4s";
    node_work(&n, 3);
    wait_for(&f, id, "job.done");
    look_back(&f, id);
    char change[96];
    (void)snprintf(change, sizeof change, "/v1/jobs/%s:priority", id);
    farm_expect(&f, "POST", change, "{\"priority\":1}", 409, "api.conflict");
    look_at_logs(&f, id);
    farm_expect(&f, "GET", "/v1/jobs/nosuch/logs", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch/tasks", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch/attempts", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/farm?x=1", NULL, 400, "usage.invalid");
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/attempts?limit=501", id);
    farm_expect(&f, "GET", path, NULL, 400, "usage.invalid");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/attempts?after=-1", id);
    farm_expect(&f, "GET", path, NULL, 400, "usage.invalid");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s/tasks?limit=1", id);
    farm_expect(&f, "GET", path, NULL, 400, "usage.invalid");
    farm_stop(&f);
    node_close(&n);
}

static size_t found(const struct farm *f, const char *query, const char *first)
{
    char path[256];
    json_t *j = NULL;
    (void)snprintf(path, sizeof path, "/v1/jobs?%s", query);
    assert_int_equal(farm_call(f, "GET", path, NULL, &j), 200);
    size_t n = json_array_size(at(j, "jobs"));
    if (n > 0) {
        expect_text(j, "jobs/0/id", first);
        assert_true((at(j, "jobs/0/tasks") == NULL) == (strstr(query, "light=1") != NULL));
    }
    json_decref(j);
    return n;
}

static void lists_are_sifted(void **state)
{
    struct farm f;
    char a[64], b[64], query[128];
    farm_start(&f, *state);
    farm_submit(&f, PIPELINE, ",\"external_id\":\"Film 1\"", a);
    farm_submit(&f, PIPELINE, ",\"tenant\":\"few\"", b);
    assert_int_equal(found(&f, "light=1", b), 2);
    assert_int_equal(found(&f, "q=CLIP", b), 2);
    assert_int_equal(found(&f, "q=film", a), 1);
    (void)snprintf(query, sizeof query, "light=1&q=%s", a + 3);
    assert_int_equal(found(&f, query, a), 1);
    assert_int_equal(found(&f, "external_id=Film%201&state=queued", a), 1);
    assert_int_equal(found(&f, "external_id=Film", NULL), 0);
    assert_int_equal(found(&f, "tenant=few&pipeline=x", b), 1);
    assert_int_equal(found(&f, "tenant=few&state=done", NULL), 0);
    assert_int_equal(found(&f, "pipeline=y", NULL), 0);
    farm_expect(&f, "GET", "/v1/jobs?tennant=few", NULL, 400, "usage.invalid");
    farm_expect(&f, "GET", "/v1/jobs?light=2", NULL, 400, "usage.invalid");
    farm_stop(&f);
}

static void a_priority_is_changed_for_good(void **state)
{
    struct farm f;
    char id[64], path[128];
    json_t *j = NULL;
    farm_start(&f, *state);
    farm_submit(&f, PIPELINE, "", id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:priority", id);
    assert_int_equal(farm_call(&f, "POST", path, "{\"priority\":90}", &j), 202);
    expect_number(j, "priority", 90);
    expect_text(j, "class", "high");
    json_decref(j);
    farm_expect(&f, "POST", path, "{\"priority\":101}", 400, "usage.invalid");
    farm_expect(&f, "POST", path, "{\"priority\":\"1\"}", 400, "usage.invalid");
    farm_expect(&f, "POST", path, "{}", 400, "usage.invalid");
    farm_expect(&f, "POST", path, "{\"priority\":1,\"x\":1}", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/jobs/nosuch:priority", "{\"priority\":1}", 404, "api.not_found");
    farm_kill(&f);
    farm_start(&f, *state);
    j = get(&f, id, "");
    expect_number(j, "priority", 90);
    expect_text(j, "class", "high");
    json_decref(j);
    farm_stop(&f);
}

static void what_was_cancelled_is_made_again(void **state)
{
    struct farm f;
    char id[64], path[128], text[64];
    json_t *j = NULL;
    farm_start(&f, *state);
    farm_submit(&f, PIPELINE, ",\"external_id\":\"e\",\"priority\":7", id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:retry", id);
    farm_expect(&f, "POST", path, NULL, 409, "api.conflict");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    farm_expect(&f, "POST", path, NULL, 202, NULL);
    wait_for(&f, id, "job.cancelled");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:retry", id);
    farm_expect(&f, "POST", path, "{\"x\":1}", 400, "usage.invalid");
    assert_int_equal(farm_call(&f, "POST", path, NULL, &j), 201);
    expect_text(j, "retry_of", id);
    expect_text(j, "external_id", "e");
    expect_text(j, "pipeline", "x");
    expect_text(j, "source", f.source);
    expect_text(j, "destination", f.destination);
    expect_number(j, "priority", 7);
    expect_text(j, "state", "queued");
    (void)snprintf(text, sizeof text, "%s", json_string_value(at(j, "id")));
    assert_string_not_equal(text, id);
    json_decref(j);
    farm_kill(&f);
    farm_start(&f, *state);
    j = get(&f, id, "");
    expect_text(j, "retried_as", text);
    assert_true(json_is_null(at(j, "retry_of")));
    json_decref(j);
    j = get(&f, text, "");
    expect_text(j, "retry_of", id);
    json_decref(j);
    farm_expect(&f, "POST", "/v1/jobs/nosuch:retry", NULL, 404, "api.not_found");
    farm_stop(&f);
}

static void publish(const struct farm *f, struct node *n, const char *destination, char id[64])
{
    char url[560];
    json_t *j = NULL;
    char body[2048];
    (void)snprintf(url, sizeof url, "file://%s/out/%s", f->folder, destination);
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":" PIPELINE ",\"source\":\"%s\",\"destination\":\"%s\"}",
                   f->source, url);
    assert_int_equal(farm_call(f, "POST", "/v1/jobs", body, &j), 201);
    (void)snprintf(id, 64, "%s", json_string_value(at(j, "id")));
    json_decref(j);
    node_work(n, 5);
    wait_for(f, id, "job.done");
}

static void titles_that_were_published_are_assets(void **state)
{
    struct farm f;
    struct node n;
    char first[64], again[64], other[64], waits[64];
    begin(&f, &n, *state);
    publish(&f, &n, "a", first);
    publish(&f, &n, "b", other);
    publish(&f, &n, "a", again); /* in the place of the first */
    farm_submit(&f, PIPELINE, "", waits);
    json_t *j = get(&f, "", "assets?limit=1");
    assert_int_equal(json_array_size(at(j, "assets")), 1);
    expect_text(j, "assets/0/job", again);
    expect_text(j, "assets/0/title", "clip.mp4");
    expect_text(j, "assets/0/publication", PUBLICATION);
    expect_text(j, "assets/0/renditions/0/name", "360p");
    expect_number(j, "assets/0/renditions/0/height", 360);
    expect_text(j, "assets/0/manifests/1", "manifest.mpd");
    assert_true(json_is_null(at(j, "assets/0/poster")));
    char query[128];
    (void)snprintf(query, sizeof query, "assets?cursor=%s", json_string_value(at(j, "next")));
    json_decref(j);
    j = get(&f, "", query);
    assert_int_equal(json_array_size(at(j, "assets")), 1);
    expect_text(j, "assets/0/job", other);
    assert_true(json_is_null(at(j, "next")));
    json_decref(j);
    j = get(&f, "", "assets?q=out/B");
    assert_int_equal(json_array_size(at(j, "assets")), 1);
    farm_expect(&f, "GET", "/v1/assets?light=1", NULL, 400, "usage.invalid");
    farm_expect(&f, "GET", "/v1/assets?cursor=x", NULL, 400, "usage.invalid");
    farm_kill(&f);
    farm_start(&f, *state);
    (void)snprintf(query, sizeof query, "/v1/assets/%s", again);
    for (int i = 0, status = 0; i < 400 && status != 200; i++) { /* read by the pool */
        json_decref(j);
        status = farm_call(&f, "GET", query, NULL, &j);
        (void)poll(NULL, 0, status == 200 ? 0 : 50);
    }
    expect_text(j, "title", "clip.mp4");
    assert_true(json_is_true(at(j, "known")));
    assert_true(json_is_null(at(j, "removing")));
    json_decref(j);
    farm_stop(&f);
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_looked_at_from_its_queue_to_its_end, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(lists_are_sifted, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_priority_is_changed_for_good, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_was_cancelled_is_made_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(titles_that_were_published_are_assets, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
