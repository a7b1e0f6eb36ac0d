/* A copy is what encoding and decoding gives, of random messages of many types, and without memory
 * it is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fail_alloc.h"
#include "proto/envelope.h"
#include "proto/pool.h"
#include "proto/samples.h"
#include "state.pb-c.h"

#define AT(message, offset) ((void *)((char *)(message) + (offset)))
#define DEEPEST 5

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, int depth);

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    default:
        return 8;
    }
}

static void fill_value(const ProtobufCFieldDescriptor *f, void *value, int depth)
{
    char text[8] = "";
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        memset(text, 'a' + (int)draw(26), draw(8));
        *(char **)value = strdup(text);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)value = make(f->descriptor, depth + 1);
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = value;
        bytes->len = draw(6);
        bytes->data = bytes->len > 0 ? malloc(bytes->len) : NULL;
        for (size_t i = 0; i < bytes->len; i++) {
            bytes->data[i] = (uint8_t)draw(256);
        }
        break;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)value = (protobuf_c_boolean)draw(2);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)value = draw(3) * 0.5;
        break;
    default: {
        uint64_t number = draw(3) > 0 ? draw(100) : 0;
        memcpy(value, &number, size_of(f->type));
    }
    }
}

static void fill_repeated(const ProtobufCFieldDescriptor *f, ProtobufCMessage *m, int depth)
{
    size_t count = draw(3), size = size_of(f->type);
    char *values = count > 0 ? calloc(count, size) : NULL;
    for (size_t i = 0; i < count; i++) {
        fill_value(f, values + i * size, depth);
    }
    *(size_t *)AT(m, f->quantifier_offset) = count;
    *(char **)AT(m, f->offset) = values;
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, int depth)
{
    ProtobufCMessage *m = malloc(type->sizeof_message);
    protobuf_c_message_init(type, m);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        bool one_of = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if ((f->type == PROTOBUF_C_TYPE_MESSAGE && depth >= DEEPEST) || draw(4) == 0 ||
            (one_of && *(uint32_t *)AT(m, f->quantifier_offset) != 0)) {
            continue;
        }
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            fill_repeated(f, m, depth);
            continue;
        }
        fill_value(f, AT(m, f->offset), depth);
        if (one_of) {
            *(uint32_t *)AT(m, f->quantifier_offset) = f->id;
        }
    }
    if (draw(8) == 0) { /* of a later version */
        m->n_unknown_fields = 1;
        m->unknown_fields = calloc(1, sizeof(*m->unknown_fields));
        *m->unknown_fields = (ProtobufCMessageUnknownField){
            .tag = 50000, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = malloc(1)};
        m->unknown_fields->data[0] = (uint8_t)draw(128);
    }
    return m;
}

static void assert_same(const ProtobufCMessage *a, const ProtobufCMessage *b);

static void assert_value(const ProtobufCFieldDescriptor *f, const void *a, const void *b)
{
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        assert_string_equal(*(char *const *)a, *(char *const *)b);
        /* what is left out is not owned */
        assert_int_equal(*(char *const *)a == f->default_value,
                         *(char *const *)b == f->default_value);
    } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *x = *(ProtobufCMessage *const *)a;
        const ProtobufCMessage *y = *(ProtobufCMessage *const *)b;
        assert_int_equal(x == NULL, y == NULL);
        if (x != NULL) {
            assert_same(x, y);
        }
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *x = a, *y = b;
        assert_int_equal(x->len, y->len);
        assert_int_equal(x->data == NULL, y->data == NULL);
        assert_true(x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
    } else {
        assert_memory_equal(a, b, size_of(f->type));
    }
}

static void assert_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    assert_ptr_equal(a->descriptor, b->descriptor);
    assert_int_equal(a->n_unknown_fields, b->n_unknown_fields);
    for (unsigned i = 0; i < a->n_unknown_fields; i++) {
        assert_int_equal(a->unknown_fields[i].tag, b->unknown_fields[i].tag);
        assert_int_equal(a->unknown_fields[i].len, b->unknown_fields[i].len);
        assert_memory_equal(a->unknown_fields[i].data, b->unknown_fields[i].data,
                            a->unknown_fields[i].len);
    }
    for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &a->descriptor->fields[i];
        const uint32_t *x = AT(a, f->quantifier_offset), *y = AT(b, f->quantifier_offset);
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *(const size_t *)(const void *)x;
            assert_int_equal(count, *(const size_t *)(const void *)y);
            const char *p = *(char *const *)AT(a, f->offset), *q = *(char *const *)AT(b, f->offset);
            for (size_t v = 0; v < count; v++) {
                assert_value(f, p + v * size_of(f->type), q + v * size_of(f->type));
            }
        } else if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {
            assert_value(f, AT(a, f->offset), AT(b, f->offset));
        } else {
            assert_int_equal(*x, *y);
            if (*x == f->id) {
                assert_value(f, AT(a, f->offset), AT(b, f->offset));
            }
        }
    }
}

static void compare(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *m = make(type, 0);
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(gm_message_encode(m, &data, &size, NULL), 0);
    struct gm_pool pool = {NULL};
    ProtobufCMessage *copy = gm_message_dup(m), *whole = gm_message_dup_in(&pool, m);
    assert_true(copy != NULL && whole != NULL);
    protobuf_c_message_free_unpacked(m, NULL); /* it is deep */
    ProtobufCMessage *back = protobuf_c_message_unpack(type, NULL, size, data);
    assert_non_null(back);
    assert_same(back, copy);
    assert_same(back, whole);
    gm_pool_fini(&pool);
    assert_null(pool.blocks);
    free(data);
    protobuf_c_message_free_unpacked(back, NULL);
    protobuf_c_message_free_unpacked(copy, NULL);
}

static void a_copy_is_what_encoding_and_decoding_gives(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &gm__envelope__descriptor, &gm__job_row__descriptor,   &gm__attempt_row__descriptor,
        &gm__item__descriptor,     &gm__task_spec__descriptor, &gm__pipeline__descriptor,
        &gm__chain__descriptor,    &gm__device__descriptor};
    (void)state;
    for (seed = 1; seed < 4000; seed++) {
        uint64_t kept = seed;
        compare(types[kept % (sizeof(types) / sizeof(types[0]))]);
        seed = kept;
    }
}

static void without_memory_there_is_no_copy(void **state)
{
    Gm__Envelope *env = sample_assign();
    (void)state;
    for (long n = 1;; n++) {
        fail_alloc_arm(n);
        ProtobufCMessage *copy = gm_message_dup(&env->base);
        bool fired = fail_alloc_fired();
        assert_int_equal(copy == NULL, fired);
        if (!fired) {
            protobuf_c_message_free_unpacked(copy, NULL);
            assert_true(n > 20);
            break;
        }
    }
}

static void without_memory_there_is_none_in_a_pool(void **state)
{
    Gm__Envelope *env = sample_assign();
    (void)state;
    for (long n = 1;; n++) {
        struct gm_pool pool = {NULL};
        fail_alloc_arm(n);
        ProtobufCMessage *copy = gm_message_dup_in(&pool, &env->base);
        bool fired = fail_alloc_fired();
        assert_int_equal(copy == NULL, fired);
        gm_pool_fini(&pool);
        if (!fired) {
            assert_in_range(n, 2, 10); /* a few blocks */
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_what_encoding_and_decoding_gives),
        cmocka_unit_test(without_memory_there_is_no_copy),
        cmocka_unit_test(without_memory_there_is_none_in_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
