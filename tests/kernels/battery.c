/* Kernels on a device against the reference, byte for byte:
 *   battery PCI-OR-UUID [ptx|fatbin]
 * Ends with 0 when all are equal, 1 when one is not, 2 when there is no device to try. Over the
 * fake drivers it shows that the host's side of gpu.h is right; on a GPU, that the GPU is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cards_io.h"
#include "kernels/gpu.h"
#include "kernels/reference.h"

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
    return good;
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
