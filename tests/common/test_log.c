#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "common/scratch.h"

/* What fn writes to stderr, owned by the caller. */
static char *capture(void (*fn)(void))
{
    struct scratch s;
    struct gm_err err;
    uint8_t *text = NULL;
    size_t size;
    int saved = dup(STDERR_FILENO);
    int fd;

    scratch_make(&s);
    fd = open(scratch_path(&s, "log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && saved >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    fn();
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(gm_fs_read(scratch_path(&s, "log"), 1 << 20, &text, &size, &err), 0);
    scratch_remove(&s);
    return (char *)text;
}

/* The line without its time. */
static const char *after_time(const char *line, const char *mark)
{
    const char *p = strstr(line, mark);

    assert_non_null(p);
    return p;
}

static void log_some(void)
{
    const struct gm_err err = {.code = GM_E_SYS, .native = 2, .text = "opening \"x\" failed"};
    char quoted[64];

    gm_log(GM_LOG_INFO, "start", "n=%d x=%s ok=true v=1.5 sha=12e4 id=007 flag", 3,
           gm_log_quote("a \"b\"\n\\c", quoted, sizeof(quoted)));
    gm_log(GM_LOG_TRACE, "hidden", "n=%d", 1);
    gm_log_err(GM_LOG_TRACE, "hidden", &err, "n=%d", 1);
    gm_log_err(GM_LOG_ERROR, "lost", &err, "job=%s", "j1");
    gm_log(GM_LOG_WARN, "bare", NULL);
}

static void lines_are_logfmt(void **state)
{
    char *text;
    char *line;
    char *rest;

    (void)state;
    gm_log_init("node", GM_LOG_DEBUG, false);
    text = capture(log_some);
    line = strtok_r(text, "\n", &rest);
    assert_int_equal(strncmp(line, "ts=2", 4), 0);
    assert_string_equal(after_time(line, " level="),
                        " level=info comp=node event=start n=3 x=\"a \\\"b\\\"\\n\\\\c\" ok=true "
                        "v=1.5 sha=12e4 id=007 flag");
    line = strtok_r(NULL, "\n", &rest);
    assert_string_equal(after_time(line, " level="),
                        " level=error comp=node event=lost code=node.system_call native=2 "
                        "err=\"opening \\\"x\\\" failed\" job=j1");
    line = strtok_r(NULL, "\n", &rest);
    assert_string_equal(after_time(line, " level="), " level=warn comp=node event=bare");
    assert_null(strtok_r(NULL, "\n", &rest));
    free(text);
}

static void lines_are_json_when_asked(void **state)
{
    char *text;
    char *line;
    char *rest;

    (void)state;
    gm_log_init("node", GM_LOG_DEBUG, true);
    text = capture(log_some);
    line = strtok_r(text, "\n", &rest);
    assert_int_equal(strncmp(line, "{\"ts\":\"2", 8), 0);
    assert_string_equal(after_time(line, ",\"level\""),
                        ",\"level\":\"info\",\"comp\":\"node\",\"event\":\"start\",\"n\":3,"
                        "\"x\":\"a \\\"b\\\"\\u000a\\\\c\",\"ok\":true,\"v\":1.5,"
                        "\"sha\":\"12e4\",\"id\":\"007\",\"flag\":true}");
    line = strtok_r(NULL, "\n", &rest);
    assert_string_equal(after_time(line, ",\"level\""),
                        ",\"level\":\"error\",\"comp\":\"node\",\"event\":\"lost\","
                        "\"code\":\"node.system_call\",\"native\":2,"
                        "\"err\":\"opening \\\"x\\\" failed\",\"job\":\"j1\"}");
    line = strtok_r(NULL, "\n", &rest);
    assert_string_equal(after_time(line, ",\"level\""),
                        ",\"level\":\"warn\",\"comp\":\"node\",\"event\":\"bare\"}");
    free(text);
}

static void log_hostile(void)
{
    char quoted[400];
    gm_log(GM_LOG_INFO, "e", "job=%s task=%s",
           gm_log_quote("a\"b\\c\n\x01\xff\xc3z\",\"x\":1}", quoted, sizeof(quoted)), "=\"}\\");
}

static void a_node_is_named_in_each_line(void **state)
{
    (void)state;
    gm_log_init("node", GM_LOG_DEBUG, false);
    gm_log_set_node("box 1\"");
    char *text = capture(log_hostile);
    assert_non_null(strstr(text, " node=box?1?\n"));
    free(text);
    gm_log_init("node", GM_LOG_DEBUG, true);
    text = capture(log_hostile);
    assert_string_equal(after_time(strtok(text, "\n"), ",\"level\""),
                        ",\"level\":\"info\",\"comp\":\"node\",\"event\":\"e\","
                        "\"job\":\"a\\\"b\\\\c\\u000a???z\\\",\\\"x\\\":1}\","
                        "\"task\":\"=\\\"}\\\\\",\"node\":\"box?1?\"}");
    free(text);
    gm_log_set_node("");
}

static void log_long(void)
{
    static char big[9000];
    static char quoted[3000];
    static char lines[1201];

    memset(big, 'x', sizeof(big) - 1);
    memset(lines, '\n', sizeof(lines) - 1);
    gm_log_quote(lines, quoted, sizeof(quoted));
    gm_log(GM_LOG_INFO, "bare", "a=1 b=%s c=2", big);
    gm_log(GM_LOG_INFO, "quoted", "a=1 b=\"%s\" c=2", big);
    gm_log(GM_LOG_INFO, "growing", "a=1 b=%s c=2", quoted); /* six bytes a line break in JSON */
    gm_log(GM_LOG_INFO, "odd", "a=line\nbreak b=\xff");
}

static void long_and_odd_values_never_break_a_line(void **state)
{
    static const char *const ends[2][4] = {
        {"xxx...", "xxx...\"", "\\n\\n\" c=2", "a=line break b=?"},
        {"xxx...\"}", "xxx...\"}", "\"event\":\"growing\",\"a\":1}",
         "\"a\":\"line\",\"break\":true,\"b\":\"?\"}"}};

    (void)state;
    for (int json = 0; json < 2; json++) {
        char *text;
        char *rest;

        gm_log_init("node", GM_LOG_INFO, json == 1);
        text = capture(log_long);
        for (int i = 0; i < 4; i++) {
            const char *line = strtok_r(i == 0 ? text : NULL, "\n", &rest);

            assert_non_null(line);
            assert_true(strlen(line) < 4096 && strlen(line) > strlen(ends[json][i]));
            assert_string_equal(line + strlen(line) - strlen(ends[json][i]), ends[json][i]);
        }
        assert_null(strtok_r(NULL, "\n", &rest));
        free(text);
    }
}

static void quote_hides_queries_and_passwords(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {"is it?", "\"is it?\""},
        {"http://h/x?sig=abc", "\"http://h/x\""},
        {"get http://h/x?a='b' failed", "\"get http://h/x failed\""},
        {"http://user:pw@h/x", "\"http://h/x\""},
        {"s3://a@b@h:1/x@y", "\"s3://h:1/x@y\""},
        {"file:///x?key=1&sig=2 and why?", "\"file:///x and why?\""},
        {"a\x01\x7f\xff", "\"a???\""},
        {"\xc3\xa4\ttab", "\"\xc3\xa4\\ttab\""},
    };
    char buf[64];
    char tiny[5];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(gm_log_quote(rows[i].text, buf, sizeof(buf)), rows[i].want);
    }
    assert_string_equal(gm_log_quote("abcdef", tiny, sizeof(tiny)), "\"ab\"");
    assert_string_equal(gm_log_quote("a\"b", tiny, sizeof(tiny)), "\"a\"");
    assert_string_equal(gm_log_quote("://u:p@h?x", tiny, 4), "\":\"");
    assert_string_equal(gm_log_quote("x", tiny, 2), "");
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(gm_log_parse_level("error"), GM_LOG_ERROR);
    assert_int_equal(gm_log_parse_level("trace"), GM_LOG_TRACE);
    assert_int_equal(gm_log_parse_level("Error"), -1);
    assert_int_equal(gm_log_parse_level(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_logfmt),
        cmocka_unit_test(lines_are_json_when_asked),
        cmocka_unit_test(a_node_is_named_in_each_line),
        cmocka_unit_test(long_and_odd_values_never_break_a_line),
        cmocka_unit_test(quote_hides_queries_and_passwords),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
