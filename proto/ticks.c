#include "proto/ticks.h"

int64_t gm_ticks_us(int64_t ticks, uint32_t timescale)
{
    return (int64_t)(((__int128)ticks * 1000000 + timescale / 2) / timescale);
}
