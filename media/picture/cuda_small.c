#include "media/picture/cuda_small.h"

#include <stdlib.h>

#include "media/av.h"
#include "media/device/cuda_picture.h"
#include "media/device/packed.h"

/* What kernels read and write beside samples. */
struct control {
    struct gm_sprite_frame sprite;
    struct gm_score_frame score;
    struct gm_score_sums sums;
};

struct gm_cuda_small {
    struct gm_gpu *gpu;           /* borrowed */
    struct gm_gpu_stream *stream; /* owned */
    struct gm_ladder_params what;
    struct gm_score_size look;
    gm_addr control, looks, made; /* owned; 0: not needed yet */
    size_t made_size;
    struct control here; /* as it lies at control */
};

int gm_cuda_small_create(struct gm_gpu *gpu, const struct gm_ladder_params *what,
                         struct gm_score_size look, struct gm_cuda_small **out, struct gm_err *err)
{
    struct gm_cuda_small *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->gpu = gpu;
    s->what = *what;
    s->look = look;
    int rc = gm_gpu_stream_create(gpu, &s->stream, err);
    if (rc < 0) {
        gm_cuda_small_destroy(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_cuda_small_destroy(struct gm_cuda_small **small)
{
    struct gm_cuda_small *s = *small;
    if (s == NULL) {
        return;
    }
    gm_gpu_free(s->gpu, s->control);
    gm_gpu_free(s->gpu, s->looks);
    gm_gpu_free(s->gpu, s->made);
    gm_gpu_stream_destroy(&s->stream);
    free(s);
    *small = NULL;
}

static int take(struct gm_cuda_small *s, gm_addr *memory, size_t size, struct gm_err *err)
{
    return *memory != 0 ? 0 : gm_gpu_alloc(s->gpu, size, memory, err);
}

/* Both planes without gaps. */
static struct gm_surface surface_at(gm_addr at, uint32_t width, uint32_t height, bool deep)
{
    uint32_t stride = width << (deep ? 1 : 0);
    return (struct gm_surface){{at, at + (gm_addr)stride * height}, {stride, stride}};
}

static size_t surface_size(uint32_t width, uint32_t height, bool deep)
{
    return ((size_t)width * height << (deep ? 1 : 0)) * 3 / 2;
}

/* What is shown of a decoded picture. */
static struct gm_surface shown(const struct gm_cuda_small *s, const AVFrame *picture)
{
    const struct gm_ladder_params *w = &s->what;
    struct gm_surface in = gm_cuda_picture_surface(picture);
    uint32_t column = w->crop_x_px << (w->deep ? 1 : 0);
    in.plane[0] += (gm_addr)w->crop_y_px * in.stride[0] + column;
    in.plane[1] += (gm_addr)(w->crop_y_px / 2) * in.stride[1] + column;
    return in;
}

/* Queues it. args: width, height and out_deep are told. */
static int launch_sprite(struct gm_cuda_small *s, const AVFrame *picture,
                         struct gm_sprite_args *args, gm_addr at, struct gm_err *err)
{
    const struct gm_ladder_params *w = &s->what;
    struct gm_launch launch;
    int rc = take(s, &s->control, sizeof s->here, err);
    args->frames = s->control + offsetof(struct control, sprite);
    args->in_width = w->crop_width_px > 0 ? w->crop_width_px : w->width_px - w->crop_x_px;
    args->in_height = w->crop_height_px > 0 ? w->crop_height_px : w->height_px - w->crop_y_px;
    args->deep = w->deep;
    args->turns = w->turns;
    args->mirror = w->mirror;
    s->here.sprite = (struct gm_sprite_frame){
        shown(s, picture), surface_at(at, args->width, args->height, args->out_deep != 0), 0, 0};
    if (rc == 0) {
        rc = gm_sprite_prepare(args, 1, &launch, err);
    }
    if (rc == 0) {
        rc = gm_sprite_check(args, &s->here.sprite, args->width, args->height, err);
    }
    if (rc == 0) {
        rc = gm_gpu_upload(s->stream, args->frames, &s->here.sprite, sizeof s->here.sprite, err);
    }
    return rc == 0 ? gm_gpu_launch(s->stream, &launch, args, err) : rc;
}

/* What was queued has ended, also after a failure: memory of ours is free then. */
static int settle(struct gm_cuda_small *s, int rc, struct gm_err *err)
{
    int ended = gm_gpu_sync(s->stream, rc == 0 ? err : NULL);
    return rc < 0 ? rc : ended;
}

/* Room for a picture that is on its way to memory. */
static int make_room(struct gm_cuda_small *s, size_t size, struct gm_err *err)
{
    if (s->made_size < size) {
        gm_gpu_free(s->gpu, s->made);
        s->made = 0;
        s->made_size = size;
    }
    return take(s, &s->made, s->made_size, err);
}

static int fetch(struct gm_cuda_small *s, const struct gm_sprite_args *args, const AVFrame *packed,
                 struct gm_err *err)
{
    struct gm_cuda_copy_2d copies[2];
    const struct gm_cuda_place from = {
        true, surface_at(s->made, args->width, args->height, args->out_deep != 0)};
    int rc = 0;
    gm_cuda_picture_copies(&from, packed, copies);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = gm_gpu_copy(s->stream, &copies[i], err);
    }
    return rc;
}

int gm_cuda_small_make(struct gm_cuda_small *s, const AVFrame *picture, uint32_t width_px,
                       uint32_t height_px, bool deep, AVFrame **out, struct gm_err *err)
{
    struct gm_sprite_args args = {.width = width_px, .height = height_px, .out_deep = deep};
    AVFrame *packed = gm_av_frame(gm_packed_format(deep ? 10 : 8), (int)width_px, (int)height_px);
    AVFrame *planar = gm_av_frame(deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P, (int)width_px,
                                  (int)height_px);
    int rc = packed != NULL && planar != NULL ? 0 : gm_err_nomem(err);
    if (rc == 0) {
        rc = make_room(s, surface_size(width_px, height_px, deep), err);
    }
    if (rc == 0) {
        rc = launch_sprite(s, picture, &args, s->made, err);
        rc = rc == 0 ? fetch(s, &args, packed, err) : rc;
        rc = settle(s, rc, err);
    }
    if (rc == 0) {
        rc = gm_packed_copy(packed, planar, err);
    }
    av_frame_free(&packed);
    if (rc < 0) {
        av_frame_free(&planar);
        return rc;
    }
    planar->color_primaries = picture->color_primaries;
    planar->color_trc = picture->color_trc;
    planar->colorspace = picture->colorspace;
    planar->color_range = picture->color_range;
    *out = planar;
    return 0;
}

/* Of a place. */
static gm_addr look_at(const struct gm_cuda_small *s, unsigned place)
{
    return s->looks + place * surface_size(s->look.width_px, s->look.height_px, false);
}

static int take_looks(struct gm_cuda_small *s, struct gm_err *err)
{
    return take(s, &s->looks,
                GM_CUDA_SMALL_LOOKS * surface_size(s->look.width_px, s->look.height_px, false),
                err);
}

int gm_cuda_small_look(struct gm_cuda_small *s, unsigned place, const AVFrame *picture,
                       struct gm_err *err)
{
    struct gm_sprite_args args = {.width = s->look.width_px, .height = s->look.height_px};
    GM_ASSERT(place < GM_CUDA_SMALL_LOOKS);
    int rc = take_looks(s, err);
    if (rc == 0) {
        rc = settle(s, launch_sprite(s, picture, &args, look_at(s, place), err), err);
    }
    return rc;
}

int gm_cuda_small_put(struct gm_cuda_small *s, unsigned place, struct gm_luma luma,
                      struct gm_err *err)
{
    GM_ASSERT(place < GM_CUDA_SMALL_LOOKS && luma.stride >= (ptrdiff_t)s->look.width_px);
    int rc = take_looks(s, err);
    if (rc < 0) {
        return rc;
    }
    const struct gm_cuda_copy_2d copy = {.src_type = GM_CUDA_HOST,
                                         .src_host = luma.samples,
                                         .src_pitch = (size_t)luma.stride,
                                         .dst_type = GM_CUDA_DEVICE,
                                         .dst_device = look_at(s, place),
                                         .dst_pitch = s->look.width_px,
                                         .width_bytes = s->look.width_px,
                                         .height = s->look.height_px};
    return settle(s, gm_gpu_copy(s->stream, &copy, err), err);
}

int gm_cuda_small_count(struct gm_cuda_small *s, struct gm_score_around around,
                        struct gm_score_sums *out, struct gm_err *err)
{
    struct gm_score_args args;
    struct gm_launch launch;
    uint32_t stride = s->look.width_px;
    int rc = take(s, &s->control, sizeof s->here, err);
    if (rc == 0) {
        rc = take_looks(s, err);
    }
    if (rc == 0) {
        rc = gm_score_prepare(s->look.width_px, s->look.height_px,
                              s->control + offsetof(struct control, score), 1, &args, &launch, err);
    }
    if (rc < 0) {
        return rc;
    }
    s->here = (struct control){.score = {.luma = look_at(s, 1),
                                         .before = around.before ? look_at(s, 0) : 0,
                                         .after = around.after ? look_at(s, 2) : 0,
                                         .sums = s->control + offsetof(struct control, sums),
                                         .stride = stride,
                                         .before_stride = stride,
                                         .after_stride = stride}};
    rc = gm_score_check(&args, &s->here.score, err);
    rc = rc < 0 ? rc : gm_gpu_upload(s->stream, s->control, &s->here, sizeof s->here, err);
    rc = rc < 0 ? rc : gm_gpu_launch(s->stream, &launch, &args, err);
    rc = rc < 0 ? rc
                : gm_gpu_download(s->stream, out, s->control + offsetof(struct control, sums),
                                  sizeof *out, err);
    return settle(s, rc, err);
}
