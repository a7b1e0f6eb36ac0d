/* Who dies when: the row of a delivery is on disk with the event, or neither is; the request leaves
 * after that. Its end is written lazily: a scheduler that dies in between sends it once more, with
 * the same id. Only who leads sends. */
#include "scheduler/hooks/hooks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/crash.h"
#include "common/log.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/hooks/body.h"
#include "scheduler/hooks/queue.h"
#include "scheduler/hooks/rows.h"
#include "scheduler/hooks/send.h"
#include "scheduler/hooks/spool.h"
#include "scheduler/hooks/target.h"

#define AGAIN_MS 5000           /* after a failure of our own */
#define REMOVED "asset.removed" /* webhooks are not told of it */
#define SEQ_DIGITS 20           /* that a delivery's name begins with */

struct gm_hooks {
    struct gm_daemon *d;        /* borrowed */
    struct gm_hook_farm *farms; /* owned */
    size_t farm_count;
    struct gm_hook_secrets secrets; /* of jobs' webhooks */
    struct gm_hookq queue;
    struct gm_spool *spool;             /* owned */
    struct gm_hook_sender *sender;      /* owned */
    struct gm_hook *fresh, *fresh_last; /* list by fresh_next; borrowed */
    bool eager;                         /* rows that change are waited for */
    uint64_t taken, failed, died;
    uint32_t random;
};

/* ---- rows */

static void write_row(struct gm_hooks *h, struct gm_row *row)
{
    struct gm_commit_entry entry = {.effects = {.rows = malloc(sizeof *row), .row_count = 1}};
    struct gm_err err = {0};
    if (entry.effects.rows == NULL) {
        gm_mem_exhausted();
    }
    row->lazy = !h->eager;
    entry.effects.rows[0] = *row;
    if (gm_commit_add(h->d->commit, &entry, gm_time_unix_ms(), &err) < 0 &&
        err.code != GM_E_CANCELLED && h->d->failure == 0) {
        gm_daemon_fail(h->d, &err);
    }
}

static void on_changed(struct gm_hook *hook, bool dropped, void *arg)
{
    struct gm_hooks *h = arg;
    struct gm_buf body = {0};
    struct gm_err err = {0};
    struct gm_row row;
    struct gm_spooled *spooled = hook->body;
    if (dropped) {
        if (hook->state == GM_HOOK_DEAD) {
            gm_log(GM_LOG_WARN, "webhook_dropped", "job=%s event=%s target=%s why=too_many_dead",
                   hook->job_id, hook->type, hook->target->key);
        }
        gm_hook_row_delete(hook, &row);
        write_row(h, &row);
        gm_spool_drop(h->spool, &spooled);
        hook->body = NULL;
        return;
    }
    if (hook->state == GM_HOOK_DEAD) {
        h->died++;
        gm_log(GM_LOG_WARN, "webhook_dead", "job=%s event=%s target=%s status=%u tries=%u",
               hook->job_id, hook->type, hook->target->key, hook->status, hook->tries);
    }
    if (gm_spool_get(h->spool, spooled, &body, &err) < 0) { /* the row stays as it was */
        gm_log_err(GM_LOG_ERROR, "webhook_lost", &err, "job=%s event=%s", hook->job_id, hook->type);
    } else {
        gm_hook_row_put(hook, body.data, body.size, &row);
        write_row(h, &row);
    }
    gm_buf_fini(&body);
}

bool gm_hooks_load(struct gm_hooks *h, const struct gm_key *key, const void *data, size_t size,
                   int *out_rc, struct gm_err *err)
{
    struct gm_hook hook;
    struct gm_spooled *body = NULL;
    Gm__NodeRow *row = NULL;
    if (!gm_hook_row_is(key)) {
        return false;
    }
    int rc = gm_hook_row_read(key, data, size, &hook, &row, err);
    if (rc == -GM_E_NOTFOUND) { /* of another release: it stays for that one */
        gm_log_err(GM_LOG_WARN, "webhook_passed_over", err, "row=%s", key->name);
        *out_rc = 0;
        return true;
    }
    if (rc == 0) {
        gm_state_take_event(h->d->state, (int64_t)hook.seq);
        rc = gm_spool_put(h->spool, row->hook->body.data, row->hook->body.len, &body, err);
    }
    if (rc == 0) {
        hook.body = body;
        if (gm_hookq_add(&h->queue, &hook, row->hook->target) == NULL) {
            gm_spool_drop(h->spool, &body);
        }
    }
    if (row != NULL) {
        gm__node_row__free_unpacked(row, NULL);
    }
    *out_rc = rc;
    return true;
}

/* ---- events come */

struct news { /* one event, for its targets */
    const struct gm_job_event *event;
    const char *type;
    int64_t seq, unix_ms;
    struct gm_buf body;
};

/* As gm_effects' arrays grow (core/effects.c). */
static struct gm_row *add_row(struct gm_effects *fx)
{
    struct gm_row *rows = reallocarray(fx->rows, fx->row_count + 1, sizeof *rows);
    if (rows == NULL) {
        gm_mem_exhausted();
    }
    fx->rows = rows;
    return &fx->rows[fx->row_count++];
}

static void add_delivery(struct gm_hooks *h, const struct news *n, const char *target,
                         const char *url, struct gm_effects *fx)
{
    struct gm_err err = {0};
    struct gm_spooled *body = NULL;
    if (gm_spool_put(h->spool, n->body.data, n->body.size, &body, &err) < 0) {
        gm_mem_exhausted();
    }
    struct gm_hook from = {.seq = (uint64_t)n->seq,
                           .job = n->event->job,
                           .type = n->type,
                           .url = (char *)(uintptr_t)url,
                           .event_unix_ms = n->unix_ms,
                           .since_unix_ms = n->unix_ms,
                           .state = GM_HOOK_FRESH,
                           .body = body};
    (void)snprintf(from.job_id, sizeof from.job_id, "%s", n->event->job_id);
    struct gm_hook *hook = gm_hookq_add(&h->queue, &from, target);
    if (hook == NULL) { /* its number is that of a stored row */
        gm_log(GM_LOG_ERROR, "webhook_lost", "job=%s event=%s target=%s why=number_taken",
               from.job_id, from.type, target);
        gm_spool_drop(h->spool, &body);
        return;
    }
    if (h->fresh_last != NULL) {
        h->fresh_last->fresh_next = hook;
    } else {
        h->fresh = hook;
    }
    h->fresh_last = hook;
    gm_hook_row_put(hook, n->body.data, n->body.size, add_row(fx));
}

static void make_body(struct gm_hooks *h, struct news *n)
{
    const struct gm_hook_event event = {.source = h->d->settings->events_source,
                                        .type = n->type,
                                        .job_id = n->event->job_id,
                                        .seq = (uint64_t)n->seq,
                                        .unix_ms = n->unix_ms,
                                        .json = n->event->json};
    struct gm_err err = {0};
    if (n->body.size == 0 && gm_hook_body(h->d->core, &event, &n->body, &err) < 0) {
        gm_mem_exhausted();
    }
}

static void publish(struct gm_hooks *h, struct news *n)
{
    if (gm_pub_wants(h->d->pub)) {
        make_body(h, n);
        gm_pub_add(h->d->pub, n->seq, n->type, n->body.data, n->body.size);
    }
}

static void tell(struct gm_hooks *h, struct news *n, unsigned number, struct gm_effects *fx)
{
    publish(h, n);
    char key[GM_HOOK_FARM_NAME + 8];
    struct gm_card_view card;
    struct gm_err err = {0};
    char *origin = NULL;
    for (size_t i = 0; i < h->farm_count; i++) {
        if ((h->farms[i].events >> number & 1) != 0) {
            (void)snprintf(key, sizeof key, "farm:%s", h->farms[i].name);
            make_body(h, n);
            add_delivery(h, n, key, NULL, fx);
        }
    }
    if (!gm_view_card(h->d->core, n->event->job_id, &card) || card.webhook[0] == '\0') {
        return;
    }
    if (gm_hook_url_origin(card.webhook, card.tenant, &origin, &err) ==
        0) { /* it was checked when it came */
        make_body(h, n);
        add_delivery(h, n, origin, card.webhook, fx);
    }
    free(origin);
}

void gm_hooks_fill(struct gm_hooks *h, struct gm_effects *fx, int64_t first_seq)
{
    for (size_t i = 0; h != NULL && i < fx->event_count; i++) {
        unsigned number = 0;
        struct news n = {.event = &fx->events[i], .unix_ms = gm_time_unix_ms()};
        if (!n.event->durable) {
            continue;
        }
        n.seq = first_seq++;
        n.type = gm_hook_event_find(n.event->type, &number);
        if (n.type != NULL && strlen(n.event->job_id) < GM_HOOK_JOB) {
            tell(h, &n, number, fx);
        } else if (strcmp(n.event->type, REMOVED) == 0) {
            n.type = REMOVED;
            publish(h, &n);
        }
        gm_buf_fini(&n.body);
    }
}

void gm_hooks_removed(struct gm_hooks *h, const char *job_id)
{
    char json[128];
    if (h == NULL) {
        return;
    }
    (void)snprintf(json, sizeof json, "{\"id\":\"%.64s\",\"state\":\"done\"}", job_id);
    const struct gm_job_event event = {.job_id = (char *)(uintptr_t)job_id, .json = json};
    struct news n = {.event = &event, .type = REMOVED, .unix_ms = gm_time_unix_ms()};
    publish(h, &n);
    gm_buf_fini(&n.body);
    gm_pub_stored(h->d->pub, 0); /* or after those that wait for the disk */
}

void gm_hooks_stored(struct gm_hooks *h, int64_t seq)
{
    while (h != NULL && h->fresh != NULL && h->fresh->seq <= (uint64_t)seq) {
        struct gm_hook *hook = h->fresh;
        h->fresh = hook->fresh_next;
        h->fresh_last = h->fresh != NULL ? h->fresh_last : NULL;
        gm_hookq_stored(&h->queue, hook);
    }
}

/* ---- events go */

static void fail(struct gm_hooks *h, struct gm_hook *hook, struct gm_hook_failure *f)
{
    h->failed++;
    h->random = h->random * 1664525u + 1013904223u; /* it spreads tries, no more */
    f->random = h->random >> 8;
    gm_hookq_failed(&h->queue, hook, f, gm_time_unix_ms());
}

static void on_answer(const struct gm_hook_answer *answer, void *what, void *arg)
{
    struct gm_hooks *h = arg;
    struct gm_hook *hook = what;
    GM_CRASH("webhook.answered");
    if (answer->why == NULL) {
        h->taken++;
        gm_hookq_taken(&h->queue, hook);
    } else {
        struct gm_hook_failure f = {.status = answer->status,
                                    .retry_after_ms = answer->retry_after_ms,
                                    .why = answer->why,
                                    .hopeless = answer->status == 410};
        fail(h, hook, &f);
    }
    gm_hooks_tick(h);
}

static const struct gm_hook_farm *find_farm(const struct gm_hooks *h, const char *key)
{
    for (size_t i = 0; i < h->farm_count; i++) {
        if (strcmp(h->farms[i].name, key + strlen("farm:")) == 0) {
            return &h->farms[i];
        }
    }
    return NULL;
}

/* Where it goes, as the configuration has it now, and what signs it. False: nowhere, and *f says
 * why. */
static bool find_way(const struct gm_hooks *h, const struct gm_hook *hook,
                     struct gm_hook_post *post, struct gm_hook_secrets *secrets,
                     struct gm_hook_failure *f, struct gm_err *err)
{
    const struct gm_hook_farm *farm = hook->url == NULL ? find_farm(h, hook->target->key) : NULL;
    if (farm != NULL) {
        post->url = farm->url;
        *secrets = farm->secrets;
        return true;
    }
    f->why = "the configuration has no such webhook any more";
    if (hook->url == NULL) {
        return false;
    }
    post->url = hook->url;
    gm_hook_secrets_of(&h->secrets, hook->target->owner->name, secrets);
    if (gm_hook_url_allowed(hook->url, h->d->settings->allow_webhooks, &post->public_only, err) <
            0 ||
        h->secrets.count == 0) {
        f->why = "the configuration does not allow it any more";
        return false;
    }
    return true;
}

static int launch(struct gm_hooks *h, struct gm_hook *hook, const struct gm_hook_post *to,
                  const struct gm_hook_secrets *secrets, struct gm_err *err)
{
    struct gm_buf body = {0}, signature = {0};
    char id[GM_HOOK_ID], trace[GM_TRACEPARENT_SIZE];
    struct gm_hook_post post = *to;
    int rc = gm_spool_get(h->spool, hook->body, &body, err);
    if (rc == 0) {
        gm_hook_body_trace(body.data, body.size, trace);
        post.traceparent = trace;
        post.id = gm_hook_id(hook->job_id, hook->seq, id);
        post.unix_s = gm_time_unix_ms() / 1000;
        post.body = body.data;
        post.size = body.size;
        gm_hook_sign(secrets, id, post.unix_s, body.data, body.size, &signature);
        rc = gm_buf_check(&signature, err);
    }
    if (rc == 0) {
        post.signature = (const char *)signature.data;
        rc = gm_hook_send(h->sender, &post, hook, err);
    }
    gm_buf_fini(&body);
    gm_buf_fini(&signature);
    return rc;
}

/* By a failure of our own, which is no try of its target: but it ends as others do. */
static void not_sent(struct gm_hooks *h, struct gm_hook *hook, int64_t now)
{
    struct gm_hook_failure f = {.why = "the scheduler could not send it"};
    if (now - hook->since_unix_ms >= h->queue.rules.retry_ms) {
        fail(h, hook, &f);
    } else {
        gm_hookq_put_back(&h->queue, hook, now + AGAIN_MS);
    }
}

void gm_hooks_tick(struct gm_hooks *h)
{
    struct gm_hook *hook;
    int64_t now = gm_time_unix_ms();
    if (h == NULL || h->d->stopping || h->d->failure < 0 || gm_hookq_waiting(&h->queue) == 0 ||
        !gm_state_leads(h->d->state)) {
        return;
    }
    while ((hook = gm_hookq_next(&h->queue, now)) != NULL) {
        struct gm_hook_post post = {.public_only = false};
        struct gm_hook_failure f = {.hopeless = true};
        struct gm_hook_secrets secrets = {.count = 0};
        struct gm_err err = {0};
        if (!find_way(h, hook, &post, &secrets, &f, &err)) {
            fail(h, hook, &f);
        } else if (launch(h, hook, &post, &secrets, &err) < 0) {
            gm_log_err(GM_LOG_ERROR, "webhook_not_sent", &err, "job=%s event=%s", hook->job_id,
                       hook->type);
            not_sent(h, hook, now);
        }
        gm_hook_secrets_wipe(&secrets);
    }
}

/* ---- for operators */

void gm_hooks_counts(const struct gm_hooks *h, struct gm_hooks_counts *out)
{
    *out = (struct gm_hooks_counts){.waiting = gm_hookq_waiting(&h->queue),
                                    .dead = h->queue.dead_count,
                                    .taken = h->taken,
                                    .failed = h->failed,
                                    .died = h->died,
                                    .oldest_unix_ms = gm_hookq_oldest(&h->queue)};
}

static json_t *row_json(const struct gm_hook *hook)
{
    char id[GM_HOOK_ID];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o}", "id", hook->name,
                     "event", gm_hook_id(hook->job_id, hook->seq, id), "job", hook->job_id, "type",
                     hook->type, "target", hook->target->key, "time",
                     gm_json_time(hook->event_unix_ms), "tried", gm_json_time(hook->tried_unix_ms),
                     "tries", (json_int_t)hook->tries, "next",
                     gm_json_time(hook->state == GM_HOOK_DEAD ? 0 : hook->next_unix_ms), "status",
                     hook->status > 0 ? json_integer((json_int_t)hook->status) : json_null(),
                     "error", gm_json_text_or_null(hook->error != NULL ? hook->error : ""));
}

/* The first behind `after`, which may have gone meanwhile: then by its number. */
static const struct gm_hook *list_from(const struct gm_hooks *h, bool dead, const char *after)
{
    const struct gm_hook *hook = dead ? h->queue.dead : h->queue.all;
    const struct gm_hook *from = after[0] != '\0' ? gm_hookq_find(&h->queue, after) : NULL;
    if (from != NULL && (from->state == GM_HOOK_DEAD) == dead) {
        return dead ? from->next : from->hh.next;
    }
    while (after[0] != '\0' && hook != NULL && strncmp(hook->name, after, SEQ_DIGITS) <= 0) {
        hook = dead ? hook->next : hook->hh.next;
    }
    return hook;
}

int gm_hooks_list(const struct gm_hooks *h, bool dead, const char *after, size_t limit,
                  json_t **out, struct gm_err *err)
{
    if (after[0] != '\0' && strspn(after, "0123456789") != SEQ_DIGITS) {
        return gm_err_set(err, GM_E_INVAL, 0, "`after` is no delivery's id");
    }
    const struct gm_hook *hook = list_from(h, dead, after);
    const struct gm_hook *last = NULL;
    json_t *list = json_array();
    for (size_t n = 0; hook != NULL && n < limit; hook = dead ? hook->next : hook->hh.next) {
        if ((hook->state == GM_HOOK_DEAD) == dead) {
            list = gm_json_add(list, row_json(hook));
            last = hook;
            n++;
        }
    }
    json_t *next = hook != NULL && last != NULL ? json_string(last->name) : json_null();
    *out =
        json_pack("{s:o, s:o, s:I, s:I}", "deliveries", list, "next", next, "waiting",
                  (json_int_t)gm_hookq_waiting(&h->queue), "dead", (json_int_t)h->queue.dead_count);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

int gm_hooks_redeliver(struct gm_hooks *h, const char *id, const char *job_id, size_t *out_count,
                       struct gm_err *err)
{
    struct gm_hook *hook = id != NULL ? gm_hookq_find(&h->queue, id) : h->queue.dead, *next;
    int64_t now = gm_time_unix_ms();
    if (id != NULL && (hook == NULL || hook->state != GM_HOOK_DEAD ||
                       (job_id != NULL && strcmp(hook->job_id, job_id) != 0))) {
        return gm_err_set(err, GM_E_NOTFOUND, 0, "no dead letter is called %.100s", id);
    }
    size_t count = 0;
    h->eager = true;
    for (; hook != NULL; hook = next) {
        next = id != NULL ? NULL : hook->next;
        if (job_id == NULL || strcmp(hook->job_id, job_id) == 0) {
            gm_hookq_revive(&h->queue, hook, now);
            count++;
        }
    }
    h->eager = false;
    *out_count = count;
    return 0;
}

/* ---- life */

static int read_config(const struct gm_settings *s, struct gm_hook_farm **farms, size_t *count,
                       struct gm_hook_secrets *secrets, struct gm_err *err)
{
    int rc = s->webhook_secret_file != NULL && s->webhook_secret_file[0] != '\0'
                 ? gm_hook_secrets_load(s->webhook_secret_file, secrets, err)
                 : 0;
    return rc < 0 ? rc : gm_hook_farms_parse(s->webhooks, farms, count, err);
}

int gm_hooks_create(struct gm_daemon *d, struct gm_hooks **out, struct gm_err *err)
{
    struct gm_hooks *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return gm_err_nomem(err);
    }
    h->d = d;
    h->random = (uint32_t)gm_time_now();
    struct gm_hook_rules rules = d->settings->hook_rules;
    if (rules.pause_count == 0) { /* settings that no file was read for */
        rules = (struct gm_hook_rules){
            .pauses_ms = {AGAIN_MS}, .pause_count = 1, .retry_ms = INT64_C(86400000)};
    }
    gm_hookq_init(&h->queue, &rules, on_changed, h);
    int rc = read_config(d->settings, &h->farms, &h->farm_count, &h->secrets, err);
    if (rc == 0) {
        rc = gm_spool_open(gm_shelf_folder(d->shelf), &h->spool, err);
    }
    if (rc == 0) {
        rc = gm_hook_sender_create(&d->loop, on_answer, h, &h->sender, err);
    }
    if (rc < 0) {
        gm_hooks_destroy(&h);
        return rc;
    }
    *out = h;
    return 0;
}

static void drop_body(void *body, void *arg)
{
    struct gm_hooks *h = arg;
    struct gm_spooled *spooled = body;
    gm_spool_drop(h->spool, &spooled);
}

void gm_hooks_destroy(struct gm_hooks **hooks)
{
    struct gm_hooks *h = *hooks;
    if (h == NULL) {
        return;
    }
    gm_hook_sender_destroy(&h->sender);
    gm_hookq_fini(&h->queue, drop_body, h);
    gm_spool_close(&h->spool);
    gm_hook_farms_free(h->farms, h->farm_count);
    gm_hook_secrets_wipe(&h->secrets);
    free(h);
    *hooks = NULL;
}

void gm_hooks_reload(struct gm_hooks *h)
{
    struct gm_hook_farm *farms = NULL;
    struct gm_hook_secrets secrets = {.count = 0};
    struct gm_err err = {0};
    size_t count = 0;
    if (h == NULL) {
        return;
    }
    if (read_config(h->d->settings, &farms, &count, &secrets, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "webhook_secrets_not_read", &err, "kept=old");
        return;
    }
    gm_hook_farms_free(h->farms, h->farm_count);
    h->farms = farms;
    h->farm_count = count;
    h->secrets = secrets;
    gm_hook_secrets_wipe(&secrets);
    gm_hookq_forgive(&h->queue);
}
