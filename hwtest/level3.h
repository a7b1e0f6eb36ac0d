#ifndef GM_HWTEST_LEVEL3_H
#define GM_HWTEST_LEVEL3_H

#include "common/time.h"
#include "hwtest/results.h"
#include "hwtest/until.h"
#include "node/devices/device.h"

/* Level 3: what the processor makes a second, one process and as many as it has threads, the
 * storage of the temporary folder, and what each device makes: within GM_HWTEST_LEVEL3_TIME and
 * what was begun by then, which has the time that it always has: else what hangs could not be told
 * from what is broken off. Where `until` ends, all of it does, and what is left is SKIP.
 * quick: small pictures and short windows; its figures say nothing. Thread: as helper.h.
 * Errors: NOMEM, LIMIT, SYS. */
#define GM_HWTEST_LEVEL3_TIME (14 * 60 * GM_SEC)
#define GM_HWTEST_LEVEL3_CPU_TIME (6 * 60 * GM_SEC) /* of it, where there are others */
int gm_hwtest_level3(const struct gm_device_list *list, bool quick,
                     const struct gm_hwtest_until *until, struct gm_hwtest_report *report,
                     struct gm_err *err) GM_MUST_CHECK;

/* The processor's part and the storage. What finds no time before how->end is SKIP; what does not
 * end is FAIL. Errors: likewise. */
struct gm_hwtest_capacity_params;
int gm_hwtest_level3_processor(const struct gm_device *device,
                               const struct gm_hwtest_capacity_params *params,
                               struct gm_hwtest_report *report, struct gm_err *err) GM_MUST_CHECK;

/* level3_device.c: one device, which has its proofs. A failure of the device is a check, and work
 * that is left of it then SKIP, as what finds no time. Errors: likewise. */
struct gm_hwtest_capacity_params {
    const char *program;                 /* borrowed: this one's path */
    gm_time end;                         /* nothing is begun after it */
    const struct gm_hwtest_until *until; /* borrowed: ends what works, too; NULL: nothing does */
    uint64_t memory_bytes;               /* of the machine; 0: not told */
    uint32_t cpus;                       /* likewise */
    uint32_t limit_ms;                   /* of a process; 0: the usual */
    const char *sysfs_root; /* put before "/sys/class/powercap" (hwtest/power.h); NULL: nothing */
    bool quick;
};
int gm_hwtest_level3_device(const struct gm_device *device,
                            const struct gm_hwtest_capacity_params *params,
                            struct gm_hwtest_report *report, struct gm_err *err) GM_MUST_CHECK;

/* storage.c: writes and reads a file of 256 MiB (quick: 8) in TMPDIR (else /tmp), which is gone at
 * the end: checks "storage.write", and where that went well "storage.read". Thread: one; blocks
 * until the disk has it. Errors: NOMEM, LIMIT. */
int gm_hwtest_storage(bool quick, struct gm_hwtest_report *report,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
