#ifndef GM_SCHEDULER_UNSENT_H
#define GM_SCHEDULER_UNSENT_H

#include <stdint.h>

#include "scheduler/peers.h"

/* Counters of bytes on their way; a part of peers.c. Thread: any. */
struct gm_unsent_total; /* opaque: of all peers; lives as long as one of their counters */

struct gm_unsent_total *gm_unsent_total_create(void);
void gm_unsent_total_drop(struct gm_unsent_total *total);
struct gm_unsent_bytes *gm_unsent_bytes_create(struct gm_unsent_total *total);
void gm_unsent_bytes_unref(struct gm_unsent_bytes *bytes);
uint64_t gm_unsent_bytes_left(const struct gm_unsent_bytes *bytes); /* since the beginning */

#endif
