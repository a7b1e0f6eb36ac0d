#ifndef GM_TESTS_MEDIA_SPLIT_IO_H
#define GM_TESTS_MEDIA_SPLIT_IO_H

#include "media/chunk_io.h"
#include "media/decode/frames.h"
#include "media/folder_io.h"

/* A source after inspect, plan and split, and what its chunks hold. */
struct farm {
    struct folder_io *f;
    Gm__Pipeline *pipeline;
    struct gm_err err;
};
/* The three tasks' return code; farm_fini follows in any case. skip: of split. */
int farm_run(struct farm *farm, const char *path, const Gm__SkipItems *skip, size_t skips);
/* fields: deinterlaced, so that chunks have context. */
int farm_run_fields(struct farm *farm, const char *path, bool fields, const Gm__SkipItems *skip,
                    size_t skips);
/* Another pipeline than the usual one, which has sound. */
int farm_run_of(struct farm *farm, const char *path, const struct folder_pipeline *params);
void farm_fini(struct farm *farm);
/* Owned. */
Gm__SplitMeta *farm_split_meta(const struct farm *farm);
/* The object of an item of the stream's. */
int farm_open_chunk(const struct farm *farm, uint32_t stream, uint32_t index);

/* Video chunks next .. end - 1. */
struct farm_chunks {
    const struct farm *farm;
    uint32_t next, end;
    int source; /* the source file */
};
/* Their frames. chunks: borrowed for the frames' life. */
struct gm_frames *farm_open_frames(struct farm_chunks *chunks);
/* Decodes chunk after chunk, each alone, and compares with the clip, from frame `first` on, decoded
 * in one go. */
void farm_assert_pictures(const struct farm *farm, const struct clip *clip, int source,
                          size_t first);

#endif
