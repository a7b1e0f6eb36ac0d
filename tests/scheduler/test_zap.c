#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <zmq.h>

#include "scheduler/zap.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static void the_list_decides(void **state)
{
    struct gm_allow allow = {0};
    struct gm_allowed row = {.name = "n1", .role = GM_CURVE_NODE, .until_unix_ms = 1000};
    struct gm_err err;
    uint8_t raw[32];
    char name[GM_CURVE_NAME];
    char key[GM_CURVE_TEXT];
    (void)state;
    memset(raw, 7, sizeof raw);
    assert_non_null(zmq_z85_encode(row.key, raw, sizeof raw));
    assert_int_equal(gm_allow_add(&allow, &row, &err), 0);
    const struct gm_zap_frame good[GM_ZAP_FRAMES] = {
        TEXT("1.0"), TEXT("id"),    TEXT(GM_ZAP_DOMAIN), TEXT("10.0.0.1"),
        TEXT(""),    TEXT("CURVE"), {raw, sizeof raw}};
    assert_string_equal(gm_zap_judge(good, GM_ZAP_FRAMES, &allow, 999, name, key), "200");
    assert_string_equal(name, "n1");
    assert_string_equal(key, row.key);
    assert_string_equal(gm_zap_judge(good, GM_ZAP_FRAMES, &allow, 1000, name, key), "400");
    assert_string_equal(name, "");
    for (size_t i = 2; i < GM_ZAP_FRAMES; i++) { /* another domain, mechanism, key */
        struct gm_zap_frame bad[GM_ZAP_FRAMES];
        memcpy(bad, good, sizeof bad);
        bad[i] = (struct gm_zap_frame)TEXT("something else");
        const char *wanted = i == 3 || i == 4 ? "200" : "400";
        assert_string_equal(gm_zap_judge(bad, GM_ZAP_FRAMES, &allow, 0, name, key), wanted);
    }
    assert_string_equal(gm_zap_judge(good, GM_ZAP_FRAMES - 1, &allow, 0, name, key), "400");
    assert_string_equal(gm_zap_judge(good, GM_ZAP_FRAMES + 1, &allow, 0, name, key), "400");
    gm_allow_fini(&allow);
}

static void events_are_for_clients_and_admins(void **state)
{
    static const struct {
        enum gm_curve_role role;
        const char *wanted;
    } cases[] = {{GM_CURVE_NODE, "400"}, {GM_CURVE_CLIENT, "200"}, {GM_CURVE_ADMIN, "200"}};
    uint8_t raw[32];
    char name[GM_CURVE_NAME];
    char key[GM_CURVE_TEXT];
    (void)state;
    memset(raw, 7, sizeof raw);
    const struct gm_zap_frame asked[GM_ZAP_FRAMES] = {
        TEXT("1.0"), TEXT("id"),    TEXT(GM_ZAP_EVENTS), TEXT("10.0.0.1"),
        TEXT(""),    TEXT("CURVE"), {raw, sizeof raw}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gm_allow allow = {0};
        struct gm_allowed row = {.name = "n1", .role = cases[i].role, .until_unix_ms = INT64_MAX};
        struct gm_err err;
        assert_non_null(zmq_z85_encode(row.key, raw, sizeof raw));
        assert_int_equal(gm_allow_add(&allow, &row, &err), 0);
        assert_string_equal(gm_zap_judge(asked, GM_ZAP_FRAMES, &allow, 0, name, key),
                            cases[i].wanted);
        gm_allow_fini(&allow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_decides),
        cmocka_unit_test(events_are_for_clients_and_admins),
    };
    return cmocka_run_group_tests_name("zap", tests, NULL, NULL);
}
