/* Kernels on a device against the reference, byte for byte:
 *   battery PCI-OR-UUID [ptx|fatbin]
 * tone is compared with its CPU build, which other tests hold against media/tonemap.h.
 * Ends with 0 when all are equal, 1 when one is not, 2 when there is no device to try. Over the
 * fake drivers it shows that the host's side of gpu.h is right; on a GPU, that the GPU is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cards_io.h"
#include "kernels/gpu.h"
#include "kernels/reference.h"
#include "kernels/twin.h"

struct bench {
    struct gm_gpu *gpu;
    struct gm_gpu_stream *stream;
};

static int put(struct bench *b, const void *data, size_t size, gm_addr *out, struct gm_err *err)
{
    int rc = gm_gpu_alloc(b->gpu, size, out, err);
    return rc == 0 ? gm_gpu_upload(b->stream, *out, data, size, err) : rc;
}

/* The card's memory on the device: its surface there. */
static int put_card(struct bench *b, const struct card *c, gm_addr memory[2],
                    struct gm_surface *out, struct gm_err *err)
{
    int rc = 0;
    *out = c->surface;
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = put(b, c->memory[i], c->size[i], &memory[i], err);
        out->plane[i] = memory[i] + (c->surface.plane[i] - (uintptr_t)c->memory[i]);
    }
    return rc;
}

struct trial {
    struct gm_ladder_params params;
    struct gm_ladder *ladder;
    struct card in, want[GM_LADDER_RUNGS], got[GM_LADDER_RUNGS];
    gm_addr plan, frames, memory[GM_LADDER_RUNGS + 1][2];
};

static int launch_ladder(struct bench *b, struct trial *t, struct gm_err *err)
{
    struct gm_ladder_frame here = {.in = t->in.surface}, there = {0};
    for (uint32_t i = 0; i < t->params.rungs; i++) {
        const struct gm_ladder_rung *r = &t->params.rung[i];
        card_init(&t->want[i], r->width_px, r->height_px, r->deep, 8, 0);
        card_init(&t->got[i], r->width_px, r->height_px, r->deep, 8, 0);
        here.out[i] = t->want[i].surface;
    }
    size_t size = 0;
    int rc = gm_reference_ladder(&t->params, &here, err);
    if (rc == 0) {
        rc = gm_ladder_create(&t->params, &t->ladder, err);
    }
    if (rc == 0) {
        const void *plan = gm_ladder_plan(t->ladder, &size);
        rc = put(b, plan, size, &t->plan, err);
    }
    if (rc == 0) {
        rc = put_card(b, &t->in, t->memory[GM_LADDER_RUNGS], &there.in, err);
    }
    for (uint32_t i = 0; rc == 0 && i < t->params.rungs; i++) {
        rc = put_card(b, &t->got[i], t->memory[i], &there.out[i], err);
    }
    if (rc == 0) {
        rc = put(b, &there, sizeof there, &t->frames, err);
    }
    if (rc == 0) {
        struct gm_ladder_args args = {t->plan, t->frames};
        struct gm_launch launch = gm_ladder_launch(t->ladder, 1);
        rc = gm_gpu_launch(b->stream, &launch, &args, err);
    }
    for (uint32_t i = 0; rc == 0 && i < 2 * t->params.rungs; i++) {
        struct card *c = &t->got[i / 2];
        rc = gm_gpu_download(b->stream, c->memory[i % 2], t->memory[i / 2][i % 2], c->size[i % 2],
                             err);
    }
    return rc == 0 ? gm_gpu_sync(b->stream, err) : rc;
}

/* 1: equal; 0: not. */
static int try_ladder(struct bench *b, struct gm_ladder_params params, struct gm_err *err)
{
    uint64_t random = 3;
    struct trial t = {.params = params};
    card_init(&t.in, params.width_px, params.height_px, params.deep, 16, 0);
    card_noise(&t.in, &random);
    int rc = launch_ladder(b, &t, err);
    int same = 1;
    for (uint32_t i = 0; i < params.rungs; i++) {
        same = same && card_equal(&t.want[i], &t.got[i]);
        card_fini(&t.want[i]);
        card_fini(&t.got[i]);
    }
    for (int i = 0; i < 2 * (GM_LADDER_RUNGS + 1); i++) {
        gm_gpu_free(b->gpu, t.memory[i / 2][i % 2]);
    }
    gm_gpu_free(b->gpu, t.plan);
    gm_gpu_free(b->gpu, t.frames);
    gm_ladder_destroy(&t.ladder);
    card_fini(&t.in);
    return rc < 0 ? rc : same;
}

static int try_score(struct bench *b, uint32_t w, uint32_t h, bool deep, struct gm_err *err)
{
    uint64_t random = 4;
    struct card c;
    card_init(&c, w, h, deep, 16, 0);
    card_noise(&c, &random);
    struct gm_score_sums want, got = {0};
    struct gm_score_frame here = {c.surface.plane[0], c.surface.plane[0], (uintptr_t)&got,
                                  c.surface.stride[0], c.surface.stride[0]};
    struct gm_score_frame there = here;
    struct gm_surface surface;
    gm_addr memory[2] = {0}, sums = 0, frames = 0;
    struct gm_score_args args;
    struct gm_launch launch;
    int rc = put_card(b, &c, memory, &surface, err);
    if (rc == 0) {
        rc = gm_gpu_alloc(b->gpu, sizeof got, &sums, err);
    }
    if (rc == 0) {
        rc = gm_gpu_zero(b->stream, sums, sizeof got, err);
    }
    there.luma = there.before = surface.plane[0];
    there.sums = sums;
    if (rc == 0) {
        rc = put(b, &there, sizeof there, &frames, err);
    }
    if (rc == 0) {
        rc = gm_score_prepare(w, h, deep, frames, 1, &args, &launch, err);
    }
    if (rc == 0) {
        rc = gm_gpu_launch(b->stream, &launch, &args, err);
    }
    if (rc == 0) {
        rc = gm_gpu_download(b->stream, &got, sums, sizeof got, err);
    }
    if (rc == 0) {
        rc = gm_gpu_sync(b->stream, err);
    }
    if (rc == 0) {
        gm_reference_score(&args, &here, &want);
        rc = memcmp(&got, &want, sizeof got) == 0 ? 1 : 0;
    }
    gm_gpu_free(b->gpu, frames);
    gm_gpu_free(b->gpu, sums);
    gm_gpu_free(b->gpu, memory[0]);
    gm_gpu_free(b->gpu, memory[1]);
    card_fini(&c);
    return rc;
}

/* Two pictures on the device, a launch, and what came of it. */
struct pair {
    struct card a, b;
    gm_addr memory[2][2], frames;
    struct gm_surface a_there, b_there;
};

static int pair_init(struct bench *b, struct pair *p, struct card a, struct card other,
                     struct gm_err *err)
{
    *p = (struct pair){.a = a, .b = other};
    int rc = put_card(b, &p->a, p->memory[0], &p->a_there, err);
    return rc == 0 ? put_card(b, &p->b, p->memory[1], &p->b_there, err) : rc;
}

/* frame: put on the device where args->frames will point. */
static int pair_run(struct bench *b, struct pair *p, const void *frame, size_t size,
                    gm_addr *frames, const struct gm_launch *launch, const void *args,
                    struct gm_err *err)
{
    int rc = put(b, frame, size, &p->frames, err);
    *frames = p->frames;
    if (rc == 0) {
        rc = gm_gpu_launch(b->stream, launch, args, err);
    }
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = gm_gpu_download(b->stream, p->b.memory[i], p->memory[1][i], p->b.size[i], err);
    }
    return rc == 0 ? gm_gpu_sync(b->stream, err) : rc;
}

static void pair_fini(struct bench *b, struct pair *p)
{
    for (int i = 0; i < 4; i++) {
        gm_gpu_free(b->gpu, p->memory[i / 2][i % 2]);
    }
    gm_gpu_free(b->gpu, p->frames);
    card_fini(&p->a);
    card_fini(&p->b);
}

static int try_compare(struct bench *b, uint32_t w, uint32_t h, bool deep, struct gm_err *err)
{
    uint64_t random = 9;
    struct card one, two;
    struct pair p = {0};
    struct gm_likeness want, got = {0};
    struct gm_compare_args args;
    struct gm_launch launch;
    gm_addr there = 0;
    card_init(&one, w, h, deep, 8, 0);
    card_init(&two, w, h, deep, 4, 0);
    card_noise(&one, &random);
    card_noise(&two, &random);
    struct gm_compare_frame f = {one.surface, two.surface, (uintptr_t)&want};
    int rc = gm_compare_prepare(w, h, deep, 1, 1, &args, &launch, err);
    if (rc == 0) {
        gm_reference_compare(&args, &f, &want);
    }
    rc = rc == 0 ? pair_init(b, &p, one, two, err) : rc;
    if (rc == 0) {
        rc = put(b, &got, sizeof got, &there, err);
    }
    if (rc == 0) {
        struct gm_compare_frame g = {p.a_there, p.b_there, there};
        rc = pair_run(b, &p, &g, sizeof g, &args.frames, &launch, &args, err);
    }
    if (rc == 0) {
        rc = gm_gpu_download(b->stream, &got, there, sizeof got, err);
    }
    if (rc == 0) {
        rc = gm_gpu_sync(b->stream, err);
    }
    gm_gpu_free(b->gpu, there);
    pair_fini(b, &p);
    return rc < 0 ? rc : memcmp(&got, &want, sizeof got) == 0;
}

static int try_sprite(struct bench *b, uint32_t w, uint32_t h, bool deep, struct gm_err *err)
{
    uint64_t random = 10;
    struct card in, sheet, want;
    struct pair p;
    struct gm_launch launch;
    card_init(&in, w, h, deep, 8, 0);
    card_noise(&in, &random);
    card_init(&sheet, 60, 40, false, 5, 1);
    card_init(&want, 60, 40, false, 5, 1);
    struct gm_sprite_args args = {1, w, h, deep, 32, 18, 0};
    struct gm_sprite_frame f = {in.surface, want.surface, 4, 6};
    gm_reference_sprite(&args, &f);
    int rc = pair_init(b, &p, in, sheet, err);
    if (rc == 0) {
        rc = gm_sprite_prepare(&args, 1, &launch, err);
    }
    if (rc == 0) {
        struct gm_sprite_frame g = {p.a_there, p.b_there, 4, 6};
        rc = pair_run(b, &p, &g, sizeof g, &args.frames, &launch, &args, err);
    }
    int same = card_equal(&p.b, &want);
    pair_fini(b, &p);
    card_fini(&want);
    return rc < 0 ? rc : same;
}

static int put_tables(struct bench *b, const int16_t *nodes, const uint8_t *codes, gm_addr there[2],
                      struct gm_tone_args *args, struct gm_err *err)
{
    int rc = put(b, nodes, GM_TONE_NODES * sizeof *nodes, &there[0], err);
    if (rc == 0) {
        rc = put(b, codes, 2 * GM_TONE_CODES, &there[1], err);
    }
    args->nodes[0] = args->nodes[1] = args->nodes[2] = there[0];
    args->node = there[1];
    args->fraction = there[1] + GM_TONE_CODES;
    return rc;
}

static int try_tone(struct bench *b, const int16_t *nodes, const uint8_t *codes, bool deep,
                    struct gm_err *err)
{
    uint64_t random = 12;
    struct card in, out, want;
    struct pair p;
    struct gm_launch launch;
    gm_addr there[2] = {0};
    card_init(&in, 131, 57, true, 8, 0);
    card_noise(&in, &random);
    card_init(&out, 131, 57, deep, 6, 2);
    card_init(&want, 131, 57, deep, 6, 2);
    struct gm_tone_frame f = {in.surface, want.surface};
    struct gm_tone_args args = {.frames = (uintptr_t)&f, .width = 131, .height = 57, .deep = deep};
    args.left = !deep;
    args.node = (uintptr_t)codes;
    args.fraction = (uintptr_t)codes + GM_TONE_CODES;
    args.nodes[0] = args.nodes[1] = args.nodes[2] = (uintptr_t)nodes;
    int rc = gm_tone_prepare(&args, 1, &launch, err);
    if (rc == 0) {
        rc = gm_twin_run(&launch, &args, err);
    }
    int ready = pair_init(b, &p, in, out, err);
    rc = rc == 0 ? ready : rc;
    if (rc == 0) {
        rc = put_tables(b, nodes, codes, there, &args, err);
    }
    if (rc == 0) {
        struct gm_tone_frame g = {p.a_there, p.b_there};
        rc = pair_run(b, &p, &g, sizeof g, &args.frames, &launch, &args, err);
    }
    int same = card_equal(&p.b, &want);
    gm_gpu_free(b->gpu, there[0]);
    gm_gpu_free(b->gpu, there[1]);
    pair_fini(b, &p);
    card_fini(&want);
    return rc < 0 ? rc : same;
}

static int try_tones(struct bench *b, struct gm_err *err)
{
    uint64_t random = 14;
    int16_t *nodes = malloc(GM_TONE_NODES * sizeof *nodes);
    uint8_t *codes = malloc(2 * GM_TONE_CODES);
    GM_ASSERT(nodes != NULL && codes != NULL);
    for (size_t i = 0; i < GM_TONE_NODES; i++) {
        nodes[i] = (int16_t)card_random(&random, 1 << 14);
    }
    for (uint32_t i = 0; i < GM_TONE_CODES; i++) {
        codes[i] = (uint8_t)(i * (GM_TONE_LUMA_NODES - 2) / GM_TONE_CODES);
        codes[GM_TONE_CODES + i] = (uint8_t)card_random(&random, 64);
    }
    int good = try_tone(b, nodes, codes, false, err);
    good = good == 1 ? try_tone(b, nodes, codes, true, err) : good;
    free(nodes);
    free(codes);
    return good;
}

static int run_pictures(struct bench *b, struct gm_err *err)
{
    int good = 1;
    for (uint32_t i = 0; good == 1 && i < 4; i++) {
        good = try_compare(b, 131 + i, 70 + i, i % 2 == 1, err);
        if (good == 0) {
            printf("compare %u: DIFFERENT\n", i);
        }
    }
    for (uint32_t i = 0; good == 1 && i < 4; i++) {
        good = try_sprite(b, 131 + i, 70 + i, i % 2 == 1, err);
        if (good == 0) {
            printf("sprite %u: DIFFERENT\n", i);
        }
    }
    if (good == 1) {
        good = try_tones(b, err);
        if (good == 0) {
            printf("tone: DIFFERENT\n");
        }
    }
    return good;
}

static int run_all(struct bench *b, struct gm_err *err)
{
    int good = 1;
    for (uint32_t i = 0; good == 1 && i < 16; i++) {
        struct gm_ladder_params p = {.width_px = 200 + 7 * i, .height_px = 100 + 3 * i, .rungs = 3};
        p.deep = i % 2 == 1;
        p.turns = i / 2 % 4;
        p.mirror = i / 8 == 1;
        p.rung[0] = (struct gm_ladder_rung){p.width_px, p.height_px, p.deep, NULL};
        p.rung[1] = (struct gm_ladder_rung){90 + i, 51 + i, i % 3 == 0, NULL};
        p.rung[2] = (struct gm_ladder_rung){32, 18, false, NULL};
        good = try_ladder(b, p, err);
        if (good == 0) {
            printf("ladder %u: DIFFERENT\n", i);
        }
    }
    for (uint32_t i = 0; good == 1 && i < 4; i++) {
        good = try_score(b, 333 + i, 97, i % 2 == 1, err);
        if (good == 0) {
            printf("score %u: DIFFERENT\n", i);
        }
    }
    return good == 1 ? run_pictures(b, err) : good;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct gm_err err = {0};
    if (argc < 2) {
        fprintf(stderr, "use: battery PCI-OR-UUID [ptx|fatbin]\n");
        return 2;
    }
    enum gm_gpu_image image = GM_GPU_IMAGE_BEST;
    if (argc > 2) {
        image = strcmp(argv[2], "ptx") == 0 ? GM_GPU_IMAGE_PTX : GM_GPU_IMAGE_FATBIN;
    }
    int rc = gm_gpu_open(argv[1], image, &b.gpu, &err);
    if (rc == 0) {
        const struct gm_gpu_facts *f = gm_gpu_facts(b.gpu);
        printf("%s %s %s sm_%d CUDA %d image %s\n", f->name, f->pci, f->uuid, f->sm,
               f->cuda_version, f->image == GM_GPU_IMAGE_PTX ? "ptx" : "fatbin");
        rc = gm_gpu_stream_create(b.gpu, &b.stream, &err);
    }
    int good = rc == 0 ? run_all(&b, &err) : rc;
    gm_gpu_stream_destroy(&b.stream);
    gm_gpu_close(&b.gpu);
    if (good < 0) {
        fprintf(stderr, "battery: %s: %s\n", gm_code_get(-good)->id, err.text);
        return 2;
    }
    printf("%s\n", good ? "all equal to the reference" : "NOT equal to the reference");
    return good ? 0 : 1;
}
