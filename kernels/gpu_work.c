/* Memory, streams and launches. Each call: context pushed, one call of the driver, popped.
 */
#include <stdlib.h>

#include "kernels/gpu_state.h"

/* rc of `call` with the context current. */
#define WITH(g, rc, call, name, err)                                                               \
    do {                                                                                           \
        (rc) = gm_gpu_push((g), (err));                                                            \
        if ((rc) == 0) {                                                                           \
            (rc) = gm_cuda_check(&(g)->cuda, (g)->cuda.call, (name), (err));                       \
            gm_gpu_pop(g);                                                                         \
        }                                                                                          \
    } while (0)

int gm_gpu_alloc(struct gm_gpu *g, size_t size, gm_addr *out, struct gm_err *err)
{
    int rc = 0;
    uint64_t addr = 0;
    WITH(g, rc, alloc(&addr, size), "cuMemAlloc", err);
    if (rc == 0) {
        *out = addr;
    }
    return rc;
}

void gm_gpu_free(struct gm_gpu *g, gm_addr addr)
{
    if (addr != 0) {
        int rc = 0;
        WITH(g, rc, release(addr), "cuMemFree", NULL);
        (void)rc; /* of a lost device: nothing left to free */
    }
}

int gm_gpu_host_alloc(struct gm_gpu *g, size_t size, void **out, struct gm_err *err)
{
    int rc = 0;
    void *memory = NULL;
    WITH(g, rc, host_alloc(&memory, size, 0), "cuMemHostAlloc", err);
    if (rc == 0) {
        *out = memory;
    }
    return rc;
}

void gm_gpu_host_free(struct gm_gpu *g, void *memory)
{
    if (memory != NULL) {
        int rc = 0;
        WITH(g, rc, host_release(memory), "cuMemFreeHost", NULL);
        (void)rc; /* of a lost device: it goes with its context */
    }
}

int gm_gpu_stream_create(struct gm_gpu *g, struct gm_gpu_stream **out, struct gm_err *err)
{
    struct gm_gpu_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    s->gpu = g;
    WITH(g, rc, stream_create(&s->handle, GM_CUDA_NON_BLOCKING), "cuStreamCreate", err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void gm_gpu_stream_destroy(struct gm_gpu_stream **stream)
{
    struct gm_gpu_stream *s = *stream;
    if (s != NULL) {
        int rc = 0;
        WITH(s->gpu, rc, stream_destroy(s->handle), "cuStreamDestroy", NULL);
        (void)rc;
        free(s);
        *stream = NULL;
    }
}

int gm_gpu_sync(struct gm_gpu_stream *s, struct gm_err *err)
{
    int rc = 0;
    WITH(s->gpu, rc, stream_sync(s->handle), "cuStreamSynchronize", err);
    return rc;
}

int gm_gpu_upload(struct gm_gpu_stream *s, gm_addr to, const void *from, size_t size,
                  struct gm_err *err)
{
    int rc = 0;
    WITH(s->gpu, rc, upload(to, from, size, s->handle), "cuMemcpyHtoDAsync", err);
    return rc;
}

int gm_gpu_copy(struct gm_gpu_stream *s, const struct gm_cuda_copy_2d *copy, struct gm_err *err)
{
    int rc = 0;
    WITH(s->gpu, rc, copy_2d(copy, s->handle), "cuMemcpy2DAsync", err);
    return rc;
}

int gm_gpu_download(struct gm_gpu_stream *s, void *to, gm_addr from, size_t size,
                    struct gm_err *err)
{
    int rc = 0;
    WITH(s->gpu, rc, download(to, from, size, s->handle), "cuMemcpyDtoHAsync", err);
    return rc;
}

int gm_gpu_launch(struct gm_gpu_stream *s, const struct gm_launch *l, const void *args,
                  struct gm_err *err)
{
    if ((unsigned)l->kernel >= GM_KERNELS || l->shared_bytes > GM_SHARED_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "There is no kernel %d with %u bytes of shared memory", (int)l->kernel,
                          l->shared_bytes);
    }
    int rc = 0;
    void *parameters[] = {(void *)(uintptr_t)args};
    WITH(s->gpu, rc,
         launch(s->gpu->functions[l->kernel], l->grid_x, l->grid_y, 1, l->threads, 1, 1,
                l->shared_bytes, s->handle, parameters, NULL),
         gm_kernel_entry(l->kernel), err);
    return rc;
}
