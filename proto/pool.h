#ifndef GM_PROTO_POOL_H
#define GM_PROTO_POOL_H

#include <stddef.h>

/* Memory that goes all at once: many small things of one owner, in few blocks. {NULL} is an empty
 * one; it may be moved. Thread: one at a time. */
struct gm_pool_block;
struct gm_pool {
    struct gm_pool_block *blocks; /* owned */
};

/* Room for any type, not zeroed, until gm_pool_fini. NULL: out of memory. */
void *gm_pool_take(struct gm_pool *pool, size_t size);
/* A copy of the text. NULL: out of memory. */
char *gm_pool_text(struct gm_pool *pool, const char *text);
void gm_pool_fini(struct gm_pool *pool);

#endif
