#ifndef GM_MEDIA_PROVE_PROVE_H
#define GM_MEDIA_PROVE_PROVE_H

#include "common/err.h"

/* The proof that one encoder or decoder of a device works: a moving pattern of 256x256 goes
 * through it, and what comes out is compared. An encoder's stream is decoded in software: every
 * frame must be there and the picture like what went in (PSNR above 30 dB). It is given the
 * settings of a task, a quality below a cap, where it is one of media/encode/encoder.h's and its
 * driver can do so; else it is told an average rate. A decoder gets a stream that software encoded
 * and must give the same samples as software decoding. The kernel that scales is given small
 * pictures, and must give its reference's bits (kernels/proof.h), for a faulting one would take a
 * worker's encoder along. May hang or crash with the device's driver: for a process of its own with
 * a time limit. Thread: one. */
struct gm_prove_work { /* borrowed */
    const char *api;   /* software nvenc nvdec vaapi qsv; cuda: the kernel ladder */
    const char *codec; /* h264 hevc av1 vp9; of cuda GM_CUDA_LADDER, and of vaapi GM_VA_LADDER, what
                          scales (kernels/kernels.h) */
    uint32_t depth;    /* 8 or 10 */
    bool encode;
    const char *device; /* of gm_hw_open, or a render node; NULL: software */
};

#define GM_PROVE_FRAMES 10
#define GM_PROVE_SIDE_PX 256
#define GM_PROVE_PSNR_CENTI 3000

/* *out_psnr_centi: hundredths of dB against the pattern; of the kernel 0. Errors: MEDIA_VERIFY what
 * came out is wrong; MEDIA, NOMEM, INVAL the device, encoder or decoder did not open or failed; of
 * NVIDIA's devices and VA drivers DEVICE_* and PIPELINE_UNFIT as media/encode/encoder.h and
 * media/device/hw.h say.
 */
int gm_prove_run(const struct gm_prove_work *work, int32_t *out_psnr_centi,
                 struct gm_err *err) GM_MUST_CHECK;
/* Whether the work is GM_VA_LADDER, which is gm_prove_scaler's. */
bool gm_prove_is_scaler(const struct gm_prove_work *work);
/* That a VA driver scales as plans rely on (media/picture/va_proof.h), at a few sizes. out: its
 * bits, as GM_VA_LADDER_DIGITS hex digits of a hash. Errors: as gm_va_ladder_prove, gm_vaapi_open;
 * INVAL. */
#define GM_PROVE_BITS 17
int gm_prove_scaler(const struct gm_prove_work *work, char out[GM_PROVE_BITS],
                    struct gm_err *err) GM_MUST_CHECK;
/* Opens the device of work's api, as each task does, and closes it again. Errors: as above. */
int gm_prove_start(const struct gm_prove_work *work, struct gm_err *err) GM_MUST_CHECK;
/* Of libavcodec and this build: a proof with others is no proof. */
void gm_prove_versions(char *out, size_t size);
/* False: out says why this libavcodec has no encoder of that api for that codec, and which release
 * of FFmpeg brought one: "libavcodec 59.37.100 has no av1_nvenc, ...". */
bool gm_prove_has_encoder(const char *api, const char *codec, char *out, size_t size);
/* The file of the Quick Sync runtime that takes a render node; false: there is none. */
#define GM_PROVE_RUNTIME 20 /* GM_QSV_RUNTIME */
bool gm_prove_qsv_runtime(const char *node, char out[GM_PROVE_RUNTIME]);
/* Whether Quick Sync encodes that on the device of a render node: opened and closed again. There is
 * no other way to ask through libavcodec; its decoders open before they ask the runtime anything.
 */
bool gm_prove_qsv_opens(const char *node, const char *codec, uint32_t depth);

#endif
