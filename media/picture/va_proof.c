#include "media/picture/va_proof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/device/va_picture.h"
#include "media/device/vaapi.h"

#define SLOPE 16.0 /* samples of the smaller picture from an edge to the next */
#define AWAY 5.0   /* of them beside an edge where filters round it: they reach four, as Intel's */
#define EDGE_PX 32 /* by which the larger surface is larger: more than a macroblock */
/* Of 8 bits, as all levels here: BT.601's range of luma and of chroma. */
#define LOW 16.0
#define LUMA 219.0
#define CHROMA 224.0
/* Levels: rounding twice, and a quarter of a step in luma; in chroma a quarter of a sample besides,
 * which drivers may be off that do not know where chroma lies. */
#define LUMA_OFF 2.0
#define CHROMA_OFF 5.0

/* One side of a plane. */
struct side {
    int from, made; /* samples */
    double shift;   /* of its samples, in those of the smaller picture: chroma on the left */
};

static double step_of(const struct side *s)
{
    return s->from > s->made ? (double)s->from / s->made : 1;
}

/* 0 to 1 and back. at: a place among the source's samples. */
static double light(const struct side *s, double at)
{
    double t = fmod(at / (SLOPE * step_of(s)), 2);
    return t < 1 ? t : 2 - t;
}

/* What a sample shows of one side's light. */
struct spot {
    double light;
    bool known; /* false: an edge is near */
};

/* Of sample `at` of the made ones. */
static struct spot find(const struct side *s, int at)
{
    double ratio = (double)s->from / s->made, away = AWAY * step_of(s);
    double place = (at + 0.5) * ratio - 0.5 + s->shift * (ratio - 1);
    double behind = fmod(place, SLOPE * step_of(s));
    return (struct spot){light(s, place), place >= away && place <= s->from - 1 - away &&
                                              behind >= away &&
                                              behind <= SLOPE * step_of(s) - away};
}

/* The made samples of a side, or the source's; owned; NULL: no memory. */
static struct spot *spots_of(const struct side *s, bool made)
{
    int count = made ? s->made : s->from;
    struct spot *spots = calloc((size_t)count, sizeof *spots);
    for (int i = 0; spots != NULL && i < count; i++) {
        spots[i] = made ? find(s, i) : (struct spot){light(s, i), true};
    }
    return spots;
}

struct plane {
    struct side x, y;
    double by_x, by_y; /* levels from the darkest to the lightest, along each side */
    double off;        /* that a sample may be wrong */
};

static struct plane plane_of(const struct gm_va_proof *p, int plane)
{
    if (plane == 0) {
        return (struct plane){{p->from_width_px, p->width_px, 0},
                              {p->from_height_px, p->height_px, 0},
                              LUMA / 2,
                              LUMA / 2,
                              LUMA_OFF};
    }
    return (struct plane){{p->from_width_px / 2, p->width_px / 2, -0.25},
                          {p->from_height_px / 2, p->height_px / 2, 0},
                          plane == 1 ? CHROMA : 0,
                          plane == 2 ? CHROMA : 0,
                          CHROMA_OFF};
}

static void put(AVFrame *f, int plane, int x, int y, double level)
{
    uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    if (f->format == AV_PIX_FMT_YUV420P10LE) {
        ((uint16_t *)(void *)row)[x] = (uint16_t)(level * 4 + 0.5);
    } else {
        row[x] = (uint8_t)(level + 0.5);
    }
}

static double get(const AVFrame *f, int plane, int x, int y)
{
    const uint8_t *row = f->data[plane] + (ptrdiff_t)y * f->linesize[plane];
    return f->format == AV_PIX_FMT_YUV420P10LE ? ((const uint16_t *)(const void *)row)[x] / 4.0
                                               : row[x];
}

/* The light along both sides of a plane, reckoned once: of 4K it is seconds otherwise. */
struct lights {
    struct spot *x, *y; /* owned */
};

static int open_lights(const struct plane *plane, bool made, struct lights *out, struct gm_err *err)
{
    *out = (struct lights){spots_of(&plane->x, made), spots_of(&plane->y, made)};
    return out->x != NULL && out->y != NULL ? 0 : gm_err_nomem(err);
}

static void close_lights(struct lights *l)
{
    free(l->x);
    free(l->y);
}

static void draw_plane(const struct plane *plane, const struct lights *l, AVFrame *f, int i)
{
    int width = i == 0 ? f->width : f->width / 2, height = i == 0 ? f->height : f->height / 2;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            double level = (x + y) % 2 == 0 ? LOW : LOW + LUMA;
            if (x < plane->x.from && y < plane->y.from) {
                level = LOW + plane->by_x * l->x[x].light + plane->by_y * l->y[y].light;
            }
            put(f, i, x, y, level);
        }
    }
}

/* The picture at the left and top of f; what is more of f is black and white. */
static int draw(const struct gm_va_proof *p, AVFrame *f, struct gm_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++) {
        const struct plane plane = plane_of(p, i);
        struct lights lights;
        rc = open_lights(&plane, false, &lights, err);
        if (rc == 0) {
            draw_plane(&plane, &lights, f, i);
        }
        close_lights(&lights);
    }
    return rc;
}

/* The picture by way of a surface of `from`, edge_px larger; *out owned, in memory. */
static int make(const struct gm_va_proof *p, int edge_px, struct gm_vaapi_scaler *scaler,
                AVBufferRef *from, AVBufferRef *to, AVFrame **out, struct gm_err *err)
{
    AVFrame *f = gm_av_frame(p->bits == 10 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P,
                             p->from_width_px + edge_px, p->from_height_px + edge_px);
    AVFrame *packed = NULL, *there = NULL, *made = NULL;
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    int rc = draw(p, f, err);
    if (rc == 0) {
        rc = gm_va_picture_upload(f, from, &packed, &there, err);
    }
    if (rc == 0) {
        there->width = p->from_width_px;
        there->height = p->from_height_px;
        rc = gm_va_picture_get(to, &made, err);
    }
    if (rc == 0) {
        rc = gm_vaapi_scaler_run(scaler, there, made, err);
    }
    if (rc == 0) {
        rc = gm_va_picture_download(made, out, err);
    }
    av_frame_free(&f);
    av_frame_free(&packed);
    av_frame_free(&there);
    av_frame_free(&made);
    return rc;
}

/* Of 10 bits three of four levels lie between those of 8. */
static int check_depth(const struct gm_va_proof *p, size_t checked, size_t between,
                       struct gm_err *err)
{
    if (checked == 0) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "%dx%d is too small for a proof of how the VA driver scales", p->width_px,
                          p->height_px);
    }
    return p->bits == 8 || between >= checked / 4
               ? 0
               : gm_err_set(err, GM_E_MEDIA_VERIFY, 0,
                            "The VA driver scales pictures of 10 bits by way of 8");
}

/* Depth is looked at in luma: the levels of chroma may be of 8 bits as they are drawn. */
static int check_plane(const struct gm_va_proof *p, const struct plane *plane,
                       const struct lights *l, const AVFrame *f, int i, struct gm_err *err)
{
    size_t checked = 0, between = 0;
    for (int y = 0; y < plane->y.made; y++) {
        for (int x = 0; x < plane->x.made; x++) {
            bool known = (l->x[x].known || plane->by_x == 0) && (l->y[y].known || plane->by_y == 0);
            double want = LOW + plane->by_x * l->x[x].light + plane->by_y * l->y[y].light;
            double got = get(f, i, x, y);
            checked += known;
            between += known && got != floor(got);
            if (known && fabs(got - want) > plane->off) {
                return gm_err_set(err, GM_E_MEDIA_VERIFY, 0,
                                  "The VA driver scales wrongly: of %dx%d sample %d,%d of "
                                  "plane %d is %.1f, not %.1f",
                                  p->width_px, p->height_px, x, y, i, got, want);
            }
        }
    }
    return i == 0 ? check_depth(p, checked, between, err) : 0;
}

static int check_places(const struct gm_va_proof *p, const AVFrame *f, struct gm_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++) {
        const struct plane plane = plane_of(p, i);
        struct lights lights;
        rc = open_lights(&plane, true, &lights, err);
        if (rc == 0) {
            rc = check_plane(p, &plane, &lights, f, i, err);
        }
        close_lights(&lights);
    }
    return rc;
}

static bool is_same(const AVFrame *a, const AVFrame *b)
{
    for (int i = 0; i < 3; i++) {
        int width = i == 0 ? a->width : a->width / 2, height = i == 0 ? a->height : a->height / 2;
        size_t bytes = (size_t)width * (a->format == AV_PIX_FMT_YUV420P10LE ? 2 : 1);
        for (int y = 0; y < height; y++) {
            if (memcmp(a->data[i] + (ptrdiff_t)y * a->linesize[i],
                       b->data[i] + (ptrdiff_t)y * b->linesize[i], bytes) != 0) {
                return false;
            }
        }
    }
    return true;
}

static int hash(const AVFrame *f, uint8_t out[GM_SHA256_SIZE], struct gm_err *err)
{
    struct gm_sha256 *h = gm_sha256_create();
    if (h == NULL) {
        return gm_err_nomem(err);
    }
    for (int i = 0; i < 3; i++) {
        int width = i == 0 ? f->width : f->width / 2, height = i == 0 ? f->height : f->height / 2;
        size_t bytes = (size_t)width * (f->format == AV_PIX_FMT_YUV420P10LE ? 2 : 1);
        for (int y = 0; y < height; y++) {
            gm_sha256_update(h, f->data[i] + (ptrdiff_t)y * f->linesize[i], bytes);
        }
    }
    gm_sha256_final(h, out);
    gm_sha256_destroy(&h);
    return 0;
}

int gm_va_proof_run(const struct gm_va_proof *p, struct gm_vaapi_scaler *scaler, AVBufferRef *from,
                    AVBufferRef *to, uint8_t out_sha256[GM_SHA256_SIZE], struct gm_err *err)
{
    AVBufferRef *larger = NULL, *device = gm_av_pool(from)->device_ref;
    AVFrame *first = NULL, *second = NULL;
    int rc = gm_vaapi_frames(device, p->bits, p->from_width_px + EDGE_PX,
                             p->from_height_px + EDGE_PX, &larger, err);
    if (rc == 0) {
        rc = make(p, 0, scaler, from, to, &first, err);
    }
    if (rc == 0) {
        rc = make(p, EDGE_PX, scaler, larger, to, &second, err);
    }
    if (rc == 0) {
        rc = check_places(p, first, err);
    }
    if (rc == 0 && !is_same(first, second)) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 0,
                        "The VA driver gives other bits of the same picture in a larger surface, "
                        "or a second time");
    }
    if (rc == 0) {
        rc = hash(first, out_sha256, err);
    }
    av_frame_free(&first);
    av_frame_free(&second);
    av_buffer_unref(&larger);
    return rc;
}
