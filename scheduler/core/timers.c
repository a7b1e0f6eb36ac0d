/* Timers: a binary heap. */
#include "scheduler/core/timers.h"

#include <stdlib.h>

#include "scheduler/core/mem.h"

static bool is_before(const struct gm_timer *a, const struct gm_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct gm_timers *timers, size_t place, struct gm_timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

/* To its place from the one that is free, which is above or below. */
static void settle(struct gm_timers *timers, size_t place, struct gm_timer *timer)
{
    while (place > 1 && is_before(timer, timers->heap[place / 2 - 1])) {
        put(timers, place, timers->heap[place / 2 - 1]);
        place /= 2;
    }
    for (size_t child = 2 * place; child <= timers->count; child = 2 * place) {
        struct gm_timer *first = timers->heap[child - 1];
        if (child < timers->count && is_before(timers->heap[child], first)) {
            first = timers->heap[child];
            child++;
        }
        if (!is_before(first, timer)) {
            break;
        }
        put(timers, place, first);
        place = child;
    }
    put(timers, place, timer);
}

void gm_timers_set(struct gm_timers *timers, struct gm_timer *timer, gm_time at)
{
    timer->at = at;
    timer->order = ++timers->order;
    if (timer->place == 0) {
        timers->heap = gm_mem_grow(timers->heap, timers->count, &timers->cap, sizeof(timer));
        timer->place = ++timers->count;
    }
    settle(timers, timer->place, timer);
}

void gm_timers_stop(struct gm_timers *timers, struct gm_timer *timer)
{
    if (timer->place == 0) {
        return;
    }
    struct gm_timer *last = timers->heap[--timers->count];
    if (last != timer) {
        settle(timers, timer->place, last);
    }
    timer->place = 0;
}

struct gm_timer *gm_timers_next(struct gm_timers *timers, gm_time now)
{
    struct gm_timer *first = timers->count > 0 ? timers->heap[0] : NULL;
    if (!first || first->at > now) {
        return NULL;
    }
    gm_timers_stop(timers, first);
    return first;
}

void gm_timers_fini(struct gm_timers *timers)
{
    free(timers->heap);
    *timers = (struct gm_timers){0};
}
