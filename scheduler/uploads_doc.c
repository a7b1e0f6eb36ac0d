#include "scheduler/uploads_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "scheduler/core/core.h"
#include "scheduler/http/request.h"
#include "scheduler/json.h"

/* ---- what is announced */

static int read_size(const json_t *j, const char *what, uint64_t max, uint64_t *out,
                     struct gm_err *err)
{
    json_int_t v = json_integer_value(j);
    if (!json_is_integer(j) || v < 1) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is a number of bytes, 1 or more", what);
    }
    if ((uint64_t)v > max) {
        return gm_err_set(err, GM_E_LIMIT, v, "`%s` is over %llu bytes", what,
                          (unsigned long long)max);
    }
    *out = (uint64_t)v;
    return 0;
}

static int too_many(struct gm_err *err)
{
    return gm_err_set(err, GM_E_LIMIT, 0, "an upload has 1 to %u parts: make them larger",
                      GM_PARTS_MAX);
}

/* The sizes one by one, which give `size`. */
static int listed(const json_t *list, const char *id, uint64_t size, struct gm_upload **out,
                  struct gm_at *at, struct gm_err *err)
{
    struct gm_upload *u = NULL;
    uint64_t sum = 0;
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > GM_PARTS_MAX) {
        return json_is_array(list) ? too_many(err)
                                   : gm_err_set(err, GM_E_INVAL, 0, "`part_sizes` is a list");
    }
    int rc = gm_upload_create(id, (uint32_t)count, &u, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = read_size(json_array_get(list, i), "part_sizes", GM_PARTS_SIZE_MAX, &u->parts[i].size,
                       err);
        (void)gm_at_index(at, rc, i);
        sum += rc == 0 ? u->parts[i].size : 0;
    }
    if (rc == 0 && sum != size) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`part_sizes` give %llu bytes, `size` is %llu",
                        (unsigned long long)sum, (unsigned long long)size);
    }
    if (rc < 0) {
        gm_upload_destroy(&u);
        return rc;
    }
    *out = u;
    return 0;
}

/* Parts of `each` bytes, of which the last may be shorter. */
static int equal(uint64_t each, const char *id, uint64_t size, struct gm_upload **out,
                 struct gm_err *err)
{
    struct gm_upload *u = NULL;
    uint64_t count = (size - 1) / each + 1;
    if (count > GM_PARTS_MAX) {
        return too_many(err);
    }
    int rc = gm_upload_create(id, (uint32_t)count, &u, err);
    if (rc < 0) {
        return rc;
    }
    for (uint64_t i = 0; i < count; i++) {
        u->parts[i].size = i + 1 < count ? each : size - i * each;
    }
    *out = u;
    return 0;
}

static int read_parts(const json_t *body, const char *id, uint64_t size, struct gm_upload **out,
                      struct gm_at *at, struct gm_err *err)
{
    const json_t *list = json_object_get(body, "part_sizes");
    const json_t *each = json_object_get(body, "part_size");
    const json_t *whole = json_object_get(body, "whole");
    uint64_t bytes = size;
    int rc = 0;
    if (whole != NULL && !json_is_boolean(whole)) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "`whole` is true or false");
        return gm_at_member(at, rc, "whole");
    }
    if ((list != NULL) + (each != NULL) + json_is_true(whole) != 1) {
        return gm_err_set(err, GM_E_INVAL, 0, "give one of `part_sizes`, `part_size` and `whole`");
    }
    if (list != NULL) {
        return gm_at_member(at, listed(list, id, size, out, at, err), "part_sizes");
    }
    if (each != NULL) {
        rc = read_size(each, "part_size", GM_PARTS_SIZE_MAX, &bytes, err);
        (void)gm_at_member(at, rc, "part_size");
    } else if (size > GM_PARTS_SIZE_MAX) {
        rc = gm_err_set(err, GM_E_LIMIT, 0,
                        "one PUT takes at most 5 GiB: use `gopmill upload`, or send parts");
        (void)gm_at_member(at, rc, "size");
    }
    if (rc == 0) {
        rc = equal(bytes, id, size, out, err);
    }
    if (rc == 0) {
        (*out)->whole = json_is_true(whole);
    }
    return rc;
}

/* 0: it is a name, or "": the author's own. */
static int check_tenant(const char *name, struct gm_err *err)
{
    struct gm_tenant_params asked = {.name = name};
    if (name == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "`tenant` is the name of a tenant");
    }
    return name[0] == '\0' ? 0 : gm_tenant_check(&asked, err);
}

static int read_names(const json_t *body, struct gm_upload *u, struct gm_at *at, struct gm_err *err)
{
    const char *name = json_string_value(json_object_get(body, "name"));
    const json_t *tenant = json_object_get(body, "tenant");
    if (name == NULL || name[0] == '\0' || strlen(name) > GM_UPLOAD_NAME_MAX ||
        strchr(name, '/') != NULL) {
        int rc =
            gm_err_set(err, GM_E_INVAL, 0, "`name` is the file's name, 1 to %u bytes without `/`",
                       GM_UPLOAD_NAME_MAX);
        return gm_at_member(at, rc, "name");
    }
    if (tenant != NULL) {
        int rc = check_tenant(json_string_value(tenant), err);
        if (rc < 0) {
            return gm_at_member(at, rc, "tenant");
        }
    }
    u->name = strdup(name);
    u->tenant = strdup(tenant != NULL ? json_string_value(tenant) : "");
    if (u->name == NULL || u->tenant == NULL) {
        return gm_err_nomem(err);
    }
    gm_utf8_clean(u->name);
    return 0;
}

int gm_upload_announced(const json_t *body, const char *id, const struct gm_upload_limits *limits,
                        int64_t now_unix_ms, struct gm_upload **out, struct gm_at *at,
                        struct gm_err *err)
{
    static const char *const known[] = {"name",  "size",   "part_sizes", "part_size",
                                        "whole", "tenant", NULL};
    struct gm_upload *u = NULL;
    uint64_t size = 0;
    int rc = gm_json_check_keys(body, known, at, err);
    if (rc == 0) {
        rc = read_size(json_object_get(body, "size"), "size", limits->max_bytes, &size, err);
        (void)gm_at_member(at, rc, "size");
    }
    if (rc == 0) {
        rc = read_parts(body, id, size, &u, at, err);
    }
    if (rc == 0 && u != NULL) { /* it is one */
        u->size = size;
        u->created_unix_ms = u->changed_unix_ms = now_unix_ms;
        rc = read_names(body, u, at, err);
    }
    if (rc < 0) {
        gm_upload_destroy(&u);
    }
    *out = u;
    return rc;
}

/* ---- what lies in the bucket */

/* j (taken; NULL is out of memory) as text, owned. */
static int dump(json_t *j, char **out, struct gm_err *err)
{
    char *text = j != NULL ? json_dumps(j, JSON_INDENT(1)) : NULL;
    json_decref(j);
    if (text == NULL) {
        return gm_err_nomem(err);
    }
    *out = text;
    return 0;
}

int gm_upload_info_text(const struct gm_upload *u, char **out, struct gm_err *err)
{
    json_t *sizes = json_array();
    for (uint32_t i = 0; sizes != NULL && i < u->count; i++) {
        sizes = gm_json_add(sizes, json_integer((json_int_t)u->parts[i].size));
    }
    return dump(json_pack("{s:o, s:s, s:I, s:b, s:o, s:I}", "name", gm_json_string(u->name),
                          "tenant", u->tenant, "size", (json_int_t)u->size, "whole", (int)u->whole,
                          "part_sizes", sizes, "created_unix_ms", (json_int_t)u->created_unix_ms),
                out, err);
}

int gm_upload_info_read(const char *text, size_t size, const char *id, struct gm_upload **out,
                        struct gm_err *err)
{
    struct gm_upload *u = NULL;
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    json_int_t bytes = json_integer_value(json_object_get(j, "size"));
    json_int_t created = json_integer_value(json_object_get(j, "created_unix_ms"));
    int rc = -GM_E_PROTO;
    if (bytes > 0 && created > 0 && created <= INT64_C(253402300799000)) {
        rc = listed(json_object_get(j, "part_sizes"), id, (uint64_t)bytes, &u, NULL, err);
    }
    if (rc == 0) {
        rc = read_names(j, u, NULL, err);
    }
    if (rc == 0) {
        u->size = (uint64_t)bytes;
        u->whole = json_is_true(json_object_get(j, "whole")) && u->count == 1;
        u->created_unix_ms = u->changed_unix_ms = created;
        *out = u;
    } else {
        gm_upload_destroy(&u);
    }
    json_decref(j);
    return rc == 0 || rc == -GM_E_NOMEM
               ? rc
               : gm_err_set(err, GM_E_PROTO, 0, "%s/upload.json is not one of ours", id);
}

int gm_upload_manifest_text(const struct gm_upload *u, int64_t now_unix_ms, char **out,
                            struct gm_err *err)
{
    json_t *parts = json_array();
    for (uint32_t i = 0; parts != NULL && i < u->count; i++) {
        char key[GM_UPLOAD_KEY_SIZE], hex[2 * GM_SHA256_SIZE + 1];
        gm_upload_part_key(u, i, key);
        json_t *part =
            json_pack("{s:s, s:I, s:s}", "key", key, "size", (json_int_t)u->parts[i].size, "sha256",
                      u->whole ? "" : gm_hex(u->parts[i].sha256, GM_SHA256_SIZE, hex));
        if (part != NULL && u->etag[0] != '\0' &&
            json_object_set_new(part, "etag", gm_json_string(u->etag)) != 0) {
            json_decref(part);
            part = NULL;
        }
        parts = gm_json_add(parts, part);
    }
    return dump(json_pack("{s:s, s:I, s:I, s:o}", "upload", u->id, "size", (json_int_t)u->size,
                          "completed_unix_ms", (json_int_t)now_unix_ms, "parts", parts),
                out, err);
}

/* Whether the list names each part with its size; into: its hash and ETag are taken. */
static bool read_listed(const struct gm_upload *u, const json_t *list, struct gm_upload *into)
{
    bool fits = json_array_size(list) == u->count;
    for (uint32_t i = 0; fits && i < u->count; i++) {
        const json_t *j = json_array_get(list, i);
        const char *hash = json_string_value(json_object_get(j, "sha256"));
        const char *etag = json_string_value(json_object_get(j, "etag"));
        uint8_t sha256[GM_SHA256_SIZE] = {0};
        fits = (uint64_t)json_integer_value(json_object_get(j, "size")) == u->parts[i].size &&
               hash != NULL && (u->whole ? hash[0] == '\0' : gm_upload_hash_read(hash, sha256)) &&
               (etag == NULL || strlen(etag) < GM_UPLOAD_ETAG_SIZE);
        if (fits && into != NULL && u->whole) {
            (void)snprintf(into->etag, sizeof into->etag, "%s", etag != NULL ? etag : "");
        } else if (fits && into != NULL) {
            memcpy(into->parts[i].sha256, sha256, sizeof sha256);
            into->parts[i].named = true;
        }
    }
    return fits;
}

int64_t gm_upload_manifest_read(struct gm_upload *u, const char *text, size_t size)
{
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(j, "upload"));
    const json_t *list = json_object_get(j, "parts");
    json_int_t at = json_integer_value(json_object_get(j, "completed_unix_ms"));
    bool fits = id != NULL && strcmp(id, u->id) == 0 && at > 0 && at <= INT64_C(253402300799000) &&
                read_listed(u, list, NULL);
    if (fits) {
        (void)read_listed(u, list, u);
    }
    json_decref(j);
    return fits ? at : 0;
}

/* ---- what the API tells */

static json_t *ranges(const struct gm_upload *u)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < u->count; i++) {
        uint32_t first = i;
        if (!u->parts[i].there) {
            continue;
        }
        while (i + 1 < u->count && u->parts[i + 1].there) {
            i++;
        }
        list = gm_json_add(list, json_pack("[I, I]", (json_int_t)first, (json_int_t)i));
    }
    return list;
}

static json_t *hashes(const struct gm_upload *u)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < u->count; i++) {
        char hex[2 * GM_SHA256_SIZE + 1];
        if (u->parts[i].there && !u->whole) {
            list = gm_json_add(list, json_pack("{s:I, s:s}", "index", (json_int_t)i, "sha256",
                                               gm_hex(u->parts[i].sha256, GM_SHA256_SIZE, hex)));
        }
    }
    return list;
}

json_t *gm_upload_doc(const struct gm_upload *u, const struct gm_upload_limits *limits,
                      int64_t now_unix_ms, bool parts)
{
    char source[sizeof GM_PARTS_URL + GM_ID_SIZE];
    (void)snprintf(source, sizeof source, GM_PARTS_URL "%s", u->id);
    json_t *doc = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:b, s:o, s:o, s:I}", "id", u->id, "source", source,
        "state", gm_upload_state_name(gm_upload_state(u, now_unix_ms, limits->idle_ms)), "name",
        gm_json_string(u->name), "tenant", gm_json_text_or_null(u->tenant), "size",
        (json_int_t)u->size, "parts", (json_int_t)u->count, "overlap", (int)!u->whole, "there",
        ranges(u), "created", gm_json_time(u->created_unix_ms), "expires_unix_ms",
        (json_int_t)gm_upload_expires(u, limits->keep_ms));
    if (doc != NULL && parts && json_object_set_new(doc, "hashes", hashes(u)) != 0) {
        json_decref(doc);
        return NULL;
    }
    return doc;
}
