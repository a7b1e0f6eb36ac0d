#ifndef GM_SCHEDULER_STORE_BACKEND_H
#define GM_SCHEDULER_STORE_BACKEND_H

#include "scheduler/store/state.h"

/* What a backend is: state.c calls it by this table. Meanings, errors and threads: state.h. */
struct gm_state_ops {
    void (*close)(struct gm_state *state); /* frees it */
    int (*lead)(struct gm_state *state, gm_time takeover, bool *out_leads, struct gm_err *err);
    uint64_t (*term)(const struct gm_state *state);
    int64_t (*last_event)(const struct gm_state *state);
    int (*lease)(struct gm_state *state, uint32_t lease_ms, uint32_t *out_before,
                 struct gm_err *err);
    int (*load)(struct gm_state *state, gm_state_row_fn fn, void *arg, struct gm_err *err);
    int (*commit)(struct gm_state *state, const struct gm_state_batch *batch, struct gm_err *err);
    int (*tidy)(struct gm_state *state, struct gm_err *err);
    int (*beat)(struct gm_state *state, struct gm_err *err);
    gm_time (*beat_every)(const struct gm_state *state);
    bool (*leads)(const struct gm_state *state);
    int (*events)(struct gm_state *state, uint64_t job, int64_t after, int limit,
                  void (*fn)(const struct gm_state_event *event, void *arg), void *arg,
                  struct gm_err *err);
};
struct gm_state { /* the head of each backend's own */
    const struct gm_state_ops *ops;
    int64_t taken_event; /* gm_state_take_event */
};

/* Errors of open: gm_state_open. */
int gm_sqlite_open(const char *folder, struct gm_state **out, struct gm_err *err) GM_MUST_CHECK;
int gm_postgres_open(const char *url, struct gm_state **out, struct gm_err *err) GM_MUST_CHECK;
/* gm_state_check, of each. */
int gm_sqlite_check(const char *folder, gm_state_row_fn row,
                    void (*problem)(const char *text, void *arg), void *arg,
                    struct gm_state_facts *out, struct gm_err *err) GM_MUST_CHECK;
int gm_postgres_check(const char *url, gm_state_row_fn row,
                      void (*problem)(const char *text, void *arg), void *arg,
                      struct gm_state_facts *out, struct gm_err *err) GM_MUST_CHECK;

#endif
