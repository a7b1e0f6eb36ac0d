/* How many parts go at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/send.h"

static void fewer_parts_go_where_they_drip(void **state)
{
    (void)state;
    assert_int_equal(gm_send_at_once(16, -GM_E_STORE, 301 * GM_SEC), 8);
    assert_int_equal(gm_send_at_once(3, -GM_E_STORE, 301 * GM_SEC), 1);
    assert_int_equal(gm_send_at_once(1, -GM_E_STORE, 301 * GM_SEC), 1);
    assert_int_equal(gm_send_at_once(16, -GM_E_STORE, 10 * GM_SEC), 16);
    assert_int_equal(gm_send_at_once(16, -GM_E_STORE_DENIED, 301 * GM_SEC), 16);
    assert_int_equal(gm_send_at_once(16, 0, 301 * GM_SEC), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fewer_parts_go_where_they_drip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
