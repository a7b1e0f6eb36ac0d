/* The file is one ProofFile message. An entry's key is what the proof depends on: the work, the
 * chip, the driver with its version, the libraries. */
#include "node/devices/prove.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/time.h"
#include "kernels/kernels.h"
#include "node/devices/helper.h"
#include "node/devices/limits.h"
#include "proto/envelope.h"

#define FILE_MAX (1u << 20)

struct work {
    size_t device; /* index in the list */
    struct gm_device_proof proof;
    char depth[8];
    char key[512];
    bool due;    /* to be tried now */
    bool beside; /* others of the device are tried at the same time */
    bool alone;  /* its second try: what failed beside them */
};

struct proving {
    struct gm_device_list *list;
    const struct gm_prove_params *params;
    char versions[128];
    Gm__ProofFile *file; /* owned; NULL: none */
    struct work *work;   /* owned */
    size_t count, cap;
    uint32_t gpus; /* gm_limit_gpus */
};

static int load(const char *path, Gm__ProofFile **out, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    ProtobufCMessage *msg = NULL;
    int rc = gm_fs_read(path, FILE_MAX, &data, &size, err);
    if (rc == 0) {
        rc = gm_message_decode(&gm__proof_file__descriptor, data, size, FILE_MAX, &msg, err);
    }
    free(data);
    if (rc == 0) {
        GM_ASSERT(msg != NULL);
        *out = (Gm__ProofFile *)msg;
    }
    return rc;
}

static bool is_absent(const struct gm_err *err)
{
    return err->code == GM_E_SYS && err->native == ENOENT;
}

static bool is_known(const char *codec)
{
    return strcmp(codec, "h264") == 0 || strcmp(codec, "hevc") == 0 || strcmp(codec, "av1") == 0 ||
           strcmp(codec, "vp9") == 0;
}

static int add_work(struct proving *p, size_t index, bool encode, const char *api,
                    const char *codec, uint32_t depth, struct gm_err *err)
{
    const struct gm_device *d = &p->list->devices[index];
    const char *number = gm_device_find_feature(d, GM_FEATURE_PCI_DEVICE);
    int rc = gm_array_reserve(&p->work, p->count, 1, &p->cap, sizeof(*p->work), err);
    if (rc < 0) {
        return rc;
    }
    struct work *w = &p->work[p->count++];
    memset(w, 0, sizeof(*w));
    w->device = index;
    w->proof.encode = encode;
    w->proof.depth = depth;
    gm_device_set(w->proof.api, api);
    gm_device_set(w->proof.codec, codec);
    const char *driver = gm_device_find_feature(d, GM_FEATURE_VA_DRIVER);
    (void)snprintf(w->depth, sizeof(w->depth), "%u", depth);
    const char *runtime =
        strcmp(api, "qsv") == 0 ? gm_device_find_feature(d, GM_FEATURE_MFX) : NULL;
    (void)snprintf(w->key, sizeof(w->key), "%s %s|%s|%s %s%s%s|%s|%s %s %s %u", d->name,
                   number == NULL ? "" : number, d->kernel_driver, d->driver,
                   driver == NULL ? "" : driver, runtime == NULL ? "" : " ",
                   runtime == NULL ? "" : runtime, p->versions, encode ? "encode" : "decode", api,
                   codec, depth);
    return 0;
}

static int add_codecs(struct proving *p, size_t index, bool encode, struct gm_err *err)
{
    const struct gm_device *d = &p->list->devices[index];
    size_t count = encode ? d->encode_count : d->decode_count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct gm_device_codec *c = encode ? &d->encode[i] : &d->decode[i];
        /* Software's decoder is tried with each encoder. */
        bool other = strcmp(c->api, "software") == 0 && !encode;
        other = other || (encode && gm_device_lacks_encoder(d, c->api, c->codec));
        if (!other && c->chroma == 420 && (c->depth == 8 || c->depth == 10) && is_known(c->codec)) {
            rc = add_work(p, index, encode, c->api, c->codec, c->depth, err);
        }
    }
    return rc;
}

static bool encodes_by(const struct gm_device *d, const char *api)
{
    for (size_t i = 0; i < d->encode_count; i++) {
        if (strcmp(d->encode[i].api, api) == 0) {
            return true;
        }
    }
    return false;
}

/* What scales for the device's encoder: the kernel for an NVIDIA GPU's, a VA driver's own. */
static int add_ladder(struct proving *p, size_t index, struct gm_err *err)
{
    const struct gm_device *d = &p->list->devices[index];
    bool kernel = encodes_by(d, "nvenc"), driver = encodes_by(d, "vaapi");
    int rc = 0;
    for (uint32_t depth = 8; rc == 0 && depth <= 10; depth += 2) {
        const char *feature = depth == 8 ? GM_FEATURE_VA_SCALES "8" : GM_FEATURE_VA_SCALES "10";
        if (kernel) {
            rc = add_work(p, index, true, GM_CUDA_LADDER_API, GM_CUDA_LADDER, depth, err);
        }
        if (rc == 0 && driver && gm_device_has_feature(d, feature)) {
            rc = add_work(p, index, true, "vaapi", GM_VA_LADDER, depth, err);
        }
    }
    return rc;
}

/* An earlier run's. A VA driver's scaler is tried at each, as the proof is what the driver's bits
 * are, and another build of it may have the same version. */
static bool find_proof(const struct proving *p, const struct work *w, struct gm_device_proof *out)
{
    const char *id = p->list->devices[w->device].id;
    if (strcmp(w->proof.codec, GM_VA_LADDER) == 0) {
        return false;
    }
    for (size_t i = 0; p->file != NULL && i < p->file->n_entries; i++) {
        const Gm__ProofEntry *e = p->file->entries[i];
        if (e->proof != NULL && e->proof->passed && strcmp(e->device, id) == 0 &&
            strcmp(e->key, w->key) == 0) {
            struct gm_device_proof proof;
            gm_proof_from_message(e->proof, &proof);
            if (gm_proof_is_same_work(&proof, &w->proof)) {
                *out = proof;
                return true;
            }
        }
    }
    return false;
}

static void fill_helper(const struct proving *p, const struct work *w, struct gm_helper *h)
{
    const struct gm_device *d = &p->list->devices[w->device];
    const char *const args[] = {p->params->program,
                                w->proof.encode ? "encode" : "decode",
                                "--device",
                                d->id,
                                "--api",
                                w->proof.api,
                                "--codec",
                                w->proof.codec,
                                "--depth",
                                w->depth};
    size_t n = sizeof(args) / sizeof(args[0]);
    memset(h, 0, sizeof(*h));
    memcpy(h->argv, args, sizeof(args));
    if (d->render_node[0] != '\0') {
        h->argv[n++] = "--node";
        h->argv[n++] = d->render_node;
    }
    if (gm_device_va_driver(d, w->proof.api) != NULL) {
        h->argv[n++] = "--driver";
        h->argv[n++] = gm_device_va_driver(d, w->proof.api);
    }
    bool nvidia = d->kind == GM_DEVICE_NVIDIA;
    h->limit_ms = p->params->limit_ms == 0 ? gm_limit_ms(GM_LIMIT_PROOF_MS, nvidia ? p->gpus : 0)
                                           : p->params->limit_ms;
}

/* What came of one try. What failed in words beside others of its device is due again, and keeps
 * its words if it fails alone, too. */
static void take(const struct proving *p, struct work *w, const struct gm_helper *h)
{
    const struct gm_device *d = gm_device_find(&h->list, p->list->devices[w->device].id);
    struct gm_device_proof proof = w->proof;
    if (!h->ok) {
        gm_device_set(proof.text, h->why);
    } else if (d == NULL || d->proof_count != 1 || !gm_proof_is_same_work(&d->proofs[0], &proof)) {
        gm_device_set(proof.text, "the answer is about something else");
    } else {
        proof = d->proofs[0];
    }
    proof.proved_unix_ms = gm_time_unix_ms();
    if (!w->alone || proof.passed) {
        w->proof = proof;
    }
    w->due = w->beside && !w->alone && h->ok && !proof.passed;
    w->alone = w->due;
}

/* Those that are due, so many at a time. */
static int try_due(struct proving *p, size_t parallel, struct gm_err *err)
{
    struct gm_helper *helpers = calloc(p->count + 1, sizeof(*helpers));
    size_t *of = calloc(p->count + 1, sizeof(*of));
    size_t n = 0;
    int rc = helpers == NULL || of == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        if (p->work[i].due) {
            fill_helper(p, &p->work[i], &helpers[n]);
            of[n++] = i;
        }
    }
    if (rc == 0) {
        rc = gm_helpers_run_until(helpers, n, parallel, p->params->stop, err);
    }
    for (size_t i = 0; i < n; i++) {
        if (rc == 0) {
            take(p, &p->work[of[i]], &helpers[i]);
        }
        gm_device_list_fini(&helpers[i].list);
    }
    free(helpers);
    free(of);
    return rc;
}

/* A GPU's: another of its works may have its sessions, or its memory. */
static bool has_company(const struct proving *p, const struct work *w)
{
    bool found = false;
    for (size_t i = 0; i < p->count && !found; i++) {
        const struct work *other = &p->work[i];
        found = other != w && other->due && other->device == w->device;
    }
    return found && w->due && p->list->devices[w->device].kind != GM_DEVICE_CPU;
}

static int try_all(struct proving *p, struct gm_err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        p->work[i].due = p->params->again || !find_proof(p, &p->work[i], &p->work[i].proof);
    }
    size_t parallel = p->params->parallel == 0 ? 2 : p->params->parallel;
    for (size_t i = 0; i < p->count; i++) {
        p->work[i].beside = parallel > 1 && has_company(p, &p->work[i]);
    }
    int rc = try_due(p, parallel, err);
    if (rc == 0) {
        rc = try_due(p, 1, err);
    }
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        (void)gm_device_add_proof(&p->list->devices[p->work[i].device], &p->work[i].proof);
    }
    return rc;
}

static int save(const char *path, Gm__ProofFile *file, struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_message_encode(&file->base, &data, &size, err);
    if (rc == 0) {
        rc = gm_fs_write_atomic(path, data, size, err);
    }
    free(data);
    return rc;
}

/* The device is there: what holds of e this run has found again. */
static bool is_replaced(const struct proving *p, const Gm__ProofEntry *e)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->list->devices[p->work[i].device].id, e->device) == 0) {
            return true;
        }
    }
    return false;
}

/* This run's proofs, and those of devices that it did not see. */
static int store(struct proving *p, struct gm_err *err)
{
    Gm__ProofFile file = GM__PROOF_FILE__INIT;
    size_t old = p->file == NULL ? 0 : p->file->n_entries;
    Gm__ProofEntry *entries = calloc(p->count + 1, sizeof(*entries));
    Gm__DeviceProof *proofs = calloc(p->count + 1, sizeof(*proofs));
    Gm__ProofEntry **list = calloc(p->count + old + 1, sizeof(*list));
    int rc = entries == NULL || proofs == NULL || list == NULL ? gm_err_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        struct work *w = &p->work[i];
        if (!w->proof.passed) {
            continue;
        }
        gm__proof_entry__init(&entries[i]);
        gm_proof_to_message(&w->proof, &proofs[i]);
        entries[i].device = p->list->devices[w->device].id;
        entries[i].key = w->key;
        entries[i].proof = &proofs[i];
        list[file.n_entries++] = &entries[i];
    }
    for (size_t i = 0; rc == 0 && i < old && i < 4096; i++) {
        if (!is_replaced(p, p->file->entries[i])) {
            list[file.n_entries++] = p->file->entries[i];
        }
    }
    file.entries = list;
    if (rc == 0) {
        rc = save(p->params->file, &file, err);
    }
    free(entries);
    free(proofs);
    free(list);
    return rc;
}

int gm_prove_libraries(const char *program, const int *stop, char out[128], char why[160],
                       struct gm_err *err)
{
    struct gm_helper h = {.argv = {program, "versions"}, .limit_ms = GM_LIMIT_PROOF_MS};
    int rc = gm_helpers_run_until(&h, 1, 1, stop, err);
    out[0] = why[0] = '\0';
    if (rc == 0 && h.ok) {
        gm_ascii_copy(out, 128, h.list.versions);
    } else if (rc == 0) {
        gm_ascii_copy(why, 160, h.why);
    }
    gm_device_list_fini(&h.list);
    return rc;
}

/* "" with a note: they can't be asked. */
static int ask_versions(struct proving *p, struct gm_err *err)
{
    char why[160];
    int rc = gm_prove_libraries(p->params->program, p->params->stop, p->versions, why, err);
    if (rc == 0 && why[0] == '\0') {
        gm_device_set(p->list->versions, p->versions);
    } else if (rc == 0) {
        (void)gm_device_add_note(p->list, NULL, GM_NOTE_ERROR,
                                 "gopmill-prove %s: is gopmill wholly installed?", why);
    }
    return rc;
}

int gm_prove(struct gm_device_list *list, const struct gm_prove_params *params, struct gm_err *err)
{
    struct proving p = {.list = list, .params = params, .gpus = gm_limit_gpus("", list)};
    struct gm_err own = {.code = GM_OK};
    int rc = ask_versions(&p, err);
    bool works = rc == 0 && p.versions[0] != '\0';
    if (works && params->file != NULL && load(params->file, &p.file, &own) < 0 &&
        !is_absent(&own)) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 "the file of proofs is not used, all is tried again: %.200s",
                                 own.text);
    }
    for (size_t i = 0; works && rc == 0 && i < list->count; i++) {
        if (list->devices[i].kind != GM_DEVICE_CPU || params->software) {
            rc = add_codecs(&p, i, true, err);
            rc = rc == 0 ? add_codecs(&p, i, false, err) : rc;
            rc = rc == 0 ? add_ladder(&p, i, err) : rc;
        }
    }
    if (works && rc == 0) {
        rc = try_all(&p, err);
    }
    if (works && rc == 0 && params->file != NULL && store(&p, &own) < 0) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN, "proofs could not be kept: %.200s",
                                 own.text);
    }
    if (p.file != NULL) {
        gm__proof_file__free_unpacked(p.file, NULL);
    }
    free(p.work);
    if (rc == 0) {
        rc = gm_prove_starts(list, params, err);
    }
    gm_device_sort(list);
    return rc;
}

int gm_prove_forget(const char *file, const char *device, struct gm_err *err)
{
    Gm__ProofFile *all = NULL;
    struct gm_err own = {.code = GM_OK};
    int rc = load(file, &all, &own);
    if (rc != 0) {
        if (is_absent(&own)) {
            return 0;
        }
        *err = own;
        return rc;
    }
    size_t kept = 0;
    for (size_t i = 0; i < all->n_entries; i++) {
        Gm__ProofEntry *e = all->entries[i];
        if (strcmp(e->device, device) == 0) {
            gm__proof_entry__free_unpacked(e, NULL);
        } else {
            all->entries[kept++] = e;
        }
    }
    bool changed = kept != all->n_entries;
    all->n_entries = kept;
    rc = changed ? save(file, all, err) : 0;
    gm__proof_file__free_unpacked(all, NULL);
    return rc;
}
