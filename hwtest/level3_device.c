#include "hwtest/level3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hwtest/level1.h"
#include "kernels/kernels.h"
#include "node/devices/helper.h"

#define LIMIT_MS 100000 /* of a piece of work */
#define LEAST_MS 8000   /* less time is not worth a start: contexts and kernels take seconds */
#define LEAST_MS_QUICK 200
#define DENSITY_BYTES ((uint64_t)1 << 30) /* of the machine's memory, for a stream's pictures */
#define THREADS_QUICK 2
#define WORK_MAX (16 + GM_DEVICE_PROOFS)

static const char *const HEIGHTS[] = {"1080", "2160"}; /* of ladders' sources */
static const char *const CODECS[] = {"h264", "hevc", "av1", "vp9"};

struct work {
    const char *kind, *api, *codec, *source; /* static, or the device's; "" or NULL: none */
    char depth[8], streams[16], height[8], budget[16];
    char name[64]; /* of the check where it gives no answer */
};

struct device {
    const struct gm_device *d;
    const struct gm_hwtest_capacity_params *params;
    struct gm_hwtest_report *report;
    struct work work[WORK_MAX];
    size_t count;
    const char *why; /* static: nothing more is tried; NULL: go on */
    bool fake;
    const char *scaler_fails; /* static: its row; so nothing is tried with it; NULL: it does not */
};

static struct work *plan(struct device *p, const char *kind, const char *api, const char *codec)
{
    GM_ASSERT(p->count < WORK_MAX);
    struct work *w = &p->work[p->count++];
    memset(w, 0, sizeof(*w));
    w->kind = kind;
    w->api = api;
    w->codec = codec;
    (void)snprintf(w->name, sizeof(w->name), "%s%s%s", kind, api[0] == '\0' ? "" : ".", api);
    return w;
}

/* The proven coder of that codec and depth that the farm can use; NULL: there is none. */
static const struct gm_device_codec *find(const struct gm_device *d, bool encode, const char *codec,
                                          uint32_t depth)
{
    size_t count = encode ? d->encode_count : d->decode_count;
    for (size_t i = 0; i < count; i++) {
        const struct gm_device_codec *c = encode ? &d->encode[i] : &d->decode[i];
        const struct gm_device_proof *proof = gm_hwtest_find_proof(d, encode, c);
        if (strcmp(c->codec, codec) == 0 && c->depth == depth && c->chroma == 420 &&
            proof != NULL && proof->passed && (!encode || gm_hwtest_encodes(d, c))) {
            return c;
        }
    }
    return NULL;
}

static void plan_codec(struct device *p, bool encode, const char *codec, uint32_t depth)
{
    const struct gm_device_codec *c = find(p->d, encode, codec, depth);
    if (c == NULL) {
        return;
    }
    struct work *w = plan(p, encode ? "encoders" : "decoders", c->api, codec);
    (void)snprintf(w->depth, sizeof(w->depth), "%u", depth);
    if (c->engines > 0) {
        (void)snprintf(w->streams, sizeof(w->streams), "%u", c->engines);
    }
    (void)snprintf(w->name, sizeof(w->name), "%s.%s.%s.%u", encode ? "encode" : "decode", c->api,
                   codec, depth);
}

static void plan_density(struct device *p, const struct gm_device_codec *encoder,
                         const char *height)
{
    const struct gm_device_codec *decoder = find(p->d, false, "h264", 8);
    uint64_t fit = p->params->memory_bytes / DENSITY_BYTES;
    struct work *w = plan(p, "density", encoder->api, "");
    (void)snprintf(w->height, sizeof(w->height), "%s", height);
    /* VA drivers decode for their tasks where va_decode_slots says so, and it is 0 by itself. */
    w->source = decoder != NULL && strcmp(decoder->api, "nvdec") == 0 ? "nvdec" : NULL;
    if (fit > 0 && fit < 1000) {
        (void)snprintf(w->streams, sizeof(w->streams), "%u", (unsigned)fit);
    }
    (void)snprintf(w->budget, sizeof(w->budget), "1");
    (void)snprintf(w->name, sizeof(w->name), "density.%s.%sp30", encoder->api, height);
}

/* The kernel that scales is known to be wrong here: the farm does without. */
static bool fails_kernel(const struct gm_device *d)
{
    for (size_t i = 0; i < d->proof_count; i++) {
        if (strcmp(d->proofs[i].api, "cuda") == 0 && !d->proofs[i].passed) {
            return true;
        }
    }
    return false;
}

/* A VA driver's scaler in 8 bits; NULL: it has none. */
static const struct gm_device_proof *find_scaler(const struct gm_device *d)
{
    for (size_t i = 0; i < d->proof_count; i++) {
        const struct gm_device_proof *proof = &d->proofs[i];
        if (strcmp(proof->codec, GM_VA_LADDER) == 0 && proof->depth == 8) {
            return proof;
        }
    }
    return NULL;
}

/* Ladders of the processors' that it decodes for, a thread each. */
static void plan_assist(struct device *p)
{
    const struct gm_device_codec *decoder = find(p->d, false, "h264", 8);
    uint64_t fit = p->params->memory_bytes / DENSITY_BYTES;
    uint32_t threads = p->params->cpus > 0 ? p->params->cpus : 1;
    if (decoder == NULL || strcmp(decoder->api, "nvdec") != 0) {
        return;
    }
    threads = fit > 0 && fit < threads ? (uint32_t)fit : threads;
    threads = p->params->quick && threads > THREADS_QUICK ? THREADS_QUICK : threads;
    for (size_t i = 0; i < sizeof(HEIGHTS) / sizeof(HEIGHTS[0]); i++) {
        struct work *w = plan(p, "assist", "", "");
        w->source = decoder->api;
        (void)snprintf(w->height, sizeof(w->height), "%s", HEIGHTS[i]);
        (void)snprintf(w->streams, sizeof(w->streams), "%u", threads);
        (void)snprintf(w->name, sizeof(w->name), "ladder.nvdec.%sp30.streams", HEIGHTS[i]);
    }
}

/* By what ladders stay on the device; NULL: they do not, and p->scaler_fails may say why. encoder
 * NULL: they are not encoded. */
static const char *stays_by(struct device *p, const struct gm_device_codec *encoder)
{
    const struct gm_device_codec *decoder = find(p->d, false, "h264", 8);
    const struct gm_device_proof *scaler = find_scaler(p->d);
    const char *encodes = encoder != NULL ? encoder->api : "nvenc"; /* as if it did */
    const char *by = NULL;
    if (decoder == NULL) {
        return NULL;
    }
    if (strcmp(decoder->api, "nvdec") == 0 && strcmp(encodes, "nvenc") == 0 &&
        gm_device_find_feature(p->d, GM_FEATURE_CUDA) != NULL) {
        by = encoder != NULL ? "cuda" : "unencoded";
        p->scaler_fails = fails_kernel(p->d) ? "density.cuda" : NULL;
    } else if (strcmp(decoder->api, "vaapi") == 0 && strcmp(encodes, "vaapi") == 0 &&
               scaler != NULL) {
        by = "vpp";
        p->scaler_fails = scaler->passed ? NULL : "density.vpp";
    }
    return p->scaler_fails == NULL ? by : NULL;
}

/* Ladders whose pictures stay on the device. */
static void plan_staying(struct device *p, const struct gm_device_codec *encoder)
{
    const char *by = stays_by(p, encoder);
    for (size_t i = 0; by != NULL && i < sizeof(HEIGHTS) / sizeof(HEIGHTS[0]); i++) {
        struct work *w = plan(p, "staying", encoder != NULL ? encoder->api : "", "");
        (void)snprintf(w->height, sizeof(w->height), "%s", HEIGHTS[i]);
        (void)snprintf(w->budget, sizeof(w->budget), "1");
        (void)snprintf(w->name, sizeof(w->name), "density.%s.%sp30", by, HEIGHTS[i]);
    }
}

/* All engines at once, with the first codec that it has. */
static void plan_together(struct device *p)
{
    for (size_t i = 0; i < sizeof(CODECS) / sizeof(CODECS[0]); i++) {
        const struct gm_device_codec *encoder = find(p->d, true, CODECS[i], 8);
        const struct gm_device_codec *decoder = find(p->d, false, CODECS[i], 8);
        if (encoder != NULL || decoder != NULL) {
            struct work *w = plan(p, "together", encoder != NULL ? encoder->api : "", CODECS[i]);
            (void)snprintf(w->name, sizeof(w->name), "together");
            w->source = decoder != NULL ? decoder->api : NULL;
            if (decoder != NULL && decoder->engines > 0) {
                (void)snprintf(w->streams, sizeof(w->streams), "%u", decoder->engines);
            }
            return;
        }
    }
}

/* What matters most comes first: the time may not do for all. */
static void plan_device(struct device *p)
{
    const struct gm_device_codec *h264 = find(p->d, true, "h264", 8);
    if (h264 != NULL) {
        (void)plan(p, "sessions", h264->api, "");
    }
    if (gm_device_find_feature(p->d, GM_FEATURE_CUDA) != NULL) {
        (void)plan(p, "copy", "", "");
        (void)plan(p, "scale", "", "");
    }
    for (size_t i = 0; i < sizeof(CODECS) / sizeof(CODECS[0]); i++) {
        for (uint32_t depth = 8; depth <= 10; depth += 2) {
            plan_codec(p, false, CODECS[i], depth);
            plan_codec(p, true, CODECS[i], depth);
        }
        if (i == 0) {
            plan_together(p);
            if (h264 != NULL) {
                plan_density(p, h264, HEIGHTS[0]);
                plan_density(p, h264, HEIGHTS[1]);
            } else {
                plan_assist(p);
            }
            plan_staying(p, h264);
        }
    }
}

static void add_option(struct gm_helper *h, size_t *io_n, const char *option, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        GM_ASSERT(*io_n + 2 < GM_HELPER_ARGS);
        h->argv[(*io_n)++] = option;
        h->argv[(*io_n)++] = value;
    }
}

static void fill_helper(const struct device *p, const struct work *w, struct gm_helper *h)
{
    size_t n = 0;
    const char *driver = gm_device_va_driver(p->d, w->api);
    if (driver == NULL && w->source != NULL) {
        driver = gm_device_va_driver(p->d, w->source);
    }
    memset(h, 0, sizeof(*h));
    h->argv[n++] = p->params->program;
    h->argv[n++] = "try";
    h->argv[n++] = w->kind;
    add_option(h, &n, "--device", p->d->id);
    add_option(h, &n, "--api", w->api);
    add_option(h, &n, "--codec", w->codec);
    add_option(h, &n, "--source", w->source);
    add_option(h, &n, "--depth", w->depth);
    add_option(h, &n, "--streams", w->streams);
    add_option(h, &n, "--height", w->height);
    add_option(h, &n, "--budget", w->budget);
    add_option(h, &n, "--node", p->d->render_node);
    add_option(h, &n, "--driver", driver);
    if (p->params->quick) {
        h->argv[n++] = "--short";
    }
    h->raw = true;
}

static int add(struct device *p, struct gm_hwtest_check *c, struct gm_err *err)
{
    char text[sizeof(c->text)];
    if (p->fake) {
        (void)snprintf(text, sizeof(text), "fake driver, no figure of hardware: %.350s", c->text);
        gm_hwtest_set(c->text, text);
    }
    return gm_hwtest_add(p->report, c, err);
}

static int add_said(struct device *p, const char *name, enum gm_hwtest_status status,
                    const char *text, const char *remedy, struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make(p->d->id, name, 3);
    c.status = status;
    gm_hwtest_set(c.text, text);
    gm_hwtest_set(c.remedy, remedy);
    return add(p, &c, err);
}

/* A rate beside others, as a part of the same alone. */
static void say_share(const struct device *p, const struct work *w, struct gm_hwtest_check *c)
{
    char alone[64], text[200];
    if (strcmp(c->name, "together.scale") == 0) {
        (void)snprintf(alone, sizeof(alone), "scale.cuda.1080");
    } else if (strcmp(c->name, "together.decode") == 0) {
        (void)snprintf(alone, sizeof(alone), "decode.%s.%s.8.peak", w->source, w->codec);
    } else {
        (void)snprintf(alone, sizeof(alone), "encode.%s.%s.8.peak", w->api, w->codec);
    }
    const struct gm_hwtest_check *other = gm_hwtest_find(p->report, p->d->id, alone);
    if (other != NULL && other->has_value && other->value > 0 && c->has_value) {
        (void)snprintf(text, sizeof(text), "%.120s; %.0f %% of its peak alone", c->text,
                       c->value / other->value * 100);
        gm_hwtest_set(c->text, text);
    }
}

/* What the processor makes without it. */
static void say_alone(const struct device *p, struct gm_hwtest_check *c)
{
    char alone[64], text[400];
    (void)snprintf(alone, sizeof(alone), "ladder.%.40s", c->name + strlen("ladder.nvdec."));
    const struct gm_hwtest_check *other = gm_hwtest_find(p->report, "cpu", alone);
    if (other != NULL && other->has_value) {
        (void)snprintf(text, sizeof(text), "%.340s; the processor alone: %.2f", c->text,
                       other->value);
        gm_hwtest_set(c->text, text);
    }
}

static int take_checks(struct device *p, const struct work *w,
                       const struct gm_hwtest_report *answer, struct gm_err *err)
{
    int rc = 0;
    GM_ASSERT(p->d != NULL);
    for (size_t i = 0; rc == 0 && i < answer->check_count; i++) {
        struct gm_hwtest_check c = answer->checks[i];
        if (strcmp(c.device, p->d->id) != 0) {
            continue;
        }
        if (c.status == GM_HWTEST_FAIL && (strncmp(c.text, "device.lost", 11) == 0 ||
                                           strncmp(c.text, "device.absent", 13) == 0)) {
            p->why = "the device was lost before this";
        }
        if (strncmp(c.name, "together.", 9) == 0) {
            say_share(p, w, &c);
        } else if (strncmp(c.name, "ladder.nvdec.", 13) == 0) {
            say_alone(p, &c);
        }
        rc = add(p, &c, err);
    }
    return rc;
}

static int take(struct device *p, const struct work *w, const struct gm_helper *h,
                struct gm_err *err)
{
    struct gm_hwtest_report answer = {0};
    struct gm_err own = {.code = GM_OK};
    char text[200];
    if (!h->ok) {
        (void)snprintf(text, sizeof(text), "the process that tried it %s", h->why);
        if (strstr(h->why, "did not end") != NULL || strstr(h->why, "hangs") != NULL) {
            p->why = "the device hung before this";
        }
        return add_said(p, w->name, GM_HWTEST_FAIL, text,
                        gm_hwtest_remedy(w->api[0] == '\0' ? "nvenc" : w->api), err);
    }
    int rc = gm_hwtest_read(h->answer.data, h->answer.size, &answer, &own);
    if (rc < 0 || answer.check_count == 0) {
        rc = add_said(p, w->name, GM_HWTEST_FAIL,
                      "the process that tried it gave no answer that is one",
                      gm_hwtest_remedy("software"), err);
    } else {
        rc = take_checks(p, w, &answer, err);
    }
    gm_hwtest_report_fini(&answer);
    return rc;
}

static int run_work(struct device *p, struct work *w, struct gm_err *err)
{
    struct gm_helper h;
    gm_time left = (p->params->end - gm_time_now()) / GM_MS;
    if (gm_hwtest_until_why(p->params->until) != NULL) {
        p->why = gm_hwtest_until_why(p->params->until);
    }
    if (p->why == NULL && left < (p->params->quick ? LEAST_MS_QUICK : LEAST_MS)) {
        p->why = p->params->end == gm_hwtest_until_end(p->params->until)
                     ? "too little of --time-limit is left"
                     : "the time of this level is over: run it with --device for this one alone";
    }
    if (p->why != NULL) {
        return add_said(p, w->name, GM_HWTEST_SKIP, p->why, "", err);
    }
    uint32_t limit = p->params->limit_ms > 0 ? p->params->limit_ms : LIMIT_MS;
    if (w->budget[0] != '\0') { /* its last try and its end need time, too */
        uint32_t most = left < (gm_time)limit ? (uint32_t)left : limit;
        (void)snprintf(w->budget, sizeof(w->budget), "%u", most / 2);
    }
    fill_helper(p, w, &h);
    h.limit_ms = limit;
    int rc = gm_helpers_run_until(&h, 1, 1, gm_hwtest_until_flag(p->params->until), err);
    if (rc == -GM_E_CANCELLED) {
        p->why = gm_hwtest_until_why(p->params->until);
        rc = add_said(p, w->name, GM_HWTEST_SKIP, p->why, "", err);
    } else if (rc == 0) {
        rc = take(p, w, &h, err);
    }
    gm_device_list_fini(&h.list);
    gm_buf_fini(&h.answer);
    return rc;
}

int gm_hwtest_level3_device(const struct gm_device *device,
                            const struct gm_hwtest_capacity_params *params,
                            struct gm_hwtest_report *report, struct gm_err *err)
{
    struct device *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    p->d = device;
    p->params = params;
    p->report = report;
    const struct gm_hwtest_device *described = gm_hwtest_find_device(report, device->id);
    p->fake = described != NULL && described->fake;
    plan_device(p);
    int rc = 0;
    if (p->count == 0) {
        rc = add_said(p, "capacity", GM_HWTEST_SKIP,
                      "nothing of it that the farm uses passed its proof", "", err);
    } else if (find(device, true, "h264", 8) == NULL) {
        rc = add_said(p, "density", GM_HWTEST_SKIP,
                      device->encoding == GM_ENGINE_ABSENT
                          ? "no encoder in this chip: its ladders are encoded by the processor"
                          : "no encoder of H.264 passed its proof: its ladders are encoded by the "
                            "processor",
                      "", err);
    }
    if (rc == 0 && p->scaler_fails != NULL) {
        rc = add_said(p, p->scaler_fails, GM_HWTEST_SKIP,
                      "what scales there did not pass its proof: pictures go through memory", "",
                      err);
    }
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = run_work(p, &p->work[i], err);
    }
    free(p);
    return rc;
}
