#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fail_alloc.h"

static void a_failed_append_is_reported_once_at_the_end(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct gm_buf buf = {0};
        struct gm_err err = {0};
        bool fired;
        int rc;

        fail_alloc_arm(n);
        for (int i = 0; i < 300; i++) {
            gm_buf_printf(&buf, "%d,", i);
            gm_buf_str(&buf, "x");
        }
        fired = fail_alloc_fired();
        rc = gm_buf_check(&buf, &err);
        assert_int_equal(rc, fired ? -GM_E_NOMEM : 0);
        gm_buf_fini(&buf);
        if (!fired) {
            assert_true(n > 3);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_append_is_reported_once_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
