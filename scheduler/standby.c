/* Standing by: a loop of its own, for nothing of the daemon is there yet. Nodes find nobody at its
 * endpoints, which are not bound, and go on to the next scheduler's. */
#include "scheduler/standby.h"

#include <poll.h>
#include <stdio.h>

#include "common/log.h"
#include "scheduler/http/standby.h"

#define ASK_EVERY_MS 100

struct standby {
    const struct gm_settings *settings;
    const struct gm_door *door;
    struct gm_state *state;
    struct gm_standby_http *http; /* NULL: nobody was seen to lead */
    const volatile sig_atomic_t *told;
    bool away; /* the database, or its disk has no room; said once */
};

/* Asks for the lead. */
static int ask(struct standby *s, bool *out_leads, struct gm_err *err)
{
    int rc = gm_state_lead(s->state, s->settings->takeover_ms * GM_MS, out_leads, err);
    if (rc == -GM_E_STATE_AWAY || rc == -GM_E_STATE_FULL) {
        if (!s->away) {
            gm_log_err(GM_LOG_WARN, rc == -GM_E_STATE_AWAY ? "state_away" : "state_full", err,
                       "retry_ms=%d", ASK_EVERY_MS);
        }
        s->away = true;
        return 0;
    }
    if (rc == 0 && s->away) {
        gm_log(GM_LOG_INFO, "state_back", "leads=%d", (int)*out_leads);
        s->away = false;
    }
    return rc;
}

static int serve(struct standby *s, struct gm_err *err)
{
    if (s->http != NULL) {
        return 0;
    }
    int rc = gm_standby_http_open(s->settings->http, s->door, &s->http, err);
    if (rc == 0) {
        (void)printf("STANDBY http=%s\n", gm_standby_http_address(s->http));
        (void)fflush(stdout);
        gm_log(GM_LOG_INFO, "standby", "http=%s", gm_standby_http_address(s->http));
    }
    return rc;
}

/* Until it is time to ask again. */
static void rest(struct standby *s)
{
    gm_time until = gm_time_now() + ASK_EVERY_MS * GM_MS;
    gm_time left = ASK_EVERY_MS * GM_MS;
    for (; left > 0 && *s->told == 0; left = until - gm_time_now()) {
        struct pollfd fd = {.fd = gm_standby_http_fd(s->http), .events = POLLIN};
        (void)poll(&fd, 1, (int)(left / GM_MS) + 1);
        gm_standby_http_run(s->http);
    }
}

int gm_standby_wait(const struct gm_settings *settings, const struct gm_door *door,
                    struct gm_state *state, const volatile sig_atomic_t *told, bool *out_leads,
                    struct gm_err *err)
{
    struct standby s = {.settings = settings, .door = door, .state = state, .told = told};
    int rc = 0;
    *out_leads = false;
    while (*told == 0) {
        rc = ask(&s, out_leads, err);
        if (rc < 0 || *out_leads) {
            break;
        }
        rc = serve(&s, err);
        if (rc < 0) {
            break;
        }
        rest(&s);
    }
    gm_standby_http_close(&s.http);
    return rc;
}
