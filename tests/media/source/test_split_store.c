#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/source/split_start.h"

/* A gm_task_io of one scratch file. */
struct scratch {
    int created, removed;
};

static int create_file(void *self, const char *name, int *out_fd, struct gm_err *err)
{
    struct scratch *s = self;
    (void)err;
    s->created++;
    *out_fd = memfd_create(name, MFD_CLOEXEC);
    return 0;
}

static void remove_file(void *self, const char *name)
{
    struct scratch *s = self;
    assert_string_equal(name, "spill.tmp");
    s->removed++;
}

struct set {
    struct scratch scratch;
    struct gm_task_io io;
    AVFormatContext *format;
    AVStream *stream;
    struct gm_split_store store;
    int source;
};

static void set_init(struct set *s, bool by_reference)
{
    struct gm_err err;
    *s = (struct set){.source = memfd_create("source", MFD_CLOEXEC)};
    s->io.self = &s->scratch;
    s->io.create_file = create_file;
    s->io.remove_file = remove_file;
    s->format = avformat_alloc_context();
    s->stream = avformat_new_stream(s->format, NULL);
    s->stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    s->stream->codecpar->codec_id = AV_CODEC_ID_MPEG4;
    assert_int_equal(gm_av_set_extradata(s->stream->codecpar, "base", 4, NULL), 0);
    s->stream->time_base = (AVRational){1, 25};
    assert_int_equal(gm_split_store_init(&s->store, &s->io, s->stream, gm_source_plain(s->source),
                                         by_reference, "spill.tmp", &err),
                     0);
}

static void set_fini(struct set *s)
{
    gm_split_store_fini(&s->store);
    avformat_free_context(s->format);
    (void)close(s->source);
}

/* Packet i: 100 bytes of its number. */
static AVPacket *packet(int i, bool key)
{
    AVPacket *p = av_packet_alloc();
    assert_int_equal(av_new_packet(p, 100), 0);
    memset(p->data, i, 100);
    p->pts = p->dts = i;
    p->duration = 1;
    p->pos = -1;
    p->flags = key ? AV_PKT_FLAG_KEY : 0;
    return p;
}

static void add(struct set *s, int i, bool key)
{
    struct gm_err err;
    AVPacket *p = packet(i, key);
    assert_int_equal(gm_split_store_add(&s->store, p, &err), 0);
    av_packet_free(&p);
}

/* Writes [from, to] as a chunk and checks each packet. */
static void assert_written(struct set *s, uint64_t from, uint64_t to, bool by_reference)
{
    struct gm_chunk_writer *w;
    struct gm_chunk_reader *r;
    struct gm_chunk_packet p;
    enum gm_chunk_record record;
    const uint8_t *change;
    size_t change_size;
    struct gm_err err;
    Gm__ChunkHeader h = GM__CHUNK_HEADER__INIT;
    Gm__Rational tb = GM__RATIONAL__INIT;
    uint8_t *par = NULL, body[100];
    assert_int_equal(gm_split_store_codecpar(&s->store, from, &par, &h.codecpar.len, &err), 0);
    h.codecpar.data = par;
    h.version = 1;
    h.codec = "mpeg4";
    h.by_reference = by_reference;
    tb.num = 1;
    tb.den = 25;
    h.time_base = &tb;
    int fd = memfd_create("chunk", MFD_CLOEXEC);
    assert_int_equal(gm_chunk_writer_open(fd, &h, &w, &err), 0);
    assert_int_equal(gm_split_store_write(&s->store, from, to, w, &err), 0);
    assert_int_equal(gm_chunk_writer_finish(w, &err), 0);
    gm_chunk_writer_close(&w);
    assert_int_equal(gm_chunk_reader_open(fd, &r, &err), 0);
    for (uint64_t id = from; id <= to; id++) {
        assert_int_equal(gm_chunk_read(r, &record, &p, &change, &change_size, &err), 0);
        assert_int_equal(record, GM_CHUNK_PACKET);
        assert_int_equal(p.id, id);
        assert_int_equal(p.pts, id);
        assert_int_equal(p.size, 100);
        assert_int_equal(p.by_reference, by_reference);
        memset(body, (int)id, sizeof body);
        if (by_reference) {
            uint8_t there[100];
            assert_int_equal(pread(s->source, there, 100, (off_t)p.offset), 100);
            assert_memory_equal(there, body, 100);
        } else {
            assert_memory_equal(p.data, body, 100);
        }
    }
    assert_int_equal(gm_chunk_read(r, &record, &p, &change, &change_size, &err), 0);
    assert_int_equal(record, GM_CHUNK_END);
    gm_chunk_reader_close(&r);
    (void)close(fd);
    free(par);
}

static void packets_beyond_the_memory_go_to_scratch_and_come_back(void **state)
{
    struct set s;
    (void)state;
    set_init(&s, false);
    s.store.memory_limit = 500;
    for (int i = 0; i < 60; i++) {
        add(&s, i, i % 10 == 0);
    }
    assert_int_equal(s.store.memory_bytes, 500);
    assert_int_equal(s.store.spilled, 55);
    assert_int_equal(s.scratch.created, 1);
    assert_written(&s, 3, 59, false);
    gm_split_store_drop(&s.store, 60);
    assert_int_equal(s.store.spilled, 0);
    assert_int_equal(s.store.memory_bytes, 0);
    assert_int_equal(gm_split_store_first(&s.store), 60);
    for (int i = 60; i < 80; i++) { /* the file is emptied and used again */
        add(&s, i, false);
    }
    assert_int_equal(s.store.spill_size, 1500);
    assert_int_equal(s.scratch.created, 1);
    assert_written(&s, 60, 79, false);
    set_fini(&s);
    assert_int_equal(s.scratch.removed, 1);
}

static void packets_that_lie_in_the_source_are_kept_by_place(void **state)
{
    struct set s;
    struct gm_err err;
    (void)state;
    set_init(&s, true);
    for (int i = 0; i < 4; i++) {
        AVPacket *p = packet(i, i == 0);
        assert_int_equal(pwrite(s.source, p->data, 100, 1000 + i * 100), 100);
        p->pos = 1000 + i * 100;
        assert_int_equal(gm_split_store_add(&s.store, p, &err), 0);
        av_packet_free(&p);
    }
    assert_int_equal(s.store.memory_bytes, 0);
    assert_true(gm_split_store_refers(&s.store, 0, 3));
    assert_written(&s, 0, 3, true);
    AVPacket *p = packet(4, false); /* not what lies there */
    p->pos = 1000;
    assert_int_equal(gm_split_store_add(&s.store, p, &err), 0);
    p->pos = 1000000; /* behind the end */
    assert_int_equal(gm_split_store_add(&s.store, p, &err), 0);
    av_packet_free(&p);
    assert_int_equal(s.store.memory_bytes, 200);
    assert_false(gm_split_store_refers(&s.store, 4, 5));
    set_fini(&s);
}

static void decoding_begins_at_a_keyframe_that_is_shown_in_time(void **state)
{
    /* keyframes 0 10 20 30; shown in decoding order but for 20, shown after 21 and 22 */
    static const struct {
        uint64_t min_id;
        int64_t ordinal;
        uint64_t start;
    } rows[] = {
        {0, 0, 0},    {9, 9, 0},    {10, 10, 10}, {19, 19, 10}, {21, 20, 10},   {22, 21, 10},
        {20, 22, 20}, {23, 23, 20}, {30, 30, 20}, {35, 35, 20}, {1000, 39, 20},
    };
    struct set s;
    (void)state;
    set_init(&s, false);
    for (int i = 0; i < 40; i++) {
        add(&s, i, i % 10 == 0);
        struct gm_split_packet *p = gm_split_store_find(&s.store, (uint64_t)i);
        p->shown = i == 20 ? 22 : i == 21 || i == 22 ? i - 1 : i;
        p->closed = i != 30; /* so one further back */
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_split_start(&s.store, rows[i].min_id, rows[i].ordinal), rows[i].start);
    }
    gm_split_store_find(&s.store, 10)->unfit = true;
    assert_int_equal(gm_split_start(&s.store, 15, 15), 0);
    gm_split_store_drop(&s.store, 12);
    assert_int_equal(gm_split_start(&s.store, 15, 15), 12); /* none is left: the first kept */
    assert_null(gm_split_store_find(&s.store, 11));
    assert_non_null(gm_split_store_find(&s.store, 12));
    assert_null(gm_split_store_find(&s.store, 40));
    set_fini(&s);
}

static void damaged_keyframes_are_passed_over_within_reach(void **state)
{
    static const struct {
        int64_t last;     /* packet */
        uint64_t hurt[3]; /* keyframes, 0: none */
        uint64_t start;
    } rows[] = {
        {45, {0}, 40},          {45, {40}, 30},
        {45, {30}, 40},         {45, {40, 30}, 20},
        {45, {40, 30, 20}, 10}, {55, {0}, 40}, /* 50 is not closed */
        {55, {50}, 40},         {55, {40}, 30},
        {1060, {1050}, 50},     {1060, {1050, 50}, 1050}, /* 40 is out of reach */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct set s;
        struct gm_err err;
        uint64_t start = 0;
        set_init(&s, false);
        for (int k = 0; k <= rows[i].last; k++) {
            add(&s, k, (k % 10 == 0 && k <= 50) || k == 1050);
            struct gm_split_packet *p = gm_split_store_find(&s.store, (uint64_t)k);
            p->shown = k;
            p->closed = k != 50 || rows[i].last > 1000;
            p->tried = true;
        }
        for (size_t k = 0; k < 3; k++) {
            gm_split_store_find(&s.store, rows[i].hurt[k])->damaged = rows[i].hurt[k] > 0;
        }
        assert_int_equal(
            gm_split_start_clean(&s.store, (uint64_t)rows[i].last, rows[i].last, &start, &err), 0);
        assert_int_equal(start, rows[i].start);
        set_fini(&s);
    }
}

static void new_parameter_sets_hold_from_their_packet_on(void **state)
{
    struct set s;
    struct gm_err err;
    (void)state;
    set_init(&s, false);
    for (int i = 0; i < 6; i++) {
        AVPacket *p = packet(i, true);
        if (i == 3 || i == 4) { /* the same twice: one change */
            uint8_t *side = av_packet_new_side_data(p, AV_PKT_DATA_NEW_EXTRADATA, 5);
            memcpy(side, "later", 5);
        }
        assert_int_equal(gm_split_store_add(&s.store, p, &err), 0);
        av_packet_free(&p);
    }
    assert_int_equal(s.store.extradata_count, 2);
    for (uint64_t id = 0; id < 8; id++) {
        AVCodecParameters *par;
        uint8_t *data;
        size_t size;
        const char *expected = id < 3 ? "base" : "later";
        assert_int_equal(gm_split_store_codecpar(&s.store, id, &data, &size, &err), 0);
        assert_int_equal(gm_codecpar_decode(data, size, &par, &err), 0);
        assert_int_equal(par->extradata_size, strlen(expected));
        assert_memory_equal(par->extradata, expected, strlen(expected));
        avcodec_parameters_free(&par);
        free(data);
    }
    set_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_beyond_the_memory_go_to_scratch_and_come_back),
        cmocka_unit_test(packets_that_lie_in_the_source_are_kept_by_place),
        cmocka_unit_test(decoding_begins_at_a_keyframe_that_is_shown_in_time),
        cmocka_unit_test(damaged_keyframes_are_passed_over_within_reach),
        cmocka_unit_test(new_parameter_sets_hold_from_their_packet_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
