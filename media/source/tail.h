#ifndef GM_MEDIA_SOURCE_TAIL_H
#define GM_MEDIA_SOURCE_TAIL_H

#include "media/av.h"

/* What of a source is read to learn what it is, where the whole is too much. Who sends a source in
 * parts sends GM_TAIL_ENDS of its begin, then of its end, then the rest: what lies between is not
 * waited for. */
#define GM_TAIL_ENDS ((int64_t)8 << 20)  /* bytes */
#define GM_TAIL_BYTES ((int64_t)6 << 20) /* of the end that is looked through */

/* Moves a demuxer that has read the begin to within the last GM_TAIL_BYTES of the file, and reads
 * nothing between for it: by bytes where clocks may start anew, else by an index. stream: its index
 * counts; -1: that of the first which is not discarded. False: there is no such way; it is
 * somewhere then. */
bool gm_tail_seek(AVFormatContext *format, int stream, int64_t file_size);

#endif
