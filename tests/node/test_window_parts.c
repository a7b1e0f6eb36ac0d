#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/time.h"
#include "node/range_server.h"
#include "node/window_state.h"

#define MIB ((uint64_t)1 << 20)
#define PARTS 8u

static const struct gm_window_part_url X = {.url = "http://x/"};

/* Some borders lie on those of blocks, and one block has five parts. */
static const uint64_t sizes[PARTS] = {3 * MIB + 7, 1,       100,          MIB / 2,
                                      9 * MIB,     4 * MIB, 20 * MIB - 9, 12345};
static uint64_t at_of(uint32_t part)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < part; i++) {
        at += sizes[i];
    }
    return at;
}

struct fixture {
    uv_loop_t loop;
    struct range_server server;
    struct gm_transfers *transfers;
    struct gm_windows *windows;
    struct one {
        struct gm_window_reader *reader;
        int fd;
        int told;
        struct gm_window_have have;
        struct gm_err err;
        uint32_t wanted[PARTS]; /* so often */
        bool open[PARTS];       /* not answered */
    } a, b;
};

static void on_have(const struct gm_window_have *have, void *arg)
{
    struct one *one = arg;
    one->told++;
    one->have = *have;
    one->err = have->rc < 0 ? *have->err : (struct gm_err){.code = GM_OK};
}

static void on_want(const uint32_t *parts, size_t count, void *arg)
{
    struct one *one = arg;
    assert_true(count > 0 && count <= GM_WINDOW_PARTS_ASK);
    for (size_t i = 0; i < count; i++) {
        assert_true(parts[i] < PARTS);
        one->wanted[parts[i]]++;
        one->open[parts[i]] = true;
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;
    assert_non_null(f);
    range_start(&f->server, at_of(PARTS));
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gm_transfers_create(&f->loop, NULL, 8, &f->transfers, &err), 0);
    const struct gm_windows_params params = {
        .transfers = f->transfers, .folder = "/tmp", .max_bytes = 1024 * MIB};
    assert_int_equal(gm_windows_create(&params, &f->windows, &err), 0);
    f->a.fd = f->b.fd = -1;
    *state = f;
    return 0;
}

static void close_one(struct one *one)
{
    gm_window_close(&one->reader);
    if (one->fd >= 0) {
        close(one->fd);
        one->fd = -1;
    }
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_one(&f->a);
    close_one(&f->b);
    gm_windows_destroy(&f->windows);
    gm_transfers_destroy(&f->transfers);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    range_stop(&f->server);
    free(f);
    return 0;
}

static void open_one(struct fixture *f, struct one *one)
{
    struct gm_err err;
    const struct gm_window_source source = {.url = "upload:x",
                                            .size = at_of(PARTS),
                                            .parts = sizes,
                                            .part_count = PARTS,
                                            .on_want = on_want};
    assert_int_equal(
        gm_window_open(f->windows, &source, on_have, one, &one->reader, &one->fd, &err), 0);
}

static int answer_tagged(const struct fixture *f, struct one *one, uint32_t part, const char *etag,
                         int64_t until)
{
    struct gm_err err;
    char url[160];
    snprintf(url, sizeof(url), "%.*s/part-%llu-%llu?X-Amz-Signature=1",
             (int)(strlen(f->server.url) - strlen("/clip")), f->server.url,
             (unsigned long long)at_of(part), (unsigned long long)sizes[part]);
    const struct gm_window_part_url told = {url, etag, until};
    int rc = gm_window_part_is(one->reader, part, &told, &err);
    one->open[part] = false;
    gm_window_parts_came(one->reader);
    return rc;
}

static void answer(const struct fixture *f, struct one *one, uint32_t part, int64_t until)
{
    assert_int_equal(answer_tagged(f, one, part, NULL, until), 0);
}

static void answer_all(const struct fixture *f, struct one *one)
{
    for (uint32_t i = 0; i < PARTS; i++) {
        if (one->open[i]) {
            answer(f, one, i, 0);
        }
    }
}

static void start_need(struct one *one, uint64_t at, uint64_t length)
{
    struct gm_err err;
    one->have = (struct gm_window_have){0};
    assert_int_equal(gm_window_need(one->reader, at, length, NULL, 0, &err), 0);
}

/* Until it was told so often. */
static void turn_until(struct fixture *f, struct one *one, int told)
{
    while (one->told < told) {
        answer_all(f, one);
        int more = uv_run(&f->loop, UV_RUN_ONCE);
        bool asks = memchr(one->open, true, sizeof(one->open)) != NULL;
        assert_true(more != 0 || asks || one->told >= told);
    }
}

static void settle(struct fixture *f)
{
    while (f->windows->fetch_count > 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void check_have(const struct one *one, uint64_t at, uint64_t length)
{
    assert_string_equal(one->err.text, "");
    assert_int_equal(one->have.offset, at);
    assert_true(one->have.length >= length);
    uint8_t *data = malloc(length);
    assert_int_equal(pread(one->fd, data, length, (off_t)at), length);
    for (uint64_t i = 0; i < length; i++) {
        if (data[i] != range_byte(at + i)) {
            fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
        }
    }
    free(data);
}

static void parts_are_read_as_one_and_each_byte_once(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    f->server.told->cut = 2; /* and one that breaks off goes on */
    for (uint64_t at = 0, size = at_of(PARTS); at < size; at += f->a.have.length) {
        uint64_t length = size - at < MIB ? size - at : MIB;
        int told = f->a.told;
        start_need(&f->a, at, length);
        turn_until(f, &f->a, told + 1);
        check_have(&f->a, at, f->a.have.length);
    }
    assert_int_equal(f->server.told->sent, at_of(PARTS));
    assert_int_equal(gm_window_fetched(f->a.reader), at_of(PARTS));
    for (uint32_t i = 0; i < PARTS; i++) {
        assert_int_equal(f->a.wanted[i], 1);
    }
    close_one(&f->a);
    open_one(f, &f->b); /* it is the same upload */
    start_need(&f->b, 0, MIB);
    assert_int_equal(f->b.told, 1);
    check_have(&f->b, 0, MIB);
}

static void who_needs_a_part_waits_for_it_alone(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    start_need(&f->a, at_of(3), MIB); /* of parts 0 to 4: its first block has them */
    for (uint32_t i = 0; i < PARTS; i++) {
        assert_int_equal(f->a.wanted[i], i <= 4);
    }
    answer(f, &f->a, 4, 0);
    answer(f, &f->a, 0, 0);
    answer(f, &f->a, 1, 0);
    answer(f, &f->a, 2, 0);
    settle(f);
    assert_int_equal(f->a.told, 0);
    uint32_t part = 0;
    assert_true(gm_window_waits_part(f->a.reader, &part) && part == 3);
    open_one(f, &f->b); /* what is there another one has */
    start_need(&f->b, at_of(4) + MIB, MIB);
    turn_until(f, &f->b, 1);
    answer(f, &f->a, 3, 0);
    turn_until(f, &f->a, 1);
    assert_false(gm_window_waits_part(f->a.reader, &part));
    check_have(&f->a, at_of(3), MIB);
    assert_int_equal(f->b.wanted[4], 0);
}

static void one_answer_is_for_all_who_wait(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    open_one(f, &f->a);
    open_one(f, &f->b);
    start_need(&f->a, at_of(5), 1);
    start_need(&f->b, at_of(5) + 1, 1);
    assert_int_equal(f->a.wanted[5] + f->b.wanted[5], 2); /* each for its own lease */
    answer(f, &f->b, 4, 0);
    answer(f, &f->b, 5, 0);
    f->a.open[4] = f->a.open[5] = false;
    turn_until(f, &f->a, 1);
    assert_int_equal(f->b.told, 1);
    assert_int_equal(gm_window_part_is(f->a.reader, 5, &X, &err), -GM_E_INVAL);
    assert_int_equal(gm_window_part_is(f->a.reader, PARTS, &X, &err), -GM_E_INVAL);
}

static void what_is_open_can_be_asked_for_again(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    gm_window_ask_again(f->a.reader);
    start_need(&f->a, 0, 3 * MIB + 100);
    answer(f, &f->a, 1, 0);
    gm_window_ask_again(f->a.reader);
    assert_int_equal(f->a.wanted[0], 2);
    assert_int_equal(f->a.wanted[1], 1);
    assert_int_equal(f->a.wanted[2], 2);
    assert_int_equal(f->a.wanted[5], 0);
}

static void an_upload_that_ends_fails_who_needs_more_of_it(void **state)
{
    struct fixture *f = *state;
    struct gm_err why;
    open_one(f, &f->a);
    start_need(&f->a, 5 * MIB, MIB);
    turn_until(f, &f->a, 1);
    start_need(&f->a, 15 * MIB, MIB);
    gm_err_set(&why, GM_E_INPUT_MISSING, 7, "it has ended");
    gm_window_parts_end(f->a.reader, &why);
    assert_int_equal(f->a.told, 2);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_MISSING);
    assert_string_equal(f->a.err.text, "it has ended");
    memset(f->a.wanted, 0, sizeof(f->a.wanted));
    start_need(&f->a, 25 * MIB, MIB);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_MISSING);
    assert_int_equal(f->a.wanted[6], 0);
    start_need(&f->a, 5 * MIB, MIB);
    assert_int_equal(f->a.told, 4);
    check_have(&f->a, 5 * MIB, MIB);
}

static void urls_that_are_over_or_refused_are_asked_for_anew(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    start_need(&f->a, 5 * MIB, 1);
    answer(f, &f->a, 4, gm_time_unix_ms());
    assert_int_equal(f->a.wanted[4], 2);
    assert_int_equal(f->server.told->asked, 0);
    f->server.told->fail = 2;
    f->server.told->fail_status = 403;
    turn_until(f, &f->a, 1);
    check_have(&f->a, 5 * MIB, 1);
    assert_int_equal(f->a.wanted[4], 4);
    f->server.told->fail = 1000; /* not for ever */
    f->server.told->fail_status = 404;
    start_need(&f->a, 16 * MIB, 1);
    turn_until(f, &f->a, 2);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_MISSING);
    assert_int_equal(f->a.wanted[5], 4);
}

static void a_part_that_has_another_etag_is_another_source(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    snprintf(f->server.told->etag, sizeof(f->server.told->etag), "\"one\"");
    start_need(&f->a, 4 * MIB, 1);
    assert_int_equal(answer_tagged(f, &f->a, 4, "\"one\"", 0), 0);
    turn_until(f, &f->a, 1);
    check_have(&f->a, 4 * MIB, 1);
    settle(f);
    snprintf(f->server.told->etag, sizeof(f->server.told->etag), "\"two\"");
    start_need(&f->a, 11 * MIB, 1);
    turn_until(f, &f->a, 2);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_CHANGED);
}

static void what_must_have_another_etag_than_before_has_changed(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    start_need(&f->a, 5 * MIB, 1);
    assert_int_equal(answer_tagged(f, &f->a, 4, "\"one\"", gm_time_unix_ms()), 0);
    assert_int_equal(f->a.wanted[4], 2); /* that URL's time is over */
    assert_int_equal(answer_tagged(f, &f->a, 4, "\"two\"", 0), -GM_E_INPUT_CHANGED);
    assert_int_equal(f->a.told, 1);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_CHANGED);
    close_one(&f->a);
    for (int i = 0; i < 2; i++) { /* nor is it kept: its name does not tell which it is */
        open_one(f, &f->b);
        start_need(&f->b, 5 * MIB, 1);
        assert_int_equal(f->b.wanted[4], 1 + i);
        assert_int_equal(answer_tagged(f, &f->b, 4, "\"two\"", 0), 0);
        turn_until(f, &f->b, 1 + i);
        close_one(&f->b);
    }
}

static void a_url_is_refused_once_by_all_that_had_it(void **state)
{
    struct gm_window_part part = {0};
    struct gm_err err;
    (void)state;
    for (int url = 0; url < 4; url++) {
        assert_int_equal(gm_window_part_set(&part, &X, &err), 0);
        uint32_t serial = part.serial;
        assert_int_equal(gm_window_part_refused(&part, serial), url < 3);
        for (int i = 0; i < 4; i++) {
            assert_true(gm_window_part_refused(&part, serial));
        }
        assert_false(gm_window_part_known(&part));
    }
}

static void parts_must_give_the_source(void **state)
{
    struct gm_err err;
    struct gm_window_parts parts = {0};
    const uint64_t none[] = {5, 0, 5};
    (void)state;
    assert_int_equal(gm_window_parts_init(&parts, sizes, PARTS, at_of(PARTS) + 1, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_window_parts_init(&parts, sizes, PARTS, at_of(PARTS) - 1, &err),
                     -GM_E_INVAL);
    assert_int_equal(gm_window_parts_init(&parts, none, 3, 10, &err), -GM_E_INVAL);
    assert_int_equal(gm_window_parts_init(&parts, sizes, PARTS, at_of(PARTS), &err), 0);
    for (uint32_t i = 0; i < PARTS; i++) {
        assert_int_equal(gm_window_parts_find(&parts, at_of(i)), i);
        assert_int_equal(gm_window_parts_find(&parts, at_of(i + 1) - 1), i);
    }
    gm_window_parts_fini(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_are_read_as_one_and_each_byte_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_needs_a_part_waits_for_it_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(one_answer_is_for_all_who_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_open_can_be_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(an_upload_that_ends_fails_who_needs_more_of_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(urls_that_are_over_or_refused_are_asked_for_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_part_that_has_another_etag_is_another_source, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_must_have_another_etag_than_before_has_changed, setup,
                                        teardown),
        cmocka_unit_test(a_url_is_refused_once_by_all_that_had_it),
        cmocka_unit_test(parts_must_give_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
