#ifndef GM_MANIFEST_HLS_H
#define GM_MANIFEST_HLS_H

#include "manifest/manifest.h"

/* HLS playlists, protocol version 7, of a publication. Appended to out; the caller checks
 * the buffer once. EXTINF values are differences of cumulative times rounded to 6 decimals, so that
 * their sum never drifts. Source: RFC 8216. */

/* media.m3u8 of one track; names are relative to its folder. Where tracks begin apart (is_dated) an
 * EXT-X-PROGRAM-DATE-TIME counted from 1970 says how far: without one shaka-player begins all of
 * them at zero. */
void gm_hls_media(const struct gm_manifest_track *track, int64_t target_s, struct gm_buf *out);
/* The same of a track that grows: EXT-X-PLAYLIST-TYPE:EVENT, without an end. What is written for
 * more segments begins with what is written for fewer. Source: RFC 8216 4.3.3.5, 6.2.1. */
void gm_hls_event(const struct gm_manifest_track *track, int64_t target_s, struct gm_buf *out);
/* iframes.m3u8 of a video track: moof to the end of the IDR of each GOP. */
void gm_hls_iframes(const struct gm_manifest_track *track, struct gm_buf *out);
/* master.m3u8, for the folder above m->prefix. */
void gm_hls_master(const struct gm_manifest *m, struct gm_buf *out);

#endif
