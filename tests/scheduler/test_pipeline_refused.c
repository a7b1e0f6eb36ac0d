#include "tests/scheduler/pipeline_text.h"

/* Pipeline files that are wrong, and what is said of them. */
struct wrong {
    const char *text;
    const char *where; /* beginning of the message */
    const char *says;
};

static const struct wrong files[] = {
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
    {VIDEO "  a: {type: audio, needs: [s]}\n" PACK, "f.yaml:8:", "must need the audio task"},
    {HEAD "  s: {type: split, needs: [v]}\n  v: {type: encode, needs: [s]}\n",
     "f.yaml:5:", "circle: s -> v -> s"},
    {HEAD "  s: {type: split, needs: [s]}\n", "f.yaml:5:", "circle: s -> s"},
    {BASE "  z: {type: analyze, needs: [s]}\n  v: {type: encode, needs: [s, z]}\n" PACK,
     "f.yaml:6:", "is for nothing"},
    {BASE "  z: {type: analyze, needs: [s]}\n  v: {type: encode, needs: [s], bitrate: 1M}\n" PACK,
     "f.yaml:7:", "must need the analyze task"},
    {BASE "  z: {type: analyze, needs: [s]}\n  a: {type: audio, needs: [s]}\n"
          "  k: {type: package, needs: [a]}\n",
     "f.yaml:6:", "there is no encode task"},
    {VIDEO PACK "publish: soon\n", "f.yaml:8:10:", "end or early"},
    {VIDEO PACK "publish: earlj\n", "f.yaml:8:10:", "did you mean `early`?"},
    {VIDEO "  m: {type: mp4, needs: [v]}\npublish: early\n", "f.yaml:8:10:", "needs a package"},
    {BASE "  z: {type: analyze, needs: [s]}\n"
          "  v: {type: encode, needs: [s, z], bitrate: 1M}\n" PACK "publish: early\n",
     "f.yaml:9:10:", "task `z` (analyze), which looks at the whole programme before encode"},
    {BASE "  l: {type: loudness, needs: [s]}\n  a: {type: audio, needs: [s, l]}\n"
          "  k: {type: package, needs: [a]}\npublish: early\n",
     "f.yaml:9:10:", "before audio begins"},
    {VIDEO "  t: {type: thumbnails, needs: [v]}\n  m: {type: mp4, needs: [v, t]}\n",
     "f.yaml:8:", "can't need `t`"},
    {BASE "  a: {type: audio, needs: [s]}\n  m: {type: mp4, needs: [a], heights: [720]}\n",
     "f.yaml:7:", "sound alone"},
    {BASE "  a: {type: audio, needs: [s]}\n  t: {type: subtitles, needs: [s]}\n"
          "  m: {type: package, needs: [a, t]}\n",
     "f.yaml:7:", "needs an encode task"},
};

/* Options of an encode task, whose line is the sixth: where is the column, or "". */
static const struct wrong options[] = {
    {"crf: 52", "38:", "0..51"},
    {"crf: -1", "38:", "0..63"},
    {"codec: h265", "40:", "did you mean `hevc`?"},
    {"profile: high11", "42:", "baseline, main, high, high10"},
    {"level: 4.4", "40:", "not a level"},
    {"level: high", "40:", "not a level"},
    {"hdr: hdr10", "38:", "sdr, keep"},
    {"hdr: keep", "38:", "not for h264"},
    {"codec: hevc, hdr: keep, bit_depth: 8", "", "needs 10 bits"},
    {"codec: hevc, hdr: keep, profile: main", "", "profile of 10 bits"},
    {"background: white", "45:", "#rrggbb"},
    {"background: \"#12345g\"", "45:", "#rrggbb"},
    {"bit_depth: 9", "44:", "8, 10"},
    {"bit_depth: 10, profile: high", "57:", "8 bits, not 10"},
    {"qp: 0, profile: high", "", "not lossless"},
    {"codec: hevc, qp: 60", "50:", "qp of hevc is 0..51"},
    {"renditions: [1080]", "", "a map"},
    {"renditions: {1080: 3}", "", "a map"},
    {"renditions: {1080p: {crf: 3}}", "", "not a short side"},
    {"renditions: {721: {crf: 3}}", "", "not a short side"},
    {"renditions: {722: {crf: 3}}", "", "the ladder has no rendition 722"},
    {"renditions: {720: {crf: 52}}", "57:", "crf of h264 is 0..51"},
    {"renditions: {720: {watermark: {image: a.png}}}", "", "unknown key"},
    {"crf: x", "38:", "crf"},
    {"qp: 70", "37:", "0..69"},
    {"qp: 1, crf: 20", "", "exclude"},
    {"codec: h263", "40:", "`h264`"},
    {"preset: placebo", "41:", "it is one of: ultrafast"},
    {"maxrate_scale: 11", "48:", "10"},
    {"maxrate: 15k", "42:", "16000"},
    {"buffer_s: 11", "43:", "10"},
    {"maxrate: 1M, maxrate_scale: 1", "", "exclude"},
    {"maxrate: 1M, qp: 20", "", "exclude"},
    {"buffer_s: 1, qp: 20", "", "exclude"},
    {"bitrate: 2M", "", "`bitrate` needs a task before encode"},
    {"quality: {target: 0.9}", "", "`quality` needs a task before encode"},
    {"renditions: {720: {bitrate: 2M}}", "", "needs a task before encode"},
    {"bitrate: 2M, crf: 20", "", "exclude"},
    {"bitrate: 2M, qp: 20", "", "exclude"},
    {"bitrate: 2M, quality: {target: 0.9}", "", "exclude"},
    {"bitrate: 2M, maxrate_scale: 1", "", "exclude"},
    {"bitrate: 2M, maxrate: 1M", "", "`maxrate` is below `bitrate`"},
    {"quality: 3", "", "quality is a map"},
    {"quality: {}", "", "`target`"},
    {"quality: {target: 30}", "", "ssim is 0.5..0.9999"},
    {"quality: {metric: psnr, target: 0.9}", "", "psnr is 20..60"},
    {"quality: {metric: vmaf, target: 60}", "", "it is one of: ssim, psnr"},
    {"quality: {target: 0.9, min_crf: 30, max_crf: 20}", "", "crf 30 to 20"},
    {"quality: {target: 0.9, max_crf: 60}", "", "at most 51"},
    {"renditions: {720: {qp: 3, maxrate: 1M}}", "", "exclude"},
    {"watermark: l.png", "44:", "watermark is a map"},
    {"watermark: {}", "", "`image`"},
    {"watermark: {image: ../l.png}", "", "plain file name"},
    {"watermark: {image: l.png, from: 5, until: 4}", "", "`until` is not after `from`"},
    {"watermark: {image: l.png, sise: 1}", "", "did you mean `size`?"},
    {"devices: nvenc", "", "devices is a list such as [nvenc]"},
    {"devices: []", "", "devices is a list such as [nvenc]"},
    {"devices: [nvenk]", "", "`nvenk` is none of the devices; did you mean `nvenc`?"},
    {"devices: [cuvid]", "", "it is one of: nvenc, vaapi, qsv, cpu"},
    {"devices: [cpu, cpu]", "", "devices names `cpu` twice"},
    {"devices: [[cpu]]", "43:", "expected a text"},
    {"fallback: never", "", "it is one of: software, wait, fail"},
    {"renditions: {360: {devices: [cpu]}}", "", "devices"},
};

/* One more task behind VIDEO, in the seventh line. */
static const struct wrong tasks[] = {
    {"o: {type: pakage, needs: [v]}", "13:", "did you mean `package`?"},
    {"o: {type: zzzzzzzzz}", "13:", "unknown task type"},
    {"o: {needs: [v]}", "6:", "no `type`"},
    {"o: 3", "6:", "is a map"},
    {"o_o: {type: mp4}", "", "a task's name"},
    {"o: {type: package, needs: [vv]}", "30:", "did you mean `v`?"},
    {"o: {type: package, needs: v}", "29:", "needs is a list"},
    {"o: {type: package, needs: [v, v]}", "33:", "named twice"},
    {"o: {type: package, needs: [v, s]}", "", "can't need `s` (split)"},
    {"o: {type: package}", "", "must need the encode task"},
    {"t: {type: thumbnails, needs: [v], width: 81}", "", "even"},
    {"t: {type: thumbnails, needs: [v], poster_at_s: 1, poster_image: p.png}", "",
     "exclude each other"},
    {"t: {type: thumbnails, needs: [v], format: png}", "", "not a format"},
    {"t: {type: thumbnails, needs: [v], poster_at_s: -1}", "", "poster_at_s"},
    {"t: {type: thumbnails, needs: [v], format: webp, width: 1000, columns: 20}", "", "width"},
    {"o: {type: package, needs: [v], hls: false, dash: false}", "", "drop the task"},
    {"o: {type: package, needs: [v], hls: maybe}", "", "hls"},
    {"a: {type: audio, needs: [s], sample_rate: 47000}", "", "48000"},
    {"a: {type: audio, needs: [s], bitrate: 1k}", "", "bitrate"},
    {"m: {type: mp4, needs: [v], heights: []}", "", "empty"},
    {"m: {type: mp4, needs: [v], heights: [480, 720]}", "", "large to small"},
    {"m: {type: mp4, needs: [v], heights: [480, 480]}", "", "large to small"},
    {"m: {type: mp4, needs: [v], heights: [481]}", "", "odd"},
    {"m: {type: mp4, needs: [v], heights: [14]}", "", "16"},
    {"a: {type: audio, needs: [s], channels: 3}", "", "channels is one of: 1, 2, 6"},
    {"a: {type: audio, needs: [s], codec: mp3}", "", "codec"},
    {"a: {type: audio, needs: [s], codec: opus, sample_rate: 44100}", "", "48000"},
};

/* `line` comes before each row's `where`. */
static void refuses(const char *text, const char *line, const struct wrong *row)
{
    struct gm_err err = {0};
    Gm__Pipeline *untouched = (Gm__Pipeline *)&err;
    char where[32];
    (void)snprintf(where, sizeof where, "%s%s", line, row->where);
    int rc = parse(text, &untouched, &err);
    if (rc != -GM_E_CONFIG || strncmp(err.text, where, strlen(where)) != 0 ||
        strstr(err.text, row->says) == NULL) {
        fail_msg("%s: rc %d, `%s`, expected `%s ... %s`", row->text, rc, err.text, where,
                 row->says);
    }
    assert_ptr_equal(untouched, &err);
}

static void wrong_files_are_refused_with_their_place(void **state)
{
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        refuses(files[i].text, "", &files[i]);
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        encode_text(options[i].text, text);
        refuses(text, "f.yaml:6:", &options[i]);
    }
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        assert_true(snprintf(text, sizeof text, VIDEO "  %s\n", tasks[i].text) < 1024);
        refuses(text, "f.yaml:7:", &tasks[i]);
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
        cmocka_unit_test(task_count_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
