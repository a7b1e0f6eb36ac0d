#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "scheduler/daemon_parts.h"

/* A Feed behind an Assign that could not be made has no assignment to belong to: the lease fails
 * for what failed first, and is none that the node knows. */
static void of_a_lease_the_first_failure_is_told(void **state)
{
    (void)state;
    struct gm_daemon d = {0};
    struct gm_err lasting = {0};
    struct gm_err follows = {0};
    Gm__Assign assign = GM__ASSIGN__INIT;
    Gm__Feed feed = GM__FEED__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    (void)gm_err_set(&lasting, GM_E_INVAL, 0, "a key that no store takes");
    (void)gm_err_set(&follows, GM_E_BUG, 0, "inputs for an unknown assignment");
    assign.epoch = feed.epoch = 7;
    env.body_case = GM__ENVELOPE__BODY_ASSIGN;
    env.assign = &assign;
    gm_wire_note_failed(&d, "n1", &env, &lasting);
    env.body_case = GM__ENVELOPE__BODY_FEED;
    env.feed = &feed;
    gm_wire_note_failed(&d, "n1", &env, &follows);
    assert_non_null(d.unsent);
    assert_null(d.unsent->next);
    assert_int_equal(d.unsent->err.code, GM_E_INVAL);
    assert_false(d.unsent->told);
    feed.epoch = 8; /* another lease */
    gm_wire_note_failed(&d, "n1", &env, &follows);
    assert_int_equal(d.unsent->epoch, 8);
    assert_true(d.unsent->told);
    free(d.unsent->next);
    free(d.unsent);
}

/* Longer than one that ends its work says nothing: its leases end first. */
static void who_winds_up_is_not_cut_before_its_leases_end(void **state)
{
    (void)state;
    const struct gm_settings usual = {.lease_ms = 15000, .heartbeat_ms = 1000};
    const struct gm_settings patient = {.lease_ms = 120000, .heartbeat_ms = 5000};
    assert_int_equal(gm_wire_silence(&usual), 30 * GM_SEC);
    assert_int_equal(gm_wire_silence(&patient), 140 * GM_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_lease_the_first_failure_is_told),
        cmocka_unit_test(who_winds_up_is_not_cut_before_its_leases_end),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
