#ifndef GM_NODE_DEVICES_DETECT_H
#define GM_NODE_DEVICES_DETECT_H

#include "node/devices/machine.h"

/* The whole of detection: the kernel's files here, each driver library in a process of its own.
 * What hangs costs its time limit and its own result, and is named in a note. Thread: one, and no
 * other may wait for children; blocks for seconds at worst. */
struct gm_detect_params { /* borrowed */
    const char *root;     /* fixture tree in place of this machine's files: then no library is
                             asked, only looked for below root; NULL or "": this machine */
    const char *probe;    /* path of gopmill-probe; NULL: no library is asked */
    const char *prove;    /* path of gopmill-prove, which asks Quick Sync; NULL: it is not asked */
    const struct gm_machine_user *user; /* NULL: this process */
    uint32_t cpu_milli;                 /* what the process may use: node/capacity.h */
    uint64_t memory_bytes;
    uint32_t limit_ms; /* of one probe; 0: as limits.h has it */
    const int *stop;   /* set by another thread: give up; NULL: nobody does */
};

/* *out must be zeroed; fini in any case. Sorted; every device has been concluded about.
 * Errors: NOMEM, LIMIT, SYS; CANCELLED *out has what was found before, sorted. */
int gm_detect(const struct gm_detect_params *params, struct gm_device_list *out,
              struct gm_err *err) GM_MUST_CHECK;

/* Says what helps where a probe that starts NVIDIA's driver took GM_LIMIT_PROBE_MS or more; killed:
 * it did not end within that. Of a list without a GPU that this driver drives it says nothing. */
void gm_detect_note_slow(struct gm_device_list *list, uint32_t took_ms, bool killed);

/* --- machine_nvidia.c */
/* What NVIDIA's kernel driver tells by root's /proc/driver/nvidia: names, UUIDs, its version, GPUs
 * that have gone from the bus. libraries: look for the driver's libraries below root too (a
 * fixture; on this machine the probes try them). */
int gm_machine_nvidia(const char *root, bool libraries, struct gm_device_list *list,
                      struct gm_machine *machine, struct gm_err *err) GM_MUST_CHECK;
/* The library of the device's decoder (encode: encoder) is missing: its state, and a note. */
void gm_nvidia_missing(struct gm_device_list *list, struct gm_device *device, bool encode);
#define GM_NVDEC_LIBRARY "libnvcuvid.so.1"
#define GM_NVENC_LIBRARY "libnvidia-encode.so.1"

#endif
