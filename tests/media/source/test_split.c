#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hash.h"
#include "media/av.h"
#include "media/movie_io.h"
#include "media/paff_io.h"
#include "media/split_io.h"
#include "proto/chunk.h"

#define STEP 512          /* 12800 ticks a second, 25 frames */
#define BYTES_MAX 1000000 /* of a real clip; tests/system has all of them */

/* Each chunk, decoded alone, gives the frame before its first and the one after its last. */
static void assert_context(const struct farm *farm, const struct clip *clip, int source)
{
    uint32_t items = folder_io_items(farm->f, "split", 0, 0);
    size_t at = 0;
    assert_true(items >= 2);
    for (uint32_t i = 0; i < items; i++) {
        struct farm_chunks run = {farm, i, i + 1, source};
        struct gm_frames *frames = farm_open_frames(&run);
        struct gm_frames_step step = {0};
        struct gm_err err;
        uint8_t hash[32];
        size_t beside = 0;
        bool begun = false;
        while (step.event != GM_FRAMES_RUN_END) {
            assert_int_equal(gm_frames_next(frames, &step, &err), 0);
            if (step.event == GM_FRAMES_BESIDE) {
                clip_hash(step.picture, hash);
                assert_memory_equal(hash, clip->frames[begun ? at : at - 1].sha256, 32);
                beside++;
            } else if (step.event == GM_FRAMES_PICTURE) {
                begun = true;
                at++;
            } else if (step.event == GM_FRAMES_CHUNK_END) {
                assert_int_equal(step.header->n_before, i > 0);
                assert_int_equal(step.header->n_after, i + 1 < items);
                assert_true(i == 0 || step.header->before[0]->out_ts ==
                                          step.header->frames[0]->out_ts - STEP);
                assert_true(i + 1 == items || step.header->after[0]->out_ts == step.header->end_ts);
                assert_int_equal(step.stats.replaced, 0);
            }
        }
        assert_int_equal(beside, (i > 0) + (i + 1 < items));
        gm_frames_destroy(&frames);
    }
    assert_int_equal(at, clip->frame_count);
}

/* Headers of all video chunks: frames, grid, segments, ends. */
static void assert_headers(const struct farm *farm, size_t frames, int64_t first_ts,
                           bool by_reference)
{
    uint32_t items = folder_io_items(farm->f, "split", 0, 0);
    size_t at = 0;
    uint32_t segment = 1;
    for (uint32_t i = 0; i < items; i++) {
        struct gm_chunk_reader *reader;
        struct gm_err err;
        int fd = farm_open_chunk(farm, 0, i);
        assert_int_equal(gm_chunk_reader_open(fd, &reader, &err), 0);
        const Gm__ChunkHeader *h = gm_chunk_reader_header(reader);
        assert_int_equal(h->index, i);
        assert_int_equal(h->last, i + 1 == items);
        assert_int_equal(h->by_reference, by_reference);
        for (size_t k = 0; k < h->n_frames; k++, at++) {
            assert_int_equal(h->frames[k]->out_ts, first_ts + (int64_t)at * STEP);
            assert_int_equal(h->frames[k]->gop_start, at % 50 == 0);
        }
        for (size_t k = 0; k < h->n_segments; k++) {
            assert_int_equal(h->segments[k]->number, segment++);
            assert_int_equal(h->segments[k]->first_frame, k * 150);
        }
        assert_int_equal(h->end_ts, first_ts + (int64_t)at * STEP);
        gm_chunk_reader_close(&reader);
        (void)close(fd);
    }
    assert_int_equal(at, frames);
    assert_int_equal(segment - 1, (frames + 149) / 150);
}

static void chunks_hold_every_frame_and_what_it_needs(void **state)
{
    static const struct {
        const char *encoder, *options, *format;
        bool by_reference;
    } rows[] = {
        {"libx264", "preset=ultrafast,bf=3,g=40", "mov", true},
        {"libx264", "preset=veryfast,bf=3,g=76,sc_threshold=0,b_strategy=0,x264-params=open-gop=1",
         "mp4", true},
        {"libx264", "preset=veryfast,bf=3,g=76,sc_threshold=0,b_strategy=0,x264-params=open-gop=1",
         "mpegts", false},
        {"libx264", "preset=veryfast,g=1000", "mp4", true},
        {"libx264", "preset=ultrafast,bf=3,g=40", "avi", false},
        {"mpeg4", "bf=2,g=60", "avi", false},
        {"mpeg2video", "bf=2,g=18", "mpegts", false},
        {"libvpx", "deadline=realtime,auto-alt-ref=1,lag-in-frames=12,g=70,b=200k", "matroska",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make(rows[i].encoder, rows[i].options, 320);
        struct movie movie = {.format = rows[i].format, .sound = i == 0};
        struct farm farm;
        char path[4096];
        movie_write(clip, &movie, path);
        if (farm_run(&farm, path, NULL, 0) < 0) {
            print_message("%s in %s: %s\n", rows[i].encoder, rows[i].format, farm.err.text);
            fail();
        }
        Gm__SplitMeta *meta = farm_split_meta(&farm);
        assert_int_equal(meta->frames, clip->frame_count);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        farm_assert_pictures(&farm, clip, fd, 0);
        if (i != 7) { /* Matroska's milliseconds are no grid of 25 a second: 40 ms are */
            assert_headers(&farm, clip->frame_count, 0, rows[i].by_reference);
        }
        (void)close(fd);
        gm__split_meta__free_unpacked(meta, NULL);
        farm_fini(&farm);
        movie_remove(path);
        clip_free(&clip);
    }
}

/* Packets of a sound chunk, and its borders added to *borders. */
static uint64_t count_sound(const struct farm *farm, uint32_t index, uint32_t items,
                            int64_t *borders, size_t *count)
{
    struct gm_chunk_reader *reader;
    struct gm_chunk_packet packet;
    const uint8_t *change;
    size_t change_size;
    struct gm_err err;
    enum gm_chunk_record record = GM_CHUNK_PACKET;
    uint64_t packets = 0;
    int fd = farm_open_chunk(farm, 1, index);
    assert_int_equal(gm_chunk_reader_open(fd, &reader, &err), 0);
    const Gm__ChunkHeader *h = gm_chunk_reader_header(reader);
    assert_int_equal(h->stream, 1);
    assert_int_equal(h->last, index + 1 == items);
    assert_int_equal(h->programme_end_ts, h->last ? 320 * STEP : 0);
    for (size_t i = 0; i < h->n_segment_starts_ts; i++) {
        borders[(*count)++] = h->segment_starts_ts[i];
    }
    while (record != GM_CHUNK_END) {
        assert_int_equal(gm_chunk_read(reader, &record, &packet, &change, &change_size, &err), 0);
        packets += record == GM_CHUNK_PACKET;
    }
    gm_chunk_reader_close(&reader);
    (void)close(fd);
    return packets;
}

/* What is missing of a damaged keyframe is made up from the picture before it: a chunk that would
 * begin with one begins where the whole file's decoder is known to have the same. */
static void a_chunk_does_not_begin_with_a_damaged_keyframe(void **state)
{
    static const char x264[] = "preset=ultrafast,bf=2,g=50,sc_threshold=0";
    static const char mpeg[] = "g=50,sc_threshold=1000000000";
    static const struct {
        const char *encoder, *options, *format;
        size_t hurt[4];
        enum AVPixelFormat pixels;
    } rows[] = {
        {"libx264", x264, "matroska", {150, 300}, AV_PIX_FMT_YUV420P},
        {"libx264", x264, "mov", {100, 150, 310}, AV_PIX_FMT_YUV420P},
        {"mpeg2video", mpeg, "mpegts", {150, 300}, AV_PIX_FMT_YUV420P},
        {"mpeg4", mpeg, "matroska", {150, 250, 300}, AV_PIX_FMT_YUV420P},
        {"mjpeg", "", "matroska", {150, 300}, AV_PIX_FMT_YUVJ420P},
        {"prores_aw", "", "mov", {150, 300}, AV_PIX_FMT_YUV422P10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip =
            clip_make_sized(rows[i].encoder, rows[i].options, 320, 96, 80, rows[i].pixels);
        struct movie movie = {.format = rows[i].format};
        struct farm farm;
        char path[4096];
        for (size_t k = 0; rows[i].hurt[k] != 0; k++) {
            AVPacket *p = clip->packets[rows[i].hurt[k]];
            for (int b = p->size / 2; b < p->size && b < p->size / 2 + 8; b++) {
                p->data[b] ^= 0x55;
            }
        }
        movie_write(clip, &movie, path);
        assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
        clip_free(&clip);
        clip = clip_load(path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        farm_assert_pictures(&farm, clip, fd, 0);
        (void)close(fd);
        farm_fini(&farm);
        movie_remove(path);
        clip_free(&clip);
    }
}

static void sound_comes_along_with_the_borders(void **state)
{
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=40", 320);
    struct movie movie = {.format = "matroska", .sound = true};
    struct farm farm;
    char path[4096];
    int64_t borders[8];
    size_t count = 0;
    uint64_t packets = 0;
    (void)state;
    movie_write(clip, &movie, path);
    assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
    uint32_t items = folder_io_items(farm.f, "split", 0, 1);
    assert_int_equal(items, folder_io_items(farm.f, "split", 0, 0));
    assert_int_equal(items, 3);
    for (uint32_t i = 0; i < items; i++) {
        packets += count_sound(&farm, i, items, borders, &count);
    }
    assert_int_equal(packets, 320);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(borders[i], (int64_t)i * 150 * STEP);
    }
    farm_fini(&farm);
    movie_remove(path);
    clip_free(&clip);
}

static void a_second_run_gives_the_same_objects_and_skips_what_is_there(void **state)
{
    static Gm__SkipItems skip[2];
    struct clip *clip = clip_make("libx264", "preset=ultrafast,bf=2,g=40", 320);
    struct movie movie = {.format = "matroska", .sound = true};
    struct farm whole, rest;
    char path[4096];
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        gm__skip_items__init(&skip[i]);
        skip[i].stream = i;
        skip[i].count = 1 + i;
    }
    movie_write(clip, &movie, path);
    assert_int_equal(farm_run(&whole, path, NULL, 0), 0);
    assert_int_equal(farm_run(&rest, path, skip, 2), 0);
    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < 3; i++) {
            const Gm__Item *a = folder_io_item(whole.f, "split", 0, s, i);
            const Gm__Item *b = folder_io_item(rest.f, "split", 0, s, i);
            assert_non_null(a);
            assert_int_equal(b == NULL, i < skip[s].count);
            if (b != NULL) {
                assert_memory_equal(a->objects[0]->sha256.data, b->objects[0]->sha256.data, 32);
                assert_string_equal(a->objects[0]->key, b->objects[0]->key);
                assert_int_equal(a->last, b->last);
                assert_int_equal(a->meta.len, b->meta.len);
                assert_memory_equal(a->meta.data, b->meta.data, a->meta.len);
            }
        }
    }
    Gm__SplitMeta *a = farm_split_meta(&whole), *b = farm_split_meta(&rest);
    assert_int_equal(a->n_items, 2);
    assert_int_equal(b->items[0], 3);
    assert_int_equal(a->frames, b->frames);
    gm__split_meta__free_unpacked(a, NULL);
    gm__split_meta__free_unpacked(b, NULL);
    farm_fini(&whole);
    farm_fini(&rest);
    movie_remove(path);
    clip_free(&clip);
}

static void a_source_that_changed_is_noticed(void **state)
{
    struct clip *clip = clip_make("libx264", "preset=ultrafast,g=40", 30);
    struct movie movie = {.format = "matroska"};
    struct farm farm;
    struct gm_err err;
    struct folder_run run = {.task = "split"};
    char path[4096];
    (void)state;
    movie_write(clip, &movie, path);
    assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    (void)close(fd);
    assert_int_equal(folder_io_run(farm.f, &run, NULL, &err), -GM_E_INPUT_CHANGED);
    farm_fini(&farm);
    movie_remove(path);
    clip_free(&clip);
}

/* Split's return code for 1.2 s where the pipeline takes 1 s. */
static int split_too_much(const char *format, bool read_whole)
{
    struct clip *clip =
        clip_make("libx264", "preset=ultrafast,g=10,x264-params=repeat-headers=1", 30);
    struct movie movie = {.format = format};
    struct farm farm;
    struct gm_err err;
    struct folder_run run = {.task = "split"};
    char path[4096];
    movie_write(clip, &movie, path);
    assert_int_equal(farm_run(&farm, path, NULL, 0), 0);
    Gm__TaskResult *r = (Gm__TaskResult *)(uintptr_t)folder_io_result(farm.f, "inspect", 0);
    Gm__Inspection *facts = gm__inspection__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(facts);
    assert_true(facts->read_whole);
    facts->read_whole = read_whole;
    r->meta.len = gm__inspection__pack(facts, r->meta.data); /* no longer than it was */
    gm__inspection__free_unpacked(facts, NULL);
    for (size_t i = 0; i < farm.pipeline->n_tasks; i++) {
        Gm__PipelineTask *task = farm.pipeline->tasks[i];
        if (task->params_case == GM__PIPELINE_TASK__PARAMS_INSPECT) {
            task->inspect->max_duration_s = 1;
        }
    }
    int rc = folder_io_run(farm.f, &run, NULL, &err);
    farm_fini(&farm);
    movie_remove(path);
    clip_free(&clip);
    return rc;
}

static void what_turns_out_too_long_is_refused(void **state)
{
    (void)state;
    assert_int_equal(split_too_much("matroska", false), -GM_E_INPUT_TOO_LARGE);
    assert_int_equal(split_too_much("h264", false), -GM_E_INPUT_TOO_LARGE); /* has no times */
    assert_int_equal(split_too_much("h264", true), 0);                      /* inspect has judged */
}

/* Column number  (from 0) of a line of the manifest; it is cut up. */
static char *column_of(char *line, int column)
{
    char *field = line;
    for (int i = 0; field != NULL && i < column; i++) {
        field = strchr(field, '\t');
        field = field != NULL ? field + 1 : NULL;
    }
    return field;
}

static void real_clips_give_the_frames_that_a_decoder_shows(void **state)
{
    char path[4096], line[8192], name[256];
    int clips = 0;
    (void)state;
    if (!folder_clip("MANIFEST.tsv", path)) {
        skip();
    }
    FILE *manifest = fopen(path, "re");
    assert_non_null(manifest);
    assert_non_null(fgets(line, sizeof line, manifest));
    while (fgets(line, sizeof line, manifest) != NULL) {
        struct farm farm;
        char *bytes = column_of(line, 1), *frames = column_of(line, 9);
        char *result = column_of(line, 10);
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\t"), line);
        if (bytes == NULL || frames == NULL || result == NULL || strncmp(result, "ok", 2) != 0 ||
            strtol(bytes, NULL, 10) > BYTES_MAX || !folder_clip(name, path)) {
            continue;
        }
        long expected = strtol(frames, NULL, 10);
        int rc = farm_run(&farm, path, NULL, 0);
        if (rc < 0) { /* sound alone or tiny: test_inspect.c has these */
            assert_true(rc == -GM_E_INPUT_NO_VIDEO || rc == -GM_E_INPUT_TOO_SMALL);
        } else {
            Gm__SplitMeta *meta = farm_split_meta(&farm);
            if (meta->frames != expected) {
                print_message("%s: %ld frames, not %ld\n", name, (long)meta->frames, expected);
            }
            assert_int_equal(meta->frames, expected);
            gm__split_meta__free_unpacked(meta, NULL);
            clips++;
        }
        farm_fini(&farm);
    }
    (void)fclose(manifest);
    assert_true(clips > 20);
}

static void chunks_hold_the_frames_beside_them(void **state)
{
    static const struct {
        const char *encoder, *options, *format;
    } rows[] = {
        {"libx264", "preset=ultrafast,bf=3,g=50", "mov"},
        {"libx264", "preset=veryfast,bf=3,g=76,sc_threshold=0,b_strategy=0,x264-params=open-gop=1",
         "mpegts"},
        {"libx264", "preset=veryfast,bf=2,g=1000", "mp4"},
        {"mpeg2video", "bf=2,g=18", "mpegts"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make(rows[i].encoder, rows[i].options, 320);
        struct movie movie = {.format = rows[i].format};
        struct farm farm;
        char path[4096];
        movie_write(clip, &movie, path);
        assert_int_equal(farm_run_fields(&farm, path, true, NULL, 0), 0);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        farm_assert_pictures(&farm, clip, fd, 0);
        assert_context(&farm, clip, fd);
        (void)close(fd);
        farm_fini(&farm);
        movie_remove(path);
        clip_free(&clip);
    }
}

/* Where a packet is one field: frames are those that were written, each chunk decoded alone. */
static void single_fields_make_the_frames_that_were_written(void **state)
{
    static const struct paff_params rows[] = {
        {.frames = 200, .gop_frames = 25, .frame_every = 3, .split = true},
        {.frames = 200, .gop_frames = 24, .frame_every = 5, .open = true, .split = true},
        {.frames = 200, .gop_frames = 24, .open = true, .bottom_first = true, .split = true},
        {.frames = 200, .gop_frames = 24, .frame_every = 2, .mbaff = true, .open = true},
        /* Nothing of the kind where the inspection looks. */
        {.frames = 200, .gop_frames = 25, .first_field = 75, .end_fields = 95, .split = true},
    };
    static struct clip_frame frames[200];
    struct clip clip = {.frames = frames, .frame_count = 200};
    char folder[] = "/tmp/gm-split-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/fields.mp4", folder);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t picture[PAFF_BYTES];
        struct farm farm;
        for (int k = 0; k < rows[i].frames; k++) {
            paff_picture(&rows[i], k, picture);
            gm_sha256(picture, sizeof picture, frames[k].sha256);
        }
        paff_make(path, &rows[i]);

        assert_int_equal(farm_run_fields(&farm, path, true, NULL, 0), 0);
        int source = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(source >= 0);
        assert_headers(&farm, 200, 0, true);
        farm_assert_pictures(&farm, &clip, source, 0);
        assert_context(&farm, &clip, source);
        (void)close(source);
        farm_fini(&farm);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_hold_the_frames_beside_them),
        cmocka_unit_test(chunks_hold_every_frame_and_what_it_needs),
        cmocka_unit_test(a_chunk_does_not_begin_with_a_damaged_keyframe),
        cmocka_unit_test(sound_comes_along_with_the_borders),
        cmocka_unit_test(a_second_run_gives_the_same_objects_and_skips_what_is_there),
        cmocka_unit_test(what_turns_out_too_long_is_refused),
        cmocka_unit_test(a_source_that_changed_is_noticed),
        cmocka_unit_test(single_fields_make_the_frames_that_were_written),
        cmocka_unit_test(real_clips_give_the_frames_that_a_decoder_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
