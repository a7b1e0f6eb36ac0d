#ifndef GM_MANIFEST_IMAGE_TRACK_H
#define GM_MANIFEST_IMAGE_TRACK_H

#include "manifest/manifest.h"

/* Sprite sheets as tracks of HLS and DASH, for the players' seek bars. All do nothing where
 * m->images is NULL. Appended to out; the caller checks the buffer once. */

#define GM_IMAGE_TRACK_PLAYLIST "tiles.m3u8"

/* tiles.m3u8, beside the sheets: one segment a sheet. Source: HLS image media playlists
 * (github.com/image-media-playlist/spec, version 1.0): EXT-X-IMAGES-ONLY, EXT-X-TILES. */
void gm_image_track_hls(const struct gm_manifest *m, struct gm_buf *out);
/* The line of the master playlist, EXT-X-IMAGE-STREAM-INF. */
void gm_image_track_hls_master(const struct gm_manifest *m, struct gm_buf *out);
/* The AdaptationSet of a period that lasts so long. Source: DASH-IF IOP 4.3, 6.2.6; ISO/IEC
 * 23009-1, 5.3.9.6, for the times of sheets that end before the period. */
void gm_image_track_dash(const struct gm_manifest *m, uint32_t id, int64_t period_us,
                         struct gm_buf *out);

#endif
