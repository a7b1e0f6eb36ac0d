#ifndef GM_MEDIA_SOURCE_CLAIMS_H
#define GM_MEDIA_SOURCE_CLAIMS_H

#include "media/av.h"

/* What a source's headers promise of its length, against what the file holds. Sources are cut off
 * by uploads that broke and recorders that lost power; libavformat ends such a file like a whole
 * one. Pure. */

#define GM_CLAIMS_SLACK_US 1000000

/* Programme time that the container's index places behind the end of the file, µs: from the first
 * packet of a video or sound stream that lies there, even in part, to the last one's start, at
 * least 1; 0: all is there, or the container has no index. */
int64_t gm_claims_outside_us(AVFormatContext *format, int64_t file_size);

/* The same of each stream that is read, where they differ by more than GM_CLAIMS_SLACK_US:
 * " (stream 0: 0.000 s, stream 1: 2.500 s)", of as many as there is room for. "": they don't. */
#define GM_CLAIMS_TEXT 128
void gm_claims_tell_streams(AVFormatContext *format, int64_t file_size, char out[GM_CLAIMS_TEXT]);

/* A stream of video or sound by its packets, in ticks of its own. */
struct gm_claims_track {
    unsigned packets;          /* 0, 1, or 2 for more */
    int64_t end;               /* the latest end told */
    int64_t ts, length;        /* of the one shown last; length 0: it says none */
    int64_t before_ts, before; /* the same of the one shown before it */
};
/* The span of video and sound by the packets read, and the end of subtitles. All-zero is valid. */
#define GM_CLAIMS_STREAMS 1024 /* that are looked at; libavformat stops at 1000 */
struct gm_claims_span {
    bool any;
    int64_t end_us; /* the latest end, source time; INT64_MIN..INT64_MAX */
    bool has_text;
    int64_t text_end_us; /* of subtitles, that may go on after all else; where has_text */
    struct gm_claims_track tracks[GM_CLAIMS_STREAMS];
};
/* Whether the packet is a place in the file that was never written, as in one that was made as long
 * as it should be before it was filled: zeros alone, of a codec that has no such packets. */
bool gm_claims_is_unwritten(const AVStream *stream, const AVPacket *packet);
/* The next packet of a stream. Those that were never written, have no time or are not to be shown
 * don't count. */
void gm_claims_note(struct gm_claims_span *span, const AVStream *stream, const AVPacket *packet);

/* What the file itself tells (media/source/claims_header.h). */
struct gm_claims_file {
    int64_t size;      /* bytes that there are */
    int64_t header_us; /* how long the header says that the programme is; 0: nothing */
    bool cut;          /* the header says that the file is longer, by more than its index */
};

/* How much shorter the programme is than the headers say, µs; 0 when it is not, by more than
 * GM_CLAIMS_SLACK_US or one part in GM_CLAIMS_SLACK_PART of what they say; or when a stream may
 * last until then: its last packet says no length, or the one before it said less than it took, and
 * lasts as long as that and one part in GM_CLAIMS_SLACK_PART (of a file that is cut this counts of
 * the stream that ends last alone); or when nothing credible is said: durations that libavformat
 * only estimated, those of all ones (ISO/IEC 14496-12, 8.4.2.3), and those at which the whole file
 * would have less than GM_CLAIMS_LEAST_BPS, and those that are where the subtitles end.
 * file->header_us goes before libavformat's where it is above 0. Of AVI the frames count that the
 * stream headers tell. start_us: where the programme begins. */
#define GM_CLAIMS_LEAST_BPS 1000
#define GM_CLAIMS_SLACK_PART 4
int64_t gm_claims_short_us(const AVFormatContext *format, const struct gm_claims_file *file,
                           int64_t start_us, const struct gm_claims_span *span);
/* Whether all video and sound is read (AVStream.discard): what headers say is of the longest, be it
 * read or not, unless the file is cut (media/source/claims_header.h). */
bool gm_claims_all_read(const AVFormatContext *format);
/* Both together. An index that was made while the file was read, as of AVI and FLV, knows no more
 * than the packet that was cut, whatever the header says: below GM_CLAIMS_SLACK_US it gives way to
 * the header. */
int64_t gm_claims_lost_us(int64_t outside_us, int64_t short_us);

#endif
