/* See: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
#include "scheduler/hooks/body.h"

#include <inttypes.h>
#include <stdio.h>

#include "scheduler/report.h"

const char *gm_hook_id(const char *job_id, uint64_t seq, char out[GM_HOOK_ID])
{
    (void)snprintf(out, GM_HOOK_ID, "%.64s-%" PRIu64, job_id, seq);
    return out;
}

/* NULL: out of memory. */
static json_t *data_of(const struct gm_core *core, const struct gm_hook_event *event)
{
    static const char *const moment[] = {"progress", "eta", "webhook", NULL};
    json_t *job = NULL;
    struct gm_err err;
    if (gm_doc_job_row(core, event->job_id, &job, &err) < 0) {
        return json_loads(event->json, 0, NULL);
    }
    for (const char *const *m = moment; *m != NULL; m++) {
        (void)json_object_del(job, *m);
    }
    return job;
}

void gm_hook_body_trace(const void *body, size_t size, char out[GM_TRACEPARENT_SIZE])
{
    json_t *doc = json_loadb(body, size, 0, NULL);
    (void)gm_traceparent_parse(json_string_value(json_object_get(doc, "traceparent")), out);
    json_decref(doc);
}

int gm_hook_body(const struct gm_core *core, const struct gm_hook_event *event, struct gm_buf *out,
                 struct gm_err *err)
{
    char id[GM_HOOK_ID], type[64];
    (void)snprintf(type, sizeof type, "gopmill.%s", event->type);
    json_t *doc = json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:s, s:o}", "specversion", "1.0", "id",
                            gm_hook_id(event->job_id, event->seq, id), "source",
                            gm_json_string(event->source), "type", type, "subject", event->job_id,
                            "time", gm_json_time(event->unix_ms), "datacontenttype",
                            "application/json", "data", data_of(core, event));
    const char *trace = gm_view_traceparent(core, event->job_id);
    if (doc != NULL && trace[0] != '\0' &&
        json_object_set_new(doc, "traceparent", json_string(trace)) != 0) {
        json_decref(doc);
        return gm_err_nomem(err);
    }
    return gm_json_text(doc, false, out, err);
}
