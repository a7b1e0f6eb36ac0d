/* What becomes of the connection, for libzmq tries for ever in silence: that the scheduler is gone,
 * or nobody listens, so that the next endpoint is tried at once; and why keys are not agreed on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"
#include "node/agent_state.h"

#define KEY_EVENTS                                                                                 \
    (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                       \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
/* CLOSED: it was refused, or broke before it was made. */
#define LOST_EVENTS (ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED)

/* Once, until the next Welcome. */
static void tell(struct gm_agent *agent, uint16_t event)
{
    char quoted[256];
    if (agent->key_told || agent->params.key_file == NULL) {
        return;
    }
    agent->key_told = true;
    const char *why =
        event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
            ? "the scheduler does not take this node's key: is it on its list?"
            : "no keys were agreed on: does the scheduler have `security: curve`, and "
              "is its public key the one in the file?";
    gm_log(GM_LOG_ERROR, "key-refused", "file=%s msg=%s", agent->params.key_file,
           gm_log_quote(why, quoted, sizeof(quoted)));
}

static void on_event(void *zsock, int budget, void *arg)
{
    struct gm_agent *agent = arg;
    while (budget-- > 0 && agent->monitor == zsock) {
        uint8_t bytes[6]; /* u16 event, u32 value: zmq_socket_monitor(3) */
        uint16_t event = 0;
        char endpoint[8]; /* cut off, and not wanted */
        if (zmq_recv(zsock, bytes, sizeof(bytes), ZMQ_DONTWAIT) < 0 ||
            zmq_recv(zsock, endpoint, sizeof(endpoint), ZMQ_DONTWAIT) < 0) {
            return;
        }
        memcpy(&event, bytes, sizeof(event));
        if ((event & KEY_EVENTS) != 0) {
            tell(agent, event);
        } else if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            agent->shaken = true;
        } else if ((event & LOST_EVENTS) != 0) {
            gm_link_lost(agent);
        }
    }
}

int gm_watch_start(struct gm_agent *agent, void *sock, struct gm_err *err)
{
    const int unbounded =
        0;         /* libzmq's thread would wait for room with a lock that closing needs */
    char name[64]; /* another one each time: the one before may not be free yet */
    snprintf(name, sizeof(name), "inproc://link-%" PRIu64, ++agent->monitors);
    if (zmq_socket_monitor(sock, name, KEY_EVENTS | LOST_EVENTS | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) !=
            0 ||
        (agent->monitor = zmq_socket(agent->zmq, ZMQ_PAIR)) == NULL ||
        zmq_setsockopt(agent->monitor, ZMQ_RCVHWM, &unbounded, sizeof(unbounded)) != 0 ||
        zmq_connect(agent->monitor, name) != 0) {
        return gm_err_zmq(err, zmq_errno(), "could not watch a socket");
    }
    return gm_zwatch_start(&agent->loop, agent->monitor, on_event, agent, &agent->monitor_watch,
                           err);
}

void gm_watch_stop(struct gm_agent *agent, void *sock)
{
    int none = 0;
    gm_zwatch_stop(&agent->monitor_watch);
    if (agent->monitor != NULL) {
        zmq_socket_monitor(sock, NULL, 0);
        zmq_setsockopt(agent->monitor, ZMQ_LINGER, &none, sizeof(none));
        zmq_close(agent->monitor);
        agent->monitor = NULL;
    }
}
