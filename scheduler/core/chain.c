/* Chains: what a job's pictures are encoded with.
 *
 * One of the pipeline's order that a device of the farm offers, and that can do what the job asks
 * (choice.c), is taken when `plan` is assigned, because the plan holds what that encoder writes
 * before a stream. From then on analyze and encode go only to devices that offer the same chain, of
 * the same fingerprint: the parts of a rendition come from one kind of encoder, or it is made anew
 * as a whole.
 *
 * A chain is lost to a job when no open node offers it for some seconds, with as many encoder
 * sessions as a run of the job takes at once, or when it fails in a way
 * that would fail the job. Then `fallback` decides: wait for it (a failure is final then), fail, or
 * software: the job forgets all that came after inspect and is planned again without it (replan.c).
 * The processors' chain is of a build (builds.c): libraries and media code of the node's workers.
 * It is lost when nodes of other builds alone are there, or it fails and others are; then the job
 * is planned again by one of those, whatever `fallback` says. While no node is there at all it
 * waits. A device that fails `plan` offers less or nothing then, and the next one plans: its chain
 * is lost too when that one is the processor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/job.h"
#include "scheduler/core/place.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/task.h"

#define CPU "cpu"

Gm__Chain *gm_core_chain_dup(const Gm__Chain *chain)
{
    Gm__Chain *copy = (Gm__Chain *)gm_message_dup(&chain->base);
    if (!copy) {
        gm_mem_exhausted();
    }
    return copy;
}

void gm_core_chains_fini(struct gm_cdevice *device)
{
    for (size_t i = 0; i < device->chain_count; i++) {
        gm__chain__free_unpacked(device->chains[i], NULL);
    }
    free(device->chains);
    device->chains = NULL;
    device->chain_count = 0;
}

void gm_core_chains_fill(struct gm_cdevice *device, const Gm__Device *m)
{
    Gm__Chain cpu = GM__CHAIN__INIT;
    bool implied = m->n_chains == 0 && strcmp(m->kind, CPU) == 0;
    cpu.name = (char *)(uintptr_t)CPU;
    device->chain_count = implied ? 1 : m->n_chains;
    device->chains = gm_mem_zalloc(device->chain_count * sizeof(Gm__Chain *));
    for (size_t i = 0; i < device->chain_count; i++) {
        device->chains[i] = gm_core_chain_dup(implied ? &cpu : m->chains[i]);
    }
}

bool gm_core_falls_back(const struct gm_cjob *job)
{
    const Gm__EncodeParams *p = gm_core_encode_params(job);
    return p && (p->fallback[0] == '\0' || strcmp(p->fallback, "software") == 0);
}

static bool is_cpu(const char *name)
{
    return strcmp(name, CPU) == 0;
}

/* Its name is the codec's, with "10" behind it for that depth. */
bool gm_core_chain_encodes(const Gm__Chain *chain, const char *codec, uint32_t bit_depth)
{
    size_t size = strlen(codec);
    const char *depth = bit_depth == 10 ? "10" : "";
    for (size_t i = 0; i < chain->n_codecs; i++) {
        if (strncmp(chain->codecs[i], codec, size) == 0 &&
            strcmp(chain->codecs[i] + size, depth) == 0) {
            return true;
        }
    }
    return false;
}

/* All renditions' codecs. */
static bool can_encode(const Gm__Chain *chain, const Gm__EncodeParams *p)
{
    bool can = gm_core_chain_encodes(chain, p->codec, p->bit_depth);
    for (size_t i = 0; can && i < p->n_renditions; i++) {
        const Gm__EncodeParams *own = p->renditions[i]->encode;
        can = !own || gm_core_chain_encodes(chain, own->codec, own->bit_depth);
    }
    return can;
}

bool gm_core_chain_matches(const Gm__Chain *chain, const struct gm_chain_wish *wish)
{
    return strcmp(chain->name, wish->name) == 0 &&
           (!wish->fingerprint || strcmp(chain->fingerprint, wish->fingerprint) == 0) &&
           (is_cpu(chain->name) || !wish->params || can_encode(chain, wish->params));
}

/* Whatever its sessions are. */
static const Gm__Chain *find_chain(const struct gm_cdevice *device,
                                   const struct gm_chain_wish *wish)
{
    for (size_t i = 0; i < device->chain_count; i++) {
        if (gm_core_chain_matches(device->chains[i], wish)) {
            return device->chains[i];
        }
    }
    return NULL;
}

bool gm_core_node_has_chain(const struct gm_cnode *node, const Gm__Chain *chain)
{
    const struct gm_chain_wish wish = {.name = chain->name, .fingerprint = chain->fingerprint};
    for (size_t i = 0; i < node->device_count; i++) {
        if (node->devices[i].usable.slots > 0 && find_chain(&node->devices[i], &wish)) {
            return true;
        }
    }
    return false;
}

/* Alone there, at least. */
static bool has_sessions(const struct gm_cdevice *device, const struct gm_chain_wish *wish)
{
    return device->usable.sessions == 0 || wish->least <= device->usable.sessions;
}

const Gm__Chain *gm_core_device_chain(const struct gm_cdevice *device,
                                      const struct gm_chain_wish *wish)
{
    return has_sessions(device, wish) ? find_chain(device, wish) : NULL;
}

bool gm_core_chain_is_short(const struct gm_core *core, const struct gm_chain_wish *wish,
                            char out[160])
{
    const struct gm_cdevice *most = NULL;
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; gm_core_node_is_open(n) && i < n->device_count; i++) {
            const struct gm_cdevice *d = &n->devices[i];
            if (d->usable.slots == 0 || !find_chain(d, wish)) {
                continue;
            }
            if (has_sessions(d, wish)) {
                return false;
            }
            most = !most || d->usable.sessions > most->usable.sessions ? d : most;
        }
    }
    if (most) {
        (void)snprintf(out, 160,
                       "%" PRIu64 " renditions need %" PRIu64
                       " encoder sessions; GPU %.64s gives %" PRIu64,
                       wish->least, wish->least, most->id, most->usable.sessions);
    }
    return most != NULL;
}

bool gm_core_chain_is_lost(const struct gm_cjob *job, const char *name)
{
    for (size_t i = 0; i < job->lost_count; i++) {
        if (strcmp(job->lost[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The encoders of a run, one a rendition, work side by side (media/encode/encode.c). */
static struct gm_chain_wish wish_of(const struct gm_cjob *job)
{
    const Gm__Chain *c = job->chain;
    uint64_t sessions = is_cpu(c->name) ? 0 : job->renditions;
    return (struct gm_chain_wish){
        .name = c->name, .fingerprint = c->fingerprint, .sessions = sessions, .least = sessions};
}

bool gm_core_chain_wish(const struct gm_core *core, const struct gm_inst *inst,
                        struct gm_chain_wish *out)
{
    const struct gm_cjob *job = inst->task->job;
    switch (inst->task->type->role) {
    case GM_ROLE_PLAN:
        return gm_core_choice_wish(core, job, out);
    case GM_ROLE_ANALYZE:
    case GM_ROLE_ENCODE:
        if (job->chain) {
            *out = wish_of(job);
            return true;
        }
        break;
    case GM_ROLE_INSPECT:
    case GM_ROLE_SPLIT:
    case GM_ROLE_TRACK:
    case GM_ROLE_FINISH:
    default:
        break;
    }
    *out = (struct gm_chain_wish){.name = CPU, .fingerprint = gm_core_build_instead(core, inst)};
    return true;
}

/* Remembers why; the same chain is not tried again for this job. A build of the processors' is
 * remembered alone: they are tried again, and the last that went is told. */
static void lose(struct gm_core *core, struct gm_cjob *job, const char *name,
                 const struct gm_err *why)
{
    size_t known = 0;
    while (known < job->lost_count && strcmp(job->lost[known].name, name) != 0) {
        known++;
    }
    if (known < job->lost_count) {
        job->lost[known].why = *why;
    } else if (job->lost_count < GM_CORE_MAX_CHAINS) {
        job->lost[job->lost_count++] =
            (struct gm_lost_chain){.name = gm_mem_strdup(name), .why = *why};
    }
    job->chain_absent_since = 0;
    gm_core_job_touch(core, job);
}

/* Failures that another chain would meet too. */
static bool is_of_job(enum gm_code code)
{
    enum gm_blame blame = gm_code_get((int)code)->blame;
    return code == GM_E_CANCELLED || code == GM_E_CONFIG || blame == GM_BLAME_STORAGE ||
           strncmp(gm_code_get((int)code)->id, "input.", strlen("input.")) == 0;
}

bool gm_core_chain_can_go(const struct gm_core *core, const struct gm_lease *lease,
                          enum gm_code code)
{
    if (lease->chain && is_cpu(lease->chain->name)) {
        return !is_of_job(code) && gm_core_build_can_go(core, lease);
    }
    return lease->chain && gm_core_falls_back(lease->job) && !is_of_job(code) &&
           !gm_core_chain_is_lost(lease->job, lease->chain->name);
}

bool gm_core_chain_tries_on(struct gm_core *core, const struct gm_lease *lease, enum gm_code code)
{
    if (!lease->chain || !is_cpu(lease->chain->name) || is_of_job(code)) {
        return false;
    }
    bool waits = core->unheard && gm_code_get((int)code)->retry != GM_RETRY_NEVER;
    return gm_core_build_tries_on(core, lease) || waits;
}

bool gm_core_chain_goes_on(const struct gm_inst *inst, const Gm__Chain *chain)
{
    const struct gm_cjob *job = inst->task->job;
    switch (inst->task->type->role) {
    case GM_ROLE_PLAN:
        return chain && (is_cpu(chain->name) ? !gm_core_build_failed(job, chain->fingerprint)
                                             : !gm_core_chain_is_lost(job, chain->name));
    case GM_ROLE_ANALYZE:
    case GM_ROLE_ENCODE:
        return chain && job->chain && strcmp(chain->name, job->chain->name) == 0 &&
               strcmp(chain->fingerprint, job->chain->fingerprint) == 0;
    case GM_ROLE_INSPECT:
    case GM_ROLE_SPLIT:
    case GM_ROLE_TRACK:
    case GM_ROLE_FINISH:
    default:
        return chain == NULL;
    }
}

void gm_core_chain_failed(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain,
                          const struct gm_err *why)
{
    if (is_cpu(chain->name)) {
        gm_core_build_fail(job, chain->fingerprint);
    }
    lose(core, job, chain->name, why);
    gm_core_job_replan(core, job);
}

/* The chain that the job waits for and nobody offers; false: it waits for none. */
static bool find_absent(const struct gm_core *core, const struct gm_cjob *job,
                        struct gm_chain_wish *out)
{
    if (!job->encode || (job->state != GM_JOB_QUEUED && job->state != GM_JOB_RUNNING) ||
        gm_core_task_is_done(job->encode)) {
        return false;
    }
    if (!job->chain) {
        return job->plan->insts[0].unit.state == GM_TASK_READY &&
               !gm_core_choice_wish(core, job, out);
    }
    *out = wish_of(job);
    return is_cpu(out->name) ? gm_core_build_is_gone(core, out) && !gm_core_build_works(job)
                             : gm_devices_tally(core, out).devices == 0;
}

static bool is_of_device(const struct gm_attempt *attempt)
{
    return attempt->outcome == GM_ATTEMPT_FAILED &&
           gm_code_get((int)attempt->error.code)->blame == GM_BLAME_DEVICE;
}

/* What a device of that chain last did to the job: most likely why it is offered no more. */
static const struct gm_err *last_device_error(const struct gm_cjob *job, const char *name)
{
    for (size_t i = job->attempt_count; i > 0; i--) {
        const struct gm_attempt *a = job->attempts[i - 1];
        if (is_of_device(a) && strcmp(a->chain, name) == 0) {
            return &a->error;
        }
    }
    return NULL;
}

void gm_core_chain_take(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain)
{
    job->chain = gm_core_chain_dup(chain);
    gm_core_backlog_set(core, job, chain->name);
    for (size_t i = job->attempt_count; is_cpu(chain->name) && i > 0; i--) {
        const struct gm_attempt *a = job->attempts[i - 1];
        if (a->inst->task == job->plan && is_of_device(a) && a->chain[0] != '\0' &&
            !is_cpu(a->chain) && !gm_core_chain_is_lost(job, a->chain)) {
            lose(core, job, a->chain, &a->error);
        }
    }
    gm_core_job_touch(core, job);
}

static const char *build_text(const char *fingerprint)
{
    return fingerprint[0] != '\0' ? fingerprint : "one that does not tell what it is";
}

static void give_up(struct gm_core *core, struct gm_cjob *job, const struct gm_chain_wish *wish)
{
    struct gm_err err = {.code = GM_OK};
    char why[160];
    const bool software = job->chain && is_cpu(wish->name);
    const struct gm_err *cause =
        job->chain && !software ? last_device_error(job, wish->name) : NULL;
    if (software) {
        (void)gm_err_set(&err, GM_E_NO_DEVICE, 0,
                         "the nodes that are there are of other builds than the one that the "
                         "renditions began with: %.250s",
                         build_text(wish->fingerprint));
    } else if (job->chain && gm_core_chain_is_short(core, wish, why)) {
        (void)gm_err_set(&err, GM_E_NO_DEVICE, 0, "%s", why);
    } else if (cause) {
        (void)gm_err_set(&err, cause->code, cause->native, "%.300s; no node offers `%s` any more",
                         cause->text, wish->name);
    } else if (job->chain) {
        (void)gm_err_set(&err, GM_E_NO_DEVICE, 0, "no node offers `%s` (%.100s) any more",
                         wish->name, wish->fingerprint);
    } else {
        char all[240];
        gm_core_chain_passed(core, job, NULL, all, sizeof all);
        (void)gm_err_set(&err, GM_E_NO_DEVICE, 0,
                         "none of the pipeline's `devices` can be had: %.170s", all);
    }
    if (software || (job->chain && gm_core_falls_back(job))) {
        if (software) {
            gm_core_build_count(job);
        }
        lose(core, job, wish->name, &err);
        gm_core_job_replan(core, job);
    } else {
        gm_core_job_fail(core, job, &err);
    }
}

void gm_core_chain_tick(struct gm_core *core)
{
    for (struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        struct gm_chain_wish wish;
        const Gm__EncodeParams *p = gm_core_encode_params(job);
        const bool software = job->chain && is_cpu(job->chain->name);
        if (!p || (!software && strcmp(p->fallback, "wait") == 0)) {
            continue;
        }
        if (!find_absent(core, job, &wish)) {
            job->chain_absent_since = 0;
        } else if (job->chain_absent_since == 0) {
            job->chain_absent_since = core->now;
        } else if (core->now - job->chain_absent_since >=
                   (software ? gm_core_build_patience(core, job) : core->device_wait)) {
            give_up(core, job, &wish);
        }
    }
}
