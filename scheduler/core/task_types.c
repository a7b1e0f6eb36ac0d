#include "scheduler/core/task_types.h"

#include <stddef.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static const struct gm_core_task_type types[] = {
    {.name = "inspect",
     .role = GM_ROLE_INSPECT,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .once = true,
     .required = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 16 * MIB},
    {.name = "plan",
     .role = GM_ROLE_PLAN,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .once = true,
     .required = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 16 * MIB},
    {.name = "split",
     .role = GM_ROLE_SPLIT,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .produces = true,
     .once = true,
     .required = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 256 * MIB},
    {.name = "encode",
     .role = GM_ROLE_ENCODE,
     .fan = GM_FAN_RUNS,
     .streams = true,
     .needs_source = true,
     .produces = true,
     .writes_out = true,
     .once = true,
     .cpu_milli = 1000,
     .memory_bytes = 96 * MIB,
     .scratch_bytes = 128 * MIB},
    {.name = "audio",
     .role = GM_ROLE_AUDIO,
     .fan = GM_FAN_EXPAND,
     .streams = true,
     .needs_source = true,
     .produces = true,
     .writes_out = true,
     .once = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "thumbnails",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_ONE,
     .writes_out = true,
     .once = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "mp4",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_EXPAND,
     .writes_out = true,
     .once = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "package",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_ONE,
     .writes_out = true,
     .once = true,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 32 * MIB},
    {.name = NULL},
};

const struct gm_core_task_type *gm_core_task_type_list(void)
{
    return types;
}

const struct gm_core_task_type *gm_core_task_type_find(const char *name)
{
    for (const struct gm_core_task_type *t = types; t->name; t++) {
        if (strcmp(t->name, name) == 0) {
            return t;
        }
    }
    return NULL;
}
