/* The device's part of the environment, between launcher and worker. */
#include <stdlib.h>
#include <string.h>

#include "node/sandbox.h"

bool gm_sandbox_profile_parse(const char *name, enum gm_sandbox_profile *out)
{
    if (name[0] == '\0' || strcmp(name, "none") == 0) {
        *out = GM_SANDBOX_PLAIN;
    } else if (strcmp(name, "cuda") == 0) {
        *out = GM_SANDBOX_CUDA;
    } else if (strcmp(name, "dri") == 0) {
        *out = GM_SANDBOX_DRI;
    } else {
        return false;
    }
    return true;
}

int gm_sandbox_device_from_env(struct gm_sandbox_device *out, struct gm_err *err)
{
    const char *profile = getenv("GOPMILL_PROFILE");
    const char *device = getenv("GOPMILL_DEVICE");
    struct gm_sandbox_device d = {.device = device == NULL ? "" : device,
                                  .libraries = getenv("LD_LIBRARY_PATH"),
                                  .paths = getenv("GOPMILL_DEVICE_PATHS")};
    if (!gm_sandbox_profile_parse(profile == NULL ? "" : profile, &d.profile)) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%.32s` is no sandbox profile", profile);
    }
    *out = d;
    return 0;
}
