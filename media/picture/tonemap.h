#ifndef GM_MEDIA_PICTURE_TONEMAP_H
#define GM_MEDIA_PICTURE_TONEMAP_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "common/hash.h"
#include "media.pb-c.h"
#include "media/picture/colour.h"

/* From HDR and wide gamut to SDR of BT.709, by one table for the whole programme: what becomes of
 * a colour depends on nothing but that colour, so no chunk is brighter than its neighbour
 * (ADR-0008).
 *
 * Y'CbCr in -> R'G'B' -> light (PQ: SMPTE ST 2084; HLG: BT.2100 with its reference display; SDR:
 * its curve) -> primaries of BT.709 -> what lies outside goes towards the grey of its luminance
 * until it is inside -> highlights compressed (BT.2390 EETF on the largest of R, G, B, which keeps
 * their ratios) -> BT.1886 -> Y'CbCr. The table holds that for a grid of colours as integers, made
 * of arithmetic that is exact on every machine (media/exact.h); between them is interpolated in
 * integers.
 */
#define GM_TONEMAP_BT2390 "bt2390-maxrgb" /* ToneMap.method: highlights compressed */
#define GM_TONEMAP_GAMUT "gamut"          /* SDR: primaries, curve and matrix alone */
#define GM_TONEMAP_WHITE 203.0            /* cd/m2 of SDR's white: BT.2408 reference white */
#define GM_TONEMAP_PEAK 1000.0            /* of a source that does not say; of HLG */

struct gm_tonemap_params {
    struct gm_colour source; /* complete (media/picture/colour.h) */
    double source_peak;      /* cd/m2; PQ and HLG */
    double target_peak;      /* cd/m2 that become white */
};
/* What the programme needs, for Policy.tone_map: NULL in *out where no table is needed for SDR of
 * BT.709 or BT.601. The peak is MaxCLL, else the mastering display's, else GM_TONEMAP_PEAK.
 * *out: owned. Errors: NOMEM. */
int gm_tonemap_plan(const Gm__VideoFacts *facts, Gm__ToneMap **out,
                    struct gm_err *err) GM_MUST_CHECK;

/* One colour, in doubles: what the table holds at its grid. in: the source's three signals as
 * 10-bit codes, in its range; out: 8-bit limited Y'CbCr codes of BT.709, not rounded. */
struct gm_tonemap_curve; /* opaque */
int gm_tonemap_curve_create(const struct gm_tonemap_params *params, struct gm_tonemap_curve **out,
                            struct gm_err *err) GM_MUST_CHECK;
void gm_tonemap_curve_destroy(struct gm_tonemap_curve **curve);
void gm_tonemap_curve_apply(const struct gm_tonemap_curve *curve, const double in[3],
                            double out[3]);

struct gm_tonemap; /* opaque: the table */
/* Errors: INVAL  a source that is not complete, or RGB (its pictures are made Y'CbCr first);
 *                peaks that are not above 0 and at most 10000
 *         NOMEM. */
int gm_tonemap_create(const struct gm_tonemap_params *params, struct gm_tonemap **out,
                      struct gm_err *err) GM_MUST_CHECK;
void gm_tonemap_destroy(struct gm_tonemap **tonemap);
/* SHA-256 of the table. */
void gm_tonemap_hash(const struct gm_tonemap *tonemap, uint8_t out[GM_SHA256_SIZE]);
/* What the table holds, for a kernel that does the same (kernels/tone.cu); borrowed until destroy.
 * nodes: int16_t[GM_TONE_NODES] of luma, blue and red; node, fraction: of each luma code. */
struct gm_tonemap_tables {
    const int16_t *nodes[3];
    const uint8_t *node, *fraction;
};
struct gm_tonemap_tables gm_tonemap_tables(const struct gm_tonemap *tonemap);
/* in: yuv420p10le, any size, with chroma at `place` (LEFT, CENTER, TOPLEFT, TOP; other: as CENTER),
 * and so will be out: allocated by the caller, yuv420p or yuv420p10le of that size; gets the
 * pixels, BT.709's tags and limited range. 8 bits come by ordered dithering. Errors: INVAL. */
int gm_tonemap_apply(const struct gm_tonemap *tonemap, const AVFrame *in,
                     enum AVChromaLocation place, AVFrame *out, struct gm_err *err) GM_MUST_CHECK;

#endif
