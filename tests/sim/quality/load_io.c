/* How long tasks wait, at nine tenths of what the farm can do. */
#include <stdlib.h>

#include "sim/quality/quality.h"

#define LOAD 0.9
#define PREEMPT_MS 10000u /* the scheduler's default */
#define LONGEST (30 * 24 * 3600 * GM_SEC)

static const int32_t priorities[GM_CLASSES] = {10, 50, 80};

static void draw_class(uint64_t *random, struct q_work *work)
{
    uint64_t draw = q_random(random) % 10;
    enum gm_job_class c = draw == 0 ? GM_CLASS_HIGH : draw < 7 ? GM_CLASS_NORMAL : GM_CLASS_BATCH;
    work->tag = (uint32_t)c;
    work->priority = priorities[c];
}

/* The waits of what was ready after `from`, of each class; to a job's first task alone, or of each
 * of its steps: of a job's chunks the first one counts, for the others wait for each other. */
static void sum_up(const struct q_farm *farm, gm_time from, bool first, double part,
                   double out[GM_CLASSES], size_t counts[GM_CLASSES])
{
    double *list = calloc(farm->wait_count + 1, sizeof(*list));
    if (!list) {
        q_die("out of memory");
    }
    for (uint32_t c = 0; c < GM_CLASSES; c++) {
        size_t n = 0;
        for (size_t i = 0; i < farm->wait_count; i++) {
            const struct q_wait *w = &farm->waits[i];
            if (farm->jobs[w->job].work.tag == c && w->ready >= from &&
                (first ? w->role == Q_INSPECT : w->role != Q_ENCODE || w->first)) {
                list[n++] = (double)w->wait / (double)GM_SEC;
            }
        }
        out[c] = q_percentile(list, n, part);
        counts[c] = n;
    }
    free(list);
}

struct q_load q_loaded(const struct q_times *times, struct q_scale scale)
{
    struct q_params params = {.seed = scale.seed, .preempt_ms = PREEMPT_MS};
    struct q_load load = {.load = LOAD};
    uint64_t random = scale.seed;
    const struct q_node_kind **nodes = q_nodes_make(&random, scale.nodes, true);
    struct q_work *works = calloc(scale.jobs, sizeof(*works));
    if (!works) {
        q_die("out of memory");
    }
    for (uint32_t i = 0; i < scale.jobs; i++) {
        works[i] = q_work_any(&random);
        draw_class(&random, &works[i]);
    }
    struct q_bound bound = q_bound_of(times, works, scale.jobs, nodes, scale.nodes);
    double most = bound.processors > bound.gpus ? bound.processors : bound.gpus;
    double horizon = most / LOAD;
    struct q_farm *farm = q_farm_open(&params, times, nodes, scale.nodes);
    gm_time start = farm->now;
    for (uint32_t i = 0; i < scale.jobs; i++) { /* so many of a Poisson process are spread so */
        gm_time at = start + (gm_time)(q_uniform(&random) * horizon * (double)GM_SEC);
        (void)q_farm_submit(farm, &works[i], at);
    }
    if (!q_farm_run(farm, start + LONGEST) || farm->failed > 0) {
        q_die("%u of %u jobs ended, %u failed", farm->ended, farm->job_count, farm->failed);
    }
    size_t firsts[GM_CLASSES];
    gm_time from = start + (gm_time)(horizon / 10 * (double)GM_SEC);
    sum_up(farm, from, false, 0.5, load.p50, load.waits);
    sum_up(farm, from, false, 0.99, load.p99, load.waits);
    sum_up(farm, from, true, 0.99, load.first_p99, firsts);
    load.task_s = farm->task_seconds / (double)farm->tasks_done;
    q_farm_close(farm);
    free(works);
    free(nodes);
    return load;
}
