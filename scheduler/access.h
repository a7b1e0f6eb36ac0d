#ifndef GM_SCHEDULER_ACCESS_H
#define GM_SCHEDULER_ACCESS_H

#include "storage/store.h"

/* Sources and destinations: file URLs, and which folders the configuration allows. Calls may block
 * on the file system. Thread: any. */

struct gm_access_source {
    char *url;  /* owned; canonical: no link in it */
    char *name; /* owned; last part, valid UTF-8 for messages */
    uint64_t size;
    uint64_t version; /* its last change, ns since 1970 */
};
/* roots: NULL-terminated absolute folders. Errors: INPUT_MISSING, INPUT_NOT_FILE, INPUT_EMPTY,
 * INPUT_DENIED (unreadable), STORE_DENIED (outside the roots), INVAL, NOMEM. */
int gm_access_source(const char *url, char *const *roots, struct gm_access_source *out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_access_source_fini(struct gm_access_source *source);
/* *out_url: canonical as far as the path exists, owned; nothing is made. Errors: STORE_DENIED,
 * INVAL (a file is in the way), NOMEM. */
int gm_access_destination(const char *url, char *const *roots, char **out_url,
                          struct gm_err *err) GM_MUST_CHECK;
/* The folder at url is there, made where it was missing, and may be written to. out_mark: the mark
 * of the store there, made where it has none; "" where there is no room for one: then nothing tells
 * later whether the store is there. Errors: those of gm_store_open and gm_store_mark, STORE_DENIED,
 * INVAL (its file system takes no folders), NOMEM. */
int gm_access_make_destination(const char *url, char out_mark[GM_ID_SIZE],
                               struct gm_err *err) GM_MUST_CHECK;
/* The same mark of the work store, whose folder is not made: a missing one is away. Errors: those
 * of gm_store_mark; STORE for a missing folder. */
int gm_access_work_mark(const char *url, char out_mark[GM_ID_SIZE],
                        struct gm_err *err) GM_MUST_CHECK;
/* Canonical source URL -> URL of its folder and key in it. Both owned. */
int gm_access_split(const char *url, char **out_root_url, char **out_key,
                    struct gm_err *err) GM_MUST_CHECK;

/* The key in a file of 64 hex digits. A missing file is made with random ones, mode 0600; *out_made
 * says so. Errors: CONFIG, SYS, NOMEM. */
int gm_access_grant_key(const char *path, struct gm_grant_key *out, bool *out_made,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
