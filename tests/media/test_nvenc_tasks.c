/* plan, encode and verify on the chain nvenc, over the fake drivers of tests/drivers: which encoder
 * is used where, what comes of failures. Nothing here says anything about a real encoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/compare.h"
#include "media/fake_gpu_io.h"
#include "media/folder_io.h"
#include "media/graph.h"
#include "proto/envelope.h"

/* 9 s, 25 frames a second, keyframes every 40 frames: 2 chunks of 6 and 3 seconds. */
#define FRAMES 225
#define CHUNKS 2

static char source_path[CLIP_PATH_MAX];
static struct clip *source;

static int make_source(void **state)
{
    (void)state;
    source = clip_make_file("libx264", "preset=veryfast,bf=2,g=40,a53cc=1", FRAMES, source_path);
    return 0;
}

static int remove_source(void **state)
{
    (void)state;
    clip_free_file(&source, source_path);
    return 0;
}

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("the task succeeds", __FILE__, __LINE__);
    }
}

struct job {
    Gm__Pipeline *pipeline;
    struct folder_io *f;
    Gm__Chain chain;
};

static Gm__EncodeParams *encode_params(const Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        if (strcmp(pipeline->tasks[i]->type, "encode") == 0) {
            return pipeline->tasks[i]->encode;
        }
    }
    abort();
}

static int run(const struct job *j, const char *task, struct gm_err *err)
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

/* The clip is 96x80: below what NVENC makes, so the profile says other limits. */
#define SMALL                                                                                      \
    "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n"                                  \
    "encode h264 8 16x16 4096x4096 3\n encode hevc 8,10 16x16 4096x4096 3\n"

/* qp: -1: crf 23 below the ladder's cap. */
static void job_open(struct job *j, const char *codec, int qp, const char *lines)
{
    const struct folder_pipeline params = {.preset = "medium", .qp_plus_1 = qp + 1};
    struct gm_err err;
    fake_gpu_profile("none", SMALL);
    j->pipeline = folder_pipeline(&params);
    set_string(&encode_params(j->pipeline)->codec, codec);
    gm__chain__init(&j->chain);
    j->chain.name = "nvenc";
    j->chain.fingerprint = "fake L4/550.54.15-fake";
    must(folder_io_create(source_path, j->pipeline, &j->f, &err), &err);
    folder_io_set_chain(j->f, &j->chain, "0000:05:00.0");
    must(run(j, "inspect", &err), &err);
    must(run(j, "plan", &err), &err);
    must(run(j, "split", &err), &err);
    if (lines != NULL) {
        char text[512];
        (void)snprintf(text, sizeof text, SMALL "%s", lines);
        fake_gpu_profile("none", text);
    }
}

static void job_close(struct job *j)
{
    folder_io_destroy(&j->f);
    gm__pipeline__free_unpacked(j->pipeline, NULL);
}

static Gm__Policy *policy_of(const struct job *j)
{
    const Gm__TaskResult *r = folder_io_result(j->f, "plan", 0);
    CHECK(r != NULL);
    Gm__Policy *p = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
    CHECK(p != NULL);
    return p;
}

/* Init segment and all segments of the only rendition, as a clip. */
static struct clip *join(const struct job *j, const Gm__Policy *policy)
{
    struct gm_buf all = {0};
    char path[4096 + 16];
    gm_buf_add(&all, policy->renditions[0]->init_segment.data,
               policy->renditions[0]->init_segment.len);
    for (uint32_t i = 0; i < CHUNKS; i++) {
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
    must(gm_decoder_open(c->par, c->time_base, &ctx, &err), &err);
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
    must(gm_graph_push(p->graph, copy, (int64_t)i, &err), &err);
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
static void check_captions(const struct job *j, const Gm__Policy *policy)
{
    struct captions *want = calloc(2, sizeof *want);
    struct clip *made = join(j, policy);
    CHECK(want != NULL);
    decode(source, see, &want[0]);
    decode(made, see, &want[1]);
    CHECK(want[0].size[0] > 0 && want[0].size[FRAMES - 1] > 0);
    CHECK(memcmp(&want[0], &want[1], sizeof *want) == 0);
    clip_free(&made);
    free(want);
}

/* Each picture is like its own of the source after the plan's filters, and none is missing. */
static void check_frames(const struct job *j, const Gm__Policy *policy, double least)
{
    const Gm__Rendition *r = policy->renditions[0];
    struct gm_graph_output o = {.filters = r->filters,
                                .width_px = r->width_px,
                                .height_px = r->height_px,
                                .format = AV_PIX_FMT_YUV420P};
    struct pictures p = {.worst = 100};
    struct gm_err err;
    struct clip *made = join(j, policy);
    must(gm_graph_create(&o, 1, 12800, &p.graph, &err), &err);
    decode(source, filter, &p);
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

struct wish {
    const char *codec;
    int qp;
};

static void make_it(const void *arg)
{
    const struct wish *w = arg;
    struct job j;
    struct gm_err err;
    job_open(&j, w->codec, w->qp, "sessions 1\n"); /* one rendition: never more than one session */
    Gm__Policy *policy = policy_of(&j);
    CHECK(strcmp(policy->chain, "nvenc") == 0);
    CHECK(strncmp(policy->chain_fingerprint, "nvenc:lavc-", 11) == 0);
    CHECK(strstr(policy->chain_fingerprint, ":fake L4/550.54.15-fake") != NULL);
    CHECK(policy->n_renditions == 1 && (policy->renditions[0]->maxrate_bps > 0) == (w->qp < 0));
    must(run(&j, "encode", &err), &err);
    CHECK(folder_io_items(j.f, "encode", 0, 0) == CHUNKS);
    folder_io_set_chain(j.f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < CHUNKS; i++) {
        must(folder_io_verify(j.f, "encode", 0, 0, i, &err), &err);
    }
    check_frames(&j, policy, w->qp < 0 ? 0 : 30); /* the cap is too low to be seen through */
    check_captions(&j, policy);
    gm__policy__free_unpacked(policy, NULL);
    job_close(&j);
}

static void a_job_on_nvenc_has_every_frame(void **state)
{
    (void)state;
    static const struct wish wishes[] = {{"h264", 17}, {"hevc", 17}, {"h264", -1}, {"hevc", -1}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(make_it, &wishes[i]), 0);
    }
}

struct failure {
    const char *lines;
    enum gm_code code;
};

static void fail_encode(const void *arg)
{
    const struct failure *f = arg;
    struct job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, f->lines);
    int rc = run(&j, "encode", &err);
    if (rc != -(int)f->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", f->lines, rc, err.text);
        fake_gpu_fail("the task fails with this code", __FILE__, __LINE__);
    }
    job_close(&j);
}

static void a_device_that_fails_ends_the_task_with_its_code(void **state)
{
    (void)state;
    static const struct failure failures[] = {
        {"fault encode lost at=100\n", GM_E_DEVICE_LOST},
        {"fault encode-open lost\n", GM_E_DEVICE_LOST},
        {"fault encode-open oom\n", GM_E_DEVICE_BUSY},
        {"fault context oom\n", GM_E_DEVICE_MEMORY},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_encode, &failures[i]), 0);
    }
}

/* The GPU that plans has B pictures, the one that encodes has none: other parameter sets. */
static void mix_chips(const void *arg)
{
    (void)arg;
    struct job j;
    struct gm_err err = {0};
    job_open(&j, "hevc", 17, NULL);
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode hevc 8 16x16 4096x4096 0\n");
    int rc = run(&j, "encode", &err);
    if (rc != -GM_E_MEDIA_VERIFY || strstr(err.text, "other parameter sets") == NULL) {
        (void)fprintf(stderr, "%d: %s\n", rc, err.text);
        fake_gpu_fail("it is found", __FILE__, __LINE__);
    }
    job_close(&j);
}

static void another_chip_is_found_by_its_parameter_sets(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(mix_chips, NULL), 0);
}

/* Bits that no decoder takes are found by verify, or by the writer before: never taken. */
static void spoil(const void *arg)
{
    (void)arg;
    struct job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, "fault encode corrupt\n");
    int rc = run(&j, "encode", &err);
    if (rc == 0) {
        rc = folder_io_verify(j.f, "encode", 0, 0, 0, &err);
    }
    if (rc != -GM_E_MEDIA_VERIFY) {
        (void)fprintf(stderr, "%d: %s\n", rc, err.text);
        fake_gpu_fail("it is found", __FILE__, __LINE__);
    }
    job_close(&j);
}

static void spoilt_bits_are_found(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(spoil, NULL), 0);
}

static void change_chain(const void *arg)
{
    (void)arg;
    struct job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, NULL);
    folder_io_set_chain(j.f, NULL, NULL);
    CHECK(run(&j, "encode", &err) == -GM_E_BUG);
    CHECK(strstr(err.text, "nvenc") != NULL);
    Gm__Chain vaapi = GM__CHAIN__INIT;
    vaapi.name = "vaapi";
    folder_io_set_chain(j.f, &vaapi, NULL);
    CHECK(run(&j, "encode", &err) == -GM_E_BUG);
    CHECK(run(&j, "plan", &err) == -GM_E_INVAL);
    folder_io_set_chain(j.f, NULL, NULL);
    must(run(&j, "plan", &err), &err);
    Gm__Policy *policy = policy_of(&j);
    CHECK(strcmp(policy->chain, "cpu") == 0);
    CHECK(strncmp(policy->chain_fingerprint, "cpu:x264-", 9) == 0);
    gm__policy__free_unpacked(policy, NULL);
    folder_io_set_chain(j.f, &j.chain, NULL);
    CHECK(run(&j, "encode", &err) == -GM_E_BUG);
    job_close(&j);
}

static void a_task_for_another_chain_than_the_plan_is_a_bug(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(change_chain, NULL), 0);
}

static void refuse_plan(const void *arg)
{
    (void)arg;
    struct job j;
    struct gm_err err = {0};
    job_open(&j, "h264", -1, NULL);
    Gm__EncodeParams *p = encode_params(j.pipeline);
    p->crf = 0;
    CHECK(run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    p->crf = 23;
    p->bitrate_bps = 500000;
    CHECK(run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    CHECK(strstr(err.text, "bitrate") != NULL);
    p->bitrate_bps = 0;
    fake_gpu_profile("none", "gpu 0000:05:00.0\n encoders 1\n encode h264 8 145x49 4096x4096 3\n");
    CHECK(run(&j, "plan", &err) == -GM_E_PIPELINE_UNFIT);
    CHECK(strstr(err.text, "145x49") != NULL);
    job_close(&j);
}

static void what_nvenc_can_not_do_ends_the_plan(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse_plan, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_on_nvenc_has_every_frame),
        cmocka_unit_test(a_device_that_fails_ends_the_task_with_its_code),
        cmocka_unit_test(another_chip_is_found_by_its_parameter_sets),
        cmocka_unit_test(spoilt_bits_are_found),
        cmocka_unit_test(a_task_for_another_chain_than_the_plan_is_a_bug),
        cmocka_unit_test(what_nvenc_can_not_do_ends_the_plan),
    };
    return cmocka_run_group_tests(tests, make_source, remove_source);
}
