#include "node/devices_command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/fs.h"
#include "node/capacity.h"
#include "node/devices/decoding.h"
#include "node/devices/prove.h"
#include "node/program.h"

static const char HELP[] =
    "Usage: gopmill-node devices [--json] [--prove] [--sysfs-root DIR] [--state DIR]\n"
    "\n"
    "Says what devices this machine has to decode and encode with, and what to do about those "
    "that\n"
    "could be of more use.\n"
    "\n"
    "  --json            one JSON document\n"
    "  --prove           try every encoder, decoder and scaler; exit 1 when one fails or none is "
    "tried.\n"
    "                    A node opens what passed in its workers' sandbox, too\n"
    "  --sysfs-root DIR  look at the files of another machine, kept below DIR; no driver is asked\n"
    "  --state DIR       with --prove: a node's state folder, whose proofs are used and kept; not "
    "one of\n"
    "                    a node that runs\n"
    "  --help            this text\n";

static void find_or_note(const char *name, char **out, struct gm_device_list *list)
{
    struct gm_err err;
    if (gm_program_find(name, out, &err) < 0) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_ERROR, "%s", err.text);
    }
}

int gm_devices_find(const struct gm_devices_params *params, struct gm_device_list *out,
                    struct gm_err *err)
{
    const char *root = params->root == NULL ? "" : params->root;
    bool fixture = root[0] != '\0';
    struct gm_capacity capacity = {0, 0};
    char *probe = NULL, *prove = NULL;
    int rc = gm_capacity_detect(root, fixture ? gm_machine_threads(root) : 0, &capacity, err);
    if (rc < 0) {
        return rc;
    }
    if (!fixture && params->detect) {
        find_or_note("gopmill-probe", &probe, out);
        find_or_note("gopmill-prove", &prove, out);
    }
    const struct gm_detect_params detect = {.root = root,
                                            .probe = probe,
                                            .prove = prove,
                                            .cpu_milli = capacity.cpu_milli,
                                            .memory_bytes = capacity.memory_bytes,
                                            .stop = params->stop};
    const struct gm_prove_params proving = {.program = prove,
                                            .file = params->proofs,
                                            .software = true,
                                            .parallel = capacity.cpu_milli / 1000,
                                            .stop = params->stop};
    rc = params->detect ? gm_detect(&detect, out, err)
                        : gm_machine_cpu(root, capacity.cpu_milli, capacity.memory_bytes, out, err);
    if (rc == 0 && params->prove && prove != NULL) {
        rc = gm_prove(out, &proving, err);
    }
    free(probe);
    free(prove);
    return rc;
}

/* And there are some: a processor always has encoders to try. */
static bool all_passed(const struct gm_device_list *list)
{
    size_t tried = 0;
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < list->devices[i].proof_count; k++) {
            if (!list->devices[i].proofs[k].passed) {
                return false;
            }
            tried++;
        }
    }
    return tried > 0;
}

static void add_decoding(struct gm_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct gm_device *d = &list->devices[i];
        char codecs[GM_DECODING_CODECS][16];
        const char *why = NULL;
        uint32_t room = gm_decoding_room(d);
        if (room > 0 && gm_decoding_codecs(d, codecs, &why) > 0) {
            (void)gm_device_add_note(
                list, d, GM_NOTE_INFO,
                "a node decodes with it for up to %u slots of the processor%s", room,
                gm_decoding_conceals(d) ? ", where `va_decode_slots` says so" : "");
        }
    }
}

static int print(const struct gm_device_list *list, bool json, struct gm_err *err)
{
    struct gm_buf out = {0};
    if (json) {
        gm_device_list_json(list, &out);
    } else {
        gm_device_list_text(list, &out);
    }
    int rc = gm_buf_check(&out, err);
    if (rc == 0) {
        rc = gm_fs_write_all(STDOUT_FILENO, out.data, out.size, err);
    }
    gm_buf_fini(&out);
    return rc;
}

struct options {
    bool json, prove;
    const char *root, *state;
};

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *out)
{
    const struct gm_flag table[] = {{"json", GM_FLAG_SET, &out->json},
                                    {"prove", GM_FLAG_SET, &out->prove},
                                    {"sysfs-root", GM_FLAG_TEXT, &out->root},
                                    {"state", GM_FLAG_TEXT, &out->state},
                                    {NULL, GM_FLAG_SET, NULL}};
    int status = gm_flags_parse(argc, argv, table, HELP, NULL, NULL);
    if (status >= 0) {
        return status;
    }
    if (out->root != NULL && out->prove) {
        fputs("gopmill-node devices: --prove needs the devices themselves, not --sysfs-root\n",
              stderr);
        return GM_EXIT_USAGE;
    }
    if (out->state != NULL && !out->prove) {
        fputs("gopmill-node devices: --state is for the proofs of --prove, which is not given\n",
              stderr);
        return GM_EXIT_USAGE;
    }
    struct stat st;
    const char *folder = out->root != NULL ? out->root : out->state;
    if (folder != NULL && (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))) {
        fprintf(stderr, "gopmill-node devices: `%s` is not a folder\n", folder);
        return GM_EXIT_USAGE;
    }
    return -1;
}

int gm_devices_command(int argc, char **argv)
{
    struct options options = {0};
    struct gm_device_list list = {0};
    struct gm_err err = {.code = GM_OK};
    char proofs[4096];
    int lock = -1;
    int status = parse(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    signal(SIGPIPE, SIG_IGN);
    int rc = gm_fs_path(proofs, sizeof(proofs), &err, "%s/proofs",
                        options.state == NULL ? "" : options.state);
    const struct gm_devices_params params = {.root = options.root,
                                             .detect = true,
                                             .prove = options.prove,
                                             .proofs = options.state == NULL ? NULL : proofs};
    if (rc == 0 && options.state != NULL) { /* both would write the file */
        rc = gm_fs_lock(options.state, "gopmill-node", &lock, &err);
    }
    if (rc == 0) {
        rc = gm_devices_find(&params, &list, &err);
    }
    if (rc == 0) {
        add_decoding(&list);
        rc = print(&list, options.json, &err);
    }
    if (rc < 0) {
        fprintf(stderr, "gopmill-node devices: %s\n", err.text);
    }
    status = rc < 0 || (options.prove && !all_passed(&list)) ? 1 : 0;
    gm_device_list_fini(&list);
    if (lock >= 0) {
        close(lock);
    }
    return status;
}
