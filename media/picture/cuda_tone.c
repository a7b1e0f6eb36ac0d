/* See cuda_tone.h. One piece of device memory holds the tables and the frame's surfaces, one the
 * mapped picture. */
#include "media/picture/cuda_tone.h"

#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/device/packed.h"

#define ALIGNMENT 256
#define TRY_WIDTH 70 /* of the picture of noise: no whole number of a block's shares */
#define TRY_HEIGHT 46
#define NODES_SIZE (GM_TONE_NODES * sizeof(int16_t))

struct gm_cuda_tone {
    struct gm_gpu *gpu; /* borrowed */
    struct gm_tone_args args;
    struct gm_tone_frame here; /* as it lies at args.frames */
    gm_addr tables, mapped;    /* owned */
};

static size_t round_up(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct gm_surface surface_at(gm_addr at, uint32_t width, uint32_t height, bool deep)
{
    uint32_t stride = (uint32_t)round_up((size_t)width << (deep ? 1 : 0));
    return (struct gm_surface){{at, at + (gm_addr)stride * height}, {stride, stride}};
}

static size_t surface_size(uint32_t width, uint32_t height, bool deep)
{
    return round_up((size_t)width << (deep ? 1 : 0)) * (height + (height + 1) / 2);
}

void gm_cuda_tone_destroy(struct gm_cuda_tone **tone)
{
    struct gm_cuda_tone *t = *tone;
    if (t != NULL) {
        gm_gpu_free(t->gpu, t->tables);
        gm_gpu_free(t->gpu, t->mapped);
        free(t);
        *tone = NULL;
    }
}

/* Where everything lies at t->tables; returns how much that is. */
static size_t lay_out(struct gm_cuda_tone *t)
{
    gm_addr at = t->tables;
    for (int i = 0; i < 3; i++) {
        t->args.nodes[i] = at;
        at += round_up(NODES_SIZE);
    }
    t->args.node = at;
    t->args.fraction = at + GM_TONE_CODES;
    t->args.frames = at + round_up((size_t)2 * GM_TONE_CODES);
    return t->args.frames + sizeof t->here - t->tables;
}

static int upload_tables(struct gm_cuda_tone *t, struct gm_gpu_stream *stream,
                         const struct gm_tonemap *table, struct gm_err *err)
{
    const struct gm_tonemap_tables from = gm_tonemap_tables(table);
    int rc = gm_gpu_alloc(t->gpu, lay_out(t), &t->tables, err);
    (void)lay_out(t);
    for (int i = 0; rc == 0 && i < 3; i++) {
        rc = gm_gpu_upload(stream, t->args.nodes[i], from.nodes[i], NODES_SIZE, err);
    }
    rc = rc < 0 ? rc : gm_gpu_upload(stream, t->args.node, from.node, GM_TONE_CODES, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, t->args.fraction, from.fraction, GM_TONE_CODES, err);
    int ended = gm_gpu_sync(stream, rc == 0 ? err : NULL);
    return rc < 0 ? rc : ended;
}

int gm_cuda_tone_push(struct gm_cuda_tone *t, struct gm_gpu_stream *stream,
                      const struct gm_surface *in, struct gm_surface *out, struct gm_err *err)
{
    struct gm_launch launch;
    *out = surface_at(t->mapped, t->args.width, t->args.height, t->args.deep != 0);
    t->here = (struct gm_tone_frame){*in, *out};
    int rc = gm_tone_prepare(&t->args, 1, &launch, err);
    rc = rc < 0 ? rc : gm_tone_check(&t->args, &t->here, err);
    rc = rc < 0 ? rc : gm_gpu_upload(stream, t->args.frames, &t->here, sizeof t->here, err);
    return rc < 0 ? rc : gm_gpu_launch(stream, &launch, &t->args, err);
}

static void fill(AVFrame *f)
{
    uint64_t random = 0x9e3779b97f4a7c15u;
    for (int p = 0; p < 3; p++) {
        for (int i = 0; i < f->width * f->height >> (p > 0 ? 2 : 0); i++) {
            uint16_t *row =
                (uint16_t *)(void *)(f->data[p] +
                                     (ptrdiff_t)(i / (f->width >> (p > 0))) * f->linesize[p]);
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            row[i % (f->width >> (p > 0))] = (uint16_t)((random >> 20) % 1024);
        }
    }
}

/* Of the picture of noise on its way: packed, before and after. */
struct trial {
    AVFrame *noise, *want; /* owned: planar */
    AVFrame *sent, *given; /* owned: as they lie on the device */
    AVFrame *planar;       /* owned: given */
};

static int make_trial(struct trial *t, bool deep, struct gm_err *err)
{
    enum AVPixelFormat format = deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    t->noise = gm_av_frame(AV_PIX_FMT_YUV420P10LE, TRY_WIDTH, TRY_HEIGHT);
    t->want = gm_av_frame(format, TRY_WIDTH, TRY_HEIGHT);
    t->sent = gm_av_frame(gm_packed_format(10), TRY_WIDTH, TRY_HEIGHT);
    t->given = gm_av_frame(gm_packed_format(deep ? 10 : 8), TRY_WIDTH, TRY_HEIGHT);
    t->planar = gm_av_frame(format, TRY_WIDTH, TRY_HEIGHT);
    if (t->noise == NULL || t->want == NULL || t->sent == NULL || t->given == NULL ||
        t->planar == NULL) {
        return gm_err_nomem(err);
    }
    fill(t->noise);
    return gm_packed_copy(t->noise, t->sent, err);
}

static void drop_trial(struct trial *t)
{
    av_frame_free(&t->noise);
    av_frame_free(&t->want);
    av_frame_free(&t->sent);
    av_frame_free(&t->given);
    av_frame_free(&t->planar);
}

static int copy(struct gm_gpu_stream *stream, const AVFrame *here, const struct gm_surface *there,
                bool up, bool deep, struct gm_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        struct gm_cuda_copy_2d c = {.width_bytes = (size_t)TRY_WIDTH << (deep ? 1 : 0),
                                    .height = TRY_HEIGHT >> i};
        if (up) {
            c.src_type = GM_CUDA_HOST;
            c.src_host = here->data[i];
            c.src_pitch = (size_t)here->linesize[i];
            c.dst_type = GM_CUDA_DEVICE;
            c.dst_device = there->plane[i];
            c.dst_pitch = there->stride[i];
        } else {
            c.src_type = GM_CUDA_DEVICE;
            c.src_device = there->plane[i];
            c.src_pitch = there->stride[i];
            c.dst_type = GM_CUDA_HOST;
            c.dst_host = here->data[i];
            c.dst_pitch = (size_t)here->linesize[i];
        }
        rc = gm_gpu_copy(stream, &c, err);
    }
    return rc;
}

static bool same(const AVFrame *a, const AVFrame *b, bool deep)
{
    bool equal = true;
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < TRY_HEIGHT >> (p > 0); y++) {
            equal = equal && memcmp(a->data[p] + (ptrdiff_t)y * a->linesize[p],
                                    b->data[p] + (ptrdiff_t)y * b->linesize[p],
                                    (size_t)(TRY_WIDTH >> (p > 0)) << (deep ? 1 : 0)) == 0;
        }
    }
    return equal;
}

/* t: of the trial's size. */
static int run_trial(struct gm_cuda_tone *t, struct gm_gpu_stream *stream,
                     const struct gm_tonemap *table, struct trial *trial, struct gm_err *err)
{
    bool deep = t->args.deep != 0;
    gm_addr source = 0;
    struct gm_surface out;
    int rc = gm_gpu_alloc(t->gpu, surface_size(TRY_WIDTH, TRY_HEIGHT, true), &source, err);
    const struct gm_surface in = surface_at(source, TRY_WIDTH, TRY_HEIGHT, true);
    rc = rc < 0 ? rc : copy(stream, trial->sent, &in, true, true, err);
    rc = rc < 0 ? rc : gm_cuda_tone_push(t, stream, &in, &out, err);
    rc = rc < 0 ? rc : copy(stream, trial->given, &out, false, deep, err);
    int ended = gm_gpu_sync(stream, rc == 0 ? err : NULL); /* host memory is free after it alone */
    rc = rc < 0 ? rc : ended;
    gm_gpu_free(t->gpu, source);
    rc = rc < 0 ? rc : gm_packed_copy(trial->given, trial->planar, err);
    rc = rc < 0 ? rc : gm_tonemap_apply(table, trial->noise, AVCHROMA_LOC_LEFT, trial->want, err);
    if (rc == 0 && !same(trial->want, trial->planar, deep)) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, 2,
                        "The GPU's kernels map light otherwise than they should");
    }
    return rc;
}

/* With room for pictures of the larger of both sizes. */
static int try_table(struct gm_cuda_tone *t, struct gm_gpu_stream *stream,
                     const struct gm_tonemap *table, struct gm_err *err)
{
    struct trial trial = {NULL, NULL, NULL, NULL, NULL};
    const struct gm_tone_args asked = t->args;
    t->args.width = TRY_WIDTH;
    t->args.height = TRY_HEIGHT;
    int rc = make_trial(&trial, asked.deep != 0, err);
    rc = rc < 0 ? rc : run_trial(t, stream, table, &trial, err);
    t->args = asked;
    drop_trial(&trial);
    return rc;
}

static int prepare(struct gm_cuda_tone *t, const struct gm_tonemap_params *map, struct gm_err *err)
{
    struct gm_gpu_stream *stream = NULL;
    struct gm_tonemap *table = NULL;
    bool deep = t->args.deep != 0;
    size_t size = surface_size(t->args.width, t->args.height, deep);
    size_t least = surface_size(TRY_WIDTH, TRY_HEIGHT, deep);
    int rc = gm_tonemap_create(map, &table, err);
    rc = rc < 0 ? rc : gm_gpu_stream_create(t->gpu, &stream, err);
    rc = rc < 0 ? rc : upload_tables(t, stream, table, err);
    rc = rc < 0 ? rc : gm_gpu_alloc(t->gpu, size > least ? size : least, &t->mapped, err);
    rc = rc < 0 ? rc : try_table(t, stream, table, err);
    gm_gpu_stream_destroy(&stream);
    gm_tonemap_destroy(&table);
    return rc;
}

int gm_cuda_tone_create(struct gm_gpu *gpu, const struct gm_cuda_tone_params *params,
                        struct gm_cuda_tone **out, struct gm_err *err)
{
    struct gm_cuda_tone *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    t->gpu = gpu;
    t->args = (struct gm_tone_args){
        .width = params->width_px, .height = params->height_px, .deep = params->deep, .left = 1};
    int rc = prepare(t, &params->map, err);
    if (rc < 0) {
        gm_cuda_tone_destroy(&t);
        return rc;
    }
    *out = t;
    return 0;
}

int gm_cuda_tone_prove(struct gm_gpu *gpu, struct gm_err *err)
{
    struct gm_cuda_tone_params p = {.map = {.source = {AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084,
                                                       AVCOL_SPC_BT2020_NCL, AVCOL_RANGE_MPEG},
                                            .source_peak = GM_TONEMAP_PEAK,
                                            .target_peak = GM_TONEMAP_WHITE},
                                    .width_px = TRY_WIDTH,
                                    .height_px = TRY_HEIGHT};
    struct gm_cuda_tone *t = NULL;
    int rc = gm_cuda_tone_create(gpu, &p, &t, err);
    gm_cuda_tone_destroy(&t);
    if (rc == 0) {
        p.deep = true;
        rc = gm_cuda_tone_create(gpu, &p, &t, err);
        gm_cuda_tone_destroy(&t);
    }
    return rc;
}
