#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "media/split_io.h"

static const struct folder_pipeline usual = {.audio = true};

static int run_tasks(struct farm *farm, const char *path, const struct folder_pipeline *params,
                     bool fields, const Gm__SkipItems *skip, size_t skips)
{
    static const char *const tasks[] = {"inspect", "plan", "split"};
    int rc = 0;
    *farm = (struct farm){.pipeline = folder_pipeline(params)};
    for (size_t i = 0; fields && i < farm->pipeline->n_tasks; i++) {
        if (farm->pipeline->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            Gm__EncodeParams *encode = farm->pipeline->tasks[i]->encode;
            if (encode->deinterlace != protobuf_c_empty_string) {
                free(encode->deinterlace);
            }
            encode->deinterlace = strdup("on");
        }
    }
    assert_int_equal(folder_io_create(path, farm->pipeline, &farm->f, &farm->err), 0);
    for (int i = 0; rc == 0 && i < 3; i++) {
        struct folder_run run = {.task = tasks[i]};
        if (i == 2) {
            run.skip = skip;
            run.skips = skips;
        }
        rc = folder_io_run(farm->f, &run, NULL, &farm->err);
    }
    return rc;
}

int farm_run_fields(struct farm *farm, const char *path, bool fields, const Gm__SkipItems *skip,
                    size_t skips)
{
    return run_tasks(farm, path, &usual, fields, skip, skips);
}

int farm_run_of(struct farm *farm, const char *path, const struct folder_pipeline *params)
{
    return run_tasks(farm, path, params, false, NULL, 0);
}

int farm_run(struct farm *farm, const char *path, const Gm__SkipItems *skip, size_t skips)
{
    return run_tasks(farm, path, &usual, false, skip, skips);
}

void farm_fini(struct farm *farm)
{
    folder_io_destroy(&farm->f);
    gm__pipeline__free_unpacked(farm->pipeline, NULL);
}

Gm__SplitMeta *farm_split_meta(const struct farm *farm)
{
    const Gm__TaskResult *r = folder_io_result(farm->f, "split", 0);
    assert_non_null(r);
    Gm__SplitMeta *meta = gm__split_meta__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(meta);
    return meta;
}

int farm_open_chunk(const struct farm *farm, uint32_t stream, uint32_t index)
{
    char path[4096];
    const Gm__Item *item = folder_io_item(farm->f, "split", 0, stream, index);
    assert_non_null(item);
    assert_int_equal(item->n_objects, 1);
    folder_io_path(farm->f, item->objects[0], path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int next_chunk(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct farm_chunks *r = arg;
    (void)err;
    *out_more = r->next < r->end;
    if (*out_more) {
        *out_fd = farm_open_chunk(r->farm, 0, r->next++);
    }
    return 0;
}

static int open_source(void *arg, struct gm_source_file *out, struct gm_err *err)
{
    (void)err;
    *out = gm_source_plain(((struct farm_chunks *)arg)->source);
    return 0;
}

struct gm_frames *farm_open_frames(struct farm_chunks *run)
{
    struct gm_frames_source from = {run, next_chunk, open_source, NULL};
    struct gm_frames *frames = NULL;
    struct gm_err err;
    assert_int_equal(gm_frames_create(&from, &frames, &err), 0);
    return frames;
}

void farm_assert_pictures(const struct farm *farm, const struct clip *clip, int source,
                          size_t first)
{
    size_t at = first;
    for (uint32_t i = 0; i < folder_io_items(farm->f, "split", 0, 0); i++) {
        struct farm_chunks run = {farm, i, i + 1, source};
        struct gm_frames *frames = farm_open_frames(&run);
        struct gm_frames_step step = {0};
        struct gm_err err;
        uint8_t hash[32];
        while (step.event != GM_FRAMES_RUN_END) {
            assert_int_equal(gm_frames_next(frames, &step, &err), 0);
            if (step.event == GM_FRAMES_PICTURE) {
                assert_true(at < clip->frame_count);
                clip_hash(step.picture, hash);
                assert_memory_equal(hash, clip->frames[at].sha256, 32);
                at++;
            } else if (step.event == GM_FRAMES_CHUNK_END) {
                assert_int_equal(step.stats.replaced, 0);
            }
        }
        gm_frames_destroy(&frames);
    }
    assert_int_equal(at, clip->frame_count);
}
