#include "media/images/sheets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"

static int check_times(const int64_t *times, size_t count, int64_t end_ts, struct gm_err *err)
{
    if (count == 0 || end_ts <= 0) {
        return gm_err_set(err, GM_E_PROTO, 0, "There is no picture to make tiles of");
    }
    for (size_t i = 0; i < count; i++) {
        if (times[i] < 0 || times[i] >= end_ts || (i > 0 && times[i] <= times[i - 1])) {
            return gm_err_set(err, GM_E_PROTO, 0, "Thumbnail times do not rise");
        }
    }
    return 0;
}

int gm_sheets_lay_out(const Gm__Policy *policy, const int64_t *times, size_t count, int64_t end_ts,
                      struct gm_sheets *out, struct gm_err *err)
{
    const Gm__ThumbnailsParams *p = policy->thumbnails;
    struct gm_sheets s = {.columns = p->columns,
                          .rows = p->rows,
                          .tile_width_px = p->width,
                          .tile_height_px = policy->tile_height_px,
                          .interval_s = p->interval_s,
                          .timescale = policy->timescale,
                          .end_ts = end_ts,
                          .times = times,
                          .count = count,
                          .still = gm_still_find(p->format)};
    int rc = check_times(times, count, end_ts, err);
    if (rc < 0) {
        return rc;
    }
    if (s.still == NULL || s.columns == 0 || s.rows == 0 || s.interval_s == 0 || s.timescale == 0 ||
        s.tile_width_px < 2 || s.tile_height_px < 2 || s.tile_width_px % 2 != 0 ||
        s.tile_height_px % 2 != 0 || s.columns > s.still->max_side / s.tile_width_px ||
        s.rows > s.still->max_side / s.tile_height_px) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "Sprite sheets of %" PRIu32 "x%" PRIu32 " tiles of %" PRIu32 "x%" PRIu32
                          " can't be made as %.20s",
                          s.columns, s.rows, s.tile_width_px, s.tile_height_px, p->format);
    }
    int64_t interval = (int64_t)s.interval_s * s.timescale;
    uint64_t tiles = ((uint64_t)end_ts + (uint64_t)interval - 1) / (uint64_t)interval;
    uint64_t a_sheet = (uint64_t)s.columns * s.rows;
    if (tiles > a_sheet * GM_SHEETS_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "More than %d sprite sheets would be needed",
                          GM_SHEETS_MAX);
    }
    s.tiles = (size_t)tiles;
    s.sheets = (size_t)((tiles + a_sheet - 1) / a_sheet);
    if (s.sheets == 1) {
        s.columns = tiles < s.columns ? (uint32_t)tiles : s.columns;
        s.rows = (uint32_t)((tiles + s.columns - 1) / s.columns);
    }
    *out = s;
    return 0;
}

size_t gm_sheets_picture(const struct gm_sheets *s, size_t tile)
{
    int64_t at = (int64_t)tile * s->interval_s * s->timescale;
    size_t low = 0;
    size_t high = s->count; /* times[low] <= at (or low is 0) < times[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (s->times[middle] <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void gm_sheets_name(const struct gm_sheets *s, size_t sheet, char out[GM_SHEETS_NAME_SIZE])
{
    (void)snprintf(out, GM_SHEETS_NAME_SIZE, "sprite-%03u.%s", (unsigned)sheet + 1, s->still->ext);
}

static AVFrame *make_sheet(const struct gm_sheets *s)
{
    AVFrame *sheet = gm_av_frame(s->still->format, (int)(s->columns * s->tile_width_px),
                                 (int)(s->rows * s->tile_height_px));
    if (sheet == NULL) {
        return NULL;
    }
    sheet->color_range = strcmp(s->still->range, "pc") == 0 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    sheet->colorspace = AVCOL_SPC_BT470BG;
    for (int plane = 0; plane < 3; plane++) {
        size_t rows = (size_t)(plane == 0 ? sheet->height : sheet->height / 2);
        memset(sheet->data[plane], plane == 0 ? s->still->black : 128,
               (size_t)sheet->linesize[plane] * rows);
    }
    return sheet;
}

static void lay_plane(AVFrame *sheet, int plane, const uint8_t *from, uint32_t x, uint32_t y,
                      uint32_t width, uint32_t height)
{
    for (uint32_t row = 0; row < height; row++) {
        memcpy(sheet->data[plane] + (size_t)(y + row) * (size_t)sheet->linesize[plane] + x,
               from + (size_t)row * width, width);
    }
}

static int fill_sheet(const struct gm_sheets *s, size_t number, gm_sheets_read_fn read, void *arg,
                      AVFrame *sheet, struct gm_err *err)
{
    uint32_t w = s->tile_width_px;
    uint32_t h = s->tile_height_px;
    size_t luma = (size_t)w * h;
    size_t first = number * s->columns * s->rows;
    size_t known = SIZE_MAX; /* the picture that is in `tile` */
    uint8_t *tile = malloc(luma * 3 / 2);
    int rc = tile != NULL ? 0 : gm_err_nomem(err);
    for (size_t i = 0; rc == 0 && i < (size_t)s->columns * s->rows && first + i < s->tiles; i++) {
        uint32_t x = (uint32_t)(i % s->columns) * w;
        uint32_t y = (uint32_t)(i / s->columns) * h;
        size_t picture = gm_sheets_picture(s, first + i);
        if (picture != known) {
            rc = read(arg, picture, tile, luma * 3 / 2, err);
            known = picture;
        }
        if (rc == 0) {
            lay_plane(sheet, 0, tile, x, y, w, h);
            lay_plane(sheet, 1, tile + luma, x / 2, y / 2, w / 2, h / 2);
            lay_plane(sheet, 2, tile + luma + luma / 4, x / 2, y / 2, w / 2, h / 2);
        }
    }
    free(tile);
    return rc;
}

int gm_sheets_encode(const struct gm_sheets *s, size_t number, gm_sheets_read_fn read, void *arg,
                     struct gm_buf *out, struct gm_err *err)
{
    AVFrame *sheet = make_sheet(s);
    int rc = sheet != NULL ? fill_sheet(s, number, read, arg, sheet, err) : gm_err_nomem(err);
    if (rc == 0) {
        rc = gm_still_encode(s->still, sheet, s->still->sheet_quality, out, err);
    }
    av_frame_free(&sheet);
    return rc;
}

static void add_time(struct gm_buf *out, int64_t ms)
{
    gm_buf_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000,
                  ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void gm_sheets_index(const struct gm_sheets *s, struct gm_buf *out)
{
    size_t a_sheet = (size_t)s->columns * s->rows;
    int64_t interval_ms = (int64_t)s->interval_s * 1000;
    __int128 scaled = (__int128)s->end_ts * 1000 + s->timescale - 1;
    int64_t end_ms = (int64_t)(scaled / s->timescale); /* not before the last picture is gone */
    gm_buf_str(out, "WEBVTT\n");
    for (size_t i = 0; i < s->tiles; i++) {
        size_t on_sheet = i % a_sheet;
        char name[GM_SHEETS_NAME_SIZE];
        int64_t start_ms = (int64_t)i * interval_ms;
        gm_sheets_name(s, i / a_sheet, name);
        gm_buf_str(out, "\n");
        add_time(out, start_ms);
        gm_buf_str(out, " --> ");
        add_time(out, i + 1 < s->tiles ? start_ms + interval_ms : end_ms);
        gm_buf_printf(out, "\n%s#xywh=%zu,%zu,%" PRIu32 ",%" PRIu32 "\n", name,
                      on_sheet % s->columns * s->tile_width_px,
                      on_sheet / s->columns * s->tile_height_px, s->tile_width_px,
                      s->tile_height_px);
    }
}
