#include "cli/again.h"

#define RETRY_FOR (60 * GM_SEC)
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000

void gm_again_heard(struct gm_again *again, struct gm_session *session)
{
    session->reached = true;
    *again = (struct gm_again){.alive = gm_time_now()};
}

/* Whether another try can mend it. A scheduler that hangs may have taken all of the time: each of
 * the others is asked all the same. */
static bool may_try(const struct gm_again *again, const struct gm_session *s, int rc)
{
    uint32_t count = 0;
    while (s->urls[count] != NULL) {
        count++;
    }
    bool lost =
        rc == -GM_E_NOT_LEADER || rc == -GM_E_STATE_AWAY ||
        (rc == -GM_E_UNREACHABLE && (s->reached || s->farm != NULL || s->urls[s->at + 1] != NULL));
    return lost && (gm_time_now() - again->alive < RETRY_FOR || again->unheard < count);
}

int gm_again_check(struct gm_again *again, struct gm_session *session, int rc, const char *what,
                   struct gm_err *err)
{
    again->unheard++;
    if (rc == 0 || !may_try(again, session, rc)) {
        return rc;
    }
    if (!again->told) {
        gm_term_note(session->term, "lost the scheduler; trying again for up to 60 s%s", what);
        again->told = true;
    }
    return gm_session_next(session, err);
}

int gm_again_pause_ms(struct gm_again *again)
{
    int pause = again->pause_ms > 0 ? again->pause_ms : PAUSE_MIN_MS;
    again->pause_ms = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    return pause;
}
