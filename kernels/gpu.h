#ifndef GM_KERNELS_GPU_H
#define GM_KERNELS_GPU_H

#include "kernels/cuda.h"
#include "kernels/kernels.h"

/* An NVIDIA GPU with our kernels loaded, through the driver API. Uses the device's primary context,
 * as media/device/hw.h does; every call here makes it current and puts back what was.
 *
 * Thread: any for one gm_gpu; a stream by one thread at a time.
 * Errors of all: DEVICE_ABSENT, DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY; DEVICE_LOST: nothing of
 * this gm_gpu works any more, also for calls made before that had not ended (native = CUresult).
 */
struct gm_gpu;        /* opaque */
struct gm_gpu_stream; /* opaque: work in order */

enum gm_gpu_image { GM_GPU_IMAGE_BEST, GM_GPU_IMAGE_PTX, GM_GPU_IMAGE_FATBIN };

struct gm_gpu_facts {
    char name[128];
    char pci[GM_CUDA_PCI_SIZE]; /* as gm_cuda_device_names */
    char uuid[GM_CUDA_UUID_SIZE];
    size_t memory_bytes;
    int cuda_version;        /* of the driver: 12040 is 12.4 */
    int sm;                  /* 90: compute capability 9.0 */
    enum gm_gpu_image image; /* what was loaded; never BEST */
};

/* Opens the device of that PCI address ("0000:3b:00.0", the domain may be left out) or UUID
 * ("GPU-..."), of any case. image BEST: the fatbin where the driver takes it, else PTX. */
int gm_gpu_open(const char *id, enum gm_gpu_image image, struct gm_gpu **out,
                struct gm_err *err) GM_MUST_CHECK;
/* After its streams. */
void gm_gpu_close(struct gm_gpu **gpu);
const struct gm_gpu_facts *gm_gpu_facts(const struct gm_gpu *gpu);

/* Device memory, aligned to 256 bytes. size: above 0. free of 0: nothing. */
int gm_gpu_alloc(struct gm_gpu *gpu, size_t size, gm_addr *out, struct gm_err *err) GM_MUST_CHECK;
void gm_gpu_free(struct gm_gpu *gpu, gm_addr addr);
/* The host's memory, page-locked: copies do not wait for who asks for them. NULL: nothing. */
int gm_gpu_host_alloc(struct gm_gpu *gpu, size_t size, void **out,
                      struct gm_err *err) GM_MUST_CHECK;
void gm_gpu_host_free(struct gm_gpu *gpu, void *memory);

int gm_gpu_stream_create(struct gm_gpu *gpu, struct gm_gpu_stream **out,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_gpu_stream_destroy(struct gm_gpu_stream **stream);
/* Waits until all that was queued is done; its errors show here. */
int gm_gpu_sync(struct gm_gpu_stream *stream, struct gm_err *err) GM_MUST_CHECK;

/* Queued; host memory lives, unchanged, until a sync (pageable memory may be copied at once). */
int gm_gpu_upload(struct gm_gpu_stream *stream, gm_addr to, const void *from, size_t size,
                  struct gm_err *err) GM_MUST_CHECK;
int gm_gpu_copy(struct gm_gpu_stream *stream, const struct gm_cuda_copy_2d *copy,
                struct gm_err *err) GM_MUST_CHECK;
int gm_gpu_download(struct gm_gpu_stream *stream, void *to, gm_addr from, size_t size,
                    struct gm_err *err) GM_MUST_CHECK;
/* Queues a kernel. args: copied before the return. */
int gm_gpu_launch(struct gm_gpu_stream *stream, const struct gm_launch *launch, const void *args,
                  struct gm_err *err) GM_MUST_CHECK;

#endif
