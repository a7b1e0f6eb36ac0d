/* What the files of the fake libcuda.so.1 share, and what it offers to the fake encoder and
 * decoder.
 *
 * Device memory is shared memory mapped twice: the address given out can't be touched by the host
 * (a use of it ends with SIGSEGV, as on a machine with a GPU), the fake works through the other
 * one. Asynchronous copies and launches are queued (fake_cuda_queue.c) and done where somebody
 * waits for their stream, one of its events (what was queued before it), or all; what they copy out
 * of the host's memory is taken at the call, what they copy there is spoilt until then. Faults show
 * at the call; those of `copied` when the copy is done.
 *
 * See: CUDA driver API, https://docs.nvidia.com/cuda/cuda-driver-api/ */
#ifndef GM_TESTS_DRIVERS_FAKE_CUDA_H
#define GM_TESTS_DRIVERS_FAKE_CUDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ffnvcodec/dynlink_cuda.h>

#include "fake.h"

#define EXPORT __attribute__((visibility("default")))

/* Results that dynlink_cuda.h leaves out. Source: the driver API's enum cudaError_enum. */
#define FAKE_CU_INVALID_VALUE ((CUresult)1)
#define FAKE_CU_OUT_OF_MEMORY ((CUresult)2)
#define FAKE_CU_NOT_INITIALIZED ((CUresult)3)
#define FAKE_CU_NO_DEVICE ((CUresult)100)
#define FAKE_CU_INVALID_DEVICE ((CUresult)101)
#define FAKE_CU_INVALID_IMAGE ((CUresult)200)
#define FAKE_CU_INVALID_CONTEXT ((CUresult)201)
#define FAKE_CU_NO_BINARY ((CUresult)209)
#define FAKE_CU_UNSUPPORTED_PTX ((CUresult)222)
#define FAKE_CU_OPERATING_SYSTEM ((CUresult)304)
#define FAKE_CU_INVALID_HANDLE ((CUresult)400)
#define FAKE_CU_NOT_FOUND ((CUresult)500)
#define FAKE_CU_ILLEGAL_ADDRESS ((CUresult)700)
#define FAKE_CU_LAUNCH_FAILED ((CUresult)719)
#define FAKE_CU_NOT_SUPPORTED ((CUresult)801)
#define FAKE_CU_STUB ((CUresult)34)
#define FAKE_CU_MISMATCH ((CUresult)803)

#define FAKE_CONTEXT_MAGIC 0x63747866u

struct CUctx_st {
    uint32_t magic;
    char pci[16];
    int ordinal;
    unsigned lost_count; /* the device's when the context was made: a lost one stays useless */
    bool primary;
};

/* What the first cuInit asks of the system; under cuInit's lock. OPERATING_SYSTEM: refused. */
CUresult fake_cuda_start(void);

/* How many devices this process sees; -1 before cuInit. */
int fake_cuda_device_count(void);
/* The GPU of an ordinal. */
CUresult fake_cuda_device(CUdevice device, const struct fake_gpu **out);

/* The current context of this thread, checked. FAKE_CU_INVALID_CONTEXT: there is none;
 * CUDA_ERROR_UNKNOWN: its device has been lost. */
CUresult fake_cuda_current(struct CUctx_st **out);

/* The host's way to size bytes at a device address; NULL when they are not all inside one
 * allocation. */
EXPORT void *fake_cuda_host(CUdeviceptr address, size_t size);

/* Device memory for the decoder's surfaces; 0 when there is none left. Freed by cuMemFree_v2. */
EXPORT CUdeviceptr fake_cuda_alloc(struct CUctx_st *context, size_t size);

/* As fake_fault_at and its like, for the libraries that stand on this one: one state a process. */
EXPORT enum fake_action fake_cuda_fault(enum fake_point point, const char *pci, int64_t number);
EXPORT const struct fake_profile *fake_cuda_profile(void);
EXPORT const struct fake_gpu *fake_cuda_gpu(const struct CUctx_st *context);
/* As fake_cuda_current, for a context that a caller names. */
EXPORT CUresult fake_cuda_context_state(const struct CUctx_st *context);
EXPORT int fake_cuda_slot_take(const char *pci);
EXPORT void fake_cuda_slot_release(int slot);

EXPORT CUresult cuCtxGetCurrent(CUcontext *context);
EXPORT tcuMemFree_v2 cuMemFree_v2;

/* Work of a queue: a stream that does not wait for the default one, or NULL, all others. arg:
 * owned, free(). A drain does what waits there, and gives its first error; of a lost device it is
 * thrown away. Thread: any. */
typedef CUresult (*fake_work_fn)(void *arg);
CUresult fake_queue_add(const void *queue, fake_work_fn run, void *arg);
CUresult fake_queue_drain(const void *queue);
/* The last that was queued anywhere; what of a queue came no later than that. */
uint64_t fake_queue_mark(void);
CUresult fake_queue_drain_to(const void *queue, uint64_t mark);
CUresult fake_queue_drain_all(void);
/* The queue of a stream. */
const void *fake_stream_queue(CUstream stream);
/* Waits for the stream's work, as the encoder does that reads behind it. */
EXPORT CUresult fake_cuda_wait(CUstream stream);
/* Gives a surface of the decoder back, waiting for nothing. */
EXPORT CUresult fake_cuda_release(CUdeviceptr address);

/* What an action means to a CUDA call. */
EXPORT CUresult fake_cuda_result(enum fake_action action);

/* While kernels run on the CPU they work at the addresses given out: opens and closes them. */
void fake_cuda_open_memory(void);
void fake_cuda_close_memory(void);

#endif
