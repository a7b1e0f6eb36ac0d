#ifndef GM_KERNELS_GPU_STATE_H
#define GM_KERNELS_GPU_STATE_H

#include "kernels/cuda.h"
#include "kernels/gpu.h"

/* Between gpu.c, gpu_work.c and tests/bench. */
struct gm_gpu {
    struct gm_cuda cuda;
    struct gm_gpu_facts facts;
    int device;
    void *context;               /* retained */
    void *module;                /* owned */
    void *functions[GM_KERNELS]; /* of the module */
};

struct gm_gpu_stream {
    struct gm_gpu *gpu; /* borrowed */
    void *handle;       /* owned */
};

/* The device's context is current between the two. */
int gm_gpu_push(struct gm_gpu *g, struct gm_err *err) GM_MUST_CHECK;
void gm_gpu_pop(struct gm_gpu *g);

#endif
