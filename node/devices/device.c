/* The model: bounded lists, merging what several probes found, one order. */
#include "node/devices/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gm_device_list_fini(struct gm_device_list *list)
{
    free(list->devices);
    memset(list, 0, sizeof(*list));
}

struct gm_device *gm_device_find(const struct gm_device_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->devices[i].id, id) == 0) {
            return &list->devices[i];
        }
    }
    return NULL;
}

int gm_device_get(struct gm_device_list *list, const char *id, enum gm_device_kind kind,
                  struct gm_device **out, struct gm_err *err)
{
    struct gm_device *device = gm_device_find(list, id);
    if (device == NULL) {
        if (list->count >= GM_DEVICES_MAX) {
            return gm_err_set(err, GM_E_LIMIT, 0, "this machine has more than %d devices",
                              GM_DEVICES_MAX);
        }
        struct gm_device *more = realloc(list->devices, (list->count + 1) * sizeof(*more));
        if (more == NULL) {
            return gm_err_nomem(err);
        }
        list->devices = more;
        device = &more[list->count++];
        memset(device, 0, sizeof(*device));
        device->kind = kind;
        gm_device_set(device->id, id);
    }
    *out = device;
    return 0;
}

static bool put_note(struct gm_device_note *notes, size_t *count, const struct gm_device_note *note)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(notes[i].text, note->text) == 0) {
            return true;
        }
    }
    if (*count >= GM_DEVICE_NOTES) {
        return false;
    }
    notes[(*count)++] = *note;
    return true;
}

bool gm_device_add_note(struct gm_device_list *list, struct gm_device *device,
                        enum gm_severity severity, const char *fmt, ...)
{
    struct gm_device_note note = {.severity = severity};
    char text[sizeof(note.text)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    gm_device_set(note.text, text);
    return device != NULL ? put_note(device->notes, &device->note_count, &note)
                          : put_note(list->notes, &list->note_count, &note);
}

bool gm_device_add_codec(struct gm_device *device, bool encode, const struct gm_device_codec *codec)
{
    struct gm_device_codec *codecs = encode ? device->encode : device->decode;
    size_t *count = encode ? &device->encode_count : &device->decode_count;
    for (size_t i = 0; i < *count; i++) {
        const struct gm_device_codec *c = &codecs[i];
        if (strcmp(c->api, codec->api) == 0 && strcmp(c->codec, codec->codec) == 0 &&
            c->chroma == codec->chroma && c->depth == codec->depth) {
            codecs[i] = *codec;
            return true;
        }
    }
    if (*count >= GM_DEVICE_CODECS) {
        return false;
    }
    codecs[(*count)++] = *codec;
    return true;
}

bool gm_proof_is_same_work(const struct gm_device_proof *a, const struct gm_device_proof *b)
{
    return a->depth == b->depth && a->encode == b->encode && strcmp(a->api, b->api) == 0 &&
           strcmp(a->codec, b->codec) == 0;
}

bool gm_device_add_proof(struct gm_device *device, const struct gm_device_proof *proof)
{
    for (size_t i = 0; i < device->proof_count; i++) {
        if (gm_proof_is_same_work(&device->proofs[i], proof)) {
            device->proofs[i] = *proof;
            return true;
        }
    }
    if (device->proof_count >= GM_DEVICE_PROOFS) {
        return false;
    }
    device->proofs[device->proof_count++] = *proof;
    return true;
}

bool gm_device_has_feature(const struct gm_device *device, const char *feature)
{
    for (size_t i = 0; i < device->feature_count; i++) {
        if (strcmp(device->features[i], feature) == 0) {
            return true;
        }
    }
    return false;
}

const char *gm_device_find_feature(const struct gm_device *device, const char *prefix)
{
    size_t length = strlen(prefix);
    for (size_t i = 0; i < device->feature_count; i++) {
        if (strncmp(device->features[i], prefix, length) == 0) {
            return device->features[i] + length;
        }
    }
    return NULL;
}

bool gm_device_lacks_encoder(const struct gm_device *device, const char *api, const char *codec)
{
    char feature[40];
    (void)snprintf(feature, sizeof(feature), GM_FEATURE_LACKS "%.12s_%.12s", codec, api);
    return gm_device_has_feature(device, feature);
}

const char *gm_device_va_driver(const struct gm_device *device, const char *api)
{
    return strcmp(api, "vaapi") == 0 || strcmp(api, "qsv") == 0
               ? gm_device_find_feature(device, GM_FEATURE_VA_DRIVER)
               : NULL;
}

bool gm_device_add_feature(struct gm_device *device, const char *feature)
{
    if (gm_device_has_feature(device, feature)) {
        return true;
    }
    if (device->feature_count >= GM_DEVICE_FEATURES) {
        return false;
    }
    gm_device_set(device->features[device->feature_count], feature);
    device->feature_count++;
    return true;
}

static void take_text(char *out, size_t size, const char *from)
{
    if (out[0] == '\0') {
        gm_ascii_copy(out, size, from);
    }
}
#define TAKE(field) take_text(to->field, sizeof(to->field), from->field)

static void merge_one(struct gm_device *to, const struct gm_device *from)
{
    if (from->kind == GM_DEVICE_NVIDIA) {
        to->kind = GM_DEVICE_NVIDIA;
    }
    TAKE(uuid);
    TAKE(vendor);
    TAKE(name);
    TAKE(driver);
    TAKE(kernel_driver);
    TAKE(render_node);
    to->memory_bytes = to->memory_bytes == 0 ? from->memory_bytes : to->memory_bytes;
    /* What a probe saw goes before what nobody could ask. */
    to->decoding = from->decoding != GM_ENGINE_UNKNOWN && to->decoding != GM_ENGINE_PRESENT
                       ? from->decoding
                       : to->decoding;
    to->encoding = from->encoding != GM_ENGINE_UNKNOWN && to->encoding != GM_ENGINE_PRESENT
                       ? from->encoding
                       : to->encoding;
    for (size_t i = 0; i < from->decode_count; i++) {
        (void)gm_device_add_codec(to, false, &from->decode[i]);
    }
    for (size_t i = 0; i < from->encode_count; i++) {
        (void)gm_device_add_codec(to, true, &from->encode[i]);
    }
    for (size_t i = 0; i < from->note_count; i++) {
        (void)put_note(to->notes, &to->note_count, &from->notes[i]);
    }
    for (size_t i = 0; i < from->proof_count; i++) {
        (void)gm_device_add_proof(to, &from->proofs[i]);
    }
    for (size_t i = 0; i < from->feature_count; i++) {
        (void)gm_device_add_feature(to, from->features[i]);
    }
}

int gm_device_merge(struct gm_device_list *list, const struct gm_device_list *from,
                    struct gm_err *err)
{
    for (size_t i = 0; i < from->count; i++) {
        struct gm_device *to = NULL;
        int rc = gm_device_get(list, from->devices[i].id, from->devices[i].kind, &to, err);
        if (rc < 0) {
            return rc;
        }
        merge_one(to, &from->devices[i]);
    }
    for (size_t i = 0; i < from->note_count; i++) {
        (void)put_note(list->notes, &list->note_count, &from->notes[i]);
    }
    take_text(list->versions, sizeof(list->versions), from->versions);
    return 0;
}

static int by_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b ? 1 : 0;
}

static int compare_codecs(const void *left, const void *right)
{
    const struct gm_device_codec *a = left, *b = right;
    int order = strcmp(a->api, b->api);
    order = order != 0 ? order : strcmp(a->codec, b->codec);
    order = order != 0 ? order : by_number(a->chroma, b->chroma);
    return order != 0 ? order : by_number(a->depth, b->depth);
}

static int compare_proofs(const void *left, const void *right)
{
    const struct gm_device_proof *a = left, *b = right;
    int order = by_number(b->encode, a->encode);
    order = order != 0 ? order : strcmp(a->api, b->api);
    order = order != 0 ? order : strcmp(a->codec, b->codec);
    return order != 0 ? order : by_number(a->depth, b->depth);
}

static int compare_devices(const void *left, const void *right)
{
    const struct gm_device *a = left, *b = right;
    int order = by_number(a->kind, b->kind);
    return order != 0 ? order : strcmp(a->id, b->id);
}

void gm_device_sort(struct gm_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct gm_device *d = &list->devices[i];
        qsort(d->decode, d->decode_count, sizeof(d->decode[0]), compare_codecs);
        qsort(d->encode, d->encode_count, sizeof(d->encode[0]), compare_codecs);
        qsort(d->proofs, d->proof_count, sizeof(d->proofs[0]), compare_proofs);
    }
    if (list->count > 1) {
        qsort(list->devices, list->count, sizeof(list->devices[0]), compare_devices);
    }
}

bool gm_pci_normalize(const char *text, char out[16])
{
    unsigned domain = 0, bus = 0, slot = 0, function = 0;
    int used = 0;
    if (strlen(text) > 24 || strspn(text, "0123456789abcdefABCDEF:.") != strlen(text) ||
        sscanf(text, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) != 4 ||
        text[used] != '\0' || domain > 0xffffff || slot > 31 || function > 7) {
        return false;
    }
    (void)snprintf(out, 16, "%04x:%02x:%02x.%x", domain, bus, slot, function);
    return true;
}

const char *gm_device_kind_name(enum gm_device_kind kind)
{
    static const char *const names[] = {"cpu", "nvidia", "drm"};
    return names[kind];
}

const char *gm_severity_name(enum gm_severity severity)
{
    static const char *const names[] = {"info", "warn", "error"};
    return names[severity];
}

const char *gm_engine_state_name(enum gm_engine_state state)
{
    static const char *const names[] = {"", "present", "absent", "refused", "missing"};
    return names[state];
}
