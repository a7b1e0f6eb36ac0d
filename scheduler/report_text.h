#ifndef GM_SCHEDULER_REPORT_TEXT_H
#define GM_SCHEDULER_REPORT_TEXT_H

#include "scheduler/metas.h"

/* What report.json says of subtitles and chapters: docs/report.md. Lists; NULL: out of memory. */
/* burnt: Policy.burn_text */
json_t *gm_report_text_facts(const Gm__Inspection *inspection, uint32_t burnt);
json_t *gm_report_chapters(Gm__Chapter *const *chapters, size_t count);
/* The text tracks of the result; empty before the plan. */
json_t *gm_report_text(const struct gm_metas *metas);

#endif
