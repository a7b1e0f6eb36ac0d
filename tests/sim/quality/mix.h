#ifndef GM_TESTS_SIM_QUALITY_MIX_H
#define GM_TESTS_SIM_QUALITY_MIX_H

#include <stdbool.h>
#include <stdint.h>

#include "scheduler/core/view.h"

/* What comes to a farm, and what the farm is made of: jobs with recorded times, unlike nodes. */

#define Q_SAMPLES 256

enum q_step {
    Q_T_INSPECT,
    Q_T_PLAN,
    Q_T_SPLIT,
    Q_T_ENCODE,
    Q_T_AUDIO,
    Q_T_THUMBNAILS,
    Q_T_MP4,
    Q_T_PACKAGE,
    Q_STEPS
};

/* times.tsv: seconds of a processor for a unit of work, of each attempt that was recorded. */
struct q_samples {
    double list[Q_SAMPLES];
    uint32_t count;
};
enum q_source { Q_480, Q_720, Q_1080, Q_1080_HEVC, Q_2160_HEVC, Q_SOURCES };
struct q_times {
    struct q_samples of[Q_SOURCES][Q_STEPS];
};
/* Ends the program with a sentence where the file is not there, or lacks a step of a source. */
void q_times_read(struct q_times *times, const char *path);

struct q_node_kind {
    const char *name; /* its chip's, too */
    uint32_t threads;
    double speed; /* of a thread, where the recording machine is 1 */
    uint32_t gpus;
    double gpu_rate; /* pixels a second that one encodes, all slots together */
};
#define Q_GPU_SLOTS 2 /* device_slots' default */
/* count of them, in a mix of nine kinds, or of a dozen with GPUs; the caller frees the list. */
const struct q_node_kind **q_nodes_make(uint64_t *random, uint32_t count, bool gpus);

enum q_shape { Q_CLIP, Q_EPISODE, Q_FILM, Q_FILM_4K, Q_SHAPES };
struct q_work {
    enum q_source source;
    bool gpu;         /* its pipeline names nvenc before cpu */
    bool alone;       /* and nothing else, where gpu is set */
    double duration;  /* seconds */
    uint32_t chunks;  /* of 6 s; the last one may be shorter */
    uint32_t seed;    /* of its tasks' times */
    int32_t priority; /* 50 where the caller does not say */
    uint32_t tenant;  /* number of its tenant */
    uint32_t tag;     /* the caller's */
};
struct q_work q_work_make(uint64_t *random, enum q_shape shape);
/* Of 100: 72 clips, 20 episodes, 7 films and a film in 4K. */
struct q_work q_work_any(uint64_t *random);

struct q_ladder { /* of renditions, as the plan would have */
    const char *codec;
    uint32_t bit_depth, count;
    uint32_t width[8], height[8];
    uint64_t pixels; /* of all together */
};
const struct q_ladder *q_work_ladder(const struct q_work *work);
#define Q_FPS 24
uint32_t q_work_frames(const struct q_work *work, uint32_t chunk);

/* Seconds on a thread of speed 1. chunk: of encode. */
double q_work_seconds(const struct q_times *times, const struct q_work *work, enum q_step step,
                      uint32_t chunk);
/* Pixels that a GPU encodes for a chunk. */
double q_work_pixels(const struct q_work *work, uint32_t chunk);

/* The least time in which any scheduler could do it all (bound_io.c). */
struct q_bound {
    double processors; /* work for threads over all threads */
    double gpus;       /* pixels for GPUs over all GPUs */
    double chain;      /* the longest way through one job's tasks on the fastest node */
    double least;      /* the largest of these */
};
struct q_bound q_bound_of(const struct q_times *times, const struct q_work *works, uint32_t count,
                          const struct q_node_kind *const *nodes, uint32_t node_count);

/* Seconds of the longest chunk on the slowest thread. */
double q_longest_chunk(const struct q_times *times, const struct q_work *works, uint32_t count,
                       const struct q_node_kind *const *nodes, uint32_t node_count);

uint64_t q_random(uint64_t *state);
double q_uniform(uint64_t *state); /* 0 <= x < 1 */

/* Sorts the list. part: 0..1. */
double q_percentile(double *list, size_t count, double part);
/* Jain's index: 1 all equal, 1/count one has all. */
double q_jain(const double *list, size_t count);

#endif
