/* One client an endpoint, as each has a breaker and connections of its own. */
#include <stdlib.h>
#include <string.h>

#include "node/transfer/transfers.h"
#include "storage/s3/url.h"

struct gm_transfer_client {
    struct gm_s3_endpoint endpoint;
    struct gm_s3_client *client; /* owned; NULL: the place is free */
    unsigned users;
    uint64_t used; /* when: a number that grows */
};

struct gm_transfers {
    uv_loop_t *loop; /* borrowed */
    char *ca_file;   /* owned, or NULL */
    unsigned most;
    unsigned count; /* that go */
    gm_time moved;
    uint64_t uses;
    struct gm_transfer *first, **end; /* that wait */
    uv_timer_t *turn;                 /* owned: those that wait get theirs from here alone */
    struct gm_transfer_client clients[GM_TRANSFERS_CLIENTS];
};

static void on_turn(uv_timer_t *timer);

static void on_turn_closed(uv_handle_t *handle)
{
    free(handle);
}

/* In a later turn of the loop: who waits may not be able to begin, and hears of that by its `done`,
 * which must not come from within another's end, or a cancel. */
static void turn_soon(struct gm_transfers *all)
{
    if (all->first != NULL) {
        (void)uv_timer_start(all->turn, on_turn, 0, 0);
    }
}

int gm_transfers_create(uv_loop_t *loop, const char *ca_file, unsigned most,
                        struct gm_transfers **out, struct gm_err *err)
{
    struct gm_transfers *all = calloc(1, sizeof(*all));

    if (all != NULL && ca_file != NULL) {
        all->ca_file = strdup(ca_file);
    }
    if (all != NULL) {
        all->turn = malloc(sizeof(*all->turn));
    }
    if (all == NULL || all->turn == NULL || (ca_file != NULL && all->ca_file == NULL)) {
        if (all != NULL) {
            free(all->turn);
            free(all->ca_file);
        }
        free(all);
        return gm_err_nomem(err);
    }
    all->loop = loop;
    (void)uv_timer_init(loop, all->turn); /* it cannot fail */
    all->turn->data = all;
    /* a client for each that goes is always to be had */
    all->most = most < GM_TRANSFERS_CLIENTS ? most : GM_TRANSFERS_CLIENTS;
    all->end = &all->first;
    *out = all;
    return 0;
}

void gm_transfers_destroy(struct gm_transfers **transfers)
{
    struct gm_transfers *all = *transfers;

    if (all == NULL) {
        return;
    }
    GM_ASSERT(all->count == 0 && all->first == NULL);
    for (size_t i = 0; i < GM_TRANSFERS_CLIENTS; i++) {
        gm_s3_client_destroy(&all->clients[i].client);
    }
    uv_close((uv_handle_t *)all->turn, on_turn_closed); /* it stops */
    free(all->ca_file);
    free(all);
    *transfers = NULL;
}

static bool is_same(const struct gm_s3_endpoint *a, const struct gm_s3_endpoint *b)
{
    return a->tls == b->tls && strcmp(a->host, b->host) == 0;
}

/* Its client, or a place for one: free, or else the one that nobody has used for longest. */
static struct gm_transfer_client *find_client(struct gm_transfers *all,
                                              const struct gm_s3_endpoint *endpoint)
{
    struct gm_transfer_client *best = NULL;

    for (size_t i = 0; i < GM_TRANSFERS_CLIENTS; i++) {
        struct gm_transfer_client *c = &all->clients[i];

        if (c->client != NULL && is_same(&c->endpoint, endpoint)) {
            return c;
        }
        if (c->users == 0 && (best == NULL || c->used < best->used)) {
            best = c; /* a free one was never used */
        }
    }
    GM_ASSERT(best != NULL);
    return best;
}

static int get_client(struct gm_transfers *all, const char *url, struct gm_transfer_client **out,
                      struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    struct gm_transfer_client *c;
    int rc = gm_s3_url_endpoint(url, &endpoint, err);

    if (rc < 0) {
        return rc;
    }
    c = find_client(all, &endpoint);
    if (c->client == NULL || !is_same(&c->endpoint, &endpoint)) {
        const struct gm_s3_client_params params = {
            .loop = all->loop, .endpoint = &endpoint, .ca_file = all->ca_file};

        gm_s3_client_destroy(&c->client);
        c->used = 0;
        rc = gm_s3_client_create(&params, &c->client, err);
        if (rc < 0) {
            return rc;
        }
        c->endpoint = endpoint;
    }
    c->used = ++all->uses;
    *out = c;
    return 0;
}

static void on_done(const struct gm_s3_result *result, void *arg);
static int on_wanted(void *arg, struct gm_err *err);
static int on_begin(const struct gm_s3_begin *said, void *arg, struct gm_err *err);
static int on_body(const void *data, size_t size, void *arg, struct gm_err *err);

static int begin(struct gm_transfers *all, struct gm_transfer *t, struct gm_err *err)
{
    struct gm_s3_call call = t->call;
    int rc = get_client(all, call.url, &t->client, err);

    if (rc < 0) {
        return rc;
    }
    call.done = on_done;
    call.wanted = t->call.wanted == NULL ? NULL : on_wanted;
    call.on_begin = t->call.on_begin == NULL ? NULL : on_begin;
    call.on_body = t->call.on_body == NULL ? NULL : on_body;
    call.arg = t;
    rc = gm_s3_client_start(t->client->client, &call, &t->running, err);
    if (rc < 0) {
        t->client = NULL;
        return rc;
    }
    t->client->users++;
    all->count++;
    return 0;
}

static void take_turns(struct gm_transfers *all)
{
    while (all->first != NULL && all->count < all->most) {
        struct gm_transfer *t = all->first;
        struct gm_s3_result result = {0};

        all->first = t->next;
        all->end = all->first == NULL ? &all->first : all->end;
        t->next = NULL;
        result.rc = begin(all, t, &result.err);
        if (result.rc < 0) {
            t->transfers = NULL;
            t->call.done(&result, t->call.arg);
        }
    }
}

static void on_turn(uv_timer_t *timer)
{
    take_turns(timer->data);
}

/* Its client is in use until `done` has returned, and calls others then: nobody takes its place
 * before the loop's next turn. */
static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct gm_transfer *t = arg;
    struct gm_transfers *all = t->transfers;
    struct gm_transfer_client *client = t->client;

    all->moved = gm_time_now();
    t->transfers = NULL;
    t->client = NULL;
    t->running = NULL;
    all->count--;
    t->call.done(result, t->call.arg);
    client->users--;
    turn_soon(all);
}

/* The first try is begun before it has its place. */
static void note_moved(const struct gm_transfer *t)
{
    if (t->transfers != NULL) {
        t->transfers->moved = gm_time_now();
    }
}

static int on_wanted(void *arg, struct gm_err *err)
{
    const struct gm_transfer *t = arg;

    note_moved(t);
    return t->call.wanted(t->call.arg, err);
}

static int on_begin(const struct gm_s3_begin *said, void *arg, struct gm_err *err)
{
    struct gm_transfer *t = arg;

    return t->call.on_begin(said, t->call.arg, err);
}

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    const struct gm_transfer *t = arg;

    note_moved(t);
    return t->call.on_body(data, size, t->call.arg, err);
}

int gm_transfer_start(struct gm_transfers *transfers, struct gm_transfer *transfer,
                      const struct gm_s3_call *call, struct gm_err *err)
{
    struct gm_s3_endpoint endpoint;
    int rc = gm_s3_url_endpoint(call->url, &endpoint, err);

    GM_ASSERT(transfer->transfers == NULL);
    if (rc < 0) {
        return rc;
    }
    *transfer = (struct gm_transfer){.call = *call};
    if (transfers->count < transfers->most && transfers->first == NULL) {
        rc = begin(transfers, transfer, err);
        if (rc < 0) {
            return rc;
        }
    } else {
        *transfers->end = transfer;
        transfers->end = &transfer->next;
    }
    transfer->transfers = transfers;
    return 0;
}

static void stop_waiting(struct gm_transfers *all, const struct gm_transfer *t)
{
    struct gm_transfer **at = &all->first;

    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    if (*at == NULL) {
        all->end = at;
    }
}

void gm_transfer_cancel(struct gm_transfer *transfer)
{
    struct gm_transfers *all = transfer->transfers;

    if (all == NULL) {
        return;
    }
    transfer->transfers = NULL;
    if (transfer->client == NULL) {
        stop_waiting(all, transfer);
        transfer->next = NULL;
        return;
    }
    gm_s3_cancel(&transfer->running);
    transfer->client->users--;
    transfer->client = NULL;
    all->count--;
    turn_soon(all);
}

bool gm_transfer_is_sent(const struct gm_transfer *transfer)
{
    return transfer->running != NULL && gm_s3_is_sent(transfer->running);
}

bool gm_transfer_waits(const struct gm_transfer *transfer)
{
    return transfer->transfers != NULL && transfer->client == NULL;
}

gm_time gm_transfers_moved(const struct gm_transfers *transfers)
{
    return transfers->moved;
}
