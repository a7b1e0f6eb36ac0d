#include <poll.h>

#include <sqlite3.h>

#include "common/crash.h"
#include "tests/scheduler/farm.h"

#define INLINE_PIPELINE                                                                            \
    "{\"name\":\"p.yaml\",\"yaml\":\"name: x\\ntasks:\\n  i: {type: inspect}\\n"                   \
    "  p: {type: plan, needs: [i]}\\n  s: {type: split, needs: [p]}\\n"                            \
    "  v: {type: encode, needs: [s]%s}\\n  k: {type: package, needs: [v]}\\n\"%s}"

static void it_answers_about_itself(void **state)
{
    struct farm f;
    json_t *j = NULL;
    farm_start(&f, *state);
    farm_expect(&f, "GET", "/livez", NULL, 200, NULL);
    assert_int_equal(farm_call(&f, "GET", "/readyz", NULL, &j), 200);
    assert_true(json_is_true(json_object_get(j, "ready")));
    json_decref(j);
    assert_int_equal(farm_call(&f, "GET", "/v1/nodes", NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "nodes")), 0);
    json_decref(j);
    farm_expect(&f, "GET", "/v1", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/v2/jobs", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/%ff", NULL, 404, "api.no_route");
    farm_expect(&f, "GET", "/v1/jobs/No_Such", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch/report", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch/events", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/jobs/nosuch:explain", NULL, 404, "api.not_found");
    farm_expect(&f, "POST", "/v1/jobs/nosuch:cancel", NULL, 404, "api.not_found");
    farm_expect(&f, "GET", "/v1/nodes/nosuch", NULL, 404, "api.not_found");
    farm_expect(&f, "POST", "/v1/nodes/nosuch:drain", NULL, 404, "api.not_found");
    farm_expect(&f, "POST", "/v1/nodes/nosuch:resume", NULL, 404, "api.not_found");
    farm_expect(&f, "POST", "/v1/nodes/nosuch:resume", "{\"device\": \"cpu\"}", 404,
                "api.not_found");
    farm_expect(&f, "POST", "/v1/nodes/nosuch:quarantine", "{\"reason\": \"fans\"}", 404,
                "api.not_found");
    farm_expect(&f, "POST", "/v1/nodes/n:quarantine", "{\"reasons\": \"\"}", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/nodes/n:quarantine", "{\"reason\": 1}", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/nodes/n:quarantine", "[", 400, "usage.invalid");
    farm_expect(&f, "DELETE", "/v1/jobs", NULL, 405, "usage.invalid");
    farm_expect(&f, "GET", "/v1/jobs?limit=0", NULL, 400, "usage.invalid");
    farm_expect(&f, "GET", "/v1/jobs?state=odd", NULL, 400, "usage.invalid");
    farm_stop(&f);
    assert_false(farm_has(&f, "http")); /* its socket went with it */
}

static void pipelines_are_listed_shown_and_checked(void **state)
{
    struct farm f;
    json_t *j = NULL;
    char body[2048];
    farm_start(&f, *state);
    assert_int_equal(farm_call(&f, "GET", "/v1/pipelines", NULL, &j), 200);
    assert_true(json_array_size(json_object_get(j, "pipelines")) >= 5);
    json_decref(j);
    assert_int_equal(farm_call(&f, "GET", "/v1/pipelines/vod-h264", NULL, &j), 200);
    assert_non_null(strstr(json_string_value(json_object_get(j, "yaml")), "ladder:"));
    json_decref(j);
    farm_expect(&f, "GET", "/v1/pipelines/vod", NULL, 404, "api.not_found");
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, "", "");
    assert_int_equal(farm_call(&f, "POST", "/v1/pipelines:check", body, &j), 200);
    assert_true(json_is_true(json_object_get(j, "ok")));
    assert_int_equal(json_array_size(json_object_get(j, "tasks")), 5);
    json_decref(j);
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, ", crf: 99", "");
    assert_int_equal(farm_call(&f, "POST", "/v1/pipelines:check", body, &j), 422);
    assert_int_equal(strncmp(json_string_value(json_object_get(j, "detail")), "p.yaml:6:", 9), 0);
    json_decref(j);
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, ", watermark: {image: l.png}", "");
    farm_expect(&f, "POST", "/v1/pipelines:check", body, 422, "config.invalid");
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, ", watermark: {image: l.png}",
                   ",\"assets\":{\"l.png\":\"aGVsbG8=\"}");
    farm_expect(&f, "POST", "/v1/pipelines:check", body, 422, "pipeline.bad_image");
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, ", watermark: {image: l.png}",
                   ",\"assets\":{\"l.png\":\"/9j/wAALCAABAQABAREA\"}"); /* a JPEG's header */
    farm_expect(&f, "POST", "/v1/pipelines:check", body, 200, NULL);
    (void)snprintf(body, sizeof body, INLINE_PIPELINE, ", watermark: {image: l.png}",
                   ",\"assets\":{\"l.png\":\"aGVs*G8=\"}");
    farm_expect(&f, "POST", "/v1/pipelines:check", body, 400, "usage.invalid");
    farm_stop(&f);
}

static void wrong_submissions_are_refused(void **state)
{
    static const struct {
        const char *pipeline;
        const char *source; /* below the folder's URL */
        const char *destination;
        const char *more;
        int status;
        const char *code;
    } rows[] = {
        {"\"nosuch\"", "in/clip.mp4", "out", "", 404, "api.not_found"},
        {"7", "in/clip.mp4", "out", "", 400, "usage.invalid"},
        {"{\"yaml\":\"x\"}", "in/clip.mp4", "out", "", 400, "config.invalid"},
        {"{\"yaml\":\"x\",\"yml\":1}", "in/clip.mp4", "out", "", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/none.mp4", "out", "", 404, "input.missing"},
        {"\"vod-h264\"", "in", "out", "", 400, "input.not_a_file"},
        {"\"vod-h264\"", "in/empty", "out", "", 422, "input.empty"},
        {"\"vod-h264\"", "c.yaml", "out", "", 403, "storage.denied"},
        {"\"vod-h264\"", "in/clip.mp4", "elsewhere", "", 403, "storage.denied"},
        {"\"vod-h264\"", "in/clip.mp4", "in/clip.mp4", "", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"priority\":101", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"priority\":\"1\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"plan_only\":1", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"external_id\":1", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"id\":7", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"id\":\"../../etc\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"prioritiy\":1", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"tenant\":\"\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"tenant\":\"*\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"tenant\":\"a b\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"tenant\":null", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"deadline\":\"2h\"", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"deadline\":0", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"deadline\":1.5", 400, "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"deadline\":253402300799001", 400,
         "usage.invalid"},
        {"\"vod-h264\"", "in/clip.mp4", "out", ",\"priority\":1,\"priority\":2", 400,
         "usage.invalid"},
    };
    struct farm f;
    json_t *j = NULL;
    farm_start(&f, *state);
    write_file(*state, "in/empty", "", 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[2048];
        (void)snprintf(
            body, sizeof body,
            "{\"pipeline\":%s,\"source\":\"file://%s/%s\",\"destination\":\"file://%s/%s\""
            "%s}",
            rows[i].pipeline, f.folder, rows[i].source, f.folder, rows[i].destination,
            rows[i].more);
        farm_expect(&f, "POST", "/v1/jobs", body, rows[i].status, rows[i].code);
    }
    farm_expect(&f, "POST", "/v1/jobs", "", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/jobs", "[]", 400, "usage.invalid");
    farm_expect(&f, "POST", "/v1/jobs", "{\"pipeline\":\"vod-h264\"}", 400, "usage.invalid");
    assert_int_equal(farm_call(&f, "GET", "/v1/jobs", NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "jobs")), 0);
    json_decref(j);
    farm_stop(&f);
}

static void framing_that_can_be_read_two_ways_is_refused(void **state)
{
    static const char *const rows[] = {
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"
        "0\r\n\r\n",
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}",
        "GET /livez HTTP/1.1\r\n\r\n",
    };
    struct farm f;
    char *body = NULL;
    farm_start(&f, *state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = farm_raw(&f, rows[i], strlen(rows[i]), &body);
        if (status != 400 && status != 0) { /* 0: the connection was closed without a word */
            fail_msg("row %zu: %d %s", i, status, body);
        }
        free(body);
    }
    static const char large[] = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: "
                                "close\r\nContent-Length: 99999999\r\n\r\n";
    assert_int_equal(farm_raw(&f, large, sizeof large - 1, &body), 413);
    free(body);
    farm_expect(&f, "GET", "/livez", NULL, 200, NULL);
    farm_stop(&f);
}

static void a_chunked_body_over_the_limit_is_refused(void **state)
{
    struct farm f;
    size_t body = (size_t)17 << 20;
    static const char head[] = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    char *request = malloc(sizeof head + body + 64);
    char *answer = NULL;
    assert_non_null(request);
    size_t n = (size_t)sprintf(request, "%s%zx\r\n", head, body);
    memset(request + n, ' ', body);
    n += body;
    n += (size_t)sprintf(request + n, "\r\n0\r\n\r\n");
    farm_start(&f, *state);
    assert_int_equal(farm_raw(&f, request, n, &answer), 413);
    free(answer);
    free(request);
    farm_stop(&f);
}

#define REFUSED 10 /* of 17 MiB each: more than all may have together */

/* Their requests have not ended, and may never. */
static void bodies_that_are_refused_take_no_room(void **state)
{
    struct farm f;
    size_t part = (size_t)17 << 20, small = (size_t)1 << 20;
    int fds[REFUSED];
    char head[256], *body = malloc(part + 1);
    assert_non_null(body);
    memset(body, ' ', part);
    int n = snprintf(head, sizeof head,
                     "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n%zx\r\n",
                     part + 1);
    farm_start(&f, *state);
    for (size_t i = 0; i < REFUSED; i++) {
        fds[i] = farm_connect(&f);
        farm_send(fds[i], head, (size_t)n);
        farm_send(fds[i], body, part);
    }
    memcpy(body + small - 2, "{}", 3);
    farm_expect(&f, "POST", "/v1/pipelines:check", body, 400, "usage.invalid");
    for (size_t i = 0; i < REFUSED; i++) {
        (void)close(fds[i]);
    }
    free(body);
    farm_stop(&f);
}

#define CHOSEN "01m834zg8c715pdv5j3b719296"

static void jobs_are_listed_in_pages_and_survive_a_kill(void **state)
{
    struct farm f;
    char ids[5][64];
    json_t *j = NULL;
    farm_start(&f, *state);
    for (int i = 0; i < 5; i++) {
        farm_submit(&f, "\"vod-h264\"",
                    i == 4 ? ",\"external_id\":\"ext\",\"priority\":80,"
                             "\"tenant\":\"few\",\"deadline\":1000,"
                             "\"id\":\"" CHOSEN "\""
                           : "",
                    ids[i]);
    }
    farm_kill(&f); /* what was answered is on disk */
    farm_start(&f, *state);
    assert_int_equal(farm_call(&f, "GET", "/v1/jobs?limit=2", NULL, &j), 200);
    json_t *jobs = json_object_get(j, "jobs");
    assert_int_equal(json_array_size(jobs), 2);
    json_t *newest = json_array_get(jobs, 0);
    assert_string_equal(ids[4], CHOSEN);
    assert_string_equal(json_string_value(json_object_get(newest, "id")), CHOSEN);
    assert_string_equal(json_string_value(json_object_get(newest, "external_id")), "ext");
    assert_int_equal(json_integer_value(json_object_get(newest, "priority")), 80);
    assert_string_equal(json_string_value(json_object_get(newest, "class")), "high");
    assert_string_equal(json_string_value(json_object_get(newest, "tenant")), "few");
    assert_string_equal(json_string_value(json_object_get(newest, "deadline")),
                        "1970-01-01T00:00:01.000Z");
    const json_t *older = json_array_get(jobs, 1);
    assert_string_equal(json_string_value(json_object_get(older, "tenant")), "default");
    assert_string_equal(json_string_value(json_object_get(older, "class")), "normal");
    assert_true(json_is_null(json_object_get(older, "deadline")));
    char body[1400];
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"destination\":\"%s\","
                   "\"tenant\":\"few\",\"plan_only\":true}",
                   f.source, f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 429, "api.busy"); /* it has one */
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"destination\":\"%s\","
                   "\"id\":\"" CHOSEN "\"}",
                   f.source, f.destination);
    farm_expect(&f, "POST", "/v1/jobs", body, 409, "api.conflict");
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/jobs?limit=3&cursor=%s",
                   json_string_value(json_object_get(j, "next")));
    json_decref(j);
    assert_int_equal(farm_call(&f, "GET", path, NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "jobs")), 3);
    assert_true(json_is_null(json_object_get(j, "next")));
    (void)snprintf(
        path, sizeof path, "/v1/jobs?limit=3&cursor=%s", /* of the release before */
        json_string_value(json_object_get(json_array_get(json_object_get(j, "jobs"), 0), "id")));
    json_decref(j);
    assert_int_equal(farm_call(&f, "GET", path, NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "jobs")), 2);
    json_decref(j);
    farm_expect(&f, "GET", "/v1/jobs?cursor=nosuch", NULL, 400, "usage.invalid");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", ids[1]);
    farm_expect(&f, "POST", path, NULL, 202, NULL);
    assert_int_equal(farm_call(&f, "GET", "/v1/jobs?state=queued&light=1", NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "jobs")), 4);
    const json_t *progress =
        json_object_get(json_array_get(json_object_get(j, "jobs"), 0), "progress");
    json_t *tasks = json_pack("{s:i, s:i}", "running", 0, "ready", 1); /* inspect, without a node */
    assert_true(json_equal(json_object_get(progress, "tasks"), tasks));
    json_decref(tasks);
    json_decref(j);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:explain", ids[0]);
    assert_int_equal(farm_call(&f, "GET", path, NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "tasks")), 9);
    json_decref(j);
    farm_stop(&f);
}

static void lock_state(const struct farm *f, sqlite3 **out)
{
    char path[512];
    path_in(path, f->folder, "s/state.db");
    assert_int_equal(sqlite3_open(path, out), SQLITE_OK);
    assert_int_equal(sqlite3_exec(*out, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

/* A scheduler that dies before that knows of no such job. */
static void a_job_is_shown_once_it_is_on_disk(void **state)
{
    static const char request[] =
        "GET /v1/jobs/" CHOSEN " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct farm f;
    sqlite3 *db = NULL;
    json_t *j = NULL;
    char body[1024], post[1400], answer[64] = "";
    farm_start(&f, *state);
    lock_state(&f, &db);
    int n = snprintf(body, sizeof body,
                     "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"destination\":\"%s\","
                     "\"id\":\"" CHOSEN "\"}",
                     f.source, f.destination);
    n = snprintf(post, sizeof post,
                 "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, body);
    int submission = farm_connect(&f), question = -1;
    farm_send(submission, post, (size_t)n);
    bool waits = false;
    while (!waits) { /* not there yet, or there and not on disk */
        question = farm_connect(&f);
        farm_send(question, request, sizeof request - 1);
        struct pollfd fd = {.fd = question, .events = POLLIN};
        waits = poll(&fd, 1, 300) == 0;
        if (!waits) {
            assert_int_equal(read(question, answer, 12), 12);
            assert_string_equal(answer, "HTTP/1.1 404");
            (void)close(question);
        }
    }
    assert_int_equal(farm_call(&f, "GET", "/v1/jobs", NULL, &j), 200);
    assert_int_equal(json_array_size(json_object_get(j, "jobs")), 0);
    json_decref(j);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(read(question, answer, 12), 12);
    assert_string_equal(answer, "HTTP/1.1 200");
    assert_int_equal(read(submission, answer, 12), 12);
    assert_string_equal(answer, "HTTP/1.1 201");
    (void)close(question);
    (void)close(submission);
    farm_stop(&f);
}

/* It stands still where it publishes for the first time. */
static void start_stopping(struct farm *f, char *folder)
{
    struct gm_crash_slot slots[GM_CRASH_SLOTS] = {{"gopmill-scheduler publish.begun stop", 1, 0}};
    char path[512];
    write_file(folder, "crash", (const char *)slots, sizeof slots);
    path_in(path, folder, "crash");
    assert_int_equal(setenv("GM_CRASH", path, 1), 0);
    farm_start(f, folder);
    assert_int_equal(unsetenv("GM_CRASH"), 0);
}

static int ask(const struct farm *f, const char *method, const char *path)
{
    char request[256];
    int fd = farm_connect(f);
    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                     method, path);
    farm_send(fd, request, (size_t)n);
    return fd;
}

static bool waits(int fd)
{
    struct pollfd question = {.fd = fd, .events = POLLIN};
    return poll(&question, 1, 300) == 0;
}

/* What is answered there says that the job was cancelled. */
static bool says_cancelled(int fd)
{
    char *all = NULL;
    bool says = farm_read_until(fd, "\"state\":\"cancelled\"", &all);
    (void)close(fd);
    free(all);
    return says;
}

/* One that starts then publishes again. */
static void an_end_is_told_once_it_is_on_disk(void **state)
{
    struct farm f;
    sqlite3 *db = NULL;
    char id[64], job[128], path[140];
    int status = 0, question;
    start_stopping(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    (void)snprintf(job, sizeof job, "/v1/jobs/%s", id);
    (void)snprintf(path, sizeof path, "%s:cancel", job);
    int request = ask(&f, "POST", path);
    assert_int_equal(waitpid(f.pid, &status, WUNTRACED), f.pid);
    assert_true(WIFSTOPPED(status));
    lock_state(&f, &db);
    assert_int_equal(kill(f.pid, SIGCONT), 0);
    while (!waits(question = ask(&f, "GET", job))) { /* it has not ended yet */
        assert_false(says_cancelled(question));
    }
    int list = ask(&f, "GET", "/v1/jobs");
    (void)snprintf(path, sizeof path, "%s/report", job);
    int report = ask(&f, "GET", path);
    (void)snprintf(path, sizeof path, "%s/events", job);
    int events = ask(&f, "GET", path);
    (void)snprintf(path, sizeof path, "%s:explain", job);
    int explained = ask(&f, "GET", path);
    assert_true(waits(list) && waits(report) && waits(events) && waits(explained));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_true(says_cancelled(question) && says_cancelled(list));
    assert_true(says_cancelled(report) && says_cancelled(events) && says_cancelled(explained));
    (void)close(request);
    farm_stop(&f);
}

static void cancel(const struct farm *f, const char *id)
{
    char path[128];
    char *all = NULL;
    int fd = farm_events(f, id, NULL);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    farm_expect(f, "POST", path, NULL, 202, NULL);
    assert_true(farm_read_until(fd, "event: job.cancelled\n", &all));
    (void)close(fd);
    free(all);
}

/* Two that make different things in one folder would mix their manifests. */
static void a_folder_that_is_being_written_is_refused(void **state)
{
    struct farm f;
    char id[64];
    char again[64];
    char dry[64];
    char other[1200];
    farm_start(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    (void)snprintf(other, sizeof other,
                   "{\"pipeline\":\"vod-hevc\",\"source\":\"%s\",\"destination\":\"%s\"}", f.source,
                   f.destination);
    farm_expect(&f, "POST", "/v1/jobs", other, 409, "api.conflict");
    farm_submit(&f, "\"vod-h264\"", ",\"priority\":70", again);  /* the same: one result */
    farm_submit(&f, "\"vod-hevc\"", ",\"plan_only\":true", dry); /* writes nothing */
    cancel(&f, again);
    write_file(*state, "in/clip.mp4", "not the same film", 17);
    json_t *j = NULL;
    (void)snprintf(other, sizeof other,
                   "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"destination\":\"%s\"}", f.source,
                   f.destination);
    assert_int_equal(farm_call(&f, "POST", "/v1/jobs", other, &j), 409);
    assert_non_null(strstr(json_string_value(json_object_get(j, "detail")), id));
    json_decref(j);
    cancel(&f, id);
    farm_submit(&f, "\"vod-h264\"", "", id);
    farm_stop(&f);
}

#define SLOW 200
#define SLOW_BYTES ((size_t)1500 << 10) /* of a body that does not end: 293 MiB together */

static long peak_mib(pid_t pid)
{
    char path[64], line[256];
    long kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmHWM: %ld kB", &kib);
    }
    (void)fclose(file);
    assert_true(kib > 0);
    return kib / 1024;
}

/* Arrays of 2 MiB for 1.5. Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_MOST_MIB 600
#else
#define SLOW_MOST_MIB 220
#endif

/* What they sent takes memory up to a bound; those beyond it are told to come again. */
static void slow_clients_take_bounded_memory(void **state)
{
    struct farm f;
    char head[256];
    int fds[SLOW];
    char *all = NULL, *part = calloc(1, SLOW_BYTES);
    farm_start(&f, *state);
    long before = peak_mib(f.pid);
    assert_non_null(part);
    int n = snprintf(head, sizeof head,
                     "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                     SLOW_BYTES + 1);
    for (size_t i = 0; i < SLOW; i++) {
        fds[i] = farm_connect(&f);
        farm_send(fds[i], head, (size_t)n);
        farm_send(fds[i], part, SLOW_BYTES);
    }
    farm_send(fds[SLOW - 1], "x", 1);
    assert_true(farm_read_until(fds[SLOW - 1], "\r\nRetry-After: 5\r\n", &all));
    assert_int_equal(strncmp(all, "HTTP/1.1 429 ", 13), 0);
    farm_expect(&f, "GET", "/livez", NULL, 200, NULL);
    assert_in_range(peak_mib(f.pid) - before, 100, SLOW_MOST_MIB);
    for (size_t i = 0; i < SLOW; i++) {
        (void)close(fds[i]);
    }
    farm_expect(&f, "POST", "/v1/pipelines:check", "{}", 400, "usage.invalid");
    free(part);
    free(all);
    farm_stop(&f);
}

static void events_stream_to_the_end_and_can_be_resumed(void **state)
{
    struct farm f;
    char id[64];
    char path[128];
    char *all = NULL;
    farm_start(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    int fd = farm_events(&f, id, NULL);
    assert_true(farm_read_until(fd, "\n\n", &all)); /* "retry" */
    assert_true(farm_read_until(fd, "event: job\ndata: {", &all));
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    farm_expect(&f, "POST", path, NULL, 202, NULL);
    assert_true(farm_read_until(fd, "event: job.cancelled\ndata: {", &all));
    assert_true(farm_read_until(fd, "\r\n0\r\n", &all)); /* the stream ended by itself */
    assert_non_null(strstr(all, "text/event-stream"));
    assert_non_null(strstr(all, "\"state\":\"cancelled\""));
    (void)close(fd);
    free(all);
    all = NULL;
    farm_expect(&f, "POST", path, NULL, 409, "api.conflict");

    fd = farm_events(&f, id, "1"); /* what came after number 1 comes again */
    assert_true(farm_read_until(fd, "event: job.cancelled\n", &all));
    assert_true(farm_read_until(fd, "\r\n0\r\n", &all));
    assert_non_null(strstr(all, "id: 2\n"));
    assert_null(strstr(all, "id: 1\n"));
    (void)close(fd);
    free(all);
    assert_true(farm_has(&f, "out/a/report.json"));
    assert_false(farm_has(&f, "out/a/master.m3u8"));
    farm_stop(&f);
}

/* The limit of operations.md; who has one keeps it. */
static void one_stream_too_many_is_refused(void **state)
{
    enum { STREAMS = 512 };
    struct farm f;
    char id[64];
    int fds[STREAMS + 1];
    char *all = NULL;
    farm_start(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    for (int i = 0; i < STREAMS; i++) {
        fds[i] = farm_events(&f, id, NULL);
        assert_true(farm_read_until(fds[i], "event: job\n", &all));
        free(all);
        all = NULL;
    }
    fds[STREAMS] = farm_events(&f, id, NULL);
    assert_true(farm_read_until(fds[STREAMS], "\r\nRetry-After: 5\r\n", &all));
    assert_int_equal(strncmp(all, "HTTP/1.1 429 ", 13), 0);
    farm_expect(&f, "GET", "/livez", NULL, 200, NULL);
    for (int i = 0; i <= STREAMS; i++) {
        (void)close(fds[i]);
    }
    free(all);
    farm_stop(&f);
}

static void open_streams_do_not_keep_it_from_ending(void **state)
{
    struct farm f;
    char id[64];
    char *all = NULL;
    farm_start(&f, *state);
    farm_submit(&f, "\"vod-h264\"", "", id);
    int fd = farm_events(&f, id, NULL);
    assert_true(farm_read_until(fd, "event: job\ndata: {", &all));
    farm_stop(&f);
    (void)close(fd);
    free(all);
}

static void a_second_scheduler_says_why_it_can_not_start(void **state)
{
    struct farm f;
    char path[512];
    char command[1024];
    farm_start(&f, *state);
    path_in(path, *state, "c.yaml");
    (void)snprintf(command, sizeof command,
                   GM_BUILD_DIR "/bin/gopmill-scheduler --config %s 2>&1 >/dev/null | "
                                "grep -q 'another scheduler is using the state folder'",
                   path);
    assert_int_equal(system(command), 0);
    (void)snprintf(command, sizeof command,
                   GM_BUILD_DIR "/bin/gopmill-scheduler --config %s --check >/dev/null", path);
    assert_int_equal(system(command), 0);
    farm_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_answers_about_itself, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(pipelines_are_listed_shown_and_checked, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(wrong_submissions_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(framing_that_can_be_read_two_ways_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(bodies_that_are_refused_take_no_room, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_chunked_body_over_the_limit_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(jobs_are_listed_in_pages_and_survive_a_kill, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_job_is_shown_once_it_is_on_disk, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_end_is_told_once_it_is_on_disk, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_that_is_being_written_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(slow_clients_take_bounded_memory, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(events_stream_to_the_end_and_can_be_resumed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(one_stream_too_many_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(open_streams_do_not_keep_it_from_ending, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_second_scheduler_says_why_it_can_not_start, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
