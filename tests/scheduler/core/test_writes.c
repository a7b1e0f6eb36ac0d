/* Which names a lease may write, and how many at once. */
#include "scheduler/core/writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scheduler/core/task_types.h"

struct world {
    struct gm_cjob job;
    struct gm_ctask task;
    struct gm_inst inst;
    struct gm_lease lease;
};

/* Two renditions, two tracks of sound, one of text, one file; chunks of up to five segments. */
static void plan(struct world *w, bool named)
{
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__Rendition rungs[2] = {GM__RENDITION__INIT, GM__RENDITION__INIT};
    Gm__Rendition *rung_list[] = {&rungs[0], &rungs[1]};
    Gm__AudioTrack audio[2] = {GM__AUDIO_TRACK__INIT, GM__AUDIO_TRACK__INIT};
    Gm__AudioTrack *audio_list[] = {&audio[0], &audio[1]};
    Gm__TextTrack text = GM__TEXT_TRACK__INIT, *text_list[] = {&text};
    Gm__Mp4Output file = GM__MP4_OUTPUT__INIT, *files[] = {&file};
    struct gm_err err;
    if (named) {
        rungs[0].name = (char *)(uintptr_t) "720p";
        rungs[1].name = (char *)(uintptr_t) "72";
        audio[0].name = (char *)(uintptr_t) "a0";
        audio[1].name = (char *)(uintptr_t) "a1";
        text.name = (char *)(uintptr_t) "t0";
        file.name = (char *)(uintptr_t) "film_720p.mp4";
    }
    policy.renditions = rung_list;
    policy.n_renditions = 2;
    policy.audio = audio_list;
    policy.n_audio = 2;
    policy.text = text_list;
    policy.n_text = 1;
    policy.mp4 = files;
    policy.n_mp4 = 1;
    policy.chunk_segments = 5;
    assert_int_equal(gm_core_writes_set(&w->job.writes, &policy, &err), 0);
}

static void lease(struct world *w, const char *type, uint32_t number, uint32_t first,
                  uint32_t count)
{
    w->task =
        (struct gm_ctask){.name = (char *)(uintptr_t)type, .type = gm_core_task_type_find(type)};
    assert_non_null(w->task.type);
    w->inst = (struct gm_inst){.task = &w->task, .number = number};
    w->lease = (struct gm_lease){
        .job = &w->job, .inst = &w->inst, .first_chunk = first, .chunk_count = count};
}

static bool may(const struct world *w, const char *name)
{
    Gm__GrantItem item = GM__GRANT_ITEM__INIT;
    struct gm_err err;
    item.name = (char *)(uintptr_t)name;
    int rc = gm_core_writes_check(&w->lease, &item, &err);
    assert_true(rc == 0 || rc == -GM_E_GRANT_REFUSED);
    return rc == 0;
}

static void names_follow_type_plan_and_chunks(void **state)
{
    static const struct {
        const char *type;
        uint32_t number, first, count;
        const char *name;
        bool may;
    } rows[] = {
        {"inspect", 0, 0, 0, "inspect/x", true},
        {"inspect", 0, 0, 0, "chunks/x", false},
        {"plan", 0, 0, 0, "video/720p/seg-00001-a.m4s", false},
        {"loudness", 0, 0, 0, "audio/a0/seg-00001-a.m4s", false},
        {"analyze", 0, 2, 2, "tiles/tiles-00002-a.yuv", false},
        {"split", 0, 0, 0, "chunks/0/00003-a.gmck", true},
        {"split", 0, 0, 0, "chunksx/0/00003-a.gmck", false},
        {"split", 0, 0, 0, "video/720p/seg-00001-a.m4s", false},
        /* chunks 2 and 3 have segments 3 to 20 */
        {"encode", 0, 2, 2, "video/720p/seg-00003-a.m4s", true},
        {"encode", 0, 2, 2, "video/72/seg-00020-a.m4s", true},
        {"encode", 0, 2, 2, "video/720p/seg-00002-a.m4s", false},
        {"encode", 0, 2, 2, "video/720p/seg-00021-a.m4s", false},
        {"encode", 0, 2, 2, "video/720/seg-00003-a.m4s", false},
        {"encode", 0, 2, 2, "video/720p/media.m3u8", false},
        {"encode", 0, 2, 2, "video/720p/seg-00003.m4s", false},
        {"encode", 0, 2, 2, "video/720p/seg-18446744073709551619-a.m4s", false},
        {"encode", 0, 2, 2, "audio/a0/seg-00003-a.m4s", false},
        {"encode", 0, 2, 2, "tiles/tiles-00003-a.yuv", true},
        {"encode", 0, 2, 2, "tiles/poster-00002-a.jpg", true},
        {"encode", 0, 2, 2, "tiles/tiles-00004-a.yuv", false},
        {"audio", 1, 0, 0, "audio/a1/seg-00100-a.m4s", true},
        {"audio", 1, 0, 0, "audio/a0/seg-00100-a.m4s", false},
        {"audio", 1, 0, 0, "audio/a1/media.m3u8", false},
        {"audio", 2, 0, 0, "audio/t0/seg-00100-a.m4s", false},
        {"subtitles", 0, 0, 0, "text/t0/seg-00100-a.vtt", true},
        {"subtitles", 0, 0, 0, "text/t0/subtitles-a.vtt", true},
        {"subtitles", 1, 0, 0, "text/t0/subtitles-a.vtt", false},
        {"thumbnails", 0, 0, 0, "images/sheet-1.jpg", true},
        {"thumbnails", 0, 0, 0, "images/tiles.m3u8", false},
        {"thumbnails", 0, 0, 0, "mp4/film_720p.mp4", false},
        {"mp4", 0, 0, 0, "mp4/film_720p.mp4", true},
        {"mp4", 0, 0, 0, "mp4/film_1080p.mp4", false},
        {"mp4", 1, 0, 0, "mp4/film_720p.mp4", false},
        {"package", 0, 0, 0, "video/72/media.m3u8", true},
        {"package", 0, 0, 0, "audio/a0/init-a.mp4", true},
        {"package", 0, 0, 0, "text/chapters/chapters.vtt", true},
        {"package", 0, 0, 0, "images/tiles.m3u8", true},
        {"package", 0, 0, 0, "video/1080p/media.m3u8", false},
        {"package", 0, 0, 0, "video/720p/seg-00001-a.m4s", false},
        {"package", 0, 0, 0, "master.m3u8", false},
    };
    struct world w = {.job = {.id = NULL}};
    (void)state;
    plan(&w, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lease(&w, rows[i].type, rows[i].number, rows[i].first, rows[i].count);
        if (may(&w, rows[i].name) != rows[i].may) {
            fail_msg("%s: %s", rows[i].type, rows[i].name);
        }
    }
    gm_core_writes_fini(&w.job.writes);
}

static void without_names_folders_count(void **state)
{
    struct world w = {.job = {.id = NULL}};
    (void)state;
    lease(&w, "encode", 0, 0, 1);
    assert_true(may(&w, "video/x"));
    plan(&w, false);
    assert_true(may(&w, "video/x"));
    assert_false(may(&w, "audio/x"));
    lease(&w, "audio", 0, 0, 0);
    assert_true(may(&w, "audio/x"));
    assert_false(may(&w, "video/x"));
    gm_core_writes_fini(&w.job.writes);
}

static void what_is_open_is_bounded_by_the_plan(void **state)
{
    struct world w = {.job = {.id = NULL}};
    (void)state;
    plan(&w, true);
    lease(&w, "encode", 0, 0, 1);
    assert_int_equal(gm_core_writes_most(&w.lease), 32 * (2 * 5 + 2));
    lease(&w, "encode", 0, 0, 40);
    assert_int_equal(gm_core_writes_most(&w.lease), 40 * (2 * 5 + 2));
    lease(&w, "mp4", 0, 0, 0);
    assert_int_equal(gm_core_writes_most(&w.lease), 1);
    lease(&w, "split", 0, 0, 0);
    assert_int_equal(gm_core_writes_most(&w.lease), 32);
    gm_core_writes_fini(&w.job.writes);
}

static void too_many_outputs_are_no_plan(void **state)
{
    Gm__Policy policy = GM__POLICY__INIT;
    struct gm_writes writes = {NULL};
    struct gm_err err;
    (void)state;
    policy.n_mp4 = GM_CORE_MAX_OUTPUTS + 1;
    assert_int_equal(gm_core_writes_set(&writes, &policy, &err), -GM_E_LIMIT);
    assert_null(writes.names);
    assert_false(writes.named); /* they are counted, should it have been taken before */
    assert_int_equal(writes.mp4, GM_CORE_MAX_OUTPUTS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_type_plan_and_chunks),
        cmocka_unit_test(without_names_folders_count),
        cmocka_unit_test(what_is_open_is_bounded_by_the_plan),
        cmocka_unit_test(too_many_outputs_are_no_plan),
    };
    return cmocka_run_group_tests_name("scheduler/core/writes", tests, NULL, NULL);
}
