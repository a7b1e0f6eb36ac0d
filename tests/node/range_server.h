/* An HTTP server of one file, whose bytes follow from their places: by ranges, or without them; and
 * of its parts, as "/part-AT-SIZE". One request after the other, in a process of its own; what was
 * asked is kept, a line each. */
#ifndef GM_TESTS_NODE_RANGE_SERVER_H
#define GM_TESTS_NODE_RANGE_SERVER_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct range_server {
    pid_t pid;
    char url[96]; /* "http://127.0.0.1:port/clip" */
    /* Shared with its process. */
    struct range_told {
        uint64_t size;
        char etag[32];     /* "": none */
        char modified[40]; /* Last-Modified; "": none */
        char redirect[96]; /* "" : it does not */
        int no_ranges;
        int fail; /* so many requests more are answered with fail_status */
        int fail_status;
        char fail_at[16]; /* of those that have this in their path; "": of all */
        int cut;          /* so many bodies more end in their middle */
        int ignores;      /* If-Match */
        int no_length;    /* of a body without ranges */
        int asked;        /* requests */
        uint64_t sent;    /* bytes of bodies */
    } * told;
};

static inline uint8_t range_byte(uint64_t at)
{
    uint64_t x = (at / 7 + 1) * 0x9e3779b97f4a7c15u;
    return (uint8_t)(x >> 40 ^ at);
}

static void range_body(int fd, struct range_told *t, uint64_t from, uint64_t size)
{
    static uint8_t part[65536];
    if (t->cut > 0) {
        t->cut--;
        size /= 2;
    }
    for (uint64_t done = 0; done < size;) {
        size_t n = size - done < sizeof(part) ? (size_t)(size - done) : sizeof(part);
        for (size_t i = 0; i < n; i++) {
            part[i] = range_byte(from + done + i);
        }
        t->sent += n; /* before its reader can have it, and look */
        ssize_t w = send(fd, part, n, MSG_NOSIGNAL);
        t->sent -= n - (size_t)(w > 0 ? w : 0);
        if (w <= 0) {
            return;
        }
        done += (uint64_t)w;
    }
}

/* As nginx: a second condition of a kind is refused; and a weak ETag matches nowhere. */
static int range_condition(const struct range_told *t, const char *request)
{
    const char *match = strstr(request, "\r\nIf-Match: ");
    const char *since = strstr(request, "\r\nIf-Unmodified-Since: ");
    if ((match != NULL && strstr(match + 1, "\r\nIf-Match: ") != NULL) ||
        (match != NULL && since != NULL)) {
        return 400;
    }
    if (since != NULL && strncmp(since + 23, t->modified, strlen(t->modified)) != 0) {
        return 412;
    }
    return match != NULL && !t->ignores &&
                   (t->etag[0] != '"' || strncmp(match + 12, t->etag, strlen(t->etag)) != 0)
               ? 412
               : 0;
}

static void range_names(const struct range_told *t, char out[128])
{
    int at = t->etag[0] != '\0' ? snprintf(out, 128, "ETag: %s\r\n", t->etag) : 0;
    out[at] = '\0';
    if (t->modified[0] != '\0') {
        snprintf(out + at, 128 - (size_t)at, "Last-Modified: %s\r\n", t->modified);
    }
}

static void range_answer(int fd, struct range_told *t, const char *request)
{
    char head[512], names[128];
    uint64_t at = 0, whole = t->size;
    const char *part = strstr(request, " /part-");
    if (part != NULL && sscanf(part + 7, "%lu-%lu", &at, &whole) != 2) {
        return;
    }
    uint64_t from = 0, to = whole - 1;
    const char *range = strstr(request, "\r\nRange: bytes=");
    int refused = range_condition(t, request);
    int ranged = range != NULL && !t->no_ranges && sscanf(range + 15, "%lu-%lu", &from, &to) >= 1;
    if (t->fail > 0 && strstr(request, t->fail_at) != NULL) {
        t->fail--;
        snprintf(head, sizeof(head), "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", t->fail_status);
    } else if (t->redirect[0] != '\0' && strstr(request, " /clip") != NULL) {
        snprintf(head, sizeof(head),
                 "HTTP/1.1 302 There\r\nLocation: %s\r\n"
                 "Content-Length: 0\r\n\r\n",
                 t->redirect);
    } else if (refused != 0) {
        snprintf(head, sizeof(head), "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", refused);
    } else {
        to = to < whole ? to : whole - 1;
        range_names(t, names);
        if (ranged) {
            snprintf(head, sizeof(head),
                     "HTTP/1.1 206 Part\r\n%sContent-Range: bytes "
                     "%lu-%lu/%lu\r\nContent-Length: %lu\r\n\r\n",
                     names, from, to, whole, to - from + 1);
        } else if (t->no_length) {
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s\r\n", names);
        } else {
            snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%sContent-Length: %lu\r\n\r\n", names,
                     whole);
        }
        if (send(fd, head, strlen(head), MSG_NOSIGNAL) > 0 && strncmp(request, "HEAD", 4) != 0) {
            range_body(fd, t, at + (ranged ? from : 0), ranged ? to - from + 1 : whole);
        }
        return;
    }
    (void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
}

static void range_serve(int listener, struct range_told *t)
{
    static char request[65536];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        size_t size = 0;
        request[0] = '\0';
        while (fd >= 0 && strstr(request, "\r\n\r\n") == NULL && size < sizeof(request) - 1) {
            ssize_t n = read(fd, request + size, sizeof(request) - 1 - size);
            if (n <= 0) {
                break;
            }
            size += (size_t)n;
            request[size] = '\0';
        }
        if (size > 0) {
            t->asked++;
            range_answer(fd, t, request);
        }
        close(fd);
    }
}

static inline void range_start(struct range_server *s, uint64_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->told =
        mmap(NULL, sizeof(*s->told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->told != MAP_FAILED);
    s->told->size = size;
    snprintf(s->told->etag, sizeof(s->told->etag), "\"e1\"");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/clip", ntohs(address.sin_port));
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        range_serve(listener, s->told);
    }
    close(listener);
}

static inline void range_stop(struct range_server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    munmap(s->told, sizeof(*s->told));
}

#endif
