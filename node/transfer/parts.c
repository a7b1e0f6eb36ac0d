#include <stdlib.h>
#include <string.h>

#include "node/transfer/parts.h"
#include "proto/check_grant.h"

#define MIB (UINT64_C(1) << 20)

uint64_t gm_parts_size(uint64_t size)
{
    uint64_t least = (size + GM_SENT_PARTS_MAX - 1) / GM_SENT_PARTS_MAX;

    least = (least + MIB - 1) / MIB * MIB;
    least = least < GM_PROTO_PART_MAX ? least : GM_PROTO_PART_MAX;
    return least > GM_PARTS_SIZE ? least : GM_PARTS_SIZE;
}

int gm_parts_create(int fd, uint64_t size, uint64_t part_size, bool md5,
                    uint8_t out_sha256[GM_SHA256_SIZE], void (*moved)(void *arg), void *arg,
                    struct gm_parts **out, struct gm_err *err)
{
    struct gm_parts *parts = calloc(1, sizeof(*parts));
    struct gm_sha256 *whole = gm_sha256_create();
    int rc = 0;

    GM_ASSERT(size > 0 && part_size > 0);
    if (parts == NULL || whole == NULL) {
        free(parts);
        gm_sha256_destroy(&whole);
        return gm_err_nomem(err);
    }
    parts->size = size;
    parts->part_size = part_size;
    parts->has_md5 = md5;
    parts->count = (size_t)((size - 1) / part_size + 1);
    parts->list = calloc(parts->count, sizeof(*parts->list));
    if (parts->list == NULL) {
        rc = gm_err_nomem(err);
    }
    for (size_t i = 0; rc == 0 && i < parts->count; i++) {
        struct gm_part *part = &parts->list[i];

        rc = gm_hash_part(fd, i * part_size, gm_parts_bytes(parts, i), part->sha256,
                          md5 ? part->md5 : NULL, whole, moved, arg, err);
    }
    if (rc == 0) {
        gm_sha256_final(whole, out_sha256);
    }
    gm_sha256_destroy(&whole);
    if (rc < 0) {
        gm_parts_destroy(&parts);
        return rc;
    }
    *out = parts;
    return 0;
}

void gm_parts_destroy(struct gm_parts **parts)
{
    if (*parts != NULL) {
        free((*parts)->upload_id);
        free((*parts)->list);
        free(*parts);
        *parts = NULL;
    }
}

uint64_t gm_parts_bytes(const struct gm_parts *parts, size_t index)
{
    uint64_t left = parts->size - index * parts->part_size;

    return left < parts->part_size ? left : parts->part_size;
}

void gm_parts_forget(struct gm_parts *parts)
{
    free(parts->upload_id);
    parts->upload_id = NULL;
    for (size_t i = 0; i < parts->count; i++) {
        parts->list[i].etag[0] = '\0';
    }
}

int gm_parts_stored(struct gm_parts *parts, size_t index, const char *etag, struct gm_err *err)
{
    size_t size = strnlen(etag, GM_PARTS_ETAG);

    if (size == 0 || size == GM_PARTS_ETAG) {
        return gm_err_set(err, GM_E_STORE, 0, "the store took part %zu and gave it no ETag",
                          index + 1);
    }
    memcpy(parts->list[index].etag, etag, size + 1);
    return 0;
}

void gm_parts_join(const struct gm_parts *parts, struct gm_buf *buf)
{
    gm_buf_str(buf, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < parts->count; i++) {
        gm_buf_printf(buf, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
        gm_buf_xml(buf, parts->list[i].etag, GM_XML_ASCII);
        gm_buf_str(buf, "</ETag></Part>");
    }
    gm_buf_str(buf, "</CompleteMultipartUpload>");
}
