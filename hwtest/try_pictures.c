/* Pictures that stay on the device: NVDEC's through the device's ladder, against those of the
 * software decoder through the kernel's CPU build; and how like they are to the clip, counted on
 * the device. No encoder is needed. */
#include "hwtest/asked.h"
#include "hwtest/clip.h"
#include "hwtest/counter.h"
#include "hwtest/farm_decode.h"
#include "hwtest/level1.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <string.h>

#include "kernels/twin.h"
#include "media/av.h"
#include "media/decode/nvdec.h"
#include "media/device/cuda_picture.h"
#include "media/device/hw.h"
#include "media/device/packed.h"
#include "media/picture/cuda_ladder.h"

#define CRF 2600 /* hundredths */
#define RUNGS 3

struct scene {
    struct gm_hwtest_asked asked;
    struct gm_ladder_params params;
    struct gm_ladder *ladder;          /* owned: of the CPU build */
    AVBufferRef *device;               /* owned */
    struct gm_cuda_ladder *cuda;       /* owned */
    AVBufferRef *pool;                 /* owned: of nvdec's pictures */
    struct gm_nvdec *nvdec;            /* owned */
    struct gm_hwtest_stream stream;    /* owned */
    struct gm_hwtest_pictures pattern; /* owned */
    struct gm_hwtest_pictures decoded; /* owned: by software */
    struct gm_hwtest_counter *counter; /* owned; of cuda's GPU */
    int count, good, first;        /* came out; right in all rungs; the first wrong one, or -1 */
    struct gm_likeness sums;       /* of the first rung and the clip through the CPU build */
    int miscounted;                /* the first picture whose sums are not the processor's, or -1 */
    double worst_psnr, worst_ssim; /* of the farthest wrong one, from what it should be */
    int worst;                     /* which, or -1 */
};

/* Turned, and one rung in the other depth. */
static void ask(const struct gm_hwtest_try *work, struct gm_hwtest_asked *a)
{
    const struct gm_hwtest_size rungs[RUNGS] = {
        {GM_HWTEST_HEIGHT_PX, GM_HWTEST_WIDTH_PX, work->depth},
        {128, 222, work->depth == 8 ? 10 : 8},
        {72, 128, work->depth}};
    gm_hwtest_ask((struct gm_hwtest_size){GM_HWTEST_WIDTH_PX, GM_HWTEST_HEIGHT_PX, work->depth}, 90,
                  rungs, RUNGS, a);
}

static int open_scene(const struct gm_hwtest_try *work, struct scene *s, struct gm_err *err)
{
    const struct gm_hwtest_encoding how = {
        .codec = work->codec, .depth = work->depth, .crf_centi = CRF};
    const char *why = NULL;
    ask(work, &s->asked);
    int rc = gm_hwtest_pattern(work->depth, &s->pattern, err);
    rc = rc < 0 ? rc : gm_hwtest_encode(&how, &s->pattern, &s->stream, err);
    rc = rc < 0 ? rc
                : gm_hwtest_decode_software(&s->stream, 0, s->stream.count, work->depth,
                                            &s->decoded, err);
    rc = rc < 0 ? rc : gm_cuda_ladder_params(&s->asked.facts, &s->asked.policy, &s->params, err);
    rc = rc < 0 ? rc : gm_ladder_create(&s->params, &s->ladder, err);
    rc = rc < 0 ? rc : gm_hw_open(work->device, &s->device, err);
    rc = rc < 0 ? rc
                : gm_cuda_ladder_create(&s->asked.policy, &s->asked.facts, &s->asked.pipeline,
                                        s->device, &s->cuda, err);
    rc = rc < 0 ? rc : gm_hwtest_counter_create(gm_cuda_ladder_gpu(s->cuda), &s->counter, err);
    if (rc < 0) {
        return rc;
    }
    s->stream.par->profile = gm_hwtest_farm_profile(work->codec, work->depth);
    rc = gm_nvdec_open(s->device, s->stream.par, &s->pool, &s->nvdec, &why, err);
    return rc == 0 && s->nvdec == NULL
               ? gm_err_set(err, GM_E_MEDIA, 0, "NVDEC does not take the clip: %s", why)
               : rc;
}

static void close_scene(struct scene *s)
{
    gm_nvdec_close(&s->nvdec);
    av_buffer_unref(&s->pool);
    gm_hwtest_counter_destroy(&s->counter);
    gm_cuda_ladder_destroy(&s->cuda);
    gm_ladder_destroy(&s->ladder);
    av_buffer_unref(&s->device);
    gm_hwtest_pictures_fini(&s->pattern);
    gm_hwtest_pictures_fini(&s->decoded);
    gm_hwtest_stream_fini(&s->stream);
}

/* What the CPU build makes of f; out: owned, also on failure. */
static int refer(const struct scene *s, const AVFrame *f, AVFrame *out[RUNGS], struct gm_err *err)
{
    size_t size = 0;
    AVFrame *in = gm_av_frame(gm_packed_format(s->params.deep ? 10 : 8), f->width, f->height);
    AVFrame *packed[RUNGS] = {NULL};
    struct gm_ladder_frame frame = {0};
    struct gm_launch launch = gm_ladder_launch(s->ladder, 1);
    struct gm_ladder_args args = {.plan = (uintptr_t)gm_ladder_plan(s->ladder, &size),
                                  .frames = (uintptr_t)&frame};
    int rc = in == NULL ? gm_err_nomem(err) : gm_packed_copy(f, in, err);
    for (int i = 0; rc == 0 && i < RUNGS; i++) {
        const struct gm_ladder_rung *r = &s->params.rung[i];
        int width = (int)r->width_px, height = (int)r->height_px;
        packed[i] = gm_av_frame(gm_packed_format(r->deep ? 10 : 8), width, height);
        out[i] = gm_av_frame(r->deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P, width, height);
        rc = packed[i] == NULL || out[i] == NULL ? gm_err_nomem(err) : 0;
        if (rc == 0) {
            frame.out[i] = gm_cuda_picture_surface(packed[i]); /* the same of memory */
        }
    }
    if (rc == 0) {
        frame.in = gm_cuda_picture_surface(in);
        rc = gm_twin_run(&launch, &args, err);
    }
    for (int i = 0; i < RUNGS; i++) {
        rc = rc != 0 ? rc : gm_packed_copy(packed[i], out[i], err);
        av_frame_free(&packed[i]);
    }
    av_frame_free(&in);
    return rc;
}

/* How far a rung of a wrong picture is from what it should be. */
static int look_at(struct scene *s, int index, const AVFrame *want, const AVFrame *got,
                   struct gm_err *err)
{
    struct gm_likeness l;
    const struct gm_surface there = gm_cuda_picture_surface(got);
    int rc = gm_hwtest_counter_there(s->counter, &there, want, &l, err);
    if (rc < 0) {
        return rc;
    }
    const uint32_t w = (uint32_t)want->width, h = (uint32_t)want->height;
    double psnr = gm_hwtest_counter_psnr(&l, w, h, want->format == AV_PIX_FMT_YUV420P10LE, 1);
    if (s->worst < 0 || psnr < s->worst_psnr) {
        s->worst = index;
        s->worst_psnr = psnr;
        s->worst_ssim = gm_likeness_ssim(&l, w, h);
    }
    return 0;
}

/* The first rung beside the clip's own picture: there, and the same here of what came down. */
static int count(struct scene *s, int index, const AVFrame *there, const AVFrame *here,
                 struct gm_err *err)
{
    struct gm_hwtest_pictures own = {.count = RUNGS};
    struct gm_likeness got, want;
    const struct gm_surface surface = gm_cuda_picture_surface(there);
    int rc = refer(s, s->pattern.frame[index], own.frame, err);
    rc = rc < 0 ? rc : gm_hwtest_counter_there(s->counter, &surface, own.frame[0], &got, err);
    rc = rc < 0 ? rc : gm_hwtest_counter_here(here, own.frame[0], &want, err);
    for (int i = 0; rc == 0 && i < 3; i++) {
        s->sums.error[i] += got.error[i];
        s->sums.ssim[i] += got.ssim[i];
        s->sums.windows[i] += got.windows[i];
    }
    if (rc == 0 && s->miscounted < 0 && memcmp(&got, &want, sizeof(got)) != 0) {
        s->miscounted = index;
    }
    gm_hwtest_pictures_fini(&own);
    return rc;
}

/* A picture of NVDEC's, the next in order, through the ladder. */
static int take(struct scene *s, const AVFrame *f, struct gm_err *err)
{
    struct gm_hwtest_pictures want = {0}, got = {0};
    int index = s->count++;
    if (index >= s->decoded.count) {
        return 0;
    }
    int rc = gm_cuda_ladder_push(s->cuda, f, f->pts, err);
    want.count = RUNGS;
    rc = rc < 0 ? rc : refer(s, s->decoded.frame[index], want.frame, err);
    for (size_t i = 0; rc == 0 && i < RUNGS; i++) {
        rc = gm_cuda_picture_download(gm_cuda_ladder_get(s->cuda, i), &got.frame[i], err);
        got.count += rc == 0;
    }
    int wrong = rc != 0 ? -1 : gm_hwtest_first_difference(&want, &got);
    rc = rc != 0 ? rc : count(s, index, gm_cuda_ladder_get(s->cuda, 0), got.frame[0], err);
    if (rc == 0 && wrong < 0) {
        s->good++;
    } else if (rc == 0) {
        s->first = s->first < 0 ? index : s->first;
        for (size_t i = 0; rc == 0 && i < RUNGS; i++) { /* those that are right change nothing */
            rc = look_at(s, index, want.frame[i], gm_cuda_ladder_get(s->cuda, i), err);
        }
    }
    gm_hwtest_pictures_fini(&want);
    gm_hwtest_pictures_fini(&got);
    return rc;
}

static int run(struct scene *s, struct gm_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i <= s->stream.count; i++) {
        const char *why = NULL;
        const AVPacket *packet = i < s->stream.count ? s->stream.packets[i] : NULL;
        rc = gm_nvdec_send(s->nvdec, packet, (uint64_t)i, &why, err);
        if (rc == 0 && why != NULL) {
            rc = gm_err_set(err, GM_E_MEDIA_VERIFY, i, "NVDEC did not take packet %d: %s", i, why);
        }
        for (AVFrame *f = gm_nvdec_take(s->nvdec); f != NULL; f = gm_nvdec_take(s->nvdec)) {
            rc = rc < 0 ? rc : take(s, f, err);
            av_frame_free(&f);
        }
    }
    return rc;
}

static int report_exactness(const struct gm_hwtest_try *work, const struct scene *s,
                            struct gm_hwtest_report *report, struct gm_err *err)
{
    const double all = GM_HWTEST_FRAMES;
    char text[240], far[100] = "";
    struct gm_hwtest_check c = gm_hwtest_try_check(work, "");
    gm_hwtest_measure(&c, s->good, "pictures", &all, &all);
    if (s->worst >= 0) {
        (void)snprintf(far, sizeof(far), "; %d is the farthest off, %.1f dB and SSIM %.4f",
                       s->worst, s->worst_psnr, s->worst_ssim);
    }
    if (s->count != GM_HWTEST_FRAMES || s->good != s->count) {
        c.status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text),
                       "%d pictures came out, the first wrong one is %d (-1: none)%s", s->count,
                       s->first, far);
        gm_hwtest_set(c.remedy, gm_hwtest_remedy(work->api));
    } else {
        (void)snprintf(text, sizeof(text),
                       "decoded and scaled there, all are those of the processor to the bit");
    }
    gm_hwtest_set(c.text, text);
    return gm_hwtest_add(report, &c, err);
}

/* The clip beside what was decoded there. */
static int report_likeness(const struct gm_hwtest_try *work, const struct scene *s,
                           struct gm_hwtest_report *report, struct gm_err *err)
{
    char text[200];
    const struct gm_ladder_rung *r = &s->params.rung[0];
    uint32_t pictures = (uint32_t)(s->count < s->decoded.count ? s->count : s->decoded.count);
    if (pictures == 0) {
        return 0; /* the row above says so */
    }
    double ssim = gm_likeness_ssim(&s->sums, r->width_px, r->height_px);
    double psnr = gm_hwtest_counter_psnr(&s->sums, r->width_px, r->height_px, r->deep, pictures);
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".psnr");
    gm_hwtest_measure(&c, psnr, "dB", NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    (void)snprintf(text, sizeof(text),
                   "beside the clip, counted there (SSIM %.4f): the processor's sums to the bit",
                   ssim);
    if (s->miscounted >= 0) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.remedy, gm_hwtest_remedy(work->api));
        (void)snprintf(text, sizeof(text),
                       "the kernel `compare` does not count in picture %d what the processor does",
                       s->miscounted);
    }
    gm_hwtest_set(c.text, text);
    return gm_hwtest_add(report, &c, err);
}

int gm_hwtest_try_pictures(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                           struct gm_err *err)
{
    struct scene s = {.first = -1, .miscounted = -1, .worst = -1};
    struct gm_err why = {.code = GM_OK};
    int rc = open_scene(work, &s, &why);
    rc = rc < 0 ? rc : run(&s, &why);
    if (rc < 0) {
        rc = gm_hwtest_try_failed(work, &why, report, err);
    } else {
        rc = report_exactness(work, &s, report, err);
        rc = rc < 0 ? rc : report_likeness(work, &s, report, err);
    }
    close_scene(&s);
    return rc;
}
