#include "media/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* One mutex for all: pictures are few and their work is long. A lane that is `busy` belongs to the
 * thread that works on its picture. */

struct slot {
    AVFrame *frame; /* owned */
    size_t index;
};

struct lane {
    struct slot queue[GM_LANES_DEPTH]; /* a ring */
    size_t first, count;
    bool busy;
};

struct gm_lanes {
    gm_lanes_fn fn;
    void *arg;
    struct lane *lanes; /* owned */
    size_t count;
    pthread_t *threads; /* owned */
    unsigned started;
    pthread_mutex_t lock;
    pthread_cond_t work; /* something to do, or the end */
    pthread_cond_t done; /* a picture was worked off */
    size_t next;         /* lane to look at first: each gets its turn */
    bool ends;
    struct gm_err failure;
    int rc; /* the first failure; 0: none */
};

/* A lane with work that nobody does. Lock held. */
static struct lane *find_work(struct gm_lanes *l)
{
    for (size_t i = 0; i < l->count && l->rc == 0; i++) {
        size_t k = (l->next + i) % l->count;
        if (l->lanes[k].count > 0 && !l->lanes[k].busy) {
            l->next = (k + 1) % l->count;
            return &l->lanes[k];
        }
    }
    return NULL;
}

static struct slot take(struct lane *lane)
{
    struct slot s = lane->queue[lane->first];
    lane->first = (lane->first + 1) % GM_LANES_DEPTH;
    lane->count--;
    return s;
}

static void throw_away(struct gm_lanes *l)
{
    for (size_t i = 0; i < l->count; i++) {
        while (l->lanes[i].count > 0) {
            struct slot s = take(&l->lanes[i]);
            av_frame_free(&s.frame);
        }
    }
}

static void *run(void *arg)
{
    struct gm_lanes *l = arg;
    (void)pthread_mutex_lock(&l->lock);
    for (;;) {
        struct lane *lane = find_work(l);
        if (lane == NULL) {
            if (l->ends) {
                break;
            }
            (void)pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        struct slot s = take(lane);
        lane->busy = true;
        (void)pthread_mutex_unlock(&l->lock);
        struct gm_err err = {0};
        int rc = l->fn(l->arg, (size_t)(lane - l->lanes), s.index, s.frame, &err);
        av_frame_free(&s.frame);
        (void)pthread_mutex_lock(&l->lock);
        lane->busy = false;
        if (rc < 0 && l->rc == 0) {
            l->rc = rc;
            l->failure = err;
            throw_away(l);
        }
        (void)pthread_cond_broadcast(&l->done);
        if (lane->count > 0) {
            (void)pthread_cond_signal(&l->work);
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

int gm_lanes_create(size_t count, unsigned threads, gm_lanes_fn fn, void *arg,
                    struct gm_lanes **out, struct gm_err *err)
{
    if (count == 0 || threads == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "Lanes need at least one lane and one thread");
    }
    struct gm_lanes *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return gm_err_nomem(err);
    }
    threads = threads > count ? (unsigned)count : threads;
    l->fn = fn;
    l->arg = arg;
    l->count = count;
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->work, NULL);
    (void)pthread_cond_init(&l->done, NULL);
    l->lanes = calloc(count, sizeof *l->lanes);
    l->threads = calloc(threads, sizeof *l->threads);
    int rc = l->lanes != NULL && l->threads != NULL ? 0 : gm_err_nomem(err);
    int failed = 0;
    while (rc == 0 && failed == 0 && l->started < threads) {
        failed = pthread_create(&l->threads[l->started], NULL, run, l);
        l->started += failed == 0;
    }
    if (rc == 0 && l->started == 0) {
        rc = gm_err_sys(err, failed, "starting an encoder thread");
    }
    if (rc < 0) {
        gm_lanes_destroy(&l);
        return rc;
    }
    *out = l;
    return 0;
}

void gm_lanes_destroy(struct gm_lanes **lanes)
{
    struct gm_lanes *l = *lanes;
    if (l == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&l->lock);
    l->ends = true;
    if (l->lanes != NULL) {
        throw_away(l);
    }
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < l->started; i++) {
        (void)pthread_join(l->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&l->work);
    (void)pthread_cond_destroy(&l->done);
    (void)pthread_mutex_destroy(&l->lock);
    free(l->lanes);
    free(l->threads);
    free(l);
    *lanes = NULL;
}

/* Lock held. */
static int failure(const struct gm_lanes *l, struct gm_err *err)
{
    if (l->rc < 0 && err != NULL) {
        *err = l->failure;
    }
    return l->rc;
}

int gm_lanes_push(struct gm_lanes *l, size_t lane, size_t index, const AVFrame *frame,
                  struct gm_err *err)
{
    GM_ASSERT(lane < l->count);
    AVFrame *copy = frame != NULL ? av_frame_clone(frame) : NULL;
    if (copy == NULL && frame != NULL) {
        return gm_err_nomem(err);
    }
    struct lane *to = &l->lanes[lane];
    (void)pthread_mutex_lock(&l->lock);
    while (l->rc == 0 && to->count == GM_LANES_DEPTH) {
        (void)pthread_cond_wait(&l->done, &l->lock);
    }
    int rc = failure(l, err);
    if (rc == 0) {
        to->queue[(to->first + to->count) % GM_LANES_DEPTH] = (struct slot){copy, index};
        to->count++;
        copy = NULL;
        (void)pthread_cond_signal(&l->work);
    }
    (void)pthread_mutex_unlock(&l->lock);
    av_frame_free(&copy);
    return rc;
}

/* Until no lane has a picture waiting or in work. Lock held. */
static void wait_idle(struct gm_lanes *l)
{
    for (size_t i = 0; i < l->count; i++) {
        while (l->lanes[i].busy || l->lanes[i].count > 0) {
            (void)pthread_cond_wait(&l->done, &l->lock);
            i = 0;
        }
    }
}

int gm_lanes_drain(struct gm_lanes *l, struct gm_err *err)
{
    (void)pthread_mutex_lock(&l->lock);
    wait_idle(l);
    int rc = failure(l, err);
    (void)pthread_mutex_unlock(&l->lock);
    return rc;
}

void gm_lanes_clear(struct gm_lanes *l)
{
    (void)pthread_mutex_lock(&l->lock);
    throw_away(l);
    wait_idle(l);
    l->rc = 0;
    (void)pthread_mutex_unlock(&l->lock);
}
