#ifndef GM_COMMON_BUCKET_H
#define GM_COMMON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* A decoder's input buffer as arithmetic: bits come in at a constant rate until it is full, and
 * each picture takes its bits out at once at its decode time. What a stretch of pictures does to
 * the buffer is a function of the fullness F at its start, and two stretches make a third, so that
 * the joins of pieces made apart can be judged from a few numbers of each:
 *
 *   fullness at the end  = min(F + gain, cap)
 *   lowest fullness      = min(F - need, low)
 *
 * The buffer never underflows just if F >= need and low >= 0. All are whole bits; size is at most
 * GM_BUCKET_MAX_BITS, as are the bits of a picture and of a time between two. Pure. Thread: any.
 *
 * Source: ISO/IEC 14496-10 annex C.1.2, variable bit rate (cbr_flag = 0).
 */
#define GM_BUCKET_MAX_BITS (INT64_C(1) << 40)

struct gm_bucket {
    int64_t need, gain, cap, low;
};

/* Nothing has happened yet. */
void gm_bucket_init(struct gm_bucket *b, int64_t size);
/* A picture of so many bits is taken out. */
void gm_bucket_take(struct gm_bucket *b, int64_t bits);
/* So many bits come in, as far as they find room. */
void gm_bucket_fill(struct gm_bucket *b, int64_t bits, int64_t size);
/* Numbers that somebody else made: no stretch that keeps to a buffer has larger ones, and a million
 * such can be joined. */
bool gm_bucket_is_plausible(const struct gm_bucket *b);
/* next follows: both together. */
void gm_bucket_join(struct gm_bucket *b, const struct gm_bucket *next);
/* Fullness at the end and the lowest, entering with `fullness`; negative lowest: it underflows. */
int64_t gm_bucket_end(const struct gm_bucket *b, int64_t fullness);
int64_t gm_bucket_lowest(const struct gm_bucket *b, int64_t fullness);
/* Entered with `fullness` or more it never underflows and, unless it is the last one, leaves with
 * as much again: any number of such stretches can be joined. */
bool gm_bucket_holds(const struct gm_bucket *b, int64_t fullness, bool last);
/* By how many bits it fails to; 0: it holds. */
int64_t gm_bucket_excess(const struct gm_bucket *b, int64_t fullness, bool last);

#endif
