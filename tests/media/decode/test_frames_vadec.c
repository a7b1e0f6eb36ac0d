#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kernels/va.h"
#include "media/av.h"
#include "media/decode/frames_device.h"
#include "media/decode/vadec.h"
#include "media/device/va_picture.h"
#include "media/device/vaapi.h"
#include "media/device_frames_io.h"
#include "media/fake_gpu_io.h"
#include "media/folder_io.h"
#include "media/vaapi_io.h"

/* Chunks decoded over the fake VA driver, whose pictures are libavcodec's: what is shown here is
 * what gopmill makes of a driver's answers, nothing of any real one. */

static const struct made slices = {
    "libx264", "preset=ultrafast,bf=0,g=20,x264-params=slices=3", 170, 150, AV_PIX_FMT_YUV420P, 0};

static const struct made more[] = {
    {"libx265", "preset=fast,x265-params=log-level=none:keyint=20:opt-rps=1:weightb=1:slices=2",
     170, 150, AV_PIX_FMT_YUV420P, 0},
    {"libvpx-vp9", "deadline=realtime,cpu-used=8,g=20,profile=2", 160, 144, AV_PIX_FMT_YUV420P10LE,
     0},
    {"libsvtav1", "preset=12,g=20", 160, 144, AV_PIX_FMT_YUV420P, 0},
    {"libsvtav1", "preset=8,g=20", 170, 150, AV_PIX_FMT_YUV420P10LE, 0},
};
#define MORE (sizeof more / sizeof more[0])

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

static const struct device_frames ON = {"arc", open_device, true};

static void chunks_give_the_pictures_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICE_CLIPS; i++) {
        assert_int_equal(device_frames_same(&ON, &device_clips[i]), 0);
    }
    for (size_t i = 0; i < MORE; i++) {
        assert_int_equal(device_frames_same(&ON, &more[i]), 0);
    }
    assert_int_equal(device_frames_same(&ON, &slices), 0);
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
    assert_int_equal(device_frames_demuxed(&ON, &slices), 0);
}

/* Keyframes 15 apart, as device_short_gop. */
static const struct made hevc_short_gop = {
    "libx265",
    "preset=fast,x265-params=log-level=none:keyint=15:open-gop=0:scenecut=0",
    160,
    144,
    AV_PIX_FMT_YUV420P,
    0};

static const struct made av1_short_gop = {"libsvtav1", "preset=12,g=15",   160,
                                          144,         AV_PIX_FMT_YUV420P, 0};

/* Slices whose headers are whole: the driver says what libavcodec can't see. */
static void a_damaged_chunk_is_decoded_in_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_damaged(&ON, &device_short_gop), 0);
}

static void packets_said_to_be_damaged_or_cut_off_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_missing(&ON, &device_short_gop), 0);
    assert_int_equal(device_frames_missing(&ON, &hevc_short_gop), 0);
    assert_int_equal(device_frames_missing(&ON, &av1_short_gop), 0);
}

static void pictures_whose_references_are_missing_are_for_software(void **state)
{
    (void)state;
    assert_int_equal(device_frames_unreferenced(&ON, &device_short_gop), 0);
    assert_int_equal(device_frames_unreferenced(&ON, &hevc_short_gop), 0);
}

#define LEFT "a codec, profile or size that is left to software"
static const struct device_left left[] = {
    {{"libsvtav1", "preset=12,g=20,svtav1-params=film-grain=20", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream has film grain",
     false,
     false},
    {{"libx264", "preset=fast,g=20", 40, 32, AV_PIX_FMT_YUV420P, 0},
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

/* HEVC's slice data that are damaged libavcodec does not notice: the driver may. */
static const struct device_fault hevc_faults[] = {
    {"arc", "", 0, NULL, 4},
    {"igpu", "", 0, "the driver does not decode this codec, or not its profile", 0},
    {"arc", "fault decode lost at=5\n", -GM_E_DEVICE_LOST, NULL, 0},
    {"arc", "fault decode error at=3\n", 0, "the driver refused a picture", 0},
    {"arc", "fault decode corrupt at=20\n", 0, "the driver says that a picture is damaged", 2},
    {"arc", "fault decode wrong at=1\n", 0, "the device gives other pictures than software", 0},
};

/* Of VP9: in pictures before a chunk's first one, too. */
static const struct device_fault vp9_faults[] = {
    {"arc", "", 0, NULL, 4},
    {"arc", "fault decode corrupt at=20\n", 0, "the driver says that a picture is damaged", 2},
    {"arc", "fault decode corrupt at=10\n", 0, "the driver says that a picture is damaged", 1},
    {"arc", "fault decode wrong at=1\n", 0, "the device gives other pictures than software", 0},
};

/* The second picture is not shown. */
static const struct device_fault av1_faults[] = {
    {"arc", "", 0, NULL, 4},
    {"arc", "fault decode corrupt at=20\n", 0, "the driver says that a picture is damaged", 2},
    {"arc", "fault decode corrupt at=2\n", 0, "the driver says that a picture is damaged", 0},
    {"arc", "fault decode error at=3\n", 0, "the driver refused a picture", 0},
    {"arc", "fault decode wrong at=1\n", 0, "the device gives other pictures than software", 0},
    {"arc", "fault decode lost at=5\n", -GM_E_DEVICE_LOST, NULL, 0},
};

static const struct device_fault faults[] = {
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

/* Memory there is, and a small picture is decoded. */
static const struct made wide = {"libx264", "preset=ultrafast,bf=0,g=15", 400,
                                 224,       AV_PIX_FMT_YUV420P,           0};
static const struct device_fault wide_faults[] = {
    {"arc", "", 0, NULL, 4},
    {"arc", "surface-side 300\n", 0, "the chip does not decode this size", 0},
    {"arc", "surface-side 300\nsurface-kib 500\n", -GM_E_DEVICE_MEMORY, NULL, 0},
};

static void failures_of_the_device_have_their_code(void **state)
{
    int bad = 0;
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bad += device_frames_fault(&ON, &device_short_gop, &faults[i]) != 0;
    }
    for (size_t i = 0; i < sizeof hevc_faults / sizeof hevc_faults[0]; i++) {
        bad += device_frames_fault(&ON, &hevc_short_gop, &hevc_faults[i]) != 0;
    }
    for (size_t i = 0; i < sizeof vp9_faults / sizeof vp9_faults[0]; i++) {
        bad += device_frames_fault(&ON, &device_clips[DEVICE_VP9], &vp9_faults[i]) != 0;
    }
    for (size_t i = 0; i < sizeof wide_faults / sizeof wide_faults[0]; i++) {
        bad += device_frames_fault(&ON, &wide, &wide_faults[i]) != 0;
    }
    for (size_t i = 0; i < sizeof av1_faults / sizeof av1_faults[0]; i++) {
        bad += device_frames_fault(&ON, &av1_short_gop, &av1_faults[i]) != 0;
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
    struct clip *c = nvdec_make(&device_short_gop, 5);
    CHECK(gm_vadec_open(device, c->par, false, &decoder, &why, &err) == 0 && decoder != NULL);
    gm_vadec_close(&decoder);
    c->par->width = 159;
    CHECK(gm_vadec_open(device, c->par, false, &decoder, &why, &err) == 0 && decoder == NULL);
    CHECK(strcmp(why, LEFT) == 0);
    c->par->width = 4098;
    CHECK(gm_vadec_open(device, c->par, false, &decoder, &why, &err) == 0 && decoder == NULL);
    CHECK(strcmp(why, "the chip does not decode this size") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

/* A decoder's surfaces are as many as it took when it opened: who keeps them all is told, and that
 * is no failure of the device. */
static void keep_all(const void *arg)
{
    static AVFrame *held[256];
    struct gm_vadec *decoder = NULL;
    struct gm_err err;
    const char *why = NULL;
    size_t count = 0;
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, 120);
    CHECK(gm_vadec_open(device, c->par, true, &decoder, &why, &err) == 0 && decoder != NULL);
    for (size_t i = 0; why == NULL && i < c->packet_count; i++) {
        c->packets[i]->pts = (int64_t)i;
        CHECK(gm_vadec_send(decoder, c->packets[i], &why, &err) == 0);
        for (AVFrame *f = gm_vadec_take(decoder); f != NULL; f = gm_vadec_take(decoder)) {
            CHECK(gm_va_picture_is(f) && f->width == c->par->width && f->nb_side_data == 0);
            held[count++] = f;
        }
    }
    CHECK(why != NULL && strcmp(why, "too many of the device's pictures wait") == 0);
    CHECK(count >= GM_VADEC_WAITING);
    gm_vadec_close(&decoder);
    for (size_t i = 0; i < count; i++) { /* they outlive their decoder */
        AVFrame *here = NULL;
        CHECK(gm_va_picture_download(held[i], &here, &err) == 0);
        av_frame_free(&here);
        av_frame_free(&held[i]);
    }
    clip_free(&c);
    av_buffer_unref(&device);
}

static void who_keeps_all_surfaces_is_told(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(keep_all, &device_short_gop), 0);
}

/* Leaves the display that many surfaces. */
static void leave_surfaces(const AVBufferRef *device, size_t count)
{
    static VASurfaceID all[4096];
    void *display = NULL;
    size_t made = 0;
    const struct gm_va *va = gm_vaapi_library(device, &display);
    while (made < 4096 && va->create_surfaces(display, VA_RT_FORMAT_YUV420, 16, 16, &all[made], 1,
                                              NULL, 0) == VA_STATUS_SUCCESS) {
        made++;
    }
    CHECK(made > count && made < 4096);
    CHECK(va->destroy_surfaces(display, &all[made - count], (int)count) == VA_STATUS_SUCCESS);
}

/* Enough for the decoder, and not for those that wait: pictures come to memory, all of them. */
static void open_smaller(const void *arg)
{
    struct gm_vadec *decoder = NULL;
    struct gm_err err;
    const char *why = NULL;
    int count = 0;
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, 40);
    leave_surfaces(device, GM_VADEC_WAITING - 1);
    CHECK(gm_vadec_open(device, c->par, true, &decoder, &why, &err) == 0 && decoder != NULL);
    for (size_t i = 0; i <= c->packet_count; i++) {
        AVPacket *p = i < c->packet_count ? c->packets[i] : NULL;
        if (p != NULL) {
            p->pts = (int64_t)i;
        }
        CHECK(gm_vadec_send(decoder, p, &why, &err) == 0 && why == NULL);
        for (AVFrame *f = gm_vadec_take(decoder); f != NULL; f = gm_vadec_take(decoder)) {
            CHECK(f->format == AV_PIX_FMT_YUV420P && !gm_va_picture_is(f));
            count++;
            av_frame_free(&f);
        }
    }
    CHECK(count == 40);
    gm_vadec_close(&decoder);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void with_few_surfaces_pictures_come_to_memory(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(open_smaller, &device_short_gop), 0);
}

/* Each chunk has two decoders, one after the other, and there are surfaces for one at a time. */
static void stay_by_turns(const void *arg)
{
    fake_gpu_profile("arc", "");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, DEVICE_FRAMES);
    leave_surfaces(device, GM_VADEC_WAITING + 36);
    CHECK(nvdec_stays(c, 0, device, 1) == 2 * (size_t)DEVICE_FRAMES);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_decoders_surfaces_go_before_the_next_ones_come(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(stay_by_turns, &device_short_gop), 0);
}

/* The first keyframe stays, and does not come to memory to be compared. */
static void fail_download(const void *arg)
{
    struct gm_frames_device d = {.stays = false};
    struct gm_err err;
    const char *why = NULL;
    enum gm_frames_doubt doubt = GM_FRAMES_FIT;
    fake_gpu_profile("arc", "fault copy error\n");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(arg, 30);
    CHECK(gm_frames_device_set(&d, device, &err) == 0);
    d.assists = d.stays = true;
    CHECK(gm_frames_device_open(&d, c->par, &err) == 0 && d.decoder != NULL);
    for (size_t i = 0; doubt == GM_FRAMES_FIT && i < c->packet_count; i++) {
        AVFrame *f = NULL;
        c->packets[i]->pts = (int64_t)i;
        CHECK(gm_frames_device_send(&d, c->packets[i], &doubt, &why, &err) == 0);
        CHECK(doubt == GM_FRAMES_FIT);
        CHECK(gm_frames_device_take(&d, &f, &doubt, &why, &err) == 0 && f == NULL);
    }
    CHECK(doubt == GM_FRAMES_UNFIT && strcmp(why, "the device's driver failed") == 0);
    CHECK(d.failure.code == GM_E_DEVICE_DRIVER && d.device == NULL && d.decoder == NULL);
    gm_frames_device_fini(&d);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_download_that_fails_is_made_good_by_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(fail_download, &device_short_gop), 0);
}

/* Pictures that stay come to memory where their range is full; the damaged one can't. */
static void damage_in_full_range(const void *arg)
{
    static const struct made full = {"libx264",
                                     "preset=ultrafast,bf=0,g=20,x264-params=fullrange=on",
                                     160,
                                     144,
                                     AV_PIX_FMT_YUVJ420P,
                                     0};
    struct gm_frames_device d = {.stays = false};
    struct gm_err err;
    const char *why = NULL;
    enum gm_frames_doubt doubt = GM_FRAMES_FIT;
    size_t damaged = 0, whole = 0;
    (void)arg;
    fake_gpu_profile("arc", "fault decode corrupt at=5\n");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&full, 10);
    CHECK(gm_frames_device_set(&d, device, &err) == 0);
    d.assists = d.stays = true;
    CHECK(gm_frames_device_open(&d, c->par, &err) == 0 && d.decoder != NULL);
    for (size_t i = 0; i <= c->packet_count; i++) {
        AVFrame *f = NULL;
        AVPacket *packet = i < c->packet_count ? c->packets[i] : NULL;
        if (packet != NULL) {
            packet->pts = (int64_t)i;
        }
        CHECK(gm_frames_device_send(&d, packet, &doubt, &why, &err) == 0);
        CHECK(doubt == GM_FRAMES_FIT);
        while (gm_frames_device_take(&d, &f, &doubt, &why, &err) == 0 && f != NULL) {
            bool corrupt = (f->flags & AV_FRAME_FLAG_CORRUPT) != 0;
            CHECK(f->format == (corrupt ? AV_PIX_FMT_VAAPI : AV_PIX_FMT_YUVJ420P));
            *(corrupt ? &damaged : &whole) += 1;
            av_frame_free(&f);
        }
        CHECK(doubt == GM_FRAMES_FIT && d.failure.code == GM_OK);
    }
    CHECK(damaged == 1 && whole == 9);
    gm_frames_device_fini(&d);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_damaged_picture_is_no_failure_of_the_driver(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(damage_in_full_range, NULL), 0);
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
    struct clip *c = nvdec_make(arg, DEVICE_FRAMES);
    const struct run *r = nvdec_both(c, 0, 1, false, device, 0);
    CHECK(r->on_device == 3 && r->restarts == 1);
    CHECK(strcmp(r->why, "a packet is malformed, or the driver refused it") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void a_slice_that_the_driver_refuses_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(lose_slice, &slices), 0);
}

static void no_decoder(const void *arg)
{
    (void)arg;
    fake_gpu_profile("none",
                     "gpu 0000:03:00.0\n node renderD128\n encode h264 8 32x32 4096x4096 0\n");
    AVBufferRef *device = open_device();
    struct clip *c = nvdec_make(&device_short_gop, 20);
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

/* Its headers name sets of reference pictures that its sequence has. */
static const struct device_real phone = {"hevc-hdr10-phone-1080p.mp4", 1, true};

/* The second one has global motion, which the fake driver refuses. */
static const struct device_real av1_reals[] = {{"av1-aac.mp4", 0, true},
                                               {"tos-av1-1920x800.webm", 0, false}};

static void real_clips_give_the_pictures_of_software(void **state)
{
    (void)state;
    device_frames_reals(&ON, device_reals, DEVICE_REALS);
    device_frames_reals(&ON, &phone, 1);
    device_frames_reals(&ON, av1_reals, sizeof av1_reals / sizeof av1_reals[0]);
}

/* The second picture of this clip is not shown. */
static void damage_hidden(const void *path)
{
    fake_gpu_profile("arc", "fault decode corrupt at=2\n");
    AVBufferRef *device = open_device();
    struct clip *c = clip_load(path);
    c->frame_count = c->frame_count > 30 ? 30 : c->frame_count;
    const struct run *r = nvdec_both(c, 0, 1, false, device, 0);
    CHECK(r->on_device == 0 && r->why != NULL &&
          strcmp(r->why, "the driver says that a picture is damaged") == 0);
    clip_free(&c);
    av_buffer_unref(&device);
}

static void damage_of_pictures_that_are_not_shown_is_noticed(void **state)
{
    char path[4096];
    (void)state;
    if (!folder_clip("vp9-10bit-profile2.webm", path)) {
        skip();
    }
    assert_int_equal(fake_gpu_run(damage_hidden, path), 0);
}

/* Sets no_output_of_prior_pics_flag: pictures that wait to be shown there never are. */
static void drop_prior(AVPacket *packet)
{
    CHECK(av_packet_make_writable(packet) == 0);
    for (int i = 0; i + 5 < packet->size; i++) {
        uint8_t *at = packet->data + i;
        unsigned type = at[3] >> 1 & 63u;
        if (at[0] == 0 && at[1] == 0 && at[2] == 1 && (type == 19 || type == 20)) { /* IDR */
            at[5] |= 0x40;
            return;
        }
    }
}

/* Pictures of HEVC that an IDR takes back: decoded, and never shown. */
static void damage_taken_back(const void *arg)
{
    struct clip *c = nvdec_make(&hevc_short_gop, 45);
    size_t chunks = 0, all = 0, noticed = 0;
    (void)arg;
    for (size_t i = 1; i < c->packet_count; i++) {
        drop_prior(c->packets[i]);
    }
    clip_decode(c);
    CHECK(c->frame_count > 30 && c->frame_count < 45);
    chunks = (c->frame_count + 14) / 15;
    for (int at = 0; at <= 15; at++) {
        char fault[64];
        (void)snprintf(fault, sizeof fault, "fault decode corrupt at=%d\n", at);
        fake_gpu_profile("arc", at == 0 ? "" : fault);
        AVBufferRef *device = open_device();
        const struct run *r = nvdec_both(c, 0, 0, false, device, 0);
        all += at == 0 ? r->on_device : 0;
        noticed += at > 0 && r->on_device < chunks && r->why != NULL &&
                   strcmp(r->why, "the driver says that a picture is damaged") == 0;
        av_buffer_unref(&device);
    }
    CHECK(all == chunks);
    CHECK(noticed == 15);
    clip_free(&c);
}

static void damage_of_pictures_that_are_taken_back_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(damage_taken_back, NULL), 0);
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
        cmocka_unit_test(pictures_whose_references_are_missing_are_for_software),
        cmocka_unit_test(what_the_device_does_not_give_whole_is_for_software),
        cmocka_unit_test(who_keeps_all_surfaces_is_told),
        cmocka_unit_test(with_few_surfaces_pictures_come_to_memory),
        cmocka_unit_test(a_decoders_surfaces_go_before_the_next_ones_come),
        cmocka_unit_test(a_download_that_fails_is_made_good_by_software),
        cmocka_unit_test(a_damaged_picture_is_no_failure_of_the_driver),
        cmocka_unit_test(odd_and_large_sizes_are_for_software),
        cmocka_unit_test(failures_of_the_device_have_their_code),
        cmocka_unit_test(a_slice_that_the_driver_refuses_is_noticed),
        cmocka_unit_test(a_driver_without_a_decoder_leaves_all_to_software),
        cmocka_unit_test(real_clips_give_the_pictures_of_software),
        cmocka_unit_test(damage_of_pictures_that_are_not_shown_is_noticed),
        cmocka_unit_test(damage_of_pictures_that_are_taken_back_is_noticed),
    };
    return cmocka_run_group_tests_name("media/frames_vadec", tests, NULL, NULL);
}
