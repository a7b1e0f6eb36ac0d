#ifndef GM_SCHEDULER_CORE_HEAP_H
#define GM_SCHEDULER_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* A binary heap of things that hold their own node. Pure; `before` must be a total order, so that
 * what comes first does not depend on the order of insertion. Each change costs O(log count).
 * Memory: the array is owned, the nodes are borrowed. Running out of it: mem.h. Thread: any. */
struct gm_heap_node {
    size_t at; /* place in its heap, from 1; 0: in none */
};
typedef bool (*gm_heap_before_fn)(const struct gm_heap_node *a, const struct gm_heap_node *b);
struct gm_heap { /* zeroed: empty */
    struct gm_heap_node **nodes;
    size_t count, cap;
};

/* node: in no heap. */
void gm_heap_push(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before);
/* No-op for a node that is in none. */
void gm_heap_remove(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before);
/* After what orders the node has changed. No-op for a node that is in none. */
void gm_heap_move(struct gm_heap *heap, struct gm_heap_node *node, gm_heap_before_fn before);
struct gm_heap_node *gm_heap_first(const struct gm_heap *heap); /* NULL: it is empty */
/* Every node is where it says, and behind its parent. */
bool gm_heap_is_sound(const struct gm_heap *heap, gm_heap_before_fn before);
void gm_heap_fini(struct gm_heap *heap);

#endif
