/* What the files of the fake Quick Sync runtime (fake_mfx.so, found as libmfx-gen.so.1.2
 * or libmfxhw64.so.1, as the dispatcher libmfx.so.1 chooses by chip) share.
 *
 * The runtime encodes 4:2:0 H.264 of 8 bits, and HEVC Main and Main10, from surfaces of the fake VA
 * driver or from memory. It does what Media SDK's does: it orders the pictures, writes the
 * parameter sets, puts them before each IDR, and hands a stream's bits out when the application
 * waits for them (SyncOperation). It encodes a surface's whole blocks: what lies there beside the
 * picture gets into the bits, and a window says what is shown. All of it is libavcodec's libx264,
 * or libx265, on one thread. VPP copies from memory to surfaces and does no more. What the
 * application leaves open is decided as unhelpfully as a real runtime may: pictures of its own
 * choice become keyframes (of H.264), B pictures are referred to, the buffer is written into the
 * SPS.
 *
 * Which GPU a session is: that of the VA display that it is given.
 *
 * See: Media SDK 22.5, mfx/mfxvideo.h, mfx/mfxstructures.h. */
#ifndef GM_TESTS_DRIVERS_FAKE_MFX_H
#define GM_TESTS_DRIVERS_FAKE_MFX_H

#include <pthread.h>
#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <mfx/mfxvideo.h>
#include <va/va.h>

#include "fake.h"
#include "fake_x265.h"

#define FAKE_MFX_EXPORT __attribute__((visibility("default")))
#define FAKE_MFX_PENDING 64 /* pictures that were taken and not yet handed out, at most */

struct fake_mfx_pending { /* a picture's bits, until the application waits for them */
    mfxBitstream *bitstream;
    AVPacket *packet; /* owned; NULL: free */
    mfxU16 type;      /* MFX_FRAMETYPE_ */
    bool corrupt;
};

struct fake_mfx_encoder {
    bool open;
    mfxVideoParam param; /* as it was initialised; without ExtParam */
    bool hevc, hrd, adaptive_i, pyramid, cavlc;
    mfxU16 quality; /* of QVBR */
    mfxExtVideoSignalInfo signal;
    AVCodecContext *codec; /* H.264 */
    struct fake_x265 x265; /* HEVC */
    uint8_t *headers;      /* owned: parameter sets */
    size_t header_size;
    AVFrame *frame;                         /* as the coder takes it, of a surface's size */
    int64_t count, times[FAKE_MFX_PENDING]; /* pictures; their TimeStamps by number */
    bool draining;
    struct fake_mfx_pending pending[FAKE_MFX_PENDING];
};

struct fake_mfx { /* a session */
    pthread_mutex_t lock;
    VADisplay display; /* NULL: not given */
    char pci[16];
    unsigned lost_before; /* losses of the device before the display was given */
    mfxFrameAllocator allocator;
    struct fake_mfx_encoder encoder;
};

struct fake_mfx_view { /* NV12 or P010 in memory */
    uint8_t *plane[2];
    int pitch;
    VAImage image; /* of a VA surface; image_id VA_INVALID_ID: none */
};

/* The session of a call, locked; NULL, *status says why: no session, or the device is lost. */
struct fake_mfx *fake_mfx_enter(mfxSession session, mfxStatus *status);
/* Unlocks and returns status. */
mfxStatus fake_mfx_leave(struct fake_mfx *s, mfxStatus status);
/* What an action means to a call of the runtime. */
mfxStatus fake_mfx_result(enum fake_action action);
/* The profile's GPU of the session's display; NULL: none. */
const struct fake_gpu *fake_mfx_gpu(const struct fake_mfx *s);

/* fake_mfx_frames.c: a surface's samples; to be unmapped on success. */
mfxStatus fake_mfx_map(struct fake_mfx *s, const mfxFrameSurface1 *surface,
                       struct fake_mfx_view *out);
void fake_mfx_unmap(struct fake_mfx *s, struct fake_mfx_view *view);

/* fake_mfx_coder.c: libx264 or libx265 as encoder->param has it. */
mfxStatus fake_mfx_open_coder(struct fake_mfx_encoder *e);
void fake_mfx_close_coder(struct fake_mfx_encoder *e);
/* Puts the samples into e->frame. */
mfxStatus fake_mfx_read(struct fake_mfx_encoder *e, const struct fake_mfx_view *view, bool spoil);
/* Codes a picture, e->frame, or (!more) what is held back. MFX_ERR_NONE: out and its type are
 * there; MFX_ERR_MORE_DATA: nothing is. */
mfxStatus fake_mfx_code(struct fake_mfx_encoder *e, bool more, AVPacket *out, mfxU16 *out_type);
/* The first NAL unit of that type in the coder's headers, with its start code; NULL: none. */
const uint8_t *fake_mfx_header(const struct fake_mfx_encoder *e, int type, size_t *out_size);

/* fake_mfx_hevc.c: libx265 as e->param has it. */
mfxStatus fake_mfx_open_hevc(struct fake_mfx_encoder *e);

#endif
