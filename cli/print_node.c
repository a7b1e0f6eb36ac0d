/* One node in full: what it is, what each of its devices has left, what runs there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/job.h"
#include "cli/print.h"
#include "cli/print_text.h"
#include "cli/progress.h"

#define INDENT 4 /* of what is folded */

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* What is asked of it, and how far that is. */
static void print_drain(FILE *file, const json_t *node)
{
    size_t tasks = json_array_size(json_object_get(node, "leases"));
    fprintf(file, "%-13s", "work");
    if (!is_true(node, "connected")) {
        fputs("gets none: the node is gone", file);
    } else if (!is_true(node, "draining")) {
        fputs("gets tasks", file);
    } else {
        fputs(is_true(node, "restarting") ? "gets none: it is to start anew" : "gets none: drained",
              file);
        fputs(tasks == 0 ? "; it has ended all that it had" : "", file);
    }
    if (tasks > 0) {
        fprintf(file, "; has %zu task%s", tasks, gm_print_plural((int64_t)tasks));
    }
    fputc('\n', file);
}

static void print_key(FILE *file, const json_t *key)
{
    if (!json_is_object(key)) {
        return;
    }
    fprintf(file, "%-13s", "key");
    gm_print_text(file, gm_job_text(key, "public"), 0);
    if (gm_job_text(key, "until")[0] != '\0') {
        fputs(", taken until ", file);
        gm_print_text(file, gm_job_text(key, "until"), 0);
    }
    fputc('\n', file);
}

/* "  left         slots 1 of 2, processor 3.0 of 4.0, ...": of what has no known limit nothing. */
static void print_left(FILE *file, const json_t *device)
{
    static const struct {
        const char *key, *name;
        enum { COUNT, CPUS, BYTES } unit;
        bool may_have_no_limit;
    } dims[] = {{"slots", "slots", COUNT, false},
                {"cpus", "processor", CPUS, false},
                {"memory_bytes", "memory", BYTES, false},
                {"scratch_bytes", "scratch", BYTES, false},
                {"sessions", "sessions", COUNT, true},
                {"device_memory_bytes", "device memory", BYTES, true}};
    const json_t *all = json_object_get(device, "capacity"),
                 *left = json_object_get(device, "left");
    char a[24], b[24];
    const char *pause = "";
    fputs("  left: ", file);
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++) {
        double has = gm_job_real(all, dims[i].key), free = gm_job_real(left, dims[i].key);
        if (dims[i].may_have_no_limit && has == 0.0) {
            continue;
        }
        fprintf(file, "%s%s ", pause, dims[i].name);
        pause = ", ";
        if (dims[i].unit == BYTES) {
            fprintf(file, "%s of %s", gm_print_bytes(free, a, sizeof(a)),
                    gm_print_bytes(has, b, sizeof(b)));
        } else {
            fprintf(file, dims[i].unit == CPUS ? "%.1f of %.1f" : "%.0f of %.0f", free, has);
        }
    }
    fputc('\n', file);
}

static void print_states(FILE *file, const json_t *device)
{
    static const char *const keys[] = {"driver", "decode_state", "encode_state"};
    static const char *const names[] = {"  driver: ", "  decodes: ", "  encodes: "};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (gm_job_text(device, keys[i])[0] != '\0') {
            fputs(names[i], file);
            gm_print_text(file, gm_job_text(device, keys[i]), 0);
            fputc('\n', file);
        }
    }
}

static void print_proofs(FILE *file, const json_t *proofs)
{
    size_t i;
    const json_t *proof;
    json_array_foreach(proofs, i, proof)
    {
        fprintf(file, "  proof: %s", is_true(proof, "encode") ? "encode " : "decode ");
        gm_print_text(file, gm_job_text(proof, "codec"), 0);
        fprintf(file, " %" PRId64 " bits by ", gm_job_number(proof, "depth"));
        gm_print_text(file, gm_job_text(proof, "api"), 0);
        fputs(is_true(proof, "passed") ? ": passed" : ": failed", file);
        if (gm_job_text(proof, "text")[0] != '\0') {
            fputs(", ", file);
            gm_print_text(file, gm_job_text(proof, "text"), 0);
        }
        fputc('\n', file);
    }
}

static void print_device(FILE *file, const json_t *device, bool connected)
{
    fprintf(file, "%-13s", "device");
    gm_print_text(file, gm_job_text(device, "id"), 0);
    if (strcmp(gm_job_text(device, "kind"), gm_job_text(device, "id")) != 0) {
        fputs(" (", file);
        gm_print_text(file, gm_job_text(device, "kind"), 0);
        fputc(')', file);
    }
    if (gm_job_text(device, "description")[0] != '\0') {
        fputs(": ", file);
        gm_print_text(file, gm_job_text(device, "description"), 0);
    }
    fputc('\n', file);
    if (json_is_object(json_object_get(device, "quarantine"))) {
        gm_print_quarantine(file, json_object_get(device, "quarantine"));
    } else {
        fputs("  nothing is held against it\n", file);
    }
    if (connected) {
        print_left(file, device);
    }
    print_states(file, device);
    gm_print_chains(file, json_object_get(device, "chains"));
    print_proofs(file, json_object_get(device, "proofs"));
    gm_print_measured(file, json_object_get(device, "measured"));
    gm_print_notes(file, json_object_get(device, "notes"));
}

/* "task         JOB encode, chunks 4 to 7, on cpu: 45% of 900 frames, ends in about 0:12" */
static void print_task(FILE *file, const json_t *lease)
{
    int64_t first = gm_job_number(lease, "first_chunk"), chunks = gm_job_number(lease, "chunks");
    int64_t done = gm_job_number(lease, "frames_done"), all = gm_job_number(lease, "frames_total");
    char time[24];
    fprintf(file, "%-13s", "task");
    gm_print_text(file, gm_job_text(lease, "job"), 0);
    fputc(' ', file);
    gm_print_text(file, gm_job_text(lease, "task"), 0);
    if (chunks == 1) {
        fprintf(file, ", chunk %" PRId64, first);
    } else if (chunks > 1) {
        fprintf(file, ", chunks %" PRId64 " to %" PRId64, first, first + chunks - 1);
    } else if (gm_job_number(lease, "instance") > 0) {
        fprintf(file, " %" PRId64, gm_job_number(lease, "instance"));
    }
    fputs(", on ", file);
    gm_print_text(file, gm_job_text(lease, "device"), 0);
    fputs(" since ", file);
    gm_print_text(file, gm_job_text(lease, "started"), 0);
    if (all > 0) {
        fprintf(file, ": %.0f%% of %" PRId64 " frames", 100.0 * (double)done / (double)all, all);
    }
    if (is_true(lease, "cancelling")) {
        fputs(", is being cancelled", file);
    } else if (json_is_number(json_object_get(lease, "eta_s"))) {
        fprintf(file, ", ends in about %s",
                gm_progress_time(gm_job_real(lease, "eta_s"), time, sizeof(time)));
    }
    fputc('\n', file);
}

static void print_whole(FILE *file, const json_t *node)
{
    static const struct {
        const char *name, *key;
    } rows[] = {{"node", "id"},      {"state", "state"},       {"host", "hostname"},
                {"build", "build"},  {"instance", "instance"}, {"since", "connected_at"},
                {"heard", "seen_at"}};
    size_t i;
    const json_t *member;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (gm_job_text(node, rows[i].key)[0] != '\0') {
            gm_print_row(file, rows[i].name, gm_job_text(node, rows[i].key));
        }
    }
    fprintf(file, "%-13s%" PRId64 "\n", "protocol", gm_job_number(node, "protocol"));
    print_key(file, json_object_get(node, "key"));
    print_drain(file, node);
    gm_print_notes(file, json_object_get(node, "notes"));
    json_array_foreach(json_object_get(node, "devices"), i, member)
    {
        print_device(file, member, is_true(node, "connected"));
    }
    json_array_foreach(json_object_get(node, "leases"), i, member)
    {
        print_task(file, member);
    }
}

/* Sentences: folded where the terminal is narrower. */
void gm_print_node(FILE *file, const json_t *node)
{
    unsigned width = gm_table_width(file);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = width > 0 ? open_memstream(&text, &size) : NULL;
    if (memory == NULL) {
        print_whole(file, node);
        return;
    }
    print_whole(memory, node);
    if (fclose(memory) == 0) {
        gm_fold(file, text, INDENT, width);
    } else {
        print_whole(file, node);
    }
    free(text);
}
