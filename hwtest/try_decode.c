/* A decoder's exactness: a clip that software encoded, decoded by it twice, must give what the
 * farm's software decoder gives, to the bit. For software itself the other side is a decoder
 * without vector code, where libavutil's flag reaches it. Where the farm has a decoder of its own
 * for that device, it must give the same. */
#include "hwtest/clip.h"
#include "hwtest/farm_decode.h"
#include "hwtest/level1.h"
#include "hwtest/try.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/cpu.h>

#include "media/av.h"
#include "media/prove/prove_device.h"
#include "node/devices/probe.h"

#define CRF 2600 /* hundredths */

/* One pass of the decoder under test. */
static int pass(const struct gm_hwtest_try *work, const char *name,
                const struct gm_hwtest_stream *stream, struct gm_hwtest_pictures *out,
                struct gm_err *err)
{
    if (strcmp(work->api, "software") == 0) {
        return gm_hwtest_decode_software(stream, 0, stream->count, work->depth, out, err);
    }
    const struct gm_prove_work prove = {
        .api = work->api, .codec = work->codec, .depth = work->depth, .device = name};
    AVCodecContext *ctx = NULL;
    int rc = gm_prove_open_decoder(&prove, stream->par, &ctx, err);
    if (rc == 0) {
        rc = gm_hwtest_decode(ctx, stream, 0, stream->count, work->depth, out, err);
    }
    avcodec_free_context(&ctx);
    return rc;
}

/* What the others are held against. */
static int reference(const struct gm_hwtest_try *work, const struct gm_hwtest_stream *stream,
                     struct gm_hwtest_pictures *out, struct gm_err *err)
{
    bool software = strcmp(work->api, "software") == 0;
    int flags = av_get_cpu_flags();
    if (software) {
        av_force_cpu_flags(0);
    }
    int rc = gm_hwtest_decode_software(stream, 0, stream->count, work->depth, out, err);
    if (software) {
        av_force_cpu_flags(flags);
    }
    if (rc == 0 && out->count != GM_HWTEST_FRAMES) {
        rc = gm_err_set(err, GM_E_MEDIA_VERIFY, out->count, "software decoded %d pictures of %d",
                        out->count, GM_HWTEST_FRAMES);
    }
    return rc;
}

static double count_same(const struct gm_hwtest_pictures *want,
                         const struct gm_hwtest_pictures *got)
{
    double same = 0;
    for (int i = 0; i < got->count && i < want->count; i++) {
        const struct gm_hwtest_pictures a = {.frame = {want->frame[i]}, .count = 1};
        const struct gm_hwtest_pictures b = {.frame = {got->frame[i]}, .count = 1};
        same += gm_hwtest_first_difference(&a, &b) < 0 ? 1 : 0;
    }
    return same;
}

static void judge(const struct gm_hwtest_try *work, const struct gm_hwtest_pictures *want,
                  const struct gm_hwtest_pictures *one, const struct gm_hwtest_pictures *two,
                  struct gm_hwtest_check *c)
{
    const double all = GM_HWTEST_FRAMES;
    char text[200];
    int first = gm_hwtest_first_difference(want, one);
    int second = gm_hwtest_first_difference(want, two);
    gm_hwtest_measure(c, count_same(want, one), "pictures", &all, &all);
    if (gm_hwtest_first_difference(one, two) >= 0) {
        c->status = GM_HWTEST_UNSTABLE;
        (void)snprintf(text, sizeof(text),
                       "two runs over the same clip differ: first wrong "
                       "picture %d, then %d (-1: none)",
                       first, second);
    } else if (first >= 0) {
        c->status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text), "picture %d is not what software decodes (%d came out)",
                       first, one->count);
    } else {
        (void)snprintf(text, sizeof(text), "all pictures, twice, are %s to the bit",
                       strcmp(work->api, "software") == 0 ? "those without vector code"
                                                          : "those of software");
    }
    gm_hwtest_set(c->text, text);
    if (c->status != GM_HWTEST_PASS) {
        gm_hwtest_set(c->remedy, gm_hwtest_remedy(work->api));
    }
}

/* The farm's own decoder; what fails there is a check of its own. */
static int add_farm(const struct gm_hwtest_try *work, const struct gm_hwtest_stream *stream,
                    const struct gm_hwtest_pictures *want, struct gm_hwtest_report *report,
                    struct gm_err *err)
{
    const double all = GM_HWTEST_FRAMES;
    struct gm_hwtest_pictures got = {0};
    struct gm_err why = {.code = GM_OK};
    char text[200];
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".farm");
    const char *id = strcmp(work->api, "vaapi") == 0 ? work->node : work->device;
    int rc = gm_hwtest_farm_decode(work->api, id, work->codec, work->depth, stream, &got, &why);
    int first = gm_hwtest_first_difference(want, &got);
    if (rc < 0) {
        bool unfit = why.code == GM_E_PIPELINE_UNFIT; /* slower, and no fault */
        c.status = unfit ? GM_HWTEST_WARN : GM_HWTEST_FAIL;
        gm_hwtest_set(c.text, why.text);
        gm_hwtest_set(c.remedy,
                      unfit ? "none is needed where that is fast enough; else update the driver"
                            : gm_hwtest_try_remedy(work, &why));
    } else {
        gm_hwtest_measure(&c, count_same(want, &got), "pictures", &all, &all);
        (void)snprintf(text, sizeof(text),
                       "all pictures of the decoder that tasks use are those of software");
    }
    if (rc == 0 && first >= 0) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.remedy, gm_hwtest_remedy(work->api));
        (void)snprintf(text, sizeof(text),
                       "by the decoder that tasks use picture %d is not what software decodes (%d "
                       "came out)",
                       first, got.count);
    }
    if (rc == 0) {
        gm_hwtest_set(c.text, text);
    }
    gm_hwtest_pictures_fini(&got);
    return gm_hwtest_add(report, &c, err);
}

static int add_clip(const struct gm_hwtest_try *work, const struct gm_hwtest_stream *stream,
                    struct gm_hwtest_report *report, struct gm_err *err)
{
    char name[64];
    struct gm_hwtest_clip clip = {.width_px = GM_HWTEST_WIDTH_PX,
                                  .height_px = GM_HWTEST_HEIGHT_PX,
                                  .frames = GM_HWTEST_FRAMES,
                                  .size_bytes = (uint64_t)stream->bits / 8};
    (void)snprintf(name, sizeof(name), "%.16s.%u", work->codec, work->depth);
    gm_hwtest_set(clip.name, name);
    gm_hwtest_set(clip.hash, stream->hash);
    return gm_hwtest_add_clip(report, &clip, err);
}

int gm_hwtest_try_decode(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err)
{
    struct gm_hwtest_pictures pattern = {0}, want = {0}, one = {0}, two = {0};
    struct gm_hwtest_stream stream = {0};
    struct gm_err why = {.code = GM_OK};
    char number[16];
    const char *name = NULL;
    bool ready = false; /* for the farm's decoder, whatever becomes of libavcodec's */
    const struct gm_hwtest_encoding how = {
        .codec = work->codec, .depth = work->depth, .crf_centi = CRF};
    int rc = gm_hwtest_pattern(work->depth, &pattern, &why);
    if (rc == 0) {
        rc = gm_hwtest_encode(&how, &pattern, &stream, &why);
    }
    if (rc == 0) {
        rc = reference(work, &stream, &want, &why);
    }
    if (rc == 0) {
        rc = gm_probe_av_name(work->api, work->device, work->node, number, &name, &why);
    }
    if (rc == 0) {
        ready = gm_hwtest_farm_decodes(work->api, work->codec, work->depth);
        rc = pass(work, name, &stream, &one, &why);
    }
    if (rc == 0) {
        rc = pass(work, name, &stream, &two, &why);
    }
    if (rc < 0) {
        rc = gm_hwtest_try_failed(work, &why, report, err);
    } else {
        struct gm_hwtest_check c = gm_hwtest_try_check(work, "");
        judge(work, &want, &one, &two, &c);
        rc = gm_hwtest_add(report, &c, err);
    }
    if (rc == 0 && ready) {
        rc = add_farm(work, &stream, &want, report, err);
    }
    if (rc == 0 && stream.hash[0] != '\0') {
        rc = add_clip(work, &stream, report, err);
    }
    gm_hwtest_pictures_fini(&pattern);
    gm_hwtest_pictures_fini(&want);
    gm_hwtest_pictures_fini(&one);
    gm_hwtest_pictures_fini(&two);
    gm_hwtest_stream_fini(&stream);
    return rc;
}
