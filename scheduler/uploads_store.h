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
int gm_upload_ids_add(struct gm_upload_ids *ids, const char *id, struct gm_err *err) GM_MUST_CHECK;
/* has: of those that were sorted. */
void gm_upload_ids_sort(struct gm_upload_ids *ids);
bool gm_upload_ids_has(const struct gm_upload_ids *ids, const char *id);

/* The names of what is there, of one upload or of all (id NULL). */
struct gm_upload_entry {
    enum gm_upload_kind kind;
    struct gm_upload_key key;
    uint64_t size;
};
struct gm_upload_listing {
    struct gm_upload_entry *list; /* owned; in the order of keys: an upload's follow each other */
    size_t count, cap;
};
int gm_uploads_list(const struct gm_uploads_place *place, const char *id,
                    struct gm_upload_listing *out, struct gm_err *err) GM_MUST_CHECK;
/* Reads what was listed, but the uploads of `but` (sorted; NULL: none), into the table, which is
 * empty, 16 at a time. Parts count as having come now; of one with a manifest those that it names.
 * What is none of ours, or may not be read, is told in the log and left alone. remains (NULL: not
 * wanted): what has parts, and no upload.json any more. */
int gm_uploads_read(const struct gm_uploads_place *place, const struct gm_upload_listing *listing,
                    const struct gm_upload_ids *but, int64_t now_unix_ms, struct gm_uploads *out,
                    struct gm_upload_ids *remains, struct gm_err *err) GM_MUST_CHECK;
/* The same of one: a list may lag behind, and its upload.json is asked for whether it was listed or
 * not. The table stays empty where there is none. */
int gm_uploads_read_one(const struct gm_uploads_place *place, const char *id, int64_t now_unix_ms,
                        struct gm_uploads *out, struct gm_err *err) GM_MUST_CHECK;

/* Whether keys are there, with their sizes. */
struct gm_upload_seen {
    char key[GM_UPLOAD_KEY_SIZE];
    uint64_t size;      /* that it must have */
    bool exists, there; /* there: with that size */
    char etag[GM_UPLOAD_ETAG_SIZE];
};
/* Those that are not there already; at most 64. */
int gm_uploads_look(const struct gm_uploads_place *place, struct gm_upload_seen *seen, size_t count,
                    struct gm_err *err) GM_MUST_CHECK;
int gm_uploads_put(const struct gm_uploads_place *place, const char *key, const char *text,
                   struct gm_err *err) GM_MUST_CHECK;
/* All that there is of it. */
int gm_uploads_remove(const struct gm_uploads_place *place, const char *id,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
