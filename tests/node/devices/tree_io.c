#include "node/devices/tree_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"

void tree_init(struct tree *tree)
{
    snprintf(tree->root, sizeof(tree->root), "/tmp/gm-devices-XXXXXX");
    assert_non_null(mkdtemp(tree->root));
    tree_file(tree, "/proc/cpuinfo",
              "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Test CPU\nflags\t\t: fpu "
              "sse2 avx avx2\n\nprocessor\t: 1\nmodel name\t: Test CPU\n");
    tree_file(tree, "/etc/group", "root:x:0:\nvideo:x:44:\nrender:x:106:\n");
}

void tree_fini(struct tree *tree)
{
    struct gm_err err;
    assert_int_equal(gm_fs_remove_tree(tree->root, &err), 0);
}

static void make_parent(const struct tree *tree, const char *path, char *full, size_t size)
{
    struct gm_err err;
    snprintf(full, size, "%s%s", tree->root, path);
    char *slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(gm_fs_mkdirs(full, &err), 0);
    *slash = '/';
}

void tree_file(const struct tree *tree, const char *path, const char *text)
{
    char full[512];
    make_parent(tree, path, full, sizeof(full));
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

void tree_link(const struct tree *tree, const char *path, const char *target)
{
    char full[512];
    make_parent(tree, path, full, sizeof(full));
    assert_int_equal(symlink(target, full), 0);
}

void tree_gpu(const struct tree *tree, const char *pci, const char *vendor, const char *device,
              const char *driver, const char *render)
{
    char path[256];
    char target[256];
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", pci);
    tree_file(tree, path, "0x030200\n");
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", pci);
    tree_file(tree, path, vendor);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", pci);
    tree_file(tree, path, device);
    if (driver != NULL) {
        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", pci);
        snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
        tree_link(tree, path, target);
    }
    if (render != NULL) {
        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/drm/renderD%s/dev", pci, render);
        tree_file(tree, path, "226:128\n");
        snprintf(path, sizeof(path), "/sys/class/drm/renderD%s/device", render);
        snprintf(target, sizeof(target), "../../../bus/pci/devices/%s", pci);
        tree_link(tree, path, target);
        snprintf(path, sizeof(path), "/dev/dri/renderD%s", render);
        tree_file(tree, path, "");
        snprintf(path, sizeof(path), "%s/dev/dri/renderD%s", tree->root, render);
        assert_int_equal(chmod(path, 0660), 0);
    }
}

void tree_nvidia(const struct tree *tree, const char *pci, const char *model)
{
    char path[256];
    char text[256];
    tree_file(tree, "/proc/driver/nvidia/version",
              "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\n");
    snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/information", pci);
    snprintf(text, sizeof(text),
             "Model: \t\t %s\nIRQ:   \t\t 11\nGPU UUID: \t GPU-11111111-2222-3333-4444-%s\n", model,
             pci + 5);
    tree_file(tree, path, text);
    tree_file(tree, "/dev/nvidiactl", "");
}

void tree_library(const struct tree *tree, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", name);
    tree_file(tree, path, "");
}

void tree_detect(const struct tree *tree, gid_t group, struct gm_device_list *out)
{
    const struct gm_machine_user user = {.uid = 1000, .groups = &group, .group_count = 1};
    const struct gm_detect_params params = {.root = tree->root,
                                            .probe = "/no/such/program",
                                            .prove = "/no/such/program",
                                            .user = &user,
                                            .cpu_milli = 2500,
                                            .memory_bytes = 4ull << 30};
    struct gm_err err;
    memset(out, 0, sizeof(*out));
    assert_int_equal(gm_detect(&params, out, &err), 0);
}

const char *tree_note(const struct gm_device_list *list, const char *device, const char *words)
{
    const struct gm_device *d = device == NULL ? NULL : gm_device_find(list, device);
    const struct gm_device_note *notes = list->notes;
    size_t count = list->note_count;
    if (device != NULL) {
        assert_non_null(d);
        notes = d->notes;
        count = d->note_count;
    }
    for (size_t i = 0; i < count; i++) {
        if (strstr(notes[i].text, words) != NULL) {
            return notes[i].text;
        }
    }
    return NULL;
}
