#ifndef GM_TESTS_MEDIA_DEVICE_ENCODER_IO_H
#define GM_TESTS_MEDIA_DEVICE_ENCODER_IO_H

#include "media/encoder_io.h"
#include "media/fake_gpu_io.h"

/* Encoders of devices over the fake drivers of tests/drivers. In children of fake_gpu_run: what is
 * wrong ends them. */
struct device_set {
    struct set set;
    struct gm_encoder_params params; /* of the set */
};
/* As set_init, with colours, and a cap of 600 kbit/s. device: as a node names it to its worker;
 * NULL: any. */
void device_init(struct device_set *s, const char *chain, const char *device, const char *codec,
                 bool deep, int crf, int qp);
/* Owned: gm_encoder_close. */
struct gm_encoder *device_open(const struct device_set *s);

struct device_stream { /* owned */
    AVPacket *packets[FRAMES + 1];
    size_t count;
    AVFrame *pictures[FRAMES];
};

/* Encodes FRAMES pictures as the task does; the first failure is returned. *out: also then. */
int device_encode(struct gm_encoder *e, const struct device_set *s, struct device_stream *out,
                  struct gm_err *err);
void device_fini(struct device_stream *s);
/* Every picture comes out of a software decoder, in order, like what went in. */
void device_check_pictures(const struct gm_encoder *e, const struct device_set *s,
                           const struct device_stream *m);
/* Keyframes where they are forced alone; closed GOPs; no picture moves further than was said, and
 * one moves so far where any does. */
void device_check_order(const struct device_stream *m, int reorder, bool moves);
/* An option of libavcodec's encoder is what was wanted. */
void device_check_option(const struct gm_encoder *e, const char *name, int64_t want);

/* Cases by data; each takes a pointer to its struct and is run by fake_gpu_run.
 * base, lines: of the profile (fake_gpu_profile). */
struct device_row {
    const char *base, *lines, *chain, *device, *codec;
    bool deep, capped;
    int crf, qp;
    const char *profile;
    int reorder; /* that the encoder says */
    int want_profile;
};
/* One stream: its profile, its order (reordered where reorder > 0), its pictures. */
void device_encodes(const void *row);

struct device_presets {
    const char *base, *chain, *device;
    int (*level)(const struct gm_encoder *e); /* 1, the fastest, to 7 */
};
/* x264's nine presets have their counterparts. */
void device_has_presets(const void *presets);

struct device_often {
    const char *base, *lines, *chain, *device, *codec;
    int reorder;
};
/* The same parameter sets whatever a chunk may take, and those that `plan` describes. */
void device_opens_often(const void *often);
/* B pictures where frames come evenly alone (encoder_backend.h says why). */
void device_is_even(const void *often);

struct device_refusal {
    const char *base, *lines, *chain, *device;
    enum gm_code code;
    const char *says;
    const char *codec; /* NULL: h264 */
    bool deep;
    int crf, qp; /* 0 and 0: 23 and -1 */
    bool bitrate, quality, uncapped;
    const char *level;   /* NULL: none */
    unsigned wide, high; /* px; 0: as it is */
    bool at_work;        /* it opens */
};
/* Opening, or encoding, fails like that. */
void device_refuses(const void *refusal);

/* Each row in a child of its own; the first that is wrong fails the test, and is named. */
void device_encode_all(const struct device_row *rows, size_t count);
void device_refuse_all(const struct device_refusal *all, size_t count);

/* What a chain of a VA display has as the others: of H.264 and HEVC. */
struct device_chain {
    const char *base, *chain, *device;
    const char *name; /* in messages */
};
/* What none of them does; no node. */
void device_refuse_common(const struct device_chain *chain);
/* Faults of the VA driver and of the encoder. */
void device_fail_common(const struct device_chain *chain);

#endif
