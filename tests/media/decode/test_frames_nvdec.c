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

static const struct made made[] = {
    {"libx264",
     "preset=fast,bf=3,g=250,x264-params=b-pyramid=normal:colorprim=bt709:transfer=bt709:"
     "colormatrix=bt709",
     160, 144, AV_PIX_FMT_YUV420P, 0},
    {"libx264", "preset=fast,bf=3,g=14,x264-params=open-gop=1:scenecut=0:bframes=3", 160, 144,
     AV_PIX_FMT_YUV420P, 1},
    {"libx264", "preset=fast,g=20,x264-params=fullrange=on", 160, 144, AV_PIX_FMT_YUVJ420P, 0},
    {"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20:bframes=2:open-gop=1", 160,
     144, AV_PIX_FMT_YUV420P10LE, 1},
    {"libvpx-vp9", "deadline=realtime,cpu-used=8,g=20,lag-in-frames=12,auto-alt-ref=1", 160, 144,
     AV_PIX_FMT_YUV420P, 0},
    {"libsvtav1", "preset=12,g=20", 160, 144, AV_PIX_FMT_YUV420P10LE, 0},
};
#define MADE (sizeof made / sizeof made[0])

static const struct device_frames ON = {"l4", nvdec_open_device, true};

static void chunks_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        assert_int_equal(device_frames_same(&ON, &made[i]), 0);
    }
}

static void chunks_of_files_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        assert_int_equal(device_frames_demuxed(&ON, &made[i]), 0);
    }
}

static const struct made short_gop = {
    "libx264", "preset=fast,bf=2,g=15,x264-params=scenecut=0", 160, 144, AV_PIX_FMT_YUV420P, 0};

static void a_damaged_chunk_is_decoded_in_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_damaged(&ON, &short_gop), 0);
}

static void packets_said_to_be_damaged_or_cut_off_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_missing(&ON, &short_gop), 0);
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
    assert_int_equal(fake_gpu_run(not_there, &made[0]), 0);
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
    assert_int_equal(fake_gpu_run(hide_keyframe, &made[0]), 0);
}

static const struct device_left left[] = {
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
    {{"libvpx-vp9", "deadline=realtime,cpu-used=8,g=20", 161, 144, AV_PIX_FMT_YUV420P, 0},
     "a codec, profile or size that is left to software",
     false},
    {{"mpeg2video", "g=15", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "a codec, profile or size that is left to software",
     false},
    {{"libx265", "preset=ultrafast,x265-params=log-level=none:keyint=20", 96, 80,
      AV_PIX_FMT_YUV420P, 0},
     "the chip does not decode this size",
     false},
    {{"libx264", "preset=fast,g=10,bf=0", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream changes its parameters",
     true},
};

static void what_the_device_does_not_give_whole_is_for_software(void **state)
{
    (void)state;
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
        assert_int_equal(device_frames_fault(&ON, &made[0], &faults[i]), 0);
    }
}

/* In a program that finds libcuda.so.1 alone. */
static void without_library(const void *arg)
{
    (void)arg;
    fake_gpu_profile("l4", "");
    AVBufferRef *device = nvdec_open_device();
    struct clip *c = nvdec_make(&made[0], 30);
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

static const struct device_real reals[] = {
    {"bpyramid-h264.mp4", 1, true},
    {"hevc-hdr10-mastering-cll.mkv", 1, true},
    {"vp9-10bit-profile2.webm", 0, true},
    {"av1-aac.mp4", 0, true},
    {"first-pts-10s.mp4", 1, true},
    {"pgs-subtitle.mkv", 1, true},
    {"h264-aac.flv", 1, true},
    {"interlaced-open-gop-h264.mp4", 1, false},
    {"res-change-midstream.mp4", 1, false},
    {"vp9-odd-161x121.webm", 0, false},
    {"broken-invalid-nalu.mp4", -1, false},
    {"broken-corrupted-nal.mp4", -1, false},
    {"broken-sps.flv", -1, false},
};

static void real_clips_give_the_pictures_of_software(void **state)
{
    (void)state;
    device_frames_reals(&ON, reals, sizeof reals / sizeof reals[0]);
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
