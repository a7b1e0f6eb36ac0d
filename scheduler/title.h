#ifndef GM_SCHEDULER_TITLE_H
#define GM_SCHEDULER_TITLE_H

#include "media.pb-c.h"
#include "storage/store.h"

/* Whether what stands at a destination is the result of the same source by the same pipeline: a job
 * that makes it again may publish over it, another one only where it was asked to. */

#define GM_TITLE_SIZE 33 /* bytes; 32 hex digits and a NUL */

struct gm_title_source { /* borrowed */
    const char *url;
    const char *name, *tenant; /* read of an upload alone, and so is: */
    uint64_t size;
};
/* What tells one title from another: the source, and the pipeline but for its name and what it says
 * of itself. A source is its URL, of http(s) without the query, which may be a signature that was
 * renewed; an upload, whose URL is new each time, is tenant, name and size. The same file of other
 * bytes is the same title. Thread: any. Errors: NOMEM. */
int gm_title_make(const struct gm_title_source *source, const Gm__Pipeline *pipeline,
                  char out[GM_TITLE_SIZE], struct gm_err *err) GM_MUST_CHECK;

struct gm_title_own {
    const char *job_id;
    const char *title;
    const char *source;      /* as reports say it (gm_json_url) */
    const char *publication; /* "": not known yet */
};
/* Looks at report.json and the manifests there. A report of an earlier release, which says no
 * title, is compared by its source. Manifests of a job that still works are no title.
 *
 * store:  borrowed; the destination
 * Thread: any, one at a time per store
 * Errors: TITLE_EXISTS  another title, or one of which nothing is known, stands
 *                       there; a report that is too large to be looked at says nothing
 *         those of gm_store_get but NOTFOUND */
int gm_title_check(struct gm_store *store, const struct gm_title_own *own,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
