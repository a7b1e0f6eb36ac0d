/* Alone: glibc's netinet/tcp.h, which libuv brings, ends before these fields and can't stand beside
 * the kernel's. */
#include "scheduler/tcp_bytes.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct gm_tcp_bytes gm_tcp_bytes_get(int fd)
{
    struct tcp_info info = {0}; /* an older kernel fills less of it */
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return (struct gm_tcp_bytes){0};
    }
    return (struct gm_tcp_bytes){.received = info.tcpi_bytes_received,
                                 .acknowledged = info.tcpi_bytes_acked};
}
