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
#include "media/child_io.h"
#include "media/folder_io.h"
#include "media/frames_io.h"

static const struct made {
    const char *encoder, *options;
    int keys_back;
} made[] = {
    {"mpeg4", "bf=2,g=12,global_quality=354,flags=+qscale", 0},
    {"mpeg4", "bf=2,g=12,global_quality=1500,flags=+qscale+qpel+mv4", 0},
    {"mpeg2video", "bf=2,g=9,global_quality=354,flags=+qscale", 1},
    {"libx264", "preset=fast,bf=3,g=250,x264-params=b-pyramid=normal", 0},
    {"libx264", "preset=fast,bf=3,g=14,x264-params=open-gop=1:scenecut=0:bframes=3", 1},
    {"mjpeg", "strict=-1", 0},
};

static void chunks_decode_to_the_frames_of_the_whole_clip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct clip *c = clip_make(made[i].encoder, made[i].options, 67);
        assert_int_equal(c->frame_count, 67);
        for (size_t runs = 0; runs <= 2; runs++) {
            struct frames_how how = {.chunk_frames = 15, .keys_back = made[i].keys_back};
            struct frames_run r = {0};
            frames_decode(c, &how, runs, &r);
            frames_check_whole(c, &r);
            assert_int_equal(r.stats.replaced, 0);
            assert_int_equal(r.stats.errors, 0);
            assert_int_equal(r.restarts, 0);
            free(r.hashes);
        }
        clip_free(&c);
    }
}

static void context_comes_in_its_place_whatever_the_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct clip *c = clip_make(made[i].encoder, made[i].options, 37);
        for (size_t context = 1; context <= 3; context += 2) {
            for (size_t chunk = 1; chunk <= 15; chunk += 7) {
                for (size_t runs = 0; runs <= 2; runs++) {
                    struct frames_how how = {
                        .chunk_frames = chunk, .context = context, .keys_back = 1};
                    struct frames_run r = {.clip = c};
                    frames_decode(c, &how, runs, &r);
                    frames_check_whole(c, &r);
                    size_t borders = (37 - 1) / chunk;
                    assert_true(r.beside >= 2 * borders);
                    assert_int_equal(r.stats.replaced + r.stats.errors, 0);
                    assert_int_equal(r.restarts, 0);
                    free(r.hashes);
                }
            }
        }
        clip_free(&c);
    }
}

static void hash_decoded(struct gm_sha256 *h, void *arg)
{
    struct clip *c = arg;
    clip_decode(c);
    for (size_t i = 0; i < c->frame_count; i++) {
        gm_sha256_update(h, c->frames[i].sha256, 32);
    }
}

static void plain_c_decodes_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct clip *c = clip_make(made[i].encoder, made[i].options, 40);
        uint8_t with[32];
        uint8_t without[32];
        uint8_t sse2[32];
        child_hash(NULL, hash_decoded, c, with);
        child_hash("none", hash_decoded, c, without);
        child_hash("mmx+mmxext+sse+sse2", hash_decoded, c, sse2);
        assert_memory_equal(with, without, 32);
        assert_memory_equal(with, sse2, 32);
        clip_free(&c);
    }
}

static void one_run_decodes_each_packet_once(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=3,g=250", 60);
    struct frames_how how = {.chunk_frames = 10, .reference = true};
    struct frames_run all = {0};
    struct frames_run alone = {0};
    frames_decode(c, &how, 0, &all);
    frames_decode(c, &how, 1, &alone);
    frames_check_whole(c, &all);
    frames_check_whole(c, &alone);
    assert_int_equal(all.ticks, c->packet_count);
    assert_true(alone.ticks > c->packet_count * 2);
    free(all.hashes);
    free(alone.hashes);
    clip_free(&c);
}

static void a_chunk_that_is_repeated_is_the_same(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=3,g=250", 60);
    for (size_t chunks = 0; chunks <= 2; chunks++) {
        struct frames_how how = {.chunk_frames = 17, .reference = chunks == 2};
        struct frames_run once = {0};
        struct frames_run r = {.repeats = 2};
        frames_decode(c, &how, chunks, &once);
        frames_decode(c, &how, chunks, &r);
        frames_check_whole(c, &r);
        assert_int_equal(r.restarts, 2 * 4);
        assert_int_equal(once.stats.spare, once.stats.decoded - 60);
        assert_int_equal(r.stats.spare, once.stats.spare); /* what is decoded again counts apart */
        assert_true(r.stats.decoded >= 3 * 60 + once.stats.spare);
        assert_int_equal(once.stats.spare > 0, chunks > 0);
        free(once.hashes);
        free(r.hashes);
    }
    clip_free(&c);
}

static void a_change_of_parameters_reopens_the_decoder(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=0,g=10", 60);
    for (size_t runs = 0; runs <= 2; runs++) {
        struct frames_how how = {.chunk_frames = 15, .change = true};
        struct frames_run r = {0};
        frames_decode(c, &how, runs, &r);
        frames_check_whole(c, &r);
        free(r.hashes);
    }
    clip_free(&c);
}

/* Entry 3 of every chunk asks for a second picture of a packet that shows one. */
static void edit_list(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    if (h->n_frames > 8) {
        h->frames[3]->packet_id = h->frames[2]->packet_id;
    }
}

static void a_frame_that_does_not_come_is_replaced_by_the_one_before(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=2,g=30", 60);
    struct frames_run runs[3] = {0};
    for (size_t n = 0; n <= 2; n++) {
        struct frames_how how = {.chunk_frames = 20, .edit = edit_list};
        frames_decode(c, &how, n, &runs[n]);
        assert_int_equal(runs[n].hash_count, 60);
        for (size_t i = 0; i < 60; i++) {
            size_t from = i % 20 == 3 ? i - 1 : i;
            assert_memory_equal(runs[n].hashes[i], c->frames[from].sha256, 32);
        }
        assert_int_equal(runs[n].stats.replaced, 3);
        assert_int_equal(runs[n].stats.discarded, 3);
        free(runs[n].hashes);
    }
    clip_free(&c);
}

static void an_empty_last_chunk_ends_the_run(void **state)
{
    (void)state;
    struct gm_err err;
    struct clip *c = clip_make("libx264", "preset=fast,bf=2,g=10", 20);
    struct clip_cut cuts[2] = {{.first = 0, .end = 20}, {.first = 20, .end = 20, .index = 1}};
    struct frames_run r = {.list.count = 2};
    r.list.fds[0] = clip_cut(c, &cuts[0]);
    r.list.fds[1] = clip_cut(c, &cuts[1]);
    assert_int_equal(frames_run(&r, &err), 0);
    frames_check_whole(c, &r);
    free(r.hashes);
    clip_free(&c);
}

static void real_clips_decode_the_same_in_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int keys_back;
    } clips[] = {
        {"packed-bframes.avi", -1},
        {"mpeg4-176x144.mp4", 1},
        {"h263.3gp", 1},
        {"theora.ogv", 0},
        {"sar-2x1.mp4", 1},
        {"first-pts-10s.mp4", 1},
        {"res-change-midstream.mp4", 1},
        {"chapters-444.mkv", 1},
    };
    char path[4096];
    if (!folder_clip(clips[0].name, path)) {
        skip();
    }
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        assert_true(folder_clip(clips[i].name, path));
        struct clip *c = clip_load(path);
        for (size_t runs = 0; runs <= 2; runs++) {
            struct frames_how how = {.chunk_frames = 31, .keys_back = clips[i].keys_back};
            struct frames_run r = {0};
            frames_decode(c, &how, runs, &r);
            frames_check_whole(c, &r);
            free(r.hashes);
        }
        clip_free(&c);
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_comes_in_its_place_whatever_the_run),
        cmocka_unit_test(plain_c_decodes_the_same),
        cmocka_unit_test(chunks_decode_to_the_frames_of_the_whole_clip),
        cmocka_unit_test(one_run_decodes_each_packet_once),
        cmocka_unit_test(a_chunk_that_is_repeated_is_the_same),
        cmocka_unit_test(a_change_of_parameters_reopens_the_decoder),
        cmocka_unit_test(a_frame_that_does_not_come_is_replaced_by_the_one_before),
        cmocka_unit_test(an_empty_last_chunk_ends_the_run),
        cmocka_unit_test(real_clips_decode_the_same_in_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
