#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static void appends_in_order(void **state)
{
    static const uint8_t want[] = {'a', 'b', '7', 1, 1, 2, 1, 2, 3, 1, 2,
                                   3,   4,   1,   2, 3, 4, 5, 6, 7, 8};
    struct gm_buf buf = {0};
    struct gm_err err;

    (void)state;
    gm_buf_add(&buf, "a", 1);
    gm_buf_add(&buf, NULL, 0);
    gm_buf_str(&buf, "b");
    gm_buf_printf(&buf, "%d", 7);
    gm_buf_u8(&buf, 1);
    gm_buf_be16(&buf, 0x0102);
    gm_buf_be24(&buf, 0x010203);
    gm_buf_be32(&buf, 0x01020304);
    gm_buf_be64(&buf, 0x0102030405060708);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    assert_int_equal(buf.size, sizeof(want));
    assert_memory_equal(buf.data, want, sizeof(want));
    assert_int_equal(buf.data[buf.size], 0);
    gm_buf_fini(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
}

static void grows_past_every_capacity(void **state)
{
    struct gm_buf buf = {0};
    struct gm_err err;
    char big[5000];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    for (int i = 0; i < 5000; i++) {
        gm_buf_u8(&buf, (uint8_t)i);
        assert_int_equal(buf.data[buf.size], 0);
    }
    gm_buf_printf(&buf, "%s%s", big, big);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
    assert_int_equal(buf.size, 5000 + 2 * (sizeof(big) - 1));
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(buf.data[i], (uint8_t)i);
    }
    gm_buf_fini(&buf);
}

static void an_absurd_size_fails_once_for_all(void **state)
{
    struct gm_buf buf = {0};
    struct gm_err err = {0};

    (void)state;
    gm_buf_str(&buf, "ab");
    gm_buf_add(&buf, "x", SIZE_MAX / 2);
    gm_buf_str(&buf, "cd");
    assert_int_equal(gm_buf_check(&buf, &err), -GM_E_NOMEM);
    assert_int_equal(err.code, GM_E_NOMEM);
    assert_int_equal(buf.size, 2);
    gm_buf_fini(&buf);
    assert_int_equal(gm_buf_check(&buf, &err), 0);
}

static void text_of_xml_is_escaped(void **state)
{
    static const struct {
        const char *text, *utf8, *ascii;
    } rows[] = {
        {"", "", ""},
        {"a<b>&\"c\" 'd'", "a&lt;b&gt;&amp;&quot;c&quot; &apos;d&apos;",
         "a&lt;b&gt;&amp;&quot;c&quot; &apos;d&apos;"},
        {"1\t2\n3\x01", "1 2 3 ", "1?2?3?"},
        {"~\x7f", "~\x7f", "~?"},
        {"\xc3\xa9", "\xc3\xa9", "??"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_buf buf = {0};
        gm_buf_str(&buf, "=");
        gm_buf_xml(&buf, rows[i].text, GM_XML_UTF8);
        gm_buf_str(&buf, "|");
        gm_buf_xml(&buf, rows[i].text, GM_XML_ASCII);
        char want[128];
        (void)snprintf(want, sizeof(want), "=%s|%s", rows[i].utf8, rows[i].ascii);
        assert_string_equal((const char *)buf.data, want);
        gm_buf_fini(&buf);
    }
}

static void text_of_json_is_quoted(void **state)
{
    (void)state;
    struct gm_buf buf = {0};
    gm_buf_json(&buf, "a \"b\" \\ \n\x7f~");
    assert_string_equal((char *)buf.data, "\"a \\\"b\\\" \\\\ \\u000a\\u007f~\"");
    gm_buf_fini(&buf);
    gm_buf_json(&buf, "");
    assert_string_equal((char *)buf.data, "\"\"");
    gm_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(grows_past_every_capacity),
        cmocka_unit_test(an_absurd_size_fails_once_for_all),
        cmocka_unit_test(text_of_xml_is_escaped),
        cmocka_unit_test(text_of_json_is_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
