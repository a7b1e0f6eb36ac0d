#ifndef GM_MANIFEST_DESCRIBE_H
#define GM_MANIFEST_DESCRIBE_H

#include "manifest/manifest.h"

/* What a plan says of its tracks, for those who write playlists and manifests: renditions, then
 * sound, then text. Pure; pointers lead into the plan. */

/* Names, codecs, sizes, languages: all that holds before anything is made. Segments and what comes
 * of them are left alone. tracks: policy->n_renditions + n_audio + n_text; sound has params. */
void gm_manifest_describe(const Gm__Policy *policy, struct gm_manifest_track *tracks);
/* The manifest of these tracks: their lists, and the frame rate. is_dated of each is set by where
 * its first segment begins. */
struct gm_manifest gm_manifest_make(const Gm__Policy *policy, struct gm_manifest_track *tracks,
                                    const char *prefix);

#endif
