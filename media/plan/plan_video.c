#include "media/picture/scaler.h"
#include "media/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include <libavfilter/avfilter.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/encode/budget.h"
#include "media/encode/encoder.h"
#include "media/format/bitstream.h"
#include "media/format/fmp4.h"
#include "media/format/vui.h"
#include "media/pb.h"
#include "media/picture/ladder.h"
#include "media/picture/siting.h"
#include "proto/envelope.h"
#include "proto/video_codec.h"

#define MAX_REORDER 16
#define GOP_SECONDS 2
#define SEGMENT_GOPS 3
#define MAX_CHUNK_SEGMENTS 5
#define MIN_TIMESCALE 10000   /* constant rate: ticks a second, at least */
#define MAX_TIMESCALE 1000000 /* variable rate: the source's own ticks up to here */
#define MPEG_TIMESCALE 90000  /* else those of ISO/IEC 13818-1 */
#define MAX_RATE 1000000000   /* bits a second */
#define MIN_RATE 16000
#define DEFAULT_BUFFER_S 2
#define AVERAGE_TO_CAP 2      /* cap of a rendition that has an average and no cap of its own */
#define MAX_BUFFER 2000000000 /* bits: libavcodec counts them in an int */
#define SCALE_FLAGS "bicubic+accurate_rnd+full_chroma_int+bitexact"

static uint32_t variable_timescale(const Gm__Rational *tb)
{
    if (tb->num > 0 && tb->den > 0 && tb->den % tb->num == 0 &&
        tb->den / tb->num <= MAX_TIMESCALE) {
        uint32_t scale = (uint32_t)(tb->den / tb->num);
        while (scale < 1000) { /* coarse clocks: exact multiples */
            scale *= 2;
        }
        return scale;
    }
    return MPEG_TIMESCALE;
}

int gm_plan_grid(const Gm__VideoFacts *v, Gm__Policy *policy, struct gm_err *err)
{
    AVRational rate = gm_av_rational(v->frame_rate);
    bool constant = v->constant_rate && rate.num > 0 && rate.num <= MAX_TIMESCALE;
    int64_t ticks = constant ? rate.num : (int64_t)variable_timescale(v->time_base);
    while (constant && ticks < MIN_TIMESCALE) {
        ticks *= 2;
    }
    policy->timescale = (uint32_t)ticks;
    policy->gop_frames = 0;
    if (constant) {
        int64_t frames = (2 * (int64_t)GOP_SECONDS * rate.num + rate.den) / (2 * (int64_t)rate.den);
        policy->gop_frames = frames < 1 ? 1 : (uint32_t)frames;
    }
    policy->segment_gops = SEGMENT_GOPS;
    policy->chunk_segments = MAX_CHUNK_SEGMENTS;
    AVRational peak = gm_av_rational(v->peak_rate);
    if (constant || peak.num <= 0 || peak.den <= 0) {
        peak = rate.num > 0 && rate.den > 0 ? rate : (AVRational){25, 1};
    }
    int rc = gm_pb_rational(&policy->peak_rate, peak, err);
    if (rc < 0) {
        return rc;
    }
    return gm_pb_rational(&policy->timescale_rate, constant ? rate : (AVRational){0, 1}, err);
}

/* Turning needs chroma that is subsampled alike both ways: other formats are made 4:2:0 or RGB
 * first, by a conversion that is named, since libavfilter's own would not be exact on every
 * machine. */
#define TO_420 "scale=flags=" SCALE_FLAGS ":out_h_chr_pos=0:out_v_chr_pos=128"
static const char *convert_to_turn(const Gm__VideoFacts *v)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av_get_pix_fmt(v->pixel_format));
    if (desc == NULL) {
        return TO_420 ",format=yuv420p,";
    }
    if ((desc->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM)) != 0) {
        return "scale=flags=" SCALE_FLAGS ",format=rgb24,";
    }
    if (desc->log2_chroma_w == desc->log2_chroma_h) {
        return "";
    }
    return desc->comp[0].depth > 8 ? TO_420 ",format=yuv420p10le," : TO_420 ",format=yuv420p,";
}

static bool wants_deinterlacing(const Gm__VideoFacts *v, const Gm__EncodeParams *params)
{
    return strcmp(params->deinterlace, "on") == 0 ||
           (strcmp(params->deinterlace, "off") != 0 && v->interlaced);
}

int gm_plan_front(const Gm__VideoFacts *v, const Gm__EncodeParams *params, Gm__Policy *policy,
                  struct gm_err *err)
{
    static const char *const turns[4] = {"", "transpose=clock", "hflip,vflip", "transpose=cclock"};
    int quarter = (v->rotation_deg / 90 % 4 + 4) % 4;
    bool fields = wants_deinterlacing(v, params);
    bool turn = quarter != 0 || v->flip;
    char fields_text[64] = "", text[512];
    int rc = 0;
    if (fields) {
        policy->context_frames = 1;
        rc = gm_fs_path(fields_text, sizeof fields_text, err,
                        "bwdif=mode=send_frame:parity=%s:deint=all%s", v->top_first ? "tff" : "bff",
                        turn ? "," : "");
    }
    if (rc == 0) {
        rc = gm_fs_path(text, sizeof text, err, "%s%s%s%s%s", fields_text,
                        turn ? convert_to_turn(v) : "", turns[quarter],
                        quarter != 0 && v->flip ? "," : "", v->flip ? "hflip" : "");
    }
    return rc == 0 ? gm_pb_string(&policy->front_filters, text, err) : rc;
}

int gm_plan_filters(uint32_t width, uint32_t height, const struct gm_colour *c,
                    enum AVPixelFormat format, char *out, size_t size, struct gm_err *err)
{
    /* libswscale knows matrix and range of what comes from the picture's tags; it does not write
     * the matrix of what it makes, hence setparams. */
    return gm_fs_path(out, size, err,
                      "scale=%u:%u:flags=" SCALE_FLAGS ":out_color_matrix=%s:out_range=%s"
                      ":out_h_chr_pos=%d:out_v_chr_pos=%d,setsar=1,"
                      "setparams=color_primaries=%d:color_trc=%d:colorspace=%d,format=%s",
                      width, height, gm_colour_matrix_name(c->matrix),
                      c->range == AVCOL_RANGE_JPEG ? "pc" : "tv",
                      c->range == AVCOL_RANGE_JPEG ? 128 : 0, 128, (int)c->primaries,
                      (int)c->transfer, (int)c->matrix, av_get_pix_fmt_name(format));
}

static void hash_name(const char *prefix, const void *data, size_t size, char out[32])
{
    uint8_t digest[GM_SHA256_SIZE];
    char hex[2 * GM_SHA256_SIZE + 1];
    gm_sha256(data, size, digest);
    gm_hex(digest, 6, hex);
    GM_IGNORE(gm_fs_path(out, 32, NULL, "%s-%s.mp4", prefix, hex), "it fits");
}

/* Constant rate: the encoder's reorder depth in frames, so that decode times are evenly spaced.
 * Variable: the fewest ticks that suffice for any depth of x264 (at most 16 pictures), because
 * players take a decode time far before its presentation for a jump. */
static uint32_t reorder_delay(const Gm__Policy *policy, int reorder)
{
    AVRational rate = gm_av_rational(policy->timescale_rate);
    if (reorder <= 0) {
        return 0;
    }
    if (rate.num <= 0) {
        return MAX_REORDER;
    }
    return (uint32_t)reorder *
           (uint32_t)gm_av_rescale(1, av_inv_q(rate), (AVRational){1, (int)policy->timescale});
}

/* Init segment and names that follow from the encoder's headers. */
static int describe_headers(const Gm__VideoFacts *v, const Gm__Policy *policy, Gm__Rendition *r,
                            const uint8_t *headers, size_t size, struct gm_err *err)
{
    struct gm_buf init = {0}, sets = {0}, config = {0};
    char codecs[GM_CODECS_NAME], name[32];
    const struct gm_bitstream *codec = gm_bitstream_find(r->encode->codec);
    GM_ASSERT(codec != NULL);
    int rc =
        gm_vui_set_rate(codec->id, headers, size, gm_av_rational(policy->peak_rate), &sets, err);
    if (rc == 0) {
        rc = codec->add_config(sets.data, sets.size, &config, err);
    }
    if (rc == 0) {
        rc = codec->name(config.data, config.size, codecs, err);
    }
    struct gm_fmp4_video video = {
        .codec = r->encode->codec,
        .width_px = r->width_px,
        .height_px = r->height_px,
        .timescale = policy->timescale,
        .config = config.data,
        .config_size = config.size,
        .delay_ts = r->delay_ts,
        .rendition = r,
        .facts = v,
    };
    if (rc == 0) {
        rc = gm_fmp4_video_init(&video, &init, err);
    }
    if (rc == 0) {
        hash_name("init", init.data, init.size, name);
        rc = gm_pb_string(&r->codecs, codecs, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&r->init_name, name, err);
    }
    if (rc == 0) {
        rc = gm_pb_bytes(&r->extradata, headers, size, err);
    }
    if (rc == 0) {
        rc = gm_pb_bytes(&r->init_segment, init.data, init.size, err);
    }
    gm_buf_fini(&init);
    gm_buf_fini(&sets);
    gm_buf_fini(&config);
    return rc;
}

static int describe(const Gm__VideoFacts *v, const Gm__Policy *policy, const char *device,
                    Gm__Rendition *r, struct gm_err *err)
{
    struct gm_buf headers = {0};
    int reorder = 0;
    struct gm_encoder_params params = {
        .rendition = r,
        .facts = v,
        .timescale = policy->timescale,
        .rate = gm_av_rational(policy->timescale_rate),
        .chain = policy->chain,
        .device = device,
    };
    int rc = gm_encoder_describe(&params, &headers, &reorder, err);
    if (rc == 0) {
        r->delay_ts = reorder_delay(policy, reorder);
        rc = describe_headers(v, policy, r, headers.data, headers.size, err);
    }
    gm_buf_fini(&headers);
    return gm_encoder_blame(policy->chain, rc, err);
}

/* A rung of the ladder as this rendition is asked for. */
struct wish {
    const struct gm_rung *rung;
    const Gm__EncodeParams *params;
    bool own_cap; /* a maxrate there is the rung's own */
    bool own_bitrate;
};

static struct wish wish_for(const Gm__EncodeParams *params, const struct gm_rung *rung)
{
    for (size_t i = 0; i < params->n_renditions; i++) {
        const Gm__RungParams *own = params->renditions[i];
        if (own->short_side == rung->short_side && own->encode != NULL) {
            return (struct wish){rung, own->encode, own->own_cap, own->own_bitrate};
        }
    }
    return (struct wish){rung, params, false, false};
}

/* The ladder's cap in the rendition's codec. */
static double table_cap(const struct wish *w)
{
    const struct gm_video_codec *codec = gm_video_codec_find(w->params->codec);
    return (double)w->rung->maxrate_bps * (codec != NULL ? codec->cap_percent : 100) / 100.0;
}

/* The average asked for; 0: none. */
static int64_t average(const struct wish *w, const struct wish *top)
{
    double ratio = w->own_bitrate ? 1 : table_cap(w) / table_cap(top);
    double bps = (double)w->params->bitrate_bps * ratio;
    return w->params->bitrate_bps <= 0 ? 0 : bps < MIN_RATE ? MIN_RATE : (int64_t)bps;
}

/* Cap and buffer: from the ladder's table, scaled, or in its ratio to a cap for the largest. */
static void set_cap(Gm__Rendition *r, const struct wish *w, const struct wish *top)
{
    const Gm__EncodeParams *p = w->params;
    bool capped = p->maxrate_bps > 0 || p->bitrate_bps > 0 || p->maxrate_scale > 0;
    if (p->qp >= 0 || !capped) {
        return;
    }
    double scaled = table_cap(w) * p->maxrate_scale;
    if (p->maxrate_bps <= 0 && p->bitrate_bps > 0) {
        scaled = AVERAGE_TO_CAP * (double)average(w, top);
    } else if (p->maxrate_bps > 0) {
        double ratio = w->own_cap ? 1 : table_cap(w) / table_cap(top);
        scaled = (double)p->maxrate_bps * ratio;
    }
    r->maxrate_bps = scaled > MAX_RATE ? MAX_RATE : scaled < MIN_RATE ? MIN_RATE : (int64_t)scaled;
    double seconds = p->buffer_s > 0 ? p->buffer_s : DEFAULT_BUFFER_S;
    double bits = (double)r->maxrate_bps * seconds;
    r->bufsize_bits = bits > MAX_BUFFER ? MAX_BUFFER : (int64_t)bits;
}

/* The average, and the crf to analyze at: near the one that it will lead to. */
static void set_average(Gm__Rendition *r, const Gm__VideoFacts *v, const struct wish *w,
                        const struct wish *top)
{
    const struct gm_video_codec *codec = gm_video_codec_find(r->encode->codec);
    r->encode->bitrate_bps = average(w, top);
    if (r->encode->bitrate_bps > 0 && codec != NULL) {
        int32_t centi =
            gm_budget_reference(r->encode->bitrate_bps, (uint64_t)r->width_px * r->height_px,
                                v->frame_rate->num, v->frame_rate->den, codec->default_crf * 100);
        int32_t crf = (centi + 50) / 100;
        r->encode->crf = crf > codec->max_crf ? codec->max_crf : crf;
    }
}

/* What its pictures are, and how they come from the front's. r: size and encode are filled. */
static int plan_picture(const Gm__VideoFacts *v, Gm__Rendition *r, struct gm_err *err)
{
    char plain[512], filters[600];
    bool deep = r->encode->bit_depth == 10;
    bool keep = deep && strcmp(r->encode->hdr, "keep") == 0;
    struct gm_colour source = gm_colour_of_source(v), colour = gm_colour_target(source, keep);
    struct gm_siting siting = gm_siting(v);
    enum AVPixelFormat format = deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    if (gm_colour_needs_table(source, colour)) {
        siting = gm_siting_mapped(siting);
    }
    int rc = gm_pb_string(&r->pixel_format, av_get_pix_fmt_name(format), err);
    if (rc == 0) {
        rc = gm_plan_filters(r->width_px, r->height_px, &colour, format, plain, sizeof plain, err);
    }
    if (rc == 0) {
        rc = gm_siting_add(siting, plain, filters, sizeof filters, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&r->filters, filters, err);
    }
    if (rc == 0 && gm_scaler_plan(v, source, colour, format)) {
        rc = gm_scaler_filters(v, r->width_px, r->height_px, plain, filters, sizeof filters, err);
        rc = rc < 0 ? rc : gm_pb_string(&r->quick_filters, filters, err);
    }
    return rc == 0 ? gm_colour_to_rendition(colour, r, err) : rc;
}

static int add_rendition(const Gm__VideoFacts *v, const struct wish *wish, const struct wish *top,
                         const char *device, Gm__Policy *policy, struct gm_err *err)
{
    const struct gm_rung *rung = wish->rung;
    const Gm__EncodeParams *params = wish->params;
    char name[32];
    Gm__Rendition *r = malloc(sizeof *r);
    if (r == NULL) {
        return gm_err_nomem(err);
    }
    gm__rendition__init(r);
    r->width_px = rung->width_px;
    r->height_px = rung->height_px;
    r->short_side = rung->short_side;
    set_cap(r, wish, top);
    Gm__EncodeParams own = *params;
    own.n_renditions = 0;
    r->encode = (Gm__EncodeParams *)gm_message_dup(&own.base);
    int rc = r->encode != NULL ? 0 : gm_err_nomem(err);
    if (rc == 0) {
        set_average(r, v, wish, top);
        rc = gm_fs_path(name, sizeof name, err, "%up", rung->short_side);
    }
    if (rc == 0) {
        rc = gm_pb_string(&r->name, name, err);
    }
    if (rc == 0) {
        rc = plan_picture(v, r, err);
    }
    if (rc == 0) {
        rc = describe(v, policy, device, r, err);
    }
    if (rc < 0) {
        rc = gm_err_wrap(err, rc, "rendition of %ux%u: ", rung->width_px, rung->height_px);
    }
    /* Owned by the policy even when it is not whole: the policy goes with it then. */
    int appended = gm_pb_append(&policy->renditions, &policy->n_renditions, &r->base, err);
    return rc < 0 ? rc : appended;
}

/* What the rung has of its own, or the task's. */
int gm_plan_video(const Gm__VideoFacts *v, const uint32_t *ladder, size_t rungs,
                  const Gm__EncodeParams *params, const char *device, Gm__Policy *policy,
                  struct gm_err *err)
{
    struct gm_rung made[GM_LADDER_MAX];
    size_t count;
    int rc = gm_ladder_make(v, ladder, rungs, gm_av_rational(v->frame_rate), made, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct wish wish = wish_for(params, &made[i]);
        const struct wish top = wish_for(params, &made[0]);
        rc = add_rendition(v, &wish, &top, device, policy, err);
    }
    return rc;
}

/* Adds the build of the encoder of rendition `index` unless an earlier one has the same codec. */
static int add_build(const Gm__Policy *policy, size_t index, const Gm__VideoFacts *video,
                     const char *device, struct gm_buf *text, struct gm_err *err)
{
    char build[64];
    struct gm_encoder_params params = {
        .rendition = policy->renditions[index],
        .facts = video,
        .timescale = policy->timescale,
        .rate = gm_av_rational(policy->timescale_rate),
        .chain = policy->chain,
        .device = device,
    };
    for (size_t i = index + 1; i < policy->n_renditions; i++) {
        if (strcmp(policy->renditions[i]->encode->codec, params.rendition->encode->codec) == 0) {
            return 0; /* a smaller picture costs less */
        }
    }
    int rc = gm_encoder_build(&params, build, err);
    if (rc == 0) {
        gm_buf_printf(text, ":%s", build);
    }
    return gm_encoder_blame(policy->chain, rc, err);
}

int gm_plan_fingerprint(Gm__Policy *policy, const Gm__VideoFacts *video, const Gm__Chain *chain,
                        const char *device, struct gm_err *err)
{
    struct gm_buf text = {0};
    unsigned lavfi = avfilter_version();
    int rc = 0;
    gm_buf_str(&text, gm_encoder_chain(policy->chain));
    for (size_t i = 0; i < policy->n_renditions && rc == 0; i++) {
        rc = add_build(policy, i, video, device, &text, err);
    }
    if (policy->n_renditions == 0) {
        gm_buf_str(&text, ":" LIBAVCODEC_IDENT);
    }
    gm_buf_printf(&text, ":lavfi-%u.%u.%u:gm%d", lavfi >> 16, lavfi >> 8 & 255, lavfi & 255,
                  GM_MEDIA_VERSION);
    if (policy->scaler[0] != '\0') {
        gm_buf_printf(&text, ":%s", policy->scaler);
    }
    /* Software is named by what stands above: its fingerprint in the chain has libraries that made
     * nothing of these renditions. */
    if (chain != NULL && chain->fingerprint[0] != '\0' && strcmp(chain->name, "cpu") != 0) {
        gm_buf_printf(&text, ":%s", chain->fingerprint);
    }
    if (rc == 0) {
        rc = gm_buf_check(&text, err);
    }
    if (rc == 0) {
        rc = gm_pb_string(&policy->chain_fingerprint, (const char *)text.data, err);
    }
    gm_buf_fini(&text);
    return rc;
}
