#ifndef GM_MEDIA_LANES_H
#define GM_MEDIA_LANES_H

#include <libavutil/frame.h>

#include "common/err.h"

/* Encoders side by side. A lane is one encoder's queue of pictures: they are worked off in order,
 * one at a time, by whichever helper thread is free; lanes know nothing of each other. So what an
 * encoder makes does not depend on the number of threads.
 */
struct gm_lanes; /* opaque */

#define GM_LANES_DEPTH 4 /* pictures that wait in a lane, at most */

/* Called on a helper thread for each picture of a lane, in order; frame may be changed, and is NULL
 * where NULL was pushed. Returns 0 or a negative code with err filled: the first one ends the work
 * of all lanes. */
typedef int (*gm_lanes_fn)(void *arg, size_t lane, size_t index, AVFrame *frame,
                           struct gm_err *err);

/* threads: helpers, at least 1 (made less than asked when lanes are fewer). Errors: INVAL, NOMEM,
 * SYS (no thread could be started). */
int gm_lanes_create(size_t lanes, unsigned threads, gm_lanes_fn fn, void *arg,
                    struct gm_lanes **out, struct gm_err *err) GM_MUST_CHECK;
/* Throws away what waits, ends the threads. */
void gm_lanes_destroy(struct gm_lanes **lanes);
/* Queues a new reference to frame (or NULL), with index as a note for fn. Blocks while the lane is
 * full. The pixels must not be changed after. Errors: what fn gave; NOMEM. Thread: the one that
 * created. */
int gm_lanes_push(struct gm_lanes *lanes, size_t lane, size_t index, const AVFrame *frame,
                  struct gm_err *err) GM_MUST_CHECK;
/* Waits until all is worked off; then fn runs nowhere. After an error the lanes are empty and stay
 * so until clear. Errors: what fn gave. */
int gm_lanes_drain(struct gm_lanes *lanes, struct gm_err *err) GM_MUST_CHECK;
/* Throws away what waits, waits for what runs, forgets an error. */
void gm_lanes_clear(struct gm_lanes *lanes);

#endif
