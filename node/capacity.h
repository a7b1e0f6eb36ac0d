#ifndef GM_NODE_CAPACITY_H
#define GM_NODE_CAPACITY_H

#include "common/err.h"

/* What this machine lets the process use: CPUs by affinity and cgroup quota (v1 and v2), memory by
 * MemTotal and cgroup limit, the strictest of them. Thread: any. */
struct gm_capacity {
    uint32_t cpu_milli;    /* thousandths of a CPU thread, at least 1000 */
    uint64_t memory_bytes; /* 0: unknown */
};

/* root: put before "/proc/..." and "/sys/fs/cgroup/...": "" for this machine, a folder in tests.
 * cpus: CPUs that the process may run on; 0: asked by sched_getaffinity. Files that are missing or
 * hold nothing usable are no limit. Errors: SYS when the affinity can't be asked. */
int gm_capacity_detect(const char *root, uint32_t cpus, struct gm_capacity *out,
                       struct gm_err *err) GM_MUST_CHECK;

/* Bytes that the file system of `folder` has left for us. Errors: SYS. */
int gm_capacity_scratch(const char *folder, uint64_t *out, struct gm_err *err) GM_MUST_CHECK;

#endif
