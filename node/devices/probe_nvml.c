/* NVML knows GPUs that CUDA does not (gone, kept back), and the driver's version. Own prototypes:
 * no Debian package of the main archive has its header.
 * See: https://docs.nvidia.com/deploy/nvml-api/ */
#include <stdio.h>
#include <string.h>

#include "node/devices/probe.h"

#define NVML_NO_PERMISSION 4
#define NVML_DRIVER_NOT_LOADED 9
#define NVML_GPU_IS_LOST 15
#define NVML_VERSION_MISMATCH 18
#define NVML_UNKNOWN 999

struct pci_info { /* nvmlPciInfo_t */
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};
struct memory_info { /* nvmlMemory_t */
    unsigned long long total, free, used;
};

struct nvml {
    void *library;
    int (*init)(void);
    int (*driver_version)(char *out, unsigned size);
    int (*count)(unsigned *out);
    int (*handle)(unsigned index, void **out);
    int (*name)(void *device, char *out, unsigned size);
    int (*uuid)(void *device, char *out, unsigned size);
    int (*pci)(void *device, struct pci_info *out);
    int (*memory)(void *device, struct memory_info *out);
    const char *(*error)(int code);
};

/* False: it is not there, or lacks something. */
static bool load(struct nvml *n)
{
    memset(n, 0, sizeof(*n));
    n->library = gm_probe_load("libnvidia-ml.so.1");
    if (n->library == NULL) {
        return false;
    }
    const struct gm_probe_symbol rows[] = {
        {&n->init, "nvmlInit_v2", false},
        {&n->driver_version, "nvmlSystemGetDriverVersion", false},
        {&n->count, "nvmlDeviceGetCount_v2", false},
        {&n->handle, "nvmlDeviceGetHandleByIndex_v2", false},
        {&n->name, "nvmlDeviceGetName", false},
        {&n->uuid, "nvmlDeviceGetUUID", false},
        {&n->pci, "nvmlDeviceGetPciInfo_v3", false},
        {&n->memory, "nvmlDeviceGetMemoryInfo", false},
        {&n->error, "nvmlErrorString", false},
    };
    return gm_probe_symbols(n->library, rows, sizeof(rows) / sizeof(rows[0]));
}

static const char *remedy(int code)
{
    switch (code) {
    case NVML_NO_PERMISSION:
        return "let this user open /dev/nvidia*";
    case NVML_DRIVER_NOT_LOADED:
        return "load the kernel module: modprobe nvidia";
    case NVML_GPU_IS_LOST:
        return "it fell off the bus: look for Xid 79 in the kernel log, then restart the machine";
    case NVML_VERSION_MISMATCH:
        return "kernel module and libraries are of different versions: restart the machine after a "
               "driver update";
    case NVML_UNKNOWN:
        return "in a container this comes after `systemctl daemon-reload`: start the container "
               "anew";
    default:
        return "look in the kernel log for NVRM and Xid lines";
    }
}

static int add_device(const struct nvml *n, unsigned index, const char *driver,
                      struct gm_device_list *out, struct gm_err *err)
{
    void *handle = NULL;
    struct pci_info pci;
    struct memory_info memory;
    struct gm_device *d = NULL;
    char id[16];
    char text[128] = "";
    memset(&pci, 0, sizeof(pci));
    memset(&memory, 0, sizeof(memory));
    int code = n->handle(index, &handle);
    code = code == 0 ? n->pci(handle, &pci) : code;
    pci.bus_id[sizeof(pci.bus_id) - 1] = '\0';
    if (code != 0 || !gm_pci_normalize(pci.bus_id, id)) {
        (void)gm_device_add_note(out, NULL, GM_NOTE_ERROR,
                                 "NVML: GPU number %u does not answer: %s: %s", index,
                                 n->error(code), remedy(code));
        return 0;
    }
    int rc = gm_device_get(out, id, GM_DEVICE_NVIDIA, &d, err);
    if (rc < 0) {
        return rc;
    }
    gm_device_set(d->vendor, "NVIDIA");
    gm_device_set(d->driver, driver);
    (void)gm_device_add_feature(d, "nvml");
    if (n->name(handle, text, sizeof(text) - 1) == 0) {
        gm_device_set(d->name, text);
    }
    memset(text, 0, sizeof(text));
    if (n->uuid(handle, text, sizeof(text) - 1) == 0) {
        gm_device_set(d->uuid, text);
    }
    code = n->memory(handle, &memory);
    if (code == 0) {
        d->memory_bytes = memory.total;
    } else {
        (void)gm_device_add_note(out, d, GM_NOTE_WARN, "NVML: GPU %s does not answer: %s: %s", id,
                                 n->error(code), remedy(code));
    }
    return 0;
}

int gm_probe_nvml(const struct gm_probe_params *params, struct gm_device_list *out,
                  struct gm_err *err)
{
    struct nvml n;
    char driver[96] = "";
    unsigned count = 0;
    if (!load(&n)) {
        if (params->expected || n.library != NULL) {
            (void)gm_device_add_note(out, NULL, GM_NOTE_INFO,
                                     "NVML: libnvidia-ml.so.1 is %s: start the container with the "
                                     "`utility` driver capability",
                                     n.library == NULL ? "missing" : "too old");
        }
        return 0;
    }
    int code = n.init();
    code = code == 0 ? n.count(&count) : code;
    if (code != 0) {
        if (params->expected || code != NVML_DRIVER_NOT_LOADED) {
            (void)gm_device_add_note(out, NULL, GM_NOTE_WARN, "NVML does not start: %s: %s",
                                     n.error(code), remedy(code));
        }
        return 0;
    }
    (void)n.driver_version(driver, sizeof(driver) - 1);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < count && i < GM_DEVICES_MAX; i++) {
        rc = add_device(&n, i, driver, out, err);
    }
    return rc;
}
