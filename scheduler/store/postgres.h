#ifndef GM_SCHEDULER_STORE_POSTGRES_H
#define GM_SCHEDULER_STORE_POSTGRES_H

#include <stdatomic.h>

#include "scheduler/store/backend.h"
#include "scheduler/store/last.h"
#include "scheduler/store/pg.h"

/* State in PostgreSQL, for schedulers that stand by for each other (ADR-0047). Two halves share it:
 * postgres_lead.c, who leads; postgres.c, rows and events. */

#define GM_POSTGRES_ASK_TIME GM_SEC /* a statement of one row */

struct gm_postgres {
    struct gm_state head;
    char *url; /* owned */
    gm_time takeover;
    gm_time patience;    /* how long a leader waits for the server */
    struct gm_pg db;     /* of the thread that commits */
    struct gm_pg reader; /* of events */
    gm_time reader_failed_at;
    gm_time connected_at;  /* 0: never */
    bool again;            /* and it was not the first time */
    int pid;               /* the server's process of the session that has the lock */
    _Atomic uint64_t term; /* 0: it does not lead; others read it */
    int64_t batch;
    int64_t last_event;
    struct gm_last last;
    gm_time leads_from; /* by boot time: the leader before may believe until then that it leads */
    uint32_t lease_ms;  /* of this term, shorter than what is kept until */
    gm_time lease_kept_to; /* 0: it is kept */
    _Atomic(gm_time)
        beat_at; /* when the last statement that moved the row was sent, by boot time */
};

/* Time that goes on while the machine sleeps. */
gm_time gm_postgres_boot_time(void);
/* Steps down. Always NOT_LEADER. */
int gm_postgres_not_leader(struct gm_postgres *s, struct gm_err *err);
/* The leader's way back to the server, until it succeeds or `until`. *out: the number of the last
 * batch there. Errors: NOT_LEADER; STATE_AWAY. */
int gm_postgres_come_back(struct gm_postgres *s, gm_time until, int64_t *out,
                          struct gm_err *err) GM_MUST_CHECK;
/* Says once that it leads. Where the server waits for a replica it does so here, for all that was
 * committed before too. Errors: NOT_LEADER; STATE_AWAY. */
int gm_postgres_beat_once(struct gm_postgres *s, struct gm_err *err) GM_MUST_CHECK;
/* Says that the leader ends, if it leads, and gives the lock back: who starts next need not wait
 * for it. */
void gm_postgres_resign(struct gm_postgres *s);

/* Every row that the connection sees, as gm_state_load. */
int gm_postgres_rows(struct gm_pg *db, gm_state_row_fn fn, void *arg,
                     struct gm_err *err) GM_MUST_CHECK;

/* Of gm_state_ops. */
int gm_postgres_lead(struct gm_state *state, gm_time takeover, bool *out_leads,
                     struct gm_err *err) GM_MUST_CHECK;
int gm_postgres_lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                      struct gm_err *err) GM_MUST_CHECK;
int gm_postgres_beat(struct gm_state *state, struct gm_err *err) GM_MUST_CHECK;
gm_time gm_postgres_beat_every(const struct gm_state *state);
bool gm_postgres_leads(const struct gm_state *state);
uint64_t gm_postgres_term(const struct gm_state *state);

#endif
