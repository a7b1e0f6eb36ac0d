/* What tenants get of a farm that all want more of, and a film beside clips. */
#include <stdlib.h>

#include "sim/quality/quality.h"

#define WARM_S 60
#define POINT_S 10
#define CLIPS 100
#define HEAD_START 60 /* seconds: the film has begun */
#define LONGEST (30 * 24 * 3600 * GM_SEC)

/* ---- tenants */

struct count {
    struct gm_capacity whole;
    double held[Q_FAIR_POINTS][Q_TENANTS][GM_DIMS];
};

static void look(struct q_farm *farm, void *arg)
{
    struct count *count = arg;
    int64_t second = farm->now / GM_SEC - WARM_S;
    if (second < 0 || second >= (int64_t)Q_FAIR_POINTS * POINT_S) {
        return;
    }
    for (uint32_t n = 0; n < farm->node_count; n++) {
        for (const struct q_task *t = farm->nodes[n].tasks; t; t = t->next) {
            double *held = count->held[second / POINT_S][farm->jobs[t->job].work.tag];
            for (int d = 0; d < GM_DIMS; d++) {
                held[d] += (double)t->demand.v[d];
            }
        }
    }
}

/* Of the parts from first to last, the tenant's dominant shares. */
static double jain_of(const struct count *count, uint32_t first, uint32_t last,
                      double shares[Q_TENANTS])
{
    for (uint32_t t = 0; t < Q_TENANTS; t++) {
        shares[t] = 0;
        for (int d = 0; d < GM_DIMS; d++) {
            double held = 0, whole = (double)count->whole.v[d];
            for (uint32_t p = first; p <= last; p++) {
                held += count->held[p][t][d];
            }
            double share = whole > 0 ? held / whole / (last - first + 1) / POINT_S : 0;
            shares[t] = share > shares[t] ? share : shares[t];
        }
    }
    return q_jain(shares, Q_TENANTS);
}

static void submit_tenants(struct q_farm *farm, uint64_t *random, uint32_t jobs, bool blind)
{
    /* Far more than their parts of the window, of each shape as many as make about the same. */
    const uint32_t counts[Q_SHAPES] = {jobs, jobs / 12, jobs / 40, jobs / 120};
    for (uint32_t shape = 0; shape < Q_SHAPES; shape++) {
        for (uint32_t i = 0; i < (counts[shape] > 2 ? counts[shape] : 2); i++) {
            struct q_work work = q_work_make(random, (enum q_shape)shape);
            work.gpu = false;
            work.tag = shape;
            work.tenant = blind ? 0 : shape;
            (void)q_farm_submit(farm, &work, farm->now);
        }
    }
}

struct q_fair q_fairness(const struct q_times *times, struct q_scale scale, bool blind)
{
    struct q_params params = {.seed = scale.seed};
    struct q_fair fair = {.jain = 0};
    struct count *count = calloc(1, sizeof(*count));
    uint64_t random = scale.seed;
    const struct q_node_kind **nodes = q_nodes_make(&random, scale.nodes, false);
    if (!count) {
        q_die("out of memory");
    }
    for (uint32_t i = 0; i < scale.nodes; i++) {
        count->whole.slots += nodes[i]->threads - nodes[i]->gpus * Q_GPU_SLOTS;
        count->whole.memory_bytes += nodes[i]->threads * Q_THREAD_MEMORY;
    }
    count->whole.cpu_milli = count->whole.slots * 1000;
    struct q_farm *farm = q_farm_open(&params, times, nodes, scale.nodes);
    farm->look = look;
    farm->look_arg = count;
    submit_tenants(farm, &random, scale.jobs, blind);
    (void)q_farm_run(farm, (WARM_S + Q_FAIR_POINTS * POINT_S) * GM_SEC);
    for (uint32_t t = 0; t < Q_TENANTS; t++) { /* all have work to the end */
        uint32_t left = 0;
        for (uint32_t j = 0; j < farm->job_count; j++) {
            left += farm->jobs[j].work.tag == t && farm->jobs[j].ended < 0 ? 1 : 0;
        }
        if (left == 0) {
            fair.short_of = t + 1;
        }
    }
    for (uint32_t p = 0; p < Q_FAIR_POINTS; p++) {
        fair.times[p] = jain_of(count, p, p, fair.share);
    }
    fair.jain = jain_of(count, 0, Q_FAIR_POINTS - 1, fair.share);
    q_farm_close(farm);
    free(nodes);
    free(count);
    return fair;
}

/* ---- a film and clips */

struct party {
    double film, clip_p50, clip_p99;
};

static struct party run_party(const struct q_times *times, struct q_scale scale,
                              const struct q_work *film, const struct q_work *clips)
{
    struct q_params params = {.seed = scale.seed};
    struct party party = {0};
    double list[CLIPS];
    uint64_t random = scale.seed;
    const struct q_node_kind **nodes = q_nodes_make(&random, scale.nodes, false);
    struct q_farm *farm = q_farm_open(&params, times, nodes, scale.nodes);
    gm_time start = farm->now;
    if (film) {
        (void)q_farm_submit(farm, film, start);
    }
    for (uint32_t i = 0; clips && i < CLIPS; i++) {
        (void)q_farm_submit(farm, &clips[i], start + HEAD_START * GM_SEC);
    }
    if (!q_farm_run(farm, start + LONGEST) || farm->failed > 0) {
        q_die("%u of %u jobs ended, %u failed", farm->ended, farm->job_count, farm->failed);
    }
    uint32_t first = film ? 1 : 0;
    party.film = film ? (double)(farm->jobs[0].ended - start) / (double)GM_SEC : 0;
    for (uint32_t i = 0; clips && i < CLIPS; i++) {
        const struct q_job *job = &farm->jobs[first + i];
        list[i] = (double)(job->ended - job->submitted) / (double)GM_SEC;
    }
    party.clip_p50 = clips ? q_percentile(list, CLIPS, 0.5) : 0;
    party.clip_p99 = clips ? q_percentile(list, CLIPS, 0.99) : 0;
    q_farm_close(farm);
    free(nodes);
    return party;
}

struct q_film q_film_beside(const struct q_times *times, struct q_scale scale, bool blind)
{
    struct q_film out = {0};
    struct q_work clips[CLIPS];
    uint64_t random = scale.seed + 1;
    struct q_work film = q_work_make(&random, Q_FILM_4K);
    film.gpu = false;
    film.priority = blind ? 80 : 50;
    for (uint32_t i = 0; i < CLIPS; i++) {
        clips[i] = q_work_make(&random, Q_CLIP);
        clips[i].gpu = false;
    }
    struct party alone = run_party(times, scale, &film, NULL);
    struct party others = run_party(times, scale, NULL, clips);
    struct party both = run_party(times, scale, &film, clips);
    uint64_t again = scale.seed;
    const struct q_node_kind **nodes = q_nodes_make(&again, scale.nodes, false);
    out.film_alone = alone.film;
    out.film = both.film;
    out.film_most = alone.film + q_bound_of(times, clips, CLIPS, nodes, scale.nodes).processors;
    out.clip_p50_alone = others.clip_p50;
    out.clip_p99_alone = others.clip_p99;
    out.clip_p50 = both.clip_p50;
    out.clip_p99 = both.clip_p99;
    out.chunk_s = q_longest_chunk(times, &film, 1, nodes, scale.nodes);
    free(nodes);
    return out;
}
