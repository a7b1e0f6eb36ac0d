/* Which encoder a rendition gets, and whether it can do what the plan asks. */
#include "media/encode/encoder_backend.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/av.h"
#include "media/encode/encoder_device.h"
#include "proto/video_codec.h"

#define SLOW_RATE 10
#define FEW_FRAMES 24

/* The level of a stream of variable rate is chosen for its average rate, within these bounds. */
#define MAX_NOMINAL_RATE 120
#define DEFAULT_NOMINAL_RATE 30

#define MAX_SIDE_PX 16384

static const struct gm_encoder_backend *const backends[] = {
    &gm_encoder_x264,       &gm_encoder_x265,       &gm_encoder_svtav1,    &gm_encoder_vpx,
    &gm_encoder_nvenc_h264, &gm_encoder_nvenc_hevc, &gm_encoder_nvenc_av1, &gm_encoder_vaapi_h264,
    &gm_encoder_vaapi_hevc, &gm_encoder_qsv_h264,   &gm_encoder_qsv_hevc};

const char *gm_encoder_chain(const char *chain)
{
    return chain != NULL && chain[0] != '\0' ? chain : "cpu";
}

static bool is_software(const char *chain)
{
    return strcmp(gm_encoder_chain(chain), "cpu") == 0;
}

int gm_encoder_blame(const char *chain, int rc, struct gm_err *err)
{
    if (rc != -GM_E_MEDIA || is_software(chain)) {
        return rc;
    }
    if (err != NULL) {
        err->code = GM_E_MEDIA_VERIFY;
    }
    return -GM_E_MEDIA_VERIFY;
}

static const char *chain_of(const struct gm_encoder_backend *row)
{
    return row->device != NULL ? row->device->chain : "cpu";
}

const struct gm_encoder_device *gm_encoder_find_device(const char *chain)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (strcmp(chain_of(backends[i]), gm_encoder_chain(chain)) == 0) {
            return backends[i]->device;
        }
    }
    return NULL;
}

static const struct gm_encoder_backend *find_row(const char *chain, const char *codec)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (strcmp(chain_of(backends[i]), gm_encoder_chain(chain)) == 0 &&
            strcmp(backends[i]->codec, codec) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

bool gm_encoder_is_there(const char *chain, const char *codec)
{
    const struct gm_encoder_backend *row = find_row(chain, codec);
    return row != NULL && avcodec_find_encoder_by_name(row->library) != NULL;
}

bool gm_encoder_caps_by_crf(const char *chain, const char *codec)
{
    const struct gm_encoder_backend *row = find_row(chain, codec);
    return row != NULL && row->caps_by_crf;
}

/* out: untouched on failure. */
static int find_backend(const struct gm_encoder_params *params,
                        const struct gm_encoder_backend **out, struct gm_err *err)
{
    const char *codec = params->rendition->encode->codec;
    const char *chain = gm_encoder_chain(params->chain);
    const struct gm_encoder_backend *row = find_row(chain, codec);
    if (row != NULL) {
        *out = row;
        return 0;
    }
    if (!is_software(chain) && gm_encoder_find_device(chain) == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "Chain %s has no encoders here", chain);
    }
    return gm_err_set(err, is_software(chain) ? GM_E_INVAL : GM_E_PIPELINE_UNFIT, 0,
                      "Codec %s has no encoder on chain %s", codec, chain);
}

bool gm_encoder_is_uneven(const struct gm_encoder_params *params)
{
    const Gm__VideoFacts *facts = params->facts;
    AVRational peak = gm_av_rational(facts->peak_rate);
    bool slow = peak.num > 0 && peak.den > 0 && peak.num < (int64_t)SLOW_RATE * peak.den;
    return slow || (facts->frames > 0 && facts->frames < FEW_FRAMES);
}

AVRational gm_encoder_nominal_rate(const struct gm_encoder_params *params)
{
    if (params->rate.num > 0 && params->rate.den > 0) {
        return params->rate;
    }
    const Gm__Rational *f = params->facts->frame_rate;
    if (f != NULL && f->num > 0 && f->den > 0 && f->num <= INT_MAX && f->den <= INT_MAX &&
        f->num / MAX_NOMINAL_RATE <= f->den && f->num >= f->den) {
        return (AVRational){(int)f->num, (int)f->den};
    }
    return (AVRational){DEFAULT_NOMINAL_RATE, 1};
}

/* What the codec can't do with these pictures, though it is no wrong number in itself. */
static int check_fit(const struct gm_encoder_params *params, const struct gm_encoder_backend *b,
                     const struct gm_video_codec *codec, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const Gm__EncodeParams *p = r->encode;
    AVRational rate = gm_encoder_nominal_rate(params);
    unsigned min = b->min_side_px;
    if (r->width_px < min || r->height_px < min) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                          "%s is not made in %" PRIu32 "x%" PRIu32 ": the encoder needs %ux%u",
                          codec->name, r->width_px, r->height_px, min, min);
    }
    if (p->level[0] != '\0') {
        const struct gm_video_level *level = gm_video_level_find(codec, p->level);
        if (level == NULL || !gm_video_level_holds(codec, level, r->width_px, r->height_px,
                                                   rate.num, rate.den, r->maxrate_bps)) {
            return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0,
                              "Level %s of %s does not hold %" PRIu32 "x%" PRIu32
                              " at %d/%d frames and %" PRId64 " bits a second",
                              p->level, codec->name, r->width_px, r->height_px, rate.num, rate.den,
                              r->maxrate_bps);
        }
    }
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(av_get_pix_fmt(r->pixel_format));
    unsigned bits = (unsigned)format->comp[0].depth;
    const struct gm_video_profile *profile =
        p->profile[0] != '\0' ? gm_video_profile_find(codec, p->profile) : NULL;
    if ((bits != 8 && bits != 10) || format->log2_chroma_w != 1 || format->log2_chroma_h != 1 ||
        (p->profile[0] != '\0' &&
         (profile == NULL || (profile->bit_depths != 18 && profile->bit_depths != bits)))) {
        return gm_err_set(err, GM_E_PIPELINE_UNFIT, 0, "%s, profile `%s`, does not hold %s",
                          codec->name, p->profile, r->pixel_format);
    }
    return 0;
}

static int check_codec(const struct gm_encoder_params *params,
                       const struct gm_encoder_backend **out_backend, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    const Gm__EncodeParams *p = r->encode;
    const struct gm_encoder_backend *b = NULL;
    const struct gm_video_codec *codec = gm_video_codec_find(p->codec);
    int rc = find_backend(params, &b, err);
    if (rc < 0) {
        return rc;
    }
    if (codec == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "Codec %s is unknown", p->codec);
    }
    if (p->qp > codec->max_qp || p->crf > codec->max_crf || (p->qp < 0 && p->crf < 0)) {
        return gm_err_set(err, GM_E_INVAL, 0, "Quality crf %" PRId32 " qp %" PRId32 " is refused",
                          p->crf, p->qp);
    }
    if (av_get_pix_fmt(r->pixel_format) == AV_PIX_FMT_NONE) {
        return gm_err_set(err, GM_E_INVAL, 0, "Pixel format `%s` is refused", r->pixel_format);
    }
    rc = check_fit(params, b, codec, err);
    if (rc == 0 && b->device != NULL) {
        rc = gm_encoder_device_check(b, params, err);
    }
    if (rc == 0 && b->check != NULL) {
        rc = b->check(params, err);
    }
    if (rc == 0) {
        *out_backend = b;
    }
    return rc;
}

int gm_encoder_check(const struct gm_encoder_params *params,
                     const struct gm_encoder_backend **out_backend, struct gm_err *err)
{
    const Gm__Rendition *r = params->rendition;
    if (r == NULL || params->facts == NULL || r->encode == NULL) {
        return gm_err_set(err, GM_E_INVAL, 0, "The rendition or its encoder settings are missing");
    }
    if (r->width_px < 2 || r->height_px < 2 || r->width_px > MAX_SIDE_PX ||
        r->height_px > MAX_SIDE_PX || r->width_px % 2 != 0 || r->height_px % 2 != 0) {
        return gm_err_set(err, GM_E_INVAL, 0, "Rendition size %" PRIu32 "x%" PRIu32 " is refused",
                          r->width_px, r->height_px);
    }
    if (params->timescale == 0 || params->timescale > INT_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "Timescale %" PRIu32 " is refused",
                          params->timescale);
    }
    /* libx264 counts rates in kbit; libavcodec takes the buffer as int. */
    if (r->maxrate_bps < 0 || r->bufsize_bits < 0 || r->bufsize_bits > INT_MAX ||
        (r->maxrate_bps > 0 && (r->maxrate_bps < 1000 || r->bufsize_bits < 2000))) {
        return gm_err_set(err, GM_E_INVAL, 0, "Rate cap %" PRId64 " bps / %" PRId64 " bits refused",
                          r->maxrate_bps, r->bufsize_bits);
    }
    return check_codec(params, out_backend, err);
}
