#ifndef GM_SCHEDULER_CORE_ORDER_H
#define GM_SCHEDULER_CORE_ORDER_H

#include "scheduler/core/fair.h"
#include "scheduler/core/heap.h"
#include "scheduler/core/mem.h"
#include "scheduler/core/task_types.h"

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

/* Whose turn it is: jobs that have something ready, in order. Private to scheduler/core/.
 *
 * The class of a job goes first. Within a class tenants share by weight, and so do a tenant's jobs:
 * next is the tenant with the least virtual time, and of it the job with the least; before those
 * the tenant's jobs go whose deadlines are near, the earliest first (deadline.c). Both are charged
 * when something is given out, for as long as that is expected to take, and set right when it ends.
 * Who had nothing to do starts where the others are: what was not taken is not owed. A job that got
 * nothing for a while is aged: every eighth turn is that of the one which waited longest, whatever
 * its class and tenant, so that nobody waits for ever, and no crowd of the aged overruns the
 * classes. A restart lets all start equal.
 */
#define GM_ORDER_AGE (300 * GM_SEC) /* a job that got nothing for so long is aged */
#define GM_ORDER_AGED_TURN 8u       /* every so many turns is one for the aged */
#define GM_ORDER_CHANGED 16u        /* more jobs that changed are not told apart from all */
#define GM_TENANT_MAX_NAME 64u      /* bytes */

struct gm_core;
struct gm_cjob;
struct gm_lease;
struct gm_assignment;

/* Changes whenever a device may have got more room, or another chain is offered. */
struct gm_room {
    uint64_t made, grown;
};
/* What a tenant has in one class. */
struct gm_lane {
    struct gm_heap_node turn; /* among the tenants of the class; it has jobs, and may run more */
    struct gm_tenant *tenant; /* borrowed */
    uint64_t time;            /* virtual: what the tenant was given in the class */
    uint64_t now;             /* the largest of a job that was served: new ones begin there */
    struct gm_heap jobs;
};
struct gm_tenant {
    char *name; /* owned */
    uint64_t number;
    uint32_t weight;
    uint32_t max_running, max_queued; /* 0: no limit of its own */
    bool named;                       /* by the configuration: it stays without jobs */
    uint64_t jobs, unfinished;        /* of it: that are known; of these */
    uint64_t running;                 /* its leases: slots that it holds */
    struct gm_lane lanes[GM_CLASSES];
    UT_hash_handle hh;
};
/* Of a job. */
struct gm_turn {
    struct gm_heap_node line; /* in its lane; in both heaps or in none */
    struct gm_heap_node wait; /* among all that wait, longest first */
    enum gm_job_class class_;
    uint64_t time; /* virtual: what it was given in its lane */
    int64_t
        due_unix_ms; /* it goes before its tenant's others of the class, earliest first; 0: not */
    gm_time since;   /* it has waited */
    bool aside;      /* nothing of it could be placed in this pass */
    bool changed;    /* it is among the order's `changed` */
};
struct gm_order {
    struct gm_tenant *tenants;                /* owned */
    uint64_t tenant_count;                    /* ever */
    uint32_t weight, max_running, max_queued; /* of those that are not named */
    struct gm_heap lanes[GM_CLASSES];
    uint64_t now[GM_CLASSES]; /* the largest virtual time of a lane that was served */
    struct gm_heap waiting;
    uint32_t turns;         /* since the aged had one */
    struct gm_cjob *aged;   /* borrowed: whose turn it is as the aged's; NULL: it is not theirs */
    struct gm_cjob **aside; /* owned */
    size_t aside_count, aside_cap;
    /* Since the last pass found nothing more to place for anybody: jobs of which something changed,
     * and the room that devices had then. */
    struct gm_cjob *changed[GM_ORDER_CHANGED]; /* borrowed */
    uint32_t changed_count;
    bool settled; /* there was such a pass, and all that changed is in the list */
    struct gm_room room;
    struct gm_capacity farm; /* all that is usable, as of */
    gm_time farm_at;
    gm_time expected[GM_ROLE_FINISH + 1]; /* a unit takes so long; 0: none has ended */
};

void gm_core_order_init(struct gm_core *core);
void gm_core_order_fini(struct gm_core *core);
/* The job is the tenant's from now on, and counts as unfinished unless it is final. name: checked,
 * or stored. */
void gm_core_order_join(struct gm_core *core, struct gm_cjob *job, const char *name);
/* It ended. */
void gm_core_order_finish(struct gm_cjob *job);
/* It is forgotten, and its tenant with it where nothing else needs that. */
void gm_core_order_part(struct gm_core *core, struct gm_cjob *job);
/* It has something ready, or nothing any more. */
void gm_core_order_enter(struct gm_core *core, struct gm_cjob *job);
void gm_core_order_leave(struct gm_core *core, struct gm_cjob *job);
/* Its class follows its priority and its deadline. */
void gm_core_order_class(struct gm_core *core, struct gm_cjob *job);
/* Its deadline is so near that it goes first in its lane; 0: not, or not any more. */
void gm_core_order_due(struct gm_core *core, struct gm_cjob *job, int64_t due_unix_ms);
/* It has another priority from now on. */
void gm_core_order_priority(struct gm_core *core, struct gm_cjob *job, int32_t priority);

/* Whose turn it is; NULL: nobody waits that may have more. */
struct gm_cjob *gm_core_order_next(struct gm_core *core);
/* The job whose turn it is in the class; NULL: none waits that may have more. */
struct gm_cjob *gm_core_order_first(const struct gm_core *core, enum gm_job_class class_);
/* The jobs that have something ready, in no order: at < core->order.waiting.count. Not between
 * gm_core_order_aside and gm_core_order_back. */
const struct gm_cjob *gm_core_order_waiting(const struct gm_core *core, size_t at);
/* Nothing of the job can be placed now: others, until gm_core_order_back. */
void gm_core_order_aside(struct gm_core *core, struct gm_cjob *job);
void gm_core_order_back(struct gm_core *core);
/* Something of the job changed: what could not be placed of it may be placed now. */
void gm_core_order_change(struct gm_core *core, struct gm_cjob *job);
/* As gm_core_order_next, of the jobs that changed; it is out of their list then. */
struct gm_cjob *gm_core_order_next_changed(struct gm_core *core);
/* The lease began. turn: it was its job's turn; else a copy, or what ran before a restart, which is
 * charged all the same, but no turn is gone and no wait is over. What it costs is charged when it
 * ends where nobody knows yet what the farm has. */
void gm_core_order_charge(struct gm_core *core, struct gm_lease *lease, bool turn);
/* It ends: what it was expected to take is set right. done: how long such work takes is learned. */
void gm_core_order_settle(struct gm_core *core, struct gm_lease *lease, bool done);

/* The farm, and the tenant, may have one job more of that priority: the last tenth of max_jobs is
 * for the class high, and a tenant without a max_queued of its own may have eight tenths; of fewer
 * than ten nothing is kept. name: NULL or "": the default. Errors: INVAL, BUSY. */
int gm_core_tenant_check_submit(const struct gm_core *core, const char *name, int32_t priority,
                                struct gm_err *err) GM_MUST_CHECK;
/* The tenant has all the slots that it may have. */
bool gm_core_tenant_is_full(const struct gm_tenant *tenant);
struct gm_tenant *gm_core_tenant_find(const struct gm_core *core, const char *name); /* or NULL */
/* The heaps are in order. */
bool gm_core_order_is_sound(const struct gm_order *order);
/* Jobs, tenants and heaps say the same. Errors: BUG. */
int gm_core_order_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;

#endif
