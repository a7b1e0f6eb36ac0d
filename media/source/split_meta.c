#include "media/source/split_meta.h"

#include <stdlib.h>
#include <string.h>

#include "media/pb.h"
#include "media/picture/burn_read.h"
#include "media/results.h"
#include "media/source/claims_header.h"
#include "media/task_io.h"
#include "proto/streams.h"

#define WARN(n, code, ...)                                                                         \
    if (rc == 0 && (n) > 0) {                                                                      \
        rc = gm_pb_warn(&meta->warnings, &meta->n_warnings, code, n, err, __VA_ARGS__);            \
    }

/* What of the programme is missing at its end: inspection knows it where it read all, which is more
 * than is read here, or where an index told; else the header's word counts too, if all that it
 * speaks of was read. */
static int end_lost_us(const struct gm_splitter *s, int64_t *out_us, struct gm_err *err)
{
    struct gm_claims_file file;
    int64_t known = s->facts->lost_us - s->facts->gap_us;
    const AVFormatContext *ctx = s->source.format;
    AVRational zero = gm_av_rational(s->facts->zero);
    if (s->facts->read_whole) {
        *out_us = known;
        return 0;
    }
    int rc = gm_claims_header_read(s->file, ctx, (int64_t)s->facts->size_bytes, &file, err);
    if (rc == 0) {
        bool counts = zero.den != 0 && (file.cut || gm_claims_all_read(ctx));
        int64_t start_us = gm_av_rescale(1, zero, (AVRational){1, 1000000});
        int64_t short_us = gm_claims_short_us(ctx, &file, start_us, &s->span);
        *out_us = counts ? gm_claims_lost_us(known, short_us) : known;
    }
    return rc;
}

static int check_whole(const struct gm_splitter *s, const Gm__SplitMeta *meta, struct gm_err *err)
{
    const Gm__PipelineTask *own = gm_results_task(s->io->spec, s->io->spec->task);
    bool fails = own != NULL && own->params_case == GM__PIPELINE_TASK__PARAMS_SPLIT &&
                 strcmp(own->split->damage, "fail") == 0;
    if (!meta->truncated || !fails) {
        return 0;
    }
    return meta->lost_us > 0
               ? gm_err_set(err, GM_E_INPUT_TRUNCATED, 0, "%s lacks %.3f s that it should have",
                            s->io->spec->source_name, (double)meta->lost_us / 1e6)
               : gm_err_set(err, GM_E_INPUT_TRUNCATED, s->read_errors,
                            "%s could not be read to its end without errors",
                            s->io->spec->source_name);
}

/* How long sound goes on after the last picture, in whole ms, where that is longer than it is shown
 * (or than a frame of HE-AAC at 44.1 kHz, 46 ms, since files end with whole frames) or than a
 * second; 0: it does not. */
static int64_t sound_over_ms(const struct gm_splitter *s, int64_t pictures_end_ts)
{
    int64_t over_ts;
    int64_t shown_ts = pictures_end_ts - s->timeline.last_out;
    int64_t most_ts = (int64_t)s->timeline.timescale;
    int64_t least_ts = most_ts / 20;
    int64_t limit_ts = shown_ts < least_ts ? least_ts : shown_ts < most_ts ? shown_ts : most_ts;
    bool outlasts =
        s->timeline.frames > 0 &&
        !__builtin_sub_overflow(gm_split_tracks_end_ts(&s->tracks), pictures_end_ts, &over_ts) &&
        over_ts > limit_ts;
    return outlasts ? gm_av_rescale(over_ts, (AVRational){1, (int)s->timeline.timescale},
                                    (AVRational){1, 1000})
                    : 0;
}

int gm_split_meta_fill(struct gm_splitter *s, int64_t end_ts, Gm__SplitMeta *meta,
                       struct gm_err *err)
{
    int64_t at_end = 0, inside = gm_losses_us(&s->losses);
    int rc = end_lost_us(s, &at_end, err);
    if (rc < 0) {
        return rc;
    }
    inside = inside > s->facts->gap_us ? inside : s->facts->gap_us;
    meta->lost_us = at_end > INT64_MAX - inside ? INT64_MAX : at_end + inside;
    meta->truncated = s->truncated || s->read_errors > 0 || meta->lost_us > 0;
    meta->items = calloc(GM_STREAMS, sizeof *meta->items);
    if (meta->items == NULL) {
        return gm_err_nomem(err);
    }
    meta->n_items =
        s->text.count > 0 ? GM_STREAM_TEXT + s->text.count : GM_STREAM_SOUND + s->tracks.count;
    meta->items[GM_STREAM_VIDEO] = s->produced;
    for (size_t k = 0; k < s->tracks.count; k++) {
        meta->items[GM_STREAM_SOUND + k] = s->tracks.list[k].produced;
    }
    for (size_t k = 0; k < s->text.count; k++) {
        meta->items[GM_STREAM_TEXT + k] = s->text.tracks[k].produced;
    }
    meta->frames = (int64_t)s->timeline.frames;
    int64_t damaged = s->corrupt + s->frames.decode_errors;
    WARN(s->dropped, GM_W_SOURCE_PACKETS_DROPPED,
         "%lld packets before the first keyframe were left out", (long long)s->dropped)
    WARN(damaged, GM_W_SOURCE_DAMAGED, "%lld packets are damaged", (long long)damaged)
    int64_t over_ms = sound_over_ms(s, end_ts);
    WARN((int64_t)(over_ms > 0), GM_W_SOURCE_SOUND_OUTLASTS,
         "the sound ends %lld.%03lld s after the last picture: all of it is kept",
         (long long)(over_ms / 1000), (long long)(over_ms % 1000))
    int64_t undrawn =
        s->burn != NULL ? gm_burn_read_errors(s->burn) + gm_burn_read_left_out(s->burn) : 0;
    WARN(undrawn, GM_W_SOURCE_SUBTITLES_NOT_DRAWN,
         "%lld subtitles could not be decoded, or are too many or too large to be drawn",
         (long long)undrawn)
    WARN(s->burn != NULL ? gm_burn_read_late(s->burn) : 0, GM_W_SOURCE_SUBTITLES_NOT_DRAWN,
         "%lld subtitles come in the file after a chunk of theirs was made: they are drawn late, "
         "for too "
         "long, or not at all",
         (long long)gm_burn_read_late(s->burn))
    WARN(s->text.dropped, GM_W_SOURCE_TEXT_DROPPED,
         "%lld packets of subtitles were too many or too large", (long long)s->text.dropped)
    WARN(s->steady.jumps, GM_W_SOURCE_CLOCK_JUMPS,
         "the clock of the source jumps %lld time(s): what follows was moved to where it belongs",
         (long long)s->steady.jumps)
    WARN(s->frames.untimed, GM_W_SOURCE_TIMES_MISSING,
         "%lld frames had no time stamp and follow the frame rate", (long long)s->frames.untimed)
    WARN((int64_t)(s->truncated || s->read_errors > 0 ? (s->read_errors > 0 ? s->read_errors : 1)
                                                      : 0),
         GM_W_INPUT_TRUNCATED, "the source could not be read to its end without errors")
    WARN((int64_t)(at_end > s->facts->lost_us - s->facts->gap_us), GM_W_INPUT_TRUNCATED,
         "the source ends %.3f s before its header says", (double)at_end / 1e6)
    WARN(
        (int64_t)(inside > s->facts->gap_us), GM_W_INPUT_TRUNCATED,
        "%.3f s are missing inside the source: parts of the file can't be read as what they should "
        "be",
        (double)inside / 1e6)
    return rc == 0 ? check_whole(s, meta, err) : rc;
}
