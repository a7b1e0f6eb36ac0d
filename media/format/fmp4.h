#ifndef GM_MEDIA_FORMAT_FMP4_H
#define GM_MEDIA_FORMAT_FMP4_H

#include "common/buf.h"
#include "media.pb-c.h"

/* CMAF (ISO/IEC 23000-19, brand cmfc): init segments and media segments, written and read. Pure:
 * bytes in, bytes out.
 *
 * One moof+mdat a GOP. Decode times of a GOP (tfdt v1) are its presentation times in ascending
 * order; trun v1 leads to each sample's own + delay by an offset that is never negative, and one
 * edit in the init segment takes the delay out again (ADR-0003).
 */
struct gm_bitstream;
struct gm_fmp4_video {
    const char *codec; /* EncodeParams.codec */
    uint32_t width_px, height_px, timescale;
    const uint8_t *config; /* borrowed; body of avcC, hvcC, av1C or vpcC */
    size_t config_size;
    uint32_t delay_ts; /* what gm_fmp4_fragment is given: undone by one edit; 0: no edit list */
    const Gm__Rendition *rendition; /* borrowed; its colour tags go into colr; NULL: none */
    const Gm__VideoFacts *facts;    /* borrowed; mastering, light: mdcv and clli where the rendition
                                       is PQ or HLG; NULL: none */
};
struct gm_fmp4_audio {
    uint32_t sample_rate, channels, priming_samples, bitrate_bps;
    bool opus;             /* Opus/dOps instead of mp4a/esds */
    const uint8_t *config; /* borrowed; AudioSpecificConfig, or OpusHead */
    size_t config_size;
    const char *language; /* ISO 639-2; NULL: "und" */
};

/* ftyp + moov (no samples). Errors: INVAL (sizes, codec), MEDIA (the config makes no sense),
 * NOMEM. */
int gm_fmp4_video_init(const struct gm_fmp4_video *video, struct gm_buf *out,
                       struct gm_err *err) GM_MUST_CHECK;
/* ftyp + moov (mp4a/esds or Opus/dOps, edit list that skips the priming). timescale =
 * sample_rate. Errors: INVAL, NOMEM. */
int gm_fmp4_audio_init(const struct gm_fmp4_audio *audio, struct gm_buf *out,
                       struct gm_err *err) GM_MUST_CHECK;
/* A sample in decode order. data: video as media/format/bitstream.h makes it; audio raw AAC.
 * Borrowed. */
struct gm_fmp4_sample {
    const uint8_t *data;
    size_t size;
    int64_t pts;
    bool sync;
};
/* Decode times of a closed GOP, counted with the delay: the i-th smallest presentation time, but at
 * most the sample's own + delay_ts, and at least a tick before the next. times: count of them.
 * False: the delay is too small for the pictures' order. */
bool gm_fmp4_decode_times(const struct gm_fmp4_sample *samples, size_t count, int64_t delay_ts,
                          int64_t *times) GM_MUST_CHECK;
/* Appends one moof+mdat.
 *
 * delay_ts: video: what the init segment was given; as many ticks as pictures move places, at
 * least; sound: GM_FMP4_SOUND sequence: of mfhd; rises through a segment and from segment to
 * segment (16 are kept for each) samples:  one closed GOP (video; first is sync, lowest pts) or a
 * run of audio frames end_ts:   where the last sample (by pts) ends out_gop:  may be NULL; its
 * offset counts from the buffer's start Errors:   INVAL, NOMEM */
#define GM_FMP4_SOUND (-1)
int gm_fmp4_fragment(uint32_t sequence, int64_t delay_ts, const struct gm_fmp4_sample *samples,
                     size_t count, int64_t end_ts, struct gm_buf *out, Gm__GopMeta *out_gop,
                     struct gm_err *err) GM_MUST_CHECK;
/* styp that opens a media segment. */
void gm_fmp4_segment_start(struct gm_buf *out);
/* Reading back what we wrote, trusting nothing. fn is called for every sample in order; non-zero
 * stops. */
struct gm_fmp4_read_sample {
    uint32_t fragment;
    uint64_t offset;
    uint32_t size;
    int64_t dts, pts;  /* the delay is taken out of pts */
    uint32_t delay_ts; /* composition offset of the fragment's first sample */
    uint32_t duration;
    bool sync;
};
int gm_fmp4_read_segment(const uint8_t *data, size_t size,
                         int (*fn)(const struct gm_fmp4_read_sample *sample, void *arg), void *arg,
                         struct gm_err *err) GM_MUST_CHECK;
/* Checks the box structure of an init segment and gives what verify compares: the codec's
 * configuration, or the esds body (borrowed). */
struct gm_fmp4_init {
    bool video;
    const struct gm_bitstream *codec; /* video; else NULL */
    uint32_t timescale;
    uint32_t width_px, height_px;
    const uint8_t *config;
    size_t config_size;
};
int gm_fmp4_read_init(const uint8_t *data, size_t size, struct gm_fmp4_init *out,
                      struct gm_err *err) GM_MUST_CHECK;

#endif
