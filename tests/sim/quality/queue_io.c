/* What is to happen, by time; of one time in the order in which it was planned. */
#include <stdlib.h>

#include "sim/quality/farm.h"

static bool before(const struct q_event *a, const struct q_event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void swap(struct q_event *a, struct q_event *b)
{
    struct q_event keep = *a;
    *a = *b;
    *b = keep;
}

void q_queue_push(struct q_queue *queue, struct q_event event)
{
    queue->list = q_grow(queue->list, queue->count, &queue->cap, sizeof(*queue->list));
    event.number = queue->number++;
    size_t i = queue->count++;
    queue->list[i] = event;
    for (; i > 0 && before(&queue->list[i], &queue->list[(i - 1) / 2]); i = (i - 1) / 2) {
        swap(&queue->list[i], &queue->list[(i - 1) / 2]);
    }
}

bool q_queue_pop(struct q_queue *queue, struct q_event *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->list[0];
    queue->list[0] = queue->list[--queue->count];
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < queue->count; child++) {
            least = before(&queue->list[child], &queue->list[least]) ? child : least;
        }
        if (least == i) {
            return true;
        }
        swap(&queue->list[i], &queue->list[least]);
        i = least;
    }
}
