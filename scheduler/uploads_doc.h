#ifndef GM_SCHEDULER_UPLOADS_DOC_H
#define GM_SCHEDULER_UPLOADS_DOC_H

#include <jansson.h>

#include "scheduler/http/body.h"
#include "scheduler/uploads.h"

/* Uploads as JSON: what is announced, what lies in the bucket, what the API tells. Thread: any, as
 * uploads.h. */

struct gm_upload_limits {
    uint64_t max_bytes; /* of an upload */
    int64_t keep_ms;    /* gm_upload_expires */
    int64_t idle_ms;    /* gm_upload_state */
};

/* {"name","size","part_sizes": [..] | "part_size": N | "whole": true,"tenant"}: a new upload,
 * owned, created now. at: what is refused. Errors: INVAL, LIMIT, NOMEM. */
int gm_upload_announced(const json_t *body, const char *id, const struct gm_upload_limits *limits,
                        int64_t now_unix_ms, struct gm_upload **out, struct gm_at *at,
                        struct gm_err *err) GM_MUST_CHECK;
/* upload.json, and back: text that lay in a bucket may be anything. Both owned. Errors: PROTO,
 * NOMEM. */
int gm_upload_info_text(const struct gm_upload *u, char **out, struct gm_err *err) GM_MUST_CHECK;
int gm_upload_info_read(const char *text, size_t size, const char *id, struct gm_upload **out,
                        struct gm_err *err) GM_MUST_CHECK;
/* manifest.json, of one whose parts are all there; owned. Errors: NOMEM. */
int gm_upload_manifest_text(const struct gm_upload *u, int64_t now_unix_ms, char **out,
                            struct gm_err *err) GM_MUST_CHECK;
/* Back, into one that was read from upload.json: the hash of each part, so that no other is taken
 * for it, and the ETag. When it was completed, ms since 1970; 0: the text is none of ours, or of
 * another upload, and nothing is taken. */
int64_t gm_upload_manifest_read(struct gm_upload *u, const char *text, size_t size);
/* As GET /v1/uploads/ID answers (docs/api.md); parts: with the hash of each part that is there. A
 * new reference; NULL: out of memory. */
json_t *gm_upload_doc(const struct gm_upload *u, const struct gm_upload_limits *limits,
                      int64_t now_unix_ms, bool parts);

#endif
