#include "node/devices/decoding.h"

#include <stdio.h>
#include <string.h>

#define TASKS_PER_ENGINE 2 /* one decodes while the other's encoders are behind */
#define UNKNOWN_ENGINES 1
#define MEMORY_OF_TASK (1ull << 30) /* a context, and a decoder's surfaces at 2160p and 10 bits */

uint32_t gm_decoding_room(const struct gm_device *device)
{
    uint32_t engines = 0;
    bool any = false;
    for (size_t i = 0; i < device->decode_count; i++) {
        const struct gm_device_codec *c = &device->decode[i];
        if (strcmp(c->api, "nvdec") == 0) {
            any = true;
            engines = c->engines > engines ? c->engines : engines;
        }
    }
    if (!any || device->kind != GM_DEVICE_NVIDIA || device->uuid[0] == '\0') {
        return 0;
    }
    uint64_t tasks = (uint64_t)(engines == 0 ? UNKNOWN_ENGINES : engines) * TASKS_PER_ENGINE;
    uint64_t memory = device->memory_bytes / MEMORY_OF_TASK;
    return (uint32_t)(device->memory_bytes > 0 && memory < tasks ? memory : tasks);
}

size_t gm_decoding_codecs(const struct gm_device *device, char out[GM_DECODING_CODECS][16],
                          const char **out_why)
{
    size_t count = 0;
    *out_why = "no decoder of it is proved";
    for (size_t i = 0; i < device->proof_count; i++) {
        const struct gm_device_proof *p = &device->proofs[i];
        if (p->encode || strcmp(p->api, "nvdec") != 0) {
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
