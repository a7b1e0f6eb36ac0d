/* Own prototypes: no Debian package of the main archive has NVML's header.
 * See: https://docs.nvidia.com/deploy/nvml-api/ */
#include "hwtest/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/time.h"
#include "hwtest/power.h"
#include "node/capacity.h"
#include "node/devices/probe.h"

#define FULL 90.0 /* percent */
#define CPUS_FULL 0.85

struct utilization { /* nvmlUtilization_t */
    unsigned gpu, memory;
};

struct gm_hwtest_watch {
    void *device; /* of NVML; NULL: none */
    char pci[32]; /* of a device that NVML does not know; "": none */
    struct gm_hwtest_energy first;
    int (*power)(void *device, unsigned *milliwatts);
    int (*limit)(void *device, unsigned *milliwatts);
    int (*use)(void *device, struct utilization *out);
    int (*encoder)(void *device, unsigned *percent, unsigned *period_us);
    int (*decoder)(void *device, unsigned *percent, unsigned *period_us);
    double cpus; /* that the process may use */
    gm_time started, used;
    size_t powers;
    double watts; /* sum */
    struct gm_hwtest_seen seen;
};

static void find_device(struct gm_hwtest_watch *w, const char *pci)
{
    int (*init)(void) = NULL;
    int (*find)(const char *pci, void **out) = NULL;
    void *library = gm_probe_load("libnvidia-ml.so.1");
    const struct gm_probe_symbol rows[] = {
        {&init, "nvmlInit_v2", false},
        {&find, "nvmlDeviceGetHandleByPciBusId_v2", false},
        {&w->power, "nvmlDeviceGetPowerUsage", true},
        {&w->limit, "nvmlDeviceGetEnforcedPowerLimit", true},
        {&w->use, "nvmlDeviceGetUtilizationRates", true},
        {&w->encoder, "nvmlDeviceGetEncoderUtilization", true},
        {&w->decoder, "nvmlDeviceGetDecoderUtilization", true},
    };
    if (library == NULL || !gm_probe_symbols(library, rows, sizeof(rows) / sizeof(rows[0])) ||
        init() != 0 || find(pci, &w->device) != 0) {
        w->device = NULL;
    }
}

int gm_hwtest_watch_open(const char *pci, struct gm_hwtest_watch **out, struct gm_err *err)
{
    struct gm_hwtest_watch *w = calloc(1, sizeof(*w));
    struct gm_capacity capacity = {.cpu_milli = 1000};
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    GM_IGNORE(gm_capacity_detect("", 0, &capacity, NULL), "then it is one processor");
    w->cpus = (double)capacity.cpu_milli / 1000;
    if (pci != NULL) {
        find_device(w, pci);
    }
    if (pci != NULL && w->device == NULL) {
        (void)snprintf(w->pci, sizeof(w->pci), "%s", pci);
    }
    gm_hwtest_watch_start(w);
    *out = w;
    return 0;
}

void gm_hwtest_watch_close(struct gm_hwtest_watch **watch)
{
    free(*watch);
    *watch = NULL;
}

/* Of this process, all threads. */
static gm_time processor_time(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0) {
        return 0;
    }
    return (gm_time)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * GM_SEC +
           (gm_time)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * (GM_SEC / 1000000);
}

void gm_hwtest_watch_start(struct gm_hwtest_watch *w)
{
    w->seen = (struct gm_hwtest_seen){0};
    w->powers = 0;
    w->watts = 0;
    w->started = gm_time_now();
    w->used = processor_time();
    if (w->pci[0] != '\0') {
        (void)gm_hwtest_energy_read("", w->pci, w->started, &w->first);
    }
}

static void raise_to(double *high, unsigned value)
{
    *high = (double)value > *high ? (double)value : *high;
}

static void add_watts(struct gm_hwtest_watch *w, double watts)
{
    w->seen.has_watts = true;
    w->watts += watts;
    w->seen.watts = w->watts / (double)++w->powers;
}

/* By the kernel's files. */
static void look_at_files(struct gm_hwtest_watch *w)
{
    struct gm_hwtest_energy now;
    double watts = 0;
    if (gm_hwtest_power_read("", w->pci, &watts, &w->seen.limit_watts)) {
        add_watts(w, watts);
    } else if (gm_hwtest_energy_read("", w->pci, gm_time_now(), &now) &&
               gm_hwtest_energy_watts(&w->first, &now, &watts)) {
        w->seen.has_watts = true;
        w->seen.watts = watts; /* the mean since the start already */
    }
}

void gm_hwtest_watch_look(struct gm_hwtest_watch *w)
{
    unsigned value = 0, period = 0;
    struct utilization use = {0, 0};
    struct gm_hwtest_seen *s = &w->seen;
    gm_time passed = gm_time_now() - w->started;
    if (passed > 0) {
        s->cpus = (double)(processor_time() - w->used) / (double)passed / w->cpus;
    }
    if (w->pci[0] != '\0') {
        look_at_files(w);
    }
    if (w->device == NULL) {
        return;
    }
    if (w->power != NULL && w->power(w->device, &value) == 0) {
        add_watts(w, value / 1000.0);
    }
    if (w->limit != NULL && w->limit(w->device, &value) == 0) {
        s->limit_watts = value / 1000.0;
    }
    if (w->use != NULL && w->use(w->device, &use) == 0) {
        s->has_use = true;
        raise_to(&s->processor, use.gpu);
    }
    if (w->encoder != NULL && w->encoder(w->device, &value, &period) == 0) {
        raise_to(&s->encoder, value);
    }
    if (w->decoder != NULL && w->decoder(w->device, &value, &period) == 0) {
        raise_to(&s->decoder, value);
    }
}

void gm_hwtest_watch_get(const struct gm_hwtest_watch *w, struct gm_hwtest_seen *out)
{
    *out = w->seen;
}

void gm_hwtest_limit(const struct gm_hwtest_seen *s, char *out, size_t size)
{
    bool hot = s->has_watts && s->limit_watts > 0 && s->watts >= 0.97 * s->limit_watts;
    if (s->cpus >= CPUS_FULL) {
        (void)snprintf(out, size, "the processors of this machine (%.0f %% busy)", s->cpus * 100);
    } else if (s->has_use && s->encoder >= FULL && s->encoder >= s->decoder) {
        (void)snprintf(out, size, "the encoder (NVML: %.0f %% busy)", s->encoder);
    } else if (s->has_use && s->decoder >= FULL) {
        (void)snprintf(out, size, "the decoder (NVML: %.0f %% busy)", s->decoder);
    } else if (hot) {
        (void)snprintf(out, size, "its power limit (%.0f of %.0f W)", s->watts, s->limit_watts);
    } else if (s->has_use && s->processor >= FULL) {
        (void)snprintf(out, size, "its multiprocessors (NVML: %.0f %% busy)", s->processor);
    } else {
        (void)snprintf(out, size,
                       "nothing that NVML or the kernel shows as full (processors %.0f %% busy): "
                       "copies, waits, or the work of one stream",
                       s->cpus * 100);
    }
}
