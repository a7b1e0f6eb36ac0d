#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/arena.h"
#include "proto/batch.h"
#include "proto/samples.h"

static struct gm_err err;

static int open_bytes(const void *data, size_t size, struct gm_batch_reader *out)
{
    uint8_t *exact = malloc(size + 1); /* sanitizers see a read past it */
    assert_non_null(exact);
    memcpy(exact, data, size);
    exact = realloc(exact, size > 0 ? size : 1);
    err = (struct gm_err){0};
    int rc = gm_batch_open(exact, size, out, &err);
    assert_int_equal(rc < 0, err.text[0] != '\0');
    if (rc == 0) {
        const void *entry = NULL;
        size_t entry_size = 0, inside = 0;
        uint32_t count = 0;
        struct gm_batch_reader r = *out;
        for (; gm_batch_next(&r, &entry, &entry_size); count++) {
            assert_true((const uint8_t *)entry >= exact);
            assert_true((const uint8_t *)entry + entry_size <= exact + size);
            inside += entry_size;
        }
        assert_int_equal(count, out->count);
        assert_true(inside <= size);
    }
    free(exact);
    return rc;
}

static void expect_entry(struct gm_batch_reader *r, const Gm__Envelope *wanted)
{
    const void *entry = NULL;
    size_t size = 0;
    uint8_t *packed = malloc(gm__envelope__get_packed_size(wanted));
    size_t packed_size = gm__envelope__pack(wanted, packed);
    assert_true(gm_batch_next(r, &entry, &size));
    assert_int_equal(size, packed_size);
    assert_memory_equal(entry, packed, size);
    free(packed);
}

static void what_goes_in_comes_out_in_order(void **state)
{
    (void)state;
    struct gm_batch b = {0};
    struct gm_batch_reader r;
    size_t size = 0;
    Gm__Envelope *samples[] = {sample_produced(), sample_assign(), sample_hello()};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(gm_batch_add(&b, samples[i], &err), 0);
    }
    const void *data = gm_batch_bytes(&b, &size);
    assert_int_equal(open_bytes(data, size, &r), 0);
    assert_int_equal(r.count, 3);
    assert_int_equal(gm_batch_open(data, size, &r, &err), 0);
    for (size_t i = 0; i < 3; i++) {
        expect_entry(&r, samples[i]);
    }
    assert_false(gm_batch_next(&r, &data, &size));
    /* it is what wire.proto says, and no envelope that somebody could take for one */
    data = gm_batch_bytes(&b, &size);
    Gm__Envelope *plain = gm__envelope__unpack(NULL, size, data);
    assert_non_null(plain);
    assert_int_equal(plain->n_batch, 3);
    assert_int_equal(plain->version, GM_PROTOCOL_VERSION);
    gm__envelope__free_unpacked(plain, NULL);
    assert_int_equal(gm_envelope_decode(data, size, &plain, &err), -GM_E_PROTO);
    gm_batch_fini(&b);
}

static void one_alone_is_what_every_peer_reads(void **state)
{
    (void)state;
    struct gm_batch b = {0};
    struct gm_batch_reader r;
    size_t size = 0, encoded_size = 0;
    uint8_t *encoded = NULL;
    assert_null(gm_batch_bytes(&b, &size));
    assert_int_equal(gm_envelope_encode(sample_hello(), &encoded, &encoded_size, &err), 0);
    assert_int_equal(gm_batch_add_bytes(&b, encoded, encoded_size, &err), 0);
    const void *data = gm_batch_bytes(&b, &size);
    assert_int_equal(size, encoded_size);
    assert_memory_equal(data, encoded, size);
    assert_int_equal(open_bytes(data, size, &r), 0);
    assert_int_equal(r.count, 1);
    assert_true(r.lone);
    gm_batch_fini(&b);
    free(encoded);
}

static void what_is_cut_or_more_is_refused(void **state)
{
    (void)state;
    struct gm_batch b = {0};
    struct gm_batch_reader r;
    uint8_t changed[2048];
    assert_int_equal(gm_batch_add(&b, sample_produced(), &err), 0);
    size_t first = b.size;
    assert_int_equal(gm_batch_add(&b, sample_produced(), &err), 0);
    assert_true(b.size < sizeof changed);
    for (size_t n = 4; n < b.size; n++) { /* below it is no batch */
        assert_int_equal(open_bytes(b.data, n, &r), n == first ? 0 : -GM_E_PROTO);
    }
    memcpy(changed, b.data, b.size);
    changed[b.size] = 8; /* another field behind them */
    changed[b.size + 1] = 1;
    assert_int_equal(open_bytes(changed, b.size + 2, &r), -GM_E_PROTO);
    changed[first] ^= 1; /* another field between them */
    assert_int_equal(open_bytes(changed, b.size, &r), -GM_E_PROTO);
    memcpy(changed, b.data, b.size);
    memset(changed + 4, 0xff, 5); /* a length without an end */
    assert_int_equal(open_bytes(changed, b.size, &r), -GM_E_PROTO);
    gm_batch_fini(&b);
}

static void a_batch_in_a_batch_is_none(void **state)
{
    (void)state;
    struct gm_batch inner = {0}, outer = {0};
    struct gm_batch_reader r;
    const void *entry = NULL;
    Gm__Envelope *env = NULL;
    size_t size = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gm_batch_add(&inner, sample_produced(), &err), 0);
    }
    const void *data = gm_batch_bytes(&inner, &size);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gm_batch_add_bytes(&outer, data, size, &err), 0);
    }
    data = gm_batch_bytes(&outer, &size);
    assert_int_equal(gm_batch_open(data, size, &r, &err), 0);
    assert_true(gm_batch_next(&r, &entry, &size));
    assert_int_equal(gm_envelope_decode(entry, size, &env, &err), -GM_E_PROTO);
    /* nor is one that hides behind a body */
    Gm__Envelope *both = sample_produced();
    ProtobufCBinaryData hidden = {.data = (uint8_t *)(uintptr_t)entry, .len = 4};
    both->n_batch = 1;
    both->batch = &hidden;
    uint8_t *packed = malloc(gm__envelope__get_packed_size(both));
    assert_int_equal(gm_envelope_decode(packed, gm__envelope__pack(both, packed), &env, &err),
                     -GM_E_PROTO);
    both->n_batch = 0;
    both->batch = NULL;
    free(packed);
    gm_batch_fini(&inner);
    gm_batch_fini(&outer);
}

static void counts_and_sizes_are_bounded(void **state)
{
    (void)state;
    struct gm_batch b = {0};
    struct gm_batch_reader r;
    size_t size = 0;
    Gm__Ack ack = GM__ACK__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    env.body_case = GM__ENVELOPE__BODY_ACK;
    env.ack = &ack;
    for (uint32_t i = 0; i < GM_BATCH_MAX_COUNT; i++) {
        assert_int_equal(gm_batch_add(&b, &env, &err), 0);
    }
    const void *data = gm_batch_bytes(&b, &size);
    assert_int_equal(open_bytes(data, size, &r), 0);
    assert_int_equal(r.count, GM_BATCH_MAX_COUNT);
    size_t before = b.size;
    assert_int_equal(gm_batch_add(&b, &env, &err), 1); /* the next message's */
    assert_int_equal(b.size, before);
    assert_int_equal(gm_batch_add_bytes(&b, "", 0, &err), 0); /* a peer that does not care */
    data = gm_batch_bytes(&b, &size);
    assert_int_equal(open_bytes(data, size, &r), -GM_E_LIMIT);
    gm_batch_fini(&b);

    ProtobufCBinaryData large = {.len = GM_BATCH_ROOM};
    large.data = calloc(1, large.len);
    Gm__Envelope *done = sample_produced();
    done->produced->item->meta = large;
    assert_int_equal(gm_batch_add(&b, done, &err), 0); /* however large the first one is */
    assert_int_equal(gm_batch_add(&b, &env, &err), 1);
    gm_batch_fini(&b);
    assert_int_equal(gm_batch_add(&b, &env, &err), 0);
    assert_int_equal(gm_batch_add(&b, done, &err), 1);
    assert_int_equal(b.count, 1);
    gm_batch_fini(&b);
    free(large.data);
    uint8_t *huge = calloc(1, GM_ENVELOPE_MAX_BYTES + 1u);
    assert_int_equal(gm_batch_open(huge, GM_ENVELOPE_MAX_BYTES + 1u, &r, &err), -GM_E_LIMIT);
    free(huge);
}

static void what_no_peer_takes_is_not_added(void **state)
{
    (void)state;
    struct gm_batch b = {0};
    Gm__Cancel cancel = GM__CANCEL__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    char reason[8194];
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    cancel.reason = reason;
    env.body_case = GM__ENVELOPE__BODY_CANCEL;
    env.cancel = &cancel;
    assert_int_equal(gm_batch_add(&b, sample_produced(), &err), 0);
    size_t before = b.size;
    assert_int_equal(gm_batch_add(&b, &env, &err), -GM_E_LIMIT);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.size, before);
    gm_batch_fini(&b);
}

/* An arena gives what the plain decode gives, and has no more memory after many messages. */
static void an_arena_decodes_the_same(void **state)
{
    (void)state;
    struct gm_arena *arena = NULL;
    assert_int_equal(gm_arena_create(&arena, &err), 0);
    size_t bytes = gm_arena_size(arena);
    for (int i = 0; i < 300; i++) {
        Gm__Envelope *samples[] = {sample_produced(), sample_assign(), sample_hello()};
        Gm__Envelope *env = samples[i % 3];
        uint8_t *data = NULL, *again = NULL;
        size_t size = 0, again_size = 0;
        Gm__Envelope *back = NULL;
        assert_int_equal(gm_envelope_encode(env, &data, &size, &err), 0);
        assert_int_equal(gm_arena_envelope(arena, data, size, &back, &err), 0);
        assert_int_equal(gm_envelope_encode(back, &again, &again_size, &err), 0);
        assert_int_equal(size, again_size);
        assert_memory_equal(data, again, size);
        for (size_t n = 0; n < size; n += 7) {
            Gm__Envelope *plain = NULL, *cut = NULL;
            int rc = gm_envelope_decode(data, n, &plain, &err);
            assert_int_equal(gm_arena_envelope(arena, data, n, &cut, &err), rc);
            gm__envelope__free_unpacked(plain, NULL);
        }
        free(data);
        free(again);
        assert_int_equal(gm_arena_size(arena), bytes);
    }
    ProtobufCBinaryData large = {.len = (size_t)8 << 20};
    large.data = calloc(1, large.len);
    Gm__Envelope *big = sample_produced();
    big->produced->item->meta = large;
    uint8_t *data = NULL;
    size_t size = 0;
    Gm__Envelope *back = NULL;
    assert_int_equal(gm_envelope_encode(big, &data, &size, &err), 0);
    assert_int_equal(gm_arena_envelope(arena, data, size, &back, &err), 0);
    assert_int_equal(back->produced->item->meta.len, large.len);
    assert_true(gm_arena_size(arena) > large.len);
    assert_int_equal(gm_arena_envelope(arena, data, 3, &back, &err), -GM_E_PROTO);
    assert_int_equal(gm_arena_size(arena), bytes);
    free(data);
    free(large.data);
    gm_arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(one_alone_is_what_every_peer_reads),
        cmocka_unit_test(what_is_cut_or_more_is_refused),
        cmocka_unit_test(a_batch_in_a_batch_is_none),
        cmocka_unit_test(counts_and_sizes_are_bounded),
        cmocka_unit_test(what_no_peer_takes_is_not_added),
        cmocka_unit_test(an_arena_decodes_the_same),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
