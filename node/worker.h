#ifndef GM_NODE_WORKER_H
#define GM_NODE_WORKER_H

#include "common/buf.h"
#include "common/err.h"
#include "media/task_io.h"

/* The worker process: enters the sandbox, says WReady, then runs one task after the other until
 * the agent closes the socket. */
#define GM_WORKER_SOCKET 3 /* the descriptor that the launcher leaves open for it */

typedef const struct gm_task_type *(*gm_worker_find_fn)(const char *type); /* NULL: unknown */

/* Appends the build of the process: WReady.build. */
typedef int (*gm_worker_build_fn)(struct gm_buf *out, struct gm_err *err);

/* The working directory is the scratch folder. Returns 0 when the agent hung up between tasks.
 * Errors: SANDBOX the self-test found a hole: the process must end
 *         PROTO   the agent broke the protocol
 *         SYS, NOMEM
 * Failures of tasks are told to the agent and are no error here. Thread: the main thread. */
int gm_worker_run(int sock, gm_worker_find_fn find, const char *build,
                  struct gm_err *err) GM_MUST_CHECK;

/* main() of a worker program: log, its build (NULL: it tells none), gm_worker_run, exit status. */
int gm_worker_main(gm_worker_find_fn find, gm_worker_build_fn build);

#endif
