/* See proof.h: `sprite` and `score`. All lies in one struct, which is laid out alike here and on
 * the device. */
#include <stdlib.h>
#include <string.h>

#include "kernels/proof.h"
#include "kernels/reference.h"

#define WIDTH 70
#define HEIGHT 46
/* After the turn: shares that are no whole samples. */
#define SMALL_WIDTH 22
#define SMALL_HEIGHT 38
#define LOOKS 3

/* Bytes for 10 bits: with 8 a half is left as it was. */
struct block {
    uint8_t source[WIDTH * HEIGHT * 2 * 3 / 2];
    uint8_t small[2][SMALL_WIDTH * SMALL_HEIGHT * 2 * 3 / 2]; /* of 8 bits, of 10 */
    uint8_t looks[LOOKS][WIDTH * HEIGHT];
    struct gm_score_sums sums;
};
struct frames {
    struct gm_sprite_frame sprite[2];
    struct gm_score_frame score;
};
/* What is on the device. */
struct both {
    struct block block;
    struct frames frames;
};

static struct gm_surface surface(gm_addr at, uint32_t width, uint32_t height, bool deep)
{
    uint32_t stride = width << (deep ? 1 : 0);
    return (struct gm_surface){{at, at + (gm_addr)stride * height}, {stride, stride}};
}

static struct frames frames_of(gm_addr block, bool deep)
{
    struct frames f;
    gm_addr looks = block + offsetof(struct block, looks);
    for (uint32_t i = 0; i < 2; i++) {
        gm_addr small =
            block + offsetof(struct block, small) + i * sizeof(((struct block *)0)->small[0]);
        f.sprite[i] = (struct gm_sprite_frame){
            .in = surface(block + offsetof(struct block, source), WIDTH, HEIGHT, deep),
            .sheet = surface(small, SMALL_WIDTH, SMALL_HEIGHT, i == 1)};
    }
    f.score = (struct gm_score_frame){.before = looks,
                                      .luma = looks + (gm_addr)WIDTH * HEIGHT,
                                      .after = looks + (gm_addr)2 * WIDTH * HEIGHT,
                                      .sums = block + offsetof(struct block, sums),
                                      .stride = WIDTH,
                                      .before_stride = WIDTH,
                                      .after_stride = WIDTH};
    return f;
}

static struct gm_sprite_args sprite_args(gm_addr frames, bool deep, uint32_t out_deep)
{
    return (struct gm_sprite_args){.frames = frames + offsetof(struct frames, sprite) +
                                             out_deep * sizeof(struct gm_sprite_frame),
                                   .in_width = WIDTH,
                                   .in_height = HEIGHT,
                                   .deep = deep,
                                   .out_deep = out_deep,
                                   .width = SMALL_WIDTH,
                                   .height = SMALL_HEIGHT,
                                   .turns = 1 + 2 * out_deep,
                                   .mirror = out_deep};
}

static void fill(struct block *b)
{
    uint64_t random = 0x2545f4914f6cdd1du;
    uint8_t *samples = b->source;
    size_t count = offsetof(struct block, sums);
    for (size_t i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        samples[i] = (uint8_t)(random >> 20);
    }
}

static int run(struct gm_gpu_stream *stream, gm_addr there, const struct block *from, bool deep,
               struct block *given, struct gm_err *err)
{
    const struct frames frames = frames_of(there, deep);
    gm_addr at = there + offsetof(struct both, frames);
    struct gm_score_args score;
    struct gm_launch launch;
    int rc = gm_gpu_upload(stream, there, from, sizeof *from, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, at, &frames, sizeof frames, err);
    for (uint32_t i = 0; rc == 0 && i < 2; i++) {
        const struct gm_sprite_args args = sprite_args(at, deep, i);
        rc = gm_sprite_prepare(&args, 1, &launch, err);
        rc = rc < 0 ? rc : gm_gpu_launch(stream, &launch, &args, err);
    }
    rc = rc < 0 ? rc
                : gm_score_prepare(WIDTH, HEIGHT, at + offsetof(struct frames, score), 1, &score,
                                   &launch, err);
    rc = rc < 0 ? rc : gm_gpu_launch(stream, &launch, &score, err);
    rc = rc < 0 ? rc : gm_gpu_download(stream, given, there, sizeof *given, err);
    int ended = gm_gpu_sync(stream, rc == 0 ? err : NULL); /* host memory is free after it alone */
    return rc < 0 ? rc : ended;
}

static void refer(struct block *b, bool deep)
{
    const struct frames here = frames_of((uintptr_t)b, deep);
    const struct gm_score_args score = {.width = WIDTH, .height = HEIGHT};
    for (uint32_t i = 0; i < 2; i++) {
        const struct gm_sprite_args args = sprite_args(0, deep, i);
        gm_reference_sprite(&args, &here.sprite[i]);
    }
    gm_reference_score(&score, &here.score, &b->sums);
}

int gm_gpu_prove_small(struct gm_gpu *gpu, bool deep, struct gm_err *err)
{
    struct gm_gpu_stream *stream = NULL;
    struct block *want = calloc(1, sizeof *want), *given = calloc(1, sizeof *given);
    gm_addr there = 0;
    int rc =
        want != NULL && given != NULL ? gm_gpu_stream_create(gpu, &stream, err) : gm_err_nomem(err);
    rc = rc < 0 ? rc : gm_gpu_alloc(gpu, sizeof(struct both), &there, err);
    if (rc == 0) {
        fill(want);
        rc = run(stream, there, want, deep, given, err);
    }
    if (rc == 0) {
        refer(want, deep);
        if (memcmp(want, given, sizeof *want) != 0) {
            rc = gm_err_set(
                err, GM_E_MEDIA_VERIFY, 1,
                "The GPU's kernels give other small pictures or scores than they should");
        }
    }
    gm_gpu_free(gpu, there);
    gm_gpu_stream_destroy(&stream);
    free(want);
    free(given);
    return rc;
}
