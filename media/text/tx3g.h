#ifndef GM_MEDIA_TEXT_TX3G_H
#define GM_MEDIA_TEXT_TX3G_H

#include "media/text/cues.h"

/* A track's WebVTT file as timed text samples of an MP4 file (3GPP TS 26.245), which follow one
 * another without a gap: cues that show together share samples, and where none shows the sample is
 * empty. b, i and u become style records. Pure. Thread: one at a time. */
struct gm_tx3g; /* opaque */

#define GM_TX3G_TIMESCALE 1000
#define GM_TX3G_MAX_SHOWN 32u         /* cues that show together */
#define GM_TX3G_MAX_BYTES (64u << 20) /* of all samples; after that they are empty */

/* data: a whole WebVTT file of gopmill's (gm_webvtt_read); borrowed for the object's life. end_ms:
 * of the programme; above 0. Errors: MEDIA, NOMEM. */
int gm_tx3g_create(const uint8_t *data, size_t size, int64_t end_ms, struct gm_tx3g **out,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_tx3g_destroy(struct gm_tx3g **t);
/* Where the next sample begins; end_ms: there is none. */
int64_t gm_tx3g_start(const struct gm_tx3g *t);
/* The next sample into out (emptied first); *out_duration_ms is at least 1. */
int gm_tx3g_next(struct gm_tx3g *t, struct gm_buf *out, int64_t *out_duration_ms,
                 struct gm_err *err) GM_MUST_CHECK;
/* How often a cue was left out for the limits. */
int64_t gm_tx3g_left_out(const struct gm_tx3g *t);

/* The body of the sample entry behind its data reference: TextSampleEntry. */
void gm_tx3g_entry(struct gm_buf *out, bool forced);

#endif
