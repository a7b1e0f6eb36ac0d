#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/device_frames_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/fake_gpu_io.h"
#include "media/folder_io.h"

const struct made device_clips[DEVICE_CLIPS] = {
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
};

const struct made device_short_gop = {
    "libx264", "preset=fast,bf=2,g=15,x264-params=scenecut=0", 160, 144, AV_PIX_FMT_YUV420P, 0};

#define LEFT "a codec, profile or size that is left to software"
const struct device_left device_lefts[DEVICE_LEFTS] = {
    {{"libx264", "preset=fast,g=20,a53cc=1", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream has captions",
     false,
     false},
    {{"libx264", "preset=fast,g=20,flags=+ildct,x264-params=tff=1", 160, 144, AV_PIX_FMT_YUV420P,
      0},
     "the stream is interlaced",
     false,
     false},
    {{"libx264", "preset=fast,g=20", 160, 144, AV_PIX_FMT_YUV422P, 0}, LEFT, false, false},
    {{"libx264", "preset=fast,g=20", 160, 144, AV_PIX_FMT_YUV420P10LE, 0}, LEFT, false, false},
    {{"libvpx-vp9", "deadline=realtime,cpu-used=8,g=20", 161, 144, AV_PIX_FMT_YUV420P, 0},
     LEFT,
     false,
     false},
    {{"libx264", "preset=fast,g=10,bf=0", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream changes its parameters",
     true,
     false},
    {{"libx264", "preset=fast,g=20", 160, 144, AV_PIX_FMT_YUV420P, 0},
     "the stream has film grain",
     false,
     true},
    {{"libx265", "preset=fast,x265-params=log-level=none:keyint=20", 160, 144, AV_PIX_FMT_YUV420P,
      0},
     "the stream has film grain",
     false,
     true},
};

/* A message on film grain: of luma, in all its values, with strength 60. Source: ITU-T H.264
 * D.1.20, which H.265 has with a flag in the place of the period. */
static const uint8_t avc_grain[] = {0,    0,    0,    1,    6,    19,   10,   0x00, 0xa0,
                                    0x02, 0x00, 0xff, 0x03, 0xc0, 0x40, 0x20, 0xa0, 0x80};
static const uint8_t hevc_grain[] = {0,    0,    0,    1,    0x4e, 1,    19,   9,    0x00,
                                     0xa0, 0x02, 0x00, 0xff, 0x03, 0xc0, 0x40, 0x21, 0x80};

/* Software's pictures change. */
static void add_grain(struct clip *c)
{
    const struct clip_frame plain = c->frames[0];
    bool hevc = c->par->codec_id == AV_CODEC_ID_HEVC;
    const uint8_t *message = hevc ? hevc_grain : avc_grain;
    size_t count = hevc ? sizeof hevc_grain : sizeof avc_grain;
    for (size_t i = 0; i < c->packet_count; i++) {
        AVPacket *p = c->packets[i];
        size_t size = (size_t)p->size;
        if ((p->flags & AV_PKT_FLAG_KEY) != 0) {
            CHECK(av_grow_packet(p, (int)count) == 0);
            memmove(p->data + count, p->data, size);
            memcpy(p->data, message, count);
        }
    }
    clip_decode(c);
    CHECK(memcmp(plain.sha256, c->frames[0].sha256, sizeof plain.sha256) != 0);
}

const struct device_real device_reals[DEVICE_REALS] = {
    {"bpyramid-h264.mp4", 1, true},
    {"hevc-hdr10-mastering-cll.mkv", 1, true},
    {"vp9-10bit-profile2.webm", 0, true},
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

struct job {
    const struct device_frames *on;
    const struct made *made;
    const void *what;
};

static int run(void (*fn)(const void *arg), const struct device_frames *on, const struct made *made,
               const void *what)
{
    const struct job job = {on, made, what};
    return fake_gpu_run(fn, &job);
}

static AVBufferRef *start(const struct device_frames *on, const char *profile, const char *lines)
{
    fake_gpu_profile(profile, lines);
    return on->open();
}

static void expect(bool right, const char *clip, const struct run *r)
{
    if (!right) {
        (void)fprintf(stderr, "%s: %zu chunks on the device, restarts %zu, errors %zu: %s\n", clip,
                      r->on_device, r->restarts, r->errors, r->why != NULL ? r->why : "no reason");
        CHECK(false);
    }
}

static void end(struct clip *c, AVBufferRef *device)
{
    clip_free(&c);
    av_buffer_unref(&device);
}

static void same(const void *arg)
{
    const struct job *j = arg;
    const struct made *m = j->made;
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(m, DEVICE_FRAMES);
    CHECK(c->frame_count == DEVICE_FRAMES);
    for (size_t runs = 0; runs <= 2; runs++) {
        for (size_t repeats = 0; repeats <= (runs == 0); repeats++) {
            const struct run *r = nvdec_both(c, m->keys_back, runs, false, device, repeats);
            expect(r->why == NULL && r->on_device == 4, m->options, r);
            CHECK(r->restarts == repeats * 4 && r->stayed == 0);
        }
    }
    if (j->on->stays) { /* yuvj420p is no format of a surface */
        CHECK(nvdec_stays(c, m->keys_back, device, 0) ==
              (m->format == AV_PIX_FMT_YUVJ420P ? 0 : DEVICE_FRAMES));
    }
    end(c, device);
}

int device_frames_same(const struct device_frames *on, const struct made *clip)
{
    return run(same, on, clip, NULL);
}

static void demuxed(const void *arg)
{
    const struct job *j = arg;
    static const char *const endings[] = {"mp4", "mkv", "ts"};
    char dir[] = "/tmp/test-frames-XXXXXX";
    char path[64];
    CHECK(mkdtemp(dir) != NULL);
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(j->made, 20);
    bool ts = c->par->codec_id == AV_CODEC_ID_H264 || c->par->codec_id == AV_CODEC_ID_HEVC;
    for (size_t i = 0; i < (ts ? 3 : 2); i++) {
        (void)snprintf(path, sizeof path, "%s/clip.%s", dir, endings[i]);
        clip_mux(c, path);
        struct clip *loaded = clip_load(path);
        (void)unlink(path);
        CHECK(loaded->frame_count == 20);
        const struct run *r = nvdec_both(loaded, j->made->keys_back, 0, false, device, 0);
        expect(r->why == NULL && r->on_device == 2, endings[i], r);
        clip_free(&loaded);
    }
    (void)rmdir(dir);
    end(c, device);
}

int device_frames_demuxed(const struct device_frames *on, const struct made *clip)
{
    return run(demuxed, on, clip, NULL);
}

static void damaged(const void *arg)
{
    const struct job *j = arg;
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(j->made, DEVICE_FRAMES);
    for (size_t i = 17; i < 28; i += 3) {
        AVPacket *p = c->packets[i];
        for (int b = p->size / 3; b < p->size; b += 5) {
            p->data[b] ^= 0x55;
        }
    }
    for (size_t runs = 0; runs <= 2; runs++) {
        const struct run *r = nvdec_both(c, j->made->keys_back, runs, false, device, 0);
        expect(r->restarts > 0 && r->why != NULL && r->errors + r->replaced > 0, "damaged", r);
        CHECK(r->on_device > 0 && r->on_device < 4); /* the rest is sound */
    }
    end(c, device);
}

int device_frames_damaged(const struct device_frames *on, const struct made *clip)
{
    return run(damaged, on, clip, NULL);
}

static void missing(const void *arg)
{
    const struct job *j = arg;
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(j->made, DEVICE_FRAMES);
    c->packets[20]->flags |= AV_PKT_FLAG_CORRUPT;
    const struct run *r = nvdec_both(c, j->made->keys_back, 1, false, device, 0);
    expect(r->on_device < 4 && r->why != NULL && strcmp(r->why, "a packet is damaged") == 0,
           "marked", r);
    c->packets[20]->flags = 0;
    c->packets[20]->size = 5; /* its picture is gone */
    r = nvdec_both(c, j->made->keys_back, 1, false, device, 0);
    expect(r->on_device < 4 && r->restarts > 0 && r->why != NULL, "cut off", r);
    end(c, device);
}

/* A packet is not there, and those behind it are. */
static void unreferenced(const void *arg)
{
    const struct job *j = arg;
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(j->made, DEVICE_FRAMES);
    av_packet_free(&c->packets[16]);
    c->packet_count--;
    for (size_t i = 16; i < c->packet_count; i++) {
        c->packets[i] = c->packets[i + 1];
    }
    clip_decode(c);
    const struct run *r = nvdec_both(c, j->made->keys_back, 1, false, device, 0);
    expect(r->on_device > 0 && r->on_device < 4 && r->why != NULL, "unreferenced", r);
    end(c, device);
}

int device_frames_unreferenced(const struct device_frames *on, const struct made *clip)
{
    return run(unreferenced, on, clip, NULL);
}

int device_frames_missing(const struct device_frames *on, const struct made *clip)
{
    return run(missing, on, clip, NULL);
}

static void left(const void *arg)
{
    const struct job *j = arg;
    const struct device_left *l = j->what;
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = nvdec_make(&l->made, 40);
    if (l->grain) {
        add_grain(c);
    }
    for (size_t runs = 0; runs <= 1; runs++) {
        const struct run *r = nvdec_both(c, l->made.keys_back, runs, l->change, device, 0);
        expect(r->why != NULL && strcmp(r->why, l->why) == 0, l->made.options, r);
        CHECK(l->change || r->on_device == 0);
    }
    end(c, device);
}

int device_frames_left(const struct device_frames *on, const struct device_left *what)
{
    return run(left, on, &what->made, what);
}

static void fault(const void *arg)
{
    const struct job *j = arg;
    const struct device_fault *f = j->what;
    static struct run soft;
    static struct run hard;
    struct gm_err err = {0};
    AVBufferRef *device = start(j->on, f->profile, f->lines);
    struct clip *c = nvdec_make(j->made, DEVICE_FRAMES);
    int rc = nvdec_decode(c, j->made->keys_back, 0, false, device, 0, &hard, &err);
    bool right = rc == f->rc &&
                 (rc < 0 || (f->why != NULL && hard.why != NULL ? strcmp(f->why, hard.why) == 0
                                                                : f->why == hard.why));
    if (rc == 0) {
        CHECK(nvdec_decode(c, j->made->keys_back, 0, false, NULL, 0, &soft, &err) == 0);
        nvdec_check_same(&soft, &hard);
        right = right && hard.on_device == f->on_device;
    }
    if (!right) {
        (void)fprintf(stderr, "%s %s: %d %s, %s, %zu on the device\n", f->profile, f->lines, rc,
                      err.text, hard.why != NULL ? hard.why : "no reason", hard.on_device);
    }
    CHECK(right);
    end(c, device);
}

int device_frames_fault(const struct device_frames *on, const struct made *clip,
                        const struct device_fault *what)
{
    return run(fault, on, clip, what);
}

static void real(const void *arg)
{
    const struct job *j = arg;
    const struct device_real *t = j->what;
    char path[4096];
    CHECK(folder_clip(t->name, path));
    AVBufferRef *device = start(j->on, j->on->profile, "");
    struct clip *c = clip_load(path);
    c->frame_count = c->frame_count > 60 ? 60 : c->frame_count;
    const struct run *r = nvdec_both(c, t->keys_back, 1, false, device, 0);
    size_t chunks = (c->frame_count + 14) / 15;
    expect((r->on_device == chunks) == t->on_device, t->name, r);
    end(c, device);
}

void device_frames_reals(const struct device_frames *on, const struct device_real *reals,
                         size_t count)
{
    char path[4096];
    int bad = 0;
    if (!folder_clip(device_reals[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < count; i++) {
        if (run(real, on, NULL, &reals[i]) != 0) {
            print_message("%s\n", reals[i].name);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}
