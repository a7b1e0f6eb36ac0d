#ifndef GM_SCHEDULER_HTTP_PACE_H
#define GM_SCHEDULER_HTTP_PACE_H

#include "common/rate.h"
#include "scheduler/core/core.h"

/* How many jobs a second a tenant may submit: max_submits_per_s of the configuration's lines, as
 * many at once after a pause. Tenants without a line have the limit of `*`, each for itself.
 * Thread: one at a time. */
#define GM_PACE_TENANTS                                                                            \
    1024 /* that are remembered; beyond that the one that paused longest goes                      \
          */

struct gm_pace_row {
    char tenant[65];
    struct gm_rate rate;
};
struct gm_pace { /* all-zero: nobody has submitted */
    struct gm_pace_row rows[GM_PACE_TENANTS];
    size_t count;
};

/* tenant: NULL or "": the default. Errors: BUSY (come again in a second). */
int gm_pace_take(struct gm_pace *pace, const struct gm_tenant_params *tenants, size_t count,
                 const char *tenant, gm_time now, struct gm_err *err) GM_MUST_CHECK;

#endif
