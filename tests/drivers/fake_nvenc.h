/* What the files of the fake libnvidia-encode.so.1 share: a session, its buffers, the coder behind
 * it.
 *
 * The coder is libavcodec's libx264, or libx265, on one thread; of AV1 there are the GUID and the
 * capabilities alone, since no libavcodec here asks for more. What the real one does and this one
 * too: outputs in coding order into the bitstream buffers in the order they were given; more input
 * needed while pictures are held back; IDR only where the GOP or NV_ENC_PIC_FLAG_FORCEIDR says so.
 * A picture with NV_ENC_PIC_FLAG_FORCEINTRA alone gets no IDR: it is coded as any other.
 *
 * See: NVENC programming guide, https://docs.nvidia.com/video-technologies/video-codec-sdk/ */
#ifndef GM_TESTS_DRIVERS_FAKE_NVENC_H
#define GM_TESTS_DRIVERS_FAKE_NVENC_H

#include "fake_cuda.h"

#include <ffnvcodec/nvEncodeAPI.h>
#include <libavcodec/avcodec.h>

#include "fake_x265.h"

#define FAKE_SESSION_MAGIC 0x6e76656eu
#define FAKE_HELD 256 /* pictures between input and output at most */

struct fake_output {          /* a bitstream buffer */
    struct fake_output *next; /* of the session's buffers */
    bool waiting;             /* given to EncodePicture, not yet filled */
    bool filled;
    uint8_t *data;
    size_t size;
    uint64_t timestamp, duration;
    NV_ENC_PIC_TYPE type;
    uint32_t frame;
};

struct fake_input { /* an input buffer, or a registered device address */
    struct fake_input *next;
    bool registered;
    int mapped;
    uint8_t *memory;     /* input buffers */
    CUdeviceptr address; /* registered resources */
    uint32_t width, height, pitch;
    NV_ENC_BUFFER_FORMAT format;
};

struct fake_session {
    uint32_t magic;
    struct CUctx_st *context;
    char pci[16];
    int slot;
    CUstream stream; /* what its pictures come after */
    char error[160];
    struct fake_input *inputs;
    struct fake_output *outputs;
    struct fake_output *queue[FAKE_HELD]; /* waiting buffers, oldest first */
    int queued;
    /* set by nvEncInitializeEncoder */
    bool hevc, deep, ready, repeat_headers, eos;
    uint32_t width, height;
    AVCodecContext *codec; /* H.264 */
    struct fake_x265 x265; /* HEVC */
    AVPacket *headers;     /* parameter sets */
    AVFrame *frame;
    AVPacket *packet;
    int64_t frames_in, locked;
    struct {
        uint64_t timestamp, duration;
        bool corrupt, headers;
    } held[FAKE_HELD]; /* by number of the picture, modulo */
};

/* The session of a handle, its device being there; *rc says why not. */
struct fake_session *fake_session_get(void *handle, NVENCSTATUS *rc);

/* Keeps a text for nvEncGetLastErrorString and returns rc. */
NVENCSTATUS fake_session_fail(struct fake_session *session, NVENCSTATUS rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What an action means to a call of NVENC. */
NVENCSTATUS fake_nvenc_result(enum fake_action action);

/* The GPU's codec of a GUID; NULL when it has none. */
const struct fake_codec *fake_nvenc_codec(const struct fake_session *session, GUID codec);
bool fake_same_guid(GUID a, GUID b);

/* fake_nvenc_buffers.c: what the function list names. */
NVENCSTATUS fake_create_input(void *handle, NV_ENC_CREATE_INPUT_BUFFER *params);
NVENCSTATUS fake_destroy_input(void *handle, NV_ENC_INPUT_PTR input);
NVENCSTATUS fake_lock_input(void *handle, NV_ENC_LOCK_INPUT_BUFFER *params);
NVENCSTATUS fake_unlock_input(void *handle, NV_ENC_INPUT_PTR input);
NVENCSTATUS fake_create_output(void *handle, NV_ENC_CREATE_BITSTREAM_BUFFER *params);
NVENCSTATUS fake_destroy_output(void *handle, NV_ENC_OUTPUT_PTR output);
NVENCSTATUS fake_register(void *handle, NV_ENC_REGISTER_RESOURCE *params);
NVENCSTATUS fake_unregister(void *handle, NV_ENC_REGISTERED_PTR resource);
NVENCSTATUS fake_map(void *handle, NV_ENC_MAP_INPUT_RESOURCE *params);
NVENCSTATUS fake_unmap(void *handle, NV_ENC_INPUT_PTR input);
void fake_free_buffers(struct fake_session *session);

/* Copies the picture of an input into the session's frame; false when its memory can't be that. */
bool fake_read_input(struct fake_session *session, const struct fake_input *input, bool spoil);

/* fake_nvenc_encode.c */
NVENCSTATUS fake_initialize(void *handle, NV_ENC_INITIALIZE_PARAMS *params);
NVENCSTATUS fake_encode(void *handle, NV_ENC_PIC_PARAMS *params);
NVENCSTATUS fake_lock_output(void *handle, NV_ENC_LOCK_BITSTREAM *params);
NVENCSTATUS fake_unlock_output(void *handle, NV_ENC_OUTPUT_PTR output);
NVENCSTATUS fake_headers(void *handle, NV_ENC_SEQUENCE_PARAM_PAYLOAD *params);
void fake_close_codec(struct fake_session *session);

/* fake_nvenc_options.c: the H.264 coder for a configuration, open; NULL: *why says what it can't
 * do. */
AVCodecContext *fake_open_codec(const NV_ENC_INITIALIZE_PARAMS *params, const char **why);

/* fake_nvenc_hevc.c: the same for HEVC; to be ended also on failure. */
bool fake_open_x265(struct fake_x265 *x265, const NV_ENC_INITIALIZE_PARAMS *params, bool deep,
                    const char **why);

#endif
