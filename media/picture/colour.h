#ifndef GM_MEDIA_PICTURE_COLOUR_H
#define GM_MEDIA_PICTURE_COLOUR_H

#include <stdbool.h>

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"

/* What the numbers of a picture mean, what those of a rendition shall mean, and what leads from one
 * to the other. Pure.
 *
 * What a source does not say is guessed as players guess it, so that a rendition, which says all
 * of it, looks as the source did:
 * - matrix: that of the primaries where they are known; else BT.709 for pictures of 1280 columns
 *   or 577 lines and more, BT.601 below (BT.470BG where the lines are 576 or 288, else SMPTE 170M)
 * - primaries: those that go with the transfer or the matrix
 * - transfer: BT.709's curve, under BT.601's and BT.2020's names where the primaries are theirs
 * - range: limited; full for RGB, which has no other, for JPEG's formats and for luma alone
 *
 * See: ISO/IEC 23091-2 (values), docs/colour.md.
 */
struct gm_colour {
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    enum AVColorRange range;
};

/* What the source's facts say, as it is said: unspecified stays unspecified. */
struct gm_colour gm_colour_of_facts(const Gm__VideoFacts *facts);
/* Fills what is unspecified. width, height: as coded, before any turn. */
struct gm_colour gm_colour_complete(struct gm_colour said, int width_px, int height_px,
                                    enum AVPixelFormat format);
/* Both at once: what the source's pictures are taken for. */
struct gm_colour gm_colour_of_source(const Gm__VideoFacts *facts);

/* What is made of it. keep: HDR and wide gamut stay (10-bit codecs); else everything becomes SDR of
 * BT.709's or BT.601's gamut. Range is always limited; a matrix of RGB or of a kind that players
 * don't know becomes BT.709's. */
struct gm_colour gm_colour_target(struct gm_colour source, bool keep);
/* That of JPEG files: JFIF 1.02 has BT.601's matrix at full range, and no way to say another. */
struct gm_colour gm_colour_of_jpeg(void);
/* True: a colour table (media/picture/tonemap.h) leads from source to target; false: a conversion
 * of matrix and range by libswscale does, or nothing at all. */
bool gm_colour_needs_table(struct gm_colour source, struct gm_colour target);
/* PQ or HLG. */
bool gm_colour_is_hdr(enum AVColorTransferCharacteristic transfer);

/* The four names that a rendition carries, and back. Unknown names are unspecified. */
int gm_colour_to_rendition(struct gm_colour colour, Gm__Rendition *rendition,
                           struct gm_err *err) GM_MUST_CHECK;
struct gm_colour gm_colour_of_rendition(const Gm__Rendition *rendition);

/* HDR, or a gamut wider than BT.709's: made from pictures that keep the source's light. */
bool gm_colour_is_kept(const Gm__Rendition *rendition);

/* Gives a picture the tags that it lacks: those of the source, then guesses. The picture's own win.
 */
void gm_colour_tag(struct gm_colour source, AVFrame *picture);
/* libswscale's name of a matrix, for in_color_matrix and out_color_matrix; of an unknown one that
 * of BT.709. */
const char *gm_colour_matrix_name(enum AVColorSpace matrix);

#endif
