#ifndef GM_SCHEDULER_CATALOGUE_H
#define GM_SCHEDULER_CATALOGUE_H

#include "state.pb-c.h"

#define uthash_fatal(msg) gm_mem_exhausted()
#include <uthash.h>

#include "common/err.h"
#include "scheduler/core/mem.h"

/* The titles that were published, newest first by their jobs' ends: a table in memory. Of one
 * destination it has the title that was published there last. Titles are found by job, by place and
 * by position, each as fast among many as among few; a tenant's positions are his own, so nobody
 * walks over what others have. Out of memory ends the process, as in the core: all is in the store.
 * Thread: one at a time. */

/* A row with a longer document is not taken: with it a title takes 20 KiB at most. */
#define GM_ASSET_DOCUMENT ((size_t)16 << 10)

struct gm_asset {
    Gm__AssetRow *row;         /* owned */
    bool placed;               /* it stands at its place: found there */
    UT_hash_handle job, place; /* by row->job, by row->destination */
};
struct gm_asset_line {        /* titles by position, the oldest first */
    char *tenant;             /* owned; NULL: all */
    struct gm_asset **titles; /* count of them from `first` on */
    size_t first, count, cap;
    UT_hash_handle hh;
};
struct gm_catalogue { /* all-zero: empty */
    struct gm_asset *jobs, *places;
    struct gm_asset_line all;
    struct gm_asset_line *tenants; /* owned */
};

/* What is stored: not trusted. Owned by the caller. Errors: PROTO, LIMIT, NOMEM. Thread: any. */
int gm_asset_decode(const void *data, size_t size, Gm__AssetRow **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Whether such a row is of a title that is taken down: no more of it is looked at. Errors: as
 * gm_asset_decode. Thread: any. */
int gm_asset_removing(const void *data, size_t size, bool *out, struct gm_err *err) GM_MUST_CHECK;
/* In a row of the kind GM_ROW_NODE, which earlier releases pass over; owned. */
uint8_t *gm_asset_encode(const Gm__AssetRow *row, size_t *out_size);
/* "asset/" and the job: the row's name. NULL where `name` is no asset's; else the job in it. */
#define GM_ASSET_KEY "asset/"
const char *gm_asset_job(const char *name);

/* Takes the row. latest: it was published after all that are there, whatever the clock said; else
 * the times of their ends decide. The answer is what is in the table no more, or NULL: the title
 * that stood at the place before, or of the same job, or `row` itself, where a newer one stands
 * there. Owned by the caller. A title that is taken down leaves its place to who comes, and stays
 * in the table until it is dropped. */
Gm__AssetRow *gm_catalogue_add(struct gm_catalogue *c, Gm__AssetRow *row,
                               bool latest) GM_MUST_CHECK;
struct gm_asset *gm_catalogue_find(const struct gm_catalogue *c, const char *job);
struct gm_asset *gm_catalogue_at(const struct gm_catalogue *c, const char *destination);
/* The one that ended first of those that are not taken down; NULL: there is none. */
struct gm_asset *gm_catalogue_oldest(const struct gm_catalogue *c);
/* By position, the oldest first: i below c->all.count. */
struct gm_asset *gm_catalogue_title(const struct gm_catalogue *c, size_t i);
void gm_catalogue_drop(struct gm_catalogue *c, struct gm_asset *asset);
void gm_catalogue_fini(struct gm_catalogue *c);

/* A position: behind the title of that job, which need not be there any more. */
#define GM_ASSET_CURSOR 96
struct gm_asset_cursor {
    int64_t finished_unix_ms;
    char job[65]; /* "": from the newest on */
};
/* "MS-JOB". Errors: INVAL. */
int gm_asset_cursor_read(const char *text, struct gm_asset_cursor *out,
                         struct gm_err *err) GM_MUST_CHECK;
void gm_asset_cursor_write(const struct gm_asset_cursor *cursor, char out[GM_ASSET_CURSOR]);

struct gm_asset_wish {
    const char *tenant; /* NULL: all */
    const char *part;   /* of title or destination, in any case; NULL: any */
    size_t limit;       /* titles */
    size_t looks;       /* at titles that `part` does not fit; then the answer ends */
};
/* Calls fn for titles behind the cursor, newest first, and sets it behind the last that was looked
 * at. False: no more follow. */
bool gm_catalogue_page(const struct gm_catalogue *c, const struct gm_asset_wish *wish,
                       struct gm_asset_cursor *cursor,
                       void (*fn)(const struct gm_asset *asset, void *arg), void *arg);

#endif
