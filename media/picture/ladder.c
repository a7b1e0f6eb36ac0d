#include "media/picture/ladder.h"

#define FAST_FPS 30 /* above: 1.5 times the bits */
#define MIN_RATE 64000

/* Caps of 16:9 pictures up to 30 fps; between rows linear in pixels. From the lower middle of the
 * ranges in Apple's HLS Authoring Specification for Apple Devices, section 1.26 (H.264). */
static const struct {
    int64_t pixels, bps;
} caps[] = {
    {426 * 240, 400000},     {640 * 360, 800000},     {854 * 480, 1400000},
    {1280 * 720, 2800000},   {1920 * 1080, 5000000},  {2560 * 1440, 8000000},
    {3840 * 2160, 14000000}, {7680 * 4320, 40000000},
};

int64_t gm_ladder_rate(uint64_t pixels, AVRational fps)
{
    size_t n = sizeof caps / sizeof caps[0];
    int64_t p = pixels > (uint64_t)caps[n - 1].pixels ? caps[n - 1].pixels : (int64_t)pixels;
    int64_t bps = caps[0].bps * p / caps[0].pixels;
    for (size_t i = 1; i < n; i++) {
        if (p >= caps[i - 1].pixels) {
            bps = caps[i - 1].bps + (p - caps[i - 1].pixels) * (caps[i].bps - caps[i - 1].bps) /
                                        (caps[i].pixels - caps[i - 1].pixels);
        }
    }
    if (fps.den > 0 && fps.num / fps.den >= FAST_FPS && fps.num != FAST_FPS * fps.den) {
        bps = bps * 3 / 2;
    }
    return bps < MIN_RATE ? MIN_RATE : bps;
}

/* The caps of the named rungs hold whatever the picture's ratio. */
static int64_t rung_rate(uint32_t side, uint64_t pixels, AVRational fps)
{
    static const struct {
        uint32_t side;
        size_t row;
    } named[] = {{240, 0}, {360, 1}, {480, 2}, {720, 3}, {1080, 4}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i].side == side) {
            return gm_ladder_rate((uint64_t)caps[named[i].row].pixels, fps);
        }
    }
    return gm_ladder_rate(pixels, fps);
}

static uint32_t nearest_even(int64_t num, int64_t den)
{
    int64_t half = (num + den) / (2 * den); /* round(num / den / 2) */
    return half < 1 ? 2 : (uint32_t)(half * 2 > GM_LADDER_MAX_SIDE ? GM_LADDER_MAX_SIDE : half * 2);
}

uint32_t gm_ladder_height_for(const Gm__VideoFacts *video, uint32_t width)
{
    struct gm_ladder_shape s = gm_ladder_shape(video);
    return s.width > 0 ? nearest_even(s.height * width, s.width) : 2;
}

static void set_rung(const struct gm_ladder_shape *s, uint32_t side, AVRational fps,
                     struct gm_rung *out)
{
    bool wide = s->width >= s->height;
    int64_t longer = wide ? s->width : s->height;
    int64_t shorter = wide ? s->height : s->width;
    uint32_t other = nearest_even(longer * side, shorter);
    *out = (struct gm_rung){
        .width_px = wide ? other : side,
        .height_px = wide ? side : other,
        .short_side = side,
        .maxrate_bps = rung_rate(side, (uint64_t)side * other, fps),
    };
}

static uint32_t even_below(int64_t num, int64_t den)
{
    int64_t v = num / den / 2 * 2;
    return v < 2 ? 2 : (uint32_t)(v > GM_LADDER_MAX_SIDE ? GM_LADDER_MAX_SIDE : v);
}

int gm_ladder_make(const Gm__VideoFacts *video, const uint32_t *sides, size_t count, AVRational fps,
                   struct gm_rung *out, size_t *out_count, struct gm_err *err)
{
    struct gm_ladder_shape s = gm_ladder_shape(video);
    uint32_t fitting[GM_LADDER_MAX];
    if (s.width <= 0 || s.height <= 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "a picture of %ux%u has no ladder", video->width_px,
                          video->height_px);
    }
    if (count > GM_LADDER_MAX) {
        return gm_err_set(err, GM_E_LIMIT, 0, "a ladder of %zu rungs: at most %d", count,
                          GM_LADDER_MAX);
    }
    size_t n = gm_ladder_sides(video, sides, count, fitting);
    for (size_t i = 0; i < n; i++) {
        set_rung(&s, fitting[i], fps, &out[i]);
    }
    if (n == 0) {
        out[0].width_px = even_below(s.width, s.den);
        out[0].height_px = even_below(s.height, s.den);
        out[0].short_side = out[0].width_px < out[0].height_px ? out[0].width_px : out[0].height_px;
        out[0].maxrate_bps =
            rung_rate(out[0].short_side, (uint64_t)out[0].width_px * out[0].height_px, fps);
        n = 1;
    }
    *out_count = n;
    return 0;
}
