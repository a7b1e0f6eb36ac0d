#include "tests/scheduler/helper.h"

#include <math.h>

#include "scheduler/pipeline/pipeline.h"

#define HEAD "name: x\ntasks:\n  i: {type: inspect}\n  p: {type: plan, needs: [i]}\n"
#define BASE HEAD "  s: {type: split, needs: [p]}\n"
#define VIDEO BASE "  v: {type: encode, needs: [s]}\n"
#define PACK "  out: {type: package, needs: [v]}\n"

static int parse(const char *text, Gm__Pipeline **out, struct gm_err *err)
{
    return gm_pipeline_parse("f.yaml", text, strlen(text), out, err);
}

#define SHIPPED_MAX 32
struct shipped {
    char names[SHIPPED_MAX][64];
    size_t count;
};

static int take_name(const char *name, void *arg)
{
    struct shipped *s = arg;
    assert_true(s->count < SHIPPED_MAX);
    (void)snprintf(s->names[s->count++], sizeof s->names[0], "%s", name);
    return 0;
}

static void list_shipped(struct shipped *out)
{
    char *folders[] = {(char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct gm_err err = {0};
    out->count = 0;
    ASSERT_OK(gm_pipeline_list(folders, take_name, out, &err));
    assert_true(out->count >= 5);
}

static void shipped_pipelines_load(void **state)
{
    struct shipped shipped;
    (void)state;
    list_shipped(&shipped);
    for (size_t i = 0; i < shipped.count; i++) {
        char path[512];
        struct gm_err err = {0};
        Gm__Pipeline *p = NULL;
        char *yaml = NULL;
        (void)snprintf(path, sizeof path, GM_SOURCE_DIR "/config/pipelines/%s.yaml",
                       shipped.names[i]);
        ASSERT_OK(gm_pipeline_load(path, &p, &yaml, &err));
        assert_string_equal(p->name, shipped.names[i]);
        assert_true(strlen(p->description) > 10);
        ASSERT_OK(gm_pipeline_check_assets(p, &err));
        assert_int_equal(p->n_assets, strcmp(p->name, "vod-watermark") == 0 ? 1 : 0);
        gm__pipeline__free_unpacked(p, NULL);
        free(yaml);
    }
}

/* What the shipped default writes out is what a file without options gets. */
static void written_defaults_equal_the_table(void **state)
{
    static const char bare[] = VIDEO "  a: {type: audio, needs: [s]}\n"
                                     "  x: {type: subtitles, needs: [s]}\n"
                                     "  t: {type: thumbnails, needs: [v]}\n"
                                     "  m: {type: mp4, needs: [v, a, x]}\n"
                                     "  k: {type: package, needs: [v, a, x]}\n";
    struct gm_err err = {0};
    Gm__Pipeline *shipped = NULL;
    Gm__Pipeline *plain = NULL;
    (void)state;
    ASSERT_OK(
        gm_pipeline_load(GM_SOURCE_DIR "/config/pipelines/vod-h264.yaml", &shipped, NULL, &err));
    ASSERT_OK(parse(bare, &plain, &err));
    assert_int_equal(shipped->n_tasks, plain->n_tasks);
    for (size_t i = 0; i < plain->n_tasks; i++) {
        uint8_t a[512];
        uint8_t b[512];
        Gm__PipelineTask one = *shipped->tasks[i];
        Gm__PipelineTask two = *plain->tasks[i];
        one.name = two.name = (char *)(uintptr_t) "same";
        one.n_needs = two.n_needs = 0;
        size_t size = gm__pipeline_task__pack(&one, a);
        assert_int_equal(gm__pipeline_task__pack(&two, b), size);
        assert_memory_equal(a, b, size);
    }
    gm__pipeline__free_unpacked(shipped, NULL);
    gm__pipeline__free_unpacked(plain, NULL);
}

static void values_reach_the_message(void **state)
{
    static const char text[] =
        "name: a-1\ndescription: what it is\ntasks:\n"
        "  i: {type: inspect, max_pixels: 1000000, max_duration_s: 60, max_streams: 3}\n"
        "  p: {type: plan, needs: [i], ladder: [720, 480]}\n"
        "  s: {type: split, needs: [p]}\n"
        "  v:\n    type: encode\n    needs: [s]\n    preset: slow\n    qp: 0\n"
        "    maxrate_scale: 0.5\n"
        "    watermark: {image: l.png, position: top-left, opacity: 0.25, margin: 0.1, size: 0.2, "
        "from: 1.5, until: 20}\n"
        "  a: {type: audio, needs: [s], bitrate: 96k, channels: 1, sample_rate: 44100}\n"
        "  t: {type: thumbnails, needs: [v], interval_s: 2, width: 80, columns: 3, rows: 4, "
        "poster_width: 640, poster_at_s: 1.5, "
        "format: webp}\n"
        "  m: {type: mp4, needs: [v, a], heights: [480]}\n"
        "  k: {type: package, needs: [a, v, t], hls: false}\n";
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    assert_string_equal(p->name, "a-1");
    assert_string_equal(p->description, "what it is");
    assert_int_equal(p->n_tasks, 8);
    assert_int_equal(p->tasks[0]->inspect->max_pixels, 1000000);
    assert_int_equal(p->tasks[0]->inspect->max_duration_s, 60);
    assert_int_equal(p->tasks[0]->inspect->max_streams, 3);
    assert_int_equal(p->tasks[1]->plan->n_ladder, 2);
    assert_int_equal(p->tasks[1]->plan->ladder[1], 480);
    const Gm__EncodeParams *e = p->tasks[3]->encode;
    assert_string_equal(e->codec, "h264");
    assert_string_equal(e->preset, "slow");
    assert_int_equal(e->crf, -1);
    assert_int_equal(e->qp, 0);
    assert_true(fabs(e->maxrate_scale - 0.5) < 1e-12);
    assert_string_equal(e->watermark->image, "l.png");
    assert_string_equal(e->watermark->position, "top-left");
    assert_true(fabs(e->watermark->opacity - 0.25) < 1e-12);
    assert_true(fabs(e->watermark->start_s - 1.5) < 1e-12);
    assert_true(fabs(e->watermark->end_s - 20) < 1e-12);
    assert_int_equal(p->tasks[4]->audio->bitrate_bps, 96000);
    assert_int_equal(p->tasks[4]->audio->channels, 1);
    assert_int_equal(p->tasks[4]->audio->sample_rate, 44100);
    assert_int_equal(p->tasks[5]->thumbnails->poster_width, 640);
    assert_true(fabs(p->tasks[5]->thumbnails->poster_at_s - 1.5) < 1e-12);
    assert_string_equal(p->tasks[5]->thumbnails->format, "webp");
    assert_int_equal(p->tasks[6]->mp4->heights[0], 480);
    assert_false(p->tasks[7]->package->hls);
    assert_true(p->tasks[7]->package->dash);
    assert_string_equal(p->tasks[7]->needs[0], "a");
    const char *images[GM_PIPELINE_MAX_IMAGES];
    assert_int_equal(gm_pipeline_images(p, images), 1);
    assert_string_equal(images[0], "l.png");
    gm__pipeline__free_unpacked(p, NULL);
}

static void renditions_take_over_what_they_do_not_name(void **state)
{
    static const char text[] = BASE
        "  v:\n    type: encode\n    needs: [s]\n    preset: slow\n    crf: 20\n    level: 5.1\n"
        "    maxrate_scale: 0.5\n"
        "    renditions:\n      1080: {codec: hevc, profile: main10}\n"
        "      720: {qp: 30, bit_depth: 10}\n      240: {crf: 30, profile: baseline}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    const Gm__EncodeParams *e = NULL;
    for (size_t i = 0; i < p->n_tasks; i++) {
        e = strcmp(p->tasks[i]->type, "encode") == 0 ? p->tasks[i]->encode : e;
    }
    assert_int_equal(e->crf, 20);
    assert_int_equal(e->bit_depth, 8);
    assert_int_equal(e->n_renditions, 3);
    const Gm__EncodeParams *r = e->renditions[0]->encode;
    assert_int_equal(e->renditions[0]->short_side, 1080);
    assert_string_equal(r->codec, "hevc");
    assert_string_equal(r->preset, "slow");
    assert_string_equal(r->level, "");
    assert_int_equal(r->crf, 26);
    assert_int_equal(r->bit_depth, 10);
    assert_int_equal(r->n_renditions, 0);
    assert_true(fabs(r->maxrate_scale - 0.5) < 1e-12);
    r = e->renditions[1]->encode;
    assert_string_equal(r->codec, "h264");
    assert_string_equal(r->level, "5.1");
    assert_int_equal(r->crf, -1);
    assert_int_equal(r->qp, 30);
    assert_int_equal(r->bit_depth, 10);
    r = e->renditions[2]->encode;
    assert_int_equal(r->crf, 30);
    assert_int_equal(r->qp, -1);
    assert_string_equal(r->profile, "baseline");
    gm__pipeline__free_unpacked(p, NULL);
}

static void hdr_is_kept_in_ten_bits_and_not_by_another_codec(void **state)
{
    static const char text[] =
        BASE "  v:\n    type: encode\n    needs: [s]\n    codec: hevc\n    hdr: keep\n"
             "    renditions:\n      1080: {hdr: sdr}\n      720: {crf: 20}\n"
             "      240: {codec: h264}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    const Gm__EncodeParams *e = NULL;
    for (size_t i = 0; i < p->n_tasks; i++) {
        e = strcmp(p->tasks[i]->type, "encode") == 0 ? p->tasks[i]->encode : e;
    }
    assert_string_equal(e->hdr, "keep");
    assert_int_equal(e->bit_depth, 10);
    assert_string_equal(e->background, "#000000");
    assert_string_equal(e->renditions[0]->encode->hdr, "sdr");
    assert_string_equal(e->renditions[1]->encode->hdr, "keep");
    assert_int_equal(e->renditions[1]->encode->bit_depth, 10);
    assert_string_equal(e->renditions[2]->encode->hdr, "");
    assert_int_equal(e->renditions[2]->encode->bit_depth, 8);
    gm__pipeline__free_unpacked(p, NULL);
}

static const struct {
    const char *text;
    const char *where; /* beginning of the message */
    const char *says;
} wrong[] = {
    {"- a\n", "f.yaml:1:1:", "a pipeline is a map"},
    {"tasks: {}\n", "f.yaml:1:", "no `name`"},
    {"name: X\ntasks: {}\n", "f.yaml:1:7:", "a name is"},
    {"name: x\n", "f.yaml:1:", "no `tasks`"},
    {"name: x\ntasks: []\n", "f.yaml:2:8:", "tasks is a map"},
    {"name: x\ntasks: {}\n", "f.yaml:2:", "no task of type inspect"},
    {"name: x\ntask: {}\n", "f.yaml:2:", "did you mean `tasks`?"},
    {HEAD, "f.yaml:3:", "no task of type split"},
    {BASE, "f.yaml:3:", "no task of type encode or audio"},
    {BASE "  o: {type: thumbnails, needs: [s]}\n", "f.yaml:3:", "no task of type encode or audio"},
    {BASE "  a: {type: audio, needs: [s]}\n  t: {type: thumbnails, needs: [a]}\n",
     "f.yaml:7:", "can't need `a` (audio)"},
    {VIDEO, "f.yaml:3:", "makes nothing"},
    {VIDEO PACK "  out: {type: mp4, needs: [v]}\n", "f.yaml:8", "out"},
    {VIDEO PACK "  k2: {type: package, needs: [v]}\n", "f.yaml:8:7:", "a second package"},
    {VIDEO "  o: {type: pakage, needs: [v]}\n", "f.yaml:7:13:", "did you mean `package`?"},
    {VIDEO "  o: {type: zzzzzzzzz}\n", "f.yaml:7:13:", "unknown task type"},
    {VIDEO "  o: {needs: [v]}\n", "f.yaml:7:6:", "no `type`"},
    {VIDEO "  o: 3\n", "f.yaml:7:6:", "is a map"},
    {VIDEO "  o_o: {type: mp4}\n", "f.yaml:7:", "a task's name"},
    {VIDEO "  o: {type: package, needs: [vv]}\n", "f.yaml:7:30:", "did you mean `v`?"},
    {VIDEO "  o: {type: package, needs: v}\n", "f.yaml:7:29:", "needs is a list"},
    {VIDEO "  o: {type: package, needs: [v, v]}\n", "f.yaml:7:33:", "named twice"},
    {VIDEO "  o: {type: package, needs: [v, s]}\n", "f.yaml:7:", "can't need `s` (split)"},
    {VIDEO "  o: {type: package}\n", "f.yaml:7:", "must need the encode task"},
    {VIDEO "  a: {type: audio, needs: [s]}\n" PACK, "f.yaml:8:", "must need the audio task"},
    {HEAD "  s: {type: split, needs: [v]}\n  v: {type: encode, needs: [s]}\n",
     "f.yaml:5:", "circle: s -> v -> s"},
    {HEAD "  s: {type: split, needs: [s]}\n", "f.yaml:5:", "circle: s -> s"},
    {BASE "  v: {type: encode, needs: [s], crf: 52}\n" PACK, "f.yaml:6:38:", "0..51"},
    {BASE "  v: {type: encode, needs: [s], crf: -1}\n" PACK, "f.yaml:6:38:", "0..63"},
    {BASE "  v: {type: encode, needs: [s], profile: high11}\n" PACK,
     "f.yaml:6:42:", "baseline, main, high, high10"},
    {BASE "  v: {type: encode, needs: [s], level: 4.4}\n" PACK, "f.yaml:6:40:", "not a level"},
    {BASE "  v: {type: encode, needs: [s], level: high}\n" PACK, "f.yaml:6:40:", "not a level"},
    {BASE "  v: {type: encode, needs: [s], hdr: hdr10}\n" PACK, "f.yaml:6:38:", "sdr, keep"},
    {BASE "  v: {type: encode, needs: [s], hdr: keep}\n" PACK, "f.yaml:6:38:", "not for h264"},
    {BASE "  v: {type: encode, needs: [s], codec: hevc, hdr: keep, bit_depth: 8}\n" PACK,
     "f.yaml:6:", "needs 10 bits"},
    {BASE "  v: {type: encode, needs: [s], codec: hevc, hdr: keep, profile: main}\n" PACK,
     "f.yaml:6:", "profile of 10 bits"},
    {BASE "  v: {type: encode, needs: [s], background: white}\n" PACK, "f.yaml:6:45:", "#rrggbb"},
    {BASE "  v: {type: encode, needs: [s], background: \"#12345g\"}\n" PACK,
     "f.yaml:6:45:", "#rrggbb"},
    {BASE "  v: {type: encode, needs: [s], bit_depth: 9}\n" PACK, "f.yaml:6:44:", "8, 10"},
    {BASE "  v: {type: encode, needs: [s], bit_depth: 10, profile: high}\n" PACK,
     "f.yaml:6:57:", "8 bits, not 10"},
    {BASE "  v: {type: encode, needs: [s], qp: 0, profile: high}\n" PACK,
     "f.yaml:6:", "not lossless"},
    {BASE "  v: {type: encode, needs: [s], codec: hevc, qp: 60}\n" PACK,
     "f.yaml:6:50:", "qp of hevc is 0..51"},
    {BASE "  v: {type: encode, needs: [s], renditions: [1080]}\n" PACK, "f.yaml:6:", "a map"},
    {BASE "  v: {type: encode, needs: [s], renditions: {1080: 3}}\n" PACK, "f.yaml:6:", "a map"},
    {BASE "  v: {type: encode, needs: [s], renditions: {1080p: {crf: 3}}}\n" PACK,
     "f.yaml:6:", "not a short side"},
    {BASE "  v: {type: encode, needs: [s], renditions: {721: {crf: 3}}}\n" PACK,
     "f.yaml:6:", "not a short side"},
    {BASE "  v: {type: encode, needs: [s], renditions: {722: {crf: 3}}}\n" PACK,
     "f.yaml:6:", "the ladder has no rendition 722"},
    {BASE "  v: {type: encode, needs: [s], renditions: {720: {crf: 52}}}\n" PACK,
     "f.yaml:6:57:", "crf of h264 is 0..51"},
    {BASE "  v: {type: encode, needs: [s], renditions: {720: {watermark: {image: a.png}}}}\n" PACK,
     "f.yaml:6:", "unknown key"},
    {BASE "  v: {type: encode, needs: [s], crf: x}\n" PACK, "f.yaml:6:38:", "crf"},
    {BASE "  v: {type: encode, needs: [s], qp: 70}\n" PACK, "f.yaml:6:37:", "0..69"},
    {BASE "  v: {type: encode, needs: [s], qp: 1, crf: 20}\n" PACK, "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], codec: h263}\n" PACK, "f.yaml:6:40:", "`h264`"},
    {BASE "  v: {type: encode, needs: [s], preset: placebo}\n" PACK,
     "f.yaml:6:41:", "it is one of: ultrafast"},
    {BASE "  v: {type: encode, needs: [s], maxrate_scale: 11}\n" PACK, "f.yaml:6:48:", "10"},
    {BASE "  v: {type: encode, needs: [s], maxrate: 15k}\n" PACK, "f.yaml:6:42:", "16000"},
    {BASE "  v: {type: encode, needs: [s], buffer_s: 11}\n" PACK, "f.yaml:6:43:", "10"},
    {BASE "  v: {type: encode, needs: [s], maxrate: 1M, maxrate_scale: 1}\n" PACK,
     "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], maxrate: 1M, qp: 20}\n" PACK, "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], buffer_s: 1, qp: 20}\n" PACK, "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M}\n" PACK,
     "f.yaml:6:", "`bitrate` needs a task before encode"},
    {BASE "  v: {type: encode, needs: [s], quality: {target: 0.9}}\n" PACK,
     "f.yaml:6:", "`quality` needs a task before encode"},
    {BASE "  v: {type: encode, needs: [s], renditions: {720: {bitrate: 2M}}}\n" PACK,
     "f.yaml:6:", "needs a task before encode"},
    {BASE "  z: {type: analyze, needs: [s]}\n  v: {type: encode, needs: [s, z]}\n" PACK,
     "f.yaml:6:", "is for nothing"},
    {BASE "  z: {type: analyze, needs: [s]}\n  v: {type: encode, needs: [s], bitrate: 1M}\n" PACK,
     "f.yaml:7:", "must need the analyze task"},
    {BASE "  z: {type: analyze, needs: [s]}\n  a: {type: audio, needs: [s]}\n"
          "  k: {type: package, needs: [a]}\n",
     "f.yaml:6:", "there is no encode task"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M, crf: 20}\n" PACK, "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M, qp: 20}\n" PACK, "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M, quality: {target: 0.9}}\n" PACK,
     "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M, maxrate_scale: 1}\n" PACK,
     "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], bitrate: 2M, maxrate: 1M}\n" PACK,
     "f.yaml:6:", "`maxrate` is below `bitrate`"},
    {BASE "  v: {type: encode, needs: [s], quality: 3}\n" PACK, "f.yaml:6:", "quality is a map"},
    {BASE "  v: {type: encode, needs: [s], quality: {}}\n" PACK, "f.yaml:6:", "`target`"},
    {BASE "  v: {type: encode, needs: [s], quality: {target: 30}}\n" PACK,
     "f.yaml:6:", "ssim is 0.5..0.9999"},
    {BASE "  v: {type: encode, needs: [s], quality: {metric: psnr, target: 0.9}}\n" PACK,
     "f.yaml:6:", "psnr is 20..60"},
    {BASE "  v: {type: encode, needs: [s], quality: {metric: vmaf, target: 60}}\n" PACK,
     "f.yaml:6:", "it is one of: ssim, psnr"},
    {BASE
     "  v: {type: encode, needs: [s], quality: {target: 0.9, min_crf: 30, max_crf: 20}}\n" PACK,
     "f.yaml:6:", "crf 30 to 20"},
    {BASE "  v: {type: encode, needs: [s], quality: {target: 0.9, max_crf: 60}}\n" PACK,
     "f.yaml:6:", "at most 51"},
    {BASE "  v: {type: encode, needs: [s], renditions: {720: {qp: 3, maxrate: 1M}}}\n" PACK,
     "f.yaml:6:", "exclude"},
    {BASE "  v: {type: encode, needs: [s], watermark: l.png}\n" PACK,
     "f.yaml:6:44:", "watermark is a map"},
    {BASE "  v: {type: encode, needs: [s], watermark: {}}\n" PACK, "f.yaml:6:", "`image`"},
    {BASE "  v: {type: encode, needs: [s], watermark: {image: ../l.png}}\n" PACK,
     "f.yaml:6:", "plain file name"},
    {BASE "  v: {type: encode, needs: [s], watermark: {image: l.png, from: 5, until: 4}}\n" PACK,
     "f.yaml:6:", "`until` is not after `from`"},
    {BASE "  v: {type: encode, needs: [s], watermark: {image: l.png, sise: 1}}\n" PACK,
     "f.yaml:6:", "did you mean `size`?"},
    {VIDEO "  t: {type: thumbnails, needs: [v], width: 81}\n", "f.yaml:7:", "even"},
    {VIDEO "  t: {type: thumbnails, needs: [v], poster_at_s: 1, poster_image: p.png}\n",
     "f.yaml:7:", "exclude each other"},
    {VIDEO "  t: {type: thumbnails, needs: [v], format: png}\n", "f.yaml:7:", "not a format"},
    {VIDEO "  t: {type: thumbnails, needs: [v], poster_at_s: -1}\n", "f.yaml:7:", "poster_at_s"},
    {VIDEO "  t: {type: thumbnails, needs: [v], format: webp, width: 1000, columns: 20}\n",
     "f.yaml:7:", "width"},
    {VIDEO "  t: {type: thumbnails, needs: [v]}\n  m: {type: mp4, needs: [v, t]}\n",
     "f.yaml:8:", "can't need `t`"},
    {VIDEO "  o: {type: package, needs: [v], hls: false, dash: false}\n",
     "f.yaml:7:", "drop the task"},
    {VIDEO "  o: {type: package, needs: [v], hls: maybe}\n", "f.yaml:7:", "hls"},
    {VIDEO "  a: {type: audio, needs: [s], sample_rate: 47000}\n", "f.yaml:7:", "48000"},
    {VIDEO "  a: {type: audio, needs: [s], bitrate: 1k}\n", "f.yaml:7:", "bitrate"},
    {VIDEO "  m: {type: mp4, needs: [v], heights: []}\n", "f.yaml:7:", "empty"},
    {VIDEO "  m: {type: mp4, needs: [v], heights: [480, 720]}\n", "f.yaml:7:", "large to small"},
    {VIDEO "  m: {type: mp4, needs: [v], heights: [480, 480]}\n", "f.yaml:7:", "large to small"},
    {VIDEO "  m: {type: mp4, needs: [v], heights: [481]}\n", "f.yaml:7:", "odd"},
    {VIDEO "  m: {type: mp4, needs: [v], heights: [14]}\n", "f.yaml:7:", "16"},
};

static void wrong_files_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct gm_err err = {0};
        Gm__Pipeline *untouched = (Gm__Pipeline *)state;
        int rc = parse(wrong[i].text, &untouched, &err);
        if (rc != -GM_E_CONFIG || strncmp(err.text, wrong[i].where, strlen(wrong[i].where)) != 0 ||
            strstr(err.text, wrong[i].says) == NULL) {
            fail_msg("row %zu: rc %d, `%s`, expected `%s ... %s`", i, rc, err.text, wrong[i].where,
                     wrong[i].says);
        }
        assert_ptr_equal(untouched, state);
    }
}

static void wrong_sound_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {VIDEO "  a: {type: audio, needs: [s], channels: 3}\n", "channels is one of: 1, 2, 6"},
        {VIDEO "  a: {type: audio, needs: [s], codec: mp3}\n", "codec"},
        {BASE "  a: {type: audio, needs: [s]}\n  m: {type: mp4, needs: [a], heights: [720]}\n",
         "sound alone"},
        {BASE "  a: {type: audio, needs: [s]}\n  t: {type: subtitles, needs: [s]}\n  m: {type: "
              "package, needs: [a, t]}\n",
         "needs an encode task"},
        {VIDEO "  a: {type: audio, needs: [s], codec: opus, sample_rate: 44100}\n", "48000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gm_err err = {0};
        Gm__Pipeline *p = NULL;
        int rc = parse(rows[i].text, &p, &err);
        if (rc != -GM_E_CONFIG || strncmp(err.text, "f.yaml:7:", 9) != 0 ||
            strstr(err.text, rows[i].says) == NULL) {
            fail_msg("row %zu: rc %d, `%s`", i, rc, err.text);
        }
    }
}

static void aims_reach_the_renditions(void **state)
{
    static const char text[] =
        BASE "  z: {type: analyze, needs: [s]}\n"
             "  v:\n    type: encode\n    needs: [s, z]\n    quality: {target: 0.97, samples: 9}\n"
             "    renditions:\n      1080: {codec: hevc}\n      720: {crf: 30}\n"
             "      480: {bitrate: 700k, maxrate: 1M}\n      240: {maxrate_scale: 2}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    const Gm__EncodeParams *e = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    for (size_t i = 0; i < p->n_tasks; i++) {
        e = strcmp(p->tasks[i]->type, "encode") == 0 ? p->tasks[i]->encode : e;
    }
    assert_string_equal(e->quality->metric, "ssim");
    assert_int_equal(e->quality->min_crf, 15);
    assert_int_equal(e->quality->max_crf, 35);
    assert_int_equal(e->quality->samples, 9);
    const Gm__EncodeParams *r = e->renditions[0]->encode;
    assert_int_equal(r->quality->min_crf, 18); /* of its own codec */
    assert_int_equal(r->quality->max_crf, 38);
    assert_false(e->renditions[0]->own_cap || e->renditions[0]->own_bitrate);
    r = e->renditions[1]->encode;
    assert_null(r->quality);
    assert_int_equal(r->crf, 30);
    r = e->renditions[2]->encode;
    assert_null(r->quality);
    assert_int_equal(r->bitrate_bps, 700000);
    assert_int_equal(r->maxrate_bps, 1000000);
    assert_true(e->renditions[2]->own_cap && e->renditions[2]->own_bitrate);
    r = e->renditions[3]->encode;
    assert_non_null(r->quality);
    assert_true(e->renditions[3]->own_cap);
    gm__pipeline__free_unpacked(p, NULL);
}

static void task_count_is_limited(void **state)
{
    char text[4096] = "name: x\ntasks:\n";
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    for (int i = 0; i < GM_PIPELINE_MAX_TASKS + 1; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "  t%d: {type: inspect}\n", i);
    }
    assert_int_equal(parse(text, &p, &err), -GM_E_CONFIG);
    assert_non_null(strstr(err.text, "more than 32 tasks"));
}

static void value_text(const struct gm_pipeline_param *row, char out[256])
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *const *c = row->choices; c != NULL && *c != NULL; c++) {
        used += (size_t)snprintf(out + used, 256 - used, "%s%s", used != 0 ? ", " : "", *c);
    }
    if (row->type == GM_PARAM_LANGUAGE) {
        (void)snprintf(out + used, 256 - used, "%san ISO 639-2 code", used != 0 ? " or " : "");
        return;
    }
    if (row->type == GM_PARAM_WORDS) {
        (void)snprintf(out + used, 256 - used, ": a list of these");
        return;
    }
    if (row->choices != NULL) {
        return;
    }
    switch (row->type) {
    case GM_PARAM_BOOL:
        (void)snprintf(out, 256, "true or false");
        break;
    case GM_PARAM_FILE:
        (void)snprintf(out, 256, "a file name");
        break;
    case GM_PARAM_WORD:
        (void)snprintf(out, 256, "a word");
        break;
    case GM_PARAM_RUNGS:
    case GM_PARAM_MAP:
        (void)snprintf(out, 256, "a map, see below");
        break;
    case GM_PARAM_SIDES:
        (void)snprintf(out, 256, "1 to 16 even numbers, falling, %.0f..%.0f", row->min, row->max);
        break;
    case GM_PARAM_SIZE:
    case GM_PARAM_RATE:
        (void)snprintf(out, 256, "%.0f..%.0f, `k` and `M` allowed", row->min, row->max);
        break;
    default:
        (void)snprintf(out, 256, "%.10g..%.10g", row->min, row->max);
        break;
    }
}

static void manual_holds_every_option(void **state)
{
    struct gm_err err = {0};
    uint8_t *doc = NULL;
    size_t size = 0;
    int missing = 0;
    size_t rows = 0;
    size_t lines = 0;
    (void)state;
    ASSERT_OK(gm_fs_read(GM_SOURCE_DIR "/docs/pipelines.md", 1 << 20, &doc, &size, &err));
    for (const struct gm_pipeline_param *row = gm_pipeline_params(); row->task != NULL; row++) {
        char value[256];
        char line[1024];
        char def[128];
        value_text(row, value);
        (void)snprintf(def, sizeof def, row->def != NULL ? "`%s`" : "%s",
                       row->def != NULL ? row->def
                       : row->required  ? "required"
                                        : "unset");
        (void)snprintf(line, sizeof line, "\n| `%s` | %s | %s | %s |\n", row->name, value, def,
                       row->doc);
        rows++;
        const char *section = NULL;
        char head[64];
        (void)snprintf(head, sizeof head, "\n## %s\n", row->task);
        section = strstr((const char *)doc, head);
        const char *found = section != NULL ? strstr(section, line) : NULL;
        const char *end = section != NULL ? strstr(section + 3, "\n## ") : NULL;
        if (found == NULL || (end != NULL && found > end)) {
            print_error("docs/pipelines.md, section %s, lacks:%s", row->task, line);
            missing++;
        }
    }
    for (const char *s = (const char *)doc; (s = strstr(s, "\n| `")) != NULL; s += 4) {
        lines++;
    }
    assert_int_equal(missing, 0);
    struct shipped shipped;
    list_shipped(&shipped);
    assert_int_equal(lines, rows + shipped.count + 11); /* and the task types */
    free(doc);
}

static void assets_are_checked(void **state)
{
    static const char text[] =
        BASE "  v: {type: encode, needs: [s], watermark: {image: l.png}}\n" PACK;
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse(text, &p, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_CONFIG);
    assert_int_equal(gm_pipeline_add_asset(p, "../l.png", "x", 1, &err), -GM_E_INVAL);
    ASSERT_OK(gm_pipeline_add_asset(p, "l.png", "x", 1, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_BAD_IMAGE);
    assert_non_null(strstr(err.text, "`l.png`"));
    /* up to the frame header of 256x1 */
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 1, 0, 1, 1, 0x11, 0};
    free(p->assets[0]->data.data);
    p->assets[0]->data.data = malloc(sizeof jpeg);
    memcpy(p->assets[0]->data.data, jpeg, sizeof jpeg);
    p->assets[0]->data.len = sizeof jpeg;
    ASSERT_OK(gm_pipeline_check_assets(p, &err));
    assert_int_equal(gm_pipeline_add_asset(p, "l.png", "x", 1, &err), -GM_E_INVAL);
    assert_int_equal(gm_pipeline_add_asset(p, "b.png", text, GM_PIPELINE_MAX_ASSET_BYTES + 1, &err),
                     -GM_E_LIMIT);
    ASSERT_OK(gm_pipeline_add_asset(p, "c.png", "y", 1, &err));
    assert_int_equal(gm_pipeline_check_assets(p, &err), -GM_E_CONFIG);
    gm__pipeline__free_unpacked(p, NULL);
}

static void names_are_found_in_folders(void **state)
{
    static const char wanted[] = VIDEO PACK;
    char *folders[] = {*state, (char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    char *yaml = NULL;
    write_file(*state, "vod-h264.yaml", wanted, strlen(wanted));
    ASSERT_OK(gm_pipeline_find(folders, "vod-h264", &p, &yaml, &err));
    assert_string_equal(yaml, wanted); /* the first folder wins */
    gm__pipeline__free_unpacked(p, NULL);
    free(yaml);
    assert_int_equal(gm_pipeline_find(folders, "thumbnail", &p, NULL, &err), -GM_E_NOTFOUND);
    assert_non_null(strstr(err.text, "did you mean `thumbnails`?"));
    assert_int_equal(gm_pipeline_find(folders, "../x", &p, NULL, &err), -GM_E_NOTFOUND);
}

static void listing_is_sorted_and_single(void **state)
{
    char *folders[] = {*state, (char *)(uintptr_t)GM_SOURCE_DIR "/config/pipelines", NULL};
    struct shipped both = {.count = 0}, shipped;
    struct gm_err err = {0};
    write_file(*state, "vod-h264.yaml", "x", 1);
    write_file(*state, "Not A Name.yaml", "x", 1);
    write_file(*state, "other.txt", "x", 1);
    ASSERT_OK(gm_pipeline_list(folders, take_name, &both, &err));
    list_shipped(&shipped);
    assert_int_equal(both.count, shipped.count); /* vod-h264 is in both folders */
    for (size_t i = 1; i < both.count; i++) {
        assert_true(strcmp(both.names[i - 1], both.names[i]) < 0);
    }
    folders[0] = (char *)(uintptr_t) "/nonexistent";
    assert_int_equal(gm_pipeline_list(folders, take_name, &both, &err), -GM_E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_pipelines_load),
        cmocka_unit_test(written_defaults_equal_the_table),
        cmocka_unit_test(values_reach_the_message),
        cmocka_unit_test(renditions_take_over_what_they_do_not_name),
        cmocka_unit_test(hdr_is_kept_in_ten_bits_and_not_by_another_codec),
        cmocka_unit_test(wrong_files_are_refused_with_their_place),
        cmocka_unit_test(wrong_sound_is_refused),
        cmocka_unit_test(aims_reach_the_renditions),
        cmocka_unit_test(task_count_is_limited),
        cmocka_unit_test(manual_holds_every_option),
        cmocka_unit_test(assets_are_checked),
        cmocka_unit_test_setup_teardown(names_are_found_in_folders, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(listing_is_sorted_and_single, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
