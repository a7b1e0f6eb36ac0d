/* Jobs on the chain nvenc whose plan scales on the GPU, over the fake drivers of tests/drivers:
 * what the plan says, the same bytes whoever decodes, and what comes of failures. Nothing here says
 * anything about a real GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "media/device_job_io.h"
#include "media/fake_gpu_io.h"
#include "media/movie_io.h"
#include "media/picture/cuda_ladder.h"

#define GPU                                                                                        \
    "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n decoders 2\n"                     \
    "encode h264 8 16x16 4096x4096 3\n encode hevc 8,10 16x16 4096x4096 3\n"                       \
    "decode h264 8 420 48x16 4096x4096\n decode hevc 8,10 420 48x16 4096x4096\n"
#define SOFTWARE "fault decode-caps unsupported\n"
#define FRAMES 50 /* 2 s */

/* A source and what is made of it. */
struct wish {
    const char *encoder, *options; /* of the source */
    enum AVPixelFormat format;
    int turn_deg;
    const char *codec;
    bool deep, keep, thumbnails, quality; /* keep: HDR; quality: crf below a cap, whose chunks may
                                             come again */
    bool toned;                           /* HDR becomes SDR */
};

struct job {
    Gm__Pipeline *pipeline; /* owned, as f */
    struct folder_io *f;
    char source[4096];
    Gm__Chain chain;
};

static void set_string(char **to, const char *value)
{
    free(*to == (char *)protobuf_c_empty_string ? NULL : *to);
    *to = strdup(value);
}

static int run(const struct job *j, const char *task, struct gm_err *err)
{
    struct folder_run r = {.task = task};
    int64_t chunk = -1;
    return folder_io_run(j->f, &r, &chunk, err);
}

static void profile(const char *lines)
{
    char text[1024];
    (void)snprintf(text, sizeof text, GPU "%s", lines);
    fake_gpu_profile("none", text);
}

/* Inspected; lines: of the profile from the first. */
static void open_job(struct job *j, const struct wish *w, const char *lines)
{
    static const uint32_t ladder[] = {80, 48};
    const struct folder_pipeline params = {.ladder = ladder,
                                           .rungs = 2,
                                           .preset = "medium",
                                           .qp_plus_1 = w->quality ? 0 : 24,
                                           .thumbnails = w->thumbnails};
    struct clip *c = clip_make_sized(w->encoder, w->options, FRAMES, 96, 80, w->format);
    struct movie movie = {.format = "mp4", .turn_deg = w->turn_deg};
    struct gm_err err;
    profile(lines);
    movie_write(c, &movie, j->source);
    clip_free(&c);
    j->pipeline = folder_pipeline(&params);
    set_string(&device_job_params(j->pipeline)->codec, w->codec);
    device_job_params(j->pipeline)->bit_depth = w->deep ? 10 : 8;
    set_string(&device_job_params(j->pipeline)->hdr, w->keep ? "keep" : "sdr");
    gm__chain__init(&j->chain);
    j->chain.name = "nvenc";
    j->chain.fingerprint = "fake chip | 1.0-fake" GM_CUDA_LADDER_MARK;
    device_job_must(folder_io_create(j->source, j->pipeline, &j->f, &err), &err);
    folder_io_set_chain(j->f, &j->chain, "0000:05:00.0");
    device_job_must(run(j, "inspect", &err), &err);
}

static void close_job(struct job *j)
{
    folder_io_destroy(&j->f);
    gm__pipeline__free_unpacked(j->pipeline, NULL);
    movie_remove(j->source);
}

static void plan_and_split(const struct job *j)
{
    struct gm_err err;
    device_job_must(run(j, "plan", &err), &err);
    device_job_must(run(j, "split", &err), &err);
}

static Gm__Policy *policy_of(const struct job *j)
{
    const Gm__TaskResult *r = folder_io_result(j->f, "plan", 0);
    CHECK(r != NULL);
    Gm__Policy *p = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
    CHECK(p != NULL);
    return p;
}

/* What encode made of all chunks, and what it said of them. */
struct made {
    uint8_t sha256[32]; /* of all segments, tiles and candidates of the poster, by their hashes */
    uint8_t images[32]; /* of the latter alone, with scores */
    char scaler[16], scaler_reason[96], decoder[16], images_by[16];
    size_t files, in_software; /* in_software: chunks */
};

static void encode(const struct job *j, struct made *out)
{
    struct gm_err err;
    struct gm_sha256 *h = gm_sha256_create(), *images = gm_sha256_create();
    memset(out, 0, sizeof *out);
    device_job_must(run(j, "encode", &err), &err);
    uint32_t chunks = folder_io_items(j->f, "encode", 0, 0);
    CHECK(chunks > 0);
    for (uint32_t i = 0; i < chunks; i++) {
        const Gm__Item *item = folder_io_item(j->f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        CHECK(m != NULL);
        for (size_t k = 0; k < m->n_renditions; k++) {
            for (size_t s = 0; s < m->renditions[k]->n_segments; s++) {
                const Gm__SegmentMeta *segment = m->renditions[k]->segments[s];
                gm_sha256_update(h, segment->sha256.data, segment->sha256.len);
                out->files++;
            }
        }
        struct gm_sha256 *both[] = {h, images};
        for (int k = 0; k < 2; k++) {
            gm_sha256_update(both[k], m->tiles_name, strlen(m->tiles_name));
            gm_sha256_update(both[k], m->poster_name, strlen(m->poster_name));
            gm_sha256_update(both[k], &m->poster_score, sizeof m->poster_score);
        }
        CHECK(i == 0 || strcmp(out->images_by, m->images_by) == 0);
        (void)snprintf(out->images_by, sizeof out->images_by, "%s", m->images_by);
        CHECK(i == 0 || strcmp(out->scaler, m->scaler) == 0);
        (void)snprintf(out->scaler, sizeof out->scaler, "%s", m->scaler);
        (void)snprintf(out->scaler_reason, sizeof out->scaler_reason, "%s", m->scaler_reason);
        (void)snprintf(out->decoder, sizeof out->decoder, "%s", m->decoder);
        out->in_software += strcmp(m->decoder, "software") == 0;
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    gm_sha256_final(h, out->sha256);
    gm_sha256_final(images, out->images);
    gm_sha256_destroy(&h);
    gm_sha256_destroy(&images);
    folder_io_set_chain(j->f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < chunks; i++) {
        device_job_must(folder_io_verify(j->f, "encode", 0, 0, i, &err), &err);
    }
    folder_io_set_chain(j->f, &j->chain, "0000:05:00.0");
}

static void check_scaled(const struct made *m, const char *scaler, const char *reason,
                         const char *decoder)
{
    if (strcmp(m->scaler, scaler) != 0 || strstr(m->scaler_reason, reason) == NULL ||
        (reason[0] == '\0' && m->scaler_reason[0] != '\0') || strcmp(m->decoder, decoder) != 0) {
        (void)fprintf(stderr, "scaled by %s (%s), decoded by %s\n", m->scaler, m->scaler_reason,
                      m->decoder);
        fake_gpu_fail("it is made as it should be", __FILE__, __LINE__);
    }
}

/* What the processors' own chain makes for images: made is the device's, of the same source. In
 * H.264: what is encoded does not matter, and libx265 takes no such small pictures. */
static void check_images(const struct job *j, const struct made *made)
{
    struct made here;
    set_string(&device_job_params(j->pipeline)->codec, "h264");
    device_job_params(j->pipeline)->bit_depth = 8;
    set_string(&device_job_params(j->pipeline)->hdr, "sdr");
    folder_io_set_chain(j->f, NULL, NULL);
    plan_and_split(j);
    encode(j, &here);
    CHECK(strcmp(made->images_by, "cuda") == 0 && strcmp(here.images_by, "software") == 0);
    CHECK(memcmp(made->images, here.images, 32) == 0);
    CHECK(memcmp(made->sha256, here.sha256, 32) != 0);
}

static void same_bytes(const void *arg)
{
    const struct wish *w = arg;
    struct job j;
    struct made there, here, again;
    struct fake_gpu_memory memory;
    open_job(&j, w, "");
    plan_and_split(&j);
    fake_gpu_memory_hold(&memory);
    Gm__Policy *p = policy_of(&j);
    CHECK(strcmp(p->scaler, w->toned ? GM_CUDA_TONED : GM_CUDA_LADDER) == 0);
    CHECK(p->scaler_reason[0] == '\0');
    CHECK(strstr(p->chain_fingerprint, w->toned ? ":" GM_CUDA_TONED ":" : ":" GM_CUDA_LADDER ":") !=
          NULL);
    CHECK(p->n_renditions == 2);
    encode(&j, &there);
    check_scaled(&there, "cuda", "", "nvdec");
    profile(SOFTWARE);
    encode(&j, &here);
    check_scaled(&here, "cuda", "", "software");
    CHECK(there.files == here.files && memcmp(there.sha256, here.sha256, 32) == 0);
    profile("");
    encode(&j, &again);
    CHECK(memcmp(there.sha256, again.sha256, 32) == 0);
    fake_gpu_memory_check(&memory);
    gm__policy__free_unpacked(p, NULL);
    if (w->thumbnails) {
        CHECK(strcmp(here.images_by, "software") == 0);
        check_images(&j, &there);
    }
    close_job(&j);
}

static const struct wish h264 = {.encoder = "libx264",
                                 .options = "preset=veryfast,bf=2,g=40",
                                 .format = AV_PIX_FMT_YUV420P,
                                 .codec = "h264"};

static void bytes_do_not_depend_on_the_decoder(void **state)
{
    static const struct wish wishes[] = {
        {.encoder = "libx264",
         .options = "preset=veryfast,bf=2,g=40",
         .format = AV_PIX_FMT_YUV420P,
         .codec = "h264",
         .thumbnails = true,
         .quality = true},
        {.encoder = "libx264",
         .options = "preset=veryfast,bf=2,g=40",
         .format = AV_PIX_FMT_YUV420P,
         .turn_deg = 90,
         .codec = "hevc",
         .thumbnails = true},
        {.encoder = "libx265",
         .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:bframes=2",
         .format = AV_PIX_FMT_YUV420P10LE,
         .codec = "hevc",
         .deep = true},
        {.encoder = "libx265",
         .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:colorprim=bt2020:"
                    "transfer=smpte2084:colormatrix=bt2020nc",
         .format = AV_PIX_FMT_YUV420P10LE,
         .codec = "hevc",
         .deep = true,
         .keep = true,
         .thumbnails = true},
        {.encoder = "libx265",
         .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:colorprim=bt2020:"
                    "transfer=smpte2084:colormatrix=bt2020nc",
         .format = AV_PIX_FMT_YUV420P10LE,
         .turn_deg = 270,
         .codec = "h264",
         .thumbnails = true,
         .toned = true},
        {.encoder = "libx265",
         .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:colorprim=bt2020:"
                    "transfer=arib-std-b67:colormatrix=bt2020nc",
         .format = AV_PIX_FMT_YUV420P10LE,
         .codec = "hevc",
         .deep = true,
         .toned = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(same_bytes, &wishes[i]), 0);
    }
}

/* Damage makes a chunk begin again in software, in the middle of its pictures. */
static void damaged(const void *arg)
{
    struct job j;
    struct made there, here;
    struct fake_gpu_memory memory;
    open_job(&j, arg, "");
    plan_and_split(&j);
    fake_gpu_memory_hold(&memory);
    profile(SOFTWARE);
    encode(&j, &here);
    profile("fault show wrong at=7\n"); /* the parser leaves a picture out */
    encode(&j, &there);
    CHECK(strcmp(there.scaler, "cuda") == 0 && there.in_software > 0);
    CHECK(memcmp(there.sha256, here.sha256, 32) == 0);
    fake_gpu_memory_check(&memory);
    close_job(&j);
}

static void a_chunk_that_begins_again_in_software_has_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(damaged, &h264), 0);
}

/* The source's facts say another colour than its pictures do: none of them is the plan's. */
static void mistaken(const void *arg)
{
    struct job j;
    struct made there, here;
    open_job(&j, arg, "");
    plan_and_split(&j);
    Gm__TaskResult *r = (Gm__TaskResult *)(uintptr_t)folder_io_result(j.f, "inspect", 0);
    Gm__Inspection *facts = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
    CHECK(facts != NULL && facts->video != NULL);
    set_string(&facts->video->matrix, "bt470bg");
    free(r->meta.data);
    r->meta.len = gm__inspection__get_packed_size(facts);
    r->meta.data = malloc(r->meta.len);
    CHECK(r->meta.data != NULL);
    gm__inspection__pack(facts, r->meta.data);
    gm__inspection__free_unpacked(facts, NULL);
    encode(&j, &there);
    check_scaled(&there, "software", "not of the colour", "nvdec");
    profile(SOFTWARE);
    encode(&j, &here);
    check_scaled(&here, "software", "not of the colour", "software");
    CHECK(memcmp(there.sha256, here.sha256, 32) == 0);
    close_job(&j);
}

static void pictures_that_are_not_the_plans_go_through_memory(void **state)
{
    static const struct wish wish = {
        .encoder = "libx264",
        .options = "preset=veryfast,bf=2,g=40,x264-params=colormatrix=smpte170m",
        .format = AV_PIX_FMT_YUV420P,
        .codec = "h264",
        .thumbnails = true};
    (void)state;
    assert_int_equal(fake_gpu_run(mistaken, &wish), 0);
}

/* What the plan says, and with what lines of the profile. */
struct refusal {
    const char *reason, *lines;
    const struct wish *wish;
    const char *deinterlace;
    bool warns;
};

static void refuse(const void *arg)
{
    const struct refusal *want = arg;
    struct job j;
    struct made m;
    open_job(&j, want->wish, want->lines);
    set_string(&device_job_params(j.pipeline)->deinterlace, want->deinterlace);
    plan_and_split(&j);
    Gm__Policy *p = policy_of(&j);
    if (p->scaler[0] != '\0' || strstr(p->scaler_reason, want->reason) == NULL) {
        (void)fprintf(stderr, "`%s`: `%s`\n", p->scaler, p->scaler_reason);
        fake_gpu_fail("the plan says so", __FILE__, __LINE__);
    }
    CHECK(strstr(p->chain_fingerprint, ":" GM_CUDA_LADDER) == NULL);
    bool warned = false;
    for (size_t i = 0; i < p->n_warnings; i++) {
        warned = warned || (strcmp(p->warnings[i]->code, "plan.scaler") == 0 &&
                            strstr(p->warnings[i]->text, want->reason) != NULL);
    }
    CHECK(warned == want->warns);
    gm__policy__free_unpacked(p, NULL);
    encode(&j, &m);
    check_scaled(&m, "software", want->reason, "nvdec");
    close_job(&j);
}

static void what_the_kernel_does_not_do_is_planned_for_software(void **state)
{
    static const struct wish full = {.encoder = "libx264",
                                     .options = "preset=veryfast,g=40",
                                     .format = AV_PIX_FMT_YUVJ420P,
                                     .codec = "h264"};
    static const struct wish hdr = {
        .encoder = "libx265",
        .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:colorprim=bt2020:"
                   "transfer=smpte2084:colormatrix=bt2020nc",
        .format = AV_PIX_FMT_YUV420P10LE,
        .codec = "h264"};
    static const struct refusal refusals[] = {
        {"deinterlaced", "", &h264, "on", false},
        {"not 4:2:0", "", &full, "off", false},
        {"refuses the kernel", "fault module unsupported\n", &h264, "off", true},
        {"refuses the kernel", "fault launch invalid\n", &h264, "off", true},
        {"other bits", "fault launch wrong\n", &h264, "off", true},
        {"other bits", "fault launch wrong at=4\n", &h264, "off", true}, /* of small pictures */
        {"other bits", "fault launch wrong at=5\n", &h264, "off", true}, /* of their score */
        {"other bits", "fault launch wrong at=6\n", &h264, "off", true}, /* of the job's ladder */
        {"other bits", "fault launch wrong at=6\n", &hdr, "off", true},  /* of its light */
    };
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (fake_gpu_run(refuse, &refusals[i]) != 0) {
            fail_msg("%s", refusals[i].reason);
        }
    }
}

struct failure {
    const char *lines;
    enum gm_code code;
    bool at_plan;
};

static void fail_so(const void *arg)
{
    const struct failure *want = arg;
    struct fake_gpu_memory memory;
    struct job j;
    struct gm_err err = {0};
    int rc = 0;
    open_job(&j, &h264, "");
    fake_gpu_memory_hold(&memory);
    if (!want->at_plan) {
        plan_and_split(&j);
    }
    profile(want->lines);
    rc = run(&j, want->at_plan ? "plan" : "encode", &err);
    if (rc != -(int)want->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", want->lines, rc, err.text);
        fake_gpu_fail("it fails with this code", __FILE__, __LINE__);
    }
    profile("");
    fake_gpu_memory_check(&memory);
    close_job(&j);
}

static void failures_of_the_kernel_are_the_devices(void **state)
{
    static const struct failure failures[] = {
        {"fault launch lost\n", GM_E_DEVICE_LOST, true},
        {"fault module oom\n", GM_E_DEVICE_MEMORY, true},
        {"fault launch wrong\n", GM_E_MEDIA_VERIFY, false},
        {"fault module unsupported\n", GM_E_DEVICE_DRIVER, false},
        {"fault launch lost at=30\n", GM_E_DEVICE_LOST, false},
        {"fault launch error at=30\n", GM_E_DEVICE_LOST, false},
        {"fault alloc oom at=20\n", GM_E_DEVICE_MEMORY, false},
        {"memory-mib 60\nfault register oom at=3\n", GM_E_DEVICE_MEMORY, false},
        {"fault register error at=3\n", GM_E_DEVICE_LOST, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (fake_gpu_run(fail_so, &failures[i]) != 0) {
            fail_msg("%s", failures[i].lines);
        }
    }
}

static void plan_elsewhere(const void *arg)
{
    struct job j;
    struct gm_err err = {0};
    (void)arg;
    open_job(&j, &h264, "");
    folder_io_set_chain(j.f, NULL, NULL);
    device_job_must(run(&j, "plan", &err), &err);
    Gm__Policy *p = policy_of(&j);
    CHECK(p->scaler[0] == '\0' && p->scaler_reason[0] == '\0');
    CHECK(strstr(p->chain_fingerprint, "ladder") == NULL);
    gm__policy__free_unpacked(p, NULL);
    close_job(&j);
}

static void plans_for_the_processors_say_nothing_of_it(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(plan_elsewhere, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_do_not_depend_on_the_decoder),
        cmocka_unit_test(a_chunk_that_begins_again_in_software_has_the_same_bytes),
        cmocka_unit_test(pictures_that_are_not_the_plans_go_through_memory),
        cmocka_unit_test(what_the_kernel_does_not_do_is_planned_for_software),
        cmocka_unit_test(failures_of_the_kernel_are_the_devices),
        cmocka_unit_test(plans_for_the_processors_say_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
