#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/cuda_ladder_io.h"
#include "media/device/cuda_picture.h"
#include "media/device/hw.h"
#include "media/fake_gpu_io.h"
#include "media/picture/cuda_tone.h"
#include "media/picture/sdr.h"

/* Light mapped before the device's ladder: what comes out is the ladder's of what the processor's
 * table makes. Over the fake libcuda: nothing here says anything about a real GPU. */

#define TEN "yuv420p10le"

struct wish {
    struct way way;
    const char *transfer;
};

/* *out_gpu: of the job's device. */
static void open_gpu(struct job *j, struct gm_gpu **out_gpu)
{
    char uuid[GM_CUDA_UUID_SIZE];
    struct gm_err err = {0};
    ladder_must(gm_hw_open(NULL, &j->device, &err), &err);
    ladder_must(gm_hw_uuid(j->device, uuid, &err), &err);
    ladder_must(gm_gpu_open(uuid, GM_GPU_IMAGE_BEST, out_gpu, &err), &err);
}

static void same_rungs(struct job *a, struct job *b)
{
    struct gm_err err = {0};
    for (size_t i = 0; i < RUNGS; i++) {
        AVFrame *x = NULL, *y = NULL;
        ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(a->ladder, i), &x, &err), &err);
        ladder_must(gm_cuda_picture_download(gm_cuda_ladder_get(b->ladder, i), &y, &err), &err);
        size_t bytes = x->format == AV_PIX_FMT_YUV420P10LE ? 2 : 1;
        CHECK(x->format == y->format && x->width == y->width && x->height == y->height);
        for (int p = 0; p < 3; p++) {
            for (int row = 0; row < x->height >> (p > 0); row++) {
                CHECK(memcmp(x->data[p] + (ptrdiff_t)row * x->linesize[p],
                             y->data[p] + (ptrdiff_t)row * y->linesize[p],
                             bytes * (size_t)(x->width >> (p > 0))) == 0);
            }
        }
        av_frame_free(&x);
        av_frame_free(&y);
    }
}

/* What the processor's table makes of the picture. */
static AVFrame *map(const struct job *j, const AVFrame *picture, enum AVPixelFormat format)
{
    struct gm_err err = {0};
    struct gm_tonemap *table = NULL;
    const struct gm_tonemap_params params =
        gm_sdr_table(j->policy.tone_map, gm_colour_of_source(&j->facts));
    AVFrame *out = gm_av_frame(format, picture->width, picture->height);
    CHECK(out != NULL);
    ladder_must(gm_tonemap_create(&params, &table, &err), &err);
    ladder_must(gm_tonemap_apply(table, picture, AVCHROMA_LOC_LEFT, out, &err), &err);
    gm_tonemap_destroy(&table);
    return out;
}

static void tone(const void *arg)
{
    const struct wish *w = arg;
    struct gm_err err = {0};
    struct job hdr, sdr;
    Gm__ToneMap light = GM__TONE_MAP__INIT;
    struct way plain = w->way;
    bool deep = strcmp(w->way.formats[1], TEN) == 0;
    plain.format = deep ? TEN : "yuv420p";
    fake_gpu_profile("none", GPU);
    ladder_describe(&hdr, &w->way);
    ladder_describe(&sdr, &plain);
    light.source_peak = 600;
    hdr.facts.primaries = "bt2020";
    hdr.facts.transfer = (char *)(uintptr_t)w->transfer;
    hdr.facts.matrix = "bt2020nc";
    hdr.policy.tone_map = &light;
    hdr.policy.scaler = GM_CUDA_TONED;
    ladder_must(ladder_open(&hdr, &err), &err);
    ladder_must(ladder_open(&sdr, &err), &err);
    CHECK(gm_cuda_ladder_what(hdr.ladder)->deep);
    AVFrame *picture = ladder_picture(&hdr, 1);
    AVFrame *mapped = map(&hdr, picture, av_get_pix_fmt(plain.format));
    ladder_must(gm_cuda_ladder_push(hdr.ladder, picture, 0, &err), &err);
    ladder_must(gm_cuda_ladder_push(sdr.ladder, mapped, 0, &err), &err);
    same_rungs(&hdr, &sdr);
    av_frame_free(&picture);
    av_frame_free(&mapped);
    ladder_close(&hdr);
    ladder_close(&sdr);
}

static void the_ladder_gets_what_the_table_makes(void **state)
{
    (void)state;
    const struct wish wishes[] = {
        {{TEN, {"yuv420p", "yuv420p", "yuv420p"}, 0, false, false, false}, "smpte2084"},
        {{TEN, {"yuv420p", "yuv420p", "yuv420p"}, 90, true, true, false}, "arib-std-b67"},
        {{TEN, {"yuv420p", TEN, "yuv420p"}, 180, false, false, false}, "smpte2084"}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        if (fake_gpu_run(tone, &wishes[i]) != 0) {
            fail_msg("wish %zu", i);
        }
    }
}

static void refuse(const void *arg)
{
    const struct {
        const char *lines;
        enum gm_code code;
    } rows[] = {{"", GM_OK},
                {"fault launch wrong\n", GM_E_MEDIA_VERIFY},
                {"fault alloc oom\n", GM_E_DEVICE_MEMORY},
                {"fault launch lost\n", GM_E_DEVICE_LOST}};
    struct gm_err err = {0};
    struct gm_gpu *gpu = NULL;
    struct job j;
    char profile[256];
    (void)arg;
    memset(&j, 0, sizeof j);
    fake_gpu_profile("none", GPU);
    open_gpu(&j, &gpu);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(profile, sizeof profile, GPU "%s", rows[i].lines);
        fake_gpu_profile("none", profile);
        int rc = gm_cuda_tone_prove(gpu, &err);
        if (rc != -(int)rows[i].code) {
            (void)fprintf(stderr, "%s: %d\n", rows[i].lines, rc);
            fake_gpu_fail("it is proved so", __FILE__, __LINE__);
        }
    }
    gm_gpu_close(&gpu);
    av_buffer_unref(&j.device);
}

static void it_is_proved(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(refuse, NULL), 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    fake_gpu_start(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ladder_gets_what_the_table_makes),
        cmocka_unit_test(it_is_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
