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
#include "media/chunk_io.h"
#include "media/folder_io.h"
#include "media/frames.h"

#define MAX_CHUNKS 512

/* A run of chunks and what came out of it. */
struct run {
    int fds[MAX_CHUNKS];
    size_t count, next;
    int source_fd;
    size_t ticks;
    size_t restarts;
    size_t repeats; /* so often is each chunk asked for again */
    uint8_t (*hashes)[32];
    size_t hash_count, hash_cap;
    struct gm_frames_stats stats;
    const struct clip *clip; /* context is compared with its frames; NULL: it is not */
    size_t beside, beside_of_chunk;
};

static int next_chunk(void *arg, bool *out_more, int *out_fd, struct gm_err *err)
{
    struct run *r = arg;
    (void)err;
    *out_more = r->next < r->count;
    if (*out_more) {
        *out_fd = r->fds[r->next++];
    }
    return 0;
}

static int source(void *arg, int *out_fd, struct gm_err *err)
{
    struct run *r = arg;
    (void)err;
    *out_fd = r->source_fd;
    return 0;
}

static void tick(void *arg)
{
    struct run *r = arg;
    r->ticks++;
}

static void keep(struct run *r, const AVFrame *frame)
{
    if (r->hash_count == r->hash_cap) {
        r->hash_cap = r->hash_cap * 2 + 64;
        r->hashes = realloc(r->hashes, r->hash_cap * 32);
        assert_non_null(r->hashes);
    }
    clip_hash(frame, r->hashes[r->hash_count++]);
}

/* A picture of context must be the clip's frame at that place. */
static void beside(struct run *r, const struct gm_frames_step *step, size_t done)
{
    const Gm__ChunkHeader *h = step->header;
    uint8_t hash[32];
    size_t n = r->beside_of_chunk++;
    const Gm__FrameEntry *e = done == 0 ? h->before[n] : h->after[n - h->n_before];
    r->beside++;
    if (r->clip != NULL) {
        clip_hash(step->picture, hash);
        assert_memory_equal(hash, r->clip->frames[e->out_ts / CLIP_TICKS].sha256, 32);
    }
}

/* Runs the chunks; checks the order of events. */
static int run(struct run *r, struct gm_err *err)
{
    struct gm_frames_source s = {r, next_chunk, source, tick};
    struct gm_frames *f = NULL;
    struct gm_frames_step step;
    assert_int_equal(gm_frames_create(&s, &f, err), 0);
    size_t start = 0;
    size_t again = 0;
    size_t expect = 0;
    bool open = false;
    int rc;
    while ((rc = gm_frames_next(f, &step, err)) == 0 && step.event != GM_FRAMES_RUN_END) {
        switch (step.event) {
        case GM_FRAMES_CHUNK:
            assert_false(open);
            open = true;
            start = r->hash_count;
            expect = r->beside_of_chunk = 0;
            break;
        case GM_FRAMES_RESTART:
            assert_true(open);
            r->hash_count = start;
            r->restarts++;
            expect = r->beside_of_chunk = 0;
            break;
        case GM_FRAMES_BESIDE:
            assert_true(open);
            assert_true(expect == 0 || expect == step.header->n_frames);
            beside(r, &step, expect);
            break;
        case GM_FRAMES_PICTURE:
            assert_true(open);
            assert_int_equal(step.index, expect++);
            keep(r, step.picture);
            break;
        case GM_FRAMES_CHUNK_END:
            assert_int_equal(expect, step.header->n_frames);
            if (again < r->repeats) {
                again++;
                gm_frames_repeat(f);
                break;
            }
            again = 0;
            r->stats.replaced += step.stats.replaced;
            r->stats.discarded += step.stats.discarded;
            r->stats.errors += step.stats.errors;
            r->stats.decoded += step.stats.decoded;
            open = false;
            break;
        case GM_FRAMES_RUN_END:
            break;
        }
    }
    gm_frames_destroy(&f);
    for (size_t i = r->next; i < r->count; i++) {
        close(r->fds[i]);
    }
    return rc;
}

struct how {
    size_t chunk_frames, context;
    int keys_back;
    bool reference, change;
    void (*edit)(Gm__ChunkHeader *header, void *arg);
    void *arg;
};

/* Cuts the clip into chunks and decodes it in runs of run_chunks (0: one run); adds to *out. */
static void decode(const struct clip *c, const struct how *how, size_t run_chunks, struct run *out)
{
    struct gm_err err = {0};
    size_t first = 0;
    uint32_t index = 0;
    int source_fd = how->reference ? clip_write(c) : -1;
    while (first < c->frame_count) {
        struct run r = *out;
        r.count = r.next = 0;
        r.source_fd = source_fd;
        while (first < c->frame_count && (run_chunks == 0 || r.count < run_chunks)) {
            size_t end = first + how->chunk_frames;
            end = end > c->frame_count ? c->frame_count : end;
            struct clip_cut cut = {.first = first,
                                   .end = end,
                                   .context = how->context,
                                   .index = index++,
                                   .last = end == c->frame_count,
                                   .keys_back = how->keys_back,
                                   .change = how->change,
                                   .reference_fd = source_fd,
                                   .edit = how->edit,
                                   .arg = how->arg};
            assert_true(r.count < MAX_CHUNKS);
            r.fds[r.count++] = clip_cut(c, &cut);
            first = end;
        }
        if (run(&r, &err) < 0) {
            fail_msg("%s", err.text);
        }
        *out = r;
    }
    if (source_fd >= 0) {
        close(source_fd);
    }
}

static void assert_whole(const struct clip *c, const struct run *r)
{
    assert_int_equal(r->hash_count, c->frame_count);
    for (size_t i = 0; i < c->frame_count; i++) {
        if (memcmp(r->hashes[i], c->frames[i].sha256, 32) != 0) {
            fail_msg("frame %zu of %zu differs", i, c->frame_count);
        }
    }
}

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
            struct how how = {.chunk_frames = 15, .keys_back = made[i].keys_back};
            struct run r = {0};
            decode(c, &how, runs, &r);
            assert_whole(c, &r);
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
        struct clip *c = clip_make(made[i].encoder, made[i].options, 67);
        for (size_t context = 1; context <= 3; context += 2) {
            for (size_t chunk = 1; chunk <= 15; chunk += 7) {
                for (size_t runs = 0; runs <= 2; runs++) {
                    struct how how = {.chunk_frames = chunk, .context = context, .keys_back = 1};
                    struct run r = {.clip = c};
                    decode(c, &how, runs, &r);
                    assert_whole(c, &r);
                    size_t borders = (67 - 1) / chunk;
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

static void context_of_damaged_chunks_is_the_same_whatever_the_run(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=3,g=20", 100);
    for (size_t i = 7; i < c->packet_count; i += 23) {
        AVPacket *p = c->packets[i];
        for (int b = p->size / 3; b < p->size; b += 5) {
            p->data[b] ^= 0x55;
        }
    }
    struct run runs[4] = {0};
    for (size_t n = 0; n <= 3; n++) {
        struct how how = {.chunk_frames = 10, .context = 1};
        decode(c, &how, n, &runs[n]);
        assert_int_equal(runs[n].hash_count, 100);
        assert_int_equal(runs[n].beside >= 18, true);
    }
    for (size_t n = 0; n <= 3; n++) {
        assert_memory_equal(runs[n].hashes, runs[1].hashes, 100 * 32);
        assert_int_equal(runs[n].stats.replaced, runs[1].stats.replaced);
        free(n == 1 ? NULL : runs[n].hashes);
    }
    free(runs[1].hashes);
    clip_free(&c);
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
    struct how how = {.chunk_frames = 10, .reference = true};
    struct run all = {0};
    struct run alone = {0};
    decode(c, &how, 0, &all);
    decode(c, &how, 1, &alone);
    assert_whole(c, &all);
    assert_whole(c, &alone);
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
        struct how how = {.chunk_frames = 17, .reference = chunks == 2};
        struct run r = {.repeats = 2};
        decode(c, &how, chunks, &r);
        assert_whole(c, &r);
        assert_int_equal(r.restarts, 2 * 4);
        free(r.hashes);
    }
    clip_free(&c);
}

static void a_change_of_parameters_reopens_the_decoder(void **state)
{
    (void)state;
    struct clip *c = clip_make("libx264", "preset=fast,bf=0,g=10", 60);
    for (size_t runs = 0; runs <= 2; runs++) {
        struct how how = {.chunk_frames = 15, .change = true};
        struct run r = {0};
        decode(c, &how, runs, &r);
        assert_whole(c, &r);
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
    struct run runs[3] = {0};
    for (size_t n = 0; n <= 2; n++) {
        struct how how = {.chunk_frames = 20, .edit = edit_list};
        decode(c, &how, n, &runs[n]);
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

static void damage_gives_the_same_pictures_whatever_the_run(void **state)
{
    (void)state;
    static const struct made damaged[] = {
        {"libx264", "preset=fast,bf=3,g=20", 0},
        {"libx264", "preset=fast,bf=2,g=60", 0},
        {"mpeg4", "bf=2,g=12,global_quality=354,flags=+qscale", 0},
    };
    for (size_t k = 0; k < sizeof damaged / sizeof damaged[0]; k++) {
        struct clip *c = clip_make(damaged[k].encoder, damaged[k].options, 100);
        for (size_t i = 7; i < c->packet_count; i += 23) {
            AVPacket *p = c->packets[i];
            for (int b = p->size / 3; b < p->size; b += 5) {
                p->data[b] ^= 0x55;
            }
        }
        /* The list stays that of the undamaged clip. */
        struct run runs[4] = {0};
        for (size_t n = 0; n <= 3; n++) {
            struct how how = {.chunk_frames = 10};
            decode(c, &how, n, &runs[n]);
            assert_int_equal(runs[n].hash_count, 100);
        }
        assert_true(runs[1].stats.errors > 0);
        assert_int_equal(runs[1].restarts, 0);
        for (size_t n = 0; n <= 3; n++) {
            assert_memory_equal(runs[n].hashes, runs[1].hashes, 100 * 32);
            assert_int_equal(runs[n].stats.replaced, runs[1].stats.replaced);
            assert_int_equal(runs[n].stats.discarded, runs[1].stats.discarded);
            assert_int_equal(runs[n].stats.errors, runs[1].stats.errors);
            free(n == 1 ? NULL : runs[n].hashes);
        }
        free(runs[1].hashes);
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
    struct how how = {.chunk_frames = 5};
    struct run r = {0};
    decode(c, &how, 0, &r);
    assert_int_equal(r.hash_count, 10);
    assert_int_equal(r.stats.replaced, 10);
    for (size_t i = 1; i < 10; i++) {
        assert_memory_equal(r.hashes[i], r.hashes[0], 32);
    }
    free(r.hashes);
    clip_free(&c);
}

static void an_empty_last_chunk_ends_the_run(void **state)
{
    (void)state;
    struct gm_err err;
    struct clip *c = clip_make("libx264", "preset=fast,bf=2,g=10", 20);
    struct clip_cut cuts[2] = {{.first = 0, .end = 20}, {.first = 20, .end = 20, .index = 1}};
    struct run r = {.count = 2};
    r.fds[0] = clip_cut(c, &cuts[0]);
    r.fds[1] = clip_cut(c, &cuts[1]);
    assert_int_equal(run(&r, &err), 0);
    assert_whole(c, &r);
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
        struct run r = {.count = 1};
        r.fds[0] = clip_cut(c, &cut);
        assert_int_equal(run(&r, &err), -GM_E_MEDIA_CHUNK);
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
        struct run r = {.count = 1};
        r.fds[0] = clip_cut(c, &cut);
        assert_int_equal(ftruncate(r.fds[0], at), 0);
        assert_int_equal(run(&r, &err), -GM_E_MEDIA_CHUNK);
        free(r.hashes);
    }
    clip_free(&c);
}

static void a_source_that_became_shorter_is_named(void **state)
{
    (void)state;
    struct gm_err err = {0};
    struct clip *c = clip_make("mjpeg", "strict=-1", 10);
    struct run r = {.count = 1, .source_fd = clip_write(c)};
    struct clip_cut cut = {.first = 0, .end = 10, .reference_fd = r.source_fd};
    r.fds[0] = clip_cut(c, &cut);
    assert_int_equal(ftruncate(r.source_fd, lseek(r.source_fd, 0, SEEK_END) - 1), 0);
    assert_int_equal(run(&r, &err), -GM_E_INPUT_CHANGED);
    close(r.source_fd);
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
            struct how how = {.chunk_frames = 31, .keys_back = clips[i].keys_back};
            struct run r = {0};
            decode(c, &how, runs, &r);
            assert_whole(c, &r);
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
        cmocka_unit_test(context_of_damaged_chunks_is_the_same_whatever_the_run),
        cmocka_unit_test(plain_c_decodes_the_same),
        cmocka_unit_test(chunks_decode_to_the_frames_of_the_whole_clip),
        cmocka_unit_test(one_run_decodes_each_packet_once),
        cmocka_unit_test(a_chunk_that_is_repeated_is_the_same),
        cmocka_unit_test(a_change_of_parameters_reopens_the_decoder),
        cmocka_unit_test(a_frame_that_does_not_come_is_replaced_by_the_one_before),
        cmocka_unit_test(damage_gives_the_same_pictures_whatever_the_run),
        cmocka_unit_test(a_chunk_of_which_nothing_decodes_is_black),
        cmocka_unit_test(an_empty_last_chunk_ends_the_run),
        cmocka_unit_test(malformed_chunks_are_refused),
        cmocka_unit_test(chunks_cut_off_anywhere_are_refused),
        cmocka_unit_test(a_source_that_became_shorter_is_named),
        cmocka_unit_test(real_clips_decode_the_same_in_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
