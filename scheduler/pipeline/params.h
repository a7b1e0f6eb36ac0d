#ifndef GM_SCHEDULER_PIPELINE_PARAMS_H
#define GM_SCHEDULER_PIPELINE_PARAMS_H

#include "scheduler/pipeline/pipeline.h"

/* Fills `params` (an initialised message of task type `task`) from the YAML map `node` (NULL: an
 * empty one): what is not written gets its default. skip: NULL-terminated keys of the map that are
 * not parameters. Errors: CONFIG, NOMEM; params is then half filled and still valid to free. */
int gm_params_fill(const char *task, const struct gm_yaml *where, const struct gm_yaml *node,
                   const char *const *skip, void *params, struct gm_err *err) GM_MUST_CHECK;

/* Sets those fields of `params` that the YAML map `node` names: rows that single renditions may
 * have. Errors: as above. */
int gm_params_override(const struct gm_yaml *node, Gm__EncodeParams *params,
                       struct gm_err *err) GM_MUST_CHECK;

#endif
