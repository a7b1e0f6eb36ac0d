#include "node/transfer/download.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "storage/transfer/script_server.h"

#define OK(length)                                                                                 \
    "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: " length "\r\nConnection: close\r\n\r\n"
#define PART(range, length)                                                                        \
    "HTTP/1.1 206 Part\r\nETag: \"e\"\r\nContent-Range: bytes " range                              \
    "\r\nContent-Length: " length "\r\nConnection: close\r\n\r\n"
#define BAD(status, code)                                                                          \
    "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n<Error><Code>" code                           \
    "</Code><Message>m</Message></Error>"

struct fixture {
    uv_loop_t loop;
    struct script_server server;
    struct gm_transfers *transfers;
    FILE *file;
    struct gm_download_params params;
    struct gm_download *download;
    int ends;
    int rc;
    bool renew;
    struct gm_err err;
};

static void on_done(int rc, const struct gm_err *err, bool renew, void *arg)
{
    struct fixture *f = arg;

    f->ends++;
    f->rc = rc;
    f->renew = renew;
    f->err = *err;
    f->download = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gm_transfers_create(&f->loop, NULL, 1, &f->transfers, &err), 0);
    f->file = tmpfile();
    assert_non_null(f->file);
    f->params = (struct gm_download_params){
        .transfers = f->transfers, .fd = fileno(f->file), .size = 10, .done = on_done, .arg = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gm_transfers_destroy(&f->transfers);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    fclose(f->file);
    free(f);
    return 0;
}

static char *run(struct fixture *f, const char *const *answers)
{
    struct gm_err err = {0};

    script_start(&f->server, answers);
    f->params.url = f->server.url;
    f->ends = 0;
    assert_int_equal(gm_download_start(&f->params, &f->download, &err), 0);
    assert_int_equal(f->ends, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 1);
    return script_stop(&f->server);
}

static void a_body_comes_and_goes_on_where_it_broke_off(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {OK("10") "0123", PART("4-9/10", "6") "456789", NULL};
    char text[16] = "";

    free(run(f, answers));
    assert_int_equal(f->rc, 0);
    assert_int_equal(pread(f->params.fd, text, 15, 0), 10);
    assert_string_equal(text, "0123456789");
}

static void what_is_not_as_long_as_it_was_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *const shorter[] = {OK("9") "012345678", NULL};
    const char *const longer[] = {OK("11") "0123456789a", NULL};
    const char *const empty[] = {OK("0"), NULL};

    free(run(f, shorter));
    assert_int_equal(f->rc, -GM_E_STORE_CORRUPT);
    free(run(f, longer));
    assert_int_equal(f->rc, -GM_E_STORE_CORRUPT);
    free(run(f, empty));
    assert_int_equal(f->rc, -GM_E_STORE_CORRUPT);
    f->params.size = 0;
    free(run(f, empty));
    assert_int_equal(f->rc, 0);
}

/* One range after the other here. */
static void a_large_body_comes_in_ranges(void **state)
{
    struct fixture *f = *state;
    const uint64_t size = GM_DOWNLOAD_RANGE + 3;
    char *first = calloc(1, GM_DOWNLOAD_RANGE + 200);
    char text[8] = "";
    const char *const answers[] = {first, PART("8388608-8388610/8388611", "3") "end", NULL};
    int used = sprintf(first, "%s", PART("0-8388607/8388611", "8388608"));

    memset(first + used, 'a', GM_DOWNLOAD_RANGE);
    f->params.size = size;
    char *asked = run(f, answers);

    assert_int_equal(f->rc, 0);
    assert_non_null(strstr(asked, "Range: bytes=0-8388607\r\n"));
    assert_non_null(strstr(asked, "Range: bytes=8388608-8388610\r\n"));
    assert_int_equal(pread(f->params.fd, text, 7, GM_DOWNLOAD_RANGE - 1), 4);
    assert_string_equal(text, "aend");
    free(asked);
    free(first);
}

static void a_failure_ends_all_ranges(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {BAD("403 No", "AccessDenied"), OK("0"), NULL};

    f->params.size = 3 * GM_DOWNLOAD_RANGE;
    f->params.until_unix_ms = 1;
    char *asked = run(f, answers);

    assert_int_equal(f->rc, -GM_E_STORE_DENIED);
    assert_true(f->renew);
    assert_null(strstr(strstr(asked, "GET ") + 1, "GET "));
    free(asked);
}

static void one_may_be_cancelled(void **state)
{
    struct fixture *f = *state;
    const char *const answers[] = {SCRIPT_STALL, NULL};
    struct gm_err err;

    script_start(&f->server, answers);
    f->params.url = f->server.url;
    f->params.size = 3 * GM_DOWNLOAD_RANGE;
    assert_int_equal(gm_download_start(&f->params, &f->download, &err), 0);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    gm_download_cancel(&f->download);
    assert_null(f->download);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->ends, 0);
    free(script_stop(&f->server));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_body_comes_and_goes_on_where_it_broke_off),
        TEST(what_is_not_as_long_as_it_was_is_refused),
        TEST(a_large_body_comes_in_ranges),
        TEST(a_failure_ends_all_ranges),
        TEST(one_may_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
