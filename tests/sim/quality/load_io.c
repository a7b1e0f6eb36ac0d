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

/* What was told of a job's end: when an end was told at all, as a part of what it took then. */
struct told {
    gm_time at, left;
};

static void note_told(struct q_farm *farm, void *arg)
{
    struct told *told = arg;
    for (uint32_t j = 0; j < farm->job_count; j++) {
        struct gm_job_view v;
        const struct q_job *job = &farm->jobs[j];
        if (told[j].left > 0 || job->began < 0 || job->ended >= 0 ||
            gm_view_job(farm->core, job->id, &v, NULL) < 0) {
            continue;
        }
        told[j] = (struct told){farm->now, v.left};
        gm_view_job_fini(&v);
    }
}

/* Quarters of told over real, of a class. */
static void sum_up_told(const struct q_farm *farm, const struct told *told, uint32_t c,
                        double out[3])
{
    double *list = calloc(farm->job_count + 1, sizeof(*list));
    size_t n = 0;
    if (!list) {
        q_die("out of memory");
    }
    for (uint32_t j = 0; j < farm->job_count; j++) {
        const struct q_job *job = &farm->jobs[j];
        if (job->work.tag == c && told[j].left > 0 && job->ended > told[j].at) {
            list[n++] = (double)told[j].left / (double)(job->ended - told[j].at);
        }
    }
    for (int i = 0; i < 3; i++) {
        out[i] = q_percentile(list, n, 0.25 * (i + 1));
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
    struct told *told = calloc(scale.jobs, sizeof(*told));
    if (!told) {
        q_die("out of memory");
    }
    farm->look = note_told;
    farm->look_arg = told;
    if (!q_farm_run(farm, start + LONGEST) || farm->failed > 0) {
        q_die("%u of %u jobs ended, %u failed", farm->ended, farm->job_count, farm->failed);
    }
    size_t firsts[GM_CLASSES];
    gm_time from = start + (gm_time)(horizon / 10 * (double)GM_SEC);
    sum_up(farm, from, false, 0.5, load.p50, load.waits);
    sum_up(farm, from, false, 0.99, load.p99, load.waits);
    sum_up(farm, from, true, 0.99, load.first_p99, firsts);
    for (uint32_t c = 0; c < GM_CLASSES; c++) {
        sum_up_told(farm, told, c, load.told[c]);
    }
    free(told);
    load.task_s = farm->task_seconds / (double)farm->tasks_done;
    q_farm_close(farm);
    free(works);
    free(nodes);
    return load;
}
