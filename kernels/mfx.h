#ifndef GM_KERNELS_MFX_H
#define GM_KERNELS_MFX_H

#include <stdbool.h>
#include <stdint.h>

/* libmfx.so.1, Quick Sync's dispatcher, opened at run time: as far as sessions go; libavcodec does
 * the rest. Thread: as the dispatcher's functions are.
 * See: Media SDK 22.5, mfx/mfxdefs.h, mfxcommon.h, mfxsession.h, mfxvideo.h, whose numbers these
 * are. */

/* mfxStatus, below 0: errors. */
#define GM_MFX_UNSUPPORTED (-3)
#define GM_MFX_MEMORY_ALLOC (-4)
#define GM_MFX_NOT_FOUND (-9)
#define GM_MFX_DEVICE_LOST (-13)
#define GM_MFX_DEVICE_FAILED (-17)
#define GM_MFX_GPU_HANG (-21)

#define GM_MFX_HARDWARE_ANY 4 /* mfxIMPL */
#define GM_MFX_VA_DISPLAY 4   /* mfxHandleType */

struct gm_mfx_version {
    uint16_t minor, major;
};

/* GM_MFX_FN(member, symbol, result, parameters); a session is a void * */
#define GM_MFX_FUNCTIONS                                                                           \
    GM_MFX_FN(init, MFXInit, int, (int32_t, struct gm_mfx_version *, void **))                     \
    GM_MFX_FN(close, MFXClose, int, (void *))                                                      \
    GM_MFX_FN(version, MFXQueryVersion, int, (void *, struct gm_mfx_version *))                    \
    GM_MFX_FN(set_handle, MFXVideoCORE_SetHandle, int, (void *, int, void *))

struct gm_mfx { /* all-zero has none */
    void *library;
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define GM_MFX_FN(member, symbol, result, parameters) result(*member) parameters;
    GM_MFX_FUNCTIONS
#undef GM_MFX_FN
};

/* False: libmfx1 is not installed, or lacks a function; *out is all-zero then. */
bool gm_mfx_open(struct gm_mfx *out);
void gm_mfx_close(struct gm_mfx *mfx);

#endif
