#include "media/plan/plan.h"

#include <stdlib.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/audio/audio.h"
#include "media/audio/audio_mix.h"
#include "media/format/fmp4.h"
#include "media/pb.h"
#include "proto/envelope.h"

#define MIN_BITRATE_BPS 16000 /* scheduler/pipeline's lowest */

/* One track for each of the source's audio streams: the task's settings, with no more channels than
 * the stream has. */

/* Full-range channels: what the bits are shared by. */
static uint32_t weight(uint32_t channels)
{
    return channels == 6 ? 5 : channels;
}

/* The settings of one track. Bits are asked for the most channels; a track with fewer gets as many
 * a channel. *out: owned. */
static int track_params(const Gm__AudioFacts *facts, const Gm__AudioParams *asked,
                        Gm__AudioParams **out, struct gm_err *err)
{
    AVChannelLayout layout = {0};
    Gm__AudioParams *p = (Gm__AudioParams *)gm_message_dup(&asked->base);
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    if (av_channel_layout_from_string(&layout, facts->layout) < 0 ||
        layout.nb_channels != (int)facts->channels) {
        av_channel_layout_uninit(&layout);
        layout.order = AV_CHANNEL_ORDER_UNSPEC;
        layout.nb_channels = facts->channels <= INT16_MAX ? (int)facts->channels : INT16_MAX;
    }
    p->channels = gm_audio_mix_channels(&layout, asked->channels);
    av_channel_layout_uninit(&layout);
    uint64_t bits = (uint64_t)asked->bitrate_bps * weight(p->channels) / weight(asked->channels);
    p->bitrate_bps = bits > MIN_BITRATE_BPS ? (uint32_t)bits : MIN_BITRATE_BPS;
    *out = p;
    return 0;
}

static int describe(const AVCodecContext *ctx, Gm__AudioTrack *t, struct gm_err *err)
{
    struct gm_buf init = {0};
    char name[32], hex[2 * GM_SHA256_SIZE + 1];
    uint8_t digest[GM_SHA256_SIZE];
    size_t size = ctx->extradata_size > 0 ? (size_t)ctx->extradata_size : 0;
    t->priming_samples = ctx->initial_padding > 0 ? (uint32_t)ctx->initial_padding : 0;
    struct gm_fmp4_audio audio = {
        .sample_rate = t->params->sample_rate,
        .channels = t->params->channels,
        .priming_samples = t->priming_samples,
        .bitrate_bps = t->params->bitrate_bps,
        .opus = gm_audio_is_opus(t->params),
        .config = ctx->extradata,
        .config_size = size,
        .language = t->language,
    };
    int rc = gm_fmp4_audio_init(&audio, &init, err);
    if (rc == 0) {
        rc = gm_buf_check(&init, err);
    }
    if (rc == 0) {
        gm_sha256(init.data, init.size, digest);
        rc = gm_fs_path(name, sizeof name, err, "init-%s.mp4", gm_hex(digest, 6, hex));
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->init_name, name, err);
    }
    if (rc == 0) {
        rc = gm_pb_bytes(&t->extradata, ctx->extradata, size, err);
    }
    if (rc == 0) {
        rc = gm_pb_bytes(&t->init_segment, init.data, init.size, err);
    }
    gm_buf_fini(&init);
    return rc;
}

/* Opens the track's encoder for what only it knows. */
static int open_and_describe(Gm__AudioTrack *t, struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    int rc = gm_audio_encoder_open(t->params, &ctx, err);
    if (rc == 0) {
        rc = describe(ctx, t, err);
    }
    avcodec_free_context(&ctx);
    return rc;
}

static int add_track(const Gm__Inspection *facts, uint32_t index, const Gm__AudioParams *params,
                     Gm__Policy *policy, struct gm_err *err)
{
    char name[16];
    Gm__AudioTrack *t = malloc(sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    gm__audio_track__init(t);
    t->source_audio = index;
    t->is_default = index == 0;
    for (size_t i = 0; i < facts->n_audio; i++) {
        if (facts->audio[i]->is_default) { /* the first that the source marks */
            t->is_default = i == index;
            break;
        }
    }
    int rc = track_params(facts->audio[index], params, &t->params, err);
    if (rc == 0) {
        rc = gm_fs_path(name, sizeof name, err, "a%u", index);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->name, name, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->language, facts->audio[index]->language, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&t->title, facts->audio[index]->title, err);
    }
    if (rc == 0) { /* RFC 6381; AAC-LC: ISO/IEC 14496-3 */
        rc = gm_pb_string(&t->codecs, gm_audio_is_opus(params) ? "opus" : "mp4a.40.2", err);
    }
    if (rc == 0) {
        t->arithmetic = gm_audio_arithmetic(t->params);
        rc = open_and_describe(t, err);
    }
    /* Owned by the policy even when it is not whole: the policy goes with it then. */
    int appended = gm_pb_append(&policy->audio, &policy->n_audio, &t->base, err);
    return rc < 0 ? rc : appended;
}

/* A track of silence for a video without sound. */
static int add_silence(const Gm__AudioParams *params, Gm__Policy *policy, struct gm_err *err)
{
    Gm__AudioFacts none = GM__AUDIO_FACTS__INIT;
    Gm__AudioFacts *list[] = {&none};
    Gm__Inspection facts = GM__INSPECTION__INIT;
    none.channels = params->channels;
    none.layout = "";
    none.language = "und";
    facts.audio = list;
    facts.n_audio = 1;
    int rc = add_track(&facts, 0, params, policy, err);
    if (rc == 0) {
        policy->audio[policy->n_audio - 1]->silent = true;
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_SILENCE, 1, err,
                        "the source has no sound; a track of silence is made");
    }
    return rc;
}

/* Sound alone has no frames to follow: segments are cut by the clock, split_tracks.h. */
static int plan_clock(const Gm__AudioParams *params, Gm__Policy *policy, struct gm_err *err)
{
    policy->timescale = params->sample_rate;
    policy->segment_gops = 3;
    policy->chunk_segments = 1;
    return gm_pb_rational(&policy->timescale_rate, (AVRational){0, 1}, err);
}

/* What its measurement is asked for goes into the plan, as the sound's bytes follow from it. */
static int plan_loudness(const Gm__PipelineTask *task, Gm__Policy *policy, struct gm_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < policy->n_audio; i++) {
        Gm__AudioTrack *t = policy->audio[i];
        t->loudness = (Gm__LoudnessParams *)gm_message_dup(&task->loudness->base);
        rc = t->loudness == NULL ? gm_err_nomem(err)
                                 : gm_pb_string(&t->loudness_task, task->name, err);
    }
    return rc;
}

int gm_plan_audio(const Gm__Inspection *facts, const Gm__AudioParams *params,
                  const Gm__PipelineTask *loudness, Gm__Policy *policy, struct gm_err *err)
{
    int saved = gm_audio_cpu_begin();
    int rc = facts->video == NULL ? plan_clock(params, policy, err) : 0;
    for (size_t i = 0; rc == 0 && i < facts->n_audio && i < GM_PLAN_TRACKS; i++) {
        rc = add_track(facts, (uint32_t)i, params, policy, err);
    }
    if (rc == 0 && facts->n_audio == 0 && facts->video != NULL && params->silence) {
        rc = add_silence(params, policy, err);
    }
    gm_audio_cpu_end(saved);
    if (rc == 0 && loudness != NULL) {
        rc = plan_loudness(loudness, policy, err);
    }
    if (rc == 0 && facts->n_audio > GM_PLAN_TRACKS) {
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_PLAN_AUDIO_TRACKS_DROPPED,
                        (int64_t)(facts->n_audio - GM_PLAN_TRACKS), err,
                        "the source has %zu audio streams; the first %d are kept", facts->n_audio,
                        GM_PLAN_TRACKS);
    }
    return rc;
}
