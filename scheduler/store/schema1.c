#include "scheduler/store/schema1.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "proto/envelope.h"
#include "state.pb-c.h"

struct job {
    Gm__JobRow *row; /* owned: id, seq, and the pipeline's tasks */
};

struct gm_schema1 {
    struct job *by_id; /* owned, and what it holds */
    size_t count, cap;
    const struct job **by_seq; /* owned */
};

/* A decoded row; which member is told by its kind. */
union row {
    ProtobufCMessage *message; /* owned */
    Gm__JobRow *job;
    Gm__TaskRow *task;
    Gm__ItemRow *item;
    Gm__ObjectRow *object;
    Gm__AttemptRow *attempt;
    Gm__NodeRow *node;
};

static const ProtobufCMessageDescriptor *descriptor_of(enum gm_row_kind kind)
{
    switch (kind) {
    case GM_ROW_JOB:
        return &gm__job_row__descriptor;
    case GM_ROW_TASK:
        return &gm__task_row__descriptor;
    case GM_ROW_ITEM:
        return &gm__item_row__descriptor;
    case GM_ROW_OBJECT:
        return &gm__object_row__descriptor;
    case GM_ROW_ATTEMPT:
        return &gm__attempt_row__descriptor;
    case GM_ROW_NODE:
        return &gm__node_row__descriptor;
    default:
        return NULL;
    }
}

static int decode(enum gm_row_kind kind, const void *body, size_t size, union row *out,
                  struct gm_err *err)
{
    const ProtobufCMessageDescriptor *type = descriptor_of(kind);
    if (type == NULL) {
        return gm_err_set(err, GM_E_PROTO, kind, "a stored row has the unknown kind %d", (int)kind);
    }
    int rc = gm_message_decode(type, body, size, GM_ENVELOPE_MAX_BYTES, &out->message, err);
    if (rc < 0 && rc != -GM_E_NOMEM) {
        return gm_err_set(err, GM_E_PROTO, 0, "a stored row of kind %d does not decode", (int)kind);
    }
    return rc;
}

int gm_schema1_create(struct gm_schema1 **out, struct gm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? 0 : gm_err_nomem(err);
}

void gm_schema1_destroy(struct gm_schema1 **names)
{
    struct gm_schema1 *n = *names;
    for (size_t i = 0; n != NULL && i < n->count; i++) {
        gm__job_row__free_unpacked(n->by_id[i].row, NULL);
    }
    if (n != NULL) {
        free(n->by_id);
        free(n->by_seq);
    }
    free(n);
    *names = NULL;
}

/* What the images of a pipeline take is not needed here, and may be megabytes. */
static void drop_assets(Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_assets; i++) {
        gm__asset__free_unpacked(pipeline->assets[i], NULL);
    }
    pipeline->n_assets = 0;
}

int gm_schema1_learn(struct gm_schema1 *names, const void *body, size_t size, struct gm_err *err)
{
    union row row = {0};
    int rc = decode(GM_ROW_JOB, body, size, &row, err);
    if (rc == 0 && (row.job->seq == 0 || row.job->pipeline == NULL)) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "the stored job %.64s has no number or no pipeline",
                        row.job->id);
    }
    if (rc == 0) {
        rc = gm_array_reserve(&names->by_id, names->count, 1, &names->cap, sizeof *names->by_id,
                              err);
    }
    if (rc < 0) {
        protobuf_c_message_free_unpacked(row.message, NULL);
        return rc;
    }
    drop_assets(row.job->pipeline);
    names->by_id[names->count++] = (struct job){row.job};
    return 0;
}

static int compare_id(const void *a, const void *b)
{
    return strcmp(((const struct job *)a)->row->id, ((const struct job *)b)->row->id);
}

static int compare_seq(const void *pa, const void *pb)
{
    uint64_t a = (*(const struct job *const *)pa)->row->seq;
    uint64_t b = (*(const struct job *const *)pb)->row->seq;
    return a < b ? -1 : a > b;
}

int gm_schema1_learnt(struct gm_schema1 *names, struct gm_err *err)
{
    names->by_seq = calloc(names->count + 1, sizeof(struct job *));
    if (names->by_seq == NULL) {
        return gm_err_nomem(err);
    }
    if (names->count > 0) {
        qsort(names->by_id, names->count, sizeof *names->by_id, compare_id);
    }
    for (size_t i = 0; i < names->count; i++) {
        names->by_seq[i] = &names->by_id[i];
    }
    if (names->count > 0) {
        qsort(names->by_seq, names->count, sizeof(struct job *), compare_seq);
    }
    for (size_t i = 1; i < names->count; i++) {
        if (names->by_seq[i]->row->seq == names->by_seq[i - 1]->row->seq ||
            compare_id(&names->by_id[i], &names->by_id[i - 1]) == 0) {
            return gm_err_set(err, GM_E_PROTO, 0, "two stored jobs have one id or one number");
        }
    }
    return 0;
}

static const Gm__JobRow *find_id(const struct gm_schema1 *names, const char *id)
{
    Gm__JobRow row = GM__JOB_ROW__INIT;
    struct job key = {&row};
    row.id = (char *)(uintptr_t)id;
    const struct job *job = names->count > 0 ? bsearch(&key, names->by_id, names->count,
                                                       sizeof *names->by_id, compare_id)
                                             : NULL;
    return job != NULL ? job->row : NULL;
}

static const Gm__JobRow *find_seq(const struct gm_schema1 *names, uint64_t seq)
{
    Gm__JobRow row = GM__JOB_ROW__INIT;
    struct job key = {&row};
    const struct job *at = &key;
    row.seq = seq;
    const struct job **job = names->count > 0 ? bsearch(&at, names->by_seq, names->count,
                                                        sizeof(struct job *), compare_seq)
                                              : NULL;
    return job != NULL ? (*job)->row : NULL;
}

uint64_t gm_schema1_job(const struct gm_schema1 *names, const char *id)
{
    const Gm__JobRow *job = find_id(names, id);
    return job != NULL ? job->seq : 0;
}

const char *gm_schema1_id(const struct gm_schema1 *names, uint64_t job)
{
    const Gm__JobRow *row = find_seq(names, job);
    return row != NULL ? row->id : NULL;
}

static int unknown(struct gm_err *err, const char *what, const char *name)
{
    return gm_err_set(err, GM_E_PROTO, 0, "a stored row is of the %s %.64s, which is not there",
                      what, name);
}

static int set_job(const struct gm_schema1 *names, const char *id, struct gm_key *key,
                   struct gm_err *err)
{
    key->job = gm_schema1_job(names, id);
    return key->job > 0 ? 0 : unknown(err, "job", id);
}

static int set_task(const struct gm_schema1 *names, const char *id, const char *task,
                    uint32_t instance, struct gm_key *key, struct gm_err *err)
{
    const Gm__JobRow *job = find_id(names, id);
    if (job == NULL) {
        return unknown(err, "job", id);
    }
    for (size_t i = 0; i < job->pipeline->n_tasks && i < GM_KEY_TASKS; i++) {
        if (strcmp(job->pipeline->tasks[i]->name, task) == 0 && instance < GM_KEY_INSTANCES) {
            key->job = job->seq;
            key->task = (uint32_t)i;
            key->instance = instance;
            return 0;
        }
    }
    return unknown(err, "task", task);
}

static int set_name(const char *name, struct gm_key *key, struct gm_err *err)
{
    key->name = strdup(name);
    return key->name != NULL ? 0 : gm_err_nomem(err);
}

/* The key by the body. */
static int make_key(const struct gm_schema1 *names, const union row *row, struct gm_key *key,
                    struct gm_err *err)
{
    int rc;
    switch (key->kind) {
    case GM_ROW_JOB:
        key->job = row->job->seq;
        return 0;
    case GM_ROW_TASK:
        return set_task(names, row->task->job_id, row->task->task, row->task->instance, key, err);
    case GM_ROW_ITEM:
        rc = set_task(names, row->item->job_id, row->item->task, row->item->instance, key, err);
        if (rc == 0 && (row->item->item == NULL || row->item->item->stream >= GM_KEY_STREAMS)) {
            return gm_err_set(err, GM_E_PROTO, 0, "a stored item of job %.64s is none",
                              row->item->job_id);
        }
        if (rc == 0) {
            key->stream = row->item->item->stream;
            key->index = row->item->item->index;
        }
        return rc;
    case GM_ROW_OBJECT:
        rc = set_job(names, row->object->job_id, key, err);
        if (rc == 0 && row->object->object == NULL) {
            return gm_err_set(err, GM_E_PROTO, 0, "a stored object of job %.64s is none",
                              row->object->job_id);
        }
        if (rc == 0) {
            key->store = (uint32_t)row->object->object->store;
            rc = set_name(row->object->object->key, key, err);
        }
        return rc;
    case GM_ROW_ATTEMPT:
        key->number = row->attempt->number;
        return set_job(names, row->attempt->job_id, key, err);
    default:
        return set_name(row->node->node_id, key, err);
    }
}

static void drop(char **text)
{
    if (*text != protobuf_c_empty_string) {
        free(*text);
        *text = (char *)(uintptr_t)protobuf_c_empty_string;
    }
}

/* What the key says now. */
static void strip(union row *row, enum gm_row_kind kind)
{
    if (kind == GM_ROW_TASK) {
        drop(&row->task->job_id);
        drop(&row->task->task);
        row->task->instance = 0;
    } else if (kind == GM_ROW_ITEM) {
        drop(&row->item->job_id);
        drop(&row->item->task);
        row->item->instance = 0;
    } else if (kind == GM_ROW_OBJECT) {
        drop(&row->object->job_id);
    } else if (kind == GM_ROW_ATTEMPT) {
        drop(&row->attempt->job_id);
        row->attempt->number = 0;
    }
}

int gm_schema1_upgrade(const struct gm_schema1 *names, enum gm_row_kind kind, const void *body,
                       size_t size, struct gm_key *out_key, uint8_t **out_body, size_t *out_size,
                       struct gm_err *err)
{
    union row row = {0};
    struct gm_key key = {.kind = kind};
    int rc = decode(kind, body, size, &row, err);
    if (rc < 0) {
        return rc;
    }
    rc = make_key(names, &row, &key, err);
    if (rc == 0) {
        strip(&row, kind);
        rc = gm_message_encode(row.message, out_body, out_size, err);
    }
    protobuf_c_message_free_unpacked(row.message, NULL);
    if (rc < 0) {
        free(key.name);
        return rc;
    }
    *out_key = key;
    return 0;
}

static int give(char **text, const char *value, struct gm_err *err)
{
    drop(text);
    char *copy = strdup(value);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    *text = copy;
    return 0;
}

/* What the key says, in the body again. */
static int fill(const Gm__JobRow *job, const char *task, const struct gm_key *key, union row *row,
                struct gm_err *err)
{
    int rc = 0;
    switch (key->kind) {
    case GM_ROW_TASK:
        row->task->instance = key->instance;
        rc = give(&row->task->job_id, job->id, err);
        return rc < 0 ? rc : give(&row->task->task, task, err);
    case GM_ROW_ITEM:
        row->item->instance = key->instance;
        rc = give(&row->item->job_id, job->id, err);
        return rc < 0 ? rc : give(&row->item->task, task, err);
    case GM_ROW_OBJECT:
        return give(&row->object->job_id, job->id, err);
    case GM_ROW_ATTEMPT:
        row->attempt->number = key->number;
        return give(&row->attempt->job_id, job->id, err);
    default:
        return 0;
    }
}

/* The text that schema 1 had for it, owned; NULL: out of memory. */
static char *make_text(const Gm__JobRow *job, const char *task, const struct gm_key *key)
{
    char *text = NULL;
    int n = -1;
    switch (key->kind) {
    case GM_ROW_JOB:
        return strdup(job->id);
    case GM_ROW_TASK:
        n = asprintf(&text, "%s/%s/%" PRIu32, job->id, task, key->instance);
        break;
    case GM_ROW_ITEM:
        n = asprintf(&text, "%s/%s/%" PRIu32 "/%" PRIu32 "/%" PRIu32, job->id, task, key->instance,
                     key->stream, key->index);
        break;
    case GM_ROW_OBJECT:
        n = asprintf(&text, "%s/%" PRIu32 "/%s", job->id, key->store, key->name);
        break;
    case GM_ROW_ATTEMPT:
        n = asprintf(&text, "%s/%" PRIu64, job->id, key->number);
        break;
    default:
        return strdup(key->name);
    }
    return n >= 0 ? text : NULL;
}

int gm_schema1_downgrade(const struct gm_schema1 *names, const struct gm_key *key, const void *body,
                         size_t size, char **out_key, uint8_t **out_body, size_t *out_size,
                         struct gm_err *err)
{
    union row row = {0};
    char text[GM_KEY_TEXT_BYTES];
    bool of_task = key->kind == GM_ROW_TASK || key->kind == GM_ROW_ITEM;
    if (key->kind < GM_ROW_JOB || key->kind > GM_ROW_NODE) {
        return 1;
    }
    const Gm__JobRow *job = find_seq(names, key->job);
    if (key->kind != GM_ROW_NODE &&
        (job == NULL || (of_task && key->task >= job->pipeline->n_tasks))) {
        return gm_err_set(err, GM_E_PROTO, 0, "the stored row %.100s fits nothing",
                          gm_key_text(key, text));
    }
    const char *task = of_task ? job->pipeline->tasks[key->task]->name : "";
    int rc = decode(key->kind, body, size, &row, err);
    if (rc < 0) {
        return rc;
    }
    rc = fill(job, task, key, &row, err);
    if (rc == 0) {
        rc = gm_message_encode(row.message, out_body, out_size, err);
    }
    protobuf_c_message_free_unpacked(row.message, NULL);
    if (rc < 0) {
        return rc;
    }
    *out_key = make_text(job, task, key);
    if (*out_key == NULL) {
        free(*out_body);
        *out_body = NULL;
        return gm_err_nomem(err);
    }
    return 0;
}
