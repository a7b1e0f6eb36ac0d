/* All jobs are there at the start: how much longer than it must does it take, and with nodes that
 * die? */
#include <stdlib.h>
#include <string.h>

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

static uint32_t count_on_gpus(const struct q_farm *farm)
{
    uint32_t count = 0;
    for (uint32_t j = 0; j < farm->job_count; j++) {
        struct gm_job_view v;
        if (gm_view_job(farm->core, farm->jobs[j].id, &v, NULL) < 0) {
            q_die("%s is gone", farm->jobs[j].id);
        }
        count += strcmp(v.chain, "nvenc") == 0 ? 1 : 0;
        gm_view_job_fini(&v);
    }
    return count;
}

struct q_rack q_rack(const struct q_times *times, struct q_scale scale, enum q_rack_kind kind)
{
    static const struct q_node_kind plain = {"8 threads", 8, 1.0, 0, 0},
                                    gpus = {"16 threads, 2 GPUs", 16, 1.0, 2, 1.2e9};
    struct q_params params = {.seed = scale.seed};
    struct scene s = {.random = scale.seed};
    double *took = calloc(scale.jobs, sizeof(*took));
    s.nodes = calloc(scale.nodes, sizeof(struct q_node_kind *));
    if (!s.nodes || !took) {
        q_die("out of memory");
    }
    for (uint32_t i = 0; i < scale.nodes; i++) {
        s.nodes[i] = i == 0 ? &gpus : &plain;
    }
    s.farm = q_farm_open(&params, times, s.nodes, scale.nodes);
    s.start = s.farm->now;
    for (uint32_t i = 0; i < scale.jobs; i++) {
        struct q_work work = q_work_any(&s.random);
        work.gpu = kind != Q_RACK_PROCESSORS;
        work.alone = kind == Q_RACK_GPUS;
        (void)q_farm_submit(s.farm, &work, s.start);
    }
    struct q_rack rack = {.seconds = scene_run(&s)};
    for (uint32_t i = 0; i < scale.jobs; i++) {
        took[i] = (double)(s.farm->jobs[i].ended - s.start) / (double)GM_SEC;
    }
    rack.median = q_percentile(took, scale.jobs, 0.5);
    rack.on_gpus = count_on_gpus(s.farm);
    free(took);
    scene_close(&s);
    return rack;
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
