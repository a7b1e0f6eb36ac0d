/* The ladder's plan: for each plane of each rung its tables, its tile and where it looks in the
 * source; one block of memory without pointers, for any executor. */
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

#define THREADS 256
#define TILE_W 64
#define TILE_H 16
#define TILE_BYTES (16 * 1024) /* of an intermediate: several blocks a processor */

struct gm_ladder {
    struct gm_ladder_params params; /* without the marks */
    uint32_t shared_bytes;
    uint8_t *plan; /* owned */
    size_t size, room;
};

static int refuse(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_INVAL, 0, "The ladder's %s", what);
}

static bool is_side(uint32_t n)
{
    return n >= GM_SIDE_MIN && n <= GM_SIDE_MAX;
}

/* Fills in what is left out. */
static int check_source(struct gm_ladder_params *p, struct gm_err *err)
{
    if (!is_side(p->width_px) || !is_side(p->height_px)) {
        return refuse(err, "source is not 2x2 to 16384x16384");
    }
    if (p->crop_x_px >= p->width_px || p->crop_y_px >= p->height_px || p->crop_x_px % 2 != 0 ||
        p->crop_y_px % 2 != 0) {
        return refuse(err, "crop does not begin on an even place inside the source");
    }
    uint32_t room_x = p->width_px - p->crop_x_px, room_y = p->height_px - p->crop_y_px;
    p->crop_width_px = p->crop_width_px == 0 ? room_x : p->crop_width_px;
    p->crop_height_px = p->crop_height_px == 0 ? room_y : p->crop_height_px;
    if (p->crop_width_px > room_x || p->crop_height_px > room_y || !is_side(p->crop_width_px) ||
        !is_side(p->crop_height_px)) {
        return refuse(err, "crop is not inside the source");
    }
    if (p->turns > 3 || p->chroma_x2 > 1 || p->chroma_y2 > 1 || p->rungs < 1 ||
        p->rungs > GM_LADDER_RUNGS) {
        return refuse(err, "turn, chroma place or number of rungs is out of range");
    }
    return 0;
}

static int check_rung(const struct gm_ladder_params *p, const struct gm_ladder_rung *r,
                      struct gm_err *err)
{
    uint32_t w = p->turns % 2 == 0 ? p->crop_width_px : p->crop_height_px;
    uint32_t h = p->turns % 2 == 0 ? p->crop_height_px : p->crop_width_px;
    if (!is_side(r->width_px) || !is_side(r->height_px) || w > r->width_px * GM_LADDER_RATIO_MAX ||
        h > r->height_px * GM_LADDER_RATIO_MAX) {
        return refuse(err, "rung is not 2x2 to 16384x16384, or below a 32nd of the source");
    }
    const struct gm_ladder_mark *m = r->mark;
    if (m != NULL && (m->x_px % 2 != 0 || m->y_px % 2 != 0 || m->x_px >= r->width_px ||
                      m->y_px >= r->height_px || m->width_px < 1 || m->height_px < 1 ||
                      m->width_px > GM_SIDE_MAX || m->height_px > GM_SIDE_MAX || m->luma == NULL ||
                      m->blue == NULL || m->red == NULL || m->alpha == NULL)) {
        return refuse(err, "watermark begins at an odd place, outside its rung, or is empty");
    }
    return 0;
}

/* Room of `size` bytes at the plan's end, zeroed; its offset into *out. Plans move. */
static int reserve(struct gm_ladder *l, size_t size, uint32_t *out, struct gm_err *err)
{
    size_t begin = (l->size + 15) / 16 * 16, end = begin + size;
    if (end > UINT32_MAX) {
        return refuse(err, "tables are larger than 4 GiB");
    }
    if (end > l->room) {
        size_t room = end + end / 2;
        uint8_t *plan = realloc(l->plan, room);
        if (plan == NULL) {
            return gm_err_nomem(err);
        }
        memset(plan + l->room, 0, room - l->room);
        l->plan = plan;
        l->room = room;
    }
    l->size = end;
    *out = (uint32_t)begin;
    return 0;
}

static uint32_t pack(int16_t low, int16_t high)
{
    return (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
}

/* An axis as the kernel reads it: pairs of weights, by tap first where threads lie along it. */
static int put_axis(struct gm_ladder *l, const struct gm_axis *a, bool by_tap, uint32_t *out_taps,
                    uint32_t *out_start, uint32_t *out_weights, struct gm_err *err)
{
    uint32_t pairs = (a->taps + 1) / 2;
    int rc = reserve(l, a->count * sizeof *a->start, out_start, err);
    if (rc == 0) {
        rc = reserve(l, (size_t)a->count * pairs * sizeof(uint32_t), out_weights, err);
    }
    if (rc < 0) {
        return rc;
    }
    GM_ASSERT(a->start != NULL && a->weights != NULL);
    memcpy(l->plan + *out_start, a->start, a->count * sizeof *a->start);
    uint32_t *to = (uint32_t *)(void *)(l->plan + *out_weights);
    for (uint32_t j = 0; j < a->count; j++) {
        const int16_t *w = a->weights + (size_t)j * a->taps;
        for (uint32_t k = 0; k < pairs; k++) {
            to[by_tap ? (size_t)k * a->count + j : (size_t)j * pairs + k] =
                pack(w[2 * k], 2 * k + 1 < a->taps ? w[2 * k + 1] : 0);
        }
    }
    *out_taps = 2 * pairs;
    return 0;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int put_mark(struct gm_ladder *l, const struct gm_ladder_mark *m, struct gm_ladder_plane *p,
                    struct gm_err *err)
{
    uint32_t mark_w = (m->width_px + p->chroma) >> p->chroma;
    uint32_t mark_h = (m->height_px + p->chroma) >> p->chroma, step = 2u << p->chroma;
    p->mark_x = m->x_px >> p->chroma;
    p->mark_y = m->y_px >> p->chroma;
    p->mark_w = min_u32(mark_w, p->out_w - p->mark_x);
    p->mark_h = min_u32(mark_h, p->out_h - p->mark_y);
    size_t samples = (size_t)p->mark_w * p->mark_h;
    int rc = reserve(l, samples * step * sizeof(uint16_t), &p->mark, err);
    if (rc < 0) {
        return rc;
    }
    uint16_t *to = (uint16_t *)(void *)(l->plan + p->mark), top = p->deep ? 1023 : 255;
    for (size_t i = 0; i < samples; i++, to += step) {
        uint32_t x = (uint32_t)(i % p->mark_w), y = (uint32_t)(i / p->mark_w), sum = 0;
        size_t from = (size_t)y * mark_w + x;
        const uint16_t *first = p->chroma ? m->blue : m->luma;
        to[0] = first[from] < top ? first[from] : top;
        if (p->chroma) {
            to[1] = m->red[from] < top ? m->red[from] : top;
        }
        for (uint32_t k = 0; k < 4; k++) { /* of the four pixels around a chroma sample */
            uint32_t ax = min_u32((x << p->chroma) + (p->chroma ? k % 2 : 0), m->width_px - 1);
            uint32_t ay = min_u32((y << p->chroma) + (p->chroma ? k / 2 : 0), m->height_px - 1);
            sum += m->alpha[(size_t)ay * m->width_px + ax];
        }
        /* 0..255 to 0..256. */
        to[step / 2] = (uint16_t)((sum * 256 + 510) / 1020);
    }
    return 0;
}

/* How the turned picture's directions lie in the source. */
static void orient(const struct gm_ladder_params *p, struct gm_ladder_plane *out)
{
    static const int right[4][2] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
    static const int down[4][2] = {{0, 1}, {1, 0}, {0, -1}, {-1, 0}};
    int32_t sign = p->mirror ? -1 : 1;
    out->right_x = sign * right[p->turns][0];
    out->right_y = sign * right[p->turns][1];
    out->down_x = down[p->turns][0];
    out->down_y = down[p->turns][1];
    int32_t w = (int32_t)((p->crop_width_px + out->chroma) >> out->chroma);
    int32_t h = (int32_t)((p->crop_height_px + out->chroma) >> out->chroma);
    bool from_right = out->right_x + out->down_x < 0, from_below = out->right_y + out->down_y < 0;
    out->x0 = (int32_t)(p->crop_x_px >> out->chroma) + (from_right ? w - 1 : 0);
    out->y0 = (int32_t)(p->crop_y_px >> out->chroma) + (from_below ? h - 1 : 0);
    out->in_w = p->turns % 2 == 0 ? w : h;
    out->in_h = p->turns % 2 == 0 ? h : w;
}

/* Where the source's chroma lies along a direction that runs so in a side of `length` luma samples:
 * backwards, sample i of n is sample n - 1 - i. */
static int32_t place_along(bool backwards, uint32_t length, uint32_t place_x2)
{
    if (!backwards) {
        return (int32_t)place_x2;
    }
    return (length % 2 == 0 ? 2 : 0) - (int32_t)place_x2;
}

static int make_axes(const struct gm_ladder_params *p, const struct gm_ladder_rung *r,
                     const struct gm_ladder_plane *plane, struct gm_axis *x, struct gm_axis *y,
                     struct gm_err *err)
{
    bool flat = p->turns % 2 == 0;
    uint32_t side[2] = {p->crop_width_px, p->crop_height_px};
    uint32_t place[2] = {p->chroma_x2, p->chroma_y2};
    struct gm_axis_params along = {
        .in = side[flat ? 0 : 1],
        .out = r->width_px,
        .count = plane->out_w,
        .chroma = plane->chroma != 0,
        .in_x2 = place_along(plane->right_x + plane->right_y < 0, side[flat ? 0 : 1],
                             place[flat ? 0 : 1]),
        .out_x2 = (int32_t)p->chroma_x2,
    };
    struct gm_axis_params across = {
        .in = side[flat ? 1 : 0],
        .out = r->height_px,
        .count = plane->out_h,
        .chroma = plane->chroma != 0,
        .in_x2 =
            place_along(plane->down_x + plane->down_y < 0, side[flat ? 1 : 0], place[flat ? 1 : 0]),
        .out_x2 = (int32_t)p->chroma_y2,
    };
    int rc = gm_axis_make(&along, x, err);
    return rc == 0 ? gm_axis_make(&across, y, err) : rc;
}

/* The widest row that a tile of `width` results needs, in 16-bit values. */
static uint32_t middle_width(const struct gm_axis *x, uint32_t width, uint32_t chroma)
{
    int32_t widest = 0;
    for (uint32_t at = 0; at < x->count; at += width) {
        uint32_t last = min_u32(at + width, x->count) - 1;
        int32_t span = x->start[last] + (int32_t)(x->taps + 1) / 2 * 2 - x->start[at];
        widest = span > widest ? span : widest;
    }
    return (((uint32_t)widest << chroma) + 3 + 3) / 4 * 4; /* and what a word's start adds */
}

static void choose_tile(struct gm_ladder *l, struct gm_ladder_plane *p, const struct gm_axis *x)
{
    p->tile_w = TILE_W >> p->chroma;
    p->tile_h = TILE_H;
    p->middle_w = middle_width(x, p->tile_w, p->chroma);
    while (p->middle_w * p->tile_h * 2 > TILE_BYTES && p->tile_h > 4) {
        p->tile_h /= 2;
    }
    while (p->middle_w * p->tile_h * 2 > TILE_BYTES && p->tile_w > 8) {
        p->tile_w /= 2;
        p->middle_w = middle_width(x, p->tile_w, p->chroma);
    }
    p->tiles_x = (p->out_w + p->tile_w - 1) / p->tile_w;
    uint32_t bytes = p->point ? 0 : p->middle_w * p->tile_h * 2;
    GM_ASSERT(bytes <= GM_SHARED_MAX);
    l->shared_bytes = bytes > l->shared_bytes ? bytes : l->shared_bytes;
}

static struct gm_ladder_plan *plan_of(const struct gm_ladder *l)
{
    return (struct gm_ladder_plan *)(void *)l->plan;
}

static int add_plane(struct gm_ladder *l, const struct gm_ladder_params *params, uint32_t rung,
                     uint32_t chroma, struct gm_err *err)
{
    const struct gm_ladder_rung *r = &params->rung[rung];
    struct gm_axis x = {0}, y = {0};
    struct gm_ladder_plane p = {
        .rung = rung,
        .chroma = chroma,
        .deep = r->deep,
        .out_w = (r->width_px + chroma) >> chroma,
        .out_h = (r->height_px + chroma) >> chroma,
    };
    orient(params, &p);
    int rc = make_axes(params, r, &p, &x, &y, err);
    if (rc < 0) {
        goto out;
    }
    p.point = x.taps == 1 && y.taps == 1;
    choose_tile(l, &p, &x);
    rc = put_axis(l, &x, true, &p.taps_x, &p.start_x, &p.weights_x, err);
    if (rc == 0) {
        rc = put_axis(l, &y, false, &p.taps_y, &p.start_y, &p.weights_y, err);
    }
    if (rc == 0 && r->mark != NULL) {
        rc = put_mark(l, r->mark, &p, err);
    }
    if (rc == 0) {
        struct gm_ladder_plan *plan = plan_of(l);
        p.first_tile = plan->tiles;
        plan->tiles += p.tiles_x * ((p.out_h + p.tile_h - 1) / p.tile_h);
        plan->plane[plan->planes++] = p;
    }
out:
    gm_axis_fini(&x);
    gm_axis_fini(&y);
    return rc;
}

int gm_ladder_create(const struct gm_ladder_params *params, struct gm_ladder **out,
                     struct gm_err *err)
{
    struct gm_ladder_params p = *params;
    int rc = check_source(&p, err);
    for (uint32_t i = 0; rc == 0 && i < p.rungs; i++) {
        rc = check_rung(&p, &p.rung[i], err);
    }
    if (rc < 0) {
        return rc;
    }
    struct gm_ladder *l = calloc(1, sizeof *l);
    uint32_t head = 0;
    rc = l != NULL ? reserve(l, sizeof(struct gm_ladder_plan), &head, err) : gm_err_nomem(err);
    for (uint32_t i = 0; rc == 0 && i < 2 * p.rungs; i++) {
        rc = add_plane(l, &p, i / 2, i % 2, err);
    }
    if (rc < 0) {
        gm_ladder_destroy(&l);
        return rc;
    }
    for (uint32_t i = 0; i < p.rungs; i++) {
        p.rung[i].mark = NULL;
    }
    l->params = p;
    *out = l;
    return 0;
}

void gm_ladder_destroy(struct gm_ladder **ladder)
{
    if (*ladder != NULL) {
        free((*ladder)->plan);
        free(*ladder);
        *ladder = NULL;
    }
}

const void *gm_ladder_plan(const struct gm_ladder *l, size_t *out_size)
{
    *out_size = l->size;
    return l->plan;
}

const struct gm_ladder_params *gm_ladder_params(const struct gm_ladder *l)
{
    return &l->params;
}

int gm_ladder_check(const struct gm_ladder *l, const struct gm_ladder_frame *frame,
                    struct gm_err *err)
{
    const struct gm_ladder_params *p = &l->params;
    int rc = gm_surface_check(&frame->in, p->width_px, p->height_px, p->deep, "source", err);
    for (uint32_t i = 0; rc == 0 && i < p->rungs; i++) {
        const struct gm_ladder_rung *r = &p->rung[i];
        rc = gm_surface_check(&frame->out[i], r->width_px, r->height_px, r->deep, "rung", err);
    }
    return rc;
}

struct gm_launch gm_ladder_launch(const struct gm_ladder *l, uint32_t pictures)
{
    GM_ASSERT(pictures >= 1 && pictures <= GM_PICTURES_MAX);
    return (struct gm_launch){
        .kernel = l->params.deep ? GM_KERNEL_LADDER_10 : GM_KERNEL_LADDER_8,
        .grid_x = plan_of(l)->tiles,
        .grid_y = pictures,
        .threads = THREADS,
        .shared_bytes = l->shared_bytes,
    };
}
