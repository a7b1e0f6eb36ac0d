/* The table of task parameters, and the one place that turns YAML into message fields by it. A new
 * parameter is a field in proto/media.proto, a row here and a row in docs/pipelines.md. */
#include "scheduler/pipeline/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/envelope.h"

#define SIDES_MAX 16
#define KEYS_MAX 32

static const char *const CODECS_VIDEO[] = {"h264", "hevc", "av1", "vp9", NULL};
static const char *const AUTO[] = {"auto", NULL};
static const char *const CODECS_AUDIO[] = {"aac", "opus", NULL};
static const char *const PRESETS[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                      "medium",    "slow",      "slower",   "veryslow", NULL};
static const char *const DAMAGE[] = {"salvage", "fail", NULL};
static const char *const METRICS[] = {"ssim", "psnr", NULL};
static const char *const POSITIONS[] = {"top-left",     "top-right", "bottom-left",
                                        "bottom-right", "center",    NULL};
static const char *const BIT_DEPTHS[] = {"8", "10", NULL};
static const char *const CHANNELS[] = {"1", "2", "6", NULL};
static const char *const CHAINS[] = {"nvenc", "vaapi", "qsv", "cpu", NULL};
static const char *const FALLBACKS[] = {"software", "wait", "fail", NULL};
static const char *const HDR[] = {"sdr", "keep", NULL};
static const char *const AUTO_ON_OFF[] = {"auto", "on", "off", NULL};
static const char *const IMAGE_FORMATS[] = {"jpeg", "webp", NULL};
static const char *const SAMPLE_RATES[] = {"32000", "44100", "48000", NULL};

#define AT(message, field) offsetof(Gm__##message, field)

static const struct gm_pipeline_param PARAMS[] = {
    {"inspect", "max_pixels", GM_PARAM_UINT64, AT(InspectParams, max_pixels), 256, 1e9, NULL,
     "35389440", false, "Largest picture taken, width times height."},
    {"inspect", "max_duration_s", GM_PARAM_UINT64, AT(InspectParams, max_duration_s), 1, 604800,
     NULL, "43200", false, "Longest programme taken, seconds."},
    {"inspect", "max_streams", GM_PARAM_UINT32, AT(InspectParams, max_streams), 1, 1000, NULL, "64",
     false, "Most streams that a source may have."},
    {"plan", "ladder", GM_PARAM_SIDES, AT(PlanParams, ladder), 16, 4320, NULL,
     "[1080, 720, 480, 360, 240]", false,
     "Short sides of the renditions in px, even, largest first; none is made larger than the "
     "source."},
    {"split", "damage", GM_PARAM_CHOICE, AT(SplitParams, damage), 0, 0, DAMAGE, "salvage", false,
     "A source that is cut off, lacks parts or can't be read on: `salvage` makes what is there and "
     "says what is lost, `fail` ends the job."},
    {"encode", "codec", GM_PARAM_CHOICE, AT(EncodeParams, codec), 0, 0, CODECS_VIDEO, "h264", false,
     "Video codec."},
    {"encode", "preset", GM_PARAM_CHOICE, AT(EncodeParams, preset), 0, 0, PRESETS, "veryfast",
     false, "Speed against size, by x264's names; other encoders take the nearest of theirs."},
    {"encode", "crf", GM_PARAM_INT32, AT(EncodeParams, crf), 0, 63, NULL, NULL, false,
     "Constant rate factor: lower is better and larger; the codec's default, see below."},
    {"encode", "qp", GM_PARAM_INT32, AT(EncodeParams, qp), 0, 69, NULL, NULL, false,
     "Constant quantiser instead of crf and its caps; 0 is lossless in H.264 and VP9."},
    {"encode", "profile", GM_PARAM_WORD, AT(EncodeParams, profile), 0, 0, NULL, NULL, false,
     "Profile of the codec, see below; the lowest that fits."},
    {"encode", "level", GM_PARAM_WORD, AT(EncodeParams, level), 0, 0, NULL, NULL, false,
     "Level that is not passed, see below; the lowest that fits."},
    {"encode", "bit_depth", GM_PARAM_UINT32, AT(EncodeParams, bit_depth), 8, 10, BIT_DEPTHS, NULL,
     false, "Bits a sample; the profile's, or 8."},
    {"encode", "maxrate_scale", GM_PARAM_DOUBLE, AT(EncodeParams, maxrate_scale), 0, 10, NULL, "1",
     false, "Multiplies the ladder's table of bit rate caps; 0 lifts them."},
    {"encode", "deinterlace", GM_PARAM_CHOICE, AT(EncodeParams, deinterlace), 0, 0, AUTO_ON_OFF,
     "auto", false, "Fields made to frames: where the pictures show fields, always, never."},
    {"encode", "maxrate", GM_PARAM_RATE, AT(EncodeParams, maxrate_bps), 16000, 1e9, NULL, NULL,
     false,
     "Bit rate cap of the largest rendition, bits a second; the others' in the ladder's ratio."},
    {"encode", "buffer_s", GM_PARAM_DOUBLE, AT(EncodeParams, buffer_s), 0.1, 10, NULL, "2", false,
     "Size of the decoder's buffer that the renditions keep to, in seconds of their cap."},
    {"encode", "hdr", GM_PARAM_CHOICE, AT(EncodeParams, hdr), 0, 0, HDR, "sdr", false,
     "What an HDR source becomes: `sdr` by tone mapping, or `keep` (10 bits, not in h264)."},
    {"encode", "background", GM_PARAM_WORD, AT(EncodeParams, background), 0, 0, NULL, "\"#000000\"",
     false, "What a transparent source is laid on, `\"#rrggbb\"` in sRGB."},
    {"encode", "bitrate", GM_PARAM_RATE, AT(EncodeParams, bitrate_bps), 16000, 1e9, NULL, NULL,
     false,
     "Average of the largest rendition over the programme instead of crf, bits a second; the "
     "others' in the ladder's ratio."},
    {"encode", "quality", GM_PARAM_MAP, AT(EncodeParams, quality), 0, 0, NULL, NULL, false,
     "A score that every rendition is to reach, instead of crf."},
    {"quality", "metric", GM_PARAM_CHOICE, AT(QualityTarget, metric), 0, 0, METRICS, "ssim", false,
     "What is compared with the pictures that go into the encoder."},
    {"quality", "target", GM_PARAM_DOUBLE, AT(QualityTarget, target), 0.5, 60, NULL, NULL, true,
     "Score over all samples: mean SSIM 0.5..0.9999, or PSNR of the mean squared error 20..60 dB."},
    {"quality", "min_crf", GM_PARAM_INT32, AT(QualityTarget, min_crf), 1, 63, NULL, NULL, false,
     "Finest crf that is tried; the codec's default less 8."},
    {"quality", "max_crf", GM_PARAM_INT32, AT(QualityTarget, max_crf), 1, 63, NULL, NULL, false,
     "Coarsest crf that is tried; the codec's default and 12."},
    {"quality", "samples", GM_PARAM_UINT32, AT(QualityTarget, samples), 1, 64, NULL, "4", false,
     "Chunks that are tried, spread evenly over the programme."},
    {"encode", "burn_subtitles", GM_PARAM_LANGUAGE, AT(EncodeParams, burn_subtitles), 0, 0, AUTO,
     NULL, false,
     "Subtitles that are pictures, drawn over the video: the first track, or that of a language."},
    {"encode", "watermark", GM_PARAM_MAP, AT(EncodeParams, watermark), 0, 0, NULL, NULL, false,
     "An image laid over every frame of every rendition."},
    {"encode", "devices", GM_PARAM_WORDS, AT(EncodeParams, devices), 0, 0, CHAINS, NULL, false,
     "What may encode, preferred first; unset: devices that the farm has, else `cpu`. One behind "
     "the first is taken where the job is expected to end clearly sooner by it."},
    {"encode", "fallback", GM_PARAM_CHOICE, AT(EncodeParams, fallback), 0, 0, FALLBACKS, "software",
     false,
     "When none of `devices` is there, the one in use goes, or it gives fewer encoder sessions "
     "than "
     "the job has renditions: all in `software`, `wait` for it, or `fail`."},
    {"encode", "renditions", GM_PARAM_RUNGS, 0, 16, 4320, NULL, NULL, false,
     "What single rungs of the ladder have otherwise, see below."},
    {"watermark", "image", GM_PARAM_FILE, AT(Watermark, image), 0, 0, NULL, NULL, true,
     "File name of the image, beside the pipeline file; at most 4 MiB."},
    {"watermark", "position", GM_PARAM_CHOICE, AT(Watermark, position), 0, 0, POSITIONS,
     "bottom-right", false, "Where it lies."},
    {"watermark", "opacity", GM_PARAM_DOUBLE, AT(Watermark, opacity), 0, 1, NULL, "0.8", false,
     "Multiplies the image's own alpha."},
    {"watermark", "margin", GM_PARAM_DOUBLE, AT(Watermark, margin), 0, 0.5, NULL, "0.03", false,
     "Distance from the edges as a share of the rendition's short side."},
    {"watermark", "size", GM_PARAM_DOUBLE, AT(Watermark, size), 0.01, 1, NULL, "0.15", false,
     "Width of the image as a share of the rendition's width."},
    {"watermark", "from", GM_PARAM_DOUBLE, AT(Watermark, start_s), 0, 604800, NULL, "0", false,
     "Second of the programme from which it shows."},
    {"watermark", "until", GM_PARAM_DOUBLE, AT(Watermark, end_s), 0, 604800, NULL, "0", false,
     "Second at which it is gone; 0: it stays to the end."},
    {"loudness", "target", GM_PARAM_DOUBLE, AT(LoudnessParams, target_lufs), -40, -8, NULL, "-16",
     false, "Integrated loudness that tracks are brought to, LUFS."},
    {"loudness", "true_peak", GM_PARAM_DOUBLE, AT(LoudnessParams, true_peak_db), -20, 0, NULL, "-1",
     false, "Highest true peak that a published track may have, dBTP."},
    {"audio", "codec", GM_PARAM_CHOICE, AT(AudioParams, codec), 0, 0, CODECS_AUDIO, "aac", false,
     "Audio codec."},
    {"audio", "bitrate", GM_PARAM_SIZE, AT(AudioParams, bitrate_bps), 16000, 512000, NULL, "128k",
     false, "Bits a second of a track with that many channels; one with fewer gets its share."},
    {"audio", "channels", GM_PARAM_UINT32, AT(AudioParams, channels), 1, 6, CHANNELS, "2", false,
     "Most channels of a track: 1 (mono), 2 (stereo) or 6 (5.1); more are mixed down, fewer stay "
     "fewer."},
    {"audio", "sample_rate", GM_PARAM_UINT32, AT(AudioParams, sample_rate), 32000, 48000,
     SAMPLE_RATES, "48000", false, "Samples a second."},
    {"audio", "silence", GM_PARAM_BOOL, AT(AudioParams, silence), 0, 0, NULL, "false", false,
     "A track of silence, as long as the video, where the source has no sound."},
    {"subtitles", "default_language", GM_PARAM_LANGUAGE, AT(SubtitlesParams, default_language), 0,
     0, NULL, "und", false, "Language of text tracks that name none."},
    {"thumbnails", "interval_s", GM_PARAM_UINT32, AT(ThumbnailsParams, interval_s), 1, 3600, NULL,
     "5", false, "Seconds of programme that one tile stands for."},
    {"thumbnails", "width", GM_PARAM_UINT32, AT(ThumbnailsParams, width), 16, 640, NULL, "160",
     false, "Width of a tile in px; even."},
    {"thumbnails", "columns", GM_PARAM_UINT32, AT(ThumbnailsParams, columns), 1, 20, NULL, "10",
     false, "Tiles in a row of a sprite."},
    {"thumbnails", "rows", GM_PARAM_UINT32, AT(ThumbnailsParams, rows), 1, 20, NULL, "10", false,
     "Rows of a sprite."},
    {"thumbnails", "poster_width", GM_PARAM_UINT32, AT(ThumbnailsParams, poster_width), 16, 3840,
     NULL, "1280", false, "Largest width of the poster in px; even."},
    {"thumbnails", "poster_at_s", GM_PARAM_DOUBLE, AT(ThumbnailsParams, poster_at_s), 0, 604800,
     NULL, NULL, false,
     "Second of the programme whose picture is the poster, instead of the best."},
    {"thumbnails", "poster_image", GM_PARAM_FILE, AT(ThumbnailsParams, poster_image), 0, 0, NULL,
     NULL, false, "File name of an image that is the poster, beside the pipeline file."},
    {"thumbnails", "format", GM_PARAM_CHOICE, AT(ThumbnailsParams, format), 0, 0, IMAGE_FORMATS,
     "jpeg", false, "Format of poster and sprites."},
    {"mp4", "heights", GM_PARAM_SIDES, AT(Mp4Params, heights), 16, 4320, NULL, "[720]", false,
     "Short sides of the single files; the nearest rung that is not above is taken."},
    {"package", "hls", GM_PARAM_BOOL, AT(PackageParams, hls), 0, 0, NULL, "true", false,
     "Write HLS playlists."},
    {"package", "dash", GM_PARAM_BOOL, AT(PackageParams, dash), 0, 0, NULL, "true", false,
     "Write a DASH manifest."},
    {0}};

const struct gm_pipeline_param *gm_pipeline_params(void)
{
    return PARAMS;
}

static int set_string(char **field, const char *value, struct gm_err *err)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    if (*field != protobuf_c_empty_string) {
        free(*field);
    }
    *field = copy;
    return 0;
}

/* What other programs call some choices: text's meaning, or text itself. */
static const char *usual_name(const char *text)
{
    static const char *const names[][2] = {
        {"h265", "hevc"},      {"x265", "hevc"},    {"libx265", "hevc"},   {"avc", "h264"},
        {"x264", "h264"},      {"libx264", "h264"}, {"libsvtav1", "av1"},  {"libaom-av1", "av1"},
        {"libvpx-vp9", "vp9"}, {"libopus", "opus"}, {"libfdk_aac", "aac"}, {"jpg", "jpeg"},
        {"centre", "center"},  {"software", "cpu"}, {"cuda", "nvenc"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i][0], text) == 0) {
            return names[i][1];
        }
    }
    return text;
}

static int set_choice(const struct gm_pipeline_param *row, const struct gm_yaml *node,
                      const char **out, struct gm_err *err)
{
    const char *text = NULL;
    int rc = gm_yaml_string(node, &text, err);
    if (rc < 0) {
        return rc;
    }
    char all[160] = "";
    for (const char *const *c = row->choices; *c != NULL; c++) {
        if (strcmp(*c, text) == 0) {
            *out = text;
            return 0;
        }
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", used != 0 ? ", " : "", *c);
    }
    if (row->type != GM_PARAM_CHOICE &&
        row->type != GM_PARAM_WORDS) { /* no number is meant for another by mistake */
        return gm_yaml_fail(node, err, "%s is one of: %s", row->name, all);
    }
    const char *near = gm_suggest(usual_name(text), row->choices);
    const char *is_not = row->type == GM_PARAM_WORDS ? "is none of the" : "is not a";
    if (near != NULL) {
        return gm_yaml_fail(node, err, "`%s` %s %s; did you mean `%s`?", text, is_not, row->name,
                            near);
    }
    return gm_yaml_fail(node, err, "`%s` %s %s; it is one of: %s", text, is_not, row->name, all);
}

static int set_sides(const struct gm_pipeline_param *row, const struct gm_yaml *node,
                     size_t *out_count, uint32_t **out, struct gm_err *err)
{
    if (node->kind != GM_YAML_LIST) {
        return gm_yaml_fail(node, err, "%s is a list such as %s", row->name, row->def);
    }
    uint32_t sides[SIDES_MAX];
    size_t count = 0;
    for (const struct gm_yaml *c = node->child; c != NULL; c = c->next) {
        int64_t v = 0;
        int rc = gm_yaml_int(c, (int64_t)row->min, (int64_t)row->max, &v, err);
        if (rc < 0) {
            return rc;
        }
        if (v % 2 != 0) {
            return gm_yaml_fail(c, err, "%s: %lld is odd; short sides are even", row->name,
                                (long long)v);
        }
        if (count > 0 && (uint32_t)v >= sides[count - 1]) {
            return gm_yaml_fail(c, err, "%s goes from large to small, without doubles", row->name);
        }
        if (count == SIDES_MAX) {
            return gm_yaml_fail(c, err, "%s has more than %d entries", row->name, SIDES_MAX);
        }
        sides[count++] = (uint32_t)v;
    }
    if (count == 0) {
        return gm_yaml_fail(node, err, "%s is empty", row->name);
    }
    uint32_t *copy = malloc(count * sizeof *copy);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    memcpy(copy, sides, count * sizeof *copy);
    free(*out);
    *out = copy;
    *out_count = count;
    return 0;
}

static int set_sides_field(const struct gm_pipeline_param *row, const struct gm_yaml *node,
                           void *params, struct gm_err *err)
{
    if (strcmp(row->task, "plan") == 0) {
        Gm__PlanParams *p = params;
        return set_sides(row, node, &p->n_ladder, &p->ladder, err);
    }
    Gm__Mp4Params *p = params;
    return set_sides(row, node, &p->n_heights, &p->heights, err);
}

/* EncodeParams.devices is the one list of words. */
static int set_words(const struct gm_pipeline_param *row, const struct gm_yaml *node,
                     Gm__EncodeParams *p, struct gm_err *err)
{
    if (node->kind != GM_YAML_LIST || node->child == NULL) {
        return gm_yaml_fail(node, err, "%s is a list such as [%s]", row->name, row->choices[0]);
    }
    for (const struct gm_yaml *c = node->child; c != NULL; c = c->next) {
        const char *word = "";
        int rc = set_choice(row, c, &word, err);
        if (rc < 0) {
            return rc;
        }
        for (size_t i = 0; i < p->n_devices; i++) {
            if (strcmp(p->devices[i], word) == 0) {
                return gm_yaml_fail(c, err, "%s names `%s` twice", row->name, word);
            }
        }
        char **grown = realloc(p->devices, (p->n_devices + 1) * sizeof *grown);
        if (grown == NULL) {
            return gm_err_nomem(err);
        }
        p->devices = grown;
        char *copy = strdup(word);
        if (copy == NULL) {
            return gm_err_nomem(err);
        }
        p->devices[p->n_devices++] = copy;
    }
    return 0;
}

static int set_number(const struct gm_pipeline_param *row, const struct gm_yaml *node, char *field,
                      struct gm_err *err)
{
    int64_t v = 0;
    int rc = row->type == GM_PARAM_SIZE || row->type == GM_PARAM_RATE
                 ? gm_yaml_size(node, (int64_t)row->min, (int64_t)row->max, &v, err)
                 : gm_yaml_int(node, (int64_t)row->min, (int64_t)row->max, &v, err);
    if (rc < 0) {
        return rc;
    }
    const char *word = NULL;
    if (row->choices != NULL && (rc = set_choice(row, node, &word, err)) < 0) {
        return rc;
    }
    if (row->type == GM_PARAM_UINT64) {
        *(uint64_t *)(void *)field = (uint64_t)v;
    } else if (row->type == GM_PARAM_RATE) {
        *(int64_t *)(void *)field = v;
    } else if (row->type == GM_PARAM_INT32) {
        *(int32_t *)(void *)field = (int32_t)v;
    } else {
        *(uint32_t *)(void *)field = (uint32_t)v;
    }
    return 0;
}

static int set_quality(const struct gm_yaml *node, Gm__QualityTarget **field, struct gm_err *err)
{
    if (node->kind != GM_YAML_MAP) {
        return gm_yaml_fail(node, err, "quality is a map: { metric: ssim, target: 0.98 }");
    }
    Gm__QualityTarget *q = malloc(sizeof *q);
    if (q == NULL) {
        return gm_err_nomem(err);
    }
    gm__quality_target__init(q);
    q->min_crf = q->max_crf = -1; /* the codec's: encode.c */
    *field = q;
    static const char *const none[] = {NULL};
    return gm_params_fill("quality", node, node, none, q, err);
}

static int set_watermark(const struct gm_yaml *node, Gm__Watermark **field, struct gm_err *err)
{
    if (node->kind != GM_YAML_MAP) {
        return gm_yaml_fail(node, err, "watermark is a map: { image: logo.png, ... }");
    }
    Gm__Watermark *mark = malloc(sizeof *mark);
    if (mark == NULL) {
        return gm_err_nomem(err);
    }
    gm__watermark__init(mark);
    *field = mark;
    static const char *const none[] = {NULL};
    int rc = gm_params_fill("watermark", node, node, none, mark, err);
    if (rc == 0 && mark->end_s > 0 && mark->end_s <= mark->start_s) {
        rc = gm_yaml_fail(gm_yaml_find(node, "until"), err,
                          "watermark: `until` is not after `from`");
    }
    return rc;
}

static int get_language(const struct gm_pipeline_param *row, const struct gm_yaml *node,
                        const char **out, struct gm_err *err)
{
    int rc = gm_yaml_string(node, out, err);
    if (rc < 0) {
        return rc;
    }
    for (const char *const *c = row->choices; c != NULL && *c != NULL; c++) {
        if (strcmp(*c, *out) == 0) {
            return 0;
        }
    }
    return strlen(*out) == 3 && strspn(*out, "abcdefghijklmnopqrstuvwxyz") == 3
               ? 0
               : gm_yaml_fail(node, err, "%s is an ISO 639-2 code such as eng, not `%s`", row->name,
                              *out);
}

static int set_field(const struct gm_pipeline_param *row, const struct gm_yaml *node, void *params,
                     struct gm_err *err)
{
    char *field = (char *)params + row->offset;
    const char *text = "";
    int rc = 0;
    bool flag = false;
    switch (row->type) {
    case GM_PARAM_UINT32:
    case GM_PARAM_UINT64:
    case GM_PARAM_INT32:
    case GM_PARAM_SIZE:
    case GM_PARAM_RATE:
        return set_number(row, node, field, err);
    case GM_PARAM_DOUBLE:
        return gm_yaml_double(node, row->min, row->max, (double *)(void *)field, err);
    case GM_PARAM_BOOL:
        rc = gm_yaml_bool(node, &flag, err);
        if (rc == 0) {
            *(protobuf_c_boolean *)(void *)field = flag;
        }
        return rc;
    case GM_PARAM_CHOICE:
        rc = set_choice(row, node, &text, err);
        return rc < 0 ? rc : set_string((char **)(void *)field, text, err);
    case GM_PARAM_FILE:
        rc = gm_yaml_string(node, &text, err);
        if (rc == 0 && !gm_is_file_name(text)) {
            rc = gm_yaml_fail(
                node, err, "%s is a plain file name ([A-Za-z0-9._-]), without a folder", row->name);
        }
        return rc < 0 ? rc : set_string((char **)(void *)field, text, err);
    case GM_PARAM_WORD:
        rc = gm_yaml_string(node, &text, err);
        return rc < 0 ? rc : set_string((char **)(void *)field, text, err);
    case GM_PARAM_LANGUAGE:
        rc = get_language(row, node, &text, err);
        return rc < 0 ? rc : set_string((char **)(void *)field, text, err);
    case GM_PARAM_WORDS:
        return set_words(row, node, params, err);
    case GM_PARAM_SIDES:
        return set_sides_field(row, node, params, err);
    case GM_PARAM_RUNGS: /* made when all else is known: encode.c */
        return 0;
    case GM_PARAM_MAP:
        if (strcmp(row->name, "quality") == 0) {
            return set_quality(node, (Gm__QualityTarget **)(void *)field, err);
        }
        return set_watermark(node, (Gm__Watermark **)(void *)field, err);
    }
    return gm_err_set(err, GM_E_BUG, 0, "parameter %s has no type", row->name);
}

static int set_default(const struct gm_pipeline_param *row, void *params, struct gm_err *err)
{
    char text[128];
    struct gm_yaml *doc = NULL;
    int len = snprintf(text, sizeof text, "%s: %s\n", row->name, row->def);
    GM_ASSERT(len > 0 && (size_t)len < sizeof text);
    int rc = gm_yaml_parse("default", text, (size_t)len, &doc, err);
    if (rc == 0) {
        rc = set_field(row, gm_yaml_find(doc, row->name), params, err);
    }
    gm_yaml_destroy(&doc);
    return rc;
}

int gm_params_fill(const char *task, const struct gm_yaml *where, const struct gm_yaml *node,
                   const char *const *skip, void *params, struct gm_err *err)
{
    const char *known[KEYS_MAX];
    size_t n = 0;
    for (; *skip != NULL; skip++) {
        known[n++] = *skip;
    }
    for (const struct gm_pipeline_param *row = PARAMS; row->task != NULL; row++) {
        if (strcmp(row->task, task) == 0) {
            GM_ASSERT(n + 1 < KEYS_MAX);
            known[n++] = row->name;
        }
    }
    known[n] = NULL;
    int rc = node != NULL ? gm_yaml_check_keys(node, known, err) : 0;
    for (const struct gm_pipeline_param *row = PARAMS; rc == 0 && row->task != NULL; row++) {
        if (strcmp(row->task, task) != 0) {
            continue;
        }
        const struct gm_yaml *value = node != NULL ? gm_yaml_find(node, row->name) : NULL;
        if (value != NULL) {
            rc = set_field(row, value, params, err);
        } else if (row->required) {
            rc = gm_yaml_fail(where, err, "%s needs the key `%s`", task, row->name);
        } else if (row->def != NULL) {
            rc = set_default(row, params, err);
        }
    }
    return rc;
}

/* What single renditions may have otherwise than the task. */
static bool is_of_rung(const struct gm_pipeline_param *row)
{
    static const char *const names[] = {"codec",   "preset",   "crf",       "qp",
                                        "profile", "level",    "bit_depth", "maxrate_scale",
                                        "maxrate", "buffer_s", "hdr",       "bitrate"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        found = found || strcmp(row->name, names[i]) == 0;
    }
    return found && strcmp(row->task, "encode") == 0;
}

int gm_params_override(const struct gm_yaml *node, Gm__EncodeParams *params, struct gm_err *err)
{
    const char *known[KEYS_MAX];
    size_t n = 0;
    for (const struct gm_pipeline_param *row = PARAMS; row->task != NULL; row++) {
        if (is_of_rung(row)) {
            GM_ASSERT(n + 1 < KEYS_MAX);
            known[n++] = row->name;
        }
    }
    known[n] = NULL;
    int rc = gm_yaml_check_keys(node, known, err);
    for (const struct gm_pipeline_param *row = PARAMS; rc == 0 && row->task != NULL; row++) {
        const struct gm_yaml *value = is_of_rung(row) ? gm_yaml_find(node, row->name) : NULL;
        if (value != NULL) {
            rc = set_field(row, value, params, err);
        }
    }
    return rc;
}
