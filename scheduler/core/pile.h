#ifndef GM_SCHEDULER_CORE_PILE_H
#define GM_SCHEDULER_CORE_PILE_H

#include <protobuf-c/protobuf-c.h>

/* Memory for many small things that end together, such as the rows of a start.
 * Private to scheduler/core/. Running out: as mem.h. Thread: one at a time. */
struct gm_pile_block;
struct gm_pile { /* all-zero: empty */
    struct gm_pile_block *blocks;
    size_t left; /* bytes, of the first block */
};

/* Not zeroed; as aligned as malloc's. */
void *gm_pile_take(struct gm_pile *pile, size_t size);
/* For protobuf-c: frees nothing. Borrows the pile. */
ProtobufCAllocator gm_pile_allocator(struct gm_pile *pile);
/* Frees all. */
void gm_pile_fini(struct gm_pile *pile);

#endif
