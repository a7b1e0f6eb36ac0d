/* See proof.h. All pictures lie in one block, which is laid out alike here and on the device. */
#include "kernels/proof.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/reference.h"
#include "kernels/twin.h"

#define WIDTH 70
#define HEIGHT 46
#define MARK_WIDTH 18
#define MARK_HEIGHT 10
#define RUNGS 3
#define PICTURES (GM_LADDER_RUNGS + 1) /* and the source, the first */
#define ALIGNMENT 64
#define FILL 0xa5

struct picture {
    size_t at; /* in the block */
    uint32_t stride, width, height;
};

struct proof {
    struct gm_ladder_params params;
    struct gm_ladder_mark marks[2];               /* of 8 bits and of 10 */
    uint16_t values[2][MARK_WIDTH * MARK_HEIGHT]; /* of all planes */
    uint8_t alpha[MARK_WIDTH * MARK_HEIGHT];
    struct picture pictures[PICTURES];
    size_t size;           /* of the block */
    uint8_t *want, *given; /* owned: the block as it should be, and as the device gave it */
    bool large;            /* by the kernel's CPU build: the reference would take seconds */
    gm_addr memory;        /* owned: the block, the frame and the plan on the device */
};

static size_t round_up(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void place(struct proof *p, size_t i, uint32_t width, uint32_t height, bool deep)
{
    struct picture *to = &p->pictures[i];
    *to = (struct picture){p->size, (uint32_t)round_up((size_t)width << (deep ? 1 : 0)), width,
                           height};
    p->size += round_up((size_t)to->stride * (height + (height + 1) / 2));
}

static struct gm_surface surface(const struct picture *p, gm_addr block)
{
    gm_addr first = block + p->at;
    return (struct gm_surface){{first, first + (gm_addr)p->stride * p->height},
                               {p->stride, p->stride}};
}

static struct gm_ladder_frame frame(const struct proof *p, gm_addr block)
{
    struct gm_ladder_frame f = {.in = surface(&p->pictures[0], block)};
    for (size_t i = 0; i < p->params.rungs; i++) {
        f.out[i] = surface(&p->pictures[i + 1], block);
    }
    return f;
}

static void lay_out(struct proof *p)
{
    const struct gm_ladder_params *params = &p->params;
    p->size = 0;
    place(p, 0, params->width_px, params->height_px, params->deep);
    for (uint32_t i = 0; i < params->rungs; i++) {
        const struct gm_ladder_rung *r = &params->rung[i];
        place(p, i + 1, r->width_px, r->height_px, r->deep);
    }
}

/* turns, and with some a crop and a mirror: one of two cases. */
static void describe(struct proof *p, bool deep, uint32_t turns)
{
    static const uint32_t sizes[RUNGS][2] = {{32, 22}, {WIDTH, HEIGHT}, {96, 58}};
    p->params = (struct gm_ladder_params){.width_px = WIDTH,
                                          .height_px = HEIGHT,
                                          .deep = deep,
                                          .chroma_y2 = 1,
                                          .turns = turns,
                                          .mirror = turns > 0,
                                          .rungs = RUNGS};
    if (turns > 0) {
        p->params.crop_x_px = p->params.crop_y_px = 2;
        p->params.crop_width_px = WIDTH - 6;
        p->params.crop_height_px = HEIGHT - 4;
    }
    for (uint32_t i = 0; i < RUNGS; i++) {
        bool rung_deep = deep == (i != 1); /* 10 bits to 8, and 8 to 10, as well */
        p->params.rung[i] = (struct gm_ladder_rung){sizes[i][0], sizes[i][1], rung_deep,
                                                    i != 0 ? &p->marks[rung_deep] : NULL};
    }
    for (size_t i = 0; i < sizeof p->alpha; i++) {
        p->alpha[i] = (uint8_t)(i * 37);
        p->values[0][i] = (uint16_t)(i * 149 % 256);
        p->values[1][i] = (uint16_t)(i * 149 % 1024);
    }
    for (size_t i = 0; i < 2; i++) {
        p->marks[i] = (struct gm_ladder_mark){
            4, 2, MARK_WIDTH, MARK_HEIGHT, p->values[i], p->values[i], p->values[i], p->alpha};
    }
    lay_out(p);
}

static void fill(struct proof *p)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    size_t source = p->pictures[1].at;
    memset(p->want, FILL, p->size);
    for (size_t i = 0; i < source; i++) { /* extremes often: where sums overshoot */
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t r = (uint32_t)(random >> 20) % 1024;
        p->want[i] = (uint8_t)(r < 256 ? 0 : r < 512 ? 255 : r);
    }
}

static int run(struct proof *p, struct gm_gpu *gpu, struct gm_gpu_stream *stream,
               const struct gm_ladder *ladder, struct gm_err *err)
{
    size_t plan_size = 0, plan_at = round_up(p->size + sizeof(struct gm_ladder_frame));
    const void *plan = gm_ladder_plan(ladder, &plan_size);
    struct gm_launch launch = gm_ladder_launch(ladder, 1);
    int rc = gm_gpu_alloc(gpu, plan_at + plan_size, &p->memory, err);
    struct gm_ladder_frame there = frame(p, p->memory);
    struct gm_ladder_args args = {.plan = p->memory + plan_at, .frames = p->memory + p->size};
    rc = rc < 0 ? rc : gm_ladder_check(ladder, &there, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, p->memory, p->want, p->size, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, args.frames, &there, sizeof there, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, args.plan, plan, plan_size, err);
    rc = rc < 0 ? rc : gm_gpu_launch(stream, &launch, &args, err);
    rc = rc < 0 ? rc : gm_gpu_download(stream, p->given, p->memory, p->size, err);
    int ended = gm_gpu_sync(stream, rc == 0 ? err : NULL); /* host memory is free after it alone */
    rc = rc < 0 ? rc : ended;
    gm_gpu_free(gpu, p->memory);
    p->memory = 0;
    return rc;
}

/* Makes what the rungs should be of the source in `want`. */
static int refer(struct proof *p, const struct gm_ladder *ladder, struct gm_err *err)
{
    size_t size = 0;
    struct gm_ladder_frame here = frame(p, (uintptr_t)p->want);
    struct gm_launch launch = gm_ladder_launch(ladder, 1);
    struct gm_ladder_args args = {.plan = (uintptr_t)gm_ladder_plan(ladder, &size),
                                  .frames = (uintptr_t)&here};
    return p->large ? gm_twin_run(&launch, &args, err)
                    : gm_reference_ladder(&p->params, &here, err);
}

/* p: laid out. */
static int try_case(struct gm_gpu *gpu, struct gm_gpu_stream *stream, struct proof *p,
                    struct gm_err *err)
{
    struct gm_ladder *ladder = NULL;
    int rc = gm_ladder_create(&p->params, &ladder, err);
    p->want = malloc(p->size);
    p->given = malloc(p->size);
    if (rc == 0 && (p->want == NULL || p->given == NULL)) {
        rc = gm_err_nomem(err);
    }
    if (rc < 0) {
        goto out;
    }
    fill(p);
    rc = run(p, gpu, stream, ladder, err);
    if (rc == 0) {
        rc = refer(p, ladder, err);
    }
    if (rc == 0 && memcmp(p->want, p->given, p->size) != 0) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, p->large,
                        "The GPU's kernels give other bits than they should");
    }
out:
    free(p->want);
    free(p->given);
    gm_ladder_destroy(&ladder);
    return rc;
}

int gm_gpu_prove_ladder(struct gm_gpu *gpu, bool deep, struct gm_err *err)
{
    struct gm_gpu_stream *stream = NULL;
    int rc = gm_gpu_stream_create(gpu, &stream, err);
    for (uint32_t turns = 0; rc == 0 && turns < 2; turns++) {
        struct proof p = {.size = 0};
        describe(&p, deep, turns);
        rc = try_case(gpu, stream, &p, err);
    }
    gm_gpu_stream_destroy(&stream);
    return rc;
}

int gm_gpu_prove_ladder_of(struct gm_gpu *gpu, const struct gm_ladder_params *params,
                           struct gm_err *err)
{
    struct gm_gpu_stream *stream = NULL;
    struct proof p = {.params = *params, .large = true};
    int rc = gm_gpu_stream_create(gpu, &stream, err);
    if (rc == 0) {
        lay_out(&p);
        rc = try_case(gpu, stream, &p, err);
    }
    gm_gpu_stream_destroy(&stream);
    return rc;
}
