#ifndef GM_NODE_TRANSFER_DOWNLOAD_H
#define GM_NODE_TRANSFER_DOWNLOAD_H

#include "node/transfer/transfers.h"

/* One object by its URL into a file: at once, or, where it is larger than GM_DOWNLOAD_RANGE, in
 * ranges of that size, GM_DOWNLOAD_RANGES of them at a time; each is resumed where it breaks off.
 * What came is looked at by who asked for it: ranges may be of different objects.
 *
 * Thread: the loop's own only
 */
#define GM_DOWNLOAD_RANGE (UINT64_C(8) << 20) /* bytes */
#define GM_DOWNLOAD_RANGES 4

struct gm_download_params { /* borrowed until it ends */
    struct gm_transfers *transfers;
    const char *url;
    int64_t until_unix_ms; /* when the URL's time is over, by this machine's clock; 0: not known */
    int fd;                /* written to from its beginning */
    uint64_t size;         /* of the object; another is STORE_CORRUPT */
    /* Once, never from within gm_download_start. rc: 0, or below, and err says why. renew: for the
     * URL's time. The download is gone. */
    void (*done)(int rc, const struct gm_err *err, bool renew, void *arg);
    void *arg;
};

struct gm_download; /* opaque: until its end */

/* Errors: as gm_transfer_start: `done` is not called then. */
int gm_download_start(const struct gm_download_params *params, struct gm_download **out,
                      struct gm_err *err) GM_MUST_CHECK;
void gm_download_cancel(struct gm_download **download); /* without `done`; NULL is fine */

#endif
