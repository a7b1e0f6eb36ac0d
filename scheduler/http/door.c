#include "scheduler/http/door.h"

#include <stdlib.h>

int gm_door_open(const struct gm_settings *settings, struct gm_door **out, struct gm_err *err)
{
    struct gm_door *door = calloc(1, sizeof *door);
    int rc = door == NULL ? gm_err_nomem(err) : gm_tls_init(settings, &door->tls, err);
    rc = rc < 0 ? rc : gm_gate_open(settings, &door->gate, err);
    if (rc < 0) {
        gm_door_close(&door);
        return rc;
    }
    *out = door;
    return 0;
}

void gm_door_close(struct gm_door **door)
{
    if (*door != NULL) {
        gm_gate_close(&(*door)->gate);
        gm_tls_fini(&(*door)->tls);
        free(*door);
        *door = NULL;
    }
}
