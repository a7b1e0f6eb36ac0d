#ifndef GM_MEDIA_IMAGES_SHEETS_H
#define GM_MEDIA_IMAGES_SHEETS_H

#include "common/buf.h"
#include "media.pb-c.h"
#include "media/picture/still.h"

/* Sprite sheets: a grid of tiles over the programme. Tile n shows the picture on screen at n times
 * the interval, n from 0; every sheet has the same size, and room that the last one leaves is
 * black. A programme that does not fill one sheet has one that is no larger than needed. */
struct gm_sheets {
    const struct gm_still *still;
    uint32_t columns, rows; /* of every sheet */
    uint32_t tile_width_px, tile_height_px;
    uint32_t interval_s, timescale;
    int64_t end_ts;       /* of the programme */
    const int64_t *times; /* borrowed: of the pictures there are, ascending; timescale */
    size_t count;         /* of them, at least 1 */
    size_t tiles;         /* ceil(end_ts / interval), at least 1 */
    size_t sheets;
};

#define GM_SHEETS_MAX 10000
#define GM_SHEETS_NAME_SIZE 32

/* policy: has thumbnails. times: borrowed for *out's life. Errors: CONFIG (sheets larger than the
 * format takes), PROTO (times), LIMIT (more than GM_SHEETS_MAX). */
int gm_sheets_lay_out(const Gm__Policy *policy, const int64_t *times, size_t count, int64_t end_ts,
                      struct gm_sheets *out, struct gm_err *err) GM_MUST_CHECK;
/* Which picture tile `tile` shows: the last whose time is not after it, or the first. */
size_t gm_sheets_picture(const struct gm_sheets *s, size_t tile);
/* "sprite-001.jpg"; sheet from 0. */
void gm_sheets_name(const struct gm_sheets *s, size_t sheet, char out[GM_SHEETS_NAME_SIZE]);
/* Appends the sheet's file to out. read: fills `out` (size bytes: planes packed, 4:2:0) with a
 * picture. Errors: its; MEDIA, NOMEM. */
typedef int (*gm_sheets_read_fn)(void *arg, size_t picture, uint8_t *out, size_t size,
                                 struct gm_err *err);
int gm_sheets_encode(const struct gm_sheets *s, size_t sheet, gm_sheets_read_fn read, void *arg,
                     struct gm_buf *out, struct gm_err *err) GM_MUST_CHECK;
/* Appends thumbnails.vtt: a cue for each tile, from 0 to the programme's end without a hole.
 * Source: https://www.w3.org/TR/webvtt1/, https://www.w3.org/TR/media-frags/ (xywh). */
void gm_sheets_index(const struct gm_sheets *s, struct gm_buf *out);

#endif
