#include "node/devices/chains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

/* What media/encode/encoder_check.c has rows for; a chain may have several. */
static const struct {
    const char *name;
    const char *codecs; /* as in gm_device_chain, between blanks */
    const char *needs;  /* a feature of the device; NULL: none */
} USABLE[] = {{"nvenc", " av1 av110 h264 hevc hevc10 ", NULL},
              {"vaapi", " h264 ", GM_FEATURE_VA_HEADERS},
              {"vaapi", " hevc hevc10 ", GM_FEATURE_VA_HEVC},
              {"qsv", " h264 hevc hevc10 ", NULL}};
#define USABLE_COUNT (sizeof(USABLE) / sizeof(USABLE[0]))

bool gm_chain_is_usable(const char *name)
{
    for (size_t i = 0; i < USABLE_COUNT; i++) {
        if (strcmp(name, USABLE[i].name) == 0) {
            return true;
        }
    }
    return false;
}

bool gm_chain_encodes(const struct gm_device *device, const char *name, const char *codec,
                      uint32_t depth)
{
    char word[24];
    (void)snprintf(word, sizeof(word), " %.12s%s ", codec, depth == 10 ? "10" : "");
    if (gm_device_lacks_encoder(device, name, codec)) {
        return false;
    }
    for (size_t i = 0; i < USABLE_COUNT; i++) {
        if (strcmp(name, USABLE[i].name) == 0 && (depth == 8 || depth == 10) &&
            strstr(USABLE[i].codecs, word) != NULL) {
            return USABLE[i].needs == NULL || gm_device_has_feature(device, USABLE[i].needs);
        }
    }
    return false;
}

/* The chip: its name, or what the bus says where nobody names it (VA drivers do not). */
static void name_chip(const struct gm_device *device, char *out, size_t size)
{
    const char *number = gm_device_find_feature(device, GM_FEATURE_PCI_DEVICE);
    bool named = device->name[0] != '\0' || number == NULL;
    (void)snprintf(out, size, "%.100s%s%.16s",
                   device->name[0] != '\0' ? device->name : device->vendor, named ? "" : " device-",
                   named ? "" : number);
}

static bool is_kernel(const struct gm_device_proof *proof)
{
    return strcmp(proof->api, GM_CUDA_LADDER_API) == 0;
}

static bool is_driver(const struct gm_device_proof *proof)
{
    return strcmp(proof->api, "vaapi") == 0 && proof->encode &&
           strcmp(proof->codec, GM_VA_LADDER) == 0;
}

bool gm_proof_is_of_scaler(const struct gm_device_proof *proof)
{
    return is_kernel(proof) || is_driver(proof);
}

static bool scales(const struct gm_device *device)
{
    uint32_t passed = 0;
    for (size_t i = 0; i < device->proof_count; i++) {
        const struct gm_device_proof *p = &device->proofs[i];
        if (is_kernel(p) && p->passed && strcmp(p->codec, GM_CUDA_LADDER) == 0) {
            passed |= p->depth == 8 ? 1u : p->depth == 10 ? 2u : 0u;
        }
    }
    return passed == 3;
}

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* How the driver scales in each depth that it was proved for; "": in none. */
static void add_driver_bits(const struct gm_device *device, char *out, size_t size)
{
    size_t used = strlen(out);
    bool marked = false;
    for (uint32_t depth = 8; depth <= 10; depth += 2) {
        for (size_t i = 0; i < device->proof_count; i++) {
            const struct gm_device_proof *p = &device->proofs[i];
            if (!is_driver(p) || !p->passed || p->depth != depth ||
                !is_hex(p->text, GM_VA_LADDER_DIGITS)) {
                continue;
            }
            (void)snprintf(out + used, size - used, "%s %u:%s", marked ? "" : GM_VA_LADDER_MARK,
                           depth, p->text);
            used = strlen(out);
            marked = true;
        }
    }
}

static struct gm_device_chain *chain_of(const struct gm_device *device, const char *versions,
                                        const char *name,
                                        struct gm_device_chain out[GM_DEVICE_CHAINS], size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(out[i].name, name) == 0) {
            return &out[i];
        }
    }
    if (*count == GM_DEVICE_CHAINS) {
        return NULL;
    }
    struct gm_device_chain *chain = &out[(*count)++];
    bool qsv = strcmp(name, "qsv") == 0;
    const char *va = gm_device_va_driver(device, name);
    const char *mfx = qsv ? gm_device_find_feature(device, GM_FEATURE_MFX) : NULL;
    char chip[128];
    memset(chain, 0, sizeof(*chain));
    name_chip(device, chip, sizeof(chip));
    gm_device_set(chain->name, name);
    (void)snprintf(chain->fingerprint, sizeof(chain->fingerprint), "%s | %s%s%s%s%s | %s%s", chip,
                   device->driver, va == NULL ? "" : " " GM_FEATURE_VA_DRIVER, va == NULL ? "" : va,
                   mfx == NULL ? "" : " " GM_FEATURE_MFX, mfx == NULL ? "" : mfx, versions,
                   strcmp(name, "nvenc") == 0 && scales(device) ? GM_CUDA_LADDER_MARK : "");
    if (strcmp(name, "vaapi") == 0) {
        add_driver_bits(device, chain->fingerprint, sizeof(chain->fingerprint));
    }
    return chain;
}

static void add_codec(struct gm_device_chain *chain, const struct gm_device_proof *proof)
{
    char codec[16];
    (void)snprintf(codec, sizeof(codec), "%.12s%s", proof->codec, proof->depth == 10 ? "10" : "");
    for (size_t i = 0; i < chain->codec_count; i++) {
        if (strcmp(chain->codecs[i], codec) == 0) {
            return;
        }
    }
    if (chain->codec_count < GM_CHAIN_CODECS) {
        gm_device_set(chain->codecs[chain->codec_count], codec);
        chain->codec_count++;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
    const struct gm_device_chain *x = a;
    const struct gm_device_chain *y = b;
    return strcmp(x->name, y->name);
}

size_t gm_chains_make(const struct gm_device *device, const char *versions,
                      struct gm_device_chain out[GM_DEVICE_CHAINS])
{
    size_t count = 0;
    bool named = device->name[0] != '\0' || device->vendor[0] != '\0';
    if (device->kind == GM_DEVICE_CPU || !named || device->driver[0] == '\0') {
        return 0;
    }
    for (size_t i = 0; i < device->proof_count; i++) {
        const struct gm_device_proof *proof = &device->proofs[i];
        if (!proof->encode || !proof->passed || gm_proof_is_of_scaler(proof) ||
            (proof->depth != 8 && proof->depth != 10) ||
            (gm_chain_is_usable(proof->api) &&
             !gm_chain_encodes(device, proof->api, proof->codec, proof->depth))) {
            continue;
        }
        struct gm_device_chain *chain = chain_of(device, versions, proof->api, out, &count);
        if (chain != NULL) {
            add_codec(chain, proof);
        }
    }
    for (size_t i = 0; i < count; i++) {
        qsort(out[i].codecs, out[i].codec_count, sizeof(out[i].codecs[0]), by_text);
    }
    qsort(out, count, sizeof(out[0]), by_name);
    return count;
}

const char *gm_proof_scaler_chain(const struct gm_device_proof *proof)
{
    return is_kernel(proof) ? "nvenc" : "vaapi";
}

/* Bytes of a fingerprint before what it says of the scaler. */
static size_t size_unscaled(const char *fingerprint)
{
    const char *kernel = strstr(fingerprint, GM_CUDA_LADDER_MARK);
    const char *mark = kernel != NULL ? kernel : strstr(fingerprint, GM_VA_LADDER_MARK);
    return mark == NULL ? strlen(fingerprint) : (size_t)(mark - fingerprint);
}

bool gm_chain_differs_by_scaler(const struct gm_device_chain *a, const struct gm_device_chain *b)
{
    size_t size = size_unscaled(a->fingerprint);
    return strcmp(a->name, b->name) == 0 && strcmp(a->fingerprint, b->fingerprint) != 0 &&
           size == size_unscaled(b->fingerprint) &&
           memcmp(a->fingerprint, b->fingerprint, size) == 0;
}

bool gm_chains_are_same(const struct gm_device_chain *a, size_t a_count,
                        const struct gm_device_chain *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = strcmp(a[i].name, b[i].name) == 0 &&
               strcmp(a[i].fingerprint, b[i].fingerprint) == 0 &&
               a[i].codec_count == b[i].codec_count;
        for (size_t k = 0; same && k < a[i].codec_count; k++) {
            same = strcmp(a[i].codecs[k], b[i].codecs[k]) == 0;
        }
    }
    return same;
}
