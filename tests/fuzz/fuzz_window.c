#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "media/source/window.h"

/* Any bytes as an MP4 or a Matroska file, as the first one says: a part that is found lies within
 * the picture. */

static int64_t seek(void *arg, int64_t offset, int whence)
{
    (void)offset;
    return whence == AVSEEK_SIZE ? *(int64_t *)arg : AVERROR(ENOSYS);
}

static AVFormatContext *open_format(int64_t *file_size, bool matroska)
{
    AVFormatContext *format = avformat_alloc_context();
    GM_ASSERT(format != NULL);
    format->iformat = av_find_input_format(matroska ? "matroska" : "mov");
    format->pb = avio_alloc_context(NULL, 0, 0, file_size, NULL, NULL, seek);
    AVStream *stream = avformat_new_stream(format, NULL);
    GM_ASSERT(format->iformat != NULL && format->pb != NULL && stream != NULL);
    stream->id = 1;
    stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    return format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    int64_t file_size = (int64_t)size - 1;
    int fd = memfd_create("window", MFD_CLOEXEC);
    AVFormatContext *format = open_format(&file_size, (data[0] & 1) != 0);
    struct gm_window w;
    struct gm_err err;
    bool found;
    GM_ASSERT(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
    GM_ASSERT(gm_window_find(gm_source_plain(fd), format, 0, &w, &found, &err) == 0);
    GM_ASSERT(!found || (w.x >= 0 && w.y >= 0 && w.width > 0 && w.height > 0 &&
                         w.width <= w.whole_width - w.x && w.height <= w.whole_height - w.y));
    avio_context_free(&format->pb);
    format->iformat = NULL;
    avformat_free_context(format);
    (void)close(fd);
    return 0;
}
