/* The experiments of docs/scheduling.md on small farms, each with its goal. All times are virtual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "sim/quality/quality.h"

static struct q_times times;

static int read_times(void **state)
{
    (void)state;
    q_times_read(&times, GM_SOURCE_DIR "/tests/sim/quality/times.tsv");
    return 0;
}

/* The bound itself: one job alone on one node can be done by hand. */
static void test_bound(void **state)
{
    (void)state;
    static struct q_times even;
    const struct q_node_kind four = {"four", 4, 2, 0, 0};
    const struct q_node_kind *nodes[] = {&four};
    for (int s = 0; s < Q_SOURCES; s++) {
        for (int t = 0; t < Q_STEPS; t++) {
            even.of[s][t] = (struct q_samples){.list = {t == Q_T_ENCODE ? 1 : 0.001}, .count = 1};
        }
    }
    struct q_work work = {.source = Q_720, .duration = 12, .chunks = 2};
    struct q_bound b = q_bound_of(&even, &work, 1, nodes, 1);
    /* two chunks of 144 s; 0.002 and five times 0.012 of the others; four threads of speed 2 */
    assert_true(b.processors > 288.062 / 8 - 1e-6 && b.processors < 288.062 / 8 + 1e-6);
    /* inspect, plan, split, a chunk, images, package */
    assert_true(b.chain > 144.038 / 2 - 1e-6 && b.chain < 144.038 / 2 + 1e-6);
    assert_true(b.least == b.chain && b.gpus == 0);
}

static void test_jain(void **state)
{
    (void)state;
    const double equal[] = {3, 3, 3, 3}, one[] = {5, 0, 0, 0};
    assert_true(q_jain(equal, 4) > 0.9999 && q_jain(equal, 4) < 1.0001);
    assert_true(q_jain(one, 4) > 0.2499 && q_jain(one, 4) < 0.2501);
}

static void test_makespan(void **state)
{
    (void)state;
    struct q_span span = q_makespan(&times, (struct q_scale){1, 16, 60});
    print_message("%.1f s, bound %.1f s: %.1f %% over\n", span.seconds, span.bound.least,
                  span.over * 100);
    assert_true(span.over >= 0); /* or the bound is none */
    /* the goal, and what the last chunk holds one thread for: that is much of so short a time */
    assert_true(span.seconds < 1.05 * span.bound.least + span.chunk_s);
}

/* Two GPUs beside many processors: both work, and neither alone would be as quick. */
static void test_rack(void **state)
{
    (void)state;
    const struct q_scale scale = {1, 20, 60};
    struct q_rack either = q_rack(&times, scale, Q_RACK_EITHER);
    struct q_rack gpus = q_rack(&times, scale, Q_RACK_GPUS);
    struct q_rack processors = q_rack(&times, scale, Q_RACK_PROCESSORS);
    print_message("either %.0f s (median %.0f, %u on GPUs), GPUs alone %.0f s (%.0f), processors "
                  "alone %.0f s (%.0f)\n",
                  either.seconds, either.median, either.on_gpus, gpus.seconds, gpus.median,
                  processors.seconds, processors.median);
    assert_int_equal(gpus.on_gpus, scale.jobs);
    assert_true(either.on_gpus > 0 && either.on_gpus < scale.jobs);
    assert_true(either.seconds < 0.5 * gpus.seconds);
    assert_true(either.seconds < processors.seconds);
}

static void test_losses(void **state)
{
    (void)state;
    const struct q_scale scale = {1, 20, 40};
    struct q_span span = q_makespan(&times, scale);
    struct q_loss loss = q_losses(&times, scale, 0.1, span.seconds);
    print_message("%u of 20 nodes: %.1f %% more\n", loss.nodes, loss.more * 100);
    assert_int_equal(loss.nodes, 2);
    assert_true(loss.more < 0.15);
}

static void test_waits(void **state)
{
    (void)state;
    struct q_load load = q_loaded(&times, (struct q_scale){1, 16, 80});
    print_message("high: p99 %.2f s of %zu; a task takes %.2f s\n", load.p99[GM_CLASS_HIGH],
                  load.waits[GM_CLASS_HIGH], load.task_s);
    for (int c = 0; c < GM_CLASSES; c++) {
        print_message("%s: told over real: %.2f %.2f %.2f\n",
                      gm_job_class_name((enum gm_job_class)c), load.told[c][0], load.told[c][1],
                      load.told[c][2]);
        assert_true(load.told[c][1] > 0.5 && load.told[c][1] < 2); /* the median; 1 is right */
    }
    assert_true(load.waits[GM_CLASS_HIGH] > 20);
    assert_true(load.p99[GM_CLASS_HIGH] < 2 * load.task_s);
    assert_true(load.first_p99[GM_CLASS_HIGH] < 2 * load.task_s);
}

static void test_fairness(void **state)
{
    (void)state;
    struct q_fair fair = q_fairness(&times, (struct q_scale){1, 12, 600}, false);
    print_message("Jain %.4f\n", fair.jain);
    assert_int_equal(fair.short_of, 0);
    assert_true(fair.jain > 0.95);
    /* without tenants the one with most jobs has most: the figure sees it */
    assert_true(q_fairness(&times, (struct q_scale){1, 12, 600}, true).jain < 0.8);
}

static void test_film(void **state)
{
    (void)state;
    struct q_film f = q_film_beside(&times, (struct q_scale){1, 12, 0}, false);
    print_message("film %.1f s, alone %.1f s; clips' p99 %.1f s, alone %.1f s\n", f.film,
                  f.film_alone, f.clip_p99, f.clip_p99_alone);
    /* It loses no more than what clips need; they wait no longer than its chunks hold slots. */
    assert_true(f.film < 1.05 * f.film_most);
    assert_true(f.clip_p99 < f.clip_p99_alone + f.chunk_s);
    /* a film that goes before them starves them: the figure sees it */
    struct q_film first = q_film_beside(&times, (struct q_scale){1, 12, 0}, true);
    assert_true(first.clip_p99 > first.clip_p99_alone + first.chunk_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),    cmocka_unit_test(test_jain),
        cmocka_unit_test(test_makespan), cmocka_unit_test(test_rack),
        cmocka_unit_test(test_losses),   cmocka_unit_test(test_waits),
        cmocka_unit_test(test_fairness), cmocka_unit_test(test_film),
    };
    return cmocka_run_group_tests(tests, read_times, NULL);
}
