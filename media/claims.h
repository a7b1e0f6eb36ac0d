#ifndef GM_MEDIA_CLAIMS_H
#define GM_MEDIA_CLAIMS_H

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

/* How much shorter the programme is than the headers say, µs; 0 when it is not, by more than
 * GM_CLAIMS_SLACK_US or one part in GM_CLAIMS_SLACK_PART of what they say, or when nothing credible
 * is said: durations that libavformat only estimated, and those at which the whole file would have
 * less than GM_CLAIMS_LEAST_BPS. header_us: of media/claims_header.h; where it is above 0 it goes
 * before libavformat's. Of AVI the frames count that the stream headers tell. start_us, end_us: the
 * span of all video and sound that was read. */
#define GM_CLAIMS_LEAST_BPS 1000
#define GM_CLAIMS_SLACK_PART 4
int64_t gm_claims_short_us(const AVFormatContext *format, int64_t header_us, int64_t file_size,
                           int64_t start_us, int64_t end_us);
/* Both together. An index that was made while the file was read, as of AVI and FLV, knows no more
 * than the packet that was cut, whatever the header says: below GM_CLAIMS_SLACK_US it gives way to
 * the header. */
int64_t gm_claims_lost_us(int64_t outside_us, int64_t short_us);

#endif
