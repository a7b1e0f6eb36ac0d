/* Media segments: styp, then one moof+mdat a GOP.
 *
 * Decode times of a GOP are its presentation times in ascending order: the i-th sample in decode
 * order gets the i-th smallest presentation time, but never one later than its own presentation
 * time + delay, and each at least a tick before the next. trun's composition offset leads to the
 * presentation time + delay, the init segment's one edit takes the delay out again. So tfdt =
 * presentation time of the first picture, decode times are evenly spaced where the frames are, and
 * no offset is negative: FFmpeg's demuxer shows fragments with negative ones late (ADR-0003).
 * See: ISO/IEC 14496-12 8.8 (fragments), ISO/IEC 23000-19 7.5. */
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "media/format/fmp4.h"
#include "media/format/fmp4_box.h"

#define MAX_SAMPLES 100000U
#define MAX_DELAY (INT32_MAX / 2)
#define FLAGS_SYNC 0x02000000U     /* depends on no other */
#define FLAGS_NON_SYNC 0x01010000U /* depends on others; not sync */

void gm_fmp4_segment_start(struct gm_buf *out)
{
    size_t box = gm_box_open(out, "styp");
    gm_buf_add(out, "msdh", 4);
    gm_buf_be32(out, 0);
    gm_buf_add(out, "msdhcmfscmff", 12);
    gm_box_close(out, box);
}

/* Presentation times in ascending order, end_ts behind them; checked. *out: owned. */
static int sort_times(const struct gm_fmp4_sample *samples, size_t count, int64_t end_ts,
                      int64_t **out, uint64_t *out_bytes, struct gm_err *err)
{
    int64_t *times = calloc(count + 1, sizeof(*times));
    uint64_t bytes = 0;
    if (times == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        times[i] = samples[i].pts;
        bytes += samples[i].size;
    }
    qsort(times, count, sizeof(*times), gm_array_compare_int64);
    times[count] = end_ts;
    int rc = 0;
    if (times[0] < 0 || times[0] != samples[0].pts || !samples[0].sync) {
        rc = gm_err_set(err, GM_E_INVAL, 0, "a fragment must start with its earliest sync sample");
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (times[i + 1] <= times[i] || times[i + 1] - times[i] > INT32_MAX ||
            times[i] - times[0] > INT32_MAX / 2) {
            rc = gm_err_set(err, GM_E_INVAL, 0, "sample times %lld and %lld in one fragment",
                            (long long)times[i], (long long)times[i + 1]);
        }
    }
    if (rc == 0 && bytes > INT32_MAX - (uint64_t)count * 16 - 4096) {
        rc = gm_err_set(err, GM_E_LIMIT, 0, "a fragment of %llu bytes", (unsigned long long)bytes);
    }
    if (rc < 0) {
        free(times);
        return rc;
    }
    *out = times;
    *out_bytes = bytes;
    return 0;
}

bool gm_fmp4_decode_times(const struct gm_fmp4_sample *samples, size_t count, int64_t delay_ts,
                          int64_t *times)
{
    for (size_t i = 0; i < count; i++) {
        times[i] = samples[i].pts;
    }
    qsort(times, count, sizeof(*times), gm_array_compare_int64);
    for (size_t i = count; i-- > 0;) {
        int64_t latest = samples[i].pts + delay_ts;
        if (i + 1 < count && times[i + 1] - 1 < latest) {
            latest = times[i + 1] - 1;
        }
        times[i] = times[i] < latest ? times[i] : latest;
    }
    return times[0] == samples[0].pts;
}

static bool same_durations(const int64_t *times, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (times[i + 1] - times[i] != times[1] - times[0]) {
            return false;
        }
    }
    return true;
}

static bool first_alone_syncs(const struct gm_fmp4_sample *samples, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (samples[i].sync) {
            return false;
        }
    }
    return samples[0].sync;
}

static void add_traf(struct gm_buf *out, int64_t delay_ts, const struct gm_fmp4_sample *samples,
                     const int64_t *times, size_t count, size_t moof)
{
    bool sound = delay_ts < 0;
    bool timed = !same_durations(times, count);
    bool flagged = !sound && !first_alone_syncs(samples, count);
    int64_t delay = delay_ts > 0 ? delay_ts : 0;
    size_t traf = gm_box_open(out, "traf");
    /* default-base-is-moof; what all samples have alike is said once */
    size_t tfhd = gm_box_open_full(
        out, "tfhd", 0, TFHD_MOOF_BASE | (timed ? 0 : TFHD_DURATION) | (flagged ? 0 : TFHD_FLAGS));
    gm_buf_be32(out, 1);
    if (!timed) {
        gm_buf_be32(out, (uint32_t)(times[1] - times[0]));
    }
    if (!flagged) {
        gm_buf_be32(out, sound ? FLAGS_SYNC : FLAGS_NON_SYNC);
    }
    gm_box_close(out, tfhd);
    size_t tfdt = gm_box_open_full(out, "tfdt", 1, 0);
    gm_buf_be64(out, (uint64_t)times[0]);
    gm_box_close(out, tfdt);
    size_t trun = gm_box_open_full(out, "trun", 1,
                                   TRUN_OFFSET | TRUN_SIZE | (timed ? TRUN_DURATION : 0) |
                                       (flagged ? TRUN_FLAGS : 0) |
                                       (sound ? 0 : TRUN_CTS | (flagged ? 0 : TRUN_FIRST_FLAGS)));
    gm_buf_be32(out, (uint32_t)count);
    size_t data_offset = out->size;
    gm_buf_be32(out, 0);
    if (!sound && !flagged) {
        gm_buf_be32(out, FLAGS_SYNC);
    }
    for (size_t i = 0; i < count; i++) {
        if (timed) {
            gm_buf_be32(out, (uint32_t)(times[i + 1] - times[i]));
        }
        gm_buf_be32(out, (uint32_t)samples[i].size);
        if (flagged) {
            gm_buf_be32(out, samples[i].sync ? FLAGS_SYNC : FLAGS_NON_SYNC);
        }
        if (!sound) {
            gm_buf_be32(out, (uint32_t)(int32_t)(samples[i].pts - times[i] + delay));
        }
    }
    gm_box_close(out, trun);
    gm_box_close(out, traf);
    gm_box_patch32(out, data_offset, (uint32_t)(out->size - moof + 8));
}

int gm_fmp4_fragment(uint32_t sequence, int64_t delay_ts, const struct gm_fmp4_sample *samples,
                     size_t count, int64_t end_ts, struct gm_buf *out, Gm__GopMeta *out_gop,
                     struct gm_err *err)
{
    int64_t *times = NULL;
    uint64_t bytes = 0;
    if (count == 0 || count > MAX_SAMPLES || delay_ts < GM_FMP4_SOUND || delay_ts > MAX_DELAY) {
        return gm_err_set(err, GM_E_INVAL, 0, "a fragment of %zu samples, delay %lld", count,
                          (long long)delay_ts);
    }
    int rc = sort_times(samples, count, end_ts, &times, &bytes, err);
    if (rc < 0) {
        return rc;
    }
    int64_t start_ts = times[0];
    if (delay_ts >= 0 && !gm_fmp4_decode_times(samples, count, delay_ts, times)) {
        free(times);
        return gm_err_set(err, GM_E_INVAL, 0, "pictures move further than %lld ticks allow",
                          (long long)delay_ts);
    }
    size_t moof = gm_box_open(out, "moof");
    size_t mfhd = gm_box_open_full(out, "mfhd", 0, 0);
    gm_buf_be32(out, sequence);
    gm_box_close(out, mfhd);
    add_traf(out, delay_ts, samples, times, count, moof);
    gm_box_close(out, moof);
    size_t mdat = gm_box_open(out, "mdat");
    for (size_t i = 0; i < count; i++) {
        gm_buf_add(out, samples[i].data, samples[i].size);
    }
    gm_box_close(out, mdat);
    rc = gm_buf_check(out, err);
    if (rc == 0 && out_gop != NULL) {
        out_gop->offset = moof;
        out_gop->size = out->size - moof;
        out_gop->idr_size = mdat + 8 + samples[0].size - moof;
        out_gop->start_ts = start_ts;
        out_gop->duration_ts = end_ts - start_ts;
    }
    free(times);
    return rc;
}
