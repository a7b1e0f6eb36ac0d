#include "media/device_job_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "media/av.h"
#include "media/fake_gpu_io.h"
#include "media/picture/compare.h"
#include "media/picture/graph.h"
#include "proto/envelope.h"

/* 9 s, 25 frames a second, keyframes every 40 frames: 2 chunks of 6 and 3 seconds. */
#define FRAMES 225

int device_job_make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=40,a53cc=1", FRAMES);
    return 0;
}

void device_job_must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("the task succeeds", __FILE__, __LINE__);
    }
}

Gm__EncodeParams *device_job_params(const Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        if (strcmp(pipeline->tasks[i]->type, "encode") == 0) {
            return pipeline->tasks[i]->encode;
        }
    }
    abort();
}

int device_job_run(const struct device_job *j, const char *task, struct gm_err *err)
{
    struct folder_run r = {.task = task};
    int64_t chunk = -1;
    return folder_io_run(j->f, &r, &chunk, err);
}

static void set_string(char **to, const char *value)
{
    free(*to == (char *)protobuf_c_empty_string ? NULL : *to);
    *to = strdup(value);
}

void device_job_open(struct device_job *j, const struct device_job_on *on, const char *codec,
                     int qp, const char *lines)
{
    const struct folder_pipeline params = {.preset = "medium", .qp_plus_1 = qp + 1};
    struct gm_err err;
    char profile[512];
    fake_gpu_profile(on->base, on->gpu);
    j->pipeline = folder_pipeline(&params);
    set_string(&device_job_params(j->pipeline)->codec, codec);
    gm__chain__init(&j->chain);
    j->chain.name = (char *)(uintptr_t)on->chain;
    j->chain.fingerprint = "fake chip/1.0-fake";
    device_job_must(folder_io_create(clip_source()->path, j->pipeline, &j->f, &err), &err);
    folder_io_set_chain(j->f, &j->chain, on->device);
    device_job_must(device_job_run(j, "inspect", &err), &err);
    device_job_must(device_job_run(j, "plan", &err), &err);
    device_job_must(device_job_run(j, "split", &err), &err);
    int size = snprintf(profile, sizeof profile, "%s%s", on->gpu, lines);
    CHECK(size >= 0 && (size_t)size < sizeof profile);
    fake_gpu_profile(on->base, profile);
}

void device_job_close(struct device_job *j)
{
    folder_io_destroy(&j->f);
    gm__pipeline__free_unpacked(j->pipeline, NULL);
}

Gm__Policy *device_job_policy(const struct device_job *j)
{
    const Gm__TaskResult *r = folder_io_result(j->f, "plan", 0);
    CHECK(r != NULL);
    Gm__Policy *p = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
    CHECK(p != NULL);
    return p;
}

/* Init segment and all segments of the only rendition, as a clip. */
static struct clip *join(const struct device_job *j, const Gm__Policy *policy)
{
    struct gm_buf all = {0};
    char path[4096 + 16];
    gm_buf_add(&all, policy->renditions[0]->init_segment.data,
               policy->renditions[0]->init_segment.len);
    for (uint32_t i = 0; i < DEVICE_JOB_CHUNKS; i++) {
        const Gm__Item *item = folder_io_item(j->f, "encode", 0, 0, i);
        CHECK(item != NULL);
        for (size_t k = 0; k < item->n_objects; k++) {
            char from[4096];
            uint8_t *data = NULL;
            size_t size = 0;
            folder_io_path(j->f, item->objects[k], from);
            CHECK(gm_fs_read(from, 1 << 28, &data, &size, NULL) == 0);
            gm_buf_add(&all, data, size);
            free(data);
        }
    }
    (void)snprintf(path, sizeof path, "%s/joined.mp4", folder_io_dir(j->f));
    CHECK(gm_fs_write_atomic(path, all.data, all.size, NULL) == 0);
    gm_buf_fini(&all);
    return clip_load(path);
}

static void decode(const struct clip *c, void (*each)(void *arg, const AVFrame *frame, size_t i),
                   void *arg)
{
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    size_t n = 0;
    struct gm_err err;
    device_job_must(gm_decoder_open(c->par, c->time_base, &ctx, &err), &err);
    for (size_t i = 0; i <= c->packet_count; i++) {
        CHECK(avcodec_send_packet(ctx, i < c->packet_count ? c->packets[i] : NULL) >= 0);
        while (avcodec_receive_frame(ctx, frame) >= 0) {
            each(arg, frame, n++);
            av_frame_unref(frame);
        }
    }
    CHECK(n == FRAMES);
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

struct pictures {
    struct gm_graph *graph;
    AVFrame *all[FRAMES];
    double worst;
};

static void filter(void *arg, const AVFrame *frame, size_t i)
{
    struct pictures *p = arg;
    struct gm_err err;
    AVFrame *copy = av_frame_clone(frame);
    CHECK(i < FRAMES && copy != NULL);
    device_job_must(gm_graph_push(p->graph, copy, (int64_t)i, &err), &err);
    p->all[i] = av_frame_clone(gm_graph_get(p->graph, 0));
    CHECK(p->all[i] != NULL);
    av_frame_free(&copy);
}

static void compare(void *arg, const AVFrame *frame, size_t i)
{
    struct pictures *p = arg;
    struct gm_compare sum = {0};
    CHECK(i < FRAMES && gm_compare_add(&sum, p->all[i], frame, NULL) == 0);
    double psnr = gm_compare_psnr(gm_compare_mse(&sum));
    p->worst = psnr < p->worst ? psnr : p->worst;
}

struct captions {
    uint8_t data[FRAMES][96];
    size_t size[FRAMES];
};

static void see(void *arg, const AVFrame *frame, size_t i)
{
    struct captions *c = arg;
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    CHECK(i < FRAMES && (side == NULL || side->size <= sizeof c->data[0]));
    if (side != NULL) {
        memcpy(c->data[i], side->data, side->size);
        c->size[i] = side->size;
    }
}

/* Each picture has its own captions, once. */
static void check_captions(const struct device_job *j, const Gm__Policy *policy)
{
    struct captions *want = calloc(2, sizeof *want);
    struct clip *made = join(j, policy);
    CHECK(want != NULL);
    decode(clip_source()->clip, see, &want[0]);
    decode(made, see, &want[1]);
    CHECK(want[0].size[0] > 0 && want[0].size[FRAMES - 1] > 0);
    CHECK(memcmp(&want[0], &want[1], sizeof *want) == 0);
    clip_free(&made);
    free(want);
}

/* Each picture is like its own of the source after the plan's filters, and none is missing. */
static void check_frames(const struct device_job *j, const Gm__Policy *policy, double least)
{
    const Gm__Rendition *r = policy->renditions[0];
    struct gm_graph_output o = {.filters = r->filters,
                                .width_px = r->width_px,
                                .height_px = r->height_px,
                                .format = AV_PIX_FMT_YUV420P};
    struct pictures p = {.worst = 100};
    struct gm_err err;
    struct clip *made = join(j, policy);
    device_job_must(gm_graph_create(&o, 1, 12800, &p.graph, &err), &err);
    decode(clip_source()->clip, filter, &p);
    decode(made, compare, &p);
    if (p.worst <= least) {
        (void)fprintf(stderr, "worst PSNR %.1f\n", p.worst);
        fake_gpu_fail("every picture is its own", __FILE__, __LINE__);
    }
    for (size_t i = 0; i < FRAMES; i++) {
        av_frame_free(&p.all[i]);
    }
    gm_graph_destroy(&p.graph);
    clip_free(&made);
}

void device_job_check(const struct device_job *j, const Gm__Policy *policy, double least)
{
    check_frames(j, policy, least);
    check_captions(j, policy);
}

void device_job_makes(const void *arg)
{
    const struct device_job_wish *w = arg;
    struct device_job j;
    struct gm_err err;
    device_job_open(&j, w->on, w->codec, w->qp, w->lines);
    Gm__Policy *policy = device_job_policy(&j);
    char build[32];
    int size = snprintf(build, sizeof build, "%s:lavc-", w->on->chain);
    CHECK(strcmp(policy->chain, w->on->chain) == 0);
    CHECK(strncmp(policy->chain_fingerprint, build, (size_t)size) == 0);
    CHECK(strstr(policy->chain_fingerprint, w->driver) != NULL);
    CHECK(strstr(policy->chain_fingerprint, ":fake chip/1.0-fake") != NULL);
    CHECK(policy->n_renditions == 1 && (policy->renditions[0]->maxrate_bps > 0) == (w->qp < 0));
    device_job_must(device_job_run(&j, "encode", &err), &err);
    CHECK(folder_io_items(j.f, "encode", 0, 0) == DEVICE_JOB_CHUNKS);
    folder_io_set_chain(j.f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < DEVICE_JOB_CHUNKS; i++) {
        device_job_must(folder_io_verify(j.f, "encode", 0, 0, i, &err), &err);
    }
    device_job_check(&j, policy, w->qp < 0 ? 0 : 30); /* the cap is too low to be seen through */
    gm__policy__free_unpacked(policy, NULL);
    device_job_close(&j);
}

void device_job_fails(const void *arg)
{
    const struct device_job_failure *f = arg;
    struct device_job j;
    struct gm_err err = {0};
    device_job_open(&j, f->on, "h264", -1, f->lines);
    int rc = device_job_run(&j, "encode", &err);
    if (rc == 0 && f->code == GM_E_MEDIA_VERIFY) {
        rc = folder_io_verify(j.f, "encode", 0, 0, 0, &err);
    }
    if (rc != -(int)f->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", f->lines, rc, err.text);
        fake_gpu_fail("the task fails with this code", __FILE__, __LINE__);
    }
    device_job_close(&j);
}

void device_job_is_mixed(const void *arg)
{
    const struct device_job_mix *m = arg;
    struct device_job j;
    struct gm_err err = {0};
    device_job_open(&j, m->on, m->codec, 17, "");
    fake_gpu_profile("none", m->gpu);
    int rc = device_job_run(&j, "encode", &err);
    if (rc != -GM_E_MEDIA_VERIFY || strstr(err.text, "other parameter sets") == NULL) {
        (void)fprintf(stderr, "%d: %s\n", rc, err.text);
        fake_gpu_fail("it is found", __FILE__, __LINE__);
    }
    device_job_close(&j);
}
