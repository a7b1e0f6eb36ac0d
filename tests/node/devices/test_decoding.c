#include "node/devices/decoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gm_device *device(const char *api, uint32_t engines, uint64_t memory_bytes)
{
    struct gm_device *d = calloc(1, sizeof(*d));
    struct gm_device_codec codec = {.codec = "h264", .chroma = 420, .depth = 8};
    assert_non_null(d);
    gm_device_set(codec.api, api);
    codec.engines = engines;
    d->kind = GM_DEVICE_NVIDIA;
    gm_device_set(d->uuid, "GPU-1");
    d->memory_bytes = memory_bytes;
    assert_true(gm_device_add_codec(d, false, &codec));
    return d;
}

static uint32_t room(const char *api, uint32_t engines, uint64_t memory_bytes)
{
    struct gm_device *d = device(api, engines, memory_bytes);
    uint32_t result = gm_decoding_room(d);
    free(d);
    return result;
}

static void engines_and_memory_make_room(void **state)
{
    (void)state;
    assert_int_equal(room("nvdec", 7, 141ull << 30), 14);
    assert_int_equal(room("nvdec", 7, 0), 14); /* memory is not told */
    assert_int_equal(room("nvdec", 0, 0), 2);  /* nor engines */
    assert_int_equal(room("nvdec", 2, 3ull << 30), 3);
    assert_int_equal(room("nvdec", 2, (1ull << 30) - 1), 0);
    assert_int_equal(room("vaapi", 2, 0), 0);
}

static void a_worker_must_be_tied_to_it(void **state)
{
    (void)state;
    struct gm_device *d = device("nvdec", 2, 0);
    struct gm_device_codec more = {
        .api = "nvdec", .codec = "vp9", .chroma = 420, .depth = 8, .engines = 3};
    assert_true(gm_device_add_codec(d, false, &more));
    assert_int_equal(gm_decoding_room(d), 6);
    d->uuid[0] = '\0';
    assert_int_equal(gm_decoding_room(d), 0);
    gm_device_set(d->uuid, "GPU-1");
    d->kind = GM_DEVICE_DRM;
    assert_int_equal(gm_decoding_room(d), 0);
    d->kind = GM_DEVICE_NVIDIA;
    d->decode_count = 0;
    assert_int_equal(gm_decoding_room(d), 0);
    free(d);
}

static struct gm_device *va_device(const char *codec, uint32_t depth)
{
    struct gm_device *d = calloc(1, sizeof(*d));
    struct gm_device_codec c = {.api = "vaapi", .chroma = 420, .depth = depth};
    assert_non_null(d);
    gm_device_set(c.codec, codec);
    d->kind = GM_DEVICE_DRM;
    gm_device_set(d->render_node, "/dev/dri/renderD129");
    assert_true(gm_device_add_codec(d, false, &c));
    return d;
}

/* A VA driver tells neither engines nor memory. */
static void va_drivers_have_room_for_two(void **state)
{
    (void)state;
    struct gm_device *d = va_device("h264", 8);
    assert_int_equal(gm_decoding_room(d), 2);
    assert_true(gm_decoding_conceals(d)); /* the operator's to choose */
    assert_string_equal(gm_decoding_api(d), "vaapi");
    assert_string_equal(gm_decoding_device(d), "/dev/dri/renderD129");
    d->render_node[0] = '\0'; /* nothing ties a worker to it */
    assert_int_equal(gm_decoding_room(d), 0);
    free(d);
    d = va_device("hevc", 10);
    assert_int_equal(gm_decoding_room(d), 2);
    free(d);
    d = va_device("vp8", 8); /* media/decode/vadec.h has it not */
    assert_int_equal(gm_decoding_room(d), 0);
    free(d);
    d = va_device("h264", 10);
    assert_int_equal(gm_decoding_room(d), 0);
    free(d);
}

static void add(struct gm_device *d, const char *api, const char *codec, uint32_t depth,
                bool encode, bool passed)
{
    struct gm_device_proof proof = {.depth = depth, .encode = encode, .passed = passed};
    gm_device_set(proof.api, api);
    gm_device_set(proof.codec, codec);
    gm_device_set(proof.text, passed ? "" : "other samples");
    assert_true(gm_device_add_proof(d, &proof));
}

static void only_what_passed_is_proved(void **state)
{
    (void)state;
    char codecs[GM_DECODING_CODECS][16];
    const char *why = NULL;
    struct gm_device *d = device("nvdec", 1, 0);
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), 0);
    assert_string_equal(why, "no decoder of it is proved");
    add(d, "nvdec", "av1", 8, false, false);
    add(d, "nvenc", "h264", 8, true, true);
    add(d, "vaapi", "vp8", 8, false, true);
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), 0);
    assert_string_equal(why, "other samples");
    add(d, "nvdec", "h264", 8, false, true);
    add(d, "nvdec", "hevc", 10, false, true);
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), 2);
    assert_string_equal(codecs[0], "h264");
    assert_string_equal(codecs[1], "hevc10");
    for (uint32_t i = 0; i < 2 * GM_DECODING_CODECS; i++) {
        char name[8] = {'c', (char)('a' + i)};
        add(d, "nvdec", name, 8, false, true);
    }
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), GM_DECODING_CODECS);
    free(d);
}

static void what_vadec_has_counts_of_a_va_driver(void **state)
{
    (void)state;
    char codecs[GM_DECODING_CODECS][16];
    const char *why = NULL;
    struct gm_device *d = va_device("h264", 8);
    add(d, "vaapi", "vp8", 8, false, true);
    add(d, "vaapi", "hevc", 12, false, true);
    add(d, "vaapi", "h264", 10, false, true);
    add(d, "vaapi", "h264", 8, true, true);
    add(d, "nvdec", "h264", 8, false, true);
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), 0);
    assert_string_equal(why, "no decoder of it is proved");
    add(d, "vaapi", "h264", 8, false, true);
    add(d, "vaapi", "hevc", 10, false, true);
    add(d, "vaapi", "vp9", 10, false, true);
    add(d, "vaapi", "av1", 8, false, true);
    add(d, "vaapi", "av1", 10, false, true);
    assert_int_equal(gm_decoding_codecs(d, codecs, &why), 5);
    assert_string_equal(codecs[0], "h264");
    assert_string_equal(codecs[1], "hevc10");
    assert_string_equal(codecs[2], "vp910");
    assert_string_equal(codecs[3], "av1");
    assert_string_equal(codecs[4], "av110");
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_and_memory_make_room),
        cmocka_unit_test(a_worker_must_be_tied_to_it),
        cmocka_unit_test(va_drivers_have_room_for_two),
        cmocka_unit_test(what_vadec_has_counts_of_a_va_driver),
        cmocka_unit_test(only_what_passed_is_proved),
    };
    return cmocka_run_group_tests_name("node/devices/decoding", tests, NULL, NULL);
}
