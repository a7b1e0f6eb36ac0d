/* Which releases of scheduler and node work together. */
#include "proto/envelope.h"

static uint32_t oldest_of(const struct gm_protocol *p)
{
    return p->oldest != 0 && p->oldest < p->spoken ? p->oldest : p->spoken;
}

int gm_protocol_check(const struct gm_protocol *scheduler, const struct gm_protocol *node,
                      struct gm_err *err)
{
    uint32_t ours = oldest_of(scheduler), theirs = oldest_of(node);
    bool newer = node->spoken > scheduler->spoken &&
                 (theirs > scheduler->spoken || node->spoken - scheduler->spoken > 1);
    bool older = node->spoken < ours ||
                 (node->spoken < scheduler->spoken && scheduler->spoken - node->spoken > 1);
    if (!newer && !older) {
        return 0;
    }
    return gm_err_set(
        err, GM_E_PROTO, node->spoken,
        "the node is of build %.32s and speaks protocol %u (understood from %u on), the "
        "scheduler of %.32s and speaks %u (from %u on): update the %s",
        node->build, node->spoken, theirs, scheduler->build, scheduler->spoken, ours,
        newer ? "scheduler first" : "node");
}
