#ifndef GM_MEDIA_SOURCE_INSPECT_H
#define GM_MEDIA_SOURCE_INSPECT_H

#include <libavutil/mastering_display_metadata.h>

#include "common/hash.h"
#include "media/av.h"
#include "media/source/claims.h"
#include "media/source/fields.h"

/* Inside of the inspect task: the packet scan with its decoded samples, and what is concluded from
 * it. Not for other folders. */

/* A video packet as the demuxer gave it. */
struct gm_scan_packet {
    int64_t pts, dts; /* AV_NOPTS_VALUE where unknown */
    uint32_t flags;
};
/* Packets that were decoded together from a clean decoder on. */
struct gm_scan_window {
    size_t first, fed;   /* video packets [first, first + fed) */
    size_t shown, shows; /* scan.shown[shown, shown + shows): packets' ordinals in output order */
    size_t run_end;      /* packets up to here follow without a gap */
    bool drained;
    bool begun; /* its first packet was shown */
};
#define GM_SCAN_WINDOWS 4
#define GM_SCAN_NO_ID UINT64_MAX

/* First decoded picture: what headers left open. */
struct gm_scan_picture {
    bool have;
    int width_px, height_px, format;
    AVRational sample_aspect;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    enum AVColorRange range;
    enum AVChromaLocation chroma;
    bool has_matrix;
    int32_t display_matrix[9];
    int64_t first_ts; /* guessed time of the first frame shown */
};
/* What the sampled pictures carry about their colour besides tags. */
struct gm_scan_colour {
    bool has_mastering, has_light;
    AVMasteringDisplayMetadata mastering;
    AVContentLightMetadata light;
    bool dynamic;           /* HDR10+ */
    uint32_t dolby_profile; /* 0: none */
};
/* ts ticks of tb seconds; tb.den 0: unknown. */
struct gm_scan_time {
    int64_t ts;
    AVRational tb;
};
#define GM_SCAN_STREAMS GM_CLAIMS_STREAMS

struct gm_scan {
    AVFormatContext *format; /* borrowed */
    int video;               /* stream index; -1: sound alone */
    struct gm_scan_packet *packets;
    size_t count, cap;
    bool complete;       /* the file was read to its end */
    bool to_end;         /* its end was met, be it after gaps */
    bool has_head;       /* the next two are known */
    int64_t head_end_us; /* span.end_us when the first part was read */
    int64_t head_bytes;  /* where in the file that was */
    int64_t begin_bytes; /* where the first packet lies; 0: at the begin, or not told */
    int64_t read_errors; /* demuxer errors other than the end */
    int64_t gap_us;      /* missing inside of what was read whole (media/source/losses.h) */
    bool encrypted;
    bool in_place; /* packets seen lie verbatim in the file at their position */
    struct gm_scan_window windows[GM_SCAN_WINDOWS];
    size_t window_count;
    uint64_t *shown;
    size_t shown_count, shown_cap;
    int64_t decode_errors, corrupt_frames, corrupt_packets, interlaced_frames, top_first_frames,
        frames;
    bool captions; /* some pictures have any */
    struct gm_fields fields;
    struct gm_scan_picture picture;
    struct gm_scan_colour colour;
    AVRational decoder_rate;    /* as the bit stream says; 0/1: unknown */
    struct gm_scan_time *first; /* an audio stream: its first presentation time */
    struct gm_claims_span span; /* of the packets that are not discarded */
    uint8_t index_hash[GM_SHA256_SIZE];
};
/* format: opened; streams with discard set are not read. Whole when the file is at most
 * whole_bytes, else three windows; in_parts: its two ends. progress may be NULL. Errors:
 * INPUT_CODEC, MEDIA, NOMEM, SYS. */
struct gm_scan_params {
    AVFormatContext *format;
    struct gm_source_file file;
    int video_stream;
    int64_t file_size, whole_bytes, max_pixels;
    bool in_parts; /* nothing between the ends is to be read (media/source/tail.h) */
    void (*progress)(void *arg, uint64_t done);
    void *arg;
};
int gm_scan_run(const struct gm_scan_params *params, struct gm_scan *out,
                struct gm_err *err) GM_MUST_CHECK;
void gm_scan_fini(struct gm_scan *scan);
/* The same where only sound is wanted: times, hash and damage of the streams that are not
 * discarded; no packets, windows or pictures. video_stream and max_pixels are not looked at. */
int gm_scan_sound(const struct gm_scan_params *params, struct gm_scan *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* For the two scans: the first part is read. */
void gm_scan_note_head(struct gm_scan *scan);
/* For the two scans: notes the packet's stream's first time and end; adds to the index' hash. */
void gm_scan_note_time(struct gm_scan *scan, const AVPacket *packet);
void gm_scan_hash_packet(const struct gm_scan *scan, struct gm_sha256 *hash,
                         const AVPacket *packet);

/* May packet times name the frames? Fills mode and reason (a sentence part, static). */
void gm_scan_timeline(const struct gm_scan *scan, Gm__TimelineMode *out_mode,
                      const char **out_reason);
/* Frame rate: true and the rate when every time seen lies exactly on its grid. */
bool gm_scan_rate(const struct gm_scan *scan, Gm__TimelineMode mode, AVRational *out);
/* How many frames so many packets show: as many, unless the decoded ones hold one field of two.
 * Then packets' times are no frames' times either. */
int64_t gm_scan_guess_frames(const struct gm_scan *scan, int64_t packets);
/* Frames a second where they follow closest: at least `rate`, at most 1000. */
AVRational gm_scan_peak_rate(const struct gm_scan *scan, AVRational rate);
/* Longest distance of keyframes seen, µs. */
int64_t gm_scan_keyframe_interval(const struct gm_scan *scan);
/* Time of the first frame shown, in the video's time base; AV_NOPTS_VALUE: none. */
int64_t gm_scan_first_ts(const struct gm_scan *scan, Gm__TimelineMode mode);

/* Fills the messages from the stream and the scan. */
int gm_facts_video(const struct gm_scan *scan, Gm__TimelineMode mode, Gm__VideoFacts *out,
                   struct gm_err *err) GM_MUST_CHECK;
/* Narrows its picture to the part that the container shows, where that is said of pictures of its
 * size: to whole chroma samples, and to an even row, so that fields keep their places. Errors:
 * NOMEM, SYS. */
int gm_facts_crop(struct gm_source_file file, const AVFormatContext *format, Gm__VideoFacts *facts,
                  struct gm_err *err) GM_MUST_CHECK;
/* The colour part of it. */
int gm_facts_colour(const AVStream *stream, const struct gm_scan *scan, Gm__VideoFacts *out,
                    struct gm_err *err) GM_MUST_CHECK;
/* Adds what a decoded picture says. */
void gm_scan_note_colour(struct gm_scan_colour *colour, const AVFrame *picture);
/* Subtitles that something can be made of: as text, or drawn (TextFacts.bitmap). */
bool gm_facts_is_text(const AVStream *stream);
int gm_facts_text(const AVStream *stream, Gm__TextFacts *out, struct gm_err *err) GM_MUST_CHECK;
/* A QuickTime chapter track, whose text is in the container's chapters. */
bool gm_facts_is_chapters(const AVFormatContext *format, const AVStream *stream);
/* The container's chapters in programme time, by start, clipped to each other and to the programme,
 * or, where facts say that not all was read, to most_us: an estimate cuts nothing off. facts: zero,
 * duration_us and read_whole are filled. */
#define GM_FACTS_CHAPTERS 1000
int gm_facts_chapters(const AVFormatContext *format, int64_t most_us, Gm__Inspection *facts,
                      struct gm_err *err) GM_MUST_CHECK;
/* The stream's language (media/language.h). Errors: NOMEM. */
int gm_facts_language(const AVStream *stream, char **field, struct gm_err *err) GM_MUST_CHECK;
/* A tag's text, cleaned and cut at 200 bytes; NULL: "". */
int gm_facts_string(char **field, const char *value, struct gm_err *err) GM_MUST_CHECK;
int gm_facts_audio(const AVStream *stream, const struct gm_scan *scan, Gm__AudioFacts *out,
                   struct gm_err *err) GM_MUST_CHECK;

#endif
