#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "media/av.h"
#include "media/device_frames_io.h"
#include "media/fake_gpu_io.h"

/* Chunks decoded over the fake NVDEC, whose pictures are libavcodec's: what is shown here is what
 * gopmill makes of a device's answers, nothing of any real one. */

static const struct made more[] = {
    {"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20:bframes=2:open-gop=1", 160,
     144, AV_PIX_FMT_YUV420P, 1},
    {"libvpx-vp9", "deadline=realtime,cpu-used=8,g=20,profile=2", 160, 144, AV_PIX_FMT_YUV420P10LE,
     0},
    {"libsvtav1", "preset=12,g=20", 160, 144, AV_PIX_FMT_YUV420P, 0},
    {"libsvtav1", "preset=12,g=20", 160, 144, AV_PIX_FMT_YUV420P10LE, 0},
};
#define MORE (sizeof more / sizeof more[0])

static const struct device_frames ON = {"l4", nvdec_open_device, true};

static void chunks_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICE_CLIPS; i++) {
        assert_int_equal(device_frames_same(&ON, &device_clips[i]), 0);
    }
    for (size_t i = 0; i < MORE; i++) {
        assert_int_equal(device_frames_same(&ON, &more[i]), 0);
    }
}

static void chunks_of_files_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICE_CLIPS; i++) {
        assert_int_equal(device_frames_demuxed(&ON, &device_clips[i]), 0);
    }
    for (size_t i = 0; i < MORE; i++) {
        assert_int_equal(device_frames_demuxed(&ON, &more[i]), 0);
    }
}

static void a_damaged_chunk_is_decoded_in_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_damaged(&ON, &device_short_gop), 0);
}

static void packets_said_to_be_damaged_or_cut_off_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_missing(&ON, &device_short_gop), 0);
}

/* The last picture of each chunk is listed by another one's packet: it does not come. */
static void edit_last(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    if (h->n_frames > 2) {
        h->frames[h->n_frames - 1]->packet_id = h->frames[h->n_frames - 2]->packet_id;
    }
}

static void not_there(const void *arg)
{
    static struct run soft;
    static struct run hard;
    struct gm_err err = {0};
    fake_gpu_profile("l4", "");
    AVBufferRef *device = nvdec_open_device();
    struct clip *c = nvdec_make(arg, DEVICE_FRAMES);
    for (size_t runs = 0; runs <= 1; runs++) {
        CHECK(nvdec_decode_edited(c, 0, runs, false, edit_last, NULL, 0, &soft, &err) == 0);
        CHECK(nvdec_decode_edited(c, 0, runs, false, edit_last, device, 0, &hard, &err) == 0);
        nvdec_check_same(&soft, &hard);
        CHECK(hard.replaced == 3 && hard.on_device == 1); /* the last chunk has one picture */
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_listed_picture_that_does_not_come_is_for_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(not_there, &device_clips[0]), 0);
}

/* The first keyframe's picture never comes, and the first chunks do not list it: nothing is
 * compared, until it should have been there long ago. */
static void hide_keyframe(const void *arg)
{
    fake_gpu_profile("l4", "fault show wrong at=1\n");
    AVBufferRef *device = nvdec_open_device();
    struct clip *c = nvdec_make(arg, 75);
    const struct run *r = nvdec_both(c, 0, 0, false, device, 0);
    if (r->why == NULL || strcmp(r->why, "the device does not give a keyframe's picture") != 0) {
        (void)fprintf(stderr, "%zu on the device: %s\n", r->on_device, r->why);
        CHECK(false);
    }
    CHECK(r->restarts > 1 && r->on_device > 0 &&
          r->on_device < 4); /* and the first, which lists it */
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_keyframe_that_the_device_never_shows_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(hide_keyframe, &device_clips[0]), 0);
}

static const struct device_left left[] = {
    {{"mpeg2video", "g=15", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "a codec, profile or size that is left to software",
     false,
     false},
    {{"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20", 96, 80,
      AV_PIX_FMT_YUV420P, 0},
     "the chip does not decode this size",
     false,
     false},
};

static void what_the_device_does_not_give_whole_is_for_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICE_LEFTS; i++) {
        assert_int_equal(device_frames_left(&ON, &device_lefts[i]), 0);
    }
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        assert_int_equal(device_frames_left(&ON, &left[i]), 0);
    }
}

static const struct device_fault faults[] = {
    {"l4", "fault decode lost at=5\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"l4", "fault map lost at=20\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"l4", "fault copy lost at=7\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"l4", "fault decode-open oom\n", -GM_E_DEVICE_MEMORY, NULL, 0},
    {"l4", "fault map oom at=3\n", -GM_E_DEVICE_MEMORY, NULL, 0},
    {"l4", "fault decode-open unsupported\n", 0, "the driver opens no decoder for it", 0},
    {"l4", "fault decode-caps unsupported\n", 0, "the driver does not tell what the chip decodes",
     0},
    {"l4", "fault map wrong at=1\n", 0, "the device gives other pictures than software", 0},
    {"h200", "", 0, NULL, 4},
};

static void failures_of_the_device_have_their_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(device_frames_fault(&ON, &device_clips[0], &faults[i]), 0);
    }
}

/* In a program that finds libcuda.so.1 alone. */
static void without_library(const void *arg)
{
    (void)arg;
    fake_gpu_profile("l4", "");
    AVBufferRef *device = nvdec_open_device();
    struct clip *c = nvdec_make(&device_clips[0], 30);
    const struct run *r = nvdec_both(c, 0, 0, false, device, 0);
    CHECK(r->on_device == 0 && strcmp(r->why, "libnvcuvid.so.1 is not to be had") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void without_the_library_chunks_are_decoded_in_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run_cuda("without-library"), 0);
}

static const struct device_real real_av1 = {"av1-aac.mp4", 0, true};

static void real_clips_give_the_pictures_of_software(void **state)
{
    (void)state;
    device_frames_reals(&ON, device_reals, DEVICE_REALS);
    device_frames_reals(&ON, &real_av1, 1);
}

int main(int argc, char **argv)
{
    fake_gpu_start(argv);
    gm_av_init();
    if (argc == 2 && strcmp(argv[1], "without-library") == 0) {
        return fake_gpu_run(without_library, NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_give_the_pictures_of_software),
        cmocka_unit_test(chunks_of_files_give_the_pictures_of_software),
        cmocka_unit_test(a_damaged_chunk_is_decoded_in_software),
        cmocka_unit_test(packets_said_to_be_damaged_or_cut_off_are_for_software),
        cmocka_unit_test(a_listed_picture_that_does_not_come_is_for_software),
        cmocka_unit_test(a_keyframe_that_the_device_never_shows_is_noticed),
        cmocka_unit_test(what_the_device_does_not_give_whole_is_for_software),
        cmocka_unit_test(failures_of_the_device_have_their_code),
        cmocka_unit_test(real_clips_give_the_pictures_of_software),
        cmocka_unit_test(without_the_library_chunks_are_decoded_in_software),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
