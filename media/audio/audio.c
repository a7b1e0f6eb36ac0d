#include "media/audio/audio.h"

#include <libavutil/cpu.h>
#include <math.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

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

float gm_audio_gain(double db)
{
    return db == 0 ? 1 : (float)pow(10, db / 20);
}

bool gm_audio_is_opus(const Gm__AudioParams *params)
{
    return strcmp(params->codec, "opus") == 0;
}

uint32_t gm_audio_frame_samples(const Gm__AudioParams *params)
{
    return gm_audio_is_opus(params) ? GM_OPUS_FRAME : GM_AAC_FRAME;
}

enum AVCodecID gm_audio_codec_id(const Gm__AudioParams *params)
{
    return gm_audio_is_opus(params) ? AV_CODEC_ID_OPUS : AV_CODEC_ID_AAC;
}

void gm_audio_layout(const Gm__AudioParams *params, AVChannelLayout *out)
{
    av_channel_layout_default(out, (int)params->channels);
}

#ifdef __SSE__
/* RSQRTPS and RCPPS are approximations with 12 right bits; the rest is the maker's. */
static uint32_t approximations(void)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (int i = 1; i <= 4096; i++) {
        __m128 x = _mm_set1_ps((float)i * 0.37F);
        float got[2] = {_mm_cvtss_f32(_mm_rsqrt_ps(x)), _mm_cvtss_f32(_mm_rcp_ps(x))};
        uint8_t bytes[sizeof(got)];
        memcpy(bytes, got, sizeof(got));
        for (size_t k = 0; k < sizeof(bytes); k++) {
            hash = (hash ^ bytes[k]) * 16777619U;
        }
    }
    return hash != 0 ? hash : 1;
}
#else
static uint32_t approximations(void)
{
    return 1;
}
#endif

uint32_t gm_audio_arithmetic(const Gm__AudioParams *params)
{
    return gm_audio_is_opus(params) ? approximations() : 0;
}

static bool rate_is_known(const AVCodec *codec, const Gm__AudioParams *params)
{
    for (const int *r = codec->supported_samplerates; r != NULL && *r != 0; r++) {
        if ((uint32_t)*r == params->sample_rate) {
            /* other rates of Opus would be resampled inside, and the files count 48 kHz anyway */
            return !gm_audio_is_opus(params) || *r == GM_OPUS_RATE;
        }
    }
    return false;
}

static int open_context(AVCodecContext *ctx, const AVCodec *codec, const Gm__AudioParams *params)
{
    AVDictionary *options = NULL;
    int rc = 0;
    ctx->bit_rate = params->bitrate_bps;
    ctx->sample_rate = (int)params->sample_rate;
    ctx->sample_fmt = AV_SAMPLE_FMT_FLTP;
    gm_audio_layout(params, &ctx->ch_layout);
    ctx->time_base = (AVRational){1, ctx->sample_rate};
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    ctx->profile = FF_PROFILE_AAC_LOW;
    /* TNS of libavcodec's encoder adds up to 7 dB to the peaks of clipped sound, and on none of the
     * clips that were tried did it lower the noise. */
    rc = gm_audio_is_opus(params) ? 0 : av_dict_set(&options, "aac_tns", "0", 0);
    if (gm_audio_is_opus(params)) {
        ctx->sample_fmt = AV_SAMPLE_FMT_FLT;
        ctx->profile = FF_PROFILE_UNKNOWN;
        ctx->compression_level = 10;
        rc = av_dict_set(&options, "frame_duration", "20", 0);
        if (rc >= 0 && params->channels > 2) { /* surround: RFC 7845 5.1.1.2 */
            rc = av_dict_set(&options, "mapping_family", "1", 0);
        }
    }
    if (rc >= 0) {
        rc = avcodec_open2(ctx, codec, &options);
    }
    av_dict_free(&options);
    return rc;
}

int gm_audio_encoder_open(const Gm__AudioParams *params, AVCodecContext **out, struct gm_err *err)
{
    const char *name = gm_audio_is_opus(params) ? "Opus" : "AAC";
    const AVCodec *codec = gm_audio_is_opus(params) ? avcodec_find_encoder_by_name("libopus")
                                                    : avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "libavcodec has no %s encoder", name);
    }
    bool channels = params->channels == 1 || params->channels == 2 || params->channels == 6;
    if (!channels || !rate_is_known(codec, params)) {
        return gm_err_set(err, GM_E_INVAL, 0, "%s of %u Hz and %u channels is not supported", name,
                          params->sample_rate, params->channels);
    }
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    int rc = open_context(ctx, codec, params);
    if (rc < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, rc, "the %s encoder did not open", name);
    } else if (ctx->frame_size != (int)gm_audio_frame_samples(params) || ctx->extradata_size < 2 ||
               ctx->extradata_size > 64 || ctx->initial_padding < 0) {
        rc = gm_err_set(err, GM_E_BUG, 0, "the %s encoder has frames of %d samples, config of %d",
                        name, ctx->frame_size, ctx->extradata_size);
    }
    if (rc < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}
