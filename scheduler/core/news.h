#ifndef GM_SCHEDULER_CORE_NEWS_H
#define GM_SCHEDULER_CORE_NEWS_H

/* Events that a job has once, on its way: "job.inspected" and "job.playable",
 * "job.deadline_doubtful" and "job.deadline_missed". Which of them it had stands in its row.
 * Private to scheduler/core/. */
#include "scheduler/core/state.h"

enum gm_news {
    GM_NEWS_INSPECTED = 1, /* what the source is, is known */
    GM_NEWS_PLAYABLE = 2,  /* the first segments of every rendition and track are committed */
    GM_NEWS_MISSED = 4,    /* its deadline is over, and it was not done; deadline.c */
    GM_NEWS_LATE = 8       /* it was expected to miss it; the same */
};

/* The job works, and something of it may have been committed. */
void gm_core_news(struct gm_core *core, struct gm_cjob *job);

#endif
