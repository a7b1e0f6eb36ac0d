#ifndef GM_STORAGE_S3_ANSWER_H
#define GM_STORAGE_S3_ANSWER_H

#include "common/err.h"

/* Bodies of answers, which are XML. Nothing in them is trusted: no document type (so no entity
 * but XML's own five), at most 16 elements deep, each that is known at most once where one is
 * expected. What is not known is passed over: servers add to it.
 *
 * Thread: any
 * Errors: STORE (it is none of that kind), LIMIT (it is larger than one may be), NOMEM
 * Source: S3 API reference, the operations named below; Expat reads the XML
 */
#define GM_S3_ANSWER_MAX ((size_t)8 << 20) /* bytes: 1000 keys of 1024 bytes, each escaped */
#define GM_S3_LIST_MAX 1000                /* what `max-keys` may ask for, and S3's own limit */

/* An answer of each kind may be an error instead, also under status 200 (CompleteMultipartUpload,
 * CopyObject). */
enum gm_s3_kind {
    GM_S3_ERROR,    /* of any operation */
    GM_S3_LIST,     /* ListObjectsV2 */
    GM_S3_INITIATE, /* CreateMultipartUpload */
    GM_S3_COMPLETE, /* CompleteMultipartUpload */
    GM_S3_COPY,     /* CopyObject, UploadPartCopy */
    GM_S3_UPLOADS   /* ListMultipartUploads: objects with an upload_id, of one page */
};

struct gm_s3_object {
    char *key; /* owned; decoded where the answer says that it is encoded */
    uint64_t size;
    char *upload_id; /* owned; of GM_S3_UPLOADS, never empty; else NULL */
};

struct gm_s3_answer {
    bool is_error;
    char code[64];     /* of an error: "NoSuchKey"; letters, digits and '.' */
    char message[160]; /* of an error, printable ASCII; may be "" */
    char region[64];   /* where the bucket is, in errors that say so; "" else */

    struct gm_s3_object *objects; /* owned; of a list */
    size_t object_count;
    /* owned; of a list that goes on; NULL: it ends here. Of GM_S3_LIST its continuation-token; of
     * GM_S3_UPLOADS its key-marker, and in next_upload its upload-id-marker: NULL where the server
     * told none. Such a list ends here, too, where it says that it goes on and not from where. */
    char *next, *next_upload;
    char *upload_id; /* owned; of GM_S3_INITIATE, never empty */
    char *etag;      /* owned, as sent, with its quotes. GM_S3_COPY: never empty. GM_S3_COMPLETE:
                      * NULL where it is missing or empty, as radosgw leaves it */
};

/* size bytes of body. White space may stand before it: what keeps the connection alive while parts
 * are joined. */
int gm_s3_answer_read(enum gm_s3_kind kind, const void *body, size_t size, struct gm_s3_answer *out,
                      struct gm_err *err) GM_MUST_CHECK;
void gm_s3_answer_fini(struct gm_s3_answer *answer);

#endif
