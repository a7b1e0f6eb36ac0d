#ifndef GM_CLI_CUT_H
#define GM_CLI_CUT_H

#include "common/err.h"

/* Where a file is cut for sending. Pure. Thread: any. */

#define GM_CUT_MOST 10000 /* parts */
#define GM_CUT_TARGET                                                                              \
    ((uint64_t)16 << 20) /* bytes of a part, about: less in files below 1 GiB,                     \
                          * more where there would be too many */
#define GM_CUT_LEAST ((uint64_t)1 << 20)
#define GM_CUT_ENDS ((uint64_t)8 << 20) /* from each side: what is read first */

/* Sizes of a file's parts in order; all of them together are the file. */
struct gm_cut {
    uint64_t *sizes; /* owned */
    size_t count;    /* 1..GM_CUT_MOST */
};
/* size: above 0. keyframes: offsets in ascending order, of which each part begins at the one that
 * is nearest to its place, within half a part; NULL: none are known. Errors: NOMEM. */
int gm_cut_plan(uint64_t size, const uint64_t *keyframes, size_t count, struct gm_cut *out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_cut_fini(struct gm_cut *cut);

/* The order to send parts in: those of the file's first GM_CUT_ENDS bytes, those of its last, then
 * the others; *out_ends of them are of the two. *out is owned: cut->count indices. Errors: NOMEM.
 */
int gm_cut_order(const struct gm_cut *cut, size_t **out, size_t *out_ends,
                 struct gm_err *err) GM_MUST_CHECK;

/* What gopmill-worker --keyframes prints: numbers in ascending order, 0 < n < size, a line each,
 * and "end" in the last one. *out: owned. Errors: PROTO (anything else), NOMEM. */
int gm_cut_read(const char *text, uint64_t size, uint64_t **out, size_t *out_count,
                struct gm_err *err) GM_MUST_CHECK;

#endif
