#include "cli/top.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/progress.h"
#include "common/buf.h"
#include "common/time.h"

#define HEAD_LINES 5 /* with the empty one below */

struct frame {
    struct gm_buf out;
    unsigned width, height, lines;
};

/* Adds the lines of `text`, each cut to the width, while there is room for them. */
static void add_lines(struct frame *f, const char *text, unsigned most)
{
    for (unsigned n = 0; *text != '\0' && n < most && f->lines < f->height; n++) {
        unsigned column = 0;
        size_t keep = 0, size = strcspn(text, "\n");
        for (size_t i = 0; i < size; i++) {
            column += ((unsigned char)text[i] & 0xc0) != 0x80 ? 1 : 0;
            keep = column <= f->width ? i + 1 : keep;
        }
        while (keep > 0 && text[keep - 1] == ' ') {
            keep--;
        }
        if (f->lines > 0) {
            gm_buf_str(&f->out, "\n");
        }
        gm_buf_add(&f->out, text, keep);
        f->lines++;
        text += size + (text[size] == '\n' ? 1 : 0);
    }
}

/* What comes from the network, safe for a terminal. */
static void put_safe(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c < 0x20 || c == 0x7f ? '?' : c, file);
    }
}

static void put_states(FILE *file, const json_t *jobs)
{
    const char *state = NULL;
    json_t *count = NULL;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)jobs, state, count)
    {
        if (json_integer_value(count) > 0) {
            fprintf(file, "%s%" PRId64 " ", any ? ", " : "", (int64_t)json_integer_value(count));
            put_safe(file, state);
            any = true;
        }
    }
    fputs(any ? "\n" : "none\n", file);
}

static void put_head(FILE *file, const json_t *farm)
{
    const json_t *queue = json_object_get(farm, "queue"),
                 *rate = json_object_get(farm, "throughput");
    const json_t *nodes = json_object_get(farm, "nodes"),
                 *wait = json_object_get(queue, "oldest_wait_s");
    const json_t *reason = json_array_get(json_object_get(farm, "reasons"), 0);
    char time[24];
    fputs("gopmill ", file);
    put_safe(file, gm_job_text(farm, "version"));
    fprintf(file, "  %.19s  ", gm_job_text(farm, "now"));
    fputs(json_is_true(json_object_get(farm, "ready")) ? "takes jobs" : "takes no jobs: ", file);
    if (!json_is_true(json_object_get(farm, "ready"))) {
        put_safe(file, json_is_string(reason) ? json_string_value(reason) : "it stops");
    }
    fprintf(file,
            "\nnodes   %" PRId64 " connected, %" PRId64 " draining, %" PRId64
            " gone; slots %" PRId64 " of %" PRId64 "\n",
            gm_job_number(nodes, "connected"), gm_job_number(nodes, "draining"),
            gm_job_number(nodes, "gone"), gm_job_number(farm, "slots_used"),
            gm_job_number(farm, "slots"));
    fputs("jobs    ", file);
    put_states(file, json_object_get(farm, "jobs"));
    fprintf(file, "queue   %" PRId64 " ready", gm_job_number(queue, "tasks_ready"));
    if (json_is_number(wait)) {
        fprintf(file, ", oldest waits %s",
                gm_progress_time(json_number_value(wait), time, sizeof time));
    }
    fprintf(file, "; %.1f fps, %.1f Mpixel/s", gm_job_real(rate, "fps"),
            gm_job_real(rate, "pixels_per_s") / 1e6);
    if (json_is_number(json_object_get(rate, "speed"))) {
        fprintf(file, ", %.2fx", gm_job_real(rate, "speed"));
    }
    fputs("\n \n", file);
}

/* What runs there: "encode, encode, audio". */
static void add_tasks(struct gm_table *table, const json_t *node, const char *device)
{
    char text[256] = "";
    size_t i, used = 0;
    const json_t *lease;
    json_array_foreach(json_object_get(node, "leases"), i, lease)
    {
        if (strcmp(gm_job_text(lease, "device"), device) == 0 && used < sizeof text) {
            int n = snprintf(text + used, sizeof text - used, "%s%.64s", used > 0 ? ", " : "",
                             gm_job_text(lease, "task"));
            used += n > 0 ? (size_t)n : 0;
        }
    }
    gm_table_add(table, text);
}

static void add_device(struct gm_table *table, const json_t *node, const json_t *device)
{
    const json_t *capacity = json_object_get(device, "capacity");
    const json_t *used = json_object_get(device, "used");
    const json_t *quarantine = json_object_get(device, "quarantine");
    bool gone = json_is_false(json_object_get(node, "connected"));
    gm_table_add(table, gm_job_text(node, "id"));
    gm_table_add(table, json_is_object(quarantine) ? gm_job_text(quarantine, "state")
                        : gone                     ? "gone"
                                                   : gm_job_text(node, "state"));
    gm_table_add(table, gm_job_text(device, "kind"));
    gm_table_addf(table, "%.0f/%.0f", gm_job_real(used, "slots"), gm_job_real(capacity, "slots"));
    gm_table_addf(table, "%.1f/%.1f", gm_job_real(used, "cpus"), gm_job_real(capacity, "cpus"));
    if (json_is_object(quarantine)) {
        gm_table_add(table, gm_job_text(quarantine, "why"));
    } else {
        add_tasks(table, node, gm_job_text(device, "id"));
    }
}

static void put_more(FILE *file, size_t left)
{
    if (left > 0) {
        fprintf(file, "(%zu more)\n", left);
    }
}

/* At most `most` rows of devices. */
static void put_nodes(FILE *file, const json_t *nodes, unsigned width, size_t most)
{
    static const struct gm_column columns[] = {{"NODE", false, false},  {"STATE", true, false},
                                               {"DEVICE", true, false}, {"SLOTS", true, true},
                                               {"CPUS", true, true},    {"RUNS", false, false},
                                               {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i, k, rows = 0;
    const json_t *node, *device;
    json_array_foreach(nodes, i, node)
    {
        json_array_foreach(json_object_get(node, "devices"), k, device)
        {
            if (gm_job_real(json_object_get(device, "capacity"), "slots") <= 0 &&
                !json_is_object(json_object_get(device, "quarantine"))) {
                continue; /* it takes no tasks */
            }
            if (rows++ < most) {
                add_device(&table, node, device);
            }
        }
    }
    gm_table_print(&table, file, width);
    put_more(file, rows > most ? rows - most : 0);
}

static void add_job(struct gm_table *table, const json_t *job)
{
    struct gm_progress p;
    const json_t *eta = json_object_get(json_object_get(job, "progress"), "eta_s");
    const json_t *speed = json_object_get(json_object_get(job, "progress"), "speed");
    char time[24];
    gm_progress_from_json(json_object_get(job, "progress"), &p);
    int percent = gm_progress_percent(&p);
    gm_table_add(table, gm_job_text(job, "id"));
    gm_table_add(table, p.phase[0] != '\0' ? p.phase : gm_job_text(job, "state"));
    gm_table_addf(table, percent < 0 ? "-" : "%d%%", percent);
    gm_table_addf(table, json_is_number(speed) ? "%.2fx" : "-", json_number_value(speed));
    gm_table_add(table, json_is_number(eta)
                            ? gm_progress_time(json_number_value(eta), time, sizeof time)
                            : "-");
    const char *source = gm_job_text(job, "source"), *slash = strrchr(source, '/');
    gm_table_add(table, slash != NULL && slash[1] != '\0' ? slash + 1 : source);
}

/* Of the three states that are shown. */
static size_t count_active(const json_t *farm)
{
    const json_t *jobs = json_object_get(farm, "jobs");
    int64_t count = gm_job_number(jobs, "publishing") + gm_job_number(jobs, "running") +
                    gm_job_number(jobs, "queued");
    return count > 0 ? (size_t)count : 0;
}

static void put_jobs(FILE *file, const struct gm_top_facts *facts, unsigned width, size_t most)
{
    static const struct gm_column columns[] = {
        {"JOB", true, false}, {"PHASE", true, false},   {"DONE", true, true}, {"SPEED", true, true},
        {"LEFT", true, true}, {"SOURCE", false, false}, {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t count = json_array_size(facts->jobs);
    size_t from = facts->scroll < count ? facts->scroll : 0;
    size_t shown = count - from < most ? count - from : most;
    for (size_t i = from; i < from + shown; i++) {
        add_job(&table, json_array_get(facts->jobs, i));
    }
    gm_table_print(&table, file, width);
    size_t active = facts->cut ? count_active(facts->farm) : 0;
    put_more(file, (active > count ? active : count) - from - shown);
}

/* How many rows the nodes get: what they need, at most half. */
static size_t node_rows(const json_t *nodes, unsigned room)
{
    size_t rows = 0, i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        rows += json_array_size(json_object_get(node, "devices"));
    }
    size_t half = room / 2 > 3 ? room / 2 - 3 : 1; /* without title, "more" and the empty line */
    return rows < half ? rows : half;
}

static bool draw(FILE *file, const struct gm_top_facts *facts, unsigned width, unsigned height)
{
    unsigned room = height > HEAD_LINES + 1 ? height - HEAD_LINES - 1 : 0;
    if (facts->farm == NULL) {
        return true;
    }
    put_head(file, facts->farm);
    size_t rows = node_rows(facts->nodes, room);
    put_nodes(file, facts->nodes, width, rows);
    fputs(" \n", file);
    size_t taken = rows + 3;
    put_jobs(file, facts, width, room > taken + 2 ? room - taken - 2 : 0);
    return ferror(file) == 0;
}

char *gm_top_frame(const struct gm_top_facts *facts, unsigned width, unsigned height)
{
    struct frame f = {.width = width, .height = height};
    char *text = NULL, last[320], *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    bool good = file != NULL && draw(file, facts, width, height);
    good = file != NULL && fclose(file) == 0 && good;
    if (good && height > 0) {
        add_lines(&f, text, height - 1);
        while (f.lines + 1 < height) {
            add_lines(&f, " ", 1);
        }
        snprintf(last, sizeof last, "%s%.300s",
                 facts->problem != NULL ? "! " : "q quits, j and k scroll the jobs, r asks now",
                 facts->problem != NULL ? facts->problem : "");
        for (char *c = last; *c != '\0'; c++) {
            *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
        }
        add_lines(&f, last, 1);
        if (!f.out.failed) {
            out = (char *)f.out.data;
            f.out = (struct gm_buf){.data = NULL};
        }
    }
    free(text);
    gm_buf_fini(&f.out);
    return out;
}
