/* What a removal does in a store. Each step opens it anew, asks who leads, and can be done again
 * after a crash with the same end. Whose manifests stand there the report says, so it goes last;
 * where another farm's title stands by now, only what lies below the own publication goes. */
#include <string.h>

#include "scheduler/below.h"
#include "scheduler/replaced.h"
#include "scheduler/standing.h"
#include "scheduler/takedown_parts.h"
#include "storage/remote/stores.h"

#define STEP_TIME GM_SEC

static int still_leads(void *arg, struct gm_err *err)
{
    const struct gm_takedown_run *run = arg;
    if (atomic_load(&run->given_up)) {
        return gm_err_set(err, GM_E_CANCELLED, 0, "the removal was given up");
    }
    return gm_publish_check_lead(run->d, err);
}

static int open_place(struct gm_takedown_run *run, struct gm_store **out)
{
    const struct gm_takedown_place *p = &run->places[run->at];
    int rc = gm_stores_open_marked(run->d->stores, p->url, p->mark, out, &run->err);
    return rc == -GM_E_NOTFOUND ? gm_err_set(&run->err, GM_E_STORE, 0,
                                             "%.150s is not there: is its file system "
                                             "mounted?",
                                             p->url)
                                : rc;
}

/* Whose title it is that stands there. */
enum owner { NOBODYS, OURS, ANOTHERS };

static int find_owner(struct gm_takedown_run *run, struct gm_store *store, enum owner *out)
{
    struct gm_standing_job job = {0};
    struct gm_standing standing = {0};
    int rc = gm_standing_job(store, &job, &run->err);
    if (rc < 0 && rc != -GM_E_LIMIT) { /* of what is too large to be looked at nothing is known */
        return rc;
    }
    *out = job.id == NULL                     ? NOBODYS
           : strcmp(job.id, run->job_id) == 0 ? OURS
           : strcmp(job.state, "done") != 0   ? NOBODYS
                                              : ANOTHERS;
    gm_standing_job_fini(&job);
    if (*out == NOBODYS) { /* no report of who published: the manifests name what they lead to */
        rc = gm_standing_manifests(store, &standing, &run->err);
        bool ours = rc == 0 && gm_standing_has(&standing, run->publication);
        bool any = rc == 0 && (standing.manifests[0] != NULL || standing.manifests[1] != NULL);
        *out = ours ? OURS : any ? ANOTHERS : NOBODYS;
        gm_standing_fini(&standing);
    }
    return rc;
}

static int drop_manifests(struct gm_takedown_run *run, struct gm_store *store)
{
    int rc = gm_store_delete(store, "master.m3u8", &run->err);
    GM_CRASH("takedown.master");
    rc = rc < 0 ? rc : gm_store_delete(store, "manifest.mpd", &run->err);
    GM_CRASH("takedown.manifests");
    return rc;
}

/* Another title may lead to the same publication, of the same source by the same pipeline. */
static int drop_outputs(struct gm_takedown_run *run, struct gm_store *store, enum owner owner,
                        gm_time until, bool *out_more)
{
    char prefix[GM_HOLD_NAME + 4];
    struct gm_standing standing = {0};
    bool has = false;
    *out_more = false;
    if (owner == ANOTHERS) {
        int rc = gm_standing_read(store, "", &standing, &run->err);
        rc = rc == -GM_E_LIMIT ? gm_standing_manifests(store, &standing, &run->err) : rc;
        has = rc == 0 && gm_standing_has(&standing, run->publication);
        gm_standing_fini(&standing);
        if (rc < 0 || has) {
            return rc;
        }
    }
    (void)snprintf(prefix, sizeof prefix, "v/%.*s/", GM_HOLD_NAME - 1, run->publication);
    int rc = 0;
    do {
        rc = gm_below_delete(store, prefix, out_more, &run->err);
        GM_CRASH("takedown.outputs");
    } while (rc == 0 && *out_more && gm_time_now() < until);
    return rc < 0 || *out_more ? rc : gm_replaced_drop(store, run->publication, &run->err);
}

/* Earlier publications of the title, which are played on for a while where one took their place. */
static int drop_replaced(struct gm_takedown_run *run, struct gm_store *store, gm_time until,
                         bool *out_more)
{
    struct gm_replaced replaced = {0};
    int rc = gm_replaced_read(store, INT64_MAX, &replaced, &run->err);
    for (size_t i = 0; rc == 0 && i < replaced.count && !*out_more; i++) {
        enum gm_replaced_step step = GM_REPLACED_MORE;
        do {
            rc = gm_replaced_delete(store, replaced.due[i], INT64_MAX, &step, &run->err);
        } while (rc == 0 && step == GM_REPLACED_MORE && gm_time_now() < until);
        *out_more = step == GM_REPLACED_MORE || (i + 1 < replaced.count && gm_time_now() >= until);
    }
    gm_replaced_fini(&replaced);
    if (rc == -GM_E_LIMIT) { /* a report that is too large to be looked at */
        *out_more = false;
        rc = 0;
    }
    return rc;
}

int gm_takedown_clear(struct gm_takedown_run *run, struct gm_store *store, gm_time until)
{
    enum owner owner = NOBODYS;
    int rc = find_owner(run, store, &owner);
    if (rc == 0 && owner == OURS) {
        rc = drop_manifests(run, store);
    }
    rc = rc < 0 ? rc : drop_outputs(run, store, owner, until, &run->more);
    if (rc == 0 && !run->more && owner != ANOTHERS) {
        rc = drop_replaced(run, store, until, &run->more);
    }
    if (rc == 0 && !run->more && owner == OURS) {
        rc = gm_store_delete(store, "report.json", &run->err);
        GM_CRASH("takedown.report");
    }
    return rc;
}

void gm_takedown_step(struct gm_takedown_run *run)
{
    const struct gm_stores_limit limit = {.wanted = still_leads, .arg = run};
    struct gm_store *store = NULL;
    run->more = false;
    gm_stores_limit(&limit);
    run->rc = gm_publish_check_lead(run->d, &run->err);
    run->rc = run->rc < 0 ? run->rc : open_place(run, &store);
    run->rc = run->rc < 0 ? run->rc : gm_takedown_clear(run, store, gm_time_now() + STEP_TIME);
    gm_store_close(&store);
    gm_stores_limit(NULL);
}
