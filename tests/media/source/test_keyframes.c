#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "media/movie_io.h"
#include "media/source/keyframes.h"

#define FRAMES 100
#define EVERY 10

struct told {
    uint64_t at[FRAMES];
    size_t count;
    size_t most; /* then it fails */
};

static int take(uint64_t offset, void *arg, struct gm_err *err)
{
    struct told *told = arg;
    if (told->count == told->most) {
        return gm_err_set(err, GM_E_LIMIT, 0, "that is enough");
    }
    assert_true(told->count == 0 || offset > told->at[told->count - 1]);
    told->at[told->count++] = offset;
    return 0;
}

static int find(const char *path, int64_t apart, struct told *out)
{
    struct gm_err err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    out->count = 0;
    int rc = gm_keyframes_find(gm_source_plain(fd), lseek(fd, 0, SEEK_END), apart, take, out, &err);
    (void)close(fd);
    return rc;
}

static void each_container_tells_its_keyframes(void **state)
{
    static const struct movie rows[] = {{.format = "mp4"},
                                        {.format = "mov", .index_first = true, .sound = true},
                                        {.format = "matroska", .sound = true},
                                        {.format = "mpegts"},
                                        {.format = "avi"}};
    struct clip *clip = clip_make("libx264", "g=10,keyint_min=10,sc_threshold=0,bf=2", FRAMES);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct told told = {.most = FRAMES};
        char path[4096];
        movie_write(clip, &rows[i], path);
        assert_int_equal(find(path, 1, &told), 0);
        /* the first may lie at the file's begin, where nothing is cut */
        if (told.count != FRAMES / EVERY && told.count != FRAMES / EVERY - 1) {
            fail_msg("%s: %zu keyframes", rows[i].format, told.count);
        }
        size_t all = told.count;
        assert_int_equal(find(path, (int64_t)(told.at[2] - told.at[0]), &told), 0);
        assert_true(told.count > 1 && told.count < all);
        told.most = 3;
        assert_int_equal(find(path, 1, &told), -GM_E_LIMIT);
        assert_int_equal(told.count, 3);
        movie_remove(path);
    }
    clip_free(&clip);
}

static void what_has_no_pictures_has_none(void **state)
{
    char path[] = "/tmp/gm-keyframes-XXXXXX";
    struct told told = {.most = FRAMES};
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(find(path, 1, &told), -GM_E_INPUT_EMPTY);
    assert_int_equal(write(fd, "text, and no media", 18), 18);
    assert_int_equal(find(path, 1, &told), -GM_E_INPUT_UNREADABLE);
    assert_int_equal(told.count, 0);
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_container_tells_its_keyframes),
        cmocka_unit_test(what_has_no_pictures_has_none),
    };
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
