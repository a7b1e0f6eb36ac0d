#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "media/chunk_times.h"
#include "media/format/nal.h"
#include "media/pb.h"
#include "media/picture/burn_read.h"
#include "media/results.h"
#include "media/source/length.h"
#include "media/source/losses.h"
#include "media/source/split_chunk.h"
#include "media/source/split_meta.h"
#include "media/source/split_start.h"
#include "media/source/steady.h"
#include "media/task_io.h"
#include "media/text/text_decode.h"
#include "proto/streams.h"
#include "proto/ticks.h"

/* The split task: reads the source once, from its first packet to its last, and cuts it into chunks
 * while it goes.
 *
 *   packets -> store (what may still be written)
 *           -> frames (output order and times) -> timeline (grid) -> chunk under collection
 *
 * A frame that begins a new chunk closes the one before, whose context after it is
 * (media/decode/frames.h); the frame before it is the new chunk's context. The closed chunk is
 * written and announced, then each sound track gets a chunk of what was read of it, with the video
 * borders that became known. Where the inspection names no video, sound is cut by its own time
 * (split_tracks.h). Streams: proto/streams.h. Only the end of the file ends the reading well; a
 * source that can't be read on but gave frames is cut off there, with a warning.
 */
#define MAX_ERRORS 1000 /* read errors in a row */

static int add_border(struct gm_splitter *s, int64_t ts, struct gm_err *err)
{
    int rc = gm_split_tracks_border(&s->tracks, ts, err);
    return rc == 0 ? gm_split_text_border(&s->text, ts, err) : rc;
}

/* Lists of pointers, as protobuf-c wants them. */
static int fill_lists(struct gm_split_chunk *c, Gm__ChunkHeader *h, struct gm_err *err)
{
    h->frames = calloc(c->frame_count + 1, sizeof(Gm__FrameEntry *));
    h->segments = calloc(c->segment_count + 1, sizeof(Gm__SegmentEntry *));
    h->before = calloc(GM_SPLIT_CONTEXT, sizeof(Gm__FrameEntry *));
    h->after = calloc(GM_SPLIT_CONTEXT, sizeof(Gm__FrameEntry *));
    if (h->frames == NULL || h->segments == NULL || h->before == NULL || h->after == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < c->before_count; i++) {
        h->before[h->n_before++] = &c->before[i];
    }
    for (size_t i = 0; i < c->after_count; i++) {
        h->after[h->n_after++] = &c->after[i];
    }
    for (size_t i = 0; i < c->frame_count; i++) {
        h->frames[i] = &c->frames[i];
    }
    for (size_t i = 0; i < c->segment_count; i++) {
        h->segments[i] = &c->segments[i];
    }
    h->n_frames = c->frame_count;
    h->n_segments = c->segment_count;
    return 0;
}

/* The packets that the chunk's frames need: [*out_from, *out_to]. */
static int packet_range(struct gm_splitter *s, uint64_t *out_from, uint64_t *out_to,
                        struct gm_err *err)
{
    const struct gm_split_chunk *c = &s->chunk;
    uint64_t newest = s->video.next_id - 1;
    bool pairs = strcmp(s->facts->video->field_order, "progressive") != 0;
    uint64_t to = c->max_id + (pairs || s->decode ? 2 : 0); /* the second field's packet */
    *out_to = to < newest ? to : newest;
    *out_from = gm_split_store_first(&s->video);
    return c->index == 0
               ? 0
               : gm_split_start_clean(&s->video, c->min_id, c->first_ordinal, out_from, err);
}

static int write_video(struct gm_splitter *s, bool last, int64_t end_ts, struct gm_err *err)
{
    struct gm_split_chunk *c = &s->chunk;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
    uint8_t times[GM_SHA256_SIZE];
    int rc = fill_lists(c, &header, err);
    header.index = c->index;
    header.last = last;
    header.end_ts = end_ts;
    if (rc == 0) {
        rc = gm_chunk_times(&header, times, err);
    }
    if (rc < 0) {
        goto out;
    }
    meta.frames = (uint32_t)c->frame_count;
    meta.times_sha256 = (ProtobufCBinaryData){sizeof times, times};
    struct gm_split_write w = {
        .io = s->io,
        .store = &s->video,
        .stream = GM_STREAM_VIDEO,
        .codec = s->facts->video->codec,
        .header = &header,
        .meta = &meta.base,
    };
    int64_t first_ts = c->frame_count > 0 ? c->frames[0].out_ts : 0;
    rc = gm_burn_read_chunk(s->burn, first_ts, end_ts, &header, err);
    if (rc == 0) {
        rc = packet_range(s, &w.from, &w.to, err);
    }
    if (rc < 0) {
        goto out;
    }
    meta.preroll_frames = (uint32_t)(c->min_id > w.from ? c->min_id - w.from : 0);
    if (s->produced >= s->skip) {
        rc = gm_split_write_chunk(&w, err);
    }
    s->produced++;
    gm_burn_read_forget(s->burn, end_ts);
out:
    free(header.frames);
    free(header.segments);
    free(header.before);
    free(header.after);
    return rc;
}

/* The chunk is complete: later frames begin another, or there are none. */
static int close_chunk(struct gm_splitter *s, bool last, int64_t end_ts, struct gm_err *err)
{
    int rc = write_video(s, last, end_ts, err);
    return rc == 0 ? gm_split_tracks_write(&s->tracks, last, end_ts, err) : rc;
}

/* Forgets packets that neither the frame whose decoding begins at `start` nor one after it needs:
 * later frames of the chunk may come from packets shortly before, so one more keyframe is kept. */
static void forget(struct gm_splitter *s, uint64_t start, int64_t ordinal)
{
    if (start > gm_split_store_first(&s->video)) {
        gm_split_store_drop(&s->video, gm_split_start(&s->video, start - 1, ordinal));
    }
}

static void note_recent(struct gm_splitter *s, const Gm__FrameEntry *entry)
{
    if (s->recent_count == GM_SPLIT_CONTEXT) {
        memmove(s->recent, s->recent + 1, (GM_SPLIT_CONTEXT - 1) * sizeof s->recent[0]);
        s->recent_count--;
    }
    s->recent[s->recent_count++] = *entry;
}

/* How many of the recent frames are a new chunk's context: the last one. One packet may show
 * several frames; these come together, since a decoder's first picture of a packet stands for the
 * first that is listed. */
static size_t context_before(const struct gm_splitter *s)
{
    size_t n = s->recent_count;
    size_t count = n > 0 && s->policy->context_frames > 0;
    while (count > 0 && count < n &&
           s->recent[n - count - 1].packet_id == s->recent[n - 1].packet_id) {
        count++;
    }
    return count;
}

/* The frame begins a segment: a chunk too? Then the one before is closed. */
static int change_chunk(struct gm_splitter *s, const struct gm_split_frame *frame,
                        const Gm__FrameEntry *entry, struct gm_err *err)
{
    size_t context = context_before(s);
    const Gm__FrameEntry *before = &s->recent[s->recent_count - context];
    int64_t ordinal = (int64_t)s->timeline.frames - 1;
    uint64_t least = frame->id;
    for (size_t i = 0; i < context; i++) {
        least = before[i].packet_id < least ? before[i].packet_id : least;
    }
    uint64_t start;
    int rc = gm_split_start_clean(&s->video, least, ordinal - (int64_t)context, &start, err);
    if (rc < 0 || !gm_timeline_cut(&s->timeline, frame->id - start)) {
        return rc;
    }
    if (context > 0) {
        gm_split_chunk_after(&s->chunk, entry, frame->until);
    }
    rc = close_chunk(s, false, entry->out_ts, err);
    forget(s, start, ordinal - (int64_t)context);
    gm_split_chunk_reset(&s->chunk, s->timeline.chunk);
    for (size_t i = 0; i < context; i++) {
        gm_split_chunk_before(&s->chunk, &before[i], ordinal - (int64_t)(context - i));
    }
    return rc;
}

static int too_long(const struct gm_splitter *s, struct gm_err *err)
{
    return gm_err_set(err, GM_E_INPUT_TOO_LARGE, 0, "%s lasts more than %llu s",
                      s->io->spec->source_name, (unsigned long long)gm_length_limit_s(s->io->spec));
}

static int take_frame(void *arg, const struct gm_split_frame *frame, struct gm_err *err)
{
    struct gm_splitter *s = arg;
    struct gm_timeline_frame at;
    int64_t ordinal = (int64_t)s->timeline.frames;
    gm_timeline_next(&s->timeline, frame->ts, &at);
    if (gm_ticks_us(at.out_ts, s->policy->timescale) > s->most_us) {
        return too_long(s, err); /* packets without times told nothing */
    }
    struct gm_split_packet *p = gm_split_store_find(&s->video, frame->id);
    if (p != NULL && p->shown < 0) {
        p->shown = ordinal;
        p->unfit = frame->unfit;
    }
    Gm__FrameEntry entry = GM__FRAME_ENTRY__INIT;
    entry.packet_id = frame->id;
    entry.out_ts = at.out_ts;
    entry.gop_start = at.gop;
    int rc = at.segment ? add_border(s, at.out_ts, err) : 0;
    if (rc == 0 && at.segment) {
        rc = change_chunk(s, frame, &entry, err);
    }
    if (rc == 0 && at.segment) {
        rc = gm_split_chunk_segment(&s->chunk, at.segment_number, err);
    }
    if (rc == 0) {
        note_recent(s, &entry);
        rc = gm_split_chunk_frame(&s->chunk, &entry, frame->until, ordinal, err);
    }
    s->last_frame_id = frame->id;
    return rc;
}

static int take_video(struct gm_splitter *s, struct gm_err *err)
{
    const AVPacket *p = s->packet;
    s->corrupt += (p->flags & AV_PKT_FLAG_CORRUPT) != 0;
    s->keyframe_seen = s->keyframe_seen || (p->flags & AV_PKT_FLAG_KEY) != 0;
    if (!s->decode && !s->keyframe_seen) {
        s->dropped++;
        gm_split_store_skip(&s->video);
        return 0;
    }
    uint64_t id = s->video.next_id;
    int rc = gm_split_store_add(&s->video, p, err);
    if (rc == 0) {
        rc = gm_split_frames_push(&s->frames, p, id, err);
    }
    if (rc == 0 && (id & 3) == 0) {
        s->io->progress(s->io->self, s->timeline.frames, (uint64_t)s->facts->video->frames);
    }
    return rc;
}

static int take_packet(struct gm_splitter *s, struct gm_err *err)
{
    gm_claims_note(&s->span, s->source.format->streams[s->packet->stream_index], s->packet);
    if (s->span.any && s->span.end_us > s->most_end_us) { /* inspection saw but parts */
        return too_long(s, err);
    }
    if (s->facts->video != NULL && s->packet->stream_index == (int)s->facts->video->stream_index) {
        return take_video(s, err);
    }
    int rc = gm_split_tracks_take(&s->tracks, s->packet, err);
    if (rc == 0) {
        rc = gm_burn_read_packet(s->burn, s->packet, err);
    }
    return rc == 0 ? gm_split_text_packet(&s->text, s->packet, err) : rc;
}

static int check_unchanged(const struct gm_splitter *s, struct gm_err *err)
{
    struct stat st;
    if (fstat(s->file.fd, &st) < 0) {
        return gm_err_sys(err, errno, "fstat of the source");
    }
    if ((uint64_t)st.st_size != s->facts->size_bytes) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "the source has %lld bytes, had %llu",
                          (long long)st.st_size, (unsigned long long)s->facts->size_bytes);
    }
    return 0;
}

static int read_all(struct gm_splitter *s, struct gm_err *err)
{
    int errors = 0;
    for (;;) {
        int av = gm_source_read(s->source.format, s->packet);
        if (av == AVERROR_EOF || av == AVERROR_EXIT) {
            break;
        }
        if (av == AVERROR(ENOMEM)) {
            return gm_err_nomem(err);
        }
        if (av < 0) {
            s->read_errors++;
            if (++errors >= MAX_ERRORS) {
                s->truncated = true;
                break;
            }
            continue;
        }
        errors = 0;
        int rc = gm_losses_packet(&s->losses, s->packet, err);
        gm_steady_packet(&s->steady, s->source.format->streams[s->packet->stream_index], s->packet);
        if (rc == 0) {
            rc = take_packet(s, err);
        }
        av_packet_unref(s->packet);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = gm_source_check(&s->source, err);
    if (rc < 0) {
        return rc;
    }
    return check_unchanged(s, err);
}

/* Of the last frame, in the source's ticks; 0: unknown. libavformat says that of one field for a
 * packet that ends in a field picture, also where it holds two. */
static int64_t last_duration(const struct gm_splitter *s)
{
    const struct gm_split_packet *p = gm_split_store_find(&s->video, s->last_frame_id);
    const AVStream *st = s->video.stream;
    const AVCodecParameters *par = st->codecpar;
    AVRational rate = gm_av_rational(s->facts->video->frame_rate);
    if (p == NULL || par->codec_id != AV_CODEC_ID_H264 || rate.num <= 0 ||
        !gm_nal_has_fields(par->extradata, (size_t)par->extradata_size)) {
        return p != NULL ? p->duration : 0;
    }
    int64_t frame = gm_av_rescale(1, av_inv_q(rate), st->time_base);
    bool half = p->duration > frame / 4 && p->duration <= frame / 2 + 1;
    return half ? frame : p->duration;
}

static int finish_chunks(struct gm_splitter *s, int64_t *out_end, struct gm_err *err)
{
    if (s->tracks.alone) {
        return gm_split_tracks_end(&s->tracks, s->io->spec->source_name, err);
    }
    int rc = gm_split_frames_end(&s->frames, err);
    if (rc < 0) {
        return rc;
    }
    if (s->timeline.frames == 0) {
        return gm_err_set(err, GM_E_INPUT_DAMAGED, 0, "no frame of %s could be found",
                          s->io->spec->source_name);
    }
    *out_end = gm_timeline_end(&s->timeline, last_duration(s));
    rc = close_chunk(s, true, *out_end, err);
    return rc == 0 ? gm_split_text_end(&s->text, *out_end, err) : rc;
}

static int open_video(struct gm_splitter *s, struct gm_err *err)
{
    AVFormatContext *ctx = s->source.format;
    const Gm__VideoFacts *v = s->facts->video;
    if (v->stream_index >= ctx->nb_streams ||
        strcmp(avcodec_get_name(ctx->streams[v->stream_index]->codecpar->codec_id), v->codec) !=
            0) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "the video is not what inspection saw");
    }
    AVStream *st = ctx->streams[v->stream_index];
    st->discard = AVDISCARD_DEFAULT;
    int rc = gm_split_store_init(&s->video, s->io, st, s->file, s->facts->by_reference,
                                 "packets-0.tmp", err);
    if (rc == 0) {
        rc = gm_split_frames_init(&s->frames, s->decode, st->codecpar, st->time_base,
                                  gm_av_rational(v->frame_rate), take_frame, s, err);
    }
    gm_timeline_init(&s->timeline, s->policy, st->time_base, s->facts->zero);
    gm_split_chunk_reset(&s->chunk, 0);
    return rc;
}

/* The subtitles that are drawn. */
static int open_burn(struct gm_splitter *s, struct gm_err *err)
{
    AVFormatContext *ctx = s->source.format;
    uint32_t k = s->policy->burn_text;
    if (k == 0 || s->facts->video == NULL) {
        return 0;
    }
    uint32_t index = k <= s->facts->n_text ? s->facts->text[k - 1]->stream_index : UINT32_MAX;
    if (index >= ctx->nb_streams || !gm_text_is_bitmap(ctx->streams[index]->codecpar->codec_id)) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "the subtitles to be drawn have gone");
    }
    return gm_burn_read_create(ctx->streams[index], s->policy->timescale, s->facts->zero,
                               s->facts->video->width_px, s->facts->video->height_px, &s->burn,
                               err);
}

/* All subtitles are read, as in the inspection: their end may be what the header tells. Where time
 * stamps are all there is no header tells anything. */
static void read_texts(struct gm_splitter *s)
{
    AVFormatContext *ctx = s->source.format;
    bool told = (ctx->iformat->flags & AVFMT_TS_DISCONT) == 0;
    for (size_t i = 0; told && i < s->facts->n_text; i++) {
        uint32_t index = s->facts->text[i]->stream_index;
        if (index < ctx->nb_streams &&
            ctx->streams[index]->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE) {
            ctx->streams[index]->discard = AVDISCARD_DEFAULT;
        }
    }
}

/* All sound is read, as in the inspection: where clocks may jump, whether one did is told by all
 * streams (steady.h). */
static void read_clocks(struct gm_splitter *s)
{
    AVFormatContext *ctx = s->source.format;
    bool may_jump = (ctx->iformat->flags & AVFMT_TS_DISCONT) != 0;
    for (size_t i = 0; may_jump && i < s->facts->n_audio; i++) {
        if (s->facts->audio[i]->stream_index < ctx->nb_streams) {
            ctx->streams[s->facts->audio[i]->stream_index]->discard = AVDISCARD_DEFAULT;
        }
    }
}

static int open_streams(struct gm_splitter *s, struct gm_err *err)
{
    AVFormatContext *ctx = s->source.format;
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        ctx->streams[i]->discard = AVDISCARD_ALL;
    }
    read_texts(s);
    read_clocks(s);
    int rc = s->facts->video != NULL ? open_video(s, err) : 0;
    if (rc == 0) {
        rc = gm_split_tracks_init(&s->tracks, s->io, s->facts, s->policy, ctx, s->file, err);
    }
    if (rc == 0) {
        rc = open_burn(s, err);
    }
    return rc == 0 ? gm_split_text_open(&s->text, s->io, s->policy, s->facts, ctx, s->file, err)
                   : rc;
}

/* How long the longest programme is that the pipeline takes, where that is not known to hold, and
 * where in source time it ends. */
static void set_most(struct gm_splitter *s)
{
    AVRational zero = gm_av_rational(s->facts->zero);
    uint64_t limit_s = gm_length_limit_s(s->io->spec);
    int64_t us = zero.den != 0 ? gm_av_rescale(1, zero, (AVRational){1, 1000000}) : 0;
    bool any = s->facts->read_whole || limit_s > INT64_MAX / 1000000;
    s->most_us = any ? INT64_MAX : (int64_t)limit_s * 1000000;
    bool over = any || __builtin_add_overflow(us, s->most_us, &s->most_end_us);
    s->most_end_us = over ? INT64_MAX : s->most_end_us;
}

static int open_all(struct gm_splitter *s, struct gm_err *err)
{
    const Gm__TaskSpec *spec = s->io->spec;
    int rc = gm_results_inspection(spec, &s->facts, err);
    if (rc == 0) {
        rc = gm_results_policy(spec, &s->policy, err);
    }
    if (rc == 0 &&
        ((s->facts->video == NULL && s->policy->n_audio == 0) || s->policy->timescale == 0 ||
         s->policy->timescale > INT32_MAX || s->policy->segment_gops == 0 ||
         s->policy->chunk_segments == 0 || s->policy->context_frames > 1)) {
        rc = gm_err_set(err, GM_E_PROTO, 0, "inspection or policy is incomplete");
    }
    if (rc == 0) {
        rc = s->io->source(s->io->self, &s->file, err);
    }
    if (rc == 0) {
        rc = check_unchanged(s, err);
    }
    if (rc < 0) {
        return rc;
    }
    set_most(s);
    s->decode = s->facts->timeline == GM__TIMELINE_MODE__TIMELINE_DECODE;
    s->skip = gm_split_skip(spec, GM_STREAM_VIDEO);
    s->packet = av_packet_alloc();
    if (s->packet == NULL) {
        return gm_err_nomem(err);
    }
    rc = gm_source_open(s->file, spec->source_name, true, &s->source, err);
    if (rc == 0) {
        rc = gm_steady_init(&s->steady, s->source.format, err);
    }
    if (rc == 0) {
        rc = gm_losses_init(&s->losses, s->source.format, s->file, (int64_t)s->facts->size_bytes,
                            err);
    }
    return rc == 0 ? open_streams(s, err) : rc;
}

static void close_all(struct gm_splitter *s)
{
    gm_split_tracks_fini(&s->tracks);
    if (s->video.io != NULL) {
        gm_split_store_fini(&s->video);
    }
    gm_split_frames_fini(&s->frames);
    gm_split_chunk_fini(&s->chunk);
    gm_steady_fini(&s->steady);
    gm_losses_fini(&s->losses);
    gm_source_close(&s->source);
    av_packet_free(&s->packet);
    gm_split_text_fini(&s->text);
    gm_burn_read_destroy(&s->burn);
    gm__inspection__free_unpacked(s->facts, NULL);
    gm__policy__free_unpacked(s->policy, NULL);
}

int gm_task_split(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    Gm__SplitMeta meta = GM__SPLIT_META__INIT;
    int64_t end_ts = 0;
    (void)out_chunk;
    struct gm_splitter *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return gm_err_nomem(err);
    }
    s->io = io;
    s->file.fd = -1;
    int rc = open_all(s, err);
    if (rc == 0) {
        rc = read_all(s, err);
    }
    if (rc == 0) {
        rc = finish_chunks(s, &end_ts, err);
    }
    if (rc == 0) {
        rc = gm_split_meta_fill(s, end_ts, &meta, err);
    }
    if (rc == 0) {
        rc = io->finish(io->self, NULL, 0, &meta.base, NULL, 0, NULL, err);
    }
    for (size_t i = 0; i < meta.n_warnings; i++) {
        gm__warning__free_unpacked(meta.warnings[i], NULL);
    }
    free(meta.warnings);
    free(meta.items);
    close_all(s);
    free(s);
    return rc;
}
