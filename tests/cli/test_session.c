#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/asset.h"
#include "cli/job.h"
#include "cli/pages.h"
#include "common/fs.h"
#include "common/id.h"

/* A scheduler of canned answers, in a process of its own: one connection after the other, each
 * reads a request and writes the answer of its turn, then closes. An empty answer closes at
 * once, "!" interrupts who asked before; "@" stands for the id of the job that was asked for last.
 */
static struct gm_err err;
static char folder[] = "/tmp/gm-session-XXXXXX";
static struct gm_term term;

struct server {
    pid_t pid;
    char url[128];
};

static int answer_with(int fd, const char *answer, const char *request)
{
    static char id[GM_ID_SIZE];
    const char *asked = strstr(request, "GET /v1/jobs/"), *mark = strchr(answer, '@');
    if (asked != NULL) {
        snprintf(id, sizeof(id), "%s", asked + strlen("GET /v1/jobs/"));
    }
    if (answer[0] == '!') {
        return kill(getppid(), SIGINT);
    }
    if (mark == NULL) {
        return write(fd, answer, strlen(answer)) < 0 ? -1 : 0;
    }
    return dprintf(fd, "%.*s%s%s", (int)(mark - answer), answer, id, mark + 1);
}

static void serve(int listener, const char *const *answers)
{
    for (; *answers != NULL; answers++) {
        char request[8192] = "";
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 || read(fd, request, sizeof(request) - 1) < 0) {
            _exit(1);
        }
        if (answer_with(fd, *answers, request) < 0) {
            _exit(1);
        }
        shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof(request)) > 0) {
        }
        close(fd);
    }
    _exit(0);
}

static void start_server(struct server *s, const char *const *answers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/http.sock", folder);
    snprintf(s->url, sizeof(s->url), "unix:%s", address.sun_path);
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves it behind */
        serve(listener, answers);
    }
    close(listener);
}

/* All answers were fetched. */
static void stop_server(struct server *s)
{
    int status = 0;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
}

#define OK_JSON(body)                                                                              \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define STREAM(body)                                                                               \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" body

static struct gm_session *open_session(const struct server *s)
{
    struct gm_session *session = NULL;
    assert_int_equal(
        gm_session_open(&(struct gm_reach){.scheduler = s->url}, NULL, &term, &session, &err), 0);
    return session;
}

static void an_answer_is_json(void **state)
{
    (void)state;
    static const char *const answers[] = {OK_JSON("{\"a\":1}"), OK_JSON("no json"), NULL};
    struct server server;
    struct gm_answer answer = {0};
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, &answer, &err), 0);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_integer_value(json_object_get(answer.body, "a")), 1);
    json_decref(answer.body);
    answer.body = NULL;
    assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, &answer, &err),
                     -GM_E_PROTO);
    assert_null(answer.body);
    gm_session_close(&session);
    assert_null(session);
    stop_server(&server);
}

/* Of one page nothing passed the sieve; then one that does not go on. */
static void a_list_is_read_over_its_pages(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK_JSON("{\"jobs\":[],\"next\":\"a\"}"),  OK_JSON("{\"jobs\":[1],\"next\":\"b\"}"),
        OK_JSON("{\"jobs\":[2],\"next\":\"c\"}"), OK_JSON("{\"jobs\":[],\"next\":\"a\"}"),
        OK_JSON("{\"jobs\":[],\"next\":\"a\"}"),  NULL};
    struct server server;
    struct gm_answer answer = {0};
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_pages_call(session, "/v1/jobs?", "jobs", 2, GM_PAGE_MAX, &answer, &err), 0);
    assert_int_equal(json_array_size(json_object_get(answer.body, "jobs")), 2);
    assert_string_equal(gm_job_text(answer.body, "next"), "c");
    json_decref(answer.body);
    answer.body = NULL;
    assert_int_equal(gm_pages_call(session, "/v1/jobs?", "jobs", 2, GM_PAGE_MAX, &answer, &err),
                     -GM_E_PROTO);
    json_decref(answer.body);
    gm_session_close(&session);
    stop_server(&server);
}

/* Which may be before the last page. */
static void the_last_row_of_a_list_is_found(void **state)
{
    (void)state;
    static const char *const answers[] = {OK_JSON("{\"jobs\":[1,2],\"next\":\"a\"}"),
                                          OK_JSON("{\"jobs\":[3,4],\"next\":\"b\"}"),
                                          OK_JSON("{\"jobs\":[],\"next\":null}"),
                                          OK_JSON("{\"jobs\":[],\"next\":null}"),
                                          OK_JSON("{\"jobs\":[1],\"next\":\"a\"}"),
                                          OK_JSON("{\"jobs\":[2],\"next\":\"a\"}"),
                                          NULL};
    struct server server;
    json_t *row = NULL;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_pages_last(session, "/v1/jobs?", "jobs", &row, &err), 0);
    assert_int_equal(json_integer_value(row), 4);
    json_decref(row);
    assert_int_equal(gm_pages_last(session, "/v1/jobs?", "jobs", &row, &err), 0);
    assert_null(row);
    assert_int_equal(gm_pages_last(session, "/v1/jobs?", "jobs", &row, &err), -GM_E_PROTO);
    assert_null(row);
    gm_session_close(&session);
    stop_server(&server);
}

static void problems_keep_their_code(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"
        "{\"code\":\"input.missing\",\"detail\":\"no such file: /x\"}",
        "HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n{\"code\":\"new.thing\"}",
        "HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n<html>", NULL};
    static const enum gm_code codes[] = {GM_E_INPUT_MISSING, GM_E_CONFLICT, GM_E_BUG};
    struct server server;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, NULL, &err),
                         -(int)codes[i]);
        if (i == 0) {
            assert_string_equal(err.text, "no such file: /x");
        }
    }
    gm_session_close(&session);
    stop_server(&server);
}

static void a_scheduler_never_reached_is_not_waited_for(void **state)
{
    (void)state;
    struct server server;
    snprintf(server.url, sizeof(server.url), "unix:%s/none.sock", folder);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, NULL, &err),
                     -GM_E_UNREACHABLE);
    gm_session_close(&session);
}

static void lost_answers_are_asked_for_again_if_that_is_safe(void **state)
{
    (void)state;
    static const char *const answers[] = {OK_JSON("{}"), "", OK_JSON("{}"), "", NULL};
    struct server server;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, NULL, &err), 0);
    assert_int_equal(gm_session_call(session, "GET", "/v1/x", NULL, true, NULL, &err), 0);
    assert_int_equal(gm_session_call(session, "POST", "/v1/x", NULL, false, NULL, &err),
                     -GM_E_TIMEOUT);
    gm_session_close(&session);
    stop_server(&server);
}

#define REFUSAL(status, code)                                                                      \
    "HTTP/1.1 " status " No\r\nConnection: close\r\n\r\n{\"code\":\"" code "\"}"
#define ABSENT REFUSAL("404", "api.not_found")
#define NO_ROUTE REFUSAL("404", "api.no_route")
#define TAKEN REFUSAL("409", "api.conflict")
#define GONE REFUSAL("404", "input.missing")
#define AWAY REFUSAL("503", "scheduler.state_away")
#define DENIED REFUSAL("403", "storage.denied")
#define UNKNOWN_ID                                                                                 \
    "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n"                                                 \
    "{\"code\":\"usage.invalid\",\"detail\":\"unknown member `id`\"}"
#define JOB OK_JSON("{\"id\":\"@\",\"external_id\":\"mine\"}")

static void what_a_lost_delete_deleted_is_gone(void **state)
{
    (void)state;
    static const char *const answers[] = {ABSENT, "", ABSENT, NULL};
    struct server server;
    struct gm_answer answer = {0};
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_session_call(session, "DELETE", "/v1/x", NULL, true, NULL, &err),
                     -GM_E_NOTFOUND);
    assert_int_equal(gm_session_call(session, "DELETE", "/v1/x", NULL, true, &answer, &err), 0);
    assert_int_equal(answer.status, 404);
    assert_null(answer.body);
    gm_session_close(&session);
    stop_server(&server);
}

/* The release before has a list of titles alone. */
static void a_title_is_asked_for_by_its_job(void **state)
{
    (void)state;
    static const struct {
        const char *answers[4];
        int rc;
    } rows[] = {
        {{OK_JSON("{\"job\":\"j1\",\"n\":7}")}, 0},
        {{ABSENT}, -GM_E_NOTFOUND},
        {{NO_ROUTE, OK_JSON("{\"assets\":[{\"job\":\"j2\"}],\"next\":\"a\"}"),
          OK_JSON("{\"assets\":[{\"job\":\"j1\",\"n\":7}],\"next\":null}")},
         0},
        {{NO_ROUTE, OK_JSON("{\"assets\":[],\"next\":null}")}, -GM_E_NOTFOUND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server server;
        struct gm_answer answer = {0};
        start_server(&server, rows[i].answers);
        struct gm_session *session = open_session(&server);
        assert_int_equal(gm_asset_get(session, "/v1/assets/j1", "j1", &answer, &err), rows[i].rc);
        assert_int_equal(gm_job_number(answer.body, "n"), rows[i].rc == 0 ? 7 : 0);
        json_decref(answer.body);
        gm_session_close(&session);
        stop_server(&server);
    }
}

static const struct gm_submit SUBMIT = {
    .input = "/in", .out = "/out", .pipeline = "vod-h264", .external_id = "mine"};

/* Found by its own id alone: other jobs may have its external id. */
static void a_submission_whose_answer_was_lost_is_found_again(void **state)
{
    (void)state;
    static const struct {
        const char *answers[6];
        int rc;
    } rows[] = {
        {{"", JOB}, 0},
        {{"", ABSENT, "", JOB}, 0},
        {{"", ABSENT, TAKEN, JOB}, 0}, /* the first one came late */
        {{"", ABSENT, TAKEN, ABSENT}, -GM_E_CONFLICT},
        {{"", ABSENT, GONE, JOB}, 0},
        {{"", ABSENT, GONE, ABSENT}, -GM_E_INPUT_MISSING},
        {{GONE}, -GM_E_INPUT_MISSING},
        {{AWAY, JOB}, 0},
        {{AWAY, AWAY, ABSENT, "", JOB}, 0},
        {{AWAY, DENIED}, -GM_E_STORE_DENIED},
        {{TAKEN}, -GM_E_CONFLICT},
        {{"", OK_JSON("{\"id\":\"j1\",\"external_id\":\"mine\"}")}, -GM_E_PROTO},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server server;
        json_t *job = NULL;
        start_server(&server, rows[i].answers);
        struct gm_session *session = open_session(&server);
        assert_int_equal(gm_job_submit(session, &SUBMIT, &job, &err), rows[i].rc);
        assert_true((job != NULL) == (rows[i].rc == 0));
        json_decref(job);
        gm_session_close(&session);
        stop_server(&server);
    }
}

/* It may have been taken: that is asked once more, and said. */
static void an_interrupt_ends_the_asking(void **state)
{
    (void)state;
    static const char *const answers[] = {"!", ABSENT, NULL};
    struct server server;
    json_t *job = NULL;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_job_submit(session, &SUBMIT, &job, &err), -GM_E_CANCELLED);
    assert_non_null(strstr(err.text, "was taken is not known"));
    assert_null(job);
    gm_session_close(&session);
    stop_server(&server);
}

/* Which makes ids by itself, so nothing can be asked for, nor be sent again. */
static void a_scheduler_of_the_release_before_gets_no_id(void **state)
{
    (void)state;
    static const struct {
        const char *answers[3];
        int rc;
    } rows[] = {
        {{UNKNOWN_ID, OK_JSON("{\"id\":\"theirs\"}")}, 0},
        {{UNKNOWN_ID, ""}, -GM_E_TIMEOUT},
        {{UNKNOWN_ID, UNKNOWN_ID}, -GM_E_INVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server server;
        json_t *job = NULL;
        start_server(&server, rows[i].answers);
        struct gm_session *session = open_session(&server);
        assert_int_equal(gm_job_submit(session, &SUBMIT, &job, &err), rows[i].rc);
        assert_string_equal(gm_job_text(job, "id"), rows[i].rc == 0 ? "theirs" : "");
        json_decref(job);
        gm_session_close(&session);
        stop_server(&server);
    }
}

static void a_job_is_followed_over_lost_connections(void **state)
{
    (void)state;
    static const char *const answers[] = {
        STREAM("id: 1\nevent: job\ndata: {\"id\":\"j1\",\"state\":\"running\",\"tasks\":[]}\n\n"
               "event: progress\ndata: {\"id\":\"j1\",\"progress\":{\"phase\":\"encode\"}}\n\n"
               "event: job.done\ndata: {\"id\":\"j1\",\"sta"),
        "",
        STREAM("event: job.done\n"
               "data: {\"id\":\"j1\",\"state\":\"done\",\"tasks\":[],\"n\":7}\n\n"),
        NULL};
    struct server server;
    json_t *job = NULL;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_job_watch(session, "j1", true, &job, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(job, "n")), 7);
    json_decref(job);
    gm_session_close(&session);
    stop_server(&server);
}

static void watching_an_unknown_job_ends(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"code\":\"api.not_found\"}", NULL};
    struct server server;
    json_t *job = NULL;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_job_watch(session, "nix", false, &job, &err), -GM_E_NOTFOUND);
    assert_null(job);
    gm_session_close(&session);
    stop_server(&server);
}

/* By something else than a scheduler. */
static void what_is_no_answer_of_ours_says_nothing_of_names(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<html>no such page</html>", NULL};
    struct server server;
    json_t *job = NULL;
    start_server(&server, answers);
    struct gm_session *session = open_session(&server);
    assert_int_equal(gm_job_watch(session, "nix", false, &job, &err), -GM_E_NO_ROUTE);
    assert_null(job);
    gm_session_close(&session);
    stop_server(&server);
}

static void odd_urls_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"",         "unix:x",   "https://", "http://",
                                       "http:///", "ftp://h/", "h:80"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct gm_session *session = NULL;
        assert_int_equal(
            gm_session_open(&(struct gm_reach){.scheduler = urls[i]}, NULL, &term, &session, &err),
            -GM_E_INVAL);
        assert_null(session);
    }
}

static int setup(void **state)
{
    (void)state;
    gm_term_init(&term, true);
    return mkdtemp(folder) == NULL ? -1 : gm_session_block_signals(&err);
}

static int teardown(void **state)
{
    (void)state;
    return gm_fs_remove_tree(folder, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_json),
        cmocka_unit_test(a_list_is_read_over_its_pages),
        cmocka_unit_test(the_last_row_of_a_list_is_found),
        cmocka_unit_test(problems_keep_their_code),
        cmocka_unit_test(a_scheduler_never_reached_is_not_waited_for),
        cmocka_unit_test(lost_answers_are_asked_for_again_if_that_is_safe),
        cmocka_unit_test(what_a_lost_delete_deleted_is_gone),
        cmocka_unit_test(a_title_is_asked_for_by_its_job),
        cmocka_unit_test(a_submission_whose_answer_was_lost_is_found_again),
        cmocka_unit_test(an_interrupt_ends_the_asking),
        cmocka_unit_test(a_scheduler_of_the_release_before_gets_no_id),
        cmocka_unit_test(a_job_is_followed_over_lost_connections),
        cmocka_unit_test(watching_an_unknown_job_ends),
        cmocka_unit_test(what_is_no_answer_of_ours_says_nothing_of_names),
        cmocka_unit_test(odd_urls_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
