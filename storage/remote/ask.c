/* Requests whose end is waited for: each of the threads that ask has a client and a loop of its own
 * meanwhile, which is kept for the next one. */
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/time.h"
#include "storage/remote/remote.h"

#define IDLE_MAX 8   /* connections kept for a line */
#define AT_ONCE 16   /* asks of one thread */
#define MAX_TRIES 6u /* of a request, within */
#define MAX_TIME (40 * GM_SEC)
#define LOOK_MS 100

static _Thread_local const struct gm_stores_limit *thread_limit;

void gm_stores_limit(const struct gm_stores_limit *limit)
{
    thread_limit = limit;
}

void gm_stores_stop(struct gm_stores *stores)
{
    for (size_t i = 0; stores != NULL && i < stores->count; i++) {
        atomic_store(&stores->remotes[i].stops, true);
    }
}

struct gm_connection {
    struct gm_connection *next;
    uv_loop_t loop;
    uv_timer_t timer;            /* turns the loop while it is looked whether to go on */
    struct gm_s3_client *client; /* owned */
    unsigned generation;         /* of the keys that it has */
};

static void connection_close(struct gm_connection *c)
{
    gm_s3_client_destroy(&c->client);
    uv_close((uv_handle_t *)&c->timer, NULL);
    (void)uv_run(&c->loop, UV_RUN_DEFAULT); /* what it closed goes */
    (void)uv_loop_close(&c->loop);
    free(c);
}

void gm_remote_close_idle(struct gm_remote *remote)
{
    while (remote->idle != NULL) {
        struct gm_connection *c = remote->idle;

        remote->idle = c->next;
        connection_close(c);
    }
    remote->idle_count = 0;
}

/* Under the lock: the keys are copied. */
static int client_create(struct gm_remote *remote, struct gm_connection *c, struct gm_err *err)
{
    const struct gm_s3_keys keys = {remote->keys.id, remote->keys.secret, remote->keys.token};
    const struct gm_s3_client_params params = {.loop = &c->loop,
                                               .endpoint = &remote->endpoint,
                                               .style = remote->style,
                                               .keys = &keys,
                                               .region = remote->region,
                                               .ca_file = remote->ca_file};
    c->generation = remote->generation;
    return gm_s3_client_create(&params, &c->client, err);
}

static int connection_take(struct gm_remote *remote, struct gm_connection **out, struct gm_err *err)
{
    struct gm_connection *c, *stale = NULL;
    int rc;

    uv_mutex_lock(&remote->lock);
    while ((c = remote->idle) != NULL) {
        remote->idle = c->next;
        remote->idle_count--;
        if (c->generation == remote->generation) {
            break;
        }
        c->next = stale;
        stale = c;
    }
    uv_mutex_unlock(&remote->lock);
    while (stale != NULL) { /* takes its time, which who signs does not have */
        struct gm_connection *next = stale->next;
        connection_close(stale);
        stale = next;
    }
    if (c != NULL) {
        *out = c;
        return 0;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    rc = uv_loop_init(&c->loop);
    if (rc != 0) {
        free(c);
        return gm_err_uv(err, rc, "could not make an event loop");
    }
    (void)uv_timer_init(&c->loop, &c->timer); /* never fails */
    uv_mutex_lock(&remote->lock);
    rc = client_create(remote, c, err);
    uv_mutex_unlock(&remote->lock);
    if (rc < 0) {
        connection_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

/* is_signed: it asked by its keys, so it has heard of a clock that is wrong. */
static void connection_give(struct gm_remote *remote, struct gm_connection *c, bool is_signed)
{
    bool kept;

    uv_mutex_lock(&remote->lock);
    if (is_signed) {
        remote->clock_offset_ms = gm_s3_client_clock_offset(c->client);
    }
    kept = c->generation == remote->generation && remote->idle_count < IDLE_MAX;
    if (kept) {
        c->next = remote->idle;
        remote->idle = c;
        remote->idle_count++;
    }
    uv_mutex_unlock(&remote->lock);
    if (!kept) {
        connection_close(c);
    }
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct gm_ask *ask = arg;

    ask->running = NULL;
    ask->result = *result;
    ask->rc = result->rc;
    if (ask->rc == 0 && ask->take != NULL) {
        ask->rc = ask->take(ask, &result->answer);
    }
    ask->ended = true;
}

static int is_wanted(void *arg, struct gm_err *err)
{
    const struct gm_ask *ask = arg;

    return ask->limit->wanted(ask->limit->arg, err);
}

/* Whether what was asked is waited for. */
static int may_wait(struct gm_remote *remote, struct gm_err *err)
{
    if (atomic_load(&remote->stops)) {
        return gm_err_set(err, GM_E_STORE, 0,
                          "the scheduler is stopping: %.120s was not waited for",
                          remote->endpoint.host);
    }
    if (thread_limit != NULL && thread_limit->until != 0 && gm_time_now() >= thread_limit->until) {
        return gm_err_set(err, GM_E_STORE, 0, "the store at %.120s did not answer in time",
                          remote->endpoint.host);
    }
    return 0;
}

static void start(struct gm_remote *remote, struct gm_connection *c, struct gm_ask *ask)
{
    struct gm_s3_call call = ask->call;

    call.max_tries = call.max_tries == 0 ? MAX_TRIES : call.max_tries;
    call.max_time = call.max_time == 0 ? MAX_TIME : call.max_time;
    call.done = on_done;
    call.arg = ask;
    ask->limit = thread_limit;
    if (ask->limit != NULL && ask->limit->wanted != NULL) {
        call.wanted = is_wanted;
    }
    ask->ended = false;
    ask->running = NULL;
    ask->rc = may_wait(remote, &ask->result.err);
    if (ask->rc == 0) {
        ask->rc = gm_s3_client_start(c->client, &call, &ask->running, &ask->result.err);
    }
    ask->ended = ask->rc < 0;
}

static void on_look(uv_timer_t *timer)
{
    (void)timer; /* the loop turns */
}

static void wait_for(struct gm_remote *remote, struct gm_connection *c, struct gm_ask *ask)
{
    while (!ask->ended) {
        ask->rc = may_wait(remote, &ask->result.err);
        if (ask->rc < 0) {
            gm_s3_cancel(&ask->running);
            ask->ended = true;
        } else {
            (void)uv_run(&c->loop, UV_RUN_ONCE);
        }
    }
}

int gm_remote_ask_all(struct gm_remote *remote, struct gm_ask *asks, size_t count,
                      struct gm_err *err)
{
    struct gm_connection *c = NULL;
    int rc = connection_take(remote, &c, err);

    if (rc < 0) {
        return rc;
    }
    GM_ASSERT(c != NULL);
    (void)uv_timer_start(&c->timer, on_look, LOOK_MS, LOOK_MS);
    for (size_t first = 0; first < count; first += AT_ONCE) {
        size_t end = first + AT_ONCE < count ? first + AT_ONCE : count;

        for (size_t i = first; i < end; i++) {
            start(remote, c, &asks[i]);
        }
        for (size_t i = first; i < end; i++) {
            wait_for(remote, c, &asks[i]);
        }
    }
    (void)uv_timer_stop(&c->timer);
    connection_give(remote, c, count > 0 && asks[0].call.url == NULL && asks[0].result.status > 0);
    return 0;
}

int gm_remote_ask(struct gm_remote *remote, struct gm_ask *ask, struct gm_err *err)
{
    bool changed = false;
    struct gm_err other;
    int rc = gm_remote_ask_all(remote, ask, 1, err);

    if (rc == 0 && ask->rc < 0 && ask->result.renew && ask->call.url == NULL &&
        gm_remote_reload(remote, &changed, &other) == 0 && changed) {
        rc = gm_remote_ask_all(remote, ask, 1, err);
    }
    if (rc == 0 && ask->rc < 0) {
        *err = ask->result.err;
        rc = ask->rc;
    }
    return rc;
}
