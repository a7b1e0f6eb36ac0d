#ifndef GM_SCHEDULER_REPORT_RATE_H
#define GM_SCHEDULER_REPORT_RATE_H

#include <jansson.h>

#include "scheduler/metas.h"

/* What report.json says of bit rates: docs/report.md. NULL: out of memory. */

/* Every chunk of the job was encoded. */
bool gm_report_encode_is_done(const struct gm_job_view *job);
/* "requested" and "resolved": {"metric", "target", "min_crf", "max_crf", "samples"}, or null. */
json_t *gm_report_quality(const Gm__QualityTarget *quality);
/* What analyze led to: {"min_crf", "max_crf", "expected_score"}; null where it was not asked or
 * chunks are missing. */
json_t *gm_report_analyzed(const struct gm_media_sum *sum, bool whole);
/* How the rendition went through its declared buffer; null without a cap or while chunks are
 * missing (whole false). */
json_t *gm_report_buffer(const Gm__Rendition *rendition, const struct gm_media_sum *sum,
                         bool whole);

#endif
