/* The API's documents. docs/api.md describes each member. */
#include <inttypes.h>
#include <stdio.h>

#include "scheduler/doc_device.h"
#include "scheduler/metas.h"
#include "scheduler/report.h"
#include "scheduler/report_backup.h"
#include "scheduler/report_chain.h"

json_t *gm_doc_error(const struct gm_err *err)
{
    return gm_json_error((int)err->code, err->text);
}

static int tasks_in(const struct gm_job_view *v, enum gm_task_state state)
{
    int count = 0;
    for (size_t i = 0; i < v->task_count; i++) {
        count += v->tasks[i].state == state ? 1 : 0;
    }
    return count;
}

static json_t *progress_json(const struct gm_job_view *v)
{
    double rate =
        v->rate_num > 0 && v->rate_den > 0 ? (double)v->rate_num / (double)v->rate_den : 0.0;
    json_t *speed = v->fps > 0 && rate > 0 ? json_real(v->fps / rate) : json_null();
    json_t *eta = v->left > 0 ? json_real((double)v->left / (double)GM_SEC) : json_null();
    return json_pack("{s:s, s:I, s:I, s:b, s:f, s:o, s:o, s:{s:I, s:I, s:I}, s:{s:i, s:i}}",
                     "phase", v->phase, "frames_done", (json_int_t)v->frames_done, "frames_total",
                     (json_int_t)v->frames_total, "frames_exact", (int)v->frames_exact, "fps",
                     v->fps, "speed", speed, "eta_s", eta, "chunks", "done",
                     (json_int_t)v->chunks_done, "running", (json_int_t)v->chunks_running,
                     "waiting", (json_int_t)v->chunks_waiting, "tasks", "running",
                     tasks_in(v, GM_TASK_RUNNING), "ready", tasks_in(v, GM_TASK_READY));
}

json_t *gm_doc_task(const struct gm_task_view *t)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:I}", "name", t->name, "type", t->type,
                     "state", gm_task_state_name(t->state), "done", (json_int_t)t->done, "total",
                     (json_int_t)t->total, "total_known", (int)t->total_known, "attempts",
                     (json_int_t)t->attempts, "failures", (json_int_t)t->failures);
}

static json_t *tasks_json(const struct gm_job_view *v)
{
    json_t *tasks = json_array();
    for (size_t i = 0; tasks != NULL && i < v->task_count; i++) {
        tasks = gm_json_add(tasks, gm_doc_task(&v->tasks[i]));
    }
    return tasks;
}

static json_t *publishing_json(const struct gm_job_view *v)
{
    const struct gm_publishing_view *p = &v->publishing;
    if (p->tries == 0 && p->held[0] == '\0') {
        return json_null();
    }
    return json_pack("{s:i, s:i, s:o, s:o, s:o}", "tries", (int)p->tries, "most", (int)p->most,
                     "next", gm_json_time(p->next_unix_ms), "held", gm_json_text_or_null(p->held),
                     "error", p->error.code != 0 ? gm_doc_error(&p->error) : json_null());
}

int gm_doc_job_row(const struct gm_core *core, const char *job_id, json_t **out, struct gm_err *err)
{
    struct gm_job_view v;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:o, "
        "s:o, s:b, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:i}",
        "id", v.id, "state", gm_job_state_name(v.state), "pipeline", v.pipeline_name, "source",
        gm_json_url(v.source_url), "destination", gm_json_string(v.destination_url), "priority",
        (int)v.priority, "class", gm_job_class_name(v.class_), "tenant", v.tenant, "deadline",
        gm_json_time(v.deadline_unix_ms), "external_id", gm_json_string(v.external_id), "created",
        gm_json_time(v.created_unix_ms), "started", gm_json_time(v.started_unix_ms), "finished",
        gm_json_time(v.finished_unix_ms), "eta", gm_json_time(v.end_unix_ms), "plan_only",
        (int)v.plan_only, "publication", v.publication, "progress", progress_json(&v), "error",
        v.error.code != 0 ? gm_doc_error(&v.error) : json_null(), "replace", (int)!v.keeps_title,
        "backup", gm_report_backup(&v), "traceparent", gm_json_text_or_null(v.traceparent),
        "retry_of", gm_json_text_or_null(v.retry_of), "retried_as",
        gm_json_text_or_null(v.retried_as), "removed", (int)v.removed, "webhook",
        v.webhook[0] != '\0' ? gm_json_url(v.webhook) : json_null(), "publishing",
        publishing_json(&v), "deadline_state", gm_json_text_or_null(v.deadline_state), "retries",
        (int)v.retries);
    gm_view_job_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

int gm_doc_job(const struct gm_core *core, const char *job_id, bool light, json_t **out,
               struct gm_err *err)
{
    struct gm_job_view v = {0};
    struct gm_metas metas;
    json_t *j = NULL;
    int rc = gm_doc_job_row(core, job_id, &j, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_metas_read(core, job_id, !light, &metas, err);
    if (rc < 0) {
        json_decref(j);
        return rc;
    }
    rc = gm_view_job(core, job_id, &v, err);
    rc = rc < 0 ? rc : gm_report_backup_warn(&v, metas.warnings, err);
    if (rc == 0 && (json_object_set_new(j, "tasks", tasks_json(&v)) != 0 ||
                    json_object_set_new(j, "encoding", gm_report_encoding(core, &v)) != 0 ||
                    json_object_set(j, "warnings", metas.warnings) != 0)) {
        rc = gm_err_nomem(err);
    }
    gm_metas_fini(&metas);
    gm_view_job_fini(&v);
    if (rc < 0) {
        json_decref(j);
        return rc;
    }
    *out = j;
    return 0;
}

int gm_doc_progress(const struct gm_core *core, const char *job_id, json_t **out,
                    struct gm_err *err)
{
    struct gm_job_view v;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    json_t *j = json_pack("{s:s, s:s, s:o}", "id", v.id, "state", gm_job_state_name(v.state),
                          "progress", progress_json(&v));
    gm_view_job_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

int gm_doc_explain(const struct gm_core *core, const char *job_id, gm_time now, json_t **out,
                   struct gm_err *err)
{
    struct gm_explain_view rows;
    struct gm_job_view v;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_view_explain(core, job_id, now, &rows, err);
    if (rc < 0) {
        gm_view_job_fini(&v);
        return rc;
    }
    json_t *tasks = json_array();
    for (size_t i = 0; tasks != NULL && i < rows.count; i++) {
        const struct gm_explain_row *r = &rows.rows[i];
        json_t *t =
            json_pack("{s:s, s:I, s:s, s:o}", "task", r->task, "instance", (json_int_t)r->instance,
                      "state", gm_task_state_name(r->state), "why", gm_json_string(r->why));
        tasks = gm_json_add(tasks, t);
    }
    json_t *j = tasks == NULL ? NULL
                              : json_pack("{s:s, s:s, s:o}", "id", v.id, "state",
                                          gm_job_state_name(v.state), "tasks", tasks);
    gm_view_explain_fini(&rows);
    gm_view_job_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

static json_t *capacity_json(const struct gm_capacity *c)
{
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I}", "cpus", (double)c->cpu_milli / 1000.0,
                     "memory_bytes", (json_int_t)c->memory_bytes, "scratch_bytes",
                     (json_int_t)c->scratch_bytes, "slots", (json_int_t)c->slots, "sessions",
                     (json_int_t)c->sessions, "device_memory_bytes",
                     (json_int_t)c->device_memory_bytes);
}

/* Nothing where nothing is held against it. */
static int add_quarantine(json_t *device, const struct gm_quarantine_view *q)
{
    if (q->state[0] == '\0') {
        return 0;
    }
    return json_object_set_new(device, "quarantine",
                               json_pack("{s:s, s:s, s:o, s:o}", "state", q->state, "by",
                                         q->by_operator ? "operator" : "scheduler", "why",
                                         gm_json_string(q->why), "since",
                                         gm_json_time(q->since_unix_ms)));
}

static json_t *devices_json(const struct gm_node_view *n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n->device_count; i++) {
        const struct gm_device_view *d = &n->devices[i];
        json_t *j =
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "id", gm_json_string(d->id), "kind",
                      gm_json_string(d->kind), "description", gm_json_string(d->description),
                      "capacity", capacity_json(&d->capacity), "used", capacity_json(&d->used),
                      "left", capacity_json(&d->left));
        if (j != NULL &&
            (gm_doc_add_device(j, d->facts) != 0 || add_quarantine(j, &d->quarantine) != 0)) {
            json_decref(j);
            j = NULL;
        }
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *leases_json(const struct gm_node_view *n)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < n->lease_count; i++) {
        const struct gm_lease_view *l = &n->leases[i];
        json_t *j = json_pack(
            "{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:o, s:I, s:I, s:o, s:o, s:b}", "job",
            l->job_id, "task", l->task, "type", l->type, "instance", (json_int_t)l->instance,
            "first_chunk", (json_int_t)l->first_chunk, "chunks", (json_int_t)l->chunks, "device",
            l->device, "attempt", (json_int_t)l->attempt, "started",
            gm_json_time(l->started_unix_ms), "frames_done", (json_int_t)l->frames_done,
            "frames_total", (json_int_t)l->frames_total, "eta_s",
            l->left > 0 ? json_real((double)l->left / (double)GM_SEC) : json_null(), "demand",
            capacity_json(&l->demand), "cancelling", (int)l->cancelling);
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *node_json(const struct gm_node_view *n)
{
    json_t *notes = json_array();
    for (size_t i = 0; notes != NULL && i < n->note_count; i++) {
        notes = gm_json_add(notes, gm_json_string(n->notes[i]));
    }
    char instance[17];
    snprintf(instance, sizeof(instance), "%016" PRIx64, n->instance);
    return json_pack("{s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o}",
                     "id", n->id, "instance", instance, "restarts", (int)n->restarts, "restarting",
                     (int)n->restarting, "hostname", gm_json_string(n->hostname), "build",
                     gm_json_string(n->build), "protocol", (json_int_t)n->protocol, "state",
                     n->state, "connected", (int)n->connected, "draining", (int)n->draining,
                     "connected_at", gm_json_time(n->connected_unix_ms), "seen_at",
                     gm_json_time(n->seen_unix_ms), "notes", notes, "devices", devices_json(n),
                     "leases", leases_json(n));
}

int gm_doc_nodes(const struct gm_core *core, json_t **out, struct gm_err *err)
{
    struct gm_nodes_view nodes;
    int rc = gm_view_nodes(core, &nodes, err);
    if (rc < 0) {
        return rc;
    }
    json_t *list = json_array();
    for (size_t i = 0; rc == 0 && i < nodes.count; i++) {
        if (json_array_append_new(list, node_json(&nodes.rows[i])) != 0) {
            rc = gm_err_nomem(err);
        }
    }
    gm_view_nodes_fini(&nodes);
    json_t *j = rc == 0 ? json_pack("{s:o}", "nodes", list) : NULL;
    if (j == NULL) {
        if (rc < 0) {
            json_decref(list);
        }
        return rc < 0 ? rc : gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

int gm_doc_node(const struct gm_core *core, const char *node_id, const char *key,
                int64_t until_unix_ms, json_t **out, struct gm_err *err)
{
    struct gm_nodes_view nodes;
    int rc = gm_view_node(core, node_id, &nodes, err);
    if (rc < 0) {
        return rc;
    }
    json_t *proof = json_null();
    if (key != NULL) {
        proof = json_pack("{s:s, s:o}", "public", key, "until",
                          gm_json_time(until_unix_ms == INT64_MAX ? 0 : until_unix_ms));
    }
    json_t *j = node_json(&nodes.rows[0]);
    gm_view_nodes_fini(&nodes);
    if (json_object_set_new(j, "key", proof) != 0) {
        json_decref(j);
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}
