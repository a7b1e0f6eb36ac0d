#ifndef GM_NODE_BLIND_H
#define GM_NODE_BLIND_H

#include "common/err.h"
#include "proto/pool.h"
#include "wire.pb-c.h"

/* What a worker is told of a task: all but where its objects are. A URL is a right to read, with
 * its signature in it; who was taken over by a file that it decoded could write it into what is
 * published. Workers name objects by position (WOpen), and the agent knows the URLs.
 *
 * The copies share all else with `from`, and live as long as that and the pool. Nothing of `from`
 * is changed: jobs on the pool of threads read its URLs meanwhile. Error: NOMEM. */
int gm_blind_spec(const Gm__TaskSpec *from, struct gm_pool *pool, Gm__TaskSpec *out,
                  struct gm_err *err) GM_MUST_CHECK;
int gm_blind_feed(const Gm__Feed *from, struct gm_pool *pool, Gm__Feed *out,
                  struct gm_err *err) GM_MUST_CHECK;

/* The worker's side. Error: BUG: there is a URL in it. */
int gm_blind_check_spec(const Gm__TaskSpec *spec, struct gm_err *err) GM_MUST_CHECK;
int gm_blind_check_feed(const Gm__Feed *feed, struct gm_err *err) GM_MUST_CHECK;

#endif
