#ifndef GM_MEDIA_PACKAGE_MANIFEST_CHECK_H
#define GM_MEDIA_PACKAGE_MANIFEST_CHECK_H

#include "manifest/manifest.h"

/* Reads playlists and manifests back as text, before they are published: that they can be read,
 * that all that they name is there, and that their times are the tracks'. Strict: what
 * media/package/hls.h, media/package/dash.h and media/package/image_track.h never write is refused
 * too. Pure. Errors of all checks: BUG, with the place. */

/* What the publication holds, by path below its folder: "video/720p/seg-00001-0123456789ab.m4s". */
struct gm_manifest_object {
    const char *path; /* borrowed */
    uint64_t size;
};
struct gm_manifest_objects {
    struct gm_manifest_object *list; /* owned */
    size_t count, cap;
    size_t sorted; /* so many of them by path */
};
/* path: borrowed until fini. Errors: NOMEM. */
int gm_manifest_objects_add(struct gm_manifest_objects *o, const char *path, uint64_t size,
                            struct gm_err *err) GM_MUST_CHECK;
/* Makes the search fast; what is added later is found too, slowly. */
void gm_manifest_objects_sort(struct gm_manifest_objects *o);
/* path: size characters. NULL: there is none, or it is empty. */
const struct gm_manifest_object *gm_manifest_objects_find(const struct gm_manifest_objects *o,
                                                          const char *path, size_t size);
void gm_manifest_objects_fini(struct gm_manifest_objects *o);

/* Both go to the scheduler as facts of the task, which may have no more than 16 MiB; what else
 * these say is small. NULL data: there is none. Errors: LIMIT, with what to do. */
#define GM_MANIFEST_ROOM ((16u << 20) - (64u << 10))
int gm_manifest_check_room(const struct gm_buf *master, const struct gm_buf *mpd,
                           struct gm_err *err) GM_MUST_CHECK;
/* Whether all segments of a track are there with the sizes that its metas say. folder: as below. */
int gm_manifest_check_sizes(const char *folder, const struct gm_manifest_track *track,
                            const struct gm_manifest_objects *objects,
                            struct gm_err *err) GM_MUST_CHECK;

struct gm_manifest_playlist {
    const char *folder; /* "video/720p/": what its names are relative to */
    enum { GM_PLAYLIST_SEGMENTS, GM_PLAYLIST_IFRAMES, GM_PLAYLIST_SHEETS } of;
    const struct gm_manifest_track *track;   /* of SEGMENTS and IFRAMES */
    const struct gm_manifest_images *images; /* of SHEETS */
};
/* A media playlist: all head tags and the end once; the track's names in order, each EXTINF right
 * to the microsecond, as their sum, and no more than the target duration; of I-frames the byte
 * ranges of the GOPs' first pictures. Source: RFC 8216 4.3. */
int gm_manifest_check_playlist(const struct gm_buf *text, const struct gm_manifest_playlist *wanted,
                               const struct gm_manifest_objects *objects,
                               struct gm_err *err) GM_MUST_CHECK;
/* master.m3u8 of m: a variant a rendition, each with its bandwidths, codecs and size and the groups
 * that m's sound and text are; every playlist of m once, and none that is not there. */
int gm_manifest_check_master(const struct gm_buf *text, const struct gm_manifest *m,
                             const struct gm_manifest_objects *objects,
                             struct gm_err *err) GM_MUST_CHECK;
/* manifest.mpd of m: well-formed, a Representation for each track once, with the track's names and
 * times in order, all there; the longest one ends with the presentation. */
int gm_manifest_check_mpd(const struct gm_buf *text, const struct gm_manifest *m,
                          const struct gm_manifest_objects *objects,
                          struct gm_err *err) GM_MUST_CHECK;

#endif
