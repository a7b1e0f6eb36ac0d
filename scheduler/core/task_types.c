#include "scheduler/core/task_types.h"

#include <stddef.h>
#include <string.h>

#include "media.pb-c.h"
#include "proto/streams.h"
#include "scheduler/core/counts.h"

#define MIB (UINT64_C(1) << 20)
#define MAX_INSTANCES 4096u

static const struct gm_core_task_type types[] = {
    {.name = "inspect",
     .role = GM_ROLE_INSPECT,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .once = true,
     .required = true,
     .result_facts = &gm__inspection__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 16 * MIB},
    {.name = "plan",
     .role = GM_ROLE_PLAN,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .once = true,
     .required = true,
     .result_facts = &gm__policy__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 16 * MIB},
    {.name = "split",
     .role = GM_ROLE_SPLIT,
     .fan = GM_FAN_ONE,
     .needs_source = true,
     .once = true,
     .required = true,
     .item_facts = &gm__split_item_meta__descriptor,
     .result_facts = &gm__split_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 256 * MIB},
    {.name = "analyze",
     .role = GM_ROLE_ANALYZE,
     .fan = GM_FAN_RUNS,
     .feed = GM_FEED_VIDEO,
     .needs_source = true,
     .once = true,
     .item_facts = &gm__analyze_item_meta__descriptor,
     .result_facts = &gm__analyze_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 96 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "loudness",
     .role = GM_ROLE_TRACK,
     .fan = GM_FAN_EXPAND,
     .feed = GM_FEED_SOUND,
     .needs_source = true,
     .once = true,
     .result_facts = &gm__loudness_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 16 * MIB},
    {.name = "subtitles",
     .role = GM_ROLE_TRACK,
     .fan = GM_FAN_EXPAND,
     .feed = GM_FEED_TEXT,
     .needs_source = true,
     .writes_out = true,
     .once = true,
     .item_facts = &gm__text_item_meta__descriptor,
     .result_facts = &gm__text_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "encode",
     .role = GM_ROLE_ENCODE,
     .fan = GM_FAN_RUNS,
     .feed = GM_FEED_VIDEO,
     .needs_source = true,
     .writes_out = true,
     .once = true,
     .item_facts = &gm__encode_item_meta__descriptor,
     .result_facts = &gm__encode_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 96 * MIB,
     .scratch_bytes = 128 * MIB},
    {.name = "audio",
     .role = GM_ROLE_TRACK,
     .fan = GM_FAN_EXPAND,
     .feed = GM_FEED_SOUND,
     .needs_source = true,
     .writes_out = true,
     .once = true,
     .item_facts = &gm__audio_item_meta__descriptor,
     .result_facts = &gm__audio_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "thumbnails",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_ONE,
     .writes_out = true,
     .once = true,
     .result_facts = &gm__thumbnails_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "mp4",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_EXPAND,
     .writes_out = true,
     .once = true,
     .result_facts = &gm__mp4_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 64 * MIB},
    {.name = "package",
     .role = GM_ROLE_FINISH,
     .fan = GM_FAN_ONE,
     .writes_out = true,
     .once = true,
     .result_facts = &gm__package_meta__descriptor,
     .cpu_milli = 1000,
     .memory_bytes = 128 * MIB,
     .scratch_bytes = 32 * MIB},
    {.name = NULL},
};

_Static_assert(sizeof types / sizeof types[0] == GM_COUNT_TYPES + 1, "each type is counted");

const struct gm_core_task_type *gm_core_task_type_list(void)
{
    return types;
}

bool gm_core_task_type_is_track(const struct gm_core_task_type *type)
{
    return type->feed == GM_FEED_SOUND || type->feed == GM_FEED_TEXT;
}

bool gm_core_task_type_is_fed(const struct gm_core_task_type *type)
{
    return gm_core_task_type_is_track(type) || type->role == GM_ROLE_FINISH;
}

uint32_t gm_core_task_type_stream(const struct gm_core_task_type *type, uint32_t instance)
{
    switch (type->feed) {
    case GM_FEED_VIDEO:
        return GM_STREAM_VIDEO;
    case GM_FEED_SOUND:
        return instance < GM_MAX_SOUND_TRACKS ? GM_STREAM_SOUND + instance : GM_STREAMS;
    case GM_FEED_TEXT:
        return instance < GM_MAX_TEXT_TRACKS ? GM_STREAM_TEXT + instance : GM_STREAMS;
    case GM_FEED_NONE:
    default:
        return GM_STREAMS;
    }
}

uint32_t gm_core_task_type_instances(const struct gm_core_task_type *type)
{
    if (type->fan != GM_FAN_EXPAND) {
        return 1;
    }
    switch (type->feed) {
    case GM_FEED_SOUND:
        return GM_MAX_SOUND_TRACKS;
    case GM_FEED_TEXT:
        return GM_MAX_TEXT_TRACKS;
    default:
        return MAX_INSTANCES;
    }
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
