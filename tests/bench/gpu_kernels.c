/* How fast the kernels `ladder` and `score` are on a GPU, beside copies within its memory.
 *   bench_gpu_kernels DEVICE [--quick]      DEVICE: PCI address or UUID
 * A launch takes 16 pictures. Launches go in turn through surfaces of 1 GiB, more than any L2
 * holds, so every picture comes from memory. A round queues launches without waiting between and
 * ends with one wait; the host's clock around 20 ms and more of queued work, the best of ten
 * rounds. Bytes are the least that can be moved: each sample of the source read once, each result
 * written once; a copy's are read and written. Prints a line a case: microseconds a picture, GB/s,
 * and the ratio to the copy of as many bytes. --quick: one round of one launch over small pictures,
 * whose figures are worth nothing: to see that it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/time.h"
#include "kernels/gpu.h"

#define BATCH 16u
#define MEMORY ((uint64_t)1 << 30)
#define MEMORY_QUICK ((uint64_t)16 << 20)
#define ROUND (GM_SEC / 50)
#define ROUNDS 10
#define SETS_MAX 64u

struct bench {
    struct gm_gpu *gpu;
    struct gm_gpu_stream *stream;
    bool quick;
    gm_addr memory; /* `size` bytes, the surfaces */
    uint64_t size;
    gm_addr tables; /* plan, frames and sums */
};

struct work { /* of one case: its launches, one a set of surfaces */
    struct gm_launch launch;
    uint8_t args[SETS_MAX][sizeof(struct gm_score_args)];
    unsigned sets;
    uint64_t bytes; /* of a picture, read and written */
};

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        fprintf(stderr, "bench_gpu_kernels: %s\n", err->text);
        exit(2);
    }
}

static uint64_t align(uint64_t n)
{
    return (n + 255) & ~(uint64_t)255;
}

static uint64_t surface_bytes(uint32_t w, uint32_t h, bool deep)
{
    return ((uint64_t)w * h + 2 * (uint64_t)((w + 1) / 2) * ((h + 1) / 2)) << (deep ? 1 : 0);
}

static struct gm_surface place(gm_addr *at, uint32_t w, uint32_t h, bool deep)
{
    uint32_t stride = ((w + 1) & ~1u) << (deep ? 1 : 0);
    struct gm_surface s = {{*at, *at + (uint64_t)stride * h}, {stride, stride}};
    *at = align(*at + (uint64_t)stride * (h + (h + 1) / 2));
    return s;
}

/* Microseconds of one call of `queue`, which queues one launch or copy of a set. */
static double best_us(struct bench *b, unsigned sets,
                      void (*queue)(struct bench *b, const void *what, unsigned set),
                      const void *what)
{
    struct gm_err err;
    double best = 0;
    unsigned calls = 1;
    for (int round = 0; round < (b->quick ? 1 : ROUNDS + 1);) {
        must(gm_gpu_sync(b->stream, &err), &err);
        gm_time began = gm_time_now();
        for (unsigned i = 0; i < calls; i++) {
            queue(b, what, i % sets);
        }
        must(gm_gpu_sync(b->stream, &err), &err);
        gm_time took = gm_time_now() - began;
        if (!b->quick && took < ROUND && calls < 100000) {
            calls *= 2; /* until a round is long enough; that also warms up */
            continue;
        }
        double us = (double)took * 1e6 / (double)GM_SEC / calls;
        best = round == 0 || us < best ? us : best;
        round++;
    }
    return best;
}

static void queue_launch(struct bench *b, const void *what, unsigned set)
{
    const struct work *w = what;
    struct gm_err err;
    must(gm_gpu_launch(b->stream, &w->launch, w->args[set], &err), &err);
}

/* As many bytes as a launch moves, half of them read, half written. */
static void queue_copy(struct bench *b, const void *what, unsigned set)
{
    const struct work *w = what;
    const uint64_t row = 1 << 16;
    uint64_t rows = w->bytes * BATCH / 2 / row, half = b->size / 2;
    uint64_t at = rows * row * (uint64_t)set % (half - rows * row + 1) & ~(uint64_t)255;
    const struct gm_cuda_copy_2d copy = {.src_type = GM_CUDA_DEVICE,
                                         .src_device = b->memory + at,
                                         .src_pitch = row,
                                         .dst_type = GM_CUDA_DEVICE,
                                         .dst_device = b->memory + half + at,
                                         .dst_pitch = row,
                                         .width_bytes = row,
                                         .height = rows};
    struct gm_err err;
    must(gm_gpu_copy(b->stream, &copy, &err), &err);
}

static void report(struct bench *b, const char *name, const struct work *w)
{
    double ours = best_us(b, w->sets, queue_launch, w);
    double copy = best_us(b, w->sets, queue_copy, w);
    double gb = (double)w->bytes * BATCH / 1e3;
    printf("%-24s %8.2f us/picture  %8.1f GB/s  copy %8.1f GB/s  ratio %.3f\n", name, ours / BATCH,
           gb / ours, gb / copy, copy / ours);
    (void)fflush(stdout);
}

static void ladder(struct bench *b, const char *name, uint32_t width, uint32_t height, bool deep,
                   const uint32_t heights[4])
{
    struct gm_ladder_params p = {.width_px = width, .height_px = height, .deep = deep, .rungs = 4};
    struct gm_ladder *l = NULL;
    struct work w = {.sets = 0};
    struct gm_err err;
    size_t plan_size = 0;
    uint64_t one = align(surface_bytes(width, height, deep));
    w.bytes = surface_bytes(width, height, deep);
    for (int i = 0; i < 4; i++) {
        uint32_t h = heights[i], wide = (h * 16 / 9 + 1) & ~1u;
        p.rung[i] = (struct gm_ladder_rung){.width_px = wide, .height_px = h, .deep = deep};
        w.bytes += surface_bytes(wide, h, deep);
        one += align(surface_bytes(wide, h, deep)) + 512;
    }
    must(gm_ladder_create(&p, &l, &err), &err);
    w.launch = gm_ladder_launch(l, BATCH);
    const void *plan = gm_ladder_plan(l, &plan_size);
    must(gm_gpu_upload(b->stream, b->tables, plan, plan_size, &err), &err);
    gm_addr frames_at = b->tables + align(plan_size), at = b->memory;
    for (; w.sets < SETS_MAX && at + one * BATCH <= b->memory + b->size; w.sets++) {
        struct gm_ladder_frame frames[BATCH];
        memset(frames, 0, sizeof frames);
        for (unsigned k = 0; k < BATCH; k++) {
            frames[k].in = place(&at, width, height, deep);
            for (int i = 0; i < 4; i++) {
                frames[k].out[i] = place(&at, p.rung[i].width_px, p.rung[i].height_px, deep);
            }
            must(gm_ladder_check(l, &frames[k], &err), &err);
        }
        must(gm_gpu_upload(b->stream, frames_at, frames, sizeof frames, &err), &err);
        must(gm_gpu_sync(b->stream, &err), &err);
        const struct gm_ladder_args args = {.plan = b->tables, .frames = frames_at};
        memcpy(w.args[w.sets], &args, sizeof args);
        frames_at += align(sizeof frames);
    }
    report(b, name, &w);
    gm_ladder_destroy(&l);
}

static void score(struct bench *b, const char *name, uint32_t width, uint32_t height)
{
    struct work w = {.sets = 0};
    struct gm_err err;
    gm_addr at = b->memory, sums = b->tables;
    gm_addr frames_at = b->tables + align(sizeof(struct gm_score_sums)) * BATCH;
    uint64_t one = align((uint64_t)width * height);
    for (; w.sets < SETS_MAX && at + one * (BATCH + 1) <= b->memory + b->size; w.sets++) {
        struct gm_score_frame frames[BATCH];
        struct gm_score_args args;
        must(gm_score_prepare(width, height, frames_at, BATCH, &args, &w.launch, &err), &err);
        for (unsigned k = 0; k < BATCH; k++, at += one) {
            frames[k] =
                (struct gm_score_frame){.luma = at + one,
                                        .before = at,
                                        .sums = sums + k * align(sizeof(struct gm_score_sums)),
                                        .stride = width,
                                        .before_stride = width};
            must(gm_score_check(&args, &frames[k], &err), &err);
        }
        at += one;
        must(gm_gpu_upload(b->stream, frames_at, frames, sizeof frames, &err), &err);
        must(gm_gpu_sync(b->stream, &err), &err);
        memcpy(w.args[w.sets], &args, sizeof args);
        frames_at += align(sizeof frames);
    }
    w.bytes = (uint64_t)width * height * (BATCH + 1) / BATCH; /* the one before is in the L2 */
    report(b, name, &w);
}

int main(int argc, char **argv)
{
    static const uint32_t hd[4] = {1080, 720, 480, 360}, uhd[4] = {2160, 1080, 720, 480};
    static const uint32_t small[4] = {180, 120, 90, 60};
    struct bench b = {.quick = argc == 3 && strcmp(argv[2], "--quick") == 0};
    struct gm_err err;
    if (argc < 2 || argc > 3 || (argc == 3 && !b.quick)) {
        fprintf(stderr, "use: bench_gpu_kernels DEVICE [--quick]\n");
        return 2;
    }
    must(gm_gpu_open(argv[1], GM_GPU_IMAGE_BEST, &b.gpu, &err), &err);
    must(gm_gpu_stream_create(b.gpu, &b.stream, &err), &err);
    b.size = b.quick ? MEMORY_QUICK : MEMORY;
    must(gm_gpu_alloc(b.gpu, b.size, &b.memory, &err), &err);
    must(gm_gpu_alloc(b.gpu, (uint64_t)4 << 20, &b.tables, &err), &err);
    const struct gm_gpu_facts *f = gm_gpu_facts(b.gpu);
    printf("%s %s sm_%d CUDA %d, %s, %u pictures a launch%s\n", f->pci, f->name, f->sm,
           f->cuda_version, f->image == GM_GPU_IMAGE_PTX ? "PTX" : "fatbin", BATCH,
           b.quick ? ", QUICK: figures are worth nothing" : "");
    if (b.quick) {
        ladder(&b, "ladder 180p", 320, 180, false, small);
        score(&b, "score 180p", 320, 180);
    } else {
        ladder(&b, "ladder 1080p", 1920, 1080, false, hd);
        ladder(&b, "ladder 1080p 10 bits", 1920, 1080, true, hd);
        ladder(&b, "ladder 2160p", 3840, 2160, false, uhd);
        ladder(&b, "ladder 2160p to 1080p", 3840, 2160, false, hd);
        score(&b, "score 360p", 640, 360);
        score(&b, "score 1080p", 1920, 1080);
    }
    gm_gpu_free(b.gpu, b.tables);
    gm_gpu_free(b.gpu, b.memory);
    gm_gpu_stream_destroy(&b.stream);
    gm_gpu_close(&b.gpu);
    return 0;
}
