#ifndef GM_SCHEDULER_REPORT_IMAGES_H
#define GM_SCHEDULER_REPORT_IMAGES_H

#include <jansson.h>

#include "media.pb-c.h"

/* What report.json says of posters and sprite sheets (docs/report.md, images): null for a job that
 * makes none, or has not made them yet. meta: may be NULL. Owned; NULL: out of memory. */
json_t *gm_report_images(const Gm__ThumbnailsMeta *meta);

#endif
