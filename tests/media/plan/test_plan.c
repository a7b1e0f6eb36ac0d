#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/folder_io.h"
#include "media/movie_io.h"
#include "media/plan/plan.h"

static void facts(Gm__VideoFacts *v, Gm__Rational r[3], AVRational rate, bool constant,
                  AVRational tb, int64_t key_us)
{
    gm__video_facts__init(v);
    for (int i = 0; i < 3; i++) {
        gm__rational__init(&r[i]);
    }
    r[0].num = rate.num;
    r[0].den = rate.den;
    r[1].num = tb.num;
    r[1].den = tb.den;
    r[2].num = r[2].den = 1;
    v->frame_rate = &r[0];
    v->time_base = &r[1];
    v->sample_aspect = &r[2];
    v->constant_rate = constant;
    v->keyframe_interval_us = key_us;
    v->width_px = 1280;
    v->height_px = 720;
    v->pixel_format = "yuv420p";
}

static void the_grid_follows_rate_time_base_and_keyframes(void **state)
{
    static const struct {
        AVRational rate;
        bool constant;
        AVRational tb;
        int64_t key_us;
        uint32_t timescale, gop;
    } rows[] = {
        {{24, 1}, true, {1, 12288}, 2000000, 12288, 48},
        {{25, 1}, true, {1, 90000}, 6000000, 12800, 50},
        {{30000, 1001}, true, {1, 30000}, 6000001, 30000, 60},
        {{1, 1}, true, {1, 16384}, 11000000, 16384, 2},
        {{1, 5}, true, {1, 5}, 0, 16384, 1},
        {{120, 1}, true, {1, 120}, 600000000, 15360, 240},
        {{24, 1}, false, {1, 1000}, 0, 1000, 0},
        {{24, 1}, false, {1, 600}, 0, 1200, 0},
        {{24, 1}, false, {1001, 30000}, 0, 90000, 0},
        {{24, 1}, false, {1, 10000000}, 0, 90000, 0},
        {{24, 1}, false, {1, 1000000}, 0, 1000000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__VideoFacts v;
        Gm__Rational r[3];
        Gm__Policy *p = malloc(sizeof *p);
        struct gm_err err;
        gm__policy__init(p);
        facts(&v, r, rows[i].rate, rows[i].constant, rows[i].tb, rows[i].key_us);
        assert_int_equal(gm_plan_grid(&v, p, &err), 0);
        assert_int_equal(p->timescale, rows[i].timescale);
        assert_int_equal(p->gop_frames, rows[i].gop);
        assert_int_equal(p->segment_gops, 3);
        assert_int_equal(p->chunk_segments, 5);
        assert_int_equal(p->timescale_rate->num, rows[i].constant ? rows[i].rate.num : 0);
        gm__policy__free_unpacked(p, NULL);
    }
}

#define SCALE "scale=640:360:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"

static Gm__Policy *new_policy(void)
{
    Gm__Policy *p = malloc(sizeof *p);
    assert_non_null(p);
    gm__policy__init(p);
    return p;
}

#define TO_420                                                                                     \
    "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_h_chr_pos=0:out_v_chr_pos=128," \
    "format=yuv420p,"
#define BWDIF(parity) "bwdif=mode=send_frame:parity=" parity ":deint=all"

static void filters_turn_once_then_scale(void **state)
{
    static const struct {
        int32_t turn;
        bool flip;
        const char *format;
        const char *text;
        const char *deinterlace;
        bool interlaced, bottom_first;
    } rows[] = {
        {0, false, "yuv420p", "", "auto", false, false},
        {90, false, "yuv420p10le", "transpose=clock", "auto", false, false},
        {180, false, "yuv420p", "hflip,vflip", "auto", false, false},
        {270, true, "yuv420p", "transpose=cclock,hflip", "auto", false, false},
        {0, true, "yuv420p", "hflip", "auto", false, false},
        {0, false, "yuv422p", "", "auto", false, false},
        {90, false, "yuv422p", TO_420 "transpose=clock", "auto", false, false},
        {90, false, "pal8",
         "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact,format=rgb24,transpose=clock",
         "auto", false, false},
        {90, false, "yuv422p10le",
         "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_h_chr_pos=0:out_v_chr_pos="
         "128,format=yuv420p10le,"
         "transpose=clock",
         "auto", false, false},
        {0, false, "yuv420p", BWDIF("tff"), "auto", true, false},
        {0, false, "yuv420p", BWDIF("bff"), "auto", true, true},
        {0, false, "yuv420p", "", "off", true, false},
        {0, false, "yuv420p", BWDIF("tff"), "on", false, false},
        {90, true, "yuv422p", BWDIF("bff") "," TO_420 "transpose=clock,hflip", "on", true, true},
    };
    char text[512], small[20];
    Gm__VideoFacts v;
    Gm__Rational r[3];
    struct gm_err err;
    (void)state;
    facts(&v, r, (AVRational){25, 1}, true, (AVRational){1, 25}, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__EncodeParams params = GM__ENCODE_PARAMS__INIT;
        Gm__Policy *p = new_policy();
        params.deinterlace = (char *)(uintptr_t)rows[i].deinterlace;
        v.rotation_deg = rows[i].turn;
        v.flip = rows[i].flip;
        v.interlaced = rows[i].interlaced;
        v.top_first = !rows[i].bottom_first;
        v.pixel_format = (char *)(uintptr_t)rows[i].format;
        assert_int_equal(gm_plan_front(&v, &params, p, &err), 0);
        assert_string_equal(p->front_filters, rows[i].text);
        assert_int_equal(p->context_frames, strstr(rows[i].text, "bwdif") != NULL);
        gm__policy__free_unpacked(p, NULL);
    }
    struct gm_colour sd = {AVCOL_PRI_SMPTE170M, AVCOL_TRC_SMPTE170M, AVCOL_SPC_SMPTE170M,
                           AVCOL_RANGE_MPEG};
    struct gm_colour jpeg = gm_colour_of_jpeg();
    assert_int_equal(gm_plan_filters(640, 360, &sd, AV_PIX_FMT_YUV420P10, text, sizeof text, &err),
                     0);
    assert_string_equal(text, SCALE
                        ":out_color_matrix=bt601:out_range=tv:out_h_chr_pos=0:out_v_chr_pos=128,"
                        "setsar=1,setparams="
                        "color_primaries=6:color_trc=6:colorspace=6,format=yuv420p10le");
    assert_int_equal(gm_plan_filters(640, 360, &jpeg, AV_PIX_FMT_YUVJ420P, text, sizeof text, &err),
                     0);
    assert_string_equal(text, SCALE
                        ":out_color_matrix=bt601:out_range=pc:out_h_chr_pos=128:out_v_chr_pos=128,"
                        "setsar=1,setparams="
                        "color_primaries=1:color_trc=13:colorspace=5,format=yuvj420p");
    assert_int_equal(gm_plan_filters(640, 360, &sd, AV_PIX_FMT_YUV420P, small, sizeof small, &err),
                     -GM_E_LIMIT);
}

static const Gm__Chain *asked; /* NULL: software of a node that tells no build */

static Gm__Policy *plan(const char *path, const struct folder_pipeline *params,
                        struct folder_io **f, Gm__Pipeline **pipeline)
{
    struct gm_err err = {0};
    struct folder_run run = {.task = "inspect"};
    *pipeline = folder_pipeline(params);
    assert_int_equal(folder_io_create(path, *pipeline, f, &err), 0);
    assert_int_equal(folder_io_run(*f, &run, NULL, &err), 0);
    run.task = "plan";
    folder_io_set_chain(*f, asked, NULL);
    if (folder_io_run(*f, &run, NULL, &err) < 0) {
        print_message("%s\n", err.text);
        fail();
    }
    const Gm__TaskResult *r = folder_io_result(*f, "plan", 0);
    Gm__Policy *p = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(p);
    return p;
}

/* The build of software is not in it twice: publications keep their names. */
static void a_policy_is_whole_and_the_same_each_time(void **state)
{
    Gm__Chain software = GM__CHAIN__INIT;
    static const uint32_t ladder[] = {72, 48};
    static const struct folder_pipeline params = {.ladder = ladder,
                                                  .rungs = 2,
                                                  .audio = true,
                                                  .thumbnails = true,
                                                  .mp4 = true,
                                                  .package = true};
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", 30);
    struct movie movie = {.format = "mov", .sound = true};
    Gm__Policy *p[2];
    struct folder_io *f[2];
    Gm__Pipeline *pipeline[2];
    char path[4096];
    (void)state;
    software.name = (char *)(uintptr_t) "cpu";
    software.fingerprint = (char *)(uintptr_t) "gm0 a build";
    movie_write(clip, &movie, path);
    for (int i = 0; i < 2; i++) {
        asked = i == 0 ? NULL : &software;
        p[i] = plan(path, &params, &f[i], &pipeline[i]);
    }
    asked = NULL;
    assert_int_equal(p[0]->n_renditions, 2);
    assert_string_equal(p[0]->renditions[0]->name, "72p");
    assert_int_equal(p[0]->renditions[0]->width_px, 86); /* 96:80 of 72 lines: 86.4 */
    for (size_t i = 0; i < 2; i++) {
        const Gm__Rendition *r = p[0]->renditions[i];
        assert_int_equal(strncmp(r->codecs, "avc1.", 5), 0);
        assert_true(r->extradata.len > 8 && r->init_segment.len > 100);
        assert_int_equal(strlen(r->init_name), strlen("init-0123456789ab.mp4"));
        assert_int_equal(r->bufsize_bits, 2 * r->maxrate_bps);
        assert_int_equal(r->encode->crf, 23);
    }
    assert_int_equal(p[0]->n_audio, 1);
    assert_string_equal(p[0]->audio[0]->name, "a0");
    assert_string_equal(p[0]->audio[0]->codecs, "mp4a.40.2");
    assert_true(p[0]->audio[0]->is_default);
    assert_true(p[0]->audio[0]->priming_samples > 0);
    assert_int_equal(p[0]->n_mp4, 1);
    assert_string_equal(p[0]->mp4[0]->name, "movie_72p.mp4");
    assert_int_equal(p[0]->tile_height_px, 134); /* 160 wide: 133.3 */
    assert_int_equal(strlen(p[0]->publication), 16);
    assert_int_equal(strncmp(p[0]->chain_fingerprint, "cpu:x264-1", 10), 0);
    assert_int_equal(p[0]->estimated_frames, 30);
    assert_true(p[0]->estimated_bytes > 0 && p[0]->estimated_cpu_ms > 0);
    assert_int_equal(folder_io_instances(f[0], "audio"), 1);
    assert_int_equal(folder_io_instances(f[0], "mp4"), 1);
    const Gm__TaskResult *a = folder_io_result(f[0], "plan", 0);
    const Gm__TaskResult *b = folder_io_result(f[1], "plan", 0);
    assert_int_equal(a->meta.len, b->meta.len);
    assert_memory_equal(a->meta.data, b->meta.data, a->meta.len);
    for (int i = 0; i < 2; i++) {
        gm__policy__free_unpacked(p[i], NULL);
        folder_io_destroy(&f[i]);
        gm__pipeline__free_unpacked(pipeline[i], NULL);
    }
    movie_remove(path);
    clip_free(&clip);
}

static void settings_and_content_name_the_publication(void **state)
{
    static const struct folder_pipeline params[] = {{.qp_plus_1 = 1}, {.qp_plus_1 = 0}};
    struct movie movie = {.format = "matroska"};
    char names[3][20];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct clip *clip = clip_make("libx264", "preset=ultrafast,g=10", i == 2 ? 31 : 30);
        struct folder_io *f;
        Gm__Pipeline *pipeline;
        char path[4096];
        movie_write(clip, &movie, path);
        Gm__Policy *p = plan(path, &params[i == 1], &f, &pipeline);
        (void)strncpy(names[i], p->publication, sizeof names[i] - 1);
        names[i][16] = '\0';
        assert_int_equal(p->n_renditions, 1);
        assert_int_equal(p->renditions[0]->width_px, 96);
        assert_int_equal(p->renditions[0]->maxrate_bps > 0, i == 1);
        assert_int_equal(p->n_audio, 0);
        gm__policy__free_unpacked(p, NULL);
        folder_io_destroy(&f);
        gm__pipeline__free_unpacked(pipeline, NULL);
        movie_remove(path);
        clip_free(&clip);
    }
    assert_string_not_equal(names[0], names[1]);
    assert_string_not_equal(names[0], names[2]);
}

/* Of 100 hours at 400 Mbit/s 9.8 TiB are reckoned; sound alone is small. */
static void files_that_no_store_takes_are_no_plan(void **state)
{
    Gm__Inspection inspection = GM__INSPECTION__INIT;
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__Rendition rung = GM__RENDITION__INIT, *rungs[] = {&rung};
    Gm__Mp4Output file = GM__MP4_OUTPUT__INIT, *files[] = {&file};
    struct gm_err err;
    (void)state;
    inspection.duration_us = INT64_C(100) * 3600 * 1000000;
    rung.maxrate_bps = 400000000;
    file.name = (char *)(uintptr_t) "film_2160p.mp4";
    policy.renditions = rungs;
    policy.n_renditions = 1;
    assert_int_equal(gm_plan_check_mp4(&inspection, &policy, &err), 0); /* segments */
    policy.mp4 = files;
    policy.n_mp4 = 1;
    assert_int_equal(gm_plan_check_mp4(&inspection, &policy, &err), -GM_E_LIMIT);
    assert_non_null(strstr(err.text, "film_2160p.mp4 would have some 9.8 TiB"));
    rung.maxrate_bps = 200000000;
    assert_int_equal(gm_plan_check_mp4(&inspection, &policy, &err), 0);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_no_store_takes_are_no_plan),
        cmocka_unit_test(the_grid_follows_rate_time_base_and_keyframes),
        cmocka_unit_test(filters_turn_once_then_scale),
        cmocka_unit_test(a_policy_is_whole_and_the_same_each_time),
        cmocka_unit_test(settings_and_content_name_the_publication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
