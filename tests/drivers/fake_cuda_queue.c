/* libcuda.so.1 of the fake drivers: work that was queued and not waited for. It is done as late as
 * a real driver may do it: where somebody waits. So a wait that is missing shows. */
#include <pthread.h>
#include <stdlib.h>

#include "fake_cuda.h"

struct work {
    struct work *next;
    uint64_t number;
    const struct CUctx_st *context;
    const void *queue;
    fake_work_fn run;
    void *arg; /* owned */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct work *first, **last = &first; /* in the order it came */
static uint64_t newest;

CUresult fake_queue_add(const void *queue, fake_work_fn run, void *arg)
{
    struct CUctx_st *context;
    CUresult rc = fake_cuda_current(&context);
    struct work *w = rc == CUDA_SUCCESS ? calloc(1, sizeof(*w)) : NULL;
    if (w == NULL) {
        free(arg);
        return rc == CUDA_SUCCESS ? FAKE_CU_OUT_OF_MEMORY : rc;
    }
    *w = (struct work){.context = context, .queue = queue, .run = run, .arg = arg};
    pthread_mutex_lock(&lock);
    w->number = ++newest;
    *last = w;
    last = &w->next;
    pthread_mutex_unlock(&lock);
    return CUDA_SUCCESS;
}

/* Another thread's wait for the same work ends after it too. */
static CUresult drain(const void *queue, uint64_t mark, bool all)
{
    CUresult rc = CUDA_SUCCESS;
    pthread_mutex_lock(&lock);
    for (struct work **at = &first; *at != NULL;) {
        struct work *w = *at;
        if (!all && (w->queue != queue || w->number > mark)) {
            at = &w->next;
            continue;
        }
        CUresult done = fake_cuda_context_state(w->context);
        done = done == CUDA_SUCCESS ? w->run(w->arg) : done; /* of a lost device: thrown away */
        rc = rc == CUDA_SUCCESS ? done : rc;
        *at = w->next;
        last = w->next == NULL ? at : last;
        free(w->arg);
        free(w);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

CUresult fake_queue_drain(const void *queue)
{
    return drain(queue, UINT64_MAX, false);
}

CUresult fake_queue_drain_to(const void *queue, uint64_t mark)
{
    return drain(queue, mark, false);
}

uint64_t fake_queue_mark(void)
{
    pthread_mutex_lock(&lock);
    uint64_t mark = newest;
    pthread_mutex_unlock(&lock);
    return mark;
}

CUresult fake_queue_drain_all(void)
{
    return drain(NULL, UINT64_MAX, true);
}
