#include "media/source/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/pixdesc.h>

#include "media/audio/audio_mix.h"
#include "media/pb.h"
#include "media/picture/colour.h"
#include "media/source/claims_header.h"
#include "media/source/length.h"
#include "media/source/tail.h"
#include "media/source/window.h"
#include "media/task_io.h"

/* The inspect task: opens the source, refuses what can't or may not be transcoded, and writes down
 * the facts that plan and split work from. No picture is decoded before its size was checked. */
#define WHOLE_BYTES (64 << 20) /* sources up to here are read whole */
#define MIN_SIDE 16
#define FINGERPRINT_PART (1 << 20)
#define MAX_SAMPLE_RATE 768000
#define DEFAULT_STREAMS 64

struct inspector {
    struct gm_task_io *io;
    const char *name;
    struct gm_source_file file;
    int64_t size;
    uint64_t max_pixels, max_duration_s;
    uint32_t max_streams;
    struct gm_source source;
    int64_t sure_us;  /* the programme lasts at least */
    bool sound_alone; /* the pipeline encodes no pictures: they are not looked at */
    int video;        /* -1: sound alone */
    struct gm_scan scan;
    Gm__Inspection *facts; /* owned */
};

static void read_params(struct inspector *s)
{
    const Gm__TaskSpec *spec = s->io->spec;
    const Gm__InspectParams *p = NULL;
    s->sound_alone = spec->pipeline != NULL && spec->pipeline->n_tasks > 0;
    for (size_t i = 0; spec->pipeline != NULL && i < spec->pipeline->n_tasks; i++) {
        const Gm__PipelineTask *t = spec->pipeline->tasks[i];
        s->sound_alone = s->sound_alone && strcmp(t->type, "encode") != 0;
        if (strcmp(t->name, spec->task) == 0 &&
            t->params_case == GM__PIPELINE_TASK__PARAMS_INSPECT) {
            p = t->inspect;
        }
    }
    s->max_pixels = p != NULL && p->max_pixels != 0 ? p->max_pixels : (uint64_t)GM_DEFAULT_PIXELS;
    s->max_duration_s = gm_length_limit_s(spec);
    s->max_streams = p != NULL && p->max_streams != 0 ? p->max_streams : DEFAULT_STREAMS;
    if (s->max_pixels > INT32_MAX) {
        s->max_pixels = INT32_MAX;
    }
}

static bool is_video(const AVStream *st)
{
    return st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
           (st->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_STILL_IMAGE)) == 0;
}

static bool has_decoder(const AVStream *st)
{
    return avcodec_find_decoder(st->codecpar->codec_id) != NULL;
}

static bool is_usable_audio(const AVStream *st)
{
    return st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && has_decoder(st) &&
           st->codecpar->sample_rate > 0 && st->codecpar->sample_rate <= MAX_SAMPLE_RATE &&
           st->codecpar->ch_layout.nb_channels > 0 &&
           st->codecpar->ch_layout.nb_channels <= GM_AUDIO_MIX_INPUTS;
}

static bool is_encrypted(const AVStream *st)
{
    const uint32_t tag = st->codecpar->codec_tag;
    return av_stream_get_side_data(st, AV_PKT_DATA_ENCRYPTION_INIT_INFO, NULL) != NULL ||
           av_stream_get_side_data(st, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL ||
           tag == MKTAG('e', 'n', 'c', 'v') || tag == MKTAG('d', 'r', 'm', 'i');
}

/* The first with a decoder; a stream marked as default before others. */
static int choose_video(struct inspector *s, struct gm_err *err)
{
    const AVFormatContext *ctx = s->source.format;
    int best = -1, best_rank = -1;
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        const AVStream *st = ctx->streams[i];
        int rank =
            (has_decoder(st) ? 2 : 0) + ((st->disposition & AV_DISPOSITION_DEFAULT) != 0 ? 1 : 0);
        if (is_video(st) && rank > best_rank) {
            best = (int)i;
            best_rank = rank;
        }
    }
    if (best < 0) {
        return gm_err_set(err, GM_E_INPUT_NO_VIDEO, 0, "%s has no video stream", s->name);
    }
    const AVStream *st = ctx->streams[best];
    if (is_encrypted(st)) {
        return gm_err_set(err, GM_E_INPUT_ENCRYPTED, 0, "the video of %s is encrypted", s->name);
    }
    if (!has_decoder(st)) {
        char tag[AV_FOURCC_MAX_STRING_SIZE];
        return gm_err_set(err, GM_E_INPUT_CODEC, st->codecpar->codec_tag,
                          "there is no decoder for the video of %s (codec %s, tag %s)", s->name,
                          avcodec_get_name(st->codecpar->codec_id),
                          av_fourcc_make_string(tag, st->codecpar->codec_tag));
    }
    s->video = best;
    return 0;
}

/* Whether there is sound to take, where nothing else is wanted. */
static int check_sound(const struct inspector *s, struct gm_err *err)
{
    const AVFormatContext *ctx = s->source.format;
    bool encrypted = false;
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        const AVStream *st = ctx->streams[i];
        if (is_usable_audio(st) && !is_encrypted(st)) {
            return 0;
        }
        encrypted =
            encrypted || (st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && is_encrypted(st));
    }
    return encrypted
               ? gm_err_set(err, GM_E_INPUT_ENCRYPTED, 0, "the sound of %s is encrypted", s->name)
               : gm_err_set(err, GM_E_INPUT_NO_AUDIO, 0, "%s has no sound that can be decoded",
                            s->name);
}

static int check_size(const struct inspector *s, int width, int height, struct gm_err *err)
{
    if (width > 0 && height > 0 && (uint64_t)width * (uint64_t)height > s->max_pixels) {
        return gm_err_set(err, GM_E_INPUT_TOO_LARGE, 0,
                          "the picture of %s is %dx%d: more than %llu pixels", s->name, width,
                          height, (unsigned long long)s->max_pixels);
    }
    return 0;
}

static int open_source(struct inspector *s, struct gm_err *err)
{
    int rc =
        gm_source_open_limited(s->file, s->name, true, (int64_t)s->max_pixels, &s->source, err);
    if (rc < 0) {
        return rc;
    }
    AVFormatContext *ctx = s->source.format;
    if (ctx->nb_streams > s->max_streams) {
        return gm_err_set(err, GM_E_INPUT_TOO_LARGE, ctx->nb_streams,
                          "%s has %u streams: more than %u", s->name, ctx->nb_streams,
                          s->max_streams);
    }
    s->video = -1;
    rc = s->sound_alone ? check_sound(s, err) : choose_video(s, err);
    if (rc < 0) {
        return rc;
    }
    if (s->video >= 0) {
        const AVCodecParameters *par = ctx->streams[s->video]->codecpar;
        rc = check_size(s, par->width, par->height, err);
    }
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        bool taken = (int)i == s->video || is_usable_audio(ctx->streams[i]) ||
                     gm_facts_is_text(ctx->streams[i]);
        ctx->streams[i]->discard = taken ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    return rc;
}

static void report_progress(void *arg, uint64_t done)
{
    struct inspector *s = arg;
    s->io->progress(s->io->self, done, 0);
}

/* Width and height as shown: upright, with square pixels. */
static void displayed_size(const Gm__VideoFacts *v, int64_t *out_width, int64_t *out_height)
{
    int64_t w = v->width_px, h = v->height_px;
    int64_t num = v->sample_aspect->num, den = v->sample_aspect->den;
    if (num > den) {
        w = w * num / den;
    } else {
        h = h * den / num;
    }
    bool turned = v->rotation_deg % 180 != 0;
    *out_width = turned ? h : w;
    *out_height = turned ? w : h;
}

static int check_video(struct inspector *s, struct gm_err *err)
{
    const Gm__VideoFacts *v = s->facts->video;
    int64_t w, h;
    if (s->scan.frames == 0) {
        return gm_err_set(err, GM_E_INPUT_DAMAGED, 0,
                          "none of the first %zu packets of %s gave a picture of at most %llu "
                          "pixels",
                          s->scan.count, s->name, (unsigned long long)s->max_pixels);
    }
    if (v->dolby_ipt) {
        return gm_err_set(err, GM_E_INPUT_DOLBY_VISION, (int)v->dolby_profile,
                          "the picture of %s is Dolby Vision profile %u: its base layer has a "
                          "colour of its own and can't be shown without Dolby's metadata",
                          s->name, v->dolby_profile);
    }
    int rc = check_size(s, (int)v->width_px, (int)v->height_px, err);
    displayed_size(v, &w, &h);
    if (rc == 0 &&
        (w < MIN_SIDE || h < MIN_SIDE || v->width_px < MIN_SIDE || v->height_px < MIN_SIDE)) {
        rc = gm_err_set(err, GM_E_INPUT_TOO_SMALL, 0, "the picture of %s is %ux%u", s->name,
                        v->width_px, v->height_px);
    }
    return rc;
}

static int check_duration(struct inspector *s, struct gm_err *err)
{
    uint64_t limit = s->max_duration_s * 1000000;
    int rc = 0;
    if (s->sure_us > 0 && (uint64_t)s->sure_us > limit) {
        rc = gm_err_set(err, GM_E_INPUT_TOO_LARGE, 0, "%s lasts %lld s: more than %llu s", s->name,
                        (long long)(s->sure_us / 1000000), (unsigned long long)s->max_duration_s);
    }
    return rc;
}

static int add_text(struct inspector *s, const AVStream *st, struct gm_err *err)
{
    Gm__TextFacts *t = malloc(sizeof *t);
    if (t == NULL) {
        return gm_err_nomem(err);
    }
    gm__text_facts__init(t);
    int rc = gm_facts_text(st, t, err);
    int appended = gm_pb_append(&s->facts->text, &s->facts->n_text, &t->base, err);
    return rc < 0 ? rc : appended;
}

static int add_streams(struct inspector *s, struct gm_err *err)
{
    const AVFormatContext *ctx = s->source.format;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ctx->nb_streams && i < s->max_streams; i++) {
        const AVStream *st = ctx->streams[i];
        if ((int)i == s->video || gm_facts_is_chapters(ctx, st)) {
            continue;
        }
        if (st->discard < AVDISCARD_ALL && is_usable_audio(st)) {
            Gm__AudioFacts *a = malloc(sizeof *a);
            if (a == NULL) {
                return gm_err_nomem(err);
            }
            gm__audio_facts__init(a);
            rc = gm_facts_audio(st, &s->scan, a, err);
            int appended = gm_pb_append(&s->facts->audio, &s->facts->n_audio, &a->base, err);
            rc = rc < 0 ? rc : appended;
            continue;
        }
        if (st->discard < AVDISCARD_ALL && gm_facts_is_text(st)) {
            rc = add_text(s, st, err);
            continue;
        }
        Gm__OtherStream *o = malloc(sizeof *o);
        if (o == NULL) {
            return gm_err_nomem(err);
        }
        gm__other_stream__init(o);
        o->stream_index = i;
        const char *type = av_get_media_type_string(st->codecpar->codec_type);
        rc = gm_pb_string(&o->type, type != NULL ? type : "unknown", err);
        if (rc == 0) {
            rc = gm_pb_string(&o->codec, avcodec_get_name(st->codecpar->codec_id), err);
        }
        if (rc == 0) {
            rc = gm_facts_language(st, &o->language, err);
        }
        int appended = gm_pb_append(&s->facts->dropped, &s->facts->n_dropped, &o->base, err);
        rc = rc < 0 ? rc : appended;
    }
    return rc;
}

static struct gm_scan_time earlier(struct gm_scan_time a, struct gm_scan_time b)
{
    if (a.tb.den == 0) {
        return b;
    }
    return b.tb.den != 0 && av_compare_ts(b.ts, b.tb, a.ts, a.tb) < 0 ? b : a;
}

/* 0 where it does not end after the start. */
static int64_t since(int64_t start, int64_t end)
{
    int64_t us = 0;
    return end > start && __builtin_sub_overflow(end, start, &us) ? INT64_MAX : us;
}

/* How long the programme is, which runs from start to end by the packets that were read. */
static void fill_duration(struct inspector *s, int64_t start, int64_t end)
{
    AVFormatContext *ctx = s->source.format;
    Gm__VideoFacts *v = s->facts->video;
    AVRational rate = v != NULL ? gm_av_rational(v->frame_rate) : (AVRational){0, 1};
    int64_t us = since(start, end);
    s->sure_us = us;
    if (!s->scan.complete) {
        struct gm_length length = {
            .told_us = ctx->duration,
            .span_us = us,
            .indexed_us = since(start, gm_length_indexed_us(ctx, s->size)),
            .head_us = s->scan.has_head ? since(start, s->scan.head_end_us) : 0,
            .head_bytes = s->scan.head_bytes,
            .begin_bytes = s->scan.begin_bytes,
            .size_bytes = s->size,
            .to_end = s->scan.to_end,
            .restarts = (ctx->iformat->flags & AVFMT_TS_DISCONT) != 0,
            .open = (ctx->flags & AVFMT_FLAG_IGNIDX) != 0,
        };
        us = gm_length_guess(&length, &s->sure_us);
        bool less = us > 0 && ctx->duration > us && ctx->duration - us > GM_CLAIMS_SLACK_US;
        if (v != NULL && less && rate.num > 0) {
            int64_t frames = gm_av_rescale(us, (AVRational){1, 1000000}, av_inv_q(rate));
            v->frames = v->frames > frames ? frames : v->frames; /* these were of the claim */
        }
    }
    s->facts->duration_us = us;
    if (v != NULL && (us <= 0 || s->scan.packets == NULL)) {
        int64_t rate_us = rate.num > 0 ? 1000000 * (int64_t)rate.den / rate.num : 40000;
        if (__builtin_mul_overflow(v->frames, rate_us, &s->facts->duration_us)) {
            s->facts->duration_us = INT64_MAX;
        }
        s->sure_us = s->facts->duration_us;
    }
}

/* Programme zero, and how long the programme is. */
static int fill_span(struct inspector *s, struct gm_err *err)
{
    const AVFormatContext *ctx = s->source.format;
    AVRational micro = {1, 1000000};
    const Gm__VideoFacts *v = s->facts->video;
    struct gm_scan_time zero = {0, {0, 0}};
    if (v != NULL) {
        zero = (struct gm_scan_time){v->start_ts, ctx->streams[s->video]->time_base};
    }
    int64_t end = s->scan.span.any ? s->scan.span.end_us : INT64_MIN;
    for (unsigned i = 0; i < ctx->nb_streams && i < GM_SCAN_STREAMS; i++) {
        if (ctx->streams[i]->discard >= AVDISCARD_ALL ||
            ctx->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE) {
            continue;
        }
        zero = earlier(zero, s->scan.first[i]);
    }
    zero.tb = zero.tb.den != 0 ? zero.tb : micro; /* sound without any time stamp */
    int64_t start = gm_av_rescale(zero.ts, zero.tb, micro);
    s->facts->lost_us = gm_claims_outside_us(s->source.format, s->size);
    if (s->scan.complete && end > start) {
        struct gm_claims_file file;
        int rc = gm_claims_header_read(s->file, ctx, s->size, &file, err);
        if (rc < 0) {
            return rc;
        }
        int64_t short_us = gm_claims_short_us(ctx, &file, start, &s->scan.span);
        bool counts = file.cut || gm_claims_all_read(ctx);
        s->facts->lost_us = gm_claims_lost_us(s->facts->lost_us, counts ? short_us : 0);
    }
    s->facts->gap_us = s->scan.gap_us;
    s->facts->read_whole = s->scan.complete;
    if (__builtin_add_overflow(s->facts->lost_us, s->scan.gap_us, &s->facts->lost_us)) {
        s->facts->lost_us = INT64_MAX;
    }
    fill_duration(s, start, end);
    Gm__Rational *z = malloc(sizeof *z);
    if (z == NULL) {
        return gm_err_nomem(err);
    }
    gm__rational__init(z);
    int64_t num;
    if (__builtin_mul_overflow(zero.ts, zero.tb.num, &num)) {
        num = 0;
    }
    int64_t divisor = av_gcd(num, zero.tb.den);
    z->num = divisor > 0 ? num / divisor : num;
    z->den = divisor > 0 ? zero.tb.den / divisor : zero.tb.den;
    s->facts->zero = z;
    return 0;
}

/* A source that is cut off, where the pipeline does not want what is left of it. */
static int check_whole(const struct inspector *s, struct gm_err *err)
{
    const Gm__Pipeline *p = s->io->spec->pipeline;
    for (size_t i = 0; s->facts->lost_us > 0 && p != NULL && i < p->n_tasks; i++) {
        if (p->tasks[i]->params_case == GM__PIPELINE_TASK__PARAMS_SPLIT &&
            strcmp(p->tasks[i]->split->damage, "fail") == 0) {
            return gm_err_set(err, GM_E_INPUT_TRUNCATED, 0, "%s %s %.3f s%s", s->name,
                              s->facts->gap_us > 0 ? "lacks" : "ends",
                              (double)s->facts->lost_us / 1e6,
                              s->facts->gap_us > 0 ? "" : " early");
        }
    }
    return 0;
}

static int fill_fingerprint(struct inspector *s, struct gm_err *err)
{
    struct gm_sha256 *h = gm_sha256_create();
    uint8_t *part = malloc(FINGERPRINT_PART);
    uint8_t digest[GM_SHA256_SIZE];
    int rc = 0;
    if (h == NULL || part == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    gm_sha256_update(h, &s->size, sizeof s->size);
    int64_t tail = s->size > FINGERPRINT_PART ? s->size - FINGERPRINT_PART : 0;
    for (int i = 0; i < 2; i++) {
        size_t got = 0;
        rc = gm_source_file_read(s->file, part, FINGERPRINT_PART, i == 0 ? 0 : (uint64_t)tail, &got,
                                 err);
        if (rc < 0) {
            goto out;
        }
        gm_sha256_update(h, part, got);
    }
    gm_sha256_update(h, s->scan.index_hash, sizeof s->scan.index_hash);
    gm_sha256_final(h, digest);
    rc = gm_pb_bytes(&s->facts->fingerprint, digest, sizeof digest, err);
out:
    gm_sha256_destroy(&h);
    free(part);
    return rc;
}

#define WARN(when, code, count, ...)                                                               \
    if (rc == 0 && (when)) {                                                                       \
        rc = gm_pb_warn(&f->warnings, &f->n_warnings, code, count, err, __VA_ARGS__);              \
    }

/* QuickTime's c608, which is neither text nor part of the pictures. */
static int64_t count_caption_tracks(const Gm__Inspection *f)
{
    int64_t count = 0;
    for (size_t i = 0; i < f->n_dropped; i++) {
        count += strcmp(f->dropped[i]->codec, avcodec_get_name(AV_CODEC_ID_EIA_608)) == 0;
    }
    return count;
}

static int add_colour_warnings(Gm__Inspection *f, struct gm_err *err)
{
    const Gm__VideoFacts *v = f->video;
    struct gm_colour said = gm_colour_of_facts(v), taken = gm_colour_of_source(v);
    bool guessed = said.primaries != taken.primaries || said.transfer != taken.transfer ||
                   said.matrix != taken.matrix;
    int rc = 0;
    WARN(strcmp(v->range, "pc") == 0 && taken.matrix != AVCOL_SPC_RGB, GM_W_SOURCE_FULL_RANGE, 1,
         "the source has full-range levels; outputs have limited range")
    WARN(
        guessed && taken.matrix != AVCOL_SPC_RGB, GM_W_SOURCE_COLOUR_GUESSED, 1,
        "the source does not say all of its colour: taken for primaries %s, transfer %s, matrix %s",
        av_color_primaries_name(taken.primaries), av_color_transfer_name(taken.transfer),
        av_color_space_name(taken.matrix))
    WARN(v->dolby_profile != 0, GM_W_SOURCE_DOLBY_VISION, 1,
         "the source has Dolby Vision metadata (profile %u), which is dropped: outputs are made "
         "from its base layer",
         v->dolby_profile)
    WARN(strcmp(v->hdr, "hdr10plus") == 0, GM_W_SOURCE_HDR10PLUS, 1,
         "the source has HDR10+ metadata, which is dropped: outputs are made from its HDR10 "
         "pictures")
    return rc;
}

/* Streams whose edit lists hold what is not followed. */
static int count_edited(const struct inspector *s, int64_t *out, struct gm_err *err)
{
    const AVFormatContext *ctx = s->source.format;
    int64_t count = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ctx->nb_streams; i++) {
        bool odd = false;
        if (ctx->streams[i]->discard < AVDISCARD_ALL) {
            rc = gm_window_is_edited(s->file, ctx, (int)i, &odd, err);
        }
        count += odd;
    }
    if (rc == 0) {
        *out = count;
    }
    return rc;
}

static int add_warnings(struct inspector *s, struct gm_err *err)
{
    Gm__Inspection *f = s->facts;
    const Gm__VideoFacts *v = f->video;
    const struct gm_scan *scan = &s->scan;
    int64_t damage =
        scan->decode_errors + scan->corrupt_frames + scan->corrupt_packets + scan->read_errors;
    char streams[GM_CLAIMS_TEXT];
    int64_t edited = 0;
    int rc = count_edited(s, &edited, err);
    WARN(edited > 0, GM_W_SOURCE_EDIT_LIST, edited,
         "the edit lists of %lld stream(s) pause, or change speed: that is not followed",
         (long long)edited)
    WARN(damage > 0, GM_W_SOURCE_DAMAGED, damage,
         "the source is damaged: %lld error(s) were seen while sampling it", (long long)damage)
    WARN(f->n_dropped > 0, GM_W_SOURCE_STREAMS_DROPPED, (int64_t)f->n_dropped,
         v != NULL ? "left out, as neither the chosen video, decodable sound nor subtitles: %zu "
                     "stream(s)"
                   : "left out, as neither decodable sound nor subtitles: %zu stream(s)",
         f->n_dropped)
    int64_t captions = count_caption_tracks(f);
    WARN(captions > 0, GM_W_SOURCE_CAPTION_TRACKS, captions,
         "closed captions in tracks of their own are left out: %lld", (long long)captions)
    WARN(!scan->complete, GM_W_SOURCE_DURATION_ESTIMATED, 1,
         "the source was read in parts: frames and duration are estimates")
    gm_claims_tell_streams(s->source.format, s->size, streams);
    WARN(
        f->gap_us > 0, GM_W_INPUT_TRUNCATED, 1,
        "%.3f s are missing inside the source: parts of the file can't be read as what they should "
        "be",
        (double)f->gap_us / 1e6)
    WARN(f->lost_us - f->gap_us >= 1000, GM_W_INPUT_TRUNCATED, 1,
         "the source ends %.3f s early: its index or header promises more than the file holds%s",
         (double)(f->lost_us - f->gap_us) / 1e6, streams)
    WARN(f->lost_us > f->gap_us && f->lost_us - f->gap_us < 1000, GM_W_INPUT_TRUNCATED, 1,
         "the source's last packet is cut off: its index promises more than the file holds")
    if (v == NULL) {
        return rc;
    }
    bool flagged =
        strcmp(v->field_order, "progressive") != 0 && strcmp(v->field_order, "unknown") != 0;
    WARN(v->interlaced, GM_W_SOURCE_INTERLACED, 1, "the source is interlaced, %s field first%s",
         v->top_first ? "top" : "bottom", flagged ? "" : ", though it does not say so")
    WARN(!v->interlaced && flagged, GM_W_SOURCE_PROGRESSIVE, 1,
         "the source says that it is interlaced (%s), but its pictures are progressive",
         v->field_order)
    rc = rc == 0 ? add_colour_warnings(f, err) : rc;
    WARN(v->alpha, GM_W_SOURCE_ALPHA, 1,
         "the source is transparent: outputs lay it on the pipeline's `background`")
    return rc;
}

static int gather_video(struct inspector *s, struct gm_err *err)
{
    Gm__Inspection *f = s->facts;
    const char *reason;
    f->video = malloc(sizeof *f->video);
    if (f->video == NULL) {
        return gm_err_nomem(err);
    }
    gm__video_facts__init(f->video);
    gm_scan_timeline(&s->scan, &f->timeline, &reason);
    int rc = gm_pb_string(&f->timeline_reason, reason, err);
    if (rc == 0) {
        rc = gm_facts_video(&s->scan, f->timeline, f->video, err);
    }
    return rc == 0 ? gm_facts_crop(s->file, s->source.format, f->video, err) : rc;
}

static int gather(struct inspector *s, struct gm_err *err)
{
    Gm__Inspection *f = malloc(sizeof *f);
    if (f == NULL) {
        return gm_err_nomem(err);
    }
    gm__inspection__init(f);
    s->facts = f;
    f->size_bytes = (uint64_t)s->size;
    f->by_reference = s->scan.in_place;
    int rc = gm_pb_string(&f->format, s->source.format->iformat->name, err);
    if (rc == 0 && !s->sound_alone) {
        rc = gather_video(s, err);
    }
    if (rc == 0) {
        rc = add_streams(s, err);
    }
    if (rc == 0) {
        rc = fill_span(s, err);
    }
    if (rc == 0 && s->scan.encrypted) {
        rc = gm_err_set(err, GM_E_INPUT_ENCRYPTED, 0, "%s is encrypted", s->name);
    }
    if (rc == 0 && !s->sound_alone) {
        rc = check_video(s, err);
    }
    if (rc == 0) {
        rc = check_duration(s, err);
    }
    if (rc == 0) {
        rc = check_whole(s, err);
    }
    if (rc == 0) {
        bool far = s->max_duration_s > INT64_MAX / 1000000;
        int64_t most_us = far ? INT64_MAX : (int64_t)s->max_duration_s * 1000000;
        rc = gm_facts_chapters(s->source.format, most_us, f, err);
    }
    if (rc == 0) {
        rc = fill_fingerprint(s, err);
    }
    return rc == 0 ? add_warnings(s, err) : rc;
}

int gm_task_inspect(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct inspector s = {.io = io, .name = io->spec->source_name};
    struct stat st;
    (void)out_chunk;
    read_params(&s);
    int rc = io->source(io->self, &s.file, err);
    if (rc < 0) {
        return rc;
    }
    if (fstat(s.file.fd, &st) < 0) {
        return gm_err_sys(err, errno, "fstat of the source");
    }
    s.size = st.st_size;
    rc = open_source(&s, err);
    if (rc == 0) {
        bool in_parts = s.file.in_parts;
        struct gm_scan_params params = {
            .format = s.source.format,
            .file = s.file,
            .video_stream = s.video,
            .file_size = s.size,
            .whole_bytes = in_parts ? 2 * GM_TAIL_ENDS : WHOLE_BYTES,
            .in_parts = in_parts,
            .max_pixels = (int64_t)s.max_pixels,
            .progress = report_progress,
            .arg = &s,
        };
        rc = s.sound_alone ? gm_scan_sound(&params, &s.scan, err)
                           : gm_scan_run(&params, &s.scan, err);
        int read = gm_source_check(&s.source, err); /* it tells why, if anything else failed */
        rc = read < 0 ? read : rc;
    }
    if (rc == 0) {
        rc = gather(&s, err);
    }
    if (rc == 0) {
        rc = io->finish(io->self, NULL, 0, &s.facts->base, NULL, 0, NULL, err);
    }
    gm_scan_fini(&s.scan);
    gm_source_close(&s.source);
    gm__inspection__free_unpacked(s.facts, NULL);
    return rc;
}
