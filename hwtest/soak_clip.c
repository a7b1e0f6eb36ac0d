#include "hwtest/soak.h"

#include <libavformat/avformat.h>

#include "hwtest/clip.h"
#include "media/av.h"

static int write_packets(AVFormatContext *mp4, const struct gm_hwtest_stream *s, int times,
                         AVPacket *packet, struct gm_err *err)
{
    const AVStream *to = mp4->streams[0];
    for (int i = 0; i < times * s->count; i++) {
        int av = av_packet_ref(packet, s->packets[i % s->count]);
        if (av < 0) {
            return gm_err_nomem(err);
        }
        packet->pts += (int64_t)(i / s->count) * s->count;
        packet->dts = i - 2; /* two pictures may be moved */
        packet->duration = 1;
        packet->stream_index = 0;
        av_packet_rescale_ts(packet, (AVRational){1, GM_HWTEST_RATE}, to->time_base);
        av = av_write_frame(mp4, packet);
        av_packet_unref(packet);
        if (av < 0) {
            return gm_err_av(err, GM_E_MEDIA, av, "the clip could not be written");
        }
    }
    return 0;
}

static int write_file(const char *path, const struct gm_hwtest_stream *s, int times,
                      struct gm_err *err)
{
    AVFormatContext *mp4 = NULL;
    AVPacket *packet = av_packet_alloc();
    int rc = 0;
    int av = avformat_alloc_output_context2(&mp4, NULL, "mp4", path);
    AVStream *stream = av < 0 ? NULL : avformat_new_stream(mp4, NULL);
    if (stream == NULL || packet == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    stream->time_base = (AVRational){1, GM_HWTEST_RATE};
    stream->avg_frame_rate = (AVRational){GM_HWTEST_RATE, 1};
    av = avcodec_parameters_copy(stream->codecpar, s->par);
    av = av < 0 ? av : avio_open(&mp4->pb, path, AVIO_FLAG_WRITE);
    av = av < 0 ? av : avformat_write_header(mp4, NULL);
    if (av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "the clip %.100s could not be begun", path);
        goto out;
    }
    rc = write_packets(mp4, s, times, packet, err);
    av = av_write_trailer(mp4);
    if (rc == 0 && av < 0) {
        rc = gm_err_av(err, GM_E_MEDIA, av, "the clip could not be ended");
    }
out:
    if (mp4 != NULL) {
        (void)avio_closep(&mp4->pb);
        avformat_free_context(mp4);
    }
    av_packet_free(&packet);
    return rc;
}

int gm_hwtest_write_clip(const char *path, int times, struct gm_err *err)
{
    struct gm_hwtest_pictures pictures = {0};
    struct gm_hwtest_stream stream = {0};
    const struct gm_hwtest_encoding how = {.codec = "h264", .depth = 8, .crf_centi = 2300};
    int rc = gm_hwtest_pattern(8, &pictures, err);
    if (rc == 0) {
        rc = gm_hwtest_encode(&how, &pictures, &stream, err);
    }
    if (rc == 0) {
        rc = write_file(path, &stream, times, err);
    }
    gm_hwtest_stream_fini(&stream);
    gm_hwtest_pictures_fini(&pictures);
    return rc;
}
