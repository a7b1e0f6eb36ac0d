#include "hwtest/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hwtest/temp.h"
#include "node/devices/prove.h"
#include "node/program.h"

#define REMEDY                                                                                     \
    "`device_paths` and `device_environment` of the node's configuration let its workers have "    \
    "more (docs/devices.md, \"Sandbox of a device's worker\"): name that file by --node-config"

/* One that passed; NULL: none did. */
static const struct gm_device_proof *find_passed(const struct gm_device *d)
{
    for (size_t i = 0; i < d->proof_count; i++) {
        if (d->proofs[i].passed) {
            return &d->proofs[i];
        }
    }
    return NULL;
}

/* Why devices were not tried that did not open. */
struct untried {
    const char *why;   /* static or until's */
    struct gm_err err; /* there was nowhere to try them */
    struct gm_prove_opened opened;
};

static bool has_opened(const struct untried *untried, const char *id)
{
    for (size_t i = 0; i < untried->opened.count; i++) {
        if (strcmp(untried->opened.ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* after: the device as the node would have it now. What is known to fail is told, also where the
 * run ended before the next one was tried. */
static int tell(const struct gm_device *before, const struct gm_device *after,
                const struct untried *untried, struct gm_hwtest_report *report, struct gm_err *err)
{
    struct gm_hwtest_check c = gm_hwtest_check_make(before->id, "sandbox", 1);
    const struct gm_device_proof *was = find_passed(before);
    if (was != NULL && find_passed(after) == NULL) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.text, after->proofs[was - before->proofs].text);
        gm_hwtest_set(c.remedy, REMEDY);
    } else if (has_opened(untried, before->id)) {
        gm_hwtest_set(c.text, "it opens in the sandbox of a node's worker");
    } else if (was != NULL && untried->err.code != GM_OK) {
        c.status = GM_HWTEST_FAIL;
        gm_hwtest_set(c.text, untried->err.text);
        gm_hwtest_set(c.remedy, gm_code_get((int)untried->err.code)->remedy);
    } else if (was == NULL || untried->why != NULL) {
        c.status = GM_HWTEST_SKIP;
        gm_hwtest_set(c.text, untried->why != NULL
                                  ? untried->why
                                  : "no proof of it passed: nodes open only what passed");
    }
    return gm_hwtest_add(report, &c, err);
}

/* In a folder of its own. */
static int open_all(struct gm_device_list *list, const struct gm_node_config *config,
                    const struct gm_hwtest_until *until, struct untried *out, struct gm_err *err)
{
    char folder[4096] = "", *launcher = NULL, *program = NULL, *whole = NULL;
    int lock = -1;
    int rc = gm_program_find("gopmill-launcher", &launcher, err);
    if (rc == -GM_E_NOT_INSTALLED) {
        out->why = "gopmill-launcher is not beside this program: no node can work here";
        return 0;
    }
    rc = rc == 0 ? gm_program_find("gopmill-prove", &program, err) : rc;
    rc = rc == 0 ? gm_hwtest_temp_make(GM_HWTEST_TEMP_PREFIX, folder, sizeof(folder), &lock, err)
                 : rc;
    if (rc == 0 && (whole = realpath(folder, NULL)) == NULL) {
        rc = gm_err_sys(err, errno, "could not look at `%.200s`", folder);
    }
    if (rc == 0) {
        const struct gm_prove_params params = {
            .program = program,
            .stop = gm_hwtest_until_flag(until),
            .sandbox = {.launcher = launcher,
                        .scratch = whole,
                        .environment = (const char *const *)config->device_environment,
                        .paths = (const char *const *)config->device_paths,
                        .opened = &out->opened}}; /* empty: as of a node that begins */
        rc = gm_prove_starts(list, &params, err);
    }
    if (lock >= 0) {
        gm_hwtest_temp_remove(folder, &lock);
    }
    if (rc == -GM_E_CANCELLED) {
        out->why = gm_hwtest_until_why(until);
        rc = 0;
    } else if (rc < 0 && rc != -GM_E_NOMEM) {
        out->err = *err;
        rc = 0;
    }
    free(whole);
    free(launcher);
    free(program);
    return rc;
}

int gm_hwtest_sandbox(const struct gm_device_list *list, const struct gm_node_config *config,
                      const struct gm_hwtest_until *until, struct gm_hwtest_report *report,
                      struct gm_err *err)
{
    struct gm_device_list copy = *list; /* plain data but for the devices */
    struct untried untried = {.why = gm_hwtest_until_why(until)};
    bool any = false;
    int rc = 0;
    copy.devices = malloc((list->count + 1) * sizeof(*copy.devices));
    if (copy.devices == NULL) {
        return gm_err_nomem(err);
    }
    if (list->count > 0) {
        memcpy(copy.devices, list->devices, list->count * sizeof(*copy.devices));
    }
    for (size_t i = 0; i < list->count; i++) {
        any = any ||
              (list->devices[i].kind != GM_DEVICE_CPU && find_passed(&list->devices[i]) != NULL);
    }
    if (any && untried.why == NULL) {
        rc = open_all(&copy, config, until, &untried, err);
    }
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        if (list->devices[i].kind != GM_DEVICE_CPU) {
            rc = tell(&list->devices[i], &copy.devices[i], &untried, report, err);
        }
    }
    gm_device_list_fini(&copy);
    return rc;
}
