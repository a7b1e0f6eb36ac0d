/* What the files of the fake VA driver (fake_drv_video.so) share: a display, its objects, the
 * coders.
 *
 * The driver decodes H.264, HEVC, VP9 and AV1 by the entry point VLD where the profile has a line
 * for it (see fake_va_decode.c). It encodes 4:2:0 H.264 of 8 bits, and HEVC Main and Main10, by the
 * entry point EncSlice (and EncSliceLP, where the profile says low-power). It does what a driver
 * does that leaves headers to the application: it takes the packed sequence, picture and slice
 * headers, as libavcodec gives them, and adds slice data. The slices are those of libavcodec's
 * libx264, and of libx265, on one thread, put behind the application's slice headers: see
 * fake_va_slice.c, fake_va_hevc_slice.c. Pictures between others (B) are coded as intra pictures
 * that nothing refers to, which any slice header allows.
 *
 * It scales by the entry point VideoProc, where the profile says so: see fake_va_scale.c.
 *
 * Which GPU a display is: the character devices that `with` puts in the place of render nodes are
 * null, zero and full, in the order of the profile's `node` lines.
 *
 * See: libva 2.17, va/va_backend.h, va/va.h, va/va_enc_h264.h, va/va_enc_hevc.h. */
#ifndef GM_TESTS_DRIVERS_FAKE_VA_H
#define GM_TESTS_DRIVERS_FAKE_VA_H

#include <pthread.h>
#include <stddef.h>

#include <libavcodec/avcodec.h>
#include <va/va_backend.h>
#include <va/va_enc_h264.h>
#include <va/va_enc_hevc.h>

#include "fake.h"

#define FAKE_VA_OBJECTS 2048 /* of one kind in a display */
#define FAKE_VA_HEADERS 16   /* packed headers of a picture */
#define FAKE_VA_SIDE 4096

struct fake_va_config {
    VAProfile profile;
    VAEntrypoint entrypoint;
    uint32_t rate, packed; /* what was asked for */
};

struct fake_va_surface {
    int width, height; /* as asked for */
    int bytes;         /* of a sample: 1 (NV12) or 2 (P010) */
    int pitch, rows;   /* of luma, in bytes; chroma follows with half the rows */
    uint8_t *data;     /* owned */
    int64_t decoded;   /* which picture of its decoder it holds, from 1; 0: none */
    bool damaged;      /* what it was decoded from was */
};

struct fake_va_buffer {
    VABufferType type;
    size_t size; /* of one element */
    unsigned count;
    uint8_t *data; /* owned, or borrowed from a surface */
    bool borrowed;
    VACodedBufferSegment segment; /* coded buffers: what mapping gives */
};

struct fake_va_header { /* a packed header of the picture at work */
    uint32_t type, bits;
    bool escaped;  /* it has emulation prevention bytes */
    uint8_t *data; /* owned */
};

struct fake_va_coder { /* one libx264 */
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int64_t count;
};

struct fake_va_hevc; /* fake_va_hevc.c */

struct fake_va_scale { /* what VideoProc was asked for, of the picture at work */
    VASurfaceID from;  /* VA_INVALID_SURFACE: nothing yet */
    VARectangle region;
};

struct fake_va_context {
    struct fake_va_config config;
    struct fake_va_hevc *hevc; /* owned; NULL: H.264, as are the parameters below */
    int width, height;
    VASurfaceID target; /* of the picture at work */
    bool begun;
    bool has_sequence;
    VAEncSequenceParameterBufferH264 sequence;
    VAEncPictureParameterBufferH264 picture;
    VAEncSliceParameterBufferH264 slice;
    VAEncMiscParameterRateControl rate;
    VAEncMiscParameterHRD hrd;
    uint32_t frame_rate; /* VAEncMiscParameterFrameRate: denominator << 16 | numerator */
    struct fake_va_header headers[FAKE_VA_HEADERS];
    int header_count;
    struct fake_va_coder reference, between; /* pictures that are referred to, and B pictures */
    int64_t frames, mapped;
    struct fake_va_decode *decode; /* owned; NULL: it encodes, or scales */
    struct fake_va_scale scale;    /* where the configuration's entry point is VideoProc */
};

struct fake_va {
    pthread_mutex_t lock;
    char pci[16];
    char vendor[128];
    unsigned lost_before; /* losses of the device before this display was opened */
    void *configs[FAKE_VA_OBJECTS], *surfaces[FAKE_VA_OBJECTS], *buffers[FAKE_VA_OBJECTS],
        *contexts[FAKE_VA_OBJECTS], *images[FAKE_VA_OBJECTS];
};

/* The display of a call, locked; NULL, *status says why: the device is lost. */
struct fake_va *fake_va_enter(VADriverContextP ctx, VAStatus *status);
/* Unlocks and returns status. */
VAStatus fake_va_leave(struct fake_va *va, VAStatus status);
/* What an action means to a call of VA. */
VAStatus fake_va_result(enum fake_action action);
/* The display's GPU; NULL: none. */
const struct fake_gpu *fake_va_gpu(const struct fake_va *va);
/* What the GPU encodes with that profile; NULL: nothing. */
const struct fake_codec *fake_va_codec(const struct fake_va *va, VAProfile profile);

/* Whether its pictures have 10 bits. */
bool fake_va_is_deep(VAProfile profile);

/* Object tables: an id is an index with the table's mark above it. */
VAGenericID fake_va_add(void **table, unsigned mark, void *object); /* VA_INVALID_ID: full */
void *fake_va_find(void *const *table, unsigned mark, VAGenericID id);
void *fake_va_remove(void **table, unsigned mark, VAGenericID id);
#define FAKE_VA_CONFIG 0x10000u
#define FAKE_VA_SURFACE 0x20000u
#define FAKE_VA_BUFFER 0x30000u
#define FAKE_VA_CONTEXT 0x40000u
#define FAKE_VA_IMAGE 0x50000u

/* fake_va_objects.c: entries of the function table. */
void fake_va_set_objects(struct VADriverVTable *table);
void fake_va_free_objects(struct fake_va *va);
void fake_va_free_buffer(struct fake_va_buffer *buffer);

/* fake_va_encode.c: the same. */
void fake_va_set_encode(struct VADriverVTable *table, const struct fake_gpu *gpu);
void fake_va_free_context(struct fake_va_context *context);

/* fake_va_decode.c: what decodes that profile; NULL: nothing. */
const struct fake_codec *fake_va_decoder_of(const struct fake_va *va, VAProfile profile);
uint32_t fake_va_decode_attribute(const struct fake_codec *codec, VAProfile profile,
                                  VAConfigAttribType type);
/* One decoder; open: NULL: out of memory, or no decoder of that. begin, take, end: a picture. */
struct fake_va_decode *fake_va_decode_open(VAProfile profile);
void fake_va_decode_close(struct fake_va_decode *decode); /* NULL is fine */
void fake_va_decode_begin(struct fake_va_decode *decode);
VAStatus fake_va_decode_take(struct fake_va_decode *decode, const struct fake_va_buffer *buffer);
VAStatus fake_va_decode_end(struct fake_va_decode *decode, struct fake_va_surface *surface,
                            const char *pci);

/* fake_va_scale.c: whether the GPU scales. take: a buffer of a picture; end: the picture, into
 * target. */
bool fake_va_scales(const struct fake_va *va);
VAStatus fake_va_scale_take(struct fake_va *va, struct fake_va_scale *scale,
                            const struct fake_va_buffer *buffer);
VAStatus fake_va_scale_end(struct fake_va *va, struct fake_va_context *context,
                           struct fake_va_surface *target);

/* fake_va_coder.c: frames a second that a coder sees which is given one of `period`, or (between)
 * the others. */
AVRational fake_va_coder_rate(const struct fake_va_context *context, int period, bool between);
/* Codes one picture; *out is the coder's packet, borrowed until its next picture.
 * intra: nothing before is referred to. */
VAStatus fake_va_code(struct fake_va_context *context, struct fake_va_coder *coder, bool intra,
                      bool between, const struct fake_va_surface *surface, bool spoil,
                      const AVPacket **out);
void fake_va_close_coder(struct fake_va_coder *coder);

/* fake_va_slice.c: the slice of a packet of libx264 (extradata: its parameter sets) behind the
 * application's slice header (a NAL unit with its start code, bits long), appended to out at
 * *io_size, of room bytes. false: more than one slice, a header that does not fit what x264 coded,
 * or no room. */
struct fake_va_syntax { /* the application's parameter sets, as far as slice headers need them */
    unsigned frame_num_bits, poc_type, poc_bits;
    bool cabac, weighted, deblocking, bottom_order;
    unsigned weighted_bipred, references[2]; /* default counts */
    int init_qp;
};
bool fake_va_join(const struct fake_va_syntax *syntax, const struct fake_va_header *header,
                  const AVPacket *packet, const uint8_t *extradata, size_t extradata_size,
                  uint8_t *out, size_t room, size_t *io_size);

/* fake_va_hevc.c: HEVC of a context. NULL: out of memory. */
struct fake_va_hevc *fake_va_hevc_open(void);
void fake_va_hevc_close(struct fake_va_hevc **hevc);
/* A sequence, picture or slice parameter buffer. */
void fake_va_hevc_take(struct fake_va_hevc *hevc, const struct fake_va_buffer *buffer);
/* Where the picture at work goes. */
VABufferID fake_va_hevc_output(const struct fake_va_hevc *hevc);
/* The picture at work: its headers and slice, from the beginning of out (room bytes) on. */
VAStatus fake_va_hevc_code(struct fake_va_context *context, const struct fake_va_surface *surface,
                           bool spoil, uint8_t *out, size_t room, size_t *out_size);

#endif
