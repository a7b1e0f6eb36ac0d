#ifndef GM_SCHEDULER_UPLOADS_STORE_H
#define GM_SCHEDULER_UPLOADS_STORE_H

#include "scheduler/uploads.h"
#include "storage/remote/stores.h"

/* Uploads in their bucket. Every call goes over the network and blocks: on the pool alone; each
 * request ends within the store's own budget of time. Errors: STORE, STORE_DENIED, CONFIG, NOMEM.
 */
struct gm_uploads_place {
    struct gm_stores *stores; /* borrowed, and so is: */
    const char *url;          /* s3://bucket/prefix */
};

struct gm_upload_ids {
    char (*list)[GM_ID_SIZE]; /* owned */
    size_t count, cap;
};

/* What is there: of one upload, or of all (id NULL), into the table, which is empty. Parts count as
 * having come now. remains (NULL: not wanted): what has parts, and no upload.json any more. */
int gm_uploads_scan(const struct gm_uploads_place *place, const char *id, int64_t now_unix_ms,
                    struct gm_uploads *out, struct gm_upload_ids *remains,
                    struct gm_err *err) GM_MUST_CHECK;
/* Whether keys are there, with their sizes. */
struct gm_upload_seen {
    char key[GM_UPLOAD_KEY_SIZE];
    uint64_t size;      /* that it must have */
    bool exists, there; /* there: with that size */
};
/* Those that are not there already. */
int gm_uploads_look(const struct gm_uploads_place *place, struct gm_upload_seen *seen, size_t count,
                    struct gm_err *err) GM_MUST_CHECK;
int gm_uploads_put(const struct gm_uploads_place *place, const char *key, const char *text,
                   struct gm_err *err) GM_MUST_CHECK;
/* All that there is of it. */
int gm_uploads_remove(const struct gm_uploads_place *place, const char *id,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
