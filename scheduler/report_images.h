#ifndef GM_SCHEDULER_REPORT_IMAGES_H
#define GM_SCHEDULER_REPORT_IMAGES_H

#include <jansson.h>

#include "scheduler/metas.h"

/* What report.json says of posters and sprite sheets (docs/report.md, images): null for a job that
 * makes none, or has not made them yet. metas: read with items. Owned; NULL: out of memory. */
json_t *gm_report_images(const struct gm_metas *metas);

#endif
