#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/answer.h"
#include "tests/common/fail_alloc.h"

/* Our allocations; Expat's own are the C library's. */
static void memory_that_runs_out_leaves_nothing(void **state)
{
    static const struct gm_s3_answer none;
    static const char text[] =
        "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>t</NextContinuationToken><Contents><Key>a+b</Key><Size>1</Size>"
        "</Contents><Contents><Key>c</Key><Size>1</Size></Contents></ListBucketResult>";
    long at = 0;
    bool fired = true;

    (void)state;
    while (fired) {
        struct gm_s3_answer answer = {.is_error = false};
        struct gm_err err = {0};
        int rc;

        fail_alloc_arm(++at);
        rc = gm_s3_answer_read(GM_S3_LIST, text, sizeof(text) - 1, &answer, &err);
        fired = fail_alloc_fired();
        assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        if (fired) {
            assert_memory_equal(&answer, &none, sizeof(none));
            assert_int_equal(err.code, GM_E_NOMEM);
        }
        gm_s3_answer_fini(&answer);
    }
    assert_true(at > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_that_runs_out_leaves_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
