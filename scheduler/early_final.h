#ifndef GM_SCHEDULER_EARLY_FINAL_H
#define GM_SCHEDULER_EARLY_FINAL_H

#include "common/buf.h"
#include "scheduler/outputs.h"

/* What the playlists that grew became (`publish: early`, ADR-0066). A server may carry a write of a
 * version out long after it was asked, over what stays by then; so the texts that stay are kept for
 * a while, and compared with what stands.
 *
 * store:  borrowed; the destination
 * Thread: any, one at a time per store and per struct */
struct gm_early_text {
    char *key; /* owned */
    struct gm_buf body;
};
struct gm_early_final {         /* all-zero: empty */
    struct gm_early_text *rows; /* owned */
    size_t count;
    size_t bytes; /* of the bodies */
};

/* Reads those of the outputs below the publication that versions wrote before. *out: empty.
 *
 * Errors: STORE_CORRUPT (one is not what was committed), those of gm_store_get, NOMEM */
int gm_early_final_read(struct gm_store *store, const struct gm_outputs *outputs,
                        const char *publication, struct gm_early_final *out,
                        struct gm_err *err) GM_MUST_CHECK;
/* A manifest; an empty one is none. Errors: NOMEM */
int gm_early_final_add(struct gm_early_final *final, const char *key, const struct gm_buf *body,
                       struct gm_err *err) GM_MUST_CHECK;
void gm_early_final_fini(struct gm_early_final *final);

struct gm_early_mend { /* borrowed */
    const struct gm_early_final *final;
    const char *job_id, *publication;
    int (*leads)(void *arg, struct gm_err *err); /* asked before each write */
    void *arg;
};
/* Where the publication stands there still, writes again what differs of its playlists, and each
 * manifest that says that the job still works. What is not there is somebody's doing, and stays
 * away.
 *
 * out_mended: how many
 * Errors: those of `leads`, of gm_standing_read and gm_store_put; some may be written then */
int gm_early_final_mend(struct gm_store *store, const struct gm_early_mend *mend,
                        size_t *out_mended, struct gm_err *err) GM_MUST_CHECK;

#endif
