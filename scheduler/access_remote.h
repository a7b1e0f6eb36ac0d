#ifndef GM_SCHEDULER_ACCESS_REMOTE_H
#define GM_SCHEDULER_ACCESS_REMOTE_H

#include "scheduler/access.h"

/* Sources and destinations that are no folders. access.h says the rest; calls block on the network.
 *
 * What is allowed: an s3:// URL that an entry of the list names, "s3://bucket" or
 * "s3://bucket/prefix"; where the list has no s3:// entry at all, each whose bucket has a line of
 * `storage`. Thread: any. */

/* "s3://", "http://" or "https://". */
bool gm_access_is_remote(const char *url);
/* An entry of allow_sources or allow_destinations that is no folder. */
bool gm_access_is_remote_root(const char *root);
/* Asks the server for size and ETag. Errors: as gm_access_source, STORE, STORE_UNKNOWN. */
int gm_access_remote_source(struct gm_stores *stores, const char *url, char *const *roots,
                            struct gm_access_source *out, struct gm_err *err) GM_MUST_CHECK;
/* Errors: STORE_DENIED, STORE_UNKNOWN, INVAL, NOMEM. */
int gm_access_remote_destination(const struct gm_stores *stores, const char *url,
                                 char *const *roots, char **out_url,
                                 struct gm_err *err) GM_MUST_CHECK;
/* The bucket is there, may be written to, and holds nodes to what they are granted. Errors: STORE,
 * STORE_DENIED, STORE_UNKNOWN. */
int gm_access_remote_ready(struct gm_stores *stores, const char *url,
                           struct gm_err *err) GM_MUST_CHECK;

#endif
