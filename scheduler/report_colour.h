#ifndef GM_SCHEDULER_REPORT_COLOUR_H
#define GM_SCHEDULER_REPORT_COLOUR_H

#include "scheduler/metas.h"

/* The parts of report.json that tell of colour (docs/report.md). A new value, or NULL: no memory.
 */

/* source.video.hdr: what the source says of its light; null for SDR. */
json_t *gm_report_hdr(const Gm__VideoFacts *video);
/* plan.tone_map; null where map is NULL. */
json_t *gm_report_tone_map(const Gm__ToneMap *map);
/* renditions[].colour */
json_t *gm_report_colour(const Gm__Rendition *rendition);

#endif
