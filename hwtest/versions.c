#include "hwtest/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "hwtest/clip.h"
#include "media/prove/libraries.h"

#define MACHINE "machine"
#define VERSION_FILE_MAX 4096

/* version "" or NULL: it is not known, and is left out. */
static int add(struct gm_hwtest_report *report, const char *device, const char *name,
               const char *version, struct gm_err *err)
{
    struct gm_hwtest_version v = {.device = ""};
    if (version == NULL || version[0] == '\0') {
        return 0;
    }
    gm_hwtest_set(v.device, device);
    gm_hwtest_set(v.name, name);
    gm_hwtest_set(v.version, version);
    return gm_hwtest_add_version(report, &v, err);
}

static int add_libraries(struct gm_hwtest_report *report, struct gm_err *err)
{
    struct gm_library libraries[GM_LIBRARIES_MAX];
    const struct gm_hwtest_encoding h264 = {.codec = "h264", .depth = 8, .crf_centi = 2600};
    char x264[64] = "";
    struct gm_err why;
    size_t count = gm_libraries_find(libraries);
    int rc = add(report, MACHINE, "gopmill", GOPMILL_VERSION, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add(report, MACHINE, libraries[i].name, libraries[i].version, err);
    }
    if (rc == 0 && gm_hwtest_encoder_name(&h264, x264, &why) == 0) {
        rc = add(report, MACHINE, "x264", x264 + (strncmp(x264, "x264-", 5) == 0 ? 5 : 0), err);
    }
    return rc;
}

/* "nvidia 580.65.06"; of a module without a version of its own, as the kernel's own are: "i915". */
static int add_kernel_driver(struct gm_hwtest_report *report, const struct gm_device *d,
                             struct gm_err *err)
{
    char path[128], text[160];
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err why;
    if (d->kernel_driver[0] == '\0') {
        return 0;
    }
    (void)snprintf(path, sizeof path, "/sys/module/%s/version", d->kernel_driver);
    bool told = strchr(d->kernel_driver, '/') == NULL &&
                gm_fs_read(path, VERSION_FILE_MAX, &data, &size, &why) == 0;
    (void)snprintf(text, sizeof text, "%s%s%.100s", d->kernel_driver, told ? " " : "",
                   told ? (const char *)data : "");
    text[strcspn(text, "\n")] = '\0';
    free(data);
    return add(report, d->id, "kernel driver", text, err);
}

static int add_device(struct gm_hwtest_report *report, const struct gm_device *d,
                      struct gm_err *err)
{
    const struct {
        const char *name, *version;
    } rows[] = {
        {d->kind == GM_DEVICE_NVIDIA ? "NVIDIA driver" : "VA driver", d->driver},
        {"CUDA driver", gm_device_find_feature(d, GM_FEATURE_CUDA_DRIVER)},
        {"NVENC interface", gm_device_find_feature(d, GM_FEATURE_NVENC)},
        {"VA-API", gm_device_find_feature(d, GM_FEATURE_VA_API)},
        {"Quick Sync runtime", gm_device_find_feature(d, GM_FEATURE_MFX)},
    };
    int rc = add_kernel_driver(report, d, err);
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof rows[0]; i++) {
        rc = add(report, d->id, rows[i].name, rows[i].version, err);
    }
    return rc;
}

int gm_hwtest_versions(const struct gm_device_list *list, struct gm_hwtest_report *out,
                       struct gm_err *err)
{
    int rc = add_libraries(out, err);
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        if (list->devices[i].kind != GM_DEVICE_CPU) {
            rc = add_device(out, &list->devices[i], err);
        }
    }
    return rc;
}
