#ifndef GM_KERNELS_KERNELS_H
#define GM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "kernels/args.h"

/* The kernels of the GPU, as the host sees them: tables, launch geometry, checks. What they compute
 * is in docs/kernels.md. Everything is integer arithmetic: a GPU (kernels/gpu.h), the same source
 * on the CPU (kernels/twin.h) and the plain reference (kernels/reference.h) give the same bits.
 *
 * Addresses are those of the executor's memory; nothing here reads what they point at.
 * Thread: any; objects are not changed after they are made.
 */
enum gm_kernel {
#define GM_ENTRY(name, entry, args) GM_KERNEL_##name,
#include "kernels/entries.def"
#undef GM_ENTRY
    GM_KERNELS
};

/* Of a launch: grid_y pictures of grid_x blocks of `threads` threads. */
struct gm_launch {
    enum gm_kernel kernel;
    uint32_t grid_x, grid_y, threads;
    uint32_t shared_bytes; /* of a block, at most 48 KiB */
};
#define GM_SHARED_MAX (48u * 1024)
#define GM_PICTURES_MAX 1024u /* of a launch */
#define GM_SIDE_MIN 2u
#define GM_SIDE_MAX 16384u

/* The name in the module; its argument is passed by value, that many bytes. */
const char *gm_kernel_entry(enum gm_kernel kernel);
size_t gm_kernel_args_size(enum gm_kernel kernel);

/* A surface of width_px x height_px is whole: addresses that are not 0 and, with 10 bits, even;
 * strides of at least a row. name: for the message. Errors: INVAL. */
int gm_surface_check(const struct gm_surface *surface, uint32_t width_px, uint32_t height_px,
                     bool deep, const char *name, struct gm_err *err) GM_MUST_CHECK;

/* ---- ladder: a picture to all its rungs */

/* An image over a rung, in the rung's depth: planes as of yuv420p and an alpha of luma's size,
 * 0 clear to 255 opaque. Rows without gaps; chroma has ceil(w/2) x ceil(h/2) samples. x_px, y_px:
 * even; it may stick out to the right and below, where it is cut. */
struct gm_ladder_mark {
    uint32_t x_px, y_px, width_px, height_px;
    const uint16_t *luma, *blue, *red; /* borrowed for the call */
    const uint8_t *alpha;              /* borrowed for the call */
};

struct gm_ladder_rung {
    uint32_t width_px, height_px; /* of what comes out, after the turn */
    bool deep;
    const struct gm_ladder_mark *mark; /* borrowed for the call; NULL: none */
};

/* crop_*: of the source, before the turn; x and y even; width or height 0: to its edge.
 * turns: quarter turns clockwise, 0..3, of what the crop leaves; mirror: then left to right.
 * chroma_x2, chroma_y2: where chroma lies, in halves of a luma sample from the first: 0 on it
 * (left, top), 1 between two; of the source and, after any turn, of what comes out. */
struct gm_ladder_params {
    uint32_t width_px, height_px; /* of the source */
    bool deep;
    uint32_t crop_x_px, crop_y_px, crop_width_px, crop_height_px;
    uint32_t turns;
    bool mirror;
    uint32_t chroma_x2, chroma_y2;
    uint32_t rungs; /* 1..GM_LADDER_RUNGS */
    struct gm_ladder_rung rung[GM_LADDER_RUNGS];
};
#define GM_LADDER_RATIO_MAX 32u /* a source's side to a rung's */

/* The number counts the arithmetic of `ladder`: it is raised when its bits change. Plans name it
 * (Policy.scaler), and so do a device's proof that it gives these bits (codec of the api) and,
 * where that passed in 8 and 10 bits, the fingerprint of its chain: behind GM_CUDA_LADDER_MARK, at
 * the end. */
#define GM_CUDA_LADDER "cuda-ladder-1"
/* Policy.scaler where `tone` maps the light before: its number and ladder's. Proved with ladder's
 * of 10 bits. */
#define GM_CUDA_TONED "cuda-tone-1+" GM_CUDA_LADDER
#define GM_CUDA_LADDER_API "cuda"
#define GM_CUDA_LADDER_MARK " | " GM_CUDA_LADDER

/* What a VA driver's scaler does for plans (media/picture/va_ladder.h): Policy.scaler, and the
 * codec of the proof of it, by the api vaapi, for each depth. The bits are the driver's: the text
 * of a proof that passed is a hash of its samples, GM_VA_LADDER_DIGITS of it in hex, and the
 * fingerprint of the chain vaapi has these at its end, behind GM_VA_LADDER_MARK, as
 * " 8:0123456789abcdef" and " 10:0123456789abcdef", so that drivers which scale otherwise are no
 * like chains whatever they call themselves. */
#define GM_VA_LADDER "va-vpp-1"
#define GM_VA_LADDER_MARK " | " GM_VA_LADDER
#define GM_VA_LADDER_DIGITS 16

struct gm_ladder; /* opaque */
/* Errors: INVAL (sizes, ratio, turn, marks, as above), NOMEM. */
int gm_ladder_create(const struct gm_ladder_params *params, struct gm_ladder **out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_ladder_destroy(struct gm_ladder **ladder);
/* The plan, to be copied where args.plan points. Borrowed until destroy. Never depends on the
 * machine. */
const void *gm_ladder_plan(const struct gm_ladder *ladder, size_t *out_size);
/* Every surface of a picture is whole for this ladder. Errors: INVAL. */
int gm_ladder_check(const struct gm_ladder *ladder, const struct gm_ladder_frame *frame,
                    struct gm_err *err) GM_MUST_CHECK;
/* pictures: 1..GM_PICTURES_MAX, as many as args.frames has. */
struct gm_launch gm_ladder_launch(const struct gm_ladder *ladder, uint32_t pictures);
const struct gm_ladder_params *gm_ladder_params(const struct gm_ladder *ladder);

/* Where the samples of one direction come from, and how much of each: Lanczos of 3 lobes, widened
 * by the ratio where the picture shrinks. Position of result j in the source: (num0 + j * step) /
 * den samples. Result j is the sum of weights[j * taps + k] / 2^14 times sample start[j] + k; a
 * row's weights sum to 2^14. Outside of the source its first and last sample repeat. Source:
 * Duchon, Lanczos Filtering in One and Two Dimensions, J. Appl. Meteor. 18 (1979). */
struct gm_axis {
    uint32_t count, taps; /* taps: even; or 1: every result is one sample */
    int32_t *start;       /* owned: [count] */
    int16_t *weights;     /* owned: [count][taps] */
};
struct gm_axis_params {
    uint32_t in, out;      /* sizes whose ratio is the scale: luma's */
    uint32_t count;        /* of results */
    bool chroma;           /* every second sample */
    int32_t in_x2, out_x2; /* chroma's place, halves of a luma sample */
};
/* The same on every machine: made of whole numbers and of + - * / of doubles. Errors: NOMEM. */
int gm_axis_make(const struct gm_axis_params *params, struct gm_axis *out,
                 struct gm_err *err) GM_MUST_CHECK;
void gm_axis_fini(struct gm_axis *axis);

/* ---- score: what a picture's luma of 8 bits says, and the pictures around it:
 * media/picture/score.h */

/* Fills args for pictures of that size; frames: address of struct gm_score_frame[pictures].
 * Errors: INVAL. */
int gm_score_prepare(uint32_t width_px, uint32_t height_px, gm_addr frames, uint32_t pictures,
                     struct gm_score_args *args, struct gm_launch *launch,
                     struct gm_err *err) GM_MUST_CHECK;
/* Errors: INVAL. */
int gm_score_check(const struct gm_score_args *args, const struct gm_score_frame *frame,
                   struct gm_err *err) GM_MUST_CHECK;

/* ---- tone: HDR to SDR, the same bits as media/picture/tonemap.h on the same picture */

/* Fills launch, and checks args: frames, tables and sizes. P010 comes in. Errors: INVAL. */
int gm_tone_prepare(const struct gm_tone_args *args, uint32_t pictures, struct gm_launch *launch,
                    struct gm_err *err) GM_MUST_CHECK;
/* Errors: INVAL. */
int gm_tone_check(const struct gm_tone_args *args, const struct gm_tone_frame *frame,
                  struct gm_err *err) GM_MUST_CHECK;

/* ---- compare: squared error and SSIM of two pictures */

#define GM_COMPARE_SIDE_MIN 16u
/* Both pictures of a frame have that size and depth; sides of GM_COMPARE_SIDE_MIN at least.
 * Errors: INVAL. */
int gm_compare_prepare(uint32_t width_px, uint32_t height_px, bool deep, gm_addr frames,
                       uint32_t pictures, struct gm_compare_args *args, struct gm_launch *launch,
                       struct gm_err *err) GM_MUST_CHECK;
/* Errors: INVAL. */
int gm_compare_check(const struct gm_compare_args *args, const struct gm_compare_frame *frame,
                     struct gm_err *err) GM_MUST_CHECK;
/* Of all planes, weighted by their samples, as FFmpeg's `All`: at most 1. */
double gm_likeness_ssim(const struct gm_likeness *likeness, uint32_t width_px, uint32_t height_px);

/* ---- sprite: a picture's mean over each sample's area, turned, into a place of a sheet. On the
 * CPU: kernels/mean.h */

/* width, height: even, at most GM_SIDE_MAX. Errors: INVAL. */
int gm_sprite_prepare(const struct gm_sprite_args *args, uint32_t pictures,
                      struct gm_launch *launch, struct gm_err *err) GM_MUST_CHECK;
/* The sheet has sheet_width x sheet_height and the place lies in it. Errors: INVAL. */
int gm_sprite_check(const struct gm_sprite_args *args, const struct gm_sprite_frame *frame,
                    uint32_t sheet_width_px, uint32_t sheet_height_px,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
