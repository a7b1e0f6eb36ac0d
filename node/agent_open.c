/* Objects that a worker asks for. A grant is opened on the thread pool: "file:" descriptors go to
 * the worker as they are; what comes by URL is looked for in the content cache, and fetched into it
 * (agent_fetch.c). Failures of the store are tried again with growing pauses, then told to the
 * worker, whose task fails with them. A grant whose time seems over is looked at again when the
 * scheduler has told its clock: it can't be asked for anew but with another attempt. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "common/log.h"
#include "node/agent_state.h"
#include "node/cache.h"
#include "proto/envelope.h"
#include "storage/s3/url.h"

#define TRIES_MAX 5
#define GRANT_LIFE (55 * 60 * GM_SEC) /* grants of an Assign or Feed are good for an hour */

struct gm_open {
    struct gm_open *next;
    struct gm_agent *agent;     /* borrowed */
    struct gm_agent_slot *slot; /* who asked; NULL: nobody waits any more */
    struct gm_task *task;       /* holds a ref */
    Gm__WOpen ask;
    const Gm__Object *object; /* borrowed from the task */
    bool source;
    struct gm_job job;
    struct gm_fetch *fetch; /* owned: it comes by URL */
    uint32_t tries;
    uint32_t late_grants; /* times that the grant's time was over */
    gm_time not_before;
    int fd; /* owned; what run_open found */
    uint64_t size;
    uint64_t changed; /* ns since 1970; of a file */
    struct gm_err err;
};

static bool is_file_url(const char *url)
{
    return strncmp(url, "file:", 5) == 0;
}

static int open_cached(struct gm_open *open)
{
    const Gm__Object *object = open->object;
    if (object->sha256.len != GM_SHA256_SIZE) {
        return gm_err_set(&open->err, GM_E_BUG, 0, "a grant by URL is for what has no hash");
    }
    open->size = object->size;
    return gm_cache_find(open->agent->params.cache, object->sha256.data, &open->fd, &open->err);
}

static int open_grant(struct gm_open *open)
{
    if (gm_s3_url_is_http(open->object->url)) {
        return open_cached(open);
    }
    int rc = gm_grant_open(open->object->url, &open->agent->params.grant_key,
                           gm_clock_unix_ms(open->agent), &open->fd, &open->size, &open->err);
    if (rc < 0) {
        gm_clock_explain(open->agent, &open->err);
    }
    return rc;
}

/* Stores keep times as finely as they can: in ns, in 100 ns, in seconds. */
static bool same_time(uint64_t a, uint64_t b)
{
    const uint64_t second = GM_SEC;
    bool coarse = a % second == 0 || b % second == 0;
    return coarse ? a / second == b / second : a / 1000 == b / 1000;
}

/* A source is what it was when the job was submitted. */
static int check_source(struct gm_open *open)
{
    struct stat st;
    if (fstat(open->fd, &st) < 0) {
        return gm_err_set(&open->err, GM_E_STORE, errno, "could not look at the source");
    }
    open->changed = gm_fs_changed_ns(&st);
    if (open->object->version != 0 && !same_time(open->changed, open->object->version)) {
        return gm_err_set(&open->err, GM_E_INPUT_CHANGED, 0,
                          "the source was written to after the job was submitted");
    }
    return 0;
}

/* Bodies of the store itself; what comes through the cache is hashed on its way there. */
static int check_body(struct gm_open *open)
{
    uint8_t hash[GM_SHA256_SIZE];
    uint64_t size;
    int rc = gm_sha256_fd(open->fd, hash, &size, &open->err);
    if (rc == -GM_E_SYS) {
        open->err.code = GM_E_STORE;
    }
    if (rc == 0 && memcmp(hash, open->object->sha256.data, sizeof(hash)) != 0) {
        rc = gm_err_set(&open->err, GM_E_STORE_CORRUPT, 0,
                        "`%.120s` is not what was written: its hash differs", open->object->key);
    }
    return rc;
}

/* What the store does not find was there before: the user's file, or an object of ours. */
static void name_missing(struct gm_open *open)
{
    if (open->err.code == GM_E_NOTFOUND) {
        open->err.code = open->source ? GM_E_INPUT_MISSING : GM_E_STORE_CORRUPT;
    }
}

static void run_open(void *arg)
{
    struct gm_open *open = arg;
    memset(&open->err, 0, sizeof(open->err));
    open->fd = -1;
    int rc = open_grant(open);
    name_missing(open);
    if (rc == 0 && open->object->size != 0 && open->size != open->object->size) {
        rc = gm_err_set(&open->err, open->source ? GM_E_INPUT_CHANGED : GM_E_STORE_CORRUPT, 0,
                        "`%.120s` has %" PRIu64 " bytes, not %" PRIu64, open->object->key,
                        open->size, open->object->size);
    }
    bool is_file = is_file_url(open->object->url);
    if (rc == 0 && is_file && open->source) {
        rc = check_source(open);
    } else if (rc == 0 && is_file && open->object->sha256.len == GM_SHA256_SIZE) {
        rc = check_body(open);
    }
    if (rc < 0 && open->fd >= 0) {
        close(open->fd);
        open->fd = -1;
    }
}

static void free_open(struct gm_open *open)
{
    for (struct gm_open **at = &open->agent->opens; *at != NULL; at = &(*at)->next) {
        if (*at == open) {
            *at = open->next;
            break;
        }
    }
    gm_agent_close_file(open->agent, open->fd);
    struct gm_task *task = open->task;
    free(open);
    gm_task_unref(task);
}

static const char *last_part(const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash == NULL ? key : slash + 1;
    return gm_is_file_name(name) ? name : "object";
}

void gm_open_reply(struct gm_agent_slot *slot, const Gm__WOpen *ask, const char *name, int fd,
                   const struct gm_err *failure)
{
    Gm__Error error;
    Gm__WInput input = GM__WINPUT__INIT;
    input.index = ask->index;
    if (ask->kind == GM__WOBJECT__WOBJECT_SOURCE) {
        input.index = 2000000;
    } else if (ask->kind == GM__WOBJECT__WOBJECT_RESULT) {
        input.index = 1000000 + ask->index;
    }
    input.name = (char *)(uintptr_t)name;
    if (failure != NULL) {
        gm_err_to_msg(failure, &error);
        input.error = &error;
    }
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_INPUT;
    msg.input = &input;
    struct gm_err err;
    if (gm_slot_send(slot->process, &msg, fd, &err) < 0) {
        gm_slot_kill(slot->process, &err);
    }
}

/* It failed so that it may pass: it will be tried when open->not_before says. */
static bool try_later(struct gm_open *open)
{
    if (gm_clock_is_late(&open->err) && open->late_grants < TRIES_MAX) {
        gm_log_err(GM_LOG_WARN, "grant-too-old", &open->err, "job=%s task=%s",
                   open->task->spec->job_id, open->task->spec->task);
        open->agent->renew_due = 0;
        open->not_before = gm_time_now() + gm_agent_backoff(open->late_grants++);
        return true;
    }
    if (open->err.code != GM_OK && gm_code_get((int)open->err.code)->retry == GM_RETRY_SAME_NODE &&
        open->tries < TRIES_MAX) {
        open->not_before = gm_time_now() + gm_agent_backoff(open->tries++);
        return true;
    }
    return false;
}

static void end_open(struct gm_open *open)
{
    if (try_later(open)) {
        return;
    }
    bool known = open->agent->clock != 0; /* else this machine's may be wrong */
    if (gm_clock_is_late(&open->err) &&
        (known || gm_time_now() - open->task->assigned > GRANT_LIFE)) {
        open->err.code = GM_E_TIMEOUT; /* the next attempt gets fresh grants */
    }
    if (open->source && open->fd >= 0 && open->task->source_fd < 0) {
        open->task->source_fd = fcntl(open->fd, F_DUPFD_CLOEXEC, 0);
        open->task->source_changed = open->changed;
    }
    int fd = open->fd;
    open->fd = -1;
    if (fd >= 0) {
        open->task->bytes_in += open->size;
        open->agent->counts.read_bytes += open->size;
    }
    gm_task_alive(open->task);
    gm_open_reply(open->slot, &open->ask, open->source ? "source" : last_part(open->object->key),
                  fd, fd < 0 ? &open->err : NULL);
    free_open(open);
}

static void on_fetched(int fd, const struct gm_err *err, void *arg)
{
    struct gm_open *open = arg;
    open->fetch = NULL;
    gm_busy_end(&open->task->fetching, gm_time_now());
    open->fd = fd;
    open->err = *err;
    open->agent->counts.fetched_bytes += fd >= 0 ? open->size : 0;
    name_missing(open);
    end_open(open);
}

/* It is not in the cache. */
static void fetch(struct gm_open *open)
{
    if (gm_fetch_start(open->task, open->object, on_fetched, open, &open->fetch, &open->err) < 0) {
        end_open(open);
    } else {
        gm_busy_begin(&open->task->fetching, gm_time_now());
    }
}

static void after_open(void *arg)
{
    struct gm_open *open = arg;
    if (open->slot == NULL) {
        free_open(open);
    } else if (open->fd < 0 && open->err.code == GM_OK) {
        open->agent->counts.cache_misses++;
        fetch(open);
    } else {
        bool cached = open->fd >= 0 && gm_s3_url_is_http(open->object->url);
        open->agent->counts.cache_hits += cached ? 1 : 0;
        end_open(open);
    }
}

/* The worker waits, and says every second that it lives. The verifier's end fails its item. */
static void late_open(void *arg, struct gm_err *why)
{
    struct gm_open *open = arg;
    struct gm_agent_slot *slot = open->slot;
    if (slot == NULL) {
        return;
    }
    GM_IGNORE(gm_err_wrap(why, -(int)why->code, "could not open `%.100s`: ", open->object->key),
              "the text is what it is for");
    if (slot->task == open->task) {
        gm_task_fail(open->task, why, -1);
    } else {
        gm_slot_kill(slot->process, why);
        gm_open_forget(open->agent, slot);
    }
}

static void start_job(struct gm_open *open)
{
    open->not_before = 0;
    open->job = (struct gm_job){.run = run_open,
                                .after = after_open,
                                .on_late = late_open,
                                .arg = open,
                                .task = open->task};
    gm_job_start(open->agent, &open->job);
}

/* What the ask names; NULL: nothing. */
static const Gm__Object *find_object(const struct gm_task *task, const Gm__WOpen *ask)
{
    switch (ask->kind) {
    case GM__WOBJECT__WOBJECT_SOURCE:
        return task->spec->source;
    case GM__WOBJECT__WOBJECT_INPUT:
        if (ask->index < task->inputs.count) {
            const Gm__Item *item = task->inputs.list[ask->index]->item;
            return ask->object < item->n_objects ? item->objects[ask->object] : NULL;
        }
        return NULL;
    case GM__WOBJECT__WOBJECT_RESULT:
        if (ask->index < task->spec->n_results) {
            const Gm__TaskResult *result = task->spec->results[ask->index];
            return ask->object < result->n_objects ? result->objects[ask->object] : NULL;
        }
        return NULL;
    default:
        return NULL;
    }
}

void gm_open_start(struct gm_task *task, struct gm_agent_slot *slot, const Gm__WOpen *ask)
{
    struct gm_agent *agent = task->agent;
    struct gm_err err;
    const Gm__Object *object = find_object(task, ask);
    if (gm_agent_window_is_for(ask, object) && slot->index < agent->slot_count) {
        gm_agent_window_open(slot, object);
        return;
    }
    for (const struct gm_open *o = agent->opens; o != NULL; o = o->next) {
        if (o->slot == slot) { /* one at a time is the rule */
            gm_err_set(&err, GM_E_BUG, 0, "the worker asked for two objects at once");
            gm_slot_kill(slot->process, &err);
            return;
        }
    }
    struct gm_open *open = object == NULL ? NULL : calloc(1, sizeof(*open));
    if (open == NULL) {
        if (object == NULL) {
            gm_err_set(&err, GM_E_NOTFOUND, ask->index, "the worker asked for what there is not");
        } else {
            gm_err_nomem(&err);
        }
        gm_open_reply(slot, ask, "object", -1, &err);
        return;
    }
    open->agent = agent;
    open->slot = slot;
    open->task = task;
    task->refs++;
    open->ask = *ask;
    open->object = object;
    open->source = ask->kind == GM__WOBJECT__WOBJECT_SOURCE;
    open->fd = -1;
    open->next = agent->opens;
    agent->opens = open;
    start_job(open);
}

void gm_open_forget(struct gm_agent *agent, const struct gm_agent_slot *slot)
{
    struct gm_open *next = NULL;
    gm_agent_window_forget(agent, slot);
    for (struct gm_open *open = agent->opens; open != NULL; open = next) {
        next = open->next;
        if (open->slot == slot) {
            open->slot = NULL;
            if (open->fetch != NULL) {
                gm_fetch_cancel(&open->fetch);
                gm_busy_end(&open->task->fetching, gm_time_now());
            }
            if (open->job.queued) {
                gm_job_cancel(&open->job);
            } else {
                free_open(open);
            }
        }
    }
}

void gm_open_tick(struct gm_agent *agent, gm_time now)
{
    for (struct gm_open *open = agent->opens; open != NULL; open = open->next) {
        if (!open->job.queued && open->fetch == NULL && open->not_before != 0 &&
            now >= open->not_before) {
            start_job(open);
        }
    }
}

bool gm_open_source_changed(int fd, uint64_t opened)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && gm_fs_changed_ns(&st) != opened;
}
