#ifndef GM_SCHEDULER_CORE_TIMERS_H
#define GM_SCHEDULER_CORE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/time.h"

/* Timers of the core: a heap of times, the earliest on top, so that a tick costs what is due and
 * not what exists. A timer is part of what it wakes. Timers of one time come in the order in which
 * they were set. All costs are logarithmic. Pure; thread: the core's.
 *
 * A deadline that moves back often (a lease's, at each heartbeat) is not set anew each time: its
 * owner looks when the timer comes, and sets it to the deadline of then. One that moves forward
 * must be set at once.
 */
struct gm_timer {
    gm_time at;
    uint64_t order;
    size_t place; /* in the heap, from 1; 0: it is not set */
};
/* What the timer is a member of. */
#define GM_TIMER_OWNER(timer, type, member)                                                        \
    ((type *)(void *)((char *)(timer)-offsetof(type, member)))
struct gm_timers {
    struct gm_timer **heap; /* owned; of borrowed timers */
    size_t cap, count;
    uint64_t order;
};
/* Also where it was set before. */
void gm_timers_set(struct gm_timers *timers, struct gm_timer *timer, gm_time at);
/* Nothing where it is not set. */
void gm_timers_stop(struct gm_timers *timers, struct gm_timer *timer);
/* The earliest that is due, which is not set any more then; NULL: none is. */
struct gm_timer *gm_timers_next(struct gm_timers *timers, gm_time now);
/* Forgets the timers, which it does not touch. */
void gm_timers_fini(struct gm_timers *timers);

#endif
