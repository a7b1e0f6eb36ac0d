/* report.json: docs/report.md is its schema. */
#include "scheduler/report.h"

#include <string.h>

#include "common/buf.h"
#include "common/hash.h"
#include "scheduler/metas.h"
#include "scheduler/report_backup.h"
#include "scheduler/report_chain.h"
#include "scheduler/report_colour.h"
#include "scheduler/report_cost.h"
#include "scheduler/report_images.h"
#include "scheduler/report_source.h"
#include "scheduler/report_text.h"
#include "scheduler/report_tracks.h"
#include "scheduler/title.h"

/* Segments every n GOPs of 2 s where the rate varies. */
#define VARIABLE_GOP_S 2.0

struct report {
    const struct gm_core *core;
    struct gm_job_view job;
    struct gm_metas metas;
    enum gm_job_state state; /* as the report says it */
    int64_t finished_unix_ms;
};

static double segment_seconds(const Gm__Policy *p)
{
    const Gm__Rational *rate = p->timescale_rate;
    if (p->gop_frames > 0 && rate != NULL && rate->num > 0) {
        return (double)p->gop_frames * p->segment_gops * (double)rate->den / (double)rate->num;
    }
    return VARIABLE_GOP_S * p->segment_gops;
}

static json_int_t divide_up(double a, double b)
{
    if (!(a > 0) || !(b > 0)) {
        return 0;
    }
    if (!(a / b < 1e15)) { /* what workers said may be anything */
        return 0;
    }
    json_int_t n = (json_int_t)(a / b);
    return (double)n * b < a - 1e-6 ? n + 1 : n;
}

static json_t *ladder_json(const Gm__Policy *p)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < p->n_renditions; i++) {
        const Gm__Rendition *r = p->renditions[i];
        json_t *j =
            json_pack("{s:o, s:I, s:I, s:I, s:o}", "name", gm_json_string(r->name), "width",
                      (json_int_t)r->width_px, "height", (json_int_t)r->height_px, "maxrate_bps",
                      (json_int_t)r->maxrate_bps, "codecs", gm_json_string(r->codecs));
        list = gm_json_add(list, j);
    }
    return list;
}

static json_t *plan_json(const struct report *r)
{
    const Gm__Policy *p = r->metas.policy;
    if (p == NULL) {
        return json_null();
    }
    double duration = (double)p->estimated_duration_us / 1e6;
    double segment = segment_seconds(p);
    json_int_t segments = divide_up(duration, segment);
    json_t *plan = json_pack(
        "{s:s, s:I, s:o, s:o, s:I, s:I, s:f, s:I, s:o, s:I, s:I, s:{s:I, s:f, s:I, s:I, s:f}}",
        "publication", r->job.publication, "media_version", (json_int_t)p->media_version, "chain",
        gm_json_string(p->chain_fingerprint), "frame_rate", gm_json_rational(p->timescale_rate),
        "timescale", (json_int_t)p->timescale, "gop_frames", (json_int_t)p->gop_frames, "segment_s",
        segment, "chunk_segments", (json_int_t)p->chunk_segments, "ladder", ladder_json(p),
        "audio_tracks", (json_int_t)p->n_audio, "mp4_files", (json_int_t)p->n_mp4, "estimated",
        "frames", (json_int_t)p->estimated_frames, "duration_s", duration, "segments", segments,
        "bytes", (json_int_t)p->estimated_bytes, "cpu_s", (double)p->estimated_cpu_ms / 1e3);
    if (plan != NULL) {
        (void)json_object_set_new(plan, "tone_map", gm_report_tone_map(p->tone_map));
    }
    return plan;
}

static int add_output(json_t *list, const char *path, uint64_t bytes, const uint8_t *sha256,
                      struct gm_err *err)
{
    char hex[2 * GM_SHA256_SIZE + 1];
    json_t *j = json_pack("{s:o, s:I, s:s}", "path", gm_json_string(path), "bytes",
                          (json_int_t)bytes, "sha256", gm_hex(sha256, GM_SHA256_SIZE, hex));
    return j != NULL && json_array_append_new(list, j) == 0 ? 0 : gm_err_nomem(err);
}

static int add_objects(json_t *list, Gm__Object *const *objects, size_t count, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const Gm__Object *o = objects[i];
        if (o->store == GM__OBJECT_STORE__STORE_OUT && o->sha256.len == GM_SHA256_SIZE) {
            rc = add_output(list, o->key, o->size, o->sha256.data, err);
        }
    }
    return rc;
}

static int add_item_objects(const struct gm_item_view *view, void *arg, struct gm_err *err)
{
    return add_objects(arg, view->item->objects, view->item->n_objects, err);
}

static int add_bytes(json_t *list, const char *path, const ProtobufCBinaryData *body,
                     struct gm_err *err)
{
    uint8_t sha256[GM_SHA256_SIZE];
    if (body->len == 0) {
        return 0;
    }
    gm_sha256(body->data, body->len, sha256);
    return add_output(list, path, body->len, sha256, err);
}

/* Everything that lies at the destination, report.json itself aside. */
static int outputs_json(const struct report *r, json_t *list, struct gm_err *err)
{
    struct gm_results_view results;
    if (r->state == GM_JOB_FAILED || r->state == GM_JOB_CANCELLED || r->job.plan_only) {
        return 0;
    }
    int rc =
        gm_view_items(r->core, r->job.id, (struct gm_items_wish){0}, add_item_objects, list, err);
    if (rc == 0) {
        rc = gm_view_results(r->core, r->job.id, &results, err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < results.count; i++) {
        rc = add_objects(list, results.rows[i].objects, results.rows[i].object_count, err);
    }
    gm_view_results_fini(&results);
    if (rc == 0 && r->metas.package != NULL) {
        rc = add_bytes(list, "master.m3u8", &r->metas.package->master_m3u8, err);
        rc = rc < 0 ? rc : add_bytes(list, "manifest.mpd", &r->metas.package->manifest_mpd, err);
    }
    return rc;
}

static json_t *usage_json(const Gm__Usage *u)
{
    return json_pack("{s:f, s:f, s:I, s:I, s:I}", "cpu_s", (double)u->cpu_us / 1e6, "wall_s",
                     (double)u->wall_us / 1e6, "max_rss_bytes", (json_int_t)u->max_rss_bytes,
                     "bytes_in", (json_int_t)u->bytes_in, "bytes_out", (json_int_t)u->bytes_out);
}

static json_t *attempt_json(const struct gm_attempt_view *a)
{
    json_t *chunks = a->first_chunk < 0
                         ? json_null()
                         : json_pack("{s:I, s:I}", "first", (json_int_t)a->first_chunk, "count",
                                     (json_int_t)a->chunks);
    json_t *error =
        a->error_code == 0 ? json_null() : gm_json_error((int)a->error_code, a->error_text);
    return json_pack("{s:s, s:s, s:I, s:o, s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:o, s:o}", "task",
                     a->task, "type", a->type, "instance", (json_int_t)a->instance, "chunks",
                     chunks, "node", a->node_id, "device", a->device, "chain",
                     gm_json_text_or_null(a->chain), "attempt", (json_int_t)a->attempt, "started",
                     gm_json_time(a->started_unix_ms), "finished", gm_json_time(a->ended_unix_ms),
                     "outcome", gm_attempt_outcome_name(a->outcome), "error", error, "usage",
                     usage_json(&a->usage));
}

static int attempts_json(const struct report *r, json_t *tasks, json_t **out_cost,
                         struct gm_err *err)
{
    struct gm_attempts_view attempts;
    int rc = gm_view_attempts(r->core, r->job.id, &attempts, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < attempts.count; i++) {
        rc = json_array_append_new(tasks, attempt_json(&attempts.rows[i])) == 0 ? 0
                                                                                : gm_err_nomem(err);
    }
    if (rc == 0) {
        *out_cost = gm_report_cost(&attempts);
        rc = *out_cost != NULL ? 0 : gm_err_nomem(err);
    }
    gm_view_attempts_fini(&attempts);
    return rc;
}

/* What is done is not late any more. */
static const char *deadline_state(const struct report *r)
{
    if (r->state != GM_JOB_DONE || r->job.deadline_unix_ms == 0 || r->finished_unix_ms == 0) {
        return r->job.deadline_state;
    }
    return r->finished_unix_ms > r->job.deadline_unix_ms ? "missed" : "met";
}

static json_t *job_json(const struct report *r)
{
    const struct gm_job_view *v = &r->job;
    char title[GM_TITLE_SIZE];
    struct gm_err err;
    const struct gm_title_source source = {v->source_url, v->source_name, v->tenant,
                                           v->source_size};
    if (gm_title_make(&source, v->pipeline, title, &err) < 0) {
        return NULL;
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:i, s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "id", v->id,
        "title", title, "state", gm_job_state_name(r->state), "pipeline", v->pipeline_name,
        "source", gm_json_url(v->source_url), "destination", gm_json_string(v->destination_url),
        "priority", (int)v->priority, "external_id", gm_json_string(v->external_id), "plan_only",
        (int)v->plan_only, "publication", v->publication, "created",
        gm_json_time(v->created_unix_ms), "started", gm_json_time(v->started_unix_ms), "finished",
        gm_json_time(r->finished_unix_ms), "deadline", gm_json_time(v->deadline_unix_ms),
        "deadline_state", gm_json_text_or_null(deadline_state(r)));
}

static int build(const struct report *r, json_t **out, struct gm_err *err)
{
    json_t *outputs = json_array();
    json_t *tasks = json_array();
    json_t *cost = NULL;
    int rc = outputs == NULL || tasks == NULL ? gm_err_nomem(err) : outputs_json(r, outputs, err);
    if (rc == 0) {
        rc = attempts_json(r, tasks, &cost, err);
    }
    if (rc < 0) {
        json_decref(outputs);
        json_decref(tasks);
        return rc;
    }
    int64_t end = r->finished_unix_ms != 0 ? r->finished_unix_ms : gm_time_unix_ms();
    json_t *errors = json_array();
    if (errors != NULL && r->job.error.code != 0) {
        (void)json_array_append_new(errors, gm_doc_error(&r->job.error));
    }
    json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:O, s:o}", "gopmill",
                          GOPMILL_VERSION, "job", job_json(r), "source",
                          gm_report_source(&r->job, &r->metas), "plan", plan_json(r), "renditions",
                          gm_report_renditions(r->core, &r->job, &r->metas), "audio",
                          gm_report_audio(&r->metas), "outputs", outputs, "tasks", tasks, "cost",
                          cost, "elapsed_s", (double)(end - r->job.created_unix_ms) / 1e3,
                          "warnings", r->metas.warnings, "errors", errors);
    if (j != NULL &&
        (json_object_set_new(j, "text", gm_report_text(&r->metas)) < 0 ||
         json_object_set_new(j, "images", gm_report_images(&r->metas)) < 0 ||
         json_object_set_new(j, "backup", gm_report_backup(&r->job)) < 0 ||
         json_object_set_new(j, "encoding", gm_report_encoding(r->core, &r->job)) < 0)) {
        json_decref(j);
        j = NULL;
    }
    if (j == NULL) {
        return gm_err_nomem(err);
    }
    *out = j;
    return 0;
}

/* What the job will be once its report is in place. */
static enum gm_job_state settled(enum gm_job_state state)
{
    switch (state) {
    case GM_JOB_PUBLISHING:
        return GM_JOB_DONE;
    case GM_JOB_FAILING:
        return GM_JOB_FAILED;
    case GM_JOB_CANCELLING:
        return GM_JOB_CANCELLED;
    default:
        return state;
    }
}

static int open_report(const struct gm_core *core, const char *job_id, bool final, struct report *r,
                       struct gm_err *err)
{
    *r = (struct report){.core = core};
    int rc = gm_view_job(core, job_id, &r->job, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_metas_read(core, job_id, true, &r->metas, err);
    if (rc < 0) {
        gm_view_job_fini(&r->job);
        return rc;
    }
    rc = gm_report_backup_warn(&r->job, r->metas.warnings, err);
    if (rc < 0) {
        gm_metas_fini(&r->metas);
        gm_view_job_fini(&r->job);
        return rc;
    }
    r->state = final ? settled(r->job.state) : r->job.state;
    r->finished_unix_ms = r->job.finished_unix_ms;
    if (r->finished_unix_ms == 0 && gm_job_state_is_final(r->state)) {
        r->finished_unix_ms = gm_time_unix_ms();
    }
    return 0;
}

static void close_report(struct report *r)
{
    gm_metas_fini(&r->metas);
    gm_view_job_fini(&r->job);
}

int gm_report_json(const struct gm_core *core, const char *job_id, bool final, json_t **out,
                   struct gm_err *err)
{
    struct report r;
    int rc = open_report(core, job_id, final, &r, err);
    if (rc == 0) {
        rc = build(&r, out, err);
        close_report(&r);
    }
    return rc;
}

int gm_report_build(const struct gm_core *core, const char *job_id, struct gm_report_files *out,
                    struct gm_err *err)
{
    struct report r;
    struct gm_report_files files = {0};
    json_t *j = NULL;
    int rc = open_report(core, job_id, true, &r, err);
    if (rc < 0) {
        return rc;
    }
    rc = build(&r, &j, err);
    if (rc == 0) {
        rc = gm_json_text(j, true, &files.report, err);
    }
    if (rc == 0 && r.state == GM_JOB_DONE && r.metas.package != NULL) {
        const Gm__PackageMeta *p = r.metas.package;
        gm_buf_add(&files.master_m3u8, p->master_m3u8.data, p->master_m3u8.len);
        gm_buf_add(&files.manifest_mpd, p->manifest_mpd.data, p->manifest_mpd.len);
        rc = gm_buf_check(&files.master_m3u8, err);
        rc = rc < 0 ? rc : gm_buf_check(&files.manifest_mpd, err);
    }
    close_report(&r);
    if (rc < 0) {
        gm_report_files_fini(&files);
        return rc;
    }
    *out = files;
    return 0;
}

void gm_report_files_fini(struct gm_report_files *files)
{
    gm_buf_fini(&files->report);
    gm_buf_fini(&files->master_m3u8);
    gm_buf_fini(&files->manifest_mpd);
}
