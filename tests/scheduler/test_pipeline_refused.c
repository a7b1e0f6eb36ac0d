#include "tests/scheduler/pipeline_text.h"

/* Pipeline files that are wrong, and what is said of them. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_files_are_refused_with_their_place),
        cmocka_unit_test(wrong_sound_is_refused),
        cmocka_unit_test(task_count_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
