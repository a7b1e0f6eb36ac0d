#ifndef GM_MEDIA_CHUNK_TIMES_H
#define GM_MEDIA_CHUNK_TIMES_H

#include "common/hash.h"
#include "media.pb-c.h"

/* The times of a chunk's pictures as one hash: when each is shown, which begin a GOP or a segment,
 * where the last one ends. split tells that of the plan (SplitItemMeta.times_sha256); verify makes
 * it again from the samples in every rendition's files. So what an encoder did otherwise than
 * planned shows where it did that alike in all of them, too.
 *
 * What is hashed: records of 9 bytes in order of presentation, a kind and a number (u64be). 'S':
 * the next frame begins segment `number`; 'G': a GOP's first frame is shown at `number`
 * (Policy.timescale); 'F': another frame is; 'E': the last one ends there. Hashes are the
 * caller's, fresh before the first call. Thread: as the hash.
 */
void gm_chunk_times_segment(struct gm_sha256 *hash, uint32_t number);
void gm_chunk_times_frame(struct gm_sha256 *hash, int64_t ts, bool gop_start);
/* Ends the hash, which is fresh again. */
void gm_chunk_times_end(struct gm_sha256 *hash, int64_t end_ts, uint8_t out[GM_SHA256_SIZE]);

/* Of a whole header. Errors: NOMEM. */
int gm_chunk_times(const Gm__ChunkHeader *header, uint8_t out[GM_SHA256_SIZE],
                   struct gm_err *err) GM_MUST_CHECK;

#endif
