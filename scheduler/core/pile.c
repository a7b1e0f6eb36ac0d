#include "scheduler/core/pile.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

#include "scheduler/core/mem.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define ALIGN alignof(max_align_t)

struct gm_pile_block {
    struct gm_pile_block *next;
    size_t size; /* of data */
    alignas(max_align_t) uint8_t data[];
};

void *gm_pile_take(struct gm_pile *pile, size_t size)
{
    if (size > SIZE_MAX / 2) {
        gm_mem_exhausted();
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (!pile->blocks || size > pile->left) {
        size_t all = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct gm_pile_block *block = malloc(sizeof(*block) + all);
        if (!block) {
            gm_mem_exhausted();
        }
        *block = (struct gm_pile_block){.next = pile->blocks, .size = all};
        pile->blocks = block;
        pile->left = all;
    }
    void *p = pile->blocks->data + (pile->blocks->size - pile->left);
    pile->left -= size;
    return p;
}

static void *take(void *pile, size_t size)
{
    return gm_pile_take(pile, size);
}

static void leave(void *pile, void *p)
{
    (void)pile;
    (void)p;
}

ProtobufCAllocator gm_pile_allocator(struct gm_pile *pile)
{
    return (ProtobufCAllocator){.alloc = take, .free = leave, .allocator_data = pile};
}

void gm_pile_fini(struct gm_pile *pile)
{
    while (pile->blocks) {
        struct gm_pile_block *next = pile->blocks->next;
        free(pile->blocks);
        pile->blocks = next;
    }
    pile->left = 0;
}
