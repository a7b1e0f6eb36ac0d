#include "media/source_io.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOUND_RATE 48000

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "source_io: %s\n", what);
        abort();
    }
}

struct source {
    const struct source_params *p;
    AVFormatContext *format;
    AVCodecContext *video;
    AVPacket *packet;
    int64_t sound_done; /* samples */
    int first_text;     /* stream */
    int boxes;          /* stream */
    size_t boxes_done;
};

static void open_video(struct source *c)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    AVStream *stream = avformat_new_stream(c->format, NULL);
    c->video = avcodec_alloc_context3(codec);
    check(codec != NULL && stream != NULL && c->video != NULL, "video");
    c->video->width = c->p->width_px;
    c->video->height = c->p->height_px;
    c->video->pix_fmt = AV_PIX_FMT_YUV420P;
    c->video->time_base = (AVRational){c->p->rate_den, c->p->rate_num};
    c->video->framerate = (AVRational){c->p->rate_num, c->p->rate_den};
    c->video->gop_size = 10;
    c->video->thread_count = 1;
    c->video->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    check(avcodec_open2(c->video, codec, NULL) == 0, "video encoder");
    check(avcodec_parameters_from_context(stream->codecpar, c->video) >= 0, "video stream");
    stream->time_base = c->video->time_base;
    stream->avg_frame_rate = c->video->framerate;
}

static void open_sound(struct source *c)
{
    AVStream *stream = avformat_new_stream(c->format, NULL);
    check(stream != NULL, "sound");
    stream->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    stream->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
    stream->codecpar->format = AV_SAMPLE_FMT_S16;
    stream->codecpar->sample_rate = SOUND_RATE;
    stream->codecpar->block_align = 2;
    stream->codecpar->bits_per_coded_sample = 16;
    av_channel_layout_default(&stream->codecpar->ch_layout, 1);
    stream->time_base = (AVRational){1, SOUND_RATE};
    check(av_dict_set(&stream->metadata, "language", "eng", 0) >= 0, "language");
}

static void open_texts(struct source *c)
{
    static const char *const languages[] = {"eng", "ger"};
    c->first_text = (int)c->format->nb_streams;
    for (int i = 0; i < c->p->text_tracks; i++) {
        AVStream *stream = avformat_new_stream(c->format, NULL);
        check(stream != NULL, "text");
        stream->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
        stream->codecpar->codec_id = AV_CODEC_ID_SUBRIP;
        stream->time_base = (AVRational){1, 1000};
        stream->disposition = i == 0 ? AV_DISPOSITION_DEFAULT : AV_DISPOSITION_FORCED;
        check(i > 1 || av_dict_set(&stream->metadata, "language", languages[i], 0) >= 0, "tag");
    }
}

static void add_chapter(struct source *c, int64_t start, int64_t end, const char *title)
{
    AVChapter *chapter = av_mallocz(sizeof(*chapter));
    check(chapter != NULL && av_dynarray_add_nofree(&c->format->chapters,
                                                    (int *)&c->format->nb_chapters, chapter) >= 0,
          "chapter");
    chapter->id = start + 1;
    chapter->time_base = (AVRational){1, 1};
    chapter->start = start;
    chapter->end = end;
    check(av_dict_set(&chapter->metadata, "title", title, 0) >= 0, "title");
}

static void write_text(struct source *c, const struct source_text *text)
{
    size_t size = strlen(text->text);
    check(av_new_packet(c->packet, (int)size) == 0, "packet");
    memcpy(c->packet->data, text->text, size);
    c->packet->stream_index = c->first_text + text->track;
    c->packet->pts = c->packet->dts = text->start_ms;
    c->packet->duration = text->duration_ms;
    c->packet->flags = AV_PKT_FLAG_KEY;
    av_packet_rescale_ts(c->packet, (AVRational){1, 1000},
                         c->format->streams[c->first_text + text->track]->time_base);
    check(av_write_frame(c->format, c->packet) == 0, "write");
    av_packet_unref(c->packet);
}

static void write_texts(struct source *c)
{
    for (size_t i = 0; i < c->p->text_count; i++) {
        write_text(c, &c->p->texts[i]);
    }
    for (int i = 0; i < c->p->text_burst; i++) {
        write_text(c, &(struct source_text){0, i, 1, "burst"});
    }
}

static void open_boxes(struct source *c)
{
    if (c->p->box_count == 0) {
        return;
    }
    AVStream *stream = avformat_new_stream(c->format, NULL);
    check(stream != NULL, "boxes");
    c->boxes = stream->index;
    stream->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    stream->codecpar->codec_id = AV_CODEC_ID_HDMV_PGS_SUBTITLE;
    stream->time_base = (AVRational){1, 1000};
    check(av_dict_set(&stream->metadata, "language", "eng", 0) >= 0, "tag");
}

static void put(uint8_t **to, int bytes, int v)
{
    for (int i = bytes - 1; i >= 0; i--) {
        *(*to)++ = (uint8_t)(v >> 8 * i);
    }
}

/* A display set: composition, palette and object, end. */
static size_t box_packet(const struct source_params *p, const struct source_box *box, uint8_t *to)
{
    uint8_t *start = to;
    put(&to, 1, 0x16); /* composition: epoch start */
    put(&to, 2, box->shows ? 19 : 11);
    put(&to, 2, p->width_px);
    put(&to, 2, p->height_px);
    put(&to, 1, 0x10);
    put(&to, 2, 0);
    put(&to, 3, 0x800000);
    put(&to, 1, box->shows);
    if (box->shows) {
        put(&to, 4, 0); /* object 0, window 0, no flags */
        put(&to, 2, SOURCE_BOX_X);
        put(&to, 2, SOURCE_BOX_Y);
        put(&to, 1, 0x14); /* palette: entry 1 is white */
        put(&to, 2, 7);
        put(&to, 2, 0);
        put(&to, 4, 0x01EB8080);
        put(&to, 1, 0xFF);
        put(&to, 1, 0x15); /* object */
        put(&to, 2, 11 + 5 * SOURCE_BOX_H);
        put(&to, 3, 0);
        put(&to, 1, 0xC0);
        put(&to, 3, 4 + 5 * SOURCE_BOX_H);
        put(&to, 2, SOURCE_BOX_W);
        put(&to, 2, SOURCE_BOX_H);
        for (int y = 0; y < SOURCE_BOX_H; y++) {
            put(&to, 2, 0x0080 | SOURCE_BOX_W); /* a run of colour 1 */
            put(&to, 3, 0x010000);
        }
    }
    put(&to, 3, 0x800000);
    return (size_t)(to - start);
}

/* Those until then: where a recording has them. */
static void write_boxes(struct source *c, int64_t until_ms)
{
    for (; c->boxes_done < c->p->box_count && c->p->boxes[c->boxes_done].at_ms <= until_ms;
         c->boxes_done++) {
        const struct source_box *box = &c->p->boxes[c->boxes_done];
        uint8_t bytes[256];
        size_t size = box_packet(c->p, box, bytes);
        check(av_new_packet(c->packet, (int)size) == 0, "packet");
        memcpy(c->packet->data, bytes, size);
        c->packet->stream_index = c->boxes;
        c->packet->pts = c->packet->dts = box->at_ms;
        c->packet->flags = AV_PKT_FLAG_KEY;
        av_packet_rescale_ts(c->packet, (AVRational){1, 1000},
                             c->format->streams[c->boxes]->time_base);
        check(av_interleaved_write_frame(c->format, c->packet) == 0, "write");
    }
}

static void draw(AVFrame *f, int64_t n)
{
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            f->data[0][y * f->linesize[0] + x] = (uint8_t)((x * 4 + n * 3) ^ y);
        }
    }
    for (int y = 0; y < f->height / 2; y++) {
        memset(f->data[1] + y * f->linesize[1], (int)(n & 0xff), (size_t)f->width / 2);
        memset(f->data[2] + y * f->linesize[2], 255 - (int)(n & 0xff), (size_t)f->width / 2);
    }
}

static void write_packets(struct source *c)
{
    while (avcodec_receive_packet(c->video, c->packet) == 0) {
        c->packet->stream_index = 0;
        c->packet->duration = 1;
        av_packet_rescale_ts(c->packet, c->video->time_base, c->format->streams[0]->time_base);
        check(av_interleaved_write_frame(c->format, c->packet) == 0, "write");
    }
}

static void write_sound(struct source *c, int64_t until)
{
    while (c->sound_done < until) {
        int n = until - c->sound_done < 4800 ? (int)(until - c->sound_done) : 4800;
        check(av_new_packet(c->packet, n * 2) == 0, "packet");
        for (int i = 0; i < n; i++) {
            double t = (double)(c->sound_done + i) / SOUND_RATE;
            ((int16_t *)c->packet->data)[i] = (int16_t)(8000 * sin(2 * M_PI * 440 * t));
        }
        c->packet->stream_index = 1;
        c->packet->pts = c->packet->dts = c->sound_done;
        c->packet->duration = n;
        av_packet_rescale_ts(c->packet, (AVRational){1, SOUND_RATE},
                             c->format->streams[1]->time_base);
        check(av_interleaved_write_frame(c->format, c->packet) == 0, "write");
        c->sound_done += n;
    }
}

void source_make(const char *path, const struct source_params *params)
{
    struct source c = {.p = params, .packet = av_packet_alloc()};
    AVFrame *frame = av_frame_alloc();
    int64_t sound = (int64_t)params->sound_ms * SOUND_RATE / 1000;
    check(avformat_alloc_output_context2(&c.format, NULL, NULL, path) >= 0, path);
    c.format->flags |= AVFMT_FLAG_BITEXACT;
    open_video(&c);
    if (sound > 0) {
        open_sound(&c);
    }
    open_boxes(&c);
    open_texts(&c);
    if (params->chapters) {
        add_chapter(&c, 0, 1, "One");
        add_chapter(&c, 1, 1000, "");
    }
    check(avio_open(&c.format->pb, path, AVIO_FLAG_WRITE) >= 0, path);
    check(avformat_write_header(c.format, NULL) >= 0, "header");
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = params->width_px;
    frame->height = params->height_px;
    check(av_frame_get_buffer(frame, 0) == 0, "frame");
    for (int n = 0; n < params->frames; n++) {
        int64_t until = (int64_t)(n + 1) * SOUND_RATE * params->rate_den / params->rate_num;
        check(av_frame_make_writable(frame) == 0, "frame");
        draw(frame, n);
        frame->pts = n;
        check(avcodec_send_frame(c.video, frame) == 0, "encode");
        write_packets(&c);
        write_sound(&c, until < sound ? until : sound);
        if (!params->boxes_last) {
            write_boxes(&c, (int64_t)(n + 1) * 1000 * params->rate_den / params->rate_num);
        }
    }
    check(avcodec_send_frame(c.video, NULL) == 0, "encode");
    write_packets(&c);
    write_sound(&c, sound);
    check(av_interleaved_write_frame(c.format, NULL) == 0, "write");
    if (params->boxes_last) {
        write_boxes(&c, INT64_MAX);
    }
    write_texts(&c); /* far behind what they belong to */
    check(av_write_trailer(c.format) == 0, "trailer");
    avio_closep(&c.format->pb);
    avformat_free_context(c.format);
    avcodec_free_context(&c.video);
    av_frame_free(&frame);
    av_packet_free(&c.packet);
}
