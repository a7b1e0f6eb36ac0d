#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "media/av.h"
#include "media/folder_io.h"
#include "media/movie_io.h"

/* A source on a disk or a network that fails in the middle: no task takes that for the end of the
 * file or for its fault. pread below stands in for the C library's: media/ reads sources by it
 * alone. */

static struct {
    ino_t file; /* 0: none fails */
    int64_t from;
    int64_t times; /* so many reads fail, then none */
} broken;

ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
    struct stat st;
    if (broken.file != 0 && broken.times > 0 && fstat(fd, &st) == 0 && st.st_ino == broken.file &&
        offset + (off_t)size > broken.from) {
        broken.times--;
        errno = EIO;
        return -1;
    }
    return (ssize_t)syscall(SYS_pread64, fd, buf, size, offset);
}

struct farm {
    char path[4096];
    struct stat st;
    Gm__Pipeline *pipeline;
    struct folder_io *f;
    struct gm_err err;
};

static void farm_make(struct farm *farm, const char *format, bool sound_alone, const char *damage)
{
    struct clip *clip = clip_make("mpeg2video", "bf=2,g=10", 60);
    struct movie movie = {.format = format,
                          .sound = strcmp(format, "mpegts") != 0}; /* it has no PCM */
    struct folder_pipeline params = {.audio = true, .no_video = sound_alone};
    *farm = (struct farm){.pipeline = folder_pipeline(&params)};
    av_log_set_level(AV_LOG_QUIET);
    movie_write(clip, &movie, farm->path);
    clip_free(&clip);
    for (size_t i = 0; i < farm->pipeline->n_tasks; i++) {
        Gm__PipelineTask *task = farm->pipeline->tasks[i];
        if (task->params_case == GM__PIPELINE_TASK__PARAMS_SPLIT) {
            if (task->split->damage != protobuf_c_empty_string) {
                free(task->split->damage);
            }
            task->split->damage = strdup(damage);
        }
    }
    assert_int_equal(stat(farm->path, &farm->st), 0);
    assert_int_equal(folder_io_create(farm->path, farm->pipeline, &farm->f, &farm->err), 0);
}

static void farm_fini(struct farm *farm)
{
    folder_io_destroy(&farm->f);
    gm__pipeline__free_unpacked(farm->pipeline, NULL);
    movie_remove(farm->path);
}

static int run(struct farm *farm, const char *task, int64_t from, int64_t times)
{
    const struct folder_run what = {.task = task};
    broken.file = farm->st.st_ino;
    broken.from = from;
    broken.times = times;
    int rc = folder_io_run(farm->f, &what, NULL, &farm->err);
    broken.file = 0;
    return rc;
}

static void inspection_of(const struct farm *farm, Gm__Inspection **out)
{
    const Gm__TaskResult *r = folder_io_result(farm->f, "inspect", 0);
    assert_non_null(r);
    *out = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(*out);
}

static void inspect_blames_no_file_that_it_could_not_read(void **state)
{
    static const char *const formats[] = {"mpegts", "matroska", "mov", "avi"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (int alone = 0; alone < (i == 0 ? 1 : 2); alone++) {
            struct farm farm;
            farm_make(&farm, formats[i], alone == 1, "salvage");
            /* At the beginning, in the middle, near the end; for good, and once. */
            for (int part = 0; part < 6; part++) {
                int64_t from = farm.st.st_size * (part % 3) * 45 / 100;
                int rc = run(&farm, "inspect", from, part < 3 ? INT64_MAX : 1);
                if (rc != -GM_E_SYS || farm.err.native != EIO) {
                    fail_msg("%s from byte %lld: %d, %s", formats[i], (long long)from, rc,
                             farm.err.text);
                }
            }
            if (run(&farm, "inspect", 0, 0) != 0) {
                fail_msg("%s: %s", formats[i], farm.err.text);
            }
            farm_fini(&farm);
        }
    }
}

static void split_makes_no_short_film_of_it(void **state)
{
    static const char *const formats[] = {"mpegts", "matroska", "mov", "avi"};
    static const char *const damage[] = {"salvage", "fail"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (int k = 0; k < 2; k++) {
            struct farm farm;
            Gm__Inspection *facts = NULL;
            farm_make(&farm, formats[i], false, damage[k]);
            assert_int_equal(run(&farm, "inspect", 0, 0), 0);
            assert_int_equal(run(&farm, "plan", 0, 0), 0);
            inspection_of(&farm, &facts);
            assert_int_equal(facts->lost_us, 0);
            gm__inspection__free_unpacked(facts, NULL);
            int rc = run(&farm, "split", farm.st.st_size / 2, INT64_MAX);
            if (rc != -GM_E_SYS || farm.err.native != EIO) {
                fail_msg("%s: %d, %s", formats[i], rc, farm.err.text);
            }
            assert_null(folder_io_result(farm.f, "split", 0));
            /* Another try, when the disk is well again. */
            assert_int_equal(run(&farm, "split", 0, 0), 0);
            farm_fini(&farm);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_blames_no_file_that_it_could_not_read),
        cmocka_unit_test(split_makes_no_short_film_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
