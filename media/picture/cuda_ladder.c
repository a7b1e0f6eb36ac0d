/* See cuda_ladder.h. One launch makes a picture's whole ladder. The kernel's plan holds the
 * watermarks that show: it is made anew when another set of them does. */
#include "media/picture/cuda_ladder.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "kernels/gpu.h"
#include "kernels/proof.h"
#include "media/av.h"
#include "media/device/cuda_picture.h"
#include "media/device/hw.h"
#include "media/device/packed.h"
#include "media/lanes.h"
#include "media/picture/cuda_mark.h"
#include "media/picture/cuda_tone.h"
#include "media/picture/planned.h"
#include "media/picture/sdr.h"

/* Of a rendition at once: queued, in work, held here, and libavcodec's, which are twelve with three
 * B pictures. */
#define PICTURES (GM_LANES_DEPTH + 1 + 1 + 12)

struct rung {
    AVBufferRef *pool;         /* owned */
    AVFrame *picture;          /* owned; NULL: none was made */
    AVFrame *packed;           /* owned: one from memory on its way; NULL: none came so far */
    struct gm_cuda_mark *mark; /* owned; NULL: none */
    struct gm_colour colour;
};

struct gm_cuda_ladder {
    uint32_t timescale;
    struct gm_planned planned; /* what pictures it takes */

    struct gm_gpu *gpu;           /* owned */
    struct gm_gpu_stream *stream; /* owned */
    struct gm_cuda_tone *tone;    /* owned; NULL: the light stays as it is */
    struct gm_ladder_params params;
    struct gm_ladder_params source; /* the same, of pictures as decoded */
    struct gm_ladder *ladder;       /* owned; NULL: not made yet */
    uint32_t marks;                 /* that it holds: a bit a rung */
    gm_addr plan, frame;            /* owned: of ladder; of `here` */
    struct gm_ladder_frame here;
    AVBufferRef *pool;   /* owned: of pictures that software decoded; NULL: none yet */
    AVFrame *packed;     /* owned: one of these on its way; NULL: none yet */
    AVBufferRef *device; /* owned reference */
    struct rung rungs[GM_LADDER_RUNGS];
};

static bool is_deep(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUV420P10LE;
}

bool gm_cuda_ladder_is_toned(const Gm__Policy *policy)
{
    return strcmp(policy->scaler, GM_CUDA_TONED) == 0;
}

/* Of what the ladder takes: mapped pictures are as deep as the deepest rendition. */
static bool is_fed_deep(const Gm__VideoFacts *v, const Gm__Policy *policy)
{
    bool deep = false;
    for (size_t i = 0; i < policy->n_renditions; i++) {
        deep = deep || is_deep(av_get_pix_fmt(policy->renditions[i]->pixel_format));
    }
    return gm_cuda_ladder_is_toned(policy) ? deep : is_deep(av_get_pix_fmt(v->pixel_format));
}

int gm_cuda_ladder_params(const Gm__VideoFacts *v, const Gm__Policy *policy,
                          struct gm_ladder_params *out, struct gm_err *err)
{
    struct gm_ladder_params p = {
        .width_px = v->width_px,
        .height_px = v->height_px,
        .turns = (uint32_t)((v->rotation_deg / 90 % 4 + 4) % 4),
        .mirror = v->flip,
        .chroma_x2 = 0, /* left, as every rendition has it */
        .chroma_y2 = 1,
        .rungs = (uint32_t)policy->n_renditions,
    };
    struct gm_ladder *tried = NULL;
    if (policy->n_renditions < 1 || policy->n_renditions > GM_LADDER_RUNGS) {
        return gm_err_set(err, GM_E_INVAL, 0, "The kernel makes 1 to %d renditions, not %zu",
                          GM_LADDER_RUNGS, policy->n_renditions);
    }
    p.deep = is_fed_deep(v, policy);
    if (v->crop != NULL) {
        p.width_px = v->crop->whole_width_px;
        p.height_px = v->crop->whole_height_px;
        p.crop_x_px = v->crop->x_px;
        p.crop_y_px = v->crop->y_px;
        p.crop_width_px = v->width_px;
        p.crop_height_px = v->height_px;
    }
    for (size_t i = 0; i < policy->n_renditions; i++) {
        const Gm__Rendition *r = policy->renditions[i];
        p.rung[i] = (struct gm_ladder_rung){.width_px = r->width_px,
                                            .height_px = r->height_px,
                                            .deep = is_deep(av_get_pix_fmt(r->pixel_format))};
    }
    int rc = gm_ladder_create(&p, &tried, err);
    gm_ladder_destroy(&tried);
    if (rc == 0) {
        *out = p;
    }
    return rc;
}

/* With the kernels proved: deep, of what the ladder takes; source_deep, of what sprites are made
 * of. */
static int open_gpu(const AVBufferRef *device, bool deep, bool source_deep, struct gm_gpu **out,
                    struct gm_err *err)
{
    char uuid[GM_CUDA_UUID_SIZE];
    struct gm_gpu *gpu = NULL;
    int rc = gm_hw_uuid(device, uuid, err);
    if (rc == 0) {
        rc = gm_gpu_open(uuid, GM_GPU_IMAGE_BEST, &gpu, err);
    }
    if (rc == 0) {
        rc = gm_gpu_prove_ladder(gpu, deep, err);
    }
    if (rc == 0) {
        rc = gm_gpu_prove_small(gpu, source_deep, err);
    }
    if (rc < 0) {
        gm_gpu_close(&gpu);
        return rc;
    }
    *out = gpu;
    return 0;
}

/* *out NULL: the light stays as it is. */
static int open_tone(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                     const struct gm_ladder_params *params, struct gm_gpu *gpu,
                     struct gm_cuda_tone **out, struct gm_err *err)
{
    const struct gm_cuda_tone_params tone = {
        .map = gm_sdr_table(policy->tone_map, gm_colour_of_source(facts)),
        .width_px = params->width_px,
        .height_px = params->height_px,
        .deep = params->deep};
    return gm_cuda_ladder_is_toned(policy) ? gm_cuda_tone_create(gpu, &tone, out, err) : 0;
}

int gm_cuda_ladder_try(const AVBufferRef *device, const Gm__VideoFacts *facts,
                       const Gm__Policy *policy, struct gm_err *err)
{
    struct gm_ladder_params params;
    struct gm_cuda_tone *tone = NULL;
    struct gm_gpu *gpu = NULL;
    int rc = gm_cuda_ladder_params(facts, policy, &params, err);
    if (rc == 0) {
        rc = open_gpu(device, params.deep, is_deep(av_get_pix_fmt(facts->pixel_format)), &gpu, err);
    }
    if (rc == 0) {
        rc = open_tone(policy, facts, &params, gpu, &tone, err);
    }
    if (rc == 0) {
        rc = gm_gpu_prove_ladder_of(gpu, &params, err);
    }
    gm_cuda_tone_destroy(&tone);
    gm_gpu_close(&gpu);
    return rc;
}

int gm_cuda_ladder_prove(const AVBufferRef *device, bool deep, struct gm_err *err)
{
    struct gm_gpu *gpu = NULL;
    int rc = open_gpu(device, deep, deep, &gpu, err);
    if (rc == 0 && deep) {
        rc = gm_cuda_tone_prove(gpu, err);
    }
    gm_gpu_close(&gpu);
    return rc;
}

static int make_rung(struct gm_cuda_ladder *l, const Gm__Rendition *r, const Gm__Pipeline *pipeline,
                     struct rung *rung, struct gm_err *err)
{
    const Gm__Watermark *how = r->encode != NULL ? r->encode->watermark : NULL;
    bool deep = is_deep(av_get_pix_fmt(r->pixel_format));
    rung->colour = gm_colour_of_rendition(r);
    const struct gm_cuda_pictures what = {deep ? 10 : 8, (int)r->width_px, (int)r->height_px,
                                          PICTURES};
    int rc = gm_cuda_picture_pool(l->device, &what, &rung->pool, err);
    if (rc == 0 && how != NULL) {
        rc = gm_cuda_mark_create(how, r, pipeline, &rung->mark, err);
    }
    return rc;
}

int gm_cuda_ladder_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                          const Gm__Pipeline *pipeline, AVBufferRef *device,
                          struct gm_cuda_ladder **out, struct gm_err *err)
{
    if (strcmp(policy->scaler, GM_CUDA_LADDER) != 0 && !gm_cuda_ladder_is_toned(policy)) {
        return gm_err_set(err, GM_E_BUG, 0, "The plan's scaler `%.40s` is not one of this build",
                          policy->scaler);
    }
    struct gm_cuda_ladder *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return gm_err_nomem(err);
    }
    l->timescale = policy->timescale;
    l->planned = gm_planned_of(facts);
    l->device = av_buffer_ref(device);
    int rc = l->device != NULL ? gm_cuda_ladder_params(facts, policy, &l->params, err)
                               : gm_err_nomem(err);
    if (rc == 0) {
        l->source = l->params;
        l->source.deep = is_deep(l->planned.format);
        rc = open_gpu(device, l->params.deep, l->source.deep, &l->gpu, err);
    }
    if (rc == 0) {
        rc = open_tone(policy, facts, &l->params, l->gpu, &l->tone, err);
    }
    if (rc == 0) {
        rc = gm_gpu_stream_create(l->gpu, &l->stream, err);
    }
    if (rc == 0) {
        rc = gm_gpu_alloc(l->gpu, sizeof l->here, &l->frame, err);
    }
    for (size_t i = 0; rc == 0 && i < policy->n_renditions; i++) {
        rc = make_rung(l, policy->renditions[i], pipeline, &l->rungs[i], err);
    }
    if (rc < 0) {
        gm_cuda_ladder_destroy(&l);
        return rc;
    }
    *out = l;
    return 0;
}

void gm_cuda_ladder_destroy(struct gm_cuda_ladder **ladder)
{
    struct gm_cuda_ladder *l = *ladder;
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < GM_LADDER_RUNGS; i++) {
        av_frame_free(&l->rungs[i].picture);
        av_frame_free(&l->rungs[i].packed);
        av_buffer_unref(&l->rungs[i].pool);
        gm_cuda_mark_destroy(&l->rungs[i].mark);
    }
    av_frame_free(&l->packed);
    av_buffer_unref(&l->pool);
    gm_ladder_destroy(&l->ladder);
    gm_cuda_tone_destroy(&l->tone);
    if (l->gpu != NULL) {
        gm_gpu_free(l->gpu, l->plan);
        gm_gpu_free(l->gpu, l->frame);
    }
    gm_gpu_stream_destroy(&l->stream);
    gm_gpu_close(&l->gpu);
    av_buffer_unref(&l->device);
    free(l);
    *ladder = NULL;
}

int gm_cuda_ladder_look(const struct gm_cuda_ladder *l, const AVFrame *p, const char **out_why,
                        struct gm_err *err)
{
    return gm_planned_look(&l->planned, p, out_why, err);
}

/* The kernel's plan with the watermarks that show at pts. */
static int prepare(struct gm_cuda_ladder *l, int64_t pts, struct gm_err *err)
{
    struct gm_ladder_params p = l->params;
    struct gm_ladder *made = NULL;
    uint32_t marks = 0;
    size_t size = 0;
    gm_addr at = 0;
    for (uint32_t i = 0; i < p.rungs; i++) {
        const struct gm_cuda_mark *mark = l->rungs[i].mark;
        if (mark != NULL && gm_cuda_mark_shows(mark, l->timescale, pts)) {
            p.rung[i].mark = gm_cuda_mark_get(mark);
            marks |= 1u << i;
        }
    }
    if (l->ladder != NULL && marks == l->marks) {
        return 0;
    }
    int rc = gm_ladder_create(&p, &made, err);
    if (rc < 0) {
        return rc;
    }
    const void *plan = gm_ladder_plan(made, &size);
    rc = gm_gpu_alloc(l->gpu, size, &at, err);
    if (rc == 0) {
        rc = gm_gpu_upload(l->stream, at, plan, size, err);
    }
    if (rc == 0) {
        rc = gm_gpu_sync(l->stream, err);
    }
    if (rc < 0) {
        gm_gpu_free(l->gpu, at);
        gm_ladder_destroy(&made);
        return rc;
    }
    gm_gpu_free(l->gpu, l->plan);
    gm_ladder_destroy(&l->ladder);
    l->plan = at;
    l->ladder = made;
    l->marks = marks;
    return 0;
}

/* Where pictures that come from memory go: one of the pool, by way of *packed, which is kept. */
struct way_up {
    AVBufferRef *pool;
    AVFrame **packed;
    bool deep;
};

/* *out owned. Queued: *packed is read until a sync. */
static int upload(struct gm_cuda_ladder *l, const struct way_up *w, const AVFrame *p, AVFrame **out,
                  struct gm_err *err)
{
    AVFrame *there = NULL;
    int rc = gm_cuda_picture_get(w->pool, &there, err);
    if (rc < 0) {
        return rc;
    }
    if (*w->packed == NULL) {
        *w->packed = gm_av_frame(gm_packed_format(w->deep ? 10 : 8), p->width, p->height);
    }
    const AVFrame *packed = *w->packed;
    rc = packed != NULL ? gm_packed_copy(p, *w->packed, err) : gm_err_nomem(err);
    struct gm_cuda_copy_2d copies[2];
    if (rc == 0) {
        const struct gm_cuda_place from = gm_cuda_picture_place(packed);
        gm_cuda_picture_copies(&from, there, copies);
    }
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = gm_gpu_copy(l->stream, &copies[i], err);
    }
    if (rc < 0) {
        av_frame_free(&there);
        return rc;
    }
    *out = there;
    return 0;
}

/* Of a picture that software decoded. */
static int upload_source(struct gm_cuda_ladder *l, const AVFrame *p, AVFrame **out,
                         struct gm_err *err)
{
    struct way_up w = {.packed = &l->packed, .deep = is_deep(l->planned.format)};
    const struct gm_cuda_pictures what = {w.deep ? 10 : 8, p->width, p->height, 0};
    int rc = gm_cuda_picture_repool(l->device, &what, &l->pool, err);
    w.pool = l->pool;
    return rc == 0 ? upload(l, &w, p, out, err) : rc;
}

/* f: taken. */
static void take(struct rung *r, AVFrame *f, int64_t pts)
{
    gm_planned_tell(r->colour, pts, f);
    av_frame_free(&r->picture);
    r->picture = f;
}

/* A new picture for the rung. */
static int renew(struct rung *r, int64_t pts, struct gm_err *err)
{
    AVFrame *f = NULL;
    int rc = gm_cuda_picture_get(r->pool, &f, err);
    if (rc == 0) {
        take(r, f, pts);
    }
    return rc;
}

static int launch(struct gm_cuda_ladder *l, const AVFrame *in, struct gm_err *err)
{
    struct gm_ladder_args args = {.plan = l->plan, .frames = l->frame};
    struct gm_launch how = gm_ladder_launch(l->ladder, 1);
    struct gm_surface source = gm_cuda_picture_surface(in);
    l->here = (struct gm_ladder_frame){.in = source};
    int rc = 0;
    if (l->tone != NULL) {
        rc = gm_cuda_tone_push(l->tone, l->stream, &source, &l->here.in, err);
    }
    for (uint32_t i = 0; i < l->params.rungs; i++) {
        l->here.out[i] = gm_cuda_picture_surface(l->rungs[i].picture);
    }
    if (rc == 0) {
        rc = gm_ladder_check(l->ladder, &l->here, err);
    }
    if (rc == 0) {
        rc = gm_gpu_upload(l->stream, l->frame, &l->here, sizeof l->here, err);
    }
    return rc == 0 ? gm_gpu_launch(l->stream, &how, &args, err) : rc;
}

int gm_cuda_ladder_push(struct gm_cuda_ladder *l, const AVFrame *picture, int64_t pts,
                        struct gm_err *err)
{
    AVFrame *there = NULL;
    int rc = prepare(l, pts, err);
    for (uint32_t i = 0; rc == 0 && i < l->params.rungs; i++) {
        rc = renew(&l->rungs[i], pts, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (!gm_cuda_picture_is(picture)) {
        rc = upload_source(l, picture, &there, err);
    }
    if (rc == 0) {
        rc = launch(l, there != NULL ? there : picture, err);
    }
    /* Nothing orders encoders after this stream, and what comes next writes to the same memory. */
    int ended = gm_gpu_sync(l->stream, rc == 0 ? err : NULL);
    av_frame_free(&there);
    return rc < 0 ? rc : ended;
}

int gm_cuda_ladder_lift(struct gm_cuda_ladder *l, size_t rendition, const AVFrame *picture,
                        struct gm_err *err)
{
    GM_ASSERT(rendition < l->params.rungs);
    struct rung *r = &l->rungs[rendition];
    struct way_up w = {r->pool, &r->packed, l->params.rung[rendition].deep};
    AVFrame *there = NULL;
    int rc = upload(l, &w, picture, &there, err);
    int ended = gm_gpu_sync(l->stream, rc == 0 ? err : NULL);
    if (rc == 0 && ended == 0) {
        take(r, there, picture->pts);
        there = NULL;
    }
    av_frame_free(&there);
    return rc < 0 ? rc : ended;
}

AVFrame *gm_cuda_ladder_get(struct gm_cuda_ladder *l, size_t rendition)
{
    GM_ASSERT(rendition < l->params.rungs && l->rungs[rendition].picture != NULL);
    return l->rungs[rendition].picture;
}

AVBufferRef *gm_cuda_ladder_pool(struct gm_cuda_ladder *l, size_t rendition)
{
    GM_ASSERT(rendition < l->params.rungs);
    return l->rungs[rendition].pool;
}

const struct gm_ladder_params *gm_cuda_ladder_what(const struct gm_cuda_ladder *l)
{
    return &l->source;
}

struct gm_gpu *gm_cuda_ladder_gpu(struct gm_cuda_ladder *l)
{
    return l->gpu;
}
