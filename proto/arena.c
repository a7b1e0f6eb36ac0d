#include "proto/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/scan.h"

#define BLOCK ((size_t)64 << 10) /* most messages fit into one */

struct block {
    struct block *next;
    size_t size, used; /* bytes behind this */
    max_align_t data[];
};

struct gm_arena {
    ProtobufCAllocator allocator;
    struct block *blocks; /* owned; the last of the list stays */
};

static struct block *add_block(struct gm_arena *a, size_t size)
{
    struct block *b = size > SIZE_MAX - sizeof *b ? NULL : malloc(sizeof *b + size);
    if (b != NULL) {
        b->next = a->blocks;
        b->size = size;
        b->used = 0;
        a->blocks = b;
    }
    return b;
}

static void *take(void *arg, size_t size)
{
    struct gm_arena *a = arg;
    struct block *b = a->blocks;
    size_t whole = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    if (whole < size) {
        return NULL;
    }
    if (b->size - b->used < whole) {
        b = add_block(a, whole > BLOCK ? whole : BLOCK);
        if (b == NULL) {
            return NULL;
        }
    }
    void *out = (char *)b->data + b->used;
    b->used += whole;
    return out;
}

static void give_back(void *arg, void *data)
{
    (void)arg;
    (void)data;
}

static void reset(struct gm_arena *a)
{
    while (a->blocks->next != NULL) {
        struct block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
    a->blocks->used = 0;
}

int gm_arena_create(struct gm_arena **out, struct gm_err *err)
{
    struct gm_arena *a = calloc(1, sizeof *a);
    if (a == NULL || add_block(a, BLOCK) == NULL) {
        free(a);
        return gm_err_nomem(err);
    }
    a->allocator = (ProtobufCAllocator){.alloc = take, .free = give_back, .allocator_data = a};
    *out = a;
    return 0;
}

void gm_arena_destroy(struct gm_arena **arena)
{
    struct gm_arena *a = *arena;
    if (a == NULL) {
        return;
    }
    reset(a);
    free(a->blocks);
    free(a);
    *arena = NULL;
}

size_t gm_arena_size(const struct gm_arena *a)
{
    size_t size = 0;
    for (const struct block *b = a->blocks; b != NULL; b = b->next) {
        size += b->size;
    }
    return size;
}

int gm_arena_envelope(struct gm_arena *a, const void *data, size_t size, Gm__Envelope **out,
                      struct gm_err *err)
{
    static const uint8_t nothing;
    reset(a);
    if (size > GM_ENVELOPE_MAX_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size, "an envelope of %zu bytes is over %u",
                          size, GM_ENVELOPE_MAX_BYTES);
    }
    int rc = gm_scan_message(&gm__envelope__descriptor, data, size, err);
    if (rc < 0) {
        return rc;
    }
    Gm__Envelope *env = gm__envelope__unpack(&a->allocator, size, size == 0 ? &nothing : data);
    if (env == NULL) {
        return gm_err_nomem(err); /* the bytes were just found sound */
    }
    rc = gm_check_envelope(env, err);
    if (rc == 0) {
        *out = env;
    }
    return rc;
}
