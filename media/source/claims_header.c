#include "media/source/claims_header.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/intreadwrite.h>

#include "media/format/ebml.h"

#define GUID 16
#define W64_HEAD 40           /* its identifier, size, and that of WAVE */
#define RIFF_OPEN 0x7ffff000u /* what programs that write to a pipe say of their samples */
#define RIFF_OPEN_HEADS 8192u /* and of all, with what stands before them */
#define ASF_HEAD 30           /* of the header object: identifier, size, count, two bytes */
#define ASF_PROPERTIES 104    /* of the file properties object */
#define ASF_BROADCAST 1u      /* its flag: times were not known when it was written */
#define ASF_TICKS_PER_US 10   /* play duration */
enum {                        /* elements of Matroska, with their markers */
       ID_EBML = 0x1a45dfa3,
       ID_SEGMENT = 0x18538067,
       ID_SEEK_HEAD = 0x114d9b74,
       ID_SEEK = 0x4dbb,
       ID_SEEK_ID = 0x53ab,
       ID_SEEK_POSITION = 0x53ac,
       ID_CUES = 0x1c53bb6b,
       ID_CLUSTER = 0x1f43b675
};
#define BITS_US INT64_C(8000000) /* bits of a byte, µs of a second */

/* 64-bit sizes that no file has are taken for the largest that one can have. */
static int64_t size_of(uint64_t v)
{
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_add_overflow(a, b, &out) ? INT64_MAX : out;
}

/* The sound of a file by its header: its bytes, and where in the file it ends. bytes 0: not told.
 */
struct extent {
    int64_t bytes, end;
};

/* Of a file with `whole` bytes, whose chunks are known up to `at`: there, or further on, the sound
 * begins. */
static struct extent rest(int64_t whole, size_t at)
{
    return whole > (int64_t)at ? (struct extent){whole - (int64_t)at, whole} : (struct extent){0};
}

/* A size of 32 bits; 0: a writer that could not come back to it. */
static int64_t told(uint32_t body)
{
    bool open = body == UINT32_MAX || (body >= RIFF_OPEN && body < RIFF_OPEN + RIFF_OPEN_HEADS);
    return open ? 0 : body;
}

static struct extent riff_sound(const uint8_t *p, size_t size)
{
    bool wide = size >= 36 && memcmp(p, "RF64", 4) == 0 && memcmp(p + 12, "ds64", 4) == 0;
    if (size < 28 || (!wide && memcmp(p, "RIFF", 4) != 0) || memcmp(p + 8, "WAVE", 4) != 0) {
        return (struct extent){0};
    }
    size_t at = 12;
    while (size - at >= 8) {
        uint32_t body = AV_RL32(p + at + 4);
        if (memcmp(p + at, "data", 4) == 0) {
            int64_t bytes = wide && body == UINT32_MAX ? size_of(AV_RL64(p + 28)) : told(body);
            return (struct extent){bytes, sum(bytes, (int64_t)at + 8)};
        }
        uint64_t step = 8 + (uint64_t)body + (body & 1);
        if (step > size - at) {
            break;
        }
        at += (size_t)step;
    }
    return rest(wide ? size_of(AV_RL64(p + 20)) : told(AV_RL32(p + 4)), at);
}

static struct extent w64_sound(const uint8_t *p, size_t size)
{
    static const uint8_t riff[GUID] = {'r',  'i',  'f',  'f',  0x2e, 0x91, 0xcf, 0x11,
                                       0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0x00, 0x00};
    static const uint8_t data[GUID] = {'d',  'a',  't',  'a',  0xf3, 0xac, 0xd3, 0x11,
                                       0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a};
    if (size < W64_HEAD || memcmp(p, riff, GUID) != 0) {
        return (struct extent){0};
    }
    size_t at = W64_HEAD;
    while (size - at >= GUID + 8) {
        uint64_t chunk = AV_RL64(p + at + GUID); /* with its head, before it is filled up to 8 */
        if (chunk < GUID + 8) {
            break;
        }
        if (memcmp(p + at, data, GUID) == 0) {
            int64_t bytes = size_of(chunk - (GUID + 8));
            return (struct extent){bytes, sum(bytes, (int64_t)at + GUID + 8)};
        }
        if (chunk > size - at - 7) {
            break;
        }
        at += (size_t)((chunk + 7) & ~UINT64_C(7));
    }
    return rest(size_of(AV_RL64(p + GUID)), at);
}

static int64_t sound_us(const AVFormatContext *format, struct extent sound, int64_t file_size)
{
    int64_t bit_rate = format->nb_streams == 1 ? format->streams[0]->codecpar->bit_rate : 0;
    if (sound.end <= file_size || sound.bytes <= 0 || bit_rate <= 0) {
        return 0;
    }
    int64_t us = av_rescale_rnd(sound.bytes, BITS_US, bit_rate, AV_ROUND_DOWN);
    return us >= 0 ? us : INT64_MAX; /* further than a number reaches */
}

/* The file properties object, which stands among the header's objects; NULL: it is not there. */
static const uint8_t *asf_properties(const uint8_t *p, size_t size)
{
    static const uint8_t header[GUID] = {0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11,
                                         0xa6, 0xd9, 0x00, 0xaa, 0x00, 0x62, 0xce, 0x6c};
    static const uint8_t properties[GUID] = {0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11,
                                             0x8e, 0xe4, 0x00, 0xc0, 0x0c, 0x20, 0x53, 0x65};
    if (size < ASF_HEAD || memcmp(p, header, GUID) != 0) {
        return NULL;
    }
    for (size_t at = ASF_HEAD; size - at >= GUID + 8;) {
        uint64_t object = AV_RL64(p + at + GUID);
        if (object < GUID + 8 || object > size - at) {
            return NULL;
        }
        if (object >= ASF_PROPERTIES && memcmp(p + at, properties, GUID) == 0) {
            bool told = (AV_RL32(p + at + 88) & ASF_BROADCAST) == 0;
            return told ? p + at : NULL;
        }
        at += (size_t)object;
    }
    return NULL;
}

static int64_t asf_us(const uint8_t *p, size_t size)
{
    const uint8_t *o = asf_properties(p, size);
    if (o == NULL) {
        return 0;
    }
    int64_t play = size_of(AV_RL64(o + 64)) / ASF_TICKS_PER_US;
    int64_t early = size_of(AV_RL64(o + 80)); /* ms that playing waits: part of it */
    return early < play / 1000 ? play - early * 1000 : 0;
}

/* A Matroska file's one segment: where its body begins, 0: there is none, and its bytes, -1: not
 * told. */
static size_t matroska_segment(const uint8_t *p, size_t size, int64_t *out_size)
{
    uint32_t id = 0;
    int64_t body = 0;
    size_t at = gm_ebml_head(p, size, &id, &body);
    if (at == 0 || id != ID_EBML || body < 0 || (uint64_t)body > size - at) {
        return 0;
    }
    at += (size_t)body;
    size_t head = gm_ebml_head(p + at, size - at, &id, out_size);
    return head > 0 && id == ID_SEGMENT ? at + head : 0;
}

/* Where it ends; 0: not told. */
static int64_t matroska_end(const uint8_t *p, size_t size)
{
    int64_t body = 0;
    size_t at = matroska_segment(p, size, &body);
    return at > 0 && body > 0 ? sum(body, (int64_t)at) : 0;
}

/* The position that the entry p[0, size) of the list tells of an index; -1: it tells none. */
static int64_t index_entry(const uint8_t *p, size_t size)
{
    uint64_t of = 0, position = 0;
    bool told = false;
    while (size > 0) {
        uint32_t id = 0;
        int64_t body = 0;
        size_t head = gm_ebml_head(p, size, &id, &body);
        if (head == 0 || body < 0 || body > 8 || (uint64_t)body > size - head) {
            return -1;
        }
        uint64_t v = 0;
        for (int64_t i = 0; i < body; i++) {
            v = v << 8 | p[head + (size_t)i];
        }
        of = id == ID_SEEK_ID ? v : of;
        position = id == ID_SEEK_POSITION ? v : position;
        told = told || id == ID_SEEK_POSITION;
        p += head + (size_t)body;
        size -= head + (size_t)body;
    }
    return told && of == ID_CUES ? size_of(position) : -1;
}

int64_t gm_claims_header_index(const uint8_t *p, size_t size)
{
    int64_t whole = 0, found = -1;
    const size_t segment = matroska_segment(p, size, &whole);
    size_t at = segment, list_end = 0;
    while (at > 0 && at < size && found < 0) {
        uint32_t id = 0;
        int64_t body = 0;
        size_t head = gm_ebml_head(p + at, size - at, &id, &body);
        if (head == 0 || id == ID_CLUSTER || body < 0 || (uint64_t)body > size - at - head) {
            break;
        }
        bool in_list = at < list_end;
        if (!in_list && id == ID_SEEK_HEAD) {
            at += head; /* its entries follow */
            list_end = at + (size_t)body;
            continue;
        }
        found = in_list && id == ID_SEEK ? index_entry(p + at + head, (size_t)body) : -1;
        at += head + (size_t)body;
    }
    return found >= 0 ? sum(found, (int64_t)segment) : 0;
}

static bool is_matroska(const AVFormatContext *format)
{
    return format->iformat != NULL && strcmp(format->iformat->name, "matroska,webm") == 0;
}

bool gm_claims_header_is_cut(const AVFormatContext *format, int64_t file_size, const uint8_t *head,
                             size_t size)
{
    const char *name = format->iformat != NULL ? format->iformat->name : "";
    int64_t end = 0;
    if (is_matroska(format)) {
        end = matroska_end(head, size);
    } else if (strcmp(name, "avi") == 0 && size >= 12 && memcmp(head, "RIFF", 4) == 0) {
        end = sum(told(AV_RL32(head + 4)), 8);
    } else if (strcmp(name, "asf") == 0) {
        const uint8_t *o = asf_properties(head, size);
        end = o != NULL ? size_of(AV_RL64(o + 40)) : 0;
    }
    return end > file_size;
}

int64_t gm_claims_header_parse(const AVFormatContext *format, int64_t file_size,
                               const uint8_t *head, size_t size)
{
    const char *name = format->iformat != NULL ? format->iformat->name : "";
    if (strcmp(name, "wav") == 0) {
        return sound_us(format, riff_sound(head, size), file_size);
    }
    if (strcmp(name, "w64") == 0) {
        return sound_us(format, w64_sound(head, size), file_size);
    }
    return strcmp(name, "asf") == 0 ? asf_us(head, size) : 0;
}

/* The index begins where the file ends, or goes beyond that: all before it is there. One that
 * stands before the pictures is whole. */
static int lacks_index_alone(struct gm_source_file source, int64_t size, int64_t at, bool *out,
                             struct gm_err *err)
{
    uint8_t p[GM_EBML_HEAD];
    size_t there = 0;
    uint32_t id = 0;
    int64_t body = 0;
    int rc = at > 0 && at < size
                 ? gm_source_file_read(source, p, sizeof p, (uint64_t)at, &there, err)
                 : 0;
    if (rc < 0) {
        return rc;
    }
    size_t head = gm_ebml_head(p, there, &id, &body);
    bool over = head > 0 ? id == ID_CUES && sum(at, (int64_t)head) > size - (body > 0 ? body : 0)
                         : there < sizeof p;
    *out = at > 0 && at <= size && over;
    return 0;
}

int gm_claims_header_read(struct gm_source_file source, const AVFormatContext *format, int64_t size,
                          struct gm_claims_file *out, struct gm_err *err)
{
    size_t there;
    bool index_alone = false;
    uint8_t *head = malloc(GM_CLAIMS_HEADER);
    if (head == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_source_file_read(source, head, GM_CLAIMS_HEADER, 0, &there, err);
    bool cut = rc == 0 && gm_claims_header_is_cut(format, size, head, there);
    if (cut && is_matroska(format)) {
        rc =
            lacks_index_alone(source, size, gm_claims_header_index(head, there), &index_alone, err);
    }
    if (rc == 0) {
        *out =
            (struct gm_claims_file){.size = size,
                                    .header_us = gm_claims_header_parse(format, size, head, there),
                                    .cut = cut && !index_alone};
    }
    free(head);
    return rc;
}
