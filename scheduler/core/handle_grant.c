/* Write grants: a row for each object before anybody may write it, so that nothing in a store is
 * without an owner. Keys are made here; urls by the daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "proto/check_grant.h"
#include "proto/envelope.h"
#include "scheduler/core/lease.h"
#include "scheduler/core/node.h"
#include "scheduler/core/rows.h"
#include "scheduler/core/writes.h"

#define KEY_SIZE 1025

static char *make_id(Gm__ObjectStore store, const char *key)
{
    return gm_mem_printf("%d/%s", (int)store, key);
}

struct gm_granted *gm_core_granted_find(const struct gm_cjob *job, Gm__ObjectStore store,
                                        const char *key)
{
    char *id = make_id(store, key);
    struct gm_granted *g = NULL;
    HASH_FIND_STR(job->objects, id, g);
    free(id);
    return g;
}

void gm_core_granted_remove(struct gm_cjob *job, struct gm_granted *granted)
{
    HASH_DEL(job->objects, granted);
    gm__object__free_unpacked(granted->object, NULL);
    free(granted->id);
    free(granted);
}

void gm_core_granted_set(struct gm_cjob *job, const Gm__Object *object)
{
    struct gm_granted *g = gm_core_granted_find(job, object->store, object->key);
    if (g) {
        gm__object__free_unpacked(g->object, NULL);
    } else {
        g = gm_mem_zalloc(sizeof(*g));
        g->id = make_id(object->store, object->key);
        HASH_ADD_KEYPTR(hh, job->objects, g->id, strlen(g->id), g);
    }
    g->object = (Gm__Object *)gm_message_dup(&object->base);
    if (!g->object) {
        gm_mem_exhausted();
    }
}

static bool same_body(const Gm__Object *a, uint64_t size, const ProtobufCBinaryData *sha256)
{
    return a->size == size && a->sha256.len == sha256->len &&
           memcmp(a->sha256.data, sha256->data, sha256->len) == 0;
}

int gm_core_objects_check(const struct gm_cjob *job, Gm__Object *const *objects, size_t count,
                          struct gm_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const Gm__Object *o = objects[i];
        const struct gm_granted *g = gm_core_granted_find(job, o->store, o->key);
        if (!g || o->sha256.len != GM_SHA256_SIZE || !same_body(g->object, o->size, &o->sha256)) {
            return gm_err_set(err, GM_E_PROTO, 0, "object %.100s was not granted like that",
                              o->key);
        }
    }
    return 0;
}

uint64_t gm_core_objects_commit(struct gm_cjob *job, Gm__Object *const *objects, size_t count)
{
    uint64_t fresh = 0;
    for (size_t i = 0; i < count; i++) {
        struct gm_granted *g = gm_core_granted_find(job, objects[i]->store, objects[i]->key);
        fresh += g && !g->committed ? 1 : 0;
        if (g) {
            g->committed = true;
        }
    }
    return fresh;
}

static int make_key(const struct gm_cjob *job, const Gm__GrantItem *item, char key[KEY_SIZE],
                    struct gm_err *err)
{
    int n = item->store == GM__OBJECT_STORE__STORE_OUT
                ? snprintf(key, KEY_SIZE, "v/%s/%s", job->publication, item->name)
                : snprintf(key, KEY_SIZE, "jobs/%s/%s", job->id, item->name);
    if (n < 0 || n >= KEY_SIZE) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, 0, "the key of %.100s is too long", item->name);
    }
    return 0;
}

/* *fresh counts what nobody was granted before. */
static int check_item(const struct gm_lease *lease, const Gm__GrantItem *item, uint64_t *fresh,
                      struct gm_err *err)
{
    const struct gm_cjob *job = lease->job;
    const struct gm_core_task_type *type = lease->inst->task->type;
    bool out = item->store == GM__OBJECT_STORE__STORE_OUT;
    char key[KEY_SIZE];
    if (!out && item->store != GM__OBJECT_STORE__STORE_WORK) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, item->store, "no grant for store %d",
                          (int)item->store);
    }
    if (out && (!type->writes_out || job->publication[0] == '\0')) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, 0, "`%s` may not write outputs",
                          lease->inst->task->name);
    }
    if (!gm_is_file_path(item->name)) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, 0, "not a usable object name: %.100s",
                          item->name);
    }
    if (item->size > GM_PROTO_OBJECT_MAX || item->sha256.len != GM_SHA256_SIZE) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, 0, "%.100s: size or hash is out of range",
                          item->name);
    }
    int rc = gm_core_writes_check(lease, item, err);
    if (rc == 0) {
        rc = make_key(job, item, key, err);
    }
    if (rc < 0) {
        return rc;
    }
    const struct gm_granted *g = gm_core_granted_find(job, item->store, key);
    if (g && g->committed && !same_body(g->object, item->size, &item->sha256)) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, 0, "%.100s is committed with another content",
                          item->name);
    }
    *fresh += g ? 0 : 1;
    return 0;
}

static int check_request(const struct gm_lease *lease, const Gm__GrantRequest *m,
                         struct gm_err *err)
{
    if (!lease || lease->cancelling) {
        return gm_err_set(err, GM_E_STALE, 0, "the lease has ended");
    }
    if (lease->job->state != GM_JOB_RUNNING) { /* all chunks of its run are committed */
        return gm_err_set(err, GM_E_STALE, 0, "the job has all that it publishes");
    }
    if (m->n_items > GM_CORE_MAX_GRANTS) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, (int64_t)m->n_items,
                          "%zu objects in a request, the limit is %u", m->n_items,
                          GM_CORE_MAX_GRANTS);
    }
    uint64_t fresh = lease->open;
    for (size_t i = 0; i < m->n_items; i++) {
        int rc = check_item(lease, m->items[i], &fresh, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (fresh > lease->open && fresh > gm_core_writes_most(lease)) {
        return gm_err_set(err, GM_E_GRANT_REFUSED, (int64_t)fresh,
                          "`%s` would have %llu objects granted and not committed, at most %llu",
                          lease->inst->task->name, (unsigned long long)fresh,
                          (unsigned long long)gm_core_writes_most(lease));
    }
    return 0;
}

static void grant_one(struct gm_core *core, struct gm_lease *lease, const Gm__GrantItem *item,
                      Gm__Grant *out)
{
    struct gm_cjob *job = lease->job;
    char key[KEY_SIZE];
    struct gm_err err;
    Gm__Object object = GM__OBJECT__INIT;
    gm__grant__init(out);
    GM_IGNORE(make_key(job, item, key, &err), "checked before");
    out->key = gm_mem_strdup(key);
    object.store = item->store;
    object.key = key;
    object.size = item->size;
    object.sha256 = item->sha256;
    const struct gm_granted *g = gm_core_granted_find(job, object.store, key);
    lease->open += g ? 0 : 1;
    if (!g || !same_body(g->object, item->size, &item->sha256)) {
        gm_core_granted_set(job, &object);
        gm_core_row_object(core, job, &object);
    }
}

void gm_core_handle_grant(struct gm_core *core, struct gm_cnode *node, const Gm__GrantRequest *m,
                          const char *node_id)
{
    struct gm_lease *lease = gm_core_lease_find(core, node, m->task_id, m->term, m->epoch);
    struct gm_err err = {.code = GM_OK};
    Gm__Envelope envelope = GM__ENVELOPE__INIT;
    Gm__GrantAnswer answer = GM__GRANT_ANSWER__INIT;
    Gm__Error error = GM__ERROR__INIT;
    Gm__Grant *grants = NULL;
    answer.request = m->request;
    if (check_request(lease, m, &err) < 0) {
        gm_err_to_msg(&err, &error);
        answer.error = &error;
    } else {
        grants = gm_mem_zalloc(m->n_items * sizeof(*grants));
        answer.grants = gm_mem_zalloc(m->n_items * sizeof(Gm__Grant *));
        for (size_t i = 0; i < m->n_items; i++) {
            grant_one(core, lease, m->items[i], &grants[i]);
            answer.grants[i] = &grants[i];
        }
        answer.n_grants = m->n_items;
        if (!lease->attempt->stored) { /* clean-up asks who may write yet: job_end.c */
            gm_core_row_attempt(core, lease->job, lease->attempt);
        }
    }
    envelope.body_case = GM__ENVELOPE__BODY_GRANT_ANSWER;
    envelope.grant_answer = &answer;
    gm_core_fx_send(core, node_id, &envelope, true);
    for (size_t i = 0; grants && i < answer.n_grants; i++) {
        free(grants[i].key);
    }
    free(grants);
    free(answer.grants);
}
