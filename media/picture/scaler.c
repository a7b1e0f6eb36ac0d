#include "media/picture/scaler.h"

#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavutil/pixdesc.h>

#include "common/fs.h"
#include "media/picture/siting.h"

/* The same kernel as libswscale's "bicubic": Mitchell and Netravali's with B = 0, C = 0.6.
 * See: libswscale/options.c, param0 and param1; Computer Graphics 22(4), 1988. */
#define NAME "zscale"
#define KERNEL "filter=bicubic:param_a=0:param_b=0.6:dither=none"

static bool same(struct gm_colour a, struct gm_colour b)
{
    return a.primaries == b.primaries && a.transfer == b.transfer && a.matrix == b.matrix &&
           a.range == b.range;
}

bool gm_scaler_plan(const Gm__VideoFacts *facts, struct gm_colour source, struct gm_colour target,
                    enum AVPixelFormat format)
{
    struct gm_siting siting = gm_siting(facts);
    return format == AV_PIX_FMT_YUV420P &&
           av_get_pix_fmt(facts->pixel_format) == AV_PIX_FMT_YUV420P && facts->width_px % 2 == 0 &&
           facts->height_px % 2 == 0 && source.range == AVCOL_RANGE_MPEG && same(source, target) &&
           siting.h == 0 && siting.v == 128 && avfilter_get_by_name(NAME) != NULL;
}

int gm_scaler_filters(const Gm__VideoFacts *facts, uint32_t width_px, uint32_t height_px,
                      const char *chain, char *out, size_t size, struct gm_err *err)
{
    bool lies = facts->rotation_deg % 180 != 0;
    bool sized = (lies ? facts->height_px : facts->width_px) == width_px &&
                 (lies ? facts->width_px : facts->height_px) == height_px;
    const char *rest = strchr(chain, ',');
    rest = rest == NULL ? chain + strlen(chain) : rest;
    if (sized) {
        return gm_fs_path(out, size, err, "%s", rest[0] == ',' ? rest + 1 : "null");
    }
    return gm_fs_path(out, size, err, NAME "=w=%u:h=%u:" KERNEL "%s", width_px, height_px, rest);
}

bool gm_scaler_takes(const char *quick, const AVFrame *p, uint32_t width_px, uint32_t height_px)
{
    bool scales = strncmp(quick, NAME, strlen(NAME)) == 0;
    return quick[0] != '\0' && p->format == AV_PIX_FMT_YUV420P &&
           p->color_range != AVCOL_RANGE_JPEG && p->width % 2 == 0 && p->height % 2 == 0 &&
           (scales || (p->width == (int)width_px && p->height == (int)height_px)) &&
           (p->chroma_location == AVCHROMA_LOC_UNSPECIFIED ||
            p->chroma_location == AVCHROMA_LOC_LEFT);
}
