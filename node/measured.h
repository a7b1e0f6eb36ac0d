#ifndef GM_NODE_MEASURED_H
#define GM_NODE_MEASURED_H

#include "hwtest/report/report.h"
#include "node/devices/device.h"

/* What gopmill-hwtest measured on this machine, as figures of its devices: the scheduler places
 * work by them. docs/hwtest.md names the checks that they come from. Thread: one. */

/* Each note begins so. */
#define GM_MEASURED_NOTE "measured: "

/* Sets the rates of the list's devices from a report, as a Hello may have them. What can't be used
 * stays away, and a note says why: of the list where it is the whole report (--short, a level below
 * 3, another libavcodec), of the device where it is one (another driver or chip than in the report,
 * nothing measured). path: for the notes. libraries: this node's, as gm_prove_libraries gives them.
 */
void gm_measured_take(const struct gm_hwtest_report *report, const char *path,
                      const char *libraries, struct gm_device_list *list);

/* The same from a file of `gopmill-hwtest --json`, of at most GM_HWTEST_FILE_MAX bytes. One that
 * can't be read, or is none, is a note too: a node works without figures. */
void gm_measured_load(const char *path, const char *libraries, struct gm_device_list *list);

#endif
