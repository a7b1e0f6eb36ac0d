#include "hwtest/counter.h"

#include <stdlib.h>

#include "hwtest/picture.h"
#include "kernels/reference.h"
#include "media/picture/compare.h"

struct work { /* of a launch, in the device's memory */
    struct gm_compare_frame frame;
    struct gm_likeness likeness;
};

struct gm_hwtest_counter {
    struct gm_gpu *gpu; /* borrowed */
    struct gm_gpu_stream *stream;
    gm_addr work;    /* of struct work */
    gm_addr picture; /* room bytes: what the device's is compared with */
    size_t room;
};

static bool is_deep(const AVFrame *f)
{
    return f->format == AV_PIX_FMT_YUV420P10LE;
}

int gm_hwtest_counter_create(struct gm_gpu *gpu, struct gm_hwtest_counter **out, struct gm_err *err)
{
    struct gm_hwtest_counter *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return gm_err_nomem(err);
    }
    c->gpu = gpu;
    int rc = gm_gpu_stream_create(gpu, &c->stream, err);
    rc = rc < 0 ? rc : gm_gpu_alloc(gpu, sizeof(struct work), &c->work, err);
    if (rc < 0) {
        gm_hwtest_counter_destroy(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void gm_hwtest_counter_destroy(struct gm_hwtest_counter **counter)
{
    struct gm_hwtest_counter *c = *counter;
    if (c != NULL) {
        gm_gpu_free(c->gpu, c->picture);
        gm_gpu_free(c->gpu, c->work);
        gm_gpu_stream_destroy(&c->stream);
        free(c);
        *counter = NULL;
    }
}

static int make_room(struct gm_hwtest_counter *c, size_t size, struct gm_err *err)
{
    if (size <= c->room) {
        return 0;
    }
    gm_gpu_free(c->gpu, c->picture);
    c->picture = 0;
    c->room = 0;
    int rc = gm_gpu_alloc(c->gpu, size, &c->picture, err);
    c->room = rc == 0 ? size : 0;
    return rc;
}

/* here as the kernels take it. out: fini in any case. */
static int pack(const AVFrame *here, struct gm_hwtest_picture *out, struct gm_err *err)
{
    int rc = gm_hwtest_picture_init(out, (uint32_t)here->width, (uint32_t)here->height,
                                    is_deep(here), 0, err);
    if (rc == 0) {
        gm_hwtest_picture_take(out, here);
    }
    return rc;
}

/* What was queued has ended when this returns, whatever it returns. */
static int run(struct gm_hwtest_counter *c, const struct gm_surface *there,
               const struct gm_hwtest_picture *here, struct gm_likeness *out, struct gm_err *err)
{
    struct gm_compare_args args = {0};
    struct gm_launch launch = {0};
    struct gm_err late;
    struct work work = {.frame = {.a = *there,
                                  .b = gm_hwtest_picture_at(here, c->picture),
                                  .likeness = c->work + offsetof(struct work, likeness)}};
    int rc = gm_compare_prepare(here->width_px, here->height_px, here->deep,
                                c->work + offsetof(struct work, frame), 1, &args, &launch, err);
    rc = rc < 0 ? rc : gm_compare_check(&args, &work.frame, err);
    rc = rc < 0 ? rc : gm_gpu_upload(c->stream, c->picture, here->memory, here->size, err);
    rc = rc < 0 ? rc : gm_gpu_upload(c->stream, c->work, &work, sizeof(work), err);
    rc = rc < 0 ? rc : gm_gpu_launch(c->stream, &launch, &args, err);
    rc = rc < 0 ? rc : gm_gpu_download(c->stream, out, work.frame.likeness, sizeof(*out), err);
    int ended = gm_gpu_sync(c->stream, rc < 0 ? &late : err);
    return rc < 0 ? rc : ended;
}

int gm_hwtest_counter_there(struct gm_hwtest_counter *c, const struct gm_surface *there,
                            const AVFrame *here, struct gm_likeness *out, struct gm_err *err)
{
    struct gm_hwtest_picture packed = {0};
    int rc = pack(here, &packed, err);
    rc = rc < 0 ? rc : make_room(c, packed.size, err);
    rc = rc < 0 ? rc : run(c, there, &packed, out, err);
    gm_hwtest_picture_fini(&packed);
    return rc;
}

int gm_hwtest_counter_here(const AVFrame *a, const AVFrame *b, struct gm_likeness *out,
                           struct gm_err *err)
{
    struct gm_hwtest_picture one = {0}, two = {0};
    struct gm_compare_args args = {0};
    struct gm_launch launch = {0};
    struct gm_compare_frame frame = {0};
    GM_ASSERT(a->format == b->format && a->width == b->width && a->height == b->height);
    int rc = pack(a, &one, err);
    rc = rc < 0 ? rc : pack(b, &two, err);
    rc = rc < 0 ? rc
                : gm_compare_prepare(one.width_px, one.height_px, one.deep, (uintptr_t)&frame, 1,
                                     &args, &launch, err);
    if (rc == 0) {
        *out = (struct gm_likeness){{0}, {0}, {0}};
        frame = (struct gm_compare_frame){one.surface, two.surface, (uintptr_t)out};
        gm_reference_compare(&args, &frame, out);
    }
    gm_hwtest_picture_fini(&one);
    gm_hwtest_picture_fini(&two);
    return rc;
}

double gm_hwtest_counter_psnr(const struct gm_likeness *sums, uint32_t width_px, uint32_t height_px,
                              bool deep, uint32_t pictures)
{
    const double peak = deep ? 1023 : 255;
    const double luma = (double)width_px * height_px;
    const uint32_t half_w = (width_px + 1) / 2, half_h = (height_px + 1) / 2;
    const double chroma = (double)half_w * half_h;
    double error = (double)sums->error[0] + (double)sums->error[1] + (double)sums->error[2];
    return gm_compare_psnr(error / ((luma + 2 * chroma) * pictures * peak * peak));
}
