/* DRM devices by libdrm: what the kernel's driver calls itself, and which render nodes it will
 * really open for us. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>

#include "node/devices/probe.h"

struct drm {
    int (*get_devices)(uint32_t flags, drmDevicePtr devices[], int max);
    void (*free_devices)(drmDevicePtr devices[], int count);
    drmVersionPtr (*get_version)(int fd);
    void (*free_version)(drmVersionPtr version);
};

static bool load(struct drm *drm)
{
    void *library = gm_probe_load("libdrm.so.2");
    if (library == NULL) {
        return false;
    }
    const struct gm_probe_symbol rows[] = {{&drm->get_devices, "drmGetDevices2", false},
                                           {&drm->free_devices, "drmFreeDevices", false},
                                           {&drm->get_version, "drmGetVersion", false},
                                           {&drm->free_version, "drmFreeVersion", false}};
    return gm_probe_symbols(library, rows, sizeof(rows) / sizeof(rows[0]));
}

static void open_node(const struct drm *drm, struct gm_device_list *out, struct gm_device *d)
{
    int fd = open(d->render_node, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == EPERM) { /* the mode allows it (that is EACCES), a cgroup does not */
        (void)gm_device_add_note(out, d, GM_NOTE_WARN,
                                 "DRM: this container's cgroup forbids %s: give it the device "
                                 "(docker: --device %s)",
                                 d->render_node, d->render_node);
    }
    drmVersionPtr version = fd < 0 ? NULL : drm->get_version(fd);
    if (version != NULL) {
        gm_device_set(d->kernel_driver, version->name);
        drm->free_version(version);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int add_device(const struct drm *drm, const drmDevice *device, struct gm_device_list *out,
                      struct gm_err *err)
{
    char id[16];
    char text[32];
    struct gm_device *d = NULL;
    if ((device->available_nodes & (1 << DRM_NODE_RENDER)) == 0 || device->bustype != DRM_BUS_PCI) {
        return 0; /* those of other buses are known by the kernel's files alone */
    }
    const drmPciBusInfo *bus = device->businfo.pci;
    (void)snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", bus->domain, bus->bus, bus->dev,
                   bus->func & 7u);
    if (!gm_pci_normalize(text, id)) {
        return 0;
    }
    bool nvidia = device->deviceinfo.pci->vendor_id == 0x10de;
    int rc = gm_device_get(out, id, nvidia ? GM_DEVICE_NVIDIA : GM_DEVICE_DRM, &d, err);
    if (rc == 0) {
        gm_device_set(d->render_node, device->nodes[DRM_NODE_RENDER]);
        open_node(drm, out, d);
    }
    return rc;
}

int gm_probe_drm(const struct gm_probe_params *params, struct gm_device_list *out,
                 struct gm_err *err)
{
    struct drm drm;
    drmDevicePtr devices[GM_DEVICES_MAX];
    if (!load(&drm)) {
        if (params->expected) {
            (void)gm_device_add_note(out, NULL, GM_NOTE_WARN,
                                     "DRM: libdrm.so.2 is missing: install the package libdrm2");
        }
        return 0;
    }
    memset(devices, 0, sizeof(devices));
    int count = drm.get_devices(0, devices, GM_DEVICES_MAX); /* all, also those without room */
    count = count < GM_DEVICES_MAX ? count : GM_DEVICES_MAX;
    int rc = 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        rc = add_device(&drm, devices[i], out, err);
    }
    if (count > 0) {
        drm.free_devices(devices, count);
    }
    return rc;
}
