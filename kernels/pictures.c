/* Launches and checks of the kernels that take a picture and a few numbers: tone, compare, sprite.
 */
#include "kernels/kernels.h"

#define THREADS 256

static bool is_side(uint32_t n)
{
    return n >= GM_SIDE_MIN && n <= GM_SIDE_MAX;
}

static bool is_count(uint32_t pictures)
{
    return pictures >= 1 && pictures <= GM_PICTURES_MAX;
}

int gm_tone_prepare(const struct gm_tone_args *a, uint32_t pictures, struct gm_launch *launch,
                    struct gm_err *err)
{
    bool whole = a->frames != 0 && a->node != 0 && a->fraction != 0 && a->left <= 1 &&
                 a->top <= 1 && a->deep <= 1;
    for (int i = 0; i < 3; i++) {
        whole = whole && a->nodes[i] != 0 && a->nodes[i] % 2 == 0;
    }
    if (!whole || !is_side(a->width) || !is_side(a->height) || !is_count(pictures)) {
        return gm_err_set(err, GM_E_INVAL, 0, "%u pictures of %ux%u are not to be mapped", pictures,
                          a->width, a->height);
    }
    *launch = (struct gm_launch){GM_KERNEL_TONE, (a->height + 1) / 2, pictures, THREADS, 0};
    return 0;
}

int gm_tone_check(const struct gm_tone_args *a, const struct gm_tone_frame *f, struct gm_err *err)
{
    int rc = gm_surface_check(&f->in, a->width, a->height, true, "HDR picture", err);
    return rc < 0
               ? rc
               : gm_surface_check(&f->out, a->width, a->height, a->deep != 0, "SDR picture", err);
}

static uint32_t tiles(uint32_t width_px, uint32_t height_px)
{
    return (width_px + GM_COMPARE_SIDE - 1) / GM_COMPARE_SIDE *
           ((height_px + GM_COMPARE_SIDE - 1) / GM_COMPARE_SIDE);
}

int gm_compare_prepare(uint32_t width_px, uint32_t height_px, bool deep, gm_addr frames,
                       uint32_t pictures, struct gm_compare_args *args, struct gm_launch *launch,
                       struct gm_err *err)
{
    if (!is_side(width_px) || !is_side(height_px) || width_px < GM_COMPARE_SIDE_MIN ||
        height_px < GM_COMPARE_SIDE_MIN || frames == 0 || !is_count(pictures)) {
        return gm_err_set(err, GM_E_INVAL, 0, "%u pictures of %ux%u are not to be compared",
                          pictures, width_px, height_px);
    }
    uint32_t blocks =
        tiles(width_px, height_px) + 2 * tiles((width_px + 1) / 2, (height_px + 1) / 2);
    *args = (struct gm_compare_args){frames, width_px, height_px, deep, 0};
    *launch =
        (struct gm_launch){GM_KERNEL_COMPARE, blocks, pictures, THREADS, GM_COMPARE_SHARED_BYTES};
    return 0;
}

int gm_compare_check(const struct gm_compare_args *a, const struct gm_compare_frame *f,
                     struct gm_err *err)
{
    int rc = gm_surface_check(&f->a, a->width, a->height, a->deep != 0, "first picture", err);
    if (rc == 0) {
        rc = gm_surface_check(&f->b, a->width, a->height, a->deep != 0, "second picture", err);
    }
    if (rc == 0 && (f->likeness == 0 || f->likeness % 8 != 0)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "There is no place for what a comparison says");
    }
    return rc;
}

double gm_likeness_ssim(const struct gm_likeness *likeness, uint32_t width_px, uint32_t height_px)
{
    double sum = 0, all = 0;
    for (int i = 0; i < 3; i++) {
        uint32_t half = i > 0 ? 1 : 0;
        double samples = (double)((width_px + half) >> half) * ((height_px + half) >> half);
        double windows = (double)likeness->windows[i];
        sum += windows > 0 ? (double)likeness->ssim[i] / (1 << 28) / windows * samples : 0;
        all += samples;
    }
    return sum / all;
}

int gm_sprite_prepare(const struct gm_sprite_args *a, uint32_t pictures, struct gm_launch *launch,
                      struct gm_err *err)
{
    if (!is_side(a->in_width) || !is_side(a->in_height) || !is_side(a->width) ||
        !is_side(a->height) || a->width % 2 != 0 || a->height % 2 != 0 || a->frames == 0 ||
        !is_count(pictures) || a->deep > 1 || a->out_deep > 1 || a->turns > 3 || a->mirror > 1) {
        return gm_err_set(err, GM_E_INVAL, 0, "%u pictures of %ux%u can't become sprites of %ux%u",
                          pictures, a->in_width, a->in_height, a->width, a->height);
    }
    uint32_t samples = a->width * a->height / 2 * 3;
    *launch = (struct gm_launch){
        GM_KERNEL_SPRITE, (samples + GM_SPRITE_SHARE - 1) / GM_SPRITE_SHARE, pictures, THREADS, 0};
    return 0;
}

int gm_sprite_check(const struct gm_sprite_args *a, const struct gm_sprite_frame *f,
                    uint32_t sheet_width_px, uint32_t sheet_height_px, struct gm_err *err)
{
    int rc = gm_surface_check(&f->in, a->in_width, a->in_height, a->deep != 0, "picture", err);
    if (rc == 0) {
        rc = gm_surface_check(&f->sheet, sheet_width_px, sheet_height_px, a->out_deep != 0, "sheet",
                              err);
    }
    if (rc == 0 &&
        (f->x % 2 != 0 || f->y % 2 != 0 || f->x > sheet_width_px || f->y > sheet_height_px ||
         a->width > sheet_width_px - f->x || a->height > sheet_height_px - f->y)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "The place %u,%u for a sprite is not in the sheet",
                        f->x, f->y);
    }
    return rc;
}
