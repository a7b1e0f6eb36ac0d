#include "media/pb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gm_pb_string(char **field, const char *value, struct gm_err *err)
{
    char *copy = strdup(value != NULL ? value : "");
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    if (*field != NULL && *field != (const char *)protobuf_c_empty_string) {
        free(*field);
    }
    *field = copy;
    return 0;
}

int gm_pb_rational(Gm__Rational **field, AVRational value, struct gm_err *err)
{
    Gm__Rational *r = *field;
    if (r == NULL) {
        r = malloc(sizeof *r);
        if (r == NULL) {
            return gm_err_nomem(err);
        }
        gm__rational__init(r);
        *field = r;
    }
    if (value.den == 0) {
        value = (AVRational){0, 1};
    }
    int num, den;
    (void)av_reduce(&num, &den, value.num, value.den, INT32_MAX);
    r->num = num;
    r->den = den;
    return 0;
}

int gm_pb_bytes(ProtobufCBinaryData *field, const void *data, size_t size, struct gm_err *err)
{
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    free(field->data);
    field->data = copy;
    field->len = size;
    return 0;
}

int gm_pb_append(void *list, size_t *count, ProtobufCMessage *msg, struct gm_err *err)
{
    void ***field = list; /* every pointer to a message looks alike here */
    if (msg == NULL) {
        return gm_err_nomem(err);
    }
    void **grown = realloc(*field, (*count + 1) * sizeof(void *));
    if (grown == NULL) {
        protobuf_c_message_free_unpacked(msg, NULL);
        return gm_err_nomem(err);
    }
    grown[(*count)++] = msg;
    *field = grown;
    return 0;
}

int gm_pb_add_string(char ***list, size_t *count, const char *value, struct gm_err *err)
{
    char **grown = realloc(*list, (*count + 1) * sizeof *grown);
    if (grown == NULL) {
        return gm_err_nomem(err);
    }
    *list = grown;
    grown[*count] = strdup(value);
    if (grown[*count] == NULL) {
        return gm_err_nomem(err);
    }
    ++*count;
    return 0;
}

int gm_pb_warn(Gm__Warning ***list, size_t *list_count, enum gm_warning warning, int64_t count,
               struct gm_err *err, const char *fmt, ...)
{
    char text[240];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    Gm__Warning *w = malloc(sizeof *w);
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    gm__warning__init(w);
    w->count = count;
    int rc = gm_pb_string(&w->code, gm_warning_get(warning)->code, err);
    if (rc == 0) {
        rc = gm_pb_string(&w->text, text, err);
    }
    int appended = gm_pb_append(list, list_count, &w->base, err);
    return rc < 0 ? rc : appended;
}
