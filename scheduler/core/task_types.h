#ifndef GM_SCHEDULER_CORE_TASK_TYPES_H
#define GM_SCHEDULER_CORE_TASK_TYPES_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* The task types as the scheduler sees them: one row each. A new type is one row here and one in
 * media/. Thread: any.
 *
 * A task with a feed has a stream edge from split: it starts while split still runs. All its other
 * edges are barriers: it starts when those tasks are done, and gets their results. */
enum gm_fan {
    GM_FAN_ONE,    /* one instance; plan may say 0 */
    GM_FAN_EXPAND, /* as many instances as plan says */
    GM_FAN_RUNS    /* runs of split's chunks; plan may say 0 */
};
enum gm_task_role {
    GM_ROLE_INSPECT,
    GM_ROLE_PLAN,
    GM_ROLE_SPLIT,
    GM_ROLE_ANALYZE, /* its result is the sum of its items */
    GM_ROLE_ENCODE,  /* what a job's progress is counted by */
    GM_ROLE_TRACK,   /* loudness, audio, subtitles: an instance a track */
    GM_ROLE_FINISH   /* thumbnails, mp4, package: consume committed items */
};
/* Which of split's streams it works on: proto/streams.h. */
enum gm_feed {
    GM_FEED_NONE,
    GM_FEED_VIDEO, /* chunks, with GM_FAN_RUNS */
    GM_FEED_SOUND, /* instance k: sound track k, with GM_FAN_EXPAND, as is text */
    GM_FEED_TEXT
};
struct gm_core_task_type {
    const char *name;
    enum gm_task_role role;
    enum gm_fan fan;
    enum gm_feed feed;
    bool needs_source; /* TaskSpec.source */
    bool writes_out;   /* may write below the publication */
    bool once;         /* at most one task of this type a pipeline */
    bool required;     /* exactly one a pipeline */
    /* What its items (NULL: it has none) and its result say: messages of proto/media.proto. */
    const ProtobufCMessageDescriptor *item_facts;
    const ProtobufCMessageDescriptor *result_facts;
    uint32_t cpu_milli;
    uint64_t memory_bytes;  /* base estimate; encode adds its frames */
    uint64_t scratch_bytes; /* base estimate; mp4 adds the output */
};

const struct gm_core_task_type *gm_core_task_type_find(const char *name); /* NULL: unknown */
/* Its inputs are one of split's tracks, given while split makes them. */
bool gm_core_task_type_is_track(const struct gm_core_task_type *type);
/* Its inputs may come in several messages: those of tracks as they are made, those of finishing
 * tasks where they do not fit into one. */
bool gm_core_task_type_is_fed(const struct gm_core_task_type *type);
/* Number of split's stream that instance `instance` is fed with; GM_STREAMS: none. */
uint32_t gm_core_task_type_stream(const struct gm_core_task_type *type, uint32_t instance);
/* Most instances that plan may ask for. */
uint32_t gm_core_task_type_instances(const struct gm_core_task_type *type);
/* All rows; name NULL ends them. */
const struct gm_core_task_type *gm_core_task_type_list(void);

#endif
