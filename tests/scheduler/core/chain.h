#ifndef GM_TESTS_SCHEDULER_CORE_CHAIN_H
#define GM_TESTS_SCHEDULER_CORE_CHAIN_H

#include <string.h>

#include "sim/sim_io.h"

/* Farms with devices, for the tests of which ones encode a job. */

static inline struct sim *farm(uint32_t nodes, uint32_t gpus, const char *fallback,
                               const char *device)
{
    struct sim_params params = {.seed = 1,
                                .nodes = nodes,
                                .slots = 2,
                                .gpus = gpus,
                                .fallback = fallback,
                                .device = device};
    struct sim *sim = sim_create(&params);
    sim_run(sim, 2); /* everybody said hello */
    return sim;
}

static inline bool encode_runs(struct sim *sim)
{
    struct sim_node *node;
    return sim_find_running(sim, "video", &node) != NULL;
}

/* Its arrays stay until the next call. */
static inline const struct gm_job_view *view(struct sim *sim)
{
    static struct gm_job_view v;
    gm_view_job_fini(&v);
    assert_int_equal(gm_view_job(sim->core, "job", &v, NULL), 0);
    return &v;
}

static inline uint32_t failures(struct sim *sim)
{
    uint32_t n = 0;
    const struct gm_job_view *v = view(sim);
    for (size_t i = 0; i < v->task_count; i++) {
        n += v->tasks[i].failures;
    }
    return n;
}

#endif
