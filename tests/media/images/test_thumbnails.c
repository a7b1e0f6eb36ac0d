#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/av.h"
#include "media/chunk_io.h"
#include "media/folder_io.h"
#include "media/picture/image.h"
#include "media/picture/score.h"

/* inspect .. thumbnails over a clip of 17 s at 25 frames a second: tiles at 0, 5, 10 and 15 s. */
#define FRAMES 425

static int make_source(void **state)
{
    (void)state;
    clip_source_make("preset=veryfast,bf=2,g=50", FRAMES);
    return 0;
}

/* Runs the chain; encode in runs of `run` chunks, the last run first when backwards. */
static struct folder_io *run_chain(Gm__Pipeline *pipeline, uint32_t run, bool backwards)
{
    static const char *const tasks[] = {"inspect", "plan", "split"};
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    int64_t chunk;
    int rc = folder_io_create(clip_source()->path, pipeline, &f, &err);
    for (size_t i = 0; i < 3 && rc == 0; i++) {
        struct folder_run r = {.task = tasks[i]};
        rc = folder_io_run(f, &r, &chunk, &err);
    }
    uint32_t count = rc == 0 ? folder_io_items(f, "split", 0, 0) : 0;
    for (uint32_t i = 0; i < count && rc == 0; i += run) {
        uint32_t first = backwards ? (count - 1 - i) / run * run : i;
        struct folder_run r = {.task = "encode", .first_chunk = first, .chunks = run};
        rc = folder_io_run(f, &r, &chunk, &err);
    }
    struct folder_run last = {.task = "thumbnails"};
    if (rc == 0) {
        rc = folder_io_run(f, &last, &chunk, &err);
    }
    if (rc < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return f;
}

/* The file of the thumbnails' result with that name. Owned. */
static uint8_t *load(const struct folder_io *f, const char *name, size_t *out_size)
{
    const Gm__TaskResult *r = folder_io_result(f, "thumbnails", 0);
    Gm__ThumbnailsMeta *meta = gm__thumbnails_meta__unpack(NULL, r->meta.len, r->meta.data);
    uint8_t *data = NULL;
    assert_non_null(meta);
    assert_int_equal(meta->n_files, r->n_objects);
    for (size_t i = 0; i < meta->n_files; i++) {
        if (strcmp(meta->files[i]->name, name) == 0) {
            char path[4096];
            uint8_t sha256[32];
            struct gm_err err;
            folder_io_path(f, r->objects[i], path);
            assert_int_equal(gm_fs_read(path, 1 << 24, &data, out_size, &err), 0);
            assert_int_equal(meta->files[i]->size, *out_size);
            gm_sha256(data, *out_size, sha256);
            assert_memory_equal(meta->files[i]->sha256.data, sha256, 32);
            assert_non_null(strstr(meta->files[i]->path, "images/"));
        }
    }
    gm__thumbnails_meta__free_unpacked(meta, NULL);
    return data;
}

static AVFrame *load_picture(const struct folder_io *f, const char *name)
{
    size_t size = 0;
    AVFrame *out = NULL;
    struct gm_err err;
    uint8_t *data = load(f, name, &size);
    assert_non_null(data);
    assert_int_equal(gm_image_decode(data, size, &out, &err), 0);
    free(data);
    return out;
}

static Gm__ThumbnailsParams *params_of(Gm__Pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->n_tasks; i++) {
        if (strcmp(pipeline->tasks[i]->type, "thumbnails") == 0) {
            return pipeline->tasks[i]->thumbnails;
        }
    }
    return NULL;
}

static void sheets_and_their_index_agree(void **state)
{
    (void)state;
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->columns = 2;
    params_of(pipeline)->rows = 1;
    params_of(pipeline)->width = 48;
    params_of(pipeline)->interval_s = 6;
    struct folder_io *f = run_chain(pipeline, 1, false);
    size_t size = 0;
    uint8_t *vtt = load(f, "thumbnails.vtt", &size);
    assert_string_equal((const char *)vtt, "WEBVTT\n"
                                           "\n00:00:00.000 --> 00:00:06.000\n"
                                           "sprite-001.jpg#xywh=0,0,48,40\n"
                                           "\n00:00:06.000 --> 00:00:12.000\n"
                                           "sprite-001.jpg#xywh=48,0,48,40\n"
                                           "\n00:00:12.000 --> 00:00:17.000\n"
                                           "sprite-002.jpg#xywh=0,0,48,40\n");
    free(vtt);
    AVFrame *first = load_picture(f, "sprite-001.jpg");
    AVFrame *second = load_picture(f, "sprite-002.jpg");
    assert_int_equal(first->width, 96);
    assert_int_equal(first->height, 40);
    assert_int_equal(second->width, 96); /* as large as the first */
    assert_int_equal(second->height, 40);
    av_frame_free(&first);
    av_frame_free(&second);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void images_are_the_same_whatever_the_order(void **state)
{
    (void)state;
    static const char *const names[] = {"sprite-001.jpg", "thumbnails.vtt", "poster.jpg"};
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    struct folder_io *a = run_chain(pipeline, 1, false);
    struct folder_io *b = run_chain(pipeline, 1, true);
    struct folder_io *c = run_chain(pipeline, 2, true);
    for (size_t i = 0; i < 3; i++) {
        size_t sizes[3];
        uint8_t *bytes[3] = {load(a, names[i], &sizes[0]), load(b, names[i], &sizes[1]),
                             load(c, names[i], &sizes[2])};
        for (size_t k = 0; k < 3; k++) {
            assert_non_null(bytes[k]);
            assert_int_equal(sizes[k], sizes[0]);
            assert_memory_equal(bytes[k], bytes[0], sizes[0]);
        }
        for (size_t k = 0; k < 3; k++) {
            free(bytes[k]);
        }
    }
    folder_io_destroy(&a);
    folder_io_destroy(&b);
    folder_io_destroy(&c);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void the_poster_is_the_best_candidate_and_no_wider_than_asked(void **state)
{
    (void)state;
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->poster_width = 64;
    struct folder_io *f = run_chain(pipeline, 1, false);
    AVFrame *poster = load_picture(f, "poster.jpg");
    assert_int_equal(poster->width, 64);
    assert_int_equal(poster->height, 54); /* 80 * 64 / 96, rounded to even */
    av_frame_free(&poster);
    const Gm__TaskResult *plan = folder_io_result(f, "plan", 0);
    Gm__Policy *policy = gm__policy__unpack(NULL, plan->meta.len, plan->meta.data);
    int64_t end = (int64_t)policy->timescale * FRAMES / 25;
    gm__policy__free_unpacked(policy, NULL);
    uint32_t best = 0;
    char want[4096] = "";
    for (uint32_t i = 0; i < folder_io_items(f, "encode", 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *m = gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        uint32_t score = gm_score_place((uint32_t)m->poster_score, m->poster_ts, end);
        for (size_t k = 0; k < item->n_objects; k++) {
            if (strstr(item->objects[k]->key, "poster") != NULL && score > best) {
                best = score;
                folder_io_path(f, item->objects[k], want);
            }
        }
        gm__encode_item_meta__free_unpacked(m, NULL);
    }
    struct gm_err err;
    size_t sizes[2];
    uint8_t *candidate = NULL;
    assert_true(best > 0);
    assert_int_equal(gm_fs_read(want, 1 << 24, &candidate, &sizes[0], &err), 0);
    uint8_t *chosen = load(f, "poster.jpg", &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(candidate, chosen, sizes[0]);
    free(candidate);
    free(chosen);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static Gm__ThumbnailsMeta *meta_of(const struct folder_io *f)
{
    const Gm__TaskResult *r = folder_io_result(f, "thumbnails", 0);
    return gm__thumbnails_meta__unpack(NULL, r->meta.len, r->meta.data);
}

static void the_poster_can_be_of_a_named_time(void **state)
{
    (void)state;
    static const struct {
        double at;
        int64_t time_us;
        bool warned;
    } rows[] = {{0, 0, false},
                {12.34, 12320000, false}, /* frame 308 is on screen */
                {16.96, 16960000, false},
                {17, 16960000, true},
                {9999, 16960000, true}};
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->poster_width = 64;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        params_of(pipeline)->poster_at_s = rows[i].at;
        struct folder_io *f = run_chain(pipeline, 1, false);
        Gm__ThumbnailsMeta *m = meta_of(f);
        assert_string_equal(m->poster->from, "time");
        assert_int_equal(m->poster->time_us, rows[i].time_us);
        assert_int_equal(m->poster->width_px, 64);
        assert_int_equal(m->n_warnings, rows[i].warned ? 1 : 0);
        if (rows[i].warned) {
            assert_string_equal(m->warnings[0]->code, "images.poster_after_end");
        }
        gm__thumbnails_meta__free_unpacked(m, NULL);
        folder_io_destroy(&f);
    }
    gm__pipeline__free_unpacked(pipeline, NULL);
}

static void everything_can_be_webp(void **state)
{
    (void)state;
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    free(params_of(pipeline)->format);
    params_of(pipeline)->format = strdup("webp");
    struct folder_io *f = run_chain(pipeline, 2, false);
    size_t size = 0;
    uint8_t *vtt = load(f, "thumbnails.vtt", &size);
    assert_non_null(strstr((const char *)vtt, "sprite-001.webp#xywh="));
    free(vtt);
    AVFrame *sheet = load_picture(f, "sprite-001.webp");
    assert_int_equal(sheet->width, 4 * 160);
    av_frame_free(&sheet);
    AVFrame *poster = load_picture(f, "poster.webp");
    assert_int_equal(poster->width, 96);
    av_frame_free(&poster);
    Gm__ThumbnailsMeta *m = meta_of(f);
    assert_string_equal(m->poster->name, "poster.webp");
    assert_string_equal(m->poster->from, "score");
    assert_true(m->poster->score > 0);
    assert_string_equal(m->sheets->format, "webp");
    assert_int_equal(m->sheets->tiles, 4);
    assert_int_equal(m->sheets->columns, 4);
    assert_int_equal(m->sheets->rows, 1);
    assert_int_equal(m->sheets->duration_us, 17000000);
    assert_int_equal(m->sheets->n_files, 1);
    assert_string_equal(m->files[m->sheets->files[0]]->name, "sprite-001.webp");
    gm__thumbnails_meta__free_unpacked(m, NULL);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

/* An image of 40x30, the left half red, the right half clear. */
static void add_image(Gm__Pipeline *pipeline, const char *name)
{
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = clip_picture(40, 30, AV_PIX_FMT_RGBA, 0);
    for (int i = 0; i < 40 * 30; i++) {
        uint8_t *p = f->data[0] + (ptrdiff_t)(i / 40) * f->linesize[0] + (ptrdiff_t)(i % 40) * 4;
        memcpy(p, "\xff\0\0", 3);
        p[3] = i % 40 < 20 ? 255 : 0;
    }
    ctx->width = 40;
    ctx->height = 30;
    ctx->pix_fmt = AV_PIX_FMT_RGBA;
    ctx->time_base = (AVRational){1, 1};
    assert_true(avcodec_open2(ctx, NULL, NULL) >= 0);
    assert_true(avcodec_send_frame(ctx, f) >= 0);
    assert_true(avcodec_send_frame(ctx, NULL) >= 0);
    assert_true(avcodec_receive_packet(ctx, packet) >= 0);
    Gm__Asset *asset = malloc(sizeof *asset);
    gm__asset__init(asset);
    asset->name = strdup(name);
    asset->data.len = (size_t)packet->size;
    asset->data.data = malloc(asset->data.len);
    memcpy(asset->data.data, packet->data, asset->data.len);
    pipeline->assets = calloc(1, sizeof *pipeline->assets);
    pipeline->assets[0] = asset;
    pipeline->n_assets = 1;
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
}

static void the_user_can_bring_the_poster(void **state)
{
    (void)state;
    static const uint32_t widths[] = {1280, 20};
    struct folder_pipeline params = {.thumbnails = true};
    Gm__Pipeline *pipeline = folder_pipeline(&params);
    params_of(pipeline)->poster_image = strdup("own.png");
    add_image(pipeline, "own.png");
    for (size_t i = 0; i < 2; i++) {
        params_of(pipeline)->poster_width = widths[i];
        struct folder_io *f = run_chain(pipeline, 2, false);
        AVFrame *poster = load_picture(f, "poster.jpg");
        assert_int_equal(poster->width, i == 0 ? 40 : 20); /* never enlarged */
        assert_int_equal(poster->height, i == 0 ? 30 : 14);
        int right = poster->data[0][5 * poster->linesize[0] + poster->width - 2];
        assert_in_range(poster->data[0][5 * poster->linesize[0] + 2], 70, 82); /* red */
        assert_true(right < 8);                                                /* black */
        av_frame_free(&poster);
        Gm__ThumbnailsMeta *m = meta_of(f);
        assert_string_equal(m->poster->from, "image");
        gm__thumbnails_meta__free_unpacked(m, NULL);
        for (uint32_t k = 0; k < folder_io_items(f, "encode", 0, 0); k++) {
            const Gm__Item *item = folder_io_item(f, "encode", 0, 0, k);
            for (size_t n = 0; n < item->n_objects; n++) {
                assert_null(strstr(item->objects[n]->key, "poster")); /* no candidate is made */
            }
        }
        folder_io_destroy(&f);
    }
    gm__pipeline__free_unpacked(pipeline, NULL);
}

int main(void)
{
    gm_av_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheets_and_their_index_agree),
        cmocka_unit_test(images_are_the_same_whatever_the_order),
        cmocka_unit_test(the_poster_is_the_best_candidate_and_no_wider_than_asked),
        cmocka_unit_test(the_poster_can_be_of_a_named_time),
        cmocka_unit_test(everything_can_be_webp),
        cmocka_unit_test(the_user_can_bring_the_poster),
    };
    return cmocka_run_group_tests(tests, make_source, clip_source_remove);
}
