#include "common/rate.h"

#define SCALE INT64_C(1000000000)

bool gm_rate_take(struct gm_rate *rate, uint32_t amount, uint32_t per_second, uint32_t burst,
                  gm_time now)
{
    gm_time passed = now > rate->at ? now - rate->at : 0;
    gm_time all = per_second == 0 ? passed : rate->spent / per_second + 1;
    passed = passed < all ? passed : all; /* no more than was spent: no overflow */
    rate->at = now > rate->at ? now : rate->at;
    rate->spent -= passed * (int64_t)per_second;
    rate->spent = rate->spent < 0 ? 0 : rate->spent;
    int64_t wanted = (int64_t)(amount < burst ? amount : burst) * SCALE;
    if (rate->spent + wanted > (int64_t)burst * SCALE) {
        return false;
    }
    rate->spent += wanted;
    return true;
}
