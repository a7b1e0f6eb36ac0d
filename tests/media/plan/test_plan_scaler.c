#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "media/pb.h"
#include "media/plan/plan.h"
#include "proto/envelope.h"

/* What plans for the chains nvenc and vaapi leave to libavfilter. That the kernel or the driver is
 * planned for needs a device: tests/media/encode/test_nvenc_ladder.c, test_vaapi_ladder.c. */

struct source {
    Gm__VideoFacts v;
    Gm__Rational aspect;
    Gm__Crop crop;
    Gm__Policy *policy;
};

static void source_init(struct source *s)
{
    struct gm_err err;
    gm__video_facts__init(&s->v);
    gm__rational__init(&s->aspect);
    gm__crop__init(&s->crop);
    s->aspect.num = s->aspect.den = 1;
    s->v.sample_aspect = &s->aspect;
    s->v.width_px = 1280;
    s->v.height_px = 720;
    s->v.pixel_format = "yuv420p";
    s->v.range = "tv";
    s->crop.whole_width_px = 1288;
    s->crop.whole_height_px = 728;
    s->policy = malloc(sizeof *s->policy);
    assert_non_null(s->policy);
    gm__policy__init(s->policy);
    assert_int_equal(gm_pb_string(&s->policy->chain, "nvenc", &err), 0);
    Gm__Rendition *r = malloc(sizeof *r);
    assert_non_null(r);
    gm__rendition__init(r);
    r->width_px = 640;
    r->height_px = 360;
    assert_int_equal(gm_pb_string(&r->pixel_format, "yuv420p", &err), 0);
    assert_int_equal(gm_colour_to_rendition(gm_colour_of_source(&s->v), r, &err), 0);
    assert_int_equal(gm_pb_append(&s->policy->renditions, &s->policy->n_renditions, &r->base, &err),
                     0);
}

static void four_two_two(struct source *s)
{
    s->v.pixel_format = "yuv422p";
}

static void jpeg_format(struct source *s)
{
    s->v.pixel_format = "yuvj420p";
}

static void odd(struct source *s)
{
    s->v.width_px = 1279;
}

static void odd_part(struct source *s)
{
    s->v.crop = &s->crop;
    s->crop.x_px = 3;
}

static void center(struct source *s)
{
    s->v.chroma_location = "center";
}

static void full_range(struct source *s)
{
    s->v.range = "pc";
}

static void wide_gamut(struct source *s)
{
    s->v.primaries = "bt2020";
    s->v.matrix = "bt2020nc";
}

static void deinterlaced(struct source *s)
{
    s->policy->context_frames = 1;
}

static void drawn(struct source *s)
{
    s->policy->burn_text = 1;
}

static void derived(struct source *s)
{
    s->policy->renditions[0]->parent = 1;
}

static void tiny(struct source *s)
{
    s->policy->renditions[0]->width_px = 32;
    s->policy->renditions[0]->height_px = 18;
}

/* Its chain's fingerprint has no mark at its end. */
static void unproved(struct source *s)
{
    s->v.chroma_location = "left";
}

static void what_the_kernel_does_not_do_is_libavfilters(void **state)
{
    static const struct {
        void (*to)(struct source *s);
        const char *reason;
    } rows[] = {
        {four_two_two, "not 4:2:0"},
        {jpeg_format, "not 4:2:0"},
        {odd, "odd side"},
        {odd_part, "odd place"},
        {center, "on the left"},
        {full_range, "full range"},
        {wide_gamut, "colour is converted"},
        {deinterlaced, "deinterlaced"},
        {drawn, "subtitles"},
        {derived, "made from another"},
        {tiny, "these sizes"},
        {unproved, "proof did not pass"},
    };
    Gm__Chain chain = GM__CHAIN__INIT;
    AVBufferRef *device = av_buffer_alloc(1); /* none of them gets so far as to ask it */
    (void)state;
    chain.name = "nvenc";
    chain.fingerprint = "a chip | 1.0 | cuda-ladder-1 libs";
    assert_non_null(device);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source s;
        struct gm_err err;
        source_init(&s);
        rows[i].to(&s);
        assert_int_equal(gm_plan_scaler(&s.v, &chain, device, s.policy, &err), 0);
        assert_string_equal(s.policy->scaler, "");
        if (strstr(s.policy->scaler_reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s", rows[i].reason, s.policy->scaler_reason);
        }
        gm__policy__free_unpacked(s.policy, NULL);
    }
    av_buffer_unref(&device);
}

static void cropped(struct source *s)
{
    s->v.crop = &s->crop;
}

static void turned(struct source *s)
{
    s->v.rotation_deg = -90;
}

static void flipped(struct source *s)
{
    s->v.flip = true;
}

/* Its chain's driver was proved in 10 bits alone. */
static void shallow(struct source *s)
{
    s->v.chroma_location = "left";
}

static void deeper(struct source *s)
{
    s->v.pixel_format = "yuv420p10le";
}

static void marked(struct source *s)
{
    const Gm__Watermark mark = GM__WATERMARK__INIT;
    const Gm__EncodeParams none = GM__ENCODE_PARAMS__INIT;
    s->policy->renditions[0]->encode = (Gm__EncodeParams *)gm_message_dup(&none.base);
    assert_non_null(s->policy->renditions[0]->encode);
    s->policy->renditions[0]->encode->watermark = (Gm__Watermark *)gm_message_dup(&mark.base);
    assert_non_null(s->policy->renditions[0]->encode->watermark);
}

static void what_a_driver_is_not_asked_for_is_libavfilters(void **state)
{
    static const struct {
        void (*to)(struct source *s);
        const char *reason;
    } rows[] = {
        {four_two_two, "not 4:2:0"}, {odd, "odd side"},
        {center, "on the left"},     {full_range, "full range"},
        {cropped, "is cropped"},     {turned, "is turned"},
        {flipped, "is turned"},      {wide_gamut, "colour is converted"},
        {deeper, "depth changes"},   {deinterlaced, "deinterlaced"},
        {drawn, "subtitles"},        {derived, "made from another"},
        {marked, "a watermark"},     {shallow, "proof did not pass"},
    };
    Gm__Chain chain = GM__CHAIN__INIT;
    AVBufferRef *device = av_buffer_alloc(1); /* none of them gets so far as to ask it */
    (void)state;
    chain.name = "vaapi";
    chain.fingerprint = "a chip | 1.0" GM_VA_LADDER_MARK " 10:0123456789abcdef";
    assert_non_null(device);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source s;
        struct gm_err err;
        source_init(&s);
        assert_int_equal(gm_pb_string(&s.policy->chain, "vaapi", &err), 0);
        rows[i].to(&s);
        assert_int_equal(gm_plan_scaler(&s.v, &chain, device, s.policy, &err), 0);
        assert_string_equal(s.policy->scaler, "");
        assert_int_equal(s.policy->n_warnings, 0);
        if (strstr(s.policy->scaler_reason, rows[i].reason) == NULL) {
            fail_msg("%s: %s", rows[i].reason, s.policy->scaler_reason);
        }
        gm__policy__free_unpacked(s.policy, NULL);
    }
    av_buffer_unref(&device);
}

static void other_chains_have_no_other_scaler(void **state)
{
    static const char *const chains[] = {"", "cpu", "qsv"};
    Gm__Chain chain = GM__CHAIN__INIT;
    AVBufferRef *device = av_buffer_alloc(1);
    (void)state;
    for (size_t i = 0; i <= sizeof chains / sizeof chains[0]; i++) {
        struct source s;
        struct gm_err err;
        bool software = i == sizeof chains / sizeof chains[0]; /* nvenc, and no device */
        source_init(&s);
        if (!software) {
            assert_int_equal(gm_pb_string(&s.policy->chain, chains[i], &err), 0);
        }
        assert_int_equal(gm_plan_scaler(&s.v, &chain, software ? NULL : device, s.policy, &err), 0);
        assert_string_equal(s.policy->scaler, "");
        assert_string_equal(s.policy->scaler_reason, "");
        gm__policy__free_unpacked(s.policy, NULL);
    }
    av_buffer_unref(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_kernel_does_not_do_is_libavfilters),
        cmocka_unit_test(what_a_driver_is_not_asked_for_is_libavfilters),
        cmocka_unit_test(other_chains_have_no_other_scaler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
