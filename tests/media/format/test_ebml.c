#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/format/ebml.h"

/* clang-format off */
static const uint8_t sample[] = {
    0x1a, 0x45, 0xdf, 0xa3, 0x81, 0x00,                   /* 0: EBML of 1 byte */
    0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* 6: Segment, unknown */
    0x15, 0x49, 0xa9, 0x66, 0x82, 0xff, 0xff,             /* 18: Info */
    0x1f, 0x43, 0xb6, 0x75, 0x95,                         /* 25: Cluster of 21 bytes, from 30 */
    0xe7, 0x81, 0x05,                                     /* 30: Timestamp */
    0xa3, 0x85, 0x81, 0x00, 0x00, 0x80, 0x11,             /* 33: SimpleBlock of track 1, from 35 */
    0xa0, 0x89, 0x9b, 0x81, 0x02,                         /* 40: BlockGroup, BlockDuration */
    0xa1, 0x84, 0x42, 0x00, 0x00, 0x00,                   /* 45: Block of track 0x200, from 47 */
    0x1f, 0x43, 0xb6, 0x75, 0xff,                         /* 51: Cluster, unknown */
    0xa3, 0x84, 0x82, 0x00, 0x00, 0x80,                   /* 56: SimpleBlock of track 2, from 58 */
    0x1c, 0x53, 0xbb, 0x6b, 0x83, 0x00, 0x00, 0x00,       /* 62: Cues */
};
/* clang-format on */

static int file_of(const uint8_t *data, size_t size)
{
    int fd = memfd_create("ebml", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    return fd;
}

struct expected {
    enum gm_ebml_event event;
    int64_t pos, size, track;
};

static void assert_steps(const uint8_t *data, size_t size, const struct expected *rows)
{
    int fd = file_of(data, size);
    struct gm_ebml e;
    struct gm_err err;
    gm_ebml_init(&e, gm_source_plain(fd), (int64_t)size);
    for (size_t i = 0;; i++) {
        struct gm_ebml_step step;
        assert_int_equal(gm_ebml_next(&e, INT64_MAX, &step, &err), 0);
        assert_int_equal(step.event, rows[i].event);
        if (step.event == GM_EBML_END) {
            break;
        }
        assert_int_equal(step.pos, rows[i].pos);
        assert_int_equal(step.size, rows[i].size);
        if (step.event == GM_EBML_BLOCK) {
            assert_int_equal(step.track, rows[i].track);
        }
    }
    (void)close(fd);
}

/* What the sample holds. */
static const struct expected whole[] = {
    {GM_EBML_BLOCK, 35, 5, 1},
    {GM_EBML_BLOCK, 47, 4, -1},
    {GM_EBML_BLOCK, 58, 4, 2},
    {GM_EBML_END, 0, 0, 0},
};

static void blocks_are_found_by_the_sizes(void **state)
{
    (void)state;
    assert_steps(sample, sizeof sample, whole);
}

/* The sample with one byte changed. */
static void assert_changed(size_t at, uint8_t value, const struct expected *rows)
{
    uint8_t data[sizeof sample];
    memcpy(data, sample, sizeof data);
    data[at] = value;
    assert_steps(data, sizeof data, rows);
}

static void what_is_no_element_is_passed_over(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int64_t from, size; /* of the damage */
    } rows[] = {
        {33, 0xb3, 33, 18}, /* an identifier that clusters don't hold */
        {33, 0x08, 33, 18}, /* one of five bytes */
        {34, 0xa0, 33, 18}, /* a block that reaches out of its cluster */
        {34, 0xff, 33, 18}, /* one of unknown size */
        {27, 0x00, 25, 26}, /* the first cluster's own identifier */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct expected steps[] = {{GM_EBML_DAMAGE, rows[i].from, rows[i].size, 0},
                                         {GM_EBML_BLOCK, 58, 4, 2},
                                         {GM_EBML_END, 0, 0, 0}};
        assert_changed(rows[i].at, rows[i].value, steps);
    }
}

static void what_harms_no_block_says_nothing(void **state)
{
    (void)state;
    assert_changed(29, 0x8a, whole); /* the first cluster's size */
    assert_changed(62, 0x00, whole); /* the last identifier: up to the end of the file */
}

static void heads_are_read_whole_or_not_at_all(void **state)
{
    static const struct {
        uint8_t bytes[GM_EBML_HEAD];
        size_t size, head;
        uint32_t id;
        int64_t body;
    } rows[] = {
        {{0xa3, 0x85}, 2, 2, 0xa3, 5},
        {{0xa3, 0x85}, 1, 0, 0, 0},
        {{0xa3}, 0, 0, 0, 0},
        {{0x54, 0xcc, 0x40, 0x06}, 4, 4, 0x54cc, 6},
        {{0x54, 0xcc, 0x40, 0x06}, 3, 0, 0, 0},
        {{0x1f, 0x43, 0xb6, 0x75, 0xff}, 5, 5, 0x1f43b675, -1},
        {{0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe},
         12,
         12,
         0x1f43b675,
         (INT64_C(1) << 56) - 2},
        {{0x1f, 0x43, 0xb6, 0x75, 0x00, 0xff}, 6, 0, 0, 0}, /* a size of nine bytes */
        {{0x0f, 0x43, 0xb6, 0x75, 0x81}, 5, 0, 0, 0},       /* an identifier of five */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t id = 0;
        int64_t body = 0;
        assert_int_equal(gm_ebml_head(rows[i].bytes, rows[i].size, &id, &body), rows[i].head);
        assert_int_equal(id, rows[i].id);
        assert_int_equal(body, rows[i].body);
    }
}

static void the_walk_stops_where_it_is_told_to(void **state)
{
    int fd = file_of(sample, sizeof sample);
    struct gm_ebml e;
    struct gm_ebml_step step;
    struct gm_err err;
    (void)state;
    gm_ebml_init(&e, gm_source_plain(fd), sizeof sample);
    assert_int_equal(gm_ebml_next(&e, 33, &step, &err), 0);
    assert_int_equal(step.event, GM_EBML_END);
    assert_int_equal(gm_ebml_next(&e, 35, &step, &err), 0);
    assert_int_equal(step.event, GM_EBML_BLOCK);
    assert_int_equal(step.pos, 35);
    assert_int_equal(gm_ebml_next(&e, 35, &step, &err), 0);
    assert_int_equal(step.event, GM_EBML_END);
    assert_int_equal(gm_ebml_next(&e, 1000, &step, &err), 0);
    assert_int_equal(step.pos, 47);
    (void)close(fd);
    gm_ebml_init(&e, gm_source_plain(fd), sizeof sample); /* of a file that can't be read */
    assert_int_equal(gm_ebml_next(&e, 1000, &step, &err), -GM_E_SYS);
    assert_int_equal(err.native, EBADF);
}

static void any_bytes_come_to_an_end(void **state)
{
    uint32_t random = 1;
    (void)state;
    for (int round = 0; round < 300; round++) {
        uint8_t data[9000];
        size_t size = (size_t)(round * 30) + 1;
        for (size_t i = 0; i < size; i++) {
            random = random * 1664525 + 1013904223;
            data[i] = (random >> 29) == 0 ? sample[(random >> 8) % sizeof sample]
                                          : (uint8_t)(random >> 16);
        }
        memcpy(data, sample, size < sizeof sample ? size : sizeof sample);
        int fd = file_of(data, size);
        struct gm_ebml e;
        struct gm_ebml_step step = {.event = GM_EBML_BLOCK};
        struct gm_err err;
        gm_ebml_init(&e, gm_source_plain(fd), (int64_t)size);
        int64_t last = -1;
        while (step.event != GM_EBML_END) {
            assert_int_equal(gm_ebml_next(&e, INT64_MAX, &step, &err), 0);
            if (step.event != GM_EBML_END) {
                assert_true(e.pos > last && step.pos <= (int64_t)size);
                last = e.pos;
            }
        }
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_found_by_the_sizes),
        cmocka_unit_test(what_is_no_element_is_passed_over),
        cmocka_unit_test(what_harms_no_block_says_nothing),
        cmocka_unit_test(heads_are_read_whole_or_not_at_all),
        cmocka_unit_test(the_walk_stops_where_it_is_told_to),
        cmocka_unit_test(any_bytes_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
