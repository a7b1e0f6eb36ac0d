#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/folder_io.h"
#include "media/image.h"

/* inspect .. thumbnails over a clip of 17 s at 25 frames a second: tiles at 0, 5, 10 and 15 s. */
#define FRAMES 425

static char source_path[4096];

static int make_source(void **state)
{
    static char dir[] = "/tmp/test-thumbnails-XXXXXX";
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(source_path, sizeof source_path, "%s/clip.mp4", dir);
    struct clip *c = clip_make("libx264", "preset=veryfast,bf=2,g=50", FRAMES);
    clip_mux(c, source_path);
    clip_free(&c);
    return 0;
}

static int remove_source(void **state)
{
    (void)state;
    (void)unlink(source_path);
    *strrchr(source_path, '/') = '\0';
    return rmdir(source_path);
}

/* Runs the chain; encode in runs of `run` chunks, the last run first when backwards. */
static struct folder_io *run_chain(Gm__Pipeline *pipeline, uint32_t run, bool backwards)
{
    static const char *const tasks[] = {"inspect", "plan", "split"};
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    int64_t chunk;
    int rc = folder_io_create(source_path, pipeline, &f, &err);
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        struct folder_run r = {.task = tasks[i]};
        rc = folder_io_run(f, &r, &chunk, &err);
    }
    uint32_t count = rc == 0 ? folder_io_items(f, "split", 0, 0) : 0;
    for (uint32_t i = 0; i < count && rc == 0; i += run) {
        uint32_t first = backwards ? (count - 1 - i) / run * run : i;
        struct folder_run r = {.task = "encode", .first_chunk = first, .chunks = run};
        rc = folder_io_run(f, &r, &chunk, &err);
    }
    struct folder_run last = {.task = "thumbnails"};
    if (rc == 0) {
        rc = folder_io_run(f, &last, &chunk, &err);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return f;
}

/* The file of the thumbnails' result with that name. Owned. */
static uint8_t *load(const struct folder_io *f, const char *name, size_t *out_size)
{
    const Gm__TaskResult *r = folder_io_result(f, "thumbnails", 0);
    Gm__ThumbnailsMeta *meta = gm__thumbnails_meta__unpack(NULL, r->meta.len, r->meta.data);
    uint8_t *data = NULL;
    assert_non_null(meta);
    assert_int_equal(meta->n_files, r->n_objects);
    for (size_t i = 0; i < meta->n_files; i++) {
        if (strcmp(meta->files[i]->name, name) == 0) {
            char path[4096];
            uint8_t sha256[32];
            struct gm_err err;
            folder_io_path(f, r->objects[i], path);
            assert_int_equal(gm_fs_read(path, 1 << 24, &data, out_size, &err), 0);
            assert_int_equal(meta->files[i]->size, *out_size);
            gm_sha256(data, *out_size, sha256);
            assert_memory_equal(meta->files[i]->sha256.data, sha256, 32);
            assert_non_null(strstr(meta->files[i]->path, "images/"));
        }
    }
    gm__thumbnails_meta__free_unpacked(meta, NULL);
    return data;
}

static AVFrame *load_picture(const struct folder_io *f, const char *name)
{
    size_t size = 0;
    AVFrame *out = NULL;
    struct gm_err err;
    uint8_t *data = load(f, name, &size);
    assert_non_null(data);
    assert_int_equal(gm_image_decode(data, size, &out, &err), 0);
    free(data);
    return out;
}

static Gm__ThumbnailsParams *params_of(Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        if (strcmp(pipeline->tasks[i]->type, "thumbnails") == 0) {
            return pipeline->tasks[i]->thumbnails;
        }
    }
    return NULL;
}

static void sheets_and_their_index_agree(void **state)
{
    (void)state;
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->columns = 2;
    params_of(pipeline)->rows = 1;
    params_of(pipeline)->width = 48;
    params_of(pipeline)->interval_s = 6;
    struct folder_io *f = run_chain(pipeline, 1, false);
    size_t size = 0;
    uint8_t *vtt = load(f, "thumbnails.vtt", &size);
    assert_string_equal((const char *)vtt, "WEBVTT\n"
                                           "\n00:00:00.000 --> 00:00:06.000\n"
                                           "sprite-001.jpg#xywh=0,0,48,40\n"
                                           "\n00:00:06.000 --> 00:00:12.000\n"
                                           "sprite-001.jpg#xywh=48,0,48,40\n"
                                           "\n00:00:12.000 --> 00:00:17.000\n"
                                           "sprite-002.jpg#xywh=0,0,48,40\n");
    free(vtt);
    AVFrame *first = load_picture(f, "sprite-001.jpg");
    AVFrame *second = load_picture(f, "sprite-002.jpg");
    assert_int_equal(first->width, 96);
    assert_int_equal(first->height, 40);
    assert_int_equal(second->width, 48);
    assert_int_equal(second->height, 40);
    av_frame_free(&first);
    av_frame_free(&second);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void images_are_the_same_whatever_the_order(void **state)
{
    (void)state;
    static const char *const names[] = {"sprite-001.jpg", "thumbnails.vtt", "poster.jpg"};
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *a = run_chain(pipeline, 1, false);
    struct folder_io *b = run_chain(pipeline, 1, true);
    struct folder_io *c = run_chain(pipeline, 2, true);
    for (size_t i = 0; i < 3; i++) {
        size_t sizes[3];
        uint8_t *bytes[3] = {load(a, names[i], &sizes[0]), load(b, names[i], &sizes[1]),
                             load(c, names[i], &sizes[2])};
        for (size_t k = 0; k < 3; k++) {
            assert_non_null(bytes[k]);
            assert_int_equal(sizes[k], sizes[0]);
            assert_memory_equal(bytes[k], bytes[0], sizes[0]);
        }
        for (size_t k = 0; k < 3; k++) {
            free(bytes[k]);
        }
    }
    folder_io_destroy(&a);
    folder_io_destroy(&b);
    folder_io_destroy(&c);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void the_poster_is_the_best_candidate_and_no_wider_than_asked(void **state)
{
    (void)state;
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->poster_width = 64;
    struct folder_io *f = run_chain(pipeline, 1, false);
    AVFrame *poster = load_picture(f, "poster.jpg");
    assert_int_equal(poster->width, 64);
    assert_int_equal(poster->height, 54); /* 80 * 64 / 96, rounded to even */
    av_frame_free(&poster);
    double best = -1;
    char want[4096] = "";
    for (uint32_t i = 0; i < folder_io_items(f, "encode", 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        for (size_t k = 0; k < item->n_objects; k++) {
            if (strstr(item->objects[k]->key, "poster") != NULL && m->poster_score > best) {
                best = m->poster_score;
                folder_io_path(f, item->objects[k], want);
            }
        }
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    struct gm_err err;
    size_t sizes[2];
    uint8_t *candidate = NULL;
    assert_true(best > 0);
    assert_int_equal(gm_fs_read(want, 1 << 24, &candidate, &sizes[0], &err), 0);
    uint8_t *chosen = load(f, "poster.jpg", &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(candidate, chosen, sizes[0]);
    free(candidate);
    free(chosen);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheets_and_their_index_agree),
        cmocka_unit_test(images_are_the_same_whatever_the_order),
        cmocka_unit_test(the_poster_is_the_best_candidate_and_no_wider_than_asked),
    };
    return cmocka_run_group_tests(tests, make_source, remove_source);
}
