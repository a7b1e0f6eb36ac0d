#include "hwtest/load.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define WARM (GM_SEC / 5) /* before the window, at least */
#define LOOK (GM_SEC / 10)
#define LEAST 0.001 /* of any rate: less is nothing */

const struct gm_hwtest_window gm_hwtest_window_usual = {
    .least = 2 * GM_SEC, .longest = 6 * GM_SEC, .pictures = 24};
const struct gm_hwtest_window gm_hwtest_window_quick = {
    .least = GM_SEC / 50, .longest = 10 * GM_SEC, .pictures = 2};

struct runner {
    struct gm_hwtest_lane *lane;
    const int *stop;
    uint64_t count; /* atomic */
    int ended;      /* atomic: rc and err hold */
    int rc;
    struct gm_err err;
    pthread_t thread;
};

int gm_hwtest_load_open(struct gm_hwtest_lane *lanes, size_t from, size_t to, size_t *out_opened,
                        struct gm_err *err)
{
    *out_opened = from;
    for (size_t i = from; i < to; i++) {
        int rc = lanes[i].open(&lanes[i], err);
        if (rc < 0) {
            return rc;
        }
        *out_opened = i + 1;
    }
    return 0;
}

void gm_hwtest_load_close(struct gm_hwtest_lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].state != NULL) {
            lanes[i].close(&lanes[i]);
            lanes[i].state = NULL;
        }
    }
}

static void *work(void *arg)
{
    struct runner *r = arg;
    while (r->rc == 0 && __atomic_load_n(r->stop, __ATOMIC_RELAXED) == 0) {
        uint64_t made = 0;
        r->rc = r->lane->step(r->lane, &made, &r->err);
        __atomic_fetch_add(&r->count, made, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&r->ended, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void rest(gm_time time)
{
    const struct timespec t = {.tv_sec = time / GM_SEC, .tv_nsec = time % GM_SEC};
    (void)nanosleep(&t, NULL);
}

/* Counts of all lanes; true: one has ended by itself. */
static bool read_counts(const struct runner *runners, size_t count, uint64_t *out)
{
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        out[i] = __atomic_load_n(&runners[i].count, __ATOMIC_RELAXED);
        failed = failed || __atomic_load_n(&runners[i].ended, __ATOMIC_ACQUIRE) != 0;
    }
    return failed;
}

static uint64_t total(const uint64_t *of, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += of[i];
    }
    return sum;
}

static bool is_over(const struct gm_hwtest_window *w, gm_time passed, const uint64_t *first,
                    const uint64_t *now, size_t count)
{
    bool enough = passed >= w->least;
    for (size_t i = 0; i < count; i++) {
        enough = enough && now[i] - first[i] >= w->pictures;
    }
    return enough || passed >= w->longest;
}

static void pause_in(const struct gm_hwtest_window *w)
{
    rest(w->least < LOOK ? w->least : LOOK);
}

/* Until each lane has made a picture: decoders and encoders keep some before the first comes out,
 * and that wait is no rate. out: counts then. True: a lane has ended by itself. */
static bool warm_up(const struct runner *runners, size_t count, const struct gm_hwtest_window *w,
                    uint64_t *out)
{
    static const uint64_t none[GM_HWTEST_LANES_MAX];
    const struct gm_hwtest_window warm = {
        .least = w->least < WARM ? w->least : WARM, .longest = w->longest, .pictures = 1};
    gm_time started = gm_time_now();
    bool failed = false;
    do {
        pause_in(w);
        failed = read_counts(runners, count, out);
    } while (!failed && !is_over(&warm, gm_time_now() - started, none, out, count));
    return failed;
}

static void measure(const struct runner *runners, size_t count, const struct gm_hwtest_window *w,
                    struct gm_hwtest_watch *watch, struct gm_hwtest_load *out)
{
    uint64_t first[GM_HWTEST_LANES_MAX], now[GM_HWTEST_LANES_MAX];
    bool seen[GM_HWTEST_GROUPS] = {false};
    bool failed = warm_up(runners, count, w, first);
    gm_time started = gm_time_now(), mark = started, last = started;
    uint64_t marked = total(first, count);
    gm_hwtest_watch_start(watch);
    memcpy(now, first, count * sizeof(*now));
    while (!failed && !is_over(w, last - started, first, now, count)) {
        pause_in(w);
        failed = read_counts(runners, count, now);
        last = gm_time_now();
        gm_hwtest_watch_look(watch);
        if (last - mark >= GM_SEC / 2 && out->series_count < GM_HWTEST_SERIES) {
            uint64_t made = total(now, count);
            out->series[out->series_count++] =
                (float)((double)(made - marked) * (double)GM_SEC / (double)(last - mark));
            marked = made;
            mark = last;
        }
    }
    double seconds = (double)(last - started) / (double)GM_SEC;
    for (size_t i = 0; !failed && i < count; i++) {
        double rate = (double)(now[i] - first[i]) / seconds;
        out->rate[runners[i].lane->group] += rate;
        out->slowest = i == 0 || rate < out->slowest ? rate : out->slowest;
        double *least = &out->least[runners[i].lane->group];
        *least = !seen[runners[i].lane->group] || rate < *least ? rate : *least;
        seen[runners[i].lane->group] = true;
    }
    gm_hwtest_watch_get(watch, &out->seen);
}

int gm_hwtest_load_run(struct gm_hwtest_lane *lanes, size_t count,
                       const struct gm_hwtest_window *window, struct gm_hwtest_watch *watch,
                       struct gm_hwtest_load *out, struct gm_err *err)
{
    struct runner runners[GM_HWTEST_LANES_MAX];
    int stop = 0, rc = 0;
    size_t started = 0;
    if (count == 0 || count > GM_HWTEST_LANES_MAX) {
        return gm_err_set(err, GM_E_LIMIT, (int64_t)count, "%zu streams at once are too many",
                          count);
    }
    memset(out, 0, sizeof(*out));
    memset(runners, 0, sizeof(runners));
    for (; rc == 0 && started < count; started++) {
        struct runner *r = &runners[started];
        r->lane = &lanes[started];
        r->stop = &stop;
        int failed = pthread_create(&r->thread, NULL, work, r);
        if (failed != 0) {
            rc = gm_err_sys(err, failed, "a thread could not be started");
            break;
        }
    }
    if (rc == 0) {
        measure(runners, count, window, watch, out);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(runners[i].thread, NULL);
        if (rc == 0 && runners[i].rc < 0) {
            rc = runners[i].rc;
            *err = runners[i].err;
        }
    }
    return rc;
}

void gm_hwtest_load_measure(struct gm_hwtest_check *check, double rate, const char *unit,
                            double slowest)
{
    const double low = LEAST;
    gm_hwtest_measure(check, rate, unit, &low, NULL);
    check->better = GM_HWTEST_HIGHER;
    if (!(slowest > 0.0)) {
        check->status = GM_HWTEST_FAIL;
    }
    if (check->status == GM_HWTEST_FAIL) {
        gm_hwtest_set(check->remedy, GM_HWTEST_STALLS);
    }
}
