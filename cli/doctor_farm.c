/* What a farm says of itself, judged. */
#include <inttypes.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/job.h"
#include "common/time.h"

#define SKEW_WARN_MS 2000
#define SKEW_BAD_MS 300000 /* signed URLs of S3 are refused */
#define WAIT_WARN_S 60.0

static void check_clock(struct gm_findings *f, const struct gm_doctor_farm *facts)
{
    int64_t theirs;
    if (!gm_time_parse(gm_job_text(facts->farm, "now"), &theirs)) {
        return;
    }
    int64_t skew = theirs - facts->now_unix_ms, size = skew < 0 ? -skew : skew;
    gm_findings_add(f,
                    size >= SKEW_BAD_MS    ? GM_VERDICT_BAD
                    : size >= SKEW_WARN_MS ? GM_VERDICT_WARN
                                           : GM_VERDICT_OK,
                    "clock", "let both machines' clocks be kept by NTP",
                    "the scheduler's clock is %.1f s %s this machine's", (double)size / 1000,
                    skew < 0 ? "behind" : "ahead of");
}

static void check_ready(struct gm_findings *f, const json_t *farm)
{
    const json_t *reasons = json_object_get(farm, "reasons"), *reason;
    bool ready = json_is_true(json_object_get(farm, "ready"));
    const char *version = gm_job_text(farm, "version");
    size_t i;
    gm_findings_add(f, ready ? GM_VERDICT_OK : GM_VERDICT_BAD, "farm",
                    "see its log: journalctl -u gopmill-scheduler",
                    "the scheduler, version %.40s, takes %s", version, ready ? "jobs" : "no jobs");
    json_array_foreach(reasons, i, reason)
    {
        if (json_is_string(reason)) {
            gm_findings_add(f, GM_VERDICT_WARN, "farm", "", "%.300s", json_string_value(reason));
        }
    }
    if (strcmp(version, GOPMILL_VERSION) != 0) {
        gm_findings_add(f, GM_VERDICT_WARN, "version", "install the same release here",
                        "this command is of version %s", GOPMILL_VERSION);
    }
}

static void check_device(struct gm_findings *f, const char *id, const json_t *device)
{
    const json_t *q = json_object_get(device, "quarantine");
    if (json_is_object(q)) {
        gm_findings_add(
            f, GM_VERDICT_WARN, "node", "mend it, then gopmill node resume NODE --device ID",
            "device %.60s of %.64s is %.20s by the %.20s: %.150s", gm_job_text(device, "id"), id,
            gm_job_text(q, "state"), gm_job_text(q, "by"), gm_job_text(q, "why"));
    }
}

/* Builds other than the first node's are told once. */
static void check_nodes(struct gm_findings *f, const json_t *nodes)
{
    size_t i, k, connected = 0, others = 0;
    const json_t *node, *device;
    const char *build = NULL;
    json_array_foreach(nodes, i, node)
    {
        const char *id = gm_job_text(node, "id");
        if (!json_is_true(json_object_get(node, "connected"))) {
            gm_findings_add(f, GM_VERDICT_WARN, "node",
                            "start gopmill-node there, and look at its log",
                            "%.64s is gone since %.30s", id, gm_job_text(node, "seen_at"));
            continue;
        }
        connected++;
        build = build == NULL ? gm_job_text(node, "build") : build;
        others += strcmp(build, gm_job_text(node, "build")) != 0 ? 1 : 0;
        if (json_is_true(json_object_get(node, "draining"))) {
            gm_findings_add(f, GM_VERDICT_WARN, "node", "gopmill node resume NODE, when it shall",
                            "%.64s drains and gets no tasks", id);
        }
        json_array_foreach(json_object_get(node, "devices"), k, device)
        {
            check_device(f, id, device);
        }
    }
    gm_findings_add(f, connected == 0 ? GM_VERDICT_BAD : GM_VERDICT_OK, "nodes",
                    "start gopmill-node on at least one machine, with this farm's key",
                    "%zu of %zu nodes are connected", connected, json_array_size(nodes));
    if (others > 0) {
        gm_findings_add(f, GM_VERDICT_WARN, "nodes",
                        "end the update: gopmill node restart --all, when the packages are there",
                        "%zu nodes are of another build than %.40s", others, build);
    }
}

static void check_failures(struct gm_findings *f, const json_t *failures)
{
    size_t i;
    const json_t *row;
    json_array_foreach(failures, i, row)
    {
        if (strcmp(gm_job_text(row, "blame"), "input") != 0) {
            gm_findings_add(f, GM_VERDICT_WARN, "failures", gm_job_text(row, "remedy"),
                            "%" PRId64 " attempts failed with %.60s, the last at %.30s",
                            gm_job_number(row, "count"), gm_job_text(row, "code"),
                            gm_job_text(row, "last"));
        }
    }
}

bool gm_doctor_is_stuck(const json_t *farm)
{
    const json_t *queue = json_object_get(farm, "queue");
    return gm_job_number(queue, "tasks_ready") > 0 &&
           gm_job_real(queue, "oldest_wait_s") > WAIT_WARN_S &&
           gm_job_number(farm, "slots_used") < gm_job_number(farm, "slots");
}

static void check_queue(struct gm_findings *f, const struct gm_doctor_farm *facts)
{
    int64_t ready = gm_job_number(json_object_get(facts->farm, "queue"), "tasks_ready");
    size_t i;
    const json_t *task;
    bool stuck = gm_doctor_is_stuck(facts->farm);
    gm_findings_add(
        f, stuck ? GM_VERDICT_WARN : GM_VERDICT_OK, "queue",
        "gopmill job explain JOB says which resource of which nodes each task waits for",
        "%" PRId64 " jobs are queued, %" PRId64 " tasks ready%s",
        gm_job_number(json_object_get(facts->farm, "jobs"), "queued"), ready,
        stuck ? "; slots are free, and yet one waits for over a minute" : "");
    json_array_foreach(json_object_get(facts->explain, "tasks"), i, task)
    {
        if (stuck && strcmp(gm_job_text(task, "state"), "ready") == 0) {
            gm_findings_add(f, GM_VERDICT_WARN, "queue", "", "%.40s, `%.64s`: %.200s",
                            gm_job_text(facts->explain, "id"), gm_job_text(task, "task"),
                            gm_job_text(task, "why"));
            return;
        }
    }
}

void gm_doctor_farm(struct gm_findings *f, const struct gm_doctor_farm *facts)
{
    if (facts->farm != NULL) {
        check_ready(f, facts->farm);
        check_clock(f, facts);
    }
    if (facts->nodes != NULL) {
        check_nodes(f, facts->nodes);
    }
    if (facts->farm != NULL) {
        check_queue(f, facts);
        check_failures(f, json_object_get(facts->farm, "failures"));
    }
}
