#ifndef GM_SCHEDULER_CORE_HEALTH_H
#define GM_SCHEDULER_CORE_HEALTH_H

#include "common/err.h"
#include "common/time.h"

/* What speaks against a device: pieces of work that failed there. Pure data, no core.
 *
 * A *mark* is work that failed on the device and, as far as is known, nowhere else. It becomes a
 * *strike* when all of that work passed on another device: then it was not the work. It goes away
 * when any of it passes on the device itself (the failure passed), fails elsewhere too (it may be
 * the work), when the job ends or is planned again, with time, and when so much passed on the
 * device since that a mark is no rule (docs/adr/0045-devices-that-swallow-or-lie.md).
 */
#define GM_HEALTH_MARKS 8u
#define GM_HEALTH_PASSES 16u /* units that pass on the device and make a mark old */
#define GM_HEALTH_KEPT (3600 * GM_SEC)

struct gm_health_work {
    uint64_t job; /* its number */
    uint32_t task, instance;
    int64_t first;  /* chunk; -1: the instance has none */
    uint32_t count; /* chunks, at least 1; 1 where first is -1 */
};
struct gm_health_mark {
    struct gm_health_work work;
    uint32_t left; /* of its units: not passed yet; 0: a strike */
    enum gm_code code;
    gm_time at;
    uint64_t passes; /* of the device, then */
};
struct gm_health {
    struct gm_health_mark marks[GM_HEALTH_MARKS]; /* oldest first, of different work each */
    uint32_t count;
    uint64_t passes; /* units that passed on the device */
};

/* Whether a failure says anything of where it was: not what came from outside (a lost node, a
 * kill, a clock), what stores, objects or users are to blame for, what would fail anywhere, nor
 * that a piece of work takes more memory or disk than there is. */
bool gm_health_counts(const struct gm_err *error);
/* `left` of its units are still to be done. One that is full forgets its oldest mark. */
void gm_health_fail(struct gm_health *health, const struct gm_health_work *work, uint32_t left,
                    enum gm_code code, gm_time now);
/* A unit passed on this device. */
void gm_health_pass(struct gm_health *health, const struct gm_health_work *unit);
/* A unit passed on another one. True: a mark became a strike. */
bool gm_health_pass_elsewhere(struct gm_health *health, const struct gm_health_work *unit);
/* The work, or a part of it, failed on another device. True: there was a mark of it. */
bool gm_health_fail_elsewhere(struct gm_health *health, const struct gm_health_work *work);
/* Only marks that are no strikes. */
void gm_health_forget_job(struct gm_health *health, uint64_t job);
void gm_health_age(struct gm_health *health, gm_time now);
uint32_t gm_health_strikes(const struct gm_health *health);
/* Marks since the device last passed anything: it may be a black hole. */
uint32_t gm_health_pending(const struct gm_health *health);

#endif
