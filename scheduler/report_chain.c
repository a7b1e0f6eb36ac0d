#include "scheduler/report_chain.h"

#include <string.h>

#include "scheduler/metas.h"

const Gm__EncodeParams *gm_report_encode_params(const struct gm_job_view *job)
{
    for (size_t i = 0; i < job->pipeline->n_tasks; i++) {
        const Gm__PipelineTask *t = job->pipeline->tasks[i];
        if (t->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            return t->encode;
        }
    }
    return NULL;
}

static json_t *wanted(const Gm__EncodeParams *p)
{
    if (p->n_devices == 0) {
        return json_null();
    }
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < p->n_devices; i++) {
        list = gm_json_add(list, gm_json_string(p->devices[i]));
    }
    return list;
}

static json_t *given_up(const struct gm_job_view *job)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < job->lost_count; i++) {
        const struct gm_lost_view *l = &job->lost[i];
        list = gm_json_add(list, json_pack("{s:s, s:s, s:o}", "chain", l->name, "code",
                                           gm_code_get((int)l->code)->id, "text",
                                           gm_json_string(l->text)));
    }
    return list;
}

/* When the job was expected to end by each chain that it could have had, when it was chosen. */
static json_t *expected(const struct gm_job_view *job)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < job->chain_end_count; i++) {
        const struct gm_chain_end *e = &job->chain_ends[i];
        json_t *end = e->end_ms > 0 ? json_integer((e->end_ms + 999) / 1000) : json_null();
        list = gm_json_add(
            list, json_pack("{s:o, s:o}", "chain", gm_json_string(e->chain), "end_s", end));
    }
    return list;
}

json_t *gm_report_encoding(const struct gm_core *core, const struct gm_job_view *job)
{
    const Gm__EncodeParams *p = gm_report_encode_params(job);
    if (p == NULL) {
        return json_null();
    }
    return json_pack("{s:{s:o, s:s}, s:{s:o, s:o}, s:o, s:o, s:o, s:{s:o}}", "requested", "devices",
                     wanted(p), "fallback", p->fallback[0] != '\0' ? p->fallback : "software",
                     "resolved", "chain", gm_json_text_or_null(job->chain), "fingerprint",
                     gm_json_text_or_null(job->chain_fingerprint), "reason",
                     gm_json_text_or_null(job->chain_reason), "expected", expected(job), "given_up",
                     given_up(job), "actual", "devices", gm_report_devices(core, job->id));
}

static void count_run(json_t *list, const struct gm_attempt_view *a)
{
    size_t k = 0;
    json_t *j = NULL;
    json_array_foreach(list, k, j)
    {
        if (strcmp(json_string_value(json_object_get(j, "node")), a->node_id) == 0 &&
            strcmp(json_string_value(json_object_get(j, "device")), a->device) == 0) {
            json_t *runs = json_object_get(j, "runs");
            (void)json_integer_set(runs, json_integer_value(runs) + 1);
            return;
        }
    }
    (void)json_array_append_new(
        list, json_pack("{s:s, s:s, s:i}", "node", a->node_id, "device", a->device, "runs", 1));
}

json_t *gm_report_devices(const struct gm_core *core, const char *job_id)
{
    struct gm_attempts_view attempts;
    struct gm_err err;
    json_t *list = json_array();
    if (list == NULL || gm_view_attempts(core, job_id, &attempts, &err) < 0) {
        return list;
    }
    for (size_t i = 0; i < attempts.count; i++) {
        const struct gm_attempt_view *a = &attempts.rows[i];
        /* Whatever became of the run: its chunks are in the output. */
        if (a->progressed && strcmp(a->type, "encode") == 0) {
            count_run(list, a);
        }
    }
    gm_view_attempts_fini(&attempts);
    return list;
}

json_t *gm_report_scaler(const Gm__Policy *policy)
{
    return json_pack("{s:o, s:o}", "by",
                     gm_json_string(policy->scaler[0] != '\0' ? policy->scaler : "libavfilter"),
                     "reason", gm_json_text_or_null(policy->scaler_reason));
}

json_t *gm_report_ways(const struct gm_ways *ways, bool with_device)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < ways->count; i++) {
        const struct gm_way_sum *w = &ways->sums[i];
        json_t *j = json_pack("{s:o, s:I, s:o}", "by", gm_json_string(w->by), "chunks",
                              (json_int_t)w->chunks, "reason", gm_json_text_or_null(w->reason));
        if (j != NULL && with_device &&
            json_object_set_new(j, "device", gm_json_text_or_null(w->device)) < 0) {
            json_decref(j);
            j = NULL;
        }
        list = gm_json_add(list, j);
    }
    return list;
}
