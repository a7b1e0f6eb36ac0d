#ifndef GM_NODE_DEVICES_PROBE_H
#define GM_NODE_DEVICES_PROBE_H

#include "node/devices/device.h"

/* One question to one driver library. Libraries are looked for at run time (dlopen) and may hang or
 * crash: these run in gopmill-probe alone, a process of their own (helper.h). What could not be
 * asked becomes a note, not an error. Thread: one; libraries stay loaded until the process ends. */
struct gm_probe_params { /* borrowed */
    const char *device;  /* PCI address, for those that are about one device; or NULL */
    const char *node;    /* vaapi: "/dev/dri/renderD128" */
    const char *driver;  /* vaapi: LIBVA_DRIVER_NAME; NULL: libva chooses */
    bool expected;       /* the bus has such a device: a missing library is worth a note */
};

/* out: all-zero at first. Errors: NOMEM, LIMIT. */
typedef int (*gm_probe_fn)(const struct gm_probe_params *params, struct gm_device_list *out,
                           struct gm_err *err);

int gm_probe_nvml(const struct gm_probe_params *params, struct gm_device_list *out,
                  struct gm_err *err) GM_MUST_CHECK; /* NVIDIA's management library: all GPUs */
int gm_probe_cuda(const struct gm_probe_params *params, struct gm_device_list *out,
                  struct gm_err *err) GM_MUST_CHECK; /* all GPUs that CUDA sees */
int gm_probe_nvdec(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err) GM_MUST_CHECK; /* one GPU's decoder */
/* One GPU's encoder. Takes one of its sessions for a moment: there is no other way to ask. */
int gm_probe_nvenc(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err) GM_MUST_CHECK;
int gm_probe_drm(const struct gm_probe_params *params, struct gm_device_list *out,
                 struct gm_err *err) GM_MUST_CHECK; /* all DRM devices, by libdrm */
int gm_probe_vaapi(const struct gm_probe_params *params, struct gm_device_list *out,
                   struct gm_err *err) GM_MUST_CHECK; /* one render node with one VA driver */

/* A library by its name, loaded until the process ends; NULL: it is missing. */
void *gm_probe_load(const char *library);
struct gm_probe_symbol {
    void *to; /* a pointer to a function, set to what was found */
    const char *name;
    bool optional; /* where it lacks, NULL is put there */
};
/* False: one that is no optional one lacks; those before it are set. */
bool gm_probe_symbols(void *library, const struct gm_probe_symbol *rows, size_t count);
/* By the name that gopmill-probe takes: "nvml"; NULL: unknown. */
gm_probe_fn gm_probe_find(const char *name);

/* --- cuda_api.c: the few functions of libcuda.so.1 that probing needs. */
struct gm_cuda_api {
    int (*init)(unsigned flags);
    int (*driver_version)(int *out); /* NULL: an old driver */
    int (*device_count)(int *out);
    int (*device_get)(int *out, int ordinal);
    int (*device_name)(char *out, int size, int device);
    int (*device_pci)(char *out, int size, int device);
    int (*device_memory)(size_t *out, int device);
    int (*device_attribute)(int *out, int attribute, int device);
    int (*device_uuid)(void *out16, int device); /* NULL: an old driver */
    int (*context_create)(void **out, unsigned flags, int device);
    int (*context_destroy)(void *context);
    int (*error_name)(int code, const char **out); /* NULL: an old driver */
};
/* NULL: done; else a static sentence of what is wrong: the library is missing (missing set), or too
 * old. */
const char *gm_cuda_load(struct gm_cuda_api *api, bool *out_missing);
#define GM_CUDA_NO_DEVICE 100 /* CUDA_ERROR_NO_DEVICE of cuda.h */
#define GM_CUDA_STUB 34       /* CUDA_ERROR_STUB_LIBRARY: the toolkit's, to link against */
/* The name of an error, "CUDA_ERROR_NO_DEVICE"; static or the library's. */
const char *gm_cuda_error(const struct gm_cuda_api *api, int code);
/* CUDA's device of that PCI address; -1: it has none (native error in *out_code, 0 where CUDA works
 * and does not see it). Calls init. */
int gm_cuda_find(const struct gm_cuda_api *api, const char *pci, int *out_code);
/* A context on the device of that PCI address; *out: api->context_destroy. 0, or the native error;
 * GM_CUDA_NO_DEVICE where CUDA works and does not see it. */
int gm_cuda_enter(const struct gm_cuda_api *api, const char *pci, void **out);
/* Whether that api of a proof works through CUDA. Pure. */
bool gm_probe_is_nvidia(const char *api);
/* How libavutil calls the device through which `api` works ("nvenc", "vaapi"): CUDA's number, which
 * goes to `number`, or node, which may be NULL. *out_name is one of the two.
 * Errors: DEVICE_ABSENT CUDA does not work or does not see it. */
int gm_probe_av_name(const char *api, const char *pci, const char *node, char number[16],
                     const char **out_name, struct gm_err *err) GM_MUST_CHECK;

#endif
