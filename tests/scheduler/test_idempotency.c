#include <poll.h>

#include <sqlite3.h>

#include "scheduler/http/idempotency.h"
#include "tests/scheduler/daemon_story.h"

static void keys_are_read_quoted_and_bare(void **state)
{
    static const char *const rows[][2] = {
        {"8e03978e-40d5", "8e03978e-40d5"},
        {"\"8e03978e-40d5\"", "8e03978e-40d5"},
        {"\"a \\\"b\\\\\"", "a \"b\\"},
        {"~", "~"},
        {"", NULL},
        {"\"\"", NULL},
        {"\"", NULL},
        {"\"a", NULL},
        {"\"a\\", NULL},
        {"\"a\\b\"", NULL},
        {"\"a\"b", NULL},
        {"\"a\";p=1", NULL},
        {"a b", NULL},
        {"a,b", NULL},
        {"a\"", NULL},
        {"a\x7f", NULL},
        {"\"\xc3\xa4\"", NULL},
    };
    char key[GM_IDEMPOTENCY_BYTES + 1], longest[GM_IDEMPOTENCY_BYTES + 4];
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)strcpy(key, "before");
        int rc = gm_idempotency_parse(rows[i][0], key, &err);
        assert_int_equal(rc, rows[i][1] != NULL ? 0 : -GM_E_INVAL);
        assert_string_equal(key, rows[i][1] != NULL ? rows[i][1] : "before");
    }
    memset(longest, 'k', sizeof longest);
    longest[GM_IDEMPOTENCY_BYTES] = '\0';
    assert_int_equal(gm_idempotency_parse(longest, key, &err), 0);
    assert_string_equal(key, longest);
    longest[GM_IDEMPOTENCY_BYTES] = 'k';
    longest[GM_IDEMPOTENCY_BYTES + 1] = '\0';
    assert_int_equal(gm_idempotency_parse(longest, key, &err), -GM_E_INVAL);
    longest[0] = longest[GM_IDEMPOTENCY_BYTES + 2] = '"';
    longest[GM_IDEMPOTENCY_BYTES + 1] = 'k';
    longest[GM_IDEMPOTENCY_BYTES + 3] = '\0';
    assert_int_equal(gm_idempotency_parse(longest, key, &err), -GM_E_INVAL);
}

/* headers: whole lines. */
static int write_request(char *out, size_t size, const char *path, const char *headers,
                         const char *body)
{
    return snprintf(out, size,
                    "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: "
                    "%zu\r\n\r\n%s",
                    path, headers, strlen(body), body);
}

/* The status; code: the problem's, or NULL. id: the job's. */
static int post(const struct farm *f, const char *path, const char *headers, const char *body,
                const char *code, char id[64])
{
    char request[4096], *answer = NULL;
    int n = write_request(request, sizeof request, path, headers, body);
    int status = farm_raw(f, request, (size_t)n, &answer);
    json_t *j = json_loads(answer, 0, NULL);
    const char *said = json_string_value(json_object_get(j, "code"));
    if ((code == NULL) != (said == NULL) || (code != NULL && strcmp(code, said) != 0)) {
        fail_msg("%s: %d %s", body, status, answer);
    }
    (void)snprintf(id, 64, "%s", code == NULL ? json_string_value(json_object_get(j, "id")) : "");
    json_decref(j);
    free(answer);
    return status;
}

static void write_body(const struct farm *f, char out[1400], const char *more)
{
    (void)snprintf(out, 1400,
                   "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"destination\":\"%s\"%s}",
                   f->source, f->destination, more);
}

static size_t count_jobs(const struct farm *f)
{
    json_t *j = NULL;
    assert_int_equal(farm_call(f, "GET", "/v1/jobs", NULL, &j), 200);
    size_t n = json_array_size(json_object_get(j, "jobs"));
    json_decref(j);
    return n;
}

#define KEY "Idempotency-Key: \"k-1\"\r\n"

static void a_key_makes_one_job(void **state)
{
    struct farm f;
    char body[1400], other[1400], id[64], again[64], path[128], *seen = NULL;
    farm_start(&f, *state);
    write_body(&f, body, ",\"priority\":7");
    assert_int_equal(post(&f, "/v1/jobs", KEY, body, NULL, id), 201);
    assert_int_equal(post(&f, "/v1/jobs", KEY, body, NULL, again), 200);
    assert_string_equal(again, id);
    (void)snprintf(other, sizeof other,
                   "{ \"priority\": 7, \"destination\":\"%s\",\"source\":\"%s\",\"pipeline\":"
                   "\"vod-h264\"}",
                   f.destination, f.source);
    assert_int_equal(post(&f, "/v1/jobs", "Idempotency-Key: k-1\r\n", other, NULL, again), 200);
    assert_string_equal(again, id);
    write_body(&f, other, ",\"priority\":8");
    assert_int_equal(post(&f, "/v1/jobs", KEY, other, "api.key_reused", again), 422);
    assert_int_equal(post(&f, "/v1/jobs", KEY KEY, body, "usage.invalid", again), 400);
    assert_int_equal(post(&f, "/v1/jobs", KEY, "{\"tenant\":1}", "usage.invalid", again), 400);
    assert_int_equal(count_jobs(&f), 1);
    farm_kill(&f);
    farm_start(&f, *state);
    assert_int_equal(unlink(f.source + strlen("file://")), 0); /* that was of the first one */
    assert_int_equal(post(&f, "/v1/jobs", KEY, body, NULL, again), 200);
    assert_string_equal(again, id);
    assert_int_equal(post(&f, "/v1/jobs", KEY, other, "api.key_reused", again), 422);
    /* what was refused has made nothing, and keeps no key */
    write_body(&f, body, ",\"plan_only\":true");
    assert_int_equal(post(&f, "/v1/jobs", "Idempotency-Key: k-2\r\n", body, "input.missing", again),
                     404);
    write_file(*state, "in/clip.mp4", "not really a film", 17);
    assert_int_equal(post(&f, "/v1/jobs", "Idempotency-Key: k-2\r\n", body, NULL, again), 201);
    assert_string_not_equal(again, id);
    /* each tenant has its own */
    write_body(&f, other, ",\"plan_only\":true,\"tenant\":\"other\"");
    assert_int_equal(post(&f, "/v1/jobs", KEY, other, NULL, again), 201);
    assert_string_not_equal(again, id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    farm_expect(&f, "POST", path, NULL, 202, NULL);
    int events = farm_events(&f, id, NULL);
    assert_true(farm_read_until(events, "event: job.cancelled", &seen));
    free(seen);
    (void)close(events);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:retry", id);
    assert_int_equal(post(&f, path, KEY, "", "api.key_reused", again), 422);
    assert_int_equal(post(&f, path, "Idempotency-Key: k-3\r\n", "", NULL, other), 201);
    assert_int_equal(post(&f, path, "Idempotency-Key: k-3\r\n", "", NULL, again), 200);
    assert_string_equal(again, other);
    assert_int_equal(
        post(&f, path, "Idempotency-Key: k-3\r\n", "{\"all\":true}", "api.key_reused", again), 422);
    assert_int_equal(count_jobs(&f), 4);
    farm_stop(&f);
}

/* Of two at once one is told to come again while the other waits for the disk. */
static void the_second_comes_again(void **state)
{
    struct farm f;
    sqlite3 *db = NULL;
    char path[512], body[1400], request[4096], *text[2] = {NULL, NULL};
    farm_start(&f, *state);
    path_in(path, f.folder, "s/state.db");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    write_body(&f, body, "");
    int n = write_request(request, sizeof request, "/v1/jobs", KEY, body);
    struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
    for (int i = 0; i < 2; i++) {
        fds[i].fd = farm_connect(&f);
        farm_send(fds[i].fd, request, (size_t)n);
    }
    assert_int_equal(poll(fds, 2, PATIENCE_S * 1000), 1);
    int second = (fds[0].revents & POLLIN) != 0 ? 0 : 1;
    assert_true(farm_read_until(fds[second].fd, "api.key_busy", &text[second]));
    assert_int_equal(strncmp(text[second], "HTTP/1.1 409 ", 13), 0);
    assert_non_null(strstr(text[second], "Retry-After: 1\r\n"));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    assert_true(farm_read_until(fds[1 - second].fd, "\"id\"", &text[1 - second]));
    assert_int_equal(strncmp(text[1 - second], "HTTP/1.1 201 ", 13), 0);
    for (int i = 0; i < 2; i++) {
        (void)close(fds[i].fd);
        free(text[i]);
    }
    assert_int_equal(count_jobs(&f), 1);
    farm_stop(&f);
}

/* The second `:retry` of a key comes when the job is at work, and when it has failed once more. */
static void a_key_makes_a_job_go_on_once(void **state)
{
    struct farm f;
    struct node n;
    char id[64], again[64], path[128];
    farm_start_keeping(&f, *state, 3600000);
    node_open(&n, &f);
    node_hello(&n);
    n.fail_at = "package";
    n.fail_code = GM_E_INPUT_NO_VIDEO;
    farm_submit(&f, PIPELINE, "", id);
    node_work(&n, 5);
    wait_for(&f, id, "job.failed");
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:retry", id);
    assert_int_equal(post(&f, path, KEY, "", NULL, again), 202);
    assert_string_equal(again, id);
    assert_int_equal(post(&f, path, KEY, "", NULL, again), 200);
    assert_string_equal(again, id);
    assert_int_equal(post(&f, path, KEY, "{\"all\":true}", "api.key_reused", again), 422);
    assert_int_equal(post(&f, path, "", "", "api.conflict", again), 409);
    node_work(&n, 1);
    json_t *j = NULL;
    char look[128];
    (void)snprintf(look, sizeof look, "/v1/jobs/%s", id);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(farm_call(&f, "GET", look, NULL, &j), 200);
        bool failed = strcmp(json_string_value(json_object_get(j, "state")), "failed") == 0;
        json_decref(j);
        if (failed) {
            break;
        }
        (void)poll(NULL, 0, 50);
    }
    assert_int_equal(post(&f, path, KEY, "", NULL, again), 200);
    assert_int_equal(farm_call(&f, "GET", look, NULL, &j), 200);
    assert_int_equal(json_integer_value(json_object_get(j, "retries")), 1);
    json_decref(j);
    farm_kill(&f);
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_quoted_and_bare),
        cmocka_unit_test_setup_teardown(a_key_makes_one_job, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_makes_a_job_go_on_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_second_comes_again, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
