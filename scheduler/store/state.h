#ifndef GM_SCHEDULER_STORE_STATE_H
#define GM_SCHEDULER_STORE_STATE_H

#include "scheduler/core/core.h"

/* The scheduler's durable state: rows of the core, events of jobs, and the term. One interface, two
 * backends: SQLite in a folder (WAL, synchronous=FULL), locked for as long as it is open; and
 * PostgreSQL, which several schedulers share, one of which leads (ADR-0047).
 * Thread: commit, beat, lead and load from one thread at a time; events from another one (it has a
 * connection of its own); leads from any. Errors: SYS (native = errno or SQLite's extended code),
 * CONFLICT (another scheduler has the folder; or the schema is a newer version's), STATE_FULL (its
 * disk: nothing was written, and the same may be tried again), NOMEM; of PostgreSQL also STATE_AWAY
 * (it does not answer: a commit may hold) and NOT_LEADER (another one leads: nothing was written,
 * and nothing will be).
 */
struct gm_state; /* opaque */

#define GM_STATE_SCHEMA 2

/* where: a folder, or PostgreSQL's connection string, "postgresql://...". A folder is made where it
 * is missing, and locked; what the cache has of the log is put on the disk (ADR-0030), schema 1
 * brought to this one (ADR-0039), the term raised durably. PostgreSQL is not asked yet. Errors:
 * also CONFIG: a string that can't be read. */
int gm_state_open(const char *where, struct gm_state **out, struct gm_err *err) GM_MUST_CHECK;
bool gm_state_is_shared(const char *where); /* PostgreSQL */
/* The string without what may be a secret, for logs; owned, NULL without memory. */
char *gm_state_plain(const char *where);
void gm_state_close(struct gm_state **state);
/* PostgreSQL: raises the term durably if nobody else leads. *out_leads false: somebody does, ask
 * again. Before that only close may be called. takeover: a leader that says nothing to PostgreSQL
 * for so long is followed by another one. */
int gm_state_lead(struct gm_state *state, gm_time takeover, bool *out_leads,
                  struct gm_err *err) GM_MUST_CHECK;
uint64_t gm_state_term(const struct gm_state *state);
/* Keeps how long this term's leases last, durably, before any is given. *out_before: how long those
 * of the term before last; 0: not known. Once, before the first commit. A shorter time than before
 * is kept in its place only when leases of before have ended, by gm_state_tidy. */
int gm_state_lease(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                   struct gm_err *err) GM_MUST_CHECK;
/* Highest event number that was ever stored, or is taken; 0: none. It does not fall back where the
 * event went with its job. */
int64_t gm_state_last_event(const struct gm_state *state);
/* A row names an event of that number, which may have gone with its job: no other one gets it. */
void gm_state_take_event(struct gm_state *state, int64_t seq);

/* Brings a folder that nobody has open to `schema`, 1 or GM_STATE_SCHEMA, for the version that
 * reads that one. *out_left: rows that it does not know and that are gone. Errors: also INVAL:
 * another schema; NOTFOUND: no state is there; PROTO: a row is not what it should be, nothing is
 * changed. */
int gm_state_migrate(const char *folder, int schema, size_t *out_left,
                     struct gm_err *err) GM_MUST_CHECK;

/* key and data: borrowed for the call. */
typedef int (*gm_state_row_fn)(const struct gm_key *key, const void *data, size_t size, void *arg,
                               struct gm_err *err);
/* Every row, any order. A non-zero answer of fn stops and is returned. */
int gm_state_load(struct gm_state *state, gm_state_row_fn fn, void *arg,
                  struct gm_err *err) GM_MUST_CHECK;

struct gm_state_facts {
    uint64_t term;
    uint64_t rows[GM_ROW_NODE + 1]; /* by kind; 0: of other kinds */
    uint64_t events;
};
/* Reads the whole of a state and changes nothing: SQLite's own check of its file, or that the
 * indexes of the database have what the tables have; rows and events of jobs that are not there;
 * and each row to `row` (see above). No scheduler may have a folder open; of PostgreSQL it is one
 * moment that is looked at, also while one leads. problem: called with a sentence for what is
 * wrong. Errors: also NOTFOUND: no state is there; CONFLICT: a scheduler has the folder, or the
 * schema is another one; CONFIG: a string that can't be read; STATE_AWAY. */
int gm_state_check(const char *where, gm_state_row_fn row,
                   void (*problem)(const char *text, void *arg), void *arg,
                   struct gm_state_facts *out, struct gm_err *err) GM_MUST_CHECK;

struct gm_state_event {
    int64_t seq;  /* given by the caller, growing */
    uint64_t job; /* its seq */
    const char *type;
    const char *json;
    int64_t unix_ms;
};
struct gm_state_batch {
    const struct gm_row *rows; /* in order: of two with one key the later wins; data NULL deletes */
    size_t row_count;
    const struct gm_state_event *events;
    size_t event_count;
};
/* One transaction: all on disk when it returns 0, nothing otherwise. The row of a job that is
 * deleted takes all of the job's rows and events along. */
int gm_state_commit(struct gm_state *state, const struct gm_state_batch *batch,
                    struct gm_err *err) GM_MUST_CHECK;
/* Says that this scheduler still leads, where nothing was committed for gm_state_beat_every (0: it
 * need not be said). Waits for a server that is away as commit does, up to half of a lease. */
int gm_state_beat(struct gm_state *state, struct gm_err *err) GM_MUST_CHECK;
gm_time gm_state_beat_every(const struct gm_state *state);
/* No other scheduler can have taken over yet: for what is done outside of the state, such as
 * deleting. True for SQLite. */
bool gm_state_leads(const struct gm_state *state);

/* Between commits: moves SQLite's log into the database when it is long (a commit would wait for it
 * otherwise). What it could not move stays in the log, where the next call finds it: an error here
 * is to be told, and no more. Thread: the commits'. */
int gm_state_tidy(struct gm_state *state, struct gm_err *err) GM_MUST_CHECK;

/* Calls fn for the job's events after `after`, oldest first, at most `limit` of them. */
int gm_state_events(struct gm_state *state, uint64_t job, int64_t after, int limit,
                    void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
