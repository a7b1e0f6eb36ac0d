#ifndef GM_NODE_DEVICES_COMMAND_H
#define GM_NODE_DEVICES_COMMAND_H

#include "node/devices/detect.h"

/* Detection and proof as the node does them, and the command `gopmill-node devices`. Thread: the
 * only one; blocks for seconds. */
struct gm_devices_params { /* borrowed */
    const char *root;      /* fixture tree; NULL: this machine */
    bool detect;           /* false: the cpu alone is described */
    bool prove;            /* try what devices say they can, the cpu's encoders too */
    const char *proofs;    /* file that keeps proofs; NULL: none */
    const int *stop;       /* set by another thread: give up; NULL: nobody does */
};

/* *out must be zeroed; gm_device_list_fini in any case. Programs that are missing become a note.
 * Errors: NOMEM, LIMIT, SYS; CANCELLED *out has what was found before. */
int gm_devices_find(const struct gm_devices_params *params, struct gm_device_list *out,
                    struct gm_err *err) GM_MUST_CHECK;

/* argv[0] is "devices". Returns the exit status: 0, 1 it failed (also: a proof did not pass, or
 * none was made), 2 usage. */
int gm_devices_command(int argc, char **argv);

#endif
