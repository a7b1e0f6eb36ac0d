/* proto/protocol.c: which releases of scheduler and node work together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/envelope.h"

static void a_release_apart_works_together(void **state)
{
    (void)state;
    static const struct {
        uint32_t scheduler, scheduler_oldest, node, node_oldest;
        const char *says; /* NULL: they do */
    } rows[] = {
        {1, 1, 1, 1, NULL},
        {1, 1, 1, 0, NULL}, /* a node that tells one number */
        {2, 1, 1, 0, NULL}, /* the release before */
        {2, 1, 1, 1, NULL},
        {1, 1, 2, 1, NULL}, /* the next release */
        {1, 1, 2, 0, "update the scheduler first"},
        {1, 1, 2, 2, "update the scheduler first"},
        {1, 1, 3, 1, "update the scheduler first"}, /* two, whatever it says */
        {3, 2, 1, 1, "update the node"},
        {3, 1, 1, 1, "update the node"},
        {2, 2, 1, 1, "update the node"},
        {1, 1, 0, 0, "update the node"},
        {1, 1, UINT32_MAX, 1, "update the scheduler first"},
        {1, 1, 1, 7, NULL}, /* nonsense counts as one number */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_err err = {.code = GM_OK};
        struct gm_protocol scheduler = {rows[i].scheduler, rows[i].scheduler_oldest, "0.2.0"};
        struct gm_protocol node = {rows[i].node, rows[i].node_oldest, "0.9.0+media1"};
        int rc = gm_protocol_check(&scheduler, &node, &err);
        if (rc != (rows[i].says == NULL ? 0 : -GM_E_PROTO)) {
            fail_msg("row %zu: %d", i, rc);
        }
        if (rows[i].says != NULL && (strstr(err.text, rows[i].says) == NULL ||
                                     strstr(err.text, "build 0.9.0+media1") == NULL ||
                                     strstr(err.text, "scheduler of 0.2.0") == NULL)) {
            fail_msg("row %zu: `%s`", i, err.text);
        }
    }
}

static void this_build_understands_itself(void **state)
{
    (void)state;
    struct gm_err err = {.code = GM_OK};
    struct gm_protocol own = {GM_PROTOCOL_SPOKEN, GM_PROTOCOL_OLDEST, "a"};
    assert_int_equal(gm_protocol_check(&own, &own, &err), 0);
    assert_true(GM_PROTOCOL_SPOKEN - GM_PROTOCOL_OLDEST <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_apart_works_together),
        cmocka_unit_test(this_build_understands_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
