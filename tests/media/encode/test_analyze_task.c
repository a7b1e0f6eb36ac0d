#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hash.h"
#include "media/child_io.h"
#include "media/chunk_io.h"
#include "media/folder_io.h"

/* Chains inspect .. encode with an analyze task, over a clip of 8 s: 2 chunks, 96x80. */
#define FRAMES 200
#define SECONDS 8

static int make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=40", FRAMES);
    return 0;
}

static void run(struct folder_io *f, const char *task, uint32_t first, uint32_t chunks)
{
    struct gm_err err = {0};
    struct folder_run r = {.task = task, .first_chunk = first, .chunks = chunks};
    int64_t chunk;
    if (folder_io_run(f, &r, &chunk, &err) < 0) {
        fail_msg("%s: %s", task, err.text);
    }
}

static struct folder_io *prepare(const Gm__Pipeline *pipeline)
{
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    assert_int_equal(folder_io_create(clip_source()->path, pipeline, &f, &err), 0);
    run(f, "inspect", 0, 0);
    run(f, "plan", 0, 0);
    run(f, "split", 0, 0);
    return f;
}

static Gm__AnalyzeItemMeta *facts_of(const struct folder_io *f, uint32_t index)
{
    const Gm__Item *item = folder_io_item(f, "analyze", 0, 0, index);
    assert_non_null(item);
    Gm__AnalyzeItemMeta *m = gm__analyze_item_meta__unpack(NULL, item->meta.len, item->meta.data);
    assert_non_null(m);
    assert_int_equal(item->n_objects, 0);
    assert_int_equal(m->chunk, index);
    return m;
}

static int64_t video_bits(const struct folder_io *f, uint32_t chunks, uint32_t *out_tries)
{
    int64_t bits = 0;
    *out_tries = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(m);
        const Gm__RenditionChunkMeta *r = m->renditions[0];
        assert_true(r->budget_bits > 0 && r->crf_centi >= 1000);
        *out_tries += r->tries;
        for (size_t k = 0; k < r->n_segments; k++) {
            bits += (int64_t)r->segments[k]->size * 8;
        }
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    return bits;
}

static void hash_items(const struct folder_io *f, const char *task, uint8_t out[32])
{
    struct gm_sha256 *h = gm_sha256_create();
    for (uint32_t i = 0; i < folder_io_items(f, task, 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, task, 0, 0, i);
        gm_sha256_update(h, item->meta.data, item->meta.len);
    }
    gm_sha256_final(h, out);
    gm_sha256_destroy(&h);
}

static void the_average_is_what_was_asked_for(void **state)
{
    (void)state;
    static const int64_t rates[] = {250000};
    for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
        struct folder_pipeline params = {.bitrate_bps = rates[k]};
        uint8_t first[2][32], second[2][32];
        for (uint32_t way = 0; way < 2; way++) { /* in one run, and piece by piece backwards */
            Gm__Pipeline *pipeline = folder_pipeline(&params);
            struct folder_io *f = prepare(pipeline);
            uint32_t chunks = folder_io_items(f, "split", 0, 0);
            assert_true(chunks >= 2);
            for (uint32_t i = chunks; way == 1 && i > 0; i--) {
                run(f, "analyze", i - 1, 1);
            }
            if (way == 0) {
                run(f, "analyze", 0, 0);
            }
            int64_t duration = 0;
            for (uint32_t i = 0; i < chunks; i++) {
                Gm__AnalyzeItemMeta *m = facts_of(f, i);
                assert_int_equal(m->n_rungs, 1);
                assert_int_equal(m->rungs[0]->n_bits, 1);
                assert_true(m->rungs[0]->bits[0] > 0 && m->duration_ts > 0);
                duration += m->duration_ts;
                gm__analyze_item_meta__free_unpacked(m, NULL);
            }
            assert_true(duration > 0);
            for (uint32_t i = chunks; way == 1 && i > 0; i--) {
                run(f, "encode", i - 1, 1);
            }
            if (way == 0) {
                run(f, "encode", 0, 0);
            }
            uint32_t tries = 0;
            int64_t bps = video_bits(f, chunks, &tries) / SECONDS;
            if (llabs(bps - rates[k]) * 100 > rates[k] * 3) {
                fail_msg("%lld bits a second, %lld were asked for, %u encodes", (long long)bps,
                         (long long)rates[k], tries);
            }
            assert_true(tries <= 4 * chunks);
            hash_items(f, "analyze", first[way]);
            hash_items(f, "encode", second[way]);
            folder_io_destroy(&f);
            gm__pipeline__free_unpacked(pipeline, NULL);
        }
        assert_memory_equal(first[0], first[1], 32);
        assert_memory_equal(second[0], second[1], 32);
    }
}

static void quality_is_searched(void **state)
{
    (void)state;
    static const struct {
        const char *metric;
        double target;
    } rows[] = {{"psnr", 36}, {"ssim", 0.99999}};
    for (size_t k = 0; k < 2; k++) {
        Gm__QualityTarget target = GM__QUALITY_TARGET__INIT;
        target.metric = (char *)(uintptr_t)rows[k].metric;
        target.target = rows[k].target;
        target.min_crf = 14;
        target.max_crf = 38;
        target.samples = 1;
        struct folder_pipeline params = {.quality = &target};
        Gm__Pipeline *pipeline = folder_pipeline(&params);
        struct folder_io *f = prepare(pipeline);
        uint32_t chunks = folder_io_items(f, "split", 0, 0), sampled = 0;
        run(f, "analyze", 0, 0);
        for (uint32_t i = 0; i < chunks; i++) {
            Gm__AnalyzeItemMeta *m = facts_of(f, i);
            assert_true(m->frames > 0 && m->n_rungs <= 1);
            sampled += m->n_rungs > 0;
            if (m->n_rungs > 0) {
                const Gm__AnalyzeRung *g = m->rungs[0];
                assert_int_equal(g->n_crfs, 5);
                for (size_t t = 1; t < 5; t++) { /* coarser: fewer bits, less alike */
                    assert_true(g->crfs[t] > g->crfs[t - 1] && g->bits[t] < g->bits[t - 1]);
                    bool worse = k == 0 ? g->scores[t] > g->scores[t - 1] /* an error */
                                        : g->scores[t] < g->scores[t - 1];
                    assert_true(worse);
                }
            }
            gm__analyze_item_meta__free_unpacked(m, NULL);
        }
        assert_true(sampled >= 1);
        run(f, "encode", 0, 1);
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, 0);
        Gm__EncodeItemMeta *e = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        const Gm__RenditionChunkMeta *r = e->renditions[0];
        if (k == 1) { /* out of reach: the finest, and the report says so */
            assert_int_equal(r->crf_centi, 1400);
            assert_true(r->expected_score < rows[k].target);
        } else {
            assert_true(r->crf_centi > 1400 && r->crf_centi < 3800);
            assert_true(r->expected_score >= rows[k].target);
        }
        gm__encode_item_meta__free_unpacked(e, NULL);
        folder_io_destroy(&f);
        gm__pipeline__free_unpacked(pipeline, NULL);
    }
}

static void encode_without_its_analysis_is_refused(void **state)
{
    (void)state;
    struct folder_pipeline params = {.bitrate_bps = 300000};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    struct gm_err err = {0};
    struct folder_run r = {.task = "encode"};
    int64_t chunk;
    assert_int_equal(folder_io_run(f, &r, &chunk, &err), -GM_E_PROTO);
    run(f, "analyze", 0, 1); /* of one chunk only */
    r.first_chunk = 1;
    assert_int_equal(folder_io_run(f, &r, &chunk, &err), -GM_E_PROTO);
    assert_non_null(strstr(err.text, "was not analyzed"));
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void hash_scores(struct gm_sha256 *h, void *arg)
{
    Gm__QualityTarget target = GM__QUALITY_TARGET__INIT;
    (void)arg;
    target.metric = (char *)(uintptr_t) "ssim";
    target.target = 0.97;
    target.min_crf = 20;
    target.max_crf = 30;
    target.samples = 1;
    struct folder_pipeline params = {.quality = &target, .preset = "veryfast"};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = prepare(pipeline);
    run(f, "analyze", 0, 0);
    uint8_t sum[32];
    hash_items(f, "analyze", sum);
    gm_sha256_update(h, sum, sizeof sum);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void scores_depend_on_no_vectors(void **state)
{
    (void)state;
    uint8_t first[32], other[32];
    child_hash(NULL, hash_scores, NULL, first);
    child_hash("none", hash_scores, NULL, other);
    assert_memory_equal(first, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_depend_on_no_vectors), /* forks before threads start */
        cmocka_unit_test(the_average_is_what_was_asked_for),
        cmocka_unit_test(quality_is_searched),
        cmocka_unit_test(encode_without_its_analysis_is_refused),
    };
    return cmocka_run_group_tests(tests, make_source, clip_source_remove);
}
