/* bench_bare_load: drives bench_bare as nodes.h drives ours. */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include "bench/queue/peer.h"
#include "bench/queue/words.h"

struct node {
    struct bq_stream s; /* first */
    char id[32];
    bool greeted, putter, ready;
};
struct bench {
    struct bq_peer p;
    struct bq_loop loop;
    struct node *nodes; /* owned; the last one puts */
    char line[256];
    const char *address; /* in line */
    char program[PATH_MAX];
    bool take;
    int64_t first;
    uint32_t ready;
};

static void start(struct bench *b)
{
    char file[600];
    (void)snprintf(file, sizeof file, "%s/tasks.db", b->p.folder);
    const char *args[] = {b->program, file, NULL};
    b->p.pid = bq_server_start(b->p.folder, args, "READY ", b->line, sizeof b->line);
    b->address = b->line + strlen("READY ");
}

static void say(struct bench *b, struct node *n, char kind, uint64_t id, const uint8_t *body,
                size_t size)
{
    uint8_t out[9 + BQ_PEER_PAYLOAD] = {(uint8_t)kind};
    memcpy(out + 1, &id, sizeof id);
    if (size > 0) {
        memcpy(out + 9, body, size);
    }
    bq_zmtp_send(&b->loop, &n->s, out, kind == 'R' ? 1 : 9 + size);
}

static void take(struct bench *b, struct node *n, const uint8_t *data, size_t size)
{
    uint64_t id = 0;
    if (size < 9) {
        bq_die("bench_bare says nothing");
    }
    memcpy(&id, data + 1, sizeof id);
    if (data[0] == 'A') {
        bq_peer_acked(&b->p);
    } else if (data[0] == 'E') {
        bq_peer_done(&b->p, id);
        say(b, n, 'R', 0, NULL, 0);
    } else if (data[0] == 'T' && size == 9 + BQ_PEER_PAYLOAD) {
        b->first = b->first != 0 ? b->first : bq_now();
        if (b->take) {
            bq_peer_assigned(&b->p, id, data + 9);
            say(b, n, 'D', id, NULL, 0);
        }
    } else {
        bq_die("bench_bare says `%c`", data[0]);
    }
}

static void on_stream(struct bq_stream *s, void *arg)
{
    struct bench *b = arg;
    struct node *n = (struct node *)s;
    const uint8_t *data;
    size_t size, at = 0;
    while (bq_zmtp_next(&b->loop, s, &n->greeted, &at, &data, &size)) {
        if (data != NULL) {
            take(b, n, data, size);
            continue;
        }
        n->ready = true;
        b->ready++;
        for (uint32_t i = 0; !n->putter && b->take && i < b->p.node_slots; i++) {
            say(b, n, 'R', 0, NULL, 0);
        }
    }
    bq_stream_eat(s, at);
}

static void step(struct bench *b)
{
    struct node *n = &b->nodes[b->p.nodes];
    while (n->ready && bq_peer_may_put(&b->p)) {
        uint8_t payload[BQ_PEER_PAYLOAD];
        bq_peer_payload(b->p.put - 1, payload);
        say(b, n, 'P', b->p.put - 1, payload, sizeof payload);
    }
    bq_loop_step(&b->loop, bq_peer_wait(&b->p), on_stream, b);
}

static void connect_all(struct bench *b)
{
    uint64_t put = b->p.put; /* nothing while they greet */
    b->ready = 0;
    b->p.put = b->p.tasks;
    for (uint32_t i = 0; i <= b->p.nodes; i++) {
        struct node *n = &b->nodes[i];
        *n = (struct node){.putter = i == b->p.nodes};
        (void)snprintf(n->id, sizeof n->id, "n%05u", i);
        bq_stream_open(&b->loop, &n->s, b->address);
        bq_zmtp_greet(&b->loop, &n->s, n->id);
    }
    while (b->ready <= b->p.nodes) {
        bq_loop_step(&b->loop, 20000000, on_stream, b);
    }
    b->p.put = put;
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
    for (uint32_t i = 0; i <= b->p.nodes; i++) {
        bq_stream_close(&b->loop, &b->nodes[i].s);
    }
    int64_t began = bq_now();
    start(b);
    connect_all(b);
    say(b, &b->nodes[0], 'R', 0, NULL, 0);
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
    char self[PATH_MAX - 16] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        bq_die("/proc/self/exe can't be read");
    }
    (void)snprintf(b.program, sizeof b.program, "%s/bench_bare", dirname(self));
    bq_peer_open(&b.p, "bare ZeroMQ and SQLite FULL", argc, argv);
    bq_loop_open(&b.loop);
    b.nodes = calloc(b.p.nodes + 1, sizeof *b.nodes);
    if (b.nodes == NULL) {
        bq_die("out of memory");
    }
    start(&b);
    if (strcmp(b.p.mode, "depth") == 0) {
        run_depth(&b);
    } else {
        run_life(&b);
    }
    bq_peer_close(&b.p);
    free(b.nodes);
    bq_loop_close(&b.loop);
    return 0;
}
