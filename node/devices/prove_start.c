/* What a worker's sandbox keeps from a driver shows in no proof, for those are made outside: a
 * device would pass there and fail at each task, for ever. So each is opened inside, too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/log.h"
#include "node/devices/helper.h"
#include "node/devices/limits.h"
#include "node/devices/prove.h"

static void add(struct gm_helper *h, size_t *n, const char *word)
{
    GM_ASSERT(*n + 1 < GM_HELPER_ARGS);
    h->argv[(*n)++] = word;
}

static void add_each(struct gm_helper *h, size_t *n, const char *option, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        add(h, n, option);
        add(h, n, *words);
    }
}

/* As agent_worker.c starts workers of that device. */
static void fill(const struct gm_device *d, const struct gm_prove_params *params, uint32_t gpus,
                 const char *parent, const char *folder, struct gm_helper *h)
{
    const struct gm_prove_sandbox *s = &params->sandbox;
    bool cuda = d->kind == GM_DEVICE_NVIDIA;
    const char *driver = cuda ? NULL : gm_device_find_feature(d, GM_FEATURE_VA_DRIVER);
    size_t n = 0;
    const char *const begin[] = {s->launcher,
                                 "--scratch",
                                 folder,
                                 "--parent",
                                 parent,
                                 "--profile",
                                 cuda ? "cuda" : "dri",
                                 "--device",
                                 cuda ? d->uuid : d->render_node};
    const char *const rest[] = {"--",  params->program, GM_PROVE_START,          "--device",
                                d->id, "--api",         cuda ? "nvenc" : "vaapi"};
    memset(h, 0, sizeof(*h));
    for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
        add(h, &n, begin[i]);
    }
    if (driver != NULL) {
        add(h, &n, "--va-driver");
        add(h, &n, driver);
    }
    add_each(h, &n, "--environment", s->environment);
    add_each(h, &n, "--path", s->paths);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        add(h, &n, rest[i]);
    }
    if (!cuda) {
        add(h, &n, "--node");
        add(h, &n, d->render_node);
    }
    h->limit_ms =
        params->limit_ms == 0 ? gm_limit_ms(GM_LIMIT_PROOF_MS, cuda ? gpus : 0) : params->limit_ms;
}

static bool any_passed(const struct gm_device *d)
{
    bool passed = false;
    for (size_t i = 0; i < d->proof_count; i++) {
        passed = passed || d->proofs[i].passed;
    }
    return passed && d->kind != GM_DEVICE_CPU;
}

static void fail(struct gm_device *d, const char *why)
{
    char text[sizeof(d->proofs[0].text)];
    (void)snprintf(text, sizeof(text), "it does not open in a worker's sandbox: %.*s",
                   (int)sizeof(text) - 48, why);
    for (size_t i = 0; i < d->proof_count; i++) {
        if (d->proofs[i].passed) {
            d->proofs[i].passed = false;
            gm_device_set(d->proofs[i].text, text);
        }
    }
}

static bool is_opened(const struct gm_prove_opened *opened, const char *id)
{
    for (size_t i = 0; opened != NULL && i < opened->count; i++) {
        if (strcmp(opened->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static void set_opened(struct gm_prove_opened *opened, const char *id)
{
    if (opened != NULL && opened->count < GM_DEVICES_MAX && !is_opened(opened, id)) {
        gm_device_set(opened->ids[opened->count], id);
        opened->count++;
    }
}

/* It opened, or was busy or full, which the answer's text says then. One that never opened in this
 * node has none of its tasks, and there is no knowing that they would find it otherwise. */
static void pass(struct gm_device_list *list, struct gm_device *d, const char *text,
                 struct gm_prove_opened *opened)
{
    if (text[0] == '\0') {
        set_opened(opened, d->id);
    } else if (opened != NULL && !is_opened(opened, d->id)) {
        fail(d, text);
    } else {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 "GPU %s was not opened in a worker's sandbox: %.200s", d->id,
                                 text);
    }
}

static int try_one(struct gm_device_list *list, struct gm_device *d,
                   const struct gm_prove_params *params, struct gm_err *err)
{
    char folder[4096], parent[24];
    struct gm_helper h;
    (void)snprintf(parent, sizeof(parent), "%ld", (long)getpid());
    int rc = gm_fs_path(folder, sizeof(folder), err, "%s/start-XXXXXX", params->sandbox.scratch);
    if (rc == 0 && mkdtemp(folder) == NULL) {
        rc = gm_err_sys(err, errno, "could not make `%s`", folder);
    }
    if (rc < 0) {
        return rc;
    }
    fill(d, params, gm_limit_gpus("", list), parent, folder, &h);
    rc = gm_helpers_run_until(&h, 1, 1, params->stop, err);
    const struct gm_device *answer = rc == 0 && h.ok ? gm_device_find(&h.list, d->id) : NULL;
    if (rc == 0 && !h.ok) {
        fail(d, h.why);
    } else if (rc == 0 && (answer == NULL || answer->proof_count != 1)) {
        fail(d, "the answer is about something else");
    } else if (rc == 0 && !answer->proofs[0].passed) {
        fail(d, answer->proofs[0].text);
    } else if (rc == 0) {
        pass(list, d, answer->proofs[0].text, params->sandbox.opened);
    }
    gm_device_list_fini(&h.list);
    struct gm_err own;
    if (gm_fs_remove_tree(folder, &own) < 0) {
        gm_log_err(GM_LOG_WARN, "scratch-left", &own, "device=%s", d->id);
    }
    return rc;
}

int gm_prove_starts(struct gm_device_list *list, const struct gm_prove_params *params,
                    struct gm_err *err)
{
    const struct gm_prove_opened *opened = params->again ? NULL : params->sandbox.opened;
    int rc = 0;
    for (size_t i = 0; rc == 0 && params->sandbox.scratch != NULL && i < list->count; i++) {
        struct gm_device *d = &list->devices[i];
        if (any_passed(d) && !is_opened(opened, d->id)) {
            rc = try_one(list, d, params, err);
        }
    }
    return rc;
}
