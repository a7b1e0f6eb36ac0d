/* All jobs are there at the start: how much longer than it must does it take, and with nodes that
 * die? */
#include <stdlib.h>

#include "sim/quality/quality.h"

#define LONGEST (30 * 24 * 3600 * GM_SEC)

struct scene {
    const struct q_node_kind **nodes; /* owned */
    struct q_work *works;             /* owned */
    struct q_farm *farm;              /* owned; all jobs are submitted */
    uint64_t random;
    gm_time start;
};

static struct scene scene_open(const struct q_times *times, struct q_scale scale)
{
    struct q_params params = {.seed = scale.seed};
    struct scene s = {.random = scale.seed};
    s.nodes = q_nodes_make(&s.random, scale.nodes, true);
    s.works = calloc(scale.jobs, sizeof(*s.works));
    if (!s.works) {
        q_die("out of memory");
    }
    s.farm = q_farm_open(&params, times, s.nodes, scale.nodes);
    s.start = s.farm->now;
    for (uint32_t i = 0; i < scale.jobs; i++) {
        s.works[i] = q_work_any(&s.random);
        (void)q_farm_submit(s.farm, &s.works[i], s.start);
    }
    return s;
}

/* Returns how long it took. */
static double scene_run(struct scene *s)
{
    if (!q_farm_run(s->farm, s->start + LONGEST) || s->farm->failed > 0) {
        q_die("%u of %u jobs ended, %u failed", s->farm->ended, s->farm->job_count,
              s->farm->failed);
    }
    return (double)(s->farm->now - s->start) / (double)GM_SEC;
}

static void scene_close(struct scene *s)
{
    q_farm_close(s->farm);
    free(s->works);
    free(s->nodes);
}

struct q_span q_makespan(const struct q_times *times, struct q_scale scale)
{
    struct scene s = scene_open(times, scale);
    struct q_span span = {.bound = q_bound_of(times, s.works, scale.jobs, s.nodes, scale.nodes)};
    span.seconds = scene_run(&s);
    span.over = span.seconds / span.bound.least - 1;
    span.chunk_s = q_longest_chunk(times, s.works, scale.jobs, s.nodes, scale.nodes);
    scene_close(&s);
    return span;
}

struct q_loss q_losses(const struct q_times *times, struct q_scale scale, double part,
                       double undisturbed)
{
    struct q_loss loss = {.part = part, .nodes = (uint32_t)(part * scale.nodes + 0.5)};
    struct scene s = scene_open(times, scale);
    uint32_t *order = calloc(scale.nodes, sizeof(*order));
    if (!order) {
        q_die("out of memory");
    }
    for (uint32_t i = 0; i < scale.nodes; i++) { /* drawn without putting back */
        uint32_t j = (uint32_t)(q_random(&s.random) % (i + 1));
        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < loss.nodes; i++) {
        double at = q_uniform(&s.random) * undisturbed;
        q_farm_kill(s.farm, order[i], s.start + (gm_time)(at * (double)GM_SEC));
    }
    loss.seconds = scene_run(&s);
    loss.more = undisturbed > 0 ? loss.seconds / undisturbed - 1 : 0;
    free(order);
    scene_close(&s);
    return loss;
}
