#include "tests/scheduler/helper.h"

#include "scheduler/prefix.h"

/* Prefixes of a plan with two renditions, sound and text, of 25 frames a second. */
static struct gm_err err;

struct made {
    struct gm_prefix *prefix;
    bool hls, dash;
    uint32_t gop_frames;
    int64_t created_unix_ms, duration_us; /* 0: three hours after 1970; unknown */
};

static char *text_of(const char *s)
{
    return (char *)(uintptr_t)s;
}

static int make(struct made *m)
{
    Gm__Rational rate = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 25, 1};
    Gm__Rendition big = GM__RENDITION__INIT, small = GM__RENDITION__INIT;
    Gm__Rendition *renditions[] = {&big, &small};
    Gm__AudioParams sound = GM__AUDIO_PARAMS__INIT;
    Gm__AudioTrack audio = GM__AUDIO_TRACK__INIT;
    Gm__AudioTrack *audios[] = {&audio};
    Gm__TextTrack subtitles = GM__TEXT_TRACK__INIT;
    Gm__TextTrack *texts[] = {&subtitles};
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__PackageParams package = GM__PACKAGE_PARAMS__INIT;
    Gm__PipelineTask task = GM__PIPELINE_TASK__INIT;
    Gm__PipelineTask *tasks[] = {&task};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    uint8_t packed[1024];
    big.name = text_of("720p");
    small.name = text_of("360p");
    big.init_name = small.init_name = text_of("init-1.mp4");
    big.codecs = small.codecs = text_of("avc1.64001f");
    big.width_px = small.width_px = big.height_px = small.height_px = 64;
    big.maxrate_bps = 3000000;
    big.bufsize_bits = 6000000;
    sound.sample_rate = 48000;
    sound.bitrate_bps = 100000;
    audio.name = text_of("a0");
    audio.init_name = text_of("init-2.mp4");
    audio.codecs = text_of("mp4a.40.2");
    audio.params = &sound;
    subtitles.name = text_of("t0");
    policy.timescale = 25;
    policy.timescale_rate = &rate;
    policy.gop_frames = m->gop_frames;
    policy.segment_gops = 3;
    policy.renditions = renditions;
    policy.n_renditions = 2;
    policy.audio = audios;
    policy.text = texts;
    policy.n_audio = policy.n_text = 1;
    package.hls = m->hls;
    package.dash = m->dash;
    task.params_case = GM__PIPELINE_TASK__PARAMS_PACKAGE;
    task.package = &package;
    pipeline.tasks = tasks;
    pipeline.n_tasks = 1;
    size_t size = gm__policy__pack(&policy, packed);
    assert_true(size < sizeof packed);
    const struct gm_prefix_params params = {
        .job_id = "j-1",
        .publication = "0123",
        .pipeline = &pipeline,
        .policy = packed,
        .policy_size = size,
        .created_unix_ms = m->created_unix_ms != 0 ? m->created_unix_ms : 7200000 + 3600000,
        .duration_us = m->duration_us};
    return gm_prefix_create(&params, &m->prefix, &err);
}

static int add(struct made *m, size_t feed, const ProtobufCMessage *meta)
{
    Gm__Item item = GM__ITEM__INIT;
    uint8_t packed[1024];
    item.meta.len = protobuf_c_message_pack(meta, packed);
    item.meta.data = packed;
    return gm_prefix_add(m->prefix, feed, &item, &err);
}

static Gm__SegmentMeta segment(uint32_t number, int64_t duration_ts, char name[32])
{
    Gm__SegmentMeta s = GM__SEGMENT_META__INIT;
    (void)snprintf(name, 32, "seg-%u.m4s", number);
    s.number = number;
    s.name = name;
    s.size = 100000;
    s.start_ts = duration_ts * (number - 1);
    s.duration_ts = duration_ts;
    s.samples = 150;
    return s;
}

/* Segment `number` of both renditions. */
static int add_chunk(struct made *m, uint32_t number, int64_t duration_ts)
{
    char name[32];
    Gm__SegmentMeta s = segment(number, duration_ts, name), *list[] = {&s};
    Gm__RenditionChunkMeta r[2] = {GM__RENDITION_CHUNK_META__INIT, GM__RENDITION_CHUNK_META__INIT};
    Gm__RenditionChunkMeta *both[] = {&r[0], &r[1]};
    Gm__EncodeItemMeta meta = GM__ENCODE_ITEM_META__INIT;
    r[0].segments = r[1].segments = list;
    r[0].n_segments = r[1].n_segments = 1;
    r[1].rendition = 1;
    meta.renditions = both;
    meta.n_renditions = 2;
    return add(m, 0, &meta.base);
}

static int add_sound(struct made *m, uint32_t number)
{
    char name[32];
    Gm__SegmentMeta s = segment(number, 288000, name), *list[] = {&s};
    Gm__AudioItemMeta meta = GM__AUDIO_ITEM_META__INIT;
    meta.segments = list;
    meta.n_segments = 1;
    return add(m, 1, &meta.base);
}

static int add_cues(struct made *m, uint32_t number)
{
    char name[32];
    Gm__SegmentMeta s = segment(number, 150, name), *list[] = {&s};
    Gm__TextItemMeta meta = GM__TEXT_ITEM_META__INIT;
    meta.segments = list;
    meta.n_segments = 1;
    return add(m, 2, &meta.base);
}

static void tracks_go_as_far_as_the_shortest_that_works(void **state)
{
    struct made m = {.hls = true, .gop_frames = 50};
    struct gm_prefix_feed feed;
    (void)state;
    assert_int_equal(make(&m), 0);
    assert_true(gm_prefix_feed(m.prefix, 2, &feed));
    assert_string_equal(feed.type, "subtitles");
    assert_false(gm_prefix_feed(m.prefix, 3, &feed));
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(add_chunk(&m, i, 150), 0);
    }
    assert_int_equal(add_sound(&m, 1), 0);
    assert_int_equal(gm_prefix_count(m.prefix), 0); /* no text yet */
    assert_int_equal(add_cues(&m, 1), 0);
    assert_int_equal(gm_prefix_count(m.prefix), 1);
    assert_int_equal(gm_prefix_end_ms(m.prefix), 6000);
    assert_int_equal(add_sound(&m, 2), 0);
    gm_prefix_end(m.prefix, 2);
    assert_int_equal(gm_prefix_count(m.prefix), 2);
    gm_prefix_end(m.prefix, 1); /* shorter than the pictures */
    assert_int_equal(gm_prefix_count(m.prefix), 3);
    assert_int_equal(gm_prefix_taken(m.prefix, 0), 3);
    gm_prefix_end(m.prefix, 0);
    assert_int_equal(gm_prefix_count(m.prefix), 3);
    gm_prefix_destroy(&m.prefix);
}

/* Nothing that playlists promised is broken by what comes. */
static void it_ends_before_what_does_not_fit(void **state)
{
    struct made m = {.hls = true, .gop_frames = 50};
    (void)state;
    assert_int_equal(make(&m), 0);
    assert_int_equal(add_chunk(&m, 1, 150), 0);
    assert_int_equal(add_chunk(&m, 3, 150), -GM_E_PROTO);
    assert_int_equal(add_chunk(&m, 2, 150), 0);
    gm_prefix_end(m.prefix, 1);
    assert_int_equal(gm_prefix_count(m.prefix), 0); /* ended, but for nothing */
    assert_int_equal(add_sound(&m, 1), 0);
    assert_int_equal(add_cues(&m, 1), 0);
    gm_prefix_end(m.prefix, 2);
    assert_int_equal(gm_prefix_count(m.prefix), 1);
    gm_prefix_destroy(&m.prefix);
    assert_int_equal(make(&m), 0);
    assert_int_equal(add_chunk(&m, 1, 163), 0); /* 6.52 s */
    gm_prefix_end(m.prefix, 0);
    gm_prefix_end(m.prefix, 1);
    gm_prefix_end(m.prefix, 2);
    assert_int_equal(add_sound(&m, 1), 0);
    assert_int_equal(gm_prefix_count(m.prefix), 0);
    gm_prefix_destroy(&m.prefix);
}

static void write(struct made *m, struct gm_prefix_texts *out)
{
    assert_int_equal(gm_prefix_write(m->prefix, 1000, out, &err), 0);
}

static bool has(const struct gm_prefix_text *t, const char *text)
{
    return memmem(t->body.data, t->body.size, text, strlen(text)) != NULL;
}

static void each_version_begins_with_the_one_before(void **state)
{
    static const char *const keys[] = {"v/0123/video/720p/init-1.mp4",
                                       "v/0123/video/360p/init-1.mp4",
                                       "v/0123/audio/a0/init-2.mp4",
                                       "v/0123/video/720p/media.m3u8",
                                       "v/0123/video/360p/media.m3u8",
                                       "v/0123/audio/a0/media.m3u8",
                                       "v/0123/text/t0/media.m3u8",
                                       "master.m3u8",
                                       "manifest.mpd"};
    struct made m = {
        .hls = true, .dash = true, .gop_frames = 50, .duration_us = 3600 * INT64_C(1000000)};
    struct gm_prefix_texts one, two;
    (void)state;
    assert_int_equal(make(&m), 0);
    for (uint32_t i = 1; i <= 2; i++) {
        assert_int_equal(add_chunk(&m, i, 150), 0);
        assert_int_equal(add_sound(&m, i), 0);
        assert_int_equal(add_cues(&m, i), 0);
        write(&m, i == 1 ? &one : &two);
    }
    assert_int_equal(one.count, 9);
    for (size_t i = 0; i < one.count; i++) {
        assert_string_equal(one.rows[i].key, keys[i]);
        assert_int_equal(one.rows[i].is_init, i < 3);
        assert_true(two.rows[i].body.size > one.rows[i].body.size || i < 3 || i == 7);
        assert_true(i == 8 || memcmp(one.rows[i].body.data, two.rows[i].body.data,
                                     one.rows[i].body.size) == 0);
    }
    assert_false(has(&one.rows[3], "seg-2"));
    assert_true(has(&two.rows[3], "seg-2"));
    assert_true(has(&one.rows[3], "#EXT-X-TARGETDURATION:6\n"));
    assert_true(has(&one.rows[7], "BANDWIDTH=4110000,")); /* 3000k + 6000k / 6 + sound */
    assert_true(has(&one.rows[8], "availabilityStartTime=\"1970-01-01T00:00:00Z\""));
    gm_prefix_texts_fini(&one);
    gm_prefix_texts_fini(&two);
    gm_prefix_destroy(&m.prefix);
}

/* Then it may be as long as the longest that is taken. */
static void of_a_source_of_unknown_length_all_segments_are_available(void **state)
{
    struct made m = {.dash = true, .gop_frames = 50, .created_unix_ms = 46801000};
    struct gm_prefix_texts texts;
    (void)state;
    assert_int_equal(make(&m), 0);
    assert_int_equal(add_chunk(&m, 1, 150), 0);
    assert_int_equal(add_sound(&m, 1), 0);
    assert_int_equal(add_cues(&m, 1), 0);
    write(&m, &texts);
    assert_true(
        has(&texts.rows[texts.count - 1], "availabilityStartTime=\"1970-01-01T00:00:01Z\""));
    gm_prefix_texts_fini(&texts);
    gm_prefix_destroy(&m.prefix);
}

static void what_the_pipeline_does_not_ask_for_is_not_written(void **state)
{
    struct made m = {.dash = true}; /* and no constant rate: segments may be longer */
    struct gm_prefix_texts texts;
    (void)state;
    assert_int_equal(make(&m), 0);
    assert_int_equal(add_chunk(&m, 1, 180), 0);
    assert_int_equal(add_sound(&m, 1), 0);
    assert_int_equal(add_cues(&m, 1), 0);
    assert_int_equal(gm_prefix_count(m.prefix), 1);
    write(&m, &texts);
    assert_int_equal(texts.count, 4);
    assert_string_equal(texts.rows[3].key, "manifest.mpd");
    assert_true(has(&texts.rows[3], "minimumUpdatePeriod=\"PT7S\""));
    gm_prefix_texts_fini(&texts);
    gm_prefix_destroy(&m.prefix);
}

static void plans_that_name_no_files_are_refused(void **state)
{
    static const uint8_t bad[] = {0xff, 0xff};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    struct gm_prefix *prefix = NULL;
    struct gm_prefix_params params = {
        .job_id = "j", .publication = "0", .pipeline = &pipeline, .policy = bad, .policy_size = 2};
    (void)state;
    assert_int_equal(gm_prefix_create(&params, &prefix, &err), -GM_E_PROTO);
    params.policy_size = 0;
    assert_int_equal(gm_prefix_create(&params, &prefix, &err), -GM_E_PROTO);
    assert_null(prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracks_go_as_far_as_the_shortest_that_works),
        cmocka_unit_test(it_ends_before_what_does_not_fit),
        cmocka_unit_test(each_version_begins_with_the_one_before),
        cmocka_unit_test(of_a_source_of_unknown_length_all_segments_are_available),
        cmocka_unit_test(what_the_pipeline_does_not_ask_for_is_not_written),
        cmocka_unit_test(plans_that_name_no_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
