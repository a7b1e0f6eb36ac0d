#include "node/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "node/range_server.h"
#include "node/window_state.h"

#define MIB ((uint64_t)1 << 20)
#define SIZE (40 * MIB + 12345)

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
    } a, b;
};

static void on_have(const struct gm_window_have *have, void *arg)
{
    struct one *one = arg;
    one->told++;
    one->have = *have;
    one->err = have->rc < 0 ? *have->err : (struct gm_err){.code = GM_OK};
}

static void make_windows(struct fixture *f, uint64_t max_bytes)
{
    struct gm_err err;
    gm_windows_destroy(&f->windows);
    const struct gm_windows_params params = {
        .transfers = f->transfers, .folder = "/tmp", .max_bytes = max_bytes};
    assert_int_equal(gm_windows_create(&params, &f->windows, &err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;
    assert_non_null(f);
    range_start(&f->server, SIZE);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gm_transfers_create(&f->loop, NULL, 8, &f->transfers, &err), 0);
    make_windows(f, 1024 * MIB);
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

static void open_as(struct fixture *f, struct one *one, const char *url, const char *etag)
{
    struct gm_err err;
    const struct gm_window_source source = {.url = url, .etag = etag, .size = SIZE};
    assert_int_equal(
        gm_window_open(f->windows, &source, on_have, one, &one->reader, &one->fd, &err), 0);
}

static void open_one(struct fixture *f, struct one *one)
{
    open_as(f, one, f->server.url, "\"e1\"");
}

static void need_held(struct fixture *f, struct one *one, uint64_t at, uint64_t length,
                      const struct gm_window_range *held, size_t count)
{
    struct gm_err err;
    int told = one->told;
    assert_int_equal(gm_window_need(one->reader, at, length, held, count, &err), 0);
    while (one->told == told) {
        int more = uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(more != 0 || one->told > told);
    }
    assert_int_equal(one->told, told + 1);
}

static void check_bytes(const struct one *one, uint64_t at, uint64_t length)
{
    uint8_t *data = malloc(length);
    assert_int_equal(pread(one->fd, data, length, (off_t)at), length);
    for (uint64_t i = 0; i < length; i++) {
        if (data[i] != range_byte(at + i)) {
            fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
        }
    }
    free(data);
}

/* Needs, and has, what is right. */
static void need(struct fixture *f, struct one *one, uint64_t at, uint64_t length)
{
    need_held(f, one, at, length, NULL, 0);
    assert_string_equal(one->err.text, "");
    assert_int_equal(one->have.rc, 0);
    assert_int_equal(one->have.offset, at);
    assert_true(one->have.length >= length && at + one->have.length <= SIZE);
    check_bytes(one, at, one->have.length);
}

static void need_fails(struct fixture *f, struct one *one, enum gm_code code)
{
    need_held(f, one, 0, 1, NULL, 0);
    assert_int_equal(one->have.rc, -(int)code);
    assert_null(strstr(one->err.text, "127.0.0.1"));
}

static void only_what_is_needed_is_fetched(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    need(f, &f->a, 20 * MIB + 5, 10);
    need(f, &f->a, SIZE - 3, 3);
    need(f, &f->a, 3 * MIB - 1, 2); /* in two blocks */
    assert_int_equal(f->server.told->sent, 3 * MIB + 12345);
    assert_int_equal(gm_window_fetched(f->a.reader), f->server.told->sent);
    assert_int_equal(gm_window_fetched(f->a.reader), 0);
    need(f, &f->a, 20 * MIB + 500, 10);
    assert_int_equal(f->server.told->sent, 3 * MIB + 12345);
}

static void a_second_reader_finds_what_is_there(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    need(f, &f->a, 0, MIB);
    close_one(&f->a);
    open_one(f, &f->b);
    need(f, &f->b, 0, MIB);
    assert_int_equal(f->server.told->asked, 1);
}

static void two_at_once_fetch_once(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    open_one(f, &f->a);
    open_one(f, &f->b);
    assert_int_equal(gm_window_need(f->a.reader, 0, 10, NULL, 0, &err), 0);
    need(f, &f->b, 5, 10);
    assert_int_equal(f->a.told, 1);
    assert_int_equal(f->server.told->asked, 1);
}

static void all_in_sequence_comes_once_and_in_large_pieces(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    for (uint64_t at = 0; at < SIZE; at += f->a.have.length) {
        need(f, &f->a, at, SIZE - at < MIB ? SIZE - at : MIB);
    }
    assert_int_equal(f->server.told->sent, SIZE);
    assert_true(f->server.told->asked < 16);
}

static void what_is_read_ahead_is_there_already(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    need(f, &f->a, 0, MIB);
    need(f, &f->a, MIB, MIB);
    while (f->windows->fetch_count > 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    int asked = f->server.told->asked;
    struct gm_err err;
    assert_int_equal(gm_window_need(f->a.reader, 2 * MIB, MIB, NULL, 0, &err), 0);
    assert_int_equal(f->a.told, 3); /* at once */
    assert_int_equal(f->server.told->asked, asked);
}

static void what_is_held_stays_and_the_rest_goes(void **state)
{
    struct fixture *f = *state;
    make_windows(f, 4 * MIB);
    open_one(f, &f->a);
    need(f, &f->a, 0, MIB);
    const struct gm_window_range held = {0, MIB};
    for (uint64_t at = 30 * MIB; at > 2 * MIB; at -= 3 * MIB) {
        need_held(f, &f->a, at, MIB, &held, 1);
    }
    check_bytes(&f->a, 0, MIB);
    need_held(f, &f->a, 20 * MIB, 8 * MIB, &held, 1); /* alone more than there is room for */
    check_bytes(&f->a, 0, MIB);
    check_bytes(&f->a, 20 * MIB, 8 * MIB);
    need_held(f, &f->a, 12 * MIB, 1, &held, 1);
    uint64_t kept = (uint64_t)f->windows->first->blocks.present * MIB;
    assert_true(kept <= 5 * MIB);
    struct stat st;
    assert_int_equal(fstat(f->a.fd, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_true((uint64_t)st.st_blocks * 512 <= 6 * MIB);
    need(f, &f->a, 30 * MIB, MIB); /* it went, and comes again */
    /* what was never promised is not held by saying so */
    const struct gm_window_range lie = {0, SIZE};
    need_held(f, &f->a, 10 * MIB, 1, &lie, 1);
    assert_int_equal(f->a.reader->held_count, 1);
}

static void wait_for_all(struct fixture *f, int asked_most)
{
    while (f->windows->fetch_count > 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(f->server.told->asked <= asked_most);
    }
}

/* What one stream has before it must not be taken back for another's, again and again. */
static void streams_share_what_room_there_is(void **state)
{
    struct fixture *f = *state;
    make_windows(f, 12 * MIB);
    open_one(f, &f->a);
    for (uint64_t at = 0; at < 40 * MIB; at += 10 * MIB) {
        need(f, &f->a, at, MIB);
        need(f, &f->a, at + MIB, MIB);
    }
    wait_for_all(f, 20);
    assert_int_equal(gm_windows_ahead(f->windows), 0); /* of four */
    for (uint64_t i = 0; i < 100; i++) {
        need(f, &f->a, 39 * MIB, 1); /* the others are over */
    }
    assert_int_equal(gm_windows_ahead(f->windows), 3);
}

static void a_disk_that_is_full_gives_back_what_nobody_holds(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    open_one(f, &f->a);
    need(f, &f->a, 0, 8 * MIB);
    close_one(&f->a);
    open_as(f, &f->b, f->server.url, "W/\"e1\"");
    assert_true(dup2(full, f->windows->first->fd) >= 0);
    close(full);
    int asked = f->server.told->asked;
    need_fails(f, &f->b, GM_E_NO_SCRATCH);
    assert_int_equal(f->server.told->asked, asked + 2); /* once more */
    assert_int_equal(f->windows->first->next->blocks.present, 0);
}

static void where_no_holes_are_made_what_nobody_reads_goes(void **state)
{
    struct fixture *f = *state;
    make_windows(f, 4 * MIB);
    open_one(f, &f->a);
    need(f, &f->a, 0, 3 * MIB);
    close_one(&f->a);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_true(dup2(pipes[1], f->windows->first->fd) >= 0);
    close(pipes[0]);
    close(pipes[1]);
    open_as(f, &f->b, f->server.url, "W/\"e1\"");
    need(f, &f->b, 0, 3 * MIB);
    assert_null(f->windows->first->next);
}

static void trouble_on_the_way_is_mended(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    f->server.told->fail = 2;
    f->server.told->fail_status = 503;
    f->server.told->cut = 1;
    need(f, &f->a, 8 * MIB, 4 * MIB);
}

/* A strong ETag goes with each request: that is enough, and the only one (above). What has none is
 * known by its date, or by what the answer says of it. */
static void what_breaks_off_goes_on_whatever_it_is_known_by(void **state)
{
    static const char date[] = "Mon, 23 Nov 2026 00:00:00 GMT";
    static const struct {
        const char *wanted, *etag, *modified;
    } rows[] = {
        {date, "W/\"a\"", date}, {date, "", date}, {"W/\"a\"", "W/\"a\"", ""}, {"", "", ""}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(f->server.told->etag, sizeof(f->server.told->etag), "%s", rows[i].etag);
        snprintf(f->server.told->modified, sizeof(f->server.told->modified), "%s",
                 rows[i].modified);
        open_as(f, &f->a, f->server.url, rows[i].wanted);
        f->server.told->cut = 1;
        need(f, &f->a, 0, 4 * MIB);
        close_one(&f->a);
    }
    assert_string_equal(f->windows->first->etag, "W/\"a\""); /* that by nothing is not kept */
}

static void another_etag_is_a_changed_source(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    need(f, &f->a, 0, 1);
    snprintf(f->server.told->etag, sizeof(f->server.told->etag), "\"e2\"");
    need_held(f, &f->a, 9 * MIB, 1, NULL, 0);
    assert_int_equal(f->a.have.rc, -GM_E_INPUT_CHANGED);
    need_fails(f, &f->a, GM_E_INPUT_CHANGED); /* also what is there */
    close_one(&f->a);
    f->server.told->ignores = 1; /* a server that knows no conditions */
    open_one(f, &f->a);
    need_fails(f, &f->a, GM_E_INPUT_CHANGED);
    close_one(&f->a);
    snprintf(f->server.told->etag, sizeof(f->server.told->etag), "\"e1\"");
    f->server.told->size = SIZE + 1;
    open_one(f, &f->a);
    need_fails(f, &f->a, GM_E_INPUT_CHANGED);
}

static void a_server_without_ranges_is_read_once(void **state)
{
    struct fixture *f = *state;
    f->server.told->no_ranges = 1;
    open_one(f, &f->a);
    need(f, &f->a, 39 * MIB, MIB);
    need(f, &f->a, 0, MIB);
    assert_int_equal(f->server.told->asked, 2); /* the first time it was not known */
    close_one(&f->a);
    make_windows(f, 8 * MIB);
    open_one(f, &f->a);
    need_fails(f, &f->a, GM_E_LIMIT);
}

static void what_can_not_be_read_ahead_is_left(void **state)
{
    struct fixture *f = *state;
    open_one(f, &f->a);
    need(f, &f->a, 0, MIB);
    need(f, &f->a, MIB, MIB);
    wait_for_all(f, 8);
    int asked = f->server.told->asked;
    f->server.told->fail = 1000;
    f->server.told->fail_status = 404;
    need(f, &f->a, 2 * MIB, MIB); /* it is there */
    wait_for_all(f, asked + 4);
    f->server.told->fail = 0;
    need(f, &f->a, 12 * MIB, MIB);
}

static void an_answer_at_fault_is_no_changed_source(void **state)
{
    struct fixture *f = *state;
    f->server.told->no_ranges = f->server.told->no_length = 1;
    open_one(f, &f->a);
    need(f, &f->a, 0, MIB);
    wait_for_all(f, 2);
    assert_false(f->windows->first->changed);
}

static void several_find_out_at_once_that_there_are_no_ranges(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    f->server.told->no_ranges = 1;
    open_one(f, &f->a);
    open_one(f, &f->b);
    assert_int_equal(gm_window_need(f->a.reader, 0, 1, NULL, 0, &err), 0);
    need(f, &f->b, 20 * MIB, 1);
    wait_for_all(f, 3);
    assert_int_equal(f->server.told->asked, 3);
    assert_int_equal(f->windows->first->blocks.present, f->windows->first->blocks.count);
}

/* They were all sent to the first place before any came back. */
static void many_are_redirected_at_once(void **state)
{
    enum { MANY = 7 };
    struct fixture *f = *state;
    struct one ones[MANY] = {{.fd = -1}};
    struct gm_err err;
    snprintf(f->server.told->redirect, sizeof(f->server.told->redirect), "there?x=1");
    for (uint64_t i = 0; i < MANY; i++) {
        open_one(f, &ones[i]);
        assert_int_equal(gm_window_need(ones[i].reader, i * 3 * MIB, 1, NULL, 0, &err), 0);
    }
    wait_for_all(f, 2 * MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ones[i].told, 1);
        assert_int_equal(ones[i].have.rc, 0);
        close_one(&ones[i]);
    }
}

static void a_place_that_is_over_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    snprintf(f->server.told->redirect, sizeof(f->server.told->redirect), "there?x=1");
    open_one(f, &f->a);
    open_one(f, &f->b);
    need(f, &f->a, 0, 1);
    for (uint64_t i = 1; i < 5; i++) { /* both were sent there */
        struct range_told *told = f->server.told;
        snprintf(told->fail_at, sizeof(told->fail_at), "x=%d ", (int)i);
        snprintf(told->redirect, sizeof(told->redirect), "there?x=%d", (int)i + 1);
        told->fail = 1000;
        told->fail_status = 403;
        assert_int_equal(gm_window_need(f->a.reader, 6 * i * MIB, 1, NULL, 0, &err), 0);
        need(f, &f->b, (6 * i + 3) * MIB, 1);
        wait_for_all(f, 100);
        assert_int_equal(f->a.have.rc, 0);
    }
    f->server.told->fail_at[0] = '\0';
    f->server.told->fail = 100; /* it refuses, and so does the first place */
    need_held(f, &f->a, 35 * MIB, 1, NULL, 0);
    assert_int_equal(f->a.have.rc, -GM_E_STORE_DENIED);
    f->server.told->fail = 0;
    need(f, &f->a, 35 * MIB, 1);
}

static void redirects_are_followed_but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    snprintf(f->server.told->redirect, sizeof(f->server.told->redirect), "there?x=1");
    open_one(f, &f->a);
    need(f, &f->a, 0, 1);
    need(f, &f->a, 9 * MIB, 1);
    assert_int_equal(f->server.told->asked, 3); /* where it is is kept */
    close_one(&f->a);
    char url[128];
    snprintf(url, sizeof(url), "%s?b", f->server.url);
    snprintf(f->server.told->redirect, sizeof(f->server.told->redirect), "/clip");
    open_as(f, &f->a, url, "\"e1\"");
    need_fails(f, &f->a, GM_E_STORE);
    assert_true(f->server.told->asked < 12);
    close_one(&f->a);
    snprintf(url, sizeof(url), "%s?X-Amz-Signature=1", f->server.url);
    open_as(f, &f->a, url, "\"another\""); /* that it is not compared */
    need_fails(f, &f->a, GM_E_STORE);      /* a signature is for one host */
}

static void refusals_have_their_codes(void **state)
{
    static const struct {
        int status;
        enum gm_code code;
    } rows[] = {{404, GM_E_INPUT_MISSING}, {403, GM_E_STORE_DENIED}, {416, GM_E_INPUT_CHANGED}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->server.told->fail = 1;
        f->server.told->fail_status = rows[i].status;
        open_one(f, &f->a);
        need_fails(f, &f->a, rows[i].code);
        close_one(&f->a);
    }
}

static void a_new_url_is_taken_where_the_old_is_over(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    char old[160], new[160];
    snprintf(old, sizeof(old), "%s?X-Amz-Date=20200101T000000Z&X-Amz-Expires=5&X-Amz-Signature=1",
             f->server.url);
    snprintf(new, sizeof(new), "%s?X-Amz-Signature=2", f->server.url);
    open_as(f, &f->a, old, "\"e1\"");
    f->server.told->fail = 1;
    f->server.told->fail_status = 403;
    need_fails(f, &f->a, GM_E_TIMEOUT);
    f->server.told->fail = 1;
    assert_int_equal(gm_window_need(f->a.reader, 0, 1, NULL, 0, &err), 0);
    open_as(f, &f->b, new, "\"e1\"");
    while (f->a.told < 2) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->a.have.rc, 0);
}

static void a_reader_may_go_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    open_one(f, &f->a);
    assert_int_equal(gm_window_need(f->a.reader, 0, 8 * MIB, NULL, 0, &err), 0);
    assert_true(gm_window_need(f->a.reader, 0, 1, NULL, 0, &err) < 0); /* it waits */
    close_one(&f->a);
    assert_int_equal(f->windows->fetch_count, 0);
    open_one(f, &f->a);
    assert_true(gm_window_need(f->a.reader, SIZE, 1, NULL, 0, &err) < 0);
    assert_true(gm_window_need(f->a.reader, 0, SIZE + 1, NULL, 0, &err) < 0);
    need(f, &f->a, 0, 8 * MIB);
    assert_true(write(f->a.fd, "x", 1) < 0); /* it can only read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_is_needed_is_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_reader_finds_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(two_at_once_fetch_once, setup, teardown),
        cmocka_unit_test_setup_teardown(all_in_sequence_comes_once_and_in_large_pieces, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_read_ahead_is_there_already, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_stays_and_the_rest_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_share_what_room_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_is_full_gives_back_what_nobody_holds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(where_no_holes_are_made_what_nobody_reads_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(trouble_on_the_way_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_breaks_off_goes_on_whatever_it_is_known_by, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_read_ahead_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_at_fault_is_no_changed_source, setup, teardown),
        cmocka_unit_test_setup_teardown(several_find_out_at_once_that_there_are_no_ranges, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_are_redirected_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_that_is_over_is_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(another_etag_is_a_changed_source, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_without_ranges_is_read_once, setup, teardown),
        cmocka_unit_test_setup_teardown(redirects_are_followed_but_not_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_have_their_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_url_is_taken_where_the_old_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_may_go_at_any_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
