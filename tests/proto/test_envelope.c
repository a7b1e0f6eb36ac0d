#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/samples.h"

static struct gm_err err;

static int code_of(Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    Gm__Envelope *back = NULL;
    int rc = gm_envelope_encode(env, &data, &size, &err);
    if (rc == 0) {
        rc = gm_envelope_decode(data, size, &back, &err);
        free(data);
    }
    if (rc == 0) {
        gm__envelope__free_unpacked(back, NULL);
    } else {
        assert_null(back);
    }
    return -rc;
}

static void messages_come_back_as_they_went(void **state)
{
    (void)state;
    Gm__Envelope *samples[] = {sample_assign(), sample_hello(), sample_produced()};
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        uint8_t *data = NULL, *again = NULL;
        size_t size = 0, again_size = 0;
        Gm__Envelope *back = NULL;
        assert_int_equal(gm_envelope_encode(samples[i], &data, &size, &err), 0);
        assert_int_equal(gm_envelope_decode(data, size, &back, &err), 0);
        assert_int_equal(back->version, GM_PROTOCOL_VERSION);
        assert_int_equal(back->body_case, samples[i]->body_case);
        assert_int_equal(gm_envelope_encode(back, &again, &again_size, &err), 0);
        assert_int_equal(size, again_size);
        assert_memory_equal(data, again, size);
        gm__envelope__free_unpacked(back, NULL);
        free(data);
        free(again);
    }
}

static void every_truncation_is_refused_or_sound(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(gm_envelope_encode(sample_assign(), &data, &size, &err), 0);
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n + 1); /* exact size: sanitizers see a read past it */
        uint8_t *exact = realloc(cut, n == 0 ? 1 : n);
        memcpy(exact, data, n);
        Gm__Envelope *back = NULL;
        int rc = gm_envelope_decode(exact, n, &back, &err);
        assert_int_equal(rc, -GM_E_PROTO);
        assert_null(back);
        free(exact);
    }
    free(data);
}

static void bit_flips_never_crash(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = 0;
    size_t taken = 0;
    assert_int_equal(gm_envelope_encode(sample_assign(), &data, &size, &err), 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        Gm__Envelope *back = NULL;
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        int rc = gm_envelope_decode(data, size, &back, &err);
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (rc == 0) {
            taken++;
            gm__envelope__free_unpacked(back, NULL);
        } else {
            assert_true(rc == -GM_E_PROTO || rc == -GM_E_LIMIT);
            assert_true(strlen(err.text) > 0);
        }
    }
    assert_true(taken > 0 && taken < size * 8);
    free(data);
}

static void another_version_is_named(void **state)
{
    (void)state;
    Gm__Envelope *env = sample_hello();
    Gm__Envelope *back = NULL;
    env->version = 9;
    uint8_t data[512];
    size_t size = gm__envelope__pack(env, data);
    assert_int_equal(gm_envelope_decode(data, size, &back, &err), -GM_E_PROTO);
    assert_non_null(strstr(err.text, "9"));
    assert_non_null(strstr(err.text, "1"));
    assert_int_equal(err.native, 9);
}

static void parts_that_must_be_there_are_asked_for(void **state)
{
    (void)state;
    Gm__Envelope *env = sample_assign();
    env->assign->demand = NULL;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_assign();
    env->assign->spec->inputs[0]->item = NULL;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_assign();
    env->assign->spec->job_id = "../up";
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_produced();
    env->seq = 0;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_produced();
    env->produced->item->objects[0]->sha256.len = 31;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_produced();
    env->produced->item->objects[0]->sha256.len = 0;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_produced();
    env->produced->item->objects[0]->store = GM__OBJECT_STORE__STORE_SOURCE;
    env->produced->item->objects[0]->sha256.len = 0;
    assert_int_equal(code_of(env), 0);
    env = sample_produced();
    env->produced->item->objects[0]->store = (Gm__ObjectStore)9;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_hello();
    env->hello->devices[0]->capacity = NULL;
    assert_int_equal(code_of(env), GM_E_PROTO);
    env = sample_hello();
    env->body_case = GM__ENVELOPE__BODY__NOT_SET;
    assert_int_equal(code_of(env), GM_E_PROTO);
}

static void clocks_have_limits(void **state)
{
    const int64_t most = 253402300799999;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    Gm__Welcome welcome = GM__WELCOME__INIT;
    Gm__Renewed renewed = GM__RENEWED__INIT;
    (void)state;
    env.version = GM_PROTOCOL_VERSION;
    for (int kind = 0; kind < 2; kind++) {
        int64_t *clock = kind == 0 ? &welcome.unix_ms : &renewed.unix_ms;
        if (kind == 0) {
            env.body_case = GM__ENVELOPE__BODY_WELCOME;
            env.welcome = &welcome;
        } else {
            env.body_case = GM__ENVELOPE__BODY_RENEWED;
            env.renewed = &renewed;
        }
        const int64_t good[] = {0, 1, most, -most}, bad[] = {most + 1, -most - 1, INT64_MIN};
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            *clock = good[i];
            assert_int_equal(code_of(&env), 0);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            *clock = bad[i];
            assert_int_equal(code_of(&env), GM_E_PROTO);
        }
    }
}

static void devices_have_limits(void **state)
{
    static char text[1100];
    static Gm__DeviceCodec codec, *codecs[97];
    static Gm__DeviceNote note, *notes[17];
    static Gm__DeviceProof proof, *proofs[65];
    static char *features[33];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    gm__device_codec__init(&codec);
    gm__device_note__init(&note);
    gm__device_proof__init(&proof);
    codec.chroma = 420;
    codec.depth = 8;
    for (size_t i = 0; i < 97; i++) {
        codecs[i] = &codec;
        notes[i % 17] = &note;
        proofs[i % 65] = &proof;
        features[i % 33] = (char *)(uintptr_t) "f";
    }
    for (int what = 0; what < 12; what++) {
        for (size_t over = 0; over < 2; over++) {
            Gm__Envelope *env = sample_hello();
            Gm__Device *d = env->hello->devices[0];
            d->decode = d->encode = codecs;
            d->notes = notes;
            d->proofs = proofs;
            d->features = features;
            codec.depth = 8;
            codec.chroma = 420;
            codec.api = note.text = proof.text = (char *)(uintptr_t)protobuf_c_empty_string;
            features[0] = (char *)(uintptr_t) "f";
            size_t *const counts[] = {&d->n_decode, &d->n_encode, &d->n_notes, &d->n_proofs,
                                      &d->n_features};
            static const size_t limits[] = {96, 96, 16, 64, 32};
            char *const end = text + sizeof(text) - 1;
            if (what < 5) {
                *counts[what] = limits[what] + over;
            } else if (what < 8) {
                char **const texts[] = {&d->id, &d->name, &d->description};
                static const size_t sizes[] = {64, 128, 1024};
                *texts[what - 5] = end - sizes[what - 5] - over;
            } else if (what == 8) {
                d->n_encode = 1;
                codec.depth = over == 0 ? 16 : 17;
            } else if (what == 9) {
                d->n_decode = 1;
                codec.chroma = over == 0 ? 444 : 411;
            } else if (what == 10) {
                d->n_notes = 1;
                note.text = end - 400 - over;
            } else {
                d->n_features = 1;
                features[0] = end - 24 - over;
            }
            assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        }
    }
}

/* What the scheduler divides by. */
static void figures_have_their_ranges(void **state)
{
    static char text[17];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (size_t over = 0; over < 2; over++) {
        for (int what = 0; what < 11; what++) {
            Gm__Envelope *env = sample_hello();
            Gm__Measured *m = env->hello->devices[0]->measured;
            Gm__Rate rate = *m->rates[0], *rates[33];
            char **const texts[] = {&rate.what, &rate.api, &rate.codec};
            uint32_t *const numbers[] = {&rate.height, &rate.streams};
            uint64_t *const speeds[] = {&rate.one, &rate.all};
            for (size_t i = 0; i < 33; i++) {
                rates[i] = &rate;
            }
            m->rates = rates;
            if (what < 3) {
                *texts[what] = text + 1 - over;
            } else if (what < 5) {
                *numbers[what - 3] = (1u << 16) + (uint32_t)over;
            } else if (what < 7) {
                *speeds[what - 5] = (UINT64_C(1) << 50) + over;
            } else if (what == 7) {
                rate.depth = over == 0 ? 16 : 17;
            } else if (what == 8) {
                rate.one = 0;
                rate.all = over == 0 ? 1 : 0;
            } else if (what == 9) {
                m->unix_ms = over == 0 ? 253402300799999 : -1;
            } else {
                m->n_rates = 32 + over;
            }
            assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        }
    }
}

static void device_ids_are_plain_text(void **state)
{
    static const char *const wrong[] = {"", "cpu\n", "\x7f", "gpu\xff", "gp\xc3\xa4"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        Gm__Envelope *env = sample_hello();
        env->hello->devices[0]->id = (char *)(uintptr_t)wrong[i];
        assert_int_equal(code_of(env), GM_E_PROTO);
    }
    Gm__Envelope *env = sample_hello();
    env->hello->devices[0]->id = (char *)(uintptr_t) "platform:a gpu~!";
    assert_int_equal(code_of(env), 0);
}

static void an_offers_facts_are_a_devices(void **state)
{
    static char text[402];
    static char *codecs[17];
    Gm__Chain chain = GM__CHAIN__INIT, *chains[] = {&chain};
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    for (size_t i = 0; i < 17; i++) {
        codecs[i] = (char *)(uintptr_t) "h264";
    }
    Gm__Envelope *env = sample_hello();
    Gm__Device *facts = env->hello->devices[0];
    Gm__Offer offer = GM__OFFER__INIT;
    offer.device = (char *)(uintptr_t) "cpu";
    offer.usable = facts->capacity;
    offer.facts = facts;
    env->body_case = GM__ENVELOPE__BODY_OFFER;
    env->offer = &offer;
    facts->chains = chains;
    facts->n_chains = 1;
    chain.codecs = codecs;
    for (size_t over = 0; over < 2; over++) {
        chain.n_codecs = 16 + over;
        assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        chain.n_codecs = 1;
        codecs[0] = text + sizeof(text) - 1 - 15 - over;
        assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        codecs[0] = codecs[1];
        chain.name = text + sizeof(text) - 1 - 15 - over;
        assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        chain.name = codecs[0];
        chain.fingerprint = text + sizeof(text) - 1 - 400 - over;
        assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        chain.fingerprint = codecs[0];
        facts->kind = text + sizeof(text) - 1 - 16 - over;
        assert_int_equal(code_of(env), over == 0 ? 0 : GM_E_PROTO);
        facts->kind = codecs[0];
        assert_int_equal(code_of(env), 0);
    }
    offer.device = codecs[0];
    assert_int_equal(code_of(env), GM_E_PROTO);
    offer.facts = NULL;
    assert_int_equal(code_of(env), 0);
    offer.usable = NULL;
    assert_int_equal(code_of(env), GM_E_PROTO);
}

static void keys_and_ids_have_their_form(void **state)
{
    (void)state;
    static const char *const bad_keys[] = {"",    "/a",   "a/",  "a//b", "a/../b", ".",
                                           "a/.", "a\nb", "a?b", "a\\b", "..",     "a:b"};
    static const char *const good_keys[] = {"a",       "a/b", "..a", "a/...", "A b+c@=,()-_.x",
                                            "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        Gm__Envelope *env = sample_produced();
        env->produced->item->objects[0]->key = (char *)(uintptr_t)bad_keys[i];
        assert_int_equal(code_of(env), GM_E_PROTO);
    }
    for (size_t i = 0; i < sizeof(good_keys) / sizeof(good_keys[0]); i++) {
        Gm__Envelope *env = sample_produced();
        env->produced->item->objects[0]->key = (char *)(uintptr_t)good_keys[i];
        assert_int_equal(code_of(env), 0);
    }
    char key[1026];
    memset(key, 'k', sizeof(key));
    key[1024] = '\0';
    Gm__Envelope *env = sample_produced();
    env->produced->item->objects[0]->key = key;
    assert_int_equal(code_of(env), 0);
    key[1024] = 'k';
    key[1025] = '\0';
    assert_int_equal(code_of(env), GM_E_PROTO);
    static const char *const bad_ids[] = {"", "Node", "a_b", "a.b", "a b"};
    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++) {
        env = sample_hello();
        env->hello->node_id = (char *)(uintptr_t)bad_ids[i];
        assert_int_equal(code_of(env), GM_E_PROTO);
    }
}

static void strings_and_counts_have_limits(void **state)
{
    (void)state;
    char *text = malloc(8194);
    memset(text, 'x', 8193);
    text[8192] = '\0';
    Gm__Envelope *env = sample_hello();
    env->hello->build = text;
    assert_int_equal(code_of(env), 0);
    text[8192] = 'x';
    text[8193] = '\0';
    assert_int_equal(code_of(env), GM_E_LIMIT);
    free(text);

    char **notes = calloc(65537, sizeof(*notes));
    for (size_t i = 0; i < 65537; i++) {
        notes[i] = "n";
    }
    env = sample_hello();
    env->hello->notes = notes;
    env->hello->n_notes = 65536;
    assert_int_equal(code_of(env), 0);
    env->hello->n_notes = 65537;
    assert_int_equal(code_of(env), GM_E_LIMIT);
    free(notes);
}

static void messages_over_32_mib_are_refused(void **state)
{
    (void)state;
    uint8_t *meta = calloc(1, GM_ENVELOPE_MAX_BYTES);
    Gm__Envelope *env = sample_produced();
    env->produced->item->meta.data = meta;
    env->produced->item->meta.len = GM_ENVELOPE_MAX_BYTES - 256;
    assert_int_equal(code_of(env), 0);
    env->produced->item->meta.len = GM_ENVELOPE_MAX_BYTES;
    assert_int_equal(code_of(env), GM_E_LIMIT);
    Gm__Envelope *back = NULL;
    assert_int_equal(gm_envelope_decode(meta, (size_t)GM_ENVELOPE_MAX_BYTES + 1, &back, &err),
                     -GM_E_LIMIT);
    free(meta);
}

/* Byte strings that protobuf-c alone would take or merge. */
static void odd_encodings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } rows[] = {
        {"\x08\x01\xca\x01\x00", 5, 0},                          /* field 25: a newer body */
        {"\x08\x01\x08\x01\x92\x01\x00", 7, GM_E_PROTO},         /* version twice */
        {"\x08\x01\x92\x01\x00\x62\x00", 7, GM_E_PROTO},         /* two bodies */
        {"\x08\x01\x92\x01\x00", 5, 0},                          /* goodbye */
        {"\x08\x01\x92\x01\x04\x0a\x02\x61\x00", 9, GM_E_PROTO}, /* NUL in a string */
        {"\x08\x01\x93\x01", 4, GM_E_PROTO},                     /* a group */
        {"\x0a\x01\x01\x92\x01\x00", 6, GM_E_PROTO},             /* version as bytes */
        {"\x00\x01", 2, GM_E_PROTO},                             /* field number 0 */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, GM_E_PROTO}, /* long varint */
        {"\x08\x01\x92\x01\xff\xff\xff\xff\x7f", 9, GM_E_PROTO}, /* length past the end */
        {"\x08\x01\x92\x01\x00\xfa\x06\x01z", 9, 0},             /* unknown field: skipped */
        {"\x08\x01", 2, GM_E_PROTO},                             /* none at all */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Gm__Envelope *back = NULL;
        int rc = gm_envelope_decode(rows[i].bytes, rows[i].size, &back, &err);
        if (rc != -rows[i].code) {
            fail_msg("row %zu: %d, not %d", i, rc, -rows[i].code);
        }
        if (back != NULL) {
            gm__envelope__free_unpacked(back, NULL);
        }
    }
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    Gm__Envelope *env = sample_assign();
    env->assign->spec->pipeline->tasks[0]->encode->maxrate_scale = 1e308 * 10;
    assert_int_equal(code_of(env), GM_E_PROTO);
}

static void a_copy_is_deep_and_equal(void **state)
{
    (void)state;
    Gm__Envelope *env = sample_assign();
    Gm__Envelope *copy = (Gm__Envelope *)gm_message_dup(&env->base);
    assert_non_null(copy);
    assert_ptr_not_equal(copy->assign, env->assign);
    assert_string_equal(copy->assign->spec->task, "video");
    gm__envelope__free_unpacked(copy, NULL);
}

static void opaque_messages_keep_to_their_limit(void **state)
{
    (void)state;
    Gm__SplitMeta meta = GM__SPLIT_META__INIT;
    uint32_t items[3] = {1, 2, 300};
    uint8_t *data = NULL;
    size_t size = 0;
    ProtobufCMessage *back = NULL;
    meta.n_items = 3;
    meta.items = items;
    meta.frames = 900;
    assert_int_equal(gm_message_encode(&meta.base, &data, &size, &err), 0);
    assert_int_equal(gm_message_decode(&gm__split_meta__descriptor, data, size, size, &back, &err),
                     0);
    assert_int_equal(((Gm__SplitMeta *)back)->items[2], 300);
    protobuf_c_message_free_unpacked(back, NULL);
    back = NULL;
    assert_int_equal(
        gm_message_decode(&gm__split_meta__descriptor, data, size, size - 1, &back, &err),
        -GM_E_LIMIT);
    assert_null(back);
    assert_int_equal(gm_message_decode(&gm__split_meta__descriptor, NULL, 0, 0, &back, &err), 0);
    assert_int_equal(((Gm__SplitMeta *)back)->n_items, 0);
    protobuf_c_message_free_unpacked(back, NULL);
    free(data);
}

static void errors_cross_the_wire(void **state)
{
    (void)state;
    struct gm_err from = {.code = GM_E_INPUT_EMPTY, .native = -5, .text = "no bytes"}, to;
    Gm__Error msg;
    gm_err_to_msg(&from, &msg);
    gm_err_from_msg(&msg, &to);
    assert_int_equal(to.code, GM_E_INPUT_EMPTY);
    assert_int_equal(to.native, -5);
    assert_string_equal(to.text, "no bytes");
    static const uint32_t unknown[] = {0, 9999, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        msg.code = unknown[i];
        gm_err_from_msg(&msg, &to);
        assert_int_equal(to.code, GM_E_BUG);
    }
    char text[400];
    memset(text, 't', sizeof(text));
    text[399] = '\0';
    msg.text = text;
    gm_err_from_msg(&msg, &to);
    assert_int_equal(strlen(to.text), sizeof(to.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back_as_they_went),
        cmocka_unit_test(every_truncation_is_refused_or_sound),
        cmocka_unit_test(bit_flips_never_crash),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(parts_that_must_be_there_are_asked_for),
        cmocka_unit_test(clocks_have_limits),
        cmocka_unit_test(devices_have_limits),
        cmocka_unit_test(figures_have_their_ranges),
        cmocka_unit_test(device_ids_are_plain_text),
        cmocka_unit_test(an_offers_facts_are_a_devices),
        cmocka_unit_test(keys_and_ids_have_their_form),
        cmocka_unit_test(strings_and_counts_have_limits),
        cmocka_unit_test(messages_over_32_mib_are_refused),
        cmocka_unit_test(odd_encodings_are_refused),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
        cmocka_unit_test(a_copy_is_deep_and_equal),
        cmocka_unit_test(opaque_messages_keep_to_their_limit),
        cmocka_unit_test(errors_cross_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
