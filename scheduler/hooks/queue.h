#ifndef GM_SCHEDULER_HOOKS_QUEUE_H
#define GM_SCHEDULER_HOOKS_QUEUE_H

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "common/err.h"
#include "scheduler/core/heap.h"
#include "scheduler/core/mem.h"
#include "scheduler/hooks/rules.h"

/* Which delivery is next, and what follows from its end: a pure machine over deliveries, one a
 * (event, target). Events of one job go to one target in their order: the next begins when the one
 * before was taken, or is dead. A target that fails GM_HOOK_DOWN times in a row is down: then it is
 * asked by one delivery at a time, with pauses of its own, and all that waits becomes due when it
 * takes one. What was never tried never dies of its age.
 *
 * Targets belong to the farm or to a tenant, as their key says: "farm:NAME",
 * "job:TENANT/https://host:port". What one tenant does to its targets costs neither others nor the
 * farm their turns, their room or their dead letters.
 *
 * Times are ms since 1970, as rows keep them; the caller has the clock. Memory: some 200 bytes a
 * delivery; its body lies elsewhere. Running out of it ends the process (core/mem.h), as half of a
 * change can't be taken back. Thread: one.
 */
#define GM_HOOK_DOWN 3
#define GM_HOOK_FLYING 32               /* deliveries at once */
#define GM_HOOK_KIND_FLYING 24          /* of the farm, and of all tenants together */
#define GM_HOOK_TENANT_FLYING 8         /* of a tenant */
#define GM_HOOK_TARGET_FLYING 4         /* to one target */
#define GM_HOOK_WAITING_MAX 100000      /* of the farm, of a tenant; more are dead at once */
#define GM_HOOK_WAITING_ALL 500000      /* of all tenants together: the same */
#define GM_HOOK_DEAD_MAX 10000          /* dead letters of the farm, of a tenant; the oldest go */
#define GM_HOOK_LONGEST_WAIT_MS 3600000 /* that a target may ask for by Retry-After */
#define GM_HOOK_NAME 96
#define GM_HOOK_JOB 65

enum gm_hook_state {
    GM_HOOK_FRESH, /* its row is not on disk yet */
    GM_HOOK_WAITS, /* in its lane */
    GM_HOOK_FLIES, /* handed out by gm_hookq_next */
    GM_HOOK_DEAD
};

struct gm_hook {
    uint64_t seq; /* the event's */
    uint64_t job; /* its seq */
    char job_id[GM_HOOK_JOB];
    const char *type;              /* static: "job.done", ... */
    struct gm_hook_target *target; /* borrowed */
    char *url;                     /* owned; of the job's own webhook; NULL: of the farm's */
    int64_t event_unix_ms;
    int64_t since_unix_ms; /* it is dead so long after it: the event, or who sent it again */
    int64_t next_unix_ms;  /* 0: at once */
    int64_t tried_unix_ms; /* 0: never */
    uint32_t tries;
    uint32_t status; /* of the last try; 0: no answer */
    char *error;     /* owned; of the last try; NULL: none */
    enum gm_hook_state state;
    void *body; /* the caller's, and so is this */
    struct gm_hook *fresh_next;

    struct gm_hook_lane *lane;           /* borrowed; NULL: dead */
    struct gm_heap_node age;             /* among all that are not dead */
    struct gm_hook *prev, *next;         /* in its lane, or among the dead */
    struct gm_hook *own_prev, *own_next; /* among its owner's dead */
    UT_hash_handle hh;                   /* by name */
    char name[GM_HOOK_NAME];             /* "SEQ/farm:NAME", "SEQ/job" */
};

/* The events of one job for one target. */
struct gm_hook_lane {
    struct {
        uint64_t job;
        struct gm_hook_target *target; /* borrowed */
    } key;
    struct gm_hook *hooks; /* list, by seq; owned */
    bool ready;            /* among the target's ready ones */
    bool flies;
    bool gone;                /* its URL answered 410: what is behind it is a dead letter at once */
    struct gm_heap_node node; /* among those that wait for a time */
    struct gm_hook_lane *prev, *next;
    UT_hash_handle hh;
};

/* The farm, or a tenant. */
struct gm_hook_owner {
    char *name; /* owned; "": the farm */
    size_t targets;
    size_t waiting; /* all but dead ones */
    uint32_t flying;
    struct gm_hook *dead; /* list, oldest first */
    size_t dead_count;
    UT_hash_handle hh;
};

struct gm_hook_target {
    char *key;                   /* owned: "farm:NAME", "job:TENANT/https://host:port" */
    struct gm_hook_owner *owner; /* borrowed */
    size_t hooks;                /* that are for it, dead ones too */
    struct gm_hook_lane *ready;  /* list; borrowed */
    struct gm_heap waiting;
    uint32_t flying;
    uint32_t fails; /* in a row */
    bool gone;      /* of the farm's: it wants no more; what waits and comes is dead */
    uint32_t gone_status;
    int64_t paused_until_unix_ms;
    struct gm_hook_target *prev, *next; /* of its kind */
    UT_hash_handle hh;
};

/* Targets of the farm, or of tenants. */
struct gm_hook_kind {
    struct gm_hook_target *targets; /* list; borrowed */
    struct gm_hook_target *turn;    /* asked next; borrowed; NULL: the first */
    size_t count, waiting;
    uint32_t flying;
};

struct gm_hookq {
    struct gm_hook_rules rules;
    struct gm_hook_target *targets; /* owned, by key */
    struct gm_hook_owner *owners;   /* owned, by name */
    struct gm_hook_kind kinds[2];   /* of the farm, of tenants */
    struct gm_hook_lane *lanes;     /* owned, by key */
    struct gm_hook *all;            /* owned, by name */
    struct gm_hook *dead;           /* list, oldest first */
    size_t dead_count, flying;
    struct gm_heap ages; /* those that are not dead, by since_unix_ms */
    /* The row of a delivery is to be written again, or (dropped) deleted, and then its body goes:
     * it was taken, or is the oldest of too many dead letters. */
    void (*changed)(struct gm_hook *hook, bool dropped, void *arg);
    void *arg;
};

void gm_hookq_init(struct gm_hookq *q, const struct gm_hook_rules *rules,
                   void (*changed)(struct gm_hook *hook, bool dropped, void *arg), void *arg);
/* `changed` is not called; body_free, NULL: nothing, gets the body of each. */
void gm_hookq_fini(struct gm_hookq *q, void (*body_free)(void *body, void *arg), void *arg);

/* What of a delivery is not the queue's own, copied: seq, job, job_id, type, url, times, tries,
 * status, error, body; state FRESH, WAITS or DEAD. It is due at once: nobody knows any more whether
 * its target is down. NULL: one of that seq and target is there. */
struct gm_hook *gm_hookq_add(struct gm_hookq *q, const struct gm_hook *hook, const char *target);
/* Its row is on disk. */
void gm_hookq_stored(struct gm_hookq *q, struct gm_hook *hook);
/* The next to deliver now, which flies until one of the two below; NULL: none. */
struct gm_hook *gm_hookq_next(struct gm_hookq *q, int64_t now);
/* Delivered: it goes. */
void gm_hookq_taken(struct gm_hookq *q, struct gm_hook *hook);

struct gm_hook_failure {
    uint32_t status;        /* 0: there was no answer */
    int64_t retry_after_ms; /* 0: it was not asked for */
    const char *why;
    bool hopeless;   /* it wants no more: a target of the farm none at all, a job's own URL neither
                        this one nor what is behind it in its lane */
    uint32_t random; /* any */
};
void gm_hookq_failed(struct gm_hookq *q, struct gm_hook *hook, const struct gm_hook_failure *f,
                     int64_t now);
/* It was not tried after all. */
void gm_hookq_put_back(struct gm_hookq *q, struct gm_hook *hook, int64_t next_unix_ms);
/* A dead one is to be delivered after all. */
void gm_hookq_revive(struct gm_hookq *q, struct gm_hook *hook, int64_t now);
/* The configuration was read again: targets that wanted no more are asked again. */
void gm_hookq_forgive(struct gm_hookq *q);
/* By its name; NULL: none. */
struct gm_hook *gm_hookq_find(const struct gm_hookq *q, const char *name);
/* Waiting, flying or fresh. */
size_t gm_hookq_waiting(const struct gm_hookq *q);
/* since_unix_ms of the one that waits (flies, is fresh) for longest; 0: none does. */
int64_t gm_hookq_oldest(const struct gm_hookq *q);
/* The orders in the heaps: of a target's lanes, of all by age. */
bool gm_hook_lane_is_before(const struct gm_heap_node *a, const struct gm_heap_node *b);
bool gm_hook_is_older(const struct gm_heap_node *a, const struct gm_heap_node *b);
/* Lists and counts say the same. */
int gm_hookq_check(const struct gm_hookq *q, struct gm_err *err) GM_MUST_CHECK;

#endif
