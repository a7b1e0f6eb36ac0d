/* Whole jobs through the daemon, with a node that this test plays over the real socket: grants,
 * what is published and in which state, and what is deleted. */
#include "tests/scheduler/daemon_story.h"

/* "code=count " of each. */
static void expect_warnings(const json_t *report, const char *want)
{
    char said[256] = "";
    size_t at = 0, i;
    json_t *w;
    json_array_foreach(json_object_get(report, "warnings"), i, w)
    {
        at += (size_t)snprintf(said + at, sizeof said - at, "%s=%d ",
                               json_string_value(json_object_get(w, "code")),
                               (int)json_integer_value(json_object_get(w, "count")));
        assert_true(at < sizeof said);
    }
    assert_string_equal(said, want);
}

static void a_job_ends_published_and_clean(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    json_t *j = NULL;
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    farm_stop(&f); /* what deletions run end first */
    expect_file(&f, "out/a/master.m3u8", "master");
    expect_file(&f, "out/a/manifest.mpd", "manifest");
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    assert_true(work_store_is_empty(&f));
    j = report_of(&f);
    json_t *rendition = json_array_get(json_object_get(j, "renditions"), 0);
    assert_int_equal(json_integer_value(json_object_get(rendition, "bytes")), 9);
    assert_int_equal(json_integer_value(json_object_get(rendition, "average_bps")), 12);
    assert_int_equal(json_array_size(json_object_get(j, "outputs")), 3);
    assert_int_equal(json_array_size(json_object_get(j, "tasks")), 5);
    expect_warnings(j, "input.odd=2 input.decode_errors=5 input.frames_replaced=3 "
                       "encode.captions_dropped=7 ");
    assert_int_equal(json_array_size(json_object_get(j, "errors")), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "job"), "state")),
                        "done");
    json_t *estimated = json_object_get(json_object_get(j, "plan"), "estimated");
    assert_int_equal(json_integer_value(json_object_get(estimated, "segments")), 1);
    assert_true(json_real_value(json_object_get(json_object_get(j, "cost"), "cpu_s")) > 2.4);
    json_decref(j);
    node_close(&n);
}

/* A first attempt, which is lost, stores a segment of other bytes, so of another name. */
static void what_a_lost_attempt_left_goes_when_the_job_is_done(void **state)
{
    static const struct {
        const char *master;
        bool stays;
    } rows[] = {{"master", false}, {"v/" PUBLICATION "/video/360p/seg-00001-other.m4s", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct farm f;
        struct node n;
        char id[64];
        void *folder = NULL;
        assert_int_equal(make_folder(&folder), 0);
        begin(&f, &n, folder);
        n.lost = "video/360p/seg-00001-other.m4s";
        n.master = rows[i].master;
        farm_submit(&f, PIPELINE, "", id);
        node_work(&n, 4);
        assert_true(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-other.m4s"));
        node_work(&n, 2);
        wait_for(&f, id, "job.done");
        farm_stop(&f);
        expect_file(&f, "out/a/" SEGMENT, "a segment");
        assert_int_equal(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-other.m4s"),
                         rows[i].stays);
        assert_true(work_store_is_empty(&f));
        node_close(&n);
        assert_int_equal(remove_folder(&folder), 0);
    }
    (void)state;
}

/* What the second job lost is the first one's, which is done. */
static void what_a_lost_attempt_left_stays_where_another_job_published_it(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.done");
    n.lost = "video/360p/seg-00001-a.m4s";
    n.segment = "video/360p/seg-00001-b.m4s";
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 6);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    expect_file(&f, "out/a/" SEGMENT, "another");
    assert_true(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-b.m4s"));
    node_close(&n);
}

/* Renew, garbage, Renew, all in one message. */
static void send_batch(struct node *n)
{
    struct gm_batch b = {0};
    struct gm_err err = {0};
    Gm__Renew renew = GM__RENEW__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    size_t size = 0;
    env.body_case = GM__ENVELOPE__BODY_RENEW;
    env.renew = &renew;
    renew.number = 1;
    ASSERT_OK(gm_batch_add(&b, &env, &err));
    ASSERT_OK(gm_batch_add_bytes(&b, "nonsense", 8, &err));
    renew.number = 2;
    ASSERT_OK(gm_batch_add(&b, &env, &err));
    const void *data = gm_batch_bytes(&b, &size);
    assert_int_equal(zmq_send(n->socket, data, size, 0), size);
    gm_batch_fini(&b);
}

/* Each envelope of a batch is taken or refused by itself; the answers leave together, in order, to
 * who reads that, and else one by one, in the same order. */
static void a_batch_is_answered_at_once(void **state)
{
    static const int wanted[] = {GM__ENVELOPE__BODY_RENEWED, GM__ENVELOPE__BODY_REFUSE,
                                 GM__ENVELOPE__BODY_RENEWED};
    for (int alone = 0; alone < 2; alone++) {
        struct farm f;
        struct node n;
        void *folder = NULL;
        assert_int_equal(make_folder(&folder), 0);
        farm_start(&f, folder);
        node_open(&n, &f);
        n.alone = alone != 0;
        node_hello(&n);
        send_batch(&n);
        for (int i = 0; i < 3; i++) {
            Gm__Envelope *env = node_receive(&n);
            assert_int_equal(env->body_case, wanted[i]);
            assert_int_equal(n.reader.count, alone != 0 ? 1 : 3);
            gm__envelope__free_unpacked(env, NULL);
        }
        node_renew(&n); /* it is as it was */
        farm_stop(&f);
        node_close(&n);
        assert_int_equal(remove_folder(&folder), 0);
    }
    (void)state;
}

static void a_failed_job_leaves_its_report_alone(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    json_t *j = NULL;
    farm_start(&f, *state);
    path_in(path, *state, "out/a");
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(*state, "out/a/master.m3u8", "older", 5); /* of an earlier job */
    node_open(&n, &f);
    node_hello(&n);
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(&f, PIPELINE, ",\"replace\":true", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.failed");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    assert_int_equal(farm_call(&f, "GET", path, NULL, &j), 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "error"), "code")),
                        "input.no_video");
    json_decref(j);
    farm_stop(&f);
    j = report_of(&f);
    assert_int_equal(json_array_size(json_object_get(j, "outputs")), 0);
    assert_int_equal(json_array_size(json_object_get(j, "errors")), 1);
    json_decref(j);
    expect_file(&f, "out/a/master.m3u8", "older");
    assert_false(farm_has(&f, "out/a/manifest.mpd"));
    assert_false(farm_has(&f, "out/a/" SEGMENT)); /* granted, not published: deleted */
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* Told to stop while a run goes on behind its last chunk: what it stored goes with its lease. */
/* The leases of the only node hold all that is used of its device, in each dimension. */
static void expect_held(struct farm *f)
{
    size_t i;
    json_t *j = NULL;
    const json_t *lease;
    json_t *of;
    const char *dimension;
    assert_int_equal(farm_call(f, "GET", "/v1/nodes", NULL, &j), 200);
    const json_t *node = json_array_get(json_object_get(j, "nodes"), 0);
    json_t *used = json_object_get(json_array_get(json_object_get(node, "devices"), 0), "used");
    const json_t *leases = json_object_get(node, "leases");
    assert_true(json_array_size(leases) > 0);
    assert_true(json_integer_value(json_object_get(used, "memory_bytes")) > 0);
    assert_non_null(json_object_get(used, "device_memory_bytes"));
    json_object_foreach(used, dimension, of)
    {
        double held = 0;
        json_array_foreach(leases, i, lease)
        {
            const json_t *own = json_object_get(json_object_get(lease, "demand"), dimension);
            assert_non_null(own);
            held += json_number_value(own);
        }
        assert_true(held == json_number_value(of));
    }
    json_decref(j);
}

static void a_stopping_scheduler_waits_for_leases_to_clean(void **state)
{
    struct farm f;
    struct node n;
    char id[64], second[64];
    char *events = NULL;
    uint8_t sha256[32];
    Gm__Object object;
    Gm__Goodbye goodbye = GM__GOODBYE__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    int status = 0;
    begin(&f, &n, *state);
    n.stop_at = "after encode";
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 3);
    Gm__Envelope *assign = node_wait(&n, GM__ENVELOPE__BODY_ASSIGN);
    n.assign = assign->assign;
    do_encode(&n);
    node_store(&n, GM__OBJECT_STORE__STORE_OUT, "video/360p/seg-00001-b.m4s", "loose", &object,
               sha256);
    free(object.key);
    node_work(&n, 1);
    wait_for(&f, id, "job.done");
    assert_true(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-b.m4s"));
    farm_submit(&f, PIPELINE, "", second);
    gm__envelope__free_unpacked(node_wait(&n, GM__ENVELOPE__BODY_ASSIGN), NULL);
    expect_held(&f);
    int fd = farm_events(&f, second, NULL);
    assert_true(farm_read_until(fd, "event: job\ndata: {", &events));
    assert_int_equal(kill(f.pid, SIGTERM), 0);
    assert_true(farm_read_until(fd, "\r\n0\r\n", &events)); /* streams end when it was told */
    (void)close(fd);
    free(events);
    farm_expect(&f, "POST", "/v1/jobs", "{}", 503, "api.busy");
    env.body_case = GM__ENVELOPE__BODY_GOODBYE;
    env.goodbye = &goodbye;
    node_send(&n, &env);
    assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(farm_has(&f, "out/a/v/" PUBLICATION "/video/360p/seg-00001-b.m4s"));
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    assert_true(work_store_is_empty(&f));
    gm__envelope__free_unpacked(assign, NULL);
    node_close(&n);
}

/* A second job with the same outputs fails: the first one's objects stay. */
static void a_failed_job_does_not_delete_what_another_published(void **state)
{
    struct farm f;
    struct node n;
    char first[64];
    char second[64];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", first);
    node_work(&n, 5);
    wait_for(&f, first, "job.done");
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(&f, PIPELINE, "", second);
    node_work(&n, 5);
    wait_for(&f, second, "job.failed");
    farm_stop(&f);
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    expect_file(&f, "out/a/master.m3u8", "master");
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* A job that fails at its last task, on a node with or without a fake GPU: then the plan for that
 * is given up first. The farm is stopped, what it deletes is deleted. */
static void fail_last(struct farm *f, bool gpu)
{
    struct node n;
    char id[64];
    node_open(&n, f);
    n.gpu = gpu;
    node_hello(&n);
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(f, PIPELINE, ",\"replace\":true", id);
    node_work(&n, gpu ? 8 : 5);
    wait_for(f, id, "job.failed");
    farm_stop(f);
    assert_true(work_store_is_empty(f));
    node_close(&n);
}

/* The same, where the first job was another farm's: what it left says so. */
static void fail_beside(char *folder, const char *name, const char *content, bool stays)
{
    struct farm f;
    char path[512];
    farm_start(&f, folder);
    path_in(path, folder, "out/a");
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(folder, name, content, strlen(content));
    fail_last(&f, false);
    assert_int_equal(farm_has(&f, "out/a/" SEGMENT), stays);
    expect_file(&f, name, content);
}

static void a_manifest_of_another_farm_keeps_its_outputs(void **state)
{
    fail_beside(*state, "out/a/master.m3u8", "#EXTM3U\nv/" PUBLICATION "/video/media.m3u8\n", true);
}

static void a_done_report_of_another_farm_stays_with_its_outputs(void **state)
{
    fail_beside(*state, "out/a/report.json",
                "{\"job\": {\"state\": \"done\", \"publication\": \"" PUBLICATION "\"}}", true);
}

/* A result without manifests, MP4 alone, is known by its report: it must not be lost. */
static void a_done_report_of_another_result_stays(void **state)
{
    fail_beside(*state, "out/a/report.json",
                "{\"job\": {\"state\": \"done\", \"publication\": \"another\"}}", false);
}

/* Nobody knows whose the outputs are: they stay, the work objects go. */
static void outputs_stay_where_a_manifest_can_not_be_read(void **state)
{
    struct farm f;
    char path[512];
    farm_start(&f, *state);
    path_in(path, *state, "out/a");
    assert_int_equal(mkdir(path, 0755), 0);
    path_in(path, *state, "out/a/manifest.mpd");
    assert_int_equal(mkfifo(path, 0644), 0);
    fail_last(&f, false);
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    json_t *j = report_of(&f);
    assert_int_equal(json_array_size(json_object_get(j, "errors")), 1);
    json_decref(j);
}

static void outputs_of_a_plan_that_was_given_up_go(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    farm_start(&f, *state);
    node_open(&n, &f);
    n.gpu = true;
    node_hello(&n);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4); /* the GPU's encode fails */
    assert_true(farm_has(&f, "out/a/" GPU_SEGMENT));
    node_work(&n, 4);
    wait_for(&f, id, "job.done");
    farm_stop(&f);
    expect_file(&f, "out/a/" SEGMENT, "a segment");
    assert_false(farm_has(&f, "out/a/v/" GPU_PUBLICATION));
    assert_true(work_store_is_empty(&f));
    json_t *j = report_of(&f);
    json_t *given_up = json_object_get(json_object_get(j, "encoding"), "given_up");
    assert_int_equal(json_array_size(given_up), 1);
    json_decref(j);
    node_close(&n);
}

/* Of two plans' outputs those stay that another farm's manifest names. */
static void after_a_replan_outputs_go_by_publication(void **state)
{
    static const struct {
        const char *manifest;
        bool gpu, cpu; /* whose outputs stay */
    } rows[] = {{"v/" GPU_PUBLICATION "/x", true, false},
                {"v/" PUBLICATION "/x", false, true},
                {"v/another/x", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct farm f;
        void *folder = NULL;
        char path[512];
        assert_int_equal(make_folder(&folder), 0);
        farm_start(&f, folder);
        path_in(path, folder, "out/a");
        assert_int_equal(mkdir(path, 0755), 0);
        write_file(folder, "out/a/manifest.mpd", rows[i].manifest, strlen(rows[i].manifest));
        fail_last(&f, true);
        assert_int_equal(farm_has(&f, "out/a/" GPU_SEGMENT), rows[i].gpu);
        assert_int_equal(farm_has(&f, "out/a/" SEGMENT), rows[i].cpu);
        assert_int_equal(remove_folder(&folder), 0);
    }
    (void)state;
}

/* The report, which comes first, says done; then no manifest can be written, and the job is
 * cancelled. */
static void an_own_report_keeps_nothing_when_manifests_fail(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    farm_start(&f, *state);
    path_in(path, *state, "out/a");
    assert_int_equal(mkdir(path, 0755), 0);
    path_in(path, *state, "out/a/master.m3u8");
    assert_int_equal(mkdir(path, 0755), 0); /* in the way */
    node_open(&n, &f);
    node_hello(&n);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    farm_expect(&f, "POST", path, NULL, 202, NULL);
    wait_for(&f, id, "job.cancelled");
    farm_stop(&f);
    json_t *j = report_of(&f);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "job"), "state")),
                        "cancelled");
    json_decref(j);
    assert_false(farm_has(&f, "out/a/manifest.mpd"));
    assert_false(farm_has(&f, "out/a/v"));
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* Killed with work committed: the next scheduler goes on where the last one was. */
static void a_killed_scheduler_goes_on(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    begin(&f, &n, *state);
    n.stop_at = "package";
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    farm_kill(&f);
    node_close(&n);
    begin(&f, &n, *state);
    node_renew(&n);   /* it works no more for the scheduler that died */
    node_work(&n, 1); /* only package is left */
    wait_for(&f, id, "job.done");
    assert_int_equal(n.source_reads, 0);
    farm_stop(&f);
    expect_file(&f, "out/a/manifest.mpd", "manifest");
    assert_true(work_store_is_empty(&f));
    node_close(&n);
}

/* Killed while it can't publish: the next scheduler publishes. */
static void publishing_goes_on_after_a_kill(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    char moved[512];
    begin(&f, &n, *state);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 4);
    path_in(path, *state, "out/a");
    path_in(moved, *state, "out/aside");
    assert_int_equal(rename(path, moved), 0);
    write_file(*state, "out/a", "in the way", 10);
    Gm__Envelope *env = node_wait(&n, GM__ENVELOPE__BODY_ASSIGN);
    Gm__PackageMeta package = GM__PACKAGE_META__INIT;
    n.assign = env->assign;
    node_done(&n, &package.base, false);
    gm__envelope__free_unpacked(env, NULL);
    farm_kill(&f);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(moved, path), 0);
    assert_false(farm_has(&f, "out/a/report.json"));
    farm_start(&f, *state);
    wait_for(&f, id, "job.done");
    assert_true(farm_has(&f, "out/a/report.json"));
    assert_false(farm_has(&f, "out/a/master.m3u8")); /* it was empty: not asked for */
    farm_stop(&f);
    node_close(&n);
}

/* The results that split would be given fill more than a message: no node can be told, and the job
 * says so at once. */
static void an_assignment_that_fits_no_message_fails_the_job(void **state)
{
    struct farm f;
    struct node n;
    char id[64];
    char path[512];
    json_t *j = NULL;
    begin(&f, &n, *state);
    n.ballast = calloc(1, BALLAST);
    assert_non_null(n.ballast);
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 2);
    wait_for(&f, id, "job.failed");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    assert_int_equal(farm_call(&f, "GET", path, NULL, &j), 200);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "error"), "code")),
                        "limit.exceeded");
    json_decref(j);
    farm_stop(&f);
    node_close(&n);
    free(n.ballast);
}

static void strangers_are_refused(void **state)
{
    struct farm f;
    struct node n;
    Gm__Welcome welcome = GM__WELCOME__INIT;
    Gm__Hello hello = GM__HELLO__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    farm_start(&f, *state);
    node_open(&n, &f);
    assert_int_equal(zmq_send(n.socket, "rubbish", 7, 0), 7);
    Gm__Envelope *answer = node_wait(&n, GM__ENVELOPE__BODY_REFUSE);
    assert_int_equal(answer->refuse->error->code, GM_E_PROTO);
    gm__envelope__free_unpacked(answer, NULL);
    env.body_case = GM__ENVELOPE__BODY_WELCOME;
    env.welcome = &welcome;
    node_send(&n, &env);
    gm__envelope__free_unpacked(node_wait(&n, GM__ENVELOPE__BODY_REFUSE), NULL);
    gm__envelope__init(&env);
    hello.node_id = (char *)(uintptr_t) "someone-else";
    hello.protocol = GM_PROTOCOL_VERSION;
    env.body_case = GM__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    node_send(&n, &env);
    gm__envelope__free_unpacked(node_wait(&n, GM__ENVELOPE__BODY_REFUSE), NULL);
    farm_expect(&f, "GET", "/livez", NULL, 200, NULL);
    farm_stop(&f);
    node_close(&n);
}

static void expect_text(const json_t *j, const char *name, const char *want)
{
    assert_string_equal(json_string_value(json_object_get(j, name)), want);
}

static void subscribers_are_told_of_jobs(void **state)
{
    struct farm f;
    char id[64] = "", path[128];
    const int patience = 200;
    json_t *event = NULL;
    farm_start(&f, *state);
    void *context = zmq_ctx_new(), *sub = subscribe(&f, context);
    zmq_pollitem_t item = {.socket = sub, .events = ZMQ_POLLIN};
    do { /* nothing says when the subscription counts */
        farm_submit(&f, PIPELINE, "", id);
    } while (zmq_poll(&item, 1, patience) == 0);
    event = wait_event(sub, "job.accepted");
    expect_text(event, "specversion", "1.0");
    expect_text(event, "type", "gopmill.job.accepted");
    expect_text(json_object_get(event, "data"), "id",
                json_string_value(json_object_get(event, "subject")));
    assert_null(json_object_get(json_object_get(event, "data"), "progress"));
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel",
                   json_string_value(json_object_get(event, "subject")));
    json_decref(event);
    farm_expect(&f, "POST", path, "", 202, NULL);
    event = wait_event(sub, "job.cancelled");
    expect_text(event, "type", "gopmill.job.cancelled");
    json_decref(event);
    (void)zmq_close(sub);
    (void)zmq_ctx_term(context);
    farm_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_ends_published_and_clean, make_folder, remove_folder),
        cmocka_unit_test(what_a_lost_attempt_left_goes_when_the_job_is_done),
        cmocka_unit_test_setup_teardown(
            what_a_lost_attempt_left_stays_where_another_job_published_it, make_folder,
            remove_folder),
        cmocka_unit_test(a_batch_is_answered_at_once),
        cmocka_unit_test_setup_teardown(a_failed_job_leaves_its_report_alone, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_manifest_of_another_farm_keeps_its_outputs, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_done_report_of_another_farm_stays_with_its_outputs,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_done_report_of_another_result_stays, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(outputs_stay_where_a_manifest_can_not_be_read, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(outputs_of_a_plan_that_was_given_up_go, make_folder,
                                        remove_folder),
        cmocka_unit_test(after_a_replan_outputs_go_by_publication),
        cmocka_unit_test_setup_teardown(an_own_report_keeps_nothing_when_manifests_fail,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_failed_job_does_not_delete_what_another_published,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_stopping_scheduler_waits_for_leases_to_clean, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_killed_scheduler_goes_on, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(publishing_goes_on_after_a_kill, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_assignment_that_fits_no_message_fails_the_job,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(strangers_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(subscribers_are_told_of_jobs, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
