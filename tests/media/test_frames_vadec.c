#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/fake_gpu_io.h"
#include "media/folder_io.h"
#include "media/nvdec_io.h"
#include "media/vaapi.h"
#include "media/vaapi_io.h"
#include "media/vadec.h"

/* Chunks decoded over the fake VA driver, whose pictures are libavcodec's: what is shown here is
 * what gopmill makes of a driver's answers, nothing of any real one. */

static const struct made made[] = {
    {"libx264",
     "preset=fast,bf=3,g=250,x264-params=b-pyramid=normal:colorprim=bt709:transfer=bt709:"
     "colormatrix=bt709",
     160, 144, AV_PIX_FMT_YUV420P, 0},
    {"libx264", "preset=fast,bf=3,g=14,x264-params=open-gop=1:scenecut=0:bframes=3", 160, 144,
     AV_PIX_FMT_YUV420P, 1},
    {"libx264", "preset=fast,g=20,x264-params=fullrange=on", 160, 144, AV_PIX_FMT_YUVJ420P, 0},
    {"libx264", "preset=ultrafast,bf=0,g=20,x264-params=slices=3", 170, 150, AV_PIX_FMT_YUV420P, 0},
};
#define MADE (sizeof made / sizeof made[0])
#define FRAMES 46

static AVBufferRef *open_device(void)
{
    AVBufferRef *device = NULL;
    struct gm_err err = {0};
    if (gm_vaapi_open(VAAPI_NODE, &device, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        CHECK(false);
    }
    return device;
}

static void same_pictures(const void *arg)
{
    const struct made *m = arg;
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(m, FRAMES);
    CHECK(c->frame_count == FRAMES);
    for (size_t runs = 0; runs <= 2; runs++) {
        for (size_t repeats = 0; repeats <= (runs == 0); repeats++) {
            const struct run *r = nvdec_both(c, m->keys_back, runs, false, device, repeats);
            if (r->why != NULL || r->on_device != 4) {
                (void)fprintf(stderr, "%s: %zu chunks on the device: %s\n", m->options,
                              r->on_device, r->why != NULL ? r->why : "no reason");
                CHECK(false);
            }
            CHECK(r->restarts == repeats * 4 && r->stayed == 0);
        }
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void chunks_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        assert_int_equal(fake_gpu_run(same_pictures, &made[i]), 0);
    }
}

/* From a file: with its framing, and what a demuxer says of the stream. */
static void demuxed(const void *arg)
{
    const struct made *m = arg;
    static const char *const endings[] = {"mp4", "mkv", "ts"};
    char dir[] = "/tmp/test-vadec-XXXXXX";
    char path[64];
    fake_gpu_profile("arc", "");
    CHECK(mkdtemp(dir) != NULL);
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(m, 20);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/clip.%s", dir, endings[i]);
        clip_mux(c, path);
        struct clip *loaded = clip_load(path);
        (void)unlink(path);
        CHECK(loaded->frame_count == 20);
        const struct run *r = nvdec_both(loaded, m->keys_back, 0, false, device, 0);
        if (r->why != NULL || r->on_device != 2) {
            (void)fprintf(stderr, "%s in %s: %s\n", m->options, endings[i],
                          r->why != NULL ? r->why : "no reason");
            CHECK(false);
        }
        clip_free(&loaded);
    }
    (void)rmdir(dir);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void chunks_of_files_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        assert_int_equal(fake_gpu_run(demuxed, &made[i]), 0);
    }
}

static const struct made short_gop = {
    "libx264", "preset=fast,bf=2,g=15,x264-params=scenecut=0", 160, 144, AV_PIX_FMT_YUV420P, 0};

/* Slices whose headers are whole: the driver says what libavcodec can't see. */
static void damaged(const void *arg)
{
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, FRAMES);
    for (size_t i = 17; i < 28; i += 3) {
        AVPacket *p = c->packets[i];
        for (int b = p->size / 3; b < p->size; b += 5) {
            p->data[b] ^= 0x55;
        }
    }
    for (size_t runs = 0; runs <= 2; runs++) {
        const struct run *r = nvdec_both(c, 0, runs, false, device, 0);
        if (r->restarts == 0 || r->why == NULL || r->errors + r->replaced == 0) {
            (void)fprintf(stderr, "restarts %zu, on the device %zu, errors %zu: %s\n", r->restarts,
                          r->on_device, r->errors, r->why != NULL ? r->why : "no reason");
            CHECK(false);
        }
        CHECK(r->on_device > 0 && r->on_device < 4); /* the rest is sound */
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_damaged_chunk_is_decoded_in_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(damaged, &short_gop), 0);
}

static void missing(const void *arg)
{
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, FRAMES);
    c->packets[20]->flags |= AV_PKT_FLAG_CORRUPT;
    const struct run *r = nvdec_both(c, 0, 1, false, device, 0);
    CHECK(r->on_device < 4 && strcmp(r->why, "a packet is damaged") == 0);
    c->packets[20]->flags = 0;
    c->packets[20]->size = 5; /* its picture is gone */
    r = nvdec_both(c, 0, 1, false, device, 0);
    CHECK(r->on_device < 4 && r->restarts > 0 && r->why != NULL);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void packets_said_to_be_damaged_or_cut_off_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(missing, &short_gop), 0);
}

static const struct left {
    struct made made;
    const char *why;
    bool change;
} left[] = {
    {{"libx264", "preset=fast,g=20,a53cc=1", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream has captions",
     false},
    {{"libx264", "preset=fast,g=20,flags=+ildct,x264-params=tff=1", 160, 144, AV_PIX_FMT_YUV420P,
      0},
     "the stream is interlaced",
     false},
    {{"libx264", "preset=fast,g=20", 160, 144, AV_PIX_FMT_YUV422P, 0},
     "a codec, profile or size that is left to software",
     false},
    {{"libx264", "preset=fast,g=20", 160, 144, AV_PIX_FMT_YUV420P10LE, 0},
     "a codec, profile or size that is left to software",
     false},
    {{"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20", 160, 144,
      AV_PIX_FMT_YUV420P, 0},
     "a codec, profile or size that is left to software",
     false},
    {{"libx264", "preset=fast,g=20", 40, 32, AV_PIX_FMT_YUV420P, 0},
     "the chip does not decode this size",
     false},
    {{"libx264", "preset=fast,g=10,bf=0", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream changes its parameters",
     true},
};

static void for_software(const void *arg)
{
    const struct left *l = arg;
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&l->made, 40);
    for (size_t runs = 0; runs <= 1; runs++) {
        const struct run *r = nvdec_both(c, l->made.keys_back, runs, l->change, device, 0);
        if (r->why == NULL || strcmp(r->why, l->why) != 0) {
            (void)fprintf(stderr, "%s %s: %s\n", l->made.encoder, l->made.options,
                          r->why != NULL ? r->why : "on the device");
            CHECK(false);
        }
        CHECK(l->change || r->on_device == 0);
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void what_the_device_does_not_give_whole_is_for_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        assert_int_equal(fake_gpu_run(for_software, &left[i]), 0);
    }
}

/* A device that fails, or lacks something. */
static const struct fault {
    const char *base, *lines;
    int rc;
    const char *why;  /* NULL: on the device */
    size_t on_device; /* chunks, where it does not fail */
} faults[] = {
    {"arc", "", 0, NULL, 4},
    {"igpu", "", 0, NULL, 4},
    {"arc", "fault decode lost at=5\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"arc", "fault map lost at=20\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"arc", "fault copy lost at=7\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"arc", "fault map error at=3\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"arc", "fault decode-open oom\n", -GM_E_DEVICE_MEMORY, NULL, 0},
    {"arc", "fault alloc oom\n", -GM_E_DEVICE_MEMORY, NULL, 0},
    {"arc", "fault map oom at=3\n", -GM_E_DEVICE_MEMORY, NULL, 0},
    {"arc", "fault decode-open busy\n", -GM_E_DEVICE_BUSY, NULL, 0},
    {"arc", "fault decode-open unsupported\n", 0, "the driver opens no decoder for it", 0},
    {"arc", "fault decode error at=3\n", 0, "the driver refused a picture", 0},
    {"arc", "fault decode corrupt at=20\n", 0, "it is damaged", 2}, /* of each decoder */
    {"arc", "fault decode wrong at=1\n", 0, "the device gives other pictures than software", 0},
};

static void with_fault(const void *arg)
{
    const struct fault *f = arg;
    static struct run soft;
    static struct run hard;
    struct gm_err err = {0};
    fake_gpu_profile(f->base, f->lines);
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&short_gop, FRAMES);
    int rc = nvdec_decode(c, 0, 0, false, device, 0, &hard, &err);
    bool right = rc == f->rc &&
                 (rc < 0 || (f->why != NULL && hard.why != NULL ? strcmp(f->why, hard.why) == 0
                                                                : f->why == hard.why));
    if (rc == 0) {
        CHECK(nvdec_decode(c, 0, 0, false, NULL, 0, &soft, &err) == 0);
        nvdec_check_same(&soft, &hard);
        right = right && hard.on_device == f->on_device;
    }
    if (!right) {
        (void)fprintf(stderr, "%s %s: %d %s, %s, %zu on the device\n", f->base, f->lines, rc,
                      err.text, hard.why != NULL ? hard.why : "no reason", hard.on_device);
    }
    CHECK(right);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void failures_of_the_device_have_their_code(void **state)
{
    int bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bad += fake_gpu_run(with_fault, &faults[i]) != 0;
    }
    assert_int_equal(bad, 0);
}

/* x264 makes no odd sizes: what a container may say. */
static void odd_size(const void *arg)
{
    struct gm_vadec *decoder = NULL;
    struct gm_err err;
    const char *why = NULL;
    (void)arg;
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&short_gop, 5);
    CHECK(gm_vadec_open(device, c->par, &decoder, &why, &err) == 0 && decoder != NULL);
    gm_vadec_close(&decoder);
    c->par->width = 159;
    CHECK(gm_vadec_open(device, c->par, &decoder, &why, &err) == 0 && decoder == NULL);
    CHECK(strcmp(why, "a codec, profile or size that is left to software") == 0);
    c->par->width = 4098;
    CHECK(gm_vadec_open(device, c->par, &decoder, &why, &err) == 0 && decoder == NULL);
    CHECK(strcmp(why, "the chip does not decode this size") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void odd_and_large_sizes_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(odd_size, NULL), 0);
}

/* libavcodec would go on without that slice. */
static void lose_slice(const void *arg)
{
    fake_gpu_profile("arc", "fault register error at=40\n");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, FRAMES);
    const struct run *r = nvdec_both(c, 0, 1, false, device, 0);
    CHECK(r->on_device == 3 && r->restarts == 1);
    CHECK(strcmp(r->why, "a packet is malformed, or the driver refused it") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_slice_that_the_driver_refuses_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(lose_slice, &made[3]), 0);
}

static void no_decoder(const void *arg)
{
    (void)arg;
    fake_gpu_profile("none",
                     "gpu 0000:03:00.0\n node renderD128\n encode h264 8 32x32 4096x4096 0\n");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&short_gop, 20);
    const struct run *r = nvdec_both(c, 0, 0, false, device, 0);
    CHECK(r->on_device == 0 &&
          strcmp(r->why, "the driver does not decode this codec, or not its profile") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_driver_without_a_decoder_leaves_all_to_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(no_decoder, NULL), 0);
}

static const struct real {
    const char *name;
    int keys_back;
    bool on_device; /* all of it */
} reals[] = {
    {"bpyramid-h264.mp4", 1, true},
    {"first-pts-10s.mp4", 1, true},
    {"pgs-subtitle.mkv", 1, true},
    {"h264-aac.flv", 1, true},
    {"interlaced-open-gop-h264.mp4", 1, false},
    {"res-change-midstream.mp4", 1, false},
    {"broken-invalid-nalu.mp4", -1, false},
    {"broken-corrupted-nal.mp4", -1, false},
    {"broken-sps.flv", -1, false},
};

static void real(const void *arg)
{
    const struct real *t = arg;
    char path[4096];
    fake_gpu_profile("arc", "");
    CHECK(folder_clip(t->name, path));
    AVBufferRef *device = open_device();
    struct clip *c = clip_load(path);
    c->frame_count = c->frame_count > 60 ? 60 : c->frame_count;
    const struct run *r = nvdec_both(c, t->keys_back, 1, false, device, 0);
    size_t chunks = (c->frame_count + 14) / 15;
    if ((r->on_device == chunks) != t->on_device) {
        (void)fprintf(stderr, "%s: %zu of %zu chunks on the device: %s\n", t->name, r->on_device,
                      chunks, r->why != NULL ? r->why : "no reason");
        CHECK(false);
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void real_clips_give_the_pictures_of_software(void **state)
{
    char path[4096];
    int bad = 0;
    (void)state;
    if (!folder_clip(reals[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        if (fake_gpu_run(real, &reals[i]) != 0) {
            print_message("%s\n", reals[i].name);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    vaapi_start();
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_give_the_pictures_of_software),
        cmocka_unit_test(chunks_of_files_give_the_pictures_of_software),
        cmocka_unit_test(a_damaged_chunk_is_decoded_in_software),
        cmocka_unit_test(packets_said_to_be_damaged_or_cut_off_are_for_software),
        cmocka_unit_test(what_the_device_does_not_give_whole_is_for_software),
        cmocka_unit_test(odd_and_large_sizes_are_for_software),
        cmocka_unit_test(failures_of_the_device_have_their_code),
        cmocka_unit_test(a_slice_that_the_driver_refuses_is_noticed),
        cmocka_unit_test(a_driver_without_a_decoder_leaves_all_to_software),
        cmocka_unit_test(real_clips_give_the_pictures_of_software),
    };
    return cmocka_run_group_tests_name("media/frames_vadec", tests, NULL, NULL);
}
