/* Which backend, and its calls. */
#include "scheduler/store/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "scheduler/store/backend.h"

bool gm_state_is_shared(const char *where)
{
    return strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0;
}

/* Without user, password and parameters. Where an @ stands behind the first / or ?, a part of a
 * password may have been read as something else, and nothing is shown. See:
 * https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING */
char *gm_state_plain(const char *where)
{
    if (!gm_state_is_shared(where)) {
        return strdup(where);
    }
    const char *rest = strstr(where, "://") + 3;
    const char *at = strrchr(rest, '@');
    struct gm_buf out = {0};
    if (at != NULL && at >= rest + strcspn(rest, "/?")) {
        rest = "...";
    } else if (at != NULL) {
        rest = at + 1;
    }
    gm_buf_printf(&out, "postgresql://%.*s", (int)strcspn(rest, "?"), rest);
    return (char *)out.data;
}

int gm_state_open(const char *where, struct gm_state **out, struct gm_err *err)
{
    return gm_state_is_shared(where) ? gm_postgres_open(where, out, err)
                                     : gm_sqlite_open(where, out, err);
}

int gm_state_check(const char *where, gm_state_row_fn row,
                   void (*problem)(const char *text, void *arg), void *arg,
                   struct gm_state_facts *out, struct gm_err *err)
{
    return gm_state_is_shared(where) ? gm_postgres_check(where, row, problem, arg, out, err)
                                     : gm_sqlite_check(where, row, problem, arg, out, err);
}

void gm_state_close(struct gm_state **state)
{
    if (*state != NULL) {
        (*state)->ops->close(*state);
        *state = NULL;
    }
}

int gm_state_lead(struct gm_state *state, gm_time takeover, bool *out_leads, struct gm_err *err)
{
    return state->ops->lead(state, takeover, out_leads, err);
}

uint64_t gm_state_term(const struct gm_state *state)
{
    return state->ops->term(state);
}

int gm_state_lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                   struct gm_err *err)
{
    return state->ops->lease(state, lease_ms, out_before, err);
}

int64_t gm_state_last_event(const struct gm_state *state)
{
    int64_t last = state->ops->last_event(state);
    return last > state->taken_event ? last : state->taken_event;
}

void gm_state_take_event(struct gm_state *state, int64_t seq)
{
    state->taken_event = seq > state->taken_event ? seq : state->taken_event;
}

int gm_state_load(struct gm_state *state, gm_state_row_fn fn, void *arg, struct gm_err *err)
{
    return state->ops->load(state, fn, arg, err);
}

int gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch, struct gm_err *err)
{
    return state->ops->commit(state, batch, err);
}

int gm_state_tidy(struct gm_state *state, struct gm_err *err)
{
    return state->ops->tidy(state, err);
}

int gm_state_beat(struct gm_state *state, struct gm_err *err)
{
    return state->ops->beat(state, err);
}

gm_time gm_state_beat_every(const struct gm_state *state)
{
    return state->ops->beat_every(state);
}

bool gm_state_leads(const struct gm_state *state)
{
    return state->ops->leads(state);
}

int gm_state_events(struct gm_state *state, uint64_t job, int64_t after, int limit,
                    void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                    struct gm_err *err)
{
    return state->ops->events(state, job, after, limit, fn, arg, err);
}
