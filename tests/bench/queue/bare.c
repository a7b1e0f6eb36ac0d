/* bench_bare: what ZeroMQ and SQLite alone could do, for comparison: a FIFO of payloads, no jobs,
 * no leases, no devices, no protobuf. One thread: takes what has come, stores it in one transaction
 * (WAL, synchronous FULL), and answers.
 *   bench_bare FILE    prints "READY ENDPOINT"
 * Peer to server: 'P' id payload: put; 'R': a free slot; 'D' id: done. Server to peer: 'A' id: put
 * is durable; 'T' id payload: a task for a slot; 'E' id: done is durable. id: 8 bytes.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define BATCH_MAX 1024
#define MESSAGE_MAX 512
#define PEERS_MAX 16384u /* free slots that wait */

struct message {
    char peer[64];
    size_t peer_size, size;
    uint8_t body[MESSAGE_MAX];
};
struct task {
    struct task *next;
    size_t size;
    uint8_t body[]; /* id, payload */
};
struct free_slot {
    char peer[64];
    size_t size;
};
struct server {
    void *router;
    sqlite3 *db;
    sqlite3_stmt *put, *done, *begin, *commit;
    struct task *first, **last;
    struct free_slot *slots; /* ring */
    size_t slot_first, slot_count;
    struct message batch[BATCH_MAX];
    size_t count;
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_bare: %s\n", what);
    exit(1);
}

static void sql(struct server *s, const char *text)
{
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK) {
        die(sqlite3_errmsg(s->db));
    }
}

static sqlite3_stmt *prepare(struct server *s, const char *text)
{
    sqlite3_stmt *out = NULL;
    if (sqlite3_prepare_v2(s->db, text, -1, &out, NULL) != SQLITE_OK) {
        die(sqlite3_errmsg(s->db));
    }
    return out;
}

static void run(struct server *s, sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        die(sqlite3_errmsg(s->db));
    }
    (void)sqlite3_reset(stmt);
}

static void answer(struct server *s, const char *peer, size_t peer_size, char kind,
                   const void *body, size_t size)
{
    uint8_t out[1 + MESSAGE_MAX] = {(uint8_t)kind};
    memcpy(out + 1, body, size);
    if (zmq_send(s->router, peer, peer_size, ZMQ_SNDMORE) < 0 ||
        zmq_send(s->router, out, 1 + size, 0) < 0) {
        die(zmq_strerror(zmq_errno()));
    }
}

static void queue(struct server *s, const uint8_t *body, size_t size)
{
    struct task *t = malloc(sizeof *t + size);
    if (t == NULL) {
        die("out of memory");
    }
    t->next = NULL;
    t->size = size;
    memcpy(t->body, body, size);
    *s->last = t;
    s->last = &t->next;
}

static void dispatch(struct server *s)
{
    while (s->first != NULL && s->slot_count > 0) {
        struct task *t = s->first;
        const struct free_slot *slot = &s->slots[s->slot_first];
        s->first = t->next;
        s->last = s->first == NULL ? &s->first : s->last;
        answer(s, slot->peer, slot->size, 'T', t->body, t->size);
        s->slot_first = (s->slot_first + 1) % PEERS_MAX;
        s->slot_count--;
        free(t);
    }
}

static bool receive(struct server *s, int flags)
{
    struct message *m = &s->batch[s->count];
    int peer = zmq_recv(s->router, m->peer, sizeof m->peer, flags);
    int body = peer >= 0 ? zmq_recv(s->router, m->body, sizeof m->body, 0) : -1;
    if (body < 1 || body > MESSAGE_MAX || peer > (int)sizeof m->peer) {
        return false;
    }
    m->peer_size = (size_t)peer;
    m->size = (size_t)body;
    s->count++;
    return true;
}

/* Before the disk is waited for: a task needs none to be given out, only to be acknowledged. */
static void take(struct server *s, const struct message *m)
{
    if (m->body[0] == 'P' && m->size > 9) {
        queue(s, m->body + 1, m->size - 1);
    } else if (m->body[0] == 'R' && s->slot_count < PEERS_MAX) {
        struct free_slot *slot = &s->slots[(s->slot_first + s->slot_count++) % PEERS_MAX];
        memcpy(slot->peer, m->peer, m->peer_size);
        slot->size = m->peer_size;
    }
}

static void store(struct server *s)
{
    bool any = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct message *m = &s->batch[i];
        int64_t id = 0;
        if (m->body[0] == 'R' || m->size < 9) {
            continue;
        }
        if (!any) {
            run(s, s->begin);
            any = true;
        }
        memcpy(&id, m->body + 1, sizeof id);
        sqlite3_stmt *stmt = m->body[0] == 'P' ? s->put : s->done;
        (void)sqlite3_bind_int64(stmt, 1, id);
        if (m->body[0] == 'P') {
            (void)sqlite3_bind_blob(stmt, 2, m->body + 9, (int)m->size - 9, SQLITE_STATIC);
        }
        run(s, stmt);
    }
    if (any) {
        run(s, s->commit);
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct message *m = &s->batch[i];
        if (m->body[0] != 'R' && m->size >= 9) {
            answer(s, m->peer, m->peer_size, m->body[0] == 'P' ? 'A' : 'E', m->body + 1, 8);
        }
    }
    s->count = 0;
}

/* What was put and is not done, in order. */
static void load(struct server *s)
{
    uint8_t body[MESSAGE_MAX];
    sqlite3_stmt *all = prepare(s, "SELECT id, body FROM task ORDER BY id");
    while (sqlite3_step(all) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(all, 0);
        int size = sqlite3_column_bytes(all, 1);
        memcpy(body, &id, sizeof id);
        memcpy(body + 8, sqlite3_column_blob(all, 1), (size_t)size);
        queue(s, body, 8 + (size_t)size);
    }
    (void)sqlite3_finalize(all);
}

int main(int argc, char **argv)
{
    static struct server s;
    char endpoint[128];
    size_t size = sizeof endpoint;
    int none = 0;
    if (argc != 2) {
        die("usage: bench_bare FILE");
    }
    s.last = &s.first;
    s.slots = calloc(PEERS_MAX, sizeof *s.slots);
    void *context = zmq_ctx_new();
    s.router = zmq_socket(context, ZMQ_ROUTER);
    if (s.slots == NULL || sqlite3_open(argv[1], &s.db) != SQLITE_OK ||
        zmq_setsockopt(s.router, ZMQ_SNDHWM, &none, sizeof none) != 0 ||
        zmq_setsockopt(s.router, ZMQ_RCVHWM, &none, sizeof none) != 0 ||
        zmq_bind(s.router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(s.router, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        die("could not start");
    }
    sql(&s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
            "CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, body BLOB)");
    s.put = prepare(&s, "INSERT INTO task VALUES (?, ?)");
    s.done = prepare(&s, "DELETE FROM task WHERE id = ?");
    s.begin = prepare(&s, "BEGIN");
    s.commit = prepare(&s, "COMMIT");
    load(&s);
    printf("READY %s\n", endpoint);
    (void)fflush(stdout);
    while (receive(&s, 0)) {
        while (s.count < BATCH_MAX && receive(&s, ZMQ_DONTWAIT)) {
        }
        for (size_t i = 0; i < s.count; i++) {
            take(&s, &s.batch[i]);
        }
        dispatch(&s);
        store(&s);
    }
    die("the socket failed");
}
