#ifndef GM_SCHEDULER_HOOKS_RULES_H
#define GM_SCHEDULER_HOOKS_RULES_H

#include "common/err.h"

/* When a delivery that was not taken is tried again. Pure. Thread: any. */
#define GM_HOOK_PAUSES 16

struct gm_hook_rules {
    int64_t pauses_ms[GM_HOOK_PAUSES]; /* after each try; the last one again and again */
    size_t pause_count;
    int64_t retry_ms; /* a delivery is dead after so long */
};

/* seconds: numbers of 1..86400 with spaces between. Errors: CONFIG. */
int gm_hook_rules_parse(const char *seconds, int64_t retry_s, struct gm_hook_rules *out,
                        struct gm_err *err) GM_MUST_CHECK;
/* Before the try that follows `tries`: up to a tenth more or less, by `random`. */
int64_t gm_hook_pause(const struct gm_hook_rules *rules, uint32_t tries, uint32_t random);

#endif
