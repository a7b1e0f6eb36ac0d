#ifndef GM_SCHEDULER_CORE_BODIES_H
#define GM_SCHEDULER_CORE_BODIES_H

#include "scheduler/core/core.h"

/* Bodies: bytes that are kept for long and seldom looked at, such as the items of a queue. They lie
 * behind each other in blocks; the newest blocks are in memory, older ones on the shelf, where one
 * was given (core.h). A block's room is used again when all that it held was dropped.
 * Private to scheduler/core/. Memory and what a shelf lost: as mem.h. Thread: one at a time. */
#define GM_BODIES_BLOCK 65536u /* bytes, where the shelf does not say */
#define GM_BODIES_AT_HAND (2u << 20)

struct gm_body {    /* all-zero: none */
    uint32_t block; /* from 1 */
    uint32_t at;
    uint32_t size;
    uint32_t sum; /* of the bytes: a shelf is not trusted */
};
struct gm_bodies; /* opaque */

/* shelf: copied; put NULL: all stays in memory. */
struct gm_bodies *gm_bodies_create(const struct gm_core_shelf *shelf);
void gm_bodies_destroy(struct gm_bodies **bodies);
/* Copies size bytes, which may be 0. */
struct gm_body gm_bodies_put(struct gm_bodies *bodies, const void *data, size_t size);
/* The bytes: borrowed until the next look, put or drop. Of a block on the shelf that is looked at
 * twice in a row all is read, and kept until another one is looked at. */
const uint8_t *gm_bodies_look(struct gm_bodies *bodies, const struct gm_body *body);
/* body: becomes all-zero; nothing happens where it is. */
void gm_bodies_drop(struct gm_bodies *bodies, struct gm_body *body);
size_t gm_bodies_count(const struct gm_bodies *bodies); /* of those not dropped */

#endif
