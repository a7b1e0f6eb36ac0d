/* Reader of chunk objects. The file is not trusted: every size is held against its limit and
 * against what is left of the file before memory is taken for it. Bytes come by pread through one
 * window; a body goes to memory that is kept for the next record.
 *
 * Success ends only at the end record, with its packet count right and no byte after it.
 * See: docs/protocol.md, "The chunk object"
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/chunk.h"
#include "proto/chunk_format.h"
#include "proto/envelope.h"

#define WINDOW_BYTES (64u << 10)

struct arena {     /* one record's bodies, reused */
    uint8_t *data; /* owned */
    size_t size;
    size_t cap;
};

struct gm_chunk_reader {
    int fd;                  /* borrowed */
    uint64_t size;           /* of the file */
    uint64_t pos;            /* next byte to hand out */
    Gm__ChunkHeader *header; /* owned */
    uint8_t *window;         /* owned, WINDOW_BYTES; holds bytes from window_at */
    uint64_t window_at;
    size_t window_size;
    struct arena arena;
    struct gm_chunk_side sides[GM_CHUNK_MAX_SIDES];
    size_t side_at[GM_CHUNK_MAX_SIDES]; /* offsets into the arena */
    uint32_t packets;
    uint32_t records;
    bool ended;
};

static int malformed(const struct gm_chunk_reader *r, struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_MEDIA_CHUNK, (int64_t)r->pos, "chunk, byte %" PRIu64 ": %s", r->pos,
                      what);
}

/* size bytes at offset `at`; the file was measured, so a short read means that it changed. */
static int read_at(const struct gm_chunk_reader *r, uint64_t at, uint8_t *out, size_t size,
                   struct gm_err *err)
{
    size_t got = 0;
    int rc = gm_fs_read_at(r->fd, out, size, at, &got, err);
    if (rc < 0) {
        return gm_err_wrap(err, rc, "chunk: ");
    }
    return got < size ? malformed(r, err, "the file became shorter") : 0;
}

static int take(struct gm_chunk_reader *r, void *out_data, size_t size, struct gm_err *err)
{
    uint8_t *out = out_data;
    if (size > r->size - r->pos) {
        return malformed(r, err, "the file ends inside a record");
    }
    while (size > 0) {
        uint64_t into = r->pos - r->window_at;
        if (r->pos < r->window_at || into >= r->window_size) {
            uint64_t left = r->size - r->pos;
            if (size >= WINDOW_BYTES) {
                int rc = read_at(r, r->pos, out, size, err);
                if (rc == 0) {
                    r->pos += size;
                }
                return rc;
            }
            size_t want = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
            r->window_size = 0;
            int rc = read_at(r, r->pos, r->window, want, err);
            if (rc < 0) {
                return rc;
            }
            r->window_at = r->pos;
            r->window_size = want;
            into = 0;
        }
        size_t here = r->window_size - (size_t)into;
        size_t n = size < here ? size : here;
        memcpy(out, r->window + into, n);
        out += n;
        size -= n;
        r->pos += n;
    }
    return 0;
}

static uint64_t be(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* A body of `size` bytes into the arena; *out_at is its offset there. */
static int take_body(struct gm_chunk_reader *r, size_t size, size_t *out_at, struct gm_err *err)
{
    if (size > r->size - r->pos) {
        return malformed(r, err, "the file ends inside a record");
    }
    size_t need = r->arena.size + size;
    if (need > r->arena.cap || r->arena.data == NULL) {
        size_t cap = need + need / 4 + 4096;
        uint8_t *data = realloc(r->arena.data, cap);
        if (data == NULL) {
            return gm_err_nomem(err);
        }
        r->arena.data = data;
        r->arena.cap = cap;
    }
    size_t at = r->arena.size;
    if (size > 0) {
        int rc = take(r, r->arena.data + at, size, err);
        if (rc < 0) {
            return rc;
        }
    }
    r->arena.size = need;
    *out_at = at;
    return 0;
}

static int check_header(const struct gm_chunk_reader *r, const Gm__ChunkHeader *h,
                        struct gm_err *err)
{
    if (h->version != GM_CHUNK_VERSION) {
        return malformed(r, err, "the header's version is not 1");
    }
    const Gm__Rational *tb = h->time_base;
    if (tb == NULL || tb->num < 1 || tb->den < 1 || tb->num > INT32_MAX || tb->den > INT32_MAX) {
        return malformed(r, err, "the header's time base is missing or not positive");
    }
    uint32_t next = 0;
    for (size_t i = 0; i < h->n_segments; i++) {
        uint32_t first = h->segments[i]->first_frame;
        if (first >= h->n_frames || first < next) {
            return malformed(r, err, "a segment begins outside of the frames");
        }
        next = first + 1;
    }
    return 0;
}

static int read_header(struct gm_chunk_reader *r, struct gm_err *err)
{
    uint8_t prefix[GM_CHUNK_PREFIX_BYTES];
    ProtobufCMessage *msg = NULL;
    size_t at = 0;
    int rc = take(r, prefix, sizeof(prefix), err);
    if (rc < 0) {
        return rc;
    }
    if (memcmp(prefix, GM_CHUNK_MAGIC, 4) != 0) {
        return malformed(r, err, "not a chunk object");
    }
    if (prefix[4] != GM_CHUNK_VERSION || prefix[5] != 0 || prefix[6] != 0 || prefix[7] != 0) {
        return malformed(r, err, "another version of the chunk format");
    }
    size_t size = (size_t)be(prefix + 8, 4);
    if (size > GM_CHUNK_MAX_HEADER) {
        return malformed(r, err, "the header is too large");
    }
    rc = take_body(r, size, &at, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_message_decode(&gm__chunk_header__descriptor, r->arena.data + at, size,
                           GM_CHUNK_MAX_HEADER, &msg, err);
    if (rc == -GM_E_NOMEM) {
        return rc;
    }
    if (rc < 0) {
        return malformed(r, err, "the header is not well-formed");
    }
    r->header = (Gm__ChunkHeader *)msg;
    return check_header(r, r->header, err);
}

int gm_chunk_reader_open(int fd, struct gm_chunk_reader **out, struct gm_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return gm_err_sys(err, errno, "could not look at the chunk");
    }
    struct gm_chunk_reader *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    r->fd = fd;
    r->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
    r->window = malloc(WINDOW_BYTES);
    if (r->window == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = malformed(r, err, "not a regular file");
        goto out;
    }
    rc = read_header(r, err);
    if (rc < 0) {
        goto out;
    }
    *out = r;
    r = NULL;
out:
    gm_chunk_reader_close(&r);
    return rc;
}

const Gm__ChunkHeader *gm_chunk_reader_header(const struct gm_chunk_reader *r)
{
    return r->header;
}

static int read_sides(struct gm_chunk_reader *r, uint16_t count, struct gm_err *err)
{
    for (uint16_t i = 0; i < count; i++) {
        uint8_t head[8];
        int rc = take(r, head, sizeof(head), err);
        if (rc < 0) {
            return rc;
        }
        r->sides[i].type = (uint32_t)be(head, 4);
        r->sides[i].size = (uint32_t)be(head + 4, 4);
        if (r->sides[i].size > GM_CHUNK_MAX_SIDE) {
            return malformed(r, err, "side data is too large");
        }
        rc = take_body(r, r->sides[i].size, &r->side_at[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int read_where(struct gm_chunk_reader *r, struct gm_chunk_packet *p, size_t *out_at,
                      struct gm_err *err)
{
    uint8_t head[12];
    uint8_t where = 0;
    int rc = take(r, &where, 1, err);
    if (rc < 0) {
        return rc;
    }
    if (where > GM_CHUNK_REFERENCE) {
        return malformed(r, err, "a packet is neither inline nor by reference");
    }
    p->by_reference = where == GM_CHUNK_REFERENCE;
    if (p->by_reference && !r->header->by_reference) {
        return malformed(r, err, "a packet by reference that the header does not allow");
    }
    rc = take(r, head, p->by_reference ? 12 : 4, err);
    if (rc < 0) {
        return rc;
    }
    p->offset = p->by_reference ? be(head, 8) : 0;
    p->size = (uint32_t)be(head + (p->by_reference ? 8 : 0), 4);
    if (p->size > GM_CHUNK_MAX_PACKET || p->offset > INT64_MAX - GM_CHUNK_MAX_PACKET) {
        return malformed(r, err, "a packet is too large");
    }
    return p->by_reference ? 0 : take_body(r, p->size, out_at, err);
}

static int read_packet(struct gm_chunk_reader *r, struct gm_chunk_packet *out, struct gm_err *err)
{
    uint8_t head[38];
    struct gm_chunk_packet p = {0};
    size_t body_at = 0;
    int rc = take(r, head, sizeof(head), err);
    if (rc < 0) {
        return rc;
    }
    p.id = be(head, 8);
    p.pts = (int64_t)be(head + 8, 8);
    p.dts = (int64_t)be(head + 16, 8);
    p.duration = (int64_t)be(head + 24, 8);
    p.flags = (uint32_t)be(head + 32, 4);
    p.sides = (uint16_t)be(head + 36, 2);
    if (p.sides > GM_CHUNK_MAX_SIDES) {
        return malformed(r, err, "a packet has too many side data");
    }
    rc = read_sides(r, p.sides, err);
    if (rc == 0) {
        rc = read_where(r, &p, &body_at, err);
    }
    if (rc < 0) {
        return rc;
    }
    /* The arena stands still now: its offsets become pointers. */
    for (uint16_t i = 0; i < p.sides; i++) {
        r->sides[i].data = r->arena.data + r->side_at[i];
    }
    p.side = r->sides;
    p.data = p.by_reference ? NULL : r->arena.data + body_at;
    *out = p;
    r->packets++;
    return 0;
}

static int read_change(struct gm_chunk_reader *r, const uint8_t **out, size_t *out_size,
                       struct gm_err *err)
{
    uint8_t head[4];
    size_t at = 0;
    int rc = take(r, head, sizeof(head), err);
    if (rc < 0) {
        return rc;
    }
    size_t size = (size_t)be(head, 4);
    if (size > GM_CHUNK_MAX_CHANGE) {
        return malformed(r, err, "a parameter change is too large");
    }
    rc = take_body(r, size, &at, err);
    if (rc < 0) {
        return rc;
    }
    *out = r->arena.data + at;
    *out_size = size;
    return 0;
}

static int read_end(struct gm_chunk_reader *r, struct gm_err *err)
{
    uint8_t head[4];
    int rc = take(r, head, sizeof(head), err);
    if (rc < 0) {
        return rc;
    }
    if (be(head, 4) != r->packets) {
        return malformed(r, err, "the end record counts other packets");
    }
    if (r->pos != r->size) {
        return malformed(r, err, "bytes follow the end record");
    }
    r->ended = true;
    return 0;
}

int gm_chunk_read(struct gm_chunk_reader *r, enum gm_chunk_record *out_record,
                  struct gm_chunk_packet *out_packet, const uint8_t **out_change,
                  size_t *out_change_size, struct gm_err *err)
{
    uint8_t type = 0;
    if (r->ended) {
        *out_record = GM_CHUNK_END;
        return 0;
    }
    r->arena.size = 0;
    int rc = take(r, &type, 1, err);
    if (rc < 0) {
        return rc;
    }
    if (type != GM_CHUNK_TYPE_END && r->records++ >= GM_CHUNK_MAX_RECORDS) {
        return malformed(r, err, "too many records");
    }
    switch (type) {
    case GM_CHUNK_TYPE_END:
        rc = read_end(r, err);
        break;
    case GM_CHUNK_TYPE_PACKET:
        rc = read_packet(r, out_packet, err);
        break;
    case GM_CHUNK_TYPE_CHANGE:
        rc = read_change(r, out_change, out_change_size, err);
        break;
    default:
        return malformed(r, err, "a record of unknown type");
    }
    if (rc == 0) {
        *out_record = type == GM_CHUNK_TYPE_END      ? GM_CHUNK_END
                      : type == GM_CHUNK_TYPE_PACKET ? GM_CHUNK_PACKET
                                                     : GM_CHUNK_CHANGE;
    }
    return rc;
}

void gm_chunk_reader_close(struct gm_chunk_reader **r)
{
    if (*r == NULL) {
        return;
    }
    if ((*r)->header != NULL) {
        gm__chunk_header__free_unpacked((*r)->header, NULL);
    }
    free((*r)->window);
    free((*r)->arena.data);
    free(*r);
    *r = NULL;
}
