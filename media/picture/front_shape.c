#include "media/picture/front_shape.h"

#include <limits.h>

#include "media/av.h"
#include "media/picture/ladder.h"

#define MAX_SIDE 16384
#define MAX_CANVAS (8192 * 4320)
#define ROUNDING 4 /* fewer columns or rows of bars are none */

static struct gm_front_crop crop_of(const Gm__VideoFacts *v)
{
    const Gm__Crop *c = v->crop;
    if (c == NULL || c->whole_width_px > INT_MAX || c->whole_height_px > INT_MAX ||
        v->width_px == 0 || v->height_px == 0 || v->width_px > c->whole_width_px ||
        c->x_px > c->whole_width_px - v->width_px || v->height_px > c->whole_height_px ||
        c->y_px > c->whole_height_px - v->height_px) {
        return (struct gm_front_crop){0};
    }
    return (struct gm_front_crop){
        .whole_width = (int)c->whole_width_px,
        .whole_height = (int)c->whole_height_px,
        .x = (int)c->x_px,
        .y = (int)c->y_px,
        .width = (int)v->width_px,
        .height = (int)v->height_px,
    };
}

struct gm_front_shape gm_front_shape(const Gm__VideoFacts *facts)
{
    struct gm_ladder_shape shown = gm_ladder_shape(facts);
    return (struct gm_front_shape){
        .width = shown.width,
        .height = shown.height,
        .turned = facts->rotation_deg % 180 != 0,
        .fixed_aspect = facts->fixed_aspect,
        .aspect = gm_av_aspect(gm_av_rational(facts->sample_aspect)),
        .crop = crop_of(facts),
    };
}

AVRational gm_front_aspect(const struct gm_front_shape *s, const AVFrame *picture)
{
    AVRational a = s->fixed_aspect ? s->aspect : gm_av_aspect(picture->sample_aspect_ratio);
    return s->turned ? (AVRational){a.den, a.num} : a;
}

/* num / den, up to an even number. */
static int64_t even_up(__int128 num, __int128 den)
{
    __int128 n = (num + 2 * den - 1) / (2 * den) * 2;
    return n > 2 * MAX_SIDE ? 2 * MAX_SIDE : (int64_t)n;
}

struct gm_front_bars gm_front_bars(const struct gm_front_shape *s, const AVFrame *picture)
{
    AVRational a = gm_front_aspect(s, picture);
    int64_t w = s->turned ? picture->height : picture->width;
    int64_t h = s->turned ? picture->width : picture->height;
    int64_t canvas_w = w, canvas_h = h;
    /* The picture is shown as w * num : h * den, the programme as width : height. */
    __int128 own = (__int128)w * a.num * s->height;
    __int128 all = (__int128)h * a.den * s->width;
    if (own < all) {
        canvas_w = even_up((__int128)h * a.den * s->width, (__int128)a.num * s->height);
    } else {
        canvas_h = even_up((__int128)w * a.num * s->height, (__int128)a.den * s->width);
    }
    if (canvas_w < w + ROUNDING && canvas_h < h + ROUNDING) {
        return (struct gm_front_bars){0};
    }
    bool grows = canvas_w * canvas_h > MAX_CANVAS;
    if (canvas_w > MAX_SIDE || canvas_h > MAX_SIDE || grows) {
        return (struct gm_front_bars){0};
    }
    return (struct gm_front_bars){
        .width = (int)canvas_w,
        .height = (int)canvas_h,
        .x = (int)((canvas_w - w) / 4 * 2),
        .y = (int)((canvas_h - h) / 4 * 2),
    };
}
