/* CUDA's devices for libavcodec; see hw.h. libavutil is given a context rather than asked to make
 * one: its own way refuses a primary context that others made with other flags. */
#include "media/device/hw.h"

#include <stdlib.h>
#include <string.h>

#include <ffnvcodec/dynlink_cuda.h> /* hwcontext_cuda.h wants cuda.h otherwise */

#include <libavutil/hwcontext_cuda.h>

#include "kernels/cuda.h"
#include "media/av.h"
#include "media/device/hw_device.h"

/* What the AVHWDeviceContext owns. */
struct hold {
    struct gm_cuda cuda;
    int device;
    void *context; /* the primary one, retained */
    void *copies;  /* owned: a stream for ours, which do not wait for libavcodec's encoders */
};

static void stop(void *hold)
{
    struct hold *h = hold;
    void *old = NULL;
    if (h->copies != NULL && h->cuda.push(h->context) == 0) {
        (void)h->cuda.stream_destroy(h->copies);
        (void)h->cuda.pop(&old); /* a context that was pushed can be popped */
    }
    if (h->context != NULL) {
        (void)h->cuda.primary_release(h->device); /* of a lost device: nothing left to free */
    }
    gm_cuda_close(&h->cuda);
}

static void fill(void *hwctx, const void *hold)
{
    AVCUDADeviceContext *cuda = hwctx;
    cuda->cuda_ctx = ((const struct hold *)hold)->context;
    /* stream stays the default one: libavcodec's *_cuvid copy there behind the decoder's work */
}

static const struct hold *hold_of(const AVBufferRef *device)
{
    return gm_hw_device_hold(device);
}

static bool is_number(const char *s)
{
    return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0' && strlen(s) < 5;
}

static int is_named(const struct gm_cuda *c, int device, const char *id, bool *out,
                    struct gm_err *err)
{
    char pci[GM_CUDA_PCI_SIZE];
    char uuid[GM_CUDA_UUID_SIZE];
    int rc = gm_cuda_device_names(c, device, pci, uuid, err);
    if (rc == 0) {
        *out = gm_cuda_is_named(pci, uuid, id);
    }
    return rc;
}

static int find(struct hold *h, const char *id, struct gm_err *err)
{
    const struct gm_cuda *c = &h->cuda;
    bool any = id == NULL || id[0] == '\0';
    bool number = !any && is_number(id);
    long wanted = number ? strtol(id, NULL, 10) : 0;
    int count = 0;
    int rc = gm_cuda_check(c, c->init(0), "cuInit", err);
    if (rc == 0) {
        rc = gm_cuda_check(c, c->device_count(&count), "cuDeviceGetCount", err);
    }
    for (int i = 0; rc == 0 && i < count; i++) {
        bool found = any || (number && i == wanted);
        rc = gm_cuda_check(c, c->device_get(&h->device, i), "cuDeviceGet", err);
        if (rc == 0 && !any && !number) {
            rc = is_named(c, h->device, id, &found, err);
        }
        if (rc == 0 && found) {
            return 0;
        }
    }
    return rc < 0 ? rc
                  : gm_err_set(err, GM_E_DEVICE_ABSENT, 0, "The driver shows no GPU %s among %d",
                               any ? "" : id, count);
}

static int make_stream(struct hold *h, struct gm_err *err)
{
    const struct gm_cuda *c = &h->cuda;
    void *old = NULL;
    int rc = gm_cuda_check(c, c->push(h->context), "cuCtxPushCurrent", err);
    if (rc < 0) {
        return rc;
    }
    rc =
        gm_cuda_check(c, c->stream_create(&h->copies, GM_CUDA_NON_BLOCKING), "cuStreamCreate", err);
    (void)c->pop(&old); /* a context that was pushed can be popped */
    return rc;
}

static int start(void *hold, const char *id, struct gm_err *err)
{
    struct hold *h = hold;
    int rc = gm_cuda_open(&h->cuda, err);
    if (rc == 0) {
        rc = find(h, id, err);
    }
    if (rc == 0) {
        /* By default a wait spins, a core for each run. Another's context keeps its flags. */
        (void)h->cuda.primary_flags(h->device, GM_CUDA_BLOCKING_SYNC);
        rc = gm_cuda_check(&h->cuda, h->cuda.primary_retain(&h->context, h->device),
                           "cuDevicePrimaryCtxRetain", err);
        h->context = rc == 0 ? h->context : NULL;
    }
    return rc == 0 ? make_stream(h, err) : rc;
}

static const struct gm_hw_device_kind CUDA = {.type = AV_HWDEVICE_TYPE_CUDA,
                                              .hold_bytes = sizeof(struct hold),
                                              .start = start,
                                              .stop = stop,
                                              .fill = fill,
                                              .refused = "the driver lacks functions"};

int gm_hw_open(const char *id, AVBufferRef **out, struct gm_err *err)
{
    return gm_hw_device_open(&CUDA, id, out, err);
}

int gm_hw_check(const AVBufferRef *device, struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    void *old = NULL;
    int rc = gm_cuda_check(&h->cuda, h->cuda.push(h->context), "cuCtxPushCurrent", err);
    if (rc == 0) {
        rc = gm_cuda_check(&h->cuda, h->cuda.context_sync(), "cuCtxSynchronize", err);
        (void)h->cuda.pop(&old); /* a context that was pushed can be popped */
    }
    return rc;
}

int gm_hw_free_bytes(const AVBufferRef *device, uint64_t *out, struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    void *old = NULL;
    size_t left = 0;
    size_t total = 0;
    int rc = gm_cuda_check(&h->cuda, h->cuda.push(h->context), "cuCtxPushCurrent", err);
    if (rc == 0) {
        rc = gm_cuda_check(&h->cuda, h->cuda.memory_info(&left, &total), "cuMemGetInfo", err);
        (void)h->cuda.pop(&old);
    }
    if (rc == 0) {
        *out = left;
    }
    return rc;
}

int gm_hw_explain(const AVBufferRef *device, const struct gm_hw_failure *f, struct gm_err *err)
{
    struct gm_err cause;
    uint64_t left = 0;
    if (gm_hw_check(device, &cause) < 0 || gm_hw_free_bytes(device, &left, &cause) < 0) {
        return gm_err_set(err, GM_E_DEVICE_LOST, cause.native, "%s: the GPU was lost: %.120s",
                          f->what, cause.text);
    }
    if (f->averror == AVERROR(ENOMEM) || left < f->need_bytes) {
        return gm_err_set(err, GM_E_DEVICE_MEMORY, f->averror,
                          "%s: the GPU has %llu MiB of memory left: %s", f->what,
                          (unsigned long long)left >> 20, av_err2str(f->averror));
    }
    return gm_err_set(err, f->otherwise, f->averror, "%s, though the GPU answers: %s", f->what,
                      av_err2str(f->averror));
}

int gm_hw_copy(const AVBufferRef *device, const struct gm_cuda_copy_2d *copies, size_t count,
               struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    const struct gm_cuda *c = &h->cuda;
    void *old = NULL;
    int rc = gm_cuda_check(c, c->push(h->context), "cuCtxPushCurrent", err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = gm_cuda_check(c, c->copy_2d(&copies[i], h->copies), "cuMemcpy2DAsync", err);
    }
    if (rc == 0) {
        rc = gm_cuda_check(c, c->stream_sync(h->copies), "cuStreamSynchronize", err);
    }
    (void)c->pop(&old); /* a context that was pushed can be popped */
    return rc;
}

int gm_hw_uuid(const AVBufferRef *device, char out[GM_CUDA_UUID_SIZE], struct gm_err *err)
{
    const struct hold *h = hold_of(device);
    char pci[GM_CUDA_PCI_SIZE];
    return gm_cuda_device_names(&h->cuda, h->device, pci, out, err);
}

void gm_hw_label(const AVBufferRef *device, char out[GM_HW_LABEL_SIZE])
{
    char pci[GM_CUDA_PCI_SIZE], uuid[GM_CUDA_UUID_SIZE], name[GM_HW_LABEL_SIZE] = "";
    out[0] = '\0';
    const struct hold *h = hold_of(device);
    struct gm_err err;
    if (gm_cuda_device_names(&h->cuda, h->device, pci, uuid, &err) == 0 &&
        h->cuda.device_name(name, GM_HW_LABEL_SIZE - 1, h->device) == 0) {
        (void)snprintf(out, GM_HW_LABEL_SIZE, "%s %.80s", pci, name);
    }
}

void *gm_hw_context(const AVBufferRef *device)
{
    return hold_of(device)->context;
}

int gm_hw_cuda_version(const AVBufferRef *device)
{
    int version = 0;
    return hold_of(device)->cuda.driver_version(&version) == 0 ? version : 0;
}
