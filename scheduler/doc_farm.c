#include "scheduler/doc_farm.h"

#include <string.h>

/* ---- the farm */

static json_t *failures_json(const struct gm_farm_view *v)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < v->failed_count; i++) {
        const struct gm_failed_view *f = &v->failed[i];
        const struct gm_code_info *info = gm_code_get((int)f->code);
        list =
            gm_json_add(list, json_pack("{s:s, s:I, s:o, s:s, s:s, s:s}", "code", info->id, "count",
                                        (json_int_t)f->count, "last", gm_json_time(f->last_unix_ms),
                                        "title", info->meaning, "blame", gm_blame_name(info->blame),
                                        "remedy", info->remedy));
    }
    return list;
}

/* FAILING is shown as running, as everywhere. */
static json_t *states_json(const struct gm_core_totals *t)
{
    json_t *j = json_object();
    for (int s = 0; j != NULL && s < GM_JOB_STATES; s++) {
        const char *name = gm_job_state_name((enum gm_job_state)s);
        json_int_t before = json_integer_value(json_object_get(j, name));
        if (json_object_set_new(j, name, json_integer(before + (json_int_t)t->jobs[s])) != 0) {
            json_decref(j);
            j = NULL;
        }
    }
    return j;
}

static json_t *reasons_json(const char *const *reasons)
{
    json_t *list = json_array();
    for (; list != NULL && *reasons != NULL; reasons++) {
        list = gm_json_add(list, json_string(*reasons));
    }
    return list;
}

int gm_doc_farm(const struct gm_core *core, const struct gm_farm_facts *facts, json_t **out,
                struct gm_err *err)
{
    struct gm_farm_view v;
    int rc = gm_view_farm(core, gm_time_now(), &v, err);
    if (rc < 0) {
        return rc;
    }
    const struct gm_core_totals *t = &v.totals;
    json_t *waits = v.ready_units > 0 ? json_real((double)v.waits / (double)GM_SEC) : json_null();
    json_t *speed = v.speed_known ? json_real(v.speed) : json_null();
    json_t *j = json_pack(
        "{s:s, s:o, s:o, s:b, s:{s:I, s:I, s:o}, s:o, s:{s:f, s:f, s:o}, s:{s:I, s:I, s:I}, s:I, "
        "s:I, s:o, s:b, s:o}",
        "version", GOPMILL_VERSION, "now", gm_json_time(facts->now_unix_ms), "started",
        gm_json_time(facts->started_unix_ms), "leader", 1, "queue", "jobs",
        (json_int_t)t->jobs[GM_JOB_QUEUED], "tasks_ready", (json_int_t)v.ready_units,
        "oldest_wait_s", waits, "jobs", states_json(t), "throughput", "fps", v.fps, "pixels_per_s",
        v.pixels_per_s, "speed", speed, "nodes", "connected", (json_int_t)t->nodes_connected,
        "draining", (json_int_t)v.nodes_draining, "gone", (json_int_t)v.nodes_gone, "slots",
        (json_int_t)t->slots, "slots_used", (json_int_t)t->slots_used, "failures",
        failures_json(&v), "ready", (int)facts->ready, "reasons", reasons_json(facts->reasons));
    gm_view_farm_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

/* ---- tasks */

static json_t *names_json(const struct gm_links_view *links, const char *task,
                          enum gm_link_kind kind, enum gm_link_kind or_kind)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < links->count; i++) {
        const struct gm_link_view *l = &links->rows[i];
        if ((l->kind == kind || l->kind == or_kind) && strcmp(l->task, task) == 0) {
            list = gm_json_add(list, gm_json_string(l->other));
        }
    }
    return list;
}

static json_t *task_json(const struct gm_task_view *t, const struct gm_links_view *links)
{
    json_t *j = gm_doc_task(t);
    json_t *more = json_pack(
        "{s:o, s:o, s:I, s:o}", "needs", names_json(links, t->name, GM_LINK_NEED, GM_LINK_STREAM),
        "streams", names_json(links, t->name, GM_LINK_STREAM, GM_LINK_STREAM), "instances",
        (json_int_t)t->instances, "nodes", names_json(links, t->name, GM_LINK_NODE, GM_LINK_NODE));
    if (more == NULL || json_object_update(j, more) != 0) {
        json_decref(j);
        j = NULL;
    }
    json_decref(more);
    return j;
}

int gm_doc_tasks(const struct gm_core *core, const char *job_id, json_t **out, struct gm_err *err)
{
    struct gm_job_view v;
    struct gm_links_view links;
    int rc = gm_view_job(core, job_id, &v, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_view_links(core, job_id, &links, err);
    if (rc < 0) {
        gm_view_job_fini(&v);
        return rc;
    }
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < v.task_count; i++) {
        list = gm_json_add(list, task_json(&v.tasks[i], &links));
    }
    json_t *j = json_pack("{s:s, s:s, s:o}", "id", v.id, "state", gm_job_state_name(v.state),
                          "tasks", list);
    gm_view_links_fini(&links);
    gm_view_job_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

/* ---- attempts */

static json_t *usage_json(const Gm__Usage *u)
{
    return json_pack("{s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "cpu_s",
                     (double)u->cpu_us / 1e6, "wall_s", (double)u->wall_us / 1e6, "max_rss_bytes",
                     (json_int_t)u->max_rss_bytes, "bytes_in", (json_int_t)u->bytes_in, "bytes_out",
                     (json_int_t)u->bytes_out, "frames", (json_int_t)u->frames, "frames_decoded",
                     (json_int_t)u->frames_decoded, "fetch_s", (double)u->fetch_ms / 1e3, "store_s",
                     (double)u->store_ms / 1e3);
}

static json_t *attempt_json(const struct gm_attempt_view *a)
{
    bool failed = a->error_code != GM_OK;
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:s?, s:o, s:o}",
                     "number", (json_int_t)a->attempt, "task", a->task, "type", a->type, "instance",
                     (json_int_t)a->instance, "first_chunk", (json_int_t)a->first_chunk, "chunks",
                     (json_int_t)a->chunks, "node", gm_json_string(a->node_id), "device",
                     gm_json_string(a->device), "chain", gm_json_string(a->chain), "started",
                     gm_json_time(a->started_unix_ms), "ended", gm_json_time(a->ended_unix_ms),
                     "outcome", gm_attempt_outcome_name(a->outcome), "code",
                     failed ? gm_code_get((int)a->error_code)->id : NULL, "text",
                     failed ? gm_json_string(a->error_text) : json_null(), "usage",
                     usage_json(&a->usage));
}

int gm_doc_attempts(const struct gm_core *core, const char *job_id, uint64_t after, size_t limit,
                    json_t **out, struct gm_err *err)
{
    struct gm_attempts_view v;
    bool more;
    int rc = gm_view_attempts_page(core, job_id, after, limit, &v, &more, err);
    if (rc < 0) {
        return rc;
    }
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < v.count; i++) {
        list = gm_json_add(list, attempt_json(&v.rows[i]));
    }
    json_t *next = more ? json_integer((json_int_t)v.rows[v.count - 1].attempt) : json_null();
    json_t *j = json_pack("{s:o, s:o}", "attempts", list, "next", next);
    gm_view_attempts_fini(&v);
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}
