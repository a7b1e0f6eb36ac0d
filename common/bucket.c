#include "common/bucket.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void gm_bucket_init(struct gm_bucket *b, int64_t size)
{
    *b = (struct gm_bucket){.need = 0, .gain = 0, .cap = size, .low = size};
}

void gm_bucket_take(struct gm_bucket *b, int64_t bits)
{
    b->need = larger(b->need, bits - b->gain);
    b->low = smaller(b->low, b->cap - bits);
    b->gain -= bits;
    b->cap -= bits;
}

void gm_bucket_fill(struct gm_bucket *b, int64_t bits, int64_t size)
{
    b->cap = smaller(b->cap + bits, size);
    /* F is at least 0, so a gain above the cap says no more than the cap. */
    b->gain = smaller(b->gain + bits, b->cap);
}

static bool is_plausible(int64_t bits)
{
    return bits >= -GM_BUCKET_MAX_BITS && bits <= GM_BUCKET_MAX_BITS;
}

bool gm_bucket_is_plausible(const struct gm_bucket *b)
{
    return is_plausible(b->need) && is_plausible(b->gain) && is_plausible(b->cap) &&
           is_plausible(b->low);
}

void gm_bucket_join(struct gm_bucket *b, const struct gm_bucket *next)
{
    b->need = larger(b->need, next->need - b->gain);
    b->low = smaller(b->low, smaller(b->cap - next->need, next->low));
    b->cap = smaller(b->cap + next->gain, next->cap);
    b->gain = smaller(b->gain + next->gain, b->cap);
}

int64_t gm_bucket_end(const struct gm_bucket *b, int64_t fullness)
{
    return smaller(fullness + b->gain, b->cap);
}

int64_t gm_bucket_lowest(const struct gm_bucket *b, int64_t fullness)
{
    return smaller(fullness - b->need, b->low);
}

bool gm_bucket_holds(const struct gm_bucket *b, int64_t fullness, bool last)
{
    return gm_bucket_excess(b, fullness, last) == 0;
}

int64_t gm_bucket_excess(const struct gm_bucket *b, int64_t fullness, bool last)
{
    int64_t under = -gm_bucket_lowest(b, fullness);
    int64_t lost = last ? 0 : fullness - gm_bucket_end(b, fullness);
    return larger(larger(under, lost), 0);
}
