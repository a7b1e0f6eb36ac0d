/* See: curl_multi_socket_action(3), and its callbacks CURLMOPT_SOCKETFUNCTION(3) and
 * CURLMOPT_TIMERFUNCTION(3). A timeout of 0 is a timer of 0 ms: curl must not be called from its
 * own callbacks.
 */
#include <stdlib.h>

#include "common/loop.h"
#include "storage/transfer/wire.h"

struct gm_s3_wire {
    uv_loop_t *loop; /* borrowed */
    CURLM *multi;    /* owned */
    gm_s3_wire_fn fn;
    void *arg;
    uv_timer_t timer;
};

struct watch {
    uv_poll_t poll;
    struct gm_s3_wire *wire;
    curl_socket_t socket;
};

/* Ends of transfers are told one after the other: fn may change what there is. */
static void tell_ends(struct gm_s3_wire *wire)
{
    int left;
    const CURLMsg *message;

    while ((message = curl_multi_info_read(wire->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            CURL *easy = message->easy_handle; /* the message goes with the handle */
            CURLcode result = message->data.result;

            curl_multi_remove_handle(wire->multi, easy);
            wire->fn(easy, result, wire->arg);
        }
    }
}

static void act(struct gm_s3_wire *wire, curl_socket_t socket, int events)
{
    int running;

    (void)curl_multi_socket_action(wire->multi, socket, events, &running);
    tell_ends(wire);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;

    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    act(watch->wire, watch->socket, flags);
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_create(struct gm_s3_wire *wire, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->wire = wire;
    watch->socket = socket;
    if (uv_poll_init_socket(wire->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    return watch;
}

/* A socket that can't be watched stalls its transfer, whose time ends it, and it may be tried
 * again: an error from here would be the end of every transfer that this handle of curl's will ever
 * have. */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
    struct gm_s3_wire *wire = arg;
    struct watch *watch = socket_arg;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_poll_closed);
            curl_multi_assign(wire->multi, socket, NULL);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_create(wire, socket);
        if (watch == NULL) {
            return 0;
        }
        curl_multi_assign(wire->multi, socket, watch);
    }
    events |= (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    (void)uv_poll_start(&watch->poll, events, on_poll);
    return 0;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    struct gm_s3_wire *wire = arg;

    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&wire->timer);
        return 0;
    }
    (void)uv_timer_start(&wire->timer, on_timer, (uint64_t)timeout_ms, 0); /* it cannot fail */
    return 0;
}

int gm_s3_wire_create(uv_loop_t *loop, gm_s3_wire_fn fn, void *arg, struct gm_s3_wire **out,
                      struct gm_err *err)
{
    struct gm_s3_wire *wire = calloc(1, sizeof(*wire));

    if (wire == NULL) {
        return gm_err_nomem(err);
    }
    wire->loop = loop;
    wire->fn = fn;
    wire->arg = arg;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(wire);
        return gm_err_nomem(err);
    }
    wire->multi = curl_multi_init();
    if (wire->multi == NULL) {
        curl_global_cleanup();
        free(wire);
        return gm_err_nomem(err);
    }
    (void)uv_timer_init(loop, &wire->timer); /* it cannot fail */
    wire->timer.data = wire;
    curl_multi_setopt(wire->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(wire->multi, CURLMOPT_SOCKETDATA, wire);
    curl_multi_setopt(wire->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(wire->multi, CURLMOPT_TIMERDATA, wire);
    *out = wire;
    return 0;
}

int gm_s3_wire_add(struct gm_s3_wire *wire, CURL *easy, struct gm_err *err)
{
    CURLMcode code = curl_multi_add_handle(wire->multi, easy);

    if (code == CURLM_OUT_OF_MEMORY) {
        return gm_err_nomem(err);
    }
    if (code != CURLM_OK) {
        return gm_err_set(err, GM_E_BUG, code, "a transfer could not begin: %s",
                          curl_multi_strerror(code));
    }
    return 0;
}

void gm_s3_wire_remove(struct gm_s3_wire *wire, CURL *easy)
{
    (void)curl_multi_remove_handle(wire->multi, easy);
}

void gm_s3_wire_destroy(struct gm_s3_wire **wire)
{
    struct gm_s3_wire *w = *wire;

    if (w == NULL) {
        return;
    }
    (void)curl_multi_cleanup(w->multi); /* its sockets are taken out of the loop meanwhile */
    uv_timer_stop(&w->timer);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
    curl_global_cleanup();
    *wire = NULL;
}
