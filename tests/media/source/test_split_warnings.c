#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/movie_io.h"
#include "media/source_io.h"
#include "media/split_io.h"

/* What inspect and split say of sources that are odd. */

#define FRAMES 60
#define SAID 512
#define CODED "source.colour_guessed=1 "

struct odd {
    const char *codec, *options, *format;
    int jump_s; /* of the second half's times */
    enum AVCodecID text_codec;
    struct movie_text text;
};

/* "code=count " of each warning. */
static void add_said(char said[SAID], Gm__Warning **list, size_t count)
{
    size_t at = strlen(said);
    for (size_t i = 0; i < count && at < SAID; i++) {
        at += (size_t)snprintf(said + at, SAID - at, "%s=%d ", list[i]->code, (int)list[i]->count);
    }
}

/* What both tasks say of the file; *out_frames: that split counted. */
static void look(const char *path, const struct folder_pipeline *params, char said[SAID],
                 int64_t *out_frames)
{
    struct farm farm;
    if (farm_run_of(&farm, path, params) < 0) {
        fail_msg("%s", farm.err.text);
    }
    const Gm__TaskResult *r = folder_io_result(farm.f, "inspect", 0);
    Gm__Inspection *facts = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
    Gm__SplitMeta *meta = farm_split_meta(&farm);
    said[0] = '\0';
    add_said(said, facts->warnings, facts->n_warnings);
    add_said(said, meta->warnings, meta->n_warnings);
    *out_frames = meta->frames;
    gm__inspection__free_unpacked(facts, NULL);
    gm__split_meta__free_unpacked(meta, NULL);
    farm_fini(&farm);
}

static void run(const struct odd *odd, char said[SAID], int64_t *out_frames)
{
    static const uint32_t ladder[] = {80};
    static const struct folder_pipeline params = {.ladder = ladder, .rungs = 1, .subtitles = true};
    struct clip *clip = clip_make(odd->codec, odd->options, FRAMES);
    struct movie movie = {.format = odd->format,
                          .text_codec = odd->text_codec,
                          .texts = &odd->text,
                          .text_count = odd->text_codec != AV_CODEC_ID_NONE};
    char path[4096];
    for (size_t i = 0; i < clip->packet_count; i++) {
        AVPacket *p = clip->packets[i];
        int64_t jump = i >= clip->packet_count / 2 ? (int64_t)odd->jump_s * 25 : 0;
        p->pts += jump;
        p->dts += jump;
    }
    movie_write(clip, &movie, path);
    look(path, &params, said, out_frames);
    movie_remove(path);
    clip_free(&clip);
}

static void each_oddity_is_told(void **state)
{
    static uint8_t large[(1 << 20) + 1]; /* a byte more than split takes */
    static const char captions[] = "\0\0\0\x0a"
                                   "cdat\x94\x2c";
    static const char mpeg2[] = "mpeg2video", mpeg4[] = "mpeg4", gop[] = "g=15";
    static const struct {
        struct odd odd;
        const char *said;
    } rows[] = {
        {{mpeg2, gop, "mpegts", 0, AV_CODEC_ID_NONE, {0}}, CODED},
        {{mpeg2, gop, "mpegts", 100, AV_CODEC_ID_NONE, {0}}, CODED "source.clock_jumps=1 "},
        /* 8 s are a hole; in Matroska 100 s are. */
        {{mpeg2, gop, "mpegts", 8, AV_CODEC_ID_NONE, {0}}, CODED},
        {{mpeg4, gop, "matroska", 100, AV_CODEC_ID_NONE, {0}}, CODED},
        {{mpeg2, gop, "mpeg2video", 0, AV_CODEC_ID_NONE, {0}}, CODED "source.times_missing=1 "},
        {{mpeg4, gop, "matroska", 0, AV_CODEC_ID_SUBRIP, {0, 1000, "x", 1}}, CODED},
        {{mpeg4, gop, "matroska", 0, AV_CODEC_ID_SUBRIP, {0, 1000, large, sizeof large}},
         CODED "source.text_dropped=1 "},
        {{mpeg4, gop, "mov", 0, AV_CODEC_ID_EIA_608, {0, 1000, captions, 10}},
         "source.streams_dropped=1 source.caption_tracks=1 " CODED},
    };
    (void)state;
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char said[SAID];
        int64_t frames;
        run(&rows[i].odd, said, &frames);
        if (strcmp(said, rows[i].said) != 0 || frames != FRAMES) {
            fail_msg("row %zu: %s, %d frames", i, said, (int)frames);
        }
    }
}

#define BOXES 4100 /* split keeps 4096 pictures for a chunk, and fewer of so many bytes */

static void subtitles_over_the_limit_are_told(void **state)
{
    static struct source_box boxes[BOXES];
    static const uint32_t ladder[] = {80};
    const struct folder_pipeline params = {.ladder = ladder, .rungs = 1, .burn = "auto"};
    const struct source_params source = {.width_px = 96,
                                         .height_px = 80,
                                         .rate_num = 25,
                                         .rate_den = 1,
                                         .frames = 125,
                                         .boxes = boxes,
                                         .box_count = BOXES};
    char path[] = "/tmp/gm-odd-XXXXXX.mkv", said[SAID];
    int64_t frames;
    (void)state;
    for (int i = 0; i < BOXES; i++) {
        boxes[i] = (struct source_box){.at_ms = i, .shows = true};
    }
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    (void)close(fd);
    source_make(path, &source);
    look(path, &params, said, &frames);
    const char *count = strstr(said, "source.subtitles_not_drawn=");
    assert_non_null(count);
    assert_in_range(strtol(strchr(count, '=') + 1, NULL, 10), 4, BOXES / 2);
    assert_int_equal(unlink(path), 0);
}

static void subtitles_that_come_late_are_told(void **state)
{
    static const struct source_box boxes[] = {
        {.at_ms = 1000, .shows = true}, {.at_ms = 2000}, {.at_ms = 13000, .shows = true}};
    static const uint32_t ladder[] = {80};
    const struct folder_pipeline params = {.ladder = ladder, .rungs = 1, .burn = "auto"};
    (void)state;
    for (int late = 0; late < 2; late++) {
        const struct source_params source = {.width_px = 96,
                                             .height_px = 80,
                                             .rate_num = 25,
                                             .rate_den = 1,
                                             .frames = 350,
                                             .boxes = boxes,
                                             .box_count = 3,
                                             .boxes_last = late != 0};
        char path[] = "/tmp/gm-odd-XXXXXX.mkv", said[SAID];
        int64_t frames;
        int fd = mkstemps(path, 4);
        assert_true(fd >= 0);
        (void)close(fd);
        source_make(path, &source);
        look(path, &params, said, &frames);
        const char *told = strstr(said, "source.subtitles_not_drawn=");
        if (late != 0) {
            assert_non_null(told);
            assert_int_equal(strtol(strchr(told, '=') + 1, NULL, 10), 2);
        } else {
            assert_null(told);
        }
        assert_int_equal(unlink(path), 0);
    }
}

#define TEXTS 66 /* of 1 MiB: inspect reads files of up to 64 MiB whole */

static void estimates_are_told(void **state)
{
    static uint8_t large[1 << 20];
    static struct movie_text texts[TEXTS];
    static const struct folder_pipeline params = {.no_video = false};
    struct clip *clip = clip_make("mpeg4", "g=15", FRAMES);
    struct movie movie = {.format = "matroska",
                          .text_codec = AV_CODEC_ID_SUBRIP,
                          .texts = texts,
                          .text_count = TEXTS};
    char path[4096], said[SAID];
    int64_t frames;
    (void)state;
    memset(large, 'x', sizeof large);
    for (int i = 0; i < TEXTS; i++) {
        texts[i] = (struct movie_text){i * 20, 10, large, sizeof large};
    }
    movie_write(clip, &movie, path);
    look(path, &params, said, &frames);
    assert_string_equal(said, "source.duration_estimated=1 " CODED);
    assert_int_equal(frames, FRAMES);
    movie_remove(path);
    clip_free(&clip);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_oddity_is_told),
        cmocka_unit_test(subtitles_over_the_limit_are_told),
        cmocka_unit_test(subtitles_that_come_late_are_told),
        cmocka_unit_test(estimates_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
