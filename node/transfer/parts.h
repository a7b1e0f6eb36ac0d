#ifndef GM_NODE_TRANSFER_PARTS_H
#define GM_NODE_TRANSFER_PARTS_H

#include "common/buf.h"
#include "common/hash.h"

/* A body that goes into its store in parts: what each of them is, and which are there. No I/O but
 * where it is reckoned. Thread: one at a time.
 *
 * Source: S3 API reference, CreateMultipartUpload, UploadPart, CompleteMultipartUpload
 */
#define GM_PARTS_SIZE (UINT64_C(64) << 20) /* bytes of a part, as a rule */
#define GM_SENT_PARTS_MAX 1000
#define GM_PARTS_ETAG 128

struct gm_part {
    uint8_t sha256[GM_SHA256_SIZE];
    uint8_t md5[GM_MD5_SIZE];
    char etag[GM_PARTS_ETAG]; /* as its store said it; "": it is not there */
};

struct gm_parts {
    uint64_t size; /* of the body, bytes; at least 1 */
    uint64_t part_size;
    size_t count;
    bool has_md5;
    char *upload_id;      /* owned; NULL: not begun */
    struct gm_part *list; /* owned */
};

/* How large the parts of such a body are: GM_PARTS_SIZE, or what makes it at most
 * GM_SENT_PARTS_MAX; of what is larger than that many of GM_PROTO_PART_MAX, those. A body of
 * GM_PROTO_OBJECT_MAX is GM_PROTO_MAX_PARTS. */
uint64_t gm_parts_size(uint64_t size);
/* Reads and hashes the first `size` bytes of fd; on the pool. out_sha256: of all of them. moved: as
 * gm_hash_part calls it. Errors: as gm_hash_part. */
int gm_parts_create(int fd, uint64_t size, uint64_t part_size, bool md5,
                    uint8_t out_sha256[GM_SHA256_SIZE], void (*moved)(void *arg), void *arg,
                    struct gm_parts **out, struct gm_err *err) GM_MUST_CHECK;
void gm_parts_destroy(struct gm_parts **parts);
uint64_t gm_parts_bytes(const struct gm_parts *parts, size_t index); /* of that part */
/* The upload is not there any more: none of its parts is. */
void gm_parts_forget(struct gm_parts *parts);
/* Takes what the store said of a part. Errors: STORE: it said nothing, or what is no ETag. */
int gm_parts_stored(struct gm_parts *parts, size_t index, const char *etag,
                    struct gm_err *err) GM_MUST_CHECK;
/* What joins them, all of which are there, as XML. buf: gm_buf_check follows. */
void gm_parts_join(const struct gm_parts *parts, struct gm_buf *buf);

#endif
