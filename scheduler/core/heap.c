#include "scheduler/core/heap.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "scheduler/core/mem.h"

static void put(struct gm_heap *heap, size_t at, struct gm_heap_node *node)
{
    heap->nodes[at - 1] = node;
    node->at = at;
}

static void rise(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before)
{
    size_t at = node->at;
    for (; at > 1 && before(node, heap->nodes[at / 2 - 1]); at /= 2) {
        put(heap, at, heap->nodes[at / 2 - 1]);
    }
    put(heap, at, node);
}

static void sink(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before)
{
    size_t at = node->at;
    while (at * 2 <= heap->count) {
        size_t child = at * 2;
        if (child < heap->count && before(heap->nodes[child], heap->nodes[child - 1])) {
            child++;
        }
        if (!before(heap->nodes[child - 1], node)) {
            break;
        }
        put(heap, at, heap->nodes[child - 1]);
        at = child;
    }
    put(heap, at, node);
}

void gm_heap_push(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before)
{
    GM_ASSERT(node->at == 0);
    heap->nodes = gm_mem_grow(heap->nodes, heap->count, &heap->cap, sizeof(struct gm_heap_node *));
    heap->count++;
    put(heap, heap->count, node);
    rise(heap, node, before);
}

void gm_heap_remove(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before)
{
    if (node->at == 0) {
        return;
    }
    struct gm_heap_node *last = heap->nodes[heap->count - 1];
    heap->count--;
    if (last != node) {
        put(heap, node->at, last);
        gm_heap_move(heap, last, before);
    }
    node->at = 0;
}

void gm_heap_move(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before)
{
    if (node->at != 0) {
        rise(heap, node, before);
        sink(heap, node, before);
    }
}

struct gm_heap_node *gm_heap_first(const struct gm_heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

bool gm_heap_is_sound(const struct gm_heap *heap, gm_heap_before_fn before)
{
    for (size_t i = 1; i <= heap->count; i++) {
        const struct gm_heap_node *node = heap->nodes[i - 1];
        if (node->at != i || (i > 1 && before(node, heap->nodes[i / 2 - 1]))) {
            return false;
        }
    }
    return true;
}

void gm_heap_fini(struct gm_heap *heap)
{
    free(heap->nodes);
    memset(heap, 0, sizeof(*heap));
}
