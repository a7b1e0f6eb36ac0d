#ifndef GM_HWTEST_SOAK_H
#define GM_HWTEST_SOAK_H

#include <sys/types.h>

#include "common/err.h"
#include "common/hash.h"

/* A farm of one scheduler and one node on this machine, which stays while jobs come and its workers
 * are killed: the processes, their files, one job at a time. Thread: one. */
struct gm_hwtest_farm; /* opaque */

struct gm_hwtest_farm_params {
    const char *programs;     /* their folder; NULL: beside this one, or where they are installed */
    const char *node_options; /* more lines of the node's configuration; NULL: none */
    bool devices;             /* the node proves and uses this machine's */
    bool quick;               /* a clip of one chunk */
};
/* Makes a folder in TMPDIR (else /tmp), the clip and the configurations, starts both and waits
 * until they serve. Errors: NOT_INSTALLED a program is missing; UNREACHABLE one did not get ready,
 * its logs are kept and the text says where; CANCELLED (daemon.h); SYS, NOMEM, LIMIT; of
 * media/encode/encoder.h. */
int gm_hwtest_farm_start(const struct gm_hwtest_farm_params *params, struct gm_hwtest_farm **out,
                         struct gm_err *err) GM_MUST_CHECK;
/* Ends both, kills what does not end, counts the workers that are left. NULL is fine. */
void gm_hwtest_farm_stop(struct gm_hwtest_farm *farm, unsigned *out_left);
/* The folder of the logs: of both, and of the first jobs that failed. Borrowed. */
const char *gm_hwtest_farm_logs(const struct gm_hwtest_farm *farm);
/* It has stopped. Removes all files, or all but the logs. */
void gm_hwtest_farm_destroy(struct gm_hwtest_farm **farm, bool keep_logs);

/* Starts a job; on_device: encoded by this machine's devices where there are. Errors: SYS. */
int gm_hwtest_farm_begin(struct gm_hwtest_farm *farm, bool on_device,
                         struct gm_err *err) GM_MUST_CHECK;
struct gm_hwtest_outcome {
    char hash[2 * GM_SHA256_SIZE + 1]; /* of all that it published but its report; "": it failed */
    char chain[16];                    /* what encoded it, by its report: "cpu", "nvenc"; "":
                                          it failed */
    char given_up[160];                /* why it left a device, "device.absent: ..."; "" */
    char why[240];                     /* failed: what the program said, or what is missing */
};
/* Whether the job has ended: then out says how. One that published nothing, or whose report does
 * not say what encoded it, has failed. Errors: NOMEM. */
int gm_hwtest_farm_poll(struct gm_hwtest_farm *farm, bool *out_ended, struct gm_hwtest_outcome *out,
                        struct gm_err *err) GM_MUST_CHECK;
/* Ends a job that takes too long: the next poll finds it failed. */
void gm_hwtest_farm_abort(struct gm_hwtest_farm *farm);
/* Kills one of the node's workers that work, which the number chooses, after a look of 40 ms at
 * them. False: none works now. */
bool gm_hwtest_farm_kill(struct gm_hwtest_farm *farm, uint32_t number);

enum { GM_HWTEST_AGENT, GM_HWTEST_SCHEDULER, GM_HWTEST_DAEMONS };
/* Memory of its own and open descriptors now. False: the process has ended. */
bool gm_hwtest_farm_look(const struct gm_hwtest_farm *farm, int which, double *out_kib,
                         double *out_descriptors);

/* soak_clip.c: writes the clip of clip.h, `times` over, as an MP4. Errors: MEDIA, NOMEM; of
 * media/encode/encoder.h. */
int gm_hwtest_write_clip(const char *path, int times, struct gm_err *err) GM_MUST_CHECK;

#endif
