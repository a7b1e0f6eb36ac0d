#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "media/folder_io.h"
#include "media/movie_io.h"
#include "media/source/tail.h"

#define FRAMES 4500 /* of some 6 KB */

/* ends 0: all is there, and the source is no upload. Owned. */
static Gm__Inspection *inspect(const char *path, bool no_video, uint64_t ends)
{
    struct folder_pipeline params = {.no_video = no_video, .audio = no_video};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *f = NULL;
    struct folder_run run = {.task = "inspect"};
    struct gm_err err = {.code = GM_OK};
    assert_int_equal(folder_io_create(path, pipeline, &f, &err), 0);
    folder_io_set_ends(f, ends);
    int rc = folder_io_run(f, &run, NULL, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    const Gm__TaskResult *r = folder_io_result(f, "inspect", 0);
    Gm__Inspection *facts = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(facts);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
    return facts;
}

static void assert_same(const Gm__Inspection *a, const Gm__Inspection *b)
{
    size_t n = gm__inspection__get_packed_size(a);
    uint8_t *x = malloc(n), *y = malloc(n);
    assert_int_equal(gm__inspection__get_packed_size(b), n);
    gm__inspection__pack(a, x);
    gm__inspection__pack(b, y);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* slack: of the length, which is estimated. */
static void check_file(const char *path, bool no_video, int64_t slack_us)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 3 * GM_TAIL_ENDS); /* there is something between */
    Gm__Inspection *ends = inspect(path, no_video, (uint64_t)GM_TAIL_ENDS);
    Gm__Inspection *all = inspect(path, no_video, (uint64_t)st.st_size);
    Gm__Inspection *file = inspect(path, no_video, 0);
    assert_same(ends, all); /* whatever has come */
    assert_int_equal(ends->n_audio, file->n_audio);
    assert_int_equal(ends->timeline, file->timeline);
    assert_int_equal(ends->zero->num, file->zero->num);
    assert_in_range(ends->duration_us, file->duration_us - slack_us, file->duration_us + slack_us);
    if (!no_video) {
        assert_int_equal(ends->video->frame_rate->num, file->video->frame_rate->num);
        assert_int_equal(ends->video->width_px, file->video->width_px);
        assert_string_equal(ends->video->field_order, file->video->field_order);
    }
    gm__inspection__free_unpacked(ends, NULL);
    gm__inspection__free_unpacked(all, NULL);
    gm__inspection__free_unpacked(file, NULL);
}

static void the_middle_of_what_still_comes_is_not_read(void **state)
{
    static const struct movie movies[] = {
        {.format = "mov", .sound = true},
        {.format = "mov", .sound = true, .index_first = true},
        {.format = "mov", .sound = true, .fragmented = true},
        {.format = "matroska", .sound = true},
        {.format = "mpegts"},
    };
    struct clip *clip = clip_make("mpeg2video", "g=1,qmin=1,qmax=1", FRAMES);
    (void)state;
    for (size_t i = 0; i < sizeof movies / sizeof movies[0]; i++) {
        char path[4096];
        int64_t slack_us = movies[i].fragmented ? 30000000 : 1000000;
        movie_write(clip, &movies[i], path);
        check_file(path, false, slack_us);
        if (movies[i].sound) {
            check_file(path, true, slack_us);
        }
        movie_remove(path);
    }
    clip_free(&clip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_of_what_still_comes_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
