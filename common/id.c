#include "common/id.h"

#include <errno.h>
#include <string.h>

#include <sys/random.h>

#include "common/time.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

int gm_random(void *out, size_t size, struct gm_err *err)
{
    uint8_t *p = out;

    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return gm_err_sys(err, errno, "getrandom failed");
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int gm_id_make(char out[GM_ID_SIZE], struct gm_err *err)
{
    uint64_t ms = (uint64_t)gm_time_unix_ms();
    uint8_t random[10];
    uint64_t high = 0; /* 40 random bits */
    uint64_t low = 0;  /* 40 more */
    int rc = gm_random(random, sizeof(random), err);

    if (rc < 0) {
        return rc;
    }
    for (int i = 0; i < 5; i++) {
        high = high << 8 | random[i];
        low = low << 8 | random[5 + i];
    }
    /* 10 characters of time (50 bits, the first two zero), 8 and 8 of chance */
    ms &= ((uint64_t)1 << 48) - 1;
    for (int i = 0; i < 10; i++) {
        out[i] = digits[ms >> (5 * (9 - i)) & 31];
    }
    for (int i = 0; i < 8; i++) {
        out[10 + i] = digits[high >> (5 * (7 - i)) & 31];
        out[18 + i] = digits[low >> (5 * (7 - i)) & 31];
    }
    out[26] = '\0';
    return 0;
}

bool gm_id_is(const char *text)
{
    return strspn(text, digits) == GM_ID_SIZE - 1 && text[GM_ID_SIZE - 1] == '\0' && text[0] <= '7';
}

int64_t gm_id_unix_ms(const char *text)
{
    int64_t ms = 0;

    if (!gm_id_is(text)) {
        return -1;
    }
    for (int i = 0; i < 10; i++) {
        ms = ms * 32 + (strchr(digits, text[i]) - digits);
    }
    return ms;
}
