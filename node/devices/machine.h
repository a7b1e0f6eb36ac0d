#ifndef GM_NODE_DEVICES_MACHINE_H
#define GM_NODE_DEVICES_MACHINE_H

#include <sys/types.h>

#include "node/devices/device.h"

/* What the kernel's files tell, without asking any driver: PCI display devices, render nodes, who
 * may open them, which VA drivers are installed, the processor. Thread: any. */

/* Who asks for the render nodes. */
struct gm_machine_user {
    uid_t uid;
    const gid_t *groups; /* borrowed; effective group first */
    size_t group_count;
};

#define GM_VA_DRIVERS 2 /* of one vendor, at most */
/* A DRM device beside its struct gm_device: what is needed to probe it. */
struct gm_machine_drm {
    char id[64];
    char node[64];                   /* "/dev/dri/renderD128" */
    char drivers[GM_VA_DRIVERS][24]; /* VA drivers that may fit, best first: "iHD" */
    size_t driver_count;
    bool usable; /* the user may open the node */
    bool intel;
};
struct gm_machine {
    struct gm_machine_drm drm[GM_DEVICES_MAX];
    size_t drm_count;
    bool has_nvidia; /* a display device of NVIDIA is on the bus */
};

/* root: put before "/sys/bus/pci/devices", "/sys/class/drm", "/dev", "/etc/group", "/usr/lib/...":
 * "" for this machine. user: NULL: this process. Devices and notes are added to list.
 * Folders that are missing hold nothing. Errors: NOMEM, LIMIT, SYS (a group list that can't be
 * had, a folder that can't be read to its end). */
int gm_machine_scan(const char *root, const struct gm_machine_user *user,
                    struct gm_device_list *list, struct gm_machine *out,
                    struct gm_err *err) GM_MUST_CHECK;

/* Whether the VA driver of that name, "iHD", is installed below root: where distributions have them
 * and, for root "", in the folders of LIBVA_DRIVERS_PATH. */
bool gm_machine_has_va_driver(const char *root, const char *name);

/* Threads of root's /proc/cpuinfo, at least 1: a fixture's in place of our affinity. */
uint32_t gm_machine_threads(const char *root);

/* The processor: name and vector extensions of root's /proc/cpuinfo, what the software encoders
 * and decoders take. cpu_milli, memory_bytes: what the process may use (node/capacity.h). */
int gm_machine_cpu(const char *root, uint32_t cpu_milli, uint64_t memory_bytes,
                   struct gm_device_list *list, struct gm_err *err) GM_MUST_CHECK;

#endif
