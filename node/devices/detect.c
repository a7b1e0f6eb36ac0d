/* Detection in three steps: files; then libdrm, NVML, CUDA and VA drivers side by side; then, for
 * each GPU that CUDA knows, its decoder and encoder, and for each Intel GPU Quick Sync; and for
 * each chip that encodes AV1, whether libavcodec does. What is known at the end of a step says
 * which processes the next one starts. */
#include "node/devices/detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/devices/helper.h"
#include "node/devices/limits.h"

/* Two steps of processes: with 8 GPUs all of whose libraries hang, two limits together. */
#define PARALLEL 16
/* Of one step: the libraries, and two for each device at most. */
#define JOBS_MAX (3 + 2 * GM_DEVICES_MAX)

static const char NVIDIA_REMEDY[] =
    "run nvidia-smi by hand; look in the kernel log for NVRM and Xid lines";

/* A process, and whose fault it is when it fails. */
struct job {
    char device[64]; /* "" : of no device in particular */
    char node[64];
    char driver[24];
    const char *name;   /* static: what is asked, "nvdec" */
    const char *remedy; /* static */
    bool is_decode, is_encode;
    bool is_nvidia; /* it starts NVIDIA's driver */
};

struct detection {
    const struct gm_detect_params *params;
    struct gm_device_list *list;
    struct gm_machine machine;
    struct job *jobs;          /* JOBS_MAX */
    struct gm_helper *helpers; /* JOBS_MAX */
    size_t count;
};

static void add_arg(struct detection *t, const char *option, const char *value)
{
    struct gm_helper *helper = &t->helpers[t->count - 1];
    size_t n = 0;
    while (helper->argv[n] != NULL) {
        n++;
    }
    GM_ASSERT(n + 2 < GM_HELPER_ARGS);
    helper->argv[n] = option;
    helper->argv[n + 1] = value;
}

static bool has_nvidias_driver(const struct gm_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct gm_device *d = &list->devices[i];
        if (d->kind == GM_DEVICE_NVIDIA &&
            (d->kernel_driver[0] == '\0' || strcmp(d->kernel_driver, "nvidia") == 0)) {
            return true;
        }
    }
    return false;
}

void gm_detect_note_slow(struct gm_device_list *list, uint32_t took_ms, bool killed)
{
    if (took_ms >= GM_LIMIT_PROBE_MS && has_nvidias_driver(list)) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 "NVIDIA's driver %s %u s%s: where nvidia-persistenced does not "
                                 "run, it initialises each GPU anew for each program: start that "
                                 "service",
                                 killed ? "did not start within" : "took", (took_ms + 500) / 1000,
                                 killed ? "" : " to start");
    }
}

/* NULL: there is no such program. name: static. */
static struct job *add_job(struct detection *t, const char *program, const char *name,
                           const char *device, const char *remedy)
{
    if (program == NULL) {
        return NULL;
    }
    GM_ASSERT(t->count < JOBS_MAX);
    struct job *job = &t->jobs[t->count];
    struct gm_helper *helper = &t->helpers[t->count++];
    memset(job, 0, sizeof(*job));
    memset(helper, 0, sizeof(*helper));
    gm_device_set(job->device, device);
    job->name = name;
    job->remedy = remedy;
    add_arg(t, program, name);
    job->is_nvidia = remedy == NVIDIA_REMEDY;
    uint32_t gpus = job->is_nvidia ? gm_limit_gpus("", t->list) : 0;
    helper->limit_ms =
        t->params->limit_ms == 0 ? gm_limit_ms(GM_LIMIT_PROBE_MS, gpus) : t->params->limit_ms;
    if (device[0] != '\0') {
        add_arg(t, "--device", job->device);
    }
    return job;
}

/* The render node, and the VA driver where one is named. */
static void add_node(struct detection *t, struct job *job, const struct gm_machine_drm *drm,
                     const char *driver)
{
    gm_device_set(job->node, drm->node);
    add_arg(t, "--node", job->node);
    if (driver != NULL) {
        gm_device_set(job->driver, driver);
        add_arg(t, "--driver", job->driver);
    }
}

static void note_failure(struct detection *t, const struct job *job, const char *why)
{
    struct gm_device *d = job->device[0] == '\0' ? NULL : gm_device_find(t->list, job->device);
    (void)gm_device_add_note(t->list, d, GM_NOTE_ERROR,
                             "the probe `%s`%s%s%s%s %s: %s; what it would have found is left out",
                             job->name, d == NULL ? "" : " of GPU ", d == NULL ? "" : d->id,
                             job->driver[0] == '\0' ? "" : " with the VA driver ", job->driver, why,
                             job->remedy);
    if (d != NULL && job->is_decode && d->decoding == GM_ENGINE_UNKNOWN) {
        d->decoding = GM_ENGINE_REFUSED;
    }
    if (d != NULL && job->is_encode && d->encoding == GM_ENGINE_UNKNOWN) {
        d->encoding = GM_ENGINE_REFUSED;
    }
}

/* The first VA driver of a card that starts and knows codecs speaks for it. */
static bool is_second_choice(const struct detection *t, const struct job *job)
{
    const struct gm_device *d = gm_device_find(t->list, job->device);
    return job->driver[0] != '\0' && d != NULL && gm_device_has_feature(d, "vaapi") &&
           d->decode_count + d->encode_count > 0;
}

static int run_jobs(struct detection *t, struct gm_err *err)
{
    int rc = gm_helpers_run_until(t->helpers, t->count, PARALLEL, t->params->stop, err);
    const struct gm_helper none = {.ok = true}, *slowest = &none;
    for (size_t i = 0; i < t->count; i++) {
        bool is_slower = t->jobs[i].is_nvidia && t->helpers[i].took_ms > slowest->took_ms;
        slowest = is_slower ? &t->helpers[i] : slowest;
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct job *job = &t->jobs[i];
        struct gm_helper *helper = &t->helpers[i];
        if (rc == 0 && !helper->ok) {
            note_failure(t, job, helper->why);
        } else if (rc == 0 && !is_second_choice(t, job)) {
            struct gm_device *d = gm_device_find(&helper->list, job->device);
            if (d != NULL && job->driver[0] != '\0' && d->decode_count + d->encode_count == 0) {
                d->driver[0] = '\0'; /* the next one may do more: then it is that one's */
            } else if (d != NULL && job->driver[0] != '\0' && gm_device_has_feature(d, "vaapi")) {
                char feature[40];
                (void)snprintf(feature, sizeof(feature), GM_FEATURE_VA_DRIVER "%s", job->driver);
                (void)gm_device_add_feature(d, feature);
            }
            rc = gm_device_merge(t->list, &helper->list, err);
        }
        gm_device_list_fini(&helper->list);
    }
    if (rc == 0) { /* behind what CUDA found: a container may not show the bus */
        gm_detect_note_slow(t->list, slowest->took_ms,
                            !slowest->ok && slowest->took_ms >= slowest->limit_ms);
    }
    t->count = 0;
    return rc;
}

static void add_libraries(struct detection *t)
{
    bool nvidia = t->machine.has_nvidia;
    const struct {
        const char *name;
        const char *remedy;
        bool expected; /* to be missed where it is not there */
    } rows[] = {
        {"drm", "a graphics driver hangs or is broken: look in the kernel log",
         nvidia || t->machine.drm_count > 0},
        {"nvml", NVIDIA_REMEDY, nvidia},
        {"cuda", NVIDIA_REMEDY, nvidia},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct job *job = add_job(t, t->params->probe, rows[i].name, "", rows[i].remedy);
        if (job != NULL && rows[i].expected) {
            add_arg(t, "--expected", NULL);
        }
    }
}

static void add_vaapi(struct detection *t)
{
    const char *own = getenv("LIBVA_DRIVER_NAME");
    bool chosen = own != NULL && own[0] != '\0';
    for (size_t i = 0; i < t->machine.drm_count; i++) {
        const struct gm_machine_drm *drm = &t->machine.drm[i];
        size_t drivers = chosen || drm->driver_count == 0 ? 1 : drm->driver_count;
        for (size_t k = 0; drm->usable && k < drivers; k++) {
            struct job *job =
                add_job(t, t->params->probe, "vaapi", drm->id,
                        "run vainfo by hand with the same driver; another one may fit this card");
            if (job == NULL) {
                return;
            }
            job->is_decode = job->is_encode = true;
            add_node(t, job, drm, chosen || drm->driver_count == 0 ? NULL : drm->drivers[k]);
        }
    }
}

static bool has_cuda(const struct gm_device *d)
{
    return gm_device_find_feature(d, GM_FEATURE_CUDA) != NULL;
}

static void add_engines(struct detection *t)
{
    for (size_t i = 0; i < t->list->count; i++) {
        const struct gm_device *d = &t->list->devices[i];
        if (d->kind != GM_DEVICE_NVIDIA || !has_cuda(d)) {
            continue;
        }
        struct job *job = add_job(t, t->params->probe, "nvdec", d->id, NVIDIA_REMEDY);
        if (job != NULL) {
            job->is_decode = true;
        }
        job = add_job(t, t->params->probe, "nvenc", d->id, NVIDIA_REMEDY);
        if (job != NULL) {
            job->is_encode = true;
        }
    }
    for (size_t i = 0; i < t->machine.drm_count; i++) {
        const struct gm_machine_drm *drm = &t->machine.drm[i];
        struct job *job =
            drm->usable && drm->intel
                ? add_job(t, t->params->prove, "qsv", drm->id,
                          "Quick Sync is left alone; VAAPI, where it works, does the same")
                : NULL;
        const struct gm_device *d = gm_device_find(t->list, drm->id);
        const char *driver =
            d == NULL ? NULL : gm_device_find_feature(d, GM_FEATURE_VA_DRIVER); /* that started */
        if (job != NULL) {
            add_node(t, job, drm, NULL);
        }
        if (job != NULL && driver != NULL) {
            add_arg(t, "--driver", driver); /* not the job's: its answer is no second choice */
        }
    }
}

static bool encodes_av1(const struct gm_device *d, const char *api)
{
    for (size_t i = 0; i < d->encode_count; i++) {
        if (strcmp(d->encode[i].api, api) == 0 && strcmp(d->encode[i].codec, "av1") == 0) {
            return true;
        }
    }
    return false;
}

/* libavcodec had encoders of chips long before it had AV1's. */
static void add_library(struct detection *t)
{
    static const char *const apis[] = {"nvenc", "vaapi"};
    for (size_t i = 0; i < 2 * t->list->count; i++) {
        const struct gm_device *d = &t->list->devices[i / 2];
        const char *api = apis[i % 2];
        if (encodes_av1(d, api) &&
            add_job(t, t->params->prove, "library", d->id, "AV1 is tried all the same") != NULL) {
            add_arg(t, "--api", api);
            add_arg(t, "--codec", "av1");
        }
    }
}

/* What several probes together say. */
static void conclude(struct detection *t)
{
    bool any_cuda = false;
    for (size_t i = 0; i < t->list->count; i++) {
        any_cuda = any_cuda || has_cuda(&t->list->devices[i]);
    }
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    for (size_t i = 0; any_cuda && i < t->list->count; i++) {
        struct gm_device *d = &t->list->devices[i];
        if (d->kind != GM_DEVICE_NVIDIA || has_cuda(d)) {
            continue;
        }
        if (visible != NULL) {
            (void)gm_device_add_note(t->list, d, GM_NOTE_INFO,
                                     "GPU %s is kept from us by CUDA_VISIBLE_DEVICES=%.100s", d->id,
                                     visible);
        } else {
            (void)gm_device_add_note(t->list, d, GM_NOTE_WARN,
                                     "GPU %s is known to the driver and not to CUDA: it has failed "
                                     "or is kept back: look in the kernel log for Xid lines, and "
                                     "whether MIG or another container has it",
                                     d->id);
        }
    }
}

int gm_detect(const struct gm_detect_params *params, struct gm_device_list *out, struct gm_err *err)
{
    const char *root = params->root == NULL ? "" : params->root;
    bool fixture = root[0] != '\0';
    struct detection t = {.params = params,
                          .list = out,
                          .jobs = calloc(JOBS_MAX, sizeof(struct job)),
                          .helpers = calloc(JOBS_MAX, sizeof(struct gm_helper))};
    int rc = t.jobs == NULL || t.helpers == NULL ? gm_err_nomem(err) : 0;
    if (rc == 0) {
        rc = gm_machine_cpu(root, params->cpu_milli, params->memory_bytes, out, err);
    }
    if (rc == 0) {
        rc = gm_machine_scan(root, params->user, out, &t.machine, err);
    }
    if (rc == 0) {
        rc = gm_machine_nvidia(root, fixture, out, &t.machine, err);
    }
    if (rc == 0 && !fixture && params->probe != NULL) {
        add_libraries(&t);
        add_vaapi(&t);
        rc = run_jobs(&t, err);
        if (rc == 0) {
            add_engines(&t);
            rc = run_jobs(&t, err);
        }
        if (rc == 0) {
            add_library(&t);
            rc = run_jobs(&t, err);
        }
    }
    if (rc == 0) {
        conclude(&t);
    }
    if (rc == 0 || rc == -GM_E_CANCELLED) {
        gm_device_sort(out);
    }
    free(t.jobs);
    free(t.helpers);
    return rc;
}
