#include "kernels/mfx.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static bool load(struct gm_mfx *mfx)
{
    mfx->library = dlopen("libmfx.so.1", RTLD_NOW);
    if (mfx->library == NULL) {
        return false;
    }
    const struct {
        void *to;
        const char *name;
    } rows[] = {
#define GM_MFX_FN(member, symbol, result, parameters) {&mfx->member, #symbol},
        GM_MFX_FUNCTIONS
#undef GM_MFX_FN
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        void *found = dlsym(mfx->library, rows[i].name);
        if (found == NULL) {
            return false;
        }
        memcpy(rows[i].to, &found, sizeof found);
    }
    return true;
}

bool gm_mfx_open(struct gm_mfx *out)
{
    *out = (struct gm_mfx){0};
    if (!load(out)) {
        gm_mfx_close(out);
        return false;
    }
    return true;
}

void gm_mfx_close(struct gm_mfx *mfx)
{
    if (mfx->library != NULL) {
        (void)dlclose(mfx->library);
    }
    *mfx = (struct gm_mfx){0};
}
