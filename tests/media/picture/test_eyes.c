#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/cuda_ladder_io.h"
#include "media/device/cuda_picture.h"
#include "media/device/hw.h"
#include "media/device/packed.h"
#include "media/fake_gpu_io.h"
#include "media/picture/eyes.h"
#include "media/picture/front.h"
#include "media/plan/plan.h"

/* That a picture on the device, as decoded, is seen as the front's of it is by the processor: same
 * tiles, same scores. Over the fake libcuda: nothing here says anything about a real GPU. */

#define FRAMES 3

struct seeing {
    struct job j;
    Gm__Policy turned;
    Gm__ToneMap map;
    struct gm_front *front;       /* owned */
    struct gm_eyes *there, *here; /* owned: with the ladder, without */
    AVBufferRef *pool;            /* owned */
};

struct wish {
    struct way way;
    bool hdr;
};

static void begin(struct seeing *s, const struct wish *w)
{
    Gm__EncodeParams how = GM__ENCODE_PARAMS__INIT;
    struct gm_err err = {0};
    memset(s, 0, sizeof *s);
    gm__policy__init(&s->turned);
    gm__tone_map__init(&s->map);
    fake_gpu_profile("none", GPU);
    ladder_describe(&s->j, &w->way);
    if (w->hdr) {
        s->j.facts.primaries = "bt2020";
        s->j.facts.transfer = "smpte2084";
        s->j.facts.matrix = "bt2020nc";
        s->map.source_peak = 1000;
        s->map.chroma_v = 128;
        s->j.policy.tone_map = &s->map;
    }
    ladder_must(gm_plan_front(&s->j.facts, &how, &s->turned, &err), &err);
    ladder_must(gm_front_create(&s->turned, &s->j.facts, &s->front, &err), &err);
    gm_front_start(s->front);
    ladder_must(ladder_open(&s->j, &err), &err);
    ladder_must(gm_eyes_create(&s->j.policy, &s->j.facts, s->j.ladder, &s->there, &err), &err);
    ladder_must(gm_eyes_create(&s->j.policy, &s->j.facts, NULL, &s->here, &err), &err);
    const struct gm_cuda_pictures what = {strcmp(w->way.format, "yuv420p") == 0 ? 8 : 10, WIDTH,
                                          HEIGHT, 0};
    ladder_must(gm_cuda_picture_pool(s->j.device, &what, &s->pool, &err), &err);
}

static void end(struct seeing *s)
{
    gm_eyes_destroy(&s->there);
    gm_eyes_destroy(&s->here);
    gm_front_destroy(&s->front);
    av_buffer_unref(&s->pool);
    free(s->turned.front_filters);
    ladder_close(&s->j);
}

static AVFrame *lift(const struct seeing *s, const AVFrame *picture)
{
    struct gm_err err = {0};
    AVFrame *there = NULL;
    AVFrame *packed = gm_av_frame(gm_av_pool(s->pool)->sw_format, WIDTH, HEIGHT);
    struct gm_cuda_copy_2d copies[2];
    CHECK(packed != NULL);
    ladder_must(gm_packed_copy(picture, packed, &err), &err);
    ladder_must(gm_cuda_picture_get(s->pool, &there, &err), &err);
    const struct gm_cuda_place from = gm_cuda_picture_place(packed);
    gm_cuda_picture_copies(&from, there, copies);
    ladder_must(gm_hw_copy(s->j.device, copies, 2, &err), &err);
    there->color_range = picture->color_range;
    av_frame_free(&packed);
    return there;
}

static void same_small(struct seeing *s, uint32_t width, uint32_t height)
{
    struct gm_err err = {0};
    const AVFrame *a = NULL, *b = NULL;
    ladder_must(gm_eyes_small(s->there, width, height, &a, &err), &err);
    ladder_must(gm_eyes_small(s->here, width, height, &b, &err), &err);
    CHECK(a->format == AV_PIX_FMT_YUV420P && b->format == AV_PIX_FMT_YUV420P);
    CHECK(a->width == (int)width && a->height == (int)height && b->width == a->width);
    CHECK(a->colorspace == b->colorspace && a->color_range == b->color_range);
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < a->height >> (p > 0); y++) {
            CHECK(memcmp(a->data[p] + (ptrdiff_t)y * a->linesize[p],
                         b->data[p] + (ptrdiff_t)y * b->linesize[p],
                         (size_t)(a->width >> (p > 0))) == 0);
        }
    }
}

/* late: the last picture is shown in memory, as one that goes through the front is. */
static void see(const struct wish *w, bool late)
{
    struct seeing s;
    struct gm_err err = {0};
    uint32_t there = 0, here = 0;
    begin(&s, w);
    gm_eyes_start(s.there);
    CHECK(gm_eyes_by(s.there) == NULL);
    for (int i = 0; i < FRAMES; i++) {
        int64_t tag = 0;
        AVFrame *picture = ladder_picture(&s.j, 3 * i);
        AVFrame *lifted = lift(&s, picture);
        ladder_must(gm_front_push(s.front, picture, i, &err), &err);
        const AVFrame *upright = gm_front_next(s.front, &tag);
        CHECK(upright != NULL && tag == i);
        bool in_memory = late && i == FRAMES - 1;
        gm_eyes_show(s.there, in_memory ? upright : lifted);
        gm_eyes_show(s.here, upright);
        same_small(&s, 32, 20);
        same_small(&s, 6, 10);
        ladder_must(gm_eyes_look(s.there, (enum gm_eyes_place)i, &err), &err);
        ladder_must(gm_eyes_look(s.here, (enum gm_eyes_place)i, &err), &err);
        av_frame_free(&lifted);
        av_frame_free(&picture);
    }
    for (int i = 0; i < 4; i++) {
        const struct gm_score_around around = {(i & 1) != 0, (i & 2) != 0};
        ladder_must(gm_eyes_score(s.there, around, &there, &err), &err);
        ladder_must(gm_eyes_score(s.here, around, &here, &err), &err);
        CHECK(there == here && there > 0);
    }
    CHECK(strcmp(gm_eyes_by(s.there), late ? "software" : "cuda") == 0);
    CHECK(strcmp(gm_eyes_by(s.here), "software") == 0);
    end(&s);
}

static void see_there(const void *arg)
{
    see(arg, false);
}

static void see_both(const void *arg)
{
    see(arg, true);
}

#define TEN "yuv420p10le"

static void a_gpu_sees_what_the_processor_sees(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        bool deep = i % 3 == 1;
        const char *format = deep ? TEN : "yuv420p";
        const struct wish w = {
            {format, {format, format, format}, i % 4 * 90, i / 4 % 2 == 1, i / 8 == 1, false},
            false};
        if (fake_gpu_run(see_there, &w) != 0) {
            fail_msg("%s turned by %d, flip %d, crop %d", format, w.way.turn, w.way.flip,
                     w.way.crop);
        }
    }
}

static void light_is_mapped_alike(void **state)
{
    (void)state;
    const struct wish w = {{TEN, {TEN, TEN, TEN}, 90, false, false, false}, true};
    assert_int_equal(fake_gpu_run(see_there, &w), 0);
    assert_int_equal(fake_gpu_run(see_both, &w), 0);
}

static void pictures_from_memory_fit_in(void **state)
{
    (void)state;
    const struct wish w = {{"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, true, false},
                           false};
    assert_int_equal(fake_gpu_run(see_both, &w), 0);
}

/* What fails on the device is said as its own. */
static void lose(const void *arg)
{
    struct seeing s;
    struct gm_err err = {0};
    uint32_t score = 0;
    const AVFrame *small = NULL;
    begin(&s, arg);
    AVFrame *picture = ladder_picture(&s.j, 0), *lifted = lift(&s, picture);
    gm_eyes_show(s.there, lifted);
    fake_gpu_profile("none", GPU "fault alloc oom\n");
    CHECK(gm_eyes_look(s.there, GM_EYES_NOW, &err) == -GM_E_DEVICE_MEMORY);
    fake_gpu_profile("none", GPU);
    ladder_must(gm_eyes_look(s.there, GM_EYES_NOW, &err), &err);
    fake_gpu_profile("none", GPU "fault launch lost\n");
    CHECK(gm_eyes_small(s.there, 32, 20, &small, &err) == -GM_E_DEVICE_LOST && small == NULL);
    CHECK(gm_eyes_look(s.there, GM_EYES_AFTER, &err) == -GM_E_DEVICE_LOST);
    CHECK(gm_eyes_score(s.there, (struct gm_score_around){false, false}, &score, &err) ==
          -GM_E_DEVICE_LOST);
    av_frame_free(&lifted);
    av_frame_free(&picture);
    end(&s);
}

static void a_lost_device_is_said(void **state)
{
    (void)state;
    const struct wish w = {{"yuv420p", {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false, false},
                           false};
    assert_int_equal(fake_gpu_run(lose, &w), 0);
}

static void the_largest_rendition_says_what_is_scored(void **state)
{
    (void)state;
    static const uint32_t rows[][4] = {
        {1920, 1080, 640, 360}, {1280, 720, 640, 360}, {854, 480, 426, 240}, {640, 360, 640, 360},
        {1080, 1920, 360, 640}, {2, 1300, 2, 432},     {320, 180, 320, 180}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Gm__Policy p = GM__POLICY__INIT;
        Gm__Rendition r[2] = {GM__RENDITION__INIT, GM__RENDITION__INIT};
        Gm__Rendition *list[2] = {&r[0], &r[1]};
        r[0].width_px = r[0].height_px = 2;
        r[1].width_px = rows[i][0];
        r[1].height_px = rows[i][1];
        p.renditions = list;
        p.n_renditions = 2;
        struct gm_score_size s = gm_eyes_size(&p);
        assert_int_equal(s.width_px, rows[i][2]);
        assert_int_equal(s.height_px, rows[i][3]);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_sees_what_the_processor_sees),
        cmocka_unit_test(light_is_mapped_alike),
        cmocka_unit_test(pictures_from_memory_fit_in),
        cmocka_unit_test(a_lost_device_is_said),
        cmocka_unit_test(the_largest_rendition_says_what_is_scored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
