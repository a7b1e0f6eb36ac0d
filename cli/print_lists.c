/* Tables and sheets of what the API lists: tasks, attempts, lines of a log, titles, uploads, and
 * the farm. */
#include <inttypes.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/print_text.h"
#include "cli/progress.h"
#include "common/time.h"

/* "a, b"; "-" of none. */
static void add_names(struct gm_table *table, const json_t *names)
{
    char text[256] = "-";
    size_t i, used = 0;
    const json_t *name;
    json_array_foreach(names, i, name)
    {
        int n = snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "",
                         gm_print_words(name));
        used += n > 0 ? (size_t)n : 0;
        if (used >= sizeof text) {
            break;
        }
    }
    gm_table_add(table, text);
}

static void add_or_dash(struct gm_table *table, const char *text)
{
    gm_table_add(table, text[0] != '\0' ? text : "-");
}

void gm_print_job_tasks(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {{"TASK", true, false},     {"STATE", true, false},
                                               {"DONE", true, true},      {"ATTEMPTS", true, true},
                                               {"FAILURES", true, true},  {"NEEDS", false, false},
                                               {"RUNS ON", false, false}, {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i;
    const json_t *task;
    json_array_foreach(json_object_get(answer, "tasks"), i, task)
    {
        bool known = !json_is_false(json_object_get(task, "total_known"));
        gm_table_add(&table, gm_job_text(task, "name"));
        gm_table_add(&table, gm_job_text(task, "state"));
        gm_table_addf(&table, "%" PRId64 "/%" PRId64 "%s", gm_job_number(task, "done"),
                      gm_job_number(task, "total"), known ? "" : "+");
        gm_table_addf(&table, "%" PRId64, gm_job_number(task, "attempts"));
        gm_table_addf(&table, "%" PRId64, gm_job_number(task, "failures"));
        add_names(&table, json_object_get(task, "needs"));
        add_names(&table, json_object_get(task, "nodes"));
    }
    gm_table_print(&table, file, gm_table_width(file));
}

/* How long it took; of what runs nothing. */
static void add_duration(struct gm_table *table, const json_t *attempt)
{
    int64_t from, to;
    bool known = gm_time_parse(gm_job_text(attempt, "started"), &from) &&
                 gm_time_parse(gm_job_text(attempt, "ended"), &to);
    if (known) {
        gm_table_addf(table, "%.1f s", (double)(to > from ? to - from : 0) / 1000);
    } else {
        gm_table_add(table, "-");
    }
}

void gm_print_attempts(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {
        {"NO", true, true},       {"TASK", true, false},   {"CHUNKS", true, true},
        {"NODE", false, false},   {"DEVICE", true, false}, {"TOOK", true, true},
        {"OUTCOME", true, false}, {"WHY", false, false},   {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i;
    const json_t *a;
    json_array_foreach(json_object_get(answer, "attempts"), i, a)
    {
        int64_t first = gm_job_number(a, "first_chunk"), count = gm_job_number(a, "chunks");
        const char *code = gm_job_text(a, "code"), *text = gm_job_text(a, "text");
        gm_table_addf(&table, "%" PRId64, gm_job_number(a, "number"));
        gm_table_add(&table, gm_job_text(a, "task"));
        if (count > 0) {
            gm_table_addf(&table, "%" PRId64 "-%" PRId64, first, first + count - 1);
        } else {
            gm_table_add(&table, "-");
        }
        add_or_dash(&table, gm_job_text(a, "node"));
        add_or_dash(&table, gm_job_text(a, "device"));
        add_duration(&table, a);
        gm_table_add(&table, gm_job_text(a, "outcome"));
        gm_table_addf(&table, "%s%s%s", code, code[0] != '\0' && text[0] != '\0' ? ": " : "", text);
    }
    gm_table_print(&table, file, gm_table_width(file));
}

/* Sentences: no table, nothing is cut. */
void gm_print_logs(FILE *file, const json_t *answer)
{
    size_t i;
    const json_t *line;
    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        const char *node = gm_job_text(line, "node");
        gm_print_text(file, gm_job_text(line, "time"), 25);
        gm_print_text(file, gm_job_text(line, "level"), 6);
        if (node[0] != '\0') {
            fputs("on ", file);
            gm_print_text(file, node, 0);
            fputs(": ", file);
        }
        gm_print_text(file, gm_job_text(line, "text"), 0);
        fputc('\n', file);
    }
}

void gm_print_retried(FILE *file, const json_t *answer)
{
    gm_print_text(file, gm_job_text(answer, "id"), 0);
    fputc('\n', file);
}

void gm_print_priority(FILE *file, const json_t *answer)
{
    gm_print_text(file, gm_job_text(answer, "id"), 0);
    fprintf(file, " priority %" PRId64 ", class ", gm_job_number(answer, "priority"));
    gm_print_text(file, gm_job_text(answer, "class"), 0);
    fputc('\n', file);
}

void gm_print_assets(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {
        {"JOB", true, false},     {"FINISHED", true, false},     {"LASTS", true, true},
        {"SIZE", true, true},     {"TITLE", false, false},       {"PIPELINE", false, false},
        {"TENANT", false, false}, {"DESTINATION", false, false}, {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    char text[32];
    size_t i;
    const json_t *a;
    json_array_foreach(json_object_get(answer, "assets"), i, a)
    {
        bool known = json_is_number(json_object_get(a, "duration_s"));
        gm_table_add(&table, gm_job_text(a, "job"));
        gm_table_addf(&table, "%.19s", gm_job_text(a, "finished"));
        gm_table_add(&table, known
                                 ? gm_progress_time(gm_job_real(a, "duration_s"), text, sizeof text)
                                 : "-");
        gm_table_add(&table, gm_print_bytes(gm_job_real(a, "bytes"), text, sizeof text));
        gm_table_add(&table, gm_job_text(a, "title"));
        gm_table_add(&table, gm_job_text(a, "pipeline"));
        gm_table_add(&table, gm_job_text(a, "tenant"));
        gm_table_add(&table, gm_job_text(a, "destination"));
    }
    gm_table_print(&table, file, gm_table_width(file));
    if (json_is_string(json_object_get(answer, "next"))) {
        fprintf(file, "(there are more: --limit N shows more of them)\n");
    }
}

void gm_print_asset(FILE *file, const json_t *asset)
{
    static const char *const keys[] = {"job",         "title",    "pipeline", "tenant",
                                       "destination", "finished", "poster",   "sprites"};
    char text[32];
    size_t i;
    const json_t *row;
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (gm_job_text(asset, keys[i])[0] != '\0') {
            gm_print_row(file, keys[i], gm_job_text(asset, keys[i]));
        }
    }
    if (json_is_number(json_object_get(asset, "duration_s"))) {
        gm_print_row(file, "lasts",
                     gm_progress_time(gm_job_real(asset, "duration_s"), text, sizeof text));
    }
    gm_print_row(file, "size", gm_print_bytes(gm_job_real(asset, "bytes"), text, sizeof text));
    json_array_foreach(json_object_get(asset, "manifests"), i, row)
    {
        gm_print_row(file, "manifest", gm_print_words(row));
    }
    json_array_foreach(json_object_get(asset, "renditions"), i, row)
    {
        fputs("rendition    ", file);
        gm_print_text(file, gm_job_text(row, "name"), 8);
        fprintf(file, "%" PRId64 "x%" PRId64 ", ", gm_job_number(row, "width"),
                gm_job_number(row, "height"));
        gm_print_text(file, gm_job_text(row, "codec"), 0);
        fprintf(file, ", %.2f Mbit/s\n", gm_job_real(row, "bitrate") / 1e6);
    }
}

/* How many parts the ranges have. */
static int64_t parts_there(const json_t *ranges)
{
    int64_t there = 0;
    size_t i;
    const json_t *range;
    json_array_foreach(ranges, i, range)
    {
        there += json_integer_value(json_array_get(range, 1)) -
                 json_integer_value(json_array_get(range, 0)) + 1;
    }
    return there;
}

void gm_print_uploads(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {{"UPLOAD", true, false},  {"STATE", true, false},
                                               {"PARTS", true, true},    {"SIZE", true, true},
                                               {"TENANT", false, false}, {"CREATED", true, false},
                                               {"NAME", false, false},   {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    char text[32];
    size_t i;
    const json_t *u;
    json_array_foreach(json_object_get(answer, "uploads"), i, u)
    {
        gm_table_add(&table, gm_job_text(u, "id"));
        gm_table_add(&table, gm_job_text(u, "state"));
        gm_table_addf(&table, "%" PRId64 "/%" PRId64, parts_there(json_object_get(u, "there")),
                      gm_job_number(u, "parts"));
        gm_table_add(&table, gm_print_bytes(gm_job_real(u, "size"), text, sizeof text));
        add_or_dash(&table, gm_job_text(u, "tenant"));
        gm_table_addf(&table, "%.19s", gm_job_text(u, "created"));
        gm_table_add(&table, gm_job_text(u, "name"));
    }
    gm_table_print(&table, file, gm_table_width(file));
}

void gm_print_upload(FILE *file, const json_t *upload)
{
    static const char *const keys[] = {"id", "source", "state", "name", "tenant", "created"};
    char text[32];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (gm_job_text(upload, keys[i])[0] != '\0') {
            gm_print_row(file, keys[i], gm_job_text(upload, keys[i]));
        }
    }
    gm_print_row(file, "size", gm_print_bytes(gm_job_real(upload, "size"), text, sizeof text));
    fprintf(file, "%-13s%" PRId64 " of %" PRId64 " there\n", "parts",
            parts_there(json_object_get(upload, "there")), gm_job_number(upload, "parts"));
    if (gm_job_number(upload, "expires_unix_ms") > 0) {
        gm_print_row(file, "kept until",
                     gm_time_format(gm_job_number(upload, "expires_unix_ms"), text));
    }
}

void gm_print_upload_deleted(FILE *file, const json_t *answer)
{
    (void)answer;
    fputs("deleted\n", file);
}

static void print_failures(FILE *file, const json_t *failures)
{
    static const struct gm_column columns[] = {{"FAILURES", true, true},
                                               {"LAST", true, false},
                                               {"CODE", true, false},
                                               {"WHAT TO DO", false, false},
                                               {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i;
    const json_t *f;
    json_array_foreach(failures, i, f)
    {
        gm_table_addf(&table, "%" PRId64, gm_job_number(f, "count"));
        gm_table_addf(&table, "%.19s", gm_job_text(f, "last"));
        gm_table_add(&table, gm_job_text(f, "code"));
        gm_table_add(&table, gm_job_text(f, "remedy"));
    }
    if (i > 0) {
        gm_table_print(&table, file, gm_table_width(file));
    }
}

void gm_print_farm(FILE *file, const json_t *farm)
{
    const json_t *queue = json_object_get(farm, "queue"), *nodes = json_object_get(farm, "nodes");
    const json_t *rate = json_object_get(farm, "throughput"), *jobs = json_object_get(farm, "jobs");
    const json_t *wait = json_object_get(queue, "oldest_wait_s");
    const char *state = NULL;
    json_t *count = NULL;
    size_t i;
    const json_t *reason;
    fprintf(file, "%-13s%.40s, up since %.40s\n", "scheduler", gm_job_text(farm, "version"),
            gm_job_text(farm, "started"));
    gm_print_row(file, "takes jobs", json_is_true(json_object_get(farm, "ready")) ? "yes" : "no");
    json_array_foreach(json_object_get(farm, "reasons"), i, reason)
    {
        gm_print_row(file, "because", gm_print_words(reason));
    }
    fprintf(file, "%-13s%" PRId64 " connected, %" PRId64 " draining, %" PRId64 " gone\n", "nodes",
            gm_job_number(nodes, "connected"), gm_job_number(nodes, "draining"),
            gm_job_number(nodes, "gone"));
    fprintf(file, "%-13s%" PRId64 " of %" PRId64 " used\n", "slots",
            gm_job_number(farm, "slots_used"), gm_job_number(farm, "slots"));
    fprintf(file, "%-13s", "jobs");
    i = 0;
    json_object_foreach((json_t *)(uintptr_t)jobs, state, count)
    {
        if (json_integer_value(count) > 0) {
            fprintf(file, "%s%" PRId64 " %s", i++ > 0 ? ", " : "",
                    (int64_t)json_integer_value(count), state);
        }
    }
    fputs(i > 0 ? "\n" : "none\n", file);
    fprintf(file, "%-13s%" PRId64 " tasks ready", "queue", gm_job_number(queue, "tasks_ready"));
    if (json_is_number(wait)) {
        fprintf(file, ", the oldest waits since %.0f s", json_number_value(wait));
    }
    fprintf(file, "\n%-13s%.1f frames/s, %.1f Mpixel/s", "encodes", gm_job_real(rate, "fps"),
            gm_job_real(rate, "pixels_per_s") / 1e6);
    if (json_is_number(json_object_get(rate, "speed"))) {
        fprintf(file, ", %.2f times real time", gm_job_real(rate, "speed"));
    }
    fputc('\n', file);
    print_failures(file, json_object_get(farm, "failures"));
}
