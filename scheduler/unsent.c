#include "scheduler/unsent.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "scheduler/core/mem.h"

/* Of all peers. It lives as long as one of their counters. */
struct gm_unsent_total {
    atomic_size_t bytes;
    atomic_size_t refs;
};

struct gm_unsent_bytes {
    struct gm_unsent_total *total; /* shared */
    atomic_size_t unsent;
    atomic_size_t left; /* since the beginning */
    atomic_size_t refs;
};

struct gm_unsent_total *gm_unsent_total_create(void)
{
    struct gm_unsent_total *t = gm_mem_zalloc(sizeof *t);
    atomic_init(&t->refs, 1);
    return t;
}

void gm_unsent_total_drop(struct gm_unsent_total *t)
{
    if (atomic_fetch_sub(&t->refs, 1) == 1) {
        free(t);
    }
}

struct gm_unsent_bytes *gm_unsent_bytes_create(struct gm_unsent_total *total)
{
    struct gm_unsent_bytes *b = gm_mem_zalloc(sizeof *b);
    b->total = total;
    (void)atomic_fetch_add(&total->refs, 1);
    atomic_init(&b->refs, 1);
    return b;
}

void gm_unsent_bytes_unref(struct gm_unsent_bytes *b)
{
    if (atomic_fetch_sub(&b->refs, 1) == 1) {
        gm_unsent_total_drop(b->total);
        free(b);
    }
}

void gm_unsent_bytes_take(struct gm_unsent_bytes *bytes, size_t size)
{
    (void)atomic_fetch_add(&bytes->refs, 1);
    (void)atomic_fetch_add(&bytes->unsent, size);
    (void)atomic_fetch_add(&bytes->total->bytes, size);
}

void gm_unsent_bytes_drop(struct gm_unsent_bytes *bytes, size_t size)
{
    (void)atomic_fetch_sub(&bytes->unsent, size);
    (void)atomic_fetch_sub(&bytes->total->bytes, size);
    (void)atomic_fetch_add(&bytes->left, size);
    gm_unsent_bytes_unref(bytes);
}

uint64_t gm_unsent_bytes_left(const struct gm_unsent_bytes *bytes)
{
    return atomic_load(&bytes->left);
}

size_t gm_unsent_bytes_get(const struct gm_unsent_bytes *bytes)
{
    return atomic_load(&bytes->unsent);
}

bool gm_unsent_bytes_has_room(const struct gm_unsent_bytes *bytes, size_t more)
{
    size_t own = gm_unsent_bytes_get(bytes) + more;
    return own <= GM_PEERS_UNSENT_BYTES ||
           (own <= GM_PEERS_UNSENT_MOST &&
            atomic_load(&bytes->total->bytes) + more <= GM_PEERS_UNSENT_ALL);
}
