#include "node/transfer/transfers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage/transfer/script_server.h"

/* The server closes, and says so: a connection that looks as if it could be used again fails. */
#define OK(length)                                                                                 \
    "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nConnection: close\r\nContent-Length: " length "\r\n\r\n"

struct fixture;

struct one {
    struct gm_transfer transfer;
    struct fixture *fixture;
    char url[128];
    char body[32];
    int ends;
    int order; /* it was that one that ended */
    int rc;
    struct gm_err err;
    struct one *cancels; /* when it ends; NULL: none */
    struct one *begins;
    bool unwanted;
};

struct fixture {
    uv_loop_t loop;
    struct script_server server;
    struct gm_transfers *transfers;
    struct one list[4];
    int ended;
};

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct one *one = arg;

    (void)err;
    assert_true(strlen(one->body) + size < sizeof(one->body));
    memcpy(one->body + strlen(one->body), data, size);
    return 0;
}

static int on_wanted(void *arg, struct gm_err *err)
{
    const struct one *one = arg;

    return one->unwanted ? gm_err_set(err, GM_E_STALE, 0, "nobody wants it") : 0;
}

static void start(struct one *one, const char *path);

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct one *one = arg;

    one->ends++;
    one->order = ++one->fixture->ended;
    one->rc = result->rc;
    one->err = result->err;
    if (one->cancels != NULL) {
        gm_transfer_cancel(&one->cancels->transfer);
    }
    if (one->begins != NULL) {
        start(one->begins, "/begun");
    }
}

static int try_start(struct one *one, const char *url, struct gm_err *err)
{
    const struct gm_s3_call call = {.method = "GET",
                                    .url = url,
                                    .fd = -1,
                                    .wanted = on_wanted,
                                    .wants = GM_S3_WANTS_BODY,
                                    .on_body = on_body,
                                    .done = on_done,
                                    .arg = one};

    return gm_transfer_start(one->fixture->transfers, &one->transfer, &call, err);
}

static void start(struct one *one, const char *path)
{
    struct gm_err err = {0};

    snprintf(one->url, sizeof(one->url), "%s%s?sig=secret", one->fixture->server.url, path);
    assert_int_equal(try_start(one, one->url, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gm_transfers_create(&f->loop, NULL, 1, &f->transfers, &err), 0);
    for (size_t i = 0; i < 4; i++) {
        f->list[i].fixture = f;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gm_transfers_destroy(&f->transfers);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void they_go_in_turn(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("1") "a", OK("1") "b", OK("1") "c", NULL};

    script_start(&f->server, answers);
    for (size_t i = 0; i < 3; i++) {
        start(&f->list[i], "/");
        assert_int_equal(gm_transfer_waits(&f->list[i].transfer), i > 0);
    }
    assert_int_equal(gm_transfers_moved(f->transfers), 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 3; i++) {
        const char body[2] = {(char)('a' + i), '\0'};

        assert_int_equal(f->list[i].ends, 1);
        assert_int_equal(f->list[i].order, i + 1);
        assert_int_equal(f->list[i].rc, 0);
        assert_string_equal(f->list[i].body, body);
    }
    assert_true(gm_transfers_moved(f->transfers) > 0);
    free(script_stop(&f->server));
}

static void one_that_waits_or_goes_may_be_cancelled(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("1") "x", OK("1") "b", NULL};
    char *asked;

    script_start(&f->server, answers);
    start(&f->list[0], "/first");
    start(&f->list[1], "/second");
    start(&f->list[2], "/third");
    start(&f->list[3], "/fourth");
    gm_transfer_cancel(&f->list[3].transfer); /* the last that waits */
    gm_transfer_cancel(&f->list[1].transfer);
    gm_transfer_cancel(&f->list[0].transfer); /* the third goes now */
    gm_transfer_cancel(&f->list[0].transfer);
    start(&f->list[3], "/again");
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->list[0].ends + f->list[1].ends, 0);
    assert_int_equal(f->list[2].order, 1);
    assert_int_equal(f->list[3].order, 2);
    asked = script_stop(&f->server);
    assert_null(strstr(asked, "/second"));
    free(asked);
}

/* Who cancels may be in the midst of what the other's end changes. */
static void who_waits_ends_neither_within_a_cancel_nor_an_end(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("1") "x", NULL};

    script_start(&f->server, answers);
    start(&f->list[0], "/first");
    start(&f->list[1], "/second");
    start(&f->list[2], "/third");
    f->list[1].unwanted = f->list[2].unwanted = true;
    gm_transfer_cancel(&f->list[0].transfer);
    assert_int_equal(f->ended, 0);
    assert_true(gm_transfer_waits(&f->list[1].transfer));
    gm_transfer_cancel(&f->list[1].transfer);
    assert_false(gm_transfer_waits(&f->list[1].transfer));
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->list[0].ends + f->list[1].ends, 0);
    assert_int_equal(f->list[2].ends, 1);
    assert_int_equal(f->list[2].rc, -GM_E_STALE);
    free(script_stop(&f->server));
}

static void what_one_ends_it_may_cancel_and_begin(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("1") "a", OK("1") "b", NULL};
    char *asked;

    script_start(&f->server, answers);
    f->list[0].cancels = &f->list[1];
    f->list[0].begins = &f->list[0];
    start(&f->list[0], "/first");
    start(&f->list[1], "/second");
    while (f->ended < 1) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    f->list[0].begins = NULL;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->list[0].ends, 2);
    assert_int_equal(f->list[1].ends, 0);
    asked = script_stop(&f->server);
    assert_non_null(strstr(asked, "GET /begun"));
    free(asked);
}

static void endpoints_beyond_those_that_are_kept_are_asked_too(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    for (int i = 0; i < GM_TRANSFERS_CLIENTS + 4; i++) {
        snprintf(f->list[0].url, sizeof(f->list[0].url), "http://127.0.0.%d:1/?sig=secret", i + 1);
        assert_int_equal(try_start(&f->list[0], f->list[0].url, &err), 0);
        uv_run(&f->loop, UV_RUN_DEFAULT); /* nobody listens */
        assert_int_equal(f->list[0].ends, i + 1);
        assert_int_equal(f->list[0].rc, -GM_E_STORE);
        assert_null(strstr(f->list[0].err.text, "secret"));
    }
}

static void what_is_no_url_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;

    assert_int_equal(try_start(&f->list[0], "file:///x?sig=secret", &err), -GM_E_INVAL);
    assert_null(strstr(err.text, "secret"));
    assert_int_equal(f->list[0].ends, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_go_in_turn),
        TEST(one_that_waits_or_goes_may_be_cancelled),
        TEST(who_waits_ends_neither_within_a_cancel_nor_an_end),
        TEST(what_one_ends_it_may_cancel_and_begin),
        TEST(endpoints_beyond_those_that_are_kept_are_asked_too),
        TEST(what_is_no_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
