/* See scheduler/stored_pipelines.h. The table is changed by the loop alone, when the change is on
 * disk; the pool reads it, too: so there is a lock, and who works with a row holds it. */
#include "scheduler/stored_pipelines.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/envelope.h"
#include "scheduler/daemon_parts.h"
#include "scheduler/pipeline/pipeline.h"

#define NAME_BYTES 65

struct stored {
    Gm__PipelineRow *row; /* owned */
    size_t bytes;         /* of it */
    atomic_uint refs;     /* the table's is one */
    UT_hash_handle hh;    /* by row->name */
};
struct gm_stored_pipelines {
    uv_mutex_t lock;
    struct stored *table; /* owned */
    size_t bytes;         /* of its rows; this and the next two: loop only */
    size_t coming;        /* that are not on disk yet, */
    size_t coming_bytes;  /* and theirs */
};

static void unref(struct stored *s)
{
    if (s != NULL && atomic_fetch_sub(&s->refs, 1) == 1) {
        gm__pipeline_row__free_unpacked(s->row, NULL);
        free(s);
    }
}

static struct stored *find(const struct gm_stored_pipelines *stored, const char *name)
{
    struct stored *s = NULL;
    HASH_FIND_STR(stored->table, name, s);
    return s;
}

static struct stored *find_ref(struct gm_stored_pipelines *stored, const char *name)
{
    uv_mutex_lock(&stored->lock);
    struct stored *s = find(stored, name);
    if (s != NULL) {
        atomic_fetch_add(&s->refs, 1);
    }
    uv_mutex_unlock(&stored->lock);
    return s;
}

/* Under the lock. *fresh, if it is one, takes the place; what comes back is to be unreferenced. */
static struct stored *replace(struct gm_stored_pipelines *stored, const char *name,
                              struct stored *fresh)
{
    struct stored *s = find(stored, name);
    if (s != NULL) {
        HASH_DEL(stored->table, s);
        stored->bytes -= s->bytes;
    }
    if (fresh != NULL) {
        HASH_ADD_KEYPTR(hh, stored->table, fresh->row->name, strlen(fresh->row->name), fresh);
        stored->bytes += fresh->bytes;
    }
    return s;
}

static void drop(struct gm_stored_pipelines *stored, const char *name)
{
    uv_mutex_lock(&stored->lock);
    struct stored *s = replace(stored, name, NULL);
    uv_mutex_unlock(&stored->lock);
    unref(s);
}

/* Takes the row. */
static void add(struct gm_stored_pipelines *stored, Gm__PipelineRow *row)
{
    struct stored *s = gm_mem_zalloc(sizeof *s);
    s->row = row;
    s->bytes = gm__pipeline_row__get_packed_size(row);
    atomic_init(&s->refs, 1);
    uv_mutex_lock(&stored->lock);
    struct stored *before = replace(stored, row->name, s); /* at once: the pool always finds one */
    uv_mutex_unlock(&stored->lock);
    unref(before);
}

int gm_stored_pipelines_create(struct gm_stored_pipelines **out, struct gm_err *err)
{
    struct gm_stored_pipelines *stored = calloc(1, sizeof *stored);
    if (stored == NULL || uv_mutex_init(&stored->lock) != 0) {
        free(stored);
        return gm_err_nomem(err);
    }
    *out = stored;
    return 0;
}

void gm_stored_pipelines_destroy(struct gm_stored_pipelines **pstored)
{
    struct gm_stored_pipelines *stored = *pstored;
    if (stored == NULL) {
        return;
    }
    while (stored->table != NULL) {
        drop(stored, stored->table->row->name);
    }
    uv_mutex_destroy(&stored->lock);
    free(stored);
    *pstored = NULL;
}

/* ---- rows */

static struct gm_key key_of(const char *name, char text[sizeof GM_STORED_PIPELINE_KEY + NAME_BYTES])
{
    (void)snprintf(text, sizeof GM_STORED_PIPELINE_KEY + NAME_BYTES, GM_STORED_PIPELINE_KEY "%.64s",
                   name);
    return (struct gm_key){.kind = GM_ROW_NODE, .name = text};
}

/* In a row of the kind GM_ROW_NODE, which earlier releases pass over. */
static uint8_t *encode(const Gm__PipelineRow *row, const struct gm_key *key, size_t *out_size)
{
    Gm__NodeRow node = GM__NODE_ROW__INIT;
    node.node_id = (char *)(uintptr_t)key->name;
    node.pipeline = (Gm__PipelineRow *)(uintptr_t)row;
    return gm_mem_encode(&node.base, out_size);
}

bool gm_stored_pipelines_is(const struct gm_key *key)
{
    return key->kind == GM_ROW_NODE && key->name != NULL &&
           strncmp(key->name, GM_STORED_PIPELINE_KEY, strlen(GM_STORED_PIPELINE_KEY)) == 0;
}

void gm_stored_pipelines_load(struct gm_stored_pipelines *stored, const struct gm_key *key,
                              const void *data, size_t size)
{
    const char *name = key->name + strlen(GM_STORED_PIPELINE_KEY);
    ProtobufCMessage *message = NULL;
    Gm__PipelineRow *row = NULL;
    struct gm_err err = {0};
    int rc = gm_message_decode(&gm__node_row__descriptor, data, size, GM_ENVELOPE_MAX_BYTES,
                               &message, &err);
    if (rc == 0) {
        Gm__NodeRow *node = (Gm__NodeRow *)message;
        row = node->pipeline;
        node->pipeline = NULL;
        protobuf_c_message_free_unpacked(message, NULL);
        if (row == NULL || !gm_pipeline_is_name(name) || strcmp(row->name, name) != 0) {
            rc = gm_err_set(&err, GM_E_PROTO, 0, "the row is of another pipeline, or of none");
        }
    }
    if (rc == 0) {
        add(stored, row);
        return;
    }
    gm_log_err(GM_LOG_WARN, "pipeline_not_read", &err, "name=%.64s", name);
    if (row != NULL) {
        gm__pipeline_row__free_unpacked(row, NULL);
    }
}

/* ---- reading */

static int parse(const Gm__PipelineRow *row, Gm__Pipeline **out, struct gm_err *err)
{
    char shown[NAME_BYTES + 8];
    Gm__Pipeline *p = NULL;
    (void)snprintf(shown, sizeof shown, "%.64s.yaml", row->name);
    int rc = gm_pipeline_parse(shown, row->yaml, strlen(row->yaml), &p, err);
    for (size_t i = 0; rc == 0 && i < row->n_assets; i++) {
        const Gm__Asset *a = row->assets[i];
        rc = gm_pipeline_add_asset(p, a->name, a->data.data, a->data.len, err);
    }
    rc = rc < 0 ? rc : gm_pipeline_check_assets(p, err);
    if (rc < 0) {
        if (p != NULL) {
            gm__pipeline__free_unpacked(p, NULL);
        }
        return rc;
    }
    *out = p;
    return 0;
}

static int read_stored(const Gm__PipelineRow *row, Gm__Pipeline **out, char **out_yaml,
                       struct gm_err *err)
{
    char *yaml = out_yaml != NULL ? strdup(row->yaml) : NULL;
    if (out_yaml != NULL && yaml == NULL) {
        return gm_err_nomem(err);
    }
    int rc = parse(row, out, err);
    if (rc < 0) {
        free(yaml);
    } else if (out_yaml != NULL) {
        *out_yaml = yaml;
    }
    return rc;
}

int gm_stored_pipelines_find(struct gm_stored_pipelines *stored, char *const *folders,
                             const char *name, Gm__Pipeline **out, char **out_yaml,
                             bool *out_stored, struct gm_err *err)
{
    int rc = gm_pipeline_find(folders, name, out, out_yaml, err);
    struct stored *s = rc == -GM_E_NOTFOUND ? find_ref(stored, name) : NULL;
    if (s != NULL) {
        rc = read_stored(s->row, out, out_yaml, err);
        unref(s);
    }
    if (rc == 0 && out_stored != NULL) {
        *out_stored = s != NULL;
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* *out: owned. */
static int dup_names(struct gm_stored_pipelines *stored, char (**out)[NAME_BYTES],
                     size_t *out_count, struct gm_err *err)
{
    size_t n = 0;
    uv_mutex_lock(&stored->lock);
    char(*names)[NAME_BYTES] = calloc(HASH_COUNT(stored->table) + 1, sizeof *names);
    for (const struct stored *s = stored->table; s != NULL && names != NULL; s = s->hh.next) {
        (void)snprintf(names[n++], NAME_BYTES, "%s", s->row->name);
    }
    uv_mutex_unlock(&stored->lock);
    if (names == NULL) {
        return gm_err_nomem(err);
    }
    qsort(names, n, sizeof *names, by_name);
    *out = names;
    *out_count = n;
    return 0;
}

int gm_stored_pipelines_list(struct gm_stored_pipelines *stored, char *const *folders,
                             int (*fn)(const char *name, void *arg), void *arg, struct gm_err *err)
{
    char(*names)[NAME_BYTES] = NULL;
    size_t count = 0;
    int rc = dup_names(stored, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = gm_pipeline_has_file(folders, names[i]) ? 0 : fn(names[i], arg);
    }
    free(names);
    return rc;
}

bool gm_stored_pipelines_has(struct gm_stored_pipelines *stored, const char *name)
{
    uv_mutex_lock(&stored->lock);
    bool has = find(stored, name) != NULL;
    uv_mutex_unlock(&stored->lock);
    return has;
}

/* ---- changes */

struct change {
    struct gm_stored_pipelines *stored; /* borrowed */
    Gm__PipelineRow *row;               /* owned; NULL: it goes */
    size_t bytes;                       /* of it */
    char name[NAME_BYTES];
    gm_daemon_answer_fn fn;
    void *arg;
};

static void on_durable(int rc, const struct gm_err *err, void *arg)
{
    struct change *c = arg;
    if (c->row != NULL) {
        c->stored->coming--;
        c->stored->coming_bytes -= c->bytes;
    }
    if (rc == 0 && c->row != NULL) {
        add(c->stored, c->row);
    } else if (rc == 0) {
        drop(c->stored, c->name);
    } else if (c->row != NULL) {
        gm__pipeline_row__free_unpacked(c->row, NULL);
    }
    c->fn(rc, err, c->arg);
    free(c);
}

/* row: NULL: it goes. */
static int commit(struct gm_daemon *d, const char *name, Gm__PipelineRow *row,
                  gm_daemon_answer_fn fn, void *arg, struct gm_err *err)
{
    char text[sizeof GM_STORED_PIPELINE_KEY + NAME_BYTES];
    const struct gm_key key = key_of(name, text);
    struct gm_effects fx = {0};
    struct change *c = gm_mem_zalloc(sizeof *c);
    size_t size = 0;
    uint8_t *data = row != NULL ? encode(row, &key, &size) : NULL;
    *c = (struct change){.stored = d->pipelines, .row = row, .bytes = size, .fn = fn, .arg = arg};
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    gm_effects_add_row(&fx, &key, data, size);
    if (row != NULL) {
        c->stored->coming++;
        c->stored->coming_bytes += size;
    }
    int rc = gm_daemon_commit_rows(d, &fx, on_durable, c, err);
    if (rc < 0) {
        free(c); /* the daemon ends: what is counted is never looked at again */
    }
    return rc;
}

int gm_stored_pipelines_put(struct gm_daemon *d, Gm__PipelineRow *row, gm_daemon_answer_fn fn,
                            void *arg, struct gm_err *err)
{
    const struct gm_stored_pipelines *stored = d->pipelines;
    const struct stored *before = find(stored, row->name);
    size_t count = HASH_COUNT(stored->table) + stored->coming + (before == NULL ? 1 : 0);
    size_t bytes = stored->bytes + stored->coming_bytes + gm__pipeline_row__get_packed_size(row) -
                   (before != NULL ? before->bytes : 0);
    if (count > GM_STORED_PIPELINES) {
        return gm_err_set(err, GM_E_LIMIT, 0, "%d pipelines are stored: delete one first",
                          GM_STORED_PIPELINES);
    }
    if (bytes > GM_STORED_BYTES) {
        return gm_err_set(err, GM_E_LIMIT, 0,
                          "pipelines and their images would take more than %zu MiB together",
                          GM_STORED_BYTES >> 20);
    }
    return commit(d, row->name, row, fn, arg, err);
}

int gm_stored_pipelines_delete(struct gm_daemon *d, const char *name, gm_daemon_answer_fn fn,
                               void *arg, struct gm_err *err)
{
    if (find(d->pipelines, name) == NULL) {
        return gm_err_set(
            err, GM_E_NOTFOUND, 0,
            "no pipeline `%.64s` is stored (those of the scheduler's folders are files)", name);
    }
    return commit(d, name, NULL, fn, arg, err);
}
