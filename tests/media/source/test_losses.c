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
#include "media/source/losses.h"

#define FRAMES 320
#define FRAME_US 40000

/* What the demuxer gives of the file, and what is said to be missing. */
static int64_t lost_of(const char *path, int *out_pictures)
{
    struct gm_source source;
    struct gm_losses losses;
    struct gm_err err;
    AVPacket *p = av_packet_alloc();
    int fd = open(path, O_RDONLY | O_CLOEXEC), av;
    *out_pictures = 0;
    assert_int_equal(gm_source_open(gm_source_plain(fd), "it", true, &source, &err), 0);
    assert_int_equal(
        gm_losses_init(&losses, source.format, gm_source_plain(fd), lseek(fd, 0, SEEK_END), &err),
        0);
    while ((av = gm_source_read(source.format, p)) == 0) {
        *out_pictures += p->stream_index == 0;
        assert_int_equal(gm_losses_packet(&losses, p, &err), 0);
        av_packet_unref(p);
    }
    assert_int_equal(av, AVERROR_EOF);
    int64_t us = gm_losses_us(&losses);
    assert_int_equal(gm_losses_us(&losses), us);
    gm_losses_fini(&losses);
    gm_source_close(&source);
    av_packet_free(&p);
    (void)close(fd);
    return us;
}

/* Block n of the file, counted over all tracks. */
static struct gm_ebml_step block_of(int fd, int n)
{
    struct gm_ebml e;
    struct gm_ebml_step step;
    struct gm_err err;
    gm_ebml_init(&e, gm_source_plain(fd), lseek(fd, 0, SEEK_END));
    do {
        assert_int_equal(gm_ebml_next(&e, INT64_MAX, &step, &err), 0);
        assert_int_equal(step.event, GM_EBML_BLOCK);
    } while (n-- > 0);
    return step;
}

static void overwrite(int fd, int64_t from, int64_t size)
{
    for (int64_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i * 151 + 7);
        assert_int_equal(pwrite(fd, &byte, 1, from + i), 1);
    }
}

static void remove_bytes(int fd, int64_t from, int64_t size)
{
    int64_t end = lseek(fd, 0, SEEK_END);
    char *rest = malloc((size_t)(end - from - size));
    assert_non_null(rest);
    assert_int_equal(pread(fd, rest, (size_t)(end - from - size), from + size), end - from - size);
    assert_int_equal(pwrite(fd, rest, (size_t)(end - from - size), from), end - from - size);
    assert_int_equal(ftruncate(fd, end - size), 0);
    free(rest);
}

enum harm { NONE, HEADS, HOLE, TRACK, LACING, BODY };

static void harm(const char *path, enum harm what, bool sound)
{
    int fd = open(path, O_RDWR | O_CLOEXEC), n = sound ? 300 : 150;
    struct gm_ebml_step step = block_of(fd, n), next = block_of(fd, n + 3);
    switch (what) {
    case NONE:
        break;
    case HEADS:
        overwrite(fd, step.pos - 2, next.pos - step.pos);
        break;
    case HOLE:
        remove_bytes(fd, step.pos + 3, next.pos - step.pos);
        break;
    case TRACK:
        assert_int_equal(pwrite(fd, "\x85", 1, step.pos), 1);
        break;
    case LACING:
        assert_int_equal(pwrite(fd, "\x82\xff\xff\xff", 4, step.pos + 3), 4);
        break;
    case BODY:
        overwrite(fd, step.pos + 5, step.size - 5);
        break;
    }
    (void)close(fd);
}

static void what_the_demuxer_passes_over_is_lost_time(void **state)
{
    static const struct {
        const char *encoder, *options;
        bool sound;
        enum harm what;
        bool loses;
    } rows[] = {
        {"mpeg2video", "g=12", false, NONE, false},
        {"mpeg2video", "g=12", false, HEADS, true},
        {"mpeg2video", "g=12", true, HEADS, true},
        {"mpeg2video", "g=12", false, HOLE, true},
        {"mpeg2video", "g=12", true, HOLE, true},
        {"mpeg2video", "g=12", false, TRACK, true},
        {"mpeg2video", "g=12", true, TRACK, true},
        {"mpeg2video", "g=12", false, LACING, true},
        {"mpeg2video", "g=12", false, BODY, false}, /* damaged, but in its place */
        {"libx264", "preset=ultrafast,bf=3,g=40", true, NONE, false},
        {"libx264", "preset=ultrafast,bf=3,g=40", true, HEADS, true},
        {"mpeg4", "bf=2,g=40", true, NONE, false},
        {"mpeg4", "bf=2,g=40", true, HEADS, true},
    };
    (void)state;
    av_log_set_level(AV_LOG_QUIET);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make(rows[i].encoder, rows[i].options, FRAMES);
        struct movie movie = {.format = "matroska", .sound = rows[i].sound};
        char path[4096];
        int pictures = 0;
        movie_write(clip, &movie, path);
        harm(path, rows[i].what, rows[i].sound);
        int64_t us = lost_of(path, &pictures);
        assert_int_equal(pictures < FRAMES, rows[i].loses);
        /* times are whole milliseconds; B-pictures at the gap's edges may be lost beside it */
        int64_t gone = (int64_t)(FRAMES - pictures) * FRAME_US;
        assert_in_range(us, gone > 3 * FRAME_US ? gone - 3 * FRAME_US : gone, gone + FRAME_US);
        movie_remove(path);
        clip_free(&clip);
    }
}

/* Frames that were never there: nothing of the file is wrong. */
static void a_gap_alone_is_no_loss(void **state)
{
    static const char *const encoders[] = {"mpeg2video", "mpeg4", "libx264"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct clip *clip = clip_make(encoders[i], "g=10", FRAMES);
        struct movie movie = {.format = "matroska", .sound = true};
        char path[4096];
        int pictures = 0;
        for (size_t k = 100; k < 150; k++) {
            av_packet_free(&clip->packets[k]);
        }
        for (size_t k = 150; k < clip->packet_count; k++) {
            clip->packets[k - 50] = clip->packets[k];
            clip->packets[k] = NULL;
        }
        clip->packet_count -= 50;
        movie_write(clip, &movie, path);
        assert_int_equal(lost_of(path, &pictures), 0);
        assert_int_equal(pictures, FRAMES - 50);
        movie_remove(path);
        clip_free(&clip);
    }
}

static void other_formats_say_nothing(void **state)
{
    struct clip *clip = clip_make("mpeg4", "g=12", 50);
    struct movie movie = {.format = "avi"};
    char path[4096];
    int pictures;
    (void)state;
    movie_write(clip, &movie, path);
    assert_int_equal(lost_of(path, &pictures), 0);
    movie_remove(path);
    clip_free(&clip);
    struct gm_losses none = {0};
    assert_int_equal(gm_losses_us(&none), 0);
    gm_losses_fini(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_demuxer_passes_over_is_lost_time),
        cmocka_unit_test(a_gap_alone_is_no_loss),
        cmocka_unit_test(other_formats_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
