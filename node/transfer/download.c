#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/transfer/download.h"

#define TRIES 5

struct range {
    struct gm_transfer transfer;
    struct gm_download *download; /* borrowed */
    bool on;
    uint64_t at;  /* where the next byte goes */
    uint64_t end; /* of the object's bytes that it may bring */
};

struct gm_download {
    struct gm_download_params params;
    uint64_t asked; /* so many bytes were, from the first on */
    struct range ranges[GM_DOWNLOAD_RANGES];
};

static void free_download(struct gm_download *download)
{
    for (size_t i = 0; i < GM_DOWNLOAD_RANGES; i++) {
        if (download->ranges[i].on) {
            gm_transfer_cancel(&download->ranges[i].transfer);
        }
    }
    free(download);
}

static void finish(struct gm_download *download, int rc, const struct gm_err *why, bool renew)
{
    const struct gm_download_params params = download->params;
    const struct gm_err err = *why;

    free_download(download);
    params.done(rc, &err, renew, params.arg);
}

static int other_size(const struct gm_download *download, uint64_t size, struct gm_err *err)
{
    return gm_err_set(err, GM_E_STORE_CORRUPT, 0,
                      "the store has %" PRIu64 " bytes of an object of %" PRIu64, size,
                      download->params.size);
}

static int on_body(const void *data, size_t size, void *arg, struct gm_err *err)
{
    struct range *range = arg;
    const char *at = data;

    if (size > range->end - range->at) {
        return other_size(range->download, range->at + size, err);
    }
    while (size > 0) {
        ssize_t n = pwrite(range->download->params.fd, at, size, (off_t)range->at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "could not write what a store sent");
        }
        at += n;
        size -= (size_t)n;
        range->at += (uint64_t)n;
    }
    return 0;
}

static void on_done(const struct gm_s3_result *result, void *arg);

static int start_range(struct range *range, struct gm_err *err)
{
    struct gm_download *download = range->download;
    const struct gm_download_params *params = &download->params;
    uint64_t left = params->size - download->asked;
    bool whole = params->size <= GM_DOWNLOAD_RANGE;
    uint64_t size = left < GM_DOWNLOAD_RANGE ? left : GM_DOWNLOAD_RANGE;
    const struct gm_s3_call call = {.method = "GET",
                                    .url = params->url,
                                    .url_until_unix_ms = params->until_unix_ms,
                                    .fd = -1,
                                    .wants = GM_S3_WANTS_BODY,
                                    .range_from = download->asked,
                                    .range_size = whole ? 0 : size,
                                    .on_body = on_body,
                                    .max_tries = TRIES,
                                    .done = on_done,
                                    .arg = range};
    int rc = gm_transfer_start(params->transfers, &range->transfer, &call, err);

    if (rc == 0) {
        range->on = true;
        range->at = download->asked;
        range->end = download->asked + size;
        download->asked += size;
    }
    return rc;
}

/* Of what is left as much as may go at once. Below 0: with *err. */
static int start_ranges(struct gm_download *download, struct gm_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < GM_DOWNLOAD_RANGES; i++) {
        struct range *range = &download->ranges[i];

        if (!range->on && download->asked < download->params.size) {
            rc = start_range(range, err);
        }
    }
    return rc;
}

static bool is_over(const struct gm_download *download)
{
    for (size_t i = 0; i < GM_DOWNLOAD_RANGES; i++) {
        if (download->ranges[i].on) {
            return false;
        }
    }
    return download->asked == download->params.size;
}

static void on_done(const struct gm_s3_result *result, void *arg)
{
    struct range *range = arg;
    struct gm_download *download = range->download;
    struct gm_err err = result->err;
    int rc = result->rc;

    range->on = false;
    if (rc == 0 && (result->size != download->params.size || range->at != range->end)) {
        rc = other_size(download, result->size, &err);
    }
    if (rc == 0) {
        rc = start_ranges(download, &err);
    }
    if (rc < 0 || is_over(download)) {
        finish(download, rc, &err, result->renew);
    }
}

int gm_download_start(const struct gm_download_params *params, struct gm_download **out,
                      struct gm_err *err)
{
    struct gm_download *download = calloc(1, sizeof(*download));
    int rc;

    if (download == NULL) {
        return gm_err_nomem(err);
    }
    download->params = *params;
    for (size_t i = 0; i < GM_DOWNLOAD_RANGES; i++) {
        download->ranges[i].download = download;
    }
    /* an empty one is asked for, too: it must be there */
    rc = params->size == 0 ? start_range(&download->ranges[0], err) : start_ranges(download, err);
    if (rc < 0) {
        free_download(download);
        return rc;
    }
    *out = download;
    return 0;
}

void gm_download_cancel(struct gm_download **download)
{
    if (*download != NULL) {
        free_download(*download);
        *download = NULL;
    }
}
