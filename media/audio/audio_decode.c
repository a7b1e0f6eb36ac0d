/* See audio_decode.h. */
#include "media/audio/audio_decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "media/av.h"
#include "media/chunk_packet.h"
#include "proto/chunk.h"

enum amr { AMR_NONE, AMR_NARROW, AMR_WIDE };

struct gm_audio_decode {
    struct gm_task_io *io; /* borrowed */
    gm_audio_frame_fn fn;
    void *arg;
    struct gm_chunk_reader *reader; /* owned */
    AVCodecContext *ctx;            /* owned; NULL until the first chunk */
    enum amr amr;                   /* of the decoder */
    AVRational time_base;
    uint8_t *par; /* owned: encoded parameters that ctx was opened with */
    size_t par_size;
    uint8_t *header_par; /* owned: those of the latest header */
    size_t header_par_size;
    AVPacket *packet;             /* owned */
    AVFrame *frame;               /* owned */
    struct gm_source_file source; /* fd -1 until a packet needs it */
    int64_t errors;
};

int gm_audio_decode_create(struct gm_task_io *io, gm_audio_frame_fn fn, void *arg,
                           struct gm_audio_decode **out, struct gm_err *err)
{
    struct gm_audio_decode *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return gm_err_nomem(err);
    }
    d->io = io;
    d->fn = fn;
    d->arg = arg;
    d->source.fd = -1;
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (d->packet == NULL || d->frame == NULL) {
        gm_audio_decode_destroy(&d);
        return gm_err_nomem(err);
    }
    *out = d;
    return 0;
}

void gm_audio_decode_destroy(struct gm_audio_decode **d)
{
    if (*d == NULL) {
        return;
    }
    gm_chunk_reader_close(&(*d)->reader);
    avcodec_free_context(&(*d)->ctx);
    av_packet_free(&(*d)->packet);
    av_frame_free(&(*d)->frame);
    free((*d)->par);
    free((*d)->header_par);
    free(*d);
    *d = NULL;
}

int64_t gm_audio_decode_errors(const struct gm_audio_decode *d)
{
    return d->errors;
}

/* Hands on all frames that are ready. */
static int receive(struct gm_audio_decode *d, struct gm_err *err)
{
    for (;;) {
        int got = avcodec_receive_frame(d->ctx, d->frame);
        if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) {
            return 0;
        }
        if (got == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (got < 0) {
            d->errors++;
            return 0;
        }
        int rc = d->fn(d->frame, d->arg, err);
        av_frame_unref(d->frame);
        if (rc < 0) {
            return rc;
        }
    }
}

static int drain(struct gm_audio_decode *d, struct gm_err *err)
{
    if (d->ctx == NULL) {
        return 0;
    }
    int sent = avcodec_send_packet(d->ctx, NULL);
    if (sent < 0 && sent != AVERROR_EOF) {
        d->errors++;
        return 0;
    }
    return receive(d, err);
}

static int keep(uint8_t **held, size_t *held_size, const void *data, size_t size,
                struct gm_err *err)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    free(*held);
    *held = copy;
    *held_size = size;
    return 0;
}

static int open_decoder(struct gm_audio_decode *d, const uint8_t *par, size_t size,
                        struct gm_err *err)
{
    AVCodecParameters *decoded = NULL;
    AVCodecContext *ctx = NULL;
    int rc = gm_codecpar_decode(par, size, &decoded, err);
    if (rc == 0 && decoded->codec_type != AVMEDIA_TYPE_AUDIO) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a sound chunk of another kind of stream");
    }
    if (rc == 0) {
        rc = gm_decoder_open(decoded, d->time_base, &ctx, err);
    }
    enum amr amr = rc < 0                                    ? AMR_NONE
                   : decoded->codec_id == AV_CODEC_ID_AMR_NB ? AMR_NARROW
                   : decoded->codec_id == AV_CODEC_ID_AMR_WB ? AMR_WIDE
                                                             : AMR_NONE;
    avcodec_parameters_free(&decoded);
    if (rc < 0 || (rc = drain(d, err)) < 0 ||
        (rc = keep(&d->par, &d->par_size, par, size, err)) < 0) {
        avcodec_free_context(&ctx);
        return rc;
    }
    avcodec_free_context(&d->ctx);
    d->ctx = ctx;
    d->amr = amr;
    return 0;
}

static bool same(const uint8_t *held, size_t held_size, const uint8_t *data, size_t size)
{
    return held != NULL && held_size == size && memcmp(held, data, size) == 0;
}

int gm_audio_decode_open(struct gm_audio_decode *d, int fd, const Gm__ChunkHeader **out_header,
                         struct gm_err *err)
{
    gm_chunk_reader_close(&d->reader);
    int rc = gm_chunk_reader_open(fd, &d->reader, err);
    if (rc < 0) {
        return rc;
    }
    const Gm__ChunkHeader *h = gm_chunk_reader_header(d->reader);
    AVRational tb = gm_av_rational(h->time_base);
    if (tb.num <= 0 || tb.den <= 0 ||
        (d->ctx != NULL && (tb.num != d->time_base.num || tb.den != d->time_base.den))) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "a sound chunk with time base %d/%d", tb.num,
                          tb.den);
    }
    d->time_base = tb;
    const uint8_t *par = h->codecpar.data;
    size_t size = h->codecpar.len;
    /* A header may repeat the stream's first parameters after a change record: only parameters
     * that are news are a change. */
    if (!same(d->header_par, d->header_par_size, par, size)) {
        if (!same(d->par, d->par_size, par, size) && (rc = open_decoder(d, par, size, err)) < 0) {
            return rc;
        }
        rc = keep(&d->header_par, &d->header_par_size, par, size, err);
    }
    if (rc == 0) {
        *out_header = h;
    }
    return rc;
}

static int fill_packet(struct gm_audio_decode *d, const struct gm_chunk_packet *from,
                       struct gm_err *err)
{
    AVPacket *to = d->packet;
    int rc = 0;
    if (from->by_reference && d->source.fd < 0) {
        rc = d->io->source(d->io->self, &d->source, err);
    }
    if (rc == 0) {
        rc = gm_chunk_packet_fill(from, d->source, to, err);
    }
    if (rc < 0) {
        return rc;
    }
    to->pts = from->pts == GM_CHUNK_NO_TS ? AV_NOPTS_VALUE : from->pts;
    to->dts = from->dts == GM_CHUNK_NO_TS ? AV_NOPTS_VALUE : from->dts;
    to->duration = from->duration;
    to->time_base = d->time_base;
    return 0;
}

static int send(struct gm_audio_decode *d, struct gm_err *err)
{
    int sent = avcodec_send_packet(d->ctx, d->packet);
    if (sent == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    d->errors += sent < 0;
    return receive(d, err);
}

/* A packet of AMR holds one frame of 20 ms or several, and libavcodec's decoder hears the first
 * alone. Sizes by frame type: RFC 4867 5.3, 3GPP TS 26.101 and 26.201. */
static int decode_amr(struct gm_audio_decode *d, struct gm_err *err)
{
    static const uint8_t narrow[16] = {13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1};
    static const uint8_t wide[16] = {18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1};
    const uint8_t *sizes = d->amr == AMR_NARROW ? narrow : wide;
    AVPacket *p = d->packet;
    int64_t step = gm_av_rescale(20, (AVRational){1, 1000}, d->time_base);
    int left = p->size, rc = 0;
    while (rc == 0 && left > 0) {
        int size = sizes[p->data[0] >> 3 & 15];
        if (size > left) {
            d->errors++;
            break;
        }
        p->size = size;
        rc = send(d, err);
        p->data += size;
        left -= size;
        p->pts = p->pts != AV_NOPTS_VALUE ? p->pts + step : p->pts;
        p->dts = p->dts != AV_NOPTS_VALUE ? p->dts + step : p->dts;
    }
    av_packet_unref(p);
    return rc;
}

static int decode_packet(struct gm_audio_decode *d, const struct gm_chunk_packet *packet,
                         struct gm_err *err)
{
    if (packet->size == 0) {
        return 0; /* libavcodec would take it for the end of the stream */
    }
    int rc = fill_packet(d, packet, err);
    if (rc < 0) {
        return rc;
    }
    return d->amr != AMR_NONE ? decode_amr(d, err) : send(d, err);
}

int gm_audio_decode_run(struct gm_audio_decode *d, struct gm_err *err)
{
    for (;;) {
        enum gm_chunk_record record = GM_CHUNK_END;
        struct gm_chunk_packet packet;
        const uint8_t *change = NULL;
        size_t change_size = 0;
        int rc = gm_chunk_read(d->reader, &record, &packet, &change, &change_size, err);
        if (rc < 0 || record == GM_CHUNK_END) {
            return rc;
        }
        rc = record == GM_CHUNK_CHANGE ? open_decoder(d, change, change_size, err)
                                       : decode_packet(d, &packet, err);
        if (rc < 0) {
            return rc;
        }
    }
}

int gm_audio_decode_end(struct gm_audio_decode *d, struct gm_err *err)
{
    return drain(d, err);
}
