#include "common/histogram.h"

void gm_histogram_note(struct gm_histogram *histogram, const struct gm_bounds *bounds, gm_time took)
{
    uint32_t i = 0;
    uint64_t ns = took > 0 ? (uint64_t)took : 0;
    while (i < bounds->count && took > bounds->upper[i]) {
        i++;
    }
    histogram->counts[i]++;
    histogram->sum_ns = ns > UINT64_MAX - histogram->sum_ns ? UINT64_MAX : histogram->sum_ns + ns;
}
