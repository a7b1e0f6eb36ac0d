/* A deep copy of any generated message, field by field as its descriptor has them: what encoding
 * and decoding it again gives, at a fraction of the price. */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"
#include "proto/pool.h"

#define AT(message, offset) ((void *)((char *)(message) + (offset)))

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

static ProtobufCMessage *dup_in(struct gm_pool *pool, const ProtobufCMessage *msg);

/* pool NULL: of the heap. */
static void *take(struct gm_pool *pool, size_t size)
{
    return pool != NULL ? gm_pool_take(pool, size) : malloc(size);
}

static bool copy_bytes(struct gm_pool *pool, const ProtobufCBinaryData *from,
                       ProtobufCBinaryData *to)
{
    if (from->len == 0) {
        return true;
    }
    to->data = take(pool, from->len);
    if (to->data == NULL) {
        return false;
    }
    memcpy(to->data, from->data, from->len);
    to->len = from->len;
    return true;
}

/* One value, to where nothing is yet. */
static bool copy_value(struct gm_pool *pool, ProtobufCType type, const void *from, void *to)
{
    if (type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)from;
        size_t size = text != NULL ? strlen(text) + 1 : 1;
        char *copy = take(pool, size);
        if (copy != NULL) {
            memcpy(copy, text != NULL ? text : "", size);
        }
        return (*(char **)to = copy) != NULL;
    }
    if (type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *message = *(ProtobufCMessage *const *)from;
        return (*(ProtobufCMessage **)to = dup_in(pool, message)) != NULL;
    }
    if (type == PROTOBUF_C_TYPE_BYTES) {
        return copy_bytes(pool, from, to);
    }
    memcpy(to, from, size_of(type));
    return true;
}

static bool copy_repeated(struct gm_pool *pool, const ProtobufCFieldDescriptor *f,
                          const ProtobufCMessage *from, ProtobufCMessage *to)
{
    size_t count = *(const size_t *)AT(from, f->quantifier_offset), size = size_of(f->type);
    size_t *copied = AT(to, f->quantifier_offset);
    if (count == 0) {
        return true;
    }
    const char *values = *(char *const *)AT(from, f->offset);
    char *copies = take(pool, count * size); /* as many as there are, of that size, already */
    if (copies == NULL) {
        return false;
    }
    memset(copies, 0, count * size);
    *(char **)AT(to, f->offset) = copies;
    bool is_plain = f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE &&
                    f->type != PROTOBUF_C_TYPE_BYTES;
    if (is_plain) {
        memcpy(copies, values, count * size);
        *copied = count;
    }
    for (; *copied < count; ++*copied) {
        if (!copy_value(pool, f->type, values + *copied * size, copies + *copied * size)) {
            return false;
        }
    }
    return true;
}

/* It has a value that is not left out when it is encoded. */
static bool is_there(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m)
{
    const void *value = AT(m, f->offset);
    bool is_pointer = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
        *(const uint32_t *)AT(m, f->quantifier_offset) != f->id) {
        return false;
    }
    if (is_pointer) {
        const char *p = *(char *const *)value;
        bool is_empty = f->type == PROTOBUF_C_TYPE_STRING && f->label == PROTOBUF_C_LABEL_NONE &&
                        (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 && p != NULL && *p == '\0';
        return p != NULL && p != f->default_value && !is_empty;
    }
    return f->label != PROTOBUF_C_LABEL_OPTIONAL || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 ||
           *(const protobuf_c_boolean *)AT(m, f->quantifier_offset) != 0;
}

static bool copy_field(struct gm_pool *pool, const ProtobufCFieldDescriptor *f,
                       const ProtobufCMessage *from, ProtobufCMessage *to)
{
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        return copy_repeated(pool, f, from, to);
    }
    if (!is_there(f, from)) {
        return true;
    }
    if (!copy_value(pool, f->type, AT(from, f->offset), AT(to, f->offset))) {
        return false;
    }
    bool is_pointer = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)AT(to, f->quantifier_offset) = f->id;
    } else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && !is_pointer) {
        *(protobuf_c_boolean *)AT(to, f->quantifier_offset) = 1;
    }
    return true;
}

/* What a later version of the protocol says. */
static bool copy_unknown(struct gm_pool *pool, const ProtobufCMessage *from, ProtobufCMessage *to)
{
    if (from->n_unknown_fields == 0) {
        return true;
    }
    to->unknown_fields = take(pool, from->n_unknown_fields * sizeof(*to->unknown_fields));
    if (to->unknown_fields == NULL) {
        return false;
    }
    for (; to->n_unknown_fields < from->n_unknown_fields; to->n_unknown_fields++) {
        const ProtobufCMessageUnknownField *u = &from->unknown_fields[to->n_unknown_fields];
        ProtobufCMessageUnknownField *copy = &to->unknown_fields[to->n_unknown_fields];
        *copy = *u;
        copy->data = take(pool, u->len > 0 ? u->len : 1);
        if (copy->data == NULL) {
            return false;
        }
        if (u->len > 0) {
            memcpy(copy->data, u->data, u->len);
        }
    }
    return true;
}

static ProtobufCMessage *dup_in(struct gm_pool *pool, const ProtobufCMessage *msg)
{
    const ProtobufCMessageDescriptor *type = msg->descriptor;
    ProtobufCMessage *copy = take(pool, type->sizeof_message);
    if (copy == NULL) {
        return NULL;
    }
    protobuf_c_message_init(type, copy);
    bool all = copy_unknown(pool, msg, copy);
    for (unsigned i = 0; all && i < type->n_fields; i++) {
        all = copy_field(pool, &type->fields[i], msg, copy);
    }
    if (!all && pool == NULL) {
        protobuf_c_message_free_unpacked(copy, NULL);
    }
    return all ? copy : NULL;
}

ProtobufCMessage *gm_message_dup(const ProtobufCMessage *msg)
{
    return dup_in(NULL, msg);
}

ProtobufCMessage *gm_message_dup_in(struct gm_pool *pool, const ProtobufCMessage *msg)
{
    return dup_in(pool, msg);
}
