/* See common/loop.h. Memory: a watch and a post are freed when the last of their handles has
 * closed, one turn or so after stop and destroy; the loop must turn once more for that. */
#include "common/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <zmq.h>

/* Messages a turn: enough to amortise the turn, few enough that timers stay punctual. */
#define GM_ZWATCH_BUDGET 64

struct gm_zwatch {
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    int open;    /* handles that have not closed yet */
    void *zsock; /* borrowed until stop */
    gm_zwatch_fn fn;
    void (*before)(void *arg); /* NULL: nothing */
    void *arg;
    bool spare, touched; /* gm_zwatch_spare */
    bool signalled;      /* by the descriptor, in this turn */
    bool has_input;      /* found before the loop waited */
};

struct post_item {
    struct post_item *next;
    void (*fn)(void *arg);
    void *arg;
};

struct gm_post {
    uv_async_t async;
    uv_mutex_t mutex;
    struct post_item *first; /* owned; under mutex, as last and count */
    struct post_item *last;
    size_t count;
};

bool gm_zsock_has_input(void *zsock)
{
    int events = 0;
    size_t size = sizeof(events);

    int rc;

    do { /* a signal may come when the edge was taken in, which nothing will tell again */
        rc = zmq_getsockopt(zsock, ZMQ_EVENTS, &events, &size);
    } while (rc != 0 && zmq_errno() == EINTR);
    return rc == 0 && (events & ZMQ_POLLIN) != 0;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct gm_zwatch *watch = handle->data;

    (void)status;
    (void)events;
    watch->signalled = true; /* the check handle looks at the socket */
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* its being active keeps the loop from waiting */
}

static void on_prepare(uv_prepare_t *handle)
{
    struct gm_zwatch *watch = handle->data;

    if (watch->before != NULL) {
        watch->before(watch->arg);
    }
    if (watch->spare && !watch->touched) {
        return;
    }
    watch->touched = false;
    watch->has_input = gm_zsock_has_input(watch->zsock);
    if (watch->has_input) {
        uv_idle_start(&watch->idle, on_idle);
    }
}

static void on_check(uv_check_t *handle)
{
    struct gm_zwatch *watch = handle->data;

    if (!watch->signalled && !watch->has_input) {
        return; /* what a callback of this turn took in is found before the next wait */
    }
    bool found = watch->has_input;
    watch->signalled = watch->has_input = false;
    uv_idle_stop(&watch->idle);
    if (found || gm_zsock_has_input(watch->zsock)) {
        watch->fn(watch->zsock, GM_ZWATCH_BUDGET, watch->arg);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct gm_zwatch *watch = handle->data;

    if (--watch->open == 0) {
        free(watch);
    }
}

int gm_zwatch_start(uv_loop_t *loop, void *zsock, gm_zwatch_fn fn, void *arg,
                    struct gm_zwatch **out, struct gm_err *err)
{
    struct gm_zwatch *watch;
    int fd = -1;
    size_t size = sizeof(fd);
    int rc;

    if (zmq_getsockopt(zsock, ZMQ_FD, &fd, &size) != 0) {
        return gm_err_zmq(err, zmq_errno(), "asking a socket for its descriptor failed");
    }
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return gm_err_nomem(err);
    }
    watch->zsock = zsock;
    watch->fn = fn;
    watch->arg = arg;
    rc = uv_poll_init(loop, &watch->poll, fd);
    if (rc < 0) {
        free(watch);
        return gm_err_uv(err, rc, "watching a socket failed");
    }
    uv_prepare_init(loop, &watch->prepare);
    uv_check_init(loop, &watch->check);
    uv_idle_init(loop, &watch->idle);
    watch->open = 4;
    watch->poll.data = watch;
    watch->prepare.data = watch;
    watch->check.data = watch;
    watch->idle.data = watch;
    rc = uv_poll_start(&watch->poll, UV_READABLE, on_poll);
    if (rc < 0) {
        gm_zwatch_stop(&watch);
        return gm_err_uv(err, rc, "watching a socket failed");
    }
    watch->touched = true; /* what came before */
    uv_prepare_start(&watch->prepare, on_prepare);
    uv_check_start(&watch->check, on_check);
    *out = watch;
    return 0;
}

void gm_zwatch_before(struct gm_zwatch *watch, void (*fn)(void *arg))
{
    watch->before = fn;
}

void gm_zwatch_spare(struct gm_zwatch *watch)
{
    watch->spare = true;
}

void gm_zwatch_touch(struct gm_zwatch *watch)
{
    watch->touched = true;
}

void gm_zwatch_stop(struct gm_zwatch **watch)
{
    struct gm_zwatch *w = *watch;

    if (w == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
    uv_close((uv_handle_t *)&w->prepare, on_watch_closed);
    uv_close((uv_handle_t *)&w->check, on_watch_closed);
    uv_close((uv_handle_t *)&w->idle, on_watch_closed);
    *watch = NULL;
}

static struct post_item *take_first(struct gm_post *post)
{
    struct post_item *item;

    uv_mutex_lock(&post->mutex);
    item = post->first;
    if (item != NULL) {
        post->first = item->next;
        post->count--;
        if (post->first == NULL) {
            post->last = NULL;
        }
    }
    uv_mutex_unlock(&post->mutex);
    return item;
}

static size_t count_items(struct gm_post *post)
{
    size_t count;

    uv_mutex_lock(&post->mutex);
    count = post->count;
    uv_mutex_unlock(&post->mutex);
    return count;
}

/* Runs what is there now; what those calls post waits for the next turn, so that timers and
 * sockets get theirs. */
static void on_async(uv_async_t *handle)
{
    struct gm_post *post = handle->data;

    for (size_t n = count_items(post); n > 0; n--) {
        struct post_item *item = take_first(post);

        if (item == NULL) {
            return;
        }
        item->fn(item->arg);
        free(item);
    }
    if (count_items(post) > 0) {
        uv_async_send(&post->async);
    }
}

int gm_post_create(uv_loop_t *loop, struct gm_post **out, struct gm_err *err)
{
    struct gm_post *post = calloc(1, sizeof(*post));
    int rc;

    if (post == NULL) {
        return gm_err_nomem(err);
    }
    rc = uv_mutex_init(&post->mutex);
    if (rc < 0) {
        free(post);
        return gm_err_uv(err, rc, "making a lock failed");
    }
    rc = uv_async_init(loop, &post->async, on_async);
    if (rc < 0) {
        uv_mutex_destroy(&post->mutex);
        free(post);
        return gm_err_uv(err, rc, "making a wake-up handle failed");
    }
    post->async.data = post;
    *out = post;
    return 0;
}

int gm_post(struct gm_post *post, void (*fn)(void *arg), void *arg, struct gm_err *err)
{
    struct post_item *item = calloc(1, sizeof(*item));

    if (item == NULL) {
        return gm_err_nomem(err);
    }
    item->fn = fn;
    item->arg = arg;
    uv_mutex_lock(&post->mutex);
    if (post->last == NULL) {
        post->first = item;
    } else {
        post->last->next = item;
    }
    post->last = item;
    post->count++;
    /* under the lock: destroy can't have closed the handle between */
    uv_async_send(&post->async);
    uv_mutex_unlock(&post->mutex);
    return 0;
}

static void on_post_closed(uv_handle_t *handle)
{
    struct gm_post *post = handle->data;

    uv_mutex_destroy(&post->mutex);
    free(post);
}

void gm_post_destroy(struct gm_post **post)
{
    struct gm_post *p = *post;
    struct post_item *item;

    if (p == NULL) {
        return;
    }
    *post = NULL;
    while ((item = take_first(p)) != NULL) {
        item->fn(item->arg);
        free(item);
    }
    uv_close((uv_handle_t *)&p->async, on_post_closed);
}

static enum gm_code code_of(int errnum)
{
    switch (errnum) {
    case ENOMEM:
        return GM_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return GM_E_NO_SCRATCH;
    default:
        return GM_E_SYS;
    }
}

static void block_signals(sigset_t *out_before)
{
    sigset_t all;

    (void)sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, out_before);
    GM_ASSERT(failed == 0);
}

static void restore_signals(const sigset_t *before)
{
    int failed = pthread_sigmask(SIG_SETMASK, before, NULL);
    GM_ASSERT(failed == 0);
}

int gm_thread_start(uv_thread_t *out, uv_thread_cb fn, void *arg, struct gm_err *err)
{
    sigset_t before;

    block_signals(&before); /* a new thread has the mask of its maker */
    int rc = uv_thread_create(out, fn, arg);
    restore_signals(&before);
    return rc != 0 ? gm_err_uv(err, rc, "could not start a thread") : 0;
}

static void work_nothing(uv_work_t *work)
{
    (void)work;
}

int gm_pool_start(uv_loop_t *loop, struct gm_err *err)
{
    sigset_t before;
    uv_work_t work;

    block_signals(&before);
    int rc = uv_queue_work(loop, &work, work_nothing, NULL); /* the first makes the threads */
    restore_signals(&before);
    if (rc != 0) {
        return gm_err_uv(err, rc, "could not start the pool of threads");
    }
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}

int gm_err_uv(struct gm_err *err, int uvcode, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    char reason[64];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    /* on Unix libuv's codes are errno, negated */
    return gm_err_set(err, code_of(-uvcode), uvcode, "%.170s: %s", text,
                      uv_strerror_r(uvcode, reason, sizeof(reason)));
}

int gm_err_zmq(struct gm_err *err, int zerrno, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    return gm_err_set(err, code_of(zerrno), zerrno, "%.170s: %s", text, zmq_strerror(zerrno));
}
