#ifndef GM_SCHEDULER_PIPELINE_ENCODE_H
#define GM_SCHEDULER_PIPELINE_ENCODE_H

#include "common/yaml.h"
#include "media.pb-c.h"

/* What the encode task's parameters mean to the codec, and those of its single renditions. */

/* Checks `params` as the YAML map filled it against the codec, fills what depends on the codec
 * (crf, bit_depth), and adds the entries of the map's `renditions`, whole: the task's own values,
 * but for those that the entry names; with another codec nothing of quality, profile, level or
 * depth is taken over. Errors: CONFIG, NOMEM. */
int gm_encode_settle(const struct gm_yaml *yaml, Gm__EncodeParams *params,
                     struct gm_err *err) GM_MUST_CHECK;
/* Each rendition named is a rung of the ladder. encode, plan: the tasks' YAML. Errors: CONFIG. */
int gm_encode_check_ladder(const struct gm_yaml *encode, const Gm__PlanParams *plan,
                           struct gm_err *err) GM_MUST_CHECK;
/* A bit rate or a quality to be reached needs an analyze task, and that needs one of them. analyze:
 * NULL: there is none. Errors: CONFIG. */
int gm_encode_check_analyze(const struct gm_yaml *encode, const Gm__EncodeParams *params,
                            const struct gm_yaml *analyze, struct gm_err *err) GM_MUST_CHECK;

#endif
