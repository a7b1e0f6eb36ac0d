/* After a restart nothing is given out before the nodes are back that worked for the scheduler
 * before this one: MUSTER at most, and no longer than until the last of them has said Hello.
 *
 * The row that says that an attempt runs may be lost with its scheduler (adopt.c). What ran by such
 * a row looks ready, and would go to the node that comes first, while another one has it. Nodes
 * try again every 50 to 500 ms (node/agent_link.c).
 *
 * Who they are is seen from the attempts that are stored: those that began within an hour of the
 * newest one. Where no job has begun nobody is waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/adopt.h"

#define MUSTER GM_SEC /* twice the longest pause of a node that nobody listens to */
#define RECENT_MS (INT64_C(3600) * 1000)

struct gm_awaited {
    char *node_id; /* owned */
    UT_hash_handle hh;
};

static struct gm_awaited *find(const struct gm_core *core, const char *node_id)
{
    struct gm_awaited *w = NULL;
    HASH_FIND_STR(core->awaited, node_id, w);
    return w;
}

static void destroy(struct gm_awaited *w)
{
    free(w->node_id);
    free(w);
}

static void end(struct gm_core *core)
{
    struct gm_awaited *w = core->awaited;
    HASH_CLEAR(hh, core->awaited); /* the table; they stay linked */
    while (w) {
        struct gm_awaited *next = w->hh.next;
        destroy(w);
        w = next;
    }
    core->musters = false;
    core->place_dirty = true;
}

static int64_t newest(const struct gm_core *core)
{
    int64_t unix_ms = 0;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        for (size_t i = 0; i < job->attempt_count; i++) {
            int64_t started = job->attempts[i]->started_unix_ms;
            unix_ms = started > unix_ms ? started : unix_ms;
        }
    }
    return unix_ms;
}

static void await(struct gm_core *core, const char *node_id)
{
    if (!find(core, node_id)) {
        struct gm_awaited *w = gm_mem_zalloc(sizeof(*w));
        w->node_id = gm_mem_strdup(node_id);
        HASH_ADD_KEYPTR(hh, core->awaited, w->node_id, strlen(w->node_id), w);
    }
}

void gm_core_muster_begin(struct gm_core *core)
{
    int64_t since = newest(core) - RECENT_MS;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        core->musters = core->musters || job->state == GM_JOB_RUNNING;
    }
    for (const struct gm_cjob *job = core->jobs; core->musters && job; job = job->hh.next) {
        const char *last = "";
        for (size_t i = 0; i < job->attempt_count; i++) {
            const struct gm_attempt *a = job->attempts[i];
            if (a->started_unix_ms >= since && strcmp(a->node_id, last) != 0) {
                await(core, a->node_id);
                last = a->node_id;
            }
        }
    }
}

void gm_core_muster_heard(struct gm_core *core, const char *node_id)
{
    struct gm_awaited *w = core->musters ? find(core, node_id) : NULL;
    if (w && HASH_COUNT(core->awaited) == 1) { /* the last one */
        end(core);
    } else if (w) {
        HASH_DEL(core->awaited, w);
        destroy(w);
    }
}

void gm_core_muster_tick(struct gm_core *core)
{
    if (!core->musters) {
        return;
    }
    if (core->muster_until == 0) { /* reading many rows takes longer than this */
        gm_time until = core->now + MUSTER;
        core->muster_until = until < core->strangers_until ? until : core->strangers_until;
    }
    if (core->now >= core->muster_until) {
        end(core);
    }
}

void gm_core_muster_fini(struct gm_core *core)
{
    end(core);
}
