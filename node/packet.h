#ifndef GM_NODE_PACKET_H
#define GM_NODE_PACKET_H

#include "common/err.h"
#include "wire.pb-c.h"

/* Agent <-> worker: one WorkerMessage a packet of a SOCK_SEQPACKET pair, with at most one
 * descriptor. Thread: one at a time for each direction of a socket. */
enum gm_packet_event {
    GM_PACKET_NONE,    /* nothing there now */
    GM_PACKET_MESSAGE, /* *out_msg was set */
    GM_PACKET_CLOSED,  /* the peer is gone */
};

/* Sends msg. fd: rides along, stays the caller's; -1: none. wait: blocks while the socket is full.
 * Errors: BUSY  the socket is full (only without wait)
 *         LIMIT the packed message is over GM_WORKER_MESSAGE_MAX_BYTES
 *         SYS   the peer is gone, or the call failed
 *         NOMEM
 */
int gm_packet_send(int sock, const Gm__WorkerMessage *msg, int fd, bool wait,
                   struct gm_err *err) GM_MUST_CHECK;
/* The same of a message that gm_worker_message_encode packed. Errors: BUSY, SYS. */
int gm_packet_send_packed(int sock, const uint8_t *data, size_t size, int fd, bool wait,
                          struct gm_err *err) GM_MUST_CHECK;

/* Receives and checks one packet.
 *
 * wait:    blocks until a packet or the peer's end comes
 * out_msg: owned by the caller: gm__worker_message__free_unpacked(msg, NULL); set with
 *          GM_PACKET_MESSAGE only
 * out_fd:  owned by the caller, -1 where none came. NULL: descriptors are refused: the kernel drops
 *          them and the packet is PROTO
 * Errors:  PROTO malformed, too large, or with descriptors that were not wanted; SYS; NOMEM
 */
int gm_packet_recv(int sock, bool wait, enum gm_packet_event *out_event,
                   Gm__WorkerMessage **out_msg, int *out_fd, struct gm_err *err) GM_MUST_CHECK;

/* A sealed memory file that holds the packed message, for what is too large for a packet.
 * *out_fd: owned, offset 0. Errors: SYS, NOMEM. */
int gm_packet_memfd(const char *name, const ProtobufCMessage *msg, int *out_fd, uint64_t *out_size,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
