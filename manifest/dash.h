#ifndef GM_MANIFEST_DASH_H
#define GM_MANIFEST_DASH_H

#include "manifest/manifest.h"

/* manifest.mpd of a publication, for the folder above m->prefix: static, or dynamic where m grows;
 * one period, a SegmentList with a SegmentTimeline for each representation (names hold hashes, so
 * no template can make them). Appended to out; the caller checks the buffer once. Source: ISO/IEC
 * 23009-1 (main profile for ISO media: urn:mpeg:dash:profile:isoff-main:2011). */
void gm_dash_manifest(const struct gm_manifest *m, struct gm_buf *out);

#endif
