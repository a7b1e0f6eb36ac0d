#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/s3/address.h"
#include "storage/s3/sign.h"
#include "tests/common/fail_alloc.h"

/* Everything that an upload by URL needs; whatever fails, it fails whole. */
static int run(bool url)
{
    static const struct gm_s3_keys keys = {"id", "secret", "token"};
    static const struct gm_s3_endpoint endpoint = {.host = "h"};
    static const struct gm_s3_field fields[] = {{"b", "x y"}, {"a", "/"}};
    struct gm_s3_address address = {.path = NULL};
    struct gm_s3_signer *signer = NULL;
    struct gm_s3_signed out = {.target = NULL};
    struct gm_err err = {0};
    char *text = NULL;
    int rc = gm_s3_address_make(&endpoint, GM_S3_PATH, "bkt", "k k", &address, &err);

    if (rc == 0) {
        rc = gm_s3_signer_create(&keys, "r", "s3", &signer, &err);
    }
    if (rc == 0) {
        const struct gm_s3_request request = {.method = "PUT",
                                              .host = address.host,
                                              .path = address.path,
                                              .query = fields,
                                              .query_count = 2,
                                              .headers = fields,
                                              .header_count = 2,
                                              .payload = GM_S3_UNSIGNED};

        rc = url ? gm_s3_presign(signer, &request, true, 0, 60, &text, &err)
                 : gm_s3_sign(signer, &request, 0, &out, &err);
        assert_true(rc == 0 || (text == NULL && out.target == NULL && out.line_count == 0));
    }
    assert_true(rc == 0 || (rc == -GM_E_NOMEM && err.code == GM_E_NOMEM));
    free(text);
    gm_s3_signed_fini(&out);
    gm_s3_signer_destroy(&signer);
    gm_s3_address_fini(&address);
    return rc;
}

static void memory_that_runs_out_leaves_nothing(void **state)
{
    (void)state;
    for (int url = 0; url < 2; url++) {
        long at = 0;
        bool fired = true;

        while (fired) {
            int rc;

            fail_alloc_arm(++at);
            rc = run(url == 1);
            fired = fail_alloc_fired();
            assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        }
        assert_true(at > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_that_runs_out_leaves_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
