/* An encoder's exactness: an average bit rate is asked for, as the farm asks for it (a quality is
 * searched, media/encode/budget.h), and what comes out is looked at: pictures, keyframes, rate,
 * likeness; then the same again. */
#include "hwtest/clip.h"
#include "hwtest/level1.h"
#include "hwtest/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/encode/budget.h"
#include "media/encode/encoder.h"
#include "node/devices/probe.h"
#include "proto/video_codec.h"

#define TARGET_BPS 300000
#define RATE_WINDOW 0.05 /* of the average */
#define SSIM_LOW 0.97    /* of software */
#define SSIM_WINDOW 0.03 /* a device's distance from software at the same average */
#define WORST_LOW 0.95   /* of software's worst picture */
#define WORST_WINDOW 0.06
#define ENCODES 7 /* until the average is met */

/* One encoder's stream at the asked average, and what it decodes to. */
struct made {
    struct gm_hwtest_encoding how;
    struct gm_hwtest_stream stream;
    struct gm_hwtest_pictures pictures;
    int encodes;
};

static void made_fini(struct made *m)
{
    gm_hwtest_stream_fini(&m->stream);
    gm_hwtest_pictures_fini(&m->pictures);
}

static const char *chain_of(const char *api)
{
    return strcmp(api, "software") == 0 ? "cpu" : api;
}

static int64_t budget(void)
{
    return (int64_t)TARGET_BPS * GM_HWTEST_FRAMES / GM_HWTEST_RATE;
}

static bool is_near(int64_t bits)
{
    int64_t off = bits > budget() ? bits - budget() : budget() - bits;
    return (double)off <= RATE_WINDOW * (double)budget();
}

/* Encodes until the average is met or nothing is left to try; the nearest stays. */
static int search(struct made *m, const struct gm_hwtest_pictures *in, struct gm_err *err)
{
    const struct gm_video_codec *codec = gm_video_codec_find(m->how.codec);
    int32_t crf, before_crf = -1, step = GM_BUDGET_STEP_CENTI, best_crf = -1;
    int64_t before_bits = 0, best_off = INT64_MAX;
    int rc = 0;
    if (codec == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "codec %.16s is unknown", m->how.codec);
    }
    crf = gm_budget_reference(TARGET_BPS, GM_HWTEST_WIDTH_PX * GM_HWTEST_HEIGHT_PX, GM_HWTEST_RATE,
                              1, codec->default_crf * 100);
    for (m->encodes = 0; rc == 0 && m->encodes < ENCODES; m->encodes++) {
        int32_t unit = gm_video_codec_is_fine(codec) ? 1 : 100;
        crf = (crf + unit / 2) / unit * unit;
        crf = crf < codec->min_quality * 100 ? codec->min_quality * 100 : crf;
        crf = crf > codec->max_crf * 100 ? codec->max_crf * 100 : crf;
        if (crf == before_crf || crf == best_crf) {
            break;
        }
        gm_hwtest_stream_fini(&m->stream);
        m->how.crf_centi = crf;
        rc = gm_hwtest_encode(&m->how, in, &m->stream, err);
        int64_t bits = m->stream.bits > 0 ? m->stream.bits : 1;
        int64_t off = bits > budget() ? bits - budget() : budget() - bits;
        if (off < best_off) {
            best_off = off;
            best_crf = crf;
        }
        if (rc < 0 || is_near(bits)) {
            m->encodes++;
            return rc;
        }
        step = before_bits > 0 ? gm_budget_step(before_crf, before_bits, crf, bits) : step;
        before_crf = crf;
        before_bits = bits;
        crf = gm_budget_crf(crf, bits, budget(), step);
    }
    if (rc == 0 && best_crf != m->how.crf_centi) {
        gm_hwtest_stream_fini(&m->stream);
        m->how.crf_centi = best_crf;
        m->encodes++;
        rc = gm_hwtest_encode(&m->how, in, &m->stream, err);
    }
    return rc;
}

/* Pictures of its groups, each decoded alone: a keyframe that is none, or leans on what was before
 * it, shows here. -1: all are those of the whole; else the first that is not. */
static int check_groups(const struct made *m, int *out_wrong, struct gm_err *err)
{
    struct gm_hwtest_pictures alone = {0};
    const struct gm_hwtest_stream *s = &m->stream;
    int rc = 0;
    for (int from = 0, to; rc == 0 && from < s->count; from = to) {
        to = from + 1;
        while (to < s->count && (s->packets[to]->flags & AV_PKT_FLAG_KEY) == 0) {
            to++;
        }
        rc = gm_hwtest_decode_software(s, from, to, m->how.depth, &alone, err);
    }
    *out_wrong = rc == 0 ? gm_hwtest_first_difference(&m->pictures, &alone) : 0;
    gm_hwtest_pictures_fini(&alone);
    return rc;
}

/* Keyframes that stand where none was asked, or lack; pictures that lack or come twice. */
static int count_misplaced(const struct gm_hwtest_stream *s)
{
    bool seen[GM_HWTEST_FRAMES] = {false};
    int wrong = 0;
    for (int i = 0; i < s->count; i++) {
        int64_t pts = s->packets[i]->pts;
        bool known = pts >= 0 && pts < GM_HWTEST_FRAMES && !seen[pts];
        bool key = (s->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
        wrong += !known || key != gm_hwtest_is_key((int)pts) ? 1 : 0;
        if (known) {
            seen[pts] = true;
        }
    }
    for (int i = 0; i < GM_HWTEST_FRAMES; i++) {
        wrong += seen[i] ? 0 : 1;
    }
    return wrong;
}

static int add(const struct gm_hwtest_try *work, struct gm_hwtest_check *c, const char *text,
               struct gm_hwtest_report *report, struct gm_err *err)
{
    gm_hwtest_set(c->text, text);
    if (c->status != GM_HWTEST_PASS && c->remedy[0] == '\0') {
        gm_hwtest_set(c->remedy, gm_hwtest_remedy(work->api));
    }
    return gm_hwtest_add(report, c, err);
}

static int add_frames(const struct gm_hwtest_try *work, const struct made *m,
                      struct gm_hwtest_report *report, struct gm_err *err)
{
    const double all = GM_HWTEST_FRAMES, none = 0;
    char text[200], name[64];
    struct gm_err why = {.code = GM_OK};
    int wrong = 0;
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".frames");
    gm_hwtest_measure(&c, m->pictures.count, "pictures", &all, &all);
    if (gm_hwtest_encoder_name(&m->how, name, &why) < 0) {
        (void)snprintf(name, sizeof(name), "no version told");
    }
    (void)snprintf(text, sizeof(text), "%d packets, %d pictures decoded in software; %s",
                   m->stream.count, m->pictures.count, name);
    c.status = m->stream.count == GM_HWTEST_FRAMES ? c.status : GM_HWTEST_FAIL;
    int rc = add(work, &c, text, report, err);
    if (rc < 0) {
        return rc;
    }
    c = gm_hwtest_try_check(work, ".idr");
    gm_hwtest_measure(&c, count_misplaced(&m->stream), "misplaced", &none, &none);
    (void)snprintf(text, sizeof(text), "%s",
                   c.status == GM_HWTEST_PASS
                       ? "keyframes at 0, 24, 41 and 65 alone; each group decodes by itself to the "
                         "same pictures"
                       : "keyframes are elsewhere than at 0, 24, 41 and 65, or pictures lack or "
                         "come twice");
    if (check_groups(m, &wrong, &why) < 0) {
        c.status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text), "a group does not decode by itself: %.150s", why.text);
    } else if (wrong >= 0) {
        c.status = GM_HWTEST_FAIL;
        (void)snprintf(text, sizeof(text), "picture %d is another where its group is decoded alone",
                       wrong);
    }
    return add(work, &c, text, report, err);
}

static int add_rate(const struct gm_hwtest_try *work, const struct made *m,
                    struct gm_hwtest_report *report, struct gm_err *err)
{
    const double low = TARGET_BPS * (1 - RATE_WINDOW) / 1000;
    const double high = TARGET_BPS * (1 + RATE_WINDOW) / 1000;
    char text[200];
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".bitrate");
    gm_hwtest_measure(&c, (double)m->stream.bits * GM_HWTEST_RATE / GM_HWTEST_FRAMES / 1000,
                      "kbit/s", &low, &high);
    (void)snprintf(text, sizeof(text), "%d encodes, quality %" PRId32 ".%02" PRId32, m->encodes,
                   m->how.crf_centi / 100, m->how.crf_centi % 100);
    gm_hwtest_set(c.remedy, c.status == GM_HWTEST_PASS
                                ? ""
                                : "this encoder's rate does not follow its quality: update driver "
                                  "and libraries, or do not ask it for an average");
    return add(work, &c, text, report, err);
}

static double least(const float *values, size_t count)
{
    float low = 1.0f;
    for (size_t i = 0; i < count; i++) {
        low = values[i] < low ? values[i] : low;
    }
    return (double)low;
}

/* The mean hides one picture that is destroyed. theirs: software's pictures, or NULL. */
static int add_worst(const struct gm_hwtest_try *work, const float *ours, size_t count,
                     const float *theirs, struct gm_hwtest_report *report, struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".worst");
    double low = theirs == NULL ? WORST_LOW : least(theirs, GM_HWTEST_FRAMES) - WORST_WINDOW;
    gm_hwtest_measure(&c, count == 0 ? 0 : least(ours, count), "SSIM", &low, NULL);
    c.better = GM_HWTEST_HIGHER;
    return add(work, &c, "the picture that is least like what went in", report, err);
}

/* soft: at the same average; NULL: m is software's. */
static int add_ssim(const struct gm_hwtest_try *work, const struct made *m, const struct made *soft,
                    const struct gm_hwtest_pictures *pattern, struct gm_hwtest_report *report,
                    struct gm_err *err)
{
    struct gm_compare ours, theirs;
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".ssim");
    double low = SSIM_LOW, high = 1.0;
    float soft_ssim[GM_HWTEST_FRAMES] = {0};
    char text[200] = "against what went in, mean of all pictures";
    int rc = gm_hwtest_likeness(pattern, &m->pictures, &ours, c.series, err);
    c.series_count = (size_t)m->pictures.count;
    if (rc == 0 && soft != NULL) {
        rc = gm_hwtest_likeness(pattern, &soft->pictures, &theirs, soft_ssim, err);
        low = rc == 0 ? gm_compare_ssim(&theirs) - SSIM_WINDOW : low;
        high = low + 2 * SSIM_WINDOW < 1.0 ? low + 2 * SSIM_WINDOW : 1.0;
        (void)snprintf(text, sizeof(text), "software at the same average: %.4f", low + SSIM_WINDOW);
    }
    if (rc < 0) {
        return rc;
    }
    gm_hwtest_measure(&c, gm_compare_ssim(&ours), "SSIM", &low, &high);
    c.better = GM_HWTEST_HIGHER;
    if (c.status == GM_HWTEST_FAIL && c.has_value && c.value > high) {
        c.status = GM_HWTEST_WARN;
        gm_hwtest_set(c.remedy, "better than software beyond the window: look at the pictures "
                                "before you believe it");
    }
    rc = add(work, &c, text, report, err);
    return rc == 0 ? add_worst(work, c.series, c.series_count, soft == NULL ? NULL : soft_ssim,
                               report, err)
                   : rc;
}

static int decode_all(struct made *m, struct gm_err *err)
{
    return gm_hwtest_decode_software(&m->stream, 0, m->stream.count, m->how.depth, &m->pictures,
                                     err);
}

/* The second stream is whole, though other bytes. */
static bool is_valid(struct made *again, const struct gm_hwtest_pictures *pattern)
{
    struct gm_err why;
    struct gm_compare like;
    int wrong = 0;
    return decode_all(again, &why) == 0 && again->pictures.count == GM_HWTEST_FRAMES &&
           again->stream.count == GM_HWTEST_FRAMES && count_misplaced(&again->stream) == 0 &&
           check_groups(again, &wrong, &why) == 0 && wrong < 0 &&
           gm_hwtest_likeness(pattern, &again->pictures, &like, NULL, &why) == 0 &&
           gm_compare_ssim(&like) >= SSIM_LOW - SSIM_WINDOW;
}

static int add_repeat(const struct gm_hwtest_try *work, const struct made *m,
                      const struct gm_hwtest_pictures *pattern, struct gm_hwtest_report *report,
                      struct gm_err *err)
{
    struct made again = {.how = m->how};
    struct gm_err why = {.code = GM_OK};
    struct gm_hwtest_check c = gm_hwtest_try_check(work, ".repeat");
    char text[200] = "encoded again: the same bytes";
    bool software = strcmp(work->api, "software") == 0;
    memcpy(c.hash, m->stream.hash, sizeof(c.hash));
    if (gm_hwtest_encode(&again.how, pattern, &again.stream, &why) < 0) {
        c.status = GM_HWTEST_UNSTABLE;
        (void)snprintf(text, sizeof(text), "the second time it failed: %.150s", why.text);
    } else if (strcmp(again.stream.hash, m->stream.hash) == 0) {
        c.status = GM_HWTEST_PASS;
    } else if (!is_valid(&again, pattern)) {
        c.status = GM_HWTEST_UNSTABLE;
        (void)snprintf(text, sizeof(text), "encoded again: other bytes, and they are wrong");
    } else {
        c.status = software ? GM_HWTEST_FAIL : GM_HWTEST_WARN;
        (void)snprintf(text, sizeof(text), "encoded again: other bytes, also right");
        gm_hwtest_set(c.remedy, software ? gm_hwtest_remedy("software")
                                         : "retried chunks of this device will differ in bytes, "
                                           "not in what is promised of them; no action is needed");
    }
    made_fini(&again);
    return add(work, &c, text, report, err);
}

/* Errors here are of the encoder: why. */
static int make(struct made *m, const struct gm_hwtest_pictures *pattern, struct gm_err *why)
{
    int rc = search(m, pattern, why);
    return rc == 0 ? decode_all(m, why) : rc;
}

int gm_hwtest_try_encode(const struct gm_hwtest_try *work, struct gm_hwtest_report *report,
                         struct gm_err *err)
{
    struct gm_hwtest_pictures pattern = {0};
    struct made m = {.how = {.codec = work->codec, .depth = work->depth}};
    struct made soft = {.how = {.chain = "cpu", .codec = work->codec, .depth = work->depth}};
    struct gm_err why = {.code = GM_OK};
    char number[16];
    bool software = strcmp(work->api, "software") == 0;
    m.how.chain = chain_of(work->api);
    int rc = gm_hwtest_pattern(work->depth, &pattern, &why);
    if (rc == 0) {
        rc = gm_probe_av_name(work->api, work->device, work->node, number, &m.how.device, &why);
    }
    if (rc == 0) {
        rc = make(&m, &pattern, &why);
    }
    if (rc == 0 && !software) {
        rc = make(&soft, &pattern, &why);
    }
    if (rc < 0) {
        rc = gm_hwtest_try_failed(work, &why, report, err);
    } else {
        rc = add_frames(work, &m, report, err);
        if (rc == 0) {
            rc = add_rate(work, &m, report, err);
        }
        if (rc == 0) {
            rc = add_ssim(work, &m, software ? NULL : &soft, &pattern, report, err);
        }
        if (rc == 0) {
            rc = add_repeat(work, &m, &pattern, report, err);
        }
    }
    made_fini(&m);
    made_fini(&soft);
    gm_hwtest_pictures_fini(&pattern);
    return rc;
}
