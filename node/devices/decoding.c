#include "node/devices/decoding.h"

#include <stdio.h>
#include <string.h>

#define TASKS_PER_ENGINE 2 /* one decodes while the other's encoders are behind */
#define UNKNOWN_ENGINES 1
#define MEMORY_OF_TASK (1ull << 30) /* a context, and a decoder's surfaces at 2160p and 10 bits */

/* How media/ decodes on a device of that kind, and what. */
static const struct way {
    enum gm_device_kind kind;
    const char *api;
    const char *codecs; /* between blanks, in 10 bits "hevc10"; NULL: all that is proved */
    bool conceals;      /* nobody may learn that a picture was damaged */
} WAYS[] = {{GM_DEVICE_NVIDIA, "nvdec", NULL, false},
            {GM_DEVICE_DRM, "vaapi", " h264 hevc hevc10 vp9 vp910 av1 av110 ", true}};

static const struct way *find_way(const struct gm_device *device)
{
    for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
        if (WAYS[i].kind == device->kind) {
            return &WAYS[i];
        }
    }
    return NULL;
}

static bool is_of(const struct way *way, const char *api, const char *codec, uint32_t depth)
{
    char word[24];
    (void)snprintf(word, sizeof(word), " %.12s%s ", codec, depth == 10 ? "10" : "");
    return strcmp(way->api, api) == 0 &&
           (way->codecs == NULL ||
            ((depth == 8 || depth == 10) && strstr(way->codecs, word) != NULL));
}

const char *gm_decoding_api(const struct gm_device *device)
{
    const struct way *way = find_way(device);
    return way == NULL ? "" : way->api;
}

const char *gm_decoding_device(const struct gm_device *device)
{
    return device->kind == GM_DEVICE_NVIDIA ? device->uuid : device->render_node;
}

uint32_t gm_decoding_room(const struct gm_device *device)
{
    const struct way *way = find_way(device);
    uint32_t engines = 0;
    bool any = false;
    for (size_t i = 0; way != NULL && i < device->decode_count; i++) {
        const struct gm_device_codec *c = &device->decode[i];
        if (is_of(way, c->api, c->codec, c->depth)) {
            any = true;
            engines = c->engines > engines ? c->engines : engines;
        }
    }
    if (!any || gm_decoding_device(device)[0] == '\0') {
        return 0;
    }
    uint64_t tasks = (uint64_t)(engines == 0 ? UNKNOWN_ENGINES : engines) * TASKS_PER_ENGINE;
    uint64_t memory = device->memory_bytes / MEMORY_OF_TASK;
    return (uint32_t)(device->memory_bytes > 0 && memory < tasks ? memory : tasks);
}

bool gm_decoding_conceals(const struct gm_device *device)
{
    const struct way *way = find_way(device);
    return way != NULL && way->conceals;
}

size_t gm_decoding_codecs(const struct gm_device *device, char out[GM_DECODING_CODECS][16],
                          const char **out_why)
{
    const struct way *way = find_way(device);
    size_t count = 0;
    *out_why = "no decoder of it is proved";
    for (size_t i = 0; way != NULL && i < device->proof_count; i++) {
        const struct gm_device_proof *p = &device->proofs[i];
        if (p->encode || !is_of(way, p->api, p->codec, p->depth)) {
            continue;
        }
        if (!p->passed) {
            *out_why = p->text;
        } else if (count < GM_DECODING_CODECS) {
            (void)snprintf(out[count++], sizeof(out[0]), "%.12s%s", p->codec,
                           p->depth == 10 ? "10" : "");
        }
    }
    return count;
}
