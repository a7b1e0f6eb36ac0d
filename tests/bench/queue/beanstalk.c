/* bench_beanstalk: beanstalkd with an fsync for each write (-f 0), driven as nodes.h drives ours.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/queue/peer.h"

struct slot {
    struct bq_stream s; /* first */
    bool putter;
    uint64_t task; /* in hand */
    bool busy;
};
struct bench {
    struct bq_peer p;
    struct bq_loop loop;
    struct slot *slots; /* owned; the last one puts */
    char address[64];
    unsigned port;
    bool take;     /* slots reserve */
    int64_t first; /* when the first task was taken */
};

static void start(struct bench *b)
{
    char port[16], wal[600];
    (void)snprintf(port, sizeof port, "%u", b->port);
    (void)snprintf(wal, sizeof wal, "%s/wal", b->p.folder);
    (void)mkdir(wal, 0700);
    const char *args[] = {"beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", wal, "-f", "0", NULL};
    b->p.pid = bq_server_start(b->p.folder, args, NULL, NULL, 0);
    bq_server_await(b->address, b->p.pid);
}

static void say(struct bench *b, struct slot *s, const char *text)
{
    bq_stream_write(&b->loop, &s->s, text, strlen(text));
}

static void put_due(struct bench *b)
{
    struct slot *s = &b->slots[b->p.slots];
    while (bq_peer_may_put(&b->p)) {
        uint8_t payload[BQ_PEER_PAYLOAD];
        bq_peer_payload(b->p.put - 1, payload);
        say(b, s, "put 0 0 600 200\r\n");
        bq_stream_write(&b->loop, &s->s, payload, sizeof payload);
        say(b, s, "\r\n");
    }
}

/* "RESERVED 12 200\r\n" and the body; false: it has not come whole. */
static bool take_reserved(struct bench *b, struct slot *s, const char *line, size_t after,
                          size_t *used)
{
    char reply[64];
    unsigned long long id = 0;
    if (s->s.in_size < *used + after + BQ_PEER_PAYLOAD + 2) {
        return false;
    }
    const uint8_t *body = s->s.in + *used + after;
    if (sscanf(line, "RESERVED %llu 200", &id) != 1) {
        bq_die("beanstalkd says `%s`", line);
    }
    memcpy(&s->task, body, sizeof s->task);
    *used += after + BQ_PEER_PAYLOAD + 2;
    b->first = b->first != 0 ? b->first : bq_now();
    if (b->take) {
        bq_peer_assigned(&b->p, s->task, body);
        (void)snprintf(reply, sizeof reply, "delete %llu\r\nreserve\r\n", id);
        say(b, s, reply);
    }
    return true;
}

static void on_stream(struct bq_stream *stream, void *arg)
{
    struct bench *b = arg;
    struct slot *s = (struct slot *)stream;
    size_t used = 0;
    for (;;) {
        char line[64] = "";
        const uint8_t *from = stream->in + used;
        const uint8_t *end = memchr(from, '\n', stream->in_size - used);
        if (end == NULL) {
            break;
        }
        size_t after = (size_t)(end - from) + 1;
        memcpy(line, from, after - 2 < sizeof line - 1 ? after - 2 : sizeof line - 1);
        if (strncmp(line, "RESERVED", 8) == 0) {
            if (!take_reserved(b, s, line, after, &used)) {
                break;
            }
            continue;
        }
        used += after;
        if (s->putter && strncmp(line, "INSERTED", 8) == 0) {
            bq_peer_acked(&b->p);
        } else if (strcmp(line, "DELETED") == 0) {
            bq_peer_done(&b->p, s->task);
        } else {
            bq_die("beanstalkd says `%s`", line);
        }
    }
    bq_stream_eat(stream, used);
}

static void connect_all(struct bench *b)
{
    for (uint32_t i = 0; i <= b->p.slots; i++) {
        bq_stream_open(&b->loop, &b->slots[i].s, b->address);
        b->slots[i].putter = i == b->p.slots;
        if (!b->slots[i].putter && b->take) {
            say(b, &b->slots[i], "reserve\r\n");
        }
    }
}

static void step(struct bench *b)
{
    put_due(b);
    bq_loop_step(&b->loop, bq_peer_wait(&b->p), on_stream, b);
}

static void run_depth(struct bench *b)
{
    connect_all(b);
    uint64_t before = bq_server_bytes(b->p.pid);
    while (b->p.acked < b->p.tasks) {
        step(b);
    }
    uint64_t after = bq_server_bytes(b->p.pid);
    bq_server_stop(b->p.pid, SIGKILL);
    for (uint32_t i = 0; i <= b->p.slots; i++) {
        bq_stream_close(&b->loop, &b->slots[i].s);
    }
    int64_t began = bq_now();
    start(b);
    connect_all(b);
    say(b, &b->slots[0], "reserve\r\n");
    while (b->first == 0) {
        step(b);
    }
    bq_peer_report_depth(&b->p, before, after, (double)(b->first - began) / 1e9);
}

static void run_life(struct bench *b)
{
    b->take = true;
    connect_all(b);
    double cpu = bq_server_cpu_s(b->p.pid);
    b->p.start = bq_now();
    while (b->p.done < b->p.tasks) {
        step(b);
    }
    bq_peer_report(&b->p, bq_server_cpu_s(b->p.pid) - cpu);
}

int main(int argc, char **argv)
{
    static struct bench b;
    bq_peer_open(&b.p, "beanstalkd, fsync each", argc, argv);
    bq_loop_open(&b.loop);
    b.slots = calloc(b.p.slots + 1, sizeof *b.slots);
    if (b.slots == NULL) {
        bq_die("out of memory");
    }
    b.port = bq_free_port();
    (void)snprintf(b.address, sizeof b.address, "tcp://127.0.0.1:%u", b.port);
    start(&b);
    if (strcmp(b.p.mode, "depth") == 0) {
        run_depth(&b);
    } else {
        run_life(&b);
    }
    bq_peer_close(&b.p);
    free(b.slots);
    bq_loop_close(&b.loop);
    return 0;
}
