#include "media/source/split_text.h"

#include <stdlib.h>

#include "common/array.h"
#include "common/fs.h"
#include "media/text/text_decode.h"
#include "proto/streams.h"

/* See split_text.h. */

static int open_track(struct gm_split_text *t, const Gm__Inspection *facts,
                      const Gm__TextTrack *track, AVFormatContext *format,
                      struct gm_source_file file, struct gm_err *err)
{
    struct gm_split_text_track *to = &t->tracks[t->count];
    uint32_t source = track->source_text;
    uint32_t index = source < facts->n_text ? facts->text[source]->stream_index : UINT32_MAX;
    char name[32];
    if (index >= format->nb_streams ||
        !gm_text_is_text(format->streams[index]->codecpar->codec_id)) {
        return gm_err_set(err, GM_E_INPUT_CHANGED, 0, "a text stream has gone");
    }
    to->stream = (int)index;
    to->number = GM_STREAM_TEXT + (uint32_t)t->count;
    for (size_t i = 0; i < t->io->spec->n_skip; i++) {
        const Gm__SkipItems *skip = t->io->spec->skip[i];
        to->skip = skip->stream == to->number ? skip->count : to->skip;
    }
    format->streams[index]->discard = AVDISCARD_DEFAULT;
    int rc = gm_fs_path(name, sizeof name, err, "packets-%u.tmp", to->number);
    if (rc < 0) {
        return rc;
    }
    t->count++;
    return gm_split_store_init(&to->store, t->io, format->streams[index], file, facts->by_reference,
                               name, err);
}

int gm_split_text_open(struct gm_split_text *t, struct gm_task_io *io, const Gm__Policy *policy,
                       const Gm__Inspection *facts, AVFormatContext *format,
                       struct gm_source_file file, struct gm_err *err)
{
    *t = (struct gm_split_text){.io = io};
    t->tracks = calloc(policy->n_text + 1, sizeof *t->tracks);
    if (t->tracks == NULL) {
        return gm_err_nomem(err);
    }
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < policy->n_text; k++) {
        rc = k < GM_MAX_TEXT_TRACKS
                 ? open_track(t, facts, policy->text[k], format, file, err)
                 : gm_err_set(err, GM_E_PROTO, 0, "the plan has %zu text tracks", policy->n_text);
    }
    return rc;
}

void gm_split_text_fini(struct gm_split_text *t)
{
    for (size_t k = 0; k < t->count; k++) {
        gm_split_store_fini(&t->tracks[k].store);
    }
    free(t->tracks);
    free(t->borders);
    *t = (struct gm_split_text){0};
}

int gm_split_text_border(struct gm_split_text *t, int64_t ts, struct gm_err *err)
{
    if (t->count == 0) {
        return 0;
    }
    int rc =
        gm_array_reserve(&t->borders, t->border_count, 1, &t->border_cap, sizeof *t->borders, err);
    if (rc == 0) {
        t->borders[t->border_count++] = ts;
    }
    return rc;
}

static int write_chunk(struct gm_split_text *t, struct gm_split_text_track *track, bool last,
                       int64_t end_ts, struct gm_err *err)
{
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__SplitItemMeta meta = GM__SPLIT_ITEM_META__INIT;
    bool any = track->store.next_id > track->first_id;
    int rc = 0;
    header.index = track->produced;
    header.last = last;
    header.segment_starts_ts = t->borders + track->told;
    header.n_segment_starts_ts = t->border_count - track->told;
    header.programme_end_ts = last ? end_ts : 0;
    struct gm_split_write w = {
        .io = t->io,
        .store = &track->store,
        .stream = track->number,
        .codec = avcodec_get_name(track->store.stream->codecpar->codec_id),
        .header = &header,
        .from = any ? track->first_id : 1,
        .to = any ? track->store.next_id - 1 : 0,
        .meta = &meta.base,
    };
    if (track->produced >= track->skip) {
        rc = gm_split_write_chunk(&w, err);
    }
    track->produced++;
    track->told = t->border_count;
    track->first_id = track->store.next_id;
    track->bytes = 0;
    gm_split_store_drop(&track->store, track->first_id);
    return rc;
}

static int take(struct gm_split_text *t, struct gm_split_text_track *track, const AVPacket *p,
                struct gm_err *err)
{
    uint64_t size = p->size > 0 ? (uint64_t)p->size : 0;
    if (size > GM_TEXT_MAX_PACKET || track->store.next_id >= GM_SPLIT_TEXT_MAX_PACKETS ||
        track->total_bytes + size > GM_SPLIT_TEXT_MAX_BYTES) {
        t->dropped++;
        return 0;
    }
    int rc = gm_split_store_add(&track->store, p, err);
    if (rc < 0) {
        return rc;
    }
    track->bytes += size;
    track->total_bytes += size;
    bool full = track->bytes >= GM_SPLIT_TEXT_BYTES ||
                track->store.next_id - track->first_id >= GM_SPLIT_TEXT_PACKETS;
    return full ? write_chunk(t, track, false, 0, err) : 0;
}

int gm_split_text_packet(struct gm_split_text *t, const AVPacket *p, struct gm_err *err)
{
    for (size_t k = 0; k < t->count; k++) {
        if (t->tracks[k].stream == p->stream_index) {
            return take(t, &t->tracks[k], p, err);
        }
    }
    return 0;
}

int gm_split_text_end(struct gm_split_text *t, int64_t programme_end_ts, struct gm_err *err)
{
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < t->count; k++) {
        rc = write_chunk(t, &t->tracks[k], true, programme_end_ts, err);
    }
    return rc;
}
