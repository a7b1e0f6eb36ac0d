/* See mp4_write.h. */
#include "media/package/mp4_write.h"

#include <errno.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/audio/audio.h"
#include "media/av.h"
#include "media/format/bitstream.h"
#include "media/text/tx3g.h"

#define IO_BUFFER (256 * 1024)

/* One view of the file: the muxer's own, or the one it moves the samples back with. */
struct view {
    int fd;
    int64_t at;
    void (*tick)(void *arg);
    void *arg;
};
struct gm_mp4_writer {
    AVFormatContext *format; /* owned */
    AVPacket *packet;        /* owned */
    struct view view;
    bool begun;
};

static int view_read(void *opaque, uint8_t *buf, int size)
{
    struct view *v = opaque;
    ssize_t n = pread(v->fd, buf, (size_t)size, v->at);
    if (n < 0) {
        return AVERROR(errno);
    }
    v->at += n;
    return n == 0 ? AVERROR_EOF : (int)n;
}

static int view_write(void *opaque, uint8_t *buf, int size)
{
    struct view *v = opaque;
    for (int done = 0; done < size;) {
        ssize_t n = pwrite(v->fd, buf + done, (size_t)(size - done), v->at);
        if (n < 0 && errno != EINTR) {
            return AVERROR(errno);
        }
        done += n > 0 ? (int)n : 0;
        v->at += n > 0 ? n : 0;
    }
    v->tick(v->arg);
    return size;
}

static int64_t view_seek(void *opaque, int64_t offset, int whence)
{
    struct view *v = opaque;
    struct stat st;
    if (fstat(v->fd, &st) < 0) {
        return AVERROR(errno);
    }
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return st.st_size;
    case SEEK_CUR:
        offset += v->at;
        break;
    case SEEK_END:
        offset += st.st_size;
        break;
    default:
        break;
    }
    if (offset < 0) {
        return AVERROR(EINVAL);
    }
    v->at = offset;
    return offset;
}

static AVIOContext *open_view(struct view *view, bool write)
{
    uint8_t *buffer = av_malloc(IO_BUFFER);
    if (buffer == NULL) {
        return NULL;
    }
    AVIOContext *io =
        avio_alloc_context(buffer, IO_BUFFER, write, view, view_read, view_write, view_seek);
    if (io == NULL) {
        av_free(buffer);
    }
    return io;
}

static void close_view(AVIOContext **io)
{
    if (*io != NULL) {
        av_freep(&(*io)->buffer);
        avio_context_free(io);
    }
}

/* The muxer reads its own file once, to move the samples behind the moov. Anything else is
 * refused. */
static int open_again(AVFormatContext *format, AVIOContext **out, const char *url, int flags,
                      AVDictionary **options)
{
    const struct gm_mp4_writer *w = format->opaque;
    (void)url;
    (void)options;
    if (flags & AVIO_FLAG_WRITE) {
        return AVERROR(EPERM);
    }
    struct view *view = av_mallocz(sizeof(*view));
    if (view == NULL) {
        return AVERROR(ENOMEM);
    }
    view->fd = w->view.fd;
    *out = open_view(view, false);
    if (*out == NULL) {
        av_free(view);
        return AVERROR(ENOMEM);
    }
    return 0;
}

static int close_again(AVFormatContext *format, AVIOContext *io)
{
    (void)format;
    av_free(io->opaque);
    close_view(&io);
    return 0;
}

int gm_mp4_writer_open(int fd, void (*tick)(void *arg), void *arg, struct gm_mp4_writer **out,
                       struct gm_err *err)
{
    struct gm_mp4_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    w->view.fd = fd;
    w->view.tick = tick;
    w->view.arg = arg;
    w->packet = av_packet_alloc();
    int rc = avformat_alloc_output_context2(&w->format, NULL, "mp4", NULL);
    if (rc < 0 || w->packet == NULL || (w->format->pb = open_view(&w->view, true)) == NULL ||
        (w->format->url = av_strdup("out.mp4")) == NULL) {
        gm_mp4_writer_close(&w);
        return rc < 0 ? gm_err_av(err, GM_E_MEDIA, rc, "the MP4 muxer did not open")
                      : gm_err_nomem(err);
    }
    w->format->opaque = w;
    w->format->io_open = open_again;
    w->format->io_close2 = close_again;
    w->format->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    *out = w;
    return 0;
}

void gm_mp4_writer_close(struct gm_mp4_writer **w)
{
    if (*w == NULL) {
        return;
    }
    if ((*w)->format != NULL) {
        close_view(&(*w)->format->pb);
        avformat_free_context((*w)->format);
    }
    av_packet_free(&(*w)->packet);
    free(*w);
    *w = NULL;
}

static int add_stream(struct gm_mp4_writer *w, const uint8_t *config, size_t config_size,
                      int timescale, AVStream **out, struct gm_err *err)
{
    AVStream *stream = avformat_new_stream(w->format, NULL);
    if (stream == NULL || config_size > 65536) {
        return gm_err_nomem(err);
    }
    stream->time_base = (AVRational){1, timescale};
    int rc = gm_av_set_extradata(stream->codecpar, config, config_size, err);
    if (rc < 0) {
        return rc;
    }
    *out = stream;
    return 0;
}

static int add_light(AVStream *stream, const Gm__VideoFacts *facts, struct gm_err *err)
{
    const Gm__MasteringDisplay *m = facts->mastering;
    size_t size = 0;
    if (m != NULL && m->n_primaries == 6) {
        AVMasteringDisplayMetadata *to = av_mastering_display_metadata_alloc();
        if (to == NULL) {
            return gm_err_nomem(err);
        }
        for (int i = 0; i < 3; i++) { /* ours: green, blue, red; theirs: red, green, blue */
            const uint32_t *from = &m->primaries[i == 0 ? 4 : 2 * (i - 1)];
            to->display_primaries[i][0] = (AVRational){(int)from[0], 50000};
            to->display_primaries[i][1] = (AVRational){(int)from[1], 50000};
        }
        to->white_point[0] = (AVRational){(int)m->white_x, 50000};
        to->white_point[1] = (AVRational){(int)m->white_y, 50000};
        to->max_luminance = (AVRational){(int)m->max_luminance, 10000};
        to->min_luminance = (AVRational){(int)m->min_luminance, 10000};
        to->has_primaries = to->has_luminance = 1;
        if (av_stream_add_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, (uint8_t *)to,
                                    sizeof *to) < 0) {
            av_free(to);
            return gm_err_nomem(err);
        }
    }
    if (facts->light != NULL) {
        AVContentLightMetadata *light = av_content_light_metadata_alloc(&size);
        if (light == NULL) {
            return gm_err_nomem(err);
        }
        light->MaxCLL = facts->light->max_cll;
        light->MaxFALL = facts->light->max_fall;
        if (av_stream_add_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, (uint8_t *)light,
                                    size) < 0) {
            av_free(light);
            return gm_err_nomem(err);
        }
    }
    return 0;
}

int gm_mp4_writer_add_video(struct gm_mp4_writer *w, const struct gm_mp4_video *video,
                            struct gm_err *err)
{
    AVStream *stream = NULL;
    int rc = add_stream(w, video->config, video->config_size, (int)video->timescale, &stream, err);
    if (rc < 0) {
        return rc;
    }
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = video->codec->id;
    /* the sample entry of the segments: hvc1, not the muxer's own hev1 */
    par->codec_tag = MKTAG(video->codec->entry[0], video->codec->entry[1], video->codec->entry[2],
                           video->codec->entry[3]);
    par->width = (int)video->width_px;
    par->height = (int)video->height_px;
    par->sample_aspect_ratio = stream->sample_aspect_ratio = (AVRational){1, 1};
    if (video->rate.num > 0) {
        stream->avg_frame_rate = video->rate;
    }
    int primaries = av_color_primaries_from_name(video->rendition->primaries);
    int transfer = av_color_transfer_from_name(video->rendition->transfer);
    int matrix = av_color_space_from_name(video->rendition->matrix);
    par->color_primaries = primaries > 0 ? primaries : AVCOL_PRI_UNSPECIFIED;
    par->color_trc = transfer > 0 ? transfer : AVCOL_TRC_UNSPECIFIED;
    par->color_space = matrix > 0 ? matrix : AVCOL_SPC_UNSPECIFIED;
    par->color_range = AVCOL_RANGE_MPEG;
    par->format = av_get_pix_fmt(video->rendition->pixel_format);
    if (gm_bitstream_is_hdr(video->rendition)) {
        rc = add_light(stream, video->facts, err);
    }
    stream->disposition = AV_DISPOSITION_DEFAULT;
    return rc;
}

int gm_mp4_writer_add_audio(struct gm_mp4_writer *w, const Gm__AudioTrack *track,
                            struct gm_err *err)
{
    AVStream *stream = NULL;
    int rc = add_stream(w, track->extradata.data, track->extradata.len,
                        (int)track->params->sample_rate, &stream, err);
    if (rc < 0) {
        return rc;
    }
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = gm_audio_codec_id(track->params);
    par->sample_rate = (int)track->params->sample_rate;
    par->bit_rate = track->params->bitrate_bps;
    par->frame_size = (int)gm_audio_frame_samples(track->params);
    par->initial_padding = (int)track->priming_samples;
    gm_audio_layout(track->params, &par->ch_layout);
    stream->disposition = track->is_default ? AV_DISPOSITION_DEFAULT : 0;
    if (strlen(track->language) == 3 &&
        av_dict_set(&stream->metadata, "language", track->language, 0) < 0) {
        return gm_err_nomem(err);
    }
    return 0;
}

int gm_mp4_writer_add_text(struct gm_mp4_writer *w, const Gm__TextTrack *track, struct gm_err *err)
{
    AVStream *stream = NULL;
    struct gm_buf entry = {0};
    gm_tx3g_entry(&entry, track->forced);
    int rc = gm_buf_check(&entry, err);
    if (rc < 0) {
        gm_buf_fini(&entry);
        return rc;
    }
    rc = add_stream(w, entry.data, entry.size, GM_TX3G_TIMESCALE, &stream, err);
    gm_buf_fini(&entry);
    if (rc < 0) {
        return rc;
    }
    stream->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    stream->codecpar->codec_id = AV_CODEC_ID_MOV_TEXT;
    stream->disposition = (track->is_default ? AV_DISPOSITION_DEFAULT : 0) |
                          (track->forced ? AV_DISPOSITION_FORCED : 0) |
                          (track->hearing_impaired ? AV_DISPOSITION_HEARING_IMPAIRED : 0);
    if ((strlen(track->language) == 3 &&
         av_dict_set(&stream->metadata, "language", track->language, 0) < 0) ||
        (track->title[0] != '\0' &&
         av_dict_set(&stream->metadata, "handler_name", track->title, 0) < 0)) {
        return gm_err_nomem(err);
    }
    return 0;
}

int gm_mp4_writer_set_chapters(struct gm_mp4_writer *w, Gm__Chapter *const *chapters, size_t count,
                               struct gm_err *err)
{
    AVFormatContext *format = w->format;
    for (size_t i = 0; i < count; i++) {
        char number[32];
        AVChapter *c = av_mallocz(sizeof(*c));
        if (c == NULL ||
            av_dynarray_add_nofree(&format->chapters, (int *)&format->nb_chapters, c) < 0) {
            av_free(c);
            return gm_err_nomem(err);
        }
        c->id = (int64_t)i + 1;
        c->time_base = (AVRational){1, 1000000};
        c->start = chapters[i]->start_us;
        c->end = chapters[i]->end_us;
        (void)snprintf(number, sizeof(number), "Chapter %zu", i + 1);
        const char *title = chapters[i]->title[0] != '\0' ? chapters[i]->title : number;
        if (av_dict_set(&c->metadata, "title", title, 0) < 0) {
            return gm_err_nomem(err);
        }
    }
    return 0;
}

int gm_mp4_writer_begin(struct gm_mp4_writer *w, struct gm_err *err)
{
    AVDictionary *options = NULL;
    char scale[16];
    (void)snprintf(scale, sizeof(scale), "%d", w->format->streams[0]->time_base.den);
    int rc = av_dict_set(&options, "movflags", "+faststart", 0);
    if (rc >= 0) {
        rc = av_dict_set(&options, "video_track_timescale", scale, 0);
    }
    if (rc >= 0) {
        rc = avformat_write_header(w->format, &options);
    }
    av_dict_free(&options);
    if (rc < 0) {
        return gm_err_av(err, GM_E_MEDIA, rc, "the MP4 muxer refused its tracks");
    }
    w->begun = true;
    return 0;
}

int gm_mp4_writer_sample(struct gm_mp4_writer *w, size_t track, const struct gm_mp4_sample *sample,
                         struct gm_err *err)
{
    GM_ASSERT(w->begun && track < w->format->nb_streams);
    AVPacket *p = w->packet;
    av_packet_unref(p);
    if (sample->size > INT32_MAX / 2 || av_new_packet(p, (int)sample->size) < 0) {
        return gm_err_nomem(err);
    }
    memcpy(p->data, sample->data, sample->size);
    p->stream_index = (int)track;
    p->pts = sample->pts;
    p->dts = sample->dts;
    p->duration = sample->duration;
    p->flags = sample->sync ? AV_PKT_FLAG_KEY : 0;
    int rc = av_write_frame(w->format, p);
    if (rc >= 0 && w->format->pb->error < 0) {
        rc = w->format->pb->error;
    }
    return rc < 0 ? gm_err_av(err, GM_E_MEDIA, rc, "the MP4 muxer failed") : 0;
}

int gm_mp4_writer_end(struct gm_mp4_writer *w, struct gm_err *err)
{
    int rc = av_write_trailer(w->format);
    avio_flush(w->format->pb);
    if (rc >= 0 && w->format->pb->error < 0) {
        rc = w->format->pb->error;
    }
    return rc < 0 ? gm_err_av(err, GM_E_MEDIA, rc, "the MP4 muxer failed at the end") : 0;
}
