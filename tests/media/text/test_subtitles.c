#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libavutil/log.h>

#include "common/fs.h"
#include "media/folder_io.h"
#include "media/movie_io.h"
#include "media/results.h"
#include "media/source_io.h"
#include "proto/streams.h"

/* The way of text through all tasks: inspect, plan, split, subtitles, verify, mp4, package. */
#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ < 0) {                                                                             \
            fail_msg("%s: %s", #call, err.text);                                                   \
        }                                                                                          \
    } while (0)

static const uint32_t ladder[] = {32};

struct world {
    struct folder_io *io;
    Gm__Pipeline *pipeline;
    char path[64];
};

static struct world start(const struct source_params *params)
{
    const struct folder_pipeline how = {.ladder = ladder,
                                        .rungs = 1,
                                        .audio = params->sound_ms > 0,
                                        .subtitles = true,
                                        .mp4 = true,
                                        .package = true};
    struct gm_err err = {0};
    struct world w = {0};
    char path[] = "/tmp/gm-subtitles-XXXXXX.mkv";
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    close(fd);
    source_make(path, params);
    w.pipeline = folder_pipeline(&how);
    ASSERT_OK(folder_io_create(path, w.pipeline, &w.io, &err));
    ASSERT_OK(folder_io_run_all(w.io, &err));
    (void)snprintf(w.path, sizeof w.path, "%s", path);
    return w;
}

static void end(struct world *w)
{
    folder_io_destroy(&w->io);
    assert_int_equal(unlink(w->path), 0);
    gm__pipeline__free_unpacked(w->pipeline, NULL);
}

static Gm__TextItemMeta *item_meta(struct folder_io *f, uint32_t instance, uint32_t index)
{
    struct gm_err err = {0};
    ProtobufCMessage *meta = NULL;
    const Gm__Item *item = folder_io_item(f, "subtitles", instance, 0, index);
    assert_non_null(item);
    ASSERT_OK(gm_results_item_meta(&gm__text_item_meta__descriptor, item, &meta, &err));
    return (Gm__TextItemMeta *)meta;
}

/* The bytes of a segment, owned. */
static char *segment(struct folder_io *f, uint32_t instance, size_t number)
{
    char path[4096];
    struct gm_err err = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    const Gm__Item *item = folder_io_item(f, "subtitles", instance, 0, 0);
    assert_non_null(item);
    assert_true(number <= item->n_objects);
    folder_io_path(f, item->objects[number - 1], path);
    ASSERT_OK(gm_fs_read(path, 1 << 20, &data, &size, &err));
    return (char *)data;
}

static char *whole(struct folder_io *f, uint32_t instance)
{
    char path[4096];
    struct gm_err err = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    const Gm__TaskResult *result = folder_io_result(f, "subtitles", instance);
    assert_non_null(result);
    assert_int_equal(result->n_objects, 1);
    folder_io_path(f, result->objects[0], path);
    ASSERT_OK(gm_fs_read(path, 1 << 26, &data, &size, &err));
    return (char *)data;
}

static void expect_text(char *got, const char *want)
{
    assert_string_equal(got, want);
    free(got);
}

#define HEAD "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"

static void cues_lie_in_every_segment_that_they_show_in(void **state)
{
    static const struct source_text texts[] = {
        {0, 1000, 500, "one & two"},
        {0, 2000, 500, "bad \xff"},
        {0, 5000, 2500, "over the border"},
        {0, 11900, 100, "ends at the border"},
        {0, 12000, 0, "no end"},
        {0, 12500, 900, "late in the file, <i>early</i> in time"},
        {0, 3500 * 1000, 500, "after all"},
        {2, 13000, 5000, "past the end"},
    };
    static const struct source_params params = {.width_px = 32,
                                                .height_px = 32,
                                                .rate_num = 5,
                                                .rate_den = 1,
                                                .frames = 70,
                                                .texts = texts,
                                                .text_count = 8,
                                                .text_tracks = 3,
                                                .chapters = true};
    struct world w = start(&params);
    struct folder_io *f = w.io;
    struct gm_err err = {0};
    (void)state;
    assert_int_equal(folder_io_instances(f, "subtitles"), 3);
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(folder_io_items(f, "split", 0, GM_STREAM_TEXT + k), 1);
        assert_int_equal(folder_io_items(f, "subtitles", k, 0), 1);
    }
    Gm__TextItemMeta *meta = item_meta(f, 0, 0);
    assert_int_equal(meta->n_segments, 3);
    assert_int_equal(meta->segments[0]->samples, 3);
    assert_int_equal(meta->segments[1]->samples, 2);
    assert_int_equal(meta->segments[2]->samples, 2);
    gm__text_item_meta__free_unpacked(meta, NULL);
    expect_text(segment(f, 0, 1), HEAD "00:00:01.000 --> 00:00:01.500\none &amp; two\n\n"
                                       "00:00:02.000 --> 00:00:02.500\nbad \xEF\xBF\xBD\n\n"
                                       "00:00:05.000 --> 00:00:07.500\nover the border\n\n");
    expect_text(segment(f, 0, 2), HEAD "00:00:05.000 --> 00:00:07.500\nover the border\n\n"
                                       "00:00:11.900 --> 00:00:12.000\nends at the border\n\n");
    expect_text(segment(f, 0, 3), HEAD "00:00:12.000 --> 00:00:12.500\nno end\n\n"
                                       "00:00:12.500 --> 00:00:13.400\nlate in the file, <i>early"
                                       "</i> in time\n\n");
    expect_text(segment(f, 1, 2), HEAD);
    expect_text(whole(f, 1), "WEBVTT\n\n");
    expect_text(segment(f, 2, 3), HEAD "00:00:13.000 --> 00:00:18.000\npast the end\n\n");
    const Gm__TaskResult *result = folder_io_result(f, "subtitles", 0);
    Gm__TextMeta *text = gm__text_meta__unpack(NULL, result->meta.len, result->meta.data);
    assert_non_null(text);
    assert_int_equal(text->cues, 6);
    assert_int_equal(text->n_warnings, 2);
    assert_string_equal(text->warnings[0]->code, "text.encoding");
    assert_string_equal(text->warnings[1]->code, "text.late");
    gm__text_meta__free_unpacked(text, NULL);
    for (uint32_t k = 0; k < 3; k++) {
        ASSERT_OK(folder_io_verify(f, "subtitles", k, 0, 0, &err));
    }
    end(&w);
}

static void manifests_name_the_tracks(void **state)
{
    static const struct source_text texts[] = {{0, 500, 500, "a"}, {1, 1000, 500, "b"}};
    static const struct source_params params = {.width_px = 32,
                                                .height_px = 32,
                                                .rate_num = 5,
                                                .rate_den = 1,
                                                .frames = 10,
                                                .texts = texts,
                                                .text_count = 2,
                                                .text_tracks = 2,
                                                .chapters = true};
    struct world w = start(&params);
    struct folder_io *f = w.io;
    const Gm__TaskResult *result = folder_io_result(f, "package", 0);
    (void)state;
    Gm__PackageMeta *meta = gm__package_meta__unpack(NULL, result->meta.len, result->meta.data);
    assert_non_null(meta);
    char *m3u8 = strndup((char *)meta->master_m3u8.data, meta->master_m3u8.len);
    char *mpd = strndup((char *)meta->manifest_mpd.data, meta->manifest_mpd.len);
    assert_non_null(strstr(m3u8,
                           "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",LANGUAGE=\"en\",NAME="
                           "\"Subtitles 1\",DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,URI="));
    assert_non_null(strstr(m3u8, "LANGUAGE=\"de\",NAME=\"Subtitles 2\",DEFAULT=NO,AUTOSELECT=YES,"
                                 "FORCED=YES,URI="));
    assert_non_null(strstr(m3u8, ",SUBTITLES=\"text\",CLOSED-CAPTIONS=NONE\n"));
    assert_non_null(strstr(mpd, "contentType=\"text\" mimeType=\"text/vtt\" lang=\"de\""));
    assert_non_null(strstr(mpd, "value=\"forced-subtitle\""));
    assert_non_null(strstr(mpd, "/text/t1/subtitles-"));
    bool chapters = false, playlist = false;
    for (size_t i = 0; i < meta->n_files; i++) {
        chapters = chapters || strcmp(meta->files[i]->path, "text/chapters/chapters.vtt") == 0;
        playlist = playlist || strcmp(meta->files[i]->path, "text/t1/media.m3u8") == 0;
    }
    assert_true(chapters && playlist);
    free(m3u8);
    free(mpd);
    gm__package_meta__free_unpacked(meta, NULL);
    end(&w);
}

static void many_cues_come_in_several_chunks_and_again(void **state)
{
    static const struct source_params params = {.width_px = 32,
                                                .height_px = 32,
                                                .rate_num = 5,
                                                .rate_den = 1,
                                                .frames = 35,
                                                .text_tracks = 1,
                                                .text_burst = 20005};
    struct world w = start(&params);
    struct folder_io *f = w.io;
    struct gm_err err = {0};
    int64_t chunk = 0;
    (void)state;
    assert_int_equal(folder_io_items(f, "split", 0, GM_STREAM_TEXT), 2);
    Gm__TextItemMeta *meta = item_meta(f, 0, 0);
    assert_int_equal(meta->n_segments, 2);
    assert_int_equal(meta->segments[0]->samples, 6000);
    gm__text_item_meta__free_unpacked(meta, NULL);
    char *before = segment(f, 0, 2);
    Gm__SkipItems skip = GM__SKIP_ITEMS__INIT;
    skip.stream = GM_STREAM_TEXT;
    skip.count = 1;
    const Gm__SkipItems *list = &skip;
    struct folder_run again = {.task = "split", .skip = list, .skips = 1};
    ASSERT_OK(folder_io_run(f, &again, &chunk, &err));
    again = (struct folder_run){.task = "subtitles"};
    ASSERT_OK(folder_io_run(f, &again, &chunk, &err));
    expect_text(segment(f, 0, 2), before);
    free(before);
    end(&w);
}

static void false_items_are_found_out(void **state)
{
    static const struct source_text texts[] = {{0, 500, 500, "some text"}};
    static const struct source_params params = {.width_px = 32,
                                                .height_px = 32,
                                                .rate_num = 5,
                                                .rate_den = 1,
                                                .frames = 10,
                                                .texts = texts,
                                                .text_count = 1,
                                                .text_tracks = 1};
    struct world w = start(&params);
    struct folder_io *f = w.io;
    struct gm_err err = {0};
    char path[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    (void)state;
    folder_io_path(f, folder_io_item(f, "subtitles", 0, 0, 0)->objects[0], path);
    ASSERT_OK(gm_fs_read(path, 1 << 20, &data, &size, &err));
    data[size - 4]++;
    ASSERT_OK(gm_fs_write_atomic(path, data, size, &err));
    assert_int_equal(folder_io_verify(f, "subtitles", 0, 0, 0, &err), -GM_E_MEDIA_VERIFY);
    assert_non_null(strstr(err.text, "hash"));
    ASSERT_OK(gm_fs_write_atomic(path, data, size - 1, &err));
    assert_int_equal(folder_io_verify(f, "subtitles", 0, 0, 0, &err), -GM_E_MEDIA_VERIFY);
    free(data);
    end(&w);
}

/* A sample of tx3g that is too short for what it promises. */
static void packets_that_do_not_decode_are_told(void **state)
{
    static const struct movie_text texts[] = {
        {0, 500, "\0\1a", 3}, {500, 500, "\0\5", 2}, {1000, 500, "\0\1b", 3}};
    static const struct folder_pipeline how = {.ladder = ladder, .rungs = 1, .subtitles = true};
    static const char *const tasks[] = {"inspect", "plan", "split", "subtitles"};
    const struct movie movie = {
        .format = "mp4", .text_codec = AV_CODEC_ID_MOV_TEXT, .texts = texts, .text_count = 3};
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=15", 50);
    Gm__Pipeline *pipeline = folder_pipeline(&how);
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    char path[4096];
    (void)state;
    movie_write(clip, &movie, path);
    ASSERT_OK(folder_io_create(path, pipeline, &f, &err));
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        struct folder_run run = {.task = tasks[i]};
        ASSERT_OK(folder_io_run(f, &run, NULL, &err));
    }
    const Gm__TaskResult *r = folder_io_result(f, "subtitles", 0);
    Gm__TextMeta *meta = gm__text_meta__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(meta);
    assert_int_equal(meta->cues, 2);
    assert_int_equal(meta->n_warnings, 1);
    assert_string_equal(meta->warnings[0]->code, "text.decode_errors");
    assert_int_equal(meta->warnings[0]->count, 1);
    gm__text_meta__free_unpacked(meta, NULL);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
    movie_remove(path);
    clip_free(&clip);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cues_lie_in_every_segment_that_they_show_in),
        cmocka_unit_test(manifests_name_the_tracks),
        cmocka_unit_test(many_cues_come_in_several_chunks_and_again),
        cmocka_unit_test(false_items_are_found_out),
        cmocka_unit_test(packets_that_do_not_decode_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
