#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/transfer/client.h"
#include "tests/common/fail_alloc.h"

static void on_done(const struct gm_s3_result *result, void *arg)
{
    (void)result;
    (void)arg;
    fail_msg("a call that was cancelled ended");
}

/* Our allocations; curl's own are the C library's. */
static void a_call_begins_whole_or_not_at_all(void **state)
{
    static const struct gm_s3_keys keys = {"id", "secret", "token"};
    static const struct gm_s3_endpoint endpoint = {.host = "127.0.0.1:1"};
    static const struct gm_s3_field field = {"x-amz-meta-a", "b"};
    const struct gm_s3_call call = {.method = "PUT",
                                    .bucket = "bkt",
                                    .key = "k",
                                    .headers = &field,
                                    .header_count = 1,
                                    .body = "x",
                                    .body_size = 1,
                                    .done = on_done};
    uv_loop_t loop;
    long at = 0;
    bool fired = true;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    const struct gm_s3_client_params params = {
        .loop = &loop, .endpoint = &endpoint, .keys = &keys, .region = "r", .ca_file = "/none"};

    while (fired) {
        struct gm_s3_client *client = NULL;
        struct gm_s3_running *running = NULL;
        struct gm_err err = {0};
        int rc;

        fail_alloc_arm(++at);
        rc = gm_s3_client_create(&params, &client, &err);
        if (rc == 0) {
            rc = gm_s3_client_start(client, &call, &running, &err);
        }
        fired = fail_alloc_fired();
        assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        assert_true((running == NULL) == fired);
        gm_s3_cancel(&running);
        gm_s3_client_destroy(&client);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    assert_true(at > 20);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_call_begins_whole_or_not_at_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
