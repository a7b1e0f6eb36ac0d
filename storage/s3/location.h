#ifndef GM_STORAGE_S3_LOCATION_H
#define GM_STORAGE_S3_LOCATION_H

#include "common/err.h"

/* "s3://bucket/key", as it is written everywhere: the key stands there as it is, nothing of it is
 * percent-encoded. Pure. Thread: any. */

#define GM_S3_BUCKET_SIZE 64 /* a name of 63 bytes and NUL */
#define GM_S3_KEY_MAX 1024   /* bytes */

struct gm_s3_location {
    char bucket[GM_S3_BUCKET_SIZE];
    const char *key; /* within the URL that was read; "": the bucket itself */
};

bool gm_s3_is_url(const char *url); /* begins with "s3://" */
/* Errors: INVAL: no bucket, a key of more than GM_S3_KEY_MAX bytes, or one with control characters
 * or that is not UTF-8. */
int gm_s3_location_read(const char *url, struct gm_s3_location *out,
                        struct gm_err *err) GM_MUST_CHECK;

/* What a browser or player is to know of an object with that key of a destination: its type by the
 * name's end, and of sound by its folder, audio/<track>/; NULL where that says nothing; and how
 * long it holds: for good below "v/", where nothing but playlists changes, else for as long as
 * nothing newer is published. */
const char *gm_s3_content_type(const char *key);
const char *gm_s3_cache_control(const char *key);

#endif
