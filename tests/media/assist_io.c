#include "media/assist_io.h"

#include <stdio.h>
#include <string.h>

#include "media/chunk_io.h"
#include "media/fake_gpu_io.h"

#define FRAMES 225
#define FILES 16

int assist_make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=40", FRAMES);
    return 0;
}

void assist_must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%d: %s\n", rc, err->text);
        fake_gpu_fail("the task succeeds", __FILE__, __LINE__);
    }
}

void assist_run(struct folder_io *f, const char *task)
{
    struct folder_run r = {.task = task};
    struct gm_err err = {.code = GM_OK};
    int64_t chunk = -1;
    assist_must(folder_io_run(f, &r, &chunk, &err), &err);
}

struct made {
    size_t count;
    uint8_t hash[FILES][32];
    size_t on_device;            /* chunks */
    char why[ASSIST_CHUNKS][64]; /* decoder_reason */
};

/* api: what decodes, besides software. */
static struct made encode(struct folder_io *f, const char *api)
{
    static struct made m;
    memset(&m, 0, sizeof m);
    assist_run(f, "encode");
    CHECK(folder_io_items(f, "encode", 0, 0) == ASSIST_CHUNKS);
    for (uint32_t i = 0; i < ASSIST_CHUNKS; i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *meta =
            gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        CHECK(meta != NULL && m.count + item->n_objects <= FILES && item->n_objects > 0);
        m.on_device += strcmp(meta->decoder, api) == 0;
        (void)snprintf(m.why[i], sizeof m.why[i], "%s", meta->decoder_reason);
        for (size_t k = 0; k < item->n_objects; k++) {
            memcpy(m.hash[m.count++], item->objects[k]->sha256.data, 32);
        }
        gm__encode_item_meta__free_unpacked(meta, NULL);
    }
    return m;
}

static bool is_as_fated(const struct assist_fate *fate, const struct made *m,
                        const struct gm_err *told, size_t times)
{
    return told->code == fate->code && times == (fate->code != GM_OK ? 1 : 0) &&
           m->on_device == fate->on_device && strcmp(m->why[ASSIST_CHUNKS - 1], fate->why) == 0;
}

void assist_meet(const void *arg)
{
    const struct assist_fate *fate = arg;
    const uint32_t ladder[] = {80, 48};
    const struct folder_pipeline params = {.ladder = ladder, .rungs = 2, .qp_plus_1 = 31};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = NULL;
    struct gm_err err = {.code = GM_OK};
    size_t times = 0;
    fake_gpu_profile(fate->profile, fate->lines);
    assist_must(folder_io_create(clip_source()->path, pipeline, &f, &err), &err);
    assist_run(f, "inspect");
    assist_run(f, "plan");
    assist_run(f, "split");
    struct made soft = encode(f, fate->api);
    CHECK(soft.on_device == 0 && soft.why[0][0] == '\0');
    folder_io_set_decoder(f, fate->api, fate->device, fate->codecs);
    struct made hard = encode(f, fate->api);
    struct gm_err told = folder_io_device_failure(f, &times);
    if (!is_as_fated(fate, &hard, &told, times)) {
        (void)fprintf(stderr, "%s: %zu chunks on the device, then %s; told %zu times %d: %s\n",
                      fate->lines, hard.on_device, hard.why[ASSIST_CHUNKS - 1], times,
                      (int)told.code, told.text);
        fake_gpu_fail("what happens to the GPU is told", __FILE__, __LINE__);
    }
    CHECK(hard.count == soft.count && memcmp(hard.hash, soft.hash, sizeof soft.hash) == 0);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}
