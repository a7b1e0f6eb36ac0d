#ifndef GM_TESTS_SIM_QUALITY_QUALITY_H
#define GM_TESTS_SIM_QUALITY_QUALITY_H

#include "sim/quality/farm.h"

/* The experiments: how good the scheduler's decisions are, in figures. Each makes its own farm from
 * the seed; all times are virtual, in seconds. blind: the control, in which what the experiment is
 * about is taken away, and the goal is to be missed. */
struct q_scale {
    uint32_t seed, nodes, jobs;
};

/* All jobs are there at the start. */
struct q_span {
    struct q_bound bound;
    double seconds, over; /* over: seconds / bound.least - 1 */
    double chunk_s;       /* the longest task: a chunk, on the slowest thread */
};
struct q_span q_makespan(const struct q_times *times, struct q_scale scale);

/* A rack of like nodes without GPUs, and one with two; all jobs are there at the start and of one
 * kind: they may have either, GPUs alone (as they would get by an order of devices that nothing but
 * their absence changes), or processors alone. */
enum q_rack_kind { Q_RACK_EITHER, Q_RACK_GPUS, Q_RACK_PROCESSORS };
struct q_rack {
    double seconds, median; /* of the whole; of a job */
    uint32_t on_gpus;       /* jobs */
};
struct q_rack q_rack(const struct q_times *times, struct q_scale scale, enum q_rack_kind kind);

/* Jobs come by chance over so long that they are 90 % of what the farm can do: a tenth of them of
 * the high class, three of batch. */
struct q_load {
    double p50[GM_CLASSES], p99[GM_CLASSES]; /* of the waits of tasks */
    double first_p99[GM_CLASSES];            /* of the waits of jobs: to their first task */
    size_t waits[GM_CLASSES];
    /* The first end that a job was told, over what it took from then on: quarters. */
    double told[GM_CLASSES][3];
    double task_s; /* the mean task */
    double load;
};
struct q_load q_loaded(const struct q_times *times, struct q_scale scale);

/* Four equal tenants, of clips, episodes, films and films in 4K, that always have work. blind: they
 * are one tenant. */
#define Q_TENANTS 4
#define Q_FAIR_POINTS 30
struct q_fair {
    double share[Q_TENANTS]; /* dominant: of what they have most of, over the window */
    double jain;
    uint32_t short_of;           /* the tenant of that number - 1 had too little to do; 0: none */
    double times[Q_FAIR_POINTS]; /* Jain's index of each part of the window alone */
};
struct q_fair q_fairness(const struct q_times *times, struct q_scale scale, bool blind);

/* A part of the nodes dies, each at a time of its own, for good and without a word. */
struct q_loss {
    double part;
    uint32_t nodes;
    double seconds, more; /* more: over those without a loss */
};
struct q_loss q_losses(const struct q_times *times, struct q_scale scale, double part,
                       double undisturbed);

/* A film in 4K that has begun, and a hundred clips. blind: the film is of a higher class. */
struct q_film {
    double film_alone, film, film_most; /* film_most: alone and all work of clips */
    double clip_p50_alone, clip_p99_alone, clip_p50, clip_p99;
    double chunk_s; /* the film's longest: nothing takes a slot back */
};
struct q_film q_film_beside(const struct q_times *times, struct q_scale scale, bool blind);

#endif
