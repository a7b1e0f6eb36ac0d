/* The scheduler's wall clock, by which its grants end, as the node knows it: what it told last, and
 * how long ago that was. This machine's own wall clock may say anything. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "node/agent_state.h"

#define WRONG_MS (5 * 60 * INT64_C(1000)) /* clocks that are kept by anything differ by less */

static int64_t boot_ms(void)
{
    return gm_time_boot() / GM_MS;
}

/* How far it is ahead of this machine's. */
static int64_t ahead_ms(int64_t clock)
{
    return clock + boot_ms() - gm_time_unix_ms();
}

void gm_clock_told(struct gm_agent *agent, int64_t unix_ms)
{
    if (unix_ms <= 0) {
        return;
    }
    int64_t clock = unix_ms - boot_ms();
    __atomic_store_n(&agent->clock, clock, __ATOMIC_RELAXED);
    int64_t ahead = ahead_ms(clock);
    bool wrong = ahead > WRONG_MS || ahead < -WRONG_MS;
    if (wrong != agent->clocks_differ) {
        gm_log(wrong ? GM_LOG_WARN : GM_LOG_INFO, wrong ? "clocks-differ" : "clocks-agree",
               "scheduler_ahead_s=%" PRId64, ahead / 1000);
        agent->clocks_differ = wrong;
    }
}

int64_t gm_clock_unix_ms(const struct gm_agent *agent)
{
    int64_t clock = __atomic_load_n(&agent->clock, __ATOMIC_RELAXED);
    return clock == 0 ? gm_time_unix_ms() : clock + boot_ms();
}

bool gm_clock_is_late(const struct gm_err *err)
{
    return err->code == GM_E_NODE_GRANT && err->native == ETIME;
}

void gm_clock_explain(const struct gm_agent *agent, struct gm_err *err)
{
    int64_t clock = __atomic_load_n(&agent->clock, __ATOMIC_RELAXED);
    size_t used = strlen(err->text);
    char *end = err->text + used;
    size_t room = sizeof(err->text) - used;
    if (!gm_clock_is_late(err)) {
        return;
    }
    if (clock == 0) {
        (void)snprintf(end, room, " by this machine's clock (is that clock right?)");
        return;
    }
    int64_t ahead = ahead_ms(clock) / 1000;
    (void)snprintf(end, room,
                   " by the scheduler's clock, which is %" PRId64
                   " s %s this machine's: was one of them set?",
                   ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
}
