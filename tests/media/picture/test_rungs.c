#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "media/av.h"
#include "media/picture/colour.h"
#include "media/picture/rungs.h"

#define HDR_FILTERS                                                                                \
    "scale=64:48:flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=bt2020:"     \
    "out_range=tv,setsar=1,format=yuv420p10le"
#define SDR_FILTERS                                                                                \
    "scale=32:24:flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=bt709:"      \
    "out_range=tv,setsar=1,format=yuv420p"

/* A programme in PQ with one rendition that keeps it and one in SDR. */
struct fixture {
    Gm__Policy policy;
    Gm__Rendition renditions[2];
    Gm__Rendition *list[2];
    Gm__ToneMap map;
    struct gm_rungs *rungs;
};

static void setup(struct fixture *f)
{
    struct gm_err err;
    memset(f, 0, sizeof *f);
    gm__policy__init(&f->policy);
    gm__tone_map__init(&f->map);
    f->map.source_peak = 1000;
    for (int i = 0; i < 2; i++) {
        Gm__Rendition *r = &f->renditions[i];
        gm__rendition__init(r);
        r->width_px = i == 0 ? 64 : 32;
        r->height_px = i == 0 ? 48 : 24;
        r->filters = i == 0 ? HDR_FILTERS : SDR_FILTERS;
        r->primaries = i == 0 ? "bt2020" : "bt709";
        r->transfer = i == 0 ? "smpte2084" : "bt709";
        r->matrix = i == 0 ? "bt2020nc" : "bt709";
        r->pixel_format = i == 0 ? "yuv420p10le" : "yuv420p";
        r->parent = (uint32_t)i; /* of the other group: none */
        f->list[i] = r;
    }
    f->policy.timescale = 1000;
    f->policy.renditions = f->list;
    f->policy.n_renditions = 2;
    f->policy.tone_map = &f->map;
    assert_int_equal(gm_rungs_create(&f->policy, NULL, &f->rungs, &err), 0);
}

static void teardown(struct fixture *f)
{
    gm_rungs_destroy(&f->rungs);
}

static AVFrame *flat(enum AVPixelFormat format, int a, int b, int c)
{
    const int code[3] = {a, b, c};
    AVFrame *f = gm_av_frame(format, 64, 48);
    assert_non_null(f);
    bool subsampled = format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUV420P10LE;
    bool deep = format != AV_PIX_FMT_YUV420P;
    for (int p = 0; p < 3; p++) {
        int h = p > 0 && subsampled ? 24 : 48, w = p > 0 && subsampled ? 32 : 64;
        for (int i = 0; i < w * h; i++) {
            uint8_t *row = f->data[p] + (ptrdiff_t)(i / w) * f->linesize[p];
            if (deep) {
                ((uint16_t *)(void *)row)[i % w] = (uint16_t)code[p];
            } else {
                row[i % w] = (uint8_t)code[p];
            }
        }
    }
    return f;
}

static const struct gm_colour pq = {AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084, AVCOL_SPC_BT2020_NCL,
                                    AVCOL_RANGE_MPEG};

/* Both renditions' first pixels. */
static void push(struct fixture *f, AVFrame *picture, int64_t pts, int kept[3], int sdr[3])
{
    struct gm_err err = {0};
    gm_colour_tag(pq, picture);
    if (gm_rungs_push(f->rungs, picture, pts, &err) < 0) {
        fail_msg("%s", err.text);
    }
    const AVFrame *a = gm_rungs_get(f->rungs, 0), *b = gm_rungs_get(f->rungs, 1);
    assert_int_equal(a->pts, pts);
    assert_int_equal(b->pts, pts);
    for (int p = 0; p < 3; p++) {
        kept[p] = *(const uint16_t *)(const void *)(a->data[p]);
        sdr[p] = *b->data[p];
    }
    av_frame_free(&picture);
}

static void assert_about(const int got[3], int a, int b, int c, int tolerance)
{
    const int want[3] = {a, b, c};
    for (int p = 0; p < 3; p++) {
        if (abs(got[p] - want[p]) > tolerance) {
            fail_msg("got %d %d %d, not %d %d %d", got[0], got[1], got[2], a, b, c);
        }
    }
}

static void white_png(ProtobufCBinaryData *out)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    AVFrame *f = av_frame_alloc();
    f->format = ctx->pix_fmt = AV_PIX_FMT_RGB24;
    f->width = ctx->width = f->height = ctx->height = 16;
    ctx->time_base = (AVRational){1, 25};
    assert_true(av_frame_get_buffer(f, 0) >= 0 && avcodec_open2(ctx, codec, NULL) >= 0);
    for (int y = 0; y < 16; y++) {
        memset(f->data[0] + (ptrdiff_t)y * f->linesize[0], 255, 48);
    }
    assert_true(avcodec_send_frame(ctx, f) >= 0 && avcodec_receive_packet(ctx, packet) >= 0);
    out->len = (size_t)packet->size;
    out->data = malloc(out->len);
    memcpy(out->data, packet->data, out->len);
    av_frame_free(&f);
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
}

static void hdr_is_kept_for_one_and_mapped_for_the_other(void **state)
{
    struct fixture f;
    int kept[3], sdr[3];
    (void)state;
    setup(&f);
    push(&f, flat(AV_PIX_FMT_YUV420P10LE, 573, 512, 512), 5, kept, sdr);
    assert_about(kept, 573, 512, 512, 0);
    assert_about(sdr, 214, 128, 128, 1);
    assert_int_equal(gm_rungs_get(f.rungs, 1)->width, 32);
    teardown(&f);
}

/* Chunks share nothing: another worker with other pictures before gives the same. */
static void a_picture_is_mapped_the_same_whatever_came_before(void **state)
{
    static const int before[] = {64, 300, 940};
    int first[3] = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fixture f;
        int kept[3], sdr[3];
        setup(&f);
        for (int k = 0; k < 5; k++) {
            push(&f, flat(AV_PIX_FMT_YUV420P10LE, before[i], 512, 512), k, kept, sdr);
        }
        push(&f, flat(AV_PIX_FMT_YUV420P10LE, 480, 500, 530), 9, kept, sdr);
        if (i == 0) {
            memcpy(first, sdr, sizeof first);
        }
        assert_memory_equal(first, sdr, sizeof first);
        teardown(&f);
    }
}

static void pictures_of_another_colour_are_known_by_their_tags(void **state)
{
    struct fixture f;
    int kept[3], sdr[3];
    (void)state;
    setup(&f);
    /* SDR in the middle of a programme in PQ: not mapped. */
    AVFrame *p = flat(AV_PIX_FMT_YUV420P, 180, 100, 140);
    p->color_primaries = AVCOL_PRI_BT709;
    p->color_trc = AVCOL_TRC_BT709;
    p->colorspace = AVCOL_SPC_BT709;
    push(&f, p, 0, kept, sdr);
    assert_about(sdr, 180, 100, 140, 1);
    /* BT.2020 in 8 bits. */
    p = flat(AV_PIX_FMT_YUV420P, 126, 128, 128);
    p->color_trc = AVCOL_TRC_BT2020_10;
    push(&f, p, 1, kept, sdr);
    assert_about(sdr, 126, 128, 128, 1);
    /* HLG */
    p = flat(AV_PIX_FMT_YUV420P10LE, 721, 512, 512);
    p->color_trc = AVCOL_TRC_ARIB_STD_B67;
    push(&f, p, 2, kept, sdr);
    assert_about(sdr, 214, 128, 128, 1);
    /* RGB in PQ: 58 % of 1023 */
    p = flat(AV_PIX_FMT_GBRP10LE, 594, 594, 594);
    push(&f, p, 3, kept, sdr);
    assert_about(kept, 573, 512, 512, 2);
    assert_about(sdr, 214, 128, 128, 2);
    /* and as at first */
    push(&f, flat(AV_PIX_FMT_YUV420P10LE, 573, 512, 512), 4, kept, sdr);
    assert_about(sdr, 214, 128, 128, 1);
    /* full range */
    p = flat(AV_PIX_FMT_YUV420P10LE, 594, 512, 512);
    p->color_range = AVCOL_RANGE_JPEG;
    push(&f, p, 5, kept, sdr);
    assert_about(kept, 573, 512, 512, 1);
    assert_about(sdr, 214, 128, 128, 1);
    teardown(&f);
}

static void tiles_get_sdr_with_captions_and_without_light(void **state)
{
    struct fixture f;
    struct gm_err err;
    const AVFrame *sdr = NULL, *again = NULL;
    (void)state;
    setup(&f);
    f.policy.n_renditions = 1; /* nothing is mapped before it is asked for */
    gm_rungs_destroy(&f.rungs);
    assert_int_equal(gm_rungs_create(&f.policy, NULL, &f.rungs, &err), 0);
    AVFrame *p = flat(AV_PIX_FMT_YUV420P10LE, 573, 512, 512);
    gm_colour_tag(pq, p);
    assert_non_null(av_frame_new_side_data(p, AV_FRAME_DATA_A53_CC, 3));
    assert_non_null(av_frame_new_side_data(p, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, 8));
    assert_int_equal(gm_rungs_push(f.rungs, p, 7, &err), 0);
    assert_int_equal(gm_rungs_sdr(f.rungs, &sdr, &err), 0);
    assert_int_equal(sdr->color_trc, AVCOL_TRC_BT709);
    assert_int_equal(sdr->format, AV_PIX_FMT_YUV420P);
    assert_int_equal(sdr->pts, 7);
    assert_int_equal(sdr->nb_side_data, 1);
    assert_non_null(av_frame_get_side_data(sdr, AV_FRAME_DATA_A53_CC));
    assert_int_equal(gm_rungs_sdr(f.rungs, &again, &err), 0);
    assert_ptr_equal(sdr, again);
    p->color_primaries = AVCOL_PRI_BT709;
    p->color_trc = AVCOL_TRC_BT709;
    p->colorspace = AVCOL_SPC_BT709;
    assert_int_equal(gm_rungs_push(f.rungs, p, 8, &err), 0);
    assert_int_equal(gm_rungs_sdr(f.rungs, &sdr, &err), 0);
    assert_ptr_equal(sdr, p);
    av_frame_free(&p);
    teardown(&f);
}

/* A white PNG of 16x16 over all of the picture: white of SDR on both. */
static void a_watermark_has_the_white_of_sdr(void **state)
{
    struct fixture f;
    Gm__Watermark how = GM__WATERMARK__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    Gm__Asset asset = GM__ASSET__INIT, *assets[1] = {&asset};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    struct gm_err err = {0};
    int kept[3], sdr[3];
    (void)state;
    asset.name = "w.png";
    white_png(&asset.data);
    pipeline.assets = assets;
    pipeline.n_assets = 1;
    how.image = "w.png";
    how.position = "center";
    how.opacity = 1;
    how.size = 1;
    encode.watermark = &how;
    setup(&f);
    gm_rungs_destroy(&f.rungs);
    f.renditions[0].encode = f.renditions[1].encode = &encode;
    f.renditions[0].width_px = f.renditions[0].height_px = 48;
    f.renditions[0].filters = "scale=48:48,format=yuv420p10le";
    if (gm_rungs_create(&f.policy, &pipeline, &f.rungs, &err) < 0) {
        fail_msg("%s", err.text);
    }
    push(&f, flat(AV_PIX_FMT_YUV420P10LE, 200, 480, 540), 0, kept, sdr);
    assert_about(kept, 573, 512, 512, 3);
    teardown(&f);
    free(asset.data.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hdr_is_kept_for_one_and_mapped_for_the_other),
        cmocka_unit_test(a_picture_is_mapped_the_same_whatever_came_before),
        cmocka_unit_test(pictures_of_another_colour_are_known_by_their_tags),
        cmocka_unit_test(a_watermark_has_the_white_of_sdr),
        cmocka_unit_test(tiles_get_sdr_with_captions_and_without_light),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
