/* Requests for grants and the answers to them. */
#include "proto/check_grant.h"

#include <string.h>

#include "proto/envelope.h"

#define KEY_MAX_BYTES 1024
#define HEADER_NAME_MAX 64
#define HEADER_VALUE_MAX 512

static int fail(struct gm_err *err, const char *what, const char *why)
{
    return gm_err_set(err, GM_E_PROTO, 0, "%s %s", what, why);
}

bool gm_proto_is_key(const char *s)
{
    size_t part = 0;
    size_t length = strlen(s);
    if (length == 0 || length > KEY_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i <= length; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '/' || c == '\0') {
            bool dots =
                (part == 1 && s[i - 1] == '.') || (part == 2 && s[i - 1] == '.' && s[i - 2] == '.');
            if (part == 0 || dots) {
                return false;
            }
            part = 0;
            continue;
        }
        bool alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alnum && c < 0x80 && strchr("._ +@=,()-", c) == NULL) {
            return false;
        }
        part++;
    }
    return true;
}

static bool are_hashes(size_t count, const ProtobufCBinaryData *list, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].len != bytes) {
            return false;
        }
    }
    return true;
}

static int check_parts(const Gm__GrantItem *item, struct gm_err *err)
{
    uint64_t parts;
    if (item->part_size == 0) {
        bool ok = item->n_md5 <= 1 && item->n_part_sha256 == 0 && item->upload_id[0] == '\0';
        return ok ? 0 : fail(err, "GrantItem", "has more than one part, and no size of them");
    }
    if (item->part_size < GM_PROTO_PART_MIN || item->part_size > GM_PROTO_PART_MAX ||
        item->size <= item->part_size) {
        return fail(err, "GrantItem.part_size", "is out of range");
    }
    parts = (item->size - 1) / item->part_size + 1;
    if (parts > GM_PROTO_MAX_PARTS || item->n_part_sha256 != parts ||
        (item->n_md5 != 0 && item->n_md5 != parts)) {
        return fail(err, "GrantItem", "has too many parts, or not a hash for each");
    }
    return 0;
}

static int check_item(const Gm__GrantItem *item, struct gm_err *err)
{
    if (item->store == GM__OBJECT_STORE__STORE_SOURCE) {
        return fail(err, "GrantItem.store", "can't be written");
    }
    if (!gm_proto_is_key(item->name)) {
        return fail(err, "GrantItem.name", "is not a key");
    }
    if (item->sha256.len != GM_PROTO_HASH_BYTES) {
        return fail(err, "GrantItem.sha256", "is missing");
    }
    if (!are_hashes(item->n_md5, item->md5, GM_PROTO_MD5_BYTES) ||
        !are_hashes(item->n_part_sha256, item->part_sha256, GM_PROTO_HASH_BYTES)) {
        return fail(err, "GrantItem", "has a hash of another length");
    }
    if (strlen(item->upload_id) > GM_PROTO_MAX_UPLOAD_ID) {
        return fail(err, "GrantItem.upload_id", "is too long");
    }
    return check_parts(item, err);
}

int gm_check_grant_request(const Gm__GrantRequest *request, struct gm_err *err)
{
    size_t parts = 0;
    for (size_t i = 0; i < request->n_items; i++) {
        int rc = check_item(request->items[i], err);
        if (rc < 0) {
            return rc;
        }
        parts += request->items[i]->n_part_sha256;
        if (parts > GM_PROTO_MAX_ALL_PARTS) {
            return fail(err, "GrantRequest", "has too many parts in all");
        }
    }
    return 0;
}

/* A line of a request that holds it has no other. */
static bool is_header(const Gm__GrantHeader *header)
{
    size_t name = strspn(header->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-");
    size_t value = 0;
    while (header->value[value] >= ' ' && header->value[value] <= '~') {
        value++;
    }
    return name >= 1 && name <= HEADER_NAME_MAX && header->name[name] == '\0' && value >= 1 &&
           value <= HEADER_VALUE_MAX && header->value[value] == '\0';
}

static bool has_parts(const Gm__Grant *grant)
{
    bool ok = grant->n_part_urls >= 2 && grant->n_part_urls <= GM_PROTO_MAX_PARTS &&
              grant->complete_url[0] != '\0' && grant->head_url[0] != '\0';
    for (size_t i = 0; ok && i < grant->n_part_urls; i++) {
        ok = grant->part_urls[i][0] != '\0';
    }
    return ok;
}

static int check_grant(const Gm__Grant *grant, struct gm_err *err)
{
    int ways = (grant->url[0] != '\0') + (grant->start_url[0] != '\0') + (grant->n_part_urls > 0);
    if (grant->needs_md5 && grant->start_url[0] == '\0') {
        ways++;
    }
    if (ways != 1 || !gm_proto_is_key(grant->key)) {
        return fail(err, "Grant", "lacks its url or key, or has several");
    }
    if (grant->n_part_urls > 0 && !has_parts(grant)) {
        return fail(err, "Grant.part_urls", "are too many, or lack what ends them");
    }
    if (grant->n_headers > GM_PROTO_MAX_HEADERS) {
        return fail(err, "Grant.headers", "are too many");
    }
    for (size_t i = 0; i < grant->n_headers; i++) {
        if (!is_header(grant->headers[i])) {
            return fail(err, "GrantHeader", "can't be sent");
        }
    }
    return 0;
}

int gm_check_grant_answer(const Gm__GrantAnswer *answer, struct gm_err *err)
{
    if (answer->error == NULL && answer->n_grants == 0) {
        return fail(err, "GrantAnswer", "holds neither grants nor an error");
    }
    for (size_t i = 0; i < answer->n_grants; i++) {
        int rc = check_grant(answer->grants[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}
