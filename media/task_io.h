#ifndef GM_MEDIA_TASK_IO_H
#define GM_MEDIA_TASK_IO_H

#include "common/err.h"
#include "common/source_file.h"
#include "wire.pb-c.h"

/* A media task's whole world. Tasks open no path, no socket and read no clock: inputs come as
 * descriptors, outputs go to files that this interface makes. node/ gives one over the worker's
 * socket; tests give one over a folder. Thread: one task, one thread (tasks may use helper threads
 * that call nothing of this but create_file and remove_file).
 */
struct gm_task_input {
    uint32_t index;   /* position: TaskSpec.inputs, then what was fed */
    const char *task; /* borrowed until the task ends, as item is: pipeline task that made it */
    uint32_t instance;
    const Gm__Item *item; /* its meta bytes are in item->meta */
};

struct gm_task_io {
    void *self;
    const Gm__TaskSpec *spec; /* borrowed for the task's life */
    const char *device;       /* WStart.device; borrowed likewise; NULL or "": the first */
    /* A GPU that decodes for a task whose chain is cpu, and what it was proved to decode
     * (WStart.decode_device and .decode_codecs); borrowed likewise; NULL or "": software. By:
     * nvdec, vaapi (WStart.decode_api), not NULL where there is one. */
    const char *decode_device;
    const char *decode_api;
    const char *const *decode_codecs;
    size_t decode_codec_count;

    /* The source; its file is borrowed until the task ends. */
    int (*source)(void *self, struct gm_source_file *out, struct gm_err *err);
    /* The next input in order; blocks while more may be fed. *out_more = false: there are no more
     * (success). */
    int (*next_input)(void *self, bool *out_more, struct gm_task_input *out, struct gm_err *err);
    /* Descriptor of object `object` (position in item->objects) of an input that next_input gave,
     * or of TaskSpec.results (open_result). Readable, seekable; owned by the caller: close(). */
    int (*open_object)(void *self, const struct gm_task_input *input, size_t object, int *out_fd,
                       struct gm_err *err);
    int (*open_result)(void *self, const Gm__TaskResult *result, size_t object, int *out_fd,
                       struct gm_err *err);
    /* Makes a file [A-Za-z0-9._-]{1,128} in scratch, read-write, empty; owned by the caller:
     * close(). */
    int (*create_file)(void *self, const char *name, int *out_fd, struct gm_err *err);
    /* Removes a scratch file that will not be announced. */
    void (*remove_file)(void *self, const char *name);
    /* Announces item (stream, index): files were closed by the task. meta: packed message. The
     * files are taken: scratch space is freed once they are stored. Blocks while too many wait
     * (bounded). */
    int (*produce)(void *self, uint32_t stream, uint32_t index, bool last, const Gm__WFile *files,
                   size_t count, const ProtobufCMessage *meta, struct gm_err *err);
    /* The task's own result; call once, last, before returning 0. */
    int (*finish)(void *self, const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                  const Gm__Expand *expand, size_t expands, const char *publication,
                  struct gm_err *err);
    /* Cheap; call at least once a second of work: it is what the watchdog sees. */
    void (*progress)(void *self, uint64_t frames_done, uint64_t frames_total);
    /* decode_device failed so, and the task goes on in software. NULL where there is none. */
    void (*device_failed)(void *self, const struct gm_err *why);
};

/* One row a task type: media/tasks.c. `run` returns 0 after finish(); on failure *out_chunk is the
 * chunk to blame, or -1. */
struct gm_task_type {
    const char *type;
    int (*run)(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err);
};
const struct gm_task_type *gm_task_type_find(const char *type); /* NULL: unknown */

int gm_task_inspect(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_plan(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_split(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_analyze(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_encode(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_loudness(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_audio(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_thumbnails(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_mp4(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_package(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
int gm_task_subtitles(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;
/* Checks what encode, audio or subtitles announced, in another process: inputs[0].item is the
 * announced item with its meta and objects; results hold the plan. No output. Errors: MEDIA_VERIFY.
 */
int gm_task_verify(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err) GM_MUST_CHECK;

#endif
