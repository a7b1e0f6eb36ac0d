#include "hwtest/level3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hwtest/level1.h"
#include "hwtest/meter.h"
#include "hwtest/power.h"
#include "node/capacity.h"
#include "node/devices/helper.h"
#include "node/program.h"

#define LIMIT_MS 120000
#define LEAST (20 * GM_SEC) /* less time is not worth a start */
#define LEAST_QUICK (GM_SEC / 5)
#define PROCESSES_MAX 128
#define THREADS_QUICK 2
#define PROCESS_BYTES (1u << 30) /* room for a 2160p ladder's */
#define RATE 30.0
#define SPREAD_WARN 0.15     /* halves of a window */
#define SPREAD_UNSTABLE 0.40 /* likewise */
#define SCALES_LOW 0.60      /* of all threads' rate to as many times one's; SMT gives about this */

struct job {
    const char *name;     /* of its checks */
    const char *argv[10]; /* behind "try"; NULL at the end */
    const char *made[2];  /* names of the child's checks */
};
static const struct job JOBS[] = {
    {"h264", {"rate", "--device", "cpu", "--codec", "h264"}, {"encode", "decode"}},
    {"hevc", {"rate", "--device", "cpu", "--codec", "hevc"}, {"encode", "decode"}},
    {"av1", {"rate", "--device", "cpu", "--codec", "av1"}, {"encode", "decode"}},
    {"vp9", {"rate", "--device", "cpu", "--codec", "vp9"}, {"encode", "decode"}},
    {"1080p30", {"ladder", "--device", "cpu", "--height", "1080"}, {"ladder"}},
    {"2160p30", {"ladder", "--device", "cpu", "--height", "2160"}, {"ladder"}},
};

/* What `count` processes made together, of each of a job's checks. */
struct made {
    double fps[2];
    double spread[2]; /* the worst of theirs */
    float series[2][GM_HWTEST_SERIES];
    size_t series_count[2];
    char why[240]; /* "": all answered */
    bool hung;     /* that is why */
};

static void take(const struct job *job, const struct gm_helper *h, struct made *m)
{
    struct gm_hwtest_report answer = {0};
    struct gm_err err = {.code = GM_OK};
    bool hung = strncmp(h->why, "did not end", 11) == 0;
    if (m->why[0] != '\0' && (h->ok || hung || !m->hung)) {
        return; /* the first one's counts, a crash's before a hang's */
    }
    m->hung = hung;
    if (!h->ok) {
        (void)snprintf(m->why, sizeof(m->why), "a process %s", h->why);
    } else if (gm_hwtest_read(h->answer.data, h->answer.size, &answer, &err) < 0) {
        (void)snprintf(m->why, sizeof(m->why), "a process gave no answer that is one");
    }
    for (int i = 0; m->why[0] == '\0' && i < 2 && job->made[i] != NULL; i++) {
        const struct gm_hwtest_check *c = gm_hwtest_find(&answer, "cpu", job->made[i]);
        if (c == NULL || c->status != GM_HWTEST_PASS) {
            const char *text = answer.check_count > 0 ? answer.checks[0].text : "";
            (void)snprintf(m->why, sizeof(m->why), "a process failed: %.200s", text);
            break;
        }
        double spread = gm_hwtest_spread(c->series, c->series_count);
        m->fps[i] += c->value;
        m->spread[i] = spread > m->spread[i] ? spread : m->spread[i];
        memcpy(m->series[i], c->series, sizeof(c->series));
        m->series_count[i] = c->series_count;
    }
    gm_hwtest_report_fini(&answer);
}

static int run(const struct gm_hwtest_capacity_params *how, const struct job *job, size_t count,
               struct made *out, struct gm_err *err)
{
    struct gm_helper *helpers = calloc(count, sizeof(*helpers));
    int rc = helpers == NULL ? gm_err_nomem(err) : 0;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t n = 2;
        helpers[i].argv[0] = how->program;
        helpers[i].argv[1] = "try";
        for (size_t k = 0; job->argv[k] != NULL; k++) {
            helpers[i].argv[n++] = job->argv[k];
        }
        helpers[i].argv[n] = how->quick ? "--short" : NULL;
        helpers[i].raw = true;
        helpers[i].limit_ms = how->limit_ms > 0 ? how->limit_ms : LIMIT_MS;
    }
    if (rc == 0) {
        rc = gm_helpers_run_until(helpers, count, count, gm_hwtest_until_flag(how->until), err);
    }
    for (size_t i = 0; helpers != NULL && i < count; i++) {
        if (rc == 0) {
            take(job, &helpers[i], out);
        }
        gm_device_list_fini(&helpers[i].list);
        gm_buf_fini(&helpers[i].answer);
    }
    free(helpers);
    return rc;
}

/* One measured value; status by how steady it was. */
static struct gm_hwtest_check rate_check(const struct job *job, int which, const char *end,
                                         const struct made *m, double divide, const char *unit)
{
    char name[64], text[240];
    (void)snprintf(name, sizeof(name), "%s.%s.%s", job->made[which], job->name, end);
    struct gm_hwtest_check c = gm_hwtest_check_make("cpu", name, 3);
    gm_hwtest_measure(&c, m->fps[which] / divide, unit, NULL, NULL);
    c.better = GM_HWTEST_HIGHER;
    memcpy(c.series, m->series[which], sizeof(c.series));
    c.series_count = m->series_count[which];
    (void)snprintf(text, sizeof(text), "the halves of its window differ by %.0f %%",
                   m->spread[which] * 100);
    gm_hwtest_set(c.text, text);
    if (m->spread[which] > SPREAD_WARN) {
        c.status = m->spread[which] > SPREAD_UNSTABLE ? GM_HWTEST_UNSTABLE : GM_HWTEST_WARN;
        gm_hwtest_set(c.remedy, "something else uses the machine, or it throttles: run again when "
                                "it is idle, look at its temperature and power limits");
    }
    return c;
}

/* How much of `threads` times one process all of them make, and so what the limit is. */
static int add_scaling(const struct job *job, int which, const struct made *one,
                       const struct made *all, size_t threads, struct gm_hwtest_report *report,
                       struct gm_err *err)
{
    char name[64], text[240];
    const double low = SCALES_LOW;
    double share = one->fps[which] > 0 ? all->fps[which] / one->fps[which] / (double)threads : 0.0;
    (void)snprintf(name, sizeof(name), "%s.%s.scaling", job->made[which], job->name);
    struct gm_hwtest_check c = gm_hwtest_check_make("cpu", name, 3);
    gm_hwtest_measure(&c, share, "of linear", &low, NULL);
    c.status = c.status == GM_HWTEST_FAIL ? GM_HWTEST_WARN : c.status;
    (void)snprintf(text, sizeof(text), "%zu processes at once; limited by %s", threads,
                   share >= 0.9   ? "the number of threads"
                   : share >= low ? "what threads share: cores, clock, caches"
                                  : "something shared: memory bandwidth, other work, a quota");
    gm_hwtest_set(c.text, text);
    gm_hwtest_set(c.remedy, c.status == GM_HWTEST_PASS
                                ? ""
                                : "end other work, check that all memory channels are fitted, and "
                                  "whether the machine's quota is as large as its processors");
    return gm_hwtest_add(report, &c, err);
}

static int add_failed(const struct job *job, enum gm_hwtest_status status, const char *why,
                      struct gm_hwtest_report *report, struct gm_err *err)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s.%s", job->argv[0], job->name);
    struct gm_hwtest_check c = gm_hwtest_check_make("cpu", name, 3);
    c.status = status;
    gm_hwtest_set(c.text, why);
    gm_hwtest_set(c.remedy, status == GM_HWTEST_FAIL ? gm_hwtest_remedy("software") : "");
    return gm_hwtest_add(report, &c, err);
}

static const char *sysfs_root(const struct gm_hwtest_capacity_params *how)
{
    return how->sysfs_root != NULL ? how->sysfs_root : "";
}

static bool is_late(const struct gm_hwtest_capacity_params *how)
{
    return gm_hwtest_until_why(how->until) != NULL ||
           how->end - gm_time_now() < (how->quick ? LEAST_QUICK : LEAST);
}

static const char *why_late(const struct gm_hwtest_capacity_params *how)
{
    const char *why = gm_hwtest_until_why(how->until);
    return why != NULL                                   ? why
           : how->end == gm_hwtest_until_end(how->until) ? "too little of --time-limit is left"
                                                         : "the time of this level is over";
}

/* Mean watts of the processors from the start of all processes of a job until their end. */
static int add_watts(const struct gm_hwtest_capacity_params *how, const struct job *job,
                     const struct gm_hwtest_energy *before, struct gm_hwtest_report *report,
                     struct gm_err *err)
{
    struct gm_hwtest_energy after;
    char name[64];
    double watts = 0;
    (void)snprintf(name, sizeof(name), "watts.%s", job->name);
    struct gm_hwtest_check c = gm_hwtest_check_make("cpu", name, 3);
    (void)gm_hwtest_energy_read(sysfs_root(how), NULL, gm_time_now(), &after);
    if (gm_hwtest_energy_watts(before, &after, &watts)) {
        gm_hwtest_measure(&c, watts, "W", NULL, NULL);
        c.better = GM_HWTEST_LOWER;
        gm_hwtest_set(c.text,
                      "all packages, by the kernel's powercap, mean over all processes' time");
    } else {
        c.status = GM_HWTEST_SKIP;
        gm_hwtest_set(c.text, "no energy counter of the processors can be read: there is none in "
                              "/sys/class/powercap, or it is root's alone");
    }
    return gm_hwtest_add(report, &c, err);
}

static int measure(const struct gm_hwtest_capacity_params *how, const struct job *job,
                   size_t threads, struct gm_hwtest_report *report, struct gm_err *err)
{
    struct made one = {.why = ""}, all = one;
    struct gm_hwtest_energy energy = {.count = 0};
    int rc = 0;
    bool late = is_late(how);
    if (!late) {
        rc = run(how, job, 1, &one, err);
    }
    if (rc == 0 && !late && one.why[0] == '\0') {
        late = is_late(how);
        (void)gm_hwtest_energy_read(sysfs_root(how), NULL, gm_time_now(), &energy);
        rc = late ? 0 : run(how, job, threads, &all, err);
    }
    late = late || rc == -GM_E_CANCELLED;
    if ((rc == 0 || rc == -GM_E_CANCELLED) && late) {
        return add_failed(job, GM_HWTEST_SKIP, why_late(how), report, err);
    }
    if (rc == 0 && (one.why[0] != '\0' || all.why[0] != '\0')) {
        return add_failed(job, GM_HWTEST_FAIL, one.why[0] != '\0' ? one.why : all.why, report, err);
    }
    for (int i = 0; rc == 0 && i < 2 && job->made[i] != NULL; i++) {
        struct gm_hwtest_check c = rate_check(job, i, "one", &one, 1, "fps");
        rc = gm_hwtest_add(report, &c, err);
        if (rc == 0) {
            c = rate_check(job, i, "all", &all, 1, "fps");
            rc = gm_hwtest_add(report, &c, err);
        }
        if (rc == 0) {
            rc = add_scaling(job, i, &one, &all, threads, report, err);
        }
        if (rc == 0 && strcmp(job->made[i], "ladder") == 0) {
            c = rate_check(job, i, "streams", &all, RATE, "streams");
            c.series_count = 0;
            gm_hwtest_set(c.text, "ladders in real time, all processes together; chunks of one "
                                  "stream are encoded side by side");
            rc = gm_hwtest_add(report, &c, err);
        }
    }
    if (rc == 0 && job->made[0] != NULL && strcmp(job->made[0], "ladder") == 0) {
        rc = add_watts(how, job, &energy, report, err);
    }
    return rc;
}

int gm_hwtest_level3_processor(const struct gm_device *d,
                               const struct gm_hwtest_capacity_params *how,
                               struct gm_hwtest_report *report, struct gm_err *err)
{
    size_t threads = d->cpu_milli / 1000;
    size_t fit = d->memory_bytes > 0 ? (size_t)(d->memory_bytes / PROCESS_BYTES) : threads;
    int rc = 0;
    threads = threads > fit ? fit : threads;
    threads = how->quick && threads > THREADS_QUICK ? THREADS_QUICK : threads;
    threads = threads < 1 ? 1 : threads > PROCESSES_MAX ? PROCESSES_MAX : threads;
    for (size_t k = 0; rc == 0 && k < sizeof(JOBS) / sizeof(JOBS[0]); k++) {
        rc = measure(how, &JOBS[k], threads, report, err);
    }
    if (rc == 0 && gm_hwtest_until_why(how->until) != NULL) {
        struct gm_hwtest_check c = gm_hwtest_check_make("machine", "storage", 3);
        c.status = GM_HWTEST_SKIP;
        gm_hwtest_set(c.text, why_late(how));
        return gm_hwtest_add(report, &c, err);
    }
    return rc == 0 ? gm_hwtest_storage(how->quick, report, err) : rc;
}

int gm_hwtest_level3(const struct gm_device_list *list, bool quick,
                     const struct gm_hwtest_until *until, struct gm_hwtest_report *report,
                     struct gm_err *err)
{
    char *program = NULL;
    gm_time started = gm_time_now(), end = started + GM_HWTEST_LEVEL3_TIME;
    end = gm_hwtest_until_end(until) < end ? gm_hwtest_until_end(until) : end;
    struct gm_capacity machine = {.cpu_milli = 1000};
    GM_IGNORE(gm_capacity_detect("", 0, &machine, NULL), "then its memory is not known");
    int rc = gm_program_find("gopmill-hwtest", &program, err);
    struct gm_hwtest_capacity_params how = {.program = program,
                                            .memory_bytes = machine.memory_bytes,
                                            .cpus = (uint32_t)(machine.cpu_milli / 1000),
                                            .until = until,
                                            .quick = quick};
    for (size_t i = 0; rc == 0 && i < list->count; i++) { /* the processor comes first */
        const struct gm_device *d = &list->devices[i];
        gm_time now = gm_time_now();
        how.end = now + (end - now) / (gm_time)(list->count - i);
        if (d->kind == GM_DEVICE_CPU && list->count > 1) {
            how.end = now + (end - now) / (GM_HWTEST_LEVEL3_TIME / GM_SEC) *
                                (GM_HWTEST_LEVEL3_CPU_TIME / GM_SEC);
        }
        rc = d->kind == GM_DEVICE_CPU ? gm_hwtest_level3_processor(d, &how, report, err)
                                      : gm_hwtest_level3_device(d, &how, report, err);
    }
    free(program);
    return rc;
}
