/* Writes files that no muxer writes: make_hostile KIND COUNT FILE.
 *   samples   MP4 whose index promises COUNT samples of one byte
 *   tracks    MP4 with COUNT tracks
 *   nested    MP4 with boxes COUNT deep
 *   entries   Matroska with COUNT tracks
 *   chapters  Matroska with a track and COUNT chapters
 *   programs  MPEG-TS with COUNT programmes of one video each
 * Sources: ISO/IEC 14496-12 (boxes), RFC 8794 and RFC 9559 (Matroska), ISO/IEC 13818-1 (PAT, PMT).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"

static void box(struct gm_buf *out, const char *type, struct gm_buf *body)
{
    gm_buf_be32(out, (uint32_t)(8 + body->size));
    gm_buf_str(out, type);
    gm_buf_add(out, body->data, body->size);
    gm_buf_fini(body);
}

static void words(struct gm_buf *out, const uint32_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gm_buf_be32(out, list[i]);
    }
}
#define WORDS(out, ...)                                                                            \
    words(out, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static void sample_table(struct gm_buf *out, uint32_t samples)
{
    struct gm_buf stbl = {0};
    struct gm_buf b = {0};
    struct gm_buf entry = {0};
    WORDS(&entry, 0, 1, 0, 0, 0, 0, 64u << 16 | 64, 0x480000, 0x480000, 0, 1u << 16);
    for (int i = 0; i < 28; i++) {
        gm_buf_u8(&entry, 0);
    }
    gm_buf_be32(&entry, 24u << 16 | 0xffff);
    WORDS(&b, 0, 1);
    box(&b, "jpeg", &entry);
    box(&stbl, "stsd", &b);
    WORDS(&b, 0, 1, samples, 1);
    box(&stbl, "stts", &b);
    WORDS(&b, 0, 1, 1, samples, 1);
    box(&stbl, "stsc", &b);
    WORDS(&b, 0, 1, samples);
    box(&stbl, "stsz", &b);
    WORDS(&b, 0, 1, 40);
    box(&stbl, "stco", &b);
    box(out, "stbl", &stbl);
}

static void track(struct gm_buf *out, uint32_t id, uint32_t samples)
{
    struct gm_buf trak = {0};
    struct gm_buf mdia = {0};
    struct gm_buf minf = {0};
    struct gm_buf b = {0};
    WORDS(&b, 3, 0, 0, id, 0, samples, 0, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000,
          64u << 16, 64u << 16);
    box(&trak, "tkhd", &b);
    WORDS(&b, 0, 0, 0, 25, samples, 0x55c40000);
    box(&mdia, "mdhd", &b);
    WORDS(&b, 0, 0, 0x76696465, 0, 0, 0, 0);
    box(&mdia, "hdlr", &b);
    sample_table(&minf, samples);
    box(&mdia, "minf", &minf);
    box(&trak, "mdia", &mdia);
    box(out, "trak", &trak);
}

static void movie(struct gm_buf *out, uint32_t tracks, uint32_t samples)
{
    struct gm_buf moov = {0};
    struct gm_buf b = {0};
    gm_buf_str(&b, "isom");
    gm_buf_be32(&b, 0);
    box(out, "ftyp", &b);
    for (uint32_t i = 0; i < tracks; i++) {
        track(&moov, i + 1, samples);
    }
    box(out, "moov", &moov);
    for (int i = 0; i < 4096; i++) {
        gm_buf_u8(&b, 0);
    }
    box(out, "mdat", &b);
}

static void nested(struct gm_buf *out, uint32_t depth)
{
    struct gm_buf b = {0};
    gm_buf_str(&b, "isom");
    gm_buf_be32(&b, 0);
    box(out, "ftyp", &b);
    for (uint32_t i = 0; i < depth; i++) {
        gm_buf_be32(out, (depth - i) * 8);
        gm_buf_str(out, i == 0 ? "moov" : "trak");
    }
}

/* An EBML element: id of 1 to 4 bytes as written, size in 1 byte or 8. */
static void element(struct gm_buf *out, uint32_t id, const void *data, size_t size)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (id >> shift != 0) {
            gm_buf_u8(out, (uint8_t)(id >> shift));
        }
    }
    if (size < 127) {
        gm_buf_u8(out, (uint8_t)(0x80 | size));
    } else {
        gm_buf_be64(out, (uint64_t)1 << 56 | size);
    }
    gm_buf_add(out, data, size);
}

static void master(struct gm_buf *out, uint32_t id, struct gm_buf *body)
{
    element(out, id, body->data, body->size);
    gm_buf_fini(body);
}

static void number(struct gm_buf *out, uint32_t id, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    element(out, id, bytes, sizeof bytes);
}

static void matroska(struct gm_buf *out, uint32_t tracks, uint32_t chapters)
{
    struct gm_buf segment = {0};
    struct gm_buf list = {0};
    struct gm_buf one = {0};
    struct gm_buf in = {0};
    element(&one, 0x4282, "matroska", 8);
    master(out, 0x1a45dfa3, &one);
    for (uint32_t i = 0; i < tracks; i++) {
        number(&one, 0xd7, i + 1);
        number(&one, 0x73c5, i + 1);
        number(&one, 0x83, 1);
        element(&one, 0x86, "V_MJPEG", 7);
        number(&in, 0xb0, 64);
        number(&in, 0xba, 64);
        master(&one, 0xe0, &in);
        master(&list, 0xae, &one);
    }
    master(&segment, 0x1654ae6b, &list);
    for (uint32_t i = 0; i < chapters; i++) { /* ids fall: each is looked for in all before */
        number(&one, 0x73c4, chapters - i);
        number(&one, 0x91, i);
        number(&one, 0x92, i + 1);
        master(&in, 0xb6, &one);
    }
    if (chapters > 0) {
        master(&list, 0x45b9, &in);
        master(&segment, 0x1043a770, &list);
    }
    number(&in, 0xe7, 0);
    element(&in, 0xa3, "\x81\0\0\x80\0\0\0", 7);
    master(&segment, 0x1f43b675, &in);
    master(out, 0x18538067, &segment);
}

static uint32_t crc(const uint8_t *data, size_t size)
{
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        sum ^= (uint32_t)data[i] << 24;
        for (int bit = 0; bit < 8; bit++) {
            sum = sum << 1 ^ (sum >> 31 != 0 ? 0x04c11db7 : 0);
        }
    }
    return sum;
}

static void packet(struct gm_buf *out, unsigned pid, const uint8_t *table, size_t size)
{
    struct gm_buf p = {0};
    gm_buf_u8(&p, 0x47);
    gm_buf_be16(&p, (uint16_t)(0x4000 | pid));
    gm_buf_u8(&p, 0x10);
    gm_buf_u8(&p, 0);
    gm_buf_add(&p, table, size);
    gm_buf_be32(&p, crc(table, size));
    while (p.size < 188) {
        gm_buf_u8(&p, 0xff);
    }
    gm_buf_add(out, p.data, 188);
    gm_buf_fini(&p);
}

/* One PAT packet for each programme, its section numbers count up; a PMT each. */
static void programs(struct gm_buf *out, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < 4000; i++) {
        unsigned pid = 0x20 + i * 2;
        uint8_t pat[] = {0,
                         0xb0,
                         13,
                         0,
                         1,
                         0xc1,
                         (uint8_t)i,
                         0xff,
                         (uint8_t)((i + 1) >> 8),
                         (uint8_t)(i + 1),
                         (uint8_t)(0xe0 | pid >> 8),
                         (uint8_t)pid};
        uint8_t high = (uint8_t)(0xe0 | (pid + 1) >> 8);
        uint8_t pmt[] = {2,
                         0xb0,
                         18,
                         (uint8_t)((i + 1) >> 8),
                         (uint8_t)(i + 1),
                         0xc1,
                         0,
                         0,
                         high,
                         (uint8_t)(pid + 1),
                         0xf0,
                         0,
                         0x1b,
                         high,
                         (uint8_t)(pid + 1),
                         0xf0,
                         0};
        packet(out, 0, pat, sizeof pat);
        packet(out, pid, pmt, sizeof pmt);
    }
}

int main(int argc, char **argv)
{
    struct gm_buf out = {0};
    struct gm_err err = {0};
    uint32_t count = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    const char *kind = argc == 4 ? argv[1] : "";
    if (strcmp(kind, "samples") == 0) {
        movie(&out, 1, count);
    } else if (strcmp(kind, "tracks") == 0) {
        movie(&out, count, 1);
    } else if (strcmp(kind, "nested") == 0) {
        nested(&out, count);
    } else if (strcmp(kind, "entries") == 0) {
        matroska(&out, count, 0);
    } else if (strcmp(kind, "chapters") == 0) {
        matroska(&out, 1, count);
    } else if (strcmp(kind, "programs") == 0) {
        programs(&out, count);
    } else {
        fprintf(stderr, "usage: make_hostile KIND COUNT FILE\n");
        return 2;
    }
    int rc = gm_buf_check(&out, &err);
    if (rc == 0) {
        rc = gm_fs_write_atomic(argv[3], out.data, out.size, &err);
    }
    gm_buf_fini(&out);
    if (rc < 0) {
        fprintf(stderr, "%s\n", err.text);
    }
    return rc < 0;
}
