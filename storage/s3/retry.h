#ifndef GM_STORAGE_S3_RETRY_H
#define GM_STORAGE_S3_RETRY_H

#include "common/err.h"
#include "common/time.h"

/* When to try again, and when to leave an endpoint alone. Pure: time and chance are the caller's.
 * Thread: one at a time.
 */
#define GM_S3_PAUSE_FIRST (100 * GM_MS)
#define GM_S3_PAUSE_MAX (20 * GM_SEC)

/* One request's budget; what it has used. */
struct gm_s3_retry {
    unsigned tries; /* that failed */
    unsigned max_tries;
    gm_time until; /* no try begins after this */
};

/* After a try that is worth another (GM_S3_AGAIN): false when the budget is used up; else
 * *out_pause is to be waited. It doubles from GM_S3_PAUSE_FIRST to GM_S3_PAUSE_MAX, and of that a
 * random part between a half and the whole is taken, so that those that failed together do not come
 * back together.
 *
 * random:      any 32 bits, others for each call
 * retry_after: what the server asked for (Retry-After); 0: nothing. A longer pause than its own is
 *              kept to, as far as the budget goes
 */
bool gm_s3_retry_next(struct gm_s3_retry *retry, gm_time now, uint32_t random, gm_time retry_after,
                      gm_time *out_pause);
/* A Retry-After header that is a number of seconds, at most an hour; 0 for all else. Source: RFC
 * 9110 section 10.2.3. */
gm_time gm_s3_retry_after(const char *value);

/* Whether a body of which so many bytes went in a try that began so long ago goes too slowly for
 * its end to be waited for: below GM_S3_DRIP_RATE on average, from GM_S3_DRIP_TIME on. */
#define GM_S3_DRIP_TIME (300 * GM_SEC)
#define GM_S3_DRIP_RATE 8192 /* bytes a second */
bool gm_s3_drips(gm_time past, uint64_t bytes);

/* An endpoint's: after GM_S3_BREAKER_LIMIT failures in a row that speak against it (gm_s3_verdict's
 * ill) nothing is sent for a while, and then one request alone, which decides. All-zero: healthy.
 */
#define GM_S3_BREAKER_LIMIT 8
#define GM_S3_BREAKER_FIRST (1 * GM_SEC)
#define GM_S3_BREAKER_MAX (60 * GM_SEC)
/* The one request alone: for so long no other goes. Longer than a connection is waited for (10 s),
 * and a fraction of a call's usual minute. */
#define GM_S3_PROBE_TIME (15 * GM_SEC)
#define GM_S3_PROBE_ASK (1 * GM_SEC) /* while it is under way: its end may come at any time */

struct gm_s3_breaker {
    unsigned failures; /* in a row */
    unsigned openings; /* in a row */
    bool open;
    bool probing;  /* one was let through and has not ended */
    gm_time until; /* open: nothing before */
};

/* Whether a request may go. When it may though the breaker is open it is the one that decides:
 * told or given_up is to follow; where none has in GM_S3_PROBE_TIME, another may go.
 * False: *out_wait is how long to wait before asking again, at least 1 ms. */
bool gm_s3_breaker_allows(struct gm_s3_breaker *breaker, gm_time now, gm_time *out_wait);
/* How a request ended that was allowed. While one decides, what others say that were sent before
 * changes nothing.
 *
 * decides: it is the one that was let through alone
 * ill:     false: an answer came that does not speak against the endpoint, whatever else it says;
 *          also before the request has ended
 */
void gm_s3_breaker_told(struct gm_s3_breaker *breaker, bool decides, bool ill, gm_time now,
                        uint32_t random);
/* The one that decides was not sent, was cancelled, or ended by what is not the endpoint's: another
 * may go at once. */
void gm_s3_breaker_given_up(struct gm_s3_breaker *breaker, gm_time now);

#endif
