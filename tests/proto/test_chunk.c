#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/hash.h"
#include "proto/samples.h"

static struct gm_err err;

static int new_file(void)
{
    int fd = memfd_create("chunk", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Reads to the end; the number of records, or a negative code. */
static int read_all(int fd)
{
    struct gm_chunk_reader *r = NULL;
    enum gm_chunk_record record = GM_CHUNK_PACKET;
    int count = 0;
    int rc = gm_chunk_reader_open(fd, &r, &err);
    while (rc == 0) {
        struct gm_chunk_packet packet;
        const uint8_t *change = NULL;
        size_t size = 0;
        rc = gm_chunk_read(r, &record, &packet, &change, &size, &err);
        if (rc == 0 && record == GM_CHUNK_END) {
            break;
        }
        count++;
    }
    gm_chunk_reader_close(&r);
    return rc < 0 ? rc : count;
}

static size_t sample_bytes(uint8_t **out)
{
    size_t size = 0;
    int fd = new_file();
    assert_int_equal(sample_chunk(fd, &err), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(gm_fs_read_fd(fd, 1u << 20, out, &size, &err), 0);
    close(fd);
    return size;
}

static int read_bytes(const uint8_t *data, size_t size)
{
    int fd = new_file();
    assert_int_equal(gm_fs_write_all(fd, data, size, &err), 0);
    int rc = read_all(fd);
    close(fd);
    return rc;
}

static void records_come_back_as_they_went(void **state)
{
    (void)state;
    struct gm_chunk_reader *r = NULL;
    enum gm_chunk_record record;
    struct gm_chunk_packet p;
    const uint8_t *change = NULL;
    size_t size = 0;
    int fd = new_file();
    assert_int_equal(sample_chunk(fd, &err), 0);
    assert_int_equal(gm_chunk_reader_open(fd, &r, &err), 0);
    const Gm__ChunkHeader *h = gm_chunk_reader_header(r);
    assert_int_equal(h->n_frames, 2);
    assert_int_equal(h->frames[1]->out_ts, 512);
    assert_int_equal(h->time_base->den, 12800);
    assert_int_equal(gm_chunk_read(r, &record, &p, &change, &size, &err), 0);
    assert_int_equal(record, GM_CHUNK_PACKET);
    assert_int_equal(p.id, 10);
    assert_int_equal(p.pts, -3);
    assert_true(p.dts == GM_CHUNK_NO_TS);
    assert_int_equal(p.duration, 512);
    assert_int_equal(p.flags, 1);
    assert_int_equal(p.sides, 1);
    assert_int_equal(p.side[0].type, 3);
    assert_memory_equal(p.side[0].data, "sides", 5);
    assert_false(p.by_reference);
    assert_int_equal(p.size, 6);
    assert_memory_equal(p.data, "packet", 6);
    assert_int_equal(gm_chunk_read(r, &record, &p, &change, &size, &err), 0);
    assert_int_equal(record, GM_CHUNK_CHANGE);
    assert_int_equal(size, 8);
    assert_memory_equal(change, "codecpar", 8);
    assert_int_equal(gm_chunk_read(r, &record, &p, &change, &size, &err), 0);
    assert_int_equal(record, GM_CHUNK_PACKET);
    assert_true(p.by_reference);
    assert_true(p.offset == 1ull << 33);
    assert_int_equal(p.size, 99);
    assert_null(p.data);
    for (int i = 0; i < 2; i++) { /* the end stays the end */
        assert_int_equal(gm_chunk_read(r, &record, &p, &change, &size, &err), 0);
        assert_int_equal(record, GM_CHUNK_END);
    }
    gm_chunk_reader_close(&r);
    close(fd);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = sample_bytes(&data);
    assert_int_equal(read_bytes(data, size), 3);
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(read_bytes(data, n), -GM_E_MEDIA_CHUNK);
    }
    free(data);
}

static void bytes_after_the_end_are_refused(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = sample_bytes(&data);
    data[size] = 0; /* the buffer's own NUL */
    assert_int_equal(read_bytes(data, size + 1), -GM_E_MEDIA_CHUNK);
    free(data);
}

static void a_wrong_packet_count_is_refused(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = sample_bytes(&data);
    assert_int_equal(data[size - 1], 2);
    data[size - 1] = 3;
    assert_int_equal(read_bytes(data, size), -GM_E_MEDIA_CHUNK);
    free(data);
}

static void bit_flips_never_crash(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    size_t size = sample_bytes(&data);
    int taken = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        int rc = read_bytes(data, size);
        assert_true(rc == -GM_E_MEDIA_CHUNK || rc == 3);
        taken += rc == 3 ? 1 : 0;
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(taken > 100);
    free(data);
}

static void large_bodies_pass_through(void **state)
{
    (void)state;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__Rational tb = GM__RATIONAL__INIT;
    struct gm_chunk_writer *w = NULL;
    struct gm_chunk_reader *r = NULL;
    size_t size = 700000;
    uint8_t *body = malloc(size);
    uint8_t digest[32], check[32];
    uint64_t written = 0, hashed = 0;
    int fd = new_file();
    for (size_t i = 0; i < size; i++) {
        body[i] = (uint8_t)(i * 31);
    }
    header.version = 1;
    tb.num = tb.den = 1;
    header.time_base = &tb;
    assert_int_equal(gm_chunk_writer_open(fd, &header, &w, &err), 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct gm_chunk_packet p = {.id = i, .size = (uint32_t)(size >> (4 * i)), .data = body};
        assert_int_equal(gm_chunk_write_packet(w, &p, &err), 0);
    }
    assert_int_equal(gm_chunk_writer_digest(w, digest, &written, &err), -GM_E_BUG);
    assert_int_equal(gm_chunk_writer_finish(w, &err), 0);
    assert_int_equal(gm_chunk_writer_digest(w, digest, &written, &err), 0);
    assert_int_equal(gm_sha256_fd(fd, check, &hashed, &err), 0);
    assert_int_equal(written, hashed);
    assert_memory_equal(digest, check, 32);
    gm_chunk_writer_close(&w);
    assert_int_equal(gm_chunk_reader_open(fd, &r, &err), 0);
    for (uint64_t i = 0; i < 3; i++) {
        enum gm_chunk_record record;
        struct gm_chunk_packet p;
        const uint8_t *change = NULL;
        size_t n = 0;
        assert_int_equal(gm_chunk_read(r, &record, &p, &change, &n, &err), 0);
        assert_int_equal(p.id, i);
        assert_int_equal(p.size, size >> (4 * i));
        assert_memory_equal(p.data, body, p.size);
    }
    gm_chunk_reader_close(&r);
    close(fd);
    free(body);
}

static void the_writer_keeps_the_limits(void **state)
{
    (void)state;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    struct gm_chunk_writer *w = NULL;
    struct gm_chunk_side sides[65] = {{0}};
    struct gm_chunk_packet p = {.size = (128u << 20) + 1, .data = (const uint8_t *)""};
    int fd = new_file();
    assert_int_equal(gm_chunk_writer_open(fd, &header, &w, &err), 0);
    assert_int_equal(gm_chunk_write_packet(w, &p, &err), -GM_E_LIMIT);
    p.size = 0;
    p.sides = 65;
    p.side = sides;
    assert_int_equal(gm_chunk_write_packet(w, &p, &err), -GM_E_LIMIT);
    p.sides = 1;
    sides[0].size = (16u << 20) + 1;
    assert_int_equal(gm_chunk_write_packet(w, &p, &err), -GM_E_LIMIT);
    p.sides = 0;
    p.by_reference = true;
    assert_int_equal(gm_chunk_write_packet(w, &p, &err), -GM_E_BUG);
    assert_int_equal(gm_chunk_write_change(w, "", (16u << 20) + 1, &err), -GM_E_LIMIT);
    assert_int_equal(gm_chunk_writer_finish(w, &err), 0);
    p.by_reference = false;
    assert_int_equal(gm_chunk_write_packet(w, &p, &err), -GM_E_BUG);
    assert_int_equal(gm_chunk_writer_finish(w, &err), -GM_E_BUG);
    gm_chunk_writer_close(&w);
    close(fd);
    assert_int_equal(read_bytes((const uint8_t *)"", 0), -GM_E_MEDIA_CHUNK);

    static uint8_t big[9u << 20];
    header.codecpar.data = big;
    header.codecpar.len = sizeof(big);
    assert_int_equal(gm_chunk_writer_open(-1, &header, &w, &err), -GM_E_LIMIT);
    assert_null(w);
}

static void a_failed_write_is_not_forgotten(void **state)
{
    (void)state;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    struct gm_chunk_writer *w = NULL;
    assert_int_equal(gm_chunk_writer_open(-1, &header, &w, &err), 0); /* buffered: not seen yet */
    assert_int_equal(gm_chunk_writer_finish(w, &err), -GM_E_SYS);
    assert_int_equal(gm_chunk_writer_finish(w, &err), -GM_E_SYS);
    gm_chunk_writer_close(&w);
}

/* Sizes that a hostile file claims but does not have must cost no memory. */
static void claimed_sizes_are_held_against_the_file(void **state)
{
    (void)state;
    static const uint8_t header[] = "GMCK\x01\0\0\0\x00\x7f\xff\xff";
    assert_int_equal(read_bytes(header, sizeof(header) - 1), -GM_E_MEDIA_CHUNK);
    static const uint8_t huge[] = "GMCK\x01\0\0\0\xff\xff\xff\xff";
    assert_int_equal(read_bytes(huge, sizeof(huge) - 1), -GM_E_MEDIA_CHUNK);
    /* version 1, time base 1/1, then a change that claims 16 MiB - 1 */
    static const uint8_t change[] =
        "GMCK\x01\0\0\0\0\0\0\x08\x08\x01\x32\x04\x08\x01\x10\x01\x02\x00\xff\xff\xff";
    assert_int_equal(read_bytes(change, sizeof(change) - 1), -GM_E_MEDIA_CHUNK);
    assert_non_null(strstr(err.text, "ends inside"));
}

static void headers_are_checked(void **state)
{
    (void)state;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__Rational tb = GM__RATIONAL__INIT;
    Gm__SegmentEntry segment = GM__SEGMENT_ENTRY__INIT, *segments[1] = {&segment};
    header.version = 1;
    header.time_base = &tb;
    tb.num = 1;
    tb.den = 25;
    static const int expected[] = {0, -GM_E_MEDIA_CHUNK, -GM_E_MEDIA_CHUNK, -GM_E_MEDIA_CHUNK};
    for (int i = 0; i < 4; i++) {
        struct gm_chunk_writer *w = NULL;
        int fd = new_file();
        header.version = i == 1 ? 2 : 1;
        tb.den = i == 2 ? 0 : 25;
        header.n_segments = i == 3 ? 1 : 0; /* a segment, but no frames */
        header.segments = segments;
        assert_int_equal(gm_chunk_writer_open(fd, &header, &w, &err), 0);
        assert_int_equal(gm_chunk_writer_finish(w, &err), 0);
        gm_chunk_writer_close(&w);
        assert_int_equal(read_all(fd), expected[i]);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_went),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(bytes_after_the_end_are_refused),
        cmocka_unit_test(a_wrong_packet_count_is_refused),
        cmocka_unit_test(bit_flips_never_crash),
        cmocka_unit_test(large_bodies_pass_through),
        cmocka_unit_test(the_writer_keeps_the_limits),
        cmocka_unit_test(a_failed_write_is_not_forgotten),
        cmocka_unit_test(claimed_sizes_are_held_against_the_file),
        cmocka_unit_test(headers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
