#ifndef GM_MEDIA_PB_H
#define GM_MEDIA_PB_H

#include "common/warnings.h"
#include "media/av.h"

/* Filling protobuf messages that own their memory (freed by *__free_unpacked). */

/* Replaces *field, which is owned or the message's default. */
int gm_pb_string(char **field, const char *value, struct gm_err *err) GM_MUST_CHECK;
/* Replaces *field by the number, in lowest terms. */
int gm_pb_rational(Gm__Rational **field, AVRational value, struct gm_err *err) GM_MUST_CHECK;
int gm_pb_bytes(ProtobufCBinaryData *field, const void *data, size_t size,
                struct gm_err *err) GM_MUST_CHECK;
/* Appends msg to a repeated field: takes it, also on failure. list: &message->field. */
int gm_pb_append(void *list, size_t *count, ProtobufCMessage *msg,
                 struct gm_err *err) GM_MUST_CHECK;
/* Appends a copy to a repeated field of strings. */
int gm_pb_add_string(char ***list, size_t *count, const char *value,
                     struct gm_err *err) GM_MUST_CHECK;
/* Appends a warning; count: how often. The text is a sentence of at most 239 bytes. */
int gm_pb_warn(Gm__Warning ***list, size_t *list_count, enum gm_warning warning, int64_t count,
               struct gm_err *err, const char *fmt, ...) GM_PRINTF(6, 7) GM_MUST_CHECK;

#endif
