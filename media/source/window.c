#include "media/source/window.h"

#include <string.h>

#include "media/format/ebml.h"

/* Elements and boxes are visited one after the other; only their heads and the few bodies that
 * matter are read. */
#define MAX_STEPS 20000 /* boxes and elements looked at */
#define FIXED_ENTRY 86  /* bytes of a visual sample entry before its boxes */

struct reader {
    struct gm_source_file file;
    int steps;
    int rc; /* first error */
    struct gm_err *err;
};
/* Bytes of the file. */
struct span {
    uint64_t at, end;
};

static bool read_bytes(struct reader *r, uint64_t at, void *out, size_t size)
{
    size_t got = 0;
    if (r->rc == 0) {
        r->rc = gm_source_file_read(r->file, out, size, at, &got, r->err);
    }
    return r->rc == 0 && got == size;
}

static uint64_t big_endian(const uint8_t *p, size_t size)
{
    uint64_t v = 0;
    for (size_t i = 0; i < size; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* MP4. */

/* The next box of io_in, which is moved behind it. */
static bool next_box(struct reader *r, struct span *io_in, char out_type[4], struct span *out_body)
{
    uint8_t head[16];
    uint64_t at = io_in->at;
    if (io_in->end - at < 8 || r->steps++ >= MAX_STEPS || !read_bytes(r, at, head, 8)) {
        return false;
    }
    uint64_t size = big_endian(head, 4), skip = 8;
    if (size == 1) {
        skip = 16;
        if (io_in->end - at < 16 || !read_bytes(r, at, head, 16)) {
            return false;
        }
        size = big_endian(head + 8, 8);
    } else if (size == 0) {
        size = io_in->end - at;
    }
    if (size < skip || size > io_in->end - at) {
        return false;
    }
    memcpy(out_type, head + 4, 4);
    *out_body = (struct span){at + skip, at + size};
    io_in->at = at + size;
    return true;
}

static bool find_box(struct reader *r, struct span in, const char *type, struct span *out)
{
    char t[4];
    struct span body;
    while (next_box(r, &in, t, &body)) {
        if (memcmp(t, type, 4) == 0) {
            *out = body;
            return true;
        }
    }
    return false;
}

/* path: four letters a box. */
static bool find_path(struct reader *r, struct span in, const char *path, struct span *out)
{
    for (; path[0] != '\0'; path += 4) {
        if (!find_box(r, in, path, &in)) {
            return false;
        }
    }
    *out = in;
    return true;
}

static bool is_track(struct reader *r, struct span trak, int id)
{
    struct span tkhd;
    uint8_t b[24];
    if (!find_box(r, trak, "tkhd", &tkhd) || tkhd.end - tkhd.at < sizeof b ||
        !read_bytes(r, tkhd.at, b, sizeof b)) {
        return false;
    }
    return big_endian(b + (b[0] == 1 ? 20 : 12), 4) == (uint64_t)id;
}

/* A number of clap: N / D, D above 0. */
static bool read_ratio(const uint8_t *p, int64_t *out_num, int64_t *out_den)
{
    *out_num = (int32_t)big_endian(p, 4);
    *out_den = (int32_t)big_endian(p + 4, 4);
    return *out_den > 0;
}

/* One direction of a clean aperture: its size, and how far its middle is from the picture's. */
static bool place(const uint8_t *size, const uint8_t *offset, int whole, int *out_at, int *out_size)
{
    int64_t sn, sd, on, od;
    if (!read_ratio(size, &sn, &sd) || !read_ratio(offset, &on, &od) || sn <= 0) {
        return false;
    }
    int64_t n = (2 * sn + sd) / (2 * sd);
    /* offset + (whole - size) / 2, rounded */
    __int128 num = 2 * (__int128)on * sd + ((__int128)whole * sd - sn) * od;
    __int128 den = 2 * (__int128)od * sd;
    __int128 at = (2 * num + den) / (2 * den);
    if (n < 1 || n > whole || num < 0 || at > whole - n) {
        return false;
    }
    *out_at = (int)at;
    *out_size = (int)n;
    return true;
}

static bool find_track(struct reader *r, struct span file, int id, struct span *out)
{
    struct span moov, trak;
    char type[4];
    bool found = false;
    if (!find_box(r, file, "moov", &moov)) {
        return false;
    }
    while (!found && next_box(r, &moov, type, &trak)) {
        found = memcmp(type, "trak", 4) == 0 && is_track(r, trak, id);
    }
    if (found) {
        *out = trak;
    }
    return found;
}

static bool find_odd_edit(struct reader *r, struct span file, int id)
{
    struct span trak, elst;
    uint8_t b[20];
    if (!find_track(r, file, id, &trak) || !find_path(r, trak, "edtselst", &elst) ||
        elst.end - elst.at < 8 || !read_bytes(r, elst.at, b, 8)) {
        return false;
    }
    size_t wide = b[0] == 1 ? 8 : 4, entry = 2 * wide + 4;
    uint64_t count = big_endian(b + 4, 4);
    bool shows = false, odd = false;
    elst.at += 8;
    for (uint64_t i = 0; !odd && i < count && elst.end - elst.at >= entry; i++, elst.at += entry) {
        if (r->steps++ >= MAX_STEPS || !read_bytes(r, elst.at, b, entry)) {
            return false;
        }
        bool lasts = big_endian(b, wide) > 0;
        bool empty = big_endian(b + wide, wide) == (wide == 8 ? UINT64_MAX : UINT32_MAX);
        bool even = big_endian(b + 2 * wide, 4) == 1 << 16;
        odd = lasts && (empty ? shows : !even);
        shows = shows || !empty;
    }
    return odd;
}

static bool find_aperture(struct reader *r, struct span file, int id, struct gm_window *out)
{
    struct span trak, stsd, entry, box;
    uint8_t fixed[FIXED_ENTRY - 8], clap[32];
    char type[4];
    if (!find_track(r, file, id, &trak) || !find_path(r, trak, "mdiaminfstblstsd", &stsd) ||
        stsd.end - stsd.at < 8) {
        return false;
    }
    stsd.at += 8; /* version, flags, count */
    if (!next_box(r, &stsd, type, &entry) || entry.end - entry.at < sizeof fixed ||
        !read_bytes(r, entry.at, fixed, sizeof fixed)) {
        return false;
    }
    entry.at += sizeof fixed;
    if (!find_box(r, entry, "clap", &box) || box.end - box.at < sizeof clap ||
        !read_bytes(r, box.at, clap, sizeof clap)) {
        return false;
    }
    struct gm_window w = {
        .whole_width = (int)big_endian(fixed + 24, 2),
        .whole_height = (int)big_endian(fixed + 26, 2),
        .shapes = !find_box(r, entry, "pasp", &box),
    };
    if (!place(clap, clap + 16, w.whole_width, &w.x, &w.width) ||
        !place(clap + 8, clap + 24, w.whole_height, &w.y, &w.height)) {
        return false;
    }
    *out = w;
    return true;
}

/* Matroska. */

/* The next element of io_in, which is moved behind it. One of unknown size reaches to the end. */
static bool next_element(struct reader *r, struct span *io_in, uint32_t *out_id,
                         struct span *out_body)
{
    uint8_t b[GM_EBML_HEAD];
    uint64_t left = io_in->end - io_in->at;
    size_t have = left < sizeof b ? (size_t)left : sizeof b;
    int64_t said = 0;
    if (r->steps++ >= MAX_STEPS || !read_bytes(r, io_in->at, b, have)) {
        return false;
    }
    size_t head = gm_ebml_head(b, have, out_id, &said);
    uint64_t at = io_in->at + head;
    uint64_t size = said < 0 ? io_in->end - at : (uint64_t)said;
    if (head == 0 || size > io_in->end - at) {
        return false;
    }
    *out_body = (struct span){at, at + size};
    io_in->at = at + size;
    return true;
}

static bool find_element(struct reader *r, struct span in, uint32_t id, struct span *out)
{
    uint32_t i;
    struct span body;
    while (next_element(r, &in, &i, &body)) {
        if (i == id) {
            *out = body;
            return true;
        }
    }
    return false;
}

static bool read_number(struct reader *r, struct span in, uint32_t id, uint64_t *out)
{
    struct span body;
    uint8_t b[8];
    if (!find_element(r, in, id, &body) || body.end - body.at > sizeof b ||
        !read_bytes(r, body.at, b, (size_t)(body.end - body.at))) {
        return false;
    }
    *out = big_endian(b, (size_t)(body.end - body.at));
    return true;
}

static bool read_crop(struct reader *r, struct span video, struct gm_window *out)
{
    enum { WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, COUNT };
    static const uint32_t ids[COUNT] = {0xb0, 0xba, 0x54cc, 0x54bb, 0x54dd, 0x54aa};
    uint64_t v[COUNT] = {0}, shown;
    for (int i = 0; i < COUNT; i++) {
        bool is = read_number(r, video, ids[i], &v[i]);
        if ((i <= HEIGHT && !is) || v[i] > INT16_MAX) {
            return false;
        }
    }
    if (v[LEFT] + v[RIGHT] >= v[WIDTH] || v[TOP] + v[BOTTOM] >= v[HEIGHT]) {
        return false;
    }
    *out = (struct gm_window){
        .whole_width = (int)v[WIDTH],
        .whole_height = (int)v[HEIGHT],
        .x = (int)v[LEFT],
        .y = (int)v[TOP],
        .width = (int)(v[WIDTH] - v[LEFT] - v[RIGHT]),
        .height = (int)(v[HEIGHT] - v[TOP] - v[BOTTOM]),
        .shapes = read_number(r, video, 0x54b0, &shown) && read_number(r, video, 0x54ba, &shown),
    };
    return true;
}

/* Tracks are told apart by their order, libavformat keeps no number of theirs: number `nth` of
 * `count` video tracks. */
static bool find_crop(struct reader *r, struct span file, int nth, int count, struct gm_window *out)
{
    struct span segment, tracks, track, video;
    uint32_t id;
    uint64_t type;
    struct gm_window window = {0};
    bool found = false;
    int seen = 0;
    if (!find_element(r, file, 0x18538067, &segment) ||
        !find_element(r, segment, 0x1654ae6b, &tracks)) {
        return false;
    }
    while (next_element(r, &tracks, &id, &track)) {
        if (id == 0xae && read_number(r, track, 0x83, &type) && type == 1) {
            found = found || (seen == nth && find_element(r, track, 0xe0, &video) &&
                              read_crop(r, video, &window));
            seen++;
        }
    }
    if (!found || seen != count) {
        return false;
    }
    *out = window;
    return true;
}

static bool is_video(const AVStream *st)
{
    return st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
           (st->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0;
}

static struct span all_of(const AVFormatContext *format)
{
    int64_t size = format->pb != NULL ? avio_size(format->pb) : 0;
    return (struct span){0, size > 0 ? (uint64_t)size : 0};
}

int gm_window_is_edited(struct gm_source_file file, const AVFormatContext *format, int stream,
                        bool *out, struct gm_err *err)
{
    struct reader r = {.file = file, .err = err};
    bool odd = strncmp(format->iformat->name, "mov,", 4) == 0 &&
               find_odd_edit(&r, all_of(format), format->streams[stream]->id);
    if (r.rc == 0) {
        *out = odd;
    }
    return r.rc;
}

int gm_window_find(struct gm_source_file file, const AVFormatContext *format, int stream,
                   struct gm_window *out, bool *out_found, struct gm_err *err)
{
    struct reader r = {.file = file, .err = err};
    struct gm_window w = {0};
    struct span all = all_of(format);
    bool found = false;
    if (strncmp(format->iformat->name, "mov,", 4) == 0) {
        found = find_aperture(&r, all, format->streams[stream]->id, &w);
    } else if (strncmp(format->iformat->name, "matroska", 8) == 0) {
        int nth = 0, count = 0;
        for (int i = 0; i < (int)format->nb_streams; i++) {
            nth += i < stream && is_video(format->streams[i]);
            count += is_video(format->streams[i]);
        }
        found = find_crop(&r, all, nth, count, &w);
    }
    if (r.rc < 0) {
        return r.rc;
    }
    found = found && (w.width < w.whole_width || w.height < w.whole_height);
    if (found) {
        *out = w;
    }
    *out_found = found;
    return 0;
}
