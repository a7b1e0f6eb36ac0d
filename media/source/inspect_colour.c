#include "media/source/inspect.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/dovi_meta.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>

#include "media/pb.h"
#include "media/picture/colour.h"

/* Colour facts: tags, range, bit depth, HDR. What the bit stream says wins over the container,
 * whose tags are a copy at best. What nothing says stays "unknown"; media/picture/colour.h says
 * what such a source is taken for. See: SMPTE ST 2086, CTA-861.3, SMPTE ST 2094-40, Dolby Vision
 * Streams Within the ISO Base Media File Format 2.1.2. */
#define CHROMATICITY_UNIT 50000
#define LUMINANCE_UNIT 10000
#define DOLBY_IPT 5      /* profiles whose base layer is IPTPQc2 */
#define DOLBY_IPT_AV1 10 /* that of AV1, with compatibility 0 */

static const void *frame_side(const AVFrame *f, enum AVFrameSideDataType type, size_t size)
{
    const AVFrameSideData *side = av_frame_get_side_data(f, type);
    return side != NULL && side->size >= size ? side->data : NULL;
}

/* As libavcodec tells the profile where no configuration record does: from the RPU's header. */
static uint32_t profile_of_rpu(const AVFrame *f)
{
    const AVDOVIMetadata *m = frame_side(f, AV_FRAME_DATA_DOVI_METADATA, sizeof *m);
    if (m == NULL) {
        return 0;
    }
    const AVDOVIRpuDataHeader *h = av_dovi_get_header(m);
    if (h->vdr_rpu_profile == 0) {
        return h->bl_video_full_range_flag != 0 ? DOLBY_IPT : 0;
    }
    if (h->el_spatial_resampling_filter_flag != 0 && h->disable_residual_flag == 0) {
        return h->vdr_bit_depth == 12 ? 7 : 4;
    }
    return 8;
}

void gm_scan_note_colour(struct gm_scan_colour *c, const AVFrame *f)
{
    const AVMasteringDisplayMetadata *m =
        frame_side(f, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, sizeof *m);
    const AVContentLightMetadata *l = frame_side(f, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, sizeof *l);
    if (m != NULL && !c->has_mastering) {
        c->has_mastering = true;
        c->mastering = *m;
    }
    if (l != NULL && !c->has_light) {
        c->has_light = true;
        c->light = *l;
    }
    c->dynamic = c->dynamic || av_frame_get_side_data(f, AV_FRAME_DATA_DYNAMIC_HDR_PLUS) != NULL;
    if (c->dolby_profile == 0) {
        c->dolby_profile = profile_of_rpu(f);
    }
}

static const void *stream_side(const AVStream *st, enum AVPacketSideDataType type, size_t least)
{
    size_t size = 0;
    const uint8_t *side = av_stream_get_side_data(st, type, &size);
    return side != NULL && size >= least ? side : NULL;
}

/* value * unit, rounded; 0 where it says nothing or does not fit. */
static uint32_t scaled(AVRational value, int64_t unit)
{
    if (value.num <= 0 || value.den <= 0) {
        return 0;
    }
    int64_t n = (2 * unit * value.num + value.den) / (2 * (int64_t)value.den);
    return n <= UINT32_MAX ? (uint32_t)n : 0;
}

static int fill_mastering(const AVMasteringDisplayMetadata *m, Gm__VideoFacts *out,
                          struct gm_err *err)
{
    static const int green_blue_red[3] = {1, 2, 0};
    Gm__MasteringDisplay *d = malloc(sizeof *d);
    uint32_t *list = malloc(6 * sizeof *list);
    if (d == NULL || list == NULL) {
        free(d);
        free(list);
        return gm_err_nomem(err);
    }
    gm__mastering_display__init(d);
    d->n_primaries = 6;
    d->primaries = list;
    for (int i = 0; i < 6; i++) {
        list[i] = m->has_primaries != 0 ? scaled(m->display_primaries[green_blue_red[i / 2]][i % 2],
                                                 CHROMATICITY_UNIT)
                                        : 0;
    }
    if (m->has_primaries != 0) {
        d->white_x = scaled(m->white_point[0], CHROMATICITY_UNIT);
        d->white_y = scaled(m->white_point[1], CHROMATICITY_UNIT);
    }
    if (m->has_luminance != 0) {
        d->max_luminance = scaled(m->max_luminance, LUMINANCE_UNIT);
        d->min_luminance = scaled(m->min_luminance, LUMINANCE_UNIT);
    }
    out->mastering = d;
    return 0;
}

static int fill_light(const AVContentLightMetadata *l, Gm__VideoFacts *out, struct gm_err *err)
{
    Gm__ContentLight *c = malloc(sizeof *c);
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    gm__content_light__init(c);
    c->max_cll = l->MaxCLL;
    c->max_fall = l->MaxFALL;
    out->light = c;
    return 0;
}

static int fill_hdr(const AVStream *st, const struct gm_scan_colour *seen, int transfer,
                    Gm__VideoFacts *out, struct gm_err *err)
{
    const AVMasteringDisplayMetadata *m =
        seen->has_mastering ? &seen->mastering
                            : stream_side(st, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, sizeof *m);
    const AVContentLightMetadata *l =
        seen->has_light ? &seen->light
                        : stream_side(st, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, sizeof *l);
    const AVDOVIDecoderConfigurationRecord *dolby =
        stream_side(st, AV_PKT_DATA_DOVI_CONF, sizeof *dolby);
    out->dolby_profile = dolby != NULL ? dolby->dv_profile : seen->dolby_profile;
    out->dolby_ipt =
        out->dolby_profile == DOLBY_IPT || (out->dolby_profile == DOLBY_IPT_AV1 && dolby != NULL &&
                                            dolby->dv_bl_signal_compatibility_id == 0);
    const char *kind = transfer == AVCOL_TRC_ARIB_STD_B67 ? "hlg"
                       : transfer != AVCOL_TRC_SMPTE2084  ? ""
                       : seen->dynamic                    ? "hdr10plus"
                                                          : "hdr10";
    int rc = gm_pb_string(&out->hdr, kind, err);
    if (rc == 0 && m != NULL && (m->has_primaries != 0 || m->has_luminance != 0)) {
        rc = fill_mastering(m, out, err);
    }
    if (rc == 0 && l != NULL && (l->MaxCLL != 0 || l->MaxFALL != 0)) {
        rc = fill_light(l, out, err);
    }
    return rc;
}

static const char *or_unknown(const char *name)
{
    return name != NULL ? name : "unknown";
}

static int fill_tags(struct gm_colour c, Gm__VideoFacts *out, struct gm_err *err)
{
    int rc = gm_pb_string(&out->primaries, or_unknown(av_color_primaries_name(c.primaries)), err);
    if (rc == 0) {
        rc = gm_pb_string(&out->transfer, or_unknown(av_color_transfer_name(c.transfer)), err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&out->matrix, or_unknown(av_color_space_name(c.matrix)), err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&out->range,
                          c.range == AVCOL_RANGE_JPEG   ? "pc"
                          : c.range == AVCOL_RANGE_MPEG ? "tv"
                                                        : "unknown",
                          err);
    }
    return rc;
}

int gm_facts_colour(const AVStream *st, const struct gm_scan *scan, Gm__VideoFacts *out,
                    struct gm_err *err)
{
    const AVCodecParameters *par = st->codecpar;
    const struct gm_scan_picture *pic = &scan->picture;
    enum AVPixelFormat format = (enum AVPixelFormat)(pic->have ? pic->format : par->format);
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    struct gm_colour c = {par->color_primaries, par->color_trc, par->color_space, par->color_range};
    if (pic->have) {
        c.primaries = pic->primaries != AVCOL_PRI_UNSPECIFIED ? pic->primaries : c.primaries;
        c.transfer = pic->transfer != AVCOL_TRC_UNSPECIFIED ? pic->transfer : c.transfer;
        c.matrix = pic->matrix != AVCOL_SPC_UNSPECIFIED ? pic->matrix : c.matrix;
        c.range = pic->range != AVCOL_RANGE_UNSPECIFIED ? pic->range : c.range;
    }
    if (par->codec_id == AV_CODEC_ID_VP8 && c.matrix == AVCOL_SPC_UNSPECIFIED) {
        c.matrix = AVCOL_SPC_BT470BG; /* RFC 6386 9.2; libvpx, which decodes alpha, does not say */
    }
    if (desc != NULL && strncmp(desc->name, "yuvj", 4) == 0) {
        c.range = AVCOL_RANGE_JPEG;
    }
    out->alpha = desc != NULL && (desc->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
    out->bit_depth = desc != NULL ? (uint32_t)desc->comp[0].depth : 0;
    int rc = gm_pb_string(&out->pixel_format, desc != NULL ? desc->name : "unknown", err);
    enum AVChromaLocation chroma =
        pic->have && pic->chroma != AVCHROMA_LOC_UNSPECIFIED ? pic->chroma : par->chroma_location;
    if (rc == 0 && chroma != AVCHROMA_LOC_UNSPECIFIED) {
        rc = gm_pb_string(&out->chroma_location, av_chroma_location_name(chroma), err);
    }
    if (rc == 0) {
        rc = fill_tags(c, out, err);
    }
    return rc == 0 ? fill_hdr(st, &scan->colour, (int)c.transfer, out, err) : rc;
}
