#include "bench/queue/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/batch.h"
#include "proto/streams.h"
#include "wire.pb-c.h"

#define STEP_NS 20000000
#define RESEND_NS 2000000000 /* docs/protocol.md */
#define UNPROVED_MAX 64u     /* connections that wait for Welcome: a backlog holds 100 */
#define MESSAGE_BYTES 8192u
#define BATCHES_FIELD 80u   /* of Hello, and of Welcome */
#define BATCH_FIELD 70u     /* of Envelope */
#define IDLE_FIELD 130u     /* of Welcome, and of Renewed */
#define PAYLOAD_FIELD 1000u /* of SplitItemMeta: none that it has, so it is passed over */

static void *need(size_t count, size_t size)
{
    void *p = calloc(count > 0 ? count : 1, size);
    if (p == NULL) {
        bq_die("out of memory");
    }
    return p;
}

/* ---- batches: as a real agent, with all of a turn in it */

static void post(struct bq_farm *f, struct bq_node *n)
{
    size_t at = n->out_count == 1 ? n->out_lone : 0;
    if (n->out_count > 0) {
        bq_zmtp_send(&f->loop, &n->s, n->out + at, n->out_size - at);
    }
    n->out_size = 0;
    n->out_count = 0;
}

static void post_all(struct bq_farm *f)
{
    while (f->full != NULL) {
        struct bq_node *n = f->full;
        f->full = n->next_full;
        post(f, n);
    }
}

static void put_entry(struct bq_farm *f, struct bq_node *n, const struct bq_word *envelope)
{
    if (n->out_count > 0 &&
        (n->out_count == GM_BATCH_MAX_COUNT || n->out_size + envelope->size > GM_BATCH_ROOM)) {
        post(f, n);
    } else if (n->out_count == 0) {
        n->next_full = f->full;
        f->full = n;
    }
    if (n->out_cap < n->out_size + envelope->size + 16) {
        n->out_cap = 2 * (n->out_size + envelope->size + 16);
        n->out = realloc(n->out, n->out_cap);
        if (n->out == NULL) {
            bq_die("out of memory");
        }
    }
    struct bq_word w = {n->out, n->out_size, n->out_cap};
    if (n->out_count++ == 0) {
        bq_put_number(&w, 1, GM_PROTOCOL_VERSION);
    }
    bq_put_word(&w, BATCH_FIELD, envelope);
    n->out_size = w.size;
    n->out_lone = n->out_count == 1 ? w.size - envelope->size : n->out_lone;
}

static void send_body(struct bq_farm *f, struct bq_node *n, uint64_t seq, uint32_t body,
                      const struct bq_word *inner)
{
    uint8_t data[MESSAGE_BYTES];
    struct bq_word w = {data, 0, sizeof data};
    bq_put_number(&w, 1, GM_PROTOCOL_VERSION);
    if (seq != 0) {
        bq_put_number(&w, 2, seq);
    }
    bq_put_word(&w, body, inner);
    if (n->batches) {
        put_entry(f, n, &w);
    } else {
        bq_zmtp_send(&f->loop, &n->s, w.data, w.size);
    }
}

/* What comes back with an Ack: the slot, which lease of it, the item, and whether it is Done. */
static uint64_t make_seq(const struct bq_node *n, const struct bq_lease *l, uint64_t index,
                         bool done)
{
    uint64_t slot = (uint64_t)(l - n->leases);
    return UINT64_C(1) << 62 | (l->epoch & 0xfffff) << 41 | slot << 21 | index << 1 | done;
}

static void put_lease(struct bq_word *w, const struct bq_farm *f, const struct bq_lease *l)
{
    bq_put_number(w, 1, l->task);
    bq_put_number(w, 2, f->term);
    bq_put_number(w, 3, l->epoch);
}

/* ---- hello */

#define PLENTY (UINT64_C(1) << 50)

static void put_capacity(struct bq_word *w, uint32_t slots)
{
    bq_put_number(w, 1, (uint64_t)slots * 16000);
    bq_put_number(w, 2, PLENTY);
    bq_put_number(w, 3, PLENTY);
    bq_put_number(w, 4, slots);
}

static void say_hello(struct bq_farm *f, struct bq_node *n)
{
    uint8_t a[256], b[512], c[1024];
    struct bq_word capacity = {a, 0, sizeof a}, device = {b, 0, sizeof b}, hello = {c, 0, sizeof c};
    put_capacity(&capacity, n->slots);
    bq_put_text(&device, 1, "cpu");
    bq_put_text(&device, 2, "cpu");
    bq_put_text(&device, 3, "a load generator");
    bq_put_word(&device, 4, &capacity);
    bq_put_text(&hello, 1, n->id);
    bq_put_number(&hello, 2, 1);
    bq_put_number(&hello, 3, GM_PROTOCOL_VERSION);
    bq_put_text(&hello, 4, "bench");
    bq_put_text(&hello, 5, "bench");
    bq_put_word(&hello, 6, &device);
    bq_put_number(&hello, BATCHES_FIELD, true);
    send_body(f, n, 0, GM__ENVELOPE__BODY_HELLO, &hello);
}

/* How long a node without leases may wait between Renews. */
static void take_idle(struct bq_farm *f, const uint8_t *data, size_t size)
{
    int64_t idle = (int64_t)bq_number(data, size, IDLE_FIELD) * 1000000;
    f->idle = idle > f->heartbeat ? idle : f->heartbeat;
}

static void take_welcome(struct bq_farm *f, struct bq_node *n, const uint8_t *data, size_t size)
{
    uint8_t a[256], b[256];
    struct bq_word capacity = {a, 0, sizeof a}, offer = {b, 0, sizeof b};
    f->term = bq_number(data, size, 1);
    if (f->heartbeat == 0) {
        f->renew_base = bq_now();
        f->renews = 0;
    }
    f->heartbeat = (int64_t)bq_number(data, size, 3) * 1000000;
    take_idle(f, data, size);
    n->batches = bq_number(data, size, BATCHES_FIELD) != 0;
    n->renewed = 0;
    if (!n->welcome) {
        n->welcome = true;
        f->welcomes++;
    }
    put_capacity(&capacity, n->slots);
    bq_put_text(&offer, 1, "cpu");
    bq_put_word(&offer, 2, &capacity);
    send_body(f, n, 0, GM__ENVELOPE__BODY_OFFER, &offer);
}

static void renew(struct bq_farm *f, struct bq_node *n)
{
    uint8_t a[64 + 64 * 64], b[64];
    struct bq_word m = {a, 0, sizeof a};
    for (uint32_t i = 0; i < n->places; i++) {
        struct bq_word state = {b, 0, sizeof b};
        if (n->leases[i].state != BQ_FREE) {
            put_lease(&state, f, &n->leases[i]);
            bq_put_number(&state, 4, (uint64_t)bq_now());
            bq_put_word(&m, 1, &state);
        }
    }
    int64_t place = n->renewed == 0 ? (n - f->nodes) * (f->idle / f->node_count) : 0;
    n->renewed = bq_now() - place; /* idle nodes are spread over that time, as agents */
    bq_put_number(&m, 2, ++f->renew_number);
    send_body(f, n, 0, GM__ENVELOPE__BODY_RENEW, &m);
}

static bool wants_to_renew(const struct bq_farm *f, const struct bq_node *n)
{
    bool works = false;
    for (uint32_t i = 0; i < n->places && !works; i++) {
        works = n->leases[i].state != BQ_FREE;
    }
    return n->welcome && (works || bq_now() - n->renewed > f->idle - f->heartbeat / 2);
}

/* Spread over the heartbeat. */
static void renew_due(struct bq_farm *f)
{
    if (f->heartbeat <= 0) {
        return;
    }
    uint64_t due =
        (uint64_t)((bq_now() - f->renew_base) / (f->heartbeat / (int64_t)f->node_count + 1));
    for (; f->renews < due; f->renews++) {
        struct bq_node *n = &f->nodes[f->renews % f->node_count];
        if (wants_to_renew(f, n)) {
            renew(f, n);
        }
    }
}

/* ---- ends */

static void say_done(struct bq_farm *f, struct bq_node *n, struct bq_lease *l,
                     const struct bq_word *meta, const char *publication)
{
    uint8_t a[MESSAGE_BYTES];
    struct bq_word m = {a, 0, sizeof a};
    put_lease(&m, f, l);
    bq_put_word(&m, 4, meta);
    if (publication != NULL) {
        bq_put_text(&m, 8, publication);
    }
    l->state = BQ_ENDS;
    l->said = bq_now();
    send_body(f, n, make_seq(n, l, 0, true), GM__ENVELOPE__BODY_DONE, &m);
}

static void say_produced(struct bq_farm *f, struct bq_node *n, struct bq_lease *l, uint32_t index,
                         const struct bq_word *meta, bool last)
{
    uint8_t a[1024], b[1024];
    struct bq_word item = {a, 0, sizeof a}, m = {b, 0, sizeof b};
    bq_put_number(&item, 1, GM_STREAM_VIDEO);
    bq_put_number(&item, 2, index);
    bq_put_word(&item, 4, meta);
    bq_put_number(&item, 5, last);
    put_lease(&m, f, l);
    bq_put_word(&m, 4, &item);
    send_body(f, n, make_seq(n, l, index, false), GM__ENVELOPE__BODY_PRODUCED, &m);
}

/* Those that are not acknowledged. */
static void end_run(struct bq_farm *f, struct bq_node *n, struct bq_lease *l)
{
    uint8_t a[32];
    l->state = BQ_STORES;
    l->said = bq_now();
    for (uint32_t i = 0; i < l->count; i++) {
        struct bq_word meta = {a, 0, sizeof a}; /* EncodeItemMeta: chunk, frames */
        if ((l->acked >> i & 1) == 0) {
            bq_put_number(&meta, 1, l->first + i);
            bq_put_number(&meta, 2, 1);
            say_produced(f, n, l, l->first + i, &meta, false);
        }
    }
}

static void end_due(struct bq_farm *f)
{
    for (; f->wait_count > 0; f->wait_count--) {
        struct bq_wait *w = &f->waits[f->wait_first];
        if (w->due > bq_now()) {
            return;
        }
        if (w->lease->state == BQ_WORKS && w->lease->epoch == w->epoch) {
            end_run(f, w->node, w->lease);
        }
        f->wait_first = (f->wait_first + 1) % f->wait_cap;
    }
}

/* ---- announcing */

/* The payload of a task: SplitItemMeta of one frame, and bytes that name it. */
static void make_payload(uint32_t job, uint32_t index, struct bq_word *out)
{
    uint8_t bytes[BQ_PAYLOAD];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(index * 2654435761u >> (i % 24)) ^ (uint8_t)(i + job);
    }
    bq_put_number(out, 1, 1);
    bq_put_bytes(out, PAYLOAD_FIELD, bytes, BQ_PAYLOAD - 6); /* the rest are tags and lengths */
}

static void say_item(struct bq_farm *f, uint32_t number, uint32_t index)
{
    uint8_t a[BQ_PAYLOAD + 16];
    struct bq_word meta = {a, 0, sizeof a};
    struct bq_job *j = &f->jobs[number];
    make_payload(number, index, &meta);
    j->split->said = bq_now();
    say_produced(f, j->splitter, j->split, index, &meta, index + 1 == j->total);
}

static void announce(struct bq_farm *f, uint32_t number, int64_t when)
{
    struct bq_job *j = &f->jobs[number];
    j->tasks[j->next].announced = when;
    f->announced++;
    say_item(f, number, j->next++);
}

static void announce_due(struct bq_farm *f)
{
    bool more = f->announcing;
    while (more) {
        more = false;
        for (uint32_t i = 0; i < f->job_count; i++) {
            struct bq_job *j = &f->jobs[i];
            int64_t due = f->start + (int64_t)(f->interval * (double)f->announced);
            if (j->split == NULL || j->next == j->total || j->next - j->first >= BQ_AHEAD_MAX ||
                f->announced - f->done >= f->window || (f->interval > 0 && due > bq_now())) {
                continue;
            }
            announce(f, i, f->interval > 0 ? due : bq_now());
            more = true;
        }
    }
}

static void end_split(struct bq_farm *f, struct bq_job *j)
{
    uint8_t a[32], b[16];
    struct bq_word meta = {a, 0, sizeof a}, counts = {b, 0, sizeof b};
    if (j->split == NULL || j->acked < j->total || j->split->state != BQ_SPLITS || f->split_stays) {
        return;
    }
    uint32_t v = j->total; /* packed */
    do {
        b[counts.size++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        v >>= 7;
    } while (v > 0);
    bq_put_word(&meta, 1, &counts);
    say_done(f, j->splitter, j->split, &meta, NULL);
}

/* What inspect, plan and package answer: a film of one rendition. */
static void end_other(struct bq_farm *f, struct bq_node *n, struct bq_lease *l)
{
    uint8_t a[64], b[256];
    struct bq_word rate = {a, 0, sizeof a}, meta = {b, 0, sizeof b};
    char publication[24];
    bq_put_number(&rate, 1, 25);
    bq_put_number(&rate, 2, 1);
    if (strcmp(l->type, "inspect") == 0) {
        bq_put_text(&meta, 1, "bench");
        say_done(f, n, l, &meta, NULL);
    } else if (strcmp(l->type, "plan") == 0) {
        uint8_t c[64];
        struct bq_word rendition = {c, 0, sizeof c};
        (void)snprintf(publication, sizeof publication, "bench%u", l->job);
        bq_put_text(&rendition, 1, "none");
        bq_put_text(&meta, 3, publication);
        bq_put_word(&meta, 4, &rate);
        bq_put_number(&meta, 5, 25);
        bq_put_word(&meta, 9, &rendition);
        say_done(f, n, l, &meta, publication);
    } else if (strcmp(l->type, "package") == 0) {
        f->jobs_packaged += f->jobs[l->job].packaged ? 0 : 1;
        f->jobs[l->job].packaged = true;
        say_done(f, n, l, &meta, NULL);
    } else {
        bq_die("a task of type %s", l->type);
    }
}

/* ---- what was lost */

static void say_again(struct bq_farm *f, struct bq_node *n, struct bq_lease *l)
{
    struct bq_word nothing = {0};
    struct bq_job *j = &f->jobs[l->job];
    f->resent++;
    if (l->state == BQ_STORES) {
        end_run(f, n, l);
    } else if (l->state == BQ_ENDS && l->count > 0) {
        say_done(f, n, l, &nothing, NULL);
    } else if (l->state == BQ_ENDS && j->split == l) {
        l->state = BQ_SPLITS;
        end_split(f, j);
    } else if (l->state == BQ_ENDS) {
        end_other(f, n, l);
    }
    for (uint32_t i = 0; l->state == BQ_SPLITS && j->split == l && i < j->next; i++) {
        if (j->tasks[i].acked == 0) {
            say_item(f, l->job, i);
        }
    }
}

static void resend_due(struct bq_farm *f)
{
    int64_t now = bq_now();
    if (now < f->resend_at) {
        return;
    }
    f->resend_at = now + f->resend / 4;
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct bq_node *n = &f->nodes[i];
        for (uint32_t k = 0; n->welcome && k < n->places; k++) {
            struct bq_lease *l = &n->leases[k];
            bool waits = l->state == BQ_STORES || l->state == BQ_ENDS ||
                         (l->state == BQ_SPLITS && f->jobs[l->job].acked < f->jobs[l->job].next);
            if (waits && now - l->said >= f->resend) {
                say_again(f, n, l);
            }
        }
    }
}

/* ---- assignments */

static uint32_t job_of(const struct bq_farm *f, const struct bq_field *id)
{
    for (uint32_t i = 0; i < f->job_count; i++) {
        if (strlen(f->jobs[i].id) == id->size && memcmp(f->jobs[i].id, id->data, id->size) == 0) {
            return i;
        }
    }
    bq_die("a task of an unknown job");
}

/* TaskInput { item = 3 { index = 2, meta = 4 } }: that of a task that was announced, with its
 * bytes. */
static uint32_t take_input(struct bq_farm *f, uint32_t job, const struct bq_field *input)
{
    uint8_t a[BQ_PAYLOAD + 16];
    struct bq_word wanted = {a, 0, sizeof a};
    struct bq_field item, meta;
    if (!bq_find(input->data, input->size, 3, &item) || !bq_find(item.data, item.size, 4, &meta)) {
        bq_die("an input without an item");
    }
    uint32_t index = (uint32_t)bq_number(item.data, item.size, 2);
    if (index >= f->jobs[job].next) {
        bq_die("task %u was assigned, but never announced", index);
    }
    make_payload(job, index, &wanted);
    if (meta.size != wanted.size || memcmp(meta.data, wanted.data, wanted.size) != 0) {
        bq_die("task %u lost its payload", index);
    }
    struct bq_task *t = &f->jobs[job].tasks[index];
    if (t->assigned == 0) {
        t->assigned = bq_now();
        bq_samples_add(&f->dispatch, t->assigned - t->announced);
    } else {
        f->again++;
    }
    return index;
}

static void begin_run(struct bq_farm *f, struct bq_node *n, struct bq_lease *l,
                      const struct bq_field *spec)
{
    struct bq_field field;
    for (size_t at = 0; bq_next(spec->data, spec->size, &at, &field);) {
        if (field.number == 9) {
            uint32_t index = take_input(f, l->job, &field);
            l->first = l->count == 0 ? index : l->first;
            l->count++;
            if (l->count > 32) {
                bq_die("a run of more than 32 tasks");
            }
        }
    }
    f->runs++;
    f->first_run = f->first_run != 0 ? f->first_run : bq_now();
    l->state = BQ_WORKS;
    if (f->work == 0) {
        end_run(f, n, l);
        return;
    }
    if (f->wait_count == f->wait_cap) {
        bq_die("more runs than slots");
    }
    f->waits[(f->wait_first + f->wait_count++) % f->wait_cap] =
        (struct bq_wait){.due = bq_now() + f->work, .node = n, .lease = l, .epoch = l->epoch};
}

static void take_assign(struct bq_farm *f, struct bq_node *n, const uint8_t *data, size_t size)
{
    struct bq_field spec, type, id;
    struct bq_lease *l = NULL;
    uint32_t used = 0;
    for (uint32_t i = 0; i < n->places; i++) {
        struct bq_lease *at = &n->leases[i];
        /* A slot is free when its task's end is said. */
        used += at->state != BQ_FREE && at->state != BQ_ENDS ? 1 : 0;
        l = l == NULL && at->state == BQ_FREE ? at : l;
    }
    if (l == NULL || used == n->slots) {
        bq_die("%s was assigned more than its %u slots", n->id, n->slots);
    }
    if (!bq_find(data, size, 7, &spec) || !bq_find(spec.data, spec.size, 1, &type) ||
        !bq_find(spec.data, spec.size, 2, &id)) {
        bq_die("an assignment of nothing");
    }
    *l = (struct bq_lease){.state = BQ_OPEN,
                           .task = bq_number(data, size, 1),
                           .epoch = bq_number(data, size, 3),
                           .job = job_of(f, &id)};
    (void)snprintf(l->type, sizeof l->type, "%.*s", (int)type.size, (const char *)type.data);
    if (strcmp(l->type, "encode") == 0) {
        begin_run(f, n, l, &spec);
    } else if (strcmp(l->type, "split") == 0) {
        l->state = BQ_SPLITS;
        f->jobs[l->job].split = l;
        f->jobs[l->job].splitter = n;
    } else {
        end_other(f, n, l);
    }
}

static void release(struct bq_farm *f, struct bq_lease *l)
{
    if (f->jobs[l->job].split == l) {
        if (f->split_stays && f->announcing) {
            bq_die("the split of job %s was taken away", f->jobs[l->job].id);
        }
        f->jobs[l->job].split = NULL;
    }
    l->state = BQ_FREE;
}

static void run_ended(struct bq_farm *f, const struct bq_lease *l)
{
    for (uint32_t i = l->first; i < l->first + l->count; i++) {
        f->jobs[l->job].tasks[i].done++;
        f->done++;
    }
    f->last_done = bq_now();
}

static void take_ack(struct bq_farm *f, struct bq_node *n, const uint8_t *data, size_t size)
{
    uint64_t seq = bq_number(data, size, 1);
    uint64_t slot = seq >> 21 & 0xfffff, index = seq >> 1 & 0xfffff;
    struct bq_lease *l = slot < n->places ? &n->leases[slot] : NULL;
    struct bq_word nothing = {0};
    if (l == NULL || l->state == BQ_FREE || (l->epoch & 0xfffff) != (seq >> 41 & 0xfffff)) {
        return;
    }
    if (bq_number(data, size, 2) != 0) {
        f->stale++;
        release(f, l);
        return;
    }
    struct bq_job *j = &f->jobs[l->job];
    if ((seq & 1) != 0) {
        if (l->count > 0) {
            run_ended(f, l);
        }
        j->split_done = j->split_done || j->split == l;
        release(f, l);
    } else if (l->state == BQ_SPLITS && index < j->next && j->tasks[index].acked == 0) {
        j->tasks[index].acked = 1;
        j->acked++;
        f->acked++;
        while (j->first < j->next && j->tasks[j->first].acked != 0) {
            j->first++;
        }
        l->said = bq_now();
        bq_samples_add(&f->accept, bq_now() - j->tasks[index].announced);
        end_split(f, j);
    } else if (l->state == BQ_STORES && index - l->first < l->count) {
        l->acked |= UINT32_C(1) << (index - l->first);
        if (l->acked == (uint32_t)((UINT64_C(1) << l->count) - 1)) {
            say_done(f, n, l, &nothing, NULL);
        }
    }
}

static struct bq_lease *find_lease(struct bq_farm *f, struct bq_node *n, const uint8_t *data,
                                   size_t size)
{
    uint64_t task = bq_number(data, size, 1), epoch = bq_number(data, size, 3);
    for (uint32_t i = 0; i < n->places; i++) {
        struct bq_lease *l = &n->leases[i];
        if (l->state != BQ_FREE && l->task == task && l->epoch == epoch &&
            bq_number(data, size, 2) == f->term) {
            return l;
        }
    }
    return NULL;
}

static void take_lost(struct bq_farm *f, struct bq_node *n, const uint8_t *data, size_t size)
{
    struct bq_lease *l = find_lease(f, n, data, size);
    if (l != NULL) {
        f->lost++;
        release(f, l);
    }
}

static void take(struct bq_farm *f, struct bq_node *n, const uint8_t *data, size_t size)
{
    struct bq_field body = {0}, field;
    for (size_t at = 0; bq_next(data, size, &at, &field);) {
        if (field.number == BATCH_FIELD) {
            take(f, n, field.data, field.size);
        } else {
            body = field.number > 2 ? field : body;
        }
    }
    switch (body.number) {
    case GM__ENVELOPE__BODY_WELCOME:
        take_welcome(f, n, body.data, body.size);
        break;
    case GM__ENVELOPE__BODY_ASSIGN:
        take_assign(f, n, body.data, body.size);
        break;
    case GM__ENVELOPE__BODY_ACK:
        take_ack(f, n, body.data, body.size);
        break;
    case GM__ENVELOPE__BODY_CANCEL:
        take_lost(f, n, body.data, body.size);
        break;
    case GM__ENVELOPE__BODY_RENEWED:
        take_idle(f, body.data, body.size);
        for (size_t at = 0; bq_next(body.data, body.size, &at, &field);) {
            if (field.number == 2) {
                take_lost(f, n, field.data, field.size);
            }
        }
        break;
    case GM__ENVELOPE__BODY_REFUSE:
        if (bq_find(body.data, body.size, 1, &field) && bq_find(field.data, field.size, 3, &body)) {
            bq_die("refused: %.*s", (int)body.size, (const char *)body.data);
        }
        bq_die("refused");
    default:
        break;
    }
}

static void open_node(struct bq_farm *f, struct bq_node *n)
{
    bq_stream_open(&f->loop, &n->s, f->address);
    n->batches = false;
    n->s.may_break = true;
    n->greeted = false;
    bq_zmtp_greet(&f->loop, &n->s, n->id);
}

/* A scheduler with more nodes than it can hear in time cuts connections: without work they come
 * again, as agents do, and are counted. */
static void come_again(struct bq_farm *f, struct bq_node *n)
{
    for (uint32_t i = 0; i < n->places; i++) {
        if (n->leases[i].state != BQ_FREE) {
            bq_die("the scheduler cut the connection of %s, which works", n->id);
        }
    }
    f->welcomes -= n->welcome ? 1 : 0;
    n->welcome = false;
    post_all(f); /* it may be among them */
    bq_stream_close(&f->loop, &n->s);
    f->reconnects++;
    open_node(f, n);
}

static void on_stream(struct bq_stream *s, void *arg)
{
    struct bq_farm *f = arg;
    struct bq_node *n = (struct bq_node *)s;
    const uint8_t *data;
    size_t size, at = 0;
    while (bq_zmtp_next(&f->loop, s, &n->greeted, &at, &data, &size)) {
        if (data == NULL) {
            say_hello(f, n);
        } else {
            take(f, n, data, size);
        }
    }
    bq_stream_eat(s, at);
    if (s->broken) {
        come_again(f, n);
    }
}

/* ---- the farm */

void bq_farm_open(struct bq_farm *f, uint32_t nodes, uint32_t slots, uint32_t jobs, uint64_t tasks)
{
    *f = (struct bq_farm){
        .node_count = nodes + 1, .job_count = jobs, .window = UINT64_MAX, .resend = RESEND_NS};
    f->nodes = need(f->node_count, sizeof *f->nodes);
    f->jobs = need(jobs, sizeof *f->jobs);
    f->wait_cap = (size_t)nodes * slots + jobs;
    f->waits = need(f->wait_cap, sizeof *f->waits);
    bq_loop_open(&f->loop);
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct bq_node *n = &f->nodes[i];
        (void)snprintf(n->id, sizeof n->id, i == 0 ? "announcer" : "n%05u", i);
        n->slots = i == 0 ? jobs : slots;
        n->places = 2 * n->slots;
        n->leases = need(n->places, sizeof *n->leases);
        n->s.fd = -1;
    }
    for (uint32_t i = 0; i < jobs; i++) {
        f->jobs[i].total = (uint32_t)(tasks / jobs + (i < tasks % jobs));
        f->jobs[i].tasks = need(f->jobs[i].total, sizeof *f->jobs[i].tasks);
    }
}

void bq_farm_forget(struct bq_farm *f)
{
    for (uint32_t i = 0; i < f->node_count; i++) {
        struct bq_node *n = &f->nodes[i];
        if (n->s.fd >= 0) {
            bq_stream_close(&f->loop, &n->s);
        }
        n->out_count = 0;
        n->out_size = 0;
        n->greeted = n->welcome = false;
        memset(n->leases, 0, n->places * sizeof *n->leases);
    }
    for (uint32_t i = 0; i < f->job_count; i++) {
        f->jobs[i].split = NULL;
    }
    f->full = NULL;
    f->welcomes = 0;
    f->heartbeat = 0;
    f->wait_count = 0;
    f->first_run = 0;
}

void bq_farm_close(struct bq_farm *f)
{
    bq_farm_forget(f);
    for (uint32_t i = 0; i < f->node_count; i++) {
        free(f->nodes[i].leases);
        free(f->nodes[i].out);
    }
    for (uint32_t i = 0; i < f->job_count; i++) {
        free(f->jobs[i].tasks);
    }
    free(f->nodes);
    free(f->jobs);
    free(f->waits);
    free(f->dispatch.ns);
    free(f->accept.ns);
    bq_loop_close(&f->loop);
}

void bq_farm_connect(struct bq_farm *f, uint32_t first, uint32_t count)
{
    uint64_t before = f->welcomes, connecting = 0;
    for (uint32_t i = first; i < first + count; i++) {
        open_node(f, &f->nodes[i]);
        for (connecting++; connecting - (f->welcomes - before) >= UNPROVED_MAX;) {
            bq_farm_step(f);
        }
    }
}

void bq_farm_step(struct bq_farm *f)
{
    int64_t wait = STEP_NS;
    renew_due(f);
    end_due(f);
    announce_due(f);
    resend_due(f);
    if (f->announcing && f->interval > 0) {
        int64_t left = f->start + (int64_t)(f->interval * (double)f->announced) - bq_now();
        wait = left < 0 ? 0 : left < wait ? left : wait;
    }
    if (f->wait_count > 0) {
        int64_t left = f->waits[f->wait_first].due - bq_now();
        wait = left < 0 ? 0 : left < wait ? left : wait;
    }
    post_all(f);
    bq_loop_step(&f->loop, wait, on_stream, f);
}

void bq_farm_check(const struct bq_farm *f)
{
    for (uint32_t i = 0; i < f->job_count; i++) {
        const struct bq_job *j = &f->jobs[i];
        for (uint32_t t = 0; t < j->total; t++) {
            if (j->tasks[t].acked != 1 || j->tasks[t].done != 1) {
                bq_die("task %u of job %u: acknowledged %u times, done %u times", t, i,
                       j->tasks[t].acked, j->tasks[t].done);
            }
        }
    }
}
