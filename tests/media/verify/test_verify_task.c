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

#include "common/fs.h"
#include "common/hash.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/folder_io.h"
#include "media/results.h"
#include "proto/chunk.h"
#include "proto/envelope.h"

/* The verify task over chunks of two renditions. An encoder that leaves the plan is made of the
 * task encode: it is given another plan than split's, so that all renditions, their files and what
 * is announced of them agree with each other. */
#define FRAMES 300

struct world {
    Gm__Pipeline *pipeline;
    struct folder_io *f;
};

static void must(int rc, const struct gm_err *err)
{
    if (rc < 0) {
        fail_msg("%s", err->text);
    }
}

static int set_up(void **state)
{
    static const uint32_t ladder[] = {80, 40};
    static const char *const tasks[] = {"inspect", "plan", "split"};
    static struct world w;
    struct folder_pipeline params = {.ladder = ladder, .rungs = 2};
    struct gm_err err;
    clip_source_make("preset=veryfast,bf=2,g=40", FRAMES);
    w.pipeline = folder_pipeline(&params);
    must(folder_io_create(clip_source()->path, w.pipeline, &w.f, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        struct folder_run run = {.task = tasks[i]};
        must(folder_io_run(w.f, &run, NULL, &err), &err);
    }
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    folder_io_destroy(&w->f);
    gm__pipeline__free_unpacked(w->pipeline, NULL);
    return clip_source_remove(NULL);
}

static void encode(struct world *w, uint32_t chunk)
{
    struct folder_run run = {.task = "encode", .first_chunk = chunk, .chunks = 1};
    struct gm_err err;
    must(folder_io_run(w->f, &run, NULL, &err), &err);
}

/* ---- other plans */

static void none(Gm__ChunkHeader *h)
{
    (void)h;
}
static void a_frame_later(Gm__ChunkHeader *h)
{
    h->frames[7]->out_ts++;
}
static void all_frames_later(Gm__ChunkHeader *h)
{
    for (size_t i = 0; i < h->n_frames; i++) {
        h->frames[i]->out_ts++;
    }
    h->end_ts++;
}
static void the_end_later(Gm__ChunkHeader *h)
{
    h->end_ts++;
}
static void a_gop_more(Gm__ChunkHeader *h)
{
    h->frames[9]->gop_start = true;
}
static void a_gop_less(Gm__ChunkHeader *h)
{
    h->frames[50]->gop_start = false;
}
static void a_gop_later(Gm__ChunkHeader *h)
{
    h->frames[50]->gop_start = false;
    h->frames[51]->gop_start = true;
}
static void a_frame_less(Gm__ChunkHeader *h)
{
    gm__frame_entry__free_unpacked(h->frames[20], NULL);
    h->n_frames--;
    memmove(h->frames + 20, h->frames + 21, (h->n_frames - 20) * sizeof(h->frames[0]));
}
static void the_last_frame_less(Gm__ChunkHeader *h)
{
    gm__frame_entry__free_unpacked(h->frames[--h->n_frames], NULL);
}
static void another_segment(Gm__ChunkHeader *h)
{
    h->segments[0]->number++;
}
static void another_last(Gm__ChunkHeader *h)
{
    h->last = !h->last;
}

/* The chunk object at `from`, with its header changed, as `to`. */
static void change_plan(const char *from, const char *to, void (*change)(Gm__ChunkHeader *h))
{
    struct gm_chunk_reader *reader = NULL;
    struct gm_chunk_writer *writer = NULL;
    struct gm_err err;
    enum gm_chunk_record record;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    must(gm_chunk_reader_open(in, &reader, &err), &err);
    Gm__ChunkHeader *header =
        (Gm__ChunkHeader *)gm_message_dup(&gm_chunk_reader_header(reader)->base);
    assert_non_null(header);
    assert_true(header->n_frames == FRAMES / 2 && header->frames[50]->gop_start);
    change(header);
    must(gm_chunk_writer_open(out, header, &writer, &err), &err);
    do {
        struct gm_chunk_packet packet;
        const uint8_t *data = NULL;
        size_t size = 0;
        must(gm_chunk_read(reader, &record, &packet, &data, &size, &err), &err);
        if (record == GM_CHUNK_PACKET) {
            must(gm_chunk_write_packet(writer, &packet, &err), &err);
        } else if (record == GM_CHUNK_CHANGE) {
            must(gm_chunk_write_change(writer, data, size, &err), &err);
        }
    } while (record != GM_CHUNK_END);
    must(gm_chunk_writer_finish(writer, &err), &err);
    gm_chunk_writer_close(&writer);
    gm_chunk_reader_close(&reader);
    gm__chunk_header__free_unpacked(header, NULL);
    (void)close(in);
    (void)close(out);
}

static int verify_with_plan(struct world *w, uint32_t chunk, void (*change)(Gm__ChunkHeader *h),
                            struct gm_err *err)
{
    char path[4096], kept[4104];
    folder_io_path(w->f, folder_io_item(w->f, "split", 0, 0, chunk)->objects[0], path);
    (void)snprintf(kept, sizeof(kept), "%s.kept", path);
    assert_int_equal(rename(path, kept), 0);
    change_plan(kept, path, change);
    encode(w, chunk);
    assert_int_equal(rename(kept, path), 0);
    return folder_io_verify(w->f, "encode", 0, 0, chunk, err);
}

static void an_encoder_that_leaves_the_plan_is_refused(void **state)
{
    static const struct {
        void (*change)(Gm__ChunkHeader *h);
        const char *said; /* NULL: it is right */
    } rows[] = {
        {none, NULL},
        {a_frame_later, "planned"},
        {all_frames_later, "planned"},
        {the_end_later, "planned"},
        {a_gop_more, "planned"},
        {a_gop_less, "planned"},
        {a_gop_later, "planned"},
        {a_frame_less, "number of frames"},
        {the_last_frame_less, "number of frames"},
        {another_segment, "planned"},
        {another_last, "last chunk"},
    };
    for (uint32_t chunk = 0; chunk < 2; chunk++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct gm_err err = {0};
            int rc = verify_with_plan(*state, chunk, rows[i].change, &err);
            if (rc != (rows[i].said == NULL ? 0 : -GM_E_MEDIA_VERIFY) ||
                (rc < 0 && strstr(err.text, rows[i].said) == NULL)) {
                fail_msg("chunk %u, row %zu: %d: %s", chunk, i, rc, err.text);
            }
        }
    }
}

/* A chunk whose times split told in a way that no file can have is refused; one of a split that
 * told none is taken by its count of frames alone. Without its chunk no item is. */
static void what_split_told_is_what_counts(void **state)
{
    struct world *w = *state;
    struct gm_err err = {0};
    Gm__Item *chunk = (Gm__Item *)(uintptr_t)folder_io_item(w->f, "split", 0, 0, 0);
    encode(w, 0);
    for (int i = 0; i < 5; i++) {
        const ProtobufCBinaryData told = chunk->meta;
        Gm__SplitItemMeta *m = gm__split_item_meta__unpack(NULL, told.len, told.data);
        assert_true(m != NULL && m->times_sha256.len == 32 && m->frames == FRAMES / 2);
        size_t len = m->times_sha256.len;
        m->times_sha256.data[31] ^= i == 0;
        m->times_sha256.len = i == 1 ? 31 : i == 2 || i == 3 ? 0 : len;
        m->frames += i == 3;
        uint8_t packed[256];
        assert_true(gm__split_item_meta__get_packed_size(m) <= sizeof(packed));
        chunk->meta = (ProtobufCBinaryData){gm__split_item_meta__pack(m, packed), packed};
        chunk->index += i == 4 ? 7 : 0;
        assert_int_equal(folder_io_verify(w->f, "encode", 0, 0, 0, &err), i == 2 ? 0
                                                                          : i == 4
                                                                              ? -GM_E_PROTO
                                                                              : -GM_E_MEDIA_VERIFY);
        chunk->index -= i == 4 ? 7 : 0;
        chunk->meta = told;
        m->times_sha256.len = len;
        gm__split_item_meta__free_unpacked(m, NULL);
    }
    assert_int_equal(folder_io_verify(w->f, "encode", 0, 0, 0, &err), 0);
}

/* ---- pictures that do not decode */

/* Garbage at the end of the keyframe of one GOP of the chunk's first segment, in a file whose size,
 * hash and name are as announced. */
static void spoil(struct world *w, uint32_t chunk, size_t rendition, size_t gop)
{
    struct gm_err err;
    char path[4096], name[32];
    uint8_t *data = NULL, sha256[GM_SHA256_SIZE];
    size_t size = 0;
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->f, "encode", 0, 0, chunk);
    Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
    assert_non_null(m);
    Gm__SegmentMeta *s = m->renditions[rendition]->segments[0];
    const Gm__GopMeta *g = s->gops[gop];
    size_t object = 0;
    while (strstr(item->objects[object]->key, s->name) == NULL) {
        assert_true(++object < item->n_objects);
    }
    Gm__Object *o = item->objects[object];
    folder_io_path(w->f, o, path);
    must(gm_fs_read(path, 1u << 24, &data, &size, &err), &err);
    for (size_t at = g->offset + g->idr_size - 100; at < g->offset + g->idr_size; at++) {
        data[at] = 0x10;
    }
    gm_sha256(data, size, sha256);
    gm_segment_name(s->number, sha256, name);
    (void)snprintf(strstr(o->key, s->name), strlen(s->name) + 1, "%s", name);
    (void)snprintf(s->name, strlen(s->name) + 1, "%s", name);
    memcpy(s->sha256.data, sha256, sizeof(sha256));
    memcpy(o->sha256.data, sha256, sizeof(sha256));
    folder_io_path(w->f, o, path);
    must(gm_fs_write_atomic(path, data, size, &err), &err);
    assert_int_equal(gm__encode_item_meta__get_packed_size(m), item->meta.len);
    gm__encode_item_meta__pack(m, item->meta.data);
    gm__encode_item_meta__free_unpacked(m, NULL);
    free(data);
}

/* Two renditions and three GOPs a chunk: of the first chunk GOP 0 of the larger and GOP 1 of the
 * smaller rendition are decoded, of the second GOP 1 of the smaller. */
static void what_is_looked_at_must_decode(void **state)
{
    static const struct {
        uint32_t chunk;
        size_t rendition, gop;
        bool found;
    } rows[] = {{0, 0, 0, true},  {0, 0, 1, false}, {0, 1, 0, false}, {0, 1, 1, true},
                {0, 1, 2, false}, {1, 0, 0, false}, {1, 1, 0, false}, {1, 1, 1, true}};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gm_err err = {0};
        encode(w, rows[i].chunk);
        spoil(w, rows[i].chunk, rows[i].rendition, rows[i].gop);
        int rc = folder_io_verify(w->f, "encode", 0, 0, rows[i].chunk, &err);
        if (rc != (rows[i].found ? -GM_E_MEDIA_VERIFY : 0) ||
            (rc < 0 && strstr(err.text, "decode") == NULL)) {
            fail_msg("row %zu: %d: %s", i, rc, err.text);
        }
    }
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encoder_that_leaves_the_plan_is_refused),
        cmocka_unit_test(what_split_told_is_what_counts),
        cmocka_unit_test(what_is_looked_at_must_decode),
    };
    return cmocka_run_group_tests_name("verify_task", tests, set_up, tear_down);
}
