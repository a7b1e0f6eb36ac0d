#include "media/source/keyframes.h"

struct finder {
    AVFormatContext *format; /* borrowed */
    AVStream *video;         /* borrowed */
    int64_t size;
    int64_t apart;
    int64_t last; /* told */
    gm_keyframes_fn fn;
    void *arg;
};

static int tell(struct finder *f, int64_t offset, struct gm_err *err)
{
    if (offset >= f->size || offset - f->last < f->apart) {
        return 0;
    }
    f->last = offset;
    return f->fn((uint64_t)offset, f->arg, err);
}

/* It goes beyond the middle: one that was made of what was read so far does not. */
static bool has_index(const struct finder *f)
{
    int n = avformat_index_get_entries_count(f->video);
    const AVIndexEntry *last = n < 2 ? NULL : avformat_index_get_entry(f->video, n - 1);
    return last != NULL && last->pos > f->size / 2;
}

static int tell_index(struct finder *f, struct gm_err *err)
{
    int n = avformat_index_get_entries_count(f->video), rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(f->video, i);
        if (entry != NULL && (entry->flags & AVINDEX_KEYFRAME) != 0) {
            rc = tell(f, entry->pos, err);
        }
    }
    return rc;
}

static int tell_packets(struct finder *f, struct gm_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int rc = packet == NULL ? gm_err_nomem(err) : 0;
    while (rc == 0) {
        int av = gm_source_read(f->format, packet);
        if (av < 0) {
            rc = av == AVERROR(ENOMEM) ? gm_err_nomem(err) : 0; /* what follows is not cut there */
            break;
        }
        if (packet->stream_index == f->video->index && (packet->flags & AV_PKT_FLAG_KEY) != 0) {
            rc = tell(f, packet->pos, err);
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return rc;
}

/* Some demuxers read their index when somebody seeks. */
static void seek_middle(const struct finder *f)
{
    int64_t length = f->format->duration > 0 ? f->format->duration / 2 : INT64_MAX / 4;
    (void)av_seek_frame(f->format, -1, length, AVSEEK_FLAG_BACKWARD);
}

static int find(struct finder *f, struct gm_err *err)
{
    int video = av_find_best_stream(f->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (video < 0 || (f->format->streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) {
        return gm_err_set(err, GM_E_INPUT_NO_VIDEO, 0, "the input has no video stream");
    }
    f->video = f->format->streams[video];
    for (unsigned i = 0; i < f->format->nb_streams; i++) {
        f->format->streams[i]->discard = (int)i == video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    if (!has_index(f) && f->size <= GM_KEYFRAMES_SCAN) {
        return tell_packets(f, err);
    }
    if (!has_index(f)) {
        seek_middle(f);
    }
    return has_index(f) ? tell_index(f, err)
                        : gm_err_set(err, GM_E_INPUT_NO_INDEX, 0, "the input has no index");
}

int gm_keyframes_find(struct gm_source_file file, int64_t size, int64_t apart, gm_keyframes_fn fn,
                      void *arg, struct gm_err *err)
{
    struct gm_source source = {0};
    int rc = gm_source_open(file, "the input", true, &source, err);
    if (rc < 0) {
        return rc;
    }
    struct finder f = {.format = source.format, .size = size, .apart = apart, .fn = fn, .arg = arg};
    rc = find(&f, err);
    gm_source_close(&source);
    return rc;
}
