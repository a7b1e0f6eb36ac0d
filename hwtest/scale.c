/* The GPU's own work: the kernel `ladder`, and copies. */
#include "hwtest/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/gpu.h"

#define BATCH 8 /* pictures a launch */
#define SETS 3  /* of surfaces that launches go through in turn: more bytes than an L2 holds */

struct state {
    struct gm_gpu *gpu;
    struct gm_gpu_stream *stream;
    struct gm_ladder *ladder;
    gm_addr memory;
    gm_addr frames[SETS];
    gm_addr plan;
    unsigned batch, set;
};

/* What gm_hwtest_recipe makes. */
static void fill_params(uint32_t height_px, bool quick, struct gm_ladder_params *p)
{
    static const uint32_t heights[2][4] = {{1080, 720, 480, 360}, {2160, 1080, 720, 480}};
    uint32_t height = gm_hwtest_large_height(height_px, quick);
    memset(p, 0, sizeof(*p));
    p->width_px = height / 9 * 16;
    p->height_px = height;
    p->rungs = 4;
    for (int i = 0; i < 4; i++) {
        uint32_t h = heights[height_px == 2160 ? 1 : 0][i] / (quick ? 5 : 1);
        p->rung[i].height_px = h;
        p->rung[i].width_px = (h * 16 / 9 + 1) & ~1u;
    }
}

static uint64_t surface_bytes(uint32_t width, uint32_t height)
{
    return (uint64_t)width * (height + (height + 1) / 2);
}

uint64_t gm_hwtest_scale_bytes(uint32_t height_px, bool quick)
{
    struct gm_ladder_params p;
    fill_params(height_px, quick, &p);
    uint64_t sum = surface_bytes(p.width_px, p.height_px);
    for (uint32_t i = 0; i < p.rungs; i++) {
        sum += surface_bytes(p.rung[i].width_px, p.rung[i].height_px);
    }
    return sum;
}

static gm_addr align(gm_addr at)
{
    return (at + 255) & ~(gm_addr)255;
}

static struct gm_surface place(gm_addr *io_at, uint32_t width, uint32_t height)
{
    const struct gm_surface s = {{*io_at, *io_at + (uint64_t)width * height}, {width, width}};
    *io_at = align(*io_at + surface_bytes(width, height));
    return s;
}

/* Surfaces of all sets, their frames and the plan, in one block of memory. */
static int fill_memory(struct state *s, const struct gm_ladder_params *p, struct gm_err *err)
{
    struct gm_ladder_frame frames[BATCH];
    size_t plan_size = 0;
    const void *plan = gm_ladder_plan(s->ladder, &plan_size);
    uint64_t one = align(surface_bytes(p->width_px, p->height_px));
    for (uint32_t i = 0; i < p->rungs; i++) {
        one += align(surface_bytes(p->rung[i].width_px, p->rung[i].height_px));
    }
    uint64_t size = (one * s->batch + align(sizeof(frames))) * SETS + align(plan_size);
    int rc = gm_gpu_alloc(s->gpu, size, &s->memory, err);
    gm_addr at = s->memory;
    for (unsigned set = 0; rc == 0 && set < SETS; set++) {
        for (unsigned k = 0; k < s->batch; k++) {
            frames[k].in = place(&at, p->width_px, p->height_px);
            for (uint32_t i = 0; i < p->rungs; i++) {
                frames[k].out[i] = place(&at, p->rung[i].width_px, p->rung[i].height_px);
            }
        }
        s->frames[set] = at;
        at += align(sizeof(frames));
        rc = gm_gpu_upload(s->stream, s->frames[set], frames, s->batch * sizeof(*frames), err);
        rc = rc == 0 ? gm_gpu_sync(s->stream, err) : rc;
    }
    s->plan = at;
    if (rc == 0) {
        rc = gm_gpu_upload(s->stream, s->plan, plan, plan_size, err);
    }
    return rc == 0 ? gm_gpu_sync(s->stream, err) : rc;
}

static void close_scale(struct gm_hwtest_lane *lane)
{
    struct state *s = lane->state;
    if (s->gpu != NULL) {
        gm_gpu_free(s->gpu, s->memory);
        gm_gpu_stream_destroy(&s->stream);
        gm_gpu_close(&s->gpu);
    }
    gm_ladder_destroy(&s->ladder);
    free(s);
    lane->state = NULL;
}

static int open_scale(struct gm_hwtest_lane *lane, struct gm_err *err)
{
    const struct gm_hwtest_scale_params *how = lane->how;
    struct gm_ladder_params params;
    struct state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    lane->state = s;
    s->batch = how->quick ? 1 : BATCH;
    fill_params(how->height_px, how->quick, &params);
    int rc = gm_gpu_open(how->device, GM_GPU_IMAGE_BEST, &s->gpu, err);
    if (rc == 0) {
        rc = gm_gpu_stream_create(s->gpu, &s->stream, err);
    }
    if (rc == 0) {
        rc = gm_ladder_create(&params, &s->ladder, err);
    }
    if (rc == 0) {
        rc = fill_memory(s, &params, err);
    }
    if (rc < 0) {
        close_scale(lane);
    }
    return rc;
}

static int step_scale(struct gm_hwtest_lane *lane, uint64_t *io_count, struct gm_err *err)
{
    struct state *s = lane->state;
    const struct gm_launch launch = gm_ladder_launch(s->ladder, s->batch);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < SETS; i++) { /* one waits while another runs */
        const struct gm_ladder_args args = {.plan = s->plan, .frames = s->frames[i]};
        rc = gm_gpu_launch(s->stream, &launch, &args, err);
    }
    if (rc == 0) {
        rc = gm_gpu_sync(s->stream, err);
    }
    *io_count += rc == 0 ? (uint64_t)s->batch * SETS : 0;
    return rc;
}

struct gm_hwtest_lane gm_hwtest_scale_lane(const struct gm_hwtest_scale_params *how)
{
    return (struct gm_hwtest_lane){
        .open = open_scale, .step = step_scale, .close = close_scale, .how = how};
}

#define COPY_BYTES ((size_t)64 << 20)
#define COPY_BYTES_QUICK ((size_t)1 << 20)
#define COPY_TIME GM_SEC
#define COPY_TIME_QUICK (GM_SEC / 50)

/* Copies until the time is over; the first is not counted. */
static int copy(struct gm_gpu_stream *stream, gm_addr device, void *memory, size_t size, bool up,
                gm_time least, double *out, struct gm_err *err)
{
    gm_time started = 0, now = 0;
    uint64_t copies = 0;
    int rc = 0;
    do {
        rc = up ? gm_gpu_upload(stream, device, memory, size, err)
                : gm_gpu_download(stream, memory, device, size, err);
        rc = rc == 0 ? gm_gpu_sync(stream, err) : rc;
        now = gm_time_now();
        copies += started == 0 ? 0 : 1;
        started = started == 0 ? now : started;
    } while (rc == 0 && (now - started < least || copies == 0));
    if (rc == 0) {
        double took = (double)(now > started ? now - started : 1);
        *out = (double)copies * (double)size * (double)GM_SEC / took;
    }
    return rc;
}

int gm_hwtest_copy_rate(const struct gm_hwtest_copy *how, double *out, struct gm_err *err)
{
    size_t size = how->quick ? COPY_BYTES_QUICK : COPY_BYTES;
    struct gm_gpu *gpu = NULL;
    struct gm_gpu_stream *stream = NULL;
    gm_addr there = 0;
    void *pageable = NULL, *pinned = NULL;
    int rc = gm_gpu_open(how->device, GM_GPU_IMAGE_BEST, &gpu, err);
    if (rc == 0) {
        rc = gm_gpu_stream_create(gpu, &stream, err);
    }
    if (rc == 0) {
        rc = gm_gpu_alloc(gpu, size, &there, err);
    }
    if (rc == 0 && how->pinned) {
        rc = gm_gpu_host_alloc(gpu, size, &pinned, err);
    } else if (rc == 0) {
        pageable = malloc(size);
        rc = pageable != NULL ? 0 : gm_err_nomem(err);
    }
    if (rc == 0) {
        void *memory = how->pinned ? pinned : pageable;
        memset(memory, 0x5a, size); /* pages are there */
        rc = copy(stream, there, memory, size, how->up, how->quick ? COPY_TIME_QUICK : COPY_TIME,
                  out, err);
    }
    if (gpu != NULL) {
        gm_gpu_free(gpu, there);
        gm_gpu_stream_destroy(&stream);
        gm_gpu_host_free(gpu, pinned);
        gm_gpu_close(&gpu);
    }
    free(pageable);
    return rc;
}
