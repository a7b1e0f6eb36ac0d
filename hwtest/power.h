#ifndef GM_HWTEST_POWER_H
#define GM_HWTEST_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/time.h"

/* Watts by the kernel's files, where NVML is not asked: processors by powercap, devices by hwmon.
 * See: https://docs.kernel.org/power/powercap/powercap.html (name, energy_uj, max_energy_range_uj)
 * and https://docs.kernel.org/hwmon/sysfs-interface.html (power1_*, energy1_input: millionths).
 * root: put before "/sys/...": "" for this machine, a folder in tests. pci: "0000:03:00.0". Thread:
 * any. Files that are missing, closed to us (powercap is root's) or hold no number are not there.
 */
#define GM_HWTEST_METERS 16

/* Counters at a time. */
struct gm_hwtest_energy {
    gm_time at;
    size_t count;
    uint64_t uj[GM_HWTEST_METERS];
    uint64_t range_uj[GM_HWTEST_METERS]; /* where it starts again from 0; 0: not told */
};
/* pci NULL: the processors, a counter a package. False: there is none; *out has count 0. */
bool gm_hwtest_energy_read(const char *root, const char *pci, gm_time now,
                           struct gm_hwtest_energy *out);
/* Mean watts between. False: nothing to compare, no time passed, or a counter fell of which the
 * range is not told. Pure. */
bool gm_hwtest_energy_watts(const struct gm_hwtest_energy *before,
                            const struct gm_hwtest_energy *after, double *out);

/* What a device takes now, and its limit (0: not told). False: its driver does not say. */
bool gm_hwtest_power_read(const char *root, const char *pci, double *out_watts,
                          double *out_limit_watts);

#endif
