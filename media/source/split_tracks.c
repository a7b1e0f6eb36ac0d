/* See split_tracks.h. */
#include "media/source/split_tracks.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/array.h"
#include "media/source/claims.h"
#include "media/source/split_chunk.h"
#include "proto/streams.h"

#define MAX_BORDERS (48 * 3600 / GM_SPLIT_SOUND_S) /* stamps beyond two days are not believed */
#define JUMP_S 10 /* nor is one that is so far off, unless the next one follows it */
#define AGREE_S 1 /* so near */
#define MAX_TICKS (INT64_MAX / 4)

uint32_t gm_split_skip(const Gm__TaskSpec *spec, uint32_t stream)
{
    for (size_t i = 0; i < spec->n_skip; i++) {
        if (spec->skip[i]->stream == stream) {
            return spec->skip[i]->count;
        }
    }
    return 0;
}

/* A stream without packets: the audio task fills it with silence. */
static int open_silence(struct gm_split_track *t, const Gm__AudioParams *params, AVStream **out,
                        struct gm_err *err)
{
    t->silence = avformat_alloc_context();
    AVStream *st = t->silence != NULL ? avformat_new_stream(t->silence, NULL) : NULL;
    if (st == NULL) {
        return gm_err_nomem(err);
    }
    AVCodecParameters *par = st->codecpar;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = AV_CODEC_ID_PCM_F32LE;
    par->format = AV_SAMPLE_FMT_FLT;
    par->sample_rate = (int)params->sample_rate;
    par->bits_per_coded_sample = 32;
    par->block_align = 4 * (int)params->channels;
    av_channel_layout_default(&par->ch_layout, (int)params->channels);
    st->time_base = (AVRational){1, par->sample_rate};
    *out = st;
    return 0;
}

static int open_track(struct gm_split_tracks *t, const Gm__Inspection *facts,
                      AVFormatContext *source, struct gm_source_file source_file,
                      struct gm_err *err)
{
    size_t k = t->count;
    const Gm__AudioTrack *track = t->policy->audio[k];
    struct gm_split_track *own = &t->list[k];
    AVStream *st = NULL;
    char name[32];
    int rc = 0;
    own->stream = -1;
    own->skip = gm_split_skip(t->io->spec, GM_STREAM_SOUND + (uint32_t)k);
    if (track->silent) {
        if (track->params == NULL) {
            return gm_err_set(err, GM_E_PROTO, 0, "sound track %zu has no parameters", k);
        }
        rc = open_silence(own, track->params, &st, err);
    } else {
        uint32_t index = track->source_audio < facts->n_audio
                             ? facts->audio[track->source_audio]->stream_index
                             : UINT32_MAX;
        if (index >= source->nb_streams) {
            return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "a sound stream has gone");
        }
        own->stream = (int)index;
        st = source->streams[index];
        st->discard = AVDISCARD_DEFAULT;
    }
    (void)snprintf(name, sizeof name, "packets-%u.tmp", GM_STREAM_SOUND + (unsigned)k);
    if (rc == 0) {
        rc = gm_split_store_init(&own->store, t->io, st, source_file, facts->by_reference, name,
                                 err);
    }
    own->end = own->doubt_end = INT64_MIN;
    return rc;
}

int gm_split_tracks_init(struct gm_split_tracks *t, struct gm_task_io *io,
                         const Gm__Inspection *facts, const Gm__Policy *policy,
                         AVFormatContext *source, struct gm_source_file source_file,
                         struct gm_err *err)
{
    int rc = 0;
    t->io = io;
    t->policy = policy;
    t->zero = facts->zero;
    t->alone = facts->video == NULL;
    t->list = calloc(policy->n_audio + 1, sizeof *t->list);
    if (t->list == NULL) {
        return gm_err_nomem(err);
    }
    while (rc == 0 && t->count < policy->n_audio) {
        rc = open_track(t, facts, source, source_file, err);
        t->count++;
    }
    return rc;
}

void gm_split_tracks_fini(struct gm_split_tracks *t)
{
    for (size_t k = 0; k < t->count; k++) {
        if (t->list[k].store.io != NULL) {
            gm_split_store_fini(&t->list[k].store);
        }
        avformat_free_context(t->list[k].silence);
    }
    free(t->list);
    free(t->borders);
    *t = (struct gm_split_tracks){0};
}

int gm_split_tracks_border(struct gm_split_tracks *t, int64_t start_ts, struct gm_err *err)
{
    int rc =
        gm_array_reserve(&t->borders, t->border_count, 1, &t->border_cap, sizeof *t->borders, err);
    if (rc == 0) {
        t->borders[t->border_count++] = start_ts;
    }
    return rc;
}

static int write_track(struct gm_split_tracks *t, size_t k, bool last, int64_t end_ts,
                       struct gm_err *err)
{
    struct gm_split_track *own = &t->list[k];
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
    int rc = 0;
    header.index = own->produced;
    header.last = last;
    header.segment_starts_ts = t->borders;
    header.n_segment_starts_ts = t->border_count;
    header.programme_end_ts = last ? end_ts : 0;
    struct gm_split_write w = {
        .io = t->io,
        .store = &own->store,
        .stream = GM_STREAM_SOUND + (uint32_t)k,
        .codec = avcodec_get_name(own->store.stream->codecpar->codec_id),
        .header = &header,
        .from = own->store.next_id > own->next_id ? own->next_id : 1,
        .to = own->store.next_id > own->next_id ? own->store.next_id - 1 : 0,
        .meta = &meta.base,
    };
    if (own->produced >= own->skip) {
        rc = gm_split_write_chunk(&w, err);
    }
    own->produced++;
    own->next_id = own->store.next_id;
    gm_split_store_drop(&own->store, own->next_id);
    return rc;
}

int gm_split_tracks_write(struct gm_split_tracks *t, bool last, int64_t end_ts, struct gm_err *err)
{
    for (size_t k = 0; k < t->count; k++) {
        int rc = write_track(t, k, last, end_ts, err);
        if (rc < 0) {
            return rc;
        }
    }
    t->border_count = 0;
    return 0;
}

/* Source time in programme time, Policy.timescale. */
static int64_t programme_ts(const struct gm_split_tracks *t, int64_t ts, AVRational tb)
{
    AVRational scale = {1, (int)t->policy->timescale};
    AVRational unit = {1, 1};
    int64_t zero = 0;
    if (t->zero != NULL && t->zero->den > 0 && t->zero->den <= INT32_MAX) {
        unit.den = (int)t->zero->den;
        zero = gm_av_rescale(t->zero->num, unit, scale);
    }
    int64_t at = gm_av_rescale(ts, tb, scale);
    return __builtin_sub_overflow(at, zero, &at) ? INT64_MAX : at;
}

/* Sound alone: begins what segments the packet's time lies behind, and a chunk with them. */
static int cut(struct gm_split_tracks *t, int64_t ts, AVRational tb, struct gm_err *err)
{
    int64_t step = (int64_t)GM_SPLIT_SOUND_S * t->policy->timescale;
    int64_t at = programme_ts(t, ts, tb);
    int rc = 0;
    if (at < t->next_border || at > step * MAX_BORDERS) {
        return 0;
    }
    if (t->next_border > 0) {
        rc = gm_split_tracks_write(t, false, 0, err);
    }
    while (rc == 0 && t->next_border <= at) {
        rc = gm_split_tracks_border(t, t->next_border, err);
        t->next_border += step;
    }
    return rc;
}

/* Where the track ends if nothing follows: stamps are believed as audio_line does. */
static void note_end(struct gm_split_track *own, const AVPacket *p, int64_t ts)
{
    AVRational tb = own->store.stream->time_base, second = {1, 1};
    int64_t far = gm_av_rescale(JUMP_S, second, tb);
    int64_t near = gm_av_rescale(AGREE_S, second, tb);
    int64_t length = p->duration > 0 ? p->duration : 0;
    bool first = own->end == INT64_MIN;
    bool believed = ts != AV_NOPTS_VALUE && ts > -MAX_TICKS && ts < MAX_TICKS;
    if (first && !believed) {
        return;
    }
    bool follows =
        own->doubt_end != INT64_MIN && ts >= own->doubt_end - near && ts <= own->doubt_end + near;
    bool jumps = believed && !first && !follows && (ts < own->end - far || ts > own->end + far);
    own->end = believed && !jumps ? ts : own->end;
    own->end += length < MAX_TICKS - own->end ? length : 0;
    own->doubt_end = jumps ? ts + (length < MAX_TICKS - ts ? length : 0) : INT64_MIN;
}

int64_t gm_split_tracks_end_ts(const struct gm_split_tracks *t)
{
    int64_t end_ts = 0;
    for (size_t k = 0; k < t->count; k++) {
        const struct gm_split_track *own = &t->list[k];
        if (own->end != INT64_MIN) {
            int64_t end = programme_ts(t, own->end, own->store.stream->time_base);
            end_ts = end > end_ts ? end : end_ts;
        }
    }
    return end_ts;
}

int gm_split_tracks_take(struct gm_split_tracks *t, const AVPacket *packet, struct gm_err *err)
{
    for (size_t k = 0; k < t->count; k++) {
        struct gm_split_track *own = &t->list[k];
        if (own->stream != packet->stream_index) {
            continue;
        }
        int64_t ts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        int rc = 0;
        if (!gm_claims_is_unwritten(own->store.stream, packet)) {
            note_end(own, packet, ts);
        }
        if (t->alone) {
            if (ts != AV_NOPTS_VALUE) {
                rc = cut(t, ts, own->store.stream->time_base, err);
            }
            if ((own->store.next_id & 63) == 0) {
                t->io->progress(t->io->self, own->store.next_id, 0);
            }
        }
        return rc < 0 ? rc : gm_split_store_add(&own->store, packet, err);
    }
    return 0;
}

int gm_split_tracks_end(struct gm_split_tracks *t, const char *source_name, struct gm_err *err)
{
    int64_t end_ts = t->count > 1 ? gm_split_tracks_end_ts(t) : 0;
    uint64_t packets = 0;
    for (size_t k = 0; k < t->count; k++) {
        packets += t->list[k].store.next_id;
    }
    if (packets == 0) {
        return gm_err_set(err, GM_E_INPUT_DAMAGED, 0, "no sound of %s could be read", source_name);
    }
    int rc = t->next_border == 0 ? gm_split_tracks_border(t, 0, err) : 0; /* no stamps at all */
    return rc < 0 ? rc : gm_split_tracks_write(t, true, end_ts, err);
}
