#include "media/format/ebml.h"

#include <string.h>

/* Of the levels only clusters are followed, which nothing in them may reach out of. An element that
 * holds others is entered, all others are passed by their size. */

enum {
    ID_EBML = 0x1a45dfa3,
    ID_SEGMENT = 0x18538067,
    ID_SEEK_HEAD = 0x114d9b74,
    ID_INFO = 0x1549a966,
    ID_TRACKS = 0x1654ae6b,
    ID_CLUSTER = 0x1f43b675,
    ID_CUES = 0x1c53bb6b,
    ID_ATTACHMENTS = 0x1941a469,
    ID_CHAPTERS = 0x1043a770,
    ID_TAGS = 0x1254c367,
    ID_BLOCK_GROUP = 0xa0,
    ID_BLOCK = 0xa1,
    ID_SIMPLE_BLOCK = 0xa3,
};

static bool is_top(uint32_t id)
{
    static const uint32_t top[] = {
        ID_EBML,    ID_SEGMENT, ID_SEEK_HEAD,   ID_INFO,     ID_TRACKS,
        ID_CLUSTER, ID_CUES,    ID_ATTACHMENTS, ID_CHAPTERS, ID_TAGS,
    };
    for (size_t i = 0; i < sizeof top / sizeof top[0]; i++) {
        if (top[i] == id) {
            return true;
        }
    }
    return false;
}

/* Elements that clusters and block groups hold, and those that may lie anywhere. */
static bool is_inner(uint32_t id)
{
    static const uint32_t inner[] = {
        0xec, 0xbf,                 /* Void, CRC-32 */
        0xe7, 0x5854, 0xa7,   0xab, /* Timestamp, SilentTracks, Position, PrevSize */
        0xa3, 0xa0,   0xaf,         /* SimpleBlock, BlockGroup, EncryptedBlock */
        0xa1, 0xa2,   0x75a1,       /* Block, BlockVirtual, BlockAdditions */
        0x9b, 0xfa,   0xfb,   0xfd, /* BlockDuration, ReferencePriority, -Block, -Virtual */
        0xa4, 0x75a2, 0x8e,   0xc8, /* CodecState, DiscardPadding, Slices, ReferenceFrame */
    };
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        if (inner[i] == id) {
            return true;
        }
    }
    return false;
}

void gm_ebml_init(struct gm_ebml *e, struct gm_source_file file, int64_t file_size)
{
    *e = (struct gm_ebml){.file = file, .file_size = file_size, .cluster_end = INT64_MAX};
}

/* Lends bytes from `at` on, at least `least` where the file has so many. */
static int look(struct gm_ebml *e, int64_t at, size_t least, const uint8_t **out, size_t *out_size,
                struct gm_err *err)
{
    if (at < e->held_at || at + (int64_t)least > e->held_at + (int64_t)e->held_size) {
        size_t got = 0;
        int rc = gm_source_file_read(e->file, e->held, sizeof e->held, (uint64_t)at, &got, err);
        if (rc < 0) {
            e->held_size = 0;
            return rc;
        }
        e->held_at = at;
        e->held_size = got;
    }
    *out = e->held + (at - e->held_at);
    *out_size = e->held_size - (size_t)(at - e->held_at);
    return 0;
}

/* A number whose first byte tells its length; 0: there is none. The marker goes where keep is
 * false, and a number of all ones is -1 then. */
static size_t read_number(const uint8_t *p, size_t size, size_t most, bool keep, int64_t *out)
{
    size_t length = 1;
    while (size > 0 && length <= most && (p[0] & (0x80 >> (length - 1))) == 0) {
        length++;
    }
    if (size == 0 || length > most || length > size) {
        return 0;
    }
    uint64_t value = keep ? p[0] : p[0] & (0x7fU >> (length - 1));
    for (size_t i = 1; i < length; i++) {
        value = value << 8 | p[i];
    }
    bool ones = !keep && value == (UINT64_C(1) << (7 * length)) - 1;
    *out = ones ? -1 : (int64_t)value;
    return length;
}

size_t gm_ebml_head(const uint8_t *p, size_t size, uint32_t *out_id, int64_t *out_size)
{
    int64_t id, body;
    size_t a = read_number(p, size, 4, true, &id);
    size_t b = a > 0 ? read_number(p + a, size - a, 8, false, &body) : 0;
    if (b == 0) {
        return 0;
    }
    *out_id = (uint32_t)id;
    *out_size = body;
    return a + b;
}

/* To the next identifier of the highest level behind `from`, or to `until`. */
static int resume(struct gm_ebml *e, int64_t from, int64_t until, struct gm_err *err)
{
    int64_t at = from + 1;
    while (at < until && at + 4 <= e->file_size) {
        const uint8_t *p;
        size_t size;
        int rc = look(e, at, 4, &p, &size, err);
        if (rc < 0) {
            return rc;
        }
        if (size < 4) { /* the file has become shorter */
            break;
        }
        size_t i = 0;
        for (; i + 4 <= size && at + (int64_t)i < until; i++) {
            if (p[i] >= 0x10 && p[i] <= 0x1f &&
                is_top((uint32_t)p[i] << 24 | (uint32_t)p[i + 1] << 16 | (uint32_t)p[i + 2] << 8 |
                       p[i + 3])) {
                e->pos = at + (int64_t)i;
                return 0;
            }
        }
        at += (int64_t)i;
    }
    e->pos = at < until ? until : at;
    return 0;
}

static int read_track(struct gm_ebml *e, struct gm_ebml_step *out, struct gm_err *err)
{
    const uint8_t *p;
    size_t size;
    int64_t track = -1;
    int rc = look(e, out->pos, 2, &p, &size, err);
    if (rc == 0) {
        bool ok = read_number(p, size, 8, false, &track) > 0 && track < GM_EBML_TRACKS;
        out->track = ok ? track : -1;
    }
    return rc;
}

/* Whether the element at e->pos can be one; then e->pos goes behind its head, or behind it all. */
static bool pass(struct gm_ebml *e, size_t head, uint32_t id, int64_t size)
{
    bool enters = id == ID_SEGMENT || id == ID_CLUSTER || id == ID_BLOCK_GROUP;
    int64_t body = e->pos + (int64_t)head;
    if (head == 0 || (size < 0 && !enters)) {
        return false;
    }
    if (e->pos >= e->cluster_end || is_top(id)) {
        e->cluster_end = INT64_MAX;
    }
    if (!is_top(id) && (!is_inner(id) || (size >= 0 && size > e->cluster_end - body))) {
        return false;
    }
    int64_t left = e->file_size - body;
    if (id == ID_CLUSTER && size >= 0) {
        e->cluster_end = size < left ? body + size : INT64_MAX; /* it may be cut off */
    }
    e->pos = enters ? body : size < left ? body + size : e->file_size;
    return true;
}

int gm_ebml_next(struct gm_ebml *e, int64_t until, struct gm_ebml_step *out, struct gm_err *err)
{
    struct gm_ebml_step step = {.event = GM_EBML_END};
    int rc = 0;
    until = until < e->file_size ? until : e->file_size;
    while (e->pos < until) {
        const uint8_t *p;
        size_t have;
        uint32_t id = 0;
        int64_t size = 0, at = e->pos;
        rc = look(e, at, GM_EBML_HEAD, &p, &have, err);
        if (rc < 0) {
            return rc;
        }
        size_t head = gm_ebml_head(p, have, &id, &size);
        if (head == 0 && have < GM_EBML_HEAD) { /* cut off */
            e->pos = e->file_size;
            break;
        }
        if (!pass(e, head, id, size)) {
            rc = resume(e, at, until, err);
            step = (struct gm_ebml_step){.event = GM_EBML_DAMAGE, .pos = at, .size = e->pos - at};
            break;
        }
        if (id == ID_BLOCK || id == ID_SIMPLE_BLOCK) {
            step = (struct gm_ebml_step){
                .event = GM_EBML_BLOCK, .pos = at + (int64_t)head, .size = size};
            rc = read_track(e, &step, err);
            break;
        }
    }
    if (rc == 0) {
        *out = step;
    }
    return rc;
}
