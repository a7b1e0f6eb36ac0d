/* Recorded times, jobs and nodes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/quality/farm.h"

#define CHUNK_S 6.0

static const char *const source_names[Q_SOURCES] = {"h264-480", "h264-720", "h264-1080",
                                                    "hevc-1080", "hevc-2160"};
static const char *const step_names[Q_STEPS] = {"inspect", "plan",       "split", "encode",
                                                "audio",   "thumbnails", "mp4",   "package"};

static int index_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void q_times_read(struct q_times *times, const char *path)
{
    FILE *f = fopen(path, "r");
    char line[256], source[32], step[32];
    double seconds;
    *times = (struct q_times){0};
    if (!f) {
        q_die("%s can't be opened", path);
    }
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#') {
            continue;
        }
        if (sscanf(line, "%31s %31s %lf", source, step, &seconds) != 3) {
            q_die("%s: not a source, a task and seconds: %s", path, line);
        }
        int s = index_of(source_names, Q_SOURCES, source);
        int t = index_of(step_names, Q_STEPS, step);
        if (s < 0 || t < 0 || !(seconds > 0)) {
            q_die("%s: what is this: %s", path, line);
        }
        struct q_samples *of = &times->of[s][t];
        if (of->count < Q_SAMPLES) {
            of->list[of->count++] = seconds;
        }
    }
    (void)fclose(f);
    for (int s = 0; s < Q_SOURCES; s++) {
        for (int t = 0; t < Q_STEPS; t++) {
            if (times->of[s][t].count == 0) {
                q_die("%s: nothing about %s of %s", path, step_names[t], source_names[s]);
            }
        }
    }
}

uint64_t q_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double q_uniform(uint64_t *state)
{
    return (double)(q_random(state) >> 11) / 9007199254740992.0;
}

/* Half of the nodes are small. A thread is up to half again as fast as another, and GPUs differ by
 * a factor of four: nobody has measured gopmill on any (docs/hardware), so those are assumed. */
static const struct q_node_kind kinds[] = {
    {"4 threads", 4, 1.0, 0, 0},
    {"4 fast threads", 4, 1.4, 0, 0},
    {"8 threads", 8, 0.9, 0, 0},
    {"8 fast threads", 8, 1.3, 0, 0},
    {"12 threads", 12, 1.1, 0, 0},
    {"16 threads", 16, 1.0, 0, 0},
    {"24 threads", 24, 0.9, 0, 0},
    {"32 threads", 32, 1.0, 0, 0},
    {"64 slow threads", 64, 0.8, 0, 0},
    {"8 threads, 1 GPU", 8, 1.2, 1, 6e8},
    {"16 threads, 2 GPUs", 16, 1.0, 2, 1.2e9},
    {"48 threads, 8 GPUs", 48, 0.9, 8, 2.4e9},
};
static const uint32_t weights[] = {24, 14, 18, 10, 8, 6, 4, 2, 1, 8, 4, 1}; /* of 100 */

const struct q_node_kind **q_nodes_make(uint64_t *random, uint32_t count, bool gpus)
{
    const struct q_node_kind **list = calloc(count, sizeof(struct q_node_kind *));
    if (!list) {
        q_die("out of memory");
    }
    /* As many of each kind as its weight says; the draw decides who comes first. */
    uint32_t n = 0;
    for (size_t k = sizeof kinds / sizeof kinds[0]; k-- > 0;) { /* GPUs are never left out */
        uint32_t own = (weights[k] * count + 50) / 100;
        for (uint32_t i = 0; i < (own > 0 ? own : 1) && n < count && (gpus || kinds[k].gpus == 0);
             i++) {
            list[n++] = &kinds[k];
        }
    }
    while (n < count) {
        list[n++] = &kinds[0];
    }
    for (uint32_t i = count; i > 1; i--) {
        uint64_t j = q_random(random) % i;
        const struct q_node_kind *swap = list[i - 1];
        list[i - 1] = list[j];
        list[j] = swap;
    }
    return list;
}

/* Seconds: evenly on a scale of logarithms. */
static double between(uint64_t *random, double least, double most)
{
    return least * exp(q_uniform(random) * log(most / least));
}

struct q_work q_work_make(uint64_t *random, enum q_shape shape)
{
    static const enum q_source clips[] = {Q_480, Q_720, Q_720, Q_1080};
    struct q_work work = {.priority = 50, .seed = (uint32_t)q_random(random)};
    uint64_t draw = q_random(random);
    switch (shape) {
    case Q_CLIP:
        work.source = clips[draw % 4];
        work.duration = between(random, 15, 300);
        break;
    case Q_EPISODE:
        work.source = draw % 2 == 0 ? Q_1080_HEVC : Q_1080;
        work.duration = between(random, 1200, 3000);
        break;
    case Q_FILM:
        work.source = draw % 2 == 0 ? Q_1080_HEVC : Q_1080;
        work.duration = between(random, 5400, 7800);
        break;
    case Q_FILM_4K:
    case Q_SHAPES:
    default:
        work.source = Q_2160_HEVC;
        work.duration = between(random, 5400, 7800);
        break;
    }
    work.gpu = q_uniform(random) < 0.12;
    work.chunks = (uint32_t)ceil(work.duration / CHUNK_S);
    return work;
}

struct q_work q_work_any(uint64_t *random)
{
    uint64_t draw = q_random(random) % 100;
    return q_work_make(random, draw < 72   ? Q_CLIP
                               : draw < 92 ? Q_EPISODE
                               : draw < 99 ? Q_FILM
                                           : Q_FILM_4K);
}

const struct q_ladder *q_work_ladder(const struct q_work *work)
{
    static const struct q_ladder ladders[Q_SOURCES] = {
        [Q_480] = {"h264", 8, 3, {854, 640, 426}, {480, 360, 240}, 742680},
        [Q_720] = {"h264", 8, 4, {1280, 854, 640, 426}, {720, 480, 360, 240}, 1664280},
        [Q_1080] = {"h264", 8, 5, {1920, 1280, 854, 640, 426}, {1080, 720, 480, 360, 240}, 3737880},
        [Q_1080_HEVC] =
            {"hevc", 8, 5, {1920, 1280, 854, 640, 426}, {1080, 720, 480, 360, 240}, 3737880},
        [Q_2160_HEVC] = {"hevc",
                         8,
                         6,
                         {3840, 2560, 1920, 1280, 854, 640},
                         {2160, 1440, 1080, 720, 480, 360},
                         15616320},
    };
    return &ladders[work->source];
}

uint32_t q_work_frames(const struct q_work *work, uint32_t chunk)
{
    double end = (double)(chunk + 1) * CHUNK_S;
    double own = end <= work->duration ? CHUNK_S : work->duration - (end - CHUNK_S);
    double frames = own * Q_FPS;
    return frames < 1 ? 1 : (uint32_t)frames;
}

double q_work_seconds(const struct q_times *times, const struct q_work *work, enum q_step step,
                      uint32_t chunk)
{
    const struct q_samples *of = &times->of[work->source][step];
    uint64_t draw = ((uint64_t)work->seed << 32 | chunk) ^ ((uint64_t)step << 24);
    double each = of->list[q_random(&draw) % of->count];
    switch (step) {
    case Q_T_INSPECT:
    case Q_T_PLAN:
        return each;
    case Q_T_ENCODE:
        return each * q_work_frames(work, chunk);
    case Q_T_SPLIT:
    case Q_T_AUDIO:
    case Q_T_THUMBNAILS:
    case Q_T_MP4:
    case Q_T_PACKAGE:
    case Q_STEPS:
    default:
        return each * work->duration;
    }
}

double q_work_pixels(const struct q_work *work, uint32_t chunk)
{
    return (double)q_work_ladder(work)->pixels * q_work_frames(work, chunk);
}
