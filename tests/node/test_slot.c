/* What is told of a worker's end. The worker is this program, and does letter by letter what the
 * test sends it over a socket of their own: so each order of events is the one meant. */
#include "node/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/letter_worker_io.h"
#include "node/packet.h"
#include "proto/envelope.h"

struct fixture {
    uv_loop_t loop;
    struct gm_slot *slot;
    char self[4096];
    char worker[16]; /* the number of the worker's end of the line */
    int line[2];
    int ready, messages, gone; /* calls */
    int sent;                  /* answers that gm_slot_send took */
    struct gm_err why;
    bool was_ready;
    bool answer; /* sends where something comes */
    int late_fd; /* on_gone sends it; -1: it sends nothing */
    int late_rc;
};

static int send_stored(struct gm_slot *slot, int fd, struct gm_err *err)
{
    Gm__WStored stored = GM__WSTORED__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_STORED;
    msg.stored = &stored;
    return gm_slot_send(slot, &msg, fd, err);
}

static void answer(struct fixture *f)
{
    struct gm_err err;
    if (send_stored(f->slot, -1, &err) < 0) {
        fail_msg("send: %s", err.text);
    }
    f->sent++;
}

static void on_ready(struct gm_slot *slot, const Gm__WReady *ready, void *arg)
{
    struct fixture *f = arg;
    (void)slot;
    (void)ready;
    f->ready++;
    if (f->answer) {
        answer(f);
    }
}

static void on_message(struct gm_slot *slot, const Gm__WorkerMessage *msg, void *arg)
{
    struct fixture *f = arg;
    (void)slot;
    assert_int_equal(msg->body_case, GM__WORKER_MESSAGE__BODY_PROGRESS);
    assert_int_equal(f->gone, 0);
    f->messages++;
    if (f->answer) {
        answer(f);
    }
}

static void on_gone(struct gm_slot *slot, const struct gm_err *why, bool ready, void *arg)
{
    struct fixture *f = arg;
    struct gm_err err;
    f->gone++;
    f->why = *why;
    f->was_ready = ready;
    if (f->late_fd >= 0) {
        f->late_rc = send_stored(slot, f->late_fd, &err);
    }
}

static int start(void **state, uint64_t memory_bytes)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gm_err err;
    assert_non_null(f);
    f->late_fd = -1;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    ssize_t n = readlink("/proc/self/exe", f->self, sizeof(f->self) - 1);
    assert_true(n > 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->line), 0);
    assert_int_equal(fcntl(f->line[0], F_SETFD, FD_CLOEXEC), 0);
    snprintf(f->worker, sizeof(f->worker), "%d", f->line[1]);
    const struct gm_slot_params params = {
        .launcher = f->self, .worker = f->worker, .scratch = "/tmp", .memory_bytes = memory_bytes};
    const struct gm_slot_handler handler = {
        .on_ready = on_ready, .on_message = on_message, .on_gone = on_gone, .arg = f};
    assert_int_equal(gm_slot_create(&f->loop, &params, &handler, &f->slot, &err), 0);
    while (gm_slot_pid(f->slot) == 0) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return start(state, 0);
}

static int setup_limited(void **state)
{
    return start(state, 200u << 20);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gm_slot_destroy(&f->slot);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    close(f->line[0]);
    close(f->line[1]);
    free(f);
    return 0;
}

/* The worker does it; this side's loop does not run meanwhile. The last letter may be its last. */
static void tell(struct fixture *f, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        char done = 0;
        assert_int_equal(write(f->line[0], letters, 1), 1);
        if (strchr("xal", *letters) == NULL) {
            assert_int_equal(read(f->line[0], &done, 1), 1);
            assert_int_equal(done, *letters);
        } else {
            siginfo_t info;
            assert_int_equal(waitid(P_PID, (id_t)gm_slot_pid(f->slot), &info, WEXITED | WNOWAIT),
                             0);
        }
    }
}

static void become_ready(struct fixture *f)
{
    tell(f, "r");
    while (f->ready == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
}

static void expect_end(struct fixture *f, enum gm_code code, int64_t native, const char *text)
{
    while (f->gone == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->gone, 1);
    if (f->why.code != code || f->why.native != native || strcmp(f->why.text, text) != 0) {
        fail_msg("code %d, native %" PRId64 ": %s", (int)f->why.code, f->why.native, f->why.text);
    }
}

#define ABORTED "the worker process ended by signal 6 (Aborted)"
#define EXITED "the worker process ended with status 7"

#define NOT_LOADED "the worker process ended with status 127"

static void one_that_is_not_loaded_names_the_limit(void **state)
{
    tell(*state, "l");
    expect_end(*state, GM_E_WORKER_DIED, 127,
               NOT_LOADED "; it could not be loaded: worker_memory_bytes may be too small");
}

static void one_that_was_loaded_does_not(void **state)
{
    become_ready(*state);
    tell(*state, "l");
    expect_end(*state, GM_E_WORKER_DIED, 127, NOT_LOADED);
}

static void one_without_a_limit_does_not(void **state)
{
    tell(*state, "l");
    expect_end(*state, GM_E_WORKER_DIED, 127, NOT_LOADED);
}

static void message_to_one_that_died_is_no_error(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    tell(f, "a");
    answer(f); /* EPIPE */
    answer(f);
    expect_end(f, GM_E_WORKER_DIED, SIGABRT, ABORTED);
    assert_true(f->was_ready);
}

static void one_that_died_with_messages_unread_tells_how(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    answer(f);
    tell(f, "x");
    answer(f); /* ECONNRESET */
    answer(f); /* EPIPE */
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
}

static void last_words_come_though_messages_were_unread(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    answer(f);
    tell(f, "ppx");
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
    assert_int_equal(f->messages, 2);
}

static void queue_goes_with_the_worker(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    for (int i = 0; i < 4000; i++) { /* far more than a socket holds */
        answer(f);
    }
    tell(f, "a");
    answer(f);
    expect_end(f, GM_E_WORKER_DIED, SIGABRT, ABORTED);
}

static void queue_goes_with_one_that_had_read_all(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    for (int i = 0; i < 4000; i++) {
        answer(f);
    }
    tell(f, "dx");
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
}

/* How many messages a socket holds that nobody reads. */
static int room_of_a_socket(void)
{
    Gm__WStored stored = GM__WSTORED__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    struct gm_err err = {.code = GM_OK};
    int pair[2];
    int count = 0;
    msg.body_case = GM__WORKER_MESSAGE__BODY_STORED;
    msg.stored = &stored;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    while (gm_packet_send(pair[0], &msg, -1, false, &err) == 0) {
        count++;
    }
    assert_int_equal(err.code, GM_E_BUSY);
    close(pair[0]);
    close(pair[1]);
    return count;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int open_null(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* More than a socket holds. */
static void fill_queue(struct fixture *f)
{
    for (int i = room_of_a_socket() + 2; i > 0; i--) {
        answer(f);
    }
}

/* Those before it were sent, and are done with. */
static void queue_breaks_in_the_middle(void **state)
{
    struct fixture *f = *state;
    struct gm_err err;
    become_ready(f);
    fill_queue(f);
    int before = open_null();
    int broken = open_null();
    int after = open_null();
    assert_int_equal(send_stored(f->slot, before, &err), 0);
    assert_int_equal(send_stored(f->slot, broken, &err), 0);
    assert_int_equal(send_stored(f->slot, after, &err), 0);
    assert_true(is_open(before) && is_open(broken) && is_open(after));
    close(broken); /* there is nothing to send any more */
    tell(f, "d");
    while (is_open(after)) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_false(is_open(before));
    while (f->gone == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->why.code, GM_E_SYS);
    assert_int_equal(f->why.native, EBADF);
}

static void expect_too_large(struct fixture *f)
{
    struct gm_err err;
    char *name = calloc(1, GM_WORKER_MESSAGE_MAX_BYTES + 1);
    int fd = open_null();
    assert_non_null(name);
    memset(name, 'n', GM_WORKER_MESSAGE_MAX_BYTES);
    Gm__WProduced produced = GM__WPRODUCED__INIT;
    Gm__WorkerMessage large = GM__WORKER_MESSAGE__INIT;
    large.body_case = GM__WORKER_MESSAGE__BODY_PRODUCED;
    large.produced = &produced;
    produced.meta_file = name;
    assert_int_equal(gm_slot_send(f->slot, &large, fd, &err), -GM_E_LIMIT);
    assert_false(is_open(fd));
    free(name);
}

/* Whether it would be queued or not. */
static void message_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    expect_too_large(f);
    fill_queue(f);
    expect_too_large(f);
    tell(f, "dp");
    while (f->messages == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_true(gm_slot_is_ready(f->slot));
    assert_int_equal(f->gone, 0);
}

static void one_that_announces_and_dies_tells_how(void **state)
{
    struct fixture *f = *state;
    f->answer = true; /* as a task that waited is started */
    tell(f, "rpa");
    expect_end(f, GM_E_WORKER_DIED, SIGABRT, ABORTED);
    assert_int_equal(f->ready, 1);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->sent, 2);
    assert_true(f->was_ready);
}

/* More than a turn reads: its exit comes in between. */
static void answers_to_last_words_are_no_error(void **state)
{
    struct fixture *f = *state;
    char letters[160];
    memset(letters, 'p', sizeof(letters));
    letters[sizeof(letters) - 2] = 'x';
    letters[sizeof(letters) - 1] = '\0';
    f->answer = true;
    become_ready(f);
    tell(f, letters);
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
    assert_int_equal(f->messages, (int)sizeof(letters) - 2);
    assert_int_equal(f->sent, f->messages + 1);
}

static void one_that_closes_its_socket_and_lives_is_killed(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    tell(f, "pc");
    answer(f);
    expect_end(f, GM_E_WORKER_DIED, 0, "the worker closed its socket and lived on");
    assert_int_equal(f->messages, 1);
    assert_false(gm_slot_is_ready(f->slot));
}

static void one_that_closes_its_socket_and_ends_tells_how(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    tell(f, "c");
    uv_run(&f->loop, UV_RUN_ONCE); /* that the socket is closed is known */
    answer(f);
    tell(f, "x");
    answer(f);
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
}

/* What it says is heard until then. */
static void one_that_reads_no_more_and_lives_is_killed(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    tell(f, "s");
    answer(f); /* EPIPE */
    assert_false(gm_slot_is_ready(f->slot));
    tell(f, "p");
    expect_end(f, GM_E_WORKER_DIED, 0, "the worker closed its socket and lived on");
    assert_int_equal(f->messages, 1);
    assert_true(f->was_ready);
}

static void one_that_reads_no_more_of_the_queue_is_killed(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    fill_queue(f);
    tell(f, "dsp");
    while (f->messages == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_false(gm_slot_is_ready(f->slot));
    answer(f); /* nothing is sent */
    expect_end(f, GM_E_WORKER_DIED, 0, "the worker closed its socket and lived on");
    assert_int_equal(f->messages, 1);
}

static void other_hand_that_kills_is_no_reason_of_ours(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    assert_int_equal(kill(gm_slot_pid(f->slot), SIGKILL), 0);
    expect_end(f, GM_E_WORKER_DIED, SIGKILL,
               "the worker process ended by signal 9 (Killed); the machine may be out of memory");
}

static void killed_one_tells_the_reason(void **state)
{
    struct fixture *f = *state;
    struct gm_err why;
    struct gm_err later;
    become_ready(f);
    gm_err_set(&why, GM_E_WORKER_HUNG, 3, "quiet");
    gm_err_set(&later, GM_E_CANCELLED, 0, "not wanted");
    gm_slot_kill(f->slot, &why);
    gm_slot_kill(f->slot, &later);
    answer(f); /* nothing is sent */
    expect_end(f, GM_E_WORKER_HUNG, 3, "quiet");
}

static void one_that_was_killed_is_dying_until_it_is_gone(void **state)
{
    struct fixture *f = *state;
    struct gm_err why;
    become_ready(f);
    assert_true(gm_slot_dying(f->slot) == 0);
    gm_time before = gm_time_now();
    gm_err_set(&why, GM_E_WORKER_HUNG, 3, "quiet");
    gm_slot_kill(f->slot, &why);
    gm_time dying = gm_slot_dying(f->slot);
    assert_true(dying >= before && dying <= gm_time_now());
    gm_slot_kill(f->slot, &why);
    assert_true(gm_slot_dying(f->slot) == dying); /* since the first time */
    expect_end(f, GM_E_WORKER_HUNG, 3, "quiet");
    assert_true(gm_slot_dying(f->slot) == 0);
}

static void one_that_died_before_it_was_killed_tells_how(void **state)
{
    struct fixture *f = *state;
    struct gm_err why;
    become_ready(f);
    tell(f, "a");
    gm_err_set(&why, GM_E_WORKER_HUNG, 3, "quiet");
    gm_slot_kill(f->slot, &why);
    expect_end(f, GM_E_WORKER_DIED, SIGABRT, ABORTED "; the agent was about to end it: quiet");
}

static void garbage_is_the_reason_it_is_killed_for(void **state)
{
    struct fixture *f = *state;
    become_ready(f);
    tell(f, "g");
    while (f->gone == 0) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->why.code, GM_E_PROTO);
}

static void one_that_dies_before_it_is_ready_tells_how(void **state)
{
    struct fixture *f = *state;
    tell(f, "x");
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
    assert_false(f->was_ready);
    assert_int_equal(gm_slot_failures(f->slot), 1);
}

static void one_that_says_why_it_is_not_ready_is_quoted(void **state)
{
    struct fixture *f = *state;
    int pid = gm_slot_pid(f->slot);
    tell(f, "fx");
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, "the worker can't work: no codec opens");
    assert_false(f->was_ready);
    assert_int_equal(f->messages, 0);
    while (gm_slot_pid(f->slot) == 0 || gm_slot_pid(f->slot) == pid) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    f->gone = 0;
    tell(f, "x"); /* the next one says nothing */
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
}

/* Ends this one as the letters say, or kills it for that; the next one is there then. */
static void run_out(struct fixture *f, const char *letters, enum gm_code kill)
{
    int pid = gm_slot_pid(f->slot);
    struct gm_err why;
    become_ready(f);
    tell(f, letters);
    if (kill != GM_OK) {
        gm_err_set(&why, kill, 0, "as it was told");
        gm_slot_kill(f->slot, &why);
    }
    while (gm_slot_pid(f->slot) == 0 || gm_slot_pid(f->slot) == pid) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(f->gone, 1);
    assert_true(f->was_ready);
    f->ready = f->gone = 0;
}

/* Else it would be started without a pause for ever. */
static void one_that_announces_itself_and_dies_idle_has_failed(void **state)
{
    struct fixture *f = *state;
    run_out(f, "x", GM_OK);
    assert_int_equal(gm_slot_failures(f->slot), 1);
    run_out(f, "a", GM_OK);
    assert_int_equal(gm_slot_failures(f->slot), 2);
    run_out(f, "px", GM_OK); /* it worked */
    assert_int_equal(gm_slot_failures(f->slot), 0);
    run_out(f, "", GM_E_WORKER_HUNG);
    assert_int_equal(gm_slot_failures(f->slot), 1);
    run_out(f, "", GM_E_CANCELLED); /* of the agent's own will */
    assert_int_equal(gm_slot_failures(f->slot), 0);
}

static void one_that_is_cancelled_while_it_starts_has_not_failed(void **state)
{
    struct fixture *f = *state;
    struct gm_err why;
    run_out(f, "x", GM_OK);
    gm_err_set(&why, GM_E_CANCELLED, 0, "not wanted");
    gm_slot_kill(f->slot, &why);
    expect_end(f, GM_E_CANCELLED, 0, "not wanted");
    assert_false(f->was_ready);
    assert_int_equal(gm_slot_failures(f->slot), 1); /* those before count on */
}

/* Else it would wait for an on_gone that came already. */
static void nothing_is_sent_when_the_end_was_told(void **state)
{
    struct fixture *f = *state;
    f->late_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(f->late_fd >= 0);
    become_ready(f);
    tell(f, "x");
    expect_end(f, GM_E_WORKER_DIED, LETTER_STATUS, EXITED);
    assert_int_equal(f->late_rc, -GM_E_SYS);
    assert_int_equal(fcntl(f->late_fd, F_GETFD), -1); /* taken all the same */
    f->late_fd = -1;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[argc - 2], "--") == 0) {
        letter_worker_main(atoi(argv[argc - 1]));
    }
    const struct CMUnitTest tests[] = {
        CASE(message_to_one_that_died_is_no_error),
        CASE(one_that_died_with_messages_unread_tells_how),
        CASE(last_words_come_though_messages_were_unread),
        CASE(queue_goes_with_the_worker),
        CASE(queue_goes_with_one_that_had_read_all),
        CASE(queue_breaks_in_the_middle),
        CASE(message_that_is_too_large_is_refused),
        CASE(one_that_announces_and_dies_tells_how),
        CASE(answers_to_last_words_are_no_error),
        CASE(one_that_closes_its_socket_and_lives_is_killed),
        CASE(one_that_closes_its_socket_and_ends_tells_how),
        CASE(one_that_reads_no_more_and_lives_is_killed),
        CASE(one_that_reads_no_more_of_the_queue_is_killed),
        CASE(other_hand_that_kills_is_no_reason_of_ours),
        CASE(killed_one_tells_the_reason),
        CASE(one_that_was_killed_is_dying_until_it_is_gone),
        CASE(one_that_died_before_it_was_killed_tells_how),
        CASE(garbage_is_the_reason_it_is_killed_for),
        CASE(one_that_dies_before_it_is_ready_tells_how),
        CASE(one_that_says_why_it_is_not_ready_is_quoted),
        cmocka_unit_test_setup_teardown(one_that_is_not_loaded_names_the_limit, setup_limited,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_was_loaded_does_not, setup_limited, teardown),
        CASE(one_without_a_limit_does_not),
        CASE(one_that_announces_itself_and_dies_idle_has_failed),
        CASE(one_that_is_cancelled_while_it_starts_has_not_failed),
        CASE(nothing_is_sent_when_the_end_was_told),
    };
    return cmocka_run_group_tests_name("node/slot", tests, NULL, NULL);
}
