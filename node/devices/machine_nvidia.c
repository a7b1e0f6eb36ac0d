/* NVIDIA's GPUs by /proc/driver/nvidia, which needs no library of the driver. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "node/devices/detect.h"

static char *read_text(const char *root, const char *path)
{
    char full[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err ignored;
    if (gm_fs_path(full, sizeof(full), &ignored, "%s%s", root, path) < 0 ||
        gm_fs_read(full, 64u << 10, &data, &size, &ignored) < 0) {
        return NULL;
    }
    return (char *)data;
}

/* "Key: \t value" of a line; "" where there is none. */
static void value_of(const char *text, const char *key, char *out, size_t size)
{
    const char *at = text == NULL ? NULL : strstr(text, key);
    out[0] = '\0';
    if (at == NULL) {
        return;
    }
    at += strlen(key);
    at += strspn(at, ": \t");
    size_t n = strcspn(at, "\n");
    char line[256];
    n = n < sizeof(line) - 1 ? n : sizeof(line) - 1;
    memcpy(line, at, n);
    line[n] = '\0';
    gm_ascii_copy(out, size, line);
}

/* The first word of text that looks like "580.65.06". */
static void find_version(char *text, char *out, size_t size)
{
    char *save = NULL;
    for (char *word = text == NULL ? NULL : strtok_r(text, " \t\n", &save); word != NULL;
         word = strtok_r(NULL, " \t\n", &save)) {
        if (word[0] >= '0' && word[0] <= '9' && strchr(word, '.') != NULL &&
            strspn(word, "0123456789.") == strlen(word)) {
            gm_ascii_copy(out, size, word);
            return;
        }
    }
}

static int add_gpu(const char *root, const char *name, const char *version,
                   struct gm_device_list *list, struct gm_err *err)
{
    char path[512];
    char id[16];
    struct gm_device *d = NULL;
    if (!gm_pci_normalize(name, id)) {
        return 0;
    }
    bool gone = gm_device_find(list, id) == NULL;
    int rc = gm_device_get(list, id, GM_DEVICE_NVIDIA, &d, err);
    if (rc == 0) {
        rc = gm_fs_path(path, sizeof(path), err, "/proc/driver/nvidia/gpus/%s/information", name);
    }
    if (rc < 0) {
        return rc;
    }
    char *text = read_text(root, path);
    value_of(text, "Model", d->name, sizeof(d->name));
    value_of(text, "GPU UUID", d->uuid, sizeof(d->uuid));
    if (strchr(d->uuid, '?') != NULL) { /* not initialised yet: "GPU-????????-..." */
        d->uuid[0] = '\0';
    }
    free(text);
    gm_device_set(d->vendor, "NVIDIA");
    gm_device_set(d->driver, version);
    if (gone) {
        (void)gm_device_add_note(list, d, GM_NOTE_ERROR,
                                 "GPU %s is known to the driver and gone from the bus: look for "
                                 "Xid 79 in the kernel log, check its power and seat, and restart "
                                 "the machine",
                                 d->id);
    }
    return 0;
}

static bool has_library(const char *root, const char *name)
{
    static const char *const places[] = {
        "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
        "/usr/local/nvidia/lib64",   "/usr/local/nvidia/lib"};
    char path[4096];
    struct gm_err ignored;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (gm_fs_path(path, sizeof(path), &ignored, "%s%s/%s", root, places[i], name) == 0 &&
            access(path, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

void gm_nvidia_missing(struct gm_device_list *list, struct gm_device *device, bool encode)
{
    *(encode ? &device->encoding : &device->decoding) = GM_ENGINE_MISSING;
    (void)gm_device_add_note(list, device, GM_NOTE_WARN,
                             "%s is missing in this container: start it with the `video` driver "
                             "capability",
                             encode ? "NVENC: " GM_NVENC_LIBRARY : "NVDEC: " GM_NVDEC_LIBRARY);
}

static void look_for_libraries(const char *root, struct gm_device_list *list)
{
    bool cuda = has_library(root, "libcuda.so.1");
    bool decoder = has_library(root, GM_NVDEC_LIBRARY);
    bool encoder = has_library(root, GM_NVENC_LIBRARY);
    if (!cuda) {
        (void)gm_device_add_note(list, NULL, GM_NOTE_WARN,
                                 "CUDA: libcuda.so.1 is missing: install NVIDIA's driver, or start "
                                 "the container with the driver capabilities "
                                 "`compute,utility,video`");
    }
    for (size_t i = 0; i < list->count; i++) {
        struct gm_device *d = &list->devices[i];
        if (d->kind != GM_DEVICE_NVIDIA || strcmp(d->kernel_driver, "nvidia") != 0) {
            continue;
        }
        if (!decoder) {
            gm_nvidia_missing(list, d, false);
        }
        if (!encoder) {
            gm_nvidia_missing(list, d, true);
        }
    }
}

int gm_machine_nvidia(const char *root, bool libraries, struct gm_device_list *list,
                      struct gm_machine *machine, struct gm_err *err)
{
    char path[4096];
    char version[64] = "";
    int rc = gm_fs_path(path, sizeof(path), err, "%s/proc/driver/nvidia/gpus", root);
    if (rc < 0) {
        return rc;
    }
    char *text = read_text(root, "/proc/driver/nvidia/version");
    find_version(text, version, sizeof(version));
    free(text);
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir == NULL ? NULL : readdir(dir); rc == 0 && e != NULL;
         e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            rc = add_gpu(root, e->d_name, version, list, err);
            machine->has_nvidia = true;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (rc == 0 && libraries && machine->has_nvidia) {
        look_for_libraries(root, list);
    }
    return rc;
}
