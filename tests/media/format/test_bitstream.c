#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "media/format/bitstream_nal.h"

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

/* SVT-AV1's sequence header for 640x360, behind a temporal delimiter as in its first packet. */
#define SEQUENCE 0x0a, 0x0b, 0, 0, 0, 0x0c, 0xc4, 0xff, 0x67, 0x3e, 0xfe, 0x40, 0x90
static const uint8_t av1_headers[] = {0x12, 0, SEQUENCE};
static const uint8_t av1_config[] = {0x81, 0x01, 0x0d, 0, SEQUENCE};
static const uint8_t vp9_config[] = {1, 0, 0, 0, 2, 31, 0xa0, 9, 16, 9, 0, 0};

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
        {"av1", av1_headers, sizeof av1_headers, av1_config, sizeof av1_config,
         "av01.0.01M.08.0.111.02.02.02.0"},
        {"vp9", vp9_config, sizeof vp9_config, vp9_config, sizeof vp9_config,
         "vp09.02.31.10.00.09.16.09.00"},
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
    } rows[] = {{"h264", h264_sets, 18},
                {"hevc", hevc_sets, sizeof hevc_sets - 5},
                {"av1", av1_headers, sizeof av1_headers},
                {"vp9", vp9_config, sizeof vp9_config}};
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

static void obus_that_files_leave_out_go(void **state)
{
    static const uint8_t unit[] = {0x12, 0, SEQUENCE, 0x32, 2, 0x10, 7, 0x7a, 1, 0, 0x2a, 1, 9};
    static const uint8_t wanted[] = {SEQUENCE, 0x32, 2, 0x10, 7, 0x2a, 1, 9};
    static const uint8_t no_size[] = {0x12, 0, 0x30, 0x10, 7};
    struct gm_buf buf = {0};
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_bitstream_av1.add_sample(unit, sizeof unit, &buf, &err), 0);
    assert_int_equal(buf.size, sizeof wanted);
    assert_memory_equal(buf.data, wanted, sizeof wanted);
    buf.size = 0;
    assert_int_equal(gm_bitstream_av1.add_sample(no_size, sizeof no_size, &buf, &err), -GM_E_MEDIA);
    assert_int_equal(gm_bitstream_av1.add_sample(unit, 2, &buf, &err), -GM_E_MEDIA);
    assert_int_equal(buf.size, 0);
    gm_buf_fini(&buf);
}

static void av1_names_are_short_for_bt709(void **state)
{
    /* the colour description of 1, 1, 1, and no chroma position */
    static const uint8_t config[] = {0x81, 0x01, 0x0c, 0,    0x0a, 0x0e, 0,    0,    0,    0x0c,
                                     0xc4, 0xff, 0x67, 0x3e, 0xfe, 0x44, 0x04, 0x04, 0x04, 0x10};
    char name[GM_CODECS_NAME];
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_bitstream_av1.name(config, sizeof config, name, &err), 0);
    assert_string_equal(name, "av01.0.01M.08");
}

static void samples_of_av1_and_vp9_are_judged_with_their_configuration(void **state)
{
    static const struct {
        const char *codec;
        uint8_t sample[32];
        size_t size;
        bool right_as_key, right_inside;
    } rows[] = {
        {"av1", {SEQUENCE, 0x32, 1, 0x10}, 16, true, false},
        {"av1", {SEQUENCE, 0x2a, 1, 9, 0x32, 1, 0x10}, 19, true, false},
        {"av1", {0x32, 1, 0x10}, 3, false, false},                      /* no sequence header */
        {"av1", {SEQUENCE, 0x32, 1, 0x00}, 16, false, false},           /* a hidden key frame */
        {"av1", {SEQUENCE, 0x32, 1, 0x30}, 16, false, false},           /* an inter frame */
        {"av1", {SEQUENCE, SEQUENCE, 0x32, 1, 0x10}, 29, false, false}, /* two headers */
        {"av1", {0x32, 1, 0x20, 0x32, 1, 0x30}, 6, false, true},  /* a hidden one goes before */
        {"av1", {0x1a, 1, 0x80}, 3, false, true},                 /* one that was hidden */
        {"av1", {0x32, 1, 0x30, 0x32, 1, 0x30}, 6, false, false}, /* two shown */
        {"av1", {0x32, 1, 0x20}, 3, false, false},                /* none shown */
        {"av1", {0x12, 0, 0x32, 1, 0x30}, 5, false, false},       /* a temporal delimiter */
        {"av1", {0x30, 0x30}, 2, false, false},                   /* no size */
        {"av1", {0x32, 9, 0x30}, 3, false, false},                /* too long */
        {"av1", {0x32, 0}, 2, false, false},                      /* no header */
        {"vp9", {0xa2, 0x49, 0x83, 0x42, 0}, 5, false, false},    /* of profile 1 */
        {"vp9", {0x92, 0x49, 0x83, 0x42, 0}, 5, true, false},
        {"vp9", {0x92, 0x49, 0x83, 0x42, 0x80}, 5, false, false}, /* 12 bits */
        {"vp9", {0x92, 0x49, 0x83, 0x43, 0}, 5, false, false},    /* sync code */
        {"vp9", {0x96, 0}, 2, false, true},
        {"vp9", {0x94, 0}, 2, false, false},                           /* hidden */
        {"vp9", {0x98}, 1, false, true},                               /* shows an earlier one */
        {"vp9", {0x94, 0, 0x96, 0, 0xc1, 2, 2, 0xc1}, 8, false, true}, /* a superframe */
        {"vp9", {0x96, 0, 0x96, 0, 0xc1, 2, 2, 0xc1}, 8, false, false},
        {"vp9", {0x94, 0, 0x96, 0, 0xc1, 2, 3, 0xc1}, 8, false, false}, /* sizes do not add up */
        {"vp9", {0x56, 0}, 2, false, false},                            /* no frame marker */
        {"vp9", {0}, 0, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gm_bitstream *c = gm_bitstream_find(rows[i].codec);
        const uint8_t *config = c == &gm_bitstream_av1 ? av1_config : vp9_config;
        size_t size = c == &gm_bitstream_av1 ? sizeof av1_config : sizeof vp9_config;
        bool key = c->fault(config, size, rows[i].sample, rows[i].size, true) == NULL;
        bool inside = c->fault(config, size, rows[i].sample, rows[i].size, false) == NULL;
        if (key != rows[i].right_as_key || inside != rows[i].right_inside) {
            fail_msg("row %zu: %d %d", i, key, inside);
        }
    }
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
        cmocka_unit_test(obus_that_files_leave_out_go),
        cmocka_unit_test(av1_names_are_short_for_bt709),
        cmocka_unit_test(samples_of_av1_and_vp9_are_judged_with_their_configuration),
        cmocka_unit_test(samples_that_are_not_what_they_should_be_have_a_fault),
        cmocka_unit_test(hdr10_is_said_before_each_keyframe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
