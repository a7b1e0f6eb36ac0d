#include "hwtest/level2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "hwtest/farm_decode.h"
#include "hwtest/level1.h"
#include "node/capacity.h"
#include "node/devices/helper.h"
#include "node/program.h"

/* A child's: the slowest, an AV1 encoder's search in software, takes seconds; a cold GPU compiles
 * the kernels first. */
#define LIMIT_MS 60000
#define PARALLEL_MAX 4
#define SESSIONS 2 /* encoders of devices at once: consumer GPUs have had no more */

struct job {
    const struct gm_device *device; /* borrowed */
    char kind[12], api[16], codec[16], depth[8];
    const char *driver; /* borrowed; NULL: none */
};

struct level {
    const struct gm_hwtest_until *until; /* borrowed */
    struct gm_hwtest_report *report;     /* borrowed */
    struct job *jobs;                    /* owned */
    size_t count, cap;
    char *program; /* owned: this one's path */
};

static bool is_used(const struct gm_device_codec *c)
{
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9"};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (strcmp(codecs[i], c->codec) == 0) {
            return c->chroma == 420 && (c->depth == 8 || c->depth == 10);
        }
    }
    return false;
}

static int skip(struct level *l, const struct gm_device *d, const char *name, const char *text,
                struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make(d->id, name, 2);
    c.status = GM_HWTEST_SKIP;
    gm_hwtest_set(c.text, text);
    return gm_hwtest_add(l->report, &c, err);
}

static int add_job(struct level *l, const struct gm_device *d, const char *kind,
                   const struct gm_device_codec *codec, struct gm_err *err)
{
    int rc = gm_array_reserve(&l->jobs, l->count, 1, &l->cap, sizeof(*l->jobs), err);
    if (rc == 0) {
        struct job *j = &l->jobs[l->count++];
        memset(j, 0, sizeof(*j));
        j->device = d;
        gm_hwtest_set(j->kind, kind);
        if (codec != NULL) {
            gm_hwtest_set(j->api, codec->api);
            gm_hwtest_set(j->codec, codec->codec);
            (void)snprintf(j->depth, sizeof(j->depth), "%u", codec->depth);
            j->driver = gm_device_va_driver(d, codec->api);
        }
    }
    return rc;
}

static int plan_codec(struct level *l, const struct gm_device *d, bool encode,
                      const struct gm_device_codec *c, struct gm_err *err)
{
    char name[64];
    bool software = strcmp(c->api, "software") == 0;
    /* Software's decoder is proven with its encoder. */
    const struct gm_device_proof *proof = gm_hwtest_find_proof(d, encode || software, c);
    (void)snprintf(name, sizeof(name), "%s.%s.%s.%u", encode ? "encode" : "decode", c->api,
                   c->codec, c->depth);
    if (!is_used(c)) {
        return 0;
    }
    if (proof == NULL || !proof->passed) {
        return skip(l, d, name, "its proof did not pass: nothing more is tried", err);
    }
    if (encode && !gm_hwtest_encodes(d, c)) {
        return skip(l, d, name,
                    "the farm does not encode this through this interface, or with this driver",
                    err);
    }
    return add_job(l, d, encode ? "encode" : "decode", c, err);
}

/* Pictures that stay on the device: of each decoder of the farm's, whose packets and pictures are
 * another code a codec. */
static int plan_pictures(struct level *l, const struct gm_device *d,
                         const struct gm_device_codec *c, struct gm_err *err)
{
    struct gm_device_codec way = *c;
    const struct gm_device_proof *proof = gm_hwtest_find_proof(d, false, c);
    if (strcmp(c->api, "nvdec") != 0 || c->chroma != 420 ||
        !gm_hwtest_farm_decodes(c->api, c->codec, c->depth) || proof == NULL || !proof->passed ||
        gm_device_find_feature(d, GM_FEATURE_CUDA) == NULL) {
        return 0;
    }
    gm_hwtest_set(way.api, "cuda");
    return add_job(l, d, "pictures", &way, err);
}

static int plan_device(struct level *l, const struct gm_device *d, struct gm_err *err)
{
    int rc = 0;
    if (d->kind == GM_DEVICE_CPU || gm_device_find_feature(d, GM_FEATURE_CUDA) != NULL) {
        rc = add_job(l, d, "kernels", NULL, err);
    }
    for (size_t i = 0; rc == 0 && i < d->encode_count; i++) {
        rc = plan_codec(l, d, true, &d->encode[i], err);
        /* What software encodes it also decodes. */
        if (rc == 0 && d->kind == GM_DEVICE_CPU) {
            rc = plan_codec(l, d, false, &d->encode[i], err);
        }
    }
    for (size_t i = 0; rc == 0 && d->kind != GM_DEVICE_CPU && i < d->decode_count; i++) {
        rc = plan_codec(l, d, false, &d->decode[i], err);
        rc = rc == 0 ? plan_pictures(l, d, &d->decode[i], err) : rc;
    }
    return rc;
}

static void fill_helper(const struct level *l, const struct job *j, struct gm_helper *h)
{
    const char *const args[] = {l->program, "try", j->kind, "--device", j->device->id};
    size_t n = sizeof(args) / sizeof(args[0]);
    memset(h, 0, sizeof(*h));
    memcpy(h->argv, args, sizeof(args));
    if (j->api[0] != '\0') {
        const char *const more[] = {"--api", j->api, "--codec", j->codec, "--depth", j->depth};
        memcpy(&h->argv[n], more, sizeof(more));
        n += sizeof(more) / sizeof(more[0]);
    }
    if (j->device->render_node[0] != '\0') {
        h->argv[n++] = "--node";
        h->argv[n++] = j->device->render_node;
    }
    if (j->driver != NULL) {
        h->argv[n++] = "--driver";
        h->argv[n++] = j->driver;
    }
    h->raw = true;
    h->limit_ms = LIMIT_MS;
}

static void name_job(const struct job *j, char out[64])
{
    (void)snprintf(out, 64, "%s%s%s%s%s%s%s", j->kind, j->api[0] == '\0' ? "" : ".", j->api,
                   j->codec[0] == '\0' ? "" : ".", j->codec, j->depth[0] == '\0' ? "" : ".",
                   j->depth);
}

/* The child gave no answer: its check failed. */
static int take_failure(struct level *l, const struct job *j, const char *why, struct gm_err *err)
{
    char name[64], text[240];
    name_job(j, name);
    struct gm_hwtest_check c = gm_hwtest_check_make(j->device->id, name, 2);
    c.status = GM_HWTEST_FAIL;
    (void)snprintf(text, sizeof(text), "the process that tried it %s", why);
    gm_hwtest_set(c.text, text);
    gm_hwtest_set(c.remedy, gm_hwtest_remedy(j->api[0] == '\0' ? "nvenc" : j->api));
    return gm_hwtest_add(l->report, &c, err);
}

static int take(struct level *l, const struct job *j, const struct gm_helper *h, struct gm_err *err)
{
    struct gm_hwtest_report answer = {0};
    struct gm_err own = {.code = GM_OK};
    if (!h->ok) {
        return take_failure(l, j, h->why, err);
    }
    int rc = 0;
    if (gm_hwtest_read(h->answer.data, h->answer.size, &answer, &own) < 0 ||
        answer.check_count == 0) {
        rc = take_failure(l, j, "gave no answer that is one", err);
    }
    for (size_t i = 0; own.code == GM_OK && rc == 0 && i < answer.check_count; i++) {
        if (strcmp(answer.checks[i].device, j->device->id) == 0) {
            rc = gm_hwtest_add(l->report, &answer.checks[i], err);
        }
    }
    for (size_t i = 0; own.code == GM_OK && rc == 0 && i < answer.clip_count; i++) {
        rc = gm_hwtest_add_clip(l->report, &answer.clips[i], err);
    }
    gm_hwtest_report_fini(&answer);
    return rc;
}

/* What works when the run ends is killed, and what is behind it not begun. */
static int skip_left(struct level *l, const struct job *j, struct gm_err *err)
{
    char name[64];
    name_job(j, name);
    return skip(l, j->device, name, gm_hwtest_until_why(l->until), err);
}

static bool needs_sessions(const struct level *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->jobs[i].kind, "encode") == 0 && strcmp(l->jobs[i].api, "software") != 0) {
            return true;
        }
    }
    return false;
}

static int run_jobs(struct level *l, size_t parallel, struct gm_err *err)
{
    struct gm_helper *helpers = calloc(l->count + 1, sizeof(*helpers));
    int rc = helpers == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < l->count; i++) {
        fill_helper(l, &l->jobs[i], &helpers[i]);
    }
    if (rc == 0) {
        rc = gm_helpers_run_until(helpers, l->count, parallel, gm_hwtest_until_flag(l->until), err);
    }
    bool ended = rc == -GM_E_CANCELLED;
    rc = ended ? 0 : rc;
    for (size_t i = 0; helpers != NULL && i < l->count; i++) {
        if (rc == 0) {
            rc = ended && !helpers[i].ok ? skip_left(l, &l->jobs[i], err)
                                         : take(l, &l->jobs[i], &helpers[i], err);
        }
        gm_device_list_fini(&helpers[i].list);
        gm_buf_fini(&helpers[i].answer);
    }
    free(helpers);
    return rc;
}

int gm_hwtest_level2(const struct gm_device_list *list, const struct gm_hwtest_until *until,
                     struct gm_hwtest_report *report, struct gm_err *err)
{
    struct level l = {.until = until, .report = report};
    struct gm_capacity capacity = {.cpu_milli = 1000};
    GM_IGNORE(gm_capacity_detect("", 0, &capacity, NULL), "then it is one processor");
    size_t parallel = capacity.cpu_milli >= 2000 ? capacity.cpu_milli / 1000 : 1;
    int rc = gm_program_find("gopmill-hwtest", &l.program, err);
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        rc = plan_device(&l, &list->devices[i], err);
    }
    if (rc == 0) {
        parallel = parallel > PARALLEL_MAX ? PARALLEL_MAX : parallel;
        rc = run_jobs(&l, parallel > SESSIONS && needs_sessions(&l) ? SESSIONS : parallel, err);
    }
    free(l.program);
    free(l.jobs);
    return rc;
}
