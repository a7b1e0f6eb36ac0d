/* Limits, process flags and the two landlock layers. Landlock is called directly: its library
 * functions are not in the C library. The ABI is asked at run time and newer rights are used as far
 * as the kernel knows them.
 * See: landlock(7), https://docs.kernel.org/userspace-api/landlock.html */
#include "node/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/fs.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* linux/landlock.h of newer kernels; values are the kernel's ABI. */
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_REG (1ull << 8)
#define FS_ABI1 ((1ull << 13) - 1) /* execute .. make_sym */
#define FS_REFER (1ull << 13)      /* ABI 2 */
#define FS_TRUNCATE (1ull << 14)   /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15)  /* ABI 5 */
#define NET_TCP 3ull               /* ABI 4: bind, connect */
#define SCOPE_ALL 3ull             /* ABI 6: abstract unix sockets, signals */
#define RULE_PATH_BENEATH 1
#define CREATE_RULESET_VERSION 1u

#define NVIDIA_NODES 64 /* more than fit a machine */

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* from ABI 4 */
    uint64_t scoped;             /* from ABI 6 */
};
struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

bool gm_sandbox_is_missing(const struct gm_sandbox_missing *missing, const char *name)
{
    for (size_t i = 0; i < missing->count; i++) {
        if (strcmp(missing->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_missing(struct gm_sandbox_missing *missing, const char *name)
{
    if (!gm_sandbox_is_missing(missing, name) && missing->count < GM_SANDBOX_MISSING_MAX) {
        missing->names[missing->count++] = name;
    }
}

static int refuse(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_SANDBOX, errno, "%s: %s", what, strerror(errno));
}

static int set_limit(int resource, uint64_t value, const char *name, struct gm_err *err)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max = now.rlim_max; /* already stricter */
    }
    if (setrlimit((__rlimit_resource_t)resource, &limit) < 0) {
        return refuse(err, name);
    }
    return 0;
}

bool gm_sandbox_limits_memory(void)
{
    return !SANITIZED;
}

int gm_sandbox_limit(const struct gm_sandbox_limits *limits, struct gm_err *err)
{
    int rc = set_limit(RLIMIT_CORE, 0, "setrlimit CORE", err);
    if (rc == 0 && limits->descriptors != 0) {
        rc = set_limit(RLIMIT_NOFILE, limits->descriptors, "setrlimit NOFILE", err);
    }
    /* Sanitizers reserve terabytes of address space for their shadow. */
    if (rc == 0 && limits->memory_bytes != 0 && gm_sandbox_limits_memory()) {
        rc = set_limit(RLIMIT_AS, limits->memory_bytes, "setrlimit AS", err);
    }
    if (rc == 0 && limits->file_size_bytes != 0) {
        rc = set_limit(RLIMIT_FSIZE, limits->file_size_bytes, "setrlimit FSIZE", err);
    }
    return rc;
}

/* An exec by uid 0 would give all capabilities of the bounding set again: so that is emptied. */
static int drop_capabilities(struct gm_err *err)
{
    if (geteuid() != 0) {
        return 0;
    }
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM) {
            return refuse(err, "drop a capability");
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) {
        return refuse(err, "clear ambient capabilities");
    }
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) < 0) {
        return refuse(err, "capget");
    }
    data[0].inheritable = data[1].inheritable = 0;
    if (syscall(SYS_capset, &head, data) < 0) {
        return refuse(err, "capset");
    }
    return 0;
}

int gm_sandbox_bind(int64_t parent, struct gm_err *err)
{
    if (prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) < 0) {
        return refuse(err, "set the parent-death signal");
    }
    if ((int64_t)getppid() != parent) { /* it died before the signal was set */
        return gm_err_set(err, GM_E_SANDBOX, 0, "the parent process is gone");
    }
    int rc = drop_capabilities(err);
    if (rc < 0) {
        return rc;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return refuse(err, "set no-new-privileges");
    }
    return 0;
}

static uint64_t known_access(long abi)
{
    uint64_t access = FS_ABI1;
    access |= abi >= 2 ? FS_REFER : 0;
    access |= abi >= 3 ? FS_TRUNCATE : 0;
    access |= abi >= 5 ? FS_IOCTL_DEV : 0;
    return access;
}

/* *out_fd -1: this kernel has no landlock; that is named in missing. */
static int ruleset_open(struct gm_sandbox_missing *missing, int *out_fd, uint64_t *out_access,
                        struct gm_err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (abi < 1) {
        add_missing(missing, "landlock");
        *out_fd = -1;
        *out_access = 0;
        return 0;
    }
    if (abi < 3) {
        add_missing(missing, "landlock-truncate");
    }
    struct ruleset_attr attr = {.handled_access_fs = known_access(abi)};
    size_t size = sizeof(uint64_t);
    if (abi >= 4) {
        attr.handled_access_net = NET_TCP;
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_ALL;
        size = 3 * sizeof(uint64_t);
    }
    int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (fd < 0) {
        return refuse(err, "landlock_create_ruleset");
    }
    *out_fd = fd;
    *out_access = attr.handled_access_fs;
    return 0;
}

/* Landlock knows a file by its inode, and those of /proc are made anew once the kernel has dropped
 * their names from its cache, for want of memory or when told to: then a rule allows nothing any
 * more. A descriptor that the process keeps, and the launcher gives on to the worker, keeps the
 * name there. */
static bool must_be_held(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0;
}

/* Allows `access` beneath path; a path that does not exist is passed over. */
static int allow(int ruleset, const char *path, uint64_t access, struct gm_err *err)
{
    bool held = must_be_held(path);
    int fd = open(path, O_PATH | (held ? 0 : O_CLOEXEC));
    if (fd < 0) {
        return errno == ENOENT ? 0 : refuse(err, path);
    }
    struct path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    int rc = 0;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0) {
        rc = refuse(err, "landlock_add_rule");
    }
    if (!held) {
        close(fd);
    }
    return rc;
}

static int restrict_self(int ruleset, struct gm_err *err)
{
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
        return refuse(err, "landlock_restrict_self");
    }
    return 0;
}

static uint64_t scratch_access(uint64_t handled)
{
    return handled & (FS_READ_FILE | FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_REG |
                      FS_TRUNCATE | (1ull << 4) /* remove_dir */ | (1ull << 7) /* make_dir */);
}

/* Allows what `folder` says beneath a folder and what `file` says of anything else. */
static int allow_either(int ruleset, const char *path, uint64_t folder, uint64_t file,
                        struct gm_err *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return 0; /* not there, or not for this user: then its worker can't use it either */
    }
    return allow(ruleset, path, S_ISDIR(st.st_mode) ? folder : file, err);
}

/* Each of a ':'-separated list; those that are not absolute are passed over, as the loader's
 * meaning of them (the working directory) is nothing that a worker needs. */
static int allow_list(int ruleset, const char *list, uint64_t folder, uint64_t file,
                      struct gm_err *err)
{
    char path[4096];
    int rc = 0;
    for (const char *at = list; rc == 0 && at != NULL && *at != '\0';) {
        size_t size = strcspn(at, ":");
        if (size >= sizeof(path)) {
            return gm_err_set(err, GM_E_SANDBOX, ENAMETOOLONG, "a path of the device is too long");
        }
        memcpy(path, at, size);
        path[size] = '\0';
        if (path[0] == '/') {
            rc = allow_either(ruleset, path, folder, file, err);
        }
        at += size + (at[size] == ':' ? 1 : 0);
    }
    return rc;
}

static int allow_nvidia(int ruleset, uint64_t use, uint64_t read, struct gm_err *err)
{
    static const char *const nodes[] = {"/dev/nvidiactl",        "/dev/nvidia-uvm",
                                        "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset",
                                        "/dev/nvidia-caps",      "/dev/nvidia-caps-imex-channels"};
    char path[32];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        rc = allow_either(ruleset, nodes[i], use | FS_READ_DIR, use, err);
    }
    for (int i = 0; rc == 0 && i < NVIDIA_NODES; i++) {
        (void)snprintf(path, sizeof(path), "/dev/nvidia%d", i);
        rc = allow_either(ruleset, path, use, use, err);
    }
    if (rc == 0) {
        rc = allow_either(ruleset, "/proc/driver/nvidia", read | FS_READ_DIR, read, err);
    }
    if (rc == 0) {
        rc = allow_either(ruleset, "/proc/driver/nvidia-uvm", read | FS_READ_DIR, read, err);
    }
    /* cuInit of drivers from 570 on names its threads there (task/TID/comm) and fails where it
     * can't. What else can be written there is this process's own. */
    uint64_t own = use & (FS_WRITE_FILE | FS_TRUNCATE);
    return rc == 0 ? allow_either(ruleset, "/proc/self/task", own, own, err) : rc;
}

/* Of no use to whom has no such device; one that came after the worker started is not seen. */
static int allow_device(int ruleset, const struct gm_sandbox_device *device, uint64_t handled,
                        struct gm_err *err)
{
    static const char *const facts[] = {"/sys",          "/proc/self",    "/proc/cpuinfo",
                                        "/proc/meminfo", "/proc/devices", "/proc/modules",
                                        "/proc/version", "/proc/sys/vm",  "/etc/ld.so.cache"};
    /* the last: where NVIDIA's images of containers and Kubernetes' have the driver's */
    static const char *const libraries[] = {"/usr/lib",         "/usr/lib64", "/usr/local/lib",
                                            "/usr/share",       "/lib",       "/lib64",
                                            "/usr/local/nvidia"};
    const uint64_t read = FS_READ_FILE;
    const uint64_t use = handled & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV);
    int rc = 0;
    if (device->profile == GM_SANDBOX_PLAIN) {
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < sizeof(facts) / sizeof(facts[0]); i++) {
        rc = allow_either(ruleset, facts[i], read | FS_READ_DIR, read, err);
    }
    for (size_t i = 0; rc == 0 && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        rc = allow_either(ruleset, libraries[i], read | FS_READ_DIR, read, err);
    }
    if (rc == 0) {
        rc = allow_list(ruleset, device->libraries, read | FS_READ_DIR, read, err);
    }
    if (rc == 0) {
        rc = allow_list(ruleset, device->paths, scratch_access(handled) | (use & FS_IOCTL_DEV), use,
                        err);
    }
    if (rc == 0) {
        rc = allow_either(ruleset, "/dev/null", use, use, err);
    }
    if (rc == 0 && device->profile == GM_SANDBOX_CUDA) {
        rc = allow_nvidia(ruleset, use, read, err);
    } else if (rc == 0) {
        rc = allow_either(ruleset, device->device, read | FS_READ_DIR, use, err);
    }
    return rc;
}

int gm_sandbox_outer(const char *program, const struct gm_sandbox_device *device,
                     struct gm_sandbox_missing *missing, struct gm_err *err)
{
    int ruleset = -1;
    uint64_t access = 0;
    int rc = ruleset_open(missing, &ruleset, &access, err);
    if (rc < 0 || ruleset < 0) {
        return rc;
    }
    char folder[4096];
    rc = gm_fs_path(folder, sizeof(folder), err, "%s", program);
    if (rc < 0) {
        goto out;
    }
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "the worker's path `%s` is not absolute", program);
        goto out;
    }
    slash[slash == folder ? 1 : 0] = '\0';
    const uint64_t run = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
    const char *const programs[] = {"/usr", "/lib", "/lib64", "/lib32", folder};
    for (size_t i = 0; rc == 0 && i < sizeof(programs) / sizeof(programs[0]); i++) {
        rc = allow(ruleset, programs[i], run, err);
    }
    if (rc == 0) {
        rc = allow(ruleset, "/etc/ld.so.cache", FS_READ_FILE, err);
    }
    if (rc == 0 && SANITIZED) { /* sanitizers read their own maps when they start */
        rc = allow(ruleset, "/proc", FS_READ_FILE | FS_READ_DIR, err);
    }
    /* Layer 2 makes a link for its self-test before it forbids them. */
    if (rc == 0) {
        rc = allow(ruleset, ".", scratch_access(access) | (1ull << 12) /* make_sym */, err);
    }
    if (rc == 0) {
        rc = allow_device(ruleset, device, access, err);
    }
    if (rc == 0) {
        rc = restrict_self(ruleset, err);
    }
out:
    close(ruleset);
    return rc;
}

int gm_sandbox_inner(const struct gm_sandbox_device *device, struct gm_sandbox_missing *missing,
                     struct gm_err *err)
{
    int ruleset = -1;
    uint64_t access = 0;
    int rc = ruleset_open(missing, &ruleset, &access, err);
    if (rc < 0 || ruleset < 0) {
        return rc;
    }
    rc = allow(ruleset, ".", scratch_access(access), err);
    if (rc == 0) {
        rc = allow_device(ruleset, device, access, err);
    }
    if (rc == 0) {
        rc = restrict_self(ruleset, err);
    }
    close(ruleset);
    return rc;
}
