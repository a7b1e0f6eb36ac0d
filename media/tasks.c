#include "media/task_io.h"

#include <string.h>

/* The table of task types: adding one is a file and a row. */
static const struct gm_task_type types[] = {
    {"inspect", gm_task_inspect},   {"plan", gm_task_plan},
    {"split", gm_task_split},       {"encode", gm_task_encode},
    {"audio", gm_task_audio},       {"thumbnails", gm_task_thumbnails},
    {"mp4", gm_task_mp4},           {"package", gm_task_package},
    {"verify", gm_task_verify},     {"subtitles", gm_task_subtitles},
    {"loudness", gm_task_loudness}, {"analyze", gm_task_analyze},
};

const struct gm_task_type *gm_task_type_find(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].type, type) == 0) {
            return &types[i];
        }
    }
    return NULL;
}
