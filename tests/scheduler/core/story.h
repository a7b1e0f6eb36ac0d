#ifndef GM_TESTS_SCHEDULER_CORE_STORY_H
#define GM_TESTS_SCHEDULER_CORE_STORY_H

#include <stdio.h>
#include <string.h>

#include "scheduler/core/state.h"
#include "sim/sim_io.h"

/* Farms in virtual time, one story each: what their tests share. */

static inline struct sim *farm(uint32_t nodes, uint32_t slots)
{
    struct sim_params params = {.seed = 1, .nodes = nodes, .slots = slots};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2); /* everybody said hello */
    return sim;
}

static inline bool encode_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "video", &node) != NULL;
}

static inline bool audio_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "audio", &node) != NULL;
}

static inline uint32_t count_attempts(struct sim *sim, const char *id, const char *task,
                                      enum gm_attempt_outcome outcome, enum gm_code code)
{
    struct gm_attempts_view v;
    struct gm_err err;
    uint32_t n = 0;
    assert_int_equal(gm_view_attempts(sim->core, id, &v, &err), 0);
    for (size_t i = 0; i < v.count; i++) {
        n += strcmp(v.rows[i].task, task) == 0 && v.rows[i].outcome == outcome &&
             v.rows[i].error_code == code;
    }
    gm_view_attempts_fini(&v);
    return n;
}

#endif
