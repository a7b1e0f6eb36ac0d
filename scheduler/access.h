#ifndef GM_SCHEDULER_ACCESS_H
#define GM_SCHEDULER_ACCESS_H

#include "storage/store.h"

/* Sources and destinations: file URLs, and which folders the configuration allows. Calls may block
 * on the file system. Thread: any. */

/* "file:///abs/path" with percent escapes -> the path, owned. Errors: INVAL (another scheme, a
 * host, a bad escape, a NUL, not absolute), NOMEM. */
int gm_access_path(const char *url, char **out, struct gm_err *err) GM_MUST_CHECK;
/* The other way; every byte but [A-Za-z0-9._~/-] is escaped. Owned. */
int gm_access_url(const char *path, char **out, struct gm_err *err) GM_MUST_CHECK;

struct gm_access_source {
    char *url;  /* owned; canonical: no link in it */
    char *name; /* owned; last part, valid UTF-8 for messages */
    uint64_t size;
};
/* roots: NULL-terminated absolute folders. Errors: INPUT_MISSING, INPUT_NOT_FILE, INPUT_EMPTY,
 * STORE_DENIED (outside the roots, or unreadable), INVAL, NOMEM. */
int gm_access_source(const char *url, char *const *roots, struct gm_access_source *out,
                     struct gm_err *err) GM_MUST_CHECK;
void gm_access_source_fini(struct gm_access_source *source);
/* *out_url: canonical as far as the path exists, owned; nothing is made. Errors: STORE_DENIED,
 * INVAL (a file is in the way), NOMEM. */
int gm_access_destination(const char *url, char *const *roots, char **out_url,
                          struct gm_err *err) GM_MUST_CHECK;
/* Canonical source URL -> URL of its folder and key in it. Both owned. */
int gm_access_split(const char *url, char **out_root_url, char **out_key,
                    struct gm_err *err) GM_MUST_CHECK;

/* The key in a file of 64 hex digits; make: written with random ones when missing, mode 0600.
 * Errors: CONFIG, SYS, NOMEM. */
int gm_access_grant_key(const char *path, bool make, struct gm_grant_key *out,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
