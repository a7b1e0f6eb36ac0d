#include "media/picture/planned.h"

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/device/device_picture.h"

struct gm_planned gm_planned_of(const Gm__VideoFacts *v)
{
    return (struct gm_planned){
        .width_px = (int)(v->crop != NULL ? v->crop->whole_width_px : v->width_px),
        .height_px = (int)(v->crop != NULL ? v->crop->whole_height_px : v->height_px),
        .format = av_get_pix_fmt(v->pixel_format),
        .colour = gm_colour_of_source(v),
        .aspect = gm_av_aspect(gm_av_rational(v->sample_aspect)),
        .fixed_aspect = v->fixed_aspect};
}

static bool is_colour(const AVFrame *p, struct gm_colour c)
{
    return p->color_primaries == c.primaries && p->color_trc == c.transfer &&
           p->colorspace == c.matrix && p->color_range == c.range;
}

int gm_planned_look(const struct gm_planned *l, const AVFrame *p, const char **out_why,
                    struct gm_err *err)
{
    enum AVPixelFormat format =
        gm_device_picture_is(p) ? gm_device_picture_format(p) : (enum AVPixelFormat)p->format;
    bool sized = p->width == l->width_px && p->height == l->height_px;
    bool shaped = l->fixed_aspect || av_cmp_q(gm_av_aspect(p->sample_aspect_ratio), l->aspect) == 0;
    bool sited =
        p->chroma_location == AVCHROMA_LOC_UNSPECIFIED || p->chroma_location == AVCHROMA_LOC_LEFT;
    if (format != l->format || !sized || !shaped || !sited) {
        *out_why = "pictures are not of the size, shape or format that the source began with";
        return 0;
    }
    AVFrame *tagged = av_frame_clone(p);
    if (tagged == NULL) {
        return gm_err_nomem(err);
    }
    gm_colour_tag(l->colour, tagged);
    *out_why = is_colour(tagged, l->colour) ? NULL
                                            : "pictures are not of the colour that the source "
                                              "began with";
    av_frame_free(&tagged);
    return 0;
}

void gm_planned_tell(struct gm_colour colour, int64_t pts, AVFrame *f)
{
    f->pts = pts;
    f->pict_type = AV_PICTURE_TYPE_NONE;
    f->sample_aspect_ratio = (AVRational){1, 1};
    f->color_primaries = colour.primaries;
    f->color_trc = colour.transfer;
    f->colorspace = colour.matrix;
    f->color_range = colour.range;
    f->chroma_location = AVCHROMA_LOC_LEFT;
}
