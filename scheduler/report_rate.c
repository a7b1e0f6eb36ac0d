#include "scheduler/report_rate.h"

#include <string.h>

bool gm_report_encode_is_done(const struct gm_job_view *job)
{
    for (size_t i = 0; i < job->task_count; i++) {
        if (strcmp(job->tasks[i].type, "encode") == 0) {
            return job->tasks[i].state == GM_TASK_DONE;
        }
    }
    return false;
}

json_t *gm_report_buffer(const Gm__Rendition *v, const struct gm_media_sum *sum, bool whole)
{
    if (v->bufsize_bits <= 0 || sum->chunks == 0 || !whole) {
        return json_null();
    }
    int64_t entry = v->bufsize_bits / 2;
    int64_t lowest = gm_bucket_lowest(&sum->buffer, entry);
    return json_pack("{s:I, s:I, s:I, s:I, s:b, s:I}", "rate_bps", (json_int_t)v->maxrate_bps,
                     "size_bits", (json_int_t)v->bufsize_bits, "start_bits", (json_int_t)entry,
                     "lowest_bits", (json_int_t)lowest, "underflow", (int)(lowest < 0),
                     "chunks_retried", (json_int_t)sum->chunks_retried);
}

json_t *gm_report_quality(const Gm__QualityTarget *q)
{
    return q == NULL ? json_null()
                     : json_pack("{s:o, s:o, s:i, s:i, s:i}", "metric", gm_json_string(q->metric),
                                 "target", gm_json_number(q->target), "min_crf", (int)q->min_crf,
                                 "max_crf", (int)q->max_crf, "samples", (int)q->samples);
}

json_t *gm_report_analyzed(const struct gm_media_sum *sum, bool whole)
{
    if (!whole || sum->min_crf_centi == 0) {
        return json_null();
    }
    return json_pack("{s:f, s:f, s:o}", "min_crf", sum->min_crf_centi / 100.0, "max_crf",
                     sum->max_crf_centi / 100.0, "expected_score",
                     sum->expected_score > 0 ? gm_json_number(sum->expected_score) : json_null());
}
