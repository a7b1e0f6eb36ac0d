/* Locality: see local.h and ADR-0060.
 *
 * What comes by network is fetched by each node that reads it. A node keeps blocks of the sources
 * that it reads, and copies of what it put or fetched. So of each job is known who reads its source
 * most (the node that splits it; until then the one that inspected it), which is asked first for
 * whatever reads the source; and who made most of its pictures, which is asked first for what is
 * made of all of them.
 *
 * The latter is counted with GM_MAKERS counters (Misra and Gries, "Finding repeated elements",
 * 1982): who made more than one part in GM_MAKERS + 1 of all frames has one. After a restart what
 * whole runs made counts, as their attempts say.
 */
#include "scheduler/core/local.h"
#include "scheduler/core/place.h"

#include <string.h>

static bool is_far(const char *url)
{
    static const char *const far[] = {"s3://", "http://", "https://", "upload:"};
    bool is = false;
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        is = is || strncmp(url, far[i], strlen(far[i])) == 0;
    }
    return is;
}

void gm_core_local_begin(const struct gm_core *core, struct gm_cjob *job)
{
    job->local.reads_far = core->params.work_is_remote || is_far(job->source_url);
    job->local.makes_far = core->params.work_is_remote || is_far(job->destination_url);
}

void gm_core_local_reads(struct gm_cjob *job, const struct gm_attempt *attempt)
{
    const struct gm_ctask *task = attempt->inst->task;
    const struct gm_attempt *reader = job->local.reader;
    if (task == job->split ||
        (task == job->inspect && (!reader || reader->inst->task == job->inspect))) {
        job->local.reader = attempt;
    }
}

/* Takes as much from each as the least of them and the newcomer has; what is left of that. */
static uint64_t cancel_out(struct gm_local *local, uint64_t frames)
{
    uint64_t least = frames;
    for (uint32_t i = 0; i < GM_MAKERS; i++) {
        least = local->makers[i].frames < least ? local->makers[i].frames : least;
    }
    for (uint32_t i = 0; i < GM_MAKERS; i++) {
        local->makers[i].frames -= least;
    }
    return frames - least;
}

void gm_core_local_made(struct gm_cjob *job, const struct gm_attempt *attempt, uint64_t frames)
{
    struct gm_local *local = &job->local;
    struct gm_maker *own = NULL;
    if (!local->makes_far || attempt->inst->task != job->encode) {
        return;
    }
    for (uint32_t i = 0; i < GM_MAKERS && !own; i++) {
        struct gm_maker *m = &local->makers[i];
        own = m->frames > 0 && strcmp(m->node_id, attempt->node_id) == 0 ? m : NULL;
    }
    if (own) {
        own->frames += frames;
        return;
    }
    uint64_t left = cancel_out(local, frames);
    for (uint32_t i = 0; i < GM_MAKERS && left > 0; i++) {
        if (local->makers[i].frames == 0) {
            local->makers[i] = (struct gm_maker){.node_id = attempt->node_id, .frames = left};
            left = 0;
        }
    }
}

void gm_core_local_forget(struct gm_cjob *job)
{
    memset(job->local.makers, 0, sizeof(job->local.makers));
}

static void load_job(struct gm_cjob *job)
{
    for (size_t i = 0; i < job->attempt_count; i++) {
        const struct gm_attempt *a = job->attempts[i];
        const struct gm_inst *inst = a->inst;
        uint64_t frames = 0;
        gm_core_local_reads(job, a);
        for (uint32_t c = 0; a->outcome == GM_ATTEMPT_DONE && c < a->chunks; c++) {
            size_t chunk = (size_t)a->first_chunk + c;
            frames += chunk < inst->chunk_count ? inst->chunks[chunk].frames : 0;
        }
        if (frames > 0) {
            gm_core_local_made(job, a, frames);
        }
    }
}

void gm_core_local_load(struct gm_core *core)
{
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        bool far = job->local.reads_far || job->local.makes_far;
        if (far && !gm_job_state_is_final(job->state)) {
            load_job(job);
        }
    }
}

static const char *find_maker(const struct gm_local *local)
{
    const struct gm_maker *most = &local->makers[0];
    for (uint32_t i = 1; i < GM_MAKERS; i++) {
        most = local->makers[i].frames > most->frames ? &local->makers[i] : most;
    }
    return most->frames > 0 ? most->node_id : NULL;
}

struct gm_cnode *gm_core_local_node(const struct gm_core *core, const struct gm_inst *inst,
                                    const struct gm_unit *unit)
{
    const struct gm_core_task_type *type = inst->task->type;
    const struct gm_local *local = &inst->task->job->local;
    struct gm_cnode *node = NULL;
    const char *id = NULL;
    if (type->role == GM_ROLE_FINISH) {
        id = local->makes_far ? find_maker(local) : NULL;
    } else if (local->reads_far && type->needs_source && local->reader) {
        id = local->reader->node_id;
    }
    if (id && !gm_core_avoids(unit, id)) {
        HASH_FIND_STR(core->nodes, id, node);
    }
    return node;
}
