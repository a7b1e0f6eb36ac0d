#include "media/picture/tonemap.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <libavutil/pixdesc.h>

#include "kernels/args.h"
#include "media/pb.h"

/* The table and its use.
 *
 * Nodes lie 12 codes of 10 bits apart in luma (full range: 11) and 8 in both chromas, so that
 * black, white and all greys are on nodes. Values have 14 bits: 8-bit codes with 6 bits of
 * fraction, or 10-bit codes with 4. Between nodes: trilinear, 6 + 3 + 3 bits of weight, so a sum
 * has 26 bits.
 *
 * Luma is looked up for each pixel with chroma interpolated to it; chroma for each of its samples
 * with luma averaged around it. Nothing is kept at 4:4:4.
 */
#define CODES 1024
#define LUMA_NODES 95
#define LUMA_BITS 6 /* of weight */
#define CHROMA_BITS 3
#define CHROMA_NODES ((CODES >> CHROMA_BITS) + 1)
#define COLUMN_STEP ((size_t)LUMA_NODES)        /* from a node to the next in Cr */
#define SLICE_STEP (CHROMA_NODES * COLUMN_STEP) /* in Cb */
#define NODES (CHROMA_NODES * SLICE_STEP)
#define VALUE_BITS 14
#define SUM_BITS (VALUE_BITS + LUMA_BITS + 2 * CHROMA_BITS)
#define DROP_8 (SUM_BITS - 8)
#define DROP_10 (SUM_BITS - 10)

/* Luma nodes: black, white and the steps between. */
struct grid {
    int first, step;
};
static const struct grid limited_grid = {64 - 6 * 12, 12}, full_grid = {0, 11};

struct gm_tonemap {
    int16_t luma[NODES]; /* [Cb][Cr][Y] */
    int16_t blue[NODES];
    int16_t red[NODES];
    /* Of a luma code: its lower node, and its weights with those of Cr's fraction, in the order of
     * the table (Cr, then Y). */
    uint8_t node[CODES];
    uint8_t fraction[CODES];
    int16_t weights[1 << CHROMA_BITS][1 << LUMA_BITS][4];
};

/* Ordered dithering, 8x8. Source: B. E. Bayer, ICC 1973. */
static const uint8_t bayer[8][8] = {
    {0, 32, 8, 40, 2, 34, 10, 42},  {48, 16, 56, 24, 50, 18, 58, 26},
    {12, 44, 4, 36, 14, 46, 6, 38}, {60, 28, 52, 20, 62, 30, 54, 22},
    {3, 35, 11, 43, 1, 33, 9, 41},  {51, 19, 59, 27, 49, 17, 57, 25},
    {15, 47, 7, 39, 13, 45, 5, 37}, {63, 31, 55, 23, 61, 29, 53, 21},
};

int gm_tonemap_plan(const Gm__VideoFacts *facts, Gm__ToneMap **out, struct gm_err *err)
{
    struct gm_colour source = gm_colour_of_source(facts);
    if (!gm_colour_needs_table(source, gm_colour_target(source, false))) {
        *out = NULL;
        return 0;
    }
    Gm__ToneMap *t = malloc(sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    gm__tone_map__init(t);
    bool hdr = gm_colour_is_hdr(source.transfer);
    t->target_peak = GM_TONEMAP_WHITE;
    t->source_peak = hdr ? GM_TONEMAP_PEAK : GM_TONEMAP_WHITE;
    if (source.transfer == AVCOL_TRC_SMPTE2084) {
        double cll = facts->light != NULL ? facts->light->max_cll : 0;
        double display = facts->mastering != NULL ? facts->mastering->max_luminance / 1e4 : 0;
        /* Some writers put nonsense there: no HDR programme is darker than SDR's white. */
        if (cll >= GM_TONEMAP_WHITE && cll <= 10000) {
            t->source_peak = cll;
        } else if (display >= GM_TONEMAP_WHITE && display <= 10000) {
            t->source_peak = display;
        }
    }
    int rc = gm_pb_string(&t->method, hdr ? GM_TONEMAP_BT2390 : GM_TONEMAP_GAMUT, err);
    if (rc == 0) {
        rc = gm_pb_string(&t->transfer, av_color_transfer_name(source.transfer), err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->primaries, av_color_primaries_name(source.primaries), err);
    }
    if (rc < 0) {
        gm__tone_map__free_unpacked(t, NULL);
        return rc;
    }
    *out = t;
    return 0;
}

static int16_t to_fixed(double code)
{
    double v = code * (1 << (VALUE_BITS - 8)) + 0.5;
    return (int16_t)(v < 0 ? 0 : v > (1 << VALUE_BITS) - 1 ? (1 << VALUE_BITS) - 1 : v);
}

static void fill_weights(struct gm_tonemap *t, const struct grid *g)
{
    const int luma = 1 << LUMA_BITS, chroma = 1 << CHROMA_BITS;
    for (int y = 0; y < CODES; y++) {
        int from = y - g->first, node = from / g->step;
        int fraction = ((from - node * g->step) * luma + g->step / 2) / g->step;
        t->node[y] = (uint8_t)node;
        t->fraction[y] = (uint8_t)fraction;
    }
    for (int r = 0; r < chroma; r++) {
        for (int y = 0; y < luma; y++) {
            int16_t *w = t->weights[r][y];
            w[0] = (int16_t)((chroma - r) * (luma - y));
            w[1] = (int16_t)((chroma - r) * y);
            w[2] = (int16_t)(r * (luma - y));
            w[3] = (int16_t)(r * y);
        }
    }
}

int gm_tonemap_create(const struct gm_tonemap_params *params, struct gm_tonemap **out,
                      struct gm_err *err)
{
    struct gm_tonemap_curve *curve = NULL;
    int rc = gm_tonemap_curve_create(params, &curve, err);
    if (rc < 0) {
        return rc;
    }
    struct gm_tonemap *t = calloc(1, sizeof *t);
    if (t == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    const struct grid *g = params->source.range == AVCOL_RANGE_JPEG ? &full_grid : &limited_grid;
    size_t at = 0;
    for (int b = 0; b < CHROMA_NODES; b++) {
        for (int r = 0; r < CHROMA_NODES; r++) {
            for (int y = 0; y < LUMA_NODES; y++, at++) {
                double in[3] = {g->first + y * g->step, b << CHROMA_BITS, r << CHROMA_BITS};
                double made[3];
                gm_tonemap_curve_apply(curve, in, made);
                t->luma[at] = to_fixed(made[0]);
                t->blue[at] = to_fixed(made[1]);
                t->red[at] = to_fixed(made[2]);
            }
        }
    }
    fill_weights(t, g);
    *out = t;
out:
    gm_tonemap_curve_destroy(&curve);
    return rc;
}

void gm_tonemap_destroy(struct gm_tonemap **tonemap)
{
    free(*tonemap);
    *tonemap = NULL;
}

void gm_tonemap_hash(const struct gm_tonemap *t, uint8_t out[GM_SHA256_SIZE])
{
    gm_sha256(t, sizeof *t, out);
}

_Static_assert(NODES == GM_TONE_NODES && CODES == GM_TONE_CODES, "kernels/tone.cu has this table");

struct gm_tonemap_tables gm_tonemap_tables(const struct gm_tonemap *t)
{
    return (struct gm_tonemap_tables){{t->luma, t->blue, t->red}, t->node, t->fraction};
}

/* Where a colour lies in the grid. */
struct place {
    size_t at;
    int slice; /* weight of the upper one, of 1 << CHROMA_BITS */
    const int16_t *weights;
};

static inline struct place find(const struct gm_tonemap *t, unsigned y, unsigned b, unsigned r)
{
    const unsigned chroma = (1u << CHROMA_BITS) - 1;
    return (struct place){
        (b >> CHROMA_BITS) * SLICE_STEP + (r >> CHROMA_BITS) * COLUMN_STEP + t->node[y],
        (int)(b & chroma),
        t->weights[r & chroma][t->fraction[y]],
    };
}

/* The four nodes of a slice, weighted. */
#ifdef __SSE2__
static inline int32_t blend_slice(const int16_t *t, const int16_t *weights)
{
    int32_t near, far;
    memcpy(&near, t, sizeof near);
    memcpy(&far, t + COLUMN_STEP, sizeof far);
    __m128i nodes = _mm_unpacklo_epi32(_mm_cvtsi32_si128(near), _mm_cvtsi32_si128(far));
    __m128i w = _mm_loadl_epi64((const __m128i *)(const void *)weights);
    __m128i pairs = _mm_madd_epi16(nodes, w);
    return _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_srli_si128(pairs, 4)));
}
#else
static inline int32_t blend_slice(const int16_t *t, const int16_t *w)
{
    return t[0] * w[0] + t[1] * w[1] + t[COLUMN_STEP] * w[2] + t[COLUMN_STEP + 1] * w[3];
}
#endif

/* SUM_BITS bits. */
static inline int32_t blend(const int16_t *table, const struct place *p)
{
    const int16_t *t = table + p->at;
    int32_t low = blend_slice(t, p->weights), high = blend_slice(t + SLICE_STEP, p->weights);
    return low * (1 << CHROMA_BITS) + (high - low) * p->slice;
}

static inline unsigned code(uint16_t sample)
{
    return sample <= CODES - 1 ? sample : CODES - 1;
}

/* Chroma of one luma row: two chroma rows blended, then spread to twice the width. */
struct rows {
    const uint16_t *near, *far; /* the row that weighs more, and the other */
    int near_weight;            /* of 4 */
};

static void spread(const struct rows *rows, int width, bool left_sited, uint16_t *blended,
                   uint16_t *out)
{
    int n = (width + 1) / 2;
    for (int i = 0; i < n; i++) {
        blended[i + 1] =
            (uint16_t)(rows->near[i] * rows->near_weight + rows->far[i] * (4 - rows->near_weight));
    }
    blended[0] = blended[1];
    blended[n + 1] = blended[n];
    for (int i = 0; i < n; i++) {
        unsigned c = blended[i + 1], before = blended[i], after = blended[i + 2];
        unsigned even = left_sited ? 4 * c : 3 * c + before;
        unsigned odd = left_sited ? 2 * (c + after) : 3 * c + after;
        out[2 * i] = (uint16_t)code((uint16_t)((even + 8) >> 4));
        out[2 * i + 1] = (uint16_t)code((uint16_t)((odd + 8) >> 4));
    }
}

/* A picture being mapped. */
struct job {
    const struct gm_tonemap *table;
    const AVFrame *in;
    AVFrame *out;
    bool left, top;                 /* siting of chroma; false: between the pixels */
    bool deep;                      /* 10 bits come out */
    uint16_t *blended, *blue, *red; /* owned: a row with room for four more each */
    int32_t *sums, *sums2;          /* owned: a row each */
};

static const uint16_t *row_of(const AVFrame *f, int plane, int y)
{
    return (const uint16_t *)(const void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]);
}

/* Sums to samples. */
static void finish_row(const struct job *j, int plane, int y, const int32_t *sums, int count)
{
    uint8_t *row = j->out->data[plane] + (ptrdiff_t)y * j->out->linesize[plane];
    if (j->deep) {
        uint16_t *deep = (uint16_t *)(void *)row;
        for (int x = 0; x < count; x++) {
            deep[x] = (uint16_t)((sums[x] + (1 << (DROP_10 - 1))) >> DROP_10);
        }
        return;
    }
    int32_t dither[8];
    for (int x = 0; x < 8; x++) {
        dither[x] = (2 * bayer[y & 7][x] + 1) << (DROP_8 - 7);
    }
    for (int x = 0; x < count; x++) {
        row[x] = (uint8_t)((sums[x] + dither[x & 7]) >> DROP_8);
    }
}

static void map_luma_row(const struct job *j, int y)
{
    int width = j->in->width, chroma_rows = (j->in->height + 1) / 2, row = y / 2;
    int other = (y & 1) != 0 ? row + 1 : j->top ? row : row - 1;
    int weight = !j->top ? 3 : (y & 1) != 0 ? 2 : 4;
    other = other < 0 ? 0 : other >= chroma_rows ? chroma_rows - 1 : other;
    struct rows b = {row_of(j->in, 1, row), row_of(j->in, 1, other), weight};
    struct rows r = {row_of(j->in, 2, row), row_of(j->in, 2, other), weight};
    spread(&b, width, j->left, j->blended, j->blue);
    spread(&r, width, j->left, j->blended, j->red);
    const uint16_t *luma = row_of(j->in, 0, y);
    for (int x = 0; x < width; x++) {
        struct place p = find(j->table, code(luma[x]), j->blue[x], j->red[x]);
        j->sums[x] = blend(j->table->luma, &p);
    }
    finish_row(j, 0, y, j->sums, width);
}

/* Luma where a chroma sample lies: weights 1 2 1 across when it lies on a pixel, 1 1 between two;
 * likewise down. */
static unsigned luma_at(const struct job *j, int x, int y)
{
    int last_x = j->in->width - 1, last_y = j->in->height - 1;
    unsigned sum = 0;
    for (int dy = j->top ? -1 : 0; dy <= 1; dy++) {
        int at_y = 2 * y + dy;
        at_y = at_y < 0 ? 0 : at_y > last_y ? last_y : at_y;
        const uint16_t *row = row_of(j->in, 0, at_y);
        int x0 = 2 * x, x1 = x0 < last_x ? x0 + 1 : x0, before = x0 > 0 ? x0 - 1 : 0;
        unsigned across = j->left ? code(row[before]) + 2 * code(row[x0]) + code(row[x1])
                                  : 2 * (code(row[x0]) + code(row[x1]));
        sum += across * (!j->top ? 2u : dy == 0 ? 2u : 1u);
    }
    return (sum + 8) >> 4;
}

static void map_chroma_row(const struct job *j, int y)
{
    const uint16_t *blue = row_of(j->in, 1, y), *red = row_of(j->in, 2, y);
    int width = (j->in->width + 1) / 2;
    for (int x = 0; x < width; x++) {
        struct place p = find(j->table, luma_at(j, x, y), code(blue[x]), code(red[x]));
        j->sums[x] = blend(j->table->blue, &p);
        j->sums2[x] = blend(j->table->red, &p);
    }
    finish_row(j, 1, y, j->sums, width);
    finish_row(j, 2, y, j->sums2, width);
}

int gm_tonemap_apply(const struct gm_tonemap *table, const AVFrame *in, enum AVChromaLocation place,
                     AVFrame *out, struct gm_err *err)
{
    bool deep = out->format == AV_PIX_FMT_YUV420P10LE;
    if (in->format != AV_PIX_FMT_YUV420P10LE || (!deep && out->format != AV_PIX_FMT_YUV420P) ||
        in->width != out->width || in->height != out->height || in->width < 1 || in->height < 1) {
        return gm_err_set(err, GM_E_INVAL, 0, "A colour table takes 10-bit 4:2:0 of one size");
    }
    size_t room = (size_t)in->width + 4;
    struct job j = {
        .table = table,
        .in = in,
        .out = out,
        .left = place == AVCHROMA_LOC_LEFT || place == AVCHROMA_LOC_TOPLEFT,
        .top = place == AVCHROMA_LOC_TOPLEFT || place == AVCHROMA_LOC_TOP,
        .deep = deep,
        .blended = calloc(3 * room, sizeof *j.blended),
        .sums = calloc(2 * room, sizeof *j.sums),
    };
    int rc = j.blended != NULL && j.sums != NULL ? 0 : gm_err_nomem(err);
    if (rc == 0) {
        j.blue = j.blended + room;
        j.red = j.blue + room;
        j.sums2 = j.sums + room;
        for (int y = 0; y < in->height; y++) {
            map_luma_row(&j, y);
            if ((y & 1) == 0) {
                map_chroma_row(&j, y / 2);
            }
        }
        out->color_primaries = AVCOL_PRI_BT709;
        out->color_trc = AVCOL_TRC_BT709;
        out->colorspace = AVCOL_SPC_BT709;
        out->color_range = AVCOL_RANGE_MPEG;
        out->chroma_location = place;
    }
    free(j.blended);
    free(j.sums);
    return rc;
}
