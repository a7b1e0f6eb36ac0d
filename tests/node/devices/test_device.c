#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/devices/device.h"
#include "proto/envelope.h"

static struct gm_device *add(struct gm_device_list *list, const char *id, enum gm_device_kind kind)
{
    struct gm_device *d = NULL;
    struct gm_err err;
    assert_int_equal(gm_device_get(list, id, kind, &d, &err), 0);
    return d;
}

static void add_codec(struct gm_device *d, bool encode, const char *api, const char *codec,
                      uint32_t depth, uint32_t engines)
{
    struct gm_device_codec c = {.chroma = 420, .depth = depth, .engines = engines};
    gm_device_set(c.api, api);
    gm_device_set(c.codec, codec);
    assert_true(gm_device_add_codec(d, encode, &c));
}

static void addresses_have_one_form(void **state)
{
    static const struct {
        const char *text, *id;
    } rows[] = {{"0000:3b:00.0", "0000:3b:00.0"},
                {"00000000:3B:00.0", "0000:3b:00.0"},
                {"00010000:01:1f.7", "10000:01:1f.7"},
                {"3b:00.0", NULL},
                {"0000:3b:00.0x", NULL},
                {"0000:3b:20.0", NULL},
                {"0000:3b:00.8", NULL},
                {" 000:3b:00.0", NULL},
                {"0000:-1:00.0", NULL},
                {"0x00:3b:00.0", NULL},
                {"", NULL},
                {"00000000000000000000:3b:00.0", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[16] = "";
        assert_int_equal(gm_pci_normalize(rows[i].text, id), rows[i].id != NULL);
        if (rows[i].id != NULL) {
            assert_string_equal(id, rows[i].id);
        }
    }
}

static void sentences_say_what_to_expect(void **state)
{
    struct gm_device_list list = {0};
    char text[1024];
    struct gm_device *d = add(&list, "0000:3b:00.0", GM_DEVICE_NVIDIA);
    (void)state;
    gm_device_set(d->vendor, "NVIDIA");
    gm_device_set(d->name, "NVIDIA H200");
    add_codec(d, false, "nvdec", "h264", 8, 7);
    add_codec(d, false, "nvdec", "hevc", 8, 7);
    add_codec(d, false, "nvdec", "hevc", 10, 7);
    add_codec(d, false, "nvdec", "vp9", 8, 7);
    d->encoding = GM_ENGINE_ABSENT;
    assert_true(gm_device_add_feature(d, "cuda-9.0"));
    gm_device_sentence(d, text, sizeof(text));
    assert_string_equal(text, "GPU 0000:3b:00.0 NVIDIA H200: decode H.264/HEVC/VP9 (7 engines), "
                              "CUDA; no encoder in this chip: encodes on CPU");
    add_codec(d, true, "nvenc", "av1", 8, 1);
    gm_device_sentence(d, text, sizeof(text));
    assert_non_null(strstr(text, "; encode AV1 (1 engine)"));
    gm_device_sentence(d, text, 20);
    assert_int_equal(strlen(text), 19);
    gm_device_list_fini(&list);
}

static void lists_have_limits(void **state)
{
    struct gm_device_list list = {0};
    struct gm_device *d = NULL;
    struct gm_err err;
    char text[32];
    (void)state;
    for (int i = 0; i < GM_DEVICES_MAX; i++) {
        snprintf(text, sizeof(text), "id-%d", i);
        add(&list, text, GM_DEVICE_DRM);
    }
    assert_int_equal(gm_device_get(&list, "more", GM_DEVICE_DRM, &d, &err), -GM_E_LIMIT);
    assert_null(d);
    d = &list.devices[0];
    for (int i = 0; i < GM_DEVICE_NOTES; i++) {
        assert_true(gm_device_add_note(&list, d, GM_NOTE_INFO, "note %d", i));
    }
    assert_true(gm_device_add_note(&list, d, GM_NOTE_INFO, "note 3")); /* is there */
    assert_false(gm_device_add_note(&list, d, GM_NOTE_INFO, "one more"));
    for (int i = 0; i < GM_DEVICE_FEATURES; i++) {
        snprintf(text, sizeof(text), "f%d", i);
        assert_true(gm_device_add_feature(d, text));
    }
    assert_false(gm_device_add_feature(d, "more"));
    gm_device_list_fini(&list);
}

static void features_are_found_by_their_beginning(void **state)
{
    struct gm_device_list list = {0};
    struct gm_device *d = add(&list, "0000:3b:00.0", GM_DEVICE_NVIDIA);
    (void)state;
    assert_null(gm_device_find_feature(d, GM_FEATURE_CUDA));
    assert_true(gm_device_add_feature(d, "cuda"));
    assert_true(gm_device_add_feature(d, "cuda-9.0"));
    assert_true(gm_device_add_feature(d, "cuda-8.0"));
    assert_string_equal(gm_device_find_feature(d, GM_FEATURE_CUDA), "9.0");
    assert_null(gm_device_find_feature(d, GM_FEATURE_VA_DRIVER));
    gm_device_list_fini(&list);
}

static void merging_keeps_what_is_known(void **state)
{
    struct gm_device_list list = {0}, more = {0};
    struct gm_err err;
    struct gm_device *a = add(&list, "0000:01:00.0", GM_DEVICE_DRM);
    struct gm_device *b = add(&more, "0000:01:00.0", GM_DEVICE_NVIDIA);
    (void)state;
    gm_device_set(a->driver, "1");
    gm_device_set(b->driver, "2");
    gm_device_set(b->name, "Card");
    b->encoding = GM_ENGINE_REFUSED;
    add_codec(b, false, "nvdec", "h264", 8, 2);
    add(&more, "0000:02:00.0", GM_DEVICE_DRM);
    assert_int_equal(gm_device_merge(&list, &more, &err), 0);
    assert_int_equal(gm_device_merge(&list, &more, &err), 0); /* twice is as once */
    assert_int_equal(list.count, 2);
    a = gm_device_find(&list, "0000:01:00.0");
    assert_string_equal(a->driver, "1");
    assert_string_equal(a->name, "Card");
    assert_int_equal(a->kind, GM_DEVICE_NVIDIA);
    assert_int_equal(a->encoding, GM_ENGINE_REFUSED);
    assert_int_equal(a->decode_count, 1);
    gm_device_list_fini(&list);
    gm_device_list_fini(&more);
}

static void order_is_stable(void **state)
{
    struct gm_device_list list = {0};
    struct gm_device *d = add(&list, "0000:b0:00.0", GM_DEVICE_NVIDIA);
    (void)state;
    add_codec(d, true, "nvenc", "hevc", 10, 0);
    add_codec(d, true, "nvenc", "hevc", 8, 0);
    add_codec(d, true, "nvenc", "h264", 8, 0);
    add(&list, "0000:03:00.0", GM_DEVICE_DRM);
    add(&list, "0000:0a:00.0", GM_DEVICE_NVIDIA);
    add(&list, "cpu", GM_DEVICE_CPU);
    gm_device_sort(&list);
    assert_string_equal(list.devices[0].id, "cpu");
    assert_string_equal(list.devices[1].id, "0000:0a:00.0");
    assert_string_equal(list.devices[2].id, "0000:b0:00.0");
    assert_string_equal(list.devices[3].id, "0000:03:00.0");
    d = &list.devices[2];
    assert_string_equal(d->encode[0].codec, "h264");
    assert_int_equal(d->encode[1].depth, 8);
    assert_int_equal(d->encode[2].depth, 10);
    gm_device_list_fini(&list);
}

static void fill(struct gm_device_list *list)
{
    struct gm_device *d = add(list, "0000:3b:00.0", GM_DEVICE_NVIDIA);
    const struct gm_device_proof proof = {.api = "nvenc",
                                          .codec = "h264",
                                          .depth = 8,
                                          .encode = true,
                                          .passed = true,
                                          .psnr_centi = 5490,
                                          .proved_unix_ms = 123};
    gm_device_set(d->name, "A \"quoted\" card\\");
    d->memory_bytes = 1ull << 40;
    d->decoding = GM_ENGINE_PRESENT;
    add_codec(d, false, "nvdec", "vp9", 12, 3);
    add_codec(d, true, "nvenc", "h264", 8, 1);
    assert_true(gm_device_add_proof(d, &proof));
    assert_true(gm_device_add_feature(d, "cuda-9.0"));
    assert_true(gm_device_add_note(list, d, GM_NOTE_WARN, "do this"));
    assert_true(gm_device_add_note(list, NULL, GM_NOTE_ERROR, "do that"));
    gm_device_set(list->versions, "libavcodec-1");
}

static void messages_go_round(void **state)
{
    struct gm_device_list list = {0}, back = {0};
    struct gm_err err;
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_buf a = {0}, b = {0};
    (void)state;
    fill(&list);
    assert_int_equal(gm_device_list_encode(&list, &data, &size, &err), 0);
    assert_int_equal(gm_device_list_decode(data, size, &back, &err), 0);
    gm_device_list_json(&list, &a);
    gm_device_list_json(&back, &b);
    assert_int_equal(gm_buf_check(&a, &err), 0);
    assert_string_equal((char *)a.data, (char *)b.data);
    assert_non_null(strstr((char *)a.data, "\"name\": \"A \\\"quoted\\\" card\\\\\""));
    assert_string_equal(back.versions, "libavcodec-1");
    for (size_t cut = 0; cut < size; cut++) { /* any cut is refused or a shorter list */
        struct gm_device_list part = {0};
        (void)(gm_device_list_decode(data, cut, &part, &err) == 0);
        gm_device_list_fini(&part);
    }
    gm_buf_fini(&a);
    gm_buf_fini(&b);
    free(data);
    gm_device_list_fini(&list);
    gm_device_list_fini(&back);
}

/* One change to a good answer, which must then be refused. */
static void refused(void (*change)(Gm__Device *device))
{
    struct gm_device_list list = {0}, out = {0};
    struct gm_err err;
    Gm__Device *m = NULL;
    Gm__ProbeResult result = GM__PROBE_RESULT__INIT;
    uint8_t *data = NULL;
    size_t size = 0;
    fill(&list);
    assert_int_equal(gm_device_to_message(&list.devices[0], &m, &err), 0);
    change(m);
    result.devices = &m;
    result.n_devices = 1;
    assert_int_equal(gm_message_encode(&result.base, &data, &size, &err), 0);
    assert_int_equal(gm_device_list_decode(data, size, &out, &err), -GM_E_PROTO);
    free(data);
    free(m);
    gm_device_list_fini(&list);
    gm_device_list_fini(&out);
}

static void change_kind(Gm__Device *d)
{
    d->kind = (char *)(uintptr_t) "toaster";
}
static void change_id(Gm__Device *d)
{
    d->id = (char *)(uintptr_t) "";
}
static void change_id_to_a_name(Gm__Device *d)
{
    d->id = (char *)(uintptr_t) "card0";
}
static void change_id_to_another_form(Gm__Device *d)
{
    d->id = (char *)(uintptr_t) "00000000:3B:00.0";
}
static void change_id_to_foreign_text(Gm__Device *d)
{
    d->id = (char *)(uintptr_t) "platform:\n";
}
static void change_chroma(Gm__Device *d)
{
    d->decode[0]->chroma = 421;
}
static void change_depth(Gm__Device *d)
{
    d->encode[0]->depth = 7;
}
static void change_severity(Gm__Device *d)
{
    d->notes[0]->severity = (char *)(uintptr_t) "fatal";
}
static void change_state(Gm__Device *d)
{
    d->decode_state = (char *)(uintptr_t) "asleep";
}

static void answers_that_are_none_are_refused(void **state)
{
    struct gm_device_list out = {0};
    struct gm_err err;
    (void)state;
    refused(change_kind);
    refused(change_id);
    refused(change_id_to_a_name);
    refused(change_id_to_another_form);
    refused(change_id_to_foreign_text);
    refused(change_chroma);
    refused(change_depth);
    refused(change_severity);
    refused(change_state);
    assert_int_equal(gm_device_list_decode("rubbish", 7, &out, &err), -GM_E_PROTO);
    gm_device_list_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(sentences_say_what_to_expect),
        cmocka_unit_test(lists_have_limits),
        cmocka_unit_test(features_are_found_by_their_beginning),
        cmocka_unit_test(merging_keeps_what_is_known),
        cmocka_unit_test(order_is_stable),
        cmocka_unit_test(messages_go_round),
        cmocka_unit_test(answers_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("node/devices/device", tests, NULL, NULL);
}
