/* Which chain a job is planned for.
 *
 * Of the chains of the pipeline's order that devices offer, and that can do what the job asks, the
 * first one is taken, unless by one behind it the job is expected to end clearly sooner: by a
 * factor, and some time besides. So a device that is nearly free keeps its precedence, a burst of
 * clips does not drive jobs from it, and where all devices before it have much to do the processors
 * work too. Nothing of a job is looked at but its own (backlog.h): a question a chain.
 *
 * That is looked at when there is a slot and it is the turn of `plan`, and kept: with the job's
 * row, and for as long as the chain is offered and the job has not lost it. Where fewer than two
 * chains can be had, or nobody knows how much there is to do, the first one is taken and nothing is
 * kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/backlog.h"
#include "scheduler/core/builds.h"
#include "scheduler/core/chains.h"
#include "scheduler/core/job.h"
#include "scheduler/core/place.h"
#include "scheduler/core/rows.h"

#define CPU "cpu"
#define PLAN_SESSIONS 1 /* it opens its encoders one after the other (media/plan/plan_video.c) */
#define SOONER_PERCENT 150
#define SOONER_BY (30 * GM_SEC)

static const char *const usual_order[] = {"nvenc", "vaapi", "qsv", CPU};

const Gm__EncodeParams *gm_core_encode_params(const struct gm_cjob *job)
{
    const Gm__PipelineTask *def = job->encode ? job->pipeline->tasks[job->encode->position] : NULL;
    return def && def->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE ? def->encode : NULL;
}

static bool is_cpu(const char *name)
{
    return strcmp(name, CPU) == 0;
}

/* The pipeline's, or else the usual ones. */
struct chain_order {
    const char *const *names;
    size_t count;
    bool listed;
};
static struct chain_order order_of(const Gm__EncodeParams *p)
{
    if (p && p->n_devices > 0) {
        return (struct chain_order){(const char *const *)p->devices, p->n_devices, true};
    }
    return (struct chain_order){usual_order, sizeof usual_order / sizeof usual_order[0], false};
}

/* What analyze finds out is what libraries of software do with a crf. */
static bool needs_software(const struct gm_cjob *job)
{
    for (uint32_t t = 0; t < job->task_count; t++) {
        if (job->tasks[t].type->role == GM_ROLE_ANALYZE) {
            return true;
        }
    }
    return false;
}

/* A device that can plan for that chain, and make the runs then. */
static struct gm_chain_wish to_plan(const struct gm_core *core, const struct gm_cjob *job,
                                    const char *name)
{
    struct gm_chain_wish wish = {.name = name};
    if (is_cpu(name)) { /* it encodes all: a wish for it can be parked */
        wish.fingerprint = gm_core_build_to_plan(core, &job->plan->insts[0]);
    } else {
        wish.params = gm_core_encode_params(job);
        wish.sessions = PLAN_SESSIONS;
        wish.least = job->rungs > PLAN_SESSIONS ? job->rungs : PLAN_SESSIONS;
    }
    return wish;
}

static bool is_offered(const struct gm_core *core, const struct gm_chain_wish *wish)
{
    return gm_devices_tally(core, wish).devices > 0;
}

/* The job may use it, and there is such a device now. */
static bool can_be_had(const struct gm_core *core, const struct gm_cjob *job,
                       const struct gm_chain_wish *wish)
{
    bool may =
        is_cpu(wish->name) || (!needs_software(job) && !gm_core_chain_is_lost(job, wish->name));
    return may && is_offered(core, wish);
}

/* The processor is always worth waiting for. */
bool gm_core_choice_wish(const struct gm_core *core, const struct gm_cjob *job,
                         struct gm_chain_wish *out)
{
    const Gm__EncodeParams *p = gm_core_encode_params(job);
    struct chain_order order = order_of(p);
    if (job->choice.chain[0] != '\0') {
        *out = to_plan(core, job, job->choice.chain);
        if (can_be_had(core, job, out)) {
            return true;
        }
    }
    for (size_t i = 0; i < order.count; i++) {
        struct gm_chain_wish wish = to_plan(core, job, order.names[i]);
        if (is_cpu(order.names[i]) || (p && can_be_had(core, job, &wish))) {
            *out = wish;
            return true;
        }
    }
    *out = to_plan(core, job, CPU);
    return !p || gm_core_falls_back(job);
}

/* When the job would end by each chain that can be had, in order, where there are two of them. An
 * end that nobody knows is 0. */
static void expect_ends(const struct gm_core *core, const struct gm_cjob *job,
                        struct gm_choice *out)
{
    const struct chain_order order = order_of(gm_core_encode_params(job));
    struct gm_chain_wish wishes[GM_CORE_MAX_CHAINS];
    size_t count = 0;
    for (size_t i = 0; i < order.count && count < GM_CORE_MAX_CHAINS; i++) {
        wishes[count] = to_plan(core, job, order.names[i]);
        count += can_be_had(core, job, &wishes[count]) ? 1 : 0;
    }
    for (size_t i = 0; count > 1 && i < count; i++) {
        uint64_t unused;
        struct gm_chain_end *e = &out->ends[out->count++];
        wishes[i].sessions = wishes[i].least; /* as its runs will take them */
        uint64_t slots = gm_core_slots(core, &wishes[i], &unused);
        (void)snprintf(e->chain, sizeof e->chain, "%s", wishes[i].name);
        e->end_ms = gm_core_backlog_end(core, job, job->turn.class_, &wishes[i], slots) / GM_MS;
    }
}

size_t gm_core_choice_best(const struct gm_chain_end *ends, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (ends[i].end_ms > 0 && ends[best].end_ms > 0 &&
            ends[i].end_ms / 100 * SOONER_PERCENT + SOONER_BY / GM_MS < ends[best].end_ms) {
            best = i;
        }
    }
    return best;
}

void gm_core_choose(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_chain_wish wish;
    if (!gm_core_encode_params(job)) {
        return;
    }
    if (job->choice.chain[0] != '\0') {
        wish = to_plan(core, job, job->choice.chain);
        if (can_be_had(core, job, &wish)) {
            return;
        }
        job->choice = (struct gm_choice){.count = 0};
        gm_core_job_touch(core, job);
    }
    struct gm_choice choice = {.count = 0};
    expect_ends(core, job, &choice);
    size_t best = gm_core_choice_best(choice.ends, choice.count);
    if (choice.count > 1 && choice.ends[best].end_ms > 0) {
        memcpy(choice.chain, choice.ends[best].chain, sizeof choice.chain);
        job->choice = choice;
        gm_core_job_touch(core, job);
    }
    bool any = gm_core_choice_wish(core, job, &wish);
    if (!job->owed.in || !any || job->owed.kind != gm_core_chain_kind(wish.name)) {
        gm_core_backlog_set(core, job, any ? wish.name : NULL);
    }
}

/* " Expected to end: by nvenc after 340 s, by cpu after 120 s." */
void gm_core_choice_say(const struct gm_choice *choice, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < choice->count && used < size; i++) {
        const struct gm_chain_end *e = &choice->ends[i];
        const char *begins = i == 0 ? " It was expected to end " : ", ";
        used += e->end_ms > 0
                    ? (size_t)snprintf(out + used, size - used, "%sby %s after %" PRId64 " s",
                                       begins, e->chain, (e->end_ms + 999) / 1000)
                    : (size_t)snprintf(out + used, size - used, "%sby %s nobody knows when", begins,
                                       e->chain);
    }
    if (choice->count > 0 && used < size) {
        (void)snprintf(out + used, size - used, ": `%s` was taken.", choice->chain);
    }
}

/* It could be had, and the job was thought to end later by it. */
static void why_later(const struct gm_cjob *job, const char *name, const char *taken, char out[160])
{
    const struct gm_chain_end *own = NULL, *other = NULL;
    const struct gm_choice *choice = &job->choice;
    for (size_t i = 0; i < choice->count; i++) {
        own = strcmp(choice->ends[i].chain, name) == 0 ? &choice->ends[i] : own;
        other = strcmp(choice->ends[i].chain, taken) == 0 ? &choice->ends[i] : other;
    }
    if (own && other && strcmp(choice->chain, taken) == 0) {
        (void)snprintf(out, 160,
                       "the job was expected to end after %" PRId64 " s, by `%.20s` after %" PRId64
                       " s",
                       (own->end_ms + 999) / 1000, taken, (other->end_ms + 999) / 1000);
    }
}

/* Why nobody was asked for that chain, into out; "": somebody could be, or the job gave it up.
 * False: there is no such device, not even one that takes no tasks. */
static bool why_not(const struct gm_core *core, const struct gm_cjob *job, const char *name,
                    char out[160])
{
    struct gm_chain_wish any = {.name = name};
    struct gm_chain_wish fit = to_plan(core, job, name), whatever = fit;
    bool there = false, open = false, fits = false;
    whatever.least = 0; /* whatever its sessions are */
    for (const struct gm_cnode *n = core->nodes; n; n = n->hh.next) {
        for (size_t i = 0; n->connected && i < n->device_count; i++) {
            const struct gm_cdevice *d = &n->devices[i];
            bool takes = gm_core_node_is_open(n) && d->usable.slots > 0;
            there = there || gm_core_device_chain(d, &any);
            open = open || (takes && gm_core_device_chain(d, &any));
            fits = fits || (takes && gm_core_device_chain(d, &whatever));
        }
    }
    const char *why = needs_software(job) ? "the job has `analyze`, which software alone can do"
                      : !there            ? "no node offers it"
                      : !open             ? "its devices take no tasks now"
                      : !fits ? "none of its devices encodes all that the pipeline asks for"
                              : "";
    (void)snprintf(out, 160, "%s", gm_core_chain_is_lost(job, name) ? "" : why);
    if (out[0] == '\0' && fits && !gm_core_chain_is_lost(job, name)) {
        (void)gm_core_chain_is_short(core, &fit, out);
    }
    return there;
}

/* Of a pipeline that lists no devices only what there is on the farm is told. */
void gm_core_chain_passed(const struct gm_core *core, const struct gm_cjob *job, const char *before,
                          char *out, size_t size)
{
    const Gm__EncodeParams *p = gm_core_encode_params(job);
    const struct chain_order order = order_of(p);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; p && i < order.count && used < size; i++) {
        const char *name = order.names[i];
        char why[160];
        if (before && strcmp(name, before) == 0) {
            break;
        }
        bool there = why_not(core, job, name, why);
        if (before && there && why[0] == '\0') {
            why_later(job, name, before, why);
        }
        if (why[0] != '\0' && (order.listed || there)) {
            used += (size_t)snprintf(out + used, size - used, "%s%.20s: %s", used > 0 ? "; " : "",
                                     name, why);
        }
    }
}

void gm_core_chain_chosen(struct gm_core *core, struct gm_cjob *job, const Gm__Chain *chain)
{
    gm_core_chain_passed(core, job, chain->name, job->chain_reason, sizeof job->chain_reason);
    gm_core_job_touch(core, job);
}
