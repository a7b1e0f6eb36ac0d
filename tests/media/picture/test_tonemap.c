#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/picture/tonemap.h"

static const struct gm_colour pq = {AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084, AVCOL_SPC_BT2020_NCL,
                                    AVCOL_RANGE_MPEG};
static const struct gm_colour hlg = {AVCOL_PRI_BT2020, AVCOL_TRC_ARIB_STD_B67, AVCOL_SPC_BT2020_NCL,
                                     AVCOL_RANGE_MPEG};
static const struct gm_colour wide = {AVCOL_PRI_BT2020, AVCOL_TRC_BT2020_10, AVCOL_SPC_BT2020_NCL,
                                      AVCOL_RANGE_MPEG};
static const struct gm_colour p3 = {AVCOL_PRI_SMPTE432, AVCOL_TRC_IEC61966_2_1, AVCOL_SPC_BT709,
                                    AVCOL_RANGE_JPEG};
static const struct gm_colour ycgco = {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_YCGCO,
                                       AVCOL_RANGE_MPEG};

static struct gm_tonemap *make(struct gm_colour source, double peak)
{
    struct gm_tonemap_params params = {source, peak, GM_TONEMAP_WHITE};
    struct gm_tonemap *t = NULL;
    struct gm_err err;
    assert_int_equal(gm_tonemap_create(&params, &t, &err), 0);
    return t;
}

static struct gm_tonemap_curve *make_curve(struct gm_colour source, double peak)
{
    struct gm_tonemap_params params = {source, peak, GM_TONEMAP_WHITE};
    struct gm_tonemap_curve *c = NULL;
    struct gm_err err;
    assert_int_equal(gm_tonemap_curve_create(&params, &c, &err), 0);
    return c;
}

static AVFrame *frame(int width, int height, enum AVPixelFormat format)
{
    AVFrame *f = gm_av_frame(format, width, height);
    assert_non_null(f);
    return f;
}

static uint16_t *at16(const AVFrame *f, int plane, int x, int y)
{
    return (uint16_t *)(void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]) + x;
}

/* Rows of a plane of a 4:2:0 picture; columns likewise. */
static int half(int n, int plane)
{
    return plane == 0 ? n : (n + 1) / 2;
}

static void fill(AVFrame *f, const int code[3])
{
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < half(f->height, p); y++) {
            for (int x = 0; x < half(f->width, p); x++) {
                *at16(f, p, x, y) = (uint16_t)code[p];
            }
        }
    }
}

/* ---- the curves again, from the standards, with the C library */

static double pq_decode(double e)
{
    double p = pow(e, 32 / 2523.0);
    double n = fmax(p - 3424 / 4096.0, 0);
    return 10000 * pow(n / (2413 / 128.0 - 2392 / 128.0 * p), 16384 / 2610.0);
}

static double pq_encode(double light)
{
    double p = pow(light / 10000, 2610 / 16384.0);
    return pow((3424 / 4096.0 + 2413 / 128.0 * p) / (1 + 2392 / 128.0 * p), 2523 / 32.0);
}

static double hlg_decode(double e)
{
    return e <= 0.5 ? e * e / 3 : (exp((e - 0.55991073) / 0.17883277) + 0.28466892) / 12;
}

static double eetf(double light, double from, double to)
{
    double e = fmin(pq_encode(light) / pq_encode(from), 1), m = pq_encode(to) / pq_encode(from);
    double k = 1.5 * m - 0.5, t = (e - k) / (1 - k);
    if (e > k) {
        e = (2 * t * t * t - 3 * t * t + 1) * k + (t * t * t - 2 * t * t + t) * (1 - k) +
            (-2 * t * t * t + 3 * t * t) * m;
    }
    return pq_decode(e * pq_encode(from));
}

/* BT.2020 to BT.709: BT.2087-0, from the primaries. */
static void to_709(const double in[3], double out[3])
{
    static const double m[3][3] = {{1.660491, -0.587641, -0.072850},
                                   {-0.124550, 1.132900, -0.008349},
                                   {-0.018151, -0.100579, 1.118730}};
    for (int i = 0; i < 3; i++) {
        out[i] = m[i][0] * in[0] + m[i][1] * in[1] + m[i][2] * in[2];
    }
}

/* An HDR colour inside of BT.709. False: it is outside. */
static bool expect(const int code[3], bool is_pq, double peak, double out[3])
{
    double y = (code[0] - 64) / 876.0, b = (code[1] - 512) / 896.0, r = (code[2] - 512) / 896.0;
    double rgb[3] = {y + 1.4746 * r, 0, y + 1.8814 * b}, linear[3];
    rgb[1] = (y - 0.2627 * rgb[0] - 0.0593 * rgb[2]) / 0.678;
    for (int i = 0; i < 3; i++) {
        if (rgb[i] < 0 || rgb[i] > 1) {
            return false;
        }
        rgb[i] = is_pq ? pq_decode(rgb[i]) : hlg_decode(rgb[i]);
    }
    double ys = 0.2627 * rgb[0] + 0.678 * rgb[1] + 0.0593 * rgb[2];
    for (int i = 0; i < 3 && !is_pq; i++) {
        rgb[i] *= 1000 * pow(ys, 0.2);
    }
    to_709(rgb, linear);
    double most = fmax(linear[0], fmax(linear[1], linear[2]));
    if (fmin(linear[0], fmin(linear[1], linear[2])) < 0 || most <= 0) {
        return false;
    }
    double gain = eetf(most, peak, 203) / most / 203;
    for (int i = 0; i < 3; i++) {
        rgb[i] = pow(linear[i] * gain, 1 / 2.4);
    }
    y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
    out[0] = 16 + 219 * y;
    out[1] = 128 + 224 * (rgb[2] - y) / 1.8556;
    out[2] = 128 + 224 * (rgb[0] - y) / 1.5748;
    return true;
}

static void random_code(int code[3])
{
    int spread = 1 + rand() % 250;
    code[0] = 64 + rand() % 877;
    code[1] = 512 + rand() % (2 * spread) - spread;
    code[2] = 512 + rand() % (2 * spread) - spread;
}

static void curves_are_those_of_the_standards(void **state)
{
    static const double peaks[] = {400, 1000, 4000, 10000};
    (void)state;
    srand(7);
    for (size_t k = 0; k < 8; k++) {
        bool is_pq = k < 4;
        double peak = is_pq ? peaks[k] : 1000;
        struct gm_tonemap_curve *c = make_curve(is_pq ? pq : hlg, peak);
        int inside = 0;
        for (int i = 0; i < 4000; i++) {
            int code[3];
            double want[3], got[3];
            random_code(code);
            if (!expect(code, is_pq, peak, want)) {
                continue;
            }
            double in[3] = {code[0], code[1], code[2]};
            gm_tonemap_curve_apply(c, in, got);
            for (int p = 0; p < 3; p++) {
                if (!(fabs(got[p] - want[p]) < 0.06)) {
                    fail_msg("%s %g: %d %d %d plane %d: %f, not %f", is_pq ? "PQ" : "HLG", peak,
                             code[0], code[1], code[2], p, got[p], want[p]);
                }
            }
            inside++;
        }
        assert_true(inside > 500);
        gm_tonemap_curve_destroy(&c);
    }
}

/* HDR's reference white: BT.2408-4 table 1 has 58 % of PQ and 75 % of HLG for 203 cd/m2. */
static void reference_levels_land_where_viewers_expect(void **state)
{
    static const struct {
        const struct gm_colour *source;
        int code;
        double low, high; /* of 8-bit luma */
    } rows[] = {
        {&pq, 64, 16, 16},           {&pq, 940, 235, 235},    {&pq, 573, 205, 222},
        {&hlg, 64, 16, 16},          {&hlg, 940, 234.9, 235}, {&hlg, 721, 205, 222},
        {&hlg, 397, 100, 120},       {&wide, 64, 16, 16},     {&wide, 940, 234.9, 235},
        {&wide, 502, 125.4, 125.6},  {&p3, 0, 16, 16},        {&p3, 1023, 234.9, 235},
        {&ycgco, 502, 125.4, 125.6},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_tonemap_curve *c = make_curve(*rows[i].source, 1000);
        double in[3] = {rows[i].code, 512, 512}, out[3];
        gm_tonemap_curve_apply(c, in, out);
        if (out[0] < rows[i].low - 0.01 || out[0] > rows[i].high + 0.01) {
            fail_msg("row %zu: %f", i, out[0]);
        }
        assert_true(fabs(out[1] - 128) < 1e-6 && fabs(out[2] - 128) < 1e-6);
        gm_tonemap_curve_destroy(&c);
    }
}

/* Colours of BT.709 in SDR of another gamut or matrix come back as they were. */
static void colours_of_bt709_survive_other_clothes(void **state)
{
    (void)state;
    struct gm_tonemap_curve *cg = make_curve(ycgco, 203);
    struct gm_tonemap_curve *w = make_curve(wide, 203);
    for (int i = 0; i < 27; i++) {
        double rgb[3] = {i / 9 * 0.5, i / 3 % 3 * 0.5, i % 3 * 0.5}, out[3], in[3];
        double y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
        double want[3] = {16 + 219 * y, 128 + 224 * (rgb[2] - y) / 1.8556,
                          128 + 224 * (rgb[0] - y) / 1.5748};
        in[0] = 64 + 876 * (rgb[0] / 4 + rgb[1] / 2 + rgb[2] / 4);
        in[1] = 512 + 896 * (-rgb[0] / 4 + rgb[1] / 2 - rgb[2] / 4);
        in[2] = 512 + 896 * (rgb[0] - rgb[2]) / 2;
        gm_tonemap_curve_apply(cg, in, out);
        for (int p = 0; p < 3; p++) {
            assert_true(fabs(out[p] - want[p]) < 0.02);
        }
        static const double m[3][3] = {{0.627404, 0.329283, 0.043313},
                                       {0.069097, 0.919540, 0.011362},
                                       {0.016391, 0.088013, 0.895595}};
        double l[3], e[3];
        for (int p = 0; p < 3; p++) {
            l[p] = pow(rgb[p], 2.4);
        }
        for (int p = 0; p < 3; p++) {
            e[p] = pow(m[p][0] * l[0] + m[p][1] * l[1] + m[p][2] * l[2], 1 / 2.4);
        }
        y = 0.2627 * e[0] + 0.678 * e[1] + 0.0593 * e[2];
        in[0] = 64 + 876 * y;
        in[1] = 512 + 896 * (e[2] - y) / 1.8814;
        in[2] = 512 + 896 * (e[0] - y) / 1.4746;
        gm_tonemap_curve_apply(w, in, out);
        for (int p = 0; p < 3; p++) {
            if (fabs(out[p] - want[p]) > 0.5) {
                fail_msg("%d plane %d: %f, not %f", i, p, out[p], want[p]);
            }
        }
    }
    gm_tonemap_curve_destroy(&cg);
    gm_tonemap_curve_destroy(&w);
}

static void greys_stay_grey_and_ramps_rise(void **state)
{
    const struct gm_colour sources[] = {pq, hlg, wide, p3, ycgco};
    struct gm_err err;
    (void)state;
    for (size_t k = 0; k < sizeof sources / sizeof sources[0]; k++) {
        struct gm_tonemap *t = make(sources[k], 1000);
        AVFrame *in = frame(1024, 2, AV_PIX_FMT_YUV420P10LE);
        AVFrame *deep = frame(1024, 2, AV_PIX_FMT_YUV420P10LE);
        AVFrame *out = frame(1024, 2, AV_PIX_FMT_YUV420P);
        fill(in, (const int[]){0, 512, 512});
        for (int x = 0; x < 1024; x++) {
            *at16(in, 0, x, 0) = *at16(in, 0, x, 1) = (uint16_t)x;
        }
        assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, deep, &err), 0);
        assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, out, &err), 0);
        for (int x = 0; x < 1024; x++) {
            int now = *at16(deep, 0, x, 0), before = x > 0 ? *at16(deep, 0, x - 1, 0) : 64;
            assert_true(now >= before && now - before <= 6);
            assert_int_equal(*at16(deep, 1, x / 2, 0), 512);
            assert_int_equal(*at16(deep, 2, x / 2, 0), 512);
            assert_int_equal(out->data[1][x / 2], 128);
            assert_int_equal(out->data[2][x / 2], 128);
            assert_true(abs(out->data[0][x] * 4 - now) <= 4);
        }
        assert_int_equal(*at16(deep, 0, 0, 0), 64);
        assert_int_equal(*at16(deep, 0, 1023, 0), 940);
        assert_int_equal(out->color_primaries, AVCOL_PRI_BT709);
        assert_int_equal(out->color_trc, AVCOL_TRC_BT709);
        assert_int_equal(out->colorspace, AVCOL_SPC_BT709);
        assert_int_equal(out->color_range, AVCOL_RANGE_MPEG);
        av_frame_free(&in);
        av_frame_free(&deep);
        av_frame_free(&out);
        gm_tonemap_destroy(&t);
    }
}

static void the_table_follows_the_curve(void **state)
{
    struct gm_err err;
    (void)state;
    srand(3);
    for (int k = 0; k < 2; k++) {
        struct gm_tonemap *t = make(k == 0 ? pq : hlg, 1000);
        struct gm_tonemap_curve *c = make_curve(k == 0 ? pq : hlg, 1000);
        AVFrame *in = frame(2, 2, AV_PIX_FMT_YUV420P10LE);
        AVFrame *out = frame(2, 2, AV_PIX_FMT_YUV420P10LE);
        double sum = 0, most = 0, unused[3];
        int n = 0;
        for (int i = 0; i < 20000; i++) {
            int code[3];
            random_code(code);
            if (!expect(code, k == 0, 1000, unused)) {
                continue;
            }
            double at[3] = {code[0], code[1], code[2]}, want[3];
            fill(in, code);
            assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, out, &err), 0);
            gm_tonemap_curve_apply(c, at, want);
            for (int p = 0; p < 3; p++) {
                double off = fabs(*at16(out, p, 0, 0) / 4.0 - want[p]);
                sum += off;
                most = fmax(most, off);
                n++;
            }
        }
        if (n < 3000 || sum / n > 0.25 || most > 10) {
            fail_msg("of %d: mean %f, most %f", n, sum / n, most);
        }
        av_frame_free(&in);
        av_frame_free(&out);
        gm_tonemap_curve_destroy(&c);
        gm_tonemap_destroy(&t);
    }
}

/* What a colour becomes depends on itself alone; 8 bits say between two codes by dithering. */
static void flat_colours_stay_flat(void **state)
{
    static const enum AVChromaLocation places[] = {AVCHROMA_LOC_TOP, AVCHROMA_LOC_LEFT,
                                                   AVCHROMA_LOC_CENTER, AVCHROMA_LOC_TOPLEFT};
    static const int sizes[][2] = {{1, 1}, {2, 2}, {3, 5}, {16, 1}, {64, 48}, {17, 9}};
    static const int code[3] = {401, 470, 577};
    struct gm_tonemap *t = make(pq, 1000);
    struct gm_err err;
    double deep[3] = {0};
    (void)state;
    for (size_t i = 0; i < 24; i++) {
        int w = sizes[i / 4][0], h = sizes[i / 4][1];
        AVFrame *in = frame(w, h, AV_PIX_FMT_YUV420P10LE);
        AVFrame *out = frame(w, h, AV_PIX_FMT_YUV420P10LE);
        AVFrame *few = frame(w, h, AV_PIX_FMT_YUV420P);
        fill(in, code);
        assert_int_equal(gm_tonemap_apply(t, in, places[i % 4], out, &err), 0);
        assert_int_equal(gm_tonemap_apply(t, in, places[i % 4], few, &err), 0);
        for (int p = 0; p < 3; p++) {
            double sum = 0;
            int n = 0;
            deep[p] = i == 0 ? *at16(out, p, 0, 0) : deep[p];
            for (int y = 0; y < half(h, p); y++) {
                for (int x = 0; x < half(w, p); x++, n++) {
                    assert_int_equal(*at16(out, p, x, y), (int)deep[p]);
                    int v = few->data[p][(ptrdiff_t)y * few->linesize[p] + x];
                    assert_true(fabs(v - deep[p] / 4) < 1.3);
                    sum += v;
                }
            }
            if (w == 64) {
                assert_true(fabs(sum / n - deep[p] / 4) < 0.15);
            }
        }
        av_frame_free(&in);
        av_frame_free(&out);
        av_frame_free(&few);
    }
    gm_tonemap_destroy(&t);
}

static void hash_text(const uint8_t *data, size_t size, char out[17])
{
    uint8_t digest[GM_SHA256_SIZE];
    gm_sha256(data, size, digest);
    gm_hex(digest, 8, out);
}

/* The numbers that every machine must have. */
static void tables_and_pictures_are_the_same_everywhere(void **state)
{
    static const struct {
        const struct gm_colour *source;
        double peak;
        const char *table, *picture;
    } rows[] = {
        {&pq, 1000, "b4acb845f1237302", "caaf42cc253b9496"},
        {&pq, 4000, "54e42a82f6ec3fae", "b6c50fc93eb3cb8d"},
        {&hlg, 1000, "89ca1cd39c9fd2da", "ee1698d32a28ac3e"},
        {&wide, 203, "f4195308f37e2fb2", "38f46cd415cdf497"},
        {&p3, 203, "da428b77bbc7e2e4", "abd2b52ab513b81f"},
    };
    struct gm_err err;
    int wrong = 0;
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct gm_tonemap *t = make(*rows[k].source, rows[k].peak);
        AVFrame *in = frame(99, 33, AV_PIX_FMT_YUV420P10LE);
        AVFrame *out = frame(99, 33, AV_PIX_FMT_YUV420P);
        uint8_t digest[GM_SHA256_SIZE], all[3 * 99 * 33];
        char table[17], picture[17];
        size_t n = 0;
        uint32_t seed = 1;
        for (int p = 0; p < 3; p++) {
            for (int i = 0; i < half(99, p) * half(33, p); i++) {
                seed = seed * 1664525 + 1013904223;
                *at16(in, p, i % half(99, p), i / half(99, p)) = (uint16_t)(seed >> 22);
            }
        }
        assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, out, &err), 0);
        for (int p = 0; p < 3; p++) {
            for (int y = 0; y < half(33, p); y++) {
                memcpy(all + n, out->data[p] + (ptrdiff_t)y * out->linesize[p],
                       (size_t)half(99, p));
                n += (size_t)half(99, p);
            }
        }
        gm_tonemap_hash(t, digest);
        gm_hex(digest, 8, table);
        hash_text(all, n, picture);
        if (strcmp(table, rows[k].table) != 0 || strcmp(picture, rows[k].picture) != 0) {
            print_error("row %zu: %s %s\n", k, table, picture);
            wrong++;
        }
        av_frame_free(&in);
        av_frame_free(&out);
        gm_tonemap_destroy(&t);
    }
    assert_int_equal(wrong, 0);
}

static void the_plan_takes_the_peak_that_is_there(void **state)
{
    static const struct {
        const char *primaries, *transfer, *matrix;
        uint32_t cll, display; /* 1/10000 */
        const char *method;    /* NULL: none */
        double peak;
    } rows[] = {
        {"bt2020", "smpte2084", "bt2020nc", 0, 0, GM_TONEMAP_BT2390, 1000},
        {"bt2020", "smpte2084", "bt2020nc", 4000, 10000000, GM_TONEMAP_BT2390, 4000},
        {"bt2020", "smpte2084", "bt2020nc", 0, 40000000, GM_TONEMAP_BT2390, 4000},
        {"bt2020", "smpte2084", "bt2020nc", 1000, 1000, GM_TONEMAP_BT2390, 1000},
        {"bt2020", "smpte2084", "bt2020nc", 5, 1000, GM_TONEMAP_BT2390, 1000},
        {"bt2020", "smpte2084", "bt2020nc", 65535, 0, GM_TONEMAP_BT2390, 1000},
        {"bt2020", "arib-std-b67", "bt2020nc", 4000, 0, GM_TONEMAP_BT2390, 1000},
        {"unknown", "arib-std-b67", "unknown", 0, 0, GM_TONEMAP_BT2390, 1000},
        {"bt2020", "bt2020-10", "bt2020nc", 0, 0, GM_TONEMAP_GAMUT, 203},
        {"smpte432", "iec61966-2-1", "bt709", 0, 0, GM_TONEMAP_GAMUT, 203},
        {"bt709", "bt709", "bt709", 4000, 0, NULL, 0},
        {"unknown", "unknown", "unknown", 0, 0, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v = GM__VIDEO_FACTS__INIT;
        Gm__ContentLight light = GM__CONTENT_LIGHT__INIT;
        Gm__MasteringDisplay display = GM__MASTERING_DISPLAY__INIT;
        Gm__ToneMap *t = NULL;
        struct gm_err err;
        v.width_px = 1920;
        v.height_px = 1080;
        v.pixel_format = "yuv420p10le";
        v.primaries = (char *)(uintptr_t)rows[i].primaries;
        v.transfer = (char *)(uintptr_t)rows[i].transfer;
        v.matrix = (char *)(uintptr_t)rows[i].matrix;
        light.max_cll = rows[i].cll;
        display.max_luminance = rows[i].display;
        v.light = rows[i].cll != 0 ? &light : NULL;
        v.mastering = rows[i].display != 0 ? &display : NULL;
        assert_int_equal(gm_tonemap_plan(&v, &t, &err), 0);
        if (rows[i].method == NULL) {
            assert_null(t);
            continue;
        }
        assert_string_equal(t->method, rows[i].method);
        assert_true(t->source_peak >= rows[i].peak && t->source_peak <= rows[i].peak);
        assert_true(t->target_peak >= 203 && t->target_peak <= 203);
        gm__tone_map__free_unpacked(t, NULL);
    }
}

static void bad_arguments_are_refused(void **state)
{
    struct gm_tonemap *t = NULL;
    struct gm_err err;
    struct gm_tonemap_params bad[] = {{pq, 0, 203},   {pq, 1000, -1},  {pq, 10001, 203},
                                      {pq, NAN, 203}, {pq, 1000, 203}, {pq, 1000, 203}};
    (void)state;
    bad[4].source.matrix = AVCOL_SPC_RGB;
    bad[5].source.transfer = AVCOL_TRC_UNSPECIFIED;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gm_tonemap_create(&bad[i], &t, &err), -GM_E_INVAL);
        assert_null(t);
    }
    t = make(pq, 1000);
    AVFrame *in = frame(16, 16, AV_PIX_FMT_YUV420P10LE);
    AVFrame *other = frame(16, 8, AV_PIX_FMT_YUV420P);
    AVFrame *rgb = frame(16, 16, AV_PIX_FMT_RGB24);
    assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, other, &err), -GM_E_INVAL);
    assert_int_equal(gm_tonemap_apply(t, in, AVCHROMA_LOC_LEFT, rgb, &err), -GM_E_INVAL);
    assert_int_equal(gm_tonemap_apply(t, rgb, AVCHROMA_LOC_LEFT, in, &err), -GM_E_INVAL);
    av_frame_free(&in);
    av_frame_free(&other);
    av_frame_free(&rgb);
    gm_tonemap_destroy(&t);
    gm_tonemap_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_those_of_the_standards),
        cmocka_unit_test(reference_levels_land_where_viewers_expect),
        cmocka_unit_test(colours_of_bt709_survive_other_clothes),
        cmocka_unit_test(greys_stay_grey_and_ramps_rise),
        cmocka_unit_test(the_table_follows_the_curve),
        cmocka_unit_test(flat_colours_stay_flat),
        cmocka_unit_test(tables_and_pictures_are_the_same_everywhere),
        cmocka_unit_test(the_plan_takes_the_peak_that_is_there),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
