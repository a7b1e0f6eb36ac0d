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
#include "media/av.h"
#include "media/captions.h"
#include "media/chunk_io.h"
#include "media/folder_io.h"

#define FRAMES 320    /* 12.8 s: 3 chunks */
#define MANY (40 * 3) /* captions of a picture, of two messages */
#define MORE (70 * 3) /* of three, which is one too many */

/* Captions of every frame of a clip, in output order; count 0: none. */
struct seen {
    uint8_t data[FRAMES][MORE];
    size_t size[FRAMES];
    size_t frames;
};

static void look(struct seen *s, AVCodecContext *ctx, AVFrame *frame)
{
    while (avcodec_receive_frame(ctx, frame) >= 0) {
        const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
        assert_true(s->frames < FRAMES);
        if (side != NULL) {
            assert_true(side->size <= sizeof s->data[0]);
            memcpy(s->data[s->frames], side->data, side->size);
            s->size[s->frames] = side->size;
        }
        s->frames++;
        av_frame_unref(frame);
    }
}

static struct seen *see(const struct clip *c)
{
    struct seen *s = calloc(1, sizeof *s);
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    assert_non_null(s);
    assert_int_equal(gm_decoder_open(c->par, c->time_base, &ctx, NULL), 0);
    for (size_t i = 0; i <= c->packet_count; i++) {
        (void)avcodec_send_packet(ctx, i < c->packet_count ? c->packets[i] : NULL);
        look(s, ctx, frame);
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
    return s;
}

static void assert_alike(const struct seen *a, const struct seen *b)
{
    assert_int_equal(a->frames, b->frames);
    for (size_t i = 0; i < a->frames; i++) {
        if (a->size[i] != b->size[i] || memcmp(a->data[i], b->data[i], a->size[i]) != 0) {
            fail_msg("captions of frame %zu: %zu bytes, not the %zu of the source", i, b->size[i],
                     a->size[i]);
        }
    }
}

/* Init segment and all segments of a rendition in one file. */
static struct clip *join(const struct folder_io *f, size_t rendition)
{
    const Gm__TaskResult *r = folder_io_result(f, "plan", 0);
    Gm__Policy *policy = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
    const ProtobufCBinaryData *init = &policy->renditions[rendition]->init_segment;
    struct gm_buf all = {0};
    struct gm_err err;
    char path[4096 + 16], prefix[64];
    (void)snprintf(path, sizeof path, "%s/joined.mp4", folder_io_dir(f));
    (void)snprintf(prefix, sizeof prefix, "/video/%s/", policy->renditions[rendition]->name);
    gm_buf_add(&all, init->data, init->len);
    for (uint32_t i = 0; i < folder_io_items(f, "encode", 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, "encode", 0, 0, i);
        for (size_t k = 0; k < item->n_objects; k++) {
            char from[4096];
            uint8_t *data = NULL;
            size_t size = 0;
            if (strstr(item->objects[k]->key, prefix) == NULL) {
                continue;
            }
            folder_io_path(f, item->objects[k], from);
            assert_int_equal(gm_fs_read(from, 1 << 28, &data, &size, &err), 0);
            gm_buf_add(&all, data, size);
            free(data);
        }
    }
    assert_int_equal(gm_fs_write_atomic(path, all.data, all.size, &err), 0);
    gm_buf_fini(&all);
    gm__policy__free_unpacked(policy, NULL);
    return clip_load(path);
}

static Gm__EncodeParams *encode_of(Gm__Pipeline *p)
{
    for (size_t i = 0; i < p->n_tasks; i++) {
        if (p->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_ENCODE) {
            return p->tasks[i]->encode;
        }
    }
    fail();
    return NULL;
}

static void set(char **field, const char *value)
{
    if (*field != protobuf_c_empty_string) {
        free(*field);
    }
    *field = strdup(value);
    assert_non_null(*field);
}

static void start(const char *path, const char *codec, const char *deinterlace,
                  Gm__Pipeline **pipeline, struct folder_io **f)
{
    static const char *const tasks[] = {"inspect", "plan", "split"};
    static const uint32_t ladder[] = {80, 64};
    const struct folder_pipeline params = {.ladder = ladder, .rungs = 2, .package = true};
    struct gm_err err = {0};
    *pipeline = folder_pipeline(&params);
    set(&encode_of(*pipeline)->codec, codec);
    set(&encode_of(*pipeline)->deinterlace, deinterlace);
    if (!gm_captions_carries(codec)) { /* libvpx does not get such small noise below the cap */
        encode_of(*pipeline)->maxrate_scale = 0;
    }
    assert_int_equal(folder_io_create(path, *pipeline, f, &err), 0);
    for (size_t t = 0; t < 3; t++) {
        struct folder_run run = {.task = tasks[t]};
        if (folder_io_run(*f, &run, NULL, &err) < 0) {
            fail_msg("%s: %s", tasks[t], err.text);
        }
    }
}

/* run: chunks; 0: all. */
static void encode(struct folder_io *f, uint32_t run)
{
    uint32_t chunks = folder_io_items(f, "split", 0, 0);
    uint32_t step = run == 0 ? chunks : run;
    struct gm_err err = {0};
    for (uint32_t k = 0; k < chunks; k += step) {
        struct folder_run params = {.task = "encode", .first_chunk = k, .chunks = step};
        if (folder_io_run(f, &params, NULL, &err) < 0) {
            fail_msg("%s", err.text);
        }
    }
}

/* How often that task warned of it, 0: never; of encode all items. */
static int64_t dropped(const struct folder_io *f, const char *task)
{
    int64_t count = 0;
    if (strcmp(task, "plan") == 0) {
        const Gm__TaskResult *r = folder_io_result(f, "plan", 0);
        Gm__Policy *policy = gm__policy__unpack(NULL, r->meta.len, r->meta.data);
        for (size_t i = 0; i < policy->n_warnings; i++) {
            bool is = strcmp(policy->warnings[i]->code, "plan.captions_dropped") == 0;
            count += is ? policy->warnings[i]->count : 0;
        }
        gm__policy__free_unpacked(policy, NULL);
    }
    for (uint32_t i = 0; strcmp(task, "encode") == 0 && i < folder_io_items(f, task, 0, 0); i++) {
        const Gm__Item *item = folder_io_item(f, task, 0, 0, i);
        Gm__EncodeItemMeta *meta =
            gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(meta);
        count += meta->captions_dropped;
        gm__encode_item_meta__free_unpacked(meta, NULL);
    }
    return count;
}

/* Of pictures that have more, what goes along. */
static void cut(struct seen *s)
{
    for (size_t i = 0; i < s->frames; i++) {
        s->size[i] = s->size[i] < GM_CAPTIONS_MOST ? s->size[i] : GM_CAPTIONS_MOST;
    }
}

static int64_t longer(const struct seen *s)
{
    int64_t count = 0;
    for (size_t i = 0; i < s->frames; i++) {
        count += s->size[i] > GM_CAPTIONS_MOST;
    }
    return count;
}

static void assert_carried(const char *path, struct seen *want, const char *codec,
                           const char *deinterlace, uint32_t run, uint32_t chunks)
{
    struct folder_io *f = NULL;
    Gm__Pipeline *pipeline = NULL;
    start(path, codec, deinterlace, &pipeline, &f);
    assert_true(folder_io_items(f, "split", 0, 0) >= chunks);
    encode(f, run);
    assert_int_equal(dropped(f, "encode"), longer(want));
    cut(want);
    for (size_t r = 0; r < 2; r++) {
        struct clip *joined = join(f, r);
        struct seen *got = see(joined);
        assert_alike(want, got);
        free(got);
        clip_free(&joined);
    }
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
}

/* Puts so many bytes of captions, MORE at most, before every fourth packet of a stream with start
 * codes, and a few before the others: small renditions have no room for more. */
static void add_many(struct clip *clip, size_t most)
{
    for (size_t i = 0; i < clip->packet_count; i++) {
        AVPacket *p = clip->packets[i];
        struct gm_buf units = {0};
        size_t bytes = i % 4 == 0 ? most : 30;
        uint8_t data[MORE];
        for (size_t k = 0; k < bytes; k++) {
            data[k] = (uint8_t)(k % 3 == 0 ? 0xfc : 1 + (i * 7 + k) % 100);
        }
        for (size_t at = 0; at < bytes; at += GM_CAPTIONS_MESSAGE) {
            size_t rest = bytes - at;
            gm_captions_add_h264(data + at, rest < GM_CAPTIONS_MESSAGE ? rest : GM_CAPTIONS_MESSAGE,
                                 &units);
        }
        for (size_t at = 0; at < units.size;) { /* a start code for each length */
            size_t unit = units.data[at + 3];
            units.data[at + 3] = 1;
            at += 4 + unit;
        }
        int size = p->size;
        assert_int_equal(av_grow_packet(p, (int)units.size), 0);
        memmove(p->data + units.size, p->data, (size_t)size);
        memcpy(p->data, units.data, units.size);
        gm_buf_fini(&units);
    }
    clip_decode(clip);
}

static void every_rendition_has_the_captions_of_the_source(void **state)
{
    static const char x264[] = "preset=veryfast,bf=3,g=50,a53cc=1";
    static const char plain[] = "preset=veryfast,bf=3,g=50";
    static const char fields[] = "bf=2,g=18,flags=+ildct+ilme,a53cc=1";
    static const struct {
        const char *encoder, *options, *format, *codec, *deinterlace;
        uint32_t run;
        size_t many; /* bytes; 0: the encoder's own */
    } rows[] = {
        {"libx264", x264, "mp4", "h264", "off", 0, 0},
        {"libx264", x264, "mp4", "h264", "on", 1, 0},
        {"libx264", x264, "mp4", "hevc", "off", 2, 0},
        {"libx264", plain, "mp4", "h264", "off", 1, MANY},
        {"libx264", plain, "mp4", "hevc", "off", 0, MANY},
        {"libx264", plain, "mp4", "h264", "off", 2, MORE},
        {"libx264", plain, "mp4", "hevc", "off", 0, MORE},
        {"mpeg2video", fields, "ts", "h264", "on", 1, 0},
        {"mpeg2video", fields, "ts", "hevc", "off", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char dir[] = "/tmp/test-captions-XXXXXX", path[64];
        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof path, "%s/clip.%s", dir, rows[i].format);
        struct clip *clip = clip_make(rows[i].encoder, rows[i].options, FRAMES);
        if (rows[i].many > 0) {
            add_many(clip, rows[i].many);
        }
        struct seen *want = see(clip);
        clip_mux(clip, path);
        assert_int_equal(want->frames, FRAMES);
        assert_true(want->size[0] > 0 && want->size[FRAMES - 2] > 0);
        assert_true(rows[i].many == 0 || want->size[0] == rows[i].many);
        assert_carried(path, want, rows[i].codec, rows[i].deinterlace, rows[i].run, 3);
        free(want);
        clip_free(&clip);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
    }
}

/* Of SCTE 20, in the user data of interlaced MPEG-2. */
static void captions_of_a_real_recording_come_out(void **state)
{
    char path[4096];
    size_t captioned = 0;
    (void)state;
    if (!folder_clip("mpeg2-interlaced-480i.ts", path)) {
        skip();
    }
    struct clip *clip = clip_load(path);
    struct seen *want = see(clip);
    for (size_t i = 0; i < want->frames; i++) {
        captioned += want->size[i] > 0;
    }
    assert_in_range(captioned, 100, want->frames);
    assert_carried(path, want, "h264", "auto", 0, 1);
    free(want);
    clip_free(&clip);
}

/* Whether the manifests name the services of clip_make's captions, all three, or say that there are
 * none. */
static void assert_announced(struct folder_io *f, bool announced)
{
    static const struct folder_run run = {.task = "package"};
    struct gm_err err = {0};
    if (folder_io_run(f, &run, NULL, &err) < 0) {
        fail_msg("%s", err.text);
    }
    const Gm__TaskResult *r = folder_io_result(f, "package", 0);
    Gm__PackageMeta *meta = gm__package_meta__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(meta);
    const struct {
        const ProtobufCBinaryData *in;
        const char *what;
        bool there;
    } rows[] = {
        {&meta->master_m3u8, "CLOSED-CAPTIONS=NONE", !announced},
        {&meta->master_m3u8, "CLOSED-CAPTIONS=\"cc\"", announced},
        {&meta->master_m3u8, "INSTREAM-ID=\"CC1\"", announced},
        {&meta->master_m3u8, "INSTREAM-ID=\"CC3\"", announced},
        {&meta->master_m3u8, "INSTREAM-ID=\"SERVICE1\"", announced},
        {&meta->manifest_mpd, "value=\"CC1=und;CC3=und\"", announced},
        {&meta->manifest_mpd, "cea-708:2015\" value=\"1=lang:und\"", announced},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool there =
            memmem(rows[i].in->data, rows[i].in->len, rows[i].what, strlen(rows[i].what)) != NULL;
        if (there != rows[i].there) {
            fail_msg("%s is %s", rows[i].what, there ? "there" : "missing");
        }
    }
    gm__package_meta__free_unpacked(meta, NULL);
}

/* Captions from the first frame on, and in one GOP where inspect does not look. */
static void captions_that_come_late_are_told(void **state)
{
    static const struct {
        const char *codec;
        bool late;
        int64_t plan;
        bool encode;
    } rows[] = {{"vp9", false, 2, false}, {"vp9", true, 0, true}, {"h264", true, 0, false}};
    char dir[] = "/tmp/test-captions-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/clip.mp4", dir);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clip *clip = clip_make("libx264", "preset=veryfast,bf=3,g=50,a53cc=1", FRAMES);
        struct clip *plain = clip_make("libx264", "preset=veryfast,bf=3,g=50", FRAMES);
        Gm__Pipeline *pipeline = NULL;
        struct folder_io *f = NULL;
        assert_int_equal(clip->packet_count, plain->packet_count);
        for (size_t k = 0; rows[i].late && k < clip->packet_count; k++) {
            if (k < 100 || k >= 150) {
                AVPacket *p = clip->packets[k];
                clip->packets[k] = plain->packets[k];
                plain->packets[k] = p;
            }
        }
        clip_mux(clip, path);
        struct seen *want = see(clip);
        int64_t captioned = 0;
        for (size_t k = 0; k < want->frames; k++) {
            captioned += want->size[k] > 0;
        }
        assert_in_range(captioned, rows[i].late ? 30 : 200, rows[i].late ? 40 : 220);
        start(path, rows[i].codec, "off", &pipeline, &f);
        encode(f, 1);
        assert_int_equal(dropped(f, "plan"), rows[i].plan);
        assert_int_equal(dropped(f, "encode"), rows[i].encode ? captioned : 0);
        assert_announced(f, gm_captions_carries(rows[i].codec));
        free(want);
        folder_io_destroy(&f);
        gm__pipeline__free_unpacked(pipeline, NULL);
        clip_free(&clip);
        clip_free(&plain);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* As media version 32 wrote them. */
static void forget_captions(struct folder_io *f)
{
    for (uint32_t i = 0; i < folder_io_items(f, "encode", 0, 0); i++) {
        Gm__Item *item = (Gm__Item *)(uintptr_t)folder_io_item(f, "encode", 0, 0, i);
        Gm__EncodeItemMeta *meta =
            gm__encode_item_meta__unpack(NULL, item->meta.len, item->meta.data);
        assert_non_null(meta);
        assert_int_not_equal(meta->captions, 0);
        meta->captions = 0;
        item->meta.len =
            gm__encode_item_meta__pack(meta, item->meta.data); /* no longer than it was */
        gm__encode_item_meta__free_unpacked(meta, NULL);
    }
}

static void chunks_of_before_have_what_inspect_saw(void **state)
{
    static const struct folder_run package = {.task = "package"};
    char dir[] = "/tmp/test-captions-XXXXXX", path[64];
    struct clip *clip = clip_make("libx264", "preset=veryfast,bf=3,g=50,a53cc=1", FRAMES);
    Gm__Pipeline *pipeline = NULL;
    struct folder_io *f = NULL;
    struct gm_err err = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/clip.mp4", dir);
    clip_mux(clip, path);
    start(path, "h264", "off", &pipeline, &f);
    encode(f, 0);
    forget_captions(f);
    assert_int_equal(folder_io_run(f, &package, NULL, &err), 0);
    const Gm__TaskResult *r = folder_io_result(f, "package", 0);
    Gm__PackageMeta *meta = gm__package_meta__unpack(NULL, r->meta.len, r->meta.data);
    assert_non_null(meta);
    const ProtobufCBinaryData *master = &meta->master_m3u8;
    assert_non_null(memmem(master->data, master->len, "INSTREAM-ID=\"CC1\"", 17));
    assert_null(memmem(master->data, master->len, "INSTREAM-ID=\"CC3\"", 17));
    assert_null(memmem(master->data, master->len, "CLOSED-CAPTIONS=NONE", 20));
    gm__package_meta__free_unpacked(meta, NULL);
    folder_io_destroy(&f);
    gm__pipeline__free_unpacked(pipeline, NULL);
    clip_free(&clip);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void kinds_are_told_apart(void **state)
{
    static const struct {
        uint8_t data[6];
        size_t size;
        unsigned seen;
    } rows[] = {
        {{0xf8, 0x80, 0x80, 0xfa, 0, 0}, 6, 0}, /* not valid */
        {{0xfc, 0x80, 0x80, 0xfe, 0, 0}, 6, GM_CAPTIONS_ANY},
        {{0xfc, 0x94, 0x2c, 0xfd, 0x80, 0x80}, 6, GM_CAPTIONS_ANY | GM_CAPTIONS_FIELD1},
        {{0xfd, 0x15, 0x2c, 0xfa, 0, 0}, 6, GM_CAPTIONS_ANY | GM_CAPTIONS_FIELD2},
        {{0xff, 0x02, 0x21, 0xfe, 0x41, 0}, 6, GM_CAPTIONS_ANY | GM_CAPTIONS_DIGITAL},
        {{0xfc, 0x94, 0x2c, 0xfc, 0x94}, 5, GM_CAPTIONS_ANY | GM_CAPTIONS_FIELD1}, /* cut off */
        {{0xfc, 0x94}, 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        AVFrame *a = av_frame_alloc(), *b = av_frame_alloc();
        assert_int_equal(gm_captions_look(a), 0);
        assert_int_equal(gm_captions_copy(a, b, NULL), 0);
        assert_int_equal(b->nb_side_data, 0);
        AVFrameSideData *side = av_frame_new_side_data(a, AV_FRAME_DATA_A53_CC, rows[i].size);
        assert_non_null(side);
        memcpy(side->data, rows[i].data, rows[i].size);
        assert_int_equal(gm_captions_look(a), rows[i].seen);
        assert_int_equal(gm_captions_copy(a, b, NULL), 0);
        assert_int_equal(gm_captions_look(b), rows[i].seen);
        av_frame_free(&a);
        av_frame_free(&b);
    }
    assert_true(gm_captions_carries("h264") && gm_captions_carries("hevc"));
    assert_false(gm_captions_carries("vp9") || gm_captions_carries("av1"));
}

static void h264_units_have_a_shorter_head(void **state)
{
    static const uint8_t data[3] = {0xfc, 0x94, 0x2c};
    static const uint8_t want[] = {0,   0,   0,   18, 0x06, 4,    14,   0xb5, 0,    0x31, 'G',
                                   'A', '9', '4', 3,  0xc1, 0xff, 0xfc, 0x94, 0x2c, 0xff, 0x80};
    struct gm_buf out = {0};
    (void)state;
    gm_captions_add_h264(data, sizeof data, &out);
    assert_int_equal(out.size, sizeof want);
    assert_memory_equal(out.data, want, sizeof want);
    gm_captions_add_h264(data, 2, &out);
    assert_int_equal(out.size, sizeof want);
    gm_buf_fini(&out);
}

/* 32 triplets are two messages: of 31, and of one. */
static void more_than_one_message_holds_goes_into_the_next(void **state)
{
    uint8_t data[GM_CAPTIONS_MESSAGE + 3];
    struct gm_buf all = {0}, parts = {0};
    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i + 1);
    }
    gm_captions_add_h264(data, sizeof data, &all);
    gm_captions_add_h264(data, GM_CAPTIONS_MESSAGE, &parts);
    assert_int_equal(parts.data[15], 0xc0 | 31);
    gm_captions_add_h264(data + GM_CAPTIONS_MESSAGE, 3, &parts);
    assert_int_equal(all.size, parts.size);
    assert_memory_equal(all.data, parts.data, parts.size);
    gm_buf_fini(&all);
    gm_buf_fini(&parts);
}

/* What is beyond two messages is left out. */
static void a_picture_has_two_messages_at_most(void **state)
{
    static const uint8_t data[3 * 33334];
    struct gm_buf most = {0}, all = {0};
    (void)state;
    gm_captions_add_hevc(data, GM_CAPTIONS_MOST, &most);
    gm_captions_add_hevc(data, sizeof data, &all);
    assert_int_equal(all.size, most.size);
    assert_memory_equal(all.data, most.data, most.size);
    all.size = 0;
    gm_captions_add_hevc(data, sizeof data - 1, &all);
    assert_int_equal(all.size, 0);
    gm_buf_fini(&most);
    gm_buf_fini(&all);
}

static void services_are_those_that_data_was_seen_of(void **state)
{
    static const struct {
        unsigned seen;
        const char *names; /* one after the other */
    } rows[] = {
        {0, ""},
        {GM_CAPTIONS_ANY, "CC1"},
        {GM_CAPTIONS_ANY | GM_CAPTIONS_FIELD2, "CC3"},
        {GM_CAPTIONS_ANY | GM_CAPTIONS_DIGITAL, "SERVICE1"},
        {GM_CAPTIONS_ANY | GM_CAPTIONS_DIGITAL | GM_CAPTIONS_FIELD1 | GM_CAPTIONS_FIELD2,
         "CC1CC3SERVICE1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *names[GM_CAPTIONS_SERVICES];
        char all[32] = "";
        size_t count = gm_captions_services(rows[i].seen, names);
        for (size_t k = 0; k < count; k++) {
            strcat(all, names[k]);
        }
        assert_string_equal(all, rows[i].names);
    }
}

static void hevc_units_are_escaped_and_bounded(void **state)
{
    static const uint8_t data[6] = {0xfc, 0, 0, 0xfc, 0, 0};
    static const uint8_t want[] = {0,   0,   0, 23,   0x4e, 0x01, 4, 17, 0xb5, 0, 0x31, 'G',  'A',
                                   '9', '4', 3, 0xc2, 0xff, 0xfc, 0, 0,  0xfc, 0, 0,    0xff, 0x80};
    static const uint8_t zeros[96];
    struct gm_buf out = {0};
    (void)state;
    gm_captions_add_hevc(data, sizeof data, &out);
    assert_int_equal(out.size, sizeof want);
    assert_memory_equal(out.data + 4, want + 4, sizeof want - 4);
    assert_int_equal(out.data[3], out.size - 4);
    out.size = 0;
    gm_captions_add_hevc(zeros, 93, &out); /* no three zeros in a row, no start code */
    assert_int_equal(out.data[2] << 8 | out.data[3], out.size - 4);
    for (size_t i = 6; i < out.size; i++) {
        assert_false(out.data[i] < 3 && out.data[i - 1] == 0 && out.data[i - 2] == 0);
    }
    out.size = 0;
    gm_captions_add_hevc(zeros, 92, &out);
    gm_captions_add_hevc(zeros, 0, &out);
    assert_int_equal(out.size, 0);
    gm_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rendition_has_the_captions_of_the_source),
        cmocka_unit_test(captions_of_a_real_recording_come_out),
        cmocka_unit_test(captions_that_come_late_are_told),
        cmocka_unit_test(chunks_of_before_have_what_inspect_saw),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(h264_units_have_a_shorter_head),
        cmocka_unit_test(services_are_those_that_data_was_seen_of),
        cmocka_unit_test(a_picture_has_two_messages_at_most),
        cmocka_unit_test(more_than_one_message_holds_goes_into_the_next),
        cmocka_unit_test(hevc_units_are_escaped_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
