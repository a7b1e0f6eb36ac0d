#ifndef GM_TESTS_MEDIA_DEVICE_JOB_IO_H
#define GM_TESTS_MEDIA_DEVICE_JOB_IO_H

#include "media/chunk_io.h"
#include "media/folder_io.h"

/* inspect, plan, split, encode and verify on the chain of a device, over the fake drivers. In
 * children of fake_gpu_run: what is wrong ends them. The source has B pictures and captions. */
#define DEVICE_JOB_CHUNKS 2

struct device_job {
    Gm__Pipeline *pipeline; /* owned */
    struct folder_io *f;    /* owned */
    Gm__Chain chain;
};

/* The source (clip_source), for all cases of a program: group setup; clip_source_remove ends it. */
int device_job_make_source(void **state);
/* Where, and over what: device as a node names it to its worker; base and gpu: the fake's profile
 * (fake_gpu_profile). */
struct device_job_on {
    const char *chain, *device, *base, *gpu;
};
/* Inspected, planned and split there. One rendition of 96x80. qp: -1: crf 23 below the ladder's
 * cap. lines: of the profile, from then on. */
void device_job_open(struct device_job *j, const struct device_job_on *on, const char *codec,
                     int qp, const char *lines);
void device_job_close(struct device_job *j);
int device_job_run(const struct device_job *j, const char *task, struct gm_err *err);
/* Ends the child where rc says a failure. */
void device_job_must(int rc, const struct gm_err *err);
Gm__EncodeParams *device_job_params(const Gm__Pipeline *pipeline); /* borrowed */
Gm__Policy *device_job_policy(const struct device_job *j);         /* owned */
/* All segments together: no picture is missing, each is like its own of the source after the plan's
 * filters (PSNR above least), and each has its own captions, once. */
void device_job_check(const struct device_job *j, const Gm__Policy *policy, double least);

/* Cases by data; each takes a pointer to its struct and is run by fake_gpu_run. */
struct device_job_wish {
    const struct device_job_on *on;
    const char *codec;
    int qp;
    const char *lines, *driver; /* the fingerprint has it */
};
/* Encoded, verified, every picture there. */
void device_job_makes(const void *wish);

struct device_job_failure {
    const struct device_job_on *on;
    const char *lines;
    enum gm_code code;
};
/* Encoding H.264 fails with that code, or verifying it: bits that no decoder takes are found by the
 * writer, or by verify. */
void device_job_fails(const void *failure);

struct device_job_mix {
    const struct device_job_on *on;
    const char *codec, *gpu; /* the other one: base `none` */
};
/* The GPU that plans has B pictures, the one that encodes has none: other parameter sets, which is
 * found. */
void device_job_is_mixed(const void *mix);

#endif
