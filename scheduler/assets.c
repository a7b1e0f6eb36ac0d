#include "scheduler/assets.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "scheduler/core/view_farm.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/doc_assets.h"

#define OLDER_AT_ONCE 20
#define FORGET_AT_ONCE 200

struct gm_asset_raw {
    uint8_t *data; /* owned */
    size_t size;
    char *job; /* owned; as the key says */
};
struct reading {
    struct gm_daemon *d; /* borrowed */
    struct gm_asset_raw *raw;
    size_t count;
    struct gm_catalogue table;
    char **bad; /* owned: jobs of rows that do not read, or whose place was taken */
    size_t bad_count, bad_cap;
};

static void raw_free(struct gm_asset_raw *raw, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(raw[i].data);
        free(raw[i].job);
    }
    free(raw);
}

static void strings_free(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(strings[i]);
    }
    free(strings);
}

/* ---- rows */

static struct gm_key key_of(const char *job_id, char name[sizeof GM_ASSET_KEY + 64])
{
    (void)snprintf(name, sizeof GM_ASSET_KEY + 64, GM_ASSET_KEY "%.64s", job_id);
    return (struct gm_key){.kind = GM_ROW_NODE, .name = name};
}

void gm_assets_put(struct gm_effects *fx, const Gm__AssetRow *row)
{
    char name[sizeof GM_ASSET_KEY + 64];
    const struct gm_key key = key_of(row->job, name);
    size_t size = 0;
    uint8_t *data = gm_asset_encode(row, &size);
    gm_effects_add_row(fx, &key, data, size);
}

void gm_assets_delete(struct gm_effects *fx, const char *job_id)
{
    char name[sizeof GM_ASSET_KEY + 64];
    const struct gm_key key = key_of(job_id, name);
    gm_effects_add_row(fx, &key, NULL, 0);
}

static void commit_rows(struct gm_daemon *d, struct gm_effects *fx)
{
    struct gm_err err = {0};
    if (fx->row_count > 0) {
        GM_IGNORE(gm_daemon_commit_rows(d, fx, NULL, NULL, &err), "the daemon ends with it");
    }
}

/* ---- what is made of a job */

static char *document_of(const struct gm_core *core, const char *job_id)
{
    struct gm_err err = {0};
    json_t *doc = NULL;
    if (gm_doc_asset(core, job_id, &doc, &err) < 0) {
        gm_log_err(GM_LOG_WARN, "asset_not_listed", &err, "job=%s", job_id);
        return NULL;
    }
    char *text = json_dumps(doc, JSON_COMPACT);
    if (text != NULL && strlen(text) > GM_ASSET_DOCUMENT) { /* so many renditions, or long names */
        free(text);
        (void)json_object_set_new(doc, "renditions", json_array());
        text = json_dumps(doc, JSON_COMPACT);
    }
    json_decref(doc);
    if (text != NULL && strlen(text) > GM_ASSET_DOCUMENT) {
        gm_log(GM_LOG_WARN, "asset_not_listed", "job=%s reason=too_long", job_id);
        free(text);
        text = NULL;
    }
    return text;
}

/* NULL: it can't be listed. */
static Gm__AssetRow *make_row(const struct gm_core *core, const char *job_id)
{
    struct gm_job_view v;
    struct gm_err err = {0};
    if (gm_view_job(core, job_id, &v, &err) < 0) {
        return NULL;
    }
    bool is = v.state == GM_JOB_DONE && !v.plan_only && v.publication[0] != '\0' && !v.removed;
    char *text = is ? document_of(core, job_id) : NULL;
    Gm__AssetRow *row = NULL;
    if (text != NULL) {
        row = gm_mem_zalloc(sizeof *row);
        gm__asset_row__init(row);
        row->job = gm_mem_strdup(v.id);
        row->tenant = gm_mem_strdup(v.tenant);
        row->title = gm_mem_strdup(v.source_name);
        row->destination = gm_mem_strdup(v.destination_url);
        row->mark = gm_mem_strdup(v.destination_mark);
        row->publication = gm_mem_strdup(v.publication);
        row->finished_unix_ms = v.finished_unix_ms;
        row->document = text;
        row->backup = gm_mem_strdup(v.backup.url);
        row->backup_mark = gm_mem_strdup(v.backup.mark);
    }
    gm_view_job_fini(&v);
    return row;
}

/* ---- what steps bring */

/* Some at a time: after `keep_assets` was lowered they are many. Those that are taken down stay. */
static void forget_oldest(struct gm_daemon *d, struct gm_effects *fx)
{
    struct gm_catalogue *table = &d->assets.table;
    for (int i = 0; i < FORGET_AT_ONCE && table->all.count > (size_t)d->settings->keep_assets;
         i++) {
        struct gm_asset *oldest = gm_catalogue_oldest(table);
        if (oldest == NULL) {
            return;
        }
        gm_assets_delete(fx, oldest->row->job);
        gm_catalogue_drop(table, oldest);
    }
}

/* Takes the row, of the title that was published last at its place. */
static void list_row(struct gm_daemon *d, Gm__AssetRow *row, struct gm_effects *fx)
{
    Gm__AssetRow *gone = gm_catalogue_add(&d->assets.table, row, true);
    if (gone != NULL) {
        gm_assets_delete(fx, gone->job);
        gm__asset_row__free_unpacked(gone, NULL);
    }
    forget_oldest(d, fx);
}

void gm_assets_effects(struct gm_daemon *d, const struct gm_event *event, struct gm_effects *fx)
{
    struct gm_assets *a = &d->assets;
    for (size_t i = 0; i < fx->event_count; i++) {
        const struct gm_job_event *e = &fx->events[i];
        Gm__AssetRow *row =
            e->durable && strcmp(e->type, "job.done") == 0 ? make_row(d->core, e->job_id) : NULL;
        if (row != NULL) {
            gm_assets_put(fx, row);
            a->pending =
                gm_mem_grow(a->pending, a->pending_count, &a->pending_cap, sizeof(Gm__AssetRow *));
            a->pending[a->pending_count++] = row;
        }
    }
    if (event != NULL && event->type == GM_EV_TAKEDOWN) {
        const struct gm_asset *asset = gm_catalogue_find(&a->table, event->job_id);
        if (asset != NULL) {
            gm_assets_put(fx, asset->row);
        }
    } else if (event != NULL && event->type == GM_EV_TAKEN_DOWN) {
        gm_assets_delete(fx, event->job_id);
    }
}

/* Those that wait, once their jobs' ends are on disk and the table is there. */
static void list_pending(struct gm_daemon *d, const char *job_id)
{
    struct gm_assets *a = &d->assets;
    struct gm_effects fx = {0};
    size_t kept = 0;
    for (size_t i = 0; a->ready && i < a->pending_count; i++) {
        if (strcmp(a->pending[i]->job, job_id) == 0) {
            list_row(d, a->pending[i], &fx);
        } else {
            a->pending[kept++] = a->pending[i];
        }
    }
    a->pending_count = a->ready ? kept : a->pending_count;
    commit_rows(d, &fx);
}

void gm_assets_event(struct gm_daemon *d, const struct gm_job_event *e)
{
    if (e->durable && strcmp(e->type, "job.done") == 0) {
        list_pending(d, e->job_id);
    }
}

/* ---- the start */

int gm_assets_load(struct gm_assets *a, const struct gm_key *key, const void *data, size_t size,
                   struct gm_err *err)
{
    int rc = gm_array_reserve(&a->raw, a->raw_count, 1, &a->raw_cap, sizeof *a->raw, err);
    if (rc == 0) {
        a->raw[a->raw_count++] =
            (struct gm_asset_raw){.data = gm_mem_dup(data, size),
                                  .size = size,
                                  .job = gm_mem_strdup(gm_asset_job(key->name))};
    }
    return rc;
}

static void note_bad(struct reading *r, const char *job_id)
{
    r->bad = gm_mem_grow(r->bad, r->bad_count, &r->bad_cap, sizeof(char *));
    r->bad[r->bad_count++] = gm_mem_strdup(job_id);
}

static void read_rows(void *arg)
{
    struct reading *r = arg;
    for (size_t i = 0; i < r->count; i++) {
        struct gm_err err = {0};
        Gm__AssetRow *row = NULL;
        int rc = gm_asset_decode(r->raw[i].data, r->raw[i].size, &row, &err);
        if (rc == 0 && strcmp(row->job, r->raw[i].job) != 0) {
            gm__asset_row__free_unpacked(row, NULL);
            rc = gm_err_set(&err, GM_E_PROTO, 0, "the row is of another title");
        }
        if (rc < 0) {
            gm_log_err(GM_LOG_WARN, "asset_row_dropped", &err, "job=%s", r->raw[i].job);
            note_bad(r, r->raw[i].job);
            continue;
        }
        Gm__AssetRow *gone = gm_catalogue_add(&r->table, row, false);
        if (gone != NULL) { /* the scheduler died before it was deleted */
            note_bad(r, gone->job);
            gm__asset_row__free_unpacked(gone, NULL);
        }
    }
    raw_free(r->raw, r->count);
    r->raw = NULL;
    r->count = 0;
}

/* What stands in the list is of a job that is not known any more, or was submitted before, and
 * ended before: an earlier release, which knows no list, published over it. */
static bool is_over(const struct gm_daemon *d, const struct gm_card_view *card,
                    const struct gm_asset *stands)
{
    struct gm_card_view other;
    bool known = gm_view_card(d->core, stands->row->job, &other);
    return stands->row->removing_unix_ms == 0 && (!known || other.seq < card->seq) &&
           stands->row->finished_unix_ms < card->finished_unix_ms;
}

/* Whether a job that is done should be listed, and is not. */
static bool is_older(const struct gm_daemon *d, const char *job_id)
{
    const struct gm_catalogue *table = &d->assets.table;
    const char *source = NULL, *destination = NULL;
    struct gm_card_view card;
    struct gm_err err;
    bool known = gm_catalogue_find(table, job_id) != NULL ||
                 !gm_view_card(d->core, job_id, &card) || card.removed ||
                 gm_view_job_urls(d->core, job_id, &source, &destination, &err) < 0;
    if (known) {
        return false;
    }
    const struct gm_asset *stands = gm_catalogue_at(table, destination);
    return stands != NULL ? is_over(d, &card, stands)
                          : table->all.count < (size_t)d->settings->keep_assets;
}

static void find_older(struct gm_daemon *d)
{
    struct gm_assets *a = &d->assets;
    for (const char *id = gm_view_next_published(d->core, NULL); id != NULL;
         id = gm_view_next_published(d->core, id)) {
        if (is_older(d, id)) {
            a->older = gm_mem_grow(a->older, a->older_count, &a->older_cap, sizeof(char *));
            a->older[a->older_count++] = gm_mem_strdup(id);
        }
    }
}

static bool is_ending(const struct gm_daemon *d, const Gm__AssetRow *row)
{
    return gm_daemon_is_ending(d, row->job);
}

static void read_done(void *arg)
{
    struct reading *r = arg;
    struct gm_daemon *d = r->d;
    struct gm_assets *a = &d->assets;
    struct gm_effects fx = {0};
    size_t kept = 0;
    a->table = r->table;
    a->ready = true;
    for (size_t i = 0; i < r->bad_count; i++) {
        gm_assets_delete(&fx, r->bad[i]);
    }
    strings_free(r->bad, r->bad_count);
    for (size_t i = 0; i < a->pending_count; i++) {
        if (is_ending(d, a->pending[i])) {
            a->pending[kept++] = a->pending[i];
        } else {
            list_row(d, a->pending[i], &fx);
        }
    }
    a->pending_count = kept;
    commit_rows(d, &fx);
    find_older(d);
    gm_retire_titles(d);
    gm_takedown_start(d);
    free(r);
}

int gm_assets_start(struct gm_daemon *d, struct gm_err *err)
{
    struct reading *r = gm_mem_zalloc(sizeof *r);
    *r = (struct reading){.d = d, .raw = d->assets.raw, .count = d->assets.raw_count};
    int rc = gm_daemon_work(d, read_rows, read_done, r, err);
    if (rc < 0) {
        free(r);
        return rc;
    }
    d->assets.raw = NULL;
    d->assets.raw_count = d->assets.raw_cap = 0;
    return 0;
}

/* Beyond the bound the oldest go; of jobs that an earlier release finished titles come. */
void gm_assets_tick(struct gm_daemon *d)
{
    struct gm_assets *a = &d->assets;
    struct gm_effects fx = {0};
    if (a->ready) {
        forget_oldest(d, &fx);
    }
    for (int i = 0; i < OLDER_AT_ONCE && a->older_next < a->older_count; i++) {
        const char *id = a->older[a->older_next++];
        Gm__AssetRow *row = is_older(d, id) ? make_row(d->core, id) : NULL;
        if (row != NULL) {
            gm_assets_put(&fx, row);
            list_row(d, row, &fx);
        }
    }
    if (a->older != NULL && a->older_next == a->older_count) {
        strings_free(a->older, a->older_count);
        a->older = NULL;
        a->older_count = a->older_cap = a->older_next = 0;
    }
    commit_rows(d, &fx);
}

void gm_assets_fini(struct gm_assets *a)
{
    raw_free(a->raw, a->raw_count);
    for (size_t i = 0; i < a->pending_count; i++) {
        gm__asset_row__free_unpacked(a->pending[i], NULL);
    }
    free(a->pending);
    strings_free(a->older, a->older_count);
    gm_catalogue_fini(&a->table);
    *a = (struct gm_assets){0};
}
