#include "node/transfer/upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/time.h"
#include "proto/check_grant.h"
#include "storage/transfer/script_server.h"

#define BODY "0123456789"
#define ETAG(value)                                                                                \
    "HTTP/1.1 200 OK\r\nETag: \"" value "\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define OK(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\nConnection: close\r\n\r\n"
#define BAD(status, code)                                                                          \
    "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<Error><Code>" code                           \
    "</Code><Message>m</Message></Error>"
#define XML "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define JOINED                                                                                     \
    XML "<CompleteMultipartUploadResult><ETag>\"x-3\"</ETag></CompleteMultipartUploadResult>"
#define BEGUN                                                                                      \
    XML "<InitiateMultipartUploadResult><UploadId>up1</UploadId></InitiateMultipartUploadResult>"
#define HASHED "?X-Amz-SignedHeaders=host%3Bx-amz-content-sha256"
#define SUMMED "?X-Amz-SignedHeaders=content-md5%3Bhost"

struct fixture {
    uv_loop_t loop;
    struct script_server server;
    struct gm_transfers *transfers;
    FILE *file;
    char urls[8][160];
    char *part_urls[3];
    Gm__Grant grant;
    Gm__GrantHeader header;
    Gm__GrantHeader *headers[1];
    uint8_t sha256[GM_SHA256_SIZE];
    uint8_t md5[GM_MD5_SIZE];
    struct gm_parts *parts;
    struct gm_upload_params params;
    struct gm_upload *upload;
    int ends;
    enum gm_upload_end end;
    struct gm_err err;
};

static void on_done(enum gm_upload_end end, const struct gm_err *err, void *arg)
{
    struct fixture *f = arg;

    f->ends++;
    f->end = end;
    f->err = *err;
    f->upload = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gm_transfers_create(&f->loop, NULL, 8, &f->transfers, &err), 0);
    f->file = tmpfile();
    assert_non_null(f->file);
    assert_true(fputs(BODY, f->file) >= 0 && fflush(f->file) == 0);
    assert_int_equal(
        gm_hash_part(fileno(f->file), 0, 10, f->sha256, f->md5, NULL, NULL, NULL, &err), 0);
    gm__grant__init(&f->grant);
    gm__grant_header__init(&f->header);
    f->header.name = (char *)(uintptr_t) "Content-Type";
    f->header.value = (char *)(uintptr_t) "video/mp4";
    f->headers[0] = &f->header;
    f->grant.headers = f->headers;
    f->grant.n_headers = 1;
    f->params = (struct gm_upload_params){.transfers = f->transfers,
                                          .grant = &f->grant,
                                          .fd = fileno(f->file),
                                          .size = 10,
                                          .sha256 = f->sha256,
                                          .done = on_done,
                                          .arg = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gm_parts_destroy(&f->parts);
    gm_transfers_destroy(&f->transfers);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    fclose(f->file);
    free(f);
    return 0;
}

static char *url(struct fixture *f, int i, const char *path)
{
    snprintf(f->urls[i], sizeof(f->urls[i]), "%s%s", f->server.url, path);
    return f->urls[i];
}

/* Three parts, of 4, 4 and 2 bytes. */
static void grant_parts(struct fixture *f, const char *signs)
{
    char path[80];
    uint8_t sha256[GM_SHA256_SIZE];
    struct gm_err err;

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "/part%d%s", i, signs);
        f->part_urls[i] = url(f, i, path);
    }
    f->grant.part_urls = f->part_urls;
    f->grant.n_part_urls = 3;
    f->grant.complete_url = url(f, 3, "/join");
    f->grant.head_url = url(f, 4, "/look");
    assert_int_equal(gm_parts_create(fileno(f->file), 10, 4, strcmp(signs, SUMMED) == 0, sha256,
                                     NULL, NULL, &f->parts, &err),
                     0);
    assert_memory_equal(sha256, f->sha256, sizeof(sha256)); /* of the whole */
    f->parts->upload_id = strdup("up1");
    f->params.parts = f->parts;
}

/* To its end; what was asked, owned. */
static char *run(struct fixture *f)
{
    struct gm_err err = {0};
    int rc = gm_upload_start(&f->params, &f->upload, &err);

    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(f->ends, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
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

static void a_body_goes_with_what_its_url_was_signed_for(void **state)
{
    static const char *const signs[] = {HASHED, SUMMED, ""};
    struct fixture *f = *state;
    const char *const answers[] = {ETAG("e"), NULL};

    f->params.md5 = f->md5;
    for (size_t i = 0; i < 3; i++) {
        script_start(&f->server, answers);
        f->ends = 0;
        f->grant.url = url(f, 0, signs[i]);
        char *asked = run(f);

        assert_int_equal(f->end, GM_UPLOAD_DONE);
        assert_int_equal(count(asked, "\r\n\r\n" BODY), 1);
        assert_int_equal(count(asked, "Content-Type: video/mp4\r\n"), 1);
        assert_int_equal(count(asked, "x-amz-content-sha256: 84d89877f0d4041efb6bf91a16f0248f2fd573"
                                      "e6af05c19f96bedb9f882f7882\r\n"),
                         i == 0);
        assert_int_equal(count(asked, "Content-MD5: eB5eJF1ptWaXm4bijSPyxw==\r\n"), i == 1);
        free(asked);
    }
}

static void a_grant_for_what_was_not_asked_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    f->grant.url = (char *)(uintptr_t) "http://127.0.0.1:1/" SUMMED;
    assert_int_equal(gm_upload_start(&f->params, &f->upload, &err), -GM_E_BUG);
    grant_parts(f, HASHED);
    f->grant.n_part_urls = 2;
    assert_int_equal(gm_upload_start(&f->params, &f->upload, &err), -GM_E_BUG);
    assert_int_equal(f->ends, 0);
}

static void parts_are_sent_and_joined_and_looked_at(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {ETAG("p"), ETAG("p"), ETAG("p"), JOINED, OK("10"), NULL};

    script_start(&f->server, answers);
    grant_parts(f, HASHED);
    char *asked = run(f);

    assert_int_equal(f->end, GM_UPLOAD_DONE);
    assert_int_equal(count(asked, "PUT /part"), 3);
    assert_int_equal(count(asked, "x-amz-content-sha256: "), 3);
    assert_int_equal(count(asked, "\r\n\r\n0123"), 1);
    assert_int_equal(count(asked, "\r\n\r\n4567"), 1);
    assert_int_equal(count(asked, "\r\n\r\n89"), 1);
    assert_int_equal(count(asked, "Content-Type"), 0);
    assert_int_equal(count(asked, "<Part><PartNumber>3</PartNumber><ETag>&quot;p&quot;</ETag>"), 1);
    assert_int_equal(count(asked, "HEAD /look"), 1);
    free(asked);
}

static void a_part_that_is_there_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {ETAG("p"), JOINED, OK("10"), NULL};
    struct gm_err err;

    script_start(&f->server, answers);
    grant_parts(f, SUMMED);
    assert_int_equal(gm_parts_stored(f->parts, 0, "\"a\"", &err), 0);
    assert_int_equal(gm_parts_stored(f->parts, 2, "\"c\"", &err), 0);
    char *asked = run(f);

    assert_int_equal(f->end, GM_UPLOAD_DONE);
    assert_int_equal(count(asked, "PUT /part1"), 1);
    assert_int_equal(count(asked, "PUT "), 1);
    assert_int_equal(count(asked, "Content-MD5: "), 1);
    free(asked);
}

/* The ends of uploads of which all parts but the last are there. */
static void what_happens_to_parts_is_told(void **state)
{
    static const struct {
        const char *answers[5];
        enum gm_upload_end end;
        enum gm_code code;
    } rows[] = {
        {{BAD("404 No", "NoSuchUpload"), NULL}, GM_UPLOAD_GONE, GM_E_STORE},
        {{BAD("403 No", "AccessDenied"), NULL}, GM_UPLOAD_FAILED, GM_E_STORE_DENIED},
        {{OK("0"), NULL}, GM_UPLOAD_FAILED, GM_E_STORE}, /* without an ETag */
        /* the answer to the first join was lost */
        {{ETAG("p"), "", BAD("404 No", "NoSuchUpload"), OK("10"), NULL}, GM_UPLOAD_DONE, GM_OK},
        {{ETAG("p"), BAD("404 No", "NoSuchUpload"), OK("9"), NULL},
         GM_UPLOAD_GONE,
         GM_E_STORE_CORRUPT},
        {{ETAG("p"), BAD("404 No", "NoSuchUpload"), BAD("404 No", ""), NULL},
         GM_UPLOAD_GONE,
         GM_E_STORE},
        {{ETAG("p"), BAD("400 No", "InvalidPart"), NULL}, GM_UPLOAD_GONE, GM_E_STORE_CORRUPT},
        {{ETAG("p"), JOINED, OK("9"), NULL}, GM_UPLOAD_FAILED, GM_E_STORE_CORRUPT},
    };
    struct fixture *f = *state;
    struct gm_err err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script_start(&f->server, rows[i].answers);
        f->ends = 0;
        grant_parts(f, HASHED);
        assert_int_equal(gm_parts_stored(f->parts, 0, "\"a\"", &err), 0);
        assert_int_equal(gm_parts_stored(f->parts, 1, "\"b\"", &err), 0);
        free(run(f));
        if (f->end != rows[i].end || f->err.code != rows[i].code) {
            fail_msg("row %zu: end %d, code %d: %s", i, (int)f->end, (int)f->err.code, f->err.text);
        }
        gm_parts_destroy(&f->parts);
    }
}

static void a_url_that_is_over_is_to_be_renewed(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("403 No", "AccessDenied"), NULL};

    script_start(&f->server, answers);
    f->grant.url = url(f, 0, HASHED);
    f->params.until_unix_ms = gm_time_unix_ms() - 1;
    free(run(f));
    assert_int_equal(f->end, GM_UPLOAD_RENEW);
}

static void a_file_that_is_shorter_is_not_what_was_granted(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {ETAG("e"), NULL};

    script_start(&f->server, answers);
    f->grant.url = url(f, 0, HASHED);
    f->params.size = 11;
    free(run(f));
    assert_int_equal(f->end, GM_UPLOAD_FAILED);
    assert_int_equal(f->err.code, GM_E_STORE_CORRUPT);
}

static void an_upload_in_parts_is_begun(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BEGUN, NULL};
    struct gm_err err;

    script_start(&f->server, answers);
    grant_parts(f, HASHED);
    f->grant.start_url = url(f, 5, "/begin" HASHED);
    gm_parts_forget(f->parts);
    assert_int_equal(gm_upload_begin(&f->params, &f->upload, &err), 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->end, GM_UPLOAD_DONE);
    assert_string_equal(f->parts->upload_id, "up1");
    char *asked = script_stop(&f->server);

    assert_int_equal(count(asked, "POST /begin"), 1);
    assert_int_equal(count(asked, "Content-Length: 0\r\n"), 1);
    assert_int_equal(count(asked, "Content-Type: video/mp4\r\n"), 1);
    assert_int_equal(count(asked, "x-amz-content-sha256: e3b0c442"), 1);
    free(asked);
}

static bool was_asked(const struct fixture *f, const char *what)
{
    uint8_t *text = NULL;
    size_t size;
    struct gm_err err;

    assert_int_equal(gm_fs_read(f->server.asked, 1 << 20, &text, &size, &err), 0);
    bool was = strstr((char *)text, what) != NULL;

    free(text);
    return was;
}

/* It may be stored for all that is known here. */
static void what_was_sent_whole_is_not_given_up(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {SCRIPT_STALL, NULL};
    struct gm_err err;

    script_start(&f->server, answers);
    f->grant.url = url(f, 0, HASHED);
    assert_int_equal(gm_upload_start(&f->params, &f->upload, &err), 0);
    while (!was_asked(f, BODY)) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(gm_upload_give_up(&f->upload));
    assert_non_null(f->upload);
    gm_upload_cancel(&f->upload);
    assert_null(f->upload);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 0);
    free(script_stop(&f->server));
}

/* None of it may become an object. */
static void what_was_not_and_parts_are_given_up(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {SCRIPT_STALL, NULL};
    struct gm_err err;

    script_start(&f->server, answers);
    f->grant.url = url(f, 6, HASHED);
    assert_int_equal(gm_upload_start(&f->params, &f->upload, &err), 0);
    assert_false(gm_upload_give_up(&f->upload));
    grant_parts(f, HASHED);
    assert_int_equal(gm_upload_start(&f->params, &f->upload, &err), 0);
    while (!was_asked(f, "PUT /part")) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_false(gm_upload_give_up(&f->upload));
    assert_null(f->upload);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 0);
    free(script_stop(&f->server));
}

static void parts_are_as_large_as_they_must_be(void **state)
{
    (void)state;
    assert_int_equal(gm_parts_size(1), GM_PARTS_SIZE);
    assert_int_equal(gm_parts_size(GM_PARTS_SIZE * GM_SENT_PARTS_MAX), GM_PARTS_SIZE);
    assert_int_equal(gm_parts_size(GM_PARTS_SIZE * GM_SENT_PARTS_MAX + 1),
                     GM_PARTS_SIZE + (1 << 20));
    assert_int_equal(gm_parts_size(GM_PROTO_OBJECT_MAX), GM_PROTO_PART_MAX);
    assert_int_equal((GM_PROTO_OBJECT_MAX - 1) / GM_PROTO_PART_MAX + 1, GM_PROTO_MAX_PARTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_goes_with_what_its_url_was_signed_for),
        TEST(a_grant_for_what_was_not_asked_is_refused),
        TEST(parts_are_sent_and_joined_and_looked_at),
        TEST(a_part_that_is_there_is_not_sent_again),
        TEST(what_happens_to_parts_is_told),
        TEST(a_url_that_is_over_is_to_be_renewed),
        TEST(a_file_that_is_shorter_is_not_what_was_granted),
        TEST(an_upload_in_parts_is_begun),
        TEST(what_was_sent_whole_is_not_given_up),
        TEST(what_was_not_and_parts_are_given_up),
        cmocka_unit_test(parts_are_as_large_as_they_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
