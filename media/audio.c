#include "media/audio.h"

#include <libavutil/cpu.h>

#include "media/av.h"

int gm_audio_cpu_begin(void)
{
    int saved = av_get_cpu_flags();
    av_force_cpu_flags(0);
    return saved;
}

void gm_audio_cpu_end(int saved)
{
    av_force_cpu_flags(saved);
}

static bool rate_is_known(const AVCodec *codec, uint32_t rate)
{
    for (const int *r = codec->supported_samplerates; r != NULL && *r != 0; r++) {
        if ((uint32_t)*r == rate) {
            return true;
        }
    }
    return false;
}

int gm_audio_encoder_open(const Gm__AudioParams *params, AVCodecContext **out, struct gm_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "libavcodec has no AAC encoder");
    }
    if (params->channels < 1 || params->channels > 2 ||
        !rate_is_known(codec, params->sample_rate)) {
        return gm_err_set(err, GM_E_INVAL, 0, "AAC of %u Hz and %u channels is not supported",
                          params->sample_rate, params->channels);
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->bit_rate = params->bitrate_bps;
    ctx->sample_rate = (int)params->sample_rate;
    ctx->sample_fmt = AV_SAMPLE_FMT_FLTP;
    av_channel_layout_default(&ctx->ch_layout, (int)params->channels);
    ctx->time_base = (AVRational){1, ctx->sample_rate};
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    ctx->profile = FF_PROFILE_AAC_LOW;
    int rc = avcodec_open2(ctx, codec, NULL);
    if (rc < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, rc, "the AAC encoder did not open");
    } else if (ctx->frame_size != GM_AAC_FRAME || ctx->extradata_size < 2 ||
               ctx->extradata_size > 64 || ctx->initial_padding < 0) {
        rc = gm_err_set(err, GM_E_BUG, 0, "the AAC encoder has frames of %d samples, config of %d",
                        ctx->frame_size, ctx->extradata_size);
    }
    if (rc < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}
