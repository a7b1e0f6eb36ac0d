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
int gm_sandbox_outer(const char *program, struct gm_sandbox_missing *missing,
                     struct gm_err *err) GM_MUST_CHECK;
/* Landlock layer 2. */
int gm_sandbox_inner(struct gm_sandbox_missing *missing, struct gm_err *err) GM_MUST_CHECK;
/* System calls. sock: the one socket that messages go over. */
int gm_sandbox_seccomp(int sock, struct gm_err *err) GM_MUST_CHECK;

/* The self-test: tries sockets, files outside, links, processes, other processes' memory and
 * signals. missing: pieces named here are not tested. Errors: SANDBOX, naming the hole. */
int gm_sandbox_test(const struct gm_sandbox_missing *missing, struct gm_err *err) GM_MUST_CHECK;
/* Layer 2, seccomp, the self-test, and that the scratch folder can be used. */
int gm_sandbox_enter(int sock, struct gm_sandbox_missing *missing,
                     struct gm_err *err) GM_MUST_CHECK;

#endif
