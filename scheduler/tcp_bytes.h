#ifndef GM_SCHEDULER_TCP_BYTES_H
#define GM_SCHEDULER_TCP_BYTES_H

#include <stdint.h>

/* What passed over a TCP connection since it was made, by the kernel's count; all zero where that
 * is not known, as of a unix socket. Thread: any. */
struct gm_tcp_bytes {
    uint64_t received;
    uint64_t acknowledged; /* of what we sent, by the other side */
};
struct gm_tcp_bytes gm_tcp_bytes_get(int fd);

#endif
