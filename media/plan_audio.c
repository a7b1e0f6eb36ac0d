#include "media/plan.h"

#include <stdlib.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/audio.h"
#include "media/fmp4.h"
#include "media/pb.h"
#include "proto/envelope.h"

/* One AAC track for each of the source's audio streams. All tracks share the task's settings, so
 * the encoder is opened once. */

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

static int add_track(const Gm__Inspection *facts, uint32_t index, const Gm__AudioParams *params,
                     const AVCodecContext *ctx, Gm__Policy *policy, struct gm_err *err)
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
    t->params = (Gm__AudioParams *)gm_message_dup(&params->base);
    int rc = t->params != NULL ? 0 : gm_err_nomem(err);
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
        rc = gm_pb_string(&t->codecs, "mp4a.40.2", err); /* RFC 6381; AAC-LC: ISO/IEC 14496-3 */
    }
    if (rc == 0) {
        rc = describe(ctx, t, err);
    }
    /* Owned by the policy even when it is not whole: the policy goes with it then. */
    int appended = gm_pb_append(&policy->audio, &policy->n_audio, &t->base, err);
    return rc < 0 ? rc : appended;
}

int gm_plan_audio(const Gm__Inspection *facts, const Gm__AudioParams *params, Gm__Policy *policy,
                  struct gm_err *err)
{
    AVCodecContext *ctx = NULL;
    if (facts->n_audio == 0) {
        return 0;
    }
    int saved = gm_audio_cpu_begin();
    int rc = gm_audio_encoder_open(params, &ctx, err);
    for (size_t i = 0; rc == 0 && i < facts->n_audio && i < GM_PLAN_TRACKS; i++) {
        rc = add_track(facts, (uint32_t)i, params, ctx, policy, err);
    }
    avcodec_free_context(&ctx);
    gm_audio_cpu_end(saved);
    if (rc == 0 && facts->n_audio > GM_PLAN_TRACKS) {
        rc = gm_pb_warn(&policy->warnings, &policy->n_warnings, "plan.audio_tracks_dropped",
                        (int64_t)(facts->n_audio - GM_PLAN_TRACKS), err,
                        "the source has %zu audio streams; the first %d are kept", facts->n_audio,
                        GM_PLAN_TRACKS);
    }
    return rc;
}
