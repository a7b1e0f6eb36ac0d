#include "media/tone_io.h"

#include <libavformat/avformat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "tone_io: %s\n", what);
        abort();
    }
}

double tone_sine(int channel, int64_t n, int rate)
{
    (void)channel;
    return 0.5 * sin(2 * M_PI * 997 * (double)n / rate);
}

double tone_noise(int channel, int64_t n, int rate)
{
    uint64_t x = (uint64_t)n * 2654435761U + (uint64_t)channel * 40503U + (uint64_t)rate;
    x ^= x >> 13;
    x *= 0x9e3779b97f4a7c15U;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9U;
    return (double)(x >> 40) / (double)(1 << 24) - 0.5;
}

static void add_stream(AVFormatContext *format, const struct tone *t)
{
    AVStream *st = avformat_new_stream(format, NULL);
    check(st != NULL, "stream");
    AVCodecParameters *par = st->codecpar;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = AV_CODEC_ID_PCM_S16LE;
    par->format = AV_SAMPLE_FMT_S16;
    par->sample_rate = t->rate != 0 ? t->rate : 48000;
    par->bits_per_coded_sample = 16;
    check(av_channel_layout_from_string(&par->ch_layout,
                                        t->layout != NULL ? t->layout : "stereo") == 0,
          "layout");
    par->block_align = 2 * par->ch_layout.nb_channels;
    st->time_base = (AVRational){1, par->sample_rate};
    st->disposition = t->not_default ? 0 : AV_DISPOSITION_DEFAULT;
    if (t->language != NULL) {
        check(av_dict_set(&st->metadata, "language", t->language, 0) >= 0, "language");
    }
    if (t->title != NULL) {
        check(av_dict_set(&st->metadata, "title", t->title, 0) >= 0, "title");
    }
}

static void write_packet(AVFormatContext *format, const struct tone *t, int index, int64_t from,
                         int count)
{
    AVStream *st = format->streams[index];
    AVPacket *p = av_packet_alloc();
    int channels = st->codecpar->ch_layout.nb_channels;
    int rate = st->codecpar->sample_rate;
    check(av_new_packet(p, count * channels * 2) == 0, "packet");
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < channels; c++) {
            double v = t->fn != NULL ? t->fn(c, from + i, rate) * 32767 : 0;
            ((int16_t *)(void *)p->data)[i * channels + c] =
                (int16_t)lrint(fmax(-32768, fmin(32767, v)));
        }
    }
    p->stream_index = index;
    p->pts = p->dts = from;
    p->duration = count;
    av_packet_rescale_ts(p, (AVRational){1, rate}, st->time_base);
    check(av_interleaved_write_frame(format, p) == 0, "write");
    av_packet_free(&p);
}

void tone_write(const char *path, const struct tone *tones, int count)
{
    AVFormatContext *format = NULL;
    check(avformat_alloc_output_context2(&format, NULL, "mov", path) >= 0, path);
    format->flags |= AVFMT_FLAG_BITEXACT;
    for (int i = 0; i < count; i++) {
        add_stream(format, &tones[i]);
    }
    check(avio_open(&format->pb, path, AVIO_FLAG_WRITE) >= 0, path);
    check(avformat_write_header(format, NULL) >= 0, "header");
    bool more = true;
    for (int64_t slot = 0; more; slot++) {
        more = false;
        for (int i = 0; i < count; i++) {
            int64_t step = format->streams[i]->codecpar->sample_rate / 20;
            int64_t done = slot * step;
            int64_t left = tones[i].count - done;
            if (left > 0) {
                write_packet(format, &tones[i], i, tones[i].start + done,
                             (int)(left < step ? left : step));
                more = more || left > step;
            }
        }
    }
    check(av_write_trailer(format) == 0, "trailer");
    avio_closep(&format->pb);
    avformat_free_context(format);
}
