#include "node/devices/limits.h"

#include <dirent.h>

#include "common/fs.h"

static uint32_t count_named(const char *root)
{
    char path[4096];
    struct gm_err ignored;
    uint32_t count = 0;
    if (gm_fs_path(path, sizeof(path), &ignored, "%s/proc/driver/nvidia/gpus", root) < 0) {
        return 0;
    }
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

uint32_t gm_limit_gpus(const char *root, const struct gm_device_list *list)
{
    uint32_t count = 0;
    uint32_t named = count_named(root);
    for (size_t i = 0; i < list->count; i++) {
        count += list->devices[i].kind == GM_DEVICE_NVIDIA ? 1 : 0;
    }
    count = count > named ? count : named;
    return count < GM_DEVICES_MAX ? count : GM_DEVICES_MAX;
}

uint32_t gm_limit_ms(uint32_t base_ms, uint32_t gpus)
{
    return base_ms + gpus * GM_LIMIT_GPU_MS;
}
