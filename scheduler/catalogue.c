#include "scheduler/catalogue.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"

#define ROW_BYTES ((size_t)64 << 10)
#define JOB_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

/* ---- rows */

static bool is_job(const char *id)
{
    size_t n = strspn(id, JOB_BYTES);
    return n > 0 && n <= 64 && id[n] == '\0';
}

/* It is answered as it is. */
static bool is_object(const char *text)
{
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool is = json_is_object(j) && json_object_size(j) > 0;
    json_decref(j);
    return is && text[0] == '{' && text[strlen(text) - 1] == '}';
}

int gm_asset_decode(const void *data, size_t size, Gm__AssetRow **out, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__node_row__descriptor, data, size, ROW_BYTES, &message, err);
    if (rc < 0) {
        return rc;
    }
    Gm__NodeRow *node = (Gm__NodeRow *)message;
    Gm__AssetRow *row = node->asset;
    node->asset = NULL;
    protobuf_c_message_free_unpacked(message, NULL);
    if (row == NULL || !is_job(row->job) || row->destination[0] == '\0' ||
        strlen(row->document) > GM_ASSET_DOCUMENT || !is_object(row->document)) {
        if (row != NULL) {
            gm__asset_row__free_unpacked(row, NULL);
        }
        return gm_err_set(err, GM_E_PROTO, 0, "the row of a title is not what it should be");
    }
    *out = row;
    return 0;
}

int gm_asset_removing(const void *data, size_t size, bool *out, struct gm_err *err)
{
    ProtobufCMessage *message = NULL;
    int rc = gm_message_decode(&gm__node_row__descriptor, data, size, ROW_BYTES, &message, err);
    if (rc == 0) {
        const Gm__NodeRow *node = (const Gm__NodeRow *)message;
        *out = node->asset != NULL && node->asset->removing_unix_ms != 0;
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return rc;
}

uint8_t *gm_asset_encode(const Gm__AssetRow *row, size_t *out_size)
{
    char name[sizeof GM_ASSET_KEY + 64];
    Gm__NodeRow node = GM__NODE_ROW__INIT;
    (void)snprintf(name, sizeof name, GM_ASSET_KEY "%.64s", row->job);
    node.node_id = name;
    node.asset = (Gm__AssetRow *)(uintptr_t)row;
    return gm_mem_encode(&node.base, out_size);
}

const char *gm_asset_job(const char *name)
{
    size_t n = strlen(GM_ASSET_KEY);
    return name != NULL && strncmp(name, GM_ASSET_KEY, n) == 0 ? name + n : NULL;
}

/* ---- positions */

static int compare(const struct gm_asset *a, int64_t finished_unix_ms, const char *job)
{
    if (a->row->finished_unix_ms != finished_unix_ms) {
        return a->row->finished_unix_ms < finished_unix_ms ? -1 : 1;
    }
    return strcmp(a->row->job, job);
}

static struct gm_asset *title_at(const struct gm_asset_line *line, size_t i)
{
    return line->titles[line->first + i];
}

/* How many are older than that. */
static size_t count_older(const struct gm_asset_line *line, int64_t finished_unix_ms,
                          const char *job)
{
    size_t from = 0, to = line->count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (compare(title_at(line, mid), finished_unix_ms, job) < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

static void move(struct gm_asset_line *line, size_t to, size_t from, size_t count)
{
    memmove(&line->titles[to], &line->titles[from], count * sizeof(struct gm_asset *));
}

/* Titles come at the end mostly, and go at the beginning: neither moves the others. */
static void line_add(struct gm_asset_line *line, struct gm_asset *asset)
{
    size_t at = count_older(line, asset->row->finished_unix_ms, asset->row->job);
    if (line->first > 0 && line->first >= line->count) {
        move(line, 0, line->first, line->count);
        line->first = 0;
    }
    size_t end = line->first + line->count;
    line->titles = gm_mem_grow(line->titles, end, &line->cap, sizeof(struct gm_asset *));
    move(line, line->first + at + 1, line->first + at, line->count - at);
    line->titles[line->first + at] = asset;
    line->count++;
}

static void line_drop(struct gm_asset_line *line, const struct gm_asset *asset)
{
    size_t at = count_older(line, asset->row->finished_unix_ms, asset->row->job);
    line->count--;
    if (at < line->count / 2 + 1) {
        move(line, line->first + 1, line->first, at);
        line->first++;
    } else {
        move(line, line->first + at, line->first + at + 1, line->count - at);
    }
}

static struct gm_asset_line *line_of(const struct gm_catalogue *c, const char *tenant)
{
    struct gm_asset_line *line = NULL;
    HASH_FIND_STR(c->tenants, tenant, line);
    return line;
}

static struct gm_asset_line *line_make(struct gm_catalogue *c, const char *tenant)
{
    struct gm_asset_line *line = line_of(c, tenant);
    if (line == NULL) {
        line = gm_mem_zalloc(sizeof *line);
        line->tenant = gm_mem_strdup(tenant);
        HASH_ADD_KEYPTR(hh, c->tenants, line->tenant, strlen(line->tenant), line);
    }
    return line;
}

/* ---- the table */

struct gm_asset *gm_catalogue_find(const struct gm_catalogue *c, const char *job)
{
    struct gm_asset *asset = NULL;
    HASH_FIND(job, c->jobs, job, strlen(job), asset);
    return asset;
}

struct gm_asset *gm_catalogue_at(const struct gm_catalogue *c, const char *destination)
{
    struct gm_asset *asset = NULL;
    HASH_FIND(place, c->places, destination, strlen(destination), asset);
    return asset;
}

struct gm_asset *gm_catalogue_oldest(const struct gm_catalogue *c)
{
    size_t i = 0;
    while (i < c->all.count && title_at(&c->all, i)->row->removing_unix_ms != 0) {
        i++;
    }
    return i < c->all.count ? title_at(&c->all, i) : NULL;
}

struct gm_asset *gm_catalogue_title(const struct gm_catalogue *c, size_t i)
{
    return title_at(&c->all, i);
}

static void leave_place(struct gm_catalogue *c, struct gm_asset *asset)
{
    if (asset->placed) {
        HASH_DELETE(place, c->places, asset);
        asset->placed = false;
    }
}

/* Its row is the caller's. */
static Gm__AssetRow *take_out(struct gm_catalogue *c, struct gm_asset *asset)
{
    Gm__AssetRow *row = asset->row;
    struct gm_asset_line *line = line_of(c, row->tenant);
    line_drop(&c->all, asset);
    if (line != NULL) {
        line_drop(line, asset);
    }
    if (line != NULL && line->count == 0) {
        HASH_DEL(c->tenants, line);
        free(line->titles);
        free(line->tenant);
        free(line);
    }
    HASH_DELETE(job, c->jobs, asset);
    leave_place(c, asset);
    free(asset);
    return row;
}

Gm__AssetRow *gm_catalogue_add(struct gm_catalogue *c, Gm__AssetRow *row, bool latest)
{
    bool goes = row->removing_unix_ms != 0; /* its place is others' */
    struct gm_asset *stands = gm_catalogue_find(c, row->job);
    if (stands == NULL && !goes) {
        stands = gm_catalogue_at(c, row->destination);
        if (stands != NULL && stands->row->removing_unix_ms != 0) {
            leave_place(c, stands);
            stands = NULL;
        }
    }
    if (stands != NULL && !latest && compare(stands, row->finished_unix_ms, row->job) > 0) {
        return row;
    }
    Gm__AssetRow *gone = stands != NULL ? take_out(c, stands) : NULL;
    struct gm_asset *asset = gm_mem_zalloc(sizeof *asset);
    asset->row = row;
    HASH_ADD_KEYPTR(job, c->jobs, row->job, strlen(row->job), asset);
    if (!goes) {
        HASH_ADD_KEYPTR(place, c->places, row->destination, strlen(row->destination), asset);
        asset->placed = true;
    }
    line_add(&c->all, asset);
    line_add(line_make(c, row->tenant), asset);
    return gone;
}

void gm_catalogue_drop(struct gm_catalogue *c, struct gm_asset *asset)
{
    gm__asset_row__free_unpacked(take_out(c, asset), NULL);
}

void gm_catalogue_fini(struct gm_catalogue *c)
{
    struct gm_asset_line *line, *next;
    HASH_ITER(hh, c->tenants, line, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the table */
        HASH_DEL(c->tenants, line);
        free(line->titles);
        free(line->tenant);
        free(line);
    }
    HASH_CLEAR(job, c->jobs);
    HASH_CLEAR(place, c->places);
    for (size_t i = 0; i < c->all.count; i++) {
        gm__asset_row__free_unpacked(title_at(&c->all, i)->row, NULL);
        free(title_at(&c->all, i));
    }
    free(c->all.titles);
    *c = (struct gm_catalogue){0};
}

/* ---- pages */

int gm_asset_cursor_read(const char *text, struct gm_asset_cursor *out, struct gm_err *err)
{
    char *end = NULL;
    errno = 0;
    long long ms = strtoll(text, &end, 10);
    bool is = text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == '-' && is_job(end + 1);
    if (!is) {
        return gm_err_set(err, GM_E_INVAL, 0, "cursor is the `next` of an answer");
    }
    *out = (struct gm_asset_cursor){.finished_unix_ms = ms};
    (void)snprintf(out->job, sizeof out->job, "%s", end + 1);
    return 0;
}

void gm_asset_cursor_write(const struct gm_asset_cursor *cursor, char out[GM_ASSET_CURSOR])
{
    (void)snprintf(out, GM_ASSET_CURSOR, "%" PRId64 "-%s", cursor->finished_unix_ms, cursor->job);
}

static bool fits(const struct gm_asset_wish *wish, const Gm__AssetRow *row)
{
    return wish->part == NULL || strcasestr(row->title, wish->part) != NULL ||
           strcasestr(row->destination, wish->part) != NULL;
}

bool gm_catalogue_page(const struct gm_catalogue *c, const struct gm_asset_wish *wish,
                       struct gm_asset_cursor *cursor,
                       void (*fn)(const struct gm_asset *asset, void *arg), void *arg)
{
    const struct gm_asset_line *line = wish->tenant != NULL ? line_of(c, wish->tenant) : &c->all;
    size_t listed = 0, looks = 0;
    if (line == NULL) {
        return false;
    }
    size_t at = cursor->job[0] == '\0' ? line->count
                                       : count_older(line, cursor->finished_unix_ms, cursor->job);
    for (; at > 0 && listed < wish->limit && looks < wish->looks; at--) {
        const struct gm_asset *asset = title_at(line, at - 1);
        bool is = fits(wish, asset->row);
        listed += is ? 1 : 0;
        looks += is ? 0 : 1;
        if (is) {
            fn(asset, arg);
        }
        cursor->finished_unix_ms = asset->row->finished_unix_ms;
        (void)snprintf(cursor->job, sizeof cursor->job, "%s", asset->row->job);
    }
    return at > 0;
}
