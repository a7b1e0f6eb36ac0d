#include "media/movie_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavformat/avformat.h>
#include <libavutil/display.h>

#define SOUND_RATE 8000

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "movie_write: %s failed\n", what);
        abort();
    }
}

static AVStream *add_video(AVFormatContext *ctx, const struct clip *clip, const struct movie *movie)
{
    AVStream *st = avformat_new_stream(ctx, NULL);
    must(st != NULL && avcodec_parameters_copy(st->codecpar, clip->par) >= 0, "video stream");
    st->codecpar->codec_tag = 0;
    st->time_base = clip->time_base;
    st->avg_frame_rate = av_inv_q(clip->time_base);
    if (movie->aspect.num > 0) {
        st->sample_aspect_ratio = st->codecpar->sample_aspect_ratio = movie->aspect;
    }
    if (movie->turn_deg != 0) {
        uint8_t *matrix =
            av_stream_new_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
        must(matrix != NULL, "display matrix");
        av_display_rotation_set((int32_t *)(void *)matrix, movie->turn_deg);
    }
    return st;
}

static AVStream *add_sound(AVFormatContext *ctx)
{
    AVStream *st = avformat_new_stream(ctx, NULL);
    must(st != NULL, "sound stream");
    st->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    st->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
    st->codecpar->sample_rate = SOUND_RATE;
    st->codecpar->format = AV_SAMPLE_FMT_S16;
    st->codecpar->bits_per_coded_sample = 16;
    st->codecpar->block_align = 2;
    st->codecpar->bit_rate = SOUND_RATE * 16;
    av_channel_layout_default(&st->codecpar->ch_layout, 1);
    st->time_base = (AVRational){1, SOUND_RATE};
    return st;
}

static AVStream *add_text(AVFormatContext *ctx, const struct movie *movie)
{
    AVStream *st = avformat_new_stream(ctx, NULL);
    must(st != NULL, "text stream");
    st->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    st->codecpar->codec_id = movie->text_codec;
    st->time_base = (AVRational){1, 1000};
    must(av_dict_set(&st->metadata, "language", "eng", 0) >= 0, "language");
    return st;
}

static int write_packet(AVFormatContext *ctx, const struct movie *movie, AVPacket *p)
{
    return movie->apart ? av_write_frame(ctx, p) : av_interleaved_write_frame(ctx, p);
}

static void write_sound(AVFormatContext *ctx, const struct movie *movie, const AVStream *st,
                        int64_t from, int64_t samples, int64_t later)
{
    AVPacket *p = av_packet_alloc();
    must(p != NULL && av_new_packet(p, (int)samples * 2) >= 0, "sound packet");
    for (int i = 0; i < p->size; i++) {
        p->data[i] = (uint8_t)(i * 7 + from);
    }
    p->stream_index = st->index;
    p->pts = p->dts = from + later;
    p->duration = samples;
    p->flags |= AV_PKT_FLAG_KEY;
    av_packet_rescale_ts(p, (AVRational){1, SOUND_RATE}, st->time_base);
    must(write_packet(ctx, movie, p) >= 0, "writing sound");
    av_packet_free(&p);
}

static void write_texts(AVFormatContext *ctx, const struct movie *movie, const AVStream *st)
{
    for (size_t i = 0; i < movie->text_count; i++) {
        const struct movie_text *text = &movie->texts[i];
        AVPacket *p = av_packet_alloc();
        must(p != NULL && av_new_packet(p, text->size) >= 0, "text packet");
        memcpy(p->data, text->data, (size_t)text->size);
        p->stream_index = st->index;
        p->pts = p->dts = text->at_ms;
        p->duration = text->duration_ms;
        p->flags |= AV_PKT_FLAG_KEY;
        av_packet_rescale_ts(p, (AVRational){1, 1000}, st->time_base);
        must(av_write_frame(ctx, p) >= 0, "writing text");
        av_packet_free(&p);
    }
}

void movie_write(const struct clip *clip, const struct movie *movie, char out[4096])
{
    char dir[] = "/tmp/gopmill-movie-XXXXXX";
    AVFormatContext *ctx = NULL;
    must(mkdtemp(dir) != NULL, "mkdtemp");
    (void)snprintf(out, 4096, "%s/movie.bin", dir);
    must(avformat_alloc_output_context2(&ctx, NULL, movie->format, out) >= 0, movie->format);
    ctx->flags |= AVFMT_FLAG_BITEXACT;
    AVStream *video = add_video(ctx, clip, movie);
    AVStream *sound = movie->sound ? add_sound(ctx) : NULL;
    AVStream *text = movie->text_codec != AV_CODEC_ID_NONE ? add_text(ctx, movie) : NULL;
    must(avio_open(&ctx->pb, out, AVIO_FLAG_WRITE) >= 0, "opening");
    AVDictionary *options = NULL;
    must(!movie->index_first || av_dict_set(&options, "movflags", "faststart", 0) >= 0, "memory");
    must(!movie->fragmented || (av_dict_set(&options, "movflags", "empty_moov", 0) >= 0 &&
                                av_dict_set(&options, "frag_duration", "1000000", 0) >= 0),
         "memory");
    must(!movie->no_edits || av_dict_set(&options, "use_editlist", "0", 0) >= 0, "memory");
    must(avformat_write_header(ctx, &options) >= 0, "the header");
    av_dict_free(&options);
    write_texts(ctx, movie, text);
    int64_t step = av_rescale_q(1, clip->time_base, (AVRational){1, SOUND_RATE});
    size_t gap_at = clip->packet_count / 2;
    int64_t gap = (int64_t)movie->sound_gap_s * SOUND_RATE;
    for (size_t i = movie->skip; i < clip->packet_count; i++) {
        AVPacket *p = av_packet_clone(clip->packets[i]);
        must(p != NULL, "memory");
        p->stream_index = video->index;
        p->duration = 1;
        av_packet_rescale_ts(p, clip->time_base, video->time_base);
        must(write_packet(ctx, movie, p) >= 0, "writing video");
        av_packet_free(&p);
        if (sound != NULL && !movie->apart && i + movie->sound_less < clip->packet_count) {
            write_sound(ctx, movie, sound, (int64_t)i * step, step, i < gap_at ? 0 : gap);
        }
    }
    for (size_t i = movie->skip;
         movie->apart && sound != NULL && i + movie->sound_less < clip->packet_count; i++) {
        write_sound(ctx, movie, sound, (int64_t)i * step, step, i < gap_at ? 0 : gap);
    }
    must(av_write_trailer(ctx) >= 0, "the trailer");
    must(avio_closep(&ctx->pb) >= 0, "closing");
    avformat_free_context(ctx);
}

void movie_remove(const char *path)
{
    char dir[4096];
    (void)unlink(path);
    (void)snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    (void)rmdir(dir);
}
