#include "hwtest/level4.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/time.h"
#include "hwtest/leak.h"
#include "hwtest/picture.h"
#include "hwtest/soak.h"

#define JOB_LIMIT (10 * 60 * GM_SEC)
#define LOOK_MS 20
#define REST_MS 200 /* after a job: what it used goes back */
#define REST_MS_QUICK 20
#define QUICK_JOBS 3
#define QUICK_LIMIT (600 * GM_SEC)
/* Between kills, in milliseconds: from, and so much more at most. */
#define KILL_MS 500
#define KILL_MORE_MS 3500
#define KILL_MS_QUICK 60
#define KILL_MORE_MS_QUICK 240
#define JOB_KILLS 3 /* each is a growing pause, and eight in a row fail a job, rightly */
#define JOB_KILLS_QUICK 1
/* Growth a job of the agent or the scheduler: docs/hwtest.md. */
#define KIB_WARN 32.0
#define KIB_FAIL 256.0
/* The scheduler keeps the last ended jobs in its list: until that is full it grows by them. */
#define KEPT_JOBS 1000
#define KIB_WARN_FILLING 128.0
#define KIB_FAIL_FILLING 512.0
#define DESCRIPTORS_WARN 0.02
#define DESCRIPTORS_FAIL 0.25

/* Jobs by what encoded them: what the processors made in a device's place is apart, since its
 * pipeline is another. */
enum { CPU, DEVICE, INSTEAD, KINDS };

struct soak {
    const struct gm_hwtest_soak_params *params;
    struct gm_hwtest_farm *farm;
    uint64_t random;
    gm_time end, next_kill;
    uint32_t jobs, failed, kills;
    uint32_t made[KINDS], other[KINDS]; /* jobs with a hash; with another than the first */
    char golden[KINDS][2 * GM_SHA256_SIZE + 1];
    struct gm_hwtest_leak memory[GM_HWTEST_DAEMONS], descriptors[GM_HWTEST_DAEMONS];
    struct gm_hwtest_leak full; /* the scheduler's memory behind KEPT_JOBS */
    sigset_t signals;           /* that end it */
    bool stopped;
    bool lost[GM_HWTEST_DAEMONS];
    char why[240];      /* of the first job that failed */
    char given_up[160]; /* of the first that the processors made in a device's place */
};

/* A signal of a person, which is blocked while jobs run, ends it: what was found is told. */
static void rest(struct soak *s, int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    s->stopped = sigtimedwait(&s->signals, NULL, &t) > 0 || s->stopped;
}

/* Those that came since: a second Ctrl-C must not end the program before its report is out. */
static void drain(const struct soak *s)
{
    const struct timespec none = {0};
    while (sigtimedwait(&s->signals, NULL, &none) > 0) {
    }
}

static void plan_kill(struct soak *s)
{
    uint32_t from = s->params->quick ? KILL_MS_QUICK : KILL_MS;
    uint32_t more = s->params->quick ? KILL_MORE_MS_QUICK : KILL_MORE_MS;
    s->next_kill = gm_time_now() + (gm_time)(from + gm_hwtest_random(&s->random) % more) * GM_MS;
}

/* One job with its kills. Errors: of the machine; a job that fails is counted. */
static int run_job(struct soak *s, int kind, struct gm_err *err)
{
    struct gm_hwtest_outcome o = {.hash = ""};
    bool ended = false, late = false;
    uint32_t kills = 0, most = s->params->quick ? JOB_KILLS_QUICK : JOB_KILLS;
    gm_time limit = gm_time_now() + JOB_LIMIT;
    int rc = gm_hwtest_farm_begin(s->farm, kind == DEVICE, err);
    while (rc == 0 && !ended) {
        rest(s, LOOK_MS);
        if (kills < most && gm_time_now() >= s->next_kill) {
            kills += gm_hwtest_farm_kill(s->farm, gm_hwtest_random(&s->random)) ? 1 : 0;
            plan_kill(s);
        }
        late = gm_time_now() >= limit;
        if (late || s->stopped) {
            gm_hwtest_farm_abort(s->farm);
        }
        rc = gm_hwtest_farm_poll(s->farm, &ended, &o, err);
    }
    s->kills += kills;
    if (rc < 0 || s->stopped) { /* the job that it ended is none */
        return rc;
    }
    s->jobs++;
    if (o.hash[0] == '\0') {
        s->failed++;
        if (s->why[0] == '\0') {
            (void)snprintf(s->why, sizeof(s->why), "%s%.200s",
                           late ? "it took more than ten minutes: " : "", o.why);
        }
        return 0;
    }
    GM_ASSERT(o.chain[0] != '\0');
    kind = kind == DEVICE && strcmp(o.chain, "cpu") == 0 ? INSTEAD : kind;
    if (kind == INSTEAD && s->made[kind] == 0) {
        memcpy(s->given_up, o.given_up, sizeof(s->given_up));
    }
    s->made[kind]++;
    if (s->golden[kind][0] == '\0') {
        memcpy(s->golden[kind], o.hash, sizeof(o.hash));
    }
    s->other[kind] += strcmp(s->golden[kind], o.hash) != 0 ? 1 : 0;
    return 0;
}

static void look(struct soak *s)
{
    double kib = 0, descriptors = 0;
    for (int i = 0; i < GM_HWTEST_DAEMONS; i++) {
        if (gm_hwtest_farm_look(s->farm, i, &kib, &descriptors)) {
            gm_hwtest_leak_add(&s->memory[i], kib);
            gm_hwtest_leak_add(&s->descriptors[i], descriptors);
            if (i == GM_HWTEST_SCHEDULER && s->jobs > KEPT_JOBS) {
                gm_hwtest_leak_add(&s->full, kib);
            }
        } else {
            s->lost[i] = true;
        }
    }
}

static bool is_over(const struct soak *s)
{
    bool quick = s->params->quick && s->jobs >= QUICK_JOBS && s->kills > 0;
    return quick || s->stopped || gm_time_now() >= s->end || s->lost[GM_HWTEST_AGENT] ||
           s->lost[GM_HWTEST_SCHEDULER];
}

static int add(struct gm_hwtest_report *report, struct gm_hwtest_check *c, const char *text,
               const char *remedy, struct gm_err *err)
{
    gm_hwtest_set(c->text, text);
    gm_hwtest_set(c->remedy, c->status == GM_HWTEST_PASS ? "" : remedy);
    return gm_hwtest_add(report, c, err);
}

static int add_jobs(const struct soak *s, struct gm_hwtest_report *report, struct gm_err *err)
{
    char text[390];
    const double all = s->jobs;
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak.jobs", 4);
    gm_hwtest_measure(&c, (double)(s->jobs - s->failed), "jobs", &all, NULL);
    c.status = s->jobs == 0 ? GM_HWTEST_FAIL : c.status;
    (void)snprintf(text, sizeof(text),
                   "seed %" PRIu64 ", %" PRIu32 " workers were killed%s%s%.240s", s->params->seed,
                   s->kills, s->stopped ? "; ended early by a signal" : "",
                   s->failed > 0 ? "; the first that failed: " : "", s->why);
    int rc = add(report, &c, text,
                 "see the job's error in docs/errors.md; if killed workers alone cause it, report "
                 "it with the seed",
                 err);
    if (rc < 0) {
        return rc;
    }
    c = gm_hwtest_check_make("machine", "soak.kills", 4);
    gm_hwtest_measure(&c, s->kills, "kills", NULL, NULL);
    c.status = s->kills == 0 ? GM_HWTEST_WARN : c.status;
    return add(report, &c, "workers ended by SIGKILL while jobs ran",
               "no worker could be killed: give it more minutes", err);
}

static int add_goldens(const struct soak *s, int kind, struct gm_hwtest_report *report,
                       struct gm_err *err)
{
    static const struct {
        const char *name, *text, *remedy;
    } rows[KINDS] = {
        {"soak.goldens", "every job published the same bytes, whoever was killed",
         "processors or memory may be faulty: test the memory of the machine; if it is good, "
         "report it with the seed"},
        {"soak.goldens.devices", "jobs that a device encoded published the same bytes",
         "devices may make other bytes the second time: see `repeat` of level 2"},
        {"soak.goldens.instead", "jobs that the processors encoded in a device's place",
         "look at `gopmill devices --prove` and the node's sandbox (docs/devices.md)"}};
    char text[390];
    const double all = s->made[kind];
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", rows[kind].name, 4);
    if (s->made[kind] == 0) {
        return 0; /* soak.jobs says why */
    }
    gm_hwtest_measure(&c, (double)(s->made[kind] - s->other[kind]), "jobs", &all, &all);
    if (kind == CPU) {
        memcpy(c.hash, s->golden[kind], sizeof(c.hash));
    } else if (kind == DEVICE && c.status == GM_HWTEST_FAIL) { /* nobody promised it of devices */
        c.status = GM_HWTEST_WARN;
    } else if (kind == INSTEAD && c.status == GM_HWTEST_PASS) {
        c.status = GM_HWTEST_WARN;
    }
    (void)snprintf(text, sizeof(text), "%s%s%s%s",
                   kind != CPU && s->params->fake ? "fake driver, no figure of hardware: " : "",
                   rows[kind].text, kind == INSTEAD ? ": " : "",
                   kind == INSTEAD ? s->given_up : "");
    return add(report, &c, text, rows[kind].remedy, err);
}

static int judge_memory(const struct soak *s, int which, struct gm_hwtest_check *c,
                        struct gm_err *err)
{
    const char *unit = "KiB a job";
    if (which == GM_HWTEST_AGENT) {
        return gm_hwtest_leak_judge(&s->memory[which], unit, KIB_WARN, KIB_FAIL, c, err);
    }
    int rc = gm_hwtest_leak_judge(&s->full, unit, KIB_WARN, KIB_FAIL, c, err);
    if (rc == 0 && c->status == GM_HWTEST_SKIP) { /* its list is not full yet */
        c->series_count = 0;
        c->text[0] = '\0';
        c->status = GM_HWTEST_PASS;
        rc = gm_hwtest_leak_judge(&s->memory[which], unit, KIB_WARN_FILLING, KIB_FAIL_FILLING, c,
                                  err);
        size_t used = strlen(c->text);
        (void)snprintf(
            c->text + used, sizeof(c->text) - used, "%s",
            c->status == GM_HWTEST_SKIP ? "" : "; its list of 1000 ended jobs was being filled");
    }
    return rc;
}

static int add_daemon(const struct soak *s, int which, struct gm_hwtest_report *report,
                      struct gm_err *err)
{
    char name[64];
    const char *of = which == GM_HWTEST_AGENT ? "agent" : "scheduler";
    (void)snprintf(name, sizeof(name), "soak.%s.memory", of);
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", name, 4);
    int rc = judge_memory(s, which, &c, err);
    if (rc == 0 && s->lost[which]) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.text, "the process ended in the middle of its work");
        gm_hwtest_set(c.remedy, "look in the kernel log for the OOM killer; else report it");
    }
    if (rc == 0) {
        rc = gm_hwtest_add(report, &c, err);
    }
    (void)snprintf(name, sizeof(name), "soak.%s.descriptors", of);
    c = gm_hwtest_check_make("machine", name, 4);
    if (rc == 0) {
        rc = gm_hwtest_leak_judge(&s->descriptors[which], "a job", DESCRIPTORS_WARN,
                                  DESCRIPTORS_FAIL, &c, err);
    }
    return rc == 0 ? gm_hwtest_add(report, &c, err) : rc;
}

static int add_all(const struct soak *s, unsigned left, struct gm_hwtest_report *report,
                   struct gm_err *err)
{
    const double none = 0;
    int rc = add_jobs(s, report, err);
    for (int kind = 0; rc == 0 && kind < KINDS; kind++) {
        rc = add_goldens(s, kind, report, err);
    }
    for (int i = 0; rc == 0 && i < GM_HWTEST_DAEMONS; i++) {
        rc = add_daemon(s, i, report, err);
    }
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak.left", 4);
    gm_hwtest_measure(&c, left, "processes", NULL, &none);
    return rc == 0 ? add(report, &c, "workers that outlived their node",
                         "end them by hand (gopmill-worker), and report it", err)
                   : rc;
}

/* Where the logs are, if a row since `first` failed. */
static int keep_logs(const struct soak *s, size_t first, bool *out_keep,
                     struct gm_hwtest_report *report, struct gm_err *err)
{
    char text[200];
    *out_keep = false;
    for (size_t i = first; s->farm != NULL && i < report->check_count; i++) {
        *out_keep = *out_keep || report->checks[i].status == GM_HWTEST_FAIL;
    }
    if (!*out_keep) {
        return 0;
    }
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak.logs", 4);
    c.status = GM_HWTEST_SKIP; /* it judges nothing */
    (void)snprintf(text, sizeof(text),
                   "the logs of scheduler, node and the first jobs that failed are in %s",
                   gm_hwtest_farm_logs(s->farm));
    return add(report, &c, text, "send them with a report of the failure; then remove them", err);
}

static int add_not_run(const struct gm_err *why, struct gm_hwtest_report *report,
                       struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", "soak", 4);
    c.status = GM_HWTEST_FAIL;
    return add(report, &c, why->text, gm_code_get((int)why->code)->remedy, err);
}

int gm_hwtest_level4(const struct gm_hwtest_soak_params *params, struct gm_hwtest_report *report,
                     struct gm_err *err)
{
    struct gm_err why = {.code = GM_OK};
    unsigned left = 0;
    const struct gm_hwtest_farm_params farm = {.programs = params->programs,
                                               .node_options = params->node_options,
                                               .devices = params->devices,
                                               .quick = params->quick};
    struct soak *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->params = params;
    s->random = params->seed == 0 ? 1 : params->seed;
    sigset_t before;
    sigemptyset(&s->signals);
    sigaddset(&s->signals, SIGINT);
    sigaddset(&s->signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &s->signals, &before);
    int rc = gm_hwtest_farm_start(&farm, &s->farm, &why);
    s->end = gm_time_now() + (params->quick ? QUICK_LIMIT : (gm_time)params->minutes * 60 * GM_SEC);
    plan_kill(s);
    rest(s, 0); /* a signal may have come while it was started */
    while (rc == 0 && !is_over(s)) {
        rc = run_job(s, params->devices && s->jobs % 2 == 1 ? DEVICE : CPU, &why);
        if (rc == 0) {
            rest(s, params->quick ? REST_MS_QUICK : REST_MS);
            look(s);
        }
    }
    gm_hwtest_farm_stop(s->farm, &left);
    size_t first = report->check_count;
    bool keep = false;
    bool found = rc == 0 || s->jobs > 0; /* what it found before an error is told, too */
    rc = rc < 0 ? add_not_run(&why, report, err) : 0;
    rc = rc == 0 && found ? add_all(s, left, report, err) : rc;
    rc = rc == 0 ? keep_logs(s, first, &keep, report, err) : rc;
    gm_hwtest_farm_destroy(&s->farm, keep);
    drain(s);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(s);
    return rc;
}
