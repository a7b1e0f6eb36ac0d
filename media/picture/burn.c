#include "media/picture/burn.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/picture/burn_pack.h"
#include "media/picture/burn_read.h"

/* See burn.h. The layers of the subtitle that shows are kept while it does: as a rule one. */
#define MAX_SHOWN 4u
#define MAX_RECTS 64u

struct layers {
    const Gm__BurnPicture *of; /* borrowed from the chunk's header; NULL: free */
    uint32_t width, height;    /* of the picture that they are made for */
    struct gm_burn_layer list[MAX_RECTS];
    size_t count;
};
struct gm_burn {
    const Gm__ChunkHeader *header; /* borrowed */
    struct layers shown[MAX_SHOWN];
    AVFrame *frame; /* owned */
};

int gm_burn_create(struct gm_burn **out, struct gm_err *err)
{
    struct gm_burn *b = calloc(1, sizeof *b);
    if (b == NULL || (b->frame = av_frame_alloc()) == NULL) {
        free(b);
        return gm_err_nomem(err);
    }
    *out = b;
    return 0;
}

static void drop(struct layers *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->list[i].rgba);
    }
    *l = (struct layers){0};
}

void gm_burn_destroy(struct gm_burn **b)
{
    if (*b == NULL) {
        return;
    }
    for (size_t i = 0; i < MAX_SHOWN; i++) {
        drop(&(*b)->shown[i]);
    }
    av_frame_free(&(*b)->frame);
    free(*b);
    *b = NULL;
}

static bool is_sane(const Gm__BurnPicture *p)
{
    bool sane = p->canvas_width > 0 && p->canvas_height > 0 &&
                p->canvas_width <= GM_BURN_MAX_SIDE && p->canvas_height <= GM_BURN_MAX_SIDE &&
                p->n_rects <= MAX_RECTS;
    for (size_t i = 0; sane && i < p->n_rects; i++) {
        const Gm__BurnRect *r = p->rects[i];
        sane = r->x <= GM_BURN_MAX_SIDE && r->y <= GM_BURN_MAX_SIDE && r->width > 0 &&
               r->height > 0 && r->width <= GM_BURN_MAX_SIDE && r->height <= GM_BURN_MAX_SIDE &&
               r->palette.len == 4 * 256;
    }
    return sane;
}

int gm_burn_start(struct gm_burn *b, const Gm__ChunkHeader *header, struct gm_err *err)
{
    for (size_t i = 0; i < MAX_SHOWN; i++) {
        drop(&b->shown[i]);
    }
    b->header = header;
    for (size_t i = 0; i < header->n_burn; i++) {
        if (!is_sane(header->burn[i])) {
            return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a subtitle to be drawn is malformed");
        }
    }
    return 0;
}

/* Cuts off what is transparent all round: what remains is placed. False: all of it is. */
static bool trim(Gm__BurnRect *r, uint8_t *indexes)
{
    uint32_t left = r->width, right = 0, top = r->height, bottom = 0;
    for (uint32_t y = 0; y < r->height; y++) {
        for (uint32_t x = 0; x < r->width; x++) {
            if (r->palette.data[4 * (size_t)indexes[(size_t)y * r->width + x] + 3] > 0) {
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y;
            }
        }
    }
    if (top == r->height) {
        return false;
    }
    uint32_t width = right - left + 1;
    for (uint32_t y = top; y <= bottom; y++) {
        memmove(indexes + (size_t)(y - top) * width, indexes + (size_t)y * r->width + left, width);
    }
    r->x += left;
    r->y += top;
    r->width = width;
    r->height = bottom - top + 1;
    return true;
}

static int make_layers(struct layers *l, const Gm__BurnPicture *p, const AVFrame *picture,
                       struct gm_err *err)
{
    int rc = 0;
    drop(l);
    l->of = p;
    l->width = (uint32_t)picture->width;
    l->height = (uint32_t)picture->height;
    for (size_t i = 0; rc == 0 && i < p->n_rects; i++) {
        Gm__BurnRect r = *p->rects[i]; /* what it points to stays the header's */
        size_t count = (size_t)r.width * r.height;
        uint8_t *indexes = malloc(count);
        if (indexes == NULL) {
            return gm_err_nomem(err);
        }
        rc = gm_burn_unpack(r.pixels.data, r.pixels.len, indexes, count, err);
        if (rc == 0 && trim(&r, indexes)) {
            rc = gm_burn_place(p, &r, indexes, l->width, l->height, &l->list[l->count], err);
        }
        l->count += rc == 0 && l->list[l->count].rgba != NULL;
        free(indexes);
    }
    return rc;
}

/* The layers of p, made if they are not there. */
static int find_layers(struct gm_burn *b, const Gm__BurnPicture *p, const AVFrame *picture,
                       int64_t ts, struct layers **out, struct gm_err *err)
{
    struct layers *free_one = &b->shown[0];
    for (size_t i = 0; i < MAX_SHOWN; i++) {
        struct layers *l = &b->shown[i];
        if (l->of == p && l->width == (uint32_t)picture->width &&
            l->height == (uint32_t)picture->height) {
            *out = l;
            return 0;
        }
        if (l->of == NULL || l->of->end_ts <= ts) {
            free_one = l;
        }
    }
    *out = free_one;
    return make_layers(free_one, p, picture, err);
}

static int copy_picture(struct gm_burn *b, const AVFrame *picture, struct gm_err *err)
{
    const char *name = av_get_pix_fmt_name((enum AVPixelFormat)picture->format);
    if (name == NULL || !gm_burn_can(name)) {
        return gm_err_set(err, GM_E_MEDIA, 0, "subtitles can't be drawn on pictures of format %s",
                          name != NULL ? name : "unknown");
    }
    av_frame_unref(b->frame);
    if (av_frame_ref(b->frame, picture) < 0 || av_frame_make_writable(b->frame) < 0) {
        return gm_err_nomem(err);
    }
    return 0;
}

int gm_burn_picture(struct gm_burn *b, const AVFrame *picture, int64_t ts, const AVFrame **out,
                    struct gm_err *err)
{
    const AVFrame *result = picture;
    for (size_t i = 0; i < b->header->n_burn; i++) {
        const Gm__BurnPicture *p = b->header->burn[i];
        struct layers *l = NULL;
        if (ts < p->start_ts || ts >= p->end_ts) {
            continue;
        }
        int rc = result == picture ? copy_picture(b, picture, err) : 0;
        if (rc == 0) {
            rc = find_layers(b, p, picture, ts, &l, err);
        }
        if (rc < 0) {
            return rc;
        }
        result = b->frame;
        for (size_t k = 0; k < l->count; k++) {
            gm_burn_blend(&l->list[k], b->frame);
        }
    }
    *out = result;
    return 0;
}
