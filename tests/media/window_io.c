#include "media/window_io.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "window_io: %s\n", what);
        abort();
    }
}

static void load(const char *path, struct gm_buf *out)
{
    uint8_t part[65536];
    size_t n;
    FILE *f = fopen(path, "rb");
    check(f != NULL, path);
    while ((n = fread(part, 1, sizeof part, f)) > 0) {
        gm_buf_add(out, part, n);
    }
    check(ferror(f) == 0 && fclose(f) == 0 && !out->failed, path);
}

/* head, then what is put in, then the rest. */
static void store(const char *path, const struct gm_buf *file, size_t at, const struct gm_buf *more)
{
    FILE *f = fopen(path, "wb");
    check(f != NULL && fwrite(file->data, 1, at, f) == at, path);
    check(fwrite(more->data, 1, more->size, f) == more->size, path);
    check(fwrite(file->data + at, 1, file->size - at, f) == file->size - at, path);
    check(fclose(f) == 0, path);
}

static size_t find(const struct gm_buf *file, size_t from, const char *bytes, size_t size)
{
    const uint8_t *p = memmem(file->data + from, file->size - from, bytes, size);
    check(p != NULL, bytes);
    return (size_t)(p - file->data);
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void window_put_clap(const char *from, const char *to, const uint32_t clap[8], int pasp_gone)
{
    static const char *const path[] = {"moov", "trak", "mdia", "minf", "stbl", "stsd", "avc1"};
    struct gm_buf file = {0}, box = {0};
    size_t at = 0;
    load(from, &file);
    gm_buf_be32(&box, 40);
    gm_buf_str(&box, "clap");
    for (int i = 0; i < 8; i++) {
        gm_buf_be32(&box, clap[i]);
    }
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++) {
        at = find(&file, at, path[i], 4);
        uint32_t size = word(file.data + at - 4) + 40;
        for (int k = 0; k < 4; k++) {
            file.data[at - 4 + (size_t)k] = (uint8_t)(size >> (24 - 8 * k));
        }
    }
    if (pasp_gone) {
        memcpy(file.data + find(&file, at, "pasp", 4), "free", 4);
    }
    store(to, &file, at - 4 + word(file.data + at - 4) - 40, &box);
    gm_buf_fini(&file);
    gm_buf_fini(&box);
}

/* The size of the element whose id of id_size bytes stands at `at` grows; returns where its body
 * begins, its new size in *out_size. */
static size_t grow(struct gm_buf *file, size_t at, size_t id_size, size_t more, size_t *out_size)
{
    uint8_t *p = file->data + at + id_size;
    check(p[0] != 0, "size");
    size_t bytes = (size_t)__builtin_clz(p[0]) - 23;
    uint64_t size = p[0] & (0xff >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        size = size << 8 | p[i];
    }
    size += more;
    check(size < ((uint64_t)1 << (7 * bytes)) - 1, "room");
    uint64_t coded = size | (uint64_t)1 << (7 * bytes);
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(coded >> (8 * (bytes - 1 - i)));
    }
    *out_size = (size_t)size;
    return at + id_size + bytes;
}

/* The size at `at`, of one byte, becomes one of eight. */
static void widen(struct gm_buf *file, size_t at)
{
    static const uint8_t zeros[7] = {0};
    uint8_t size = file->data[at] & 0x7f;
    gm_buf_add(file, zeros, sizeof zeros);
    check(!file->failed, "memory");
    memmove(file->data + at + 8, file->data + at + 1, file->size - at - 8);
    memcpy(file->data + at + 1, zeros, sizeof zeros);
    file->data[at] = 1;
    file->data[at + 7] = size;
}

/* What comes later stays where the list of places at the start has it: the gap that libavformat
 * leaves behind this list gives the bytes. */
static size_t shrink(struct gm_buf *file, size_t bytes)
{
    size_t gap = find(file, 0, "\xec\x01\0\0\0\0\0\0", 8);
    check(file->data[gap + 8] > bytes, "gap");
    file->data[gap + 8] = (uint8_t)(file->data[gap + 8] - bytes);
    memmove(file->data + gap + 9, file->data + gap + 9 + bytes, file->size - gap - 9 - bytes);
    file->size -= bytes;
    return bytes;
}

void window_put_crop(const char *from, const char *to, const uint32_t crop[4])
{
    static const uint16_t ids[4] = {0x54cc, 0x54bb, 0x54dd, 0x54aa};
    struct gm_buf file = {0}, more = {0};
    size_t size;
    load(from, &file);
    for (int i = 0; i < 4; i++) {
        gm_buf_be16(&more, ids[i]);
        gm_buf_u8(&more, 0x82);
        gm_buf_be16(&more, (uint16_t)crop[i]);
    }
    size_t tracks = find(&file, 0, "\x16\x54\xae\x6b", 4);
    if (file.data[tracks - 3] == 0x53 && file.data[tracks - 2] == 0xab) { /* a SeekID names it */
        tracks = find(&file, tracks + 4, "\x16\x54\xae\x6b", 4);
    }
    bool narrow = (file.data[tracks + 4] & 0x80) != 0;
    tracks -= shrink(&file, more.size + (narrow ? 7 : 0));
    if (narrow) {
        widen(&file, tracks + 4);
    }
    size_t entry = grow(&file, tracks, 4, more.size, &size);
    check(file.data[entry] == 0xae, "the first track");
    size_t body = grow(&file, entry, 1, more.size, &size);
    size_t video = body;
    while (file.data[video] != 0xe0) { /* elements before it: ids of one to three bytes */
        size_t id_size = (size_t)__builtin_clz(file.data[video]) - 23;
        size_t own;
        size_t in = grow(&file, video, id_size, 0, &own);
        video = in + own;
        check(video < body + size, "the video of the first track");
    }
    size_t in = grow(&file, video, 1, more.size, &size);
    store(to, &file, in + size - more.size, &more);
    gm_buf_fini(&file);
    gm_buf_fini(&more);
}
