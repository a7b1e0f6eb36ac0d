#ifndef GM_TESTS_NODE_ESCAPE_IO_H
#define GM_TESTS_NODE_ESCAPE_IO_H

#include "node/sandbox.h"

/* From inside the sandbox: tries to get out, then to do what a worker must be able to. Prints
 * "escaped=<what>" for each way out, and "broken=<what>" for what does not work. landlock: this
 * kernel has it. */
void escape_io_run(const struct gm_sandbox_device *device, bool landlock);

#endif
