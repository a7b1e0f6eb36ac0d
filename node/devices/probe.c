#include "node/devices/probe.h"

#include <dlfcn.h>
#include <string.h>

void *gm_probe_load(const char *library)
{
    return dlopen(library, RTLD_NOW | RTLD_GLOBAL);
}

bool gm_probe_symbols(void *library, const struct gm_probe_symbol *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, rows[i].name);
        if (found == NULL && !rows[i].optional) {
            return false;
        }
        memcpy(rows[i].to, &found, sizeof(found)); /* C has no cast from it to a function */
    }
    return true;
}

gm_probe_fn gm_probe_find(const char *name)
{
    static const struct {
        const char *name;
        gm_probe_fn run;
    } rows[] = {{"nvml", gm_probe_nvml},   {"cuda", gm_probe_cuda}, {"nvdec", gm_probe_nvdec},
                {"nvenc", gm_probe_nvenc}, {"drm", gm_probe_drm},   {"vaapi", gm_probe_vaapi}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].run;
        }
    }
    return NULL;
}
