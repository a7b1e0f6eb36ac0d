#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <libavutil/channel_layout.h>

#include "media/av.h"

static AVCodecParameters *video_par(void)
{
    AVCodecParameters *p = avcodec_parameters_alloc();
    p->codec_type = AVMEDIA_TYPE_VIDEO;
    p->codec_id = AV_CODEC_ID_H264;
    p->codec_tag = MKTAG('a', 'v', 'c', '1');
    p->format = AV_PIX_FMT_YUV422P10;
    p->bit_rate = 5000000000;
    p->width = 1920;
    p->height = 1080;
    p->profile = 122;
    p->level = 41;
    p->field_order = AV_FIELD_TT;
    p->sample_aspect_ratio = (AVRational){64, 45};
    p->color_range = AVCOL_RANGE_JPEG;
    p->color_primaries = AVCOL_PRI_BT2020;
    p->color_trc = AVCOL_TRC_SMPTE2084;
    p->color_space = AVCOL_SPC_BT2020_NCL;
    p->chroma_location = AVCHROMA_LOC_LEFT;
    p->video_delay = 2;
    assert_int_equal(gm_av_set_extradata(p, "\1\2\0\3\4", 5, NULL), 0);
    return p;
}

static void video_comes_back_whole(void **state)
{
    AVFormatContext *ctx = avformat_alloc_context();
    AVStream *st = avformat_new_stream(ctx, NULL);
    AVCodecParameters *in = video_par(), *out = NULL;
    uint8_t *data = NULL;
    size_t size, side_size = 0;
    struct gm_err err;
    (void)state;
    uint8_t *side = av_stream_new_side_data(st, AV_PKT_DATA_DISPLAYMATRIX, 36);
    memset(side, 0x5a, 36);
    assert_int_equal(gm_codecpar_encode(in, st, &data, &size, &err), 0);
    assert_int_equal(gm_codecpar_decode(data, size, &out, &err), 0);
    assert_int_equal(out->codec_id, in->codec_id);
    assert_int_equal(out->codec_tag, in->codec_tag);
    assert_int_equal(out->format, in->format);
    assert_int_equal(out->bit_rate, in->bit_rate);
    assert_int_equal(out->width, 1920);
    assert_int_equal(out->height, 1080);
    assert_int_equal(out->field_order, AV_FIELD_TT);
    assert_int_equal(out->sample_aspect_ratio.num, 64);
    assert_int_equal(out->sample_aspect_ratio.den, 45);
    assert_int_equal(out->color_trc, AVCOL_TRC_SMPTE2084);
    assert_int_equal(out->video_delay, 2);
    assert_int_equal(out->extradata_size, 5);
    assert_memory_equal(out->extradata, in->extradata, 5);
    const uint8_t *found = gm_codecpar_find_side(data, size, AV_PKT_DATA_DISPLAYMATRIX, &side_size);
    assert_int_equal(side_size, 36);
    assert_memory_equal(found, side, 36);
    assert_null(gm_codecpar_find_side(data, size, AV_PKT_DATA_SPHERICAL, &side_size));
    avcodec_parameters_free(&out);
    avcodec_parameters_free(&in);
    avformat_free_context(ctx);
    free(data);
}

static void layouts_of_sound_come_back(void **state)
{
    static const AVChannelLayout native[] = {AV_CHANNEL_LAYOUT_MONO, AV_CHANNEL_LAYOUT_5POINT1,
                                             AV_CHANNEL_LAYOUT_STEREO};
    struct gm_err err;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        AVCodecParameters *in = avcodec_parameters_alloc(), *out = NULL;
        uint8_t *data = NULL;
        size_t size;
        in->codec_type = AVMEDIA_TYPE_AUDIO;
        in->codec_id = AV_CODEC_ID_AAC;
        in->sample_rate = 44100;
        in->seek_preroll = 80;
        if (i < 3) {
            assert_int_equal(av_channel_layout_copy(&in->ch_layout, &native[i]), 0);
        } else if (i == 3) {
            in->ch_layout.order = AV_CHANNEL_ORDER_UNSPEC;
            in->ch_layout.nb_channels = 3;
        } else {
            assert_true(av_channel_layout_from_string(&in->ch_layout, "FR+FL+LFE") >= 0);
        }
        assert_int_equal(gm_codecpar_encode(in, NULL, &data, &size, &err), 0);
        assert_int_equal(gm_codecpar_decode(data, size, &out, &err), 0);
        assert_int_equal(out->sample_rate, 44100);
        assert_int_equal(out->seek_preroll, 80);
        assert_int_equal(av_channel_layout_compare(&in->ch_layout, &out->ch_layout), 0);
        avcodec_parameters_free(&out);
        avcodec_parameters_free(&in);
        free(data);
    }
}

static void whatever_is_cut_or_added_is_refused(void **state)
{
    AVCodecParameters *in = video_par(), *out = NULL;
    uint8_t *data = NULL;
    size_t size;
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_codecpar_encode(in, NULL, &data, &size, &err), 0);
    for (size_t n = 0; n < size; n++) {
        uint8_t *exact = malloc(n + 1); /* so that sanitizers see a read beyond */
        memcpy(exact, data, n);
        assert_int_equal(gm_codecpar_decode(exact, n, &out, &err), -GM_E_MEDIA_CHUNK);
        free(exact);
    }
    uint8_t *more = calloc(1, size + 1);
    memcpy(more, data, size);
    assert_int_equal(gm_codecpar_decode(more, size + 1, &out, &err), -GM_E_MEDIA_CHUNK);
    more[3] = 2; /* version */
    assert_int_equal(gm_codecpar_decode(more, size, &out, &err), -GM_E_MEDIA_CHUNK);
    memcpy(more, data, size);
    memset(more + 4 + 26 * 8, 0xff, 4); /* extradata size */
    assert_int_equal(gm_codecpar_decode(more, size, &out, &err), -GM_E_MEDIA_CHUNK);
    memcpy(more, data, size);
    memset(more + size - 4, 0xff, 4); /* count of side data */
    assert_int_equal(gm_codecpar_decode(more, size, &out, &err), -GM_E_MEDIA_CHUNK);
    assert_null(out);
    free(more);
    free(data);
    avcodec_parameters_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(video_comes_back_whole),
        cmocka_unit_test(layouts_of_sound_come_back),
        cmocka_unit_test(whatever_is_cut_or_added_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
