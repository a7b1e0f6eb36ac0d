/* Jobs whose playlists grow while they work: what is told of them, and what they may have written
 * in their name. The core itself writes nothing. */
#include "scheduler/core/early.h"

#include <string.h>

#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"
#include "scheduler/core/view.h"
#include "scheduler/core/view_early.h"

static bool is_early(const struct gm_cjob *job)
{
    return job->pipeline->early && !job->plan_only &&
           (job->state == GM_JOB_QUEUED || job->state == GM_JOB_RUNNING);
}

static const struct gm_ctask *find_task(const struct gm_cjob *job, const char *type)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (strcmp(job->tasks[t].type->name, type) == 0) {
            return &job->tasks[t];
        }
    }
    return NULL;
}

static bool is_open(const struct gm_cjob *job)
{
    const struct gm_ctask *package = find_task(job, "package");
    return is_early(job) && gm_core_task_is_done(job->plan) && job->publication[0] != '\0' &&
           package && package->inst_count == 1 && package->insts[0].unit.state == GM_TASK_BLOCKED;
}

void gm_core_early_grown(struct gm_core *core, const struct gm_cjob *job)
{
    if (is_early(job)) {
        gm_core_fx_grown(core, job);
    }
}

static bool is_playlist(const char *key)
{
    size_t length = strlen(key);
    return length > 5 && strcmp(key + length - 5, ".m3u8") == 0;
}

/* Of the same job asked for twice, one writes them: who asked for them first, before a `package`
 * did. */
static int check_claim(const struct gm_core *core, const struct gm_cjob *job, const char *key,
                       struct gm_err *err)
{
    const struct gm_cjob *other = is_playlist(key) ? gm_core_output_maker(core, job, key) : NULL;
    return other ? gm_err_set(err, GM_E_CONFLICT, 0, "job %.64s, of the same result, writes it",
                              other->id)
                 : 0;
}

int gm_core_early_begin(struct gm_core *core, struct gm_cjob *job, const struct gm_event *event,
                        struct gm_err *err)
{
    if (!is_open(job) || strcmp(job->publication, event->publication) != 0) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "job %s does not publish that early", job->id);
    }
    for (size_t i = 0; i < event->key_count; i++) {
        Gm__Object object = GM__OBJECT__INIT;
        object.store = GM__OBJECT_STORE__STORE_OUT;
        object.key = (char *)(uintptr_t)event->keys[i];
        if (!gm_core_object_is_below(&object, job->publication)) {
            return gm_err_set(err, GM_E_INVAL, 0, "%.100s is not below the publication",
                              event->keys[i]);
        }
        int rc = check_claim(core, job, event->keys[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    gm_core_fx_grown(core, job);
    for (size_t i = 0; i < event->key_count; i++) {
        Gm__Object object = GM__OBJECT__INIT;
        object.store = GM__OBJECT_STORE__STORE_OUT;
        object.key = (char *)(uintptr_t)event->keys[i];
        if (!gm_core_granted_find(job, object.store, object.key)) {
            gm_core_granted_set(job, &object);
            gm_core_row_object(core, job, &object);
        }
    }
    return 0;
}

static struct gm_cjob *find_early(const struct gm_core *core, const char *job_id)
{
    struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    return job && is_early(job) ? job : NULL;
}

bool gm_view_early(const struct gm_core *core, const char *job_id, struct gm_early_view *out)
{
    const struct gm_cjob *job = find_early(core, job_id);
    if (job) {
        *out = (struct gm_early_view){.open = is_open(job), .publication = job->publication};
    }
    return job != NULL;
}

const char *gm_view_next_early_end(const struct gm_core *core, const char *after)
{
    const char *id = gm_view_next_job(core, after, true);
    const struct gm_cjob *job = NULL;
    if (id) {
        HASH_FIND_STR(core->jobs, id, job);
    }
    while (job && (!job->pipeline->early || job->plan_only || job->cleanup_pending ||
                   (job->state != GM_JOB_FAILED && job->state != GM_JOB_CANCELLED))) {
        job = job->hh.prev;
    }
    return job ? job->id : NULL;
}

int gm_view_early_items(const struct gm_core *core, const char *job_id, const char *type,
                        uint32_t instance, size_t from, size_t most,
                        int (*fn)(const Gm__Item *item, void *arg, struct gm_err *err), void *arg,
                        struct gm_early_feed *out, struct gm_err *err)
{
    const struct gm_cjob *job = find_early(core, job_id);
    const struct gm_ctask *task = job ? find_task(job, type) : NULL;
    if (!task || instance >= task->inst_count) {
        return gm_err_set(err, GM_E_NOTFOUND, instance, "there is no `%s` %u of an early job", type,
                          instance);
    }
    const struct gm_inst *inst = &task->insts[instance];
    const struct gm_stream *stream = gm_core_inst_stream(inst, 0);
    size_t committed = stream ? stream->committed : 0;
    if (committed < from) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "`%s` %u has begun anew", type, instance);
    }
    int rc = 0;
    for (size_t i = from; rc == 0 && i < committed && i - from < most; i++) {
        Gm__Item *item = gm_core_stream_item(stream, i);
        rc = fn(item, arg, err);
        gm__item__free_unpacked(item, NULL);
    }
    if (rc == 0) {
        *out = (struct gm_early_feed){.committed = committed,
                                      .done = inst->unit.state == GM_TASK_DONE};
    }
    return rc;
}
