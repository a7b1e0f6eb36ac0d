#ifndef GM_MEDIA_ENCODE_ENCODE_WRITER_H
#define GM_MEDIA_ENCODE_ENCODE_WRITER_H

#include "media/encode/vbv.h"
#include "media/task_io.h"

struct AVBufferRef;
struct AVFrame;

/* One rendition of one chunk: filtered pictures in, finished segment files out. A new encoder
 * begins with each chunk. Files lie in the task's scratch until the chunk is announced. */
struct gm_encode_writer; /* opaque */

struct gm_encode_writer_params {
    struct gm_task_io *io;         /* borrowed */
    const Gm__Policy *policy;      /* borrowed */
    uint32_t rendition;            /* index into policy->renditions */
    const Gm__VideoFacts *facts;   /* borrowed */
    const Gm__ChunkHeader *header; /* borrowed until finish; has frames */
    uint32_t attempt;              /* of this chunk at keeping its buffer: gm_vbv_limits */
    int32_t crf_add;               /* of this attempt, where gm_encode_writer_caps_by_crf */
    int32_t crf_centi;             /* instead of the plan's, hundredths; 0: the plan's */
    struct AVBufferRef *surfaces;  /* as gm_encoder_params has it; borrowed until close */
};

/* Errors: MEDIA (encoder refused, or its parameter sets differ from the plan's), NOMEM; on a chain
 * of devices their codes, and MEDIA_VERIFY for all that is not as promised, here and below. */
int gm_encode_writer_open(const struct gm_encode_writer_params *params,
                          struct gm_encode_writer **out, struct gm_err *err) GM_MUST_CHECK;
/* Frame `index` of the chunk, frames in order. The frame's pts and pict_type are set here;
 * its captions go along.
 * Errors: MEDIA, NOMEM, the io's. */
int gm_encode_writer_frame(struct gm_encode_writer *w, size_t index, struct AVFrame *frame,
                           struct gm_err *err) GM_MUST_CHECK;
/* After the last frame: all segments are complete and closed.
 * Errors: MEDIA (a frame has no packet), and the above. */
int gm_encode_writer_finish(struct gm_encode_writer *w, struct gm_err *err) GM_MUST_CHECK;
/* After finish: does the chunk keep its promise to its neighbours (media/encode/vbv.h)? True where
 * there is no cap. False: it must be encoded again with the next attempt; *out_miss is set, and
 * counts where gm_encode_writer_caps_by_crf. */
bool gm_encode_writer_holds(const struct gm_encode_writer *w, struct gm_vbv_miss *out_miss);
/* There is a cap, and gm_encoder_caps_by_crf. */
bool gm_encode_writer_caps_by_crf(const struct gm_encode_writer *w);
/* After finish: of all segments, boxes included. */
int64_t gm_encode_writer_bits(const struct gm_encode_writer *w);
/* After finish: the segments' metas, borrowed until close. */
void gm_encode_writer_meta(struct gm_encode_writer *w, Gm__RenditionChunkMeta *out);
/* After finish: one WFile a segment; strings borrowed until close. */
size_t gm_encode_writer_files(const struct gm_encode_writer *w, const Gm__WFile **out);
/* remove: the files were not announced; they go. */
void gm_encode_writer_close(struct gm_encode_writer **w, bool remove);

#endif
