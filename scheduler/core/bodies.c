/* Blocks of bodies. A block is the one that is being filled, or in the queue (full, in memory,
 * oldest first), or on the shelf, or free. A body of more than half a block is a block of its own,
 * in no queue, and stays in memory: there are few. */
#include "scheduler/core/bodies.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/mem.h"

struct block {
    uint8_t *data; /* owned; NULL: shelved or free */
    uint32_t used; /* bytes */
    uint32_t live; /* bodies that were not dropped */
    uint32_t next; /* in the queue, or the next free one; 0: none */
    uint32_t prev; /* in the queue */
    bool queued;
};
struct gm_bodies {
    struct gm_core_shelf shelf;
    struct block *blocks; /* owned; by number, [0] is none */
    size_t count, cap;
    uint32_t open; /* 0: none, and so in these */
    uint32_t free;
    uint32_t oldest, newest; /* the queue's ends */
    size_t queued;           /* blocks */
    size_t live;             /* bodies */
    uint8_t *read;           /* owned; a block's room; NULL: nothing was read yet */
    uint32_t looked;         /* of which block something is in it; 0: none */
    bool whole;              /* all of it */
};

struct gm_bodies *gm_bodies_create(const struct gm_core_shelf *shelf)
{
    struct gm_bodies *b = gm_mem_zalloc(sizeof(*b));
    b->shelf = *shelf;
    b->shelf.block_bytes = shelf->block_bytes > 0 ? shelf->block_bytes : GM_BODIES_BLOCK;
    b->blocks = gm_mem_grow(b->blocks, b->count++, &b->cap, sizeof(*b->blocks));
    return b;
}

void gm_bodies_destroy(struct gm_bodies **bodies)
{
    struct gm_bodies *b = *bodies;
    for (size_t i = 0; b && i < b->count; i++) {
        free(b->blocks[i].data);
    }
    if (b) {
        free(b->blocks);
        free(b->read);
    }
    free(b);
    *bodies = NULL;
}

size_t gm_bodies_count(const struct gm_bodies *bodies)
{
    return bodies->live;
}

/* Each step maps sums one to one, so a change within a word always shows; by Knuth's multiplier for
 * hashing (The Art of Computer Programming, volume 3, 6.4), as 64 bits. */
static uint64_t sum_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 32;
}

static uint32_t sum_of(const uint8_t *data, size_t size)
{
    uint64_t sum = size, word = 0;
    size_t at = 0;
    for (; at + sizeof(word) <= size; at += sizeof(word)) {
        memcpy(&word, data + at, sizeof(word));
        sum = sum_word(sum, word);
    }
    word = 0;
    if (at < size) {
        memcpy(&word, data + at, size - at);
    }
    return (uint32_t)sum_word(sum, word);
}

static uint64_t place_of(const struct gm_bodies *b, uint32_t number)
{
    return (uint64_t)(number - 1) * b->shelf.block_bytes;
}

/* ---- the queue */

static void enter(struct gm_bodies *b, uint32_t number)
{
    struct block *block = &b->blocks[number];
    block->queued = true;
    block->next = 0;
    block->prev = b->newest;
    if (b->newest > 0) {
        b->blocks[b->newest].next = number;
    } else {
        b->oldest = number;
    }
    b->newest = number;
    b->queued++;
}

static void leave(struct gm_bodies *b, uint32_t number)
{
    struct block *block = &b->blocks[number];
    if (block->prev > 0) {
        b->blocks[block->prev].next = block->next;
    } else {
        b->oldest = block->next;
    }
    if (block->next > 0) {
        b->blocks[block->next].prev = block->prev;
    } else {
        b->newest = block->prev;
    }
    block->queued = false;
    block->next = block->prev = 0;
    b->queued--;
}

/* What the shelf does not take is offered again with the next block. */
static void shelve(struct gm_bodies *b)
{
    while (b->shelf.put && b->queued * b->shelf.block_bytes > b->shelf.at_hand_bytes) {
        uint32_t number = b->oldest;
        struct block *block = &b->blocks[number];
        if (b->shelf.put(b->shelf.arg, place_of(b, number), block->data, block->used) < 0) {
            return;
        }
        leave(b, number);
        free(block->data);
        block->data = NULL;
    }
}

/* ---- blocks */

static uint32_t take_block(struct gm_bodies *b, size_t size)
{
    uint32_t number = b->free;
    if (number > 0) {
        b->free = b->blocks[number].next;
    } else {
        GM_ASSERT(b->count < UINT32_MAX);
        b->blocks = gm_mem_grow(b->blocks, b->count, &b->cap, sizeof(*b->blocks));
        number = (uint32_t)b->count++;
    }
    b->blocks[number] = (struct block){.data = malloc(size)};
    if (!b->blocks[number].data) {
        gm_mem_exhausted();
    }
    return number;
}

static void give_block(struct gm_bodies *b, uint32_t number)
{
    struct block *block = &b->blocks[number];
    if (block->queued) {
        leave(b, number);
    }
    b->looked = b->looked == number ? 0 : b->looked;
    free(block->data);
    *block = (struct block){.next = b->free};
    b->free = number;
}

/* The open block, with room for so much. */
static uint32_t make_room(struct gm_bodies *b, size_t size)
{
    if (b->open > 0 && b->blocks[b->open].used + size > b->shelf.block_bytes) {
        enter(b, b->open);
        b->open = 0;
        shelve(b);
    }
    if (b->open == 0) {
        b->open = take_block(b, b->shelf.block_bytes);
    }
    return b->open;
}

struct gm_body gm_bodies_put(struct gm_bodies *bodies, const void *data, size_t size)
{
    struct gm_bodies *b = bodies;
    GM_ASSERT(size <= UINT32_MAX);
    bool large = size > b->shelf.block_bytes / 2;
    uint32_t number = large ? take_block(b, size) : make_room(b, size);
    struct block *block = &b->blocks[number];
    struct gm_body body = {.block = number,
                           .at = block->used,
                           .size = (uint32_t)size,
                           .sum = b->shelf.put ? sum_of(data, size) : 0};
    if (size > 0) {
        memcpy(block->data + block->used, data, size);
    }
    block->used += body.size;
    block->live++;
    b->live++;
    return body;
}

/* Who looks at many bodies finds them behind each other, and who looks at one wants no more. */
static int read_shelf(struct gm_bodies *b, const struct gm_body *body)
{
    bool again = b->looked == body->block;
    uint32_t at = again ? 0 : body->at;
    uint32_t size = again ? b->blocks[body->block].used : body->size;
    if (again && b->whole) {
        return 0;
    }
    b->read = b->read ? b->read : gm_mem_zalloc(b->shelf.block_bytes);
    b->looked = body->block;
    b->whole = again;
    return b->shelf.get(b->shelf.arg, place_of(b, body->block) + at, b->read + at, size);
}

const uint8_t *gm_bodies_look(struct gm_bodies *bodies, const struct gm_body *body)
{
    struct gm_bodies *b = bodies;
    GM_ASSERT(body->block > 0 && body->block < b->count && b->blocks[body->block].live > 0);
    const struct block *block = &b->blocks[body->block];
    if (block->data) {
        return block->data + body->at;
    }
    if (read_shelf(b, body) < 0 || sum_of(b->read + body->at, body->size) != body->sum) {
        gm_assert_fail("a body is on the shelf as it was put there", __FILE__, __LINE__);
    }
    return b->read + body->at;
}

void gm_bodies_drop(struct gm_bodies *bodies, struct gm_body *body)
{
    struct gm_bodies *b = bodies;
    if (body->block == 0) {
        return;
    }
    struct block *block = &b->blocks[body->block];
    b->live--;
    if (--block->live == 0) {
        if (body->block == b->open) {
            block->used = 0;
        } else {
            give_block(b, body->block);
        }
    }
    *body = (struct gm_body){0};
}
