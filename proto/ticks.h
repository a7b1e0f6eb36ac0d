#ifndef GM_PROTO_TICKS_H
#define GM_PROTO_TICKS_H

#include <stdint.h>

/* ticks of `timescale` (above 0) in microseconds, rounded to the nearest, halves up. Pure. */
int64_t gm_ticks_us(int64_t ticks, uint32_t timescale);

#endif
