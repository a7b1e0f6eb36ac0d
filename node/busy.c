#include "node/busy.h"

#include "common/err.h"

void gm_busy_begin(struct gm_busy *busy, gm_time now)
{
    if (busy->count++ == 0) {
        busy->since = now;
    }
}

void gm_busy_end(struct gm_busy *busy, gm_time now)
{
    GM_ASSERT(busy->count > 0);
    if (--busy->count == 0) {
        busy->sum += now - busy->since;
    }
}

uint64_t gm_busy_get_ms(const struct gm_busy *busy, gm_time now)
{
    gm_time all = busy->sum + (busy->count > 0 ? now - busy->since : 0);
    return (uint64_t)(all / GM_MS);
}
