#include "scheduler/zap.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"
#include "common/rate.h"

#define ENDPOINT "inproc://zeromq.zap.01" /* as libzmq looks for it */
#define VERSION "1.0"
#define LOGS 2 /* refusals a second that are logged, and at once */
#define LOGS_BURST 10
#define TEXT_BYTES 256

struct gm_zap {
    void *socket; /* owned */
    struct gm_zwatch *watch;
    const struct gm_allow *allow; /* borrowed */
    struct gm_rate logs;
    uint64_t unlogged;
};

enum frame { F_VERSION, F_REQUEST, F_DOMAIN, F_ADDRESS, F_IDENTITY, F_MECHANISM, F_KEY };

static bool is_text(const struct gm_zap_frame *f, const char *text)
{
    return f->size == strlen(text) && memcmp(f->data, text, f->size) == 0;
}

static bool is_events(const struct gm_zap_frame frames[GM_ZAP_FRAMES])
{
    return is_text(&frames[F_DOMAIN], GM_ZAP_EVENTS);
}

const char *gm_zap_judge(const struct gm_zap_frame frames[GM_ZAP_FRAMES], size_t count,
                         const struct gm_allow *allow, int64_t unix_ms, char name[GM_CURVE_NAME],
                         char key[GM_CURVE_TEXT])
{
    name[0] = '\0';
    key[0] = '\0';
    if (count != GM_ZAP_FRAMES ||
        (!is_text(&frames[F_DOMAIN], GM_ZAP_DOMAIN) && !is_events(frames)) ||
        !is_text(&frames[F_MECHANISM], "CURVE") || frames[F_KEY].size != 32 ||
        zmq_z85_encode(key, frames[F_KEY].data, 32) == NULL) {
        return "400";
    }
    const struct gm_allowed *row = gm_allow_find(allow, key, unix_ms);
    if (row == NULL || (is_events(frames) && !gm_curve_role_may(row->role, GM_CURVE_CLIENT))) {
        return "400";
    }
    memcpy(name, row->name, sizeof row->name);
    return "200";
}

static int send_text(void *socket, const void *data, size_t size, bool more)
{
    return zmq_send(socket, data, size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 ? -1 : 0;
}

/* A property as ZMTP 3.1 writes it: u8 size, name, u32 size, value. */
static size_t put_key(uint8_t *out, const char *key)
{
    size_t n = sizeof GM_ZAP_KEY - 1;
    size_t m = GM_CURVE_TEXT - 1;
    const uint8_t sizes[5] = {(uint8_t)n, 0, 0, 0, (uint8_t)m};
    out[0] = sizes[0];
    memcpy(out + 1, GM_ZAP_KEY, sizeof GM_ZAP_KEY);
    memcpy(out + 1 + n, sizes + 1, 4);
    memcpy(out + 5 + n, key, GM_CURVE_TEXT); /* their ends are written over, or not sent */
    return 5 + n + m;
}

static void answer(const struct gm_zap *z, const struct gm_zap_frame *request, const char *status,
                   const char *name, const char *key)
{
    uint8_t metadata[5 + sizeof GM_ZAP_KEY + GM_CURVE_TEXT]; /* put_key's, with both NULs */
    bool taken = status[0] == '2';
    size_t size = taken ? put_key(metadata, key) : 0;
    const char *text = taken ? "OK" : "not on the list for this";
    if (send_text(z->socket, VERSION, strlen(VERSION), true) != 0 ||
        send_text(z->socket, request->data, request->size, true) != 0 ||
        send_text(z->socket, status, 3, true) != 0 ||
        send_text(z->socket, text, strlen(text), true) != 0 ||
        send_text(z->socket, name, strlen(name), true) != 0 ||
        send_text(z->socket, metadata, size, false) != 0) {
        gm_log(GM_LOG_DEBUG, "zap_failed", "errno=%d", zmq_errno()); /* it is gone already */
    }
}

static void log_refusal(struct gm_zap *z, const struct gm_zap_frame *address, const char *key)
{
    char text[TEXT_BYTES];
    char quoted[2 * TEXT_BYTES];
    if (!gm_rate_take(&z->logs, 1, LOGS, LOGS_BURST, gm_time_now())) {
        z->unlogged++;
        return;
    }
    size_t n = address->size < sizeof text - 1 ? address->size : sizeof text - 1;
    if (n > 0) {
        memcpy(text, address->data, n);
    }
    text[n] = '\0';
    gm_log(GM_LOG_WARN, "key_refused", "address=%s key=%s unlogged=%llu",
           gm_log_quote(text, quoted, sizeof quoted), key, (unsigned long long)z->unlogged);
    z->unlogged = 0;
}

/* False: there is no request. */
static bool serve(struct gm_zap *z)
{
    zmq_msg_t parts[GM_ZAP_FRAMES];
    struct gm_zap_frame frames[GM_ZAP_FRAMES] = {{.data = NULL}};
    char name[GM_CURVE_NAME];
    char key[GM_CURVE_TEXT];
    size_t count = 0;
    bool more = true;
    bool got = true;
    while (more) {
        zmq_msg_t extra;
        zmq_msg_t *part = count < GM_ZAP_FRAMES ? &parts[count] : &extra;
        (void)zmq_msg_init(part);
        if (zmq_msg_recv(part, z->socket, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(part);
            got = false;
            break;
        }
        more = zmq_msg_more(part) != 0;
        if (count < GM_ZAP_FRAMES) {
            frames[count] = (struct gm_zap_frame){zmq_msg_data(part), zmq_msg_size(part)};
        } else {
            (void)zmq_msg_close(part);
        }
        count++;
    }
    if (got) {
        const char *status = gm_zap_judge(frames, count, z->allow, gm_time_unix_ms(), name, key);
        if (status[0] != '2') {
            log_refusal(z, &frames[F_ADDRESS], key);
        }
        answer(z, &frames[F_REQUEST], status, name, key);
    }
    for (size_t i = 0; i < count && i < GM_ZAP_FRAMES; i++) {
        (void)zmq_msg_close(&parts[i]);
    }
    return got;
}

static void on_request(void *zsock, int budget, void *arg)
{
    (void)zsock;
    while (budget-- > 0 && serve(arg)) {
    }
}

int gm_zap_open(void *zctx, uv_loop_t *loop, const struct gm_allow *allow, struct gm_zap **out,
                struct gm_err *err)
{
    struct gm_zap *z = calloc(1, sizeof *z);
    if (z == NULL) {
        return gm_err_nomem(err);
    }
    z->allow = allow;
    z->socket = zmq_socket(zctx, ZMQ_REP);
    int rc = 0;
    if (z->socket == NULL || zmq_bind(z->socket, ENDPOINT) != 0) {
        rc = gm_err_zmq(err, zmq_errno(), "could not set up the check of keys");
    } else {
        rc = gm_zwatch_start(loop, z->socket, on_request, z, &z->watch, err);
    }
    if (rc < 0) {
        gm_zap_close(&z);
        return rc;
    }
    *out = z;
    return 0;
}

void gm_zap_close(struct gm_zap **zap)
{
    struct gm_zap *z = *zap;
    if (z == NULL) {
        return;
    }
    gm_zwatch_stop(&z->watch);
    if (z->socket != NULL) {
        int none = 0;
        (void)zmq_setsockopt(z->socket, ZMQ_LINGER, &none, sizeof none);
        (void)zmq_close(z->socket);
    }
    free(z);
    *zap = NULL;
}
