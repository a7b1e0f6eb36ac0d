#ifndef GM_KERNELS_REFERENCE_H
#define GM_KERNELS_REFERENCE_H

#include "kernels/kernels.h"

/* What the kernels must give, one result at a time, slowly and plainly: nothing is shared with
 * them but the tables of weights. For tests and for the proof of a device. Addresses are pointers
 * of this process. Thread: any. */

/* params: with the marks, as given to gm_ladder_create. Errors: NOMEM, INVAL. */
int gm_reference_ladder(const struct gm_ladder_params *params, const struct gm_ladder_frame *frame,
                        struct gm_err *err) GM_MUST_CHECK;
void gm_reference_score(const struct gm_score_args *args, const struct gm_score_frame *frame,
                        struct gm_score_sums *out);
/* tone's reference is media/picture/tonemap.h itself. */
void gm_reference_compare(const struct gm_compare_args *args, const struct gm_compare_frame *frame,
                          struct gm_likeness *out);
void gm_reference_sprite(const struct gm_sprite_args *args, const struct gm_sprite_frame *frame);

#endif
