#ifndef GM_SCHEDULER_OUTPUTS_H
#define GM_SCHEDULER_OUTPUTS_H

#include "common/hash.h"
#include "scheduler/core/view.h"
#include "storage/store.h"

/* The outputs that a job's manifests will lead to, and the look whether each lies in the
 * destination with its size. Bodies were hashed when they were stored and are not read again. */
struct gm_output {
    char *key; /* owned; below the destination */
    uint64_t size;
    bool has_sha256;
    bool copied; /* a moment ago, and compared with its hash then */
    uint8_t sha256[GM_SHA256_SIZE];
};
/* Rows that follow each other with one key are the sizes that it may have. */
struct gm_outputs {
    struct gm_output *rows; /* owned */
    size_t count;
    size_t next; /* the first that was not looked at */
    size_t kept; /* gm_outputs_compare: rows before it lack, those from it to `next` are empty */
};

/* Thread: that of the core. Errors: NOTFOUND (no such job), NOMEM */
int gm_outputs_read(const struct gm_core *core, const char *job_id, struct gm_outputs *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Looks at the next `most` keys, or at those that are left. All were as they should be once `next`
 * is `count`; on failure `next` is the key that was not.
 *
 * Thread: any, one at a time per list. Blocks: a question to the store for each key
 * Errors: STORE_CORRUPT (it is gone, or of another size), those of gm_store_head but NOTFOUND */
int gm_outputs_check(struct gm_outputs *outputs, struct gm_store *store, size_t most,
                     struct gm_err *err) GM_MUST_CHECK;
/* Passes over those that a list of the store's keys with this prefix shows as they should be, up to
 * the first that it does not: of a store that answers slowly that spares a question for each, as
 * keys are listed by the thousand. Where a list is behind what was stored, gm_outputs_check asks.
 *
 * Thread, errors: as gm_outputs_check, but it finds nothing wrong itself */
int gm_outputs_skim(struct gm_outputs *outputs, struct gm_store *store, const char *prefix,
                    struct gm_err *err) GM_MUST_CHECK;
/* Strikes off those that a list of the store's keys with this prefix shows as they should be;
 * `next` begins anew. What a list that is behind does not show stays, too.
 *
 * Thread: any, one at a time per list. Errors: those of gm_store_list; some may be gone then */
int gm_outputs_strike(struct gm_outputs *outputs, struct gm_store *store, const char *prefix,
                      struct gm_err *err) GM_MUST_CHECK;
/* Asks the store itself for the next GM_OUTPUTS_COMPARED keys, which a list that is behind need not
 * show as they are, and strikes off those that lie there with a size of theirs. Not those that
 * `from` (may be NULL) has with another MD5, where both ETags are one and the row was not copied.
 * 0: there are more; 1: all were asked for, those that lack are left, and `next` begins anew.
 *
 * Thread: any, one at a time per list. Errors: those of gm_stores_look */
#define GM_OUTPUTS_COMPARED 64
int gm_outputs_compare(struct gm_outputs *outputs, struct gm_store *from, struct gm_store *to,
                       struct gm_err *err) GM_MUST_CHECK;
/* Rows whose keys are among those that `done` has copied are. */
void gm_outputs_note_copied(struct gm_outputs *outputs, const struct gm_outputs *done);
/* Copies the next key's body, of one of its sizes and with the hash that goes with it, from the
 * destination to another store; `next` is behind it then. scratch, guard: as of gm_store_copy.
 * Thread: any, one at a time per list. Errors: those of gm_outputs_check and gm_store_copy */
int gm_outputs_copy(struct gm_outputs *outputs, struct gm_store *from, struct gm_store *to,
                    const char *scratch, const struct gm_put_guard *guard,
                    struct gm_err *err) GM_MUST_CHECK;
/* How many rows from `next` on are of its key; `next` is below `count`. */
size_t gm_outputs_same(const struct gm_outputs *outputs);
/* Keys from `next` on. */
uint64_t gm_outputs_left(const struct gm_outputs *outputs);
void gm_outputs_fini(struct gm_outputs *outputs);

#endif
