#include "scheduler/hooks/rules.h"

#include <stdio.h>
#include <string.h>

#include "common/number.h"

#define JITTER 10 /* percent, both ways */

int gm_hook_rules_parse(const char *seconds, int64_t retry_s, struct gm_hook_rules *out,
                        struct gm_err *err)
{
    char word[16];
    *out = (struct gm_hook_rules){.retry_ms = retry_s * 1000};
    for (seconds += strspn(seconds, " "); *seconds != '\0'; seconds += strspn(seconds, " ")) {
        int64_t value = 0;
        size_t n = strcspn(seconds, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)n, seconds);
        if (n >= sizeof word || !gm_number_int(word, &value) || value < 1 || value > 86400 ||
            out->pause_count == GM_HOOK_PAUSES) {
            return gm_err_set(err, GM_E_CONFIG, 0,
                              "webhook_pauses_s: `%.40s`: at most %d numbers from 1 to 86400",
                              seconds, GM_HOOK_PAUSES);
        }
        out->pauses_ms[out->pause_count++] = value * 1000;
        seconds += n;
    }
    return out->pause_count > 0
               ? 0
               : gm_err_set(err, GM_E_CONFIG, 0, "webhook_pauses_s: name one pause at least");
}

int64_t gm_hook_pause(const struct gm_hook_rules *r, uint32_t tries, uint32_t random)
{
    size_t at = tries <= r->pause_count ? tries - 1 : r->pause_count - 1;
    int64_t pause = r->pauses_ms[at];
    int64_t spread = pause * JITTER / 100;
    return pause - spread + (int64_t)(random % (uint64_t)(2 * spread + 1));
}
