#ifndef GM_TESTS_MEDIA_FOLDER_IO_H
#define GM_TESTS_MEDIA_FOLDER_IO_H

#include "media/task_io.h"

/* Runs a pipeline's media tasks one after the other in this process, over a temporary folder: a
 * struct gm_task_io without sockets. Objects lie in <folder>/work and <folder>/out, what a task
 * has not announced in <folder>/scratch. Items and results are kept as the scheduler keeps them
 * and handed to the tasks that come later. Thread: one.
 */
struct folder_io; /* opaque */

/* What folder_pipeline makes. Zero is a default everywhere. */
struct folder_pipeline {
    const uint32_t *ladder; /* short sides, largest first; NULL: 1080 720 480 360 240 */
    size_t rungs;
    int qp_plus_1;      /* 1: qp 0; 0: crf 23 with the ladder's caps */
    const char *codec;  /* of encode; NULL: h264 */
    const char *preset; /* NULL: ultrafast */
    uint64_t max_pixels;
    bool audio, subtitles, thumbnails, mp4,
        package;                      /* which tasks there are besides inspect .. encode */
    const char *burn;                 /* EncodeParams.burn_subtitles */
    bool no_video;                    /* sound alone: no encode task */
    bool opus, silence;               /* of the audio task */
    uint32_t channels;                /* 0: 2 */
    double target_lufs;               /* 0: no loudness task */
    double true_peak_db;              /* 0: -1 */
    int64_t bitrate_bps;              /* of encode, with an analyze task; 0: crf 23 */
    const Gm__QualityTarget *quality; /* the same */
};
/* inspect, plan, split, encode and the rest as asked, each under its type's name. Owned:
 * gm__pipeline__free_unpacked. */
Gm__Pipeline *folder_pipeline(const struct folder_pipeline *params);

/* source_path: a file; pipeline: borrowed. The folder is made below TMPDIR or /tmp. */
int folder_io_create(const char *source_path, const Gm__Pipeline *pipeline, struct folder_io **out,
                     struct gm_err *err) GM_MUST_CHECK;
/* Removes the folder too. */
void folder_io_destroy(struct folder_io **f);
/* From now on the source is one of parts, of which so many bytes at its begin and at its end have
 * come: a read of others fails with GM_E_STORE. 0: it is a file. */
void folder_io_set_ends(struct folder_io *f, uint64_t bytes);
/* TaskSpec.chain and gm_task_io.device of the tasks that run from now on; both borrowed. NULL:
 * none, in software. */
void folder_io_set_chain(struct folder_io *f, const Gm__Chain *chain, const char *device);
/* gm_task_io.decode_api, .decode_device and .decode_codecs (NULL-terminated) of the tasks that run
 * from now on; borrowed. */
void folder_io_set_decoder(struct folder_io *f, const char *api, const char *device,
                           const char *const *codecs);
/* How often tasks told of the decoder's failure since then, and the last one; code GM_OK: none. */
struct gm_err folder_io_device_failure(const struct folder_io *f, size_t *out_times);
const char *folder_io_dir(const struct folder_io *f);

struct folder_run {
    const char *task; /* name in the pipeline */
    uint32_t instance;
    uint32_t first_chunk, chunks; /* encode: its run; chunks 0: all from first_chunk on */
    uint32_t fed;                 /* so many of the last inputs come as if fed later */
    const Gm__SkipItems *skip;    /* split, audio: as TaskSpec.skip */
    size_t skips;
};
/* One task. Items that it announced before are replaced when announced again. */
int folder_io_run(struct folder_io *f, const struct folder_run *run, int64_t *out_chunk,
                  struct gm_err *err) GM_MUST_CHECK;
/* The whole pipeline, each task with all the instances that plan gave it. */
int folder_io_run_all(struct folder_io *f, struct gm_err *err) GM_MUST_CHECK;
/* The verify task over one announced item. */
int folder_io_verify(struct folder_io *f, const char *task, uint32_t instance, uint32_t stream,
                     uint32_t index, struct gm_err *err) GM_MUST_CHECK;

/* Borrowed until the task runs again; NULL: none. */
const Gm__TaskResult *folder_io_result(const struct folder_io *f, const char *task,
                                       uint32_t instance);
const Gm__Item *folder_io_item(const struct folder_io *f, const char *task, uint32_t instance,
                               uint32_t stream, uint32_t index);
/* Number of items announced in that stream. */
uint32_t folder_io_items(const struct folder_io *f, const char *task, uint32_t instance,
                         uint32_t stream);
/* How often plan's Expand said that a task runs; 1 where it said nothing. */
uint32_t folder_io_instances(const struct folder_io *f, const char *task);
/* Where the object's bytes lie. */
void folder_io_path(const struct folder_io *f, const Gm__Object *object, char out[4096]);

/* GOPMILL_TEST_MEDIA/name. False: unset (skip the test). Aborts when the folder or file is missing
 * though the variable is set. */
bool folder_clip(const char *name, char out[4096]);

#endif
