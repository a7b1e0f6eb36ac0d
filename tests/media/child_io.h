#ifndef GM_TESTS_MEDIA_CHILD_IO_H
#define GM_TESTS_MEDIA_CHILD_IO_H

#include <stdint.h>

#include <libavutil/frame.h>

#include "common/hash.h"

/* Runs fn in a child process with GOPMILL_CPU_FLAGS set to flags (NULL: unset) and gives the hash
 * of what fn fed to h. Aborts when the child fails. Call it before this process has used libav*
 * otherwise: libswscale chooses some routines once a process. */
void child_hash(const char *flags, void (*fn)(struct gm_sha256 *h, void *arg), void *arg,
                uint8_t out[GM_SHA256_SIZE]);
/* All visible samples of the picture. */
void child_add_frame(struct gm_sha256 *h, const AVFrame *frame);

#endif
