/* NVDEC's pictures on their way out of the decoder, over the fake drivers: copies are done where
 * somebody waits for them, and their targets are spoilt until then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "media/av.h"
#include "media/decode/nvdec.h"
#include "media/device/cuda_picture.h"
#include "media/fake_gpu_io.h"
#include "media/nvdec_io.h"

#define FRAMES 20

static const struct made made[] = {
    {"libx264", "preset=fast,bf=2,g=250", 160, 144, AV_PIX_FMT_YUV420P, 0},
    {"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20:bframes=2", 160, 144,
     AV_PIX_FMT_YUV420P10LE, 0},
};

struct result {
    size_t pictures; /* all of them right */
    size_t before;   /* the end was told */
    int rc;
    const char *why;
    struct gm_err err;
};

/* What is ready is the clip's next pictures. */
static void take(const struct clip *c, struct gm_nvdec *n, struct result *r)
{
    for (AVFrame *f = gm_nvdec_take(n); f != NULL; f = gm_nvdec_take(n)) {
        AVFrame *here = NULL;
        uint8_t sum[32];
        struct gm_err err;
        CHECK(r->pictures < c->frame_count);
        const struct clip_frame *want = &c->frames[r->pictures++];
        CHECK(!gm_cuda_picture_is(f) || gm_cuda_picture_download(f, &here, &err) == 0);
        clip_hash(here != NULL ? here : f, sum);
        CHECK((uint64_t)f->pts == want->id && memcmp(sum, want->sha256, sizeof sum) == 0);
        av_frame_free(&here);
        av_frame_free(&f);
    }
}

/* The whole clip, as far as the decoder goes. */
static void decode(const struct made *m, bool stays, struct result *r)
{
    struct clip *c = nvdec_make(m, FRAMES);
    AVBufferRef *device = nvdec_open_device(), *pool = NULL;
    struct gm_nvdec *n = NULL;
    *r = (struct result){0};
    CHECK(gm_nvdec_open(device, c->par, stays ? &pool : NULL, &n, &r->why, &r->err) == 0);
    CHECK(n != NULL);
    for (size_t i = 0; i <= c->packet_count && r->rc == 0 && r->why == NULL; i++) {
        r->before = r->pictures;
        r->rc = gm_nvdec_send(n, i < c->packet_count ? c->packets[i] : NULL, i, &r->why, &r->err);
        take(c, n, r);
    }
    gm_nvdec_close(&n);
    av_buffer_unref(&pool);
    av_buffer_unref(&device);
    clip_free(&c);
}

static void all_ways(const void *arg)
{
    struct result r;
    fake_gpu_profile("l4", arg);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        for (int stays = 0; stays < 2; stays++) {
            struct fake_gpu_memory memory;
            fake_gpu_memory_hold(&memory);
            decode(&made[i], stays != 0, &r);
            CHECK(r.rc == 0 && r.why == NULL && r.pictures == FRAMES);
            fake_gpu_memory_check(&memory);
        }
    }
}

static void pictures_are_whole_when_they_are_handed_out(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(all_ways, ""), 0);
}

static void without_page_locked_memory_they_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(all_ways, "fault pin oom\n"), 0);
    assert_int_equal(fake_gpu_run(all_ways, "fault pin oom at=2\n"), 0); /* one has it */
}

/* The parser takes the surface of the picture shown last for the next one. */
static void a_surface_that_is_copied_is_not_decoded_to(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(all_ways, "fault show busy\n"), 0);
}

/* The newest waits for the next one or the end, so that it is copied meanwhile. */
static void overlap(const void *arg)
{
    struct result r;
    fake_gpu_profile("l4", "");
    decode(arg, false, &r);
    CHECK(r.pictures == FRAMES && r.before < FRAMES);
}

static void one_is_still_copied_while_the_next_is_decoded(void **state)
{
    (void)state;
    static const struct made plain = {
        "libx264", "preset=fast,tune=zerolatency", 160, 144, AV_PIX_FMT_YUV420P, 0};
    assert_int_equal(fake_gpu_run(overlap, &plain), 0);
}

/* A copy is of one of a picture's two planes. */
static const struct fault {
    const char *lines;
    size_t pictures; /* that came out */
    size_t at;       /* the one that is named */
    int code;
    const char *text, *why; /* NULL: nothing is said */
} faults[] = {
    {"fault copied lost at=9\n", 4, 4, GM_E_DEVICE_LOST, "cuEventSynchronize gave", NULL},
    {"fault copied oom at=10\n", 4, 4, GM_E_DEVICE_MEMORY, "cuEventSynchronize gave", NULL},
    {"fault copied lost at=40\n", 19, 19, GM_E_DEVICE_LOST, "cuEventSynchronize gave", NULL},
    {"fault copied invalid at=3\n", 1, 1, 0, NULL, "did not come out"},
    /* What is refused at once: the one before it was not waited for yet. */
    {"fault copy lost at=9\n", 3, 4, GM_E_DEVICE_LOST, "cuMemcpy2DAsync gave", NULL},
};

static void fail_copy(const void *arg)
{
    const struct fault *f = arg;
    struct result r;
    char name[64];
    fake_gpu_profile("l4", f->lines);
    struct clip *c = nvdec_make(&made[0], FRAMES);
    (void)snprintf(name, sizeof name, "The picture of packet %llu: %s",
                   (unsigned long long)c->frames[f->at].id, f->text != NULL ? f->text : "");
    clip_free(&c);
    decode(&made[0], false, &r);
    bool right = r.rc == -f->code && r.pictures == f->pictures &&
                 (f->text == NULL || strncmp(r.err.text, name, strlen(name)) == 0) &&
                 (f->why == NULL ? r.why == NULL : r.why != NULL && strstr(r.why, f->why) != NULL);
    if (!right) {
        (void)fprintf(stderr, "%s%zu pictures, %d %s, %s\n", f->lines, r.pictures, r.rc, r.err.text,
                      r.why != NULL ? r.why : "");
    }
    CHECK(right);
}

static void a_copy_that_fails_has_its_code_at_its_picture(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(fake_gpu_run(fail_copy, &faults[i]), 0);
    }
}

/* Closed while the newest is on its way: what goes is written to by nobody, all is given back. */
static void leave(const void *arg)
{
    (void)arg;
    fake_gpu_profile("l4", "");
    struct clip *c = nvdec_make(&made[0], FRAMES);
    for (int stays = 0; stays < 2; stays++) {
        for (size_t count = 6; count < 12; count++) {
            struct fake_gpu_memory memory;
            AVBufferRef *device = nvdec_open_device(), *pool = NULL;
            struct gm_nvdec *n = NULL;
            struct result r = {0};
            fake_gpu_memory_hold(&memory);
            CHECK(gm_nvdec_open(device, c->par, stays != 0 ? &pool : NULL, &n, &r.why, &r.err) ==
                  0);
            for (size_t i = 0; i < count; i++) {
                CHECK(gm_nvdec_send(n, c->packets[i], i, &r.why, &r.err) == 0 && r.why == NULL);
            }
            gm_nvdec_close(&n);
            av_buffer_unref(&pool);
            fake_gpu_memory_check(&memory);
            av_buffer_unref(&device);
        }
    }
    clip_free(&c);
}

static void what_is_closed_in_mid_copy_gives_all_back(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(leave, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_whole_when_they_are_handed_out),
        cmocka_unit_test(without_page_locked_memory_they_are_the_same),
        cmocka_unit_test(a_surface_that_is_copied_is_not_decoded_to),
        cmocka_unit_test(one_is_still_copied_while_the_next_is_decoded),
        cmocka_unit_test(a_copy_that_fails_has_its_code_at_its_picture),
        cmocka_unit_test(what_is_closed_in_mid_copy_gives_all_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
