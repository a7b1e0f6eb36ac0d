#ifndef GM_NODE_TRANSFER_UPLOAD_H
#define GM_NODE_TRANSFER_UPLOAD_H

#include "node/transfer/parts.h"
#include "node/transfer/transfers.h"
#include "wire.pb-c.h"

/* One body on its way into a store by the URLs of its grant: whole, or in parts, GM_UPLOAD_PARTS of
 * them at once, which are joined and looked at then. Parts that are there are not sent again.
 *
 * Thread: the loop's own only
 */
#define GM_UPLOAD_PARTS 4

enum gm_upload_end {
    GM_UPLOAD_DONE,
    GM_UPLOAD_FAILED,
    GM_UPLOAD_RENEW, /* the URL's time is over: by another grant */
    GM_UPLOAD_GONE   /* the upload of its parts is not there any more: from the beginning */
};

struct gm_upload_params { /* borrowed until it ends */
    struct gm_transfers *transfers;
    const Gm__Grant *grant; /* gm_check_grant_answer took it */
    int64_t until_unix_ms;  /* when its URLs' time is over, by this machine's clock; 0: not known */
    int fd;                 /* of the body, from its beginning */
    uint64_t size;
    const uint8_t *sha256;
    const uint8_t *md5;                           /* NULL: not reckoned */
    struct gm_parts *parts;                       /* NULL: whole */
    int (*wanted)(void *arg, struct gm_err *err); /* of struct gm_s3_call */
    bool *unsure; /* set where it failed and may yet be stored: what was sent whole got no answer */
    /* Once, never from within a start. err: nothing for GM_UPLOAD_DONE. The upload is gone. */
    void (*done)(enum gm_upload_end end, const struct gm_err *err, void *arg);
    void *arg;
};

struct gm_upload; /* opaque: until its end */

/* Puts the body by grant->url; or its parts by grant->part_urls, under parts->upload_id, whose
 * ETags it takes. Errors: BUG (the grant is for other parts, or for a header with a hash that was
 * not reckoned), what gm_transfer_start says: `done` is not called then. */
int gm_upload_start(const struct gm_upload_params *params, struct gm_upload **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Begins an upload in parts by grant->start_url: sets parts->upload_id. Errors: likewise. */
int gm_upload_begin(const struct gm_upload_params *params, struct gm_upload **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* All that is left of it waits for others to end first. */
bool gm_upload_waits(const struct gm_upload *upload);
/* Ends it without `done`. What was sent whole may yet be stored. NULL is fine. */
void gm_upload_cancel(struct gm_upload **upload);
/* The same, unless the object may be there by and by though it is cancelled: true, and `done`
 * follows. NULL is fine. */
bool gm_upload_give_up(struct gm_upload **upload);

#endif
