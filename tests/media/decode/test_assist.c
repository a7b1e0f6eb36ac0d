/* Tasks of the processors for which a GPU decodes, over the fake drivers of tests/drivers: the same
 * bytes as without, whatever happens to the GPU. Nothing here says anything about a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/log.h>

#include <stdio.h>
#include <string.h>

#include "media/assist_io.h"
#include "media/chunk_io.h"
#include "media/fake_gpu_io.h"
#include "media/folder_io.h"
#include "media/task_io.h"

#define GPU "0000:3b:00.0"

static const char *const H264[] = {"hevc", "h264", NULL};
static const char *const OTHERS[] = {"hevc", "h26410", NULL};

static const struct assist_fate fates[] = {
    {"nvdec", "h200", "", GPU, H264, GM_OK, ASSIST_CHUNKS, ""},
    {"nvdec", "h200", "", "", H264, GM_OK, 0, ""},
    {"nvdec", "h200", "", GPU, OTHERS, GM_OK, 0, "the GPU is not proved to decode this"},
    {"nvdec", "h200", "", "GPU-0badcafe", H264, GM_E_DEVICE_ABSENT, 0, "the device is not there"},
    {"nvdec", "h200", "fault context oom\n", GPU, H264, GM_E_DEVICE_MEMORY, 0,
     "the device is out of memory"},
    {"nvdec", "h200", "fault decode-open oom\n", GPU, H264, GM_E_DEVICE_MEMORY, 0,
     "the device is out of memory"},
    {"nvdec", "h200", "fault decode lost at=3\n", GPU, H264, GM_E_DEVICE_LOST, 0,
     "the device was lost"},
    {"nvdec", "h200", "fault map lost at=50\n", GPU, H264, GM_E_DEVICE_LOST, 0,
     "the device was lost"},
    {"nvdec", "h200", "fault copy lost at=400\n", GPU, H264, GM_E_DEVICE_LOST, 1,
     "the device was lost"},
    {"nvdec", "h200", "fault map wrong at=1\n", GPU, H264, GM_E_MEDIA_VERIFY, 0,
     "the device gives other pictures than software"},
};

static void the_bytes_are_those_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        assert_int_equal(fake_gpu_run(assist_meet, &fates[i]), 0);
    }
}

/* In a program that finds no driver. */
static void no_driver(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run_bare("bare"), 0);
}

static void bare(void)
{
    static const struct assist_fate gone = {
        "nvdec", "h200", "", GPU, H264, GM_E_DEVICE_ABSENT, 0, "the device is not there"};
    (void)assist_make_source(NULL);
    assist_meet(&gone);
    (void)clip_source_remove(NULL);
}

/* A trial for a bit rate finds the same. */
static void try_rates(const void *arg)
{
    (void)arg;
    const struct folder_pipeline params = {.bitrate_bps = 150000};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = NULL;
    struct gm_err err = {.code = GM_OK};
    uint8_t first[4096];
    size_t size = 0;
    size_t times = 0;
    fake_gpu_profile("h200", "fault decode lost at=60\n");
    assist_must(folder_io_create(clip_source()->path, pipeline, &f, &err), &err);
    assist_run(f, "inspect");
    assist_run(f, "plan");
    assist_run(f, "split");
    for (int i = 0; i < 2; i++) {
        assist_run(f, "analyze");
        const Gm__Item *item = folder_io_item(f, "analyze", 0, 0, 0);
        CHECK(item != NULL && item->meta.len > 0 && item->meta.len <= sizeof first);
        if (i == 0) {
            size = item->meta.len;
            memcpy(first, item->meta.data, size);
        }
        CHECK(item->meta.len == size && memcmp(item->meta.data, first, size) == 0);
        CHECK(folder_io_device_failure(f, &times).code == (i == 0 ? GM_OK : GM_E_DEVICE_LOST));
        folder_io_set_decoder(f, "nvdec", GPU, H264);
    }
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void trials_are_those_of_software(void **state)
{
    (void)state;
    assert_int_equal(fake_gpu_run(try_rates, NULL), 0);
}

int main(int argc, char **argv)
{
    fake_gpu_start(argv);
    av_log_set_level(AV_LOG_QUIET);
    if (argc > 1 && strcmp(argv[1], "bare") == 0) {
        bare();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_software),
        cmocka_unit_test(no_driver),
        cmocka_unit_test(trials_are_those_of_software),
    };
    return cmocka_run_group_tests_name("media/assist", tests, assist_make_source,
                                       clip_source_remove);
}
