#include "manifest/image_track.h"

#include <inttypes.h>

/* Programme time that a sheet stands for, in microseconds: the last one ends with the programme. */
static int64_t sheet_us(const Gm__SheetsReport *s, size_t sheet, int64_t *out_start)
{
    int64_t whole = (int64_t)s->columns * s->rows * s->interval_s * 1000000;
    int64_t start = (int64_t)sheet * whole;
    *out_start = start;
    return s->duration_us - start < whole ? s->duration_us - start : whole;
}

struct rate {
    int64_t peak_bps, average_bps; /* rounded up */
};

static int64_t bps(uint64_t bytes, int64_t us)
{
    return us > 0 ? (int64_t)(((__int128)bytes * 8000000 + us - 1) / us) : 0;
}

static struct rate measure(const struct gm_manifest_images *images)
{
    const Gm__SheetsReport *s = images->sheets;
    struct rate r = {0, 0};
    uint64_t all = 0;
    for (size_t i = 0; i < s->n_files; i++) {
        int64_t start = 0;
        int64_t us = sheet_us(s, i, &start);
        uint64_t size = images->files[s->files[i]]->size;
        int64_t rate = bps(size, us);
        r.peak_bps = rate > r.peak_bps ? rate : r.peak_bps;
        all += size;
    }
    r.average_bps = bps(all, s->duration_us);
    return r;
}

static void add_us(struct gm_buf *out, int64_t us)
{
    gm_buf_printf(out, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

void gm_image_track_hls(const struct gm_manifest *m, struct gm_buf *out)
{
    if (m->images == NULL) {
        return;
    }
    const Gm__SheetsReport *s = m->images->sheets;
    int64_t start = 0;
    int64_t longest = sheet_us(s, 0, &start);
    int64_t target = (longest + 500000) / 1000000;
    gm_buf_printf(out,
                  "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%" PRId64
                  "\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n",
                  target > 0 ? target : 1);
    for (size_t i = 0; i < s->n_files; i++) {
        int64_t us = sheet_us(s, i, &start);
        gm_buf_str(out, "#EXTINF:");
        add_us(out, us);
        gm_buf_printf(out, ",\n#EXT-X-TILES:RESOLUTION=%ux%u,LAYOUT=%ux%u,DURATION=%u\n%s\n",
                      s->tile_width_px, s->tile_height_px, s->columns, s->rows, s->interval_s,
                      m->images->files[s->files[i]]->name);
    }
    gm_buf_str(out, "#EXT-X-ENDLIST\n");
}

void gm_image_track_hls_master(const struct gm_manifest *m, struct gm_buf *out)
{
    if (m->images == NULL) {
        return;
    }
    const Gm__SheetsReport *s = m->images->sheets;
    struct rate r = measure(m->images);
    gm_buf_printf(out,
                  "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64
                  ",RESOLUTION=%ux%u,CODECS=\"%s\",URI=\"%simages/" GM_IMAGE_TRACK_PLAYLIST "\"\n",
                  r.peak_bps, r.average_bps, s->tile_width_px, s->tile_height_px, m->images->codec,
                  m->prefix);
}

/* A @duration alone has players count on to the period's end. Where that lies behind the last
 * sheet, because sound goes on after the pictures, the sheets are counted out. */
static void add_template(const struct gm_manifest_images *images, int64_t period_us,
                         struct gm_buf *out)
{
    const Gm__SheetsReport *s = images->sheets;
    uint64_t whole_s = (uint64_t)s->columns * s->rows * s->interval_s;
    bool outlasted = period_us > (int64_t)(whole_s * s->n_files * 1000000);
    gm_buf_printf(out, "        <SegmentTemplate media=\"sprite-$Number%%03d$.%s\" timescale=\"1\"",
                  images->ext);
    if (!outlasted) {
        gm_buf_printf(out, " duration=\"%" PRIu64 "\" startNumber=\"1\"/>\n", whole_s);
        return;
    }
    gm_buf_printf(out,
                  " startNumber=\"1\">\n          <SegmentTimeline>\n"
                  "            <S t=\"0\" d=\"%" PRIu64 "\"",
                  whole_s);
    if (s->n_files > 1) {
        gm_buf_printf(out, " r=\"%zu\"", s->n_files - 1);
    }
    gm_buf_str(out, "/>\n          </SegmentTimeline>\n        </SegmentTemplate>\n");
}

void gm_image_track_dash(const struct gm_manifest *m, uint32_t id, int64_t period_us,
                         struct gm_buf *out)
{
    if (m->images == NULL) {
        return;
    }
    const Gm__SheetsReport *s = m->images->sheets;
    gm_buf_printf(out,
                  "    <AdaptationSet id=\"%u\" contentType=\"image\" mimeType=\"%s\">\n"
                  "      <Representation id=\"tiles\" bandwidth=\"%" PRId64
                  "\" width=\"%u\" height=\"%u\">\n",
                  id, m->images->mime, measure(m->images).peak_bps, s->columns * s->tile_width_px,
                  s->rows * s->tile_height_px);
    gm_buf_printf(out,
                  "        <EssentialProperty schemeIdUri="
                  "\"http://dashif.org/guidelines/thumbnail_tile\" value=\"%ux%u\"/>\n"
                  "        <BaseURL>%simages/</BaseURL>\n",
                  s->columns, s->rows, m->prefix);
    add_template(m->images, period_us, out);
    gm_buf_str(out, "      </Representation>\n    </AdaptationSet>\n");
}
