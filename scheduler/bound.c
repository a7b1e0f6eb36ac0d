#include "scheduler/bound.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scheduler/core/mem.h"

int gm_bound_add(struct gm_bound *b, const char *endpoint, struct gm_err *err)
{
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        b->paths = gm_mem_grow(b->paths, b->path_count, &b->path_cap, sizeof *b->paths);
        b->paths[b->path_count++] = gm_mem_strdup(endpoint + 6);
        return 0;
    }
    unsigned long port = colon != NULL ? strtoul(colon + 1, NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX) {
        return gm_err_set(err, GM_E_BUG, 0, "no port in %.100s", endpoint);
    }
    b->ports = gm_mem_grow(b->ports, b->port_count, &b->port_cap, sizeof *b->ports);
    b->ports[b->port_count++] = htons((uint16_t)port);
    return 0;
}

void gm_bound_fini(struct gm_bound *b)
{
    for (size_t i = 0; i < b->path_count; i++) {
        free(b->paths[i]);
    }
    free(b->paths);
    free(b->ports);
    *b = (struct gm_bound){0};
}

bool gm_bound_has(const struct gm_bound *b, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } a = {0};
    socklen_t size = sizeof a;
    if (fd < 0 || getsockname(fd, &a.any, &size) != 0) {
        return false;
    }
    if (a.any.sa_family == AF_UNIX) {
        for (size_t i = 0; i < b->path_count; i++) {
            if (strncmp(a.un.sun_path, b->paths[i], sizeof a.un.sun_path) == 0) {
                return true;
            }
        }
        return false;
    }
    in_port_t port = a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port;
    for (size_t i = 0; i < b->port_count; i++) {
        if (b->ports[i] == port) {
            return true;
        }
    }
    return false;
}

bool gm_bound_cut(const struct gm_bound *b, int fd)
{
    /* The number may be another file's by now, or between a look and the end: ours is not. */
    int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    int cut = own >= 0 ? own : fd; /* no descriptor is left: an end gives one back */
    bool done = gm_bound_has(b, cut) && shutdown(cut, SHUT_RDWR) == 0;
    if (own >= 0) {
        (void)close(own);
    }
    return done;
}
