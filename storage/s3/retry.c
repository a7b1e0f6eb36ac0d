#include "storage/s3/retry.h"
#include "common/number.h"

#define RETRY_AFTER_MAX_S 3600

/* first * 2^doublings, at most max. */
static gm_time grown(gm_time first, unsigned doublings, gm_time max)
{
    gm_time pause = first;

    while (doublings-- > 0 && pause < max) {
        pause *= 2;
    }
    return pause < max ? pause : max;
}

/* Between a half of it and the whole. */
static gm_time shaken(gm_time pause, uint32_t random)
{
    return pause / 2 + (pause / 2 >> 16) * (random >> 16);
}

bool gm_s3_retry_next(struct gm_s3_retry *retry, gm_time now, uint32_t random, gm_time retry_after,
                      gm_time *out_pause)
{
    gm_time pause = shaken(grown(GM_S3_PAUSE_FIRST, retry->tries, GM_S3_PAUSE_MAX), random);

    if (retry->tries + 1 >= retry->max_tries) {
        return false;
    }
    if (pause < retry_after) {
        pause = retry_after;
    }
    if (retry->until - now < pause) {
        return false;
    }
    retry->tries++;
    *out_pause = pause;
    return true;
}

gm_time gm_s3_retry_after(const char *value)
{
    int64_t seconds;

    return gm_number_int(value, &seconds) && seconds > 0 && seconds <= RETRY_AFTER_MAX_S
               ? seconds * GM_SEC
               : 0;
}

bool gm_s3_drips(gm_time past, uint64_t bytes)
{
    return past >= GM_S3_DRIP_TIME && bytes / GM_S3_DRIP_RATE < (uint64_t)(past / GM_SEC);
}

bool gm_s3_breaker_allows(struct gm_s3_breaker *breaker, gm_time now, gm_time *out_wait)
{
    if (!breaker->open) {
        return true;
    }
    if (now < breaker->until) {
        *out_wait = breaker->until - now < GM_MS ? GM_MS : breaker->until - now;
        if (breaker->probing && *out_wait > GM_S3_PROBE_ASK) {
            *out_wait = GM_S3_PROBE_ASK;
        }
        return false;
    }
    breaker->probing = true;
    breaker->until = now + GM_S3_PROBE_TIME;
    return true;
}

void gm_s3_breaker_given_up(struct gm_s3_breaker *breaker, gm_time now)
{
    if (breaker->open && breaker->probing) {
        breaker->probing = false;
        breaker->until = now;
    }
}

void gm_s3_breaker_told(struct gm_s3_breaker *breaker, bool decides, bool ill, gm_time now,
                        uint32_t random)
{
    if (breaker->open && breaker->probing && !decides) {
        return;
    }
    if (!ill) {
        *breaker = (struct gm_s3_breaker){.failures = 0};
        return;
    }
    if (breaker->open && !breaker->probing) {
        return; /* it was sent before the breaker opened, and says nothing new */
    }
    if (!breaker->open && ++breaker->failures < GM_S3_BREAKER_LIMIT) {
        return;
    }
    breaker->until =
        now + shaken(grown(GM_S3_BREAKER_FIRST, breaker->openings, GM_S3_BREAKER_MAX), random);
    breaker->openings++;
    breaker->open = true;
    breaker->probing = false;
}
