/* A batch of rows and events as one statement. */
#include "scheduler/store/postgres_batch.h"

#include <stdlib.h>
#include <string.h>

/* All of a batch or nothing of it: it is one statement, and where the fence has no row nothing is
 * done. $3: jobs to forget; $4 to $7: keys to delete; $8 to $12: rows to put; then events; $18: the
 * highest number of these. */
const char GM_PG_COMMIT[] =
    "WITH fence AS (UPDATE gopmill_meta SET batch = $2 + 1, beat = clock_timestamp(),"
    " last_event = greatest(last_event, $18)"
    " WHERE term = $1 AND batch = $2 RETURNING 1),"
    " forgot AS (DELETE FROM gopmill_row USING fence WHERE job = ANY($3)),"
    " hushed AS (DELETE FROM gopmill_event USING fence WHERE job = ANY($3)),"
    " gone AS (DELETE FROM gopmill_row r USING fence,"
    " unnest($4, $5, $6, $7) AS k(job, kind, at, name)"
    " WHERE r.job = k.job AND r.kind = k.kind AND r.at = k.at AND r.name = k.name),"
    " put AS (INSERT INTO gopmill_row SELECT p.* FROM fence,"
    " unnest($8, $9, $10, $11, $12) AS p(job, kind, at, name, body)"
    " ON CONFLICT (job, kind, at, name) DO UPDATE SET body = excluded.body),"
    " said AS (INSERT INTO gopmill_event SELECT e.* FROM fence,"
    " unnest($13, $14, $15, $16, $17) AS e(seq, job, type, json, unix_ms))"
    " SELECT count(*) FROM fence";

/* What a batch comes to: of a key the last row alone, and nothing of a job that goes. */
struct lists {
    const struct gm_row **puts; /* these are parts of `space` */
    size_t put_count;
    const struct gm_row **drops;
    size_t drop_count;
    const struct gm_row **jobs; /* deleted, with all that they have; in order */
    size_t job_count;
    const struct gm_row **space; /* owned */
};

static int by_job(const void *a, const void *b)
{
    uint64_t one = (*(const struct gm_row *const *)a)->key.job;
    uint64_t two = (*(const struct gm_row *const *)b)->key.job;
    return one < two ? -1 : one > two ? 1 : 0;
}

static bool is_gone(const struct lists *l, const struct gm_row *row)
{
    return row->key.job != 0 &&
           bsearch(&row, l->jobs, l->job_count, sizeof *l->jobs, by_job) != NULL;
}

static int lists_make(const struct gm_state_batch *batch, const bool *skip, struct lists *l,
                      struct gm_err *err)
{
    size_t count = batch->row_count;
    *l = (struct lists){.space = calloc(3 * count + 1, sizeof *l->space)};
    if (l->space == NULL) {
        return gm_err_nomem(err);
    }
    l->puts = l->space;
    l->drops = l->puts + count;
    l->jobs = l->drops + count;
    for (size_t i = 0; i < count; i++) {
        const struct gm_row *row = &batch->rows[i];
        if (!skip[i] && row->key.kind == GM_ROW_JOB && row->data == NULL) {
            l->jobs[l->job_count++] = row;
        }
    }
    qsort(l->jobs, l->job_count, sizeof *l->jobs, by_job);
    for (size_t i = 0; i < count; i++) {
        const struct gm_row *row = &batch->rows[i];
        if (skip[i] || is_gone(l, row)) {
            continue;
        }
        if (row->data != NULL) {
            l->puts[l->put_count++] = row;
        } else {
            l->drops[l->drop_count++] = row;
        }
    }
    return 0;
}

static const struct gm_row *row_at(const void *list, size_t i)
{
    return ((const struct gm_row *const *)list)[i];
}

static int64_t row_job(const void *list, size_t i)
{
    return (int64_t)row_at(list, i)->key.job;
}

static int64_t row_kind(const void *list, size_t i)
{
    return (int64_t)row_at(list, i)->key.kind;
}

static int64_t row_number(const void *list, size_t i)
{
    return (int64_t)gm_key_at(&row_at(list, i)->key);
}

static const void *row_name(const void *list, size_t i, size_t *out_size)
{
    const char *name = row_at(list, i)->key.name;
    *out_size = name != NULL ? strlen(name) : 0;
    return name != NULL ? name : "";
}

static const void *row_body(const void *list, size_t i, size_t *out_size)
{
    *out_size = row_at(list, i)->size;
    return row_at(list, i)->data;
}

static void add_keys(struct gm_pg_params *p, const struct gm_row **rows, size_t count)
{
    gm_pg_add_int8s(p, rows, count, row_job);
    gm_pg_add_int8s(p, rows, count, row_kind);
    gm_pg_add_int8s(p, rows, count, row_number);
    gm_pg_add_byteas(p, rows, count, row_name);
}

static const struct gm_state_event *event_at(const void *list, size_t i)
{
    return (const struct gm_state_event *)list + i;
}

static int64_t event_seq(const void *list, size_t i)
{
    return event_at(list, i)->seq;
}

static int64_t event_job(const void *list, size_t i)
{
    return (int64_t)event_at(list, i)->job;
}

static int64_t event_time(const void *list, size_t i)
{
    return event_at(list, i)->unix_ms;
}

static const void *event_type(const void *list, size_t i, size_t *out_size)
{
    *out_size = strlen(event_at(list, i)->type);
    return event_at(list, i)->type;
}

static const void *event_json(const void *list, size_t i, size_t *out_size)
{
    *out_size = strlen(event_at(list, i)->json);
    return event_at(list, i)->json;
}

/* They grow. */
static int64_t last_of(const struct gm_state_batch *batch)
{
    return batch->event_count > 0 ? batch->events[batch->event_count - 1].seq : 0;
}

static void add_events(struct gm_pg_params *p, const struct gm_state_batch *batch)
{
    gm_pg_add_int8s(p, batch->events, batch->event_count, event_seq);
    gm_pg_add_int8s(p, batch->events, batch->event_count, event_job);
    gm_pg_add_byteas(p, batch->events, batch->event_count, event_type);
    gm_pg_add_byteas(p, batch->events, batch->event_count, event_json);
    gm_pg_add_int8s(p, batch->events, batch->event_count, event_time);
    gm_pg_add_int8(p, last_of(batch));
}

int gm_pg_add_batch(struct gm_pg_params *p, const struct gm_state_batch *batch,
                    struct gm_last *last, struct gm_err *err)
{
    struct lists l = {0};
    int rc = gm_last_find(last, batch->rows, batch->row_count, err);
    if (rc == 0) {
        rc = lists_make(batch, last->skip, &l, err);
    }
    if (rc < 0) {
        return rc;
    }
    gm_pg_add_int8s(p, l.jobs, l.job_count, row_job);
    add_keys(p, l.drops, l.drop_count);
    add_keys(p, l.puts, l.put_count);
    gm_pg_add_byteas(p, l.puts, l.put_count, row_body);
    add_events(p, batch);
    free(l.space);
    return 0;
}
