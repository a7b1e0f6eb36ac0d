/* Writer of chunk objects: records are gathered in one buffer and written in large pieces; bodies
 * above the buffer's size go straight through. The hash follows the bytes.
 *
 * What it writes the reader takes: the same limits hold here.
 * See: docs/protocol.md, "The chunk object"
 */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/fs.h"
#include "common/hash.h"
#include "proto/chunk.h"
#include "proto/chunk_format.h"
#include "proto/envelope.h"

#define FLUSH_BYTES (256u << 10)

struct gm_chunk_writer {
    int fd;                 /* borrowed */
    struct gm_sha256 *hash; /* owned */
    struct gm_buf buf;
    uint64_t written; /* bytes given to fd */
    uint32_t packets;
    uint32_t records;
    bool by_reference;
    bool finished;
    int failed; /* first failure: a chunk with a hole must not be finished */
};

static int flush(struct gm_chunk_writer *w, struct gm_err *err)
{
    int rc = gm_buf_check(&w->buf, err);
    if (rc == 0 && w->buf.size > 0) {
        rc = gm_fs_write_all(w->fd, w->buf.data, w->buf.size, err);
    }
    if (rc < 0) {
        w->failed = rc;
        return rc;
    }
    if (w->buf.size > 0) {
        gm_sha256_update(w->hash, w->buf.data, w->buf.size);
    }
    w->written += w->buf.size;
    w->buf.size = 0;
    return 0;
}

static int add_body(struct gm_chunk_writer *w, const void *data, size_t size, struct gm_err *err)
{
    if (size < FLUSH_BYTES) {
        if (size > 0) {
            gm_buf_add(&w->buf, data, size);
        }
        return w->buf.size < FLUSH_BYTES ? gm_buf_check(&w->buf, err) : flush(w, err);
    }
    int rc = flush(w, err);
    if (rc == 0) {
        rc = gm_fs_write_all(w->fd, data, size, err);
    }
    if (rc < 0) {
        w->failed = rc;
        return rc;
    }
    gm_sha256_update(w->hash, data, size);
    w->written += size;
    return 0;
}

int gm_chunk_writer_open(int fd, const Gm__ChunkHeader *header, struct gm_chunk_writer **out,
                         struct gm_err *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    struct gm_chunk_writer *w = NULL;
    int rc = gm_message_encode(&header->base, &data, &size, err);
    if (rc < 0) {
        return rc;
    }
    if (size > GM_CHUNK_MAX_HEADER) {
        rc = gm_err_set(err, GM_E_LIMIT, (int64_t)size, "a chunk header of %zu bytes is over %u",
                        size, GM_CHUNK_MAX_HEADER);
        goto out;
    }
    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    w->fd = fd;
    w->by_reference = header->by_reference;
    w->hash = gm_sha256_create();
    if (w->hash == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    static const uint8_t version[4] = {GM_CHUNK_VERSION, 0, 0, 0};
    gm_buf_str(&w->buf, GM_CHUNK_MAGIC);
    gm_buf_add(&w->buf, version, sizeof(version));
    gm_buf_be32(&w->buf, (uint32_t)size);
    rc = add_body(w, data, size, err);
    if (rc < 0) {
        goto out;
    }
    *out = w;
    w = NULL;
out:
    gm_chunk_writer_close(&w);
    free(data);
    return rc;
}

static int begin_record(struct gm_chunk_writer *w, struct gm_err *err)
{
    if (w->failed != 0) {
        return gm_err_set(err, (enum gm_code)(-w->failed), 0,
                          "an earlier write of this chunk failed");
    }
    if (w->finished) {
        return gm_err_set(err, GM_E_BUG, 0, "the chunk is finished");
    }
    if (w->records >= GM_CHUNK_MAX_RECORDS) {
        return gm_err_set(err, GM_E_LIMIT, w->records, "a chunk has at most %u records",
                          GM_CHUNK_MAX_RECORDS);
    }
    return 0;
}

static int check_packet(const struct gm_chunk_writer *w, const struct gm_chunk_packet *p,
                        struct gm_err *err)
{
    if (p->size > GM_CHUNK_MAX_PACKET) {
        return gm_err_set(err, GM_E_LIMIT, p->size, "a packet of %u bytes is over %u", p->size,
                          GM_CHUNK_MAX_PACKET);
    }
    if (p->sides > GM_CHUNK_MAX_SIDES) {
        return gm_err_set(err, GM_E_LIMIT, p->sides, "a packet with %u side data is over %u",
                          p->sides, GM_CHUNK_MAX_SIDES);
    }
    for (uint16_t i = 0; i < p->sides; i++) {
        if (p->side[i].size > GM_CHUNK_MAX_SIDE) {
            return gm_err_set(err, GM_E_LIMIT, p->side[i].size,
                              "packet side data of %u bytes is over %u", p->side[i].size,
                              GM_CHUNK_MAX_SIDE);
        }
    }
    if (p->by_reference && !w->by_reference) {
        return gm_err_set(err, GM_E_BUG, 0,
                          "a packet by reference in a chunk whose header does not allow it");
    }
    if (!p->by_reference && p->size > 0 && p->data == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "an inline packet without data");
    }
    return 0;
}

int gm_chunk_write_packet(struct gm_chunk_writer *w, const struct gm_chunk_packet *packet,
                          struct gm_err *err)
{
    int rc = begin_record(w, err);
    if (rc == 0) {
        rc = check_packet(w, packet, err);
    }
    if (rc < 0) {
        return rc;
    }
    gm_buf_u8(&w->buf, GM_CHUNK_TYPE_PACKET);
    gm_buf_be64(&w->buf, packet->id);
    gm_buf_be64(&w->buf, (uint64_t)packet->pts);
    gm_buf_be64(&w->buf, (uint64_t)packet->dts);
    gm_buf_be64(&w->buf, (uint64_t)packet->duration);
    gm_buf_be32(&w->buf, packet->flags);
    gm_buf_be16(&w->buf, packet->sides);
    for (uint16_t i = 0; i < packet->sides; i++) {
        gm_buf_be32(&w->buf, packet->side[i].type);
        gm_buf_be32(&w->buf, packet->side[i].size);
        rc = add_body(w, packet->side[i].data, packet->side[i].size, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (packet->by_reference) {
        gm_buf_u8(&w->buf, GM_CHUNK_REFERENCE);
        gm_buf_be64(&w->buf, packet->offset);
        gm_buf_be32(&w->buf, packet->size);
        rc = add_body(w, "", 0, err);
    } else {
        gm_buf_u8(&w->buf, GM_CHUNK_INLINE);
        gm_buf_be32(&w->buf, packet->size);
        rc = add_body(w, packet->data == NULL ? (const uint8_t *)"" : packet->data, packet->size,
                      err);
    }
    if (rc == 0) {
        w->packets++;
        w->records++;
    }
    return rc;
}

int gm_chunk_write_change(struct gm_chunk_writer *w, const void *codecpar, size_t size,
                          struct gm_err *err)
{
    int rc = begin_record(w, err);
    if (rc < 0) {
        return rc;
    }
    if (size > GM_CHUNK_MAX_CHANGE) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size,
                          "a parameter change of %zu bytes is over %u", size, GM_CHUNK_MAX_CHANGE);
    }
    gm_buf_u8(&w->buf, GM_CHUNK_TYPE_CHANGE);
    gm_buf_be32(&w->buf, (uint32_t)size);
    rc = add_body(w, codecpar, size, err);
    if (rc == 0) {
        w->records++;
    }
    return rc;
}

int gm_chunk_writer_finish(struct gm_chunk_writer *w, struct gm_err *err)
{
    if (w->failed != 0 || w->finished) {
        return gm_err_set(err, w->failed != 0 ? (enum gm_code)(-w->failed) : GM_E_BUG, 0,
                          "the chunk can't be finished: it is already, or a write failed");
    }
    gm_buf_u8(&w->buf, GM_CHUNK_TYPE_END);
    gm_buf_be32(&w->buf, w->packets);
    int rc = flush(w, err);
    if (rc == 0) {
        w->finished = true;
    }
    return rc;
}

int gm_chunk_writer_digest(struct gm_chunk_writer *w, uint8_t out_sha256[32], uint64_t *out_size,
                           struct gm_err *err)
{
    if (!w->finished || w->hash == NULL) {
        return gm_err_set(err, GM_E_BUG, 0, "the chunk's digest is there once, after finish");
    }
    gm_sha256_final(w->hash, out_sha256);
    gm_sha256_destroy(&w->hash);
    *out_size = w->written;
    return 0;
}

void gm_chunk_writer_close(struct gm_chunk_writer **w)
{
    if (*w == NULL) {
        return;
    }
    gm_sha256_destroy(&(*w)->hash);
    gm_buf_fini(&(*w)->buf);
    free(*w);
    *w = NULL;
}
