/* bench_api: submits and listeners on one scheduler that runs already.
 *   bench_api HOST:PORT --source URL [--rate 200] [--seconds 60] [--listeners 500] [--slow 0]
 *
 * Jobs are dry runs with ids of ours, submitted at fixed times and cancelled a second afterwards:
 * no node is needed, and each has an end. Each listener follows /v1/events, comes back with
 * Last-Event-ID when its stream ends, and has to hear of each job's cancelling and of its end, in
 * order of their ids, each once. Beside that GET of a job and of /livez are asked in turns, at the
 * same rate.
 * --slow: so many more connect, ask for the events, and never read.
 * Prints one JSON object; exit 1: an event was lost or came twice, or a request was not answered as
 * it should be. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLERS 32 /* connections of submits and cancels */
#define SLICES 5
#define TAIL_S 30 /* for what still comes after the last submit */
#define ID_BASE "01k0000000000000"

enum kind { CALL, PROBE, LISTEN, SLOW };

struct conn {
    enum kind kind;
    int fd;
    char *in; /* owned; what came and is not looked at */
    size_t size, cap;
    bool busy; /* its answer has not come */
    double due;
    int what;       /* of a probe: 0 the job, 1 /livez */
    int64_t last;   /* of a listener: the event */
    char type[32];  /* of the event that is read */
    int64_t id;     /* the same */
    bool headed;    /* the answer's head has come */
    uint64_t chunk; /* of a listener: bytes that are left of this one */
    uint8_t *heard; /* owned; for each job: bit 0 cancelling, bit 1 the end */
    uint64_t reconnects, resets;
};
struct probes {
    double *ms; /* owned */
    size_t count;
};
struct bench {
    struct sockaddr_storage address;
    socklen_t address_size;
    const char *source;
    uint32_t rate, seconds, listeners, slow;
    int epoll;
    struct conn *conns; /* owned: callers, two probes, listeners, slow ones */
    size_t count;
    uint32_t jobs, submitted, answered, cancelled;
    double *sent; /* owned: when each job was answered; 0: not yet */
    struct probes probes[2][SLICES], submits;
    double began;
    uint64_t events, twice, backwards, bad;
};

static _Noreturn void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("bench_api: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *need(void *memory)
{
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

/* ---- ids: the last ten digits are the job's number, in base 32 */

static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";

static void make_id(uint32_t number, char out[27])
{
    memcpy(out, ID_BASE, 16);
    for (int i = 25; i >= 16; i--, number /= 32) {
        out[i] = DIGITS[number % 32];
    }
    out[26] = '\0';
}

/* -1: it is none of ours. */
static int64_t read_id(const char *id)
{
    int64_t number = 0;
    if (strncmp(id, ID_BASE, 16) != 0) {
        return -1;
    }
    for (int i = 16; i < 26; i++) {
        const char *at = id[i] != '\0' ? strchr(DIGITS, id[i]) : NULL;
        if (at == NULL) {
            return -1;
        }
        number = number * 32 + (at - DIGITS);
    }
    return number;
}

/* ---- connections */

static void conn_open(struct bench *b, struct conn *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    int one = 1, small = 4096;
    c->fd = socket(b->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->kind == SLOW) { /* what it never reads stays with the server */
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&b->address, b->address_size) < 0) {
        die("could not connect: %s", strerror(errno));
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->size = 0;
    c->headed = false;
    c->chunk = 0;
    if (c->kind != SLOW && epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        die("epoll: %s", strerror(errno));
    }
}

static void conn_send(struct conn *c, const char *text)
{
    size_t size = strlen(text);
    if (send(c->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) {
        die("could not send: %s", strerror(errno));
    }
}

static void listen_from(struct bench *b, struct conn *c)
{
    char text[200], last[64] = "";
    conn_open(b, c);
    if (c->last > 0) {
        (void)snprintf(last, sizeof last, "Last-Event-ID: %" PRId64 "\r\n", c->last);
    }
    (void)snprintf(text, sizeof text, "GET /v1/events HTTP/1.1\r\nHost: x\r\n%s\r\n", last);
    conn_send(c, text);
}

/* ---- what is asked */

static void ask(struct conn *c, double due, const char *method, const char *path, const char *body)
{
    char text[1400];
    c->busy = true;
    c->due = due;
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                   method, path, strlen(body), body);
    conn_send(c, text);
}

static struct conn *free_caller(const struct bench *b)
{
    for (size_t i = 0; i < CALLERS; i++) {
        if (!b->conns[i].busy) {
            return &b->conns[i];
        }
    }
    return NULL;
}

static void submit(struct bench *b, struct conn *c, double due)
{
    char body[1024], id[27];
    make_id(b->submitted, id);
    (void)snprintf(body, sizeof body,
                   "{\"pipeline\":\"vod-h264\",\"source\":\"%s\",\"plan_only\":true,\"id\":\"%s\"}",
                   b->source, id);
    c->what = (int)b->submitted++;
    ask(c, due, "POST", "/v1/jobs", body);
}

static void cancel(struct bench *b, struct conn *c, double due)
{
    char path[64], id[27];
    make_id(b->cancelled++, id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s:cancel", id);
    c->what = -1;
    ask(c, due, "POST", path, "");
}

static void probe(struct bench *b, struct conn *c, double now)
{
    char path[64], id[27];
    make_id(b->answered > 2 * CALLERS ? b->answered - 2 * CALLERS : 0, id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%s", id);
    ask(c, now, "GET", c->what == 0 ? path : "/livez", "");
}

/* Submits and cancels that are due, as far as there are connections for them: what waits is late,
 * and its time counts from when it was due. */
static void call_all(struct bench *b, double now)
{
    struct conn *c = NULL;
    while (b->submitted < b->jobs && now >= b->began + (double)b->submitted / b->rate &&
           (c = free_caller(b)) != NULL) {
        submit(b, c, b->began + (double)b->submitted / b->rate);
    }
    while (b->cancelled < b->submitted && b->sent[b->cancelled] > 0 &&
           now >= b->sent[b->cancelled] + 1 && (c = free_caller(b)) != NULL) {
        cancel(b, c, now);
    }
}

/* ---- what comes */

static void keep(struct probes *p, double ms)
{
    p->ms = need(realloc(p->ms, (p->count + 1) * sizeof *p->ms));
    p->ms[p->count++] = ms;
}

static void answered(struct bench *b, struct conn *c, int status)
{
    double now = now_s(), ms = (now - c->due) * 1e3;
    int wanted = c->kind == PROBE ? 200 : c->what >= 0 ? 201 : 202;
    c->busy = false;
    if (status != wanted) {
        if (b->bad++ == 0) {
            (void)fprintf(stderr, "bench_api: %d in place of %d: %.300s\n", status, wanted, c->in);
        }
        return;
    }
    if (c->kind == PROBE) {
        double at = (now - b->began) / b->seconds * SLICES;
        keep(&b->probes[c->what][at < SLICES ? (int)at : SLICES - 1], ms);
        c->what = !c->what;
    } else if (c->what >= 0) {
        b->sent[c->what] = now;
        b->answered++;
        keep(&b->submits, ms);
    }
}

/* One answer with a length, at the head of what came. */
static void read_answer(struct bench *b, struct conn *c)
{
    char *end = memmem(c->in, c->size, "\r\n\r\n", 4);
    const char *length = end != NULL ? strcasestr(c->in, "content-length:") : NULL;
    if (length == NULL || length > end) {
        return;
    }
    size_t whole = (size_t)(end + 4 - c->in) + strtoull(length + 15, NULL, 10);
    if (c->size >= whole) {
        answered(b, c, atoi(c->in + 9));
        c->size = 0;
    }
}

static void hear(struct bench *b, struct conn *c, const char *data)
{
    const char *at = strstr(data, "\"id\":\"");
    int64_t job = at != NULL ? read_id(at + 6) : -1;
    bool end = strcmp(c->type, "job.cancelled") == 0;
    if (strcmp(c->type, "reset") == 0) {
        c->resets++;
    }
    if (job < 0 || job >= b->jobs || (!end && strstr(data, "\"state\":\"cancelling\"") == NULL)) {
        return;
    }
    uint8_t bit = end ? 2 : 1;
    b->events++;
    b->twice += (c->heard[job] & bit) != 0;
    c->heard[job] |= bit;
}

static void read_line(struct bench *b, struct conn *c, const char *line)
{
    if (line[0] == '\0') {
        c->type[0] = '\0';
        c->id = 0;
    } else if (strncmp(line, "id: ", 4) == 0) {
        c->id = strtoll(line + 4, NULL, 10);
        b->backwards += c->id <= c->last && c->type[0] != '\0';
        c->last = c->id;
    } else if (strncmp(line, "event: ", 7) == 0) {
        (void)snprintf(c->type, sizeof c->type, "%.31s", line + 7);
    } else if (strncmp(line, "data: ", 6) == 0) {
        hear(b, c, line + 6);
    }
}

/* Takes chunks off the head of what came and puts their content together at its end; lines that are
 * whole are read. */
struct text {
    char *data;
    size_t size, cap;
};

static void text_add(struct text *t, const char *data, size_t size)
{
    if (t->size + size + 1 > t->cap) {
        t->cap = 2 * (t->size + size + 1);
        t->data = need(realloc(t->data, t->cap));
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

static size_t unchunk(struct conn *c, struct text *out, bool *ended)
{
    size_t at = 0;
    for (;;) {
        if (c->chunk == 0) {
            char *end = memmem(c->in + at, c->size - at, "\r\n", 2);
            if (end == NULL) {
                return at;
            }
            if (end == c->in + at) { /* behind the last one's content */
                at += 2;
                continue;
            }
            c->chunk = strtoull(c->in + at, NULL, 16);
            at = (size_t)(end - c->in) + 2;
            if (c->chunk == 0) {
                *ended = true;
                return at;
            }
        }
        size_t n = c->size - at < c->chunk ? c->size - at : (size_t)c->chunk;
        if (n == 0) {
            return at;
        }
        text_add(out, c->in + at, n);
        at += n;
        c->chunk -= n;
    }
}

static bool read_head(struct bench *b, struct conn *c)
{
    char *end = memmem(c->in, c->size, "\r\n\r\n", 4);
    if (end == NULL) {
        return false;
    }
    if (atoi(c->in + 9) != 200) {
        b->bad++;
        die("a listener was answered: %.300s", c->in);
    }
    size_t n = (size_t)(end + 4 - c->in);
    memmove(c->in, c->in + n, c->size -= n);
    c->headed = true;
    return true;
}

static void come_again(struct bench *b, struct conn *c)
{
    (void)close(c->fd);
    c->reconnects++;
    c->type[0] = '\0';
    listen_from(b, c);
}

static void read_events(struct bench *b, struct conn *c, struct text *lines)
{
    bool ended = false;
    if (!c->headed && !read_head(b, c)) {
        return;
    }
    struct text *t = &lines[c - b->conns];
    size_t used = unchunk(c, t, &ended), at = 0;
    memmove(c->in, c->in + used, c->size -= used);
    for (char *end = NULL; t->size > at && (end = memchr(t->data + at, '\n', t->size - at)) != NULL;
         at = (size_t)(end - t->data) + 1) {
        *end = '\0';
        read_line(b, c, t->data + at);
    }
    if (at > 0) {
        memmove(t->data, t->data + at, t->size - at);
        t->size -= at;
    }
    if (ended) { /* what was cut is said again */
        t->size = 0;
        come_again(b, c);
    }
}

static void on_input(struct bench *b, struct conn *c, struct text *lines)
{
    if (c->cap - c->size < 65537) {
        c->cap = c->size + 131072;
        c->in = need(realloc(c->in, c->cap));
    }
    ssize_t n = recv(c->fd, c->in + c->size, 65536, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        if (c->kind != LISTEN) {
            die("the scheduler ended a connection");
        }
        lines[c - b->conns].size = 0;
        come_again(b, c);
        return;
    }
    c->size += (size_t)n;
    c->in[c->size] = '\0';
    if (c->kind == LISTEN) {
        read_events(b, c, lines);
    } else {
        read_answer(b, c);
    }
}

/* ---- a run */

static uint64_t missing(const struct bench *b)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < b->count; i++) {
        for (uint32_t k = 0; b->conns[i].kind == LISTEN && k < b->jobs; k++) {
            lost += 2 - (uint64_t)__builtin_popcount(b->conns[i].heard[k]);
        }
    }
    return lost;
}

static void run(struct bench *b)
{
    struct epoll_event events[256];
    struct text *lines = need(calloc(b->count, sizeof *lines));
    double probed = 0, looked = 0, last = 0;
    b->began = now_s() + 0.5; /* who listens is there before */
    for (;;) {
        double now = now_s();
        int n = epoll_wait(b->epoll, events, 256, 1);
        for (int i = 0; i < n; i++) {
            on_input(b, events[i].data.ptr, lines);
        }
        call_all(b, now);
        struct conn *p = &b->conns[CALLERS];
        if (now >= b->began + 0.2 && now < b->began + b->seconds && now - probed > 0.005 &&
            !p->busy && b->answered > 0) {
            probed = now;
            probe(b, p, now);
        }
        last = b->cancelled < b->jobs ? now : last;
        if (b->cancelled == b->jobs && now - looked > 0.2) {
            looked = now;
            if (missing(b) == 0 || now - last > TAIL_S) {
                break;
            }
        }
        if (now > b->began + b->seconds * 3 + TAIL_S) {
            break; /* the server does not keep up: it is told by what is missing */
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        free(lines[i].data);
    }
    free(lines);
}

static int by_size(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double percentile(struct probes *p, double part)
{
    if (p->count == 0) {
        return 0;
    }
    qsort(p->ms, p->count, sizeof *p->ms, by_size);
    return p->ms[(size_t)((double)(p->count - 1) * part)];
}

static void print(struct bench *b)
{
    uint64_t lost = missing(b), again = 0, resets = 0;
    struct rusage self;
    (void)getrusage(RUSAGE_SELF, &self);
    for (size_t i = 0; i < b->count; i++) {
        again += b->conns[i].reconnects;
        resets += b->conns[i].resets;
    }
    (void)printf(
        "{\"rate\":%u,\"seconds\":%u,\"listeners\":%u,\"slow\":%u,\"jobs\":%u,\"events\":%" PRIu64
        ",\"lost\":%" PRIu64 ",\"twice\":%" PRIu64 ",\"backwards\":%" PRIu64 ",\"bad\":%" PRIu64
        ",\"reconnects\":%" PRIu64 ",\"resets\":%" PRIu64,
        b->rate, b->seconds, b->listeners, b->slow, b->jobs, b->events, lost, b->twice,
        b->backwards, b->bad, again, resets);
    (void)printf(",\"submit_p50_ms\":%.3f,\"submit_p99_ms\":%.3f", percentile(&b->submits, 0.5),
                 percentile(&b->submits, 0.99));
    for (int k = 0; k < 2; k++) {
        const char *name = k == 0 ? "job" : "livez";
        (void)printf(",\"%s_p99_ms\":[", name);
        for (int i = 0; i < SLICES; i++) {
            (void)printf("%s%.3f", i > 0 ? "," : "", percentile(&b->probes[k][i], 0.99));
        }
        (void)printf("],\"%s_p50_ms\":[", name);
        for (int i = 0; i < SLICES; i++) {
            (void)printf("%s%.3f", i > 0 ? "," : "", percentile(&b->probes[k][i], 0.5));
        }
        (void)printf("]");
    }
    (void)printf(",\"client_cpu_s\":%.2f}\n",
                 (double)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) +
                     (double)(self.ru_utime.tv_usec + self.ru_stime.tv_usec) / 1e6);
    if (lost + b->twice + b->backwards + b->bad + resets > 0 || b->answered < b->jobs) {
        exit(1);
    }
}

static void find(struct bench *b, char *where)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char *port = strrchr(where, ':');
    if (port == NULL) {
        die("HOST:PORT is not %s", where);
    }
    *port = '\0';
    if (getaddrinfo(where, port + 1, &hints, &found) != 0) {
        die("%s is not known", where);
    }
    memcpy(&b->address, found->ai_addr, found->ai_addrlen);
    b->address_size = found->ai_addrlen;
    freeaddrinfo(found);
}

static void make_conns(struct bench *b)
{
    b->count = CALLERS + 1 + b->listeners + b->slow;
    b->conns = need(calloc(b->count, sizeof *b->conns));
    for (size_t i = 0; i < b->count; i++) {
        struct conn *c = &b->conns[i];
        c->kind = i < CALLERS                      ? CALL
                  : i == CALLERS                   ? PROBE
                  : i < CALLERS + 1 + b->listeners ? LISTEN
                                                   : SLOW;
        if (c->kind == LISTEN || c->kind == SLOW) {
            c->heard = need(calloc(b->jobs, 1));
            listen_from(b, c);
        } else {
            conn_open(b, c);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"source", required_argument, NULL, 's'},  {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 't'}, {"listeners", required_argument, NULL, 'l'},
        {"slow", required_argument, NULL, 'w'},    {NULL, 0, NULL, 0}};
    struct bench b = {.rate = 200, .seconds = 60, .listeners = 500};
    for (int o = 0; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint32_t number = o == 's' || o == '?' ? 0 : (uint32_t)strtoul(optarg, NULL, 10);
        switch (o) {
        case 's':
            b.source = optarg;
            break;
        case 'r':
            b.rate = number;
            break;
        case 't':
            b.seconds = number;
            break;
        case 'l':
            b.listeners = number;
            break;
        case 'w':
            b.slow = number;
            break;
        default:
            return 2;
        }
    }
    if (optind + 1 != argc || b.source == NULL || b.rate == 0 || b.seconds == 0) {
        die("bench_api HOST:PORT --source URL [--rate N] [--seconds N] [--listeners N] [--slow N]");
    }
    find(&b, argv[optind]);
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    b.jobs = b.rate * b.seconds;
    b.sent = need(calloc(b.jobs, sizeof *b.sent));
    make_conns(&b);
    run(&b);
    print(&b);
    return 0;
}
