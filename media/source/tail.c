#include "media/source/tail.h"

#include <string.h>

#define ENTRIES_MIN                                                                                \
    2 /* of the index: with one the demuxer of Matroska looks for more in the file */

static int choose(const AVFormatContext *format, int stream)
{
    for (unsigned i = 0; stream < 0 && i < format->nb_streams; i++) {
        if (format->streams[i]->discard < AVDISCARD_ALL) {
            stream = (int)i;
        }
    }
    return stream;
}

/* Matroska's index lies anywhere, and is read at the first seek. */
static void load_index(AVFormatContext *format, int stream)
{
    AVStream *st = format->streams[stream];
    if (strncmp(format->iformat->name, "matroska", 8) == 0 &&
        avformat_index_get_entries_count(st) >= ENTRIES_MIN) {
        const AVIndexEntry *first = avformat_index_get_entry(st, 0);
        (void)av_seek_frame(format, stream, first->timestamp, AVSEEK_FLAG_BACKWARD);
    }
}

bool gm_tail_seek(AVFormatContext *format, int stream, int64_t file_size)
{
    int64_t from = file_size > GM_TAIL_BYTES ? file_size - GM_TAIL_BYTES : 0;
    if ((format->iformat->flags & AVFMT_TS_DISCONT) != 0) {
        return (format->iformat->flags & AVFMT_NO_BYTE_SEEK) == 0 &&
               av_seek_frame(format, -1, from, AVSEEK_FLAG_BYTE) >= 0;
    }
    stream = choose(format, stream);
    if (stream < 0) {
        return false;
    }
    load_index(format, stream);
    AVStream *st = format->streams[stream];
    const AVIndexEntry *found = NULL;
    for (int i = avformat_index_get_entries_count(st) - 1; i > 0; i--) {
        const AVIndexEntry *e = avformat_index_get_entry(st, i);
        if (e->pos < from) {
            break;
        }
        found = (e->flags & AVINDEX_KEYFRAME) != 0 && e->pos < file_size ? e : found;
    }
    return found != NULL && av_seek_frame(format, stream, found->timestamp, 0) >= 0;
}
