#ifndef GM_MEDIA_DEVICE_HW_H
#define GM_MEDIA_DEVICE_HW_H

#include <libavutil/buffer.h>

#include "common/err.h"
#include "kernels/cuda.h"

/* An NVIDIA GPU as libavcodec's NVENC and NVDEC take it: an AVHWDeviceContext over the device's
 * primary context, which all that a process opens on the device shares. What fails is said by the
 * driver's own answers, since libavutil's error numbers do not tell causes apart.
 *
 * Thread: any. Errors of all: DEVICE_ABSENT (no driver library, no such device), DEVICE_DRIVER,
 * DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST (native = CUresult). */

/* id: CUDA's number, a PCI address ("0000:3b:00.0", the domain may be left out) or a UUID
 * ("GPU-..."), of any case; NULL or "": the first device that the process sees.
 * *out: owned: av_buffer_unref. The context lives until the last reference goes: who opens often
 * keeps one. Errors: NOMEM besides. */
int gm_hw_open(const char *id, AVBufferRef **out, struct gm_err *err) GM_MUST_CHECK;
/* Waits for all that this process has queued on the device: 0 when it answers without an error.
 * device: of gm_hw_open. */
int gm_hw_check(const AVBufferRef *device, struct gm_err *err) GM_MUST_CHECK;
/* Memory that the device has left. */
int gm_hw_free_bytes(const AVBufferRef *device, uint64_t *out, struct gm_err *err) GM_MUST_CHECK;
/* Why a library's work on the device failed, whose error numbers do not tell causes apart: the
 * device is asked. what: a clause that begins a sentence. averror: as it was given; ENOMEM is the
 * device's memory. need_bytes: with less of its memory left, that is why. otherwise: the code for a
 * device that answers and has room. Always an error; DEVICE_LOST: it does not answer. */
struct gm_hw_failure {
    const char *what;
    int averror;
    uint64_t need_bytes;
    enum gm_code otherwise;
};
int gm_hw_explain(const AVBufferRef *device, const struct gm_hw_failure *failure,
                  struct gm_err *err) GM_MUST_CHECK;
/* Copies, one after the other; when it returns they are done. libavutil's own way reports no
 * failure of them. */
int gm_hw_copy(const AVBufferRef *device, const struct gm_cuda_copy_2d *copies, size_t count,
               struct gm_err *err) GM_MUST_CHECK;
/* Its UUID, as gm_gpu_open takes it. */
int gm_hw_uuid(const AVBufferRef *device, char out[GM_CUDA_UUID_SIZE],
               struct gm_err *err) GM_MUST_CHECK;
#define GM_HW_LABEL_SIZE 128
/* "0000:3b:00.0 NVIDIA L4": its address, and its name as the driver tells it; "" where the driver
 * tells neither. */
void gm_hw_label(const AVBufferRef *device, char out[GM_HW_LABEL_SIZE]);
/* The CUcontext; borrowed. */
void *gm_hw_context(const AVBufferRef *device);
/* Of the driver: 12040 is CUDA 12.4; 0: not told. */
int gm_hw_cuda_version(const AVBufferRef *device);

#endif
