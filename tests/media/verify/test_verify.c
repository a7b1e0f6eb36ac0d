#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "media/format/bitstream.h"
#include "media/verify/verify.h"

/* What verify compares besides hashes, over segments made here: a lie in one place at a time. */

#define GOPS 2
#define PICTURES 4

/* One slice each: 5 is an IDR picture, 1 an ordinary one. */
static uint8_t idr[8] = {0, 0, 0, 4, 0x65, 0x81, 2, 3};
static uint8_t plain[8] = {0, 0, 0, 4, 0x41, 0x81, 2, 3};

struct made {
    struct gm_verify_segment segment;
    Gm__SegmentMeta meta;
    Gm__GopMeta gop[GOPS];
    Gm__GopMeta *gops[GOPS];
    struct gm_buf bytes;
    struct gm_fmp4_read_sample samples[GOPS * PICTURES];
};

static int take(const struct gm_fmp4_read_sample *sample, void *arg)
{
    struct made *m = arg;
    m->samples[m->segment.count++] = *sample;
    return 0;
}

static void make(struct made *m)
{
    static const int64_t order[PICTURES] = {0, 30, 10, 20};
    struct gm_err err;
    memset(m, 0, sizeof(*m));
    m->meta = (Gm__SegmentMeta)GM__SEGMENT_META__INIT;
    gm_fmp4_segment_start(&m->bytes);
    for (int64_t g = 0; g < GOPS; g++) {
        struct gm_fmp4_sample samples[PICTURES];
        for (size_t i = 0; i < PICTURES; i++) {
            samples[i] =
                (struct gm_fmp4_sample){i == 0 ? idr : plain, 8, 100 + g * 40 + order[i], i == 0};
        }
        m->gop[g] = (Gm__GopMeta)GM__GOP_META__INIT;
        m->gops[g] = &m->gop[g];
        assert_int_equal(gm_fmp4_fragment((uint32_t)(16 + g), 16, samples, PICTURES, 140 + g * 40,
                                          &m->bytes, &m->gop[g], &err),
                         0);
    }
    m->meta.number = 1;
    m->meta.start_ts = 100;
    m->meta.duration_ts = 80;
    m->meta.samples = GOPS * PICTURES;
    m->meta.gops = m->gops;
    m->meta.n_gops = GOPS;
    m->segment.meta = &m->meta;
    m->segment.where = "test";
    assert_int_equal(gm_fmp4_read_segment(m->bytes.data, m->bytes.size, take, m, &err), 0);
    m->segment.data = m->bytes.data;
    m->segment.size = m->bytes.size;
    m->segment.samples = m->samples;
}

static void nothing(struct made *m)
{
    (void)m;
}
static void other_pts(struct made *m)
{
    m->samples[2].pts++;
}
static void same_pts_twice(struct made *m)
{
    m->samples[2].pts = m->samples[1].pts;
}
static void gap_in_dts(struct made *m)
{
    m->samples[6].dts++;
}
static void other_duration(struct made *m)
{
    m->samples[7].duration++;
}
static void first_not_sync(struct made *m)
{
    m->samples[4].sync = false;
}
static void second_sync(struct made *m)
{
    m->samples[1].sync = true;
}
static void ordinary_first(struct made *m)
{
    m->bytes.data[m->samples[0].offset + 4] = 0x41;
}
static void idr_inside(struct made *m)
{
    m->bytes.data[m->samples[5].offset + 4] = 0x65;
}
static void no_slice(struct made *m)
{
    m->bytes.data[m->samples[5].offset + 4] = 0x06;
}
static void unit_too_long(struct made *m)
{
    m->bytes.data[m->samples[3].offset + 3] = 5;
}
static void unit_too_short(struct made *m)
{
    m->bytes.data[m->samples[3].offset + 3] = 3;
}
static void fragment_more(struct made *m)
{
    m->samples[7].fragment = 2;
}
static void gap_between_gops(struct made *m)
{
    m->gop[1].start_ts++;
}
static void bytes_behind(struct made *m)
{
    m->segment.size++;
}
static void later_end(struct made *m)
{
    m->meta.duration_ts++;
}

static void lies_in_video_are_found(void **state)
{
    (void)state;
    static void (*const lies[])(struct made * m) = {
        nothing,        other_pts,      same_pts_twice, gap_in_dts,
        other_duration, first_not_sync, second_sync,    ordinary_first,
        idr_inside,     no_slice,       unit_too_long,  unit_too_short,
        later_end,      bytes_behind,   fragment_more,  gap_between_gops,
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct made m;
        struct gm_err err;
        make(&m);
        lies[i](&m);
        struct gm_fmp4_init init = {.video = true, .codec = gm_bitstream_find("h264")};
        int rc = gm_verify_video(&m.segment, &init, 16, &err);
        if (rc != (i == 0 ? 0 : -GM_E_MEDIA_VERIFY)) {
            fail_msg("lie %zu: %d", i, rc);
        }
        gm_buf_fini(&m.bytes);
    }
}

static void lies_in_sound_are_found(void **state)
{
    (void)state;
    Gm__AudioTrack track = GM__AUDIO_TRACK__INIT;
    Gm__AudioParams params = GM__AUDIO_PARAMS__INIT;
    track.priming_samples = 1024;
    track.params = &params;
    for (int lie = 0; lie < 11; lie++) {
        struct gm_fmp4_read_sample samples[3];
        Gm__SegmentMeta meta = GM__SEGMENT_META__INIT;
        struct gm_verify_segment s = {.meta = &meta, .where = "a0", .samples = samples, .count = 3};
        struct gm_err err;
        int64_t next = 5;
        for (int64_t i = 0; i < 3; i++) {
            int64_t ts = (5 + i) * 1024;
            samples[i] = (struct gm_fmp4_read_sample){0, 0, 10, ts, ts, 0, 1024, true};
        }
        meta.start_ts = 4 * 1024;
        meta.duration_ts = 3 * 1024;
        meta.start_ts += lie == 1;
        meta.duration_ts += lie == 2;
        samples[1].dts += lie == 3;
        samples[1].pts += lie == 4;
        samples[2].duration += lie == 5;
        samples[2].sync = lie != 6;
        samples[2].fragment += lie == 7;
        next += lie == 8;
        if (lie >= 9) { /* cut short: right at the track's end alone */
            samples[2].duration = 100;
            meta.duration_ts = 2 * 1024 + 100;
        }
        int64_t given = next;
        bool right = lie == 0 || lie == 9;
        assert_int_equal(gm_verify_audio(&s, &track, lie == 9, &next, &err),
                         right ? 0 : -GM_E_MEDIA_VERIFY);
        assert_int_equal(next, right ? 8 : given);
    }
}

/* The first chunk of every rendition, then a rendition a chunk, the GOP moving on. */
static void every_rendition_and_every_gop_is_picked(void **state)
{
    static const struct {
        size_t renditions, gops;
    } rows[] = {{1, 1}, {1, 9}, {2, 3}, {5, 1}, {5, 3}, {5, 9}, {6, 7}, {8, 9}};
    (void)state;
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        size_t n = rows[k].renditions, gops = rows[k].gops;
        bool seen[8][9] = {{false}};
        for (uint32_t chunk = 0; chunk < n * gops; chunk++) {
            size_t picked = 0;
            for (size_t r = 0; r < n; r++) {
                ptrdiff_t gop = gm_verify_pick(chunk, r, n, gops);
                assert_true(gop >= -1 && gop < (ptrdiff_t)gops);
                picked += gop >= 0;
                if (gop >= 0) {
                    seen[r][gop] = true;
                }
            }
            assert_int_equal(picked, chunk == 0 ? n : 1);
        }
        for (size_t r = 0; r < n; r++) {
            for (size_t g = 0; g < gops; g++) {
                assert_true(seen[r][g]);
            }
        }
    }
    assert_int_equal(gm_verify_pick(0, 0, 5, 0), -1);
    for (ptrdiff_t r = 0; r < 5; r++) { /* of a short programme not the same place everywhere */
        assert_int_equal(gm_verify_pick(0, (size_t)r, 5, 3), r % 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_in_video_are_found),
        cmocka_unit_test(lies_in_sound_are_found),
        cmocka_unit_test(every_rendition_and_every_gop_is_picked),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
