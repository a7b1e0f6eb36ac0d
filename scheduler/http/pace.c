#include "scheduler/http/pace.h"

#include <stdio.h>
#include <string.h>

static uint32_t limit_of(const struct gm_tenant_params *tenants, size_t count, const char *tenant)
{
    uint32_t others = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tenants[i].name, tenant) == 0) {
            return tenants[i].max_submits_per_s;
        }
        others =
            strcmp(tenants[i].name, GM_TENANT_OTHERS) == 0 ? tenants[i].max_submits_per_s : others;
    }
    return others;
}

static struct gm_pace_row *row_of(struct gm_pace *pace, const char *tenant)
{
    struct gm_pace_row *oldest = &pace->rows[0];
    for (size_t i = 0; i < pace->count; i++) {
        struct gm_pace_row *row = &pace->rows[i];
        if (strcmp(row->tenant, tenant) == 0) {
            return row;
        }
        oldest = row->rate.at < oldest->rate.at ? row : oldest;
    }
    struct gm_pace_row *row = pace->count < GM_PACE_TENANTS ? &pace->rows[pace->count++] : oldest;
    *row = (struct gm_pace_row){.tenant = ""};
    (void)snprintf(row->tenant, sizeof row->tenant, "%s", tenant);
    return row;
}

int gm_pace_take(struct gm_pace *pace, const struct gm_tenant_params *tenants, size_t count,
                 const char *tenant, gm_time now, struct gm_err *err)
{
    const char *name = tenant != NULL && tenant[0] != '\0' ? tenant : GM_TENANT_DEFAULT;
    uint32_t limit = limit_of(tenants, count, name);
    if (limit == 0 || gm_rate_take(&row_of(pace, name)->rate, 1, limit, limit, now)) {
        return 0;
    }
    return gm_err_set(err, GM_E_BUSY, 0, "tenant %s may submit %u jobs a second", name, limit);
}
