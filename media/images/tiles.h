#ifndef GM_MEDIA_IMAGES_TILES_H
#define GM_MEDIA_IMAGES_TILES_H

#include <libavutil/frame.h>

#include "media/picture/eyes.h"
#include "media/task_io.h"

/* What `encode` keeps of each chunk for `thumbnails`: the small pictures on screen at multiples of
 * the interval, and a candidate for the poster (media/images/poster.h). Files of the work store:
 * tiles raw (4:2:0, planes packed, one after the other, in media/picture/still.h's format), the
 * candidate finished.
 */
struct gm_tiles; /* opaque */

#define GM_TILES_MAX 100000 /* of a chunk */

/* Frames of the chunk that become tiles, ascending, each once, into out (room for `max`): those on
 * screen at a multiple of interval_ts in [first frame, end_ts); in chunk 0 the first frame too when
 * it comes after 0. Pure. Returns how many there are, which may be more than max. */
size_t gm_tiles_select(const Gm__ChunkHeader *header, int64_t interval_ts, size_t *out, size_t max);

/* policy: borrowed, has thumbnails. Errors: MEDIA (odd tile sizes), NOMEM. */
int gm_tiles_create(struct gm_task_io *io, const Gm__Policy *policy, struct gm_tiles **out,
                    struct gm_err *err) GM_MUST_CHECK;
void gm_tiles_destroy(struct gm_tiles **tiles);
/* A chunk begins (again: what was kept of it is dropped). header: borrowed until finish. */
int gm_tiles_start(struct gm_tiles *t, const Gm__ChunkHeader *header,
                   struct gm_err *err) GM_MUST_CHECK;
/* Whether the chunk's frame `index` is looked at. */
bool gm_tiles_wants(const struct gm_tiles *t, size_t index);
/* The chunk's frame `index`; no matter when it is not wanted. sight: as gm_poster_picture. */
int gm_tiles_picture(struct gm_tiles *t, size_t index, const struct gm_sight *sight,
                     struct gm_err *err) GM_MUST_CHECK;
/* Writes the files; fills tiles_*, tile_ts and poster_* of meta, and at most two files. What they
 * point at is borrowed until the next start or destroy. */
int gm_tiles_finish(struct gm_tiles *t, Gm__EncodeItemMeta *meta, Gm__WFile files[2],
                    size_t *out_files, struct gm_err *err) GM_MUST_CHECK;

#endif
