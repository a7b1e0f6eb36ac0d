#include "cli/print.h"

#include <inttypes.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print_text.h"
#include "cli/progress.h"

void gm_print_text(FILE *file, const char *text, int width)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c < 0x20 || c == 0x7f ? '?' : c, file);
        n += (c & 0xc0) != 0x80 ? 1 : 0; /* UTF-8: one column a character, nearly always */
    }
    if (width > 0 && n >= width) {
        fputc(' ', file); /* wider than its column, still apart from the next one */
    }
    for (; n < width; n++) {
        fputc(' ', file);
    }
}

const char *gm_print_words(const json_t *string)
{
    return json_is_string(string) ? json_string_value(string) : "";
}

const char *gm_print_plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

void gm_print_row(FILE *file, const char *name, const char *text)
{
    fprintf(file, "%-13s", name);
    gm_print_text(file, text, 0);
    fputc('\n', file);
}

const char *gm_print_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, size, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

int gm_print_json(FILE *file, const json_t *json)
{
    int rc = json_dumpf(json, file, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    return rc != 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? -1 : 0;
}

int gm_print_error(FILE *file, const struct gm_err *err)
{
    const struct gm_code_info *info = gm_code_get((int)err->code);
    json_t *doc = json_pack("{s:{s:s,s:s,s:s,s:s,s:s}}", "error", "code", info->id, "text",
                            err->text, "blame", gm_blame_name(info->blame), "retry",
                            gm_retry_name(info->retry), "remedy", info->remedy);
    int rc = doc == NULL ? -1 : gm_print_json(file, doc);
    json_decref(doc);
    return rc;
}

/* {"num","den"} as a number; 0 where it is none. */
static double ratio(const json_t *rational)
{
    double den = gm_job_real(rational, "den");
    return den > 0 ? gm_job_real(rational, "num") / den : 0;
}

/* How much is done: a share; where there are no pictures to count, or not yet, what goes on. */
static void add_done(struct gm_table *table, const json_t *job)
{
    struct gm_progress p;
    const char *state = gm_job_text(job, "state");
    gm_progress_from_json(json_object_get(job, "progress"), &p);
    int percent = gm_progress_percent(&p);
    if (percent < 0 && strcmp(state, "done") == 0) {
        percent = 100;
    } else if (percent < 0 && strcmp(state, "queued") == 0) {
        percent = 0;
    }
    if (percent >= 0) {
        gm_table_addf(table, "%d%%", percent);
    } else {
        bool told = p.phase[0] != '\0' && strcmp(p.phase, state) != 0;
        gm_table_add(table, told ? p.phase : "-");
    }
}

void gm_print_jobs(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {{"JOB", true, false},     {"STATE", true, false},
                                               {"DONE", true, false},    {"PIPELINE", false, false},
                                               {"SOURCE", false, false}, {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i;
    const json_t *job;
    json_array_foreach(json_object_get(answer, "jobs"), i, job)
    {
        gm_table_add(&table, gm_job_text(job, "id"));
        gm_table_add(&table, gm_job_text(job, "state"));
        add_done(&table, job);
        gm_table_add(&table, gm_job_text(job, "pipeline"));
        gm_table_add(&table, gm_job_text(job, "source"));
    }
    gm_table_print(&table, file, gm_table_width(file));
    if (json_is_string(json_object_get(answer, "next"))) {
        fprintf(file, "(there are more: --limit N shows more of them)\n");
    }
}

static void print_tasks(FILE *file, const json_t *tasks)
{
    size_t i;
    const json_t *task;
    json_array_foreach(tasks, i, task)
    {
        fputs("task         ", file);
        gm_print_text(file, gm_job_text(task, "name"), 16);
        fputc(' ', file);
        gm_print_text(file, gm_job_text(task, "state"), 10);
        fprintf(file, " %" PRId64 "/%" PRId64 "\n", gm_job_number(task, "done"),
                gm_job_number(task, "total"));
    }
}

const char *gm_print_times(const json_t *warning, char *out, size_t size)
{
    out[0] = '\0';
    if (gm_job_number(warning, "count") > 1 &&
        strpbrk(gm_job_text(warning, "text"), "0123456789") == NULL) {
        snprintf(out, size, " (%" PRId64 " times)", gm_job_number(warning, "count"));
    }
    return out;
}

static void print_warnings(FILE *file, const json_t *warnings)
{
    char times[32];
    size_t i;
    const json_t *warning;
    json_array_foreach(warnings, i, warning)
    {
        fputs("warning      ", file);
        gm_print_text(file, gm_job_text(warning, "code"), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(warning, "text"), 0);
        fprintf(file, "%s\n", gm_print_times(warning, times, sizeof(times)));
    }
}

/* What the pipeline lists. */
static void print_requested(FILE *file, const json_t *requested)
{
    const json_t *devices = json_object_get(requested, "devices");
    size_t i;
    const json_t *name;
    if (json_array_size(devices) == 0) {
        return;
    }
    fputs("wants        ", file);
    json_array_foreach(devices, i, name)
    {
        fputs(i > 0 ? ", " : "", file);
        gm_print_text(file, gm_print_words(name), 0);
    }
    fputs(" (fallback ", file);
    gm_print_text(file, gm_job_text(requested, "fallback"), 0);
    fputs(")\n", file);
}

static void print_encoders(FILE *file, const json_t *devices)
{
    size_t i;
    const json_t *device;
    json_array_foreach(devices, i, device)
    {
        fputs("encoded on   ", file);
        gm_print_text(file, gm_job_text(device, "device"), 0);
        fputs(" of node ", file);
        gm_print_text(file, gm_job_text(device, "node"), 0);
        fprintf(file, ": %" PRId64 " run%s\n", gm_job_number(device, "runs"),
                gm_print_plural(gm_job_number(device, "runs")));
    }
}

const char *gm_print_given_up(const json_t *lost)
{
    const char *chain = gm_job_text(lost, "chain");
    return strcmp(chain, "cpu") == 0 ? "a build of cpu" : chain;
}

/* What was wanted, what encodes and why, what did, and what the job gave up. */
static void print_encoding(FILE *file, const json_t *encoding)
{
    const json_t *resolved = json_object_get(encoding, "resolved");
    size_t i;
    const json_t *lost;
    print_requested(file, json_object_get(encoding, "requested"));
    if (gm_job_text(resolved, "chain")[0] != '\0') {
        fputs("encodes on   ", file);
        gm_print_text(file, gm_job_text(resolved, "chain"), 0);
        if (gm_job_text(resolved, "fingerprint")[0] != '\0') {
            fputs(": ", file);
            gm_print_text(file, gm_job_text(resolved, "fingerprint"), 0);
        }
        fputc('\n', file);
    }
    if (gm_job_text(encoding, "reason")[0] != '\0') {
        gm_print_row(file, "because", gm_job_text(encoding, "reason"));
    }
    print_encoders(file, json_object_get(json_object_get(encoding, "actual"), "devices"));
    json_array_foreach(json_object_get(encoding, "given_up"), i, lost)
    {
        fputs("gave up      ", file);
        gm_print_text(file, gm_print_given_up(lost), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(lost, "code"), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(lost, "text"), 0);
        fputc('\n', file);
    }
}

static void print_backup(FILE *file, const json_t *backup)
{
    const json_t *error = json_object_get(backup, "error");
    if (!json_is_object(backup)) {
        return;
    }
    fputs("backup       ", file);
    gm_print_text(file, gm_job_text(backup, "url"), 0);
    fputs(": ", file);
    gm_print_text(file, gm_job_text(backup, "state"), 0);
    if (json_is_object(error)) {
        fprintf(file, ", %" PRId64 " objects lack: ", gm_job_number(backup, "lacking"));
        gm_print_text(file, gm_job_text(error, "code"), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(error, "text"), 0);
    }
    fputc('\n', file);
}

static void print_publishing(FILE *file, const json_t *publishing)
{
    const json_t *error = json_object_get(publishing, "error");
    const char *held = gm_job_text(publishing, "held");
    const char *next = gm_job_text(publishing, "next");
    if (!json_is_object(publishing)) {
        return;
    }
    fprintf(file, "publishing   failed %" PRId64 " times of at most %" PRId64,
            gm_job_number(publishing, "tries"), gm_job_number(publishing, "most"));
    if (held[0] != '\0') {
        fputs(", waits: ", file);
        gm_print_text(file, held, 0);
    }
    if (next[0] != '\0') {
        fputs(", again at ", file);
        gm_print_text(file, next, 0);
    }
    if (json_is_object(error)) {
        fputs("; last with ", file);
        gm_print_text(file, gm_job_text(error, "code"), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(error, "text"), 0);
    }
    fputc('\n', file);
}

void gm_print_job(FILE *file, const json_t *job)
{
    static const char *const keys[] = {
        "id",          "state",   "pipeline", "source",   "destination",
        "external_id", "tenant",  "class",    "deadline", "deadline_state",
        "created",     "started", "finished", "eta",      "publication"};
    struct gm_progress progress;
    char line[512];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (gm_job_text(job, keys[i])[0] != '\0') {
            gm_print_row(file, keys[i], gm_job_text(job, keys[i]));
        }
    }
    fprintf(file, "%-13s%" PRId64 "\n", "priority", gm_job_number(job, "priority"));
    gm_progress_from_json(json_object_get(job, "progress"), &progress);
    gm_print_row(file, "progress", gm_progress_line(&progress, line, sizeof(line)));
    print_tasks(file, json_object_get(job, "tasks"));
    print_encoding(file, json_object_get(job, "encoding"));
    print_backup(file, json_object_get(job, "backup"));
    print_publishing(file, json_object_get(job, "publishing"));
    const json_t *error = json_object_get(job, "error");
    if (json_is_object(error)) {
        fputs("error        ", file);
        gm_print_text(file, gm_job_text(error, "code"), 0);
        fputs(": ", file);
        gm_print_text(file, gm_job_text(error, "text"), 0);
        fputc('\n', file);
        gm_print_row(file, "remedy", gm_job_text(error, "remedy"));
    }
    print_warnings(file, json_object_get(job, "warnings"));
}

void gm_print_explain(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *task;
    gm_print_row(file, "job", gm_job_text(answer, "id"));
    gm_print_row(file, "state", gm_job_text(answer, "state"));
    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        gm_print_text(file, gm_job_text(task, "task"), 16);
        fputc(' ', file);
        gm_print_text(file, gm_job_text(task, "state"), 10);
        fputc(' ', file);
        gm_print_text(file, gm_job_text(task, "why"), 0);
        fputc('\n', file);
    }
}

void gm_print_pipelines(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *pipeline;
    json_array_foreach(json_object_get(answer, "pipelines"), i, pipeline)
    {
        gm_print_text(file, gm_job_text(pipeline, "name"), 20);
        fputc(' ', file);
        bool stored = json_is_true(json_object_get(pipeline, "stored"));
        gm_print_text(file, gm_job_text(pipeline, "description"), 0);
        fputs(stored ? " (stored)\n" : "\n", file);
    }
}

void gm_print_checked(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *task;
    gm_print_text(file, gm_job_text(answer, "name"), 0);
    fputs(": good; tasks:", file);
    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        fputc(' ', file);
        gm_print_text(
            file, json_is_string(task) ? json_string_value(task) : gm_job_text(task, "name"), 0);
    }
    fputc('\n', file);
}

/* What makes the renditions of another shape than the source. */
static void print_shape(FILE *file, const json_t *video)
{
    const json_t *pixel = json_object_get(video, "sample_aspect");
    double aspect = ratio(pixel);
    if (aspect > 0 && aspect != 1) {
        fprintf(file, ", pixels %" PRId64 ":%" PRId64, gm_job_number(pixel, "num"),
                gm_job_number(pixel, "den"));
    }
    if (gm_job_number(video, "rotation") != 0) {
        fprintf(file, ", turned by %" PRId64 " degrees", gm_job_number(video, "rotation"));
    }
}

static void print_source(FILE *file, const json_t *source)
{
    const json_t *video = json_object_get(source, "video");
    char time[24], bytes[24];
    gm_print_row(file, "source", gm_job_text(source, "name"));
    fprintf(file, "%-13s", "format");
    gm_print_text(file, gm_job_text(source, "format"), 0);
    fprintf(file, ", %s, %s\n",
            gm_progress_time(gm_job_real(source, "duration_s"), time, sizeof(time)),
            gm_print_bytes(gm_job_real(source, "bytes"), bytes, sizeof(bytes)));
    if (json_is_object(video)) {
        fprintf(file, "%-13s", "video");
        gm_print_text(file, gm_job_text(video, "codec"), 0);
        fprintf(file, " %" PRId64 "x%" PRId64, gm_job_number(video, "width"),
                gm_job_number(video, "height"));
        print_shape(file, video);
        fprintf(file, ", %.6g fps%s\n", ratio(json_object_get(video, "frame_rate")),
                json_is_true(json_object_get(video, "constant_rate")) ? "" : " (variable)");
    }
    size_t i;
    const json_t *audio;
    json_array_foreach(json_object_get(source, "audio"), i, audio)
    {
        fprintf(file, "%-13s", "audio");
        gm_print_text(file, gm_job_text(audio, "codec"), 0);
        fprintf(file, " %" PRId64 " Hz, %" PRId64 " channel%s, ",
                gm_job_number(audio, "sample_rate"), gm_job_number(audio, "channels"),
                gm_print_plural(gm_job_number(audio, "channels")));
        gm_print_text(file, gm_job_text(audio, "language"), 0);
        fputc('\n', file);
    }
}

void gm_print_plan(FILE *file, const json_t *report)
{
    const json_t *plan = json_object_get(report, "plan");
    const json_t *estimated = json_object_get(plan, "estimated");
    const json_t *rung;
    size_t i;
    char time[24], bytes[24];
    print_source(file, json_object_get(report, "source"));
    json_array_foreach(json_object_get(plan, "ladder"), i, rung)
    {
        fprintf(file, "%-13s", "rendition");
        gm_print_text(file, gm_job_text(rung, "name"), 8);
        fprintf(file, "%" PRId64 "x%" PRId64, gm_job_number(rung, "width"),
                gm_job_number(rung, "height"));
        if (gm_job_number(rung, "maxrate_bps") > 0) {
            fprintf(file, ", at most %.2f Mbit/s", gm_job_real(rung, "maxrate_bps") / 1e6);
        }
        fputs(", ", file);
        gm_print_text(file, gm_job_text(rung, "codecs"), 0);
        fputc('\n', file);
    }
    fprintf(file, "%-13s%" PRId64 "\n", "audio tracks", gm_job_number(plan, "audio_tracks"));
    fprintf(file, "%-13s%" PRId64 " of %.3f s\n", "segments", gm_job_number(estimated, "segments"),
            gm_job_real(plan, "segment_s"));
    fprintf(file, "%-13s%" PRId64 "\n", "frames", gm_job_number(estimated, "frames"));
    fprintf(file, "%-13sabout %s\n", "CPU time",
            gm_progress_time(gm_job_real(estimated, "cpu_s"), time, sizeof(time)));
    fprintf(file, "%-13sabout %s\n", "size",
            gm_print_bytes(gm_job_real(estimated, "bytes"), bytes, sizeof(bytes)));
    print_encoding(file, json_object_get(report, "encoding"));
    print_warnings(file, json_object_get(report, "warnings"));
}
