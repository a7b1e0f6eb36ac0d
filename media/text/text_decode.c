/* See text_decode.h. Every kind of text goes through libavcodec's decoder, which makes ASS events
 * of it; the times are the packet's own. */
#include "media/text/text_decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "media/chunk_packet.h"
#include "media/text/text_markup.h"
#include "media/timeline.h"
#include "proto/chunk.h"

struct gm_text_decode {
    struct gm_task_io *io;          /* borrowed */
    struct gm_cues *cues;           /* borrowed */
    struct gm_timeline at;          /* from the source's times to milliseconds of the programme */
    struct gm_chunk_reader *reader; /* owned */
    AVCodecContext *ctx;            /* owned */
    struct gm_text_styles styles;   /* owned */
    AVPacket *packet;               /* owned */
    struct gm_buf text;             /* owned */
    struct gm_source_file source;   /* fd -1 until a packet needs it */
    struct gm_text_counts counts;
};

bool gm_text_is_text(enum AVCodecID id)
{
    return id == AV_CODEC_ID_SUBRIP || id == AV_CODEC_ID_ASS || id == AV_CODEC_ID_SSA ||
           id == AV_CODEC_ID_MOV_TEXT || id == AV_CODEC_ID_WEBVTT || id == AV_CODEC_ID_TEXT;
}

bool gm_text_is_bitmap(enum AVCodecID id)
{
    return id == AV_CODEC_ID_HDMV_PGS_SUBTITLE || id == AV_CODEC_ID_DVD_SUBTITLE ||
           id == AV_CODEC_ID_DVB_SUBTITLE || id == AV_CODEC_ID_XSUB;
}

int gm_text_decode_create(struct gm_task_io *io, const Gm__Rational *zero, struct gm_cues *cues,
                          struct gm_text_decode **out, struct gm_err *err)
{
    struct gm_text_decode *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return gm_err_nomem(err);
    }
    Gm__Policy milli = GM__POLICY__INIT;
    milli.timescale = 1000;
    d->io = io;
    d->cues = cues;
    d->source.fd = -1;
    gm_timeline_init(&d->at, &milli, (AVRational){0, 1}, zero);
    d->packet = av_packet_alloc();
    if (d->packet == NULL) {
        gm_text_decode_destroy(&d);
        return gm_err_nomem(err);
    }
    *out = d;
    return 0;
}

void gm_text_decode_destroy(struct gm_text_decode **d)
{
    if (*d == NULL) {
        return;
    }
    gm_chunk_reader_close(&(*d)->reader);
    avcodec_free_context(&(*d)->ctx);
    gm_text_styles_fini(&(*d)->styles);
    av_packet_free(&(*d)->packet);
    gm_buf_fini(&(*d)->text);
    free(*d);
    *d = NULL;
}

struct gm_text_counts gm_text_decode_counts(const struct gm_text_decode *d)
{
    return d->counts;
}

static int open_decoder(struct gm_text_decode *d, const uint8_t *par, size_t size,
                        struct gm_err *err)
{
    AVCodecParameters *decoded = NULL;
    AVCodecContext *ctx = NULL;
    struct gm_text_styles styles = {0};
    int rc = gm_codecpar_decode(par, size, &decoded, err);
    if (rc == 0 && !gm_text_is_text(decoded->codec_id)) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a text chunk of another kind of stream");
    }
    if (rc == 0) {
        rc = gm_decoder_open(decoded, d->at.time_base, &ctx, err);
    }
    if (rc == 0) {
        /* what is no UTF-8 is replaced afterwards, instead of losing the packet */
        ctx->sub_charenc_mode = FF_SUB_CHARENC_MODE_IGNORE;
        rc = gm_text_styles_read((const char *)ctx->subtitle_header,
                                 ctx->subtitle_header != NULL && ctx->subtitle_header_size > 0
                                     ? (size_t)ctx->subtitle_header_size
                                     : 0,
                                 &styles, err);
    }
    avcodec_parameters_free(&decoded);
    if (rc < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    avcodec_free_context(&d->ctx);
    gm_text_styles_fini(&d->styles);
    d->ctx = ctx;
    d->styles = styles;
    return 0;
}

static bool is_utf8(const char *text)
{
    while (*text != '\0') {
        size_t n = gm_utf8_length(text);
        if (n == 0) {
            return false;
        }
        text += n;
    }
    return true;
}

static int take_event(struct gm_text_decode *d, const char *event, int64_t start_ms, int64_t end_ms,
                      struct gm_err *err)
{
    char settings[GM_CUES_SETTINGS], own[GM_CUES_SETTINGS];
    bool cut = false;
    d->text.size = 0;
    gm_text_from_event(&d->styles, event, &d->text, settings, &cut);
    int rc = gm_buf_check(&d->text, err);
    if (rc < 0 || d->text.size == 0) {
        return rc;
    }
    size_t size = 0;
    const uint8_t *given = av_packet_get_side_data(d->packet, AV_PKT_DATA_WEBVTT_SETTINGS, &size);
    if (given != NULL && size > 0) {
        gm_text_settings(given, size, own);
        if (own[0] != '\0') {
            memcpy(settings, own, sizeof settings);
        }
    }
    d->counts.cut += cut;
    d->counts.encoding += !is_utf8(event);
    return gm_cues_add(d->cues, start_ms, end_ms, (const char *)d->text.data, settings, err);
}

static int decode_packet(struct gm_text_decode *d, struct gm_err *err)
{
    AVPacket *p = d->packet;
    AVSubtitle sub = {0};
    int got = 0;
    int rc = 0;
    int64_t start = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    int64_t end = 0;
    if (start == AV_NOPTS_VALUE || (uint32_t)p->size > GM_TEXT_MAX_PACKET) {
        d->counts.errors++;
        return 0;
    }
    bool has_end = p->duration > 0 && !__builtin_add_overflow(start, p->duration, &end);
    int64_t start_ms = gm_timeline_out(&d->at, start);
    int64_t end_ms = has_end ? gm_timeline_out(&d->at, end) : GM_CUES_NO_END;
    int av = avcodec_decode_subtitle2(d->ctx, &sub, &got, p);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    d->counts.errors += av < 0;
    for (unsigned i = 0; rc == 0 && av >= 0 && got && i < sub.num_rects; i++) {
        if (sub.rects[i]->type == SUBTITLE_ASS && sub.rects[i]->ass != NULL) {
            rc = take_event(d, sub.rects[i]->ass, start_ms, end_ms, err);
        }
    }
    avsubtitle_free(&sub);
    return rc;
}

static int take_packet(struct gm_text_decode *d, const struct gm_chunk_packet *from,
                       struct gm_err *err)
{
    int rc = 0;
    if (from->size == 0) {
        return 0;
    }
    if (from->by_reference && d->source.fd < 0) {
        rc = d->io->source(d->io->self, &d->source, err);
    }
    if (rc == 0) {
        rc = gm_chunk_packet_fill(from, d->source, d->packet, err);
    }
    if (rc < 0) {
        return rc;
    }
    d->packet->pts = from->pts == GM_CHUNK_NO_TS ? AV_NOPTS_VALUE : from->pts;
    d->packet->dts = from->dts == GM_CHUNK_NO_TS ? AV_NOPTS_VALUE : from->dts;
    d->packet->duration = from->duration;
    return decode_packet(d, err);
}

int gm_text_decode_chunk(struct gm_text_decode *d, int fd, const Gm__ChunkHeader **out_header,
                         struct gm_err *err)
{
    gm_chunk_reader_close(&d->reader);
    int rc = gm_chunk_reader_open(fd, &d->reader, err);
    if (rc < 0) {
        return rc;
    }
    const Gm__ChunkHeader *h = gm_chunk_reader_header(d->reader);
    AVRational tb = gm_av_rational(h->time_base);
    if (tb.num <= 0 || tb.den <= 0) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a text chunk with time base %d/%d", tb.num,
                          tb.den);
    }
    d->at.time_base = tb;
    rc = open_decoder(d, h->codecpar.data, h->codecpar.len, err);
    while (rc == 0) {
        enum gm_chunk_record record = GM_CHUNK_END;
        struct gm_chunk_packet packet;
        const uint8_t *change = NULL;
        size_t change_size = 0;
        rc = gm_chunk_read(d->reader, &record, &packet, &change, &change_size, err);
        if (rc < 0 || record == GM_CHUNK_END) {
            break;
        }
        rc = record == GM_CHUNK_CHANGE ? open_decoder(d, change, change_size, err)
                                       : take_packet(d, &packet, err);
    }
    if (rc == 0) {
        *out_header = h;
    }
    return rc;
}
