#ifndef GM_SCHEDULER_OVERLOAD_H
#define GM_SCHEDULER_OVERLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "common/time.h"

/* When who is refused should come again. Pure: times are the caller's. Thread: the caller's. */
#define GM_RETRY_UNKNOWN_S 5u /* nothing was measured yet */
#define GM_RETRY_MOST_S 60u   /* longer, nobody waits without asking */

/* How fast bytes leave. Zeroed: nothing is known. */
struct gm_flow {
    uint64_t rate; /* bytes a second, the newest batches counting most */
};
void gm_flow_note(struct gm_flow *flow, size_t bytes, gm_time took);
/* Whole seconds until so many have left: 1 to GM_RETRY_MOST_S. */
uint32_t gm_flow_wait_s(const struct gm_flow *flow, size_t bytes);

/* How far apart the ends of jobs are. Zeroed: none has ended. */
#define GM_GAP_ENDS 16u
struct gm_gap {
    gm_time ends[GM_GAP_ENDS]; /* a ring */
    uint64_t count;
};
void gm_gap_note(struct gm_gap *gap, gm_time now);
/* Whole seconds until the next one is due, on average: 1 to GM_RETRY_MOST_S. */
uint32_t gm_gap_wait_s(const struct gm_gap *gap, gm_time now);

#endif
