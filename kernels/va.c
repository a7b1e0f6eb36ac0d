#include "kernels/va.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static bool load(struct gm_va *va)
{
    /* Global, as in programs that are linked with it: a driver may use what libva has. */
    va->core = dlopen("libva.so.2", RTLD_NOW | RTLD_GLOBAL);
    va->drm = va->core != NULL ? dlopen("libva-drm.so.2", RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (va->drm == NULL) {
        return false;
    }
    const struct {
        void *library, *to;
        const char *name;
    } rows[] = {
#define GM_VA_FN(library, member, symbol, result, parameters) {va->library, &va->member, #symbol},
        GM_VA_FUNCTIONS
#undef GM_VA_FN
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *found = dlsym(rows[i].library, rows[i].name);
        if (found == NULL) {
            return false;
        }
        memcpy(rows[i].to, &found, sizeof found);
    }
    return true;
}

bool gm_va_open(struct gm_va *out)
{
    *out = (struct gm_va){0};
    if (!load(out)) {
        gm_va_close(out);
        return false;
    }
    return true;
}

void gm_va_close(struct gm_va *va)
{
    if (va->drm != NULL) {
        (void)dlclose(va->drm);
    }
    if (va->core != NULL) {
        (void)dlclose(va->core);
    }
    *va = (struct gm_va){0};
}

bool gm_va_find_encoder(const struct gm_va *va, VADisplay display, VAProfile profile,
                        VAEntrypoint *out)
{
    VAEntrypoint list[GM_VA_ENTRYPOINTS];
    int count = 0;
    if (va->max_entrypoints(display) > GM_VA_ENTRYPOINTS ||
        va->entrypoints(display, profile, list, &count) != VA_STATUS_SUCCESS) {
        return false;
    }
    for (int i = 0; i < count && i < GM_VA_ENTRYPOINTS; i++) {
        if (list[i] == VAEntrypointEncSlice || list[i] == VAEntrypointEncSliceLP) {
            *out = list[i];
            return true;
        }
    }
    return false;
}

uint32_t gm_va_value(const VAConfigAttrib *attribute)
{
    return attribute->value == VA_ATTRIB_NOT_SUPPORTED ? 0 : attribute->value;
}

bool gm_va_reorders(const VAConfigAttrib *references, const VAConfigAttrib *direction)
{
    uint32_t from = gm_va_value(direction); /* 0: no limits */
    return gm_va_value(references) >> 16 != 0 &&
           (from == 0 || (from & VA_PREDICTION_DIRECTION_FUTURE) != 0);
}
