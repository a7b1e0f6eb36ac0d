/* Jobs on the chain vaapi whose plan scales by the driver, over the fake VA driver of
 * tests/drivers: what the plan says, the same bytes whoever decodes, and what comes of failures.
 * Nothing here says anything about a real driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/log.h>

#include "common/hash.h"
#include "media/device_job_io.h"
#include "media/fake_gpu_io.h"
#include "media/movie_io.h"
#include "media/picture/va_ladder.h"
#include "media/vaapi_io.h"

#define SCALES "scale yes\n"
#define FRAMES 50 /* 2 s */

static const char *const DECODES[] = {"h264", "hevc", "hevc10", "vp9", NULL};

/* A source and what is made of it. */
struct wish {
    const char *encoder, *options; /* of the source */
    enum AVPixelFormat format;
    int turn_deg;
    const char *codec;
    bool deep, thumbnails, quality; /* quality: crf below a cap, whose chunks may come again */
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

/* Inspected; lines: of the profile from the first. */
static void open_job(struct job *j, const struct wish *w, const char *lines)
{
    static const uint32_t ladder[] = {80, 64};
    const struct folder_pipeline params = {.ladder = ladder,
                                           .rungs = 2,
                                           .preset = "medium",
                                           .qp_plus_1 = w->quality ? 0 : 24,
                                           .thumbnails = w->thumbnails};
    struct clip *c = clip_make_sized(w->encoder, w->options, FRAMES, 170, 80, w->format);
    struct movie movie = {.format = "mp4", .turn_deg = w->turn_deg};
    struct gm_err err;
    fake_gpu_profile("arc", lines);
    movie_write(c, &movie, j->source);
    clip_free(&c);
    j->pipeline = folder_pipeline(&params);
    set_string(&device_job_params(j->pipeline)->codec, w->codec);
    device_job_params(j->pipeline)->bit_depth = w->deep ? 10 : 8;
    gm__chain__init(&j->chain);
    j->chain.name = "vaapi";
    j->chain.fingerprint =
        "fake chip | 1.0-fake" GM_VA_LADDER_MARK " 8:0123456789abcdef 10:0123456789abcdef";
    device_job_must(folder_io_create(j->source, j->pipeline, &j->f, &err), &err);
    folder_io_set_chain(j->f, &j->chain, VAAPI_NODE);
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

/* What encode made of all chunks, and what it said of the last one. */
struct made {
    uint8_t sha256[32]; /* of all segments, tiles and candidates of the poster, by their hashes */
    char scaler[16], scaler_reason[96], decoder[16], decoder_reason[96];
    size_t files;
};

/* By whom: NULL: software decodes. */
static void encode(const struct job *j, const char *decoder, struct made *out)
{
    struct gm_err err;
    struct gm_sha256 *h = gm_sha256_create();
    memset(out, 0, sizeof *out);
    folder_io_set_decoder(j->f, "vaapi", decoder, DECODES);
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
        gm_sha256_update(h, m->tiles_name, strlen(m->tiles_name));
        gm_sha256_update(h, m->poster_name, strlen(m->poster_name));
        (void)snprintf(out->scaler, sizeof out->scaler, "%s", m->scaler);
        (void)snprintf(out->scaler_reason, sizeof out->scaler_reason, "%s", m->scaler_reason);
        (void)snprintf(out->decoder, sizeof out->decoder, "%s", m->decoder);
        (void)snprintf(out->decoder_reason, sizeof out->decoder_reason, "%s", m->decoder_reason);
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    gm_sha256_final(h, out->sha256);
    gm_sha256_destroy(&h);
    folder_io_set_chain(j->f, NULL, NULL); /* verify runs anywhere */
    for (uint32_t i = 0; i < chunks; i++) {
        device_job_must(folder_io_verify(j->f, "encode", 0, 0, i, &err), &err);
    }
    folder_io_set_chain(j->f, &j->chain, VAAPI_NODE);
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

static void check_same(const struct made *a, const struct made *b)
{
    CHECK(a->files == b->files && memcmp(a->sha256, b->sha256, 32) == 0);
}

static void same_bytes(const void *arg)
{
    const struct wish *w = arg;
    struct job j;
    struct made there, here, mixed, plain;
    open_job(&j, w, SCALES);
    plan_and_split(&j);
    Gm__Policy *p = policy_of(&j);
    CHECK(strcmp(p->scaler, GM_VA_LADDER) == 0 && p->scaler_reason[0] == '\0');
    CHECK(strstr(p->chain_fingerprint, ":" GM_VA_LADDER ":") != NULL && p->n_renditions == 2);
    CHECK(p->scaler_bits.len == GM_SHA256_SIZE);
    gm__policy__free_unpacked(p, NULL);
    encode(&j, VAAPI_NODE, &there);
    check_scaled(&there, "vaapi", "", "vaapi");
    encode(&j, NULL, &here);
    check_scaled(&here, "vaapi", "", "software");
    check_same(&there, &here);
    fake_gpu_profile("arc", SCALES "fault decode corrupt at=7\n"); /* then in software, again */
    encode(&j, VAAPI_NODE, &mixed);
    check_scaled(&mixed, "vaapi", "", "software");
    check_same(&there, &mixed);
    fake_gpu_profile("arc", "");
    plan_and_split(&j);
    encode(&j, VAAPI_NODE, &plain);
    check_scaled(&plain, "software", "does not scale", "vaapi");
    CHECK(plain.files == there.files && memcmp(plain.sha256, there.sha256, 32) != 0);
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
        {.encoder = "libx265",
         .options = "preset=ultrafast,x265-params=log-level=none:keyint=40:bframes=2",
         .format = AV_PIX_FMT_YUV420P10LE,
         .codec = "hevc",
         .deep = true},
        {.encoder = "libvpx-vp9",
         .options = "deadline=realtime,cpu-used=8,g=40",
         .format = AV_PIX_FMT_YUV420P,
         .codec = "hevc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(fake_gpu_run(same_bytes, &wishes[i]), 0);
    }
}

/* Pictures go to memory and back for the proofs, and for two keyframes that software decodes too.
 */
static void stay(const void *arg)
{
    struct job j;
    struct made m;
    struct gm_err err;
    open_job(&j, arg, SCALES);
    plan_and_split(&j);
    fake_gpu_profile("arc", SCALES "fault copy lost at=40\n");
    encode(&j, VAAPI_NODE, &m);
    check_scaled(&m, "vaapi", "", "vaapi");
    folder_io_set_decoder(j.f, "vaapi", NULL, DECODES);
    CHECK(run(&j, "encode", &err) == -GM_E_DEVICE_LOST); /* each of software's goes up */
    close_job(&j);
}

static void pictures_stay_on_the_device(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(stay, &h264), 0);
}

/* The source's facts say another colour than its pictures do: none of them is the plan's. */
static void mistaken(const void *arg)
{
    struct job j;
    struct made there, here;
    open_job(&j, arg, SCALES);
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
    encode(&j, VAAPI_NODE, &there);
    check_scaled(&there, "software", "not of the colour", "vaapi");
    encode(&j, NULL, &here);
    check_scaled(&here, "software", "not of the colour", "software");
    check_same(&there, &here);
    close_job(&j);
}

static void pictures_that_are_not_the_plans_go_through_memory(void **state)
{
    static const struct wish wish = {
        .encoder = "libx264",
        .options = "preset=veryfast,bf=2,g=40,x264-params=colormatrix=smpte170m",
        .format = AV_PIX_FMT_YUV420P,
        .codec = "h264"};
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
    CHECK(strstr(p->chain_fingerprint, ":" GM_VA_LADDER ":") == NULL && p->scaler_bits.len == 0);
    bool warned = false;
    for (size_t i = 0; i < p->n_warnings; i++) {
        warned = warned || (strcmp(p->warnings[i]->code, "plan.scaler") == 0 &&
                            strstr(p->warnings[i]->text, want->reason) != NULL);
    }
    CHECK(warned == want->warns);
    gm__policy__free_unpacked(p, NULL);
    encode(&j, VAAPI_NODE, &m);
    check_scaled(&m, "software", want->reason, "vaapi");
    close_job(&j);
}

static void what_the_driver_is_not_asked_for_is_planned_for_software(void **state)
{
    static const struct wish turned = {.encoder = "libx264",
                                       .options = "preset=veryfast,g=40",
                                       .format = AV_PIX_FMT_YUV420P,
                                       .turn_deg = 180,
                                       .codec = "h264"};
    static const struct wish shallower = {
        .encoder = "libx265",
        .options = "preset=ultrafast,x265-params=log-level=none:keyint=40",
        .format = AV_PIX_FMT_YUV420P10LE,
        .codec = "h264"};
    static const struct refusal refusals[] = {
        {"does not scale", "", &h264, "off", false},
        {"turned", SCALES, &turned, "off", false},
        {"depth", SCALES, &shallower, "off", false},
        {"deinterlaced", SCALES, &h264, "on", false},
        {"does not scale", SCALES "fault scale-open unsupported\n", &h264, "off", false},
        {"does not scale", SCALES "fault scale-open error\n", &h264, "off", false},
        {"does not scale", SCALES "fault scale-open oom\n", &h264, "off", false},
        {"fails to scale", SCALES "fault scale error\n", &h264, "off", true},
        {"otherwise than it should", SCALES "fault scale wrong\n", &h264, "off", true},
        {"otherwise than it should", SCALES "fault scale wrong at=2\n", &h264, "off", true},
        {"fails to scale", SCALES "fault scale no-device at=1\n", &h264, "off", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (fake_gpu_run(refuse, &refusals[i]) != 0) {
            fail_msg("%s %s", refusals[i].reason, refusals[i].lines);
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
    struct job j;
    struct gm_err err = {0};
    open_job(&j, &h264, SCALES);
    if (!want->at_plan) {
        plan_and_split(&j);
    }
    fake_gpu_profile("arc", want->lines);
    folder_io_set_decoder(j.f, "vaapi", VAAPI_NODE, DECODES);
    int rc = run(&j, want->at_plan ? "plan" : "encode", &err);
    if (rc != -(int)want->code) {
        (void)fprintf(stderr, "%s: %d: %s\n", want->lines, rc, err.text);
        fake_gpu_fail("it fails with this code", __FILE__, __LINE__);
    }
    close_job(&j);
}

static void failures_of_the_scaler_are_the_devices(void **state)
{
    static const struct failure failures[] = {
        {SCALES "fault scale lost\n", GM_E_DEVICE_LOST, true},
        {SCALES "fault scale-open lost\n", GM_E_DEVICE_LOST, true},
        {SCALES "fault scale oom\n", GM_E_DEVICE_MEMORY, true}, /* it may be there the next time */
        {SCALES "fault scale-open oom at=1\n", GM_E_DEVICE_MEMORY, true},
        {SCALES "surface-kib 100\n", GM_E_DEVICE_MEMORY, true},
        {SCALES "fault scale wrong\n", GM_E_MEDIA_VERIFY, false},
        {"", GM_E_DEVICE_DRIVER, false}, /* another driver than the plan's */
        {SCALES "fault scale lost at=30\n", GM_E_DEVICE_LOST, false},
        {SCALES "fault scale oom at=30\n", GM_E_DEVICE_MEMORY, false},
        {SCALES "fault scale error at=30\n", GM_E_DEVICE_DRIVER, false},
        {SCALES "fault decode lost at=30\n", GM_E_DEVICE_LOST, false}, /* one device, one loss */
        {SCALES "fault encode lost at=30\n", GM_E_DEVICE_LOST, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (fake_gpu_run(fail_so, &failures[i]) != 0) {
            fail_msg("%s", failures[i].lines);
        }
    }
}

/* The surfaces that a display may have: of the first alone there are none for a decoder, of the
 * last there are for all pictures that wait; between them some come when others have what is left.
 */
static void squeeze(const void *arg)
{
    static const int kib[] = {1100, 1300, 1700, 1900, 2100, 2400, 3500};
    struct job j;
    struct made want, got;
    size_t yielded = 0;
    open_job(&j, arg, SCALES);
    plan_and_split(&j);
    encode(&j, NULL, &want);
    for (size_t i = 0; i < sizeof kib / sizeof kib[0]; i++) {
        char lines[64];
        (void)snprintf(lines, sizeof lines, SCALES "surface-kib %d\n", kib[i]);
        fake_gpu_profile("arc", lines);
        encode(&j, VAAPI_NODE, &got);
        check_same(&want, &got);
        CHECK(strcmp(got.scaler, "vaapi") == 0);
        yielded += strcmp(got.decoder_reason, "the device is out of memory") == 0;
    }
    CHECK(strcmp(got.decoder, "vaapi") == 0 && yielded > 0);
    close_job(&j);
}

static void decoder_leaves_memory_to_encoders(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(squeeze, &h264), 0);
}

int main(void)
{
    vaapi_start();
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_do_not_depend_on_the_decoder),
        cmocka_unit_test(pictures_stay_on_the_device),
        cmocka_unit_test(pictures_that_are_not_the_plans_go_through_memory),
        cmocka_unit_test(what_the_driver_is_not_asked_for_is_planned_for_software),
        cmocka_unit_test(failures_of_the_scaler_are_the_devices),
        cmocka_unit_test(decoder_leaves_memory_to_encoders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
