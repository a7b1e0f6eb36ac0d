#include "node/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "proto/envelope.h"

static int setup(void **state)
{
    int *pair = calloc(2, sizeof(int));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    int *pair = *state;
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            close(pair[i]);
        }
    }
    free(pair);
    return 0;
}

/* fd: of the message; -1: none. */
static int send_stored(int to, uint32_t index, int fd, struct gm_err *err)
{
    Gm__WorkerMessage msg;
    Gm__WStored stored;
    gm__worker_message__init(&msg);
    gm__wstored__init(&stored);
    stored.index = index;
    msg.body_case = GM__WORKER_MESSAGE__BODY_STORED;
    msg.stored = &stored;
    return gm_packet_send(to, &msg, fd, false, err);
}

/* No message comes: want, and with 0 that event. */
static void assert_none(int from, bool wait, int want, enum gm_packet_event want_event)
{
    struct gm_err err;
    enum gm_packet_event event = GM_PACKET_MESSAGE;
    Gm__WorkerMessage *got = NULL;
    assert_int_equal(gm_packet_recv(from, wait, &event, &got, NULL, &err), want);
    assert_int_equal(event, want_event);
    assert_null(got);
}

static void assert_refused(int from)
{
    assert_none(from, false, -GM_E_PROTO, GM_PACKET_MESSAGE); /* the event stays */
}

static void assert_broken(int to)
{
    struct gm_err err;
    assert_int_equal(send_stored(to, 1, -1, &err), -GM_E_SYS);
    assert_int_equal(err.native, EPIPE);
}

static void message_and_descriptor_arrive(void **state)
{
    int *pair = *state;
    struct gm_err err;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(send_stored(pair[0], 5, pipes[1], &err), 0);
    assert_int_equal(send_stored(pair[0], 6, -1, &err), 0);
    for (uint32_t i = 5; i <= 6; i++) {
        enum gm_packet_event event = GM_PACKET_NONE;
        Gm__WorkerMessage *got = NULL;
        int fd = -7;
        assert_int_equal(gm_packet_recv(pair[1], false, &event, &got, &fd, &err), 0);
        assert_int_equal(event, GM_PACKET_MESSAGE);
        assert_int_equal(got->stored->index, i);
        gm__worker_message__free_unpacked(got, NULL);
        assert_int_equal(fd >= 0, i == 5);
        if (fd >= 0) {
            char byte = 0;
            assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
            assert_int_equal(write(fd, "!", 1), 1);
            assert_int_equal(read(pipes[0], &byte, 1), 1);
            assert_int_equal(byte, '!');
            close(fd);
        }
    }
    close(pipes[0]);
    close(pipes[1]);
}

static void empty_and_closed_are_told_apart(void **state)
{
    int *pair = *state;
    assert_none(pair[1], false, 0, GM_PACKET_NONE);
    close(pair[0]);
    pair[0] = -1;
    assert_none(pair[1], true, 0, GM_PACKET_CLOSED);
    assert_broken(pair[1]);
}

static void unwanted_descriptors_are_refused(void **state)
{
    int *pair = *state;
    struct gm_err err;
    assert_int_equal(send_stored(pair[0], 5, 0, &err), 0);
    int before = dup(0);
    close(before);
    assert_refused(pair[1]);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after); /* none stayed open */
}

static void more_descriptors_than_one_are_refused(void **state)
{
    int *pair = *state;
    struct gm_err err;
    Gm__WStored stored = GM__WSTORED__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {.room = {0}};
    const int fds[2] = {0, 0};
    uint8_t data[64];
    enum gm_packet_event event = GM_PACKET_NONE;
    Gm__WorkerMessage *got = NULL;
    int fd = -7;
    msg.body_case = GM__WORKER_MESSAGE__BODY_STORED;
    msg.stored = &stored;
    struct iovec part = {.iov_base = data, .iov_len = gm__worker_message__pack(&msg, data)};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.room,
                          .msg_controllen = sizeof(control.room)};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
    assert_true(sendmsg(pair[0], &head, 0) > 0);
    int before = dup(0);
    close(before);
    assert_int_equal(gm_packet_recv(pair[1], false, &event, &got, &fd, &err), -GM_E_PROTO);
    assert_null(got);
    assert_int_equal(fd, -7);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after); /* none stayed open */
}

static void malformed_and_large_packets_are_refused(void **state)
{
    int *pair = *state;
    char *large = calloc(1, GM_WORKER_MESSAGE_MAX_BYTES + 1);
    assert_non_null(large);
    assert_int_equal(send(pair[0], "\xff", 1, 0), 1);
    assert_refused(pair[1]);
    assert_int_equal(send(pair[0], large, GM_WORKER_MESSAGE_MAX_BYTES + 1, 0),
                     GM_WORKER_MESSAGE_MAX_BYTES + 1);
    assert_refused(pair[1]);
    free(large);
}

static void full_socket_is_busy(void **state)
{
    int *pair = *state;
    struct gm_err err;
    int rc = 0;
    uint32_t sent = 0;
    while (rc == 0 && sent < 100000) {
        rc = send_stored(pair[0], 0, -1, &err);
        sent += rc == 0 ? 1 : 0;
    }
    assert_int_equal(rc, -GM_E_BUSY);
    assert_true(sent > 0);
}

/* The kernel tells of what the peer left unread before it hands out what the peer had sent. */
static void last_words_come_before_the_end(void **state)
{
    int *pair = *state;
    struct gm_err err;
    enum gm_packet_event event = GM_PACKET_NONE;
    Gm__WorkerMessage *got = NULL;
    assert_int_equal(send_stored(pair[0], 3, -1, &err), 0);
    assert_int_equal(send_stored(pair[1], 3, -1, &err), 0);
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(gm_packet_recv(pair[0], false, &event, &got, NULL, &err), 0);
    assert_int_equal(event, GM_PACKET_MESSAGE);
    assert_int_equal(got->stored->index, 3);
    gm__worker_message__free_unpacked(got, NULL);
    assert_none(pair[0], false, 0, GM_PACKET_CLOSED);
    assert_broken(pair[0]);
}

static void memory_file_is_sealed(void **state)
{
    struct gm_err err;
    Gm__Feed feed = GM__FEED__INIT;
    feed.task_id = 77;
    int fd = -1;
    uint64_t size = 0;
    uint8_t *data = NULL;
    size_t got = 0;
    (void)state;
    assert_int_equal(gm_packet_memfd("test", &feed.base, &fd, &size, &err), 0);
    assert_int_equal(gm_fs_read_fd(fd, 1000, &data, &got, &err), 0);
    assert_int_equal(got, size);
    Gm__Feed *back = gm__feed__unpack(NULL, got, data);
    assert_non_null(back);
    assert_int_equal(back->task_id, 77);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    gm__feed__free_unpacked(back, NULL);
    free(data);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(message_and_descriptor_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_and_closed_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(unwanted_descriptors_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(more_descriptors_than_one_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_and_large_packets_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(full_socket_is_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(last_words_come_before_the_end, setup, teardown),
        cmocka_unit_test(memory_file_is_sealed),
    };
    return cmocka_run_group_tests_name("node/packet", tests, NULL, NULL);
}
