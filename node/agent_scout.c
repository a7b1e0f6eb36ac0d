/* Whether another scheduler leads by now, asked while the one of this node is silent. Who stands by
 * binds no endpoint, and a process that is stopped shakes no hands: where a handshake succeeds
 * somebody leads, or did a moment ago. The link stays as it is meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"
#include "node/agent_state.h"

#define RETRY_MS 50 /* of a standby, which refuses, until it leads */
#define RETRY_MAX_MS 200

static void close_scout(struct gm_scout *s)
{
    const int none = 0;
    gm_zwatch_stop(&s->watch);
    if (s->sock != NULL) {
        zmq_socket_monitor(s->sock, NULL, 0);
        zmq_setsockopt(s->sock, ZMQ_LINGER, &none, sizeof(none));
        zmq_close(s->sock);
    }
    if (s->monitor != NULL) {
        zmq_setsockopt(s->monitor, ZMQ_LINGER, &none, sizeof(none));
        zmq_close(s->monitor);
    }
    *s = (struct gm_scout){0};
}

static void on_event(void *zsock, int budget, void *arg)
{
    struct gm_scout *s = arg;
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (budget-- > 0 && zmq_msg_recv(&part, zsock, ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0; /* the first part begins with it; the other names the endpoint */
        if (zmq_msg_more(&part) != 0 && zmq_msg_size(&part) >= sizeof(event)) {
            memcpy(&event, zmq_msg_data(&part), sizeof(event));
            s->found = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        }
    }
    zmq_msg_close(&part);
}

static int open_scout(struct gm_agent *agent, size_t endpoint, struct gm_scout *s,
                      struct gm_err *err)
{
    const char *to = agent->params.endpoints[endpoint];
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    const int retry = RETRY_MS, most = RETRY_MAX_MS, unbounded = 0; /* agent_watch.c says why */
    char name[64];
    snprintf(name, sizeof(name), "inproc://link-%" PRIu64, ++agent->monitors);
    s->endpoint = endpoint;
    int rc = gm_link_socket(agent, &s->sock, err);
    if (rc == 0 && (zmq_setsockopt(s->sock, ZMQ_RECONNECT_IVL, &retry, sizeof(retry)) != 0 ||
                    zmq_setsockopt(s->sock, ZMQ_RECONNECT_IVL_MAX, &most, sizeof(most)) != 0 ||
                    zmq_socket_monitor(s->sock, name, events) != 0 ||
                    (s->monitor = zmq_socket(agent->zmq, ZMQ_PAIR)) == NULL ||
                    zmq_setsockopt(s->monitor, ZMQ_RCVHWM, &unbounded, sizeof(unbounded)) != 0 ||
                    zmq_connect(s->monitor, name) != 0 || zmq_connect(s->sock, to) != 0)) {
        rc = gm_err_zmq(err, zmq_errno(), "could not look for a scheduler at `%s`", to);
    }
    return rc < 0 ? rc : gm_zwatch_start(&agent->loop, s->monitor, on_event, s, &s->watch, err);
}

void gm_scout_start(struct gm_agent *agent)
{
    struct gm_err err;
    if (agent->scouts) {
        return;
    }
    agent->scouts = true;
    for (size_t i = 0, n = 0; agent->params.endpoints[i] != NULL && n < GM_SCOUTS; i++) {
        if (i == agent->endpoint) {
            continue;
        }
        struct gm_scout *s = &agent->scout[n++];
        if (open_scout(agent, i, s, &err) < 0) {
            gm_log_err(GM_LOG_WARN, "connect-failed", &err, "endpoint=%s",
                       agent->params.endpoints[i]);
            close_scout(s);
        }
    }
}

bool gm_scout_found(const struct gm_agent *agent, size_t *out_endpoint)
{
    for (size_t i = 0; agent->scouts && i < GM_SCOUTS; i++) {
        if (agent->scout[i].found) {
            *out_endpoint = agent->scout[i].endpoint;
            return true;
        }
    }
    return false;
}

void gm_scout_stop(struct gm_agent *agent)
{
    for (size_t i = 0; agent->scouts && i < GM_SCOUTS; i++) {
        close_scout(&agent->scout[i]);
    }
    agent->scouts = false;
}
