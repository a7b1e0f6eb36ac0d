/* What no scheduler could do better, and what figures are made of. */
#include <stdlib.h>

#include "sim/quality/mix.h"

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The longest way through the job's tasks, on one thread: chunks side by side, as many as there
 * are. The last one is known when split ends. */
static double chain_of(const struct q_times *times, const struct q_work *work, double gpu_rate)
{
    double begin =
        q_work_seconds(times, work, Q_T_INSPECT, 0) + q_work_seconds(times, work, Q_T_PLAN, 0);
    double split = q_work_seconds(times, work, Q_T_SPLIT, 0), last = 0;
    for (uint32_t i = 0; i < work->chunks; i++) {
        double known = split * (i + 1) / work->chunks;
        double own = work->gpu ? q_work_pixels(work, i) * Q_GPU_SLOTS / gpu_rate
                               : q_work_seconds(times, work, Q_T_ENCODE, i);
        last = larger(last, known + own);
    }
    double audio = larger(split, q_work_seconds(times, work, Q_T_AUDIO, 0));
    double package = q_work_seconds(times, work, Q_T_PACKAGE, 0);
    double images = last + q_work_seconds(times, work, Q_T_THUMBNAILS, 0) + package;
    double whole = larger(last, audio);
    double files = whole + larger(package, q_work_seconds(times, work, Q_T_MP4, 0));
    return begin + larger(images, files);
}

struct q_bound q_bound_of(const struct q_times *times, const struct q_work *works, uint32_t count,
                          const struct q_node_kind *const *nodes, uint32_t node_count)
{
    struct q_bound b = {0};
    double threads = 0, rate = 0, fastest = 0, fastest_gpu = 1;
    for (uint32_t i = 0; i < node_count; i++) { /* a thread feeds each slot of a GPU */
        const struct q_node_kind *k = nodes[i];
        threads += k->speed * (k->threads - k->gpus * Q_GPU_SLOTS);
        rate += k->gpu_rate * k->gpus;
        fastest = larger(fastest, k->speed);
        fastest_gpu = larger(fastest_gpu, k->gpu_rate);
    }
    double seconds = 0, pixels = 0;
    for (uint32_t j = 0; j < count; j++) {
        const struct q_work *w = &works[j];
        for (int step = 0; step < Q_STEPS; step++) {
            bool runs = step == Q_T_ENCODE;
            for (uint32_t i = 0; i < (runs ? w->chunks : 1); i++) {
                /* plan opens encoders, so it is where those are: it counts nowhere */
                bool there = w->gpu && (runs || step == Q_T_PLAN);
                seconds += there ? 0 : q_work_seconds(times, w, (enum q_step)step, i);
                pixels += w->gpu && runs ? q_work_pixels(w, i) : 0;
            }
        }
        double gpu_rate = fastest_gpu / fastest; /* all is divided by the latter below */
        b.chain = larger(b.chain, chain_of(times, w, gpu_rate) / fastest);
    }
    b.processors = threads > 0 ? seconds / threads : 0;
    b.gpus = rate > 0 ? pixels / rate : 0;
    b.least = larger(b.chain, larger(b.processors, b.gpus));
    return b;
}

double q_longest_chunk(const struct q_times *times, const struct q_work *works, uint32_t count,
                       const struct q_node_kind *const *nodes, uint32_t node_count)
{
    double slowest = 0, longest = 0;
    for (uint32_t i = 0; i < node_count; i++) {
        slowest = i == 0 || nodes[i]->speed < slowest ? nodes[i]->speed : slowest;
    }
    for (uint32_t j = 0; j < count; j++) {
        for (uint32_t i = 0; !works[j].gpu && i < works[j].chunks; i++) {
            longest = larger(longest, q_work_seconds(times, &works[j], Q_T_ENCODE, i));
        }
    }
    return slowest > 0 ? longest / slowest : 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

double q_percentile(double *list, size_t count, double part)
{
    if (count == 0) {
        return 0;
    }
    qsort(list, count, sizeof(*list), by_size);
    double at = part * (double)count;
    size_t i = (size_t)at;
    return list[i < count ? i : count - 1];
}

double q_jain(const double *list, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += list[i];
        squares += list[i] * list[i];
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}
