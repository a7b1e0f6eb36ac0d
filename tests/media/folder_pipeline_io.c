/* See folder_io.h: the pipelines that tests run, and the clips. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "media/folder_io.h"
#include "proto/envelope.h"

bool folder_clip(const char *name, char out[4096])
{
    const char *media = getenv("GOPMILL_TEST_MEDIA");
    if (media == NULL || media[0] == '\0') {
        (void)fprintf(stderr, "SKIPPED here: real clips (GOPMILL_TEST_MEDIA is unset)\n");
        return false;
    }
    (void)snprintf(out, 4096, "%s/%s", media, name);
    if (access(out, R_OK) != 0) {
        (void)fprintf(stderr, "GOPMILL_TEST_MEDIA is set but %s is missing\n", out);
        abort();
    }
    return true;
}

static void fill_sound(const struct folder_pipeline *p, Gm__AudioParams *audio,
                       Gm__LoudnessParams *loudness)
{
    audio->codec = p->opus ? "opus" : "aac";
    audio->bitrate_bps = 128000;
    audio->channels = p->channels != 0 ? p->channels : 2;
    audio->sample_rate = 48000;
    audio->silence = p->silence;
    loudness->target_lufs = p->target_lufs;
    loudness->true_peak_db = p->true_peak_db < 0 ? p->true_peak_db : -1;
}

static void fill_encode(const struct folder_pipeline *p, Gm__EncodeParams *to)
{
    to->codec = (char *)(uintptr_t)(p->codec != NULL ? p->codec : "h264");
    to->preset = (char *)(uintptr_t)(p->preset != NULL ? p->preset : "ultrafast");
    to->burn_subtitles = (char *)(uintptr_t)(p->burn != NULL ? p->burn : "");
    to->crf = p->qp_plus_1 > 0 ? -1 : 23;
    to->qp = p->qp_plus_1 - 1;
    to->maxrate_scale = p->qp_plus_1 > 0 || p->quality != NULL ? 0 : 1;
    to->bitrate_bps = p->bitrate_bps;
    to->quality = (Gm__QualityTarget *)(uintptr_t)p->quality;
}

Gm__Pipeline *folder_pipeline(const struct folder_pipeline *p)
{
    static const uint32_t usual[] = {1080, 720, 480, 360, 240};
    uint32_t heights[] = {p->rungs > 0 ? p->ladder[0] : 720};
    Gm__InspectParams inspect = GM__INSPECT_PARAMS__INIT;
    Gm__PlanParams plan = GM__PLAN_PARAMS__INIT;
    Gm__SplitParams split = GM__SPLIT_PARAMS__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    Gm__AudioParams audio = GM__AUDIO_PARAMS__INIT;
    Gm__LoudnessParams loudness = GM__LOUDNESS_PARAMS__INIT;
    Gm__AnalyzeParams analyze = GM__ANALYZE_PARAMS__INIT;
    Gm__ThumbnailsParams thumbnails = GM__THUMBNAILS_PARAMS__INIT;
    Gm__Mp4Params mp4 = GM__MP4_PARAMS__INIT;
    Gm__PackageParams package = GM__PACKAGE_PARAMS__INIT;
    inspect.max_pixels = p->max_pixels != 0 ? p->max_pixels : 8192u * 4320u;
    inspect.max_duration_s = 43200;
    inspect.max_streams = 64;
    plan.ladder = (uint32_t *)(uintptr_t)(p->rungs > 0 ? p->ladder : usual);
    plan.n_ladder = p->rungs > 0 ? p->rungs : 5;
    fill_encode(p, &encode);
    fill_sound(p, &audio, &loudness);
    thumbnails.interval_s = 5;
    thumbnails.width = 160;
    thumbnails.columns = thumbnails.rows = 10;
    thumbnails.poster_width = 1280;
    thumbnails.poster_at_s = -1;
    thumbnails.format = "jpeg";
    mp4.heights = heights;
    mp4.n_heights = 1;
    package.hls = package.dash = true;

    Gm__SubtitlesParams subtitles = GM__SUBTITLES_PARAMS__INIT;
    subtitles.default_language = "und";
    Gm__PipelineTask tasks[11];
    Gm__PipelineTask *list[11];
    size_t n = 0;
    char *needs[5][4] = {{"inspect"}, {"inspect", "plan"}, {"plan", "split"}, {"encode"}, {NULL}};
#define TASK(wanted, kind, member, CASE, row, count)                                               \
    if (wanted) {                                                                                  \
        gm__pipeline_task__init(&tasks[n]);                                                        \
        tasks[n].name = tasks[n].type = (kind);                                                    \
        tasks[n].params_case = GM__PIPELINE_TASK__PARAMS_##CASE;                                   \
        tasks[n].member = &member;                                                                 \
        tasks[n].needs = needs[row];                                                               \
        tasks[n].n_needs = (count);                                                                \
        list[n] = &tasks[n];                                                                       \
        n++;                                                                                       \
    }
    size_t ends = p->no_video ? 4 : 3; /* what is joined */
    size_t joined = p->no_video ? 0 : 1;
    if (p->audio) {
        needs[ends][joined++] = "audio";
    }
    if (p->subtitles) {
        needs[ends][joined++] = "subtitles";
    }
    TASK(true, "inspect", inspect, INSPECT, 0, 0)
    TASK(true, "plan", plan, PLAN, 0, 1)
    TASK(true, "split", split, SPLIT, 1, 2)
    TASK(p->bitrate_bps > 0 || p->quality != NULL, "analyze", analyze, ANALYZE, 2, 2)
    TASK(!p->no_video, "encode", encode, ENCODE, 2, 2)
    TASK(p->target_lufs < 0, "loudness", loudness, LOUDNESS, 2, 2)
    TASK(p->audio, "audio", audio, AUDIO, 2, 2)
    TASK(p->subtitles, "subtitles", subtitles, SUBTITLES, 2, 2)
    TASK(p->thumbnails, "thumbnails", thumbnails, THUMBNAILS, 3, 1)
    TASK(p->mp4, "mp4", mp4, MP4, ends, joined)
    TASK(p->package, "package", package, PACKAGE, ends, joined)
#undef TASK
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    pipeline.name = "test";
    pipeline.tasks = list;
    pipeline.n_tasks = n;
    Gm__Pipeline *out = (Gm__Pipeline *)gm_message_dup(&pipeline.base);
    if (out == NULL) {
        abort();
    }
    return out;
}
