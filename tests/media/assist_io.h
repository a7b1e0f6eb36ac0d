#ifndef GM_TESTS_MEDIA_ASSIST_IO_H
#define GM_TESTS_MEDIA_ASSIST_IO_H

#include "media/folder_io.h"

/* Tasks of the processors for which a fake GPU of tests/drivers decodes: the same bytes as without,
 * whatever happens to it. */

/* 25 frames a second, keyframes every 40 frames: chunks of 6 and 3 seconds. */
#define ASSIST_CHUNKS 2
int assist_make_source(void **state); /* clip_source_remove takes it away */

struct assist_fate {
    const char *api, *profile, *lines;
    const char *device;
    const char *const *codecs;
    enum gm_code code; /* what is told */
    size_t on_device;  /* chunks */
    const char *why;   /* of the last chunk */
};
/* Encodes in software and with it; arg: a fate. In children of fake_gpu_run. */
void assist_meet(const void *arg);
/* One task; what goes wrong ends the program. */
void assist_run(struct folder_io *f, const char *task);
void assist_must(int rc, const struct gm_err *err);

#endif
