#include "media/picture/graphics.h"

#include <stdlib.h>

#include <libavutil/pixdesc.h>

#include "media/exact.h"
#include "media/picture/tonemap.h"

/* See: IEC 61966-2-1 (sRGB), BT.2087-0 (BT.709 to BT.2020), BT.2100-2 tables 4 and 5. */
#define STEPS 4096
#define HLG_PEAK 1000.0
#define HLG_GAMMA 1.2

struct gm_graphics {
    struct gm_colour picture;
    double light[256];        /* of a code, white is 1 */
    double signal[STEPS + 2]; /* PQ: of the fourth root of light; HLG: of the square root of scene
                                 light */
};

static double pq_signal(double light)
{
    double p = gm_exact_pow(light / 10000, 2610.0 / 16384);
    return gm_exact_pow((3424.0 / 4096 + 2413.0 / 128 * p) / (1 + 2392.0 / 128 * p), 2523.0 / 32);
}

static double hlg_signal(double scene)
{
    double root = gm_exact_pow(3 * scene, 0.5);
    return scene <= 1.0 / 12 ? root
                             : 0.17883277 * gm_exact_log(12 * scene - 0.28466892) + 0.55991073;
}

int gm_graphics_create(struct gm_colour picture, struct gm_graphics **out, struct gm_err *err)
{
    struct gm_graphics *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return gm_err_nomem(err);
    }
    g->picture = picture;
    for (int i = 0; i < 256; i++) {
        double e = i / 255.0;
        g->light[i] = e <= 0.04045 ? e / 12.92 : gm_exact_pow((e + 0.055) / 1.055, 2.4);
    }
    bool pq = picture.transfer == AVCOL_TRC_SMPTE2084;
    for (int i = 0; i <= STEPS && gm_colour_is_hdr(picture.transfer); i++) {
        double at = (double)i / STEPS, square = at * at;
        g->signal[i] = pq ? pq_signal(square * square * GM_TONEMAP_WHITE) : hlg_signal(square);
    }
    g->signal[STEPS + 1] = g->signal[STEPS];
    *out = g;
    return 0;
}

void gm_graphics_destroy(struct gm_graphics **graphics)
{
    free(*graphics);
    *graphics = NULL;
}

static double look_up(const double table[STEPS + 2], double at)
{
    double x = (at < 0 ? 0 : at > 1 ? 1 : at) * STEPS;
    int i = (int)x;
    return table[i] + (table[i + 1] - table[i]) * (x - i);
}

void gm_graphics_rgb(const struct gm_graphics *g, const uint8_t rgb[3], double out[3])
{
    static const double to_2020[3][3] = {
        {0.6274, 0.3293, 0.0433}, {0.0691, 0.9195, 0.0114}, {0.0164, 0.0880, 0.8956}};
    double light[3];
    if (!gm_colour_is_hdr(g->picture.transfer)) {
        for (int i = 0; i < 3; i++) {
            out[i] = rgb[i] / 255.0;
        }
        return;
    }
    for (int i = 0; i < 3; i++) {
        light[i] = to_2020[i][0] * g->light[rgb[0]] + to_2020[i][1] * g->light[rgb[1]] +
                   to_2020[i][2] * g->light[rgb[2]];
    }
    if (g->picture.transfer == AVCOL_TRC_SMPTE2084) {
        for (int i = 0; i < 3; i++) {
            double root = light[i] > 0 ? gm_exact_pow(light[i], 0.25) : 0;
            out[i] = look_up(g->signal, root);
        }
        return;
    }
    /* What BT.2100's display makes of scene light, backwards. */
    double y = 0.2627 * light[0] + 0.6780 * light[1] + 0.0593 * light[2];
    double white = GM_TONEMAP_WHITE / HLG_PEAK;
    double scene = y > 0 ? gm_exact_pow(y * white, 1 / HLG_GAMMA) / y : 0;
    for (int i = 0; i < 3; i++) {
        double root = light[i] > 0 ? gm_exact_pow(light[i] * scene, 0.5) : 0;
        out[i] = look_up(g->signal, root);
    }
}

static void luma_coefficients(enum AVColorSpace matrix, double *red, double *blue)
{
    switch (matrix) {
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        *red = 0.2627;
        *blue = 0.0593;
        break;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        *red = 0.299;
        *blue = 0.114;
        break;
    case AVCOL_SPC_FCC:
        *red = 0.30;
        *blue = 0.11;
        break;
    case AVCOL_SPC_SMPTE240M:
        *red = 0.212;
        *blue = 0.087;
        break;
    default:
        *red = 0.2126;
        *blue = 0.0722;
    }
}

static uint32_t to_code(double v, uint32_t most)
{
    return v <= 0 ? 0 : v >= most ? most : (uint32_t)(v + 0.5);
}

void gm_graphics_codes(struct gm_colour c, enum AVPixelFormat format, const double rgb[3],
                       uint32_t out[3])
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    int bits = desc->comp[0].depth;
    uint32_t most = (1u << bits) - 1;
    if ((desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0) {
        for (int i = 0; i < 3; i++) {
            out[i] = to_code(rgb[i] * most, most);
        }
        return;
    }
    double red, blue;
    luma_coefficients(c.matrix, &red, &blue);
    double y = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2];
    double b = (rgb[2] - y) / (2 - 2 * blue), r = (rgb[0] - y) / (2 - 2 * red);
    bool full = c.range == AVCOL_RANGE_JPEG;
    double unit = 1u << (bits - 8), half = 1u << (bits - 1);
    out[0] = to_code(full ? y * most : unit * (16 + 219 * y), most);
    out[1] = to_code(half + b * (full ? most : unit * 224), most);
    out[2] = to_code(half + r * (full ? most : unit * 224), most);
}
