#include "cli/print.h"

#include <inttypes.h>
#include <string.h>

#include "cli/job.h"
#include "cli/progress.h"

#define DONE_COLUMNS 10

/* Text from the network or a file's name, safe for a terminal. */
static void put_text(FILE *file, const char *text, int width)
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

static const char *words(const json_t *string)
{
    return json_is_string(string) ? json_string_value(string) : "";
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void put_row(FILE *file, const char *name, const char *text)
{
    fprintf(file, "%-13s", name);
    put_text(file, text, 0);
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
    int rc = json_dumpf(json, file, JSON_INDENT(2));
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

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* {"num","den"} as a number; 0 where it is none. */
static double ratio(const json_t *rational)
{
    double den = real(rational, "den");
    return den > 0 ? real(rational, "num") / den : 0;
}

/* How much is done: a share; where there are no pictures to count, or not yet, what goes on. */
static void put_done(FILE *file, const json_t *job)
{
    struct gm_progress p;
    const char *state = gm_job_text(job, "state");
    char text[24];
    gm_progress_from_json(json_object_get(job, "progress"), &p);
    int percent = gm_progress_percent(&p);
    if (percent < 0 && strcmp(state, "done") == 0) {
        percent = 100;
    } else if (percent < 0 && strcmp(state, "queued") == 0) {
        percent = 0;
    }
    if (percent >= 0) {
        snprintf(text, sizeof(text), "%d%%", percent);
        put_text(file, text, DONE_COLUMNS);
    } else {
        bool told = p.phase[0] != '\0' && strcmp(p.phase, state) != 0;
        put_text(file, told ? p.phase : "unknown", DONE_COLUMNS);
    }
}

void gm_print_jobs(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *job;
    fprintf(file, "%-28s%-12s%-*s%-20s%s\n", "JOB", "STATE", DONE_COLUMNS, "DONE", "PIPELINE",
            "SOURCE");
    json_array_foreach(json_object_get(answer, "jobs"), i, job)
    {
        put_text(file, gm_job_text(job, "id"), 28);
        put_text(file, gm_job_text(job, "state"), 12);
        put_done(file, job);
        put_text(file, gm_job_text(job, "pipeline"), 20);
        put_text(file, gm_job_text(job, "source"), 0);
        fputc('\n', file);
    }
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
        put_text(file, gm_job_text(task, "name"), 16);
        fputc(' ', file);
        put_text(file, gm_job_text(task, "state"), 10);
        fprintf(file, " %" PRId64 "/%" PRId64 "\n", number(task, "done"), number(task, "total"));
    }
}

const char *gm_print_times(const json_t *warning, char *out, size_t size)
{
    out[0] = '\0';
    if (number(warning, "count") > 1 &&
        strpbrk(gm_job_text(warning, "text"), "0123456789") == NULL) {
        snprintf(out, size, " (%" PRId64 " times)", number(warning, "count"));
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
        put_text(file, gm_job_text(warning, "code"), 0);
        fputs(": ", file);
        put_text(file, gm_job_text(warning, "text"), 0);
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
        put_text(file, words(name), 0);
    }
    fputs(" (fallback ", file);
    put_text(file, gm_job_text(requested, "fallback"), 0);
    fputs(")\n", file);
}

static void print_encoders(FILE *file, const json_t *devices)
{
    size_t i;
    const json_t *device;
    json_array_foreach(devices, i, device)
    {
        fputs("encoded on   ", file);
        put_text(file, gm_job_text(device, "device"), 0);
        fputs(" of node ", file);
        put_text(file, gm_job_text(device, "node"), 0);
        fprintf(file, ": %" PRId64 " run%s\n", number(device, "runs"),
                plural(number(device, "runs")));
    }
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
        put_text(file, gm_job_text(resolved, "chain"), 0);
        if (gm_job_text(resolved, "fingerprint")[0] != '\0') {
            fputs(": ", file);
            put_text(file, gm_job_text(resolved, "fingerprint"), 0);
        }
        fputc('\n', file);
    }
    if (gm_job_text(encoding, "reason")[0] != '\0') {
        put_row(file, "because", gm_job_text(encoding, "reason"));
    }
    print_encoders(file, json_object_get(json_object_get(encoding, "actual"), "devices"));
    json_array_foreach(json_object_get(encoding, "given_up"), i, lost)
    {
        fputs("gave up      ", file);
        put_text(file, gm_job_text(lost, "chain"), 0);
        fputs(": ", file);
        put_text(file, gm_job_text(lost, "code"), 0);
        fputs(": ", file);
        put_text(file, gm_job_text(lost, "text"), 0);
        fputc('\n', file);
    }
}

void gm_print_job(FILE *file, const json_t *job)
{
    static const char *const keys[] = {
        "id",    "state",    "pipeline", "source",  "destination", "external_id", "tenant",
        "class", "deadline", "created",  "started", "finished",    "eta",         "publication"};
    struct gm_progress progress;
    char line[512];
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (gm_job_text(job, keys[i])[0] != '\0') {
            put_row(file, keys[i], gm_job_text(job, keys[i]));
        }
    }
    fprintf(file, "%-13s%" PRId64 "\n", "priority", number(job, "priority"));
    gm_progress_from_json(json_object_get(job, "progress"), &progress);
    put_row(file, "progress", gm_progress_line(&progress, line, sizeof(line)));
    print_tasks(file, json_object_get(job, "tasks"));
    print_encoding(file, json_object_get(job, "encoding"));
    const json_t *error = json_object_get(job, "error");
    if (json_is_object(error)) {
        fputs("error        ", file);
        put_text(file, gm_job_text(error, "code"), 0);
        fputs(": ", file);
        put_text(file, gm_job_text(error, "text"), 0);
        fputc('\n', file);
        put_row(file, "remedy", gm_job_text(error, "remedy"));
    }
    print_warnings(file, json_object_get(job, "warnings"));
}

void gm_print_explain(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *task;
    put_row(file, "job", gm_job_text(answer, "id"));
    put_row(file, "state", gm_job_text(answer, "state"));
    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        put_text(file, gm_job_text(task, "task"), 16);
        fputc(' ', file);
        put_text(file, gm_job_text(task, "state"), 10);
        fputc(' ', file);
        put_text(file, gm_job_text(task, "why"), 0);
        fputc('\n', file);
    }
}

static void print_notes(FILE *file, const json_t *notes)
{
    size_t i;
    const json_t *note;
    json_array_foreach(notes, i, note)
    {
        fputs("  note: ", file);
        put_text(file, json_is_string(note) ? json_string_value(note) : gm_job_text(note, "text"),
                 0);
        fputc('\n', file);
    }
}

/* The sentence has its address and name: two GPUs of a node are told apart by it. */
static void print_device(FILE *file, const json_t *device)
{
    size_t i, failed = 0, passed = 0;
    const json_t *proof;
    fputs("  device: ", file);
    put_text(file, gm_job_text(device, "description"), 0);
    json_array_foreach(json_object_get(device, "proofs"), i, proof)
    {
        *(json_is_true(json_object_get(proof, "passed")) ? &passed : &failed) += 1;
    }
    if (passed + failed > 0) {
        fprintf(file, " (%zu of %zu proofs passed)", passed, passed + failed);
    }
    fputc('\n', file);
}

static bool is_shown(const json_t *rate)
{
    const char *what = gm_job_text(rate, "what");
    return strcmp(what, "encode") == 0 || strcmp(what, "ladder") == 0;
}

/* What it makes a second, as hwtest measured it: encoders, and ladders in real time. */
static void print_measured(FILE *file, const json_t *measured)
{
    size_t i;
    const json_t *rate;
    const char *pause = "";
    if (!json_is_object(measured)) {
        return;
    }
    char day[11];
    bool any = false;
    json_array_foreach(json_object_get(measured, "rates"), i, rate)
    {
        any = any || is_shown(rate);
    }
    if (!any) {
        return; /* decoders' figures decide nothing: --json has them */
    }
    snprintf(day, sizeof(day), "%s", gm_job_text(measured, "at"));
    fputs(day[0] == '\0' ? "  measured" : "  measured ", file);
    put_text(file, day, 0);
    fputs(": ", file);
    json_array_foreach(json_object_get(measured, "rates"), i, rate)
    {
        bool ladder = strcmp(gm_job_text(rate, "what"), "ladder") == 0;
        double one = real(rate, "one") / 1e6, all = real(rate, "all") / 1e6;
        double height = real(rate, "height");
        if (!is_shown(rate)) {
            continue;
        }
        fputs(pause, file);
        pause = ", ";
        if (ladder && height > 0) {
            fprintf(file, "%.1f ladders of %.0fp30", all * 1e6 * 9 / 16 / height / height / 30,
                    height);
            continue;
        }
        put_text(file, gm_job_text(rate, "codec"), 0);
        fprintf(file, "%s %.1f of %.1f", real(rate, "depth") > 8 ? " 10 bits" : "", one, all);
    }
    fputs(" (encoding: Mpix/s of one slot, of all)\n", file);
}

static void print_chains(FILE *file, const json_t *chains)
{
    size_t i, k;
    const json_t *chain, *codec;
    json_array_foreach(chains, i, chain)
    {
        fputs("  chain: ", file);
        put_text(file, gm_job_text(chain, "name"), 0);
        json_array_foreach(json_object_get(chain, "codecs"), k, codec)
        {
            fputs(k == 0 ? " (" : ", ", file);
            put_text(file, words(codec), 0);
        }
        fputs(k > 0 ? "): " : ": ", file);
        put_text(file, gm_job_text(chain, "fingerprint"), 0);
        fputc('\n', file);
    }
}

static size_t tasks_on(const json_t *node, const char *device)
{
    size_t i, count = 0;
    const json_t *lease;
    json_array_foreach(json_object_get(node, "leases"), i, lease)
    {
        count += strcmp(gm_job_text(lease, "device"), device) == 0 ? 1 : 0;
    }
    return count;
}

static void print_quarantine(FILE *file, const json_t *q)
{
    const char *state = gm_job_text(q, "state");
    if (!json_is_object(q)) {
        return;
    }
    if (strcmp(state, "held") == 0) {
        fputs("  held by the scheduler: ", file);
    } else {
        fputs(strcmp(state, "trial") == 0
                  ? "  on trial, one task at a time, after quarantine by the "
                  : "  in quarantine by the ",
              file);
        put_text(file, gm_job_text(q, "by"), 0);
        fputs(" since ", file);
        put_text(file, gm_job_text(q, "since"), 0);
        fputs(": ", file);
    }
    put_text(file, gm_job_text(q, "why"), 0);
    fputc('\n', file);
}

void gm_print_nodes(FILE *file, const json_t *answer)
{
    size_t i, k;
    const json_t *node, *device;
    char memory[24];
    fprintf(file, "%-24s%-12s%-9s%-11s%-11s%-7s%s\n", "NODE", "STATE", "DEVICE", "CPUS USED",
            "MEMORY", "TASKS", "HOST");
    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        json_array_foreach(json_object_get(node, "devices"), k, device)
        {
            const json_t *capacity = json_object_get(device, "capacity");
            const json_t *used = json_object_get(device, "used");
            char cpus[32];
            bool is_cpu = strcmp(gm_job_text(device, "kind"), "cpu") == 0;
            if (!is_cpu && real(capacity, "slots") == 0.0) {
                print_device(file, device);
                print_quarantine(file, json_object_get(device, "quarantine"));
                print_measured(file, json_object_get(device, "measured"));
                print_notes(file, json_object_get(device, "notes"));
                continue;
            }
            put_text(file, gm_job_text(node, "id"), 24);
            put_text(file, gm_job_text(node, "state"), 12);
            put_text(file, gm_job_text(device, "kind"), 9);
            snprintf(cpus, sizeof(cpus), "%.1f/%.1f", real(used, "cpus"), real(capacity, "cpus"));
            put_text(file, cpus, 11);
            put_text(file, gm_print_bytes(real(capacity, "memory_bytes"), memory, sizeof(memory)),
                     11);
            fprintf(file, "%-7zu", tasks_on(node, gm_job_text(device, "id")));
            put_text(file, gm_job_text(node, "hostname"), 0);
            fputc('\n', file);
            if (!is_cpu) {
                print_device(file, device);
                print_chains(file, json_object_get(device, "chains"));
            }
            print_quarantine(file, json_object_get(device, "quarantine"));
            print_measured(file, json_object_get(device, "measured"));
            print_notes(file, json_object_get(device, "notes"));
        }
        print_notes(file, json_object_get(node, "notes"));
    }
}

void gm_print_pipelines(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *pipeline;
    json_array_foreach(json_object_get(answer, "pipelines"), i, pipeline)
    {
        put_text(file, gm_job_text(pipeline, "name"), 20);
        fputc(' ', file);
        put_text(file, gm_job_text(pipeline, "description"), 0);
        fputc('\n', file);
    }
}

void gm_print_checked(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *task;
    put_text(file, gm_job_text(answer, "name"), 0);
    fputs(": good; tasks:", file);
    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        fputc(' ', file);
        put_text(file, json_is_string(task) ? json_string_value(task) : gm_job_text(task, "name"),
                 0);
    }
    fputc('\n', file);
}

/* What makes the renditions of another shape than the source. */
static void print_shape(FILE *file, const json_t *video)
{
    const json_t *pixel = json_object_get(video, "sample_aspect");
    double aspect = ratio(pixel);
    if (aspect > 0 && aspect != 1) {
        fprintf(file, ", pixels %" PRId64 ":%" PRId64, number(pixel, "num"), number(pixel, "den"));
    }
    if (number(video, "rotation") != 0) {
        fprintf(file, ", turned by %" PRId64 " degrees", number(video, "rotation"));
    }
}

static void print_source(FILE *file, const json_t *source)
{
    const json_t *video = json_object_get(source, "video");
    char time[24], bytes[24];
    put_row(file, "source", gm_job_text(source, "name"));
    fprintf(file, "%-13s", "format");
    put_text(file, gm_job_text(source, "format"), 0);
    fprintf(file, ", %s, %s\n", gm_progress_time(real(source, "duration_s"), time, sizeof(time)),
            gm_print_bytes(real(source, "bytes"), bytes, sizeof(bytes)));
    if (json_is_object(video)) {
        fprintf(file, "%-13s", "video");
        put_text(file, gm_job_text(video, "codec"), 0);
        fprintf(file, " %" PRId64 "x%" PRId64, number(video, "width"), number(video, "height"));
        print_shape(file, video);
        fprintf(file, ", %.6g fps%s\n", ratio(json_object_get(video, "frame_rate")),
                json_is_true(json_object_get(video, "constant_rate")) ? "" : " (variable)");
    }
    size_t i;
    const json_t *audio;
    json_array_foreach(json_object_get(source, "audio"), i, audio)
    {
        fprintf(file, "%-13s", "audio");
        put_text(file, gm_job_text(audio, "codec"), 0);
        fprintf(file, " %" PRId64 " Hz, %" PRId64 " channel%s, ", number(audio, "sample_rate"),
                number(audio, "channels"), plural(number(audio, "channels")));
        put_text(file, gm_job_text(audio, "language"), 0);
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
        put_text(file, gm_job_text(rung, "name"), 8);
        fprintf(file, "%" PRId64 "x%" PRId64, number(rung, "width"), number(rung, "height"));
        if (number(rung, "maxrate_bps") > 0) {
            fprintf(file, ", at most %.2f Mbit/s", real(rung, "maxrate_bps") / 1e6);
        }
        fputs(", ", file);
        put_text(file, gm_job_text(rung, "codecs"), 0);
        fputc('\n', file);
    }
    fprintf(file, "%-13s%" PRId64 "\n", "audio tracks", number(plan, "audio_tracks"));
    fprintf(file, "%-13s%" PRId64 " of %.3f s\n", "segments", number(estimated, "segments"),
            real(plan, "segment_s"));
    fprintf(file, "%-13s%" PRId64 "\n", "frames", number(estimated, "frames"));
    fprintf(file, "%-13sabout %s\n", "CPU time",
            gm_progress_time(real(estimated, "cpu_s"), time, sizeof(time)));
    fprintf(file, "%-13sabout %s\n", "size",
            gm_print_bytes(real(estimated, "bytes"), bytes, sizeof(bytes)));
    print_encoding(file, json_object_get(report, "encoding"));
    print_warnings(file, json_object_get(report, "warnings"));
}
