#ifndef GM_TESTS_MEDIA_DEVICE_JOB_IO_H
#define GM_TESTS_MEDIA_DEVICE_JOB_IO_H

#include "media/folder_io.h"

/* inspect, plan, split, encode and verify on the chain of a device, over the fake drivers. In
 * children of fake_gpu_run: what is wrong ends them. The source has B pictures and captions. */
#define DEVICE_JOB_CHUNKS 2

struct device_job {
    Gm__Pipeline *pipeline; /* owned */
    struct folder_io *f;    /* owned */
    Gm__Chain chain;
};

/* The source, for all cases of a program: group setup and teardown. */
int device_job_make_source(void **state);
int device_job_remove_source(void **state);
/* Inspected, planned and split there. One rendition of 96x80. device: as a node names it to its
 * worker. qp: -1: crf 23 below the ladder's cap. */
void device_job_open(struct device_job *j, const char *chain, const char *device, const char *codec,
                     int qp);
void device_job_close(struct device_job *j);
int device_job_run(const struct device_job *j, const char *task, struct gm_err *err);
/* Ends the child where rc says a failure. */
void device_job_must(int rc, const struct gm_err *err);
Gm__EncodeParams *device_job_params(const Gm__Pipeline *pipeline); /* borrowed */
Gm__Policy *device_job_policy(const struct device_job *j);         /* owned */
/* All segments together: no picture is missing, each is like its own of the source after the plan's
 * filters (PSNR above least), and each has its own captions, once. */
void device_job_check(const struct device_job *j, const Gm__Policy *policy, double least);

#endif
