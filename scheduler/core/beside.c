/* Jobs that write to one destination: whose an output is where several have one publication.
 *
 * A job whose backup lies there, or is to, counts as one that writes there.
 * One that is unfinished may come to need whatever lies below its publication. One that has ended,
 * and whose outputs stay, keeps what its committed items and results name, and nothing else. See:
 * docs/adr/0002-publication-is-named-by-the-plan.md.
 */
#include <string.h>

#include "scheduler/core/backup.h"
#include "scheduler/core/job.h"
#include "scheduler/core/node.h"
#include "scheduler/core/reopen.h"
#include "scheduler/core/view.h"

static bool is_below(const char *key, const char *publication)
{
    size_t n = strlen(publication);
    return n > 0 && strncmp(key, "v/", 2) == 0 && strncmp(key + 2, publication, n) == 0 &&
           key[2 + n] == '/';
}

/* It writes outputs, or has them. */
static bool lives(const struct gm_cjob *job)
{
    bool failed = job->state == GM_JOB_FAILED || job->state == GM_JOB_CANCELLED;
    return !job->plan_only && !job->removed &&
           (!failed || job->publish_tried || gm_core_job_is_kept(job));
}

static bool backs_up_to(const struct gm_cjob *job, const char *url)
{
    enum gm_backup_state state = gm_core_backup_state(job);
    return (state == GM_BACKUP_WAITING || state == GM_BACKUP_DONE) &&
           strcmp(job->backup.url, url) == 0;
}

/* Its outputs lie there, or may. */
static bool writes_to(const struct gm_cjob *job, const char *url)
{
    return strcmp(job->destination_url, url) == 0 || backs_up_to(job, url);
}

/* It is not through with that: neither making them nor their backup. */
static bool works_at(const struct gm_cjob *job, const char *url)
{
    return !job->plan_only &&
           (gm_job_state_is_final(job->state) ? gm_core_backup_waits(job) && backs_up_to(job, url)
                                              : writes_to(job, url));
}

bool gm_core_object_is_below(const Gm__Object *object, const char *publication)
{
    return object->store == GM__OBJECT_STORE__STORE_OUT && is_below(object->key, publication);
}

bool gm_core_object_is_shared(const struct gm_core *core, const struct gm_cjob *job,
                              const Gm__Object *object)
{
    for (const struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        if (o != job && lives(o) && writes_to(o, job->destination_url) &&
            gm_core_object_is_below(object, o->publication)) {
            return true;
        }
    }
    return false;
}

bool gm_core_object_is_stale(const struct gm_core *core, const struct gm_cjob *job,
                             const Gm__Object *object)
{
    return object->store == GM__OBJECT_STORE__STORE_OUT &&
           !is_below(object->key, job->publication) && !gm_core_object_is_shared(core, job, object);
}

bool gm_core_object_is_loose(const struct gm_cjob *job, const struct gm_granted *granted)
{
    return granted->object->store == GM__OBJECT_STORE__STORE_OUT && !granted->committed &&
           is_below(granted->object->key, job->publication);
}

bool gm_view_is_publication_shared(const struct gm_core *core, const char *job_id,
                                   const char *publication)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    for (const struct gm_cjob *o = core->jobs; job && publication[0] && o; o = o->hh.next) {
        if (o != job && lives(o) && strcmp(o->publication, publication) == 0 &&
            writes_to(o, job->destination_url)) {
            return true;
        }
    }
    return false;
}

bool gm_view_is_publication_made(const struct gm_core *core, const char *job_id,
                                 const char *publication)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    for (const struct gm_cjob *o = core->jobs; job && publication[0] && o; o = o->hh.next) {
        if (o != job && strcmp(o->publication, publication) == 0 &&
            works_at(o, job->destination_url)) {
            return true;
        }
    }
    return false;
}

bool gm_view_is_made_at(const struct gm_core *core, const char *destination_url,
                        const char *publication)
{
    for (const struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        if (strcmp(o->publication, publication) == 0 &&
            (works_at(o, destination_url) ||
             (gm_core_job_is_kept(o) && writes_to(o, destination_url)))) {
            return true;
        }
    }
    return false;
}

const char *gm_view_works_at(const struct gm_core *core, const char *url, const char *but)
{
    for (const struct gm_cjob *o = core->jobs; o; o = o->hh.next) {
        if (works_at(o, url) && strcmp(o->id, but) != 0) {
            return o->id;
        }
    }
    return NULL;
}

bool gm_core_job_is_beside(const struct gm_cjob *job, const struct gm_cjob *other)
{
    return other != job && lives(other) && gm_job_state_is_final(other->state) &&
           job->publication[0] && strcmp(other->publication, job->publication) == 0 &&
           writes_to(other, job->destination_url);
}

bool gm_view_is_beside(const struct gm_core *core, const char *job_id, const char *other_id)
{
    const struct gm_cjob *job = NULL, *other = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    HASH_FIND_STR(core->jobs, other_id, other);
    return job && other && gm_core_job_is_beside(job, other);
}

const char *gm_view_beside(const struct gm_core *core, const char *job_id, size_t i)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    for (const struct gm_cjob *o = core->jobs; job && o; o = o->hh.next) {
        if (gm_core_job_is_beside(job, o) && i-- == 0) {
            return o->id;
        }
    }
    return NULL;
}

const struct gm_cjob *gm_core_output_maker(const struct gm_core *core, const struct gm_cjob *job,
                                           const char *key)
{
    const struct gm_cjob *o = core->jobs;
    while (o && (o == job || strcmp(o->publication, job->publication) != 0 ||
                 !works_at(o, job->destination_url) ||
                 !gm_core_granted_find(o, GM__OBJECT_STORE__STORE_OUT, key))) {
        o = o->hh.next;
    }
    return o;
}

bool gm_view_is_published_at(const struct gm_core *core, const char *destination_url,
                             const char *job_id)
{
    const struct gm_cjob *job = core->jobs;
    while (job && (job->state != GM_JOB_PUBLISHING || strcmp(job->id, job_id) == 0 ||
                   strcmp(job->destination_url, destination_url) != 0)) {
        job = job->hh.next;
    }
    return job != NULL;
}

bool gm_view_is_output_shared(const struct gm_core *core, const char *job_id, const char *key)
{
    const struct gm_cjob *job = NULL;
    HASH_FIND_STR(core->jobs, job_id, job);
    for (const struct gm_cjob *o = core->jobs; job && o; o = o->hh.next) {
        if (o == job || !lives(o) || !writes_to(o, job->destination_url)) {
            continue;
        }
        const struct gm_granted *g = gm_core_granted_find(o, GM__OBJECT_STORE__STORE_OUT, key);
        if (g && (g->committed || !gm_job_state_is_final(o->state))) {
            return true;
        }
    }
    return false;
}
