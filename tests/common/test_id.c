#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/id.h"
#include "common/time.h"

static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void ids_are_ulids(void **state)
{
    char id[GM_ID_SIZE];
    struct gm_err err;
    int64_t before = gm_time_unix_ms();
    int64_t ms = 0;

    (void)state;
    assert_int_equal(gm_id_make(id, &err), 0);
    assert_int_equal(strlen(id), 26);
    assert_int_equal(strspn(id, DIGITS), 26);
    for (int i = 0; i < 10; i++) {
        ms = ms * 32 + (strchr(DIGITS, id[i]) - DIGITS);
    }
    assert_true(ms >= before && ms <= gm_time_unix_ms());
    assert_true(gm_id_unix_ms(id) == ms);
    assert_true(gm_id_is(id));
    id[0] = '8'; /* later than 48 bits of ms can tell */
    assert_false(gm_id_is(id));
    assert_true(gm_id_unix_ms(id) == -1);
    assert_false(gm_id_is(""));
    assert_false(gm_id_is("01m834zg8c715pdv5j3b71929"));
    assert_false(gm_id_is("01m834zg8c715pdv5j3b7192960"));
    assert_false(gm_id_is("01M834ZG8C715PDV5J3B719296"));
    assert_false(gm_id_is("01m834zg8c/15pdv5j3b719296"));
}

static void ids_differ_and_random_fills(void **state)
{
    enum { COUNT = 500 };
    static char ids[COUNT][GM_ID_SIZE];
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    struct gm_err err;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(gm_id_make(ids[i], &err), 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(ids[i], ids[j]);
        }
    }
    assert_int_equal(gm_random(a, sizeof(a), &err), 0);
    assert_int_equal(gm_random(b, sizeof(b), &err), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(gm_random(NULL, 0, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_ulids),
        cmocka_unit_test(ids_differ_and_random_fills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
