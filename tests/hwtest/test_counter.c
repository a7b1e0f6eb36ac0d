/* Sums of the kernel `compare` over the fake libcuda of tests/drivers, which says nothing of a real
 * one: that pictures, sizes and depths get there and back, and that they are the processor's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hwtest/counter.h"
#include "hwtest/picture.h"
#include "media/fake_gpu_io.h"
#include "media/picture/compare.h"

#define GPU "gpu 0000:05:00.0\n name L4\n memory-mib 4096\n encoders 1\n"

struct scene {
    struct gm_gpu *gpu;
    struct gm_gpu_stream *stream;
    struct gm_hwtest_counter *counter;
};

static void open_scene(struct scene *s, const char *lines)
{
    struct gm_err err;
    fake_gpu_profile("none", lines);
    CHECK(gm_gpu_open("0000:05:00.0", GM_GPU_IMAGE_BEST, &s->gpu, &err) == 0);
    CHECK(gm_gpu_stream_create(s->gpu, &s->stream, &err) == 0);
    CHECK(gm_hwtest_counter_create(s->gpu, &s->counter, &err) == 0);
}

static void close_scene(struct scene *s)
{
    gm_hwtest_counter_destroy(&s->counter);
    gm_gpu_stream_destroy(&s->stream);
    gm_gpu_close(&s->gpu);
}

/* Noise, in memory and, at *out_there, on the device. */
static AVFrame *noise(struct scene *s, uint32_t w, uint32_t h, bool deep, uint64_t seed,
                      gm_addr *out_base, struct gm_surface *out_there)
{
    struct gm_hwtest_picture p = {0};
    struct gm_err err;
    AVFrame *f = NULL;
    CHECK(gm_hwtest_picture_init(&p, w, h, deep, 12, &err) == 0);
    gm_hwtest_picture_noise(&p, seed);
    CHECK(gm_hwtest_picture_planar(&p, &f, &err) == 0);
    CHECK(gm_gpu_alloc(s->gpu, p.size, out_base, &err) == 0);
    CHECK(gm_gpu_upload(s->stream, *out_base, p.memory, p.size, &err) == 0);
    CHECK(gm_gpu_sync(s->stream, &err) == 0);
    *out_there = gm_hwtest_picture_at(&p, *out_base);
    gm_hwtest_picture_fini(&p);
    return f;
}

/* Growing and shrinking, so that room is kept and made. */
static void the_sums_are_the_processors(const void *arg)
{
    static const uint32_t sizes[][2] = {{16, 16}, {131, 70}, {33, 18}, {384, 216}, {64, 64}};
    struct scene s = {NULL, NULL, NULL};
    (void)arg;
    open_scene(&s, GPU);
    for (uint32_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        const uint32_t w = sizes[i / 2][0], h = sizes[i / 2][1];
        const bool deep = i % 2 == 1;
        struct gm_likeness there, here;
        struct gm_compare sum = {0};
        struct gm_surface at, other;
        gm_addr base[2];
        struct gm_err err;
        AVFrame *a = noise(&s, w, h, deep, 5 + i, &base[0], &at);
        AVFrame *b = noise(&s, w, h, deep, 77 + i, &base[1], &other);
        CHECK(gm_hwtest_counter_there(s.counter, &at, b, &there, &err) == 0);
        CHECK(gm_hwtest_counter_here(a, b, &here, &err) == 0);
        CHECK(memcmp(&there, &here, sizeof there) == 0 && there.error[0] > 0);
        /* and those of the module that the farm compares with */
        CHECK(gm_compare_add(&sum, a, b, &err) == 0);
        CHECK(there.error[0] + there.error[1] + there.error[2] == sum.error);
        double psnr = gm_hwtest_counter_psnr(&there, w, h, deep, 1);
        double off = psnr - gm_compare_psnr(gm_compare_mse(&sum));
        CHECK(off < 1e-9 && off > -1e-9);
        double unlike = gm_likeness_ssim(&there, w, h) - gm_compare_ssim(&sum);
        CHECK(unlike < 1e-5 && unlike > -1e-5);
        /* itself */
        CHECK(gm_hwtest_counter_there(s.counter, &at, a, &there, &err) == 0);
        CHECK(there.error[0] + there.error[1] + there.error[2] == 0);
        CHECK(gm_hwtest_counter_psnr(&there, w, h, deep, 1) == 100.0);
        gm_gpu_free(s.gpu, base[0]);
        gm_gpu_free(s.gpu, base[1]);
        av_frame_free(&a);
        av_frame_free(&b);
    }
    close_scene(&s);
}

static void what_the_device_does_is_told(const void *arg)
{
    static const struct {
        const char *lines;
        int rc;
    } faults[] = {{GPU "fault launch error\n", -GM_E_DEVICE_LOST},
                  {GPU "fault launch lost\n", -GM_E_DEVICE_LOST},
                  {GPU "fault alloc oom at=3\n", -GM_E_DEVICE_MEMORY}};
    const size_t i = *(const size_t *)arg;
    struct scene s = {NULL, NULL, NULL};
    struct gm_likeness l;
    struct gm_surface at;
    gm_addr base;
    struct gm_err err;
    open_scene(&s, faults[i].lines);
    AVFrame *a = noise(&s, 64, 64, false, 9, &base, &at);
    CHECK(gm_hwtest_counter_there(s.counter, &at, a, &l, &err) == faults[i].rc);
    av_frame_free(&a);
    gm_gpu_free(s.gpu, base);
    close_scene(&s);
}

static void small_pictures_are_refused(const void *arg)
{
    struct scene s = {NULL, NULL, NULL};
    struct gm_likeness l;
    struct gm_surface at;
    gm_addr base;
    struct gm_err err;
    (void)arg;
    open_scene(&s, GPU);
    AVFrame *a = noise(&s, 14, 64, false, 9, &base, &at);
    CHECK(gm_hwtest_counter_there(s.counter, &at, a, &l, &err) == -GM_E_INVAL);
    CHECK(gm_hwtest_counter_here(a, a, &l, &err) == -GM_E_INVAL);
    av_frame_free(&a);
    gm_gpu_free(s.gpu, base);
    close_scene(&s);
}

static void test_the_sums_are_the_processors(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(the_sums_are_the_processors, NULL), 0);
}

static void test_what_the_device_does_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fake_gpu_run(what_the_device_does_is_told, &i), 0);
    }
}

static void test_small_pictures_are_refused(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(small_pictures_are_refused, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sums_are_the_processors),
        cmocka_unit_test(test_what_the_device_does_is_told),
        cmocka_unit_test(test_small_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
