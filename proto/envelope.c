/* Envelopes (scheduler <-> node) and worker messages (agent <-> worker): size, bytes, meaning, in
 * this order, both ways. What this side would not accept it does not send either.
 *
 * See: docs/protocol.md
 */
#include "proto/envelope.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/scan.h"

int gm_envelope_decode(const void *data, size_t size, Gm__Envelope **out, struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    int rc =
        gm_message_decode(&gm__envelope__descriptor, data, size, GM_ENVELOPE_MAX_BYTES, &msg, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_check_envelope((Gm__Envelope *)msg, err);
    if (rc < 0) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return rc;
    }
    *out = (Gm__Envelope *)msg;
    return 0;
}

/* Packs, then holds the bytes to what the peer's decode will. */
static int encode(const ProtobufCMessage *msg, size_t max, uint8_t **out, size_t *out_size,
                  struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = protobuf_c_message_get_packed_size(msg);
    if (size > max) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size, "a %s of %zu bytes is over %zu",
                          msg->descriptor->short_name, size, max);
    }
    int rc = gm_message_encode(msg, &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_scan_message(msg->descriptor, data, size, err);
    if (rc < 0) {
        free(data);
        return rc;
    }
    *out = data;
    *out_size = size;
    return 0;
}

int gm_envelope_encode(Gm__Envelope *env, uint8_t **out, size_t *out_size, struct gm_err *err)
{
    env->version = GM_PROTOCOL_VERSION;
    return encode(&env->base, GM_ENVELOPE_MAX_BYTES, out, out_size, err);
}

int gm_worker_message_decode(const void *data, size_t size, Gm__WorkerMessage **out,
                             struct gm_err *err)
{
    ProtobufCMessage *msg = NULL;
    int rc = gm_message_decode(&gm__worker_message__descriptor, data, size,
                               GM_WORKER_MESSAGE_MAX_BYTES, &msg, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_check_worker_message((Gm__WorkerMessage *)msg, err);
    if (rc < 0) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return rc;
    }
    *out = (Gm__WorkerMessage *)msg;
    return 0;
}

int gm_worker_message_encode(const Gm__WorkerMessage *msg, uint8_t **out, size_t *out_size,
                             struct gm_err *err)
{
    return encode(&msg->base, GM_WORKER_MESSAGE_MAX_BYTES, out, out_size, err);
}
