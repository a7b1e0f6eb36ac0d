#include "proto/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a block with its head. glibc keeps some of up to 1,032 bytes for each thread, and asks
 * its whole heap for larger ones. What most steps of the scheduler say fits into the first. */
#define FIRST 480u
#define NEXT 1024u

struct gm_pool_block {
    struct gm_pool_block *next;
    uint32_t size, used; /* bytes behind this */
    max_align_t data[];
};

static struct gm_pool_block *add_block(struct gm_pool *pool, size_t size)
{
    size_t whole = pool->blocks == NULL ? FIRST : NEXT;
    size_t room = whole - sizeof(struct gm_pool_block);
    if (size > UINT32_MAX) {
        return NULL;
    }
    room = size > room ? size : room;
    struct gm_pool_block *b = malloc(sizeof *b + room);
    if (b == NULL) {
        return NULL;
    }
    *b = (struct gm_pool_block){.next = pool->blocks, .size = (uint32_t)room};
    pool->blocks = b;
    return b;
}

void *gm_pool_take(struct gm_pool *pool, size_t size)
{
    struct gm_pool_block *b = pool->blocks;
    size_t whole = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    if (whole < size) {
        return NULL;
    }
    if (b == NULL || b->size - b->used < whole) {
        b = add_block(pool, whole);
        if (b == NULL) {
            return NULL;
        }
    }
    void *out = (char *)b->data + b->used;
    b->used += (uint32_t)whole;
    return out;
}

char *gm_pool_text(struct gm_pool *pool, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = gm_pool_take(pool, size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void gm_pool_fini(struct gm_pool *pool)
{
    while (pool->blocks != NULL) {
        struct gm_pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}
