/* Tasks of the processors for which a GPU decodes, over the fake drivers of tests/drivers: the same
 * bytes as without, whatever happens to the GPU. Nothing here says anything about a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/fake_gpu_io.h"
#include "media/folder_io.h"
#include "media/task_io.h"

/* 25 frames a second, keyframes every 40 frames: chunks of 6 and 3 seconds. */
#define FRAMES 225
#define CHUNKS 2
#define GPU "0000:3b:00.0"
#define FILES 16

static int make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=40", FRAMES);
    return 0;
}

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("the task succeeds", __FILE__, __LINE__);
    }
}

static void run(struct folder_io *f, const char *task)
{
    struct folder_run r = {.task = task};
    struct gm_err err = {.code = GM_OK};
    int64_t chunk = -1;
    must(folder_io_run(f, &r, &chunk, &err), &err);
}

struct made {
    size_t count;
    uint8_t hash[FILES][32];
    size_t on_device;     /* chunks */
    char why[CHUNKS][64]; /* decoder_reason */
};

static struct made encode(struct folder_io *f)
{
    static struct made m;
    memset(&m, 0, sizeof m);
    run(f, "encode");
    CHECK(folder_io_items(f, "encode", 0, 0) == CHUNKS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *meta =
            gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        CHECK(meta != NULL && m.count + item->n_objects <= FILES && item->n_objects > 0);
        m.on_device += strcmp(meta->decoder, "nvdec") == 0;
        (void)snprintf(m.why[i], sizeof m.why[i], "%s", meta->decoder_reason);
        for (size_t k = 0; k < item->n_objects; k++) {
            memcpy(m.hash[m.count++], item->objects[k]->sha256.data, 32);
        }
        gm__encode_item_meta__free_unpacked(meta, NULL);
    }
    return m;
}

static const char *const H264[] = {"hevc", "h264", NULL};
static const char *const OTHERS[] = {"hevc", "h26410", NULL};

static const struct fate {
    const char *lines;
    const char *device;
    const char *const *codecs;
    enum gm_code code; /* what is told */
    size_t on_device;  /* chunks */
    const char *why;   /* of the last chunk */
} fates[] = {
    {"", GPU, H264, GM_OK, CHUNKS, ""},
    {"", "", H264, GM_OK, 0, ""},
    {"", GPU, OTHERS, GM_OK, 0, "the GPU is not proved to decode this"},
    {"", "GPU-0badcafe", H264, GM_E_DEVICE_ABSENT, 0, "the device is not there"},
    {"fault context oom\n", GPU, H264, GM_E_DEVICE_MEMORY, 0, "the device is out of memory"},
    {"fault decode-open oom\n", GPU, H264, GM_E_DEVICE_MEMORY, 0, "the device is out of memory"},
    {"fault decode lost at=3\n", GPU, H264, GM_E_DEVICE_LOST, 0, "the device was lost"},
    {"fault map lost at=50\n", GPU, H264, GM_E_DEVICE_LOST, 0, "the device was lost"},
    {"fault copy lost at=400\n", GPU, H264, GM_E_DEVICE_LOST, 1, "the device was lost"},
    {"fault map wrong at=1\n", GPU, H264, GM_E_MEDIA_VERIFY, 0,
     "the device gives other pictures than software"},
};

static bool is_as_fated(const struct fate *fate, const struct made *m, const struct gm_err *told,
                        size_t times)
{
    return told->code == fate->code && times == (fate->code != GM_OK ? 1 : 0) &&
           m->on_device == fate->on_device && strcmp(m->why[CHUNKS - 1], fate->why) == 0;
}

static void meet(const void *arg)
{
    const struct fate *fate = arg;
    const uint32_t ladder[] = {80, 48};
    const struct folder_pipeline params = {.ladder = ladder, .rungs = 2, .qp_plus_1 = 31};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = NULL;
    struct gm_err err = {.code = GM_OK};
    size_t times = 0;
    fake_gpu_profile("h200", fate->lines);
    must(folder_io_create(clip_source()->path, pipeline, &f, &err), &err);
    run(f, "inspect");
    run(f, "plan");
    run(f, "split");
    struct made soft = encode(f);
    CHECK(soft.on_device == 0 && soft.why[0][0] == '\0');
    folder_io_set_decoder(f, fate->device, fate->codecs);
    struct made hard = encode(f);
    struct gm_err told = folder_io_device_failure(f, &times);
    if (!is_as_fated(fate, &hard, &told, times)) {
        (void)fprintf(stderr, "%s: %zu chunks on the device, then %s; told %zu times %d: %s\n",
                      fate->lines, hard.on_device, hard.why[CHUNKS - 1], times, (int)told.code,
                      told.text);
        fake_gpu_fail("what happens to the GPU is told", __FILE__, __LINE__);
    }
    CHECK(hard.count == soft.count && memcmp(hard.hash, soft.hash, sizeof soft.hash) == 0);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void the_bytes_are_those_of_software(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        assert_int_equal(fake_gpu_run(meet, &fates[i]), 0);
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
    static const struct fate gone = {
        "", GPU, H264, GM_E_DEVICE_ABSENT, 0, "the device is not there"};
    (void)make_source(NULL);
    meet(&gone);
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
    must(folder_io_create(clip_source()->path, pipeline, &f, &err), &err);
    run(f, "inspect");
    run(f, "plan");
    run(f, "split");
    for (int i = 0; i < 2; i++) {
        run(f, "analyze");
        const Gm__Item *item = folder_io_item(f, "analyze", 0, 0, 0);
        CHECK(item != NULL && item->meta.len > 0 && item->meta.len <= sizeof first);
        if (i == 0) {
            size = item->meta.len;
            memcpy(first, item->meta.data, size);
        }
        CHECK(item->meta.len == size && memcmp(item->meta.data, first, size) == 0);
        CHECK(folder_io_device_failure(f, &times).code == (i == 0 ? GM_OK : GM_E_DEVICE_LOST));
        folder_io_set_decoder(f, GPU, H264);
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
    return cmocka_run_group_tests_name("media/assist", tests, make_source, clip_source_remove);
}
