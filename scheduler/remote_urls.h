#ifndef GM_SCHEDULER_REMOTE_URLS_H
#define GM_SCHEDULER_REMOTE_URLS_H

#include "proto/pool.h"
#include "scheduler/daemon_parts.h"

/* Grants for what lies on servers: urls.c asks here where a URL is none of a folder. Thread: the
 * loop's; nothing blocks. */

#define GM_URLS_WAIT 1 /* no grant yet: the endpoint is being tried, on the pool */

/* A source is read for as long as its task takes: the URL is good for a day. One of http is given
 * as it is. *out_url: owned. */
int gm_remote_urls_source(struct gm_stores *stores, const char *url, char **out_url,
                          struct gm_err *err) GM_MUST_CHECK;
/* *out_url: owned. */
int gm_remote_urls_read(struct gm_stores *stores, const char *store_url, const char *key,
                        int64_t valid_ms, char **out_url, struct gm_err *err) GM_MUST_CHECK;
/* A job's store, before anything is put there: tries its endpoint unless it was tried. Others than
 * S3's are left alone. */
void gm_remote_urls_try(struct gm_daemon *d, const char *store_url);
/* Fills the grant, whose key is set, with what is the pool's. GM_URLS_WAIT, or negative: also why
 * the endpoint could not be tried, to who asks in the half minute after that; then it is tried
 * again. */
int gm_remote_urls_write(struct gm_daemon *d, const char *store_url, const Gm__GrantItem *item,
                         int64_t valid_ms, struct gm_pool *pool, Gm__Grant *out,
                         struct gm_err *err) GM_MUST_CHECK;
/* Forgets what could not be tried. */
void gm_remote_urls_fini(struct gm_daemon *d);

#endif
