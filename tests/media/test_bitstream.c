#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "media/bitstream_nal.h"

/* Parameter sets, names and samples of each codec, against bytes that other programs wrote. */

/* A High profile SPS and a PPS, as x264 writes them for 64x48. */
static const uint8_t h264_sets[] = {0,    0, 0, 1, 0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x44, 0x36,
                                    0x84, 0, 0, 0, 1,    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
static const uint8_t h264_config[] = {1,    0x64, 0,    0x0a, 0xff, 0xe1, 0,    9,    0x67, 0x64,
                                      0,    0x0a, 0xac, 0xd9, 0x44, 0x36, 0x84, 1,    0,    6,
                                      0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0};

/* x265's for 640x360, and the hvcC that libavformat made of them. */
#define VPS                                                                                        \
    0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00,      \
        0x03, 0x00, 0x00, 0x03, 0x00, 0x3f, 0x95, 0x98, 0x09
#define SPS                                                                                        \
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00,      \
        0x03, 0x00, 0x3f, 0xa0, 0x05, 0x02, 0x01, 0x69, 0x65, 0x95, 0x9a, 0x49, 0x32, 0xbc, 0x05,  \
        0xa7, 0x08, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x40
#define PPS 0x44, 0x01, 0xc1, 0x72, 0xb4, 0x22, 0x40
static const uint8_t hevc_sets[] = {0, 0, 0, 1, VPS, 0, 0, 0, 1, SPS, 0, 0, 0, 1, PPS};
static const uint8_t hevc_config[] = {1,    1,    0x60, 0, 0,    0,    0x90, 0,    0, 0, 0,
                                      0,    0x3f, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f,
                                      3,    0xa0, 0,    1, 0,    0x18, VPS,  0xa1, 0, 1, 0,
                                      0x2b, SPS,  0xa2, 0, 1,    0,    7,    PPS};

static void headers_become_the_configuration(void **state)
{
    static const struct {
        const char *codec;
        const uint8_t *headers;
        size_t size;
        const uint8_t *config;
        size_t config_size;
        const char *name;
    } rows[] = {
        {"h264", h264_sets, sizeof h264_sets, h264_config, sizeof h264_config, "avc1.64000a"},
        {"hevc", hevc_sets, sizeof hevc_sets, hevc_config, sizeof hevc_config, "hvc1.1.6.L63.90"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_bitstream *codec = gm_bitstream_find(rows[i].codec);
        struct gm_buf out = {0};
        struct gm_err err = {0};
        char name[GM_CODECS_NAME];
        assert_non_null(codec);
        assert_int_equal(codec->add_config(rows[i].headers, rows[i].size, &out, &err), 0);
        assert_int_equal(out.size, rows[i].config_size);
        assert_memory_equal(out.data, rows[i].config, out.size);
        assert_int_equal(codec->name(out.data, out.size, name, &err), 0);
        assert_string_equal(name, rows[i].name);
        gm_buf_fini(&out);
    }
}

static void cut_headers_are_refused(void **state)
{
    static const struct {
        const char *codec;
        const uint8_t *headers;
        size_t size; /* from here on the last set is there */
    } rows[] = {{"h264", h264_sets, 18}, {"hevc", hevc_sets, sizeof hevc_sets - 5}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_bitstream *codec = gm_bitstream_find(rows[i].codec);
        for (size_t size = 0; size < rows[i].size; size++) {
            struct gm_buf out = {0};
            struct gm_err err = {0};
            char name[GM_CODECS_NAME] = "untouched";
            assert_int_equal(codec->add_config(rows[i].headers, size, &out, &err), -GM_E_MEDIA);
            assert_int_equal(out.size, 0);
            assert_int_equal(codec->name(rows[i].headers, size < 6 ? size : 6, name, &err),
                             -GM_E_MEDIA);
            assert_string_equal(name, "untouched");
        }
    }
}

static void hevc_names_say_space_tier_and_constraints(void **state)
{
    static const struct {
        uint8_t config[13];
        const char *name;
    } rows[] = {
        {{1, 0x02, 0x20, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 153}, "hvc1.2.4.L153.B0"},
        {{1, 0x21, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 186}, "hvc1.1.6.H186"},
        {{1, 0x44, 0x08, 0, 0, 1, 0x9d, 8, 0, 0, 0, 1, 93}, "hvc1.A4.80000010.L93.9D.8.0.0.0.1"},
    };
    struct gm_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t config[23] = {0};
        char name[GM_CODECS_NAME];
        memcpy(config, rows[i].config, sizeof rows[i].config);
        assert_int_equal(gm_bitstream_hevc.name(config, sizeof config, name, &err), 0);
        assert_string_equal(name, rows[i].name);
    }
}

static void annexb_becomes_length_prefixed(void **state)
{
    (void)state;
    static const uint8_t unit[] = {0,    0, 0, 1,    9, 0xf0, 0, 0,    0,    1,
                                   0x67, 1, 2, 3,    0, 0,    1, 0x65, 0xaa, 0,
                                   0,    3, 1, 0xbb, 0, 0,    0, 1,    0x41, 0xcc};
    static const uint8_t wanted[] = {0, 0,    0, 7, 0x65, 0xaa, 0,    0,   3,
                                     1, 0xbb, 0, 0, 0,    2,    0x41, 0xcc};
    static const uint8_t hevc[] = {0, 0, 1,    0x46, 1, 0x50, 0, 0, 1, 0x40, 1,    2,    0,
                                   0, 1, 0x4e, 1,    5, 0x80, 0, 0, 1, 0x28, 0x01, 0xaf, 7};
    static const uint8_t hevc_wanted[] = {0, 0, 0, 4, 0x4e, 1,    5,    0x80,
                                          0, 0, 0, 4, 0x28, 0x01, 0xaf, 7};
    struct gm_buf buf = {0};
    struct gm_err err;
    assert_int_equal(gm_bitstream_h264.add_sample(unit, sizeof(unit), &buf, &err), 0);
    assert_int_equal(buf.size, sizeof(wanted));
    assert_memory_equal(buf.data, wanted, sizeof(wanted));
    buf.size = 0;
    assert_int_equal(gm_bitstream_h264.add_sample(unit, 14, &buf, &err), -GM_E_MEDIA);
    assert_int_equal(gm_bitstream_hevc.add_sample(hevc, sizeof(hevc), &buf, &err), 0);
    assert_int_equal(buf.size, sizeof(hevc_wanted));
    assert_memory_equal(buf.data, hevc_wanted, sizeof(hevc_wanted));
    buf.size = 0;
    assert_int_equal(gm_bitstream_hevc.add_sample(hevc, 12, &buf, &err), -GM_E_MEDIA);
    gm_buf_fini(&buf);
}

static void samples_that_are_not_what_they_should_be_have_a_fault(void **state)
{
    static const struct {
        const char *codec;
        uint8_t sample[20];
        size_t size;
        bool right_as_key, right_inside;
    } rows[] = {
        {"h264", {0, 0, 0, 2, 0x65, 0x80}, 6, true, false},
        {"h264", {0, 0, 0, 2, 0x41, 0x80}, 6, false, true},
        {"h264", {0, 0, 0, 2, 0x41, 0x40}, 6, false, false}, /* its first slice is not there */
        {"h264", {0, 0, 0, 2, 0x41, 0x80, 0, 0, 0, 2, 0x41, 0x80}, 12, false, false}, /* two */
        {"h264", {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x65, 0x80}, 12, false, false},
        {"h264", {0, 0, 0, 2, 6, 1, 0, 0, 0, 2, 0x65, 0x80}, 12, true, false},
        {"h264", {0, 0, 0, 2, 0x42, 0x80}, 6, false, false}, /* a data partition */
        {"h264", {0, 0, 0, 3, 0x65, 0x80}, 6, false, false}, /* too long */
        {"h264", {0, 0, 0, 2, 6, 1}, 6, false, false},       /* no picture */
        {"hevc", {0, 0, 0, 3, 0x28, 1, 0x80}, 7, true, false},
        {"hevc", {0, 0, 0, 3, 0x26, 1, 0x80}, 7, true, false},
        {"hevc", {0, 0, 0, 3, 0x02, 1, 0x80}, 7, false, true},
        {"hevc", {0, 0, 0, 3, 0x02, 1, 0x40}, 7, false, false}, /* no first slice */
        {"hevc", {0, 0, 0, 3, 0x2a, 1, 0x80}, 7, false, false}, /* CRA */
        {"hevc", {0, 0, 0, 3, 0x02, 9, 0x80}, 7, false, false}, /* another layer */
        {"hevc", {0, 0, 0, 3, 0x40, 1, 0x80}, 7, false, false}, /* VPS */
        {"hevc", {0, 0, 0, 2, 0x02, 1}, 6, false, false},       /* too short */
        {"hevc", {0, 0, 0, 4, 0x4e, 1, 5, 9}, 8, false, false}, /* SEI alone */
        {"hevc", {0, 0, 0, 3, 0x4e, 1, 5, 0, 0, 0, 3, 0x28, 1, 0x80}, 14, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_bitstream *c = gm_bitstream_find(rows[i].codec);
        bool key = c->fault(NULL, 0, rows[i].sample, rows[i].size, true) == NULL;
        bool inside = c->fault(NULL, 0, rows[i].sample, rows[i].size, false) == NULL;
        if (key != rows[i].right_as_key || inside != rows[i].right_inside) {
            fail_msg("row %zu: %d %d", i, key, inside);
        }
    }
}

static void hdr10_is_said_before_each_keyframe(void **state)
{
    static const uint8_t want[] = {0x00, 0x00, 0x00, 0x1e, 0x4e, 0x01, 0x89, 0x18, 0x33,
                                   0xc2, 0x86, 0xc4, 0x1d, 0x4c, 0x0b, 0xb8, 0x84, 0xd0,
                                   0x3e, 0x80, 0x3d, 0x13, 0x40, 0x42, 0x00, 0x98, 0x96,
                                   0x80, 0x00, 0x00, 0x03, 0x00, 0x01, 0x80};
    static const uint8_t want_light[] = {0, 0, 0, 9, 0x4e, 1, 0x90, 4, 0x03, 0xe8, 0, 0x64, 0x80};
    uint32_t primaries[6] = {13250, 34500, 7500, 3000, 34000, 16000};
    Gm__MasteringDisplay mastering = GM__MASTERING_DISPLAY__INIT;
    Gm__ContentLight light = GM__CONTENT_LIGHT__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    struct gm_buf out = {0};
    (void)state;
    mastering.primaries = primaries;
    mastering.n_primaries = 6;
    mastering.white_x = 15635;
    mastering.white_y = 16450;
    mastering.max_luminance = 10000000;
    mastering.min_luminance = 1;
    light.max_cll = 1000;
    light.max_fall = 100;
    rendition.encode = &encode;
    rendition.transfer = "smpte2084";
    encode.codec = "hevc";
    gm_bitstream_add_prefix(&rendition, &facts, &out);
    assert_int_equal(out.size, 0);
    facts.mastering = &mastering;
    facts.light = &light;
    gm_bitstream_add_prefix(&rendition, &facts, &out);
    assert_int_equal(out.size, sizeof want + sizeof want_light);
    assert_memory_equal(out.data, want, sizeof want);
    assert_memory_equal(out.data + sizeof want, want_light, sizeof want_light);
    out.size = 0;
    rendition.transfer = "bt709";
    gm_bitstream_add_prefix(&rendition, &facts, &out);
    rendition.transfer = "smpte2084";
    encode.codec = "av1";
    gm_bitstream_add_prefix(&rendition, &facts, &out);
    assert_int_equal(out.size, 0);
    gm_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_become_the_configuration),
        cmocka_unit_test(cut_headers_are_refused),
        cmocka_unit_test(hevc_names_say_space_tier_and_constraints),
        cmocka_unit_test(annexb_becomes_length_prefixed),
        cmocka_unit_test(samples_that_are_not_what_they_should_be_have_a_fault),
        cmocka_unit_test(hdr10_is_said_before_each_keyframe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
