/* Says why a connection with keys does not come about: libzmq tries for ever, in silence. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"
#include "node/agent_state.h"

#define EVENTS                                                                                     \
    (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                       \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)

/* Once, until the next Welcome. */
static void tell(struct gm_agent *agent, uint16_t event)
{
    char quoted[256];
    if (agent->key_told) {
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
    while (budget-- > 0) {
        uint8_t bytes[6]; /* u16 event, u32 value: zmq_socket_monitor(3) */
        uint16_t event = 0;
        char endpoint[8]; /* cut off, and not wanted */
        if (zmq_recv(zsock, bytes, sizeof(bytes), ZMQ_DONTWAIT) < 0 ||
            zmq_recv(zsock, endpoint, sizeof(endpoint), ZMQ_DONTWAIT) < 0) {
            return;
        }
        memcpy(&event, bytes, sizeof(event));
        tell(arg, event);
    }
}

int gm_auth_watch(struct gm_agent *agent, void *sock, struct gm_err *err)
{
    char name[64]; /* another one each time: the one before may not be free yet */
    snprintf(name, sizeof(name), "inproc://link-%" PRIu64, ++agent->monitors);
    if (agent->params.key_file == NULL) {
        return 0;
    }
    if (zmq_socket_monitor(sock, name, EVENTS) != 0 ||
        (agent->monitor = zmq_socket(agent->zmq, ZMQ_PAIR)) == NULL ||
        zmq_connect(agent->monitor, name) != 0) {
        return gm_err_zmq(err, zmq_errno(), "could not watch a socket");
    }
    return gm_zwatch_start(&agent->loop, agent->monitor, on_event, agent, &agent->monitor_watch,
                           err);
}

void gm_auth_unwatch(struct gm_agent *agent, void *sock)
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
