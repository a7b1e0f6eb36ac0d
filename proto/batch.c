/* The frame around several envelopes. It is written by hand: entries are put behind each other as
 * they come, and none is packed, or read, twice.
 *
 * See: docs/protocol.md, proto/wire.proto (Envelope.batch)
 */
#include "proto/batch.h"

#include <stdlib.h>
#include <string.h>

#include "proto/scan.h"

#define HEAD 2u  /* bytes: the field `version` */
#define TAG 2u   /* bytes of the tag of `batch`: number 70, length-delimited */
#define LENGTH 5 /* bytes of a length at most */

static const uint8_t head[HEAD] = {1 << 3, GM_PROTOCOL_VERSION};
static const uint8_t tag[TAG] = {((70u << 3 | 2) & 127) | 128, (70u << 3 | 2) >> 7};

/* ---- reading */

/* At the tag of an entry: its envelope, and past it. */
static bool read_entry(const struct gm_batch_reader *r, size_t *at, const void **out,
                       size_t *out_size)
{
    uint64_t size = 0;
    size_t pos = *at;
    bool more = true;
    if (r->size - pos < TAG || memcmp(r->data + pos, tag, TAG) != 0) {
        return false;
    }
    pos += TAG;
    for (int i = 0; more; i++) {
        if (pos == r->size || i == LENGTH) {
            return false;
        }
        more = r->data[pos] >= 128;
        size |= (uint64_t)(r->data[pos++] & 127) << (7 * i);
    }
    if (size > r->size - pos) {
        return false;
    }
    *out = r->data + pos;
    *out_size = (size_t)size;
    *at = pos + (size_t)size;
    return true;
}

int gm_batch_open(const void *data, size_t size, struct gm_batch_reader *out, struct gm_err *err)
{
    struct gm_batch_reader r = {.data = data, .size = size, .count = 1, .lone = true};
    if (size > GM_ENVELOPE_MAX_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size, "a message of %zu bytes is over %u", size,
                          GM_ENVELOPE_MAX_BYTES);
    }
    if (size < HEAD + TAG || memcmp(data, head, HEAD) != 0 ||
        memcmp(r.data + HEAD, tag, TAG) != 0) {
        *out = r;
        return 0;
    }
    r = (struct gm_batch_reader){.data = data, .size = size, .at = HEAD};
    for (size_t at = HEAD; at < size; r.count++) {
        const void *entry = NULL;
        size_t entry_size = 0;
        if (r.count == GM_BATCH_MAX_COUNT) {
            return gm_err_set(err, GM_E_LIMIT, (int64_t)at, "a batch of over %u envelopes",
                              GM_BATCH_MAX_COUNT);
        }
        if (!read_entry(&r, &at, &entry, &entry_size)) {
            return gm_err_set(err, GM_E_PROTO, (int64_t)at,
                              "byte %zu of a batch is no envelope's beginning, or that is cut off",
                              at);
        }
    }
    *out = r;
    return 0;
}

bool gm_batch_next(struct gm_batch_reader *r, const void **out, size_t *out_size)
{
    if (r->lone) {
        *out = r->data;
        *out_size = r->size;
        r->lone = false;
        r->at = r->size;
        return true;
    }
    return r->at < r->size && read_entry(r, &r->at, out, out_size);
}

/* ---- writing */

static size_t length_bytes(size_t size)
{
    size_t bytes = 1;
    for (; size > 127; size >>= 7) {
        bytes++;
    }
    return bytes;
}

static int reserve(struct gm_batch *b, size_t more, struct gm_err *err)
{
    size_t need = b->size + more;
    if (need <= b->cap) {
        return 0;
    }
    /* a first one may stay alone; who adds a second one will add more */
    size_t cap = b->count == 0 ? need : 2 * need;
    uint8_t *data = realloc(b->data, cap);
    if (data == NULL) {
        return gm_err_nomem(err);
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

/* Room behind an entry's head for its `size` bytes; *out: where they go. */
static int begin(struct gm_batch *b, size_t size, size_t *out, struct gm_err *err)
{
    size_t before = b->count == 0 ? HEAD : b->size;
    size_t at = before + TAG + length_bytes(size);
    int rc = reserve(b, at - b->size + size, err);
    if (rc < 0) {
        return rc;
    }
    memcpy(b->data, head, HEAD);
    memcpy(b->data + before, tag, TAG);
    uint8_t *to = b->data + before + TAG;
    for (size_t left = size; left > 127; left >>= 7) {
        *to++ = (uint8_t)(left | 128);
    }
    b->data[at - 1] = (uint8_t)(size >> (7 * (length_bytes(size) - 1)));
    *out = at;
    return 0;
}

static void end(struct gm_batch *b, size_t at, size_t size)
{
    b->lone = b->count == 0 ? at : b->lone;
    b->count++;
    b->size = at + size;
}

int gm_batch_add(struct gm_batch *b, Gm__Envelope *env, struct gm_err *err)
{
    size_t at = 0;
    env->version = GM_PROTOCOL_VERSION;
    size_t size = gm__envelope__get_packed_size(env);
    if (size > GM_ENVELOPE_MAX_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)size, "an envelope of %zu bytes is over %u",
                          size, GM_ENVELOPE_MAX_BYTES);
    }
    if (!gm_batch_has_room(b, size)) {
        return 1;
    }
    int rc = begin(b, size, &at, err);
    if (rc == 0) {
        size_t packed = gm__envelope__pack(env, b->data + at);
        GM_ASSERT(packed == size);
        rc = gm_scan_message(&gm__envelope__descriptor, b->data + at, size, err);
    }
    if (rc == 0) {
        end(b, at, size);
    }
    return rc;
}

int gm_batch_add_bytes(struct gm_batch *b, const void *data, size_t size, struct gm_err *err)
{
    size_t at = 0;
    int rc = begin(b, size, &at, err);
    if (rc == 0) {
        memcpy(b->data + at, data, size);
        end(b, at, size);
    }
    return rc;
}

bool gm_batch_has_room(const struct gm_batch *b, size_t size)
{
    return b->count == 0 || (b->count < GM_BATCH_MAX_COUNT && b->size <= GM_BATCH_ROOM &&
                             size <= GM_BATCH_ROOM - b->size);
}

const void *gm_batch_bytes(const struct gm_batch *b, size_t *out_size)
{
    bool alone = b->count == 1;
    *out_size = alone ? b->size - b->lone : b->size;
    return b->data == NULL ? NULL : alone ? b->data + b->lone : b->data;
}

void gm_batch_fini(struct gm_batch *b)
{
    free(b->data);
    *b = (struct gm_batch){0};
}
