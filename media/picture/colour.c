#include "media/picture/colour.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/pb.h"

#define HD_COLUMNS 1280
#define SD_LINES 576

static bool is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return desc != NULL && (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

static bool is_jpeg(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return desc != NULL && strncmp(desc->name, "yuvj", 4) == 0;
}

/* Luma alone: images. Codecs of video have a rule of their own, which the facts then say. */
static bool is_grey(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    return desc != NULL && desc->nb_components <= 2 && (desc->flags & AV_PIX_FMT_FLAG_PAL) == 0;
}

bool gm_colour_is_hdr(enum AVColorTransferCharacteristic transfer)
{
    return transfer == AVCOL_TRC_SMPTE2084 || transfer == AVCOL_TRC_ARIB_STD_B67;
}

struct gm_colour gm_colour_of_facts(const Gm__VideoFacts *facts)
{
    int p = av_color_primaries_from_name(facts->primaries);
    int t = av_color_transfer_from_name(facts->transfer);
    int m = av_color_space_from_name(facts->matrix);
    return (struct gm_colour){
        .primaries = p > 0 ? (enum AVColorPrimaries)p : AVCOL_PRI_UNSPECIFIED,
        .transfer = t > 0 ? (enum AVColorTransferCharacteristic)t : AVCOL_TRC_UNSPECIFIED,
        .matrix = m >= 0 ? (enum AVColorSpace)m : AVCOL_SPC_UNSPECIFIED,
        .range = strcmp(facts->range, "pc") == 0   ? AVCOL_RANGE_JPEG
                 : strcmp(facts->range, "tv") == 0 ? AVCOL_RANGE_MPEG
                                                   : AVCOL_RANGE_UNSPECIFIED,
    };
}

static enum AVColorSpace matrix_of_primaries(enum AVColorPrimaries primaries)
{
    switch (primaries) {
    case AVCOL_PRI_BT709:
        return AVCOL_SPC_BT709;
    case AVCOL_PRI_BT470BG:
        return AVCOL_SPC_BT470BG;
    case AVCOL_PRI_SMPTE170M:
        return AVCOL_SPC_SMPTE170M;
    case AVCOL_PRI_SMPTE240M:
        return AVCOL_SPC_SMPTE240M;
    case AVCOL_PRI_BT2020:
        return AVCOL_SPC_BT2020_NCL;
    default:
        return AVCOL_SPC_UNSPECIFIED;
    }
}

static enum AVColorSpace matrix_of_size(int width_px, int height_px)
{
    if (width_px >= HD_COLUMNS || height_px > SD_LINES) {
        return AVCOL_SPC_BT709;
    }
    return height_px == SD_LINES || height_px == SD_LINES / 2 ? AVCOL_SPC_BT470BG
                                                              : AVCOL_SPC_SMPTE170M;
}

static enum AVColorPrimaries primaries_of_matrix(enum AVColorSpace matrix)
{
    switch (matrix) {
    case AVCOL_SPC_BT470BG:
        return AVCOL_PRI_BT470BG;
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_FCC:
        return AVCOL_PRI_SMPTE170M;
    case AVCOL_SPC_SMPTE240M:
        return AVCOL_PRI_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
    case AVCOL_SPC_ICTCP:
        return AVCOL_PRI_BT2020;
    default:
        return AVCOL_PRI_BT709;
    }
}

static enum AVColorTransferCharacteristic transfer_of_primaries(enum AVColorPrimaries primaries)
{
    switch (primaries) {
    case AVCOL_PRI_BT470BG:
    case AVCOL_PRI_SMPTE170M:
        return AVCOL_TRC_SMPTE170M;
    case AVCOL_PRI_SMPTE240M:
        return AVCOL_TRC_SMPTE240M;
    case AVCOL_PRI_BT2020:
        return AVCOL_TRC_BT2020_10;
    default:
        return AVCOL_TRC_BT709;
    }
}

static bool primaries_known(enum AVColorPrimaries p)
{
    return p != AVCOL_PRI_UNSPECIFIED && p != AVCOL_PRI_RESERVED0 && p != AVCOL_PRI_RESERVED &&
           p < AVCOL_PRI_NB;
}

static bool transfer_known(enum AVColorTransferCharacteristic t)
{
    return t != AVCOL_TRC_UNSPECIFIED && t != AVCOL_TRC_RESERVED0 && t != AVCOL_TRC_RESERVED &&
           t < AVCOL_TRC_NB;
}

static bool matrix_known(enum AVColorSpace m)
{
    return m != AVCOL_SPC_UNSPECIFIED && m != AVCOL_SPC_RESERVED && m < AVCOL_SPC_NB &&
           m != AVCOL_SPC_CHROMA_DERIVED_NCL && m != AVCOL_SPC_CHROMA_DERIVED_CL;
}

struct gm_colour gm_colour_complete(struct gm_colour c, int width_px, int height_px,
                                    enum AVPixelFormat format)
{
    bool rgb = is_rgb(format);
    if (!primaries_known(c.primaries) && gm_colour_is_hdr(c.transfer)) {
        c.primaries = AVCOL_PRI_BT2020;
    }
    if (rgb) {
        c.matrix = AVCOL_SPC_RGB;
    } else if (!matrix_known(c.matrix) || c.matrix == AVCOL_SPC_RGB) {
        c.matrix =
            primaries_known(c.primaries) ? matrix_of_primaries(c.primaries) : AVCOL_SPC_UNSPECIFIED;
        if (c.matrix == AVCOL_SPC_UNSPECIFIED) {
            c.matrix = matrix_of_size(width_px, height_px);
        }
    }
    if (!primaries_known(c.primaries)) {
        c.primaries = primaries_of_matrix(c.matrix);
    }
    if (!transfer_known(c.transfer)) {
        c.transfer = transfer_of_primaries(c.primaries);
    }
    bool grey = is_grey(format) && c.range == AVCOL_RANGE_UNSPECIFIED;
    if (rgb || grey || is_jpeg(format)) {
        c.range = AVCOL_RANGE_JPEG;
    } else if (c.range != AVCOL_RANGE_JPEG) {
        c.range = AVCOL_RANGE_MPEG;
    }
    return c;
}

struct gm_colour gm_colour_of_source(const Gm__VideoFacts *facts)
{
    return gm_colour_complete(gm_colour_of_facts(facts), (int)facts->width_px,
                              (int)facts->height_px, av_get_pix_fmt(facts->pixel_format));
}

/* Gamuts that every player shows right or that differ from those by less than displays do. */
static bool is_plain_gamut(enum AVColorPrimaries p)
{
    return p == AVCOL_PRI_BT709 || p == AVCOL_PRI_BT470BG || p == AVCOL_PRI_SMPTE170M ||
           p == AVCOL_PRI_SMPTE240M;
}

static bool is_plain_matrix(enum AVColorSpace m)
{
    return m == AVCOL_SPC_BT709 || m == AVCOL_SPC_BT470BG || m == AVCOL_SPC_SMPTE170M;
}

/* Curves of SDR that players take as they come. */
static bool is_plain_transfer(enum AVColorTransferCharacteristic t)
{
    switch (t) {
    case AVCOL_TRC_BT709:
    case AVCOL_TRC_GAMMA22:
    case AVCOL_TRC_GAMMA28:
    case AVCOL_TRC_SMPTE170M:
    case AVCOL_TRC_SMPTE240M:
    case AVCOL_TRC_IEC61966_2_4:
    case AVCOL_TRC_BT1361_ECG:
    case AVCOL_TRC_IEC61966_2_1:
    case AVCOL_TRC_BT2020_10:
    case AVCOL_TRC_BT2020_12:
        return true;
    default:
        return false;
    }
}

struct gm_colour gm_colour_target(struct gm_colour source, bool keep)
{
    static const struct gm_colour plain = {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709,
                                           AVCOL_RANGE_MPEG};
    struct gm_colour t = source;
    t.range = AVCOL_RANGE_MPEG;
    bool wide = source.primaries == AVCOL_PRI_BT2020 &&
                (gm_colour_is_hdr(source.transfer) || is_plain_transfer(source.transfer)) &&
                (source.matrix == AVCOL_SPC_BT2020_NCL || source.matrix == AVCOL_SPC_RGB);
    if (keep && wide) {
        t.matrix = AVCOL_SPC_BT2020_NCL;
        return t;
    }
    if (!is_plain_gamut(source.primaries) || !is_plain_transfer(source.transfer)) {
        return plain;
    }
    if (source.matrix != AVCOL_SPC_RGB && !is_plain_matrix(source.matrix)) {
        return plain;
    }
    if (source.matrix == AVCOL_SPC_RGB) {
        t.matrix = AVCOL_SPC_BT709;
    }
    if (t.transfer == AVCOL_TRC_BT2020_10 || t.transfer == AVCOL_TRC_BT2020_12) {
        t.transfer = AVCOL_TRC_BT709; /* the same curve */
    }
    return t;
}

struct gm_colour gm_colour_of_jpeg(void)
{
    return (struct gm_colour){AVCOL_PRI_BT709, AVCOL_TRC_IEC61966_2_1, AVCOL_SPC_BT470BG,
                              AVCOL_RANGE_JPEG};
}

bool gm_colour_needs_table(struct gm_colour source, struct gm_colour target)
{
    bool rgb = source.matrix == AVCOL_SPC_RGB;
    bool curve = source.transfer != target.transfer &&
                 !(is_plain_transfer(source.transfer) && is_plain_transfer(target.transfer));
    bool matrix = !rgb && source.matrix != target.matrix &&
                  !(is_plain_matrix(source.matrix) && is_plain_matrix(target.matrix));
    return curve || matrix ||
           (source.primaries != target.primaries &&
            !(is_plain_gamut(source.primaries) && is_plain_gamut(target.primaries)));
}

static const char *name_or_unknown(const char *name)
{
    return name != NULL ? name : "unknown";
}

int gm_colour_to_rendition(struct gm_colour c, Gm__Rendition *r, struct gm_err *err)
{
    int rc =
        gm_pb_string(&r->primaries, name_or_unknown(av_color_primaries_name(c.primaries)), err);
    if (rc == 0) {
        rc = gm_pb_string(&r->transfer, name_or_unknown(av_color_transfer_name(c.transfer)), err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&r->matrix, name_or_unknown(av_color_space_name(c.matrix)), err);
    }
    return rc == 0 ? gm_pb_string(&r->range, c.range == AVCOL_RANGE_JPEG ? "pc" : "tv", err) : rc;
}

struct gm_colour gm_colour_of_rendition(const Gm__Rendition *r)
{
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    facts.primaries = r->primaries;
    facts.transfer = r->transfer;
    facts.matrix = r->matrix;
    facts.range = r->range;
    return gm_colour_of_facts(&facts);
}

bool gm_colour_is_kept(const Gm__Rendition *r)
{
    return strcmp(r->primaries, "bt2020") == 0;
}

void gm_colour_tag(struct gm_colour source, AVFrame *f)
{
    enum AVPixelFormat format = (enum AVPixelFormat)f->format;
    struct gm_colour c = {f->color_primaries, f->color_trc, f->colorspace, f->color_range};
    if (!primaries_known(c.primaries)) {
        c.primaries = source.primaries;
    }
    if (!transfer_known(c.transfer)) {
        c.transfer = source.transfer;
    }
    if (!matrix_known(c.matrix) || (c.matrix == AVCOL_SPC_RGB && !is_rgb(format))) {
        c.matrix = source.matrix;
    }
    if (c.range == AVCOL_RANGE_UNSPECIFIED) {
        c.range = source.range;
    }
    c = gm_colour_complete(c, f->width, f->height, format);
    f->color_primaries = c.primaries;
    f->color_trc = c.transfer;
    f->colorspace = c.matrix;
    f->color_range = c.range;
}

const char *gm_colour_matrix_name(enum AVColorSpace matrix)
{
    switch (matrix) {
    case AVCOL_SPC_FCC:
        return "fcc";
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_BT470BG:
        return "bt601";
    case AVCOL_SPC_SMPTE240M:
        return "smpte240m";
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return "bt2020";
    default:
        return "bt709";
    }
}
