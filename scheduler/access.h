#ifndef GM_SCHEDULER_ACCESS_H
#define GM_SCHEDULER_ACCESS_H

#include "storage/remote/stores.h"

/* Sources and destinations, and which the configuration allows: file URLs, here; all others in
 * access_remote.h, which is asked where one is no file URL. stores: those that the configuration
 * names, or NULL. Calls may block on the file system and on the network. Thread: any. */

struct gm_access_source {
    char *url;  /* owned; canonical: no link in it */
    char *name; /* owned; last part, valid UTF-8 for messages */
    uint64_t size;
    uint64_t version; /* its last change, ns since 1970; 0: not known */
    char etag[128];   /* of an object; "": it has none */
};
/* roots: NULL-terminated: absolute folders, and s3:// and https:// URLs. Errors: INPUT_MISSING,
 * INPUT_NOT_FILE, INPUT_EMPTY, INPUT_DENIED (unreadable), STORE_DENIED (outside the roots), INVAL,
 * NOMEM. */
int gm_access_source(struct gm_stores *stores, const char *url, char *const *roots,
                     struct gm_access_source *out, struct gm_err *err) GM_MUST_CHECK;
void gm_access_source_fini(struct gm_access_source *source);
/* *out_url: canonical as far as the path exists, owned; nothing is made. Errors: STORE_DENIED,
 * INVAL (a file is in the way), NOMEM. */
int gm_access_destination(const struct gm_stores *stores, const char *url, char *const *roots,
                          char **out_url, struct gm_err *err) GM_MUST_CHECK;
/* The folder at url is there, made where it was missing, and may be written to. out_mark: the mark
 * of the store there, made where it has none; "" where there is no room for one: then nothing tells
 * later whether the store is there. A bucket is tried, and has no mark: "". Errors: those of
 * gm_store_open and gm_store_mark, STORE_DENIED, INVAL (its file system takes no folders), NOMEM.
 */
int gm_access_make_destination(struct gm_stores *stores, const char *url, char out_mark[GM_ID_SIZE],
                               struct gm_err *err) GM_MUST_CHECK;
/* The same mark of the work store, whose folder is not made: a missing one is away. Errors: those
 * of gm_store_mark; STORE for a missing folder. */
int gm_access_work_mark(struct gm_stores *stores, const char *url, char out_mark[GM_ID_SIZE],
                        struct gm_err *err) GM_MUST_CHECK;
/* Canonical file URL of a source -> URL of its folder and key in it. Both owned. */
int gm_access_split(const char *url, char **out_root_url, char **out_key,
                    struct gm_err *err) GM_MUST_CHECK;

/* The key in a file of 64 hex digits. A missing file is made with random ones, mode 0600; *out_made
 * says so. Errors: CONFIG, SYS, NOMEM. */
int gm_access_grant_key(const char *path, struct gm_grant_key *out, bool *out_made,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
