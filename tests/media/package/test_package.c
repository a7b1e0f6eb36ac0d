#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "media/folder_io.h"
#include "media/source_io.h"

/* The end of the pipeline over a clip made here, 13 s of 64x48 at 25 frames a second with 12.5 s of
 * sound: verify takes what is right and refuses what is not, package and mp4 make files that
 * libavformat plays whole. */

#define FRAMES 325

struct world {
    char dir[64];
    struct folder_io *io;
    Gm__Pipeline *pipeline;
};

static int set_up(void **state)
{
    static const uint32_t ladder[] = {48, 32};
    struct world *w = calloc(1, sizeof(*w));
    struct gm_err err;
    char path[128];
    struct source_params clip = {.width_px = 64,
                                 .height_px = 48,
                                 .rate_num = 25,
                                 .rate_den = 1,
                                 .frames = FRAMES,
                                 .sound_ms = 12500};
    struct folder_pipeline params = {.ladder = ladder,
                                     .rungs = 2,
                                     .preset = "veryfast",
                                     .audio = true,
                                     .thumbnails = true,
                                     .mp4 = true,
                                     .package = true};
    assert_non_null(w);
    av_log_set_level(AV_LOG_QUIET);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/gopmill-package-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof(path), "%s/clip.mov", w->dir);
    source_make(path, &clip);
    w->pipeline = folder_pipeline(&params);
    assert_int_equal(folder_io_create(path, w->pipeline, &w->io, &err), 0);
    if (folder_io_run_all(w->io, &err) < 0) {
        fail_msg("%s", err.text);
    }
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct gm_err err;
    folder_io_destroy(&w->io);
    gm__pipeline__free_unpacked(w->pipeline, NULL);
    assert_int_equal(gm_fs_remove_tree(w->dir, &err), 0);
    free(w);
    return 0;
}

static void every_item_verifies(void **state)
{
    struct world *w = *state;
    struct gm_err err;
    uint32_t chunks = folder_io_items(w->io, "encode", 0, 0);
    uint32_t groups = folder_io_items(w->io, "audio", 0, 0);
    assert_true(chunks >= 2 && groups >= 1);
    for (uint32_t i = 0; i < chunks; i++) {
        if (folder_io_verify(w->io, "encode", 0, 0, i, &err) < 0) {
            fail_msg("%s", err.text);
        }
    }
    for (uint32_t i = 0; i < groups; i++) {
        if (folder_io_verify(w->io, "audio", 0, 0, i, &err) < 0) {
            fail_msg("%s", err.text);
        }
    }
}

static void damaged_bytes_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const tasks[] = {"encode", "audio"};
    for (size_t t = 0; t < 2; t++) {
        const Gm__Item *item = folder_io_item(w->io, tasks[t], 0, 0, 0);
        for (size_t i = 0; i < item->n_objects; i++) {
            char path[4096];
            struct gm_err err;
            folder_io_path(w->io, item->objects[i], path);
            if (strstr(path, ".m4s") == NULL) {
                continue;
            }
            FILE *f = fopen(path, "r+b");
            assert_non_null(f);
            assert_int_equal(fseek(f, -1, SEEK_END), 0);
            int last = fgetc(f);
            for (int damage = 1; damage >= 0; damage--) {
                assert_int_equal(fseek(f, -1, SEEK_END), 0);
                assert_int_equal(fputc(last ^ damage, f), last ^ damage);
                assert_int_equal(fflush(f), 0);
                assert_int_equal(folder_io_verify(w->io, tasks[t], 0, 0, 0, &err),
                                 damage ? -GM_E_MEDIA_VERIFY : 0);
            }
            (void)fclose(f);
        }
    }
}

/* ---- metas that lie */

typedef void (*encode_lie_fn)(Gm__EncodeItemMeta *m);

static void other_chunk(Gm__EncodeItemMeta *m)
{
    m->chunk++;
}
static void one_frame_more(Gm__EncodeItemMeta *m)
{
    m->frames++;
}
static void rendition_missing(Gm__EncodeItemMeta *m)
{
    gm__rendition_chunk_meta__free_unpacked(m->renditions[--m->n_renditions], NULL);
}
static void renditions_swapped(Gm__EncodeItemMeta *m)
{
    Gm__RenditionChunkMeta *first = m->renditions[0];
    m->renditions[0] = m->renditions[1];
    m->renditions[1] = first;
}
static void all_later(Gm__EncodeItemMeta *m)
{
    for (size_t r = 0; r < m->n_renditions; r++) {
        for (size_t i = 0; i < m->renditions[r]->n_segments; i++) {
            Gm__SegmentMeta *s = m->renditions[r]->segments[i];
            s->start_ts++;
            for (size_t g = 0; g < s->n_gops; g++) {
                s->gops[g]->start_ts++;
            }
        }
    }
}
static void one_rendition_later(Gm__EncodeItemMeta *m)
{
    m->renditions[1]->segments[0]->start_ts++;
}
static void longer(Gm__EncodeItemMeta *m)
{
    for (size_t r = 0; r < m->n_renditions; r++) {
        Gm__SegmentMeta *s = m->renditions[r]->segments[m->renditions[r]->n_segments - 1];
        s->duration_ts++;
        s->gops[s->n_gops - 1]->duration_ts++;
    }
}
static void larger_idr(Gm__EncodeItemMeta *m)
{
    m->renditions[0]->segments[0]->gops[0]->idr_size++;
}
static void gop_elsewhere(Gm__EncodeItemMeta *m)
{
    m->renditions[0]->segments[0]->gops[0]->offset++;
}
static void gop_left_out(Gm__EncodeItemMeta *m)
{
    Gm__SegmentMeta *s = m->renditions[0]->segments[0];
    gm__gop_meta__free_unpacked(s->gops[--s->n_gops], NULL);
}
static void one_sample_more(Gm__EncodeItemMeta *m)
{
    for (size_t r = 0; r < m->n_renditions; r++) {
        m->renditions[r]->segments[0]->samples++;
    }
}
static void other_number(Gm__EncodeItemMeta *m)
{
    for (size_t r = 0; r < m->n_renditions; r++) {
        m->renditions[r]->segments[0]->number++;
    }
}
static void other_hash(Gm__EncodeItemMeta *m)
{
    m->renditions[0]->segments[0]->sha256.data[31] ^= 1;
}
static void no_hash(Gm__EncodeItemMeta *m)
{
    m->renditions[0]->segments[0]->sha256.len = 0;
}
static void unknown_file(Gm__EncodeItemMeta *m)
{
    m->renditions[0]->segments[0]->name[0] = 'S';
}

/* Puts msg in the place of item's meta and gives the old bytes back. */
static ProtobufCBinaryData exchange_meta(Gm__Item *item, const ProtobufCMessage *msg)
{
    ProtobufCBinaryData old = item->meta;
    item->meta.len = protobuf_c_message_get_packed_size(msg);
    item->meta.data = malloc(item->meta.len + 1);
    assert_non_null(item->meta.data);
    protobuf_c_message_pack(msg, item->meta.data);
    return old;
}

static void metas_that_lie_are_refused(void **state)
{
    struct world *w = *state;
    static const encode_lie_fn lies[] = {
        other_chunk,  one_frame_more, rendition_missing, renditions_swapped, all_later,
        longer,       larger_idr,     gop_elsewhere,     gop_left_out,       one_rendition_later,
        other_number, other_hash,     no_hash,           unknown_file,       one_sample_more,
    };
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->io, "encode", 0, 0, 0);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct gm_err err;
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(m);
        lies[i](m);
        ProtobufCBinaryData old = exchange_meta(item, &m->base);
        gm__encode_item_meta__free_unpacked(m, NULL);
        int rc = folder_io_verify(w->io, "encode", 0, 0, 0, &err);
        free(item->meta.data);
        item->meta = old;
        if (rc != -GM_E_MEDIA_VERIFY) {
            fail_msg("lie %zu: %d", i, rc);
        }
    }
}

static void sound_metas_that_lie_are_refused(void **state)
{
    struct world *w = *state;
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->io, "audio", 0, 0, 0);
    for (int i = 0; i < 5; i++) {
        struct gm_err err;
        Gm__AudioItemMeta *m = gm__audio_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(m);
        m->track += i == 0;
        m->segments[0]->start_ts += i == 1;
        m->segments[m->n_segments - 1]->duration_ts += i == 2;
        m->segments[0]->samples += i == 3;
        m->segments[0]->number += i == 4;
        ProtobufCBinaryData old = exchange_meta(item, &m->base);
        gm__audio_item_meta__free_unpacked(m, NULL);
        int rc = folder_io_verify(w->io, "audio", 0, 0, 0, &err);
        free(item->meta.data);
        item->meta = old;
        if (rc != -GM_E_MEDIA_VERIFY) {
            fail_msg("lie %d: %d", i, rc);
        }
    }
}

static void package_refuses_holes(void **state)
{
    struct world *w = *state;
    struct folder_run run = {.task = "package"};
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->io, "encode", 0, 0, 0);
    struct gm_err err;
    int64_t chunk = 0;
    Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
    assert_non_null(m);
    size_t segments = m->renditions[0]->n_segments;
    for (size_t r = 0; r < m->n_renditions; r++) {
        m->renditions[r]->n_segments = 0;
    }
    ProtobufCBinaryData old = exchange_meta(item, &m->base);
    assert_int_equal(folder_io_run(w->io, &run, &chunk, &err), -GM_E_BUG);
    free(item->meta.data);
    item->meta = old;
    for (size_t r = 0; r < m->n_renditions; r++) {
        m->renditions[r]->n_segments = segments;
    }
    m->renditions[0]->segments[0]->duration_ts++;
    old = exchange_meta(item, &m->base);
    assert_int_equal(folder_io_run(w->io, &run, &chunk, &err), -GM_E_BUG);
    free(item->meta.data);
    item->meta = old;
    gm__encode_item_meta__free_unpacked(m, NULL);
}

/* Every chunk is right by itself; together they are not what split counted, or leave a buffer
 * emptier than the next one needs. */
static void package_refuses_programmes_that_do_not_add_up(void **state)
{
    struct world *w = *state;
    struct folder_run run = {.task = "package"};
    struct gm_err err;
    Gm__TaskResult *split = (Gm__TaskResult *)(uintptr_t)folder_io_result(w->io, "split", 0);
    for (int more = -1; more <= 1; more++) {
        Gm__SplitMeta *m = gm__split_meta__unpack(NULL, split->meta.len, split->meta.data);
        assert_true(m != NULL && m->frames == FRAMES);
        m->frames += more;
        Gm__Item as_item = {.meta = split->meta};
        ProtobufCBinaryData old = exchange_meta(&as_item, &m->base);
        split->meta = as_item.meta;
        int rc = folder_io_run(w->io, &run, NULL, &err);
        free(split->meta.data);
        split->meta = old;
        gm__split_meta__free_unpacked(m, NULL);
        assert_int_equal(rc, more == 0 ? 0 : -GM_E_BUG);
        assert_true(more == 0 || strstr(err.text, "frames of") != NULL);
    }
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->io, "encode", 0, 0, 1);
    static const char *const said[] = {NULL, "underflows", "underflows", "no walk"};
    for (size_t i = 0; i < 4; i++) {
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_true(m != NULL && m->n_renditions == 2);
        Gm__BufferWalk *walk = m->renditions[1]->buffer;
        assert_non_null(walk);
        walk->need += i == 1 ? INT64_C(1) << 40 : 0;
        walk->low = i == 2 ? -1 : walk->low;
        m->renditions[1]->buffer = i == 3 ? NULL : walk;
        ProtobufCBinaryData old = exchange_meta(item, &m->base);
        m->renditions[1]->buffer = walk;
        gm__encode_item_meta__free_unpacked(m, NULL);
        int rc = folder_io_run(w->io, &run, NULL, &err);
        free(item->meta.data);
        item->meta = old;
        assert_int_equal(rc, said[i] == NULL ? 0 : -GM_E_BUG);
        assert_true(said[i] == NULL || strstr(err.text, said[i]) != NULL);
    }
}

/* The objects that items announced, not what their metas say of them. */
static void package_refuses_objects_that_are_not_there(void **state)
{
    struct world *w = *state;
    static const char *const tasks[] = {"encode", "audio"};
    struct folder_run run = {.task = "package"};
    struct gm_err err;
    int64_t chunk = 0;
    for (size_t t = 0; t < 2; t++) {
        Gm__Object *o = folder_io_item(w->io, tasks[t], 0, 0, 0)->objects[0];
        char *last = strrchr(o->key, '.') - 1;
        o->size++;
        assert_int_equal(folder_io_run(w->io, &run, &chunk, &err), -GM_E_BUG);
        o->size--;
        (*last)++;
        assert_int_equal(folder_io_run(w->io, &run, &chunk, &err), -GM_E_BUG);
        (*last)--;
    }
    assert_int_equal(folder_io_run(w->io, &run, &chunk, &err), 0);
}

/* The last segment shorter by less[0] samples, and what the task counted by less[1]. */
static int package_sound(struct world *w, const int64_t less[2], int64_t start)
{
    struct folder_run run = {.task = "package"};
    struct gm_err err;
    int64_t chunk = 0;
    uint32_t groups = folder_io_items(w->io, "audio", 0, 0);
    Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(w->io, "audio", 0, 0, groups - 1);
    Gm__TaskResult *result = (Gm__TaskResult *)(uintptr_t)folder_io_result(w->io, "audio", 0);
    Gm__AudioItemMeta *m = gm__audio_item_meta__unpack(NULL, item->meta.len, item->meta.data);
    Gm__AudioMeta *all = gm__audio_meta__unpack(NULL, result->meta.len, result->meta.data);
    assert_true(groups == 1 && m != NULL && all != NULL);
    assert_int_equal(all->samples, 13 * 48000);
    m->segments[m->n_segments - 1]->duration_ts -= less[0];
    all->samples -= less[1];
    for (size_t i = 0; i < m->n_segments; i++) {
        m->segments[i]->start_ts += start;
    }
    ProtobufCBinaryData old = exchange_meta(item, &m->base);
    Gm__Item as_item = {.meta = result->meta};
    ProtobufCBinaryData old_all = exchange_meta(&as_item, &all->base);
    result->meta = as_item.meta;
    int rc = folder_io_run(w->io, &run, &chunk, &err);
    free(item->meta.data);
    free(result->meta.data);
    item->meta = old;
    result->meta = old_all;
    gm__audio_item_meta__free_unpacked(m, NULL);
    gm__audio_meta__free_unpacked(all, NULL);
    return rc;
}

static void package_refuses_sound_of_another_length(void **state)
{
    static const struct {
        int64_t less[2], start;
        int rc;
    } rows[] = {
        {{1, 0}, 0, -GM_E_BUG}, /* another length than was counted */
        {{-1, 0}, 0, -GM_E_BUG},
        {{0, 1}, 0, -GM_E_BUG},
        {{1, 0}, 1, -GM_E_BUG},       /* not from zero on */
        {{1921, 1921}, 0, 0},         /* a picture of 1920 samples, and one more */
        {{1922, 1922}, 0, -GM_E_BUG}, /* before the pictures end */
        {{-96000, -96000}, 0, 0},     /* sound may outlast them */
        {{0, 0}, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = package_sound(*state, rows[i].less, rows[i].start);
        if (rc != rows[i].rc) {
            fail_msg("row %zu: %d", i, rc);
        }
    }
}

/* ---- what a player sees */

struct played {
    unsigned videos, audios;
    int64_t packets[8];
    int64_t first_us[8]; /* earliest presentation time */
};

/* missing: video packets that may be missing at the end */
static void play(const char *path, int missing, struct played *out)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    memset(out, 0, sizeof(*out));
    assert_int_equal(avformat_open_input(&format, path, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(format, NULL) >= 0);
    assert_true(format->nb_streams <= 8);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        bool video = format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
        out->videos += video;
        out->audios += !video;
        out->first_us[i] = INT64_MAX;
    }
    int rc = 0;
    while ((rc = av_read_frame(format, packet)) == 0) {
        int i = packet->stream_index;
        int64_t us = av_rescale_q(packet->pts, format->streams[i]->time_base, AV_TIME_BASE_Q);
        out->packets[i]++;
        out->first_us[i] = us < out->first_us[i] ? us : out->first_us[i];
        av_packet_unref(packet);
    }
    assert_int_equal(rc, AVERROR_EOF);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
            assert_in_range(out->packets[i], FRAMES - missing, FRAMES);
        } else {
            /* 13 s, the priming and the filling of the last frame */
            assert_in_range(out->packets[i], 13 * 48000 / 1024 + 1, 13 * 48000 / 1024 + 3);
        }
    }
    avformat_close_input(&format);
    av_packet_free(&packet);
}

static void manifests_play_whole(void **state)
{
    struct world *w = *state;
    const Gm__TaskResult *result = folder_io_result(w->io, "package", 0);
    struct gm_err err;
    struct played played;
    char path[4096];
    assert_non_null(result);
    Gm__PackageMeta *m = gm__package_meta__unpack(NULL, result->meta.len, result->meta.data);
    assert_non_null(m);
    /* init, media and iframes of each rendition; init and media of the sound; tiles.m3u8 */
    assert_int_equal(m->n_files, 2 * 3 + 2 + 1);
    bool tiles = false;
    for (size_t i = 0; i < m->n_files; i++) {
        tiles = tiles || strcmp(m->files[i]->path, "images/tiles.m3u8") == 0;
    }
    assert_true(tiles);
    assert_non_null(
        memmem(m->master_m3u8.data, m->master_m3u8.len, "#EXT-X-IMAGE-STREAM-INF:", 24));
    assert_non_null(
        memmem(m->manifest_mpd.data, m->manifest_mpd.len, "sprite-$Number%03d$.jpg", 23));
    assert_int_equal(m->n_renditions, 2);
    assert_int_equal(m->n_audio, 1);
    assert_int_equal(m->renditions[0]->segments, 3);
    assert_true(m->renditions[0]->peak_bps >= m->renditions[0]->average_bps);
    (void)snprintf(path, sizeof(path), "%s/out/master.m3u8", folder_io_dir(w->io));
    assert_int_equal(gm_fs_write_atomic(path, m->master_m3u8.data, m->master_m3u8.len, &err), 0);
    play(path, 0, &played);
    assert_int_equal(played.videos, 2);
    assert_int_equal(played.audios, 1);
    (void)snprintf(path, sizeof(path), "%s/out/manifest.mpd", folder_io_dir(w->io));
    assert_int_equal(gm_fs_write_atomic(path, m->manifest_mpd.data, m->manifest_mpd.len, &err), 0);
    /* FFmpeg's DASH reader ends with the first stream that ends */
    play(path, 2, &played);
    assert_int_equal(played.videos, 2);
    assert_int_equal(played.audios, 1);
    gm__package_meta__free_unpacked(m, NULL);
}

static void mp4_plays_whole_with_its_index_first(void **state)
{
    struct world *w = *state;
    const Gm__TaskResult *result = folder_io_result(w->io, "mp4", 0);
    struct gm_err err;
    struct played played;
    char path[4096];
    uint8_t *data = NULL;
    size_t size = 0;
    assert_non_null(result);
    Gm__Mp4Meta *m = gm__mp4_meta__unpack(NULL, result->meta.len, result->meta.data);
    assert_non_null(m);
    assert_int_equal(result->n_objects, 1);
    assert_int_equal(m->file->size, result->objects[0]->size);
    assert_memory_equal(m->file->sha256.data, result->objects[0]->sha256.data, 32);
    folder_io_path(w->io, result->objects[0], path);
    play(path, 0, &played);
    assert_int_equal(played.videos, 1);
    assert_int_equal(played.audios, 1);
    assert_int_equal(played.first_us[0], 0);
    assert_int_equal(played.first_us[1], -21333); /* the priming, before the edit */
    assert_int_equal(gm_fs_read(path, 1u << 24, &data, &size, &err), 0);
    const uint8_t *moov = memmem(data, size, "moov", 4);
    const uint8_t *mdat = memmem(data, size, "mdat", 4);
    assert_true(moov != NULL && mdat != NULL && moov < mdat);
    assert_null(memmem(data, size, "Lavf", 4));
    free(data);
    gm__mp4_meta__free_unpacked(m, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_verifies),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(metas_that_lie_are_refused),
        cmocka_unit_test(sound_metas_that_lie_are_refused),
        cmocka_unit_test(package_refuses_holes),
        cmocka_unit_test(package_refuses_programmes_that_do_not_add_up),
        cmocka_unit_test(package_refuses_objects_that_are_not_there),
        cmocka_unit_test(package_refuses_sound_of_another_length),
        cmocka_unit_test(manifests_play_whole),
        cmocka_unit_test(mp4_plays_whole_with_its_index_first),
    };
    return cmocka_run_group_tests_name("package", tests, set_up, tear_down);
}
