/* The subtitles task: one text track of the whole programme, from split's chunks to WebVTT.
 *
 *   chunks -> text_decode -> cues, sorted -> text_segments (a segment for each of the video)
 *                                         -> one file with all of them
 *
 * A track is read whole before anything is written: text is small, and a packet may lie in the
 * source far behind the pictures that it belongs to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/fs.h"
#include "common/hash.h"
#include "common/warnings.h"
#include "media/results.h"
#include "media/task_io.h"
#include "media/text/text_decode.h"
#include "media/text/text_segments.h"
#include "media/text/webvtt.h"
#include "proto/streams.h"

struct subtitles_task {
    struct gm_task_io *io; /* borrowed */
    Gm__Policy *policy;    /* owned */
    Gm__Inspection *facts; /* owned */
    const Gm__TextTrack *track;
    struct gm_cues cues;           /* owned */
    struct gm_text_decode *decode; /* owned */
    int64_t *borders;              /* owned */
    size_t border_count, border_cap;
    int64_t end_ts;
    int64_t late; /* cues that begin after the end */
    int64_t left_out;
    struct gm_buf text; /* owned: the whole track */
    char file_name[64], file_path[128];
    uint8_t sha256[GM_SHA256_SIZE];
};

static int take_borders(struct subtitles_task *t, const Gm__ChunkHeader *h, struct gm_err *err)
{
    int rc = gm_array_reserve(&t->borders, t->border_count, h->n_segment_starts_ts, &t->border_cap,
                              sizeof *t->borders, err);
    for (size_t i = 0; rc == 0 && i < h->n_segment_starts_ts; i++) {
        int64_t before = t->border_count > 0 ? t->borders[t->border_count - 1] : -1;
        int64_t ts = h->segment_starts_ts[i];
        if (ts <= before || ts > INT64_MAX / 4) {
            return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "segment start %lld follows %lld",
                              (long long)ts, (long long)before);
        }
        t->borders[t->border_count++] = ts;
    }
    if (rc == 0 && h->last) {
        t->end_ts = h->programme_end_ts;
        if (t->border_count == 0 || t->end_ts <= t->borders[t->border_count - 1] ||
            t->end_ts > INT64_MAX / 4) {
            rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "%zu segments and an end at %lld",
                            t->border_count, (long long)t->end_ts);
        }
    }
    return rc;
}

/* *out_last: this chunk is the track's last. */
static int take_chunk(struct subtitles_task *t, const struct gm_task_input *input, uint32_t index,
                      bool *out_last, struct gm_err *err)
{
    int fd = -1;
    const Gm__ChunkHeader *h = NULL;
    int rc = t->io->open_object(t->io->self, input, 0, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = gm_text_decode_chunk(t->decode, fd, &h, err);
    if (rc == 0 && (h->index != index || h->stream != input->item->stream)) {
        rc = gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "chunk %u of stream %u stands for %u of %u",
                        h->index, h->stream, index, input->item->stream);
    }
    if (rc == 0) {
        rc = take_borders(t, h, err);
    }
    if (rc == 0) {
        *out_last = h->last;
    }
    close(fd);
    t->io->progress(t->io->self, t->cues.count, 0);
    return rc;
}

static int take_chunks(struct subtitles_task *t, struct gm_err *err)
{
    bool last = false;
    for (uint32_t index = 0; !last;) {
        struct gm_task_input input;
        bool more = false;
        int rc = t->io->next_input(t->io->self, &more, &input, err);
        if (rc < 0) {
            return rc;
        }
        if (!more) {
            return gm_err_set(err, GM_E_PROTO, 0, "the text ends without its last chunk");
        }
        if (input.item->stream != GM_STREAM_TEXT + t->io->spec->instance) {
            continue; /* another stream of split's */
        }
        if ((rc = take_chunk(t, &input, index++, &last, err)) < 0) {
            return rc;
        }
    }
    return 0;
}

/* Cues that begin after both the pictures' end and the programme's, as inspection found it, are
 * none: a bogus time would show for ever in the last segment. */
static void drop_late(struct subtitles_task *t)
{
    AVRational unit = {1, (int)t->policy->timescale};
    int64_t end_ms = gm_av_rescale(t->end_ts, unit, (AVRational){1, 1000});
    int64_t programme_ms = t->facts->duration_us / 1000;
    end_ms = programme_ms > end_ms ? programme_ms : end_ms;
    size_t kept = t->cues.count;
    while (kept > 0 && t->cues.list[kept - 1].start_ms >= end_ms) {
        kept--;
        free(t->cues.list[kept].text);
        t->late++;
    }
    t->cues.count = kept;
}

static int write_whole(struct subtitles_task *t, struct gm_err *err)
{
    char hex[2 * GM_SHA256_SIZE + 1];
    int fd = -1;
    gm_webvtt_head(&t->text, false);
    for (size_t i = 0; i < t->cues.count; i++) {
        gm_webvtt_cue(&t->text, &t->cues.list[i]);
    }
    int rc = gm_buf_check(&t->text, err);
    if (rc < 0) {
        return rc;
    }
    gm_sha256(t->text.data, t->text.size, t->sha256);
    rc = gm_fs_path(t->file_name, sizeof t->file_name, err, "subtitles-%s.vtt",
                    gm_hex(t->sha256, 6, hex));
    if (rc < 0 ||
        (rc = gm_fs_path(t->file_path, sizeof t->file_path, err, "text/%s/%s", t->track->name,
                         t->file_name)) < 0 ||
        (rc = t->io->create_file(t->io->self, t->file_name, &fd, err)) < 0) {
        return rc;
    }
    rc = gm_fs_write_all(fd, t->text.data, t->text.size, err);
    if (close(fd) < 0 && rc == 0) {
        rc = gm_err_sys(err, errno, "close of %s", t->file_name);
    }
    return rc;
}

static int write_segments(struct subtitles_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    struct gm_text_segments_params params = {
        .io = t->io,
        .track = t->track->name,
        .track_index = spec->instance,
        .timescale = t->policy->timescale,
        .borders = t->borders,
        .border_count = t->border_count,
        .end_ts = t->end_ts,
    };
    for (size_t i = 0; i < spec->n_skip; i++) {
        params.skip_items = spec->skip[i]->stream == 0 ? spec->skip[i]->count : params.skip_items;
    }
    return gm_text_segments_write(&params, &t->cues, &t->left_out, err);
}

static int finish(struct subtitles_task *t, struct gm_err *err)
{
    struct gm_text_counts counts = gm_text_decode_counts(t->decode);
    const struct {
        enum gm_warning code;
        const char *text;
        int64_t count;
    } rows[] = {
        {GM_W_TEXT_DECODE_ERRORS, "packets of subtitles could not be decoded", counts.errors},
        {GM_W_TEXT_ENCODING, "subtitles hold bytes that are no UTF-8; U+FFFD stands for them",
         counts.encoding},
        {GM_W_TEXT_CUT, "subtitles are longer than 16 KiB and were cut off", counts.cut},
        {GM_W_TEXT_LATE, "subtitles begin after the programme's end", t->late},
        {GM_W_TEXT_LEFT_OUT, "subtitles are too many or too long to be kept",
         t->cues.left_out + t->left_out},
    };
    Gm__Warning warnings[5];
    Gm__Warning *list[5];
    Gm__NamedFile named = GM__NAMED_FILE__INIT;
    Gm__NamedFile *named_list[1] = {&named};
    Gm__WFile file = GM__WFILE__INIT;
    Gm__TextMeta meta = GM__TEXT_META__INIT;
    meta.cues = (int64_t)t->cues.count;
    meta.warnings = list;
    for (size_t i = 0; i < 5; i++) {
        if (rows[i].count > 0) {
            Gm__Warning *w = &warnings[meta.n_warnings];
            *w = (Gm__Warning)GM__WARNING__INIT;
            w->code = (char *)(uintptr_t)gm_warning_get(rows[i].code)->code;
            w->text = (char *)(uintptr_t)rows[i].text;
            w->count = rows[i].count;
            list[meta.n_warnings++] = w;
        }
    }
    named.name = t->file_name;
    named.path = t->file_path;
    named.size = t->text.size;
    named.sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, t->sha256};
    meta.files = named_list;
    meta.n_files = 1;
    file.name = t->file_name;
    file.path = t->file_path;
    file.store = gm_results_segment_store(t->io->spec);
    return t->io->finish(t->io->self, &file, 1, &meta.base, NULL, 0, NULL, err);
}

static int open_task(struct subtitles_task *t, struct gm_err *err)
{
    const Gm__TaskSpec *spec = t->io->spec;
    int rc = gm_results_policy(spec, &t->policy, err);
    if (rc < 0 || (rc = gm_results_inspection(spec, &t->facts, err)) < 0) {
        return rc;
    }
    if (spec->instance >= t->policy->n_text) {
        return gm_err_set(err, GM_E_PROTO, 0, "the plan has no text track %u", spec->instance);
    }
    t->track = t->policy->text[spec->instance];
    return gm_text_decode_create(t->io, t->facts->zero, &t->cues, &t->decode, err);
}

int gm_task_subtitles(struct gm_task_io *io, int64_t *out_chunk, struct gm_err *err)
{
    struct subtitles_task t = {.io = io};
    *out_chunk = -1;
    int rc = open_task(&t, err);
    if (rc == 0) {
        rc = take_chunks(&t, err);
    }
    if (rc == 0) {
        gm_cues_finish(&t.cues);
        drop_late(&t);
        rc = write_segments(&t, err);
    }
    if (rc == 0) {
        rc = write_whole(&t, err);
    }
    if (rc == 0) {
        rc = finish(&t, err);
    }
    gm_text_decode_destroy(&t.decode);
    gm_cues_fini(&t.cues);
    gm_buf_fini(&t.text);
    free(t.borders);
    if (t.policy != NULL) {
        gm__policy__free_unpacked(t.policy, NULL);
    }
    if (t.facts != NULL) {
        gm__inspection__free_unpacked(t.facts, NULL);
    }
    return rc;
}
