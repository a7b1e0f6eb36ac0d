#include "node/devices/chains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"

static void add(struct gm_device *d, const char *api, const char *codec, uint32_t depth,
                bool encode, bool passed)
{
    struct gm_device_proof proof = {.depth = depth, .encode = encode, .passed = passed};
    gm_device_set(proof.api, api);
    gm_device_set(proof.codec, codec);
    assert_true(gm_device_add_proof(d, &proof));
}

static struct gm_device *device(void)
{
    struct gm_device *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    d->kind = GM_DEVICE_NVIDIA;
    gm_device_set(d->id, "0000:3b:00.0");
    gm_device_set(d->name, "NVIDIA L4");
    gm_device_set(d->driver, "550.54.15");
    return d;
}

static void chain_has_what_passed_and_no_address(void **state)
{
    (void)state;
    struct gm_device_chain chains[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 0);
    add(d, "nvdec", "h264", 8, false, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 0); /* decoding makes none */
    add(d, "nvenc", "hevc", 10, true, true);
    add(d, "nvenc", "hevc", 8, true, true);
    add(d, "nvenc", "av1", 8, true, false);
    add(d, "nvenc", "h264", 8, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_string_equal(chains[0].name, "nvenc");
    assert_string_equal(chains[0].fingerprint, "NVIDIA L4 | 550.54.15 | libs 1");
    assert_int_equal(chains[0].codec_count, 3);
    assert_string_equal(chains[0].codecs[0], "h264");
    assert_string_equal(chains[0].codecs[1], "hevc");
    assert_string_equal(chains[0].codecs[2], "hevc10");
    free(d);
}

static void kernel_is_named_where_its_proofs_passed(void **state)
{
    (void)state;
    static const char with[] = "NVIDIA L4 | 550.54.15 | libs 1" GM_CUDA_LADDER_MARK;
    static const char without[] = "NVIDIA L4 | 550.54.15 | libs 1";
    struct gm_device_chain chains[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    add(d, GM_CUDA_LADDER_API, GM_CUDA_LADDER, 8, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 0); /* no chain of its own */
    add(d, "nvenc", "h264", 8, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_string_equal(chains[0].fingerprint, without); /* 8 bits alone */
    add(d, GM_CUDA_LADDER_API, GM_CUDA_LADDER, 10, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_string_equal(chains[0].fingerprint, with);
    assert_int_equal(chains[0].codec_count, 1);
    add(d, GM_CUDA_LADDER_API, GM_CUDA_LADDER, 8, true, false);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_string_equal(chains[0].fingerprint, without);
    add(d, GM_CUDA_LADDER_API, "cuda-ladder-0", 8, true, true); /* another build's */
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_string_equal(chains[0].fingerprint, without);
    free(d);
}

static void add_scaler(struct gm_device *d, uint32_t depth, bool passed, const char *bits)
{
    struct gm_device_proof proof = {.depth = depth, .encode = true, .passed = passed};
    gm_device_set(proof.api, "vaapi");
    gm_device_set(proof.codec, GM_VA_LADDER);
    gm_device_set(proof.text, bits);
    assert_true(gm_device_add_proof(d, &proof));
    assert_true(gm_proof_is_of_scaler(&proof));
}

/* Two builds of one driver, by the same name, are two chains where they scale otherwise. */
static void va_drivers_that_scale_otherwise_are_other_chains(void **state)
{
    (void)state;
    struct gm_device_chain a[GM_DEVICE_CHAINS], b[GM_DEVICE_CHAINS];
    struct gm_device *one = device(), *two = device();
    struct gm_device *both[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        assert_true(gm_device_add_feature(both[i], GM_FEATURE_VA_HEADERS));
        add(both[i], "vaapi", "h264", 8, true, true);
        add_scaler(both[i], 10, true, "fedcba9876543210");
        add_scaler(both[i], 8, true, "0123456789abcdef");
    }
    assert_int_equal(gm_chains_make(one, "libs 1", a), 1);
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_string_equal(a[0].fingerprint, "NVIDIA L4 | 550.54.15 | libs 1" GM_VA_LADDER_MARK
                                          " 8:0123456789abcdef 10:fedcba9876543210");
    assert_int_equal(a[0].codec_count, 1);
    assert_true(gm_chains_are_same(a, 1, b, 1));
    add_scaler(two, 8, true, "0123456789abcdee");
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_false(gm_chains_are_same(a, 1, b, 1));
    add_scaler(two, 8, false, "The VA driver scales wrongly");
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_string_equal(b[0].fingerprint,
                        "NVIDIA L4 | 550.54.15 | libs 1" GM_VA_LADDER_MARK " 10:fedcba9876543210");
    add_scaler(two, 10, true, "fedcba987654321 "); /* no hash, and so no bits */
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_string_equal(b[0].fingerprint, "NVIDIA L4 | 550.54.15 | libs 1");
    free(one);
    free(two);
}

static void like_devices_match_and_others_do_not(void **state)
{
    (void)state;
    struct gm_device_chain a[GM_DEVICE_CHAINS], b[GM_DEVICE_CHAINS];
    struct gm_device *one = device(), *two = device();
    add(one, "nvenc", "h264", 8, true, true);
    add(two, "nvenc", "h264", 8, true, true);
    gm_device_set(two->id, "0000:af:00.0");
    gm_device_set(two->uuid, "GPU-2");
    gm_device_set(two->render_node, "/dev/dri/renderD129");
    two->memory_bytes = 1;
    assert_int_equal(gm_chains_make(one, "libs 1", a), 1);
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_string_equal(a[0].fingerprint, b[0].fingerprint);
    assert_int_equal(gm_chains_make(two, "libs 2", b), 1);
    assert_string_not_equal(a[0].fingerprint, b[0].fingerprint);
    gm_device_set(two->driver, "551.0");
    assert_int_equal(gm_chains_make(two, "libs 1", b), 1);
    assert_string_not_equal(a[0].fingerprint, b[0].fingerprint);
    gm_device_set(two->driver, "");
    assert_int_equal(gm_chains_make(two, "libs 1", b), 0); /* nobody could tell it from others */
    gm_device_set(one->name, "");
    assert_int_equal(gm_chains_make(one, "libs 1", a), 0);
    free(one);
    free(two);
}

static void each_api_is_a_chain(void **state)
{
    (void)state;
    struct gm_device_chain chains[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    d->kind = GM_DEVICE_DRM;
    assert_true(gm_device_add_feature(d, "va-driver-iHD"));
    assert_true(gm_device_add_feature(d, GM_FEATURE_VA_HEADERS));
    assert_true(gm_device_add_feature(d, "mfx-gen.so.1.2.8"));
    add(d, "vaapi", "h264", 8, true, true);
    add(d, "qsv", "h264", 8, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 2);
    assert_string_equal(chains[0].name, "qsv");
    assert_string_equal(chains[1].name, "vaapi");
    assert_non_null(strstr(chains[1].fingerprint, "va-driver-iHD"));
    assert_null(strstr(chains[1].fingerprint, "mfx"));
    assert_non_null(strstr(chains[0].fingerprint, "va-driver-iHD mfx-gen.so.1.2.8"));
    gm_device_set(d->name, ""); /* VA drivers name no chip: the bus does */
    gm_device_set(d->vendor, "Intel");
    assert_true(gm_device_add_feature(d, "device-56a0"));
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 2);
    assert_non_null(strstr(chains[1].fingerprint, "Intel device-56a0 | 550.54.15 va-driver-iHD"));
    assert_true(gm_chain_is_usable("qsv"));
    assert_false(gm_chain_is_usable("nvdec"));
    assert_true(gm_chain_is_usable("vaapi"));
    assert_false(gm_chain_is_usable(""));
    assert_true(gm_chain_is_usable("nvenc"));
    d->kind = GM_DEVICE_CPU;
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 0);
    free(d);
}

static void what_media_does_not_encode_is_not_offered(void **state)
{
    (void)state;
    struct gm_device_chain chains[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    d->kind = GM_DEVICE_DRM;
    add(d, "vaapi", "hevc", 8, true, true);
    add(d, "vaapi", "vp9", 8, true, true);
    add(d, "vaapi", "h264", 8, true, true);
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 0); /* its headers are its own */
    assert_false(gm_chain_encodes(d, "vaapi", "h264", 8));
    assert_true(gm_device_add_feature(d, GM_FEATURE_VA_HEADERS));
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_int_equal(chains[0].codec_count, 1);
    assert_string_equal(chains[0].codecs[0], "h264");
    assert_true(gm_chain_encodes(d, "vaapi", "h264", 8));
    assert_false(gm_chain_encodes(d, "vaapi", "h264", 10));
    assert_false(gm_chain_encodes(d, "vaapi", "hevc", 8)); /* HEVC's headers are its own */
    add(d, "vaapi", "hevc", 10, true, true);
    assert_true(gm_device_add_feature(d, GM_FEATURE_VA_HEVC));
    assert_true(gm_chain_encodes(d, "vaapi", "hevc", 8));
    assert_true(gm_chain_encodes(d, "vaapi", "hevc", 10));
    assert_false(gm_chain_encodes(d, "vaapi", "vp9", 8));
    assert_false(gm_chain_encodes(d, "vaapi", "av1", 8));
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_int_equal(chains[0].codec_count, 3);
    assert_string_equal(chains[0].codecs[1], "hevc");
    assert_string_equal(chains[0].codecs[2], "hevc10");
    add(d, "vaapi", "hevc", 10, true, false); /* what is not proved is not offered */
    assert_int_equal(gm_chains_make(d, "libs 1", chains), 1);
    assert_int_equal(chains[0].codec_count, 2);
    assert_false(gm_chain_encodes(d, "vaapi", "26", 8));
    assert_true(gm_chain_encodes(d, "nvenc", "hevc", 10));
    assert_false(gm_chain_encodes(d, "nvenc", "vp9", 8));
    assert_true(gm_chain_encodes(d, "nvenc", "av1", 10));
    assert_true(gm_device_add_feature(d, "no-av1_nvenc")); /* of this libavcodec */
    assert_false(gm_chain_encodes(d, "nvenc", "av1", 10));
    assert_true(gm_chain_encodes(d, "qsv", "h264", 8));
    assert_false(gm_chain_encodes(d, "qsv", "h264", 10));
    assert_true(gm_chain_encodes(d, "qsv", "hevc", 8)); /* whoever writes the headers */
    assert_true(gm_chain_encodes(d, "qsv", "hevc", 10));
    assert_false(gm_chain_encodes(d, "qsv", "av1", 8));
    free(d);
}

static void more_apis_and_codecs_than_fit_are_left_out(void **state)
{
    (void)state;
    struct gm_device_chain chains[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    char name[2] = "a";
    for (int i = 0; i < GM_DEVICE_CHAINS + 2; i++, name[0]++) {
        add(d, name, "h264", 8, true, true);
    }
    name[0] = 'a';
    for (int i = 0; i < GM_CHAIN_CODECS + 2; i++, name[0]++) {
        add(d, "a", name, 8, true, true);
    }
    assert_int_equal(gm_chains_make(d, "", chains), GM_DEVICE_CHAINS);
    assert_int_equal(chains[0].codec_count, GM_CHAIN_CODECS);
    free(d);
}

static void changes_without_another_number_are_seen(void **state)
{
    (void)state;
    struct gm_device_chain a[GM_DEVICE_CHAINS], b[GM_DEVICE_CHAINS];
    struct gm_device *d = device();
    add(d, "nvenc", "h264", 8, true, true);
    size_t count = gm_chains_make(d, "libs 1", a);
    assert_int_equal(gm_chains_make(d, "libs 1", b), count);
    assert_true(gm_chains_are_same(a, count, b, count));
    assert_false(gm_chains_are_same(a, count, b, 0));
    gm_device_set(b[0].codecs[0], "hevc");
    assert_false(gm_chains_are_same(a, count, b, count));
    assert_int_equal(gm_chains_make(d, "libs 2", b), count);
    assert_false(gm_chains_are_same(a, count, b, count));
    b[0] = a[0];
    gm_device_set(b[0].name, "vaapi");
    assert_false(gm_chains_are_same(a, count, b, count));
    b[0] = a[0];
    b[0].codec_count = 0;
    assert_false(gm_chains_are_same(a, count, b, count));
    free(d);
}

static bool differ(const char *a, const char *b)
{
    struct gm_device_chain x = {.name = "vaapi"}, y = {.name = "vaapi"};
    gm_device_set(x.fingerprint, a);
    gm_device_set(y.fingerprint, b);
    return gm_chain_differs_by_scaler(&x, &y);
}

static void scaler_that_passes_later_makes_a_chain_beside(void **state)
{
    const struct gm_device_proof kernel = {.api = GM_CUDA_LADDER_API}, driver = {.api = "vaapi"};
    (void)state;
    assert_true(differ("chip | 1 | libs", "chip | 1 | libs" GM_CUDA_LADDER_MARK));
    assert_true(differ("chip | 1 | libs" GM_VA_LADDER_MARK " 8:ab", "chip | 1 | libs"));
    assert_true(differ("a" GM_VA_LADDER_MARK " 10:ab", "a" GM_VA_LADDER_MARK " 8:cd 10:ab"));
    assert_false(differ("chip | 1 | libs", "chip | 1 | libs"));
    assert_false(differ("chip | 1 | libs", "chip | 1 | libs 2" GM_CUDA_LADDER_MARK));
    assert_false(differ("chip | 1 | libs", "chip | 2 | libs" GM_VA_LADDER_MARK " 8:ab"));
    struct gm_device_chain x = {.name = "vaapi", .fingerprint = "a"};
    const struct gm_device_chain y = {.name = "qsv", .fingerprint = "a" GM_VA_LADDER_MARK " 8:ab"};
    assert_false(gm_chain_differs_by_scaler(&x, &y));
    assert_string_equal(gm_proof_scaler_chain(&kernel), "nvenc");
    assert_string_equal(gm_proof_scaler_chain(&driver), "vaapi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_has_what_passed_and_no_address),
        cmocka_unit_test(kernel_is_named_where_its_proofs_passed),
        cmocka_unit_test(va_drivers_that_scale_otherwise_are_other_chains),
        cmocka_unit_test(like_devices_match_and_others_do_not),
        cmocka_unit_test(each_api_is_a_chain),
        cmocka_unit_test(what_media_does_not_encode_is_not_offered),
        cmocka_unit_test(scaler_that_passes_later_makes_a_chain_beside),
        cmocka_unit_test(changes_without_another_number_are_seen),
        cmocka_unit_test(more_apis_and_codecs_than_fit_are_left_out),
    };
    return cmocka_run_group_tests_name("node/devices/chains", tests, NULL, NULL);
}
