#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sse.h"

static struct gm_err err;

struct seen {
    int count;
    char text[512]; /* "type=data|..." */
    int stop_at;
};

static int on_event(const char *event, const char *data, size_t size, void *arg)
{
    struct seen *seen = arg;
    size_t have = strlen(seen->text);
    assert_int_equal(strlen(data), size);
    snprintf(seen->text + have, sizeof(seen->text) - have, "%s=%s|", event, data);
    seen->count++;
    return seen->count == seen->stop_at ? -GM_E_CANCELLED : 0;
}

static const char STREAM[] = ": hello\n\nid: 7\nevent: job\ndata: {\"a\":1}\n\n"
                             "data: one\r\ndata:two\r\n\r\n"
                             "id: 9\nevent: x\rdata\r\r"
                             "event: lost\n\nid: 10\ndata: cut";
static const char EXPECTED[] = "job={\"a\":1}|message=one\ntwo|x=|";

static void a_stream_is_the_same_in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof(STREAM); piece++) {
        struct gm_sse sse = {0};
        struct seen seen = {0};
        for (size_t at = 0; at < sizeof(STREAM) - 1; at += piece) {
            size_t left = sizeof(STREAM) - 1 - at;
            assert_int_equal(
                gm_sse_feed(&sse, STREAM + at, left < piece ? left : piece, on_event, &seen, &err),
                0);
        }
        assert_string_equal(seen.text, EXPECTED);
        assert_string_equal(sse.last_id, "9");
        gm_sse_fini(&sse);
    }
}

static void a_reconnect_keeps_the_last_whole_event(void **state)
{
    (void)state;
    struct gm_sse sse = {0};
    struct seen seen = {0};
    assert_int_equal(
        gm_sse_feed(&sse, "id: 3\ndata: a\n\nid: 4\ndata: half", 31, on_event, &seen, &err), 0);
    gm_sse_reset(&sse);
    assert_string_equal(sse.last_id, "3");
    assert_int_equal(gm_sse_feed(&sse, "data: b\n\n", 9, on_event, &seen, &err), 0);
    assert_string_equal(seen.text, "message=a|message=b|");
    assert_string_equal(sse.last_id, "3");
    gm_sse_fini(&sse);
}

static void odd_streams_are_refused(void **state)
{
    (void)state;
    struct gm_sse sse = {0};
    struct seen seen = {.stop_at = 1};
    assert_int_equal(gm_sse_feed(&sse, "data\0x", 6, on_event, &seen, &err), -GM_E_PROTO);
    gm_sse_reset(&sse);
    assert_int_equal(gm_sse_feed(&sse, "data: 1\n\ndata: 2\n\n", 18, on_event, &seen, &err),
                     -GM_E_CANCELLED);
    assert_int_equal(seen.count, 1);
    gm_sse_fini(&sse);
    char *block = calloc(1, 1u << 20);
    memset(block, 'x', 1u << 20);
    int rc = 0;
    int fed = 0;
    for (; rc == 0 && fed < 40; fed++) {
        rc = gm_sse_feed(&sse, block, 1u << 20, on_event, &seen, &err);
    }
    assert_int_equal(rc, -GM_E_LIMIT);
    assert_int_equal(fed, 17);
    gm_sse_fini(&sse);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_the_same_in_any_pieces),
        cmocka_unit_test(a_reconnect_keeps_the_last_whole_event),
        cmocka_unit_test(odd_streams_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
