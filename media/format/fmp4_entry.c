/* The sample entry of pictures: size, decoder configuration, colour.
 * See: ISO/IEC 14496-12:2020 12.1.3 (VisualSampleEntry), 12.1.5 (colr), 12.1.6 and 12.1.7 (mdcv,
 * clli). */
#include <libavutil/pixdesc.h>
#include <string.h>

#include "media/format/bitstream.h"
#include "media/format/fmp4.h"
#include "media/format/fmp4_box.h"

/* A number of ISO/IEC 23091-2, or 2 (unspecified) where the name says nothing usable. */
static uint16_t colour_number(int found)
{
    return (uint16_t)(found <= 0 || found == 3 || found > 255 ? 2 : found);
}

static void add_colr(struct gm_buf *out, const Gm__Rendition *r)
{
    uint16_t primaries = colour_number(av_color_primaries_from_name(r->primaries));
    uint16_t transfer = colour_number(av_color_transfer_from_name(r->transfer));
    uint16_t matrix = colour_number(av_color_space_from_name(r->matrix));
    if (primaries == 2 && transfer == 2 && matrix == 2) {
        return;
    }
    size_t box = gm_box_open(out, "colr");
    gm_buf_add(out, "nclx", 4);
    gm_buf_be16(out, primaries);
    gm_buf_be16(out, transfer);
    gm_buf_be16(out, matrix);
    gm_buf_u8(out, 0); /* every rendition is limited range */
    gm_box_close(out, box);
}

static void add_light(struct gm_buf *out, const Gm__VideoFacts *facts)
{
    const Gm__MasteringDisplay *m = facts->mastering;
    if (m != NULL && m->n_primaries == 6) {
        size_t box = gm_box_open(out, "mdcv");
        for (size_t i = 0; i < 6; i++) {
            gm_buf_be16(out, (uint16_t)m->primaries[i]);
        }
        gm_buf_be16(out, (uint16_t)m->white_x);
        gm_buf_be16(out, (uint16_t)m->white_y);
        gm_buf_be32(out, m->max_luminance);
        gm_buf_be32(out, m->min_luminance);
        gm_box_close(out, box);
    }
    if (facts->light != NULL) {
        size_t box = gm_box_open(out, "clli");
        gm_buf_be16(out, (uint16_t)facts->light->max_cll);
        gm_buf_be16(out, (uint16_t)facts->light->max_fall);
        gm_box_close(out, box);
    }
}

int gm_fmp4_entry_check(const struct gm_fmp4_video *v, struct gm_err *err)
{
    char name[GM_CODECS_NAME];
    const struct gm_bitstream *codec = gm_bitstream_find(v->codec);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "no sample entry for codec %s", v->codec);
    }
    return codec->name(v->config, v->config_size, name, err);
}

void gm_fmp4_add_video_stsd(struct gm_buf *out, const struct gm_fmp4_video *v)
{
    const struct gm_bitstream *codec = gm_bitstream_find(v->codec);
    size_t stsd = gm_box_open_full(out, "stsd", 0, 0);
    gm_buf_be32(out, 1);
    size_t entry = gm_box_open(out, codec->entry);
    gm_box_zeros(out, 6);
    gm_buf_be16(out, 1); /* data reference */
    gm_box_zeros(out, 16);
    gm_buf_be16(out, (uint16_t)v->width_px);
    gm_buf_be16(out, (uint16_t)v->height_px);
    gm_buf_be32(out, 0x480000); /* 72 dpi */
    gm_buf_be32(out, 0x480000);
    gm_box_zeros(out, 4);
    gm_buf_be16(out, 1);   /* frames a sample */
    gm_box_zeros(out, 32); /* compressor name */
    gm_buf_be16(out, 24);  /* depth */
    gm_buf_be16(out, 0xffff);
    size_t config = gm_box_open(out, codec->config);
    gm_buf_add(out, v->config, v->config_size);
    gm_box_close(out, config);
    if (v->rendition != NULL) {
        add_colr(out, v->rendition);
    }
    size_t pasp = gm_box_open(out, "pasp");
    gm_buf_be32(out, 1);
    gm_buf_be32(out, 1);
    gm_box_close(out, pasp);
    if (v->rendition != NULL && v->facts != NULL && gm_bitstream_is_hdr(v->rendition)) {
        add_light(out, v->facts);
    }
    gm_box_close(out, entry);
    gm_box_close(out, stsd);
}
