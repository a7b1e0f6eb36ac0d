#ifndef GM_SCHEDULER_CORE_BACKLOG_H
#define GM_SCHEDULER_CORE_BACKLOG_H

#include "common/time.h"
#include "scheduler/core/counts.h"
#include "scheduler/core/fair.h"

/* What unfinished jobs are still to have encoded, by class and kind of device, so that a question
 * about it walks no jobs. Of a job it is what was thought when its chain was chosen, or when the
 * round of demand.c last came to it. Private to scheduler/core/.
 * See: docs/adr/0072-the-chain-that-ends-first.md */
struct gm_core;
struct gm_cjob;
struct gm_chain_wish;

struct gm_backlog { /* of a class and kind */
    uint64_t ms;    /* of one slot */
    uint64_t jobs;
};
struct gm_owed { /* of a job */
    uint64_t ms;
    enum gm_count_kind kind;
    enum gm_job_class class_;
    bool in; /* it is in the sums */
};

/* Devices that offer a chain of that name. */
enum gm_count_kind gm_core_chain_kind(const char *chain);
/* The job's encodes go there, as far as is known; NULL: nowhere any more. */
void gm_core_backlog_set(struct gm_core *core, struct gm_cjob *job, const char *chain);
/* By the chain that it was planned for, or that was chosen for it, if any. */
void gm_core_backlog_enter(struct gm_core *core, struct gm_cjob *job);
/* What is left of a planned job is reckoned anew. */
void gm_core_backlog_renew(struct gm_core *core, struct gm_cjob *job);
/* It is of another class by now. */
void gm_core_backlog_class(struct gm_core *core, struct gm_cjob *job);
/* Of one slot, what the job has left to encode with a chain of that name; 0: not known. */
gm_time gm_core_backlog_own(const struct gm_core *core, const struct gm_cjob *job,
                            const char *chain);
/* When the job's encodes would end, were it to begin now and of that class: what is before it by
 * classes and by shares of equal jobs, over `slots`, and its own over as many of them as it has
 * chunks. wish: the devices. 0: not known. */
gm_time gm_core_backlog_end(const struct gm_core *core, const struct gm_cjob *job,
                            enum gm_job_class class_, const struct gm_chain_wish *wish,
                            uint64_t slots);
/* The sums are those of the jobs, and every planned job that has left to encode is in them. Errors:
 * BUG. */
int gm_core_backlog_check(const struct gm_core *core, struct gm_err *err) GM_MUST_CHECK;

/* guess.c: time of one slot that so many frames of all renditions take by a chain: by what such
 * pictures took, else by what gopmill-hwtest measured on the first device of them, else as
 * assumed. 0: the pictures' size is not known. */
double gm_core_guess_s(const struct gm_core *core, const struct gm_cjob *job,
                       const struct gm_chain_wish *wish, uint64_t frames);

#endif
