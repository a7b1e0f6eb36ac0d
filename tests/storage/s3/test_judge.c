#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "storage/s3/judge.h"

struct row {
    int transport;
    int status;
    const char *code;
    enum gm_s3_next next;
    enum gm_code gm_code;
    bool ill;
};

static void check(const struct row *row)
{
    const struct gm_s3_outcome outcome = {
        .transport = row->transport, .status = row->status, .code = row->code};
    struct gm_s3_verdict verdict = gm_s3_judge(&outcome);

    if (verdict.next != row->next || verdict.code != row->gm_code || verdict.ill != row->ill) {
        print_message("%d %d %s\n", row->transport, row->status, row->code);
    }
    assert_int_equal(verdict.next, row->next);
    assert_int_equal(verdict.code, row->gm_code);
    assert_int_equal(verdict.ill, row->ill);
}

static void answers_mean_what_s3_says(void **state)
{
    static const struct row rows[] = {
        {0, 200, "", GM_S3_DONE, GM_E_STORE, false},
        {0, 204, NULL, GM_S3_DONE, GM_E_STORE, false},
        {0, 206, "", GM_S3_DONE, GM_E_STORE, false},
        {0, 200, "InternalError", GM_S3_AGAIN, GM_E_STORE, true}, /* of a complete */
        {0, 200, "SlowDown", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 200, "NeverHeardOf", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 200, "NoSuchUpload", GM_S3_FAILED, GM_E_NOTFOUND, false},
        {0, 400, "NeverHeardOf", GM_S3_FAILED, GM_E_STORE, false},
        {0, 400, "RequestTimeout", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 400, "BadDigest", GM_S3_AGAIN, GM_E_STORE_CORRUPT, false},
        {0, 400, "ExpiredToken", GM_S3_RENEW, GM_E_STORE_DENIED, false},
        {0, 403, "RequestTimeTooSkewed", GM_S3_CLOCK, GM_E_STORE_DENIED, false},
        {0, 403, "AccessDenied", GM_S3_FAILED, GM_E_STORE_DENIED, false},
        {0, 403, "QuotaExceeded", GM_S3_FAILED, GM_E_STORE_FULL, false},
        {0, 403, "", GM_S3_FAILED, GM_E_STORE_DENIED, false},
        {0, 404, "NoSuchBucket", GM_S3_FAILED, GM_E_STORE, false},
        {0, 404, "NoSuchKey", GM_S3_FAILED, GM_E_NOTFOUND, false},
        {0, 404, "", GM_S3_FAILED, GM_E_NOTFOUND, false}, /* of HEAD */
        {0, 405, "", GM_S3_LACKS, GM_E_STORE, false},
        {0, 411, "MissingContentLength", GM_S3_LACKS, GM_E_STORE, false},
        {0, 501, "NotImplemented", GM_S3_LACKS, GM_E_STORE, false},
        {0, 409, "OperationAborted", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 412, "PreconditionFailed", GM_S3_FAILED, GM_E_STORE_EXISTS, false},
        {0, 412, "", GM_S3_FAILED, GM_E_STORE_EXISTS, false},
        {0, 416, "InvalidRange", GM_S3_FAILED, GM_E_STORE_CORRUPT, false},
        {0, 301, "PermanentRedirect", GM_S3_FAILED, GM_E_STORE, false},
        {0, 307, "TemporaryRedirect", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 429, "", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 500, "InternalError", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 500, "", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 502, "", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 503, "SlowDown", GM_S3_AGAIN, GM_E_STORE, false},
        {0, 503, "ServiceUnavailable", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 504, "", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 507, "", GM_S3_FAILED, GM_E_STORE_FULL, false},
        {0, 999, "", GM_S3_AGAIN, GM_E_STORE, true},
        {0, 100, "", GM_S3_AGAIN, GM_E_STORE, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i]);
    }
}

static void what_got_no_answer_is_judged_by_the_wire(void **state)
{
    static const struct row rows[] = {
        {CURLE_COULDNT_RESOLVE_HOST, 0, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_COULDNT_CONNECT, 0, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_OPERATION_TIMEDOUT, 0, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_GOT_NOTHING, 0, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_RECV_ERROR, 100, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_PARTIAL_FILE, 200, "", GM_S3_AGAIN, GM_E_STORE, true}, /* a short body */
        {CURLE_OPERATION_TIMEDOUT, 206, "", GM_S3_AGAIN, GM_E_STORE, true},
        {CURLE_PEER_FAILED_VERIFICATION, 0, "", GM_S3_FAILED, GM_E_STORE, false},
        {CURLE_URL_MALFORMAT, 0, "", GM_S3_FAILED, GM_E_BUG, false},
        {CURLE_OUT_OF_MEMORY, 0, "", GM_S3_FAILED, GM_E_NOMEM, false},
        {CURLE_ABORTED_BY_CALLBACK, 0, "", GM_S3_FAILED, GM_E_CANCELLED, false},
        {CURLE_WRITE_ERROR, 200, "", GM_S3_FAILED, GM_E_CANCELLED, false},
        /* an upload that was refused in its middle */
        {CURLE_SEND_ERROR, 403, "AccessDenied", GM_S3_FAILED, GM_E_STORE_DENIED, false},
        {CURLE_SEND_ERROR, 503, "SlowDown", GM_S3_AGAIN, GM_E_STORE, false},
        /* the answer broke off: of the key, or of the bucket */
        {CURLE_PARTIAL_FILE, 404, "", GM_S3_AGAIN, GM_E_STORE, false},
        {CURLE_RECV_ERROR, 404, "NoSuchKey", GM_S3_FAILED, GM_E_NOTFOUND, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i]);
    }
}

static void a_wrong_body_is_asked_for_again(void **state)
{
    struct gm_s3_outcome outcome = {.status = 200, .wrong_body = true};

    (void)state;
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_AGAIN);
    assert_int_equal(gm_s3_judge(&outcome).code, GM_E_STORE_CORRUPT);
    outcome.status = 404; /* there is no body of the object's */
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_FAILED);
    assert_int_equal(gm_s3_judge(&outcome).code, GM_E_NOTFOUND);
}

static void a_refusal_after_its_time_asks_for_a_new_grant(void **state)
{
    struct gm_s3_outcome outcome = {.status = 403, .code = "AccessDenied", .overdue = true};

    (void)state;
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_RENEW);
    outcome.code = "";
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_RENEW);
    outcome.code = "NoSuchKey";
    outcome.status = 404;
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_FAILED);
    outcome.code = "";
    outcome.status = 500;
    assert_int_equal(gm_s3_judge(&outcome).next, GM_S3_AGAIN);
}

static void the_native_value_is_the_status_or_curls(void **state)
{
    const struct gm_s3_outcome answered = {.transport = CURLE_SEND_ERROR, .status = 403};
    const struct gm_s3_outcome silent = {.transport = CURLE_COULDNT_CONNECT};

    (void)state;
    assert_int_equal(gm_s3_native(&answered), 403);
    assert_int_equal(gm_s3_native(&silent), CURLE_COULDNT_CONNECT);
}

/* Whatever comes: what is tried again is retryable, and only what is at an end has a code that says
 * so. */
static void no_status_is_taken_for_success_but_2xx(void **state)
{
    (void)state;
    for (int status = 0; status < 1000; status++) {
        struct gm_s3_outcome outcome = {.status = status};
        struct gm_s3_verdict verdict = gm_s3_judge(&outcome);

        assert_int_equal(verdict.next == GM_S3_DONE, status >= 200 && status < 300);
        assert_true(gm_code_get(verdict.code)->code == verdict.code);
        assert_true(!verdict.ill || verdict.next == GM_S3_AGAIN);
        for (int transport = 1; transport < CURL_LAST; transport++) {
            outcome.transport = transport;
            assert_int_not_equal(gm_s3_judge(&outcome).next, GM_S3_DONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean_what_s3_says),
        cmocka_unit_test(what_got_no_answer_is_judged_by_the_wire),
        cmocka_unit_test(a_wrong_body_is_asked_for_again),
        cmocka_unit_test(a_refusal_after_its_time_asks_for_a_new_grant),
        cmocka_unit_test(the_native_value_is_the_status_or_curls),
        cmocka_unit_test(no_status_is_taken_for_success_but_2xx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
