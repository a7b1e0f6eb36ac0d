/* Chunks of damaged clips, and chunk objects that are not whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/frames_io.h"

/* Whatever the number of chunks in a run, the same 100 pictures come out. The list stays that of
 * the undamaged clip. Returns the errors. */
static uint32_t assert_same_runs(const struct clip *c, size_t context)
{
    static const size_t chunks[] = {0, 2, 3}; /* 0: all */
    const struct frames_how how = {.chunk_frames = 10, .context = context};
    struct frames_run alone = {0};
    frames_decode(c, &how, 1, &alone);
    assert_int_equal(alone.hash_count, 100);
    assert_int_equal(alone.restarts, 0);
    for (size_t n = 0; n < sizeof chunks / sizeof chunks[0]; n++) {
        struct frames_run r = {0};
        frames_decode(c, &how, chunks[n], &r);
        assert_int_equal(r.hash_count, 100);
        assert_true(r.beside >= 18 * context);
        assert_memory_equal(r.hashes, alone.hashes, 100 * 32);
        assert_int_equal(r.stats.replaced, alone.stats.replaced);
        assert_int_equal(r.stats.discarded, alone.stats.discarded);
        assert_int_equal(r.stats.errors, alone.stats.errors);
        free(r.hashes);
    }
    free(alone.hashes);
    return alone.stats.errors;
}

static void context_of_damaged_chunks_is_the_same_whatever_the_run(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=3,g=20", 100);
    frames_damage(c);
    assert_true(assert_same_runs(c, 1) > 0);
    clip_free(&c);
}

static void damage_gives_the_same_pictures_whatever_the_run(void **state)
{
    (void)state;
    static const struct {
        const char *encoder, *options;
        enum AVPixelFormat format;
        bool silent; /* the decoder does not say that anything is damaged */
    } damaged[] = {
        {"libx264", "preset=fast,bf=3,g=20", AV_PIX_FMT_YUV420P, false},
        {"libx264", "preset=fast,bf=2,g=60", AV_PIX_FMT_YUV420P, false},
        {"mpeg4", "bf=2,g=12,global_quality=354,flags=+qscale", AV_PIX_FMT_YUV420P, false},
        {"mjpeg", "", AV_PIX_FMT_YUVJ420P, true},
        {"prores_ks", "", AV_PIX_FMT_YUV422P10, false},
    };
    for (size_t k = 0; k < sizeof damaged / sizeof damaged[0]; k++) {
        struct clip *c =
            clip_make_sized(damaged[k].encoder, damaged[k].options, 100, 96, 80, damaged[k].format);
        frames_damage(c);
        assert_int_equal(assert_same_runs(c, 0) > 0, !damaged[k].silent);
        clip_free(&c);
    }
}

static void a_chunk_of_which_nothing_decodes_is_black(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=0,g=5", 10);
    for (size_t i = 0; i < c->packet_count; i++) {
        memset(c->packets[i]->data, 0xff, (size_t)c->packets[i]->size);
    }
    struct frames_how how = {.chunk_frames = 5};
    struct frames_run r = {0};
    frames_decode(c, &how, 0, &r);
    assert_int_equal(r.hash_count, 10);
    assert_int_equal(r.stats.replaced, 10);
    for (size_t i = 1; i < 10; i++) {
        assert_memory_equal(r.hashes[i], r.hashes[0], 32);
    }
    free(r.hashes);
    clip_free(&c);
}

static void spoil_version(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->version = 2;
}
static void spoil_stream(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->stream = 1;
}
static void spoil_times(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->frames[2]->out_ts = h->frames[1]->out_ts;
}
static void spoil_end(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->end_ts = h->frames[h->n_frames - 1]->out_ts;
}
static void spoil_gop(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->frames[0]->gop_start = false;
}
static void spoil_segment(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->segments[0]->first_frame = 4000000000U;
}
static void spoil_before(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->before[0]->out_ts = h->frames[0]->out_ts;
}
static void spoil_after(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->after[0]->out_ts = h->end_ts - 1;
}
static void spoil_time_base(Gm__ChunkHeader *h, void *arg)
{
    (void)arg;
    h->time_base->den = 0;
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    static void (*const spoil[])(Gm__ChunkHeader *, void *) = {
        spoil_version, spoil_stream,    spoil_times,  spoil_end,  spoil_gop,
        spoil_segment, spoil_time_base, spoil_before, spoil_after};
    struct clip *c = clip_make("mjpeg", "strict=-1", 10);
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        struct gm_err err = {0};
        struct clip_cut cut = {.first = 1, .end = 9, .context = 1, .edit = spoil[i]};
        struct frames_run r = {.list.count = 1};
        r.list.fds[0] = clip_cut(c, &cut);
        assert_int_equal(frames_run(&r, &err), -GM_E_MEDIA_CHUNK);
        assert_int_equal(err.code, GM_E_MEDIA_CHUNK);
        free(r.hashes);
    }
    clip_free(&c);
}

static void chunks_cut_off_anywhere_are_refused(void **state)
{
    (void)state;
    struct clip *c = clip_make("mjpeg", "strict=-1", 4);
    struct clip_cut cut = {.first = 0, .end = 4};
    int whole = clip_cut(c, &cut);
    off_t size = lseek(whole, 0, SEEK_END);
    close(whole);
    for (off_t at = 0; at < size; at += at < 600 || at > size - 50 ? 7 : 501) {
        struct gm_err err = {0};
        struct frames_run r = {.list.count = 1};
        r.list.fds[0] = clip_cut(c, &cut);
        assert_int_equal(ftruncate(r.list.fds[0], at), 0);
        assert_int_equal(frames_run(&r, &err), -GM_E_MEDIA_CHUNK);
        free(r.hashes);
    }
    clip_free(&c);
}

static void a_source_that_became_shorter_is_named(void **state)
{
    (void)state;
    struct gm_err err = {0};
    struct clip *c = clip_make("mjpeg", "strict=-1", 10);
    struct frames_run r = {.list.count = 1, .source_fd = clip_write(c)};
    struct clip_cut cut = {.first = 0, .end = 10, .reference_fd = r.source_fd};
    r.list.fds[0] = clip_cut(c, &cut);
    assert_int_equal(ftruncate(r.source_fd, lseek(r.source_fd, 0, SEEK_END) - 1), 0);
    assert_int_equal(frames_run(&r, &err), -GM_E_INPUT_CHANGED);
    close(r.source_fd);
    free(r.hashes);
    clip_free(&c);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_of_damaged_chunks_is_the_same_whatever_the_run),
        cmocka_unit_test(damage_gives_the_same_pictures_whatever_the_run),
        cmocka_unit_test(a_chunk_of_which_nothing_decodes_is_black),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(chunks_cut_off_anywhere_are_refused),
        cmocka_unit_test(a_source_that_became_shorter_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
