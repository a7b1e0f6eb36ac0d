/* The daemon's life and its one rule: a step's rows are on disk before anything that depends on
 * them leaves. Assignments of runs need nothing on disk, and leave at once (core/spec.c).
 *
 * Threads: the loop's owns everything; commit.c has one; stores and files use libuv's pool and come
 * back through uv_queue_work's after-callback.
 */
#include "scheduler/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crash.h"
#include "common/log.h"
#include "common/traceparent.h"
#include "scheduler/access_remote.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/peers.h"
#include "scheduler/remote_urls.h"
#include "scheduler/stored_pipelines.h"
#include "storage/s3/url.h"

#define TICK_MS 50
#define STOP_MS 20000 /* below the 30 s of systemd's TimeoutStopSec as delivered here */

void gm_daemon_fail(struct gm_daemon *d, const struct gm_err *err)
{
    if (d->failure == 0) {
        d->failure = -(int)err->code;
        d->error = *err;
        gm_log_err(GM_LOG_ERROR, "stopping", err, "term=%llu", (unsigned long long)d->term);
    }
    gm_daemon_stop(d);
}

static void log_event(const struct gm_core *core, const struct gm_job_event *e)
{
    char quoted[512], trace[GM_TRACE_ID_SIZE];
    gm_trace_id(gm_view_traceparent(core, e->job_id), trace);
    bool life = strncmp(e->type, "job.", 4) == 0;
    bool node = strncmp(e->type, "node.", 5) == 0;
    bool late = strncmp(e->type, "job.deadline", 12) == 0;
    gm_log(node || late ? GM_LOG_WARN
           : life       ? GM_LOG_INFO
                        : GM_LOG_DEBUG,
           e->type, "job=%s%s%s data=%s", e->job_id[0] != '\0' ? e->job_id : "-",
           trace[0] != '\0' ? " trace_id=" : "", trace,
           gm_log_quote(e->json, quoted, sizeof quoted));
}

static void tell_event(struct gm_daemon *d, const struct gm_job_event *e, int64_t seq)
{
    if (e->durable || e->job_id[0] == '\0') {
        log_event(d->core, e);
    }
    if (strcmp(e->type, "job.done") == 0 || strcmp(e->type, "job.failed") == 0 ||
        strcmp(e->type, "job.cancelled") == 0) {
        gm_gap_note(&d->gap, gm_time_now());
    }
    gm_assets_event(d, e);
    if (e->job_id[0] == '\0') {
        return; /* of a node: for the log alone */
    }
    gm_http_event(d->http, e->job_id, NULL, e->type, e->json, seq);
}

/* What waited for the disk leaves. */
static void on_durable(struct gm_commit_entry *entry, int rc, const struct gm_err *err, void *arg)
{
    struct gm_daemon *d = arg;
    struct gm_effects *fx = &entry->effects;
    int64_t seq = entry->first_seq;
    if (rc < 0) {
        if (err->code != GM_E_CANCELLED) {
            gm_daemon_fail(d, err);
        }
    } else {
        GM_CRASH("answer.before");
        for (size_t i = 0; i < fx->send_count; i++) {
            if (fx->sends[i].durable) {
                gm_publish_send(d, &fx->sends[i]);
            }
        }
        GM_CRASH("answer.sent");
        for (size_t i = 0; i < fx->event_count; i++) {
            if (fx->events[i].durable) {
                tell_event(d, &fx->events[i], seq++);
            }
        }
        gm_hooks_stored(d->hooks, seq - 1);
        gm_pub_stored(d->pub, seq - 1);
        for (size_t i = 0; i < fx->publish_count && !d->stopping; i++) {
            gm_publish_start(d, fx->publishes[i].job_id);
        }
        for (size_t i = 0; i < fx->grown_count; i++) {
            gm_early_grown(d, fx->grown[i].job_id);
        }
        for (size_t i = 0; i < fx->backup_count && !d->stopping; i++) {
            gm_backup_start(d, fx->backups[i].job_id, fx->backups[i].tells);
        }
        for (size_t i = 0; i < fx->cleanup_count && !d->closing; i++) {
            gm_cleanup_start(d, fx->cleanups[i].job_id, fx->cleanups[i].last);
        }
    }
    if (entry->answer != NULL) {
        entry->answer(rc, err, entry->answer_arg);
        GM_CRASH("answer.given");
    }
}

static bool needs_commit(const struct gm_effects *fx)
{
    bool durable = fx->row_count > 0 || fx->grown_count > 0 || fx->publish_count > 0 ||
                   fx->cleanup_count > 0 || fx->backup_count > 0;
    for (size_t i = 0; i < fx->send_count; i++) {
        durable = durable || fx->sends[i].durable;
    }
    for (size_t i = 0; i < fx->event_count; i++) {
        durable = durable || fx->events[i].durable;
    }
    return durable;
}

/* Leases that another scheduler may count from now on are not made longer. */
static bool may_say(const struct gm_daemon *d, const Gm__Envelope *envelope)
{
    return envelope == NULL || envelope->body_case != GM__ENVELOPE__BODY_RENEWED ||
           gm_state_leads(d->state);
}

/* Who may not lead any more gives no work away and takes no end of it: that waits for a commit,
 * which shows it. */
static void mind_lead(const struct gm_daemon *d, struct gm_effects *fx)
{
    bool known = false, leads = false;
    for (size_t i = 0; i < fx->send_count; i++) {
        struct gm_send *send = &fx->sends[i];
        Gm__Envelope__BodyCase body =
            send->envelope != NULL ? send->envelope->body_case : GM__ENVELOPE__BODY__NOT_SET;
        if (!send->durable &&
            (body == GM__ENVELOPE__BODY_ASSIGN || body == GM__ENVELOPE__BODY_ACK)) {
            leads = known ? leads : gm_state_leads(d->state);
            known = true;
            send->durable = !leads;
        }
    }
}

static int commit(struct gm_daemon *d, struct gm_commit_entry *entry, struct gm_err *err)
{
    int rc = gm_commit_add(d->commit, entry, gm_time_unix_ms(), err);
    if (rc < 0) {
        struct gm_err own =
            err != NULL ? *err : (struct gm_err){.code = GM_E_NOMEM, .text = "a step was lost"};
        gm_daemon_fail(d, &own);
    }
    return rc;
}

int gm_daemon_commit_rows(struct gm_daemon *d, struct gm_effects *fx, gm_daemon_answer_fn fn,
                          void *arg, struct gm_err *err)
{
    struct gm_commit_entry entry = {.effects = *fx, .answer = fn, .answer_arg = arg};
    *fx = (struct gm_effects){0};
    if (d->failure < 0) {
        gm_effects_fini(&entry.effects);
        return gm_err_set(err, d->error.code, d->error.native, "%s", d->error.text);
    }
    return commit(d, &entry, err);
}

/* Takes the effects. */
static int apply(struct gm_daemon *d, const struct gm_event *event, struct gm_effects *fx,
                 gm_daemon_answer_fn fn, void *arg, struct gm_err *err)
{
    gm_assets_effects(d, event, fx);
    gm_urls_fill(d, event, fx);
    mind_lead(d, fx);
    for (size_t i = 0; i < fx->send_count; i++) {
        if (!fx->sends[i].durable && may_say(d, fx->sends[i].envelope)) {
            gm_wire_send(d, fx->sends[i].node_id, fx->sends[i].envelope);
            GM_CRASH("step.sent");
        }
    }
    for (size_t i = 0; i < fx->event_count; i++) {
        if (!fx->events[i].durable) {
            tell_event(d, &fx->events[i], 0);
        }
    }
    if (!needs_commit(fx)) {
        gm_effects_fini(fx);
        if (fn != NULL) {
            fn(0, NULL, arg);
        }
        return 0;
    }
    gm_hooks_fill(d->hooks, fx, gm_commit_next_event(d->commit));
    struct gm_commit_entry entry = {.effects = *fx, .answer = fn, .answer_arg = arg};
    return commit(d, &entry, err);
}

int gm_daemon_step(struct gm_daemon *d, const struct gm_event *event, gm_daemon_answer_fn fn,
                   void *arg, struct gm_err *err)
{
    struct gm_effects fx = {0};
    struct gm_event stamped = *event;
    if (d->failure < 0) {
        return gm_err_set(err, d->error.code, d->error.native, "%s", d->error.text);
    }
    stamped.unix_ms = gm_time_unix_ms();
    bool begins = event->type == GM_EV_SUBMIT || event->type == GM_EV_REOPEN;
    int rc = begins && event->submit != NULL ? gm_takedown_check(d, event->submit, err) : 0;
    rc = rc < 0 ? rc : gm_core_step(d->core, &stamped, gm_time_now(), &fx, err);
    if (rc < 0) {
        gm_effects_fini(&fx);
        return rc;
    }
#ifndef NDEBUG
    struct gm_err broken = {0};
    if (gm_core_check(d->core, &broken) < 0) {
        gm_effects_fini(&fx);
        gm_daemon_fail(d, &broken);
        return gm_err_set(err, GM_E_BUG, 0, "%s", broken.text);
    }
#endif
    return apply(d, &stamped, &fx, fn, arg, err);
}

int gm_daemon_settle(struct gm_daemon *d, gm_daemon_answer_fn fn, void *arg, struct gm_err *err)
{
    struct gm_commit_entry entry = {.answer = fn, .answer_arg = arg};
    if (d->failure == 0 && gm_commit_is_idle(d->commit)) {
        fn(0, NULL, arg);
        return 0;
    }
    return commit(d, &entry, err);
}

bool gm_daemon_is_ending(const struct gm_daemon *d, const char *job_id)
{
    enum gm_job_state state;
    return gm_view_job_state(d->core, job_id, &state) && gm_job_state_is_final(state) &&
           gm_commit_has_end(d->commit, job_id);
}

int gm_daemon_check_lead(const struct gm_daemon *d, struct gm_err *err)
{
    return d->failure == 0 ? 0
                           : gm_err_set(err, GM_E_NOT_LEADER, d->error.native,
                                        "this scheduler leads no more: %.180s", d->error.text);
}

void gm_daemon_tell(struct gm_daemon *d, const struct gm_event *event)
{
    struct gm_err err = {0};
    if (gm_daemon_step(d, event, NULL, NULL, &err) < 0 && d->failure == 0) {
        gm_log_err(err.code == GM_E_NOTFOUND ? GM_LOG_DEBUG : GM_LOG_ERROR, "step_failed", &err,
                   "event=%d node=%s job=%s", (int)event->type,
                   event->node_id != NULL ? event->node_id : "-",
                   event->job_id != NULL ? event->job_id : "-");
    }
}

/* ---- work on the pool */

struct work {
    uv_work_t req;
    struct gm_daemon *d;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void on_work(uv_work_t *req)
{
    struct work *w = req->data;
    w->work(w->arg);
}

static void on_work_done(uv_work_t *req, int status)
{
    struct work *w = req->data;
    (void)status; /* nothing is cancelled */
    w->d->works--;
    w->done(w->arg);
    free(w);
}

int gm_daemon_work(struct gm_daemon *d, void (*work)(void *arg), void (*done)(void *arg), void *arg,
                   struct gm_err *err)
{
    if (d->closing) {
        return gm_err_set(err, GM_E_BUSY, 0, "the scheduler is stopping");
    }
    struct work *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    *w = (struct work){.d = d, .work = work, .done = done, .arg = arg};
    w->req.data = w;
    int rc = uv_queue_work(&d->loop, &w->req, on_work, on_work_done);
    if (rc != 0) {
        free(w);
        return gm_err_uv(err, rc, "could not queue work");
    }
    d->works++;
    return 0;
}

/* ---- life */

static void on_tick(uv_timer_t *timer)
{
    struct gm_daemon *d = timer->data;
    struct gm_event event = {.type = GM_EV_TICK};
    gm_lag_tick(&d->lag, gm_time_now(), TICK_MS * GM_MS);
    gm_wire_tick(d);
    gm_daemon_tell(d, &event);
    gm_upload_desk_tick(d->uploads, gm_time_now());
    gm_upload_arrivals_tick(d, gm_time_now());
    gm_commit_tick(d->commit);
    gm_retire_tick(d);
    gm_assets_tick(d);
    gm_takedown_tick(d);
    gm_sweep_tick(d);
    gm_early_tick(d);
    gm_early_after_tick(d);
    gm_hooks_tick(d->hooks);
    gm_pub_tick(d->pub, gm_time_now(), gm_time_unix_ms());
    gm_http_tick(d->http);
}

/* Of those that were told to stop. */
static void on_stop_time(uv_timer_t *timer)
{
    struct gm_daemon *d = timer->data;
    gm_stores_stop(d->stores);
}

static void on_stop(uv_async_t *async)
{
    struct gm_daemon *d = async->data;
    if (!d->stopping) {
        struct gm_event event = {.type = GM_EV_STOP};
        d->stopping = true;
        gm_daemon_tell(d, &event);
        gm_http_stop(d->http);
        uv_stop(&d->loop);
    }
    d->hurried = atomic_load(&d->told) > 1;
    if (d->hurried) {
        gm_stores_stop(d->stores);
    }
}

void gm_daemon_stop(struct gm_daemon *d)
{
    (void)atomic_fetch_add(&d->told, 1);
    (void)uv_async_send(&d->stop);
}

void gm_daemon_reload(struct gm_daemon *d)
{
    struct gm_err err = {0};
    gm_wire_reload(d);
    if (gm_stores_reload(d->stores, &err) < 0) {
        gm_log_err(GM_LOG_ERROR, "store_keys_not_read", &err, "kept=old");
    }
    gm_hooks_reload(d->hooks);
}

static int load_row(const struct gm_key *key, const void *data, size_t size, void *arg,
                    struct gm_err *err)
{
    struct gm_daemon *d = arg;
    if (key->kind == GM_ROW_NODE && gm_asset_job(key->name) != NULL) {
        gm_takedown_load(d, data, size);
        return gm_assets_load(&d->assets, key, data, size, err);
    }
    if (gm_stored_pipelines_is(key)) {
        gm_stored_pipelines_load(d->pipelines, key, data, size);
        return 0;
    }
    int rc = 0;
    return gm_hooks_load(d->hooks, key, data, size, &rc, err)
               ? rc
               : gm_core_load(d->core, key, data, size, err);
}

/* Whether a job may have a place that is no folder. */
static bool knows_servers(const struct gm_settings *settings)
{
    bool knows = settings->storage != NULL && settings->storage[0] != NULL;
    for (char **s = settings->allow_sources; s != NULL && *s != NULL; s++) {
        knows = knows || gm_s3_url_is_http(*s);
    }
    return knows;
}

static int open_core(struct gm_daemon *d, struct gm_err *err)
{
    d->term = gm_state_term(d->state);
    uint32_t last_lease_ms = 0;
    int rc = gm_state_lease(d->state, (uint32_t)d->settings->lease_ms, &last_lease_ms, err);
    if (rc < 0) {
        return rc;
    }
    if (last_lease_ms > 0 && gm_state_is_shared(d->settings->state)) {
        last_lease_ms += (uint32_t)d->settings->takeover_ms; /* it may have answered for so long */
    }
    struct gm_core_params params = {.term = d->term,
                                    .lease_ms = (uint32_t)d->settings->lease_ms,
                                    .last_lease_ms = last_lease_ms,
                                    .heartbeat_ms = (uint32_t)d->settings->heartbeat_ms,
                                    .stall_ms = (uint32_t)d->settings->stall_ms,
                                    .device_wait_ms = (uint32_t)d->settings->device_wait_ms,
                                    .preempt_ms = (uint32_t)d->settings->preempt_ms,
                                    .max_jobs = (uint32_t)d->settings->max_jobs,
                                    .backup_retry_s = (uint32_t)d->settings->backup_retry_s,
                                    .keep_finished = (uint32_t)d->settings->keep_jobs,
                                    .keep_failed_ms = (uint32_t)d->settings->keep_failed_ms,
                                    .part_wait_ms = (uint32_t)d->settings->part_wait_ms,
                                    .loaded_unix_ms = gm_time_unix_ms(),
                                    .max_attempts = (uint32_t)d->settings->max_attempts,
                                    .retry_ms = (uint32_t)d->settings->retry_ms,
                                    .urls = knows_servers(d->settings),
                                    .work_is_remote = gm_access_is_remote(d->settings->work_store),
                                    .parts = d->settings->uploads[0] != '\0',
                                    .tenants = d->settings->tenant_list,
                                    .tenant_count = d->settings->tenant_count};
    rc = gm_shelf_open(d->settings->state, &d->shelf, err);
    if (rc < 0) {
        return rc;
    }
    params.shelf = gm_shelf_ops(d->shelf);
    rc = gm_core_create(&params, &d->core, err);
    if (rc == 0) {
        rc = gm_hooks_create(d, &d->hooks, err);
    }
    if (rc == 0) {
        rc = gm_stored_pipelines_create(&d->pipelines, err);
    }
    if (rc == 0) {
        rc = gm_state_load(d->state, load_row, d, err);
    }
    return rc;
}

static int open_loop(struct gm_daemon *d, struct gm_err *err)
{
    int rc = uv_loop_init(&d->loop);
    if (rc != 0) {
        return gm_err_uv(err, rc, "could not make the event loop");
    }
    d->has_loop = true;
    rc = gm_pool_start(&d->loop, err);
    if (rc < 0) {
        return rc;
    }
    rc = uv_timer_init(&d->loop, &d->tick);
    if (rc == 0) {
        d->tick.data = d;
        d->handles++;
        rc = uv_async_init(&d->loop, &d->stop, on_stop);
    }
    if (rc == 0) {
        d->stop.data = d;
        d->handles++;
        return 0;
    }
    return gm_err_uv(err, rc, "could not set up the event loop");
}

static int open_stores(struct gm_daemon *d, struct gm_err *err)
{
    struct gm_store *work = NULL;
    bool made = false;
    struct gm_grant_key key = {{0}};
    int rc = gm_access_grant_key(d->settings->grant_key_file, &key, &made, err);
    if (rc == 0 && made) {
        gm_log(GM_LOG_INFO, "grant_key_made", "file=%s", d->settings->grant_key_file);
    }
    if (rc == 0) {
        rc = gm_grant_signer_create(&key, &d->signer, err);
    }
    explicit_bzero(&key, sizeof key);
    if (rc == 0) {
        rc = gm_stores_create(d->settings->storage, &d->stores, err);
    }
    if (rc == 0) { /* each submit reads its mark, or tries it */
        rc = gm_err_wrap(err, gm_stores_open(d->stores, d->settings->work_store, true, &work, err),
                         "work_store: ");
    }
    gm_store_close(&work);
    return rc;
}

/* Recovered work goes on: what the core wants to do first, with everything open. */
static int start_core(struct gm_daemon *d, struct gm_err *err)
{
    struct gm_effects fx = {0};
    GM_CRASH("start.loaded");
    int rc = gm_core_loaded(d->core, gm_time_now(), &fx, err);
    if (rc < 0) {
        gm_effects_fini(&fx);
        return rc;
    }
    return apply(d, NULL, &fx, NULL, NULL, err);
}

int gm_daemon_create(const struct gm_settings *settings, struct gm_daemon **out, struct gm_err *err)
{
    struct gm_state *state = NULL;
    struct gm_door *door = NULL;
    bool leads = false;
    int rc = gm_door_open(settings, &door, err);
    if (rc == 0) {
        rc = gm_state_open(settings->state, &state, err);
    }
    if (rc == 0) {
        rc = gm_state_lead(state, settings->takeover_ms * GM_MS, &leads, err);
    }
    if (rc == 0 && !leads) {
        rc = gm_err_set(err, GM_E_NOT_LEADER, 0, "another scheduler leads");
    }
    if (rc < 0) {
        gm_state_close(&state);
    } else {
        rc = gm_daemon_create_with(settings, door, state, out, err);
    }
    if (rc < 0) {
        gm_door_close(&door);
        return rc;
    }
    (*out)->door = door;
    return 0;
}

int gm_daemon_create_with(const struct gm_settings *settings, const struct gm_door *door,
                          struct gm_state *state, struct gm_daemon **out, struct gm_err *err)
{
    struct gm_daemon *d = calloc(1, sizeof *d);
    if (d == NULL) {
        gm_state_close(&state);
        return gm_err_nomem(err);
    }
    d->settings = settings;
    d->state = state;
    d->started_unix_ms = gm_time_unix_ms();
    int rc = open_loop(d, err);
    if (rc == 0) {
        rc = open_core(d, err);
    }
    if (rc == 0) {
        rc = open_stores(d, err);
    }
    if (rc == 0) {
        rc = gm_commit_start(&d->loop, d->state, on_durable, d, &d->commit, err);
    }
    if (rc == 0) {
        rc = gm_upload_desk_create(d, &d->uploads, err);
    }
    if (rc == 0) {
        rc = gm_wire_open(d, err);
    }
    if (rc == 0) {
        rc = gm_http_open(d, settings->http, door, &d->http, err);
    }
    if (rc == 0) {
        rc = start_core(d, err);
    }
    if (rc == 0) {
        gm_retire_start(d);
        gm_early_after_start(d);
        rc = gm_assets_start(d, err);
    }
    if (rc == 0 && (rc = uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS)) != 0) {
        rc = gm_err_uv(err, rc, "could not start the clock");
    }
    if (rc < 0) {
        gm_daemon_destroy(&d);
        return rc;
    }
    *out = d;
    return 0;
}

int gm_daemon_run(struct gm_daemon *d, struct gm_err *err)
{
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    /* Clean-ups that wait for leases start when those end: who stops for good starts none later. */
    int64_t wait_ms = d->settings->lease_ms < STOP_MS ? d->settings->lease_ms : STOP_MS;
    gm_time deadline = gm_time_now() + GM_SEC / 1000 * wait_ms;
    while (d->failure == 0 && !d->hurried && gm_view_cleanup_waits(d->core) &&
           gm_time_now() < deadline) {
        (void)uv_run(&d->loop, UV_RUN_ONCE);
    }
    if (d->failure < 0) { /* nodes look for another scheduler, whatever hangs here */
        gm_wire_close(d);
    }
    gm_wire_deafen(d);
    /* Requests that wait for the pool or the disk get their answers; servers have until then. */
    (void)uv_timer_stop(&d->tick);
    uv_update_time(&d->loop);
    gm_time left = (deadline - gm_time_now()) / GM_MS;
    (void)uv_timer_start(&d->tick, on_stop_time, left > 0 ? (uint64_t)left : 0, 0);
    gm_commit_flush(d->commit);
    while (d->works > 0 || (!gm_commit_is_idle(d->commit) && d->failure == 0)) {
        (void)uv_run(&d->loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&d->tick);
    if (d->failure < 0) {
        return gm_err_set(err, d->error.code, d->error.native, "%s", d->error.text);
    }
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct gm_daemon *d = handle->data;
    d->handles--;
}

void gm_daemon_destroy(struct gm_daemon **daemon)
{
    struct gm_daemon *d = *daemon;
    if (d == NULL) {
        return;
    }
    d->stopping = true;
    d->closing = true;
    gm_hooks_destroy(&d->hooks);
    gm_commit_stop(&d->commit);
    gm_http_close(&d->http);
    gm_hold_fini(&d->hold);
    gm_retire_fini(&d->retire);
    gm_backups_fini(&d->backups);
    gm_takedowns_fini(&d->takedowns);
    gm_assets_fini(&d->assets);
    gm_sweep_fini(&d->sweep);
    gm_earlies_fini(&d->earlies);
    gm_early_after_fini(&d->after);
    gm_wire_close(d);
    if (d->handles > 0) {
        uv_close((uv_handle_t *)&d->tick, on_closed);
    }
    if (d->handles > 1) {
        uv_close((uv_handle_t *)&d->stop, on_closed);
    }
    if (d->has_loop) {
        (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* close callbacks */
        (void)uv_loop_close(&d->loop);
    }
    gm_upload_desk_destroy(&d->uploads);
    gm_urls_fini(d);
    gm_remote_urls_fini(d);
    gm_stored_pipelines_destroy(&d->pipelines);
    gm_core_destroy(&d->core);
    gm_shelf_close(&d->shelf);
    gm_state_close(&d->state);
    gm_grant_signer_destroy(&d->signer);
    gm_stores_destroy(&d->stores);
    gm_door_close(&d->door);
    free(d);
    *daemon = NULL;
}

const char *gm_daemon_http(const struct gm_daemon *d)
{
    return gm_http_address(d->http);
}

const char *gm_daemon_listen(const struct gm_daemon *d)
{
    return d->listen;
}

bool gm_daemon_is_full(const struct gm_daemon *d, uint32_t *retry_s)
{
    *retry_s = gm_commit_wait_s(d->commit);
    return gm_commit_backlog(d->commit) > GM_DAEMON_FULL_BYTES;
}

bool gm_daemon_has_no_room(const struct gm_daemon *d)
{
    return gm_commit_is_full(d->commit);
}

uint32_t gm_daemon_job_wait_s(const struct gm_daemon *d)
{
    return gm_gap_wait_s(&d->gap, gm_time_now());
}

const struct gm_core *gm_daemon_core(const struct gm_daemon *d)
{
    return d->core;
}

const char *gm_daemon_node_key(const struct gm_daemon *d, const char *node_id,
                               int64_t *until_unix_ms)
{
    return gm_peers_key(d->peers, node_id, until_unix_ms);
}

const struct gm_settings *gm_daemon_settings(const struct gm_daemon *d)
{
    return d->settings;
}

struct gm_stores *gm_daemon_stores(const struct gm_daemon *d)
{
    return d->stores;
}

struct gm_state *gm_daemon_state(struct gm_daemon *d)
{
    return d->state;
}

const struct gm_lag *gm_daemon_lag(const struct gm_daemon *d)
{
    return &d->lag;
}

const struct gm_commit *gm_daemon_commit(const struct gm_daemon *d)
{
    return d->commit;
}

int64_t gm_daemon_started_unix_ms(const struct gm_daemon *d)
{
    return d->started_unix_ms;
}

struct gm_upload_desk *gm_daemon_uploads(const struct gm_daemon *d)
{
    return d->uploads;
}

struct gm_catalogue *gm_daemon_catalogue(struct gm_daemon *d)
{
    return d->assets.ready ? &d->assets.table : NULL;
}

int gm_daemon_take_down(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn, void *arg,
                        struct gm_err *err)
{
    return gm_takedown_ask(d, job_id, fn, arg, err);
}

int gm_daemon_give_up_takedown(struct gm_daemon *d, const char *job_id, gm_daemon_answer_fn fn,
                               void *arg, struct gm_err *err)
{
    return gm_takedown_give_up(d, job_id, fn, arg, err);
}

struct gm_stored_pipelines *gm_daemon_pipelines(const struct gm_daemon *d)
{
    return d->pipelines;
}

struct gm_hooks *gm_daemon_hooks(struct gm_daemon *d)
{
    return d->hooks;
}

uv_loop_t *gm_daemon_loop(struct gm_daemon *d)
{
    return &d->loop;
}

int gm_daemon_check_source(const struct gm_daemon *d, const char *source_url, struct gm_err *err)
{
    char *root = NULL;
    char *key = NULL;
    char *url = NULL;
    if (gm_access_is_remote(source_url)) {
        return 0; /* it was asked for */
    }
    int rc = gm_access_split(source_url, &root, &key, err);
    if (rc == 0) {
        rc = gm_grant_read(root, key, gm_time_unix_ms(), d->signer, &url, err);
    }
    free(root);
    free(key);
    free(url);
    return rc;
}
