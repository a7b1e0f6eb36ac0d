/* Tenants: who jobs belong to. One that the configuration names stays; others are there as long as
 * a job of theirs is known. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/state.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
#define KEPT_PART 10 /* of max_jobs: for the class high, and once more for other tenants */
#define BROKEN(...) gm_err_set(err, GM_E_BUG, 0, __VA_ARGS__)

int gm_tenant_check(const struct gm_tenant_params *tenant, struct gm_err *err)
{
    const char *name = tenant->name ? tenant->name : "";
    size_t size = strspn(name, NAME_BYTES);
    bool others = strcmp(name, GM_TENANT_OTHERS) == 0;
    if (!others && (size == 0 || size > GM_TENANT_MAX_NAME || name[size] != '\0' ||
                    strchr("_-.", name[0]) != NULL)) {
        return gm_err_set(err, GM_E_INVAL, 0,
                          "a tenant has 1..%u letters, digits, '_', '-' and '.', a letter or digit "
                          "first",
                          GM_TENANT_MAX_NAME);
    }
    if (tenant->weight > GM_TENANT_MAX_WEIGHT) {
        return gm_err_set(err, GM_E_INVAL, tenant->weight, "the weight of a tenant is 1..%d",
                          GM_TENANT_MAX_WEIGHT);
    }
    return 0;
}

struct gm_tenant *gm_core_tenant_find(const struct gm_core *core, const char *name)
{
    struct gm_tenant *tenant = NULL;
    HASH_FIND_STR(core->order.tenants, name, tenant);
    return tenant;
}

static struct gm_tenant *add(struct gm_core *core, const char *name)
{
    struct gm_order *order = &core->order;
    struct gm_tenant *tenant = gm_mem_zalloc(sizeof(*tenant));
    tenant->name = gm_mem_strdup(name);
    tenant->number = ++order->tenant_count;
    tenant->weight = order->weight;
    tenant->max_running = order->max_running;
    tenant->max_queued = order->max_queued;
    for (int c = 0; c < GM_CLASSES; c++) {
        tenant->lanes[c].tenant = tenant;
    }
    HASH_ADD_KEYPTR(hh, order->tenants, tenant->name, strlen(tenant->name), tenant);
    return tenant;
}

static void tenant_destroy(struct gm_tenant *tenant)
{
    for (int c = 0; c < GM_CLASSES; c++) {
        gm_heap_fini(&tenant->lanes[c].jobs);
    }
    free(tenant->name);
    free(tenant);
}

void gm_core_order_init(struct gm_core *core)
{
    struct gm_order *order = &core->order;
    const struct gm_core_params *params = &core->params;
    order->weight = 1;
    for (size_t i = 0; i < params->tenant_count; i++) {
        const struct gm_tenant_params *p = &params->tenants[i];
        if (strcmp(p->name, GM_TENANT_OTHERS) == 0) {
            order->weight = p->weight > 0 ? p->weight : 1;
            order->max_running = p->max_running;
            order->max_queued = p->max_queued;
        }
    }
    for (size_t i = 0; i < params->tenant_count; i++) {
        const struct gm_tenant_params *p = &params->tenants[i];
        if (strcmp(p->name, GM_TENANT_OTHERS) != 0 && !gm_core_tenant_find(core, p->name)) {
            struct gm_tenant *tenant = add(core, p->name);
            tenant->weight = p->weight > 0 ? p->weight : 1;
            tenant->max_running = p->max_running;
            tenant->max_queued = p->max_queued;
            tenant->named = true;
        }
    }
    core->params.tenants = NULL; /* the caller's */
    core->params.tenant_count = 0;
}

void gm_core_order_fini(struct gm_core *core)
{
    struct gm_order *order = &core->order;
    struct gm_tenant *tenant = order->tenants;
    HASH_CLEAR(hh, order->tenants);
    while (tenant) { /* the list outlives its table */
        struct gm_tenant *next = tenant->hh.next;
        tenant_destroy(tenant);
        tenant = next;
    }
    for (int c = 0; c < GM_CLASSES; c++) {
        gm_heap_fini(&order->lanes[c]);
    }
    gm_heap_fini(&order->waiting);
    free(order->aside);
}

void gm_core_order_join(struct gm_core *core, struct gm_cjob *job, const char *name)
{
    const char *own = name && name[0] != '\0' ? name : GM_TENANT_DEFAULT;
    struct gm_tenant *tenant = gm_core_tenant_find(core, own);
    job->tenant = tenant ? tenant : add(core, own);
    job->tenant->jobs++;
    job->tenant->unfinished += gm_job_state_is_final(job->state) ? 0 : 1;
    job->turn.class_ = gm_fair_class(job->priority);
}

void gm_core_order_finish(struct gm_cjob *job)
{
    job->tenant->unfinished--;
}

void gm_core_order_part(struct gm_core *core, struct gm_cjob *job)
{
    struct gm_tenant *tenant = job->tenant;
    struct gm_order *order = &core->order;
    for (uint32_t i = 0; job->turn.changed && i < order->changed_count; i++) {
        if (order->changed[i] == job) {
            order->changed[i] = order->changed[--order->changed_count];
            job->turn.changed = false;
        }
    }
    job->tenant = NULL;
    if (--tenant->jobs == 0 && !tenant->named) {
        HASH_DEL(core->order.tenants, tenant);
        tenant_destroy(tenant);
    }
}

/* Of the farm: all that it takes, and less for who is not urgent. */
static int check_room(const struct gm_core *core, int32_t priority, struct gm_err *err)
{
    uint32_t most = core->params.max_jobs, kept = most / KEPT_PART;
    if (core->unfinished >= most) {
        return gm_err_set(err, GM_E_BUSY, 0,
                          "%" PRIu64 " jobs are waiting or running already: max_jobs is %u",
                          core->unfinished, most);
    }
    if (gm_fair_class(priority) < GM_CLASS_HIGH && core->unfinished >= most - kept) {
        return gm_err_set(err, GM_E_BUSY, 0,
                          "%" PRIu64 " jobs are waiting or running already: the last %u of "
                          "max_jobs, %u, are for those of the class high",
                          core->unfinished, kept, most);
    }
    return 0;
}

int gm_core_tenant_check_submit(const struct gm_core *core, const char *name, int32_t priority,
                                struct gm_err *err)
{
    const struct gm_tenant_params asked = {.name =
                                               name && name[0] != '\0' ? name : GM_TENANT_DEFAULT};
    if (strcmp(asked.name, GM_TENANT_OTHERS) == 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "`%s` is no tenant: it stands for all others",
                          GM_TENANT_OTHERS);
    }
    int rc = gm_tenant_check(&asked, err);
    if (rc < 0) {
        return rc;
    }
    const struct gm_tenant *tenant = gm_core_tenant_find(core, asked.name);
    rc = check_room(core, priority, err);
    if (rc < 0 || !tenant) {
        return rc;
    }
    if (tenant->max_queued > 0 && tenant->unfinished >= tenant->max_queued) {
        return gm_err_set(err, GM_E_BUSY, 0,
                          "%u jobs of tenant %s are waiting or running already: its max_queued",
                          tenant->max_queued, tenant->name);
    }
    uint32_t share = core->params.max_jobs - core->params.max_jobs / KEPT_PART * 2;
    if (tenant->max_queued == 0 && tenant->unfinished >= share) {
        return gm_err_set(err, GM_E_BUSY, 0,
                          "%u jobs of tenant %s are waiting or running already: without a "
                          "max_queued of its own a tenant has eight tenths of max_jobs, %u",
                          share, tenant->name, core->params.max_jobs);
    }
    return 0;
}

static int check_tenant(const struct gm_core *core, const struct gm_tenant *tenant,
                        struct gm_err *err)
{
    uint64_t jobs = 0, unfinished = 0, running = 0;
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        if (job->tenant == tenant) {
            jobs++;
            unfinished += gm_job_state_is_final(job->state) ? 0 : 1;
            running += job->lease_count;
        }
    }
    if (jobs != tenant->jobs || unfinished != tenant->unfinished || running != tenant->running) {
        return BROKEN("tenant %s: %" PRIu64 " jobs, %" PRIu64 " unfinished, %" PRIu64
                      " leases are counted otherwise",
                      tenant->name, jobs, unfinished, running);
    }
    for (int c = 0; c < GM_CLASSES; c++) {
        const struct gm_lane *lane = &tenant->lanes[c];
        bool in = lane->jobs.count > 0 && !gm_core_tenant_is_full(tenant);
        if (in != (lane->turn.at != 0)) {
            return BROKEN("tenant %s %s its turn in class %d", tenant->name,
                          in ? "misses" : "should not have", c);
        }
    }
    return 0;
}

int gm_core_order_check(const struct gm_core *core, struct gm_err *err)
{
    for (const struct gm_cjob *job = core->jobs; job; job = job->hh.next) {
        bool waits = job->ready_units > 0;
        if (waits != (job->turn.line.at != 0) || waits != (job->turn.wait.at != 0) ||
            job->turn.aside) {
            return BROKEN("job %s has %" PRIu64 " units ready and is%s in line", job->id,
                          job->ready_units, job->turn.line.at != 0 ? "" : " not");
        }
    }
    for (const struct gm_tenant *t = core->order.tenants; t; t = t->hh.next) {
        int rc = check_tenant(core, t, err);
        if (rc < 0) {
            return rc;
        }
    }
    return gm_core_order_is_sound(&core->order) ? 0 : BROKEN("the order of turns is broken");
}
