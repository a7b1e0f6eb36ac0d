/* The nodes of a farm: a line a device that takes tasks, and below it what is to be known of it. */
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/print_text.h"

void gm_print_notes(FILE *file, const json_t *notes)
{
    size_t i;
    const json_t *note;
    json_array_foreach(notes, i, note)
    {
        fputs("  note: ", file);
        gm_print_text(
            file, json_is_string(note) ? json_string_value(note) : gm_job_text(note, "text"), 0);
        fputc('\n', file);
    }
}

/* The sentence has its address and name: two GPUs of a node are told apart by it. */
static void print_device(FILE *file, const json_t *device)
{
    size_t i, failed = 0, passed = 0;
    const json_t *proof;
    fputs("  device: ", file);
    gm_print_text(file, gm_job_text(device, "description"), 0);
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
void gm_print_measured(FILE *file, const json_t *measured)
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
    gm_print_text(file, day, 0);
    fputs(": ", file);
    json_array_foreach(json_object_get(measured, "rates"), i, rate)
    {
        bool ladder = strcmp(gm_job_text(rate, "what"), "ladder") == 0;
        double one = gm_job_real(rate, "one") / 1e6, all = gm_job_real(rate, "all") / 1e6;
        double height = gm_job_real(rate, "height");
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
        gm_print_text(file, gm_job_text(rate, "codec"), 0);
        fprintf(file, "%s %.1f of %.1f", gm_job_real(rate, "depth") > 8 ? " 10 bits" : "", one,
                all);
    }
    fputs(" (encoding: Mpix/s of one slot, of all)\n", file);
}

void gm_print_chains(FILE *file, const json_t *chains)
{
    size_t i, k;
    const json_t *chain, *codec;
    json_array_foreach(chains, i, chain)
    {
        fputs("  chain: ", file);
        gm_print_text(file, gm_job_text(chain, "name"), 0);
        json_array_foreach(json_object_get(chain, "codecs"), k, codec)
        {
            fputs(k == 0 ? " (" : ", ", file);
            gm_print_text(file, gm_print_words(codec), 0);
        }
        fputs(k > 0 ? "): " : ": ", file);
        gm_print_text(file, gm_job_text(chain, "fingerprint"), 0);
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

void gm_print_quarantine(FILE *file, const json_t *q)
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
        gm_print_text(file, gm_job_text(q, "by"), 0);
        fputs(" since ", file);
        gm_print_text(file, gm_job_text(q, "since"), 0);
        fputs(": ", file);
    }
    gm_print_text(file, gm_job_text(q, "why"), 0);
    fputc('\n', file);
}

/* A node that is gone stays drained: both count. */
static const char *state_of(const json_t *node)
{
    const char *state = gm_job_text(node, "state");
    bool gone = json_is_false(json_object_get(node, "connected"));
    return gone && strcmp(state, "draining") == 0 ? "gone, draining" : state;
}

/* What is written to it becomes lines below the table's last row. */
struct below {
    FILE *file;
    char *text;
    size_t size;
};

static bool below_begin(struct below *b, struct gm_table *table)
{
    *b = (struct below){.text = NULL};
    b->file = open_memstream(&b->text, &b->size);
    if (b->file == NULL) {
        gm_table_below(table, NULL);
    }
    return b->file != NULL;
}

static void below_end(struct below *b, struct gm_table *table)
{
    bool whole = fclose(b->file) == 0;
    if (!whole || b->size > 0) {
        gm_table_below(table, whole ? b->text : NULL);
        b->text = whole ? NULL : b->text;
    }
    free(b->text);
}

static void add_row(struct gm_table *table, const json_t *node, const json_t *device)
{
    const json_t *capacity = json_object_get(device, "capacity");
    const json_t *used = json_object_get(device, "used");
    char memory[24];
    gm_table_add(table, gm_job_text(node, "id"));
    gm_table_add(table, state_of(node));
    gm_table_add(table, gm_job_text(device, "kind"));
    gm_table_addf(table, "%.1f/%.1f", gm_job_real(used, "cpus"), gm_job_real(capacity, "cpus"));
    gm_table_add(table,
                 gm_print_bytes(gm_job_real(capacity, "memory_bytes"), memory, sizeof(memory)));
    gm_table_addf(table, "%zu", tasks_on(node, gm_job_text(device, "id")));
    gm_table_add(table, gm_job_text(node, "hostname"));
}

/* A row where it takes tasks, and what is to be known of it. */
static void add_device(struct gm_table *table, const json_t *node, const json_t *device)
{
    bool is_cpu = strcmp(gm_job_text(device, "kind"), "cpu") == 0;
    bool takes = is_cpu || gm_job_real(json_object_get(device, "capacity"), "slots") != 0.0;
    struct below b;
    if (takes) {
        add_row(table, node, device);
    }
    if (!below_begin(&b, table)) {
        return;
    }
    if (!is_cpu) {
        print_device(b.file, device);
    }
    if (takes && !is_cpu) {
        gm_print_chains(b.file, json_object_get(device, "chains"));
    }
    gm_print_quarantine(b.file, json_object_get(device, "quarantine"));
    gm_print_measured(b.file, json_object_get(device, "measured"));
    gm_print_notes(b.file, json_object_get(device, "notes"));
    below_end(&b, table);
}

void gm_print_nodes(FILE *file, const json_t *answer)
{
    static const struct gm_column columns[] = {{"NODE", true, false},    {"STATE", true, false},
                                               {"DEVICE", false, false}, {"CPUS USED", true, false},
                                               {"MEMORY", false, false}, {"TASKS", true, false},
                                               {"HOST", false, false},   {NULL, false, false}};
    struct gm_table table = {.columns = columns};
    size_t i, k;
    const json_t *node, *device;
    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        struct below b;
        json_array_foreach(json_object_get(node, "devices"), k, device)
        {
            add_device(&table, node, device);
        }
        if (below_begin(&b, &table)) {
            gm_print_notes(b.file, json_object_get(node, "notes"));
            below_end(&b, &table);
        }
    }
    gm_table_print(&table, file, gm_table_width(file));
}
