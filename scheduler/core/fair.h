#ifndef GM_SCHEDULER_CORE_FAIR_H
#define GM_SCHEDULER_CORE_FAIR_H

#include <stdint.h>

#include "common/time.h"
#include "scheduler/core/view.h"

/* The arithmetic of shares, in whole numbers: the same on every machine, whatever the order of
 * sums. Pure. Thread: any.
 *
 * Virtual time is what somebody was given of the whole farm, divided by weight: a share of 2^20 is
 * the farm, a unit of time 2^16 ns; the farm to itself for 18 years at weight 1 fits into it.
 * Source: start-time fair queueing, Goyal, Vin, Cheng, SIGCOMM 1996; the dominant share, Ghodsi and
 * others, NSDI 2011. */
#define GM_FAIR_WHOLE (UINT64_C(1) << 20)

/* Of a priority 0..100. */
enum gm_job_class gm_fair_class(int32_t priority);
/* Of a job among those of its tenant and class: twice as much every ten points, 10..10240. */
uint64_t gm_fair_job_weight(int32_t priority);
/* The largest part that a demand is of anything that the farm has, 1..GM_FAIR_WHOLE. */
uint64_t gm_fair_share(const struct gm_capacity *demand, const struct gm_capacity *farm);
/* What holding the share so long costs at weight 1. */
uint64_t gm_fair_cost(uint64_t share, gm_time held);
/* The mean with one more: an eighth of the way. */
gm_time gm_fair_mean(gm_time mean, gm_time next);

#endif
