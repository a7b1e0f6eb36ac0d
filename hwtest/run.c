#include "hwtest/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/time.h"
#include "hwtest/level1.h"
#include "hwtest/level2.h"
#include "hwtest/level3.h"
#include "hwtest/level4.h"
#include "hwtest/sandbox.h"
#include "hwtest/until.h"
#include "hwtest/versions.h"
#include "media/prove/prove.h"
#include "node/devices/chains.h"
#include "node/devices/prove.h"
#include "node/devices_command.h"
#include "node/program.h"

static bool is_meant(const struct gm_device *d, const char *id)
{
    char pci[16], whole[64];
    (void)snprintf(whole, sizeof(whole), "0000:%.40s", id); /* the domain may be left out */
    return strcmp(d->id, id) == 0 || (d->uuid[0] != '\0' && strcmp(d->uuid, id) == 0) ||
           (gm_pci_normalize(id, pci) && strcmp(d->id, pci) == 0) ||
           (gm_pci_normalize(whole, pci) && strcmp(d->id, pci) == 0);
}

/* The node of level 4 uses every device that encodes: where that is more than the one that is
 * meant, it can't be tested alone. */
static int check_soak(const struct gm_device_list *list, const char *id, struct gm_err *err)
{
    const struct gm_device *meant = NULL, *other = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct gm_device *d = &list->devices[i];
        if (d->kind != GM_DEVICE_CPU && d->encode_count > 0) {
            *(is_meant(d, id) ? &meant : &other) = d;
        }
    }
    return meant == NULL || other == NULL
               ? 0
               : gm_err_set(err, GM_E_INVAL, 0,
                            "level 4 can't be of %.40s alone: its node uses %.40s, too; leave out "
                            "--device, or hide the other one from this machine's programs",
                            meant->id, other->id);
}

/* Leaves that device alone in the list; notes of no device go. */
static int keep_only(struct gm_device_list *list, const char *id, struct gm_err *err)
{
    char known[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_meant(&list->devices[i], id)) {
            list->devices[0] = list->devices[i];
            list->count = 1;
            list->note_count = 0;
            return 0;
        }
        if (used < sizeof(known)) {
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ",
                                     list->devices[i].id);
        }
    }
    return gm_err_set(err, GM_E_INVAL, 0, "there is no device `%.40s` here: there is %s", id,
                      known);
}

static void describe_machine(struct gm_hwtest_report *out)
{
    struct utsname u;
    char text[256];
    char versions[128];
    gm_prove_versions(versions, sizeof(versions));
    gm_hwtest_set(out->libraries, versions);
    if (uname(&u) == 0) {
        (void)snprintf(text, sizeof(text), "%.60s %.80s %.60s", u.sysname, u.release, u.machine);
        gm_hwtest_set(out->machine, text);
    }
}

/* Errors: CANCELLED too. */
static int prove(struct gm_device_list *list, const int *stop, struct gm_err *err)
{
    char *program = NULL;
    int rc = gm_program_find("gopmill-prove", &program, err);
    if (rc == 0) {
        const struct gm_prove_params params = {
            .program = program, .again = true, .software = true, .stop = stop};
        rc = gm_prove(list, &params, err);
    }
    free(program);
    return rc;
}

/* Jobs can be encoded by one of them. */
static bool has_chain(const struct gm_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct gm_device_chain chains[GM_DEVICE_CHAINS];
        size_t count = gm_chains_make(&list->devices[i], list->versions, chains);
        for (size_t k = 0; k < count; k++) {
            if (gm_chain_is_usable(chains[k].name)) {
                return true;
            }
        }
    }
    return false;
}

static void add_list(struct gm_buf *out, const char *name, char *const *words)
{
    gm_buf_printf(out, "%s: [", name);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        gm_buf_str(out, i == 0 ? "'" : ", '");
        for (const char *c = words[i]; *c != '\0'; c++) { /* YAML: a quote is doubled */
            gm_buf_add(out, c, 1);
            gm_buf_add(out, c, *c == '\'' ? 1 : 0);
        }
        gm_buf_str(out, "'");
    }
    gm_buf_str(out, "]\n");
}

static int soak(const struct gm_hwtest_options *options, const struct gm_node_config *config,
                const struct gm_device_list *list, struct gm_hwtest_report *out, struct gm_err *err)
{
    struct gm_buf lines = {0}; /* what its workers get is what those of level 1 got */
    add_list(&lines, "device_environment", config->device_environment);
    add_list(&lines, "device_paths", config->device_paths);
    struct gm_hwtest_soak_params params = {.minutes = options->minutes,
                                           .seed = options->seed,
                                           .devices = has_chain(list),
                                           .quick = options->quick};
    for (size_t i = 0; i < out->device_count; i++) {
        params.fake = params.fake || out->devices[i].fake;
    }
    if (params.seed == 0) {
        params.seed = (uint64_t)gm_time_unix_ms();
    }
    (void)fprintf(stderr, "gopmill-hwtest: level 4, --seed %" PRIu64 "\n", params.seed);
    int rc = gm_buf_check(&lines, err);
    params.node_options = (const char *)lines.data;
    rc = rc == 0 ? gm_hwtest_level4(&params, out, err) : rc;
    gm_buf_fini(&lines);
    return rc;
}

static bool runs(const struct gm_hwtest_options *options, uint32_t level)
{
    return options->only ? options->level == level : options->level >= level;
}

static int add_skip(const char *name, uint32_t level, const char *text,
                    enum gm_hwtest_status status, struct gm_hwtest_report *out, struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make("machine", name, level);
    c.status = status;
    gm_hwtest_set(c.text, text);
    if (status == GM_HWTEST_WARN) {
        gm_hwtest_set(c.remedy, "run it again to its end: what is SKIP now was not tried");
    }
    return gm_hwtest_add(out, &c, err);
}

/* What was proved is known, or nothing is; then it is not for want of codecs. */
static int prove_and_tell(struct gm_device_list *list, const struct gm_node_config *config,
                          const struct gm_hwtest_until *until, struct gm_hwtest_report *out,
                          struct gm_err *err)
{
    int proved = prove(list, gm_hwtest_until_flag(until), err);
    int rc = proved == -GM_E_CANCELLED || proved == 0 ? gm_hwtest_level1(list, out, err) : proved;
    for (size_t i = 0; proved < 0 && i < out->check_count; i++) {
        if (strcmp(out->checks[i].name, "proof") == 0) {
            gm_hwtest_set(out->checks[i].text, gm_hwtest_until_why(until));
        }
    }
    return rc < 0 ? rc : gm_hwtest_sandbox(list, config, until, out, err);
}

/* Levels 1 to 3, as far as `until` lets them. */
static int run_levels(const struct gm_hwtest_options *options, const struct gm_node_config *config,
                      struct gm_device_list *list, const struct gm_hwtest_until *until,
                      struct gm_hwtest_report *out, struct gm_err *err)
{
    int rc = prove_and_tell(list, config, until, out, err);
    bool ended = gm_hwtest_until_why(until) != NULL;
    for (uint32_t level = 2; rc == 0 && level <= 3; level++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "level%u", level);
        if (!runs(options, level)) {
            continue;
        }
        rc = ended ? add_skip(name, level, gm_hwtest_until_why(until), GM_HWTEST_SKIP, out, err)
             : level == 2 ? gm_hwtest_level2(list, until, out, err)
                          : gm_hwtest_level3(list, options->quick, until, out, err);
        ended = gm_hwtest_until_why(until) != NULL;
    }
    if (rc == 0 && gm_hwtest_until_is_signal(until)) {
        rc = add_skip("ended", 1, gm_hwtest_until_why(until), GM_HWTEST_WARN, out, err);
    }
    return rc;
}

/* Those that are meant. Where it is ended early, what is known of them, which may be nothing. */
static int find_devices(const struct gm_hwtest_options *options,
                        const struct gm_hwtest_until *until, struct gm_device_list *list,
                        struct gm_hwtest_report *out, struct gm_err *err)
{
    const struct gm_devices_params find = {.detect = true, .stop = gm_hwtest_until_flag(until)};
    int rc = gm_devices_find(&find, list, err);
    bool ended = rc == -GM_E_CANCELLED;
    if (rc == 0 && options->device != NULL && runs(options, 4)) {
        rc = check_soak(list, options->device, err);
    }
    if ((rc == 0 || ended) && options->device != NULL) {
        rc = keep_only(list, options->device, err);
    }
    if (!ended) {
        return rc;
    }
    if (rc < 0 && options->device != NULL) { /* it is not known yet */
        list->count = list->note_count = 0;
    }
    return add_skip("detection", 1, gm_hwtest_until_why(until), GM_HWTEST_SKIP, out, err);
}

/* The node's that is meant; else what a node has without a file. */
static int load_config(const char *path, struct gm_node_config *out, struct gm_err *err)
{
    return path == NULL ? gm_config_load(NULL, gm_node_options, out, err)
                        : gm_node_config_load(path, out, err);
}

int gm_hwtest_run(const struct gm_hwtest_options *options, struct gm_hwtest_report *out,
                  struct gm_err *err)
{
    struct gm_hwtest_until *until = NULL;
    struct gm_device_list list = {0};
    struct gm_node_config config = {0};
    gm_time started = gm_time_now();
    out->level = options->level;
    out->quick = options->quick;
    out->only = options->only;
    out->started_unix_ms = gm_time_unix_ms();
    gm_hwtest_set(out->filter, options->device == NULL ? "" : options->device);
    describe_machine(out);
    int rc = load_config(options->node_config, &config, err);
    rc = rc == 0 ? gm_hwtest_until_start(options->limit_s, &until, err) : rc;
    rc = rc == 0 ? find_devices(options, until, &list, out, err) : rc;
    if (rc == 0) {
        rc = gm_hwtest_versions(&list, out, err);
    }
    if (rc == 0) {
        rc = run_levels(options, &config, &list, until, out, err);
    }
    bool ended = gm_hwtest_until_is_signal(until);
    gm_hwtest_until_stop(&until); /* level 4 takes the signals itself */
    if (rc == 0 && runs(options, 4)) {
        rc = ended ? add_skip("soak", 4, "the run was ended early by a signal", GM_HWTEST_SKIP, out,
                              err)
                   : soak(options, &config, &list, out, err);
    }
    out->took_ms = (gm_time_now() - started) / GM_MS;
    gm_device_list_fini(&list);
    gm_node_config_fini(&config);
    return rc;
}
