/* A validator of protobuf wire bytes, driven by protobuf-c's own descriptors. It keeps one frame a
 * nesting level in a fixed stack and allocates nothing.
 *
 * Invariant: every offset is checked against the end of the innermost message before it is read.
 * Does not check what values mean: proto/check.c does.
 */
#include "proto/scan.h"

#include <math.h>
#include <string.h>

#define MAX_FIELDS 64

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct frame {
    const ProtobufCMessageDescriptor *type;
    size_t end;
    bool oneof_seen;
    unsigned last;              /* index of the field before */
    uint32_t count[MAX_FIELDS]; /* by index into type->fields; as many as it has are set */
};

struct scan {
    const uint8_t *data;
    size_t pos;
    uint32_t nodes;
    uint32_t unknown;
    struct gm_err *err;
    int depth;
    struct frame stack[GM_SCAN_MAX_DEPTH];
};

struct tag {
    uint32_t number;
    uint32_t wire;
    size_t at; /* offset of the tag */
};

/* Most messages have few of the fields that any may have. */
static void enter(struct scan *s, int depth, const ProtobufCMessageDescriptor *type, size_t end)
{
    struct frame *f = &s->stack[depth];
    GM_ASSERT(type->n_fields <= MAX_FIELDS);
    f->type = type;
    f->end = end;
    f->oneof_seen = false;
    f->last = 0;
    memset(f->count, 0, type->n_fields * sizeof f->count[0]);
    s->depth = depth;
}

static int malformed(const struct scan *s, const struct tag *tag, const char *what)
{
    return gm_err_set(s->err, GM_E_PROTO, (int64_t)tag->at, "message %s, field %u, byte %zu: %s",
                      s->stack[s->depth].type->short_name, tag->number, tag->at, what);
}

static int over_limit(const struct scan *s, const struct tag *tag, const char *what)
{
    return gm_err_set(s->err, GM_E_LIMIT, (int64_t)tag->at, "message %s, field %u, byte %zu: %s",
                      s->stack[s->depth].type->short_name, tag->number, tag->at, what);
}

/* False: cut off at `end`, or longer than max_bytes. */
static bool read_varint(const uint8_t *data, size_t *pos, size_t end, int max_bytes,
                        uint64_t *out_value)
{
    uint64_t value = 0;
    if (*pos < end && data[*pos] < 0x80) { /* most are so small */
        *out_value = data[(*pos)++];
        return true;
    }
    for (int i = 0; i < max_bytes; i++) {
        if (*pos >= end) {
            return false;
        }
        uint8_t byte = data[(*pos)++];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

static enum wire_type wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* One scalar at s->pos, which ends at or before `end`. */
static int scan_scalar(struct scan *s, const struct tag *tag, const ProtobufCFieldDescriptor *field,
                       size_t end)
{
    uint64_t value = 0;
    switch (wire_of(field->type)) {
    case WIRE_VARINT:
        if (!read_varint(s->data, &s->pos, end, 10, &value)) {
            return malformed(s, tag, "the number is cut off or too long");
        }
        if (field->type == PROTOBUF_C_TYPE_ENUM &&
            (value > INT32_MAX ||
             protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value) == NULL)) {
            return malformed(s, tag, "the enum has no such value");
        }
        return 0;
    case WIRE_FIXED64:
        if (end - s->pos < 8) {
            return malformed(s, tag, "the number is cut off");
        }
        if (field->type == PROTOBUF_C_TYPE_DOUBLE) {
            for (int i = 0; i < 8; i++) {
                value |= (uint64_t)s->data[s->pos + (size_t)i] << (8 * i);
            }
            double number;
            memcpy(&number, &value, sizeof(number));
            if (!isfinite(number)) {
                return malformed(s, tag, "the number is not finite");
            }
        }
        s->pos += 8;
        return 0;
    default:
        if (end - s->pos < 4) {
            return malformed(s, tag, "the number is cut off");
        }
        s->pos += 4;
        return 0;
    }
}

static int count_node(struct scan *s, const struct tag *tag, unsigned index)
{
    struct frame *f = &s->stack[s->depth];
    f->count[index]++;
    s->nodes++;
    if (f->count[index] > GM_SCAN_MAX_REPEATED) {
        return over_limit(s, tag, "too many repeated entries");
    }
    if (s->nodes > GM_SCAN_MAX_NODES) {
        return over_limit(s, tag, "too many parts in one message");
    }
    return 0;
}

/* A field this build does not know: skipped by its wire type. */
static int skip_unknown(struct scan *s, const struct tag *tag)
{
    size_t end = s->stack[s->depth].end;
    uint64_t value = 0;
    if (++s->unknown > GM_SCAN_MAX_UNKNOWN) {
        return over_limit(s, tag, "too many unknown fields");
    }
    switch (tag->wire) {
    case WIRE_VARINT:
        if (!read_varint(s->data, &s->pos, end, 10, &value)) {
            return malformed(s, tag, "the number is cut off or too long");
        }
        return 0;
    case WIRE_FIXED64:
        value = 8;
        break;
    case WIRE_FIXED32:
        value = 4;
        break;
    case WIRE_BYTES:
        if (!read_varint(s->data, &s->pos, end, 5, &value)) {
            return malformed(s, tag, "the length is cut off or too long");
        }
        break;
    default:
        return malformed(s, tag, "the wire type is not one of protobuf's");
    }
    if (value > end - s->pos) {
        return malformed(s, tag, "the field ends after its message");
    }
    s->pos += (size_t)value;
    return 0;
}

static int scan_packed(struct scan *s, const struct tag *tag, const ProtobufCFieldDescriptor *field,
                       unsigned index, size_t end)
{
    while (s->pos < end) {
        int rc = count_node(s, tag, index);
        if (rc == 0) {
            rc = scan_scalar(s, tag, field, end);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* A length-delimited field: string, bytes, packed numbers; a message is entered, not walked. */
static int scan_bytes(struct scan *s, const struct tag *tag, const ProtobufCFieldDescriptor *field,
                      unsigned index)
{
    size_t end = s->stack[s->depth].end;
    uint64_t size = 0;
    if (!read_varint(s->data, &s->pos, end, 5, &size)) {
        return malformed(s, tag, "the length is cut off or too long");
    }
    if (size > end - s->pos) {
        return malformed(s, tag, "the field ends after its message");
    }
    const uint8_t *body = s->data + s->pos;
    size_t body_end = s->pos + (size_t)size;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (s->depth + 1 >= GM_SCAN_MAX_DEPTH) {
            return over_limit(s, tag, "nested too deep");
        }
        enter(s, s->depth + 1, field->descriptor, body_end);
        return 0;
    case PROTOBUF_C_TYPE_STRING:
        if (size > GM_SCAN_MAX_STRING) {
            return over_limit(s, tag, "the string is too long");
        }
        if (memchr(body, 0, (size_t)size) != NULL) {
            return malformed(s, tag, "the string holds a NUL byte");
        }
        break;
    case PROTOBUF_C_TYPE_BYTES:
        if (strcmp(field->name, "sha256") == 0 && size != 0 && size != 32) {
            return malformed(s, tag, "a SHA-256 has 32 bytes");
        }
        break;
    default:
        return scan_packed(s, tag, field, index, body_end);
    }
    s->pos = body_end;
    return 0;
}

/* Fields come in the order of their numbers, which is the table's, and repeated ones in a row. */
static const ProtobufCFieldDescriptor *find_field(const struct frame *f, uint32_t number)
{
    const ProtobufCMessageDescriptor *type = f->type;
    for (unsigned i = f->last; i < type->n_fields && i < f->last + 2; i++) {
        if (type->fields[i].id == number) {
            return &type->fields[i];
        }
    }
    return protobuf_c_message_descriptor_get_field(type, number);
}

static int scan_field(struct scan *s)
{
    struct frame *f = &s->stack[s->depth];
    struct tag tag = {.at = s->pos};
    uint64_t raw = 0;
    if (!read_varint(s->data, &s->pos, f->end, 5, &raw) || raw > UINT32_MAX) {
        return malformed(s, &tag, "the tag is cut off or too long");
    }
    tag.number = (uint32_t)raw >> 3;
    tag.wire = (uint32_t)raw & 7;
    if (tag.number == 0) {
        return malformed(s, &tag, "field numbers begin at 1");
    }
    const ProtobufCFieldDescriptor *field = find_field(f, tag.number);
    if (field == NULL) {
        return skip_unknown(s, &tag);
    }
    unsigned index = (unsigned)(field - f->type->fields);
    f->last = index;
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    enum wire_type wire = wire_of(field->type);
    bool packed = repeated && wire != WIRE_BYTES && tag.wire == WIRE_BYTES;
    if (tag.wire != (uint32_t)wire && !packed) {
        return malformed(s, &tag, "the wire type does not fit the field");
    }
    if (!repeated && f->count[index] > 0) {
        return malformed(s, &tag, "the field is given twice");
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        if (f->oneof_seen) {
            return malformed(s, &tag, "two members of a oneof are given");
        }
        f->oneof_seen = true;
    }
    if (!packed) {
        int rc = count_node(s, &tag, index);
        if (rc < 0) {
            return rc;
        }
    }
    return tag.wire == WIRE_BYTES ? scan_bytes(s, &tag, field, index)
                                  : scan_scalar(s, &tag, field, f->end);
}

int gm_scan_message(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                    struct gm_err *err)
{
    struct scan s; /* 5 KB: what is not set is not read */
    s.data = data;
    s.pos = 0;
    s.nodes = s.unknown = 0;
    s.err = err;
    enter(&s, 0, type, size);
    for (;;) {
        while (s.depth > 0 && s.pos == s.stack[s.depth].end) {
            s.depth--;
        }
        if (s.depth == 0 && s.pos == size) {
            return 0;
        }
        int rc = scan_field(&s);
        if (rc < 0) {
            return rc;
        }
    }
}
