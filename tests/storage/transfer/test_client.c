#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/time.h"
#include "storage/transfer/running.h"
#include "storage/transfer/script_server.h"

#define OK(length) "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: " length "\r\n\r\n"
#define BAD(status, code)                                                                          \
    "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<Error><Code>" code                           \
    "</Code><Message>m</Message></Error>"
#define REST                                                                                       \
    "HTTP/1.1 206 Partial\r\nETag: \"e1\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: "      \
    "6\r\n\r\n"

static const struct gm_s3_keys KEYS = {"id", "secret", NULL};

struct fixture {
    uv_loop_t loop;
    struct script_server server;
    struct gm_s3_client *client;
    struct gm_s3_call call;
    struct gm_s3_result result; /* answer is not kept */
    char code[64];
    char upload_id[64];
    struct gm_buf body;
    int ends;
    int refuse;         /* on_body's answer */
    int asks, patience; /* of give_up */
    bool was_open;      /* the breaker, when a body came last */
};

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct fixture *f = arg;

    gm_buf_add(&f->body, data, size);
    f->was_open = f->client->breaker.open;
    return f->refuse == 0 ? 0 : gm_err_set(err, GM_E_STALE, 0, "nobody wants it");
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct fixture *f = arg;

    f->ends++;
    f->result = *result;
    snprintf(f->code, sizeof(f->code), "%s", result->answer.code);
    snprintf(f->upload_id, sizeof(f->upload_id), "%s",
             result->answer.upload_id == NULL ? "" : result->answer.upload_id);
}

static void make_client(struct fixture *f, const char *url)
{
    struct gm_s3_endpoint endpoint;
    struct gm_err err = {0};

    assert_int_equal(gm_s3_endpoint_read(url, &endpoint, &err), 0);
    const struct gm_s3_client_params params = {.loop = &f->loop,
                                               .endpoint = &endpoint,
                                               .style = GM_S3_PATH,
                                               .keys = &KEYS,
                                               .region = "us-east-1"};

    assert_int_equal(gm_s3_client_create(&params, &f->client, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->call = (struct gm_s3_call){.method = "GET",
                                  .bucket = "bkt",
                                  .key = "a b",
                                  .fd = -1,
                                  .wants = GM_S3_WANTS_BODY,
                                  .on_body = on_body,
                                  .max_tries = 3,
                                  .done = on_done,
                                  .arg = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gm_s3_client_destroy(&f->client);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    gm_buf_fini(&f->body);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};
    int rc = gm_s3_client_start(f->client, &f->call, &running, &err);

    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(f->ends, 0); /* never from within */
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
}

/* Runs f->call against these answers; what was asked, owned. */
static char *run(struct fixture *f, const char *const *answers)
{
    script_start(&f->server, answers);
    make_client(f, f->server.url);
    start(f);
    return script_stop(&f->server);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

static void a_get_is_signed_and_its_body_handed_on(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "hello", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, 0);
    assert_int_equal(f->result.status, 200);
    assert_int_equal(f->result.tries, 1);
    assert_int_equal(f->result.size, 5);
    assert_string_equal(f->result.etag, "\"e1\"");
    assert_string_equal((char *)f->body.data, "hello");
    assert_non_null(strstr(asked, "GET /bkt/a%20b HTTP/1.1\r\n"));
    assert_int_equal(count(asked, "Authorization: AWS4-HMAC-SHA256 Credential=id/"), 1);
    assert_int_equal(count(asked, "x-amz-date: "), 1);
    assert_null(strstr(asked, "Range: "));
    free(asked);
}

static void what_the_server_can_mend_is_tried_again(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("503 Slow", "SlowDown"), "", OK("5") "hello", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, 0);
    assert_int_equal(f->result.tries, 3);
    assert_string_equal((char *)f->body.data, "hello");
    assert_int_equal(count(asked, "GET /bkt/a%20b "), 3);
    free(asked);
}

static void a_budget_that_is_used_up_ends_it(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("500 E", "InternalError"), BAD("500 E", "InternalError"),
                                   BAD("500 E", "InternalError"), OK("0"), NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE);
    assert_int_equal(f->result.err.code, GM_E_STORE);
    assert_int_equal(f->result.err.native, 500);
    assert_string_equal(f->result.err.text,
                        "could not GET `bkt/a b`: the store answered 500 InternalError: m");
    assert_string_equal(f->code, "InternalError");
    assert_int_equal(count(asked, "GET "), 3);
    free(asked);
}

static int on_begin(const struct gm_s3_begin *begin, void *arg, struct gm_err *err)
{
    struct fixture *f = arg;

    assert_int_equal(f->body.size, 0);
    assert_string_equal(begin->modified, "Sat, 21 Nov 2026 10:00:00 GMT");
    return begin->size == 5 ? 0 : gm_err_set(err, GM_E_STALE, 0, "it is another");
}

static void before_its_first_byte_an_object_says_what_it_is(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT") "hello",
                                   OK("6\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT") "hello!",
                                   NULL};

    f->call.on_begin = on_begin;
    script_start(&f->server, answers);
    make_client(f, f->server.url);
    start(f);
    assert_int_equal(f->result.rc, 0);
    assert_string_equal(f->result.modified, "Sat, 21 Nov 2026 10:00:00 GMT");
    f->ends = 0;
    gm_buf_fini(&f->body);
    start(f);
    assert_int_equal(f->result.rc, -GM_E_STALE);
    assert_int_equal(f->body.size, 0);
    free(script_stop(&f->server));
}

static void what_is_refused_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("404 No", "NoSuchKey"), OK("5") "hello", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_NOTFOUND);
    assert_int_equal(f->result.tries, 1);
    assert_int_equal(f->body.size, 0); /* an error's body is none of the object's */
    free(asked);
}

static void a_page_of_a_proxys_is_no_object(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {"HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\n<html>", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE_DENIED);
    assert_string_equal(f->result.err.text, "could not GET `bkt/a b`: the store answered 403");
    free(asked);
}

static void a_download_goes_on_where_it_broke_off(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("10") "0123", "", REST "456789", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, 0);
    assert_int_equal(f->result.size, 10);
    assert_string_equal((char *)f->body.data, "0123456789");
    assert_int_equal(count(asked, "Range: bytes=4-\r\n"), 2);
    assert_int_equal(count(asked, "If-Match: \"e1\"\r\n"), 2);
    free(asked);
}

static void the_rest_of_another_object_is_not_taken(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("10") "0123", BAD("412 No", "PreconditionFailed"), NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE_CORRUPT);
    assert_string_equal((char *)f->body.data, "0123");
    free(asked);
}

static void other_bytes_than_asked_for_are_not_taken(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("10") "0123", OK("10") "0123456789", NULL};
    char *asked = run(f, answers); /* a server that knows no ranges */

    assert_int_equal(f->result.rc, -GM_E_STORE);
    assert_string_equal((char *)f->body.data, "0123");
    free(asked);
}

/* Emptied while it was read, and the server knows no If-Match. */
static void an_empty_answer_is_no_rest(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("10") "0123", OK("0"), NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE);
    assert_string_equal(f->result.err.text,
                        "the store answered with other bytes than were asked for");
    free(asked);
}

static void without_a_length_an_end_may_be_a_cut(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE_CORRUPT);
    assert_int_equal(f->result.err.code, GM_E_STORE_CORRUPT);
    free(asked);
}

static void chunks_say_where_they_end(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n0\r\n\r\n", NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, 0);
    assert_string_equal((char *)f->body.data, "0123");
    free(asked);
}

static void an_answer_that_is_no_xml_has_one_code(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "<Cut>", NULL};
    char *asked;

    f->call.wants = GM_S3_WANTS_XML;
    f->call.kind = GM_S3_LIST;
    f->call.max_tries = 1;
    asked = run(f, answers);
    assert_true(f->result.rc < 0);
    assert_int_equal(f->result.rc, -(int)f->result.err.code);
    free(asked);
}

static void another_region_is_named(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {
        "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n<Error><Code>AuthorizationHeaderMalformed"
        "</Code><Message>m</Message><Region>eu-north-1</Region></Error>",
        NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE_DENIED);
    assert_non_null(strstr(f->result.err.text, "its region is eu-north-1"));
    free(asked);
}

static void a_range_is_asked_for_and_kept_to(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {REST "456789", NULL};
    char *asked;

    f->call.range_from = 4;
    f->call.range_size = 6;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, 0);
    assert_int_equal(f->result.size, 10);
    assert_string_equal((char *)f->body.data, "456789");
    assert_int_equal(count(asked, "Range: bytes=4-9\r\n"), 1);
    free(asked);
}

static void more_than_the_range_is_not_taken(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {REST "456789", NULL};
    char *asked;

    f->call.range_from = 4;
    f->call.range_size = 5;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, -GM_E_STORE);
    assert_int_equal(f->body.size, 0);
    free(asked);
}

static void who_takes_the_body_may_end_it(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "hello", OK("5") "hello", NULL};
    char *asked;

    f->refuse = 1;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, -GM_E_STALE);
    assert_string_equal(f->result.err.text, "nobody wants it");
    assert_int_equal(f->result.tries, 1);
    free(asked);
}

/* The server's clock is that of 2030. */
static void it_is_signed_anew_by_the_servers_clock(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {
        "HTTP/1.1 403 No\r\nDate: Tue, 01 Jan 2030 12:00:00 GMT\r\nConnection: close\r\n\r\n"
        "<Error><Code>RequestTimeTooSkewed</Code></Error>",
        OK("0"), NULL};
    char *asked;

    f->call.max_tries = 1; /* it is no try of the budget's */
    asked = run(f, answers);
    assert_int_equal(f->result.rc, 0);
    assert_int_equal(count(asked, "x-amz-date: 20300101T1200"), 1);
    assert_int_equal(count(asked, "x-amz-date: "), 2);
    free(asked);
}

static void a_clock_that_stays_wrong_ends_it(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {
        "HTTP/1.1 403 No\r\nDate: Tue, 01 Jan 2030 12:00:00 GMT\r\nConnection: close\r\n\r\n"
        "<Error><Code>RequestTimeTooSkewed</Code></Error>",
        "HTTP/1.1 403 No\r\nDate: Tue, 01 Jan 2030 12:00:00 GMT\r\nConnection: close\r\n\r\n"
        "<Error><Code>RequestTimeTooSkewed</Code></Error>",
        OK("0"), NULL};
    char *asked = run(f, answers);

    assert_int_equal(f->result.rc, -GM_E_STORE_DENIED);
    assert_int_equal(count(asked, "GET "), 2);
    free(asked);
}

static void a_file_is_sent_whole_each_time(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("500 E", "InternalError"), OK("0"), NULL};
    FILE *file = tmpfile();
    char *asked;

    assert_non_null(file);
    assert_true(fputs("--body of the file--", file) >= 0 && fflush(file) == 0);
    f->call.method = "PUT";
    f->call.wants = GM_S3_WANTS_NOTHING;
    f->call.fd = fileno(file);
    f->call.body_offset = 2;
    f->call.body_size = 16;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, 0);
    assert_int_equal(count(asked, "\r\n\r\nbody of the file"), 2);
    assert_int_equal(count(asked, "file-"), 0);
    assert_int_equal(count(asked, "Content-Length: 16\r\n"), 2);
    assert_int_equal(count(asked, "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"), 2);
    assert_null(strstr(asked, "Expect:"));
    free(asked);
    fclose(file);
}

static void a_file_that_is_shorter_is_not_sent(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("0"), OK("0"), NULL};
    FILE *file = tmpfile();
    char *asked;

    assert_non_null(file);
    f->call.method = "PUT";
    f->call.wants = GM_S3_WANTS_NOTHING;
    f->call.fd = fileno(file);
    f->call.body_size = 16;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, -GM_E_INVAL);
    assert_int_equal(f->result.tries, 1);
    free(asked);
    fclose(file);
}

static int give_up(void *arg, struct gm_err *err)
{
    struct fixture *f = arg;

    return f->asks++ < f->patience ? 0 : gm_err_set(err, GM_E_STALE, 0, "nobody wants it");
}

static void nothing_is_sent_that_nobody_wants_any_more(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("500 E", "InternalError"), OK("0"), NULL};
    char *asked;

    f->call.method = "PUT";
    f->call.wants = GM_S3_WANTS_NOTHING;
    f->call.body = "the body";
    f->call.body_size = 8;
    f->call.wanted = give_up;
    f->patience = 3; /* a try, its body, the next try */
    asked = run(f, answers);
    assert_int_equal(f->result.rc, -GM_E_STALE);
    assert_int_equal(f->result.tries, 2);
    assert_int_equal(f->asks, 4);
    assert_int_equal(count(asked, "the body"), 1);
    free(asked);
}

static void no_try_begins_that_nobody_wants(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("500 E", "InternalError"), OK("0"), NULL};
    char *asked;

    f->call.wanted = give_up;
    f->patience = 1;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, -GM_E_STALE);
    assert_int_equal(f->result.tries, 1);
    assert_int_equal(count(asked, "GET "), 1);
    free(asked);
}

static void a_complete_that_fails_late_is_tried_again(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {
        BAD("200 OK", "InternalError"),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<?xml version='1.0'?><Compl", /* cut */
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<CompleteMultipartUploadResult/>", NULL};
    char *asked;

    f->call.method = "POST";
    f->call.wants = GM_S3_WANTS_XML;
    f->call.kind = GM_S3_COMPLETE;
    f->call.body = "<x/>";
    f->call.body_size = 4;
    asked = run(f, answers);
    assert_int_equal(f->result.rc, 0);
    assert_int_equal(f->result.tries, 3);
    assert_int_equal(count(asked, "\r\n\r\n<x/>"), 3);
    assert_int_equal(count(asked, "x-amz-content-sha256: UNSIGNED-PAYLOAD"), 0);
    free(asked);
}

static void what_a_server_does_for_long_is_waited_for(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(gm_s3_exchange_stall_s(&f->call), 30);
    f->call.wants = GM_S3_WANTS_XML;
    f->call.kind = GM_S3_LIST;
    assert_int_equal(gm_s3_exchange_stall_s(&f->call), 30);
    f->call.kind = GM_S3_COMPLETE;
    assert_int_equal(gm_s3_exchange_stall_s(&f->call), 600);
    f->call.kind = GM_S3_COPY;
    assert_int_equal(gm_s3_exchange_stall_s(&f->call), 600);
}

static void a_url_is_sent_as_it_is_and_ends_with_its_time(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("403 No", "AccessDenied"), NULL};
    char url[128];
    char *asked;

    script_start(&f->server, answers);
    make_client(f, f->server.url);
    snprintf(url, sizeof(url), "%s/b/../k?X-Amz-Signature=s3cret", f->server.url);
    f->call.url = url;
    f->call.url_until_unix_ms = gm_time_unix_ms() + 60000; /* by our clock */
    start(f);
    asked = script_stop(&f->server);
    assert_int_equal(f->result.rc, -GM_E_STORE_DENIED);
    assert_true(f->result.renew);
    assert_null(strstr(f->result.err.text, "s3cret"));
    assert_non_null(strstr(asked, "GET /b/../k?X-Amz-Signature=s3cret HTTP/1.1\r\n"));
    assert_null(strstr(asked, "Authorization"));
    free(asked);
}

static void a_cancelled_call_is_not_heard_of(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {NULL}; /* it takes the connection, and is gone */
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};

    script_start(&f->server, answers);
    make_client(f, f->server.url);
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), 0);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    gm_s3_cancel(&running);
    assert_null(running);
    gm_s3_cancel(&running);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 0);
    free(script_stop(&f->server));
}

static void a_dead_endpoint_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};

    make_client(f, "http://127.0.0.1:1"); /* nobody listens there */
    f->call.max_tries = 1;
    f->call.max_time = GM_MS;
    for (int i = 0; i < GM_S3_BREAKER_LIMIT; i++) {
        f->ends = 0;
        start(f);
        assert_int_equal(f->result.rc, -GM_E_STORE);
        assert_int_equal(f->result.tries, 1);
    }
    assert_true(f->client->breaker.open);
    f->client->breaker.until = gm_time_now() + GM_S3_BREAKER_MAX; /* however slow this machine is */
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), -GM_E_STORE);
    assert_non_null(strstr(err.text, "left alone"));
    f->client->breaker.until = gm_time_now() + 50 * GM_MS;
    f->call.max_time = 60 * GM_SEC; /* who has the time waits for the next try */
    f->ends = 0;
    start(f);
    assert_int_equal(f->result.tries, 1);
}

/* Eight failed, and the rest is over. */
static void open_breaker(struct fixture *f)
{
    f->client->breaker = (struct gm_s3_breaker){
        .failures = GM_S3_BREAKER_LIMIT, .openings = 1, .open = true, .until = gm_time_now()};
}

static void who_waits_for_the_one_that_decides_goes_on(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "hello", OK("5") "world", NULL};
    struct gm_s3_running *running[2] = {NULL};
    struct gm_err err = {0};

    script_start(&f->server, answers);
    make_client(f, f->server.url);
    open_breaker(f);
    f->call.max_time = GM_S3_PROBE_TIME - GM_SEC;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gm_s3_client_start(f->client, &f->call, &running[i], &err), 0);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 2);
    assert_int_equal(f->result.rc, 0);
    assert_string_equal((char *)f->body.data, "helloworld");
    free(script_stop(&f->server));
}

static void a_body_that_comes_closes_the_breaker_before_its_end(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "hello", NULL};

    script_start(&f->server, answers);
    make_client(f, f->server.url);
    open_breaker(f);
    f->was_open = true;
    start(f);
    assert_false(f->was_open);
    free(script_stop(&f->server));
}

/* Whatever becomes of it then: the first thing that comes says that the endpoint lives. */
static void an_upload_closes_the_breaker_when_its_answer_begins(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {"HTTP/1.1 100 Continue\r\n\r\n", OK("9") "hello", NULL};

    f->call.method = "PUT";
    f->call.wants = GM_S3_WANTS_XML;
    f->call.body = "x";
    f->call.body_size = 1;
    f->call.max_tries = 1;
    script_start(&f->server, answers);
    make_client(f, f->server.url);
    for (int i = 0; i < 2; i++) {
        open_breaker(f);
        f->ends = 0;
        start(f);
        assert_int_equal(f->result.rc, -GM_E_STORE);
        assert_false(f->client->breaker.open);
        assert_int_equal(f->client->breaker.failures, 1);
    }
    free(script_stop(&f->server));
}

static void a_cancelled_one_decides_nothing(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("5") "hello", NULL};
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};

    script_start(&f->server, answers);
    make_client(f, f->server.url);
    open_breaker(f);
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), 0);
    assert_true(f->client->breaker.probing);
    gm_s3_cancel(&running);
    assert_true(f->client->breaker.open);
    assert_false(f->client->breaker.probing);
    start(f);
    assert_int_equal(f->result.rc, 0);
    free(script_stop(&f->server));
}

static void what_fails_here_says_nothing_of_the_endpoint(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("0"), NULL};
    FILE *file = tmpfile();

    assert_non_null(file);
    f->call.method = "PUT";
    f->call.wants = GM_S3_WANTS_NOTHING;
    f->call.fd = fileno(file);
    f->call.body_size = 16; /* more than it has */
    script_start(&f->server, answers);
    make_client(f, f->server.url);
    open_breaker(f);
    start(f);
    assert_int_equal(f->result.rc, -GM_E_INVAL);
    assert_true(f->client->breaker.open);
    assert_false(f->client->breaker.probing);
    free(script_stop(&f->server));
    fclose(file);
}

static void calls_that_cannot_be_sent_do_not_begin(void **state)
{
    struct fixture *f = *state;
    static const struct gm_s3_field broken = {"A", "x\r\nB: y"};
    struct gm_s3_running *running = NULL;
    struct gm_err err = {0};

    make_client(f, "http://127.0.0.1:1");
    f->call.bucket = "B";
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), -GM_E_INVAL);
    f->call.bucket = NULL;
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), -GM_E_INVAL);
    f->call.bucket = "bkt";
    f->call.headers = &broken;
    f->call.header_count = 1;
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), -GM_E_INVAL);
    f->call.header_count = 0;
    f->call.on_body = NULL;
    assert_int_equal(gm_s3_client_start(f->client, &f->call, &running, &err), -GM_E_INVAL);
    assert_null(running);
    assert_int_equal(f->ends, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_get_is_signed_and_its_body_handed_on),
        TEST(what_the_server_can_mend_is_tried_again),
        TEST(a_budget_that_is_used_up_ends_it),
        TEST(before_its_first_byte_an_object_says_what_it_is),
        TEST(what_is_refused_is_not_tried_again),
        TEST(a_page_of_a_proxys_is_no_object),
        TEST(a_download_goes_on_where_it_broke_off),
        TEST(the_rest_of_another_object_is_not_taken),
        TEST(other_bytes_than_asked_for_are_not_taken),
        TEST(an_empty_answer_is_no_rest),
        TEST(without_a_length_an_end_may_be_a_cut),
        TEST(chunks_say_where_they_end),
        TEST(an_answer_that_is_no_xml_has_one_code),
        TEST(another_region_is_named),
        TEST(a_range_is_asked_for_and_kept_to),
        TEST(more_than_the_range_is_not_taken),
        TEST(who_takes_the_body_may_end_it),
        TEST(it_is_signed_anew_by_the_servers_clock),
        TEST(a_clock_that_stays_wrong_ends_it),
        TEST(a_file_is_sent_whole_each_time),
        TEST(a_file_that_is_shorter_is_not_sent),
        TEST(nothing_is_sent_that_nobody_wants_any_more),
        TEST(no_try_begins_that_nobody_wants),
        TEST(a_complete_that_fails_late_is_tried_again),
        TEST(what_a_server_does_for_long_is_waited_for),
        TEST(a_url_is_sent_as_it_is_and_ends_with_its_time),
        TEST(a_cancelled_call_is_not_heard_of),
        TEST(a_dead_endpoint_is_left_alone),
        TEST(who_waits_for_the_one_that_decides_goes_on),
        TEST(a_body_that_comes_closes_the_breaker_before_its_end),
        TEST(an_upload_closes_the_breaker_when_its_answer_begins),
        TEST(a_cancelled_one_decides_nothing),
        TEST(what_fails_here_says_nothing_of_the_endpoint),
        TEST(calls_that_cannot_be_sent_do_not_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
