/* Encode and decode of any generated message, with the checks that need no knowledge of its
 * meaning, and the two converters of struct gm_err. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/scan.h"

int gm_message_decode(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                      size_t max, ProtobufCMessage **out, struct gm_err *err)
{
    if (size > max) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size, "a %s of %zu bytes is over %zu",
                          type->short_name, size, max);
    }
    int rc = gm_scan_message(type, data, size, err);
    if (rc < 0) {
        return rc;
    }
    static const uint8_t nothing;
    ProtobufCMessage *msg =
        protobuf_c_message_unpack(type, NULL, size, size == 0 ? &nothing : data);
    if (msg == NULL) {
        /* The bytes were just found sound: only memory can be missing. */
        return gm_err_nomem(err);
    }
    *out = msg;
    return 0;
}

int gm_message_encode(const ProtobufCMessage *msg, uint8_t **out, size_t *out_size,
                      struct gm_err *err)
{
    size_t size = protobuf_c_message_get_packed_size(msg);
    uint8_t *data = malloc(size == 0 ? 1 : size);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    size_t packed = protobuf_c_message_pack(msg, data);
    GM_ASSERT(packed == size);
    *out = data;
    *out_size = size;
    return 0;
}

void gm_err_to_msg(const struct gm_err *err, Gm__Error *out)
{
    gm__error__init(out);
    out->code = (uint32_t)err->code;
    out->native = err->native;
    out->text = (char *)(uintptr_t)err->text; /* protobuf-c has no const strings */
}

void gm_err_from_msg(const Gm__Error *msg, struct gm_err *out)
{
    memset(out, 0, sizeof(*out));
    bool known = msg->code <= INT32_MAX && msg->code != 0 &&
                 (uint32_t)gm_code_get((int)msg->code)->code == msg->code;
    out->code = known ? (enum gm_code)msg->code : GM_E_BUG;
    out->native = msg->native;
    snprintf(out->text, sizeof(out->text), "%s", msg->text == NULL ? "" : msg->text);
}
