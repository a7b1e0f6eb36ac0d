/* Deliveries to webhooks as tables, and events of the farm as lines. */
#include <inttypes.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/print_text.h"
#include "cli/progress.h"
#include "common/time.h"

/* What the last try came to: "HTTP 503: ...", "no answer: ..."; "-" before the first. */
static void add_answer(struct gm_table *table, const json_t *row)
{
    int64_t status = gm_job_number(row, "status");
    const char *error = gm_job_text(row, "error");
    if (gm_job_number(row, "tries") == 0 && error[0] == '\0' && status == 0) {
        gm_table_add(table, "-");
    } else if (status > 0) {
        gm_table_addf(table, "HTTP %" PRId64 "%s%s", status, error[0] != '\0' ? ": " : "", error);
    } else {
        gm_table_add(table, error[0] != '\0' ? error : "no answer");
    }
}

static void print_deliveries(FILE *file, const json_t *answer, bool waiting)
{
    const struct gm_column columns[] = {
        {"ID", true, false},      {"JOB", true, false},
        {"EVENT", true, false},   {"FOR", false, false},
        {"TRIES", true, true},    {waiting ? "NEXT TRY" : "LAST TRY", true, false},
        {"ANSWER", false, false}, {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(answer, "deliveries"), i, row)
    {
        const char *time = gm_job_text(row, waiting ? "next" : "tried");
        gm_table_add(&table, gm_job_text(row, "id"));
        gm_table_add(&table, gm_job_text(row, "job"));
        gm_table_add(&table, gm_job_text(row, "type"));
        gm_table_add(&table, gm_job_text(row, "target"));
        gm_table_addf(&table, "%" PRId64, gm_job_number(row, "tries"));
        gm_table_addf(&table, "%.19s", time[0] != '\0' ? time : waiting ? "now" : "-");
        add_answer(&table, row);
    }
    gm_table_print(&table, file, gm_table_width(file));
    if (json_is_string(json_object_get(answer, "next"))) {
        fprintf(file, "(of %" PRId64 ": --limit N shows more of them)\n",
                gm_job_number(answer, waiting ? "waiting" : "dead"));
    }
    int64_t others = gm_job_number(answer, waiting ? "dead" : "waiting");
    if (others > 0) {
        fprintf(file, waiting ? "(%" PRId64 " dead: --dead)\n" : "(%" PRId64 " wait: --waiting)\n",
                others);
    }
}

void gm_print_dead(FILE *file, const json_t *answer)
{
    print_deliveries(file, answer, false);
}

void gm_print_waiting(FILE *file, const json_t *answer)
{
    print_deliveries(file, answer, true);
}

void gm_print_redelivered(FILE *file, const json_t *answer)
{
    int64_t count = gm_job_number(answer, "redelivered");
    if (count == 0) {
        fputs("there are no such dead letters\n", file);
    } else {
        fprintf(file, "%" PRId64 " dead letter%s sent again\n", count, gm_print_plural(count));
    }
}

static void put_job(FILE *file, const json_t *data)
{
    struct gm_progress p;
    const json_t *progress = json_object_get(data, "progress");
    gm_print_text(file, gm_job_text(data, "state"), 0);
    gm_progress_from_json(progress, &p);
    if (json_is_object(progress) && !gm_job_is_final(data) && gm_progress_percent(&p) >= 0) {
        fprintf(file, ", %d %%", gm_progress_percent(&p));
    }
}

static void put_node(FILE *file, const json_t *data)
{
    int64_t slots = 0, used = 0;
    size_t i;
    const json_t *device;
    gm_print_text(file, gm_job_text(data, "state"), 0);
    json_array_foreach(json_object_get(data, "devices"), i, device)
    {
        slots += gm_job_number(device, "slots");
        used += gm_job_number(device, "slots_used");
    }
    if (i > 0) {
        fprintf(file, ", %" PRId64 " of %" PRId64 " slots used", used, slots);
    }
    if (json_is_true(json_object_get(data, "draining"))) {
        fputs(", draining", file);
    }
}

static void put_retry(FILE *file, const json_t *data)
{
    static const char *const keys[] = {"task", "node", "code", "text"};
    static const char *const before[] = {"", " on ", ": ", ": "};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        fputs(before[i], file);
        gm_print_text(file, gm_job_text(data, keys[i]), 0);
    }
}

void gm_print_event(FILE *file, int64_t unix_ms, const char *event, const json_t *data)
{
    char time[25];
    const char *id = gm_job_text(data, "id");
    fprintf(file, "%s  ", gm_time_format(unix_ms, time));
    gm_print_text(file, event, 16);
    if (strcmp(event, "reset") == 0) {
        fputs("what was missed is not known any more", file);
    } else {
        gm_print_text(file, id, 28);
    }
    if (strcmp(event, "node") == 0) {
        put_node(file, data);
    } else if (strcmp(event, "task.retry") == 0) {
        put_retry(file, data);
    } else if (strncmp(event, "job.", 4) == 0 || strncmp(event, "asset.", 6) == 0) {
        put_job(file, data);
    }
    fputc('\n', file);
}
