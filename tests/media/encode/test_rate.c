#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/encode/rate.h"

/* What encode aims at, from made-up analyses. */
#define CHUNKS 40
#define TICKS 1000

struct scene {
    Gm__Policy policy;
    Gm__Rendition rendition, *renditions[1];
    Gm__EncodeParams encode;
    Gm__QualityTarget target;
    Gm__AnalyzeMeta meta;
    Gm__AnalyzeItemMeta items[CHUNKS], *item_list[CHUNKS];
    Gm__AnalyzeRung rungs[CHUNKS], *rung_list[CHUNKS];
    int64_t bits[CHUNKS][GM_RATE_TRIALS];
    double scores[CHUNKS][GM_RATE_TRIALS];
    int32_t crfs[GM_RATE_TRIALS];
    size_t trials;
    Gm__PipelineTask task, *tasks[1];
    Gm__Pipeline pipeline;
    Gm__TaskResult result, *results[1];
    Gm__TaskSpec spec;
    uint8_t packed[65536];
};

static void set_scene(struct scene *s, bool quality)
{
    memset(s, 0, sizeof *s);
    gm__policy__init(&s->policy);
    gm__rendition__init(&s->rendition);
    gm__encode_params__init(&s->encode);
    gm__quality_target__init(&s->target);
    s->encode.codec = (char *)(uintptr_t) "h264";
    s->encode.crf = 23;
    s->encode.qp = -1;
    s->target.metric = (char *)(uintptr_t) "ssim";
    s->target.target = 0.95;
    s->target.min_crf = 15;
    s->target.max_crf = 35;
    s->target.samples = 4;
    if (quality) {
        s->encode.quality = &s->target;
    } else {
        s->encode.bitrate_bps = 1000000;
    }
    s->rendition.name = (char *)(uintptr_t) "r";
    s->rendition.encode = &s->encode;
    s->renditions[0] = &s->rendition;
    s->policy.renditions = s->renditions;
    s->policy.n_renditions = 1;
    s->policy.timescale = TICKS;
    s->policy.segment_gops = 3;
    s->policy.estimated_duration_us = INT64_C(12000000) * CHUNKS;
    s->trials = gm_rate_trials(&s->rendition, s->crfs);
    gm__analyze_meta__init(&s->meta);
    s->meta.chunks = s->item_list;
    s->meta.n_chunks = CHUNKS;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        Gm__AnalyzeItemMeta *m = s->item_list[i] = &s->items[i];
        Gm__AnalyzeRung *g = s->rung_list[i] = &s->rungs[i];
        gm__analyze_item_meta__init(m);
        gm__analyze_rung__init(g);
        m->chunk = i;
        m->frames = 300;
        m->duration_ts = 12 * TICKS;
        m->rungs = &s->rung_list[i];
        m->n_rungs = !quality || gm_rate_is_sample(&s->policy, &s->rendition, i, false);
        g->crfs = s->crfs;
        g->bits = s->bits[i];
        g->scores = s->scores[i];
        g->n_crfs = g->n_bits = s->trials;
        g->n_scores = quality ? s->trials : 0;
        for (size_t t = 0; t < s->trials; t++) {
            s->bits[i][t] = 12000000 >> t;
            s->scores[i][t] = 0.99 - 0.02 * (double)t; /* 0.99 .. 0.91 */
        }
    }
}

static struct gm_rate *rate_of(struct scene *s, struct gm_err *err)
{
    gm__pipeline_task__init(&s->task);
    gm__pipeline__init(&s->pipeline);
    gm__task_result__init(&s->result);
    gm__task_spec__init(&s->spec);
    s->task.name = s->task.type = s->result.task = (char *)(uintptr_t) "analyze";
    s->tasks[0] = &s->task;
    s->pipeline.tasks = s->tasks;
    s->pipeline.n_tasks = 1;
    s->result.meta.data = s->packed;
    assert_true(gm__analyze_meta__get_packed_size(&s->meta) <= sizeof s->packed);
    s->result.meta.len = gm__analyze_meta__pack(&s->meta, s->packed);
    s->results[0] = &s->result;
    s->spec.pipeline = &s->pipeline;
    s->spec.results = s->results;
    s->spec.n_results = s->spec.n_results == 0 ? 1 : 0;
    struct gm_rate *rate = NULL;
    return gm_rate_create(&s->spec, &s->policy, &rate, err) < 0 ? NULL : rate;
}

static void samples_are_spread_whatever_the_length(void **state)
{
    (void)state;
    struct scene s;
    set_scene(&s, true);
    for (uint32_t expected = 1; expected <= 200; expected += 7) {
        s.policy.estimated_duration_us = INT64_C(12000000) * expected;
        for (uint32_t real = 1; real <= 300; real += 13) {
            uint32_t n = 0, first = real, last = 0;
            for (uint32_t i = 0; i < real; i++) {
                if (gm_rate_is_sample(&s.policy, &s.rendition, i, i + 1 == real)) {
                    first = n == 0 ? i : first;
                    last = i;
                    n++;
                }
            }
            assert_true(n >= 1); /* also when the estimate was far off */
            if (real == expected && real >= 8) {
                assert_true(n >= 4 && n <= 7);
                assert_true(first < real / 3 && last >= real / 2);
            }
        }
    }
    s.target.samples = 0;
    assert_false(gm_rate_is_sample(&s.policy, &s.rendition, 0, true));
    set_scene(&s, false);
    assert_false(gm_rate_is_sample(&s.policy, &s.rendition, 0, true));
}

static void trials_rise_from_the_finest_to_the_coarsest(void **state)
{
    (void)state;
    struct scene s;
    set_scene(&s, true);
    static const int32_t ends[][3] = {{15, 35, 5}, {20, 20, 1}, {20, 22, 3}, {1, 63, 5}};
    for (size_t k = 0; k < 4; k++) {
        int32_t crfs[GM_RATE_TRIALS];
        s.target.min_crf = ends[k][0];
        s.target.max_crf = ends[k][1];
        size_t n = gm_rate_trials(&s.rendition, crfs);
        assert_int_equal(n, ends[k][2]);
        assert_int_equal(crfs[0], ends[k][0] * 100);
        assert_int_equal(crfs[n - 1], ends[k][1] * 100);
        for (size_t i = 1; i < n; i++) {
            assert_true(crfs[i] > crfs[i - 1]);
        }
    }
    set_scene(&s, false);
    assert_int_equal(s.trials, 1);
    assert_int_equal(s.crfs[0], 2300);
}

static void the_coarsest_crf_that_reaches_the_target_is_taken(void **state)
{
    (void)state;
    static const struct {
        double target;
        const char *codec;
        int32_t crf;
    } rows[] = {{0.95, "h264", 2500},  {0.94, "h264", 2750}, {0.9405, "h264", 2725},
                {0.999, "h264", 1500}, {0.5, "h264", 3500},  {0.9405, "av1", 2700}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct scene s;
        struct gm_rate_aim aim;
        struct gm_err err = {0};
        set_scene(&s, true);
        s.target.target = rows[k].target - 1e-9;
        s.encode.codec = (char *)(uintptr_t)rows[k].codec;
        struct gm_rate *rate = rate_of(&s, &err);
        assert_non_null(rate);
        for (uint32_t i = 0; i < CHUNKS; i += 7) { /* one for the whole title */
            assert_int_equal(gm_rate_aim(rate, 0, i, 300, &aim, &err), 0);
            assert_int_equal(aim.crf_centi, rows[k].crf);
            assert_int_equal(aim.budget_bits, 0);
            assert_true(aim.expected_score >= s.target.target || rows[k].crf == 1500);
            assert_false(gm_rate_correct(rate, 0, 0, 1, &aim));
        }
        gm_rate_destroy(&rate);
    }
}

static void budgets_follow_the_trials(void **state)
{
    (void)state;
    struct scene s;
    struct gm_err err = {0};
    set_scene(&s, false);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        s.bits[i][0] = 4000000 + 1000000 * (int64_t)(i % 20);
    }
    struct gm_rate *rate = rate_of(&s, &err);
    assert_non_null(rate);
    int64_t sum = 0, hard = 0, easy = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct gm_rate_aim aim;
        assert_int_equal(gm_rate_aim(rate, 0, i, 300, &aim, &err), 0);
        sum += aim.budget_bits;
        easy = i % 20 == 0 ? aim.budget_bits : easy;
        hard = i % 20 == 19 ? aim.budget_bits : hard;
        assert_int_equal(aim.seen.bits, s.bits[i][0]);
        /* a chunk that asked for more than its budget gets a coarser crf */
        int64_t asked = s.bits[i][0] * 100 / aim.budget_bits;
        assert_true(asked >= 98 || aim.crf_centi < 2300);
        assert_true(asked <= 102 || aim.crf_centi > 2300);
    }
    assert_true(llabs(sum - INT64_C(12000000) * CHUNKS) <= CHUNKS);
    assert_true(hard > 2 * easy && hard < 6 * easy); /* they asked for 5.75 times as much */
    gm_rate_destroy(&rate);
}

static void misses_are_corrected_a_few_times(void **state)
{
    (void)state;
    struct scene s;
    struct gm_err err = {0};
    struct gm_rate_aim aim;
    set_scene(&s, false);
    struct gm_rate *rate = rate_of(&s, &err);
    assert_non_null(rate);
    assert_int_equal(gm_rate_aim(rate, 0, 3, 300, &aim, &err), 0);
    struct gm_rate_aim first = aim;
    assert_false(gm_rate_correct(rate, 0, 0, aim.budget_bits * 104 / 100, &aim));
    aim = first;
    assert_false(gm_rate_correct(rate, 0, 0, aim.budget_bits * 96 / 100, &aim));
    aim = first;
    assert_true(gm_rate_correct(rate, 0, 0, aim.budget_bits * 2, &aim));
    assert_true(aim.crf_centi > first.crf_centi);
    int32_t before = aim.crf_centi;
    assert_true(gm_rate_correct(rate, 0, 1, aim.budget_bits / 2, &aim));
    assert_true(aim.crf_centi < before && aim.crf_centi > first.crf_centi);
    aim = first;
    aim.crf_centi = 1000; /* nothing finer is made */
    assert_false(gm_rate_correct(rate, 0, 0, 1, &aim));
    gm_rate_destroy(&rate);
}

/* Curves as encoders have them: even ones, steps, and a cap that makes them flat. */
static int64_t curve(int kind, int32_t crf_centi)
{
    double bits = 12e6;
    int32_t from = 1000;
    for (; from + 25 <= crf_centi; from += 25) {
        bits *= kind == 3 ? 0.96 : 0.9715;
    }
    bits = kind == 1 && crf_centi > 2950 ? bits / 2 : bits;
    bits = kind == 2 && bits > 7e6 ? 7e6 : bits;
    return (int64_t)bits;
}

static void every_curve_is_met_as_near_as_it_goes(void **state)
{
    (void)state;
    unsigned encodes = 0, cases = 0;
    for (int kind = 0; kind < 4; kind++) {
        for (int64_t budget = 1000000; budget < 9000000; budget = budget * 5 / 4) {
            struct scene s;
            struct gm_err err = {0};
            struct gm_rate_aim aim;
            set_scene(&s, false);
            struct gm_rate *rate = rate_of(&s, &err);
            assert_non_null(rate);
            assert_int_equal(gm_rate_aim(rate, 0, 0, 300, &aim, &err), 0);
            aim.budget_bits = budget;
            uint32_t round = 0;
            while (gm_rate_correct(rate, 0, round, curve(kind, aim.crf_centi), &aim)) {
                round++;
                assert_true(round <= 6);
            }
            int64_t got = curve(kind, aim.crf_centi), best = INT64_MAX;
            for (int32_t crf = 1000; crf <= 5100; crf += 25) {
                int64_t d = llabs(curve(kind, crf) - budget);
                best = d < best ? d : best;
            }
            if (llabs(got - budget) > best + budget * (kind == 1 ? 20 : 5) / 100) {
                fail_msg("kind %d, budget %lld: %lld after %u rounds", kind, (long long)budget,
                         (long long)got, round);
            }
            encodes += 1 + round;
            cases++;
            gm_rate_destroy(&rate);
        }
    }
    assert_true(encodes <= 4 * cases);
}

static void an_incomplete_analysis_is_refused(void **state)
{
    (void)state;
    struct scene s;
    struct gm_err err = {0};
    struct gm_rate_aim aim;
    set_scene(&s, true);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        s.items[i].n_rungs = 0;
    }
    assert_null(rate_of(&s, &err));
    assert_int_equal(err.code, GM_E_PROTO);
    set_scene(&s, false);
    s.meta.n_chunks = 3;
    struct gm_rate *rate = rate_of(&s, &err);
    assert_non_null(rate);
    assert_int_equal(gm_rate_aim(rate, 0, 3, 300, &aim, &err), -GM_E_PROTO);
    s.items[1].n_rungs = 0;
    gm_rate_destroy(&rate);
    s.spec.n_results = 0;
    struct gm_rate *none = (struct gm_rate *)&s;
    gm__task_spec__init(&s.spec);
    s.spec.pipeline = &s.pipeline;
    assert_int_equal(gm_rate_create(&s.spec, &s.policy, &none, &err), -GM_E_PROTO);
    assert_ptr_equal(none, &s);
    s.encode.bitrate_bps = 0; /* nothing is asked, nothing is needed */
    assert_int_equal(gm_rate_create(&s.spec, &s.policy, &none, &err), 0);
    assert_int_equal(gm_rate_aim(none, 0, 99, 1, &aim, &err), 0);
    assert_int_equal(aim.crf_centi, 0);
    gm_rate_destroy(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_spread_whatever_the_length),
        cmocka_unit_test(trials_rise_from_the_finest_to_the_coarsest),
        cmocka_unit_test(the_coarsest_crf_that_reaches_the_target_is_taken),
        cmocka_unit_test(budgets_follow_the_trials),
        cmocka_unit_test(misses_are_corrected_a_few_times),
        cmocka_unit_test(every_curve_is_met_as_near_as_it_goes),
        cmocka_unit_test(an_incomplete_analysis_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
