/* One protobuf message a packet over a SOCK_SEQPACKET pair, with a descriptor as SCM_RIGHTS.
 * Packets keep their borders, so there is no framing; a packet larger than the buffer shows as
 * MSG_TRUNC and is refused. */
#include "node/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/envelope.h"

/* Room for one descriptor. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

int gm_packet_send(int sock, const Gm__WorkerMessage *msg, int fd, bool wait, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_worker_message_encode(msg, &data, &size, err);
    if (rc == 0) {
        rc = gm_packet_send_packed(sock, data, size, fd, wait, err);
    }
    free(data);
    return rc;
}

int gm_packet_send_packed(int sock, const uint8_t *data, size_t size, int fd, bool wait,
                          struct gm_err *err)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    memset(&control, 0, sizeof(control));
    if (fd >= 0) {
        head.msg_control = control.room;
        head.msg_controllen = sizeof(control.room);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&head);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(sock, &head, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return gm_err_set(err, GM_E_BUSY, errno, "the worker's socket was full");
    }
    return sent < 0
               ? gm_err_sys(err, errno, "could not send to the other end of the worker's socket")
               : 0;
}

/* Takes the descriptor out of the control data; -1 where there is none. */
static int take_fd(struct msghdr *head)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len == CMSG_LEN(sizeof(int))) {
            memcpy(&fd, CMSG_DATA(c), sizeof(int));
        }
    }
    return fd;
}

int gm_packet_recv(int sock, bool wait, enum gm_packet_event *out_event,
                   Gm__WorkerMessage **out_msg, int *out_fd, struct gm_err *err)
{
    uint8_t *data = malloc(GM_WORKER_MESSAGE_MAX_BYTES);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    struct iovec part = {.iov_base = data, .iov_len = GM_WORKER_MESSAGE_MAX_BYTES};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    memset(&control, 0, sizeof(control));
    if (out_fd != NULL) {
        head.msg_control = control.room;
        /* Not its whole size, which holds two: a sender of more than one gets MSG_CTRUNC. */
        head.msg_controllen = CMSG_LEN(sizeof(int));
    }
    int rc = 0;
    int fd = -1;
    ssize_t got;
    /* ECONNRESET comes once, where the peer left something unread, and before its last words */
    int resets = 0;
    do {
        got = recvmsg(sock, &head, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (got < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        *out_event = GM_PACKET_NONE;
        goto out;
    }
    /* Every message packs to at least one byte, so an empty packet can only be the end. */
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        *out_event = GM_PACKET_CLOSED;
        goto out;
    }
    if (got < 0) {
        rc = gm_err_sys(err, errno, "could not read the worker's socket");
        goto out;
    }
    fd = out_fd == NULL ? -1 : take_fd(&head);
    if ((head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        rc = gm_err_set(err, GM_E_PROTO, head.msg_flags,
                        "a worker packet was too large or carried descriptors it may not");
        goto out;
    }
    rc = gm_worker_message_decode(data, (size_t)got, out_msg, err);
    if (rc < 0) {
        goto out;
    }
    *out_event = GM_PACKET_MESSAGE;
    if (out_fd != NULL) {
        *out_fd = fd;
        fd = -1;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    free(data);
    return rc;
}

int gm_packet_memfd(const char *name, const ProtobufCMessage *msg, int *out_fd, uint64_t *out_size,
                    struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int fd = -1;
    int rc = gm_message_encode(msg, &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        rc = gm_err_sys(err, errno, "could not make a memory file");
        goto out;
    }
    rc = gm_fs_write_all(fd, data, size, err);
    if (rc < 0) {
        goto out;
    }
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        rc = gm_err_sys(err, errno, "could not seal a memory file");
        goto out;
    }
    *out_fd = fd;
    *out_size = size;
    fd = -1;
out:
    if (fd >= 0) {
        close(fd);
    }
    free(data);
    return rc;
}
