#include "proto/ladder.h"

#include <stdbool.h>
#include <stdlib.h>

struct gm_ladder_shape gm_ladder_shape(const Gm__VideoFacts *v)
{
    int64_t num = 1, den = 1;
    if (v->sample_aspect != NULL && v->sample_aspect->num > 0 && v->sample_aspect->den > 0 &&
        v->sample_aspect->num <= INT32_MAX && v->sample_aspect->den <= INT32_MAX) {
        num = v->sample_aspect->num;
        den = v->sample_aspect->den;
    }
    /* Pixels are made square by widening one side, never by losing lines. */
    int64_t low = num < den ? num : den;
    struct gm_ladder_shape s = {(int64_t)v->width_px * num, (int64_t)v->height_px * den, low};
    if (v->rotation_deg % 180 != 0) {
        int64_t w = s.width;
        s.width = s.height;
        s.height = w;
    }
    return s;
}

static int descending(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

size_t gm_ladder_sides(const Gm__VideoFacts *video, const uint32_t *sides, size_t count,
                       uint32_t out[GM_LADDER_MAX])
{
    struct gm_ladder_shape s = gm_ladder_shape(video);
    uint32_t sorted[GM_LADDER_MAX] = {0};
    size_t n = 0;
    count = count < GM_LADDER_MAX ? count : GM_LADDER_MAX;
    if (s.width <= 0 || s.height <= 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = sides[i] / 2 * 2;
    }
    qsort(sorted, count, sizeof sorted[0], descending);
    int64_t shorter = s.width < s.height ? s.width : s.height;
    int64_t longer = s.width < s.height ? s.height : s.width;
    for (size_t i = 0; i < count; i++) {
        uint32_t side = sorted[i];
        bool fits = side >= 2 && (int64_t)side * s.den <= shorter &&
                    longer / shorter <= GM_LADDER_MAX_SIDE / side;
        if (fits && (n == 0 || out[n - 1] != side)) {
            out[n++] = side;
        }
    }
    return n;
}
