#include "media/nvdec_io.h"

#include <stdio.h>
#include <string.h>

#include "media/device/device_picture.h"
#include "media/device/hw.h"
#include "media/fake_gpu_io.h"

static int no_source(void *arg, struct gm_source_file *out, struct gm_err *err)
{
    (void)arg;
    (void)out;
    return gm_err_set(err, GM_E_BUG, 0, "no source");
}

static void keep(struct run *r, const AVFrame *f)
{
    AVFrame *here = NULL;
    struct gm_err err;
    CHECK(r->pictures < MAX_PICTURES);
    if (gm_device_picture_is(f)) {
        CHECK(gm_device_picture_download(f, &here, &err) == 0);
        here->reordered_opaque = f->reordered_opaque;
        f = here;
        r->stayed++;
    }
    struct seen *s = &r->seen[r->pictures++];
    memset(s, 0, sizeof *s);
    clip_hash(f, s->sha256);
    s->format = f->format;
    s->width = f->width;
    s->height = f->height;
    s->aspect = f->sample_aspect_ratio;
    s->range = f->color_range;
    s->matrix = f->colorspace;
    s->primaries = f->color_primaries;
    s->transfer = f->color_trc;
    s->chroma = f->chroma_location;
    s->interlaced = f->interlaced_frame;
    s->pts = f->pts;
    s->id = f->reordered_opaque;
    s->captions = av_frame_get_side_data(f, AV_FRAME_DATA_A53_CC) != NULL;
    av_frame_free(&here);
}

/* repeats: how often each chunk is asked for again. stays: pictures may stay on the device. */
static int run(struct run *r, AVBufferRef *device, size_t repeats, bool stays, struct gm_err *err)
{
    struct gm_frames_source s = {&r->list, frames_list_next, no_source, NULL};
    struct gm_frames *f = NULL;
    struct gm_frames_step step;
    size_t start = 0;
    int rc = gm_frames_create(&s, &f, err);
    if (rc == 0 && device != NULL) {
        rc = gm_frames_use_device(f, device, err);
    }
    if (stays) {
        gm_frames_stay(f);
    }
    CHECK(rc == 0);
    while ((rc = gm_frames_next(f, &step, err)) == 0 && step.event != GM_FRAMES_RUN_END) {
        switch (step.event) {
        case GM_FRAMES_CHUNK:
            start = r->pictures;
            break;
        case GM_FRAMES_RESTART:
            r->pictures = start;
            r->restarts++;
            break;
        case GM_FRAMES_BESIDE:
            r->beside++;
            break;
        case GM_FRAMES_PICTURE:
            CHECK(step.index == r->pictures - start);
            keep(r, step.picture);
            break;
        case GM_FRAMES_CHUNK_END:
            if (r->again < repeats) {
                r->again++;
                gm_frames_repeat(f);
                break;
            }
            r->again = 0;
            r->on_device += step.stats.on_device;
            r->errors += step.stats.errors;
            r->replaced += step.stats.replaced;
            r->why = step.stats.why != NULL ? step.stats.why : r->why;
            CHECK(step.stats.on_device ? step.stats.why == NULL : true);
            break;
        case GM_FRAMES_RUN_END:
            break;
        }
    }
    gm_frames_destroy(&f);
    frames_list_close(&r->list);
    return rc;
}

struct clip *nvdec_make(const struct made *m, int frames)
{
    struct clip *c =
        clip_make_sized(m->encoder, m->options, frames, m->width, m->height, m->format);
    bool deep = m->format == AV_PIX_FMT_YUV420P10LE;
    switch (c->par->codec_id) { /* as a demuxer tells; encoders do not */
    case AV_CODEC_ID_H264:
        c->par->profile = m->format == AV_PIX_FMT_YUV422P ? FF_PROFILE_H264_HIGH_422
                          : deep                          ? FF_PROFILE_H264_HIGH_10
                                                          : FF_PROFILE_H264_HIGH;
        break;
    case AV_CODEC_ID_HEVC:
        c->par->profile = deep ? FF_PROFILE_HEVC_MAIN_10 : FF_PROFILE_HEVC_MAIN;
        break;
    case AV_CODEC_ID_VP9:
        c->par->profile = deep ? FF_PROFILE_VP9_2 : FF_PROFILE_VP9_0;
        break;
    default:
        c->par->profile = 0; /* of AV1: its own for 4:2:0 */
        break;
    }
    return c;
}

static int decode(const struct clip *c, struct clip_cut cut, size_t run_chunks, AVBufferRef *device,
                  size_t repeats, bool stays, struct run *out, struct gm_err *err)
{
    int rc = 0;
    memset(out, 0, sizeof *out);
    while (rc == 0 && cut.end < c->frame_count) {
        frames_list_cut(&out->list, c, 15, run_chunks, &cut);
        rc = run(out, device, repeats, stays, err);
    }
    return rc;
}

int nvdec_decode_edited(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                        edit_fn edit, AVBufferRef *device, size_t repeats, struct run *out,
                        struct gm_err *err)
{
    struct clip_cut cut = {.context = 1, .change = change, .edit = edit, .keys_back = keys_back};
    return decode(c, cut, run_chunks, device, repeats, false, out, err);
}

size_t nvdec_stays(const struct clip *c, int keys_back, AVBufferRef *device, size_t repeats)
{
    static struct run soft;
    static struct run there;
    struct gm_err err = {0};
    const struct clip_cut cut = {.context = 1, .keys_back = keys_back};
    CHECK(decode(c, cut, 0, NULL, 0, false, &soft, &err) == 0);
    CHECK(decode(c, cut, 0, device, repeats, true, &there, &err) == 0);
    CHECK(there.on_device == soft.pictures / 15 + (soft.pictures % 15 != 0));
    nvdec_check_same(&soft, &there);
    return there.stayed;
}

int nvdec_decode(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                 AVBufferRef *device, size_t repeats, struct run *out, struct gm_err *err)
{
    return nvdec_decode_edited(c, keys_back, run_chunks, change, NULL, device, repeats, out, err);
}

AVBufferRef *nvdec_open_device(void)
{
    AVBufferRef *device = NULL;
    struct gm_err err = {0};
    if (gm_hw_open(NULL, &device, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        CHECK(false);
    }
    return device;
}

void nvdec_check_same(const struct run *a, const struct run *b)
{
    CHECK(a->pictures == b->pictures && b->beside >= a->beside);
    CHECK(a->errors == b->errors && a->replaced == b->replaced);
    for (size_t i = 0; i < a->pictures; i++) {
        if (memcmp(&a->seen[i], &b->seen[i], sizeof a->seen[i]) != 0) {
            (void)fprintf(stderr, "picture %zu: %s; format %d %d, matrix %d %d, id %d %d\n", i,
                          memcmp(a->seen[i].sha256, b->seen[i].sha256, 32) != 0 ? "other samples"
                                                                                : "same samples",
                          a->seen[i].format, b->seen[i].format, a->seen[i].matrix,
                          b->seen[i].matrix, (int)a->seen[i].id, (int)b->seen[i].id);
            CHECK(false);
        }
    }
}

const struct run *nvdec_both(const struct clip *c, int keys_back, size_t run_chunks, bool change,
                             AVBufferRef *device, size_t repeats)
{
    static struct run soft;
    static struct run hard;
    struct gm_err err = {0};
    CHECK(nvdec_decode(c, keys_back, run_chunks, change, NULL, 0, &soft, &err) == 0);
    CHECK(soft.on_device == 0 && soft.why == NULL);
    if (nvdec_decode(c, keys_back, run_chunks, change, device, repeats, &hard, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        CHECK(false);
    }
    nvdec_check_same(&soft, &hard);
    return &hard;
}
