#include "media/picture/tonemap.h"

#include <math.h>
#include <stdlib.h>

#include "media/exact.h"

/* One colour through the whole chain. Curves are tabulated once: 4096 steps with linear
 * interpolation, along axes on which they are smooth.
 *
 * See: SMPTE ST 2084 5.2 (PQ), ITU-R BT.2100-2 table 5 (HLG), BT.2390-11 5.4.1 (EETF), BT.1886
 * annex 1, BT.709-6 3 (coefficients), BT.2020-2 table 4, BT.2100-2 table 6 and 7 (ICtCp), H.273 8.3
 * (YCgCo).
 */
#define STEPS 4096
#define PQ_PEAK 10000.0
#define HLG_GAMMA 1.2
#define SDR_GAMMA 2.4

struct matrix {
    double m[3][3];
};

struct gm_tonemap_curve {
    enum AVColorSpace kind;
    enum AVColorTransferCharacteristic transfer;
    bool full;
    struct matrix to_rgb;   /* of signals: Y', Cb, Cr -> R', G', B' (or L', M', S') */
    struct matrix from_lms; /* of light: ICtCp */
    struct matrix to_709;   /* of light */
    double red, blue;       /* luma coefficients of the source; green is the rest */
    double white;           /* light that becomes 1 */
    double hlg_peak;
    double light[STEPS + 2];  /* signal -> cd/m2; HLG: scene light */
    double ootf[STEPS + 2];   /* fourth root of HLG's luminance -> factor */
    double gain[STEPS + 2];   /* fourth root of light / PQ_PEAK -> factor */
    double signal[STEPS + 2]; /* square root of light -> signal of the result */
};

/* at: 0..1 */
static double look_up(const double table[STEPS + 2], double at)
{
    double x = at * STEPS;
    int i = (int)x;
    return table[i] + (table[i + 1] - table[i]) * (x - i);
}

static double clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

static void multiply(const struct matrix *a, const double in[3], double out[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = a->m[i][0] * in[0] + a->m[i][1] * in[1] + a->m[i][2] * in[2];
    }
}

static struct matrix product(const struct matrix *a, const struct matrix *b)
{
    struct matrix p;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            p.m[i][j] = a->m[i][0] * b->m[0][j] + a->m[i][1] * b->m[1][j] + a->m[i][2] * b->m[2][j];
        }
    }
    return p;
}

static struct matrix inverse(const struct matrix *a)
{
    struct matrix r;
    double det = 0;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            int r0 = (j + 1) % 3, r1 = (j + 2) % 3, c0 = (i + 1) % 3, c1 = (i + 2) % 3;
            r.m[i][j] = a->m[r0][c0] * a->m[r1][c1] - a->m[r0][c1] * a->m[r1][c0];
        }
    }
    for (int j = 0; j < 3; j++) {
        det += a->m[0][j] * r.m[j][0];
    }
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            r.m[i][j] /= det;
        }
    }
    return r;
}

/* ---- light */

#define PQ_M1 (2610.0 / 16384)
#define PQ_M2 (2523.0 / 4096 * 128)
#define PQ_C1 (3424.0 / 4096)
#define PQ_C2 (2413.0 / 4096 * 32)
#define PQ_C3 (2392.0 / 4096 * 32)

static double pq_to_light(double e)
{
    double p = gm_exact_pow(e, 1 / PQ_M2);
    double n = p - PQ_C1;
    return n <= 0 ? 0 : PQ_PEAK * gm_exact_pow(n / (PQ_C2 - PQ_C3 * p), 1 / PQ_M1);
}

static double light_to_pq(double light)
{
    double p = gm_exact_pow(light / PQ_PEAK, PQ_M1);
    return gm_exact_pow((PQ_C1 + PQ_C2 * p) / (1 + PQ_C3 * p), PQ_M2);
}

static double hlg_to_scene(double e)
{
    static const double a = 0.17883277, b = 0.28466892, c = 0.55991073;
    return e <= 0.5 ? e * e / 3 : (gm_exact_exp((e - c) / a) + b) / 12;
}

static double srgb_to_light(double e)
{
    return e <= 0.04045 ? e / 12.92 : gm_exact_pow((e + 0.055) / 1.055, 2.4);
}

/* SDR: what a display shows, 0..1. */
static double sdr_to_light(enum AVColorTransferCharacteristic transfer, double e)
{
    switch (transfer) {
    case AVCOL_TRC_LINEAR:
        return e;
    case AVCOL_TRC_LOG:
        return e <= 0 ? 0 : gm_exact_pow(10, 2 * e) / 100;
    case AVCOL_TRC_LOG_SQRT:
        return e <= 0 ? 0 : gm_exact_pow(10, 2.5 * e) / 316.22776601683796;
    case AVCOL_TRC_GAMMA22:
        return gm_exact_pow(e, 2.2);
    case AVCOL_TRC_GAMMA28:
        return gm_exact_pow(e, 2.8);
    case AVCOL_TRC_SMPTE428:
        return gm_exact_pow(e, 2.6) * (52.37 / 48);
    case AVCOL_TRC_IEC61966_2_1:
        return srgb_to_light(e);
    default:
        return gm_exact_pow(e, SDR_GAMMA);
    }
}

/* BT.2390 EETF, black 0: from a source peak to a target peak, in PQ signal. Returns the factor on
 * light. */
static double compress(double light, double source_peak, double target_peak)
{
    double top = light_to_pq(source_peak);
    double most = light_to_pq(target_peak) / top;
    double e = light_to_pq(light) / top;
    double knee = 1.5 * most - 0.5;
    if (light <= 0) {
        return 1;
    }
    e = e > 1 ? 1 : e;
    if (most < 1 && e > knee) {
        double t = (e - knee) / (1 - knee), tt = t * t, ttt = tt * t;
        e = (2 * ttt - 3 * tt + 1) * knee + (ttt - 2 * tt + t) * (1 - knee) +
            (3 * tt - 2 * ttt) * most;
    } else if (most < 1) {
        return 1; /* below the knee nothing changes */
    }
    double to = pq_to_light(e * top);
    to = to > target_peak ? target_peak : to;
    return to / light;
}

/* ---- primaries */

struct chromaticities {
    enum AVColorPrimaries primaries;
    double red[2], green[2], blue[2], white[2];
};

#define D65                                                                                        \
    {                                                                                              \
        0.3127, 0.3290                                                                             \
    }
#define ILLUMINANT_C                                                                               \
    {                                                                                              \
        0.310, 0.316                                                                               \
    }

/* Source: H.273 table 2. */
static const struct chromaticities gamuts[] = {
    {AVCOL_PRI_BT709, {0.640, 0.330}, {0.300, 0.600}, {0.150, 0.060}, D65},
    {AVCOL_PRI_BT470M, {0.67, 0.33}, {0.21, 0.71}, {0.14, 0.08}, ILLUMINANT_C},
    {AVCOL_PRI_BT470BG, {0.64, 0.33}, {0.29, 0.60}, {0.15, 0.06}, D65},
    {AVCOL_PRI_SMPTE170M, {0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, D65},
    {AVCOL_PRI_SMPTE240M, {0.630, 0.340}, {0.310, 0.595}, {0.155, 0.070}, D65},
    {AVCOL_PRI_FILM, {0.681, 0.319}, {0.243, 0.692}, {0.145, 0.049}, ILLUMINANT_C},
    {AVCOL_PRI_BT2020, {0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}, D65},
    {AVCOL_PRI_SMPTE428, {1, 0}, {0, 1}, {0, 0}, {1.0 / 3, 1.0 / 3}},
    {AVCOL_PRI_SMPTE431, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, {0.314, 0.351}},
    {AVCOL_PRI_SMPTE432, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, D65},
    {AVCOL_PRI_EBU3213, {0.630, 0.340}, {0.295, 0.605}, {0.155, 0.077}, D65},
};

static const struct chromaticities *find_gamut(enum AVColorPrimaries primaries)
{
    for (size_t i = 0; i < sizeof gamuts / sizeof gamuts[0]; i++) {
        if (gamuts[i].primaries == primaries) {
            return &gamuts[i];
        }
    }
    return &gamuts[0];
}

/* x, y -> X, Y, Z at Y 1; the blue of ST 428 has none: Z alone. */
static void to_xyz(const double xy[2], double out[3])
{
    double y = xy[1] > 0 ? xy[1] : 1;
    out[0] = xy[0] / y;
    out[1] = xy[1] / y;
    out[2] = (1 - xy[0] - xy[1]) / y;
}

static struct matrix rgb_to_xyz(const struct chromaticities *c)
{
    const double *corners[3] = {c->red, c->green, c->blue};
    struct matrix m;
    double white[3], scale[3];
    for (int j = 0; j < 3; j++) {
        double corner[3];
        to_xyz(corners[j], corner);
        for (int i = 0; i < 3; i++) {
            m.m[i][j] = corner[i];
        }
    }
    struct matrix back = inverse(&m);
    to_xyz(c->white, white);
    multiply(&back, white, scale);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            m.m[i][j] *= scale[j];
        }
    }
    return m;
}

/* Bradford's adaptation from the white of `c` to D65. */
static struct matrix adapt(const struct chromaticities *c)
{
    static const struct matrix cones = {
        {{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}};
    struct matrix scale = {{{0}}}, back = inverse(&cones);
    double from[3], to[3], white[3];
    to_xyz(c->white, white);
    multiply(&cones, white, from);
    to_xyz(gamuts[0].white, white);
    multiply(&cones, white, to);
    for (int i = 0; i < 3; i++) {
        scale.m[i][i] = to[i] / from[i];
    }
    struct matrix half = product(&scale, &cones);
    return product(&back, &half);
}

static struct matrix to_bt709(enum AVColorPrimaries primaries)
{
    const struct chromaticities *c = find_gamut(primaries);
    struct matrix in = rgb_to_xyz(c), out = rgb_to_xyz(&gamuts[0]);
    struct matrix move = adapt(c);
    struct matrix back = inverse(&out);
    struct matrix half = product(&move, &in);
    return product(&back, &half);
}

/* ---- signals */

static void set_luma(struct gm_tonemap_curve *c)
{
    switch (c->kind) {
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        c->red = 0.2627;
        c->blue = 0.0593;
        break;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        c->red = 0.299;
        c->blue = 0.114;
        break;
    case AVCOL_SPC_FCC:
        c->red = 0.30;
        c->blue = 0.11;
        break;
    case AVCOL_SPC_SMPTE240M:
        c->red = 0.212;
        c->blue = 0.087;
        break;
    default:
        c->red = 0.2126;
        c->blue = 0.0722;
    }
}

static void set_signals(struct gm_tonemap_curve *c)
{
    static const struct matrix ycgco = {{{1, -1, 1}, {1, 1, 0}, {1, -1, -1}}};
    static const struct matrix lms_to_ictcp_pq = {
        {{2048.0 / 4096, 2048.0 / 4096, 0},
         {6610.0 / 4096, -13613.0 / 4096, 7003.0 / 4096},
         {17933.0 / 4096, -17390.0 / 4096, -543.0 / 4096}}};
    static const struct matrix lms_to_ictcp_hlg = {
        {{2048.0 / 4096, 2048.0 / 4096, 0},
         {3625.0 / 4096, -7465.0 / 4096, 3840.0 / 4096},
         {9500.0 / 4096, -9212.0 / 4096, -288.0 / 4096}}};
    static const struct matrix rgb_to_lms = {{{1688.0 / 4096, 2146.0 / 4096, 262.0 / 4096},
                                              {683.0 / 4096, 2951.0 / 4096, 462.0 / 4096},
                                              {99.0 / 4096, 309.0 / 4096, 3688.0 / 4096}}};
    set_luma(c);
    double r = c->red, b = c->blue, g = 1 - r - b;
    c->to_rgb = (struct matrix){
        {{1, 0, 2 - 2 * r}, {1, -b * (2 - 2 * b) / g, -r * (2 - 2 * r) / g}, {1, 2 - 2 * b, 0}}};
    if (c->kind == AVCOL_SPC_YCGCO) {
        c->to_rgb = ycgco;
    }
    if (c->kind == AVCOL_SPC_ICTCP) {
        c->to_rgb =
            inverse(c->transfer == AVCOL_TRC_ARIB_STD_B67 ? &lms_to_ictcp_hlg : &lms_to_ictcp_pq);
        c->from_lms = inverse(&rgb_to_lms);
    }
}

static void fill_tables(struct gm_tonemap_curve *c, const struct gm_tonemap_params *p)
{
    bool hdr = gm_colour_is_hdr(c->transfer);
    for (int i = 0; i <= STEPS; i++) {
        double at = (double)i / STEPS, square = at * at;
        c->light[i] = c->transfer == AVCOL_TRC_SMPTE2084      ? pq_to_light(at)
                      : c->transfer == AVCOL_TRC_ARIB_STD_B67 ? hlg_to_scene(at)
                                                              : sdr_to_light(c->transfer, at);
        c->gain[i] = hdr ? compress(square * square * PQ_PEAK, p->source_peak, p->target_peak) : 1;
        c->ootf[i] = gm_exact_pow(square * square, HLG_GAMMA - 1);
        c->signal[i] = gm_exact_pow(square, 1 / SDR_GAMMA);
    }
    c->ootf[STEPS + 1] = c->ootf[STEPS];
    c->light[STEPS + 1] = c->light[STEPS];
    c->gain[STEPS + 1] = c->gain[STEPS];
    c->signal[STEPS + 1] = c->signal[STEPS];
}

int gm_tonemap_curve_create(const struct gm_tonemap_params *p, struct gm_tonemap_curve **out,
                            struct gm_err *err)
{
    if (p->source.matrix == AVCOL_SPC_RGB || p->source.matrix == AVCOL_SPC_UNSPECIFIED ||
        p->source.transfer == AVCOL_TRC_UNSPECIFIED ||
        p->source.primaries == AVCOL_PRI_UNSPECIFIED) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "A colour table needs the source's colour, as Y'CbCr");
    }
    if (!(p->source_peak > 0 && p->source_peak <= PQ_PEAK && p->target_peak > 0 &&
          p->target_peak <= PQ_PEAK)) {
        return gm_err_set(err, GM_E_INVAL, 0, "Peaks of %g and %g cd/m2 are refused",
                          p->source_peak, p->target_peak);
    }
    struct gm_tonemap_curve *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    c->kind = p->source.matrix;
    c->transfer = p->source.transfer;
    c->full = p->source.range == AVCOL_RANGE_JPEG;
    c->white = gm_colour_is_hdr(c->transfer) ? p->target_peak : 1;
    c->hlg_peak = p->source_peak;
    c->to_709 = to_bt709(p->source.primaries);
    set_signals(c);
    fill_tables(c, p);
    *out = c;
    return 0;
}

void gm_tonemap_curve_destroy(struct gm_tonemap_curve **curve)
{
    free(*curve);
    *curve = NULL;
}

/* Y'c Cb Cr of constant luminance to R' G' B': green is what luminance leaves over.
 * Source: BT.2020-2 table 4. */
static void constant_luminance(const struct gm_tonemap_curve *c, const double in[3], double rgb[3])
{
    static const double blue_below = 1.9404, blue_above = 1.5816, red_below = 1.7184,
                        red_above = 0.9936;
    double luma = clip(in[0], 0, 1);
    double blue = clip(luma + in[1] * (in[1] <= 0 ? blue_below : blue_above), 0, 1);
    double red = clip(luma + in[2] * (in[2] <= 0 ? red_below : red_above), 0, 1);
    rgb[0] = look_up(c->light, red);
    rgb[2] = look_up(c->light, blue);
    rgb[1] =
        (look_up(c->light, luma) - c->red * rgb[0] - c->blue * rgb[2]) / (1 - c->red - c->blue);
    rgb[1] = rgb[1] < 0 ? 0 : rgb[1];
}

/* Signals to light in the source's primaries; HDR in cd/m2, HLG after its display's gamma. */
static void to_light(const struct gm_tonemap_curve *c, const double in[3], double rgb[3])
{
    if (c->kind == AVCOL_SPC_BT2020_CL) {
        constant_luminance(c, in, rgb);
    } else {
        double signal[3];
        multiply(&c->to_rgb, in, signal);
        for (int i = 0; i < 3; i++) {
            rgb[i] = look_up(c->light, clip(signal[i], 0, 1));
        }
    }
    if (c->kind == AVCOL_SPC_ICTCP) {
        double lms[3] = {rgb[0], rgb[1], rgb[2]};
        multiply(&c->from_lms, lms, rgb);
        for (int i = 0; i < 3; i++) {
            rgb[i] = clip(rgb[i], 0, c->light[STEPS]);
        }
    }
    if (c->transfer == AVCOL_TRC_ARIB_STD_B67) {
        double y = 0.2627 * rgb[0] + 0.6780 * rgb[1] + 0.0593 * rgb[2];
        double factor = c->hlg_peak * look_up(c->ootf, clip(sqrt(sqrt(y)), 0, 1));
        for (int i = 0; i < 3; i++) {
            rgb[i] *= factor;
        }
    }
}

/* Colours outside of BT.709 go towards the grey of their luminance until no part is negative. */
static void bring_inside(double rgb[3])
{
    double y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    double least = rgb[0] < rgb[1] ? rgb[0] : rgb[1];
    least = least < rgb[2] ? least : rgb[2];
    if (least >= 0) {
        return;
    }
    double keep = y > 0 ? y / (y - least) : 0;
    for (int i = 0; i < 3; i++) {
        rgb[i] = y > 0 ? y + (rgb[i] - y) * keep : 0;
    }
}

/* Highlights: all three parts by the factor of the largest, so that their ratios stay. */
static void bring_below(const struct gm_tonemap_curve *c, double rgb[3])
{
    double most = rgb[0] > rgb[1] ? rgb[0] : rgb[1];
    most = most > rgb[2] ? most : rgb[2];
    double gain = 1;
    if (gm_colour_is_hdr(c->transfer)) {
        gain = look_up(c->gain, clip(sqrt(sqrt(most / PQ_PEAK)), 0, 1));
    }
    gain /= c->white;
    if (most * gain > 1) {
        gain = 1 / most;
    }
    for (int i = 0; i < 3; i++) {
        rgb[i] = clip(rgb[i] * gain, 0, 1);
    }
}

void gm_tonemap_curve_apply(const struct gm_tonemap_curve *c, const double in[3], double out[3])
{
    double offset = c->full ? 0 : 64, luma = c->full ? 1023 : 876, chroma = c->full ? 1023 : 896;
    double signal[3] = {(in[0] - offset) / luma, (in[1] - 512) / chroma, (in[2] - 512) / chroma};
    double rgb[3], linear[3];
    to_light(c, signal, rgb);
    multiply(&c->to_709, rgb, linear);
    bring_inside(linear);
    bring_below(c, linear);
    for (int i = 0; i < 3; i++) {
        rgb[i] = look_up(c->signal, sqrt(linear[i]));
    }
    double y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    out[0] = 16 + 219 * y;
    out[1] = 128 + 224 * (rgb[2] - y) / 1.8556;
    out[2] = 128 + 224 * (rgb[0] - y) / 1.5748;
}
