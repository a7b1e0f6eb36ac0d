/* Retry-After: from what was seen to leave. */
#include "scheduler/overload.h"

static uint32_t bounded(uint64_t seconds)
{
    return seconds < 1 ? 1 : seconds < GM_RETRY_MOST_S ? (uint32_t)seconds : GM_RETRY_MOST_S;
}

void gm_flow_note(struct gm_flow *flow, size_t bytes, gm_time took)
{
    uint64_t ms = took > GM_MS ? (uint64_t)(took / GM_MS) : 1;
    uint64_t rate = (uint64_t)bytes * 1000 / ms;
    flow->rate = flow->rate == 0 ? rate : flow->rate / 2 + rate / 2;
}

uint32_t gm_flow_wait_s(const struct gm_flow *flow, size_t bytes)
{
    return flow->rate == 0 ? GM_RETRY_UNKNOWN_S : bounded((bytes + flow->rate - 1) / flow->rate);
}

void gm_gap_note(struct gm_gap *gap, gm_time now)
{
    gap->ends[gap->count++ % GM_GAP_ENDS] = now;
}

uint32_t gm_gap_wait_s(const struct gm_gap *gap, gm_time now)
{
    uint64_t n = gap->count < GM_GAP_ENDS ? gap->count : GM_GAP_ENDS;
    if (n == 0) {
        return GM_RETRY_UNKNOWN_S;
    }
    gm_time since = now - gap->ends[(gap->count - n) % GM_GAP_ENDS]; /* the oldest */
    return since <= 0 ? 1 : bounded(((uint64_t)(since / GM_SEC) + n - 1) / n);
}
