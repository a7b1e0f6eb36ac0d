#include "media/picture/siting.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "common/fs.h"

/* Where chroma lies. Numbers are libswscale's: 0 on the left or upper pixel of the two that share a
 * sample, 128 between them, 256 on the other one; NONE where chroma is as fine as luma. See: ITU-T
 * H.273 8.7; libswscale/utils.c get_local_pos. */
#define NONE GM_SITING_NONE

static struct gm_siting of_location(const char *name)
{
    static const struct {
        const char *name;
        struct gm_siting siting;
    } rows[] = {
        {"center", {128, 128}},   {"topleft", {0, 0}},    {"top", {128, 0}},
        {"bottomleft", {0, 256}}, {"bottom", {128, 256}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].siting;
        }
    }
    return (struct gm_siting){0, 128}; /* left, also where nothing is said */
}

/* As the front turns pictures: by quarters clockwise, then left to right. */
static struct gm_siting turn(struct gm_siting s, int quarter, bool flip)
{
    for (int i = 0; i < quarter; i++) {
        s = (struct gm_siting){256 - s.v, s.h};
    }
    if (flip) {
        s.h = 256 - s.h;
    }
    return s;
}

struct gm_siting gm_siting(const Gm__VideoFacts *v)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av_get_pix_fmt(v->pixel_format));
    int quarter = (v->rotation_deg / 90 % 4 + 4) % 4;
    bool turned = quarter != 0 || v->flip;
    struct gm_siting s = of_location(v->chroma_location);
    if (desc == NULL || (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0 ||
        desc->nb_components < 3 || desc->log2_chroma_w + desc->log2_chroma_h == 0) {
        return (struct gm_siting){NONE, NONE};
    }
    if (turned && desc->log2_chroma_w != desc->log2_chroma_h) {
        s = (struct gm_siting){0, 128}; /* made 4:2:0 for the turn */
    } else if (desc->log2_chroma_w == 0) {
        s.h = NONE;
    } else if (desc->log2_chroma_h == 0) {
        s.v = NONE;
    }
    return turned ? turn(s, quarter, v->flip) : s;
}

struct gm_siting gm_siting_mapped(struct gm_siting s)
{
    return (struct gm_siting){s.h == NONE ? 0 : s.h, s.v == NONE ? 128 : s.v};
}

int gm_siting_add(struct gm_siting s, const char *filters, char *out, size_t size,
                  struct gm_err *err)
{
    static const char at[] = ":out_color_matrix=";
    const char *found = strstr(filters, at);
    if (found == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "The filters %.60s do not scale", filters);
    }
    return gm_fs_path(out, size, err, "%.*s:in_h_chr_pos=%d:in_v_chr_pos=%d%s",
                      (int)(found - filters), filters, s.h, s.v, found);
}
