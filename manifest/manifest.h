#ifndef GM_MANIFEST_MANIFEST_H
#define GM_MANIFEST_MANIFEST_H

#include "common/buf.h"
#include "media.pb-c.h"

/* What HLS and DASH are written from: one view of a publication, which is finished or grows. Pure;
 * all pointers are borrowed. */

/* Code points of ISO/IEC 23091-2, which are libavutil's values. */
struct gm_manifest_colour {
    int primaries, transfer, matrix; /* 2: not specified */
};
#define GM_MANIFEST_PQ 16  /* transfers: SMPTE ST 2084 */
#define GM_MANIFEST_HLG 18 /* ARIB STD-B67 */
struct gm_manifest_track {
    const char *name;      /* "720p", "a0" */
    const char *init_name; /* file name */
    const char *codecs;    /* RFC 6381 */
    uint32_t timescale;    /* of the segments' times */
    bool is_dated; /* tracks begin apart: the HLS playlist says when by a date, see gm_hls_media */
    Gm__SegmentMeta **segments;
    size_t count; /* at least 1; times continuous */
    /* video */
    uint32_t width_px, height_px;
    struct gm_manifest_colour colour;
    bool captions;        /* it carries gm_manifest.captions */
    int64_t declared_bps; /* said instead of what was measured; 0: measured */
    /* audio */
    const char *language; /* ISO 639-2; "und" or empty: unknown */
    const char *title;    /* may be empty */
    bool is_default;
    uint32_t channels, sample_rate;
    uint32_t priming_samples; /* in front of the first segment's start_ts; taken out by an edit */
    /* text */
    const char *whole_name; /* file with all cues */
    bool forced, hearing_impaired;
};
/* Sprite sheets, as `thumbnails` made them; they lie in images/ under the names that
 * media/images/sheets.h gives. */
struct gm_manifest_images {
    const Gm__SheetsReport *sheets; /* at least one; a known format */
    Gm__NamedFile **files;          /* what sheets->files counts in */
    const char *mime, *codec, *ext; /* of their format: "image/jpeg" "jpeg" "jpg" */
};
/* What is said of a publication that grows: of each track a prefix is there, and more will come.
 * Its text alternatives to HLS, its images and I-frames are not named before the end.
 */
struct gm_manifest_growth {
    int64_t target_s;          /* in the place of gm_manifest_target_s: no segment will be longer */
    int64_t available_unix_ms; /* since then all segments that are named are there: no later than
                                  now less the programme's length, and the same in each version */
    int64_t written_unix_ms;
    const char *mark; /* a line that says whose it is, see gm_manifest_mark */
};
struct gm_manifest {
    const char *prefix;                    /* "v/<publication>/": before every path */
    const struct gm_manifest_track *video; /* best first */
    size_t videos;                         /* 0: sound alone */
    const struct gm_manifest_track *audio;
    size_t audios;                        /* at least 1 without a video */
    const struct gm_manifest_track *text; /* the video's segments; is_default: at most one */
    size_t texts;
    const char *const *captions; /* services in the pictures: "CC1", "CC3", "SERVICE1" */
    size_t captions_count;
    const struct gm_manifest_images *images; /* NULL: none */
    int64_t rate_num, rate_den;              /* constant frame rate, or the highest; 0/1: measure */
    const struct gm_manifest_growth *growth; /* NULL: it is finished */
};
struct gm_manifest_rate {
    uint64_t bytes;      /* of the segments */
    int64_t average_bps; /* rounded up */
    int64_t peak_bps;    /* highest over runs of segments of 0.5 to 1.5 target durations */
};

/* Of the four names that a rendition carries (libavutil's); unknown ones are not specified. */
struct gm_manifest_colour gm_manifest_colour_of(const Gm__Rendition *rendition);
/* What the playlist and the manifest of a job that grow say in a comment, so that whoever finds one
 * knows whose it is: those of finished publications have none. */
#define GM_MANIFEST_MARK_SIZE 96
void gm_manifest_mark(const char *job_id, char out[GM_MANIFEST_MARK_SIZE]);
/* Whether a text has the mark of any job. */
bool gm_manifest_is_marked(const char *text, size_t size);
/* PQ or HLG. */
bool gm_manifest_is_hdr(struct gm_manifest_colour colour);
/* Whether tracks of m begin 1 ms or more apart: then all of them are to be is_dated. */
bool gm_manifest_begins_apart(const struct gm_manifest *m);
/* What a playlist says of a track's i-th segment, in whole seconds, rounded to the nearest. */
int64_t gm_manifest_segment_s(const struct gm_manifest_track *t, size_t i);
/* The longest segment of all tracks in whole seconds, rounded to the nearest, at least 1: the
 * target duration of every playlist. Source: RFC 8216 4.3.3.1. */
int64_t gm_manifest_target_s(const struct gm_manifest *m);
/* Source of peak_bps: RFC 8216 4.3.4.2. */
struct gm_manifest_rate gm_manifest_measure(const struct gm_manifest_track *t, int64_t target_s);
/* The same of the I-frames alone. */
struct gm_manifest_rate gm_manifest_measure_iframes(const struct gm_manifest_track *t,
                                                    int64_t target_s);
/* Frames a second as a fraction: the constant rate, else the highest of any segment. */
void gm_manifest_frame_rate(const struct gm_manifest *m, int64_t *out_num, int64_t *out_den);
/* The track that plays unless the viewer chooses: the first that says so, else the first. */
size_t gm_manifest_default_audio(const struct gm_manifest *m);

#endif
