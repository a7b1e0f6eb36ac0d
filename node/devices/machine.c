/* Display devices by the kernel's files:
 * /sys/bus/pci/devices/<address>/{class,vendor,device,driver, drm/renderD*}, and render nodes of
 * other buses by /sys/class/drm. Nothing is opened that belongs to a driver. See: Linux
 * Documentation/ABI/testing/sysfs-bus-pci, drm-uapi (render nodes). */
#include "node/devices/machine.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define DRM_CLASS "/sys/class/drm"
#define VENDOR_NVIDIA 0x10de
#define VENDOR_INTEL 0x8086
#define VENDOR_AMD 0x1002

struct scan {
    const char *root;
    const struct gm_machine_user *user;
    struct gm_device_list *list;
    struct gm_machine *out;
};

static const struct vendor {
    unsigned id;
    const char *name;
    const char *va[GM_VA_DRIVERS]; /* best first; NULL: no more */
    const char *package;           /* of Debian, with them */
} VENDORS[] = {
    {VENDOR_NVIDIA, "NVIDIA", {NULL, NULL}, NULL}, /* its own libraries drive it */
    {VENDOR_INTEL, "Intel", {"iHD", "i965"}, "intel-media-va-driver"},
    {VENDOR_AMD, "AMD", {"radeonsi", "r600"}, "mesa-va-drivers"},
    {0x1af4, "virtio", {"virtio_gpu", NULL}, "mesa-va-drivers"},
    {0x15ad, "VMware", {NULL, NULL}, NULL},
    {0x1234, "QEMU", {NULL, NULL}, NULL},
    {0x1a03, "ASPEED", {NULL, NULL}, NULL},
    {0x102b, "Matrox", {NULL, NULL}, NULL},
};

static const struct vendor *find_vendor(unsigned id)
{
    for (size_t i = 0; i < sizeof(VENDORS) / sizeof(VENDORS[0]); i++) {
        if (VENDORS[i].id == id) {
            return &VENDORS[i];
        }
    }
    return NULL;
}

/* A number that a small file holds, "0x030200"; 0: none. */
static unsigned read_number(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_err ignored;
    unsigned value = 0;
    if (gm_fs_path(path, sizeof(path), &ignored, "%s/%s", folder, name) == 0 &&
        gm_fs_read(path, 4096, &data, &size, &ignored) == 0) {
        value = (unsigned)strtoul((char *)data, NULL, 16);
    }
    free(data);
    return value;
}

/* Last part of where a link leads; "" where there is none. */
static void read_link_name(const char *folder, const char *name, char *out, size_t size)
{
    char path[4096];
    char target[4096];
    struct gm_err ignored;
    out[0] = '\0';
    if (gm_fs_path(path, sizeof(path), &ignored, "%s/%s", folder, name) < 0) {
        return;
    }
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n > 0) {
        target[n] = '\0';
        const char *slash = strrchr(target, '/');
        gm_ascii_copy(out, size, slash == NULL ? target : slash + 1);
    }
}

static bool is_render_name(const char *name)
{
    return strncmp(name, "renderD", 7) == 0 && strspn(name + 7, "0123456789") == strlen(name + 7) &&
           name[7] != '\0' && strlen(name) < 16;
}

/* The name of a group in root's /etc/group; its number where it has none. */
static void group_name(const char *root, gid_t gid, char *out, size_t size)
{
    char path[4096];
    struct gm_err ignored;
    (void)snprintf(out, size, "%lu", (unsigned long)gid);
    if (gm_fs_path(path, sizeof(path), &ignored, "%s/etc/group", root) < 0) {
        return;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char line[8192];
    struct group group;
    struct group *found = NULL;
    while (fgetgrent_r(file, &group, line, sizeof(line), &found) == 0 && found != NULL) {
        if (found->gr_gid == gid) {
            gm_ascii_copy(out, size, found->gr_name);
            break;
        }
    }
    (void)fclose(file);
}

static bool may_open(const struct gm_machine_user *user, const struct stat *st)
{
    if (user->uid == 0) {
        return true;
    }
    if (user->uid == st->st_uid) {
        return (st->st_mode & 0600) == 0600;
    }
    for (size_t i = 0; i < user->group_count; i++) {
        if (user->groups[i] == st->st_gid) {
            return (st->st_mode & 0060) == 0060;
        }
    }
    return (st->st_mode & 0006) == 0006;
}

/* Looks at /dev/dri/<name>; says what is wrong with it. */
static bool check_node(struct scan *s, struct gm_device *d, const char *node)
{
    char path[4096];
    struct stat st;
    struct gm_err ignored;
    if (gm_fs_path(path, sizeof(path), &ignored, "%s%s", s->root, node) < 0 ||
        stat(path, &st) < 0) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "VAAPI: %s is not there: give this container the device (docker: "
                                 "--device %s)",
                                 node, node);
        return false;
    }
    if (!may_open(s->user, &st)) {
        char group[64];
        group_name(s->root, st.st_gid, group, sizeof(group));
        bool group_may = (st.st_mode & 0060) == 0060;
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 group_may
                                     ? "VAAPI: permission denied on %s: add the user to group %s"
                                     : "VAAPI: permission denied on %s, whose mode leaves out its "
                                       "group %s too: correct its udev rule",
                                 node, group);
        return false;
    }
    return true;
}

bool gm_machine_has_va_driver(const char *root, const char *name)
{
    static const char *const places[] = {"/usr/lib/x86_64-linux-gnu/dri",
                                         "/usr/lib/aarch64-linux-gnu/dri", "/usr/lib64/dri",
                                         "/usr/lib/dri", "/usr/local/lib/dri"};
    char path[4096];
    struct gm_err ignored;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (gm_fs_path(path, sizeof(path), &ignored, "%s%s/%s_drv_video.so", root, places[i],
                       name) == 0 &&
            access(path, F_OK) == 0) {
            return true;
        }
    }
    /* Folders, as libva takes them: separated by colons. */
    const char *own = root[0] == '\0' ? getenv("LIBVA_DRIVERS_PATH") : NULL;
    while (own != NULL && own[0] != '\0') {
        int length = (int)strcspn(own, ":");
        if (gm_fs_path(path, sizeof(path), &ignored, "%.*s/%s_drv_video.so", length, own, name) ==
                0 &&
            access(path, F_OK) == 0) {
            return true;
        }
        own += length + (own[length] == ':' ? 1 : 0);
    }
    return false;
}

/* LIBVA_DRIVER_NAME names one that is there. */
static bool has_chosen_driver(const char *root)
{
    const char *own = root[0] == '\0' ? getenv("LIBVA_DRIVER_NAME") : NULL;
    return own != NULL && own[0] != '\0' && gm_machine_has_va_driver(root, own);
}

static void find_va_drivers(struct scan *s, struct gm_device *d, const struct vendor *vendor,
                            struct gm_machine_drm *drm)
{
    for (size_t i = 0; vendor != NULL && i < GM_VA_DRIVERS && vendor->va[i] != NULL; i++) {
        if (gm_machine_has_va_driver(s->root, vendor->va[i])) {
            gm_device_set(drm->drivers[drm->driver_count], vendor->va[i]);
            drm->driver_count++;
        }
    }
    if (drm->driver_count > 1) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_INFO,
                                 "VAAPI: two drivers are installed for this card, %s and %s: the "
                                 "first that starts is taken, LIBVA_DRIVER_NAME chooses otherwise",
                                 drm->drivers[0], drm->drivers[1]);
    } else if (drm->driver_count == 0 && vendor != NULL && vendor->package != NULL &&
               !has_chosen_driver(s->root)) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "VAAPI: no VA driver for %s is installed: install the package %s",
                                 vendor->name, vendor->package);
        d->encoding = d->decoding = GM_ENGINE_MISSING;
    }
}

static void add_render_node(struct scan *s, struct gm_device *d, const struct vendor *vendor,
                            const char *name)
{
    if (s->out->drm_count >= GM_DEVICES_MAX) {
        return;
    }
    struct gm_machine_drm *drm = &s->out->drm[s->out->drm_count];
    memset(drm, 0, sizeof(*drm));
    gm_device_set(drm->id, d->id);
    (void)snprintf(drm->node, sizeof(drm->node), "/dev/dri/%.15s", name);
    gm_device_set(d->render_node, drm->node);
    drm->intel = vendor != NULL && vendor->id == VENDOR_INTEL;
    if (d->kind == GM_DEVICE_NVIDIA) {
        return; /* NVIDIA's own libraries drive it */
    }
    drm->usable = check_node(s, d, drm->node);
    find_va_drivers(s, d, vendor, drm);
    s->out->drm_count++;
}

static void note_nvidia(struct scan *s, struct gm_device *d)
{
    char path[4096];
    struct gm_err ignored;
    if (d->kernel_driver[0] == '\0') {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "GPU %s has no kernel driver: install NVIDIA's driver, or look in "
                                 "the kernel log why it let go of the GPU",
                                 d->id);
    } else if (strcmp(d->kernel_driver, "vfio-pci") == 0) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_INFO,
                                 "GPU %s is kept for a virtual machine (vfio-pci)", d->id);
    } else if (strcmp(d->kernel_driver, "nvidia") != 0) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "GPU %s is driven by %s: install NVIDIA's driver to use its "
                                 "encoder, decoder and CUDA",
                                 d->id, d->kernel_driver);
    } else if (gm_fs_path(path, sizeof(path), &ignored, "%s/dev/nvidiactl", s->root) == 0 &&
               access(path, F_OK) < 0) {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "GPU %s: /dev/nvidiactl is not there: start the container with "
                                 "--gpus all, or run nvidia-modprobe on the machine",
                                 d->id);
    }
}

/* The folder's next entry; NULL: its end, or it is gone (a card that was unplugged), *out_rc is 0,
 * or it could not be read. */
static const struct dirent *next_entry(DIR *dir, const char *path, int *out_rc, struct gm_err *err)
{
    errno = 0;
    const struct dirent *e = readdir(dir);
    *out_rc = e == NULL && errno != 0 && errno != ENOENT
                  ? gm_err_sys(err, errno, "Reading the folder %s", path)
                  : 0;
    return e;
}

/* The first render node of folder/drm, by name; "": there is none. */
static int find_render_name(const char *folder, char *out, size_t size, struct gm_err *err)
{
    char path[4096];
    out[0] = '\0';
    int rc = gm_fs_path(path, sizeof(path), err, "%s/drm", folder);
    DIR *dir = rc == 0 ? opendir(path) : NULL;
    if (dir == NULL) {
        return rc;
    }
    for (const struct dirent *e = next_entry(dir, path, &rc, err); e != NULL;
         e = next_entry(dir, path, &rc, err)) {
        if (is_render_name(e->d_name) && (out[0] == '\0' || strcmp(e->d_name, out) < 0)) {
            gm_ascii_copy(out, size, e->d_name);
        }
    }
    (void)closedir(dir);
    return rc;
}

static int add_pci(struct scan *s, const char *folder, const char *id, struct gm_err *err)
{
    unsigned vendor_id = read_number(folder, "vendor");
    const struct vendor *vendor = find_vendor(vendor_id);
    bool nvidia = vendor_id == VENDOR_NVIDIA;
    char render[16];
    struct gm_device *d = NULL;
    int rc = find_render_name(folder, render, sizeof(render), err);
    if (rc < 0) {
        return rc;
    }
    /* A display device without a render node is a frame buffer (a server's console), or lacks its
     * driver: only those that could be of use are listed. */
    bool could = nvidia || vendor_id == VENDOR_INTEL || vendor_id == VENDOR_AMD;
    if (render[0] == '\0' && !could) {
        return 0;
    }
    rc = gm_device_get(s->list, id, nvidia ? GM_DEVICE_NVIDIA : GM_DEVICE_DRM, &d, err);
    if (rc < 0) {
        return rc;
    }
    if (vendor != NULL) {
        gm_device_set(d->vendor, vendor->name);
    } else {
        (void)snprintf(d->vendor, sizeof(d->vendor), "vendor %04x", vendor_id & 0xffffu);
    }
    char name[32];
    (void)snprintf(name, sizeof(name), GM_FEATURE_PCI_DEVICE "%04x",
                   read_number(folder, "device") & 0xffffu);
    (void)gm_device_add_feature(d, name);
    read_link_name(folder, "driver", d->kernel_driver, sizeof(d->kernel_driver));
    if (render[0] != '\0') {
        add_render_node(s, d, vendor, render);
    }
    if (nvidia) {
        s->out->has_nvidia = true;
        note_nvidia(s, d);
    } else if (d->kernel_driver[0] == '\0') {
        (void)gm_device_add_note(s->list, d, GM_NOTE_WARN,
                                 "GPU %s has no kernel driver: install the firmware and kernel "
                                 "module for %s",
                                 d->id, d->vendor);
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in root's folder, sorted; *out owned, and so are they. A folder that is missing has none.
 */
static int list_names(const char *root, const char *folder, char ***out, size_t *out_count,
                      struct gm_err *err)
{
    char path[4096];
    char **names = NULL;
    size_t count = 0, cap = 0;
    int rc = gm_fs_path(path, sizeof(path), err, "%s%s", root, folder);
    DIR *dir = rc == 0 ? opendir(path) : NULL;
    for (const struct dirent *e = dir == NULL ? NULL : next_entry(dir, path, &rc, err); e != NULL;
         e = rc == 0 ? next_entry(dir, path, &rc, err) : NULL) {
        if (e->d_name[0] == '.') {
            continue;
        }
        rc = gm_array_reserve(&names, count, 1, &cap, sizeof(*names), err);
        if (rc < 0) {
            break;
        }
        names[count] = strdup(e->d_name);
        rc = names[count] == NULL ? gm_err_nomem(err) : 0;
        count += rc == 0 ? 1 : 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (count > 1) {
        qsort(names, count, sizeof(*names), compare_names);
    }
    *out = names;
    *out_count = count;
    return rc;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

static int scan_pci(struct scan *s, struct gm_err *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = list_names(s->root, PCI_DEVICES, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char folder[4096];
        char id[16];
        rc = gm_fs_path(folder, sizeof(folder), err, "%s" PCI_DEVICES "/%s", s->root, names[i]);
        if (rc == 0 && gm_pci_normalize(names[i], id) &&
            read_number(folder, "class") >> 16 == 0x03) {
            rc = add_pci(s, folder, id, err);
        }
    }
    free_names(names, count);
    return rc;
}

/* Render nodes whose device is on another bus: a system on a chip, a virtual GPU. */
static int scan_other(struct scan *s, struct gm_err *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = list_names(s->root, DRM_CLASS, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char folder[4096];
        char device[40];
        char id[64];
        char address[16];
        struct gm_device *d = NULL;
        rc = gm_fs_path(folder, sizeof(folder), err, "%s" DRM_CLASS "/%s", s->root, names[i]);
        if (rc < 0 || !is_render_name(names[i])) {
            continue;
        }
        read_link_name(folder, "device", device, sizeof(device));
        if (device[0] == '\0' || gm_pci_normalize(device, address)) {
            continue;
        }
        (void)snprintf(id, sizeof(id), "platform:%s", device);
        rc = gm_device_get(s->list, id, GM_DEVICE_DRM, &d, err);
        if (rc == 0) {
            read_link_name(folder, "device/driver", d->kernel_driver, sizeof(d->kernel_driver));
            add_render_node(s, d, NULL, names[i]);
        }
    }
    free_names(names, count);
    return rc;
}

int gm_machine_scan(const char *root, const struct gm_machine_user *user,
                    struct gm_device_list *list, struct gm_machine *out, struct gm_err *err)
{
    gid_t groups[NGROUPS_MAX > 1024 ? 1025 : NGROUPS_MAX + 1];
    struct gm_machine_user self = {.uid = geteuid(), .groups = groups, .group_count = 1};
    groups[0] = getegid();
    if (user == NULL) {
        int n = getgroups((int)(sizeof(groups) / sizeof(groups[0])) - 1, groups + 1);
        if (n < 0) {
            return gm_err_sys(err, errno, "could not ask for the user's groups");
        }
        self.group_count += (size_t)n;
        user = &self;
    }
    struct scan s = {.root = root, .user = user, .list = list, .out = out};
    memset(out, 0, sizeof(*out));
    int rc = scan_pci(&s, err);
    return rc < 0 ? rc : scan_other(&s, err);
}
