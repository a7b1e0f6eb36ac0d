/* How fast the kernels `ladder` and `score` are on a GPU, beside copies within its memory.
 *   bench_gpu_kernels DEVICE [--quick]      DEVICE: PCI address or UUID
 * A launch takes 16 pictures, of a gradient and noise. Launches go in turn through surfaces of
 * 1 GiB, more than any L2 holds, so every picture comes from memory. A round queues launches
 * without waiting between; events of the device before and behind them tell 20 ms and more of
 * work, the best of ten rounds. Bytes are the least that can be moved: each sample of the source
 * read once, each result written once; a copy's (cuMemcpyDtoDAsync) are read and written. Prints a
 * line a case: microseconds a picture, GB/s, and the ratio to the copy of as many bytes.
 * `chain` is what FFmpeg's scale_cuda, overlay_cuda (64x64 at 8,8) and thumbnail_cuda do in
 * gpu.sh's part of that name: four rungs with a mark each, and `score` of the largest; of its luma
 * alone, which is all that `score` sees, where theirs has chroma's histogram, too.
 * --quick: one round of one launch over small pictures, whose figures are worth nothing: to see
 * that it runs. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/gpu.h"
#include "kernels/gpu_state.h"

#define BATCH 16u
#define MEMORY ((uint64_t)1 << 30)
#define MEMORY_QUICK ((uint64_t)16 << 20)
#define ROUND_MS 20.0
#define ROUNDS 10
#define SETS_MAX 64u
#define PATTERN ((size_t)64 << 20) /* of it, again and again, the surfaces are filled */
#define MARK 64u                   /* side, in samples */
#define EVENT_BLOCKING 1u          /* CU_EVENT_BLOCKING_SYNC; with timing */

struct bench {
    struct gm_gpu *gpu;
    struct gm_gpu_stream *stream;
    bool quick;
    gm_addr memory; /* `size` bytes, the surfaces */
    uint64_t size;
    gm_addr tables; /* plan, frames and sums */
    uint8_t *pattern;
    void *events[2];
    int (*elapsed)(float *ms, void *from, void *to);
    int (*copy)(uint64_t to, uint64_t from, size_t size, void *stream);
};

struct work { /* of one case: its launches, one or two a set of surfaces */
    struct gm_launch launch[2];
    uint8_t args[2][SETS_MAX][sizeof(struct gm_score_args)];
    unsigned launches, sets;
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

static void check(struct bench *b, int result, const char *function)
{
    struct gm_err err;
    must(gm_cuda_check(&b->gpu->cuda, result, function, &err), &err);
}

/* Microseconds of one call of `queue`, which queues what is measured of a set, with the device's
 * context current. */
static double best_us(struct bench *b, unsigned sets,
                      void (*queue)(struct bench *b, const struct work *w, unsigned set),
                      const struct work *w)
{
    const struct gm_cuda *c = &b->gpu->cuda;
    struct gm_err err;
    double best = 0;
    unsigned calls = 1;
    must(gm_gpu_push(b->gpu, &err), &err);
    for (int round = 0; round < (b->quick ? 1 : ROUNDS + 1);) {
        float ms = 0;
        check(b, c->event_record(b->events[0], b->stream->handle), "cuEventRecord");
        for (unsigned i = 0; i < calls; i++) {
            queue(b, w, i % sets);
        }
        check(b, c->event_record(b->events[1], b->stream->handle), "cuEventRecord");
        check(b, c->event_sync(b->events[1]), "cuEventSynchronize");
        check(b, b->elapsed(&ms, b->events[0], b->events[1]), "cuEventElapsedTime");
        if (!b->quick && (double)ms < ROUND_MS && calls < 100000) {
            calls *= 2; /* until a round is long enough; that also warms up */
            continue;
        }
        double us = (double)ms * 1e3 / calls;
        best = round == 0 || us < best ? us : best;
        round++;
    }
    gm_gpu_pop(b->gpu);
    return best;
}

static void queue_launches(struct bench *b, const struct work *w, unsigned set)
{
    struct gm_err err;
    for (unsigned i = 0; i < w->launches; i++) {
        must(gm_gpu_launch(b->stream, &w->launch[i], w->args[i][set], &err), &err);
    }
}

/* As many bytes as a launch moves, half of them read, half written. */
static void queue_copy(struct bench *b, const struct work *w, unsigned set)
{
    uint64_t size = w->bytes * BATCH / 2 & ~(uint64_t)255, half = b->size / 2;
    uint64_t at = size * (uint64_t)set % (half - size + 1) & ~(uint64_t)255;
    check(b, b->copy(b->memory + half + at, b->memory + at, size, b->stream->handle),
          "cuMemcpyDtoDAsync");
}

/* Surfaces of zeros would be some kernel's best or worst case: `score` counts samples by value. */
static void fill(struct bench *b)
{
    struct gm_err err;
    for (uint64_t at = 0; at < b->size; at += PATTERN) {
        size_t size = b->size - at < PATTERN ? (size_t)(b->size - at) : PATTERN;
        must(gm_gpu_upload(b->stream, b->memory + at, b->pattern, size, &err), &err);
    }
    must(gm_gpu_sync(b->stream, &err), &err);
}

static void make_pattern(struct bench *b)
{
    uint32_t noise = 1;
    b->pattern = malloc(PATTERN);
    if (b->pattern == NULL) {
        fputs("bench_gpu_kernels: out of memory\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < PATTERN; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        b->pattern[i] = (uint8_t)(16 + i % 1920 * 200 / 1920 + (noise & 15));
    }
}

static void *find(struct bench *b, const char *name)
{
    void *found = dlsym(b->gpu->cuda.library, name);
    if (found == NULL) {
        fprintf(stderr, "bench_gpu_kernels: libcuda.so.1 lacks %s\n", name);
        exit(2);
    }
    return found;
}

static void open_timing(struct bench *b)
{
    struct gm_err err;
    void *elapsed = find(b, "cuEventElapsedTime"), *copy = find(b, "cuMemcpyDtoDAsync_v2");
    memcpy(&b->elapsed, &elapsed, sizeof elapsed);
    memcpy(&b->copy, &copy, sizeof copy);
    must(gm_gpu_push(b->gpu, &err), &err);
    for (int i = 0; i < 2; i++) {
        check(b, b->gpu->cuda.event_create(&b->events[i], EVENT_BLOCKING), "cuEventCreate");
    }
    gm_gpu_pop(b->gpu);
    make_pattern(b);
}

static void close_timing(struct bench *b)
{
    struct gm_err err;
    must(gm_gpu_push(b->gpu, &err), &err);
    for (int i = 0; i < 2; i++) {
        check(b, b->gpu->cuda.event_destroy(b->events[i]), "cuEventDestroy");
    }
    gm_gpu_pop(b->gpu);
    free(b->pattern);
}

static void report(struct bench *b, const char *name, const struct work *w)
{
    double ours = best_us(b, w->sets, queue_launches, w);
    double copy = best_us(b, w->sets, queue_copy, w);
    double gb = (double)w->bytes * BATCH / 1e3;
    printf("%-24s %8.2f us/picture  %8.1f GB/s  copy %8.1f GB/s  ratio %.3f\n", name, ours / BATCH,
           gb / ours, gb / copy, copy / ours);
    (void)fflush(stdout);
}

struct card { /* a ladder's case */
    const char *name;
    uint32_t width, height;
    bool deep, chain; /* chain: each rung has a mark, and the first is scored */
    uint32_t heights[4];
};

static const struct gm_ladder_mark *make_mark(void)
{
    static uint16_t luma[MARK * MARK], pairs[MARK * MARK / 4];
    static uint8_t alpha[MARK * MARK];
    static const struct gm_ladder_mark mark = {.x_px = 8,
                                               .y_px = 8,
                                               .width_px = MARK,
                                               .height_px = MARK,
                                               .luma = luma,
                                               .blue = pairs,
                                               .red = pairs,
                                               .alpha = alpha};
    for (size_t i = 0; i < MARK * MARK; i++) {
        luma[i] = 128;
        pairs[i / 4] = 128;
        alpha[i] = 200;
    }
    return &mark;
}

/* What `score` is to count in a set: the pictures' first rung, each with the one before it. */
static void add_score(struct bench *b, struct work *w, const struct card *card, gm_addr *io_table,
                      const struct gm_ladder_frame *of)
{
    struct gm_score_frame frames[BATCH];
    struct gm_score_args args;
    struct gm_err err;
    uint32_t wide = (card->heights[0] * 16 / 9 + 1) & ~1u;
    gm_addr sums = *io_table, at = sums + align(sizeof(struct gm_score_sums)) * BATCH;
    must(gm_score_prepare(wide, card->heights[0], at, BATCH, &args, &w->launch[1], &err), &err);
    for (unsigned k = 0; k < BATCH; k++) {
        frames[k] =
            (struct gm_score_frame){.luma = of[k].out[0].plane[0],
                                    .before = k > 0 ? of[k - 1].out[0].plane[0] : 0,
                                    .sums = sums + k * align(sizeof(struct gm_score_sums)),
                                    .stride = of[k].out[0].stride[0],
                                    .before_stride = k > 0 ? of[k - 1].out[0].stride[0] : 0};
        must(gm_score_check(&args, &frames[k], &err), &err);
    }
    must(gm_gpu_upload(b->stream, at, frames, sizeof frames, &err), &err);
    must(gm_gpu_sync(b->stream, &err), &err);
    memcpy(w->args[1][w->sets], &args, sizeof args);
    w->launches = 2;
    *io_table = at + align(sizeof frames);
}

static void ladder(struct bench *b, const struct card *c)
{
    struct gm_ladder_params p = {
        .width_px = c->width, .height_px = c->height, .deep = c->deep, .rungs = 4};
    struct gm_ladder *l = NULL;
    struct work w = {.launches = 1};
    struct gm_err err;
    size_t plan_size = 0;
    uint64_t one = align(surface_bytes(c->width, c->height, c->deep));
    fill(b);
    w.bytes = surface_bytes(c->width, c->height, c->deep);
    for (int i = 0; i < 4; i++) {
        uint32_t h = c->heights[i], wide = (h * 16 / 9 + 1) & ~1u;
        p.rung[i] = (struct gm_ladder_rung){.width_px = wide,
                                            .height_px = h,
                                            .deep = c->deep,
                                            .mark = c->chain ? make_mark() : NULL};
        w.bytes += surface_bytes(wide, h, c->deep) + (c->chain && i == 0 ? (uint64_t)wide * h : 0);
        one += align(surface_bytes(wide, h, c->deep)) + 512;
    }
    must(gm_ladder_create(&p, &l, &err), &err);
    w.launch[0] = gm_ladder_launch(l, BATCH);
    const void *plan = gm_ladder_plan(l, &plan_size);
    must(gm_gpu_upload(b->stream, b->tables, plan, plan_size, &err), &err);
    gm_addr table = b->tables + align(plan_size), at = b->memory;
    for (; w.sets < SETS_MAX && at + one * BATCH <= b->memory + b->size; w.sets++) {
        struct gm_ladder_frame frames[BATCH];
        memset(frames, 0, sizeof frames);
        for (unsigned k = 0; k < BATCH; k++) {
            frames[k].in = place(&at, c->width, c->height, c->deep);
            for (int i = 0; i < 4; i++) {
                frames[k].out[i] = place(&at, p.rung[i].width_px, p.rung[i].height_px, c->deep);
            }
            must(gm_ladder_check(l, &frames[k], &err), &err);
        }
        must(gm_gpu_upload(b->stream, table, frames, sizeof frames, &err), &err);
        must(gm_gpu_sync(b->stream, &err), &err);
        const struct gm_ladder_args args = {.plan = b->tables, .frames = table};
        memcpy(w.args[0][w.sets], &args, sizeof args);
        table += align(sizeof frames);
        if (c->chain) {
            add_score(b, &w, c, &table, frames);
        }
    }
    report(b, c->name, &w);
    gm_ladder_destroy(&l);
}

static void score(struct bench *b, const char *name, uint32_t width, uint32_t height)
{
    struct work w = {.launches = 1};
    struct gm_err err;
    fill(b);
    gm_addr at = b->memory, sums = b->tables;
    gm_addr frames_at = b->tables + align(sizeof(struct gm_score_sums)) * BATCH;
    uint64_t one = align((uint64_t)width * height);
    for (; w.sets < SETS_MAX && at + one * (BATCH + 1) <= b->memory + b->size; w.sets++) {
        struct gm_score_frame frames[BATCH];
        struct gm_score_args args;
        must(gm_score_prepare(width, height, frames_at, BATCH, &args, &w.launch[0], &err), &err);
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
        memcpy(w.args[0][w.sets], &args, sizeof args);
        frames_at += align(sizeof frames);
    }
    w.bytes = (uint64_t)width * height * (BATCH + 1) / BATCH; /* the one before is in the L2 */
    report(b, name, &w);
}

int main(int argc, char **argv)
{
    static const struct card cards[] = {
        {"ladder 1080p", 1920, 1080, false, false, {1080, 720, 480, 360}},
        {"ladder 1080p 10 bits", 1920, 1080, true, false, {1080, 720, 480, 360}},
        {"chain 1080p", 1920, 1080, false, true, {1080, 720, 480, 360}},
        {"ladder 2160p", 3840, 2160, false, false, {2160, 1080, 720, 480}},
        {"ladder 2160p to 1080p", 3840, 2160, false, false, {1080, 720, 480, 360}},
    };
    static const struct card small[] = {
        {"ladder 180p", 320, 180, false, false, {180, 120, 90, 60}},
        {"chain 180p", 320, 180, false, true, {180, 120, 90, 60}},
    };
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
    open_timing(&b);
    for (size_t i = 0; b.quick && i < sizeof small / sizeof *small; i++) {
        ladder(&b, &small[i]);
    }
    for (size_t i = 0; !b.quick && i < sizeof cards / sizeof *cards; i++) {
        ladder(&b, &cards[i]);
    }
    if (b.quick) {
        score(&b, "score 180p", 320, 180);
    } else {
        score(&b, "score 360p", 640, 360);
        score(&b, "score 1080p", 1920, 1080);
    }
    close_timing(&b);
    gm_gpu_free(b.gpu, b.tables);
    gm_gpu_free(b.gpu, b.memory);
    gm_gpu_stream_destroy(&b.stream);
    gm_gpu_close(&b.gpu);
    return 0;
}
