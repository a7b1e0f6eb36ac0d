#include "bench/queue/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 512
#define READ_BYTES ((size_t)64 << 10)

void bq_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void reserve(uint8_t **data, size_t *cap, size_t size)
{
    if (size <= *cap) {
        return;
    }
    size_t next = *cap < 256 ? 256 : *cap;
    while (next < size) {
        next *= 2;
    }
    uint8_t *more = realloc(*data, next);
    if (more == NULL) {
        bq_die("out of memory");
    }
    *data = more;
    *cap = next;
}

void bq_loop_open(struct bq_loop *loop)
{
    *loop = (struct bq_loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (loop->epoll < 0) {
        bq_die("epoll_create1: %s", strerror(errno));
    }
}

void bq_loop_close(struct bq_loop *loop)
{
    (void)close(loop->epoll);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path) {
        bq_die("%s is too long for a socket", path);
    }
    (void)strcpy(un.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) != 0) {
        bq_die("%s: %s", path, strerror(errno));
    }
    return fd;
}

static int connect_tcp(const char *address)
{
    const char *port = strrchr(address, ':') + 1;
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) != 0) {
        bq_die("%s: %s", address, strerror(errno));
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch(struct bq_loop *loop, struct bq_stream *s, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (s->writing ? EPOLLOUT : 0u), .data = {.ptr = s}};
    if (epoll_ctl(loop->epoll, op, s->fd, &e) != 0) {
        bq_die("epoll_ctl: %s", strerror(errno));
    }
}

void bq_stream_open(struct bq_loop *loop, struct bq_stream *s, const char *address)
{
    *s = (struct bq_stream){0};
    s->fd = strncmp(address, "unix:", 5) == 0 ? connect_unix(address + 5) : connect_tcp(address);
    watch(loop, s, EPOLL_CTL_ADD);
}

void bq_stream_close(struct bq_loop *loop, struct bq_stream *s)
{
    struct bq_stream **at = &loop->dirty;
    while (*at != NULL && *at != s) {
        at = &(*at)->next_dirty;
    }
    if (*at != NULL) {
        *at = s->next_dirty;
    }
    (void)close(s->fd);
    free(s->in);
    free(s->out);
    *s = (struct bq_stream){.fd = -1};
}

void bq_stream_write(struct bq_loop *loop, struct bq_stream *s, const void *data, size_t size)
{
    reserve(&s->out, &s->out_cap, s->out_size + size);
    memcpy(s->out + s->out_size, data, size);
    s->out_size += size;
    if (!s->dirty) {
        s->dirty = true;
        s->next_dirty = loop->dirty;
        loop->dirty = s;
    }
}

void bq_stream_eat(struct bq_stream *s, size_t size)
{
    s->in_size -= size;
    memmove(s->in, s->in + size, s->in_size);
}

static void lose(struct bq_stream *s, const char *why)
{
    if (!s->may_break) {
        bq_die("a connection ended: %s", why);
    }
    s->broken = true;
}

static void flush(struct bq_loop *loop, struct bq_stream *s)
{
    ssize_t n = s->broken ? (ssize_t)s->out_size
                          : send(s->fd, s->out, s->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) {
        lose(s, strerror(errno));
        return;
    }
    n = n < 0 ? 0 : n;
    s->out_size -= (size_t)n;
    memmove(s->out, s->out + n, s->out_size);
    if (s->writing != (s->out_size > 0)) {
        s->writing = s->out_size > 0;
        watch(loop, s, EPOLL_CTL_MOD);
    }
}

static void flush_all(struct bq_loop *loop)
{
    while (loop->dirty != NULL) {
        struct bq_stream *s = loop->dirty;
        loop->dirty = s->next_dirty;
        s->dirty = false;
        flush(loop, s);
    }
}

static void fill(struct bq_stream *s)
{
    reserve(&s->in, &s->in_cap, s->in_size + READ_BYTES);
    ssize_t n = recv(s->fd, s->in + s->in_size, s->in_cap - s->in_size, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        lose(s, n == 0 ? "closed by the server" : strerror(errno));
        return;
    }
    s->in_size += n > 0 ? (size_t)n : 0;
}

void bq_loop_step(struct bq_loop *loop, int64_t wait, bq_stream_fn fn, void *arg)
{
    struct epoll_event events[EVENTS];
    struct timespec most = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    flush_all(loop);
    int n = epoll_pwait2(loop->epoll, events, EVENTS, &most, NULL);
    if (n < 0 && errno != EINTR) {
        bq_die("epoll: %s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        struct bq_stream *s = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0) {
            flush(loop, s);
        }
        if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !s->broken) {
            fill(s);
            fn(s, arg);
        }
    }
}
