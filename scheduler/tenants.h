#ifndef GM_SCHEDULER_TENANTS_H
#define GM_SCHEDULER_TENANTS_H

#include "scheduler/core/core.h"

/* Tenants as the configuration names them, a line each: "news weight=3 max_running=8
 * max_queued=100 max_submits_per_s=5 max_uploads=20"; a name is the core's, "*" all that have no
 * line. lines: NULL-terminated, or NULL. *out: owned, names too: gm_tenants_free. Errors: CONFIG,
 * NOMEM. */
int gm_tenants_parse(char *const *lines, struct gm_tenant_params **out, size_t *out_count,
                     struct gm_err *err) GM_MUST_CHECK;
/* The line of that name, or that of all others; NULL: there is none. Borrowed. */
const struct gm_tenant_params *gm_tenants_find(const struct gm_tenant_params *tenants, size_t count,
                                               const char *name);
void gm_tenants_free(struct gm_tenant_params *tenants, size_t count);

#endif
