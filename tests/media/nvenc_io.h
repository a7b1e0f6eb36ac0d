#ifndef GM_TESTS_MEDIA_NVENC_IO_H
#define GM_TESTS_MEDIA_NVENC_IO_H

#include "media/encoder_io.h"
#include "media/fake_gpu_io.h"

/* The chain nvenc over the fake drivers of tests/drivers. In children of fake_gpu_run: what is
 * wrong ends them. */
struct nvenc_set {
    struct set set;
    struct gm_encoder_params params; /* of the set */
};
/* As set_init, with colours, and a cap of 600 kbit/s. */
void nvenc_init(struct nvenc_set *s, const char *codec, bool deep, int crf, int qp);
/* Owned: gm_encoder_close. */
struct gm_encoder *nvenc_open(const struct nvenc_set *s);

struct nvenc_stream { /* owned */
    AVPacket *packets[FRAMES + 1];
    size_t count;
    AVFrame *pictures[FRAMES];
};

/* Encodes FRAMES pictures as the task does; the first failure is returned. *out: also then. */
int nvenc_encode(struct gm_encoder *e, const struct nvenc_set *s, struct nvenc_stream *out,
                 struct gm_err *err);
void nvenc_fini(struct nvenc_stream *s);
/* Every picture comes out of a software decoder, in order, like what went in. */
void nvenc_check_pictures(const struct gm_encoder *e, const struct nvenc_set *s,
                          const struct nvenc_stream *m);
/* Keyframes where they are forced alone; closed GOPs; no picture moves further than was said, and
 * one moves so far where any does. */
void nvenc_check_order(const struct nvenc_stream *m, int reorder, bool moves);
/* An option of libavcodec's encoder is what was wanted. */
void nvenc_check_option(const struct gm_encoder *e, const char *name, int64_t want);

#endif
