#ifndef GM_NODE_SANDBOX_H
#define GM_NODE_SANDBOX_H

#include "common/err.h"

/* What keeps media code in its place, in two steps:
 *
 *   launcher  resource limits, parent-death signal, no new privileges, no capabilities, no foreign
 *             descriptors, a clean environment, landlock layer 1: programs and libraries can be
 *             read and run, the scratch folder (the working directory) written, nothing else
 *   worker    landlock layer 2: the scratch folder alone; seccomp: an allow-list without sockets,
 *             processes, links and mounts; then a self-test that tries to get out
 *
 * A worker of a device has a few doors more (struct gm_sandbox_device), in both layers: its
 * driver's device files, libraries and facts of the kernel, and the system calls that drivers make;
 * one of CUDA a socket that nothing comes or goes through, and the names of its own threads. What
 * it may read of /proc it has a descriptor each of, which leads to no more than the name does.
 *
 * A piece that the kernel does not have is named in struct gm_sandbox_missing; a piece that it has
 * and that does not hold is an error. All of it is for ever for the calling process.
 * Errors: SANDBOX (native = errno), SYS, NOMEM.
 */
#define GM_SANDBOX_MISSING_MAX 8

struct gm_sandbox_missing {
    const char *names[GM_SANDBOX_MISSING_MAX]; /* static strings: "landlock" */
    size_t count;
};

bool gm_sandbox_is_missing(const struct gm_sandbox_missing *missing, const char *name);

enum gm_sandbox_profile { GM_SANDBOX_PLAIN, GM_SANDBOX_CUDA, GM_SANDBOX_DRI };

/* What a worker of a device may touch beside its scratch folder; all-zero: nothing.
 * cuda: /dev/nvidia*; dri: the render node; both: read /sys, some of /proc, and the libraries. */
struct gm_sandbox_device { /* borrowed */
    enum gm_sandbox_profile profile;
    const char *device;    /* cuda: UUID; dri: path of the render node */
    const char *libraries; /* LD_LIBRARY_PATH; NULL or "": none */
    const char *paths;     /* read and written besides, ':'-separated absolute paths; NULL: none */
};
/* "none" (or ""), "cuda", "dri"; false: none of them. */
bool gm_sandbox_profile_parse(const char *name, enum gm_sandbox_profile *out);
/* The worker's side: from the environment that the launcher made (GOPMILL_PROFILE, GOPMILL_DEVICE,
 * GOPMILL_DEVICE_PATHS, LD_LIBRARY_PATH). Errors: INVAL. */
int gm_sandbox_device_from_env(struct gm_sandbox_device *out, struct gm_err *err) GM_MUST_CHECK;

/* 0 means no limit. */
struct gm_sandbox_limits {
    uint64_t memory_bytes;    /* address space */
    uint64_t file_size_bytes; /* of one file */
    uint64_t descriptors;
};
int gm_sandbox_limit(const struct gm_sandbox_limits *limits, struct gm_err *err) GM_MUST_CHECK;
/* False in builds with sanitizers: their shadow memory allows no limit on the address space, so
 * gm_sandbox_limit sets none. */
bool gm_sandbox_limits_memory(void);

/* The process dies when its parent does; parent: the pid that must still be the parent when this
 * returns. It can't gain privileges, and holds no capability after its next exec. */
int gm_sandbox_bind(int64_t parent, struct gm_err *err) GM_MUST_CHECK;

/* Landlock layer 1. program: absolute path of what will be run; its folder can be read. */
int gm_sandbox_outer(const char *program, const struct gm_sandbox_device *device,
                     struct gm_sandbox_missing *missing, struct gm_err *err) GM_MUST_CHECK;
/* Landlock layer 2. */
int gm_sandbox_inner(const struct gm_sandbox_device *device, struct gm_sandbox_missing *missing,
                     struct gm_err *err) GM_MUST_CHECK;
/* System calls. sock: the one socket that messages go over. */
int gm_sandbox_seccomp(int sock, enum gm_sandbox_profile profile, struct gm_err *err) GM_MUST_CHECK;

/* The self-test: tries sockets, files outside, links, processes, other processes' memory and
 * signals. missing: pieces named here are not tested. Errors: SANDBOX, naming the hole. */
int gm_sandbox_test(enum gm_sandbox_profile profile, const struct gm_sandbox_missing *missing,
                    struct gm_err *err) GM_MUST_CHECK;
/* Layer 2, seccomp, the self-test, and that the scratch folder, and CUDA's socket, can be used. */
int gm_sandbox_enter(int sock, const struct gm_sandbox_device *device,
                     struct gm_sandbox_missing *missing, struct gm_err *err) GM_MUST_CHECK;

#endif
