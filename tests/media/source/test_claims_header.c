#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/intreadwrite.h>

#include "media/source/claims_header.h"

/* One stream of sound, 100000 bytes a second; streams: how many. */
static AVFormatContext *format_of(const char *name, int streams)
{
    AVFormatContext *f = avformat_alloc_context();
    assert_non_null(f);
    f->iformat = av_find_input_format(name);
    assert_non_null(f->iformat);
    for (int i = 0; i < streams; i++) {
        AVStream *st = avformat_new_stream(f, NULL);
        assert_non_null(st);
        st->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
        st->codecpar->bit_rate = 800000;
    }
    return f;
}

static void format_free(AVFormatContext *f)
{
    f->iformat = NULL;
    avformat_free_context(f);
}

static void waves_say_how_long_the_file_is(void **state)
{
    static const struct {
        const char *name, *mark, *form, *chunk;
        uint32_t body;
        uint64_t wide;
        size_t size;
        int streams;
        int64_t us;
    } rows[] = {
        {"wav", "RIFF", "WAVE", "fmt ", 2000000, 0, 64, 1, 20000000},
        {"wav", "RIFF", "WAVE", "fmt ", 0, 0, 64, 1, 0},
        {"wav", "RIFF", "WAVE", "fmt ", 1000001, 0, 64, 1, 10000010},
        {"wav", "RIFF", "WAVE", "fmt ", 1000000, 0, 64, 1, 0},    /* all is there */
        {"wav", "RIFF", "WAVE", "fmt ", UINT32_MAX, 0, 64, 1, 0}, /* never closed */
        {"wav", "RIFF", "WAVE", "fmt ", 0x7ffff024, 0, 64, 1, 0}, /* to a pipe */
        {"wav", "RIFF", "WAVE", "fmt ", 0x7fffefff, 0, 64, 1, 21474795510},
        {"wav", "RIFF", "WAVE", "fmt ", 0x80001000, 0, 64, 1, 21474877440},
        {"wav", "RIFF", "AVI ", "fmt ", 2000000, 0, 64, 1, 0},
        {"wav", "RIFX", "WAVE", "fmt ", 2000000, 0, 64, 1, 0},
        {"wav", "RIFF", "WAVE", "fmt ", 2000000, 0, 27, 1, 0}, /* too short */
        {"wav", "RIFF", "WAVE", "fmt ", 2000000, 0, 28, 1, 20000000},
        {"wav", "RIFF", "WAVE", "fmt ", 2000000, 0, 64, 2, 0}, /* no bit rate of all */
        {"wav", "RF64", "WAVE", "ds64", UINT32_MAX, 6000000000, 64, 1, 60000000000},
        {"wav", "RF64", "WAVE", "ds64", UINT32_MAX, UINT64_MAX, 64, 1, INT64_MAX},
        {"wav", "RF64", "WAVE", "fmt ", UINT32_MAX, 6000000000, 64, 1, 0},
        {"aiff", "RIFF", "WAVE", "fmt ", 2000000, 0, 64, 1, 0}, /* another demuxer's */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t head[64] = {0};
        AVFormatContext *f = format_of(rows[i].name, rows[i].streams);
        memcpy(head, rows[i].mark, 4);
        AV_WL32(head + 4, rows[i].body);
        memcpy(head + 8, rows[i].form, 4);
        memcpy(head + 12, rows[i].chunk, 4);
        AV_WL64(head + 20, rows[i].wide);
        int64_t us = gm_claims_header_parse(f, 1000000, head, rows[i].size);
        if (us > rows[i].us || us < rows[i].us - 640) {
            fail_msg("row %zu: %lld", i, (long long)us);
        }
        format_free(f);
    }
}

/* Chunks of a WAVE file: id and size one after the other, the last one cut off by the head's end.
 */
static size_t make_wave(uint8_t head[512], uint32_t body, const char *const *ids,
                        const uint32_t *sizes, size_t count)
{
    size_t at = 12;
    memset(head, 0, 512);
    memcpy(head, "RIFF", 4);
    AV_WL32(head + 4, body);
    memcpy(head + 8, "WAVE", 4);
    for (size_t i = 0; i < count; i++) {
        memcpy(head + at, ids[i], 4);
        AV_WL32(head + at + 4, sizes[i]);
        at += 8 + (i + 1 < count ? (sizes[i] + 1) / 2 * 2 : 0);
    }
    return at < 512 ? at : 512;
}

static void only_the_sound_of_a_wave_counts(void **state)
{
    static const struct {
        uint32_t body;
        const char *ids[4];
        uint32_t sizes[4];
        size_t count;
        int64_t us;
    } rows[] = {
        {2000000, {"fmt ", "data"}, {16, 1500000}, 2, 15000000}, /* notes behind it */
        {2000000, {"fmt ", "LIST", "data"}, {16, 31, 1500000}, 3, 15000000},
        {2000000, {"fmt ", "data"}, {16, 900000}, 2, 0}, /* the notes alone are cut */
        {2000000, {"fmt ", "data"}, {16, 999957}, 2, 9999570},
        {2000000, {"fmt ", "data"}, {16, 999956}, 2, 0},
        {2000000, {"fmt ", "data"}, {16, 0}, 2, 0}, /* never closed */
        {2000000, {"fmt ", "data"}, {16, UINT32_MAX}, 2, 0},
        {UINT32_MAX, {"fmt ", "data"}, {16, 1500000}, 2, 15000000},
        {2000000, {"fmt ", "LIST"}, {16, 500000}, 2, 19999640}, /* the sound begins further on */
        {1500000, {"fmt ", "LIST"}, {16, UINT32_MAX}, 2, 14999640},
        {0, {"fmt ", "LIST"}, {16, 500000}, 2, 0},
    };
    (void)state;
    AVFormatContext *f = format_of("wav", 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t head[512];
        size_t size = make_wave(head, rows[i].body, rows[i].ids, rows[i].sizes, rows[i].count);
        int64_t us = gm_claims_header_parse(f, 1000000, head, size);
        if (us != rows[i].us) {
            fail_msg("row %zu: %lld", i, (long long)us);
        }
    }
    format_free(f);
}

static void wave64_says_it_in_64_bits(void **state)
{
    uint8_t head[200] = {'r',  'i',  'f',  'f',  0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6,
                         0x28, 0xdb, 0x04, 0xc1, 0x00, 0x00, 0x80, 0x84, 0x1e};
    static const uint8_t data[16] = {'d',  'a',  't',  'a',  0xf3, 0xac, 0xd3, 0x11,
                                     0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a};
    AVFormatContext *f = format_of("w64", 1);
    (void)state;
    /* 2000000 bytes; what stands before the sound is none, as far as it is there */
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 40), 19999600);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 39), 0);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), 19999600);
    AV_WL64(head + 40 + 16, 41); /* fmt, filled up to 48 */
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 40 + 47), 19999600);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 40 + 48), 19999120);
    memcpy(head + 88, data, sizeof data);
    AV_WL64(head + 88 + 16, 24 + 1200000);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), 12000000);
    AV_WL64(head + 88 + 16, 24 + 900000); /* all of it is there */
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), 0);
    AV_WL64(head + 88 + 16, UINT64_MAX);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), INT64_MAX);
    AV_WL64(head + 88 + 16, INT64_MAX - 7);
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), INT64_MAX);
    head[15] = 1;
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, 200), 0);
    format_free(f);
}

/* An ASF header whose first object has `before` bytes; then the file properties, of `object`. */
static size_t make_asf(uint8_t head[512], uint64_t before, uint64_t object, uint64_t play,
                       uint64_t early, uint32_t flags)
{
    static const uint8_t header[16] = {0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11,
                                       0xa6, 0xd9, 0x00, 0xaa, 0x00, 0x62, 0xce, 0x6c};
    static const uint8_t properties[16] = {0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11,
                                           0x8e, 0xe4, 0x00, 0xc0, 0x0c, 0x20, 0x53, 0x65};
    size_t at = 30;
    memset(head, 0, 512);
    memcpy(head, header, sizeof header);
    if (before > 0) {
        AV_WL64(head + at + 16, before);
        at += before <= 100 ? (size_t)before : 24;
    }
    memcpy(head + at, properties, sizeof properties);
    AV_WL64(head + at + 16, object);
    AV_WL64(head + at + 64, play);
    AV_WL64(head + at + 80, early);
    AV_WL32(head + at + 88, flags);
    return at + 104;
}

static void asf_says_how_long_it_plays(void **state)
{
    static const struct {
        uint64_t before, object, play, early;
        uint32_t flags;
        int64_t us;
    } rows[] = {
        {0, 104, 351680000, 3000, 2, 32168000},
        {46, 104, 351680000, 0, 2, 35168000},
        {46, 120, 351680000, 3000, 2, 0}, /* goes beyond what is there */
        {46, 103, 351680000, 3000, 2, 0},
        {23, 104, 351680000, 3000, 2, 0}, /* no object is so short */
        {0, 0, 351680000, 3000, 2, 0},
        {UINT64_MAX, 104, 351680000, 3000, 2, 0},
        {46, 104, 351680000, 3000, 3, 0}, /* written live */
        {46, 104, 351680000, 35168, 2, 0},
        {46, 104, 0, 0, 2, 0},
        {46, 104, UINT64_MAX, 0, 2, INT64_MAX / 10},
        {46, 104, UINT64_MAX, UINT64_MAX, 2, 0},
    };
    (void)state;
    AVFormatContext *f = format_of("asf", 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t head[512];
        size_t size = make_asf(head, rows[i].before, rows[i].object, rows[i].play, rows[i].early,
                               rows[i].flags);
        int64_t us = gm_claims_header_parse(f, 1000000, head, size);
        if (us != rows[i].us) {
            fail_msg("row %zu: %lld", i, (long long)us);
        }
    }
    uint8_t head[512];
    size_t size = make_asf(head, 46, 104, 351680000, 3000, 2);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(gm_claims_header_parse(f, 1000000, head, i), 0);
    }
    head[3] ^= 1;
    assert_int_equal(gm_claims_header_parse(f, 1000000, head, size), 0);
    format_free(f);
}

static void a_file_is_read_from_its_begin(void **state)
{
    uint8_t head[512];
    struct gm_err err = {0};
    struct gm_claims_file told = {.header_us = -1, .cut = true};
    AVFormatContext *f = format_of("asf", 1);
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    size_t size = make_asf(head, 46, 104, 351680000, 3000, 2);
    assert_int_equal(fwrite(head, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(gm_claims_header_read(gm_source_plain(fileno(file)), f, 1000000, &told, &err),
                     0);
    assert_int_equal(told.header_us, 32168000);
    assert_false(told.cut);
    assert_int_equal(told.size, 1000000);
    assert_true(gm_claims_header_read(gm_source_plain(-1), f, 1000000, &told, &err) < 0);
    assert_int_equal(told.header_us, 32168000);
    assert_int_equal(fclose(file), 0);
    format_free(f);
}

#define EBML 0x1a, 0x45, 0xdf, 0xa3
#define SEGMENT 0x18, 0x53, 0x80, 0x67
#define LONGEST 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define RIFF 'R', 'I', 'F', 'F'
#define AVI 'A', 'V', 'I', ' '

static void files_say_how_long_they_are(void **state)
{
    static const struct {
        const char *name;
        uint8_t head[24];
        size_t size;
        bool cut; /* of 1000000 bytes */
    } rows[] = {
        /* a segment from 13 on, of 999987 and of 999988 bytes */
        {"matroska", {EBML, 0x80, SEGMENT, 0x10, 0x0f, 0x42, 0x33}, 13, false},
        {"matroska", {EBML, 0x80, SEGMENT, 0x10, 0x0f, 0x42, 0x34}, 13, true},
        {"matroska", {EBML, 0x80, SEGMENT, 0x10, 0x0f, 0x42, 0x34}, 12, false},
        {"matroska", {EBML, 0x82, 1, 2, SEGMENT, 0x10, 0xff, 0xff, 0xff}, 15, true},
        {"matroska", {EBML, 0x80, SEGMENT, 0x1f, 0xff, 0xff, 0xff}, 13, false}, /* live */
        {"matroska", {EBML, 0x80, SEGMENT, 1, LONGEST, 0xff}, 17, false},
        {"matroska", {EBML, 0x80, SEGMENT, 1, LONGEST, 0xfe}, 17, true},
        {"matroska", {EBML, 0x80, SEGMENT, 0, 0xff}, 17, false},
        {"matroska", {EBML, 0x80, 0x18, 0x53, 0x80, 0x68, 0x10, 0x0f, 0x42, 0x34}, 13, false},
        {"matroska", {EBML, 0xfe, SEGMENT, 0x10, 0x0f, 0x42, 0x34}, 13, false},
        {"matroska", {0x1a, 0x45, 0xdf}, 3, false},
        {"avi", {RIFF, 0x38, 0x42, 0x0f, 0, AVI}, 12, false},
        {"avi", {RIFF, 0x39, 0x42, 0x0f, 0, AVI}, 12, true},
        {"avi", {RIFF, 0xff, 0xff, 0xff, 0xff, AVI}, 12, false},
        {"avi", {RIFF, 0x39, 0x42, 0x0f, 0, AVI}, 11, false},
        {"flv", {RIFF, 0x39, 0x42, 0x0f, 0, AVI}, 12, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFormatContext *f = format_of(rows[i].name, 2);
        if (gm_claims_header_is_cut(f, 1000000, rows[i].head, rows[i].size) != rows[i].cut) {
            fail_msg("row %zu", i);
        }
        format_free(f);
    }
    uint8_t head[512];
    size_t size = make_asf(head, 46, 104, 351680000, 3000, 2);
    AVFormatContext *f = format_of("asf", 2);
    AV_WL64(head + 76 + 40, 1000000);
    assert_false(gm_claims_header_is_cut(f, 1000000, head, size));
    AV_WL64(head + 76 + 40, 1000001);
    assert_true(gm_claims_header_is_cut(f, 1000000, head, size));
    assert_false(gm_claims_header_is_cut(f, 1000000, head, size - 1));
    format_free(f);
}

#define LIST 0x11, 0x4d, 0x9b, 0x74
#define ENTRY 0x4d, 0xbb
#define OF 0x53, 0xab
#define AT 0x53, 0xac
#define CUES 0x1c, 0x53, 0xbb, 0x6b
#define TAGS 0x12, 0x54, 0xc3, 0x67
#define CLUSTER 0x1f, 0x43, 0xb6, 0x75

static void matroska_lists_where_its_index_is(void **state)
{
    static const struct {
        uint8_t head[64];
        size_t size;
        int64_t at;
    } rows[] = {
        /* the segment's body begins at 13 */
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84, CUES, AT, 0x81,
          80},
         32,
         93},
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84, CUES, AT, 0x81,
          80},
         31,
         0}, /* not all of it is there */
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84, TAGS, AT, 0x81,
          80},
         32,
         0},
        {{EBML, 0x80, SEGMENT, 0x1f, 0,    0, 0,     0xec, 0x82, 1,    2, LIST, 0x9d, ENTRY, 0x8b,
          OF,   0x84, TAGS,    AT,   0x81, 7, ENTRY, 0x8c, AT,   0x82, 1, 0,    OF,   0x84,  CUES},
         51,
         269}, /* behind another element, the second entry, the position first */
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, CLUSTER, 0x80, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84,
          CUES, AT, 0x81, 80},
         37,
         0},
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84, CUES, AT, 0x89,
          80},
         32,
         0},
        {{EBML, 0x80, SEGMENT, 0x1f, 0, 0, 0, LIST, 0x8a, ENTRY, 0x87, OF, 0x84, CUES}, 28, 0},
        {{EBML, 0x80, SEGMENT, 0x1f, 0,    0,    0,    LIST, 0x95, ENTRY, 0x92, OF,
          0x84, CUES, AT,      0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,  0xff, 0xff},
         39,
         INT64_MAX},
        {{EBML, 0x80, CLUSTER, 0x1f, 0, 0, 0, LIST, 0x8e, ENTRY, 0x8b, OF, 0x84, CUES, AT, 0x81,
          80},
         32,
         0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t at = gm_claims_header_index(rows[i].head, rows[i].size);
        if (at != rows[i].at) {
            fail_msg("row %zu: %lld", i, (long long)at);
        }
    }
}

/* A segment of 200 bytes, 13 to 213, whose index of 20 begins at 93 or at 193. */
static void a_file_that_lacks_its_index_alone_is_not_cut(void **state)
{
    static const struct {
        uint8_t position;
        int64_t size;
        bool broken, cut;
    } rows[] = {
        {180, 213, false, false}, {180, 212, false, false}, {180, 200, false, false},
        {180, 194, false, false}, {180, 193, false, false}, {180, 192, false, true},
        {180, 205, true, true}, /* something else is there */
        {80, 212, false, true}, /* the index is whole, what follows is not */
        {80, 113, false, true},   {80, 112, false, false},
    };
    (void)state;
    AVFormatContext *f = format_of("matroska", 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[256] = {EBML, 0x80,  SEGMENT, 0x10, 0,    0,    200, LIST,
                              0x8e, ENTRY, 0x8b,    OF,   0x84, CUES, AT,  0x81};
        static const uint8_t cues[] = {CUES, 0x8f};
        struct gm_claims_file told;
        struct gm_err err = {0};
        FILE *file = tmpfile();
        assert_non_null(file);
        bytes[31] = rows[i].position;
        memcpy(bytes + 13 + rows[i].position, cues, sizeof cues);
        bytes[13 + rows[i].position] ^= rows[i].broken ? 1 : 0;
        assert_int_equal(fwrite(bytes, 1, (size_t)rows[i].size, file), rows[i].size);
        assert_int_equal(fflush(file), 0);
        assert_int_equal(
            gm_claims_header_read(gm_source_plain(fileno(file)), f, rows[i].size, &told, &err), 0);
        if (told.cut != rows[i].cut) {
            fail_msg("row %zu", i);
        }
        assert_int_equal(fclose(file), 0);
    }
    format_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waves_say_how_long_the_file_is),
        cmocka_unit_test(only_the_sound_of_a_wave_counts),
        cmocka_unit_test(wave64_says_it_in_64_bits),
        cmocka_unit_test(asf_says_how_long_it_plays),
        cmocka_unit_test(files_say_how_long_they_are),
        cmocka_unit_test(a_file_is_read_from_its_begin),
        cmocka_unit_test(matroska_lists_where_its_index_is),
        cmocka_unit_test(a_file_that_lacks_its_index_alone_is_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
