/* The nodes of a farm: a line a device that takes tasks, and below it what is to be known of it. */
#include <string.h>

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
            if (!is_cpu && gm_job_real(capacity, "slots") == 0.0) {
                print_device(file, device);
                gm_print_quarantine(file, json_object_get(device, "quarantine"));
                gm_print_measured(file, json_object_get(device, "measured"));
                gm_print_notes(file, json_object_get(device, "notes"));
                continue;
            }
            gm_print_text(file, gm_job_text(node, "id"), 24);
            gm_print_text(file, state_of(node), 12);
            gm_print_text(file, gm_job_text(device, "kind"), 9);
            snprintf(cpus, sizeof(cpus), "%.1f/%.1f", gm_job_real(used, "cpus"),
                     gm_job_real(capacity, "cpus"));
            gm_print_text(file, cpus, 11);
            gm_print_text(
                file, gm_print_bytes(gm_job_real(capacity, "memory_bytes"), memory, sizeof(memory)),
                11);
            fprintf(file, "%-7zu", tasks_on(node, gm_job_text(device, "id")));
            gm_print_text(file, gm_job_text(node, "hostname"), 0);
            fputc('\n', file);
            if (!is_cpu) {
                print_device(file, device);
                gm_print_chains(file, json_object_get(device, "chains"));
            }
            gm_print_quarantine(file, json_object_get(device, "quarantine"));
            gm_print_measured(file, json_object_get(device, "measured"));
            gm_print_notes(file, json_object_get(device, "notes"));
        }
        gm_print_notes(file, json_object_get(node, "notes"));
    }
}
