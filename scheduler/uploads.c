#include "scheduler/uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFO "upload.json"
#define MANIFEST "manifest.json"
#define WHOLE "part-00000"
#define TOLD_MISSING 5 /* ranges of parts that an error names */

int gm_upload_create(const char *id, uint32_t count, struct gm_upload **out, struct gm_err *err)
{
    struct gm_upload *u = calloc(1, sizeof *u);
    if (u == NULL) {
        return gm_err_nomem(err);
    }
    u->parts = calloc(count, sizeof *u->parts);
    if (u->parts == NULL) {
        free(u);
        return gm_err_nomem(err);
    }
    (void)snprintf(u->id, sizeof u->id, "%s", id);
    u->count = count;
    *out = u;
    return 0;
}

void gm_upload_destroy(struct gm_upload **upload)
{
    struct gm_upload *u = *upload;
    if (u != NULL) {
        free(u->name);
        free(u->tenant);
        free(u->parts);
        free(u);
        *upload = NULL;
    }
}

void gm_uploads_add(struct gm_uploads *t, struct gm_upload *u)
{
    HASH_ADD_STR(t->all, id, u);
}

struct gm_upload *gm_uploads_find(const struct gm_uploads *t, const char *id)
{
    struct gm_upload *u = NULL;
    HASH_FIND_STR(t->all, id, u);
    return u;
}

void gm_uploads_drop(struct gm_uploads *t, struct gm_upload *u)
{
    GM_ASSERT(t->all != NULL);
    HASH_DEL(t->all, u);
    gm_upload_destroy(&u);
}

void gm_uploads_fini(struct gm_uploads *t)
{
    struct gm_upload *u = t->all, *next = NULL;
    HASH_CLEAR(hh, t->all);
    for (; u != NULL; u = next) {
        next = u->hh.next;
        gm_upload_destroy(&u);
    }
}

uint32_t gm_uploads_open_count(const struct gm_uploads *t)
{
    uint32_t count = 0;
    for (const struct gm_upload *u = t->all; u != NULL; u = u->hh.next) {
        count += !u->complete && !u->leaving;
    }
    return count;
}

/* ---- parts */

int gm_upload_name(struct gm_upload *u, uint64_t index, const uint8_t *sha256, struct gm_err *err)
{
    if (index >= u->count) {
        return gm_err_set(err, GM_E_INVAL, (int64_t)index,
                          "there is no part %llu: the upload has %u, from 0 on",
                          (unsigned long long)index, u->count);
    }
    struct gm_upload_part *part = &u->parts[index];
    if ((sha256 == NULL) != u->whole) {
        return u->whole ? gm_err_set(err, GM_E_INVAL, 0,
                                     "an upload as a whole has no hash, and the URL that it began "
                                     "with")
                        : gm_err_set(err, GM_E_INVAL, 0, "part %llu has no `sha256`",
                                     (unsigned long long)index);
    }
    if (sha256 != NULL && part->named && memcmp(part->sha256, sha256, GM_SHA256_SIZE) != 0) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "part %llu has other bytes than were said before: did the file change?",
                          (unsigned long long)index);
    }
    if (part->there) {
        return 1;
    }
    if (u->complete || u->leaving) {
        return gm_err_set(err, GM_E_CONFLICT, 0, "the upload has ended");
    }
    if (sha256 != NULL) {
        memcpy(part->sha256, sha256, GM_SHA256_SIZE);
        part->named = true;
    }
    return 0;
}

bool gm_upload_note(struct gm_upload *u, uint64_t index, const uint8_t *sha256, uint64_t size,
                    int64_t now_unix_ms)
{
    if (index >= u->count || (sha256 == NULL) != u->whole) {
        return false;
    }
    struct gm_upload_part *part = &u->parts[index];
    if (part->there || part->size != size ||
        (sha256 != NULL && part->named && memcmp(part->sha256, sha256, GM_SHA256_SIZE) != 0)) {
        return false;
    }
    if (sha256 != NULL) {
        memcpy(part->sha256, sha256, GM_SHA256_SIZE);
        part->named = true;
    }
    part->there = true;
    u->there++;
    if (u->changed_unix_ms < now_unix_ms) {
        u->changed_unix_ms = now_unix_ms;
    }
    return true;
}

int gm_upload_tag(struct gm_upload *u, const char *etag, struct gm_err *err)
{
    if (etag[0] == '\0' || strcmp(u->etag, etag) == 0) {
        return 0;
    }
    if (u->etag[0] != '\0' && (u->read || u->complete)) {
        return gm_err_set(err, GM_E_CONFLICT, 0,
                          "other bytes were put when jobs read the upload already: begin another");
    }
    (void)snprintf(u->etag, sizeof u->etag, "%s", etag);
    return 0;
}

enum gm_upload_state gm_upload_state(const struct gm_upload *u, int64_t now_unix_ms,
                                     int64_t idle_ms)
{
    if (u->complete) {
        return GM_UPLOAD_COMPLETE;
    }
    int64_t since = u->whole ? u->created_unix_ms + GM_UPLOAD_WHOLE_MS : 0;
    since = since < u->changed_unix_ms ? u->changed_unix_ms : since;
    return now_unix_ms - since > idle_ms ? GM_UPLOAD_IDLE : GM_UPLOAD_OPEN;
}

const char *gm_upload_state_name(enum gm_upload_state state)
{
    static const char *const names[] = {"open", "idle", "complete"};
    return names[state];
}

int64_t gm_upload_expires(const struct gm_upload *u, int64_t keep_ms)
{
    int64_t at = u->changed_unix_ms + keep_ms;
    int64_t last = u->created_unix_ms + GM_UPLOAD_MAX_AGE_MS;
    return u->complete || at < last ? at : last;
}

int gm_upload_check_all(const struct gm_upload *u, struct gm_err *err)
{
    char text[160] = "";
    size_t used = 0;
    int told = 0;
    if (u->there == u->count) {
        return 0;
    }
    for (uint32_t i = 0; i < u->count && told < TOLD_MISSING; i++) {
        if (u->parts[i].there) {
            continue;
        }
        uint32_t first = i;
        while (i + 1 < u->count && !u->parts[i + 1].there) {
            i++;
        }
        int n = first == i
                    ? snprintf(text + used, sizeof text - used, "%s%u", told > 0 ? ", " : "", first)
                    : snprintf(text + used, sizeof text - used, "%s%u-%u", told > 0 ? ", " : "",
                               first, i);
        used += (size_t)n;
        told++;
    }
    return gm_err_set(err, GM_E_CONFLICT, u->count - u->there,
                      "%u of %u parts are missing, the first ones: %s", u->count - u->there,
                      u->count, text);
}

int gm_upload_runs(const struct gm_upload *u, Gm__PartRun **out_runs, Gm__PartRun ***out_list,
                   size_t *out_count, struct gm_err *err)
{
    Gm__PartRun *runs = calloc(u->count, sizeof *runs);
    Gm__PartRun **list = calloc(u->count, sizeof(Gm__PartRun *));
    size_t count = 0;
    if (runs == NULL || list == NULL) {
        free(runs);
        free(list);
        return gm_err_nomem(err);
    }
    for (uint32_t i = 0; i < u->count; i++) {
        if (count == 0 || runs[count - 1].size != u->parts[i].size) {
            gm__part_run__init(&runs[count]);
            runs[count].size = u->parts[i].size;
            list[count] = &runs[count];
            count++;
        }
        runs[count - 1].count++;
    }
    *out_runs = runs;
    *out_list = list;
    *out_count = count;
    return 0;
}

/* ---- keys */

void gm_upload_part_key(const struct gm_upload *u, uint32_t index, char out[GM_UPLOAD_KEY_SIZE])
{
    char hex[2 * GM_SHA256_SIZE + 1];
    if (u->whole) {
        gm_upload_whole_key(u->id, out);
        return;
    }
    (void)snprintf(out, GM_UPLOAD_KEY_SIZE, "%s/part-%05u-%s", u->id, index,
                   gm_hex(u->parts[index].sha256, GM_SHA256_SIZE, hex));
}

void gm_upload_whole_key(const char *id, char out[GM_UPLOAD_KEY_SIZE])
{
    (void)snprintf(out, GM_UPLOAD_KEY_SIZE, "%s/" WHOLE, id);
}

void gm_upload_info_key(const char *id, char out[GM_UPLOAD_KEY_SIZE])
{
    (void)snprintf(out, GM_UPLOAD_KEY_SIZE, "%s/" INFO, id);
}

void gm_upload_manifest_key(const char *id, char out[GM_UPLOAD_KEY_SIZE])
{
    (void)snprintf(out, GM_UPLOAD_KEY_SIZE, "%s/" MANIFEST, id);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool gm_upload_hash_read(const char *text, uint8_t out[GM_SHA256_SIZE])
{
    if (strlen(text) != (size_t)2 * GM_SHA256_SIZE ||
        text[strspn(text, "0123456789abcdef")] != '\0') {
        return false;
    }
    for (size_t i = 0; i < GM_SHA256_SIZE; i++) {
        out[i] = (uint8_t)(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
    }
    return true;
}

enum gm_upload_kind gm_upload_key_read(const char *key, struct gm_upload_key *out)
{
    if (strnlen(key, GM_ID_SIZE) < GM_ID_SIZE || key[GM_ID_SIZE - 1] != '/') {
        return GM_UPLOAD_OTHER;
    }
    const char *name = key + GM_ID_SIZE;
    memcpy(out->id, key, GM_ID_SIZE - 1);
    out->id[GM_ID_SIZE - 1] = '\0';
    out->index = 0;
    if (!gm_id_is(out->id)) {
        return GM_UPLOAD_OTHER;
    }
    if (strcmp(name, INFO) == 0) {
        return GM_UPLOAD_INFO;
    }
    if (strcmp(name, MANIFEST) == 0) {
        return GM_UPLOAD_MANIFEST;
    }
    if (strcmp(name, WHOLE) == 0) {
        return GM_UPLOAD_WHOLE;
    }
    if (strncmp(name, "part-", 5) != 0 || strspn(name + 5, "0123456789") != 5 || name[10] != '-' ||
        !gm_upload_hash_read(name + 11, out->sha256)) {
        return GM_UPLOAD_OTHER;
    }
    out->index = (uint32_t)strtoul(name + 5, NULL, 10);
    return GM_UPLOAD_PART;
}
