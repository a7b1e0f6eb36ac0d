#ifndef GM_SCHEDULER_CORE_NEWS_H
#define GM_SCHEDULER_CORE_NEWS_H

/* Events that a job has once, on its way: "job.inspected" and "job.playable". Which of them it had
 * stands in its row. Private to scheduler/core/. */
#include "scheduler/core/state.h"

enum gm_news {
    GM_NEWS_INSPECTED = 1, /* what the source is, is known */
    GM_NEWS_PLAYABLE = 2   /* the first segments of every rendition and track are committed */
};

/* The job works, and something of it may have been committed. */
void gm_core_news(struct gm_core *core, struct gm_cjob *job);

#endif
