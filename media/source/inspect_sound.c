#include "media/source/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "media/source/losses.h"
#include "media/source/steady.h"
#include "media/source/tail.h"

/* The packet scan of a source whose sound alone is wanted: whole when the file is small, else its
 * head and its last seconds. See inspect_scan.c for the one with pictures. */
#define HEAD_PACKETS 4000
#define BEGIN_BYTES (6 << 20) /* of a source in parts the head ends here at latest */
#define TAIL_S 20
#define TAIL_PACKETS 20000
#define MAX_ERRORS 1000 /* read errors in a row after which the source counts as cut off */

struct sound_scanner {
    struct gm_scan *scan;
    const struct gm_scan_params *params;
    AVPacket *packet;        /* owned */
    struct gm_sha256 *index; /* owned */
    struct gm_steady steady;
    struct gm_losses losses; /* of a source that is read whole */
    uint64_t read;
    bool at_end;
};

/* Packets of wanted streams, at most `most` and up to where in the file `end` is; read errors are
 * counted. */
static int read_packets(struct sound_scanner *s, uint64_t most, int64_t end, struct gm_err *err)
{
    AVFormatContext *ctx = s->scan->format;
    int errors = 0;
    int64_t pos = 0;
    s->at_end = false;
    for (uint64_t n = 0; n < most && pos < end && !s->at_end;) {
        int av = gm_source_read(ctx, s->packet);
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (av < 0) {
            s->scan->read_errors += av != AVERROR_EOF;
            s->at_end = av == AVERROR_EOF || av == AVERROR_EXIT || ++errors >= MAX_ERRORS;
            s->scan->to_end = s->scan->to_end || av == AVERROR_EOF;
            continue;
        }
        const AVPacket *p = s->packet;
        errors = 0;
        pos = p->pos;
        int rc = gm_losses_packet(&s->losses, p, err);
        if (rc < 0) {
            return rc;
        }
        gm_steady_packet(&s->steady, ctx->streams[p->stream_index], s->packet);
        if (ctx->streams[p->stream_index]->discard < AVDISCARD_ALL) {
            gm_scan_hash_packet(s->scan, s->index, p);
            gm_scan_note_time(s->scan, p);
            s->scan->corrupt_packets += (p->flags & AV_PKT_FLAG_CORRUPT) != 0;
            s->scan->encrypted =
                s->scan->encrypted ||
                av_packet_get_side_data(p, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL;
            n++;
        }
        if (s->params->progress != NULL && (++s->read & 63) == 0) {
            s->params->progress(s->params->arg, s->read);
        }
        av_packet_unref(s->packet);
    }
    return 0;
}

/* False: it can't. */
static bool seek_end(const struct sound_scanner *s)
{
    AVFormatContext *ctx = s->scan->format;
    if (s->params->in_parts) {
        return gm_tail_seek(ctx, -1, s->params->file_size);
    }
    int64_t start = ctx->start_time != AV_NOPTS_VALUE ? ctx->start_time : 0;
    int64_t back = ctx->duration > TAIL_S * (int64_t)AV_TIME_BASE
                       ? ctx->duration - TAIL_S * (int64_t)AV_TIME_BASE
                       : 0;
    int64_t tail;
    return !__builtin_add_overflow(start, back, &tail) &&
           av_seek_frame(ctx, -1, tail, AVSEEK_FLAG_BACKWARD) >= 0;
}

static int scan_all(struct sound_scanner *s, struct gm_err *err)
{
    AVFormatContext *ctx = s->scan->format;
    bool whole = s->params->file_size <= s->params->whole_bytes;
    int rc =
        whole ? gm_losses_init(&s->losses, ctx, s->params->file, s->params->file_size, err) : 0;
    if (rc == 0) {
        rc = read_packets(s, whole ? UINT64_MAX : HEAD_PACKETS,
                          !whole && s->params->in_parts ? BEGIN_BYTES : INT64_MAX, err);
    }
    s->scan->complete = s->at_end;
    gm_scan_note_head(s->scan);
    if (rc < 0 || s->at_end || (ctx->duration <= 0 && !s->params->in_parts)) {
        return rc;
    }
    if (!seek_end(s)) {
        return 0; /* that part is left out */
    }
    gm_steady_seek(&s->steady);
    return read_packets(s, TAIL_PACKETS, INT64_MAX, err);
}

int gm_scan_sound(const struct gm_scan_params *params, struct gm_scan *out, struct gm_err *err)
{
    struct gm_scan scan = {
        .format = params->format,
        .video = -1,
        .in_place = strncmp(params->format->iformat->name, "mov,", 4) == 0,
        .picture.first_ts = AV_NOPTS_VALUE,
        .decoder_rate = {0, 1},
    };
    struct sound_scanner s = {.scan = &scan, .params = params};
    int rc = 0;
    s.packet = av_packet_alloc();
    s.index = gm_sha256_create();
    scan.first = calloc(GM_SCAN_STREAMS, sizeof *scan.first);
    if (s.packet == NULL || s.index == NULL || scan.first == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    rc = gm_steady_init(&s.steady, params->format, err);
    if (rc < 0) {
        goto out;
    }
    rc = scan_all(&s, err);
    gm_sha256_final(s.index, scan.index_hash);
    scan.gap_us = gm_losses_us(&s.losses);
    if (rc == 0) {
        *out = scan;
        scan = (struct gm_scan){0};
    }
out:
    gm_scan_fini(&scan);
    gm_steady_fini(&s.steady);
    gm_losses_fini(&s.losses);
    gm_sha256_destroy(&s.index);
    av_packet_free(&s.packet);
    return rc;
}
