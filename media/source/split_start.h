#ifndef GM_MEDIA_SOURCE_SPLIT_START_H
#define GM_MEDIA_SOURCE_SPLIT_START_H

#include "media/source/split_store.h"

/* Inside of the split task: where the decoder of a chunk begins. */

/* The packet that decoding must begin with: the latest keyframe at or before `min_id` that is shown
 * no later than output frame `ordinal`; one more back when that keyframe is not closed; the first
 * packet kept when there is none. */
uint64_t gm_split_start(const struct gm_split_store *s, uint64_t min_id, int64_t ordinal);
#define GM_SPLIT_PASSED 1000
/* The same, passing over keyframes that are damaged, where one that is not lies at most
 * GM_SPLIT_PASSED packets further back: what is missing of a picture is made up from the picture
 * before it, so a decoder that begins there would show another. Keyframes in question are decoded
 * alone, each once. Errors: NOMEM, of gm_decoder_open and gm_split_store_packet. */
int gm_split_start_clean(struct gm_split_store *s, uint64_t min_id, int64_t ordinal,
                         uint64_t *out_id, struct gm_err *err) GM_MUST_CHECK;

#endif
