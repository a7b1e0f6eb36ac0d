#include "media/source/losses.h"

#include <stdlib.h>
#include <string.h>

#define STREAMS 1024 /* libavformat stops at 1000 */
#define TRUSTED 8    /* packets in a row, after which blocks that are not given are missed */
#define PATIENCE 16  /* packets after a gap among which the earliest is: no codec reorders more */

int gm_losses_init(struct gm_losses *l, AVFormatContext *format, struct gm_source_file file,
                   int64_t file_size, struct gm_err *err)
{
    struct gm_losses out = {0};
    if (strcmp(format->iformat->name, "matroska,webm") == 0) {
        out.streams = calloc(STREAMS, sizeof *out.streams);
        if (out.streams == NULL) {
            return gm_err_nomem(err);
        }
        out.format = format;
        gm_ebml_init(&out.walk, file, file_size);
        for (int i = 0; i < GM_EBML_TRACKS; i++) {
            out.stream_of[i] = -1;
        }
    }
    *l = out;
    return 0;
}

void gm_losses_fini(struct gm_losses *l)
{
    free(l->streams);
    *l = (struct gm_losses){0};
}

static void settle(struct gm_loss *s)
{
    int64_t gap;
    if (s->waits > 0 && s->to > s->from && !__builtin_sub_overflow(s->to, s->from, &gap) &&
        gap > s->tick && __builtin_add_overflow(s->lost, gap, &s->lost)) {
        s->lost = INT64_MAX;
    }
    s->waits = 0;
}

static void note_block(struct gm_loss *s, int64_t pos)
{
    if (s->block_count == GM_LOSSES_BLOCKS) {
        s->block_count--;
        memmove(s->blocks, s->blocks + 1, s->block_count * sizeof s->blocks[0]);
    }
    s->blocks[s->block_count++] = pos;
}

/* Follows the file up to the packet's body. */
static int follow(struct gm_losses *l, const AVPacket *p, struct gm_err *err)
{
    for (;;) {
        struct gm_ebml_step step;
        int rc = gm_ebml_next(&l->walk, p->pos, &step, err);
        if (rc < 0 || step.event == GM_EBML_END) {
            return rc;
        }
        if (step.event == GM_EBML_DAMAGE) {
            l->places[l->place_count++ % GM_LOSSES_PLACES] = step.pos;
            continue;
        }
        int *stream = step.track >= 0 ? &l->stream_of[step.track] : NULL;
        if (step.pos == p->pos && stream != NULL) {
            *stream = p->stream_index;
        }
        if (stream != NULL && *stream >= 0) {
            note_block(&l->streams[*stream], step.pos);
        }
    }
}

static bool is_damaged(const struct gm_losses *l, int64_t from, int64_t to)
{
    bool damaged = false;
    for (uint64_t i = 0; i < l->place_count && i < GM_LOSSES_PLACES; i++) {
        damaged = damaged || (l->places[i] > from && l->places[i] < to);
    }
    return damaged;
}

/* Whether the file has something between the stream's last packet and this one. A stream whose
 * packets are put together from blocks (libavformat's parsers) says nothing by blocks. */
static bool is_torn(const struct gm_losses *l, struct gm_loss *s, int64_t pos)
{
    size_t before = 0;
    while (before < s->block_count && s->blocks[before] < pos) {
        before++;
    }
    bool here = before < s->block_count && s->blocks[before] == pos;
    bool torn = is_damaged(l, s->any ? s->given : 0, pos) || (before > 0 && s->exact >= TRUSTED);
    s->exact = here && before == 0 ? s->exact + 1 : here && s->exact >= TRUSTED ? TRUSTED : 0;
    s->block_count -= before + here;
    memmove(s->blocks, s->blocks + before + here, s->block_count * sizeof s->blocks[0]);
    return torn;
}

int gm_losses_packet(struct gm_losses *l, const AVPacket *p, struct gm_err *err)
{
    int64_t ts = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts, end;
    if (l->format == NULL || p->pos < 0 || p->stream_index < 0 || p->stream_index >= STREAMS ||
        ts == AV_NOPTS_VALUE) {
        return 0;
    }
    struct gm_loss *s = &l->streams[p->stream_index];
    int64_t duration = p->duration > 0 ? p->duration : 0;
    if (!s->any || p->pos != s->given) { /* else one of several of a block */
        int rc = follow(l, p, err);
        if (rc < 0) {
            return rc;
        }
        if (is_torn(l, s, p->pos)) {
            settle(s);
            s->waits = PATIENCE;
            s->from = s->any ? s->end : 0; /* the file's own zero */
            s->to = INT64_MAX;
            s->tick = duration / 2 + 2; /* times are rounded to the tick */
        }
    }
    s->to = ts < s->to ? ts : s->to;
    if (s->waits == 1) {
        settle(s);
    }
    s->waits -= s->waits > 0;
    if (__builtin_add_overflow(ts, duration, &end)) {
        end = ts;
    }
    s->end = !s->any || end > s->end ? end : s->end;
    s->any = true;
    s->given = p->pos;
    return 0;
}

static bool is_media(const AVStream *st)
{
    enum AVMediaType type = st->codecpar->codec_type;
    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
}

int64_t gm_losses_us(struct gm_losses *l)
{
    int64_t most = 0;
    for (unsigned i = 0; l->format != NULL && i < l->format->nb_streams && i < STREAMS; i++) {
        if (!is_media(l->format->streams[i])) { /* subtitles are gaps for the most part */
            continue;
        }
        settle(&l->streams[i]);
        int64_t us = gm_av_rescale(l->streams[i].lost, l->format->streams[i]->time_base,
                                   (AVRational){1, 1000000});
        most = us > most ? us : most;
    }
    return most;
}
