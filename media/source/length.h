#ifndef GM_MEDIA_SOURCE_LENGTH_H
#define GM_MEDIA_SOURCE_LENGTH_H

#include "media/av.h"
#include "media/task_io.h"

/* How long a source is that was read in parts. A header's word alone is none: durations of all ones
 * and clocks that start anew claim days. Pure. */
struct gm_length {
    int64_t told_us;    /* by the header, or by libavformat of both ends; 0 or less: nothing */
    int64_t span_us;    /* where the packets read end, from programme zero; 0 or less: unknown */
    int64_t indexed_us; /* gm_length_indexed_us, from programme zero */
    int64_t head_us;    /* span_us when the first part was read */
    int64_t head_bytes; /* and where in the file that was; 0: unknown */
    int64_t size_bytes; /* of the file */
    bool to_end;        /* reading came to the end of the file */
    bool restarts; /* the clock may start anew (AVFMT_TS_DISCONT): spans over gaps are nothing */
    int64_t begin_bytes; /* where the first packet lies, behind headers, covers and indexes */
    bool open;           /* nobody told of the whole: told_us is of what was read */
};

/* A file may have so many times the head's bytes a second, on average. */
#define GM_LENGTH_UNEVEN 4

/* The length to reckon with, µs, 0 or more. out_sure_us: what it lasts at least, by what was read
 * or by two witnesses: a claim, and the head's share of the file's bytes. */
int64_t gm_length_guess(const struct gm_length *length, int64_t *out_sure_us);

/* Source time of the last packet inside the file that the indexes of video and sound tell of, µs;
 * INT64_MIN: of none. */
int64_t gm_length_indexed_us(AVFormatContext *format, int64_t file_size);

/* The longest programme that the job's pipeline takes (inspect's max_duration_s), s. */
uint64_t gm_length_limit_s(const Gm__TaskSpec *spec);

#endif
