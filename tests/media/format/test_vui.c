#include "media/format/vui.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>

#include "media/encode/encoder.h"

static struct gm_encoder *open_encoder(uint32_t timescale)
{
    Gm__EncodeParams params = GM__ENCODE_PARAMS__INIT;
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    struct gm_encoder *e = NULL;
    struct gm_err err = {0};
    params.codec = "h264";
    params.preset = "veryfast";
    params.crf = 23;
    params.qp = -1;
    rendition.encode = &params;
    rendition.pixel_format = "yuv420p";
    rendition.width_px = 320;
    rendition.height_px = 240;
    struct gm_encoder_params p = {
        .rendition = &rendition, .facts = &facts, .timescale = timescale, .rate = {0, 1}};
    int rc = gm_encoder_open(&p, &e, &err);
    if (rc < 0) {
        fail_msg("%s", err.text);
    }
    return e;
}

/* The frame rate that libavcodec reads out of parameter sets. */
static AVRational read_rate(const uint8_t *sets, size_t size)
{
    AVCodecParserContext *parser = av_parser_init(AV_CODEC_ID_H264);
    AVCodecContext *ctx = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    static const uint8_t slice[] = {0, 0, 0, 1, 0x65, 0x88, 0x84, 0, 0x10, 0xff, 0xfe, 0xf6};
    uint8_t *data = av_mallocz(size + sizeof slice + AV_INPUT_BUFFER_PADDING_SIZE);
    uint8_t *out = NULL;
    int out_size = 0;
    assert_non_null(parser);
    assert_non_null(ctx);
    assert_non_null(data);
    memcpy(data, sets, size);
    memcpy(data + size, slice, sizeof slice);
    parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    (void)av_parser_parse2(parser, ctx, &out, &out_size, data, (int)(size + sizeof slice),
                           AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
    /* libavcodec 59's parser gives ticks (fields), two a frame */
    AVRational rate = av_div_q(ctx->framerate, (AVRational){2, 1});
    av_parser_close(parser);
    avcodec_free_context(&ctx);
    av_free(data);
    return rate;
}

static void the_rate_is_what_a_decoder_reads(void **state)
{
    static const AVRational rates[] = {{25, 1}, {30000, 1001}, {500, 33}, {1, 2}, {240, 1}};
    struct gm_encoder *e = open_encoder(57600);
    size_t size = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct gm_buf out = {0};
        struct gm_err err = {0};
        assert_int_equal(gm_vui_set_rate(AV_CODEC_ID_H264, headers, size, rates[i], &out, &err), 0);
        AVRational got = read_rate(out.data, out.size);
        if (av_cmp_q(got, rates[i]) != 0) {
            fail_msg("%d/%d became %d/%d", rates[i].num, rates[i].den, got.num, got.den);
        }
        gm_buf_fini(&out);
    }
    gm_encoder_close(&e);
}

static void headers_without_a_rate_stay_as_they_are(void **state)
{
    static const uint8_t header[] = {0x0a, 1, 2};
    struct gm_buf out = {0};
    struct gm_err err = {0};
    (void)state;
    assert_int_equal(
        gm_vui_set_rate(AV_CODEC_ID_AV1, header, sizeof header, (AVRational){25, 1}, &out, &err),
        0);
    assert_int_equal(out.size, sizeof header);
    assert_memory_equal(out.data, header, sizeof header);
    gm_buf_fini(&out);
}

static void bad_sets_and_rates_are_refused(void **state)
{
    static const uint8_t junk[] = {0, 0, 0, 1, 0x67, 1, 2};
    struct gm_encoder *e = open_encoder(1000);
    size_t size = 0;
    const uint8_t *headers = gm_encoder_headers(e, &size);
    struct gm_buf out = {0};
    struct gm_err err = {0};
    (void)state;
    assert_int_equal(
        gm_vui_set_rate(AV_CODEC_ID_H264, junk, sizeof junk, (AVRational){25, 1}, &out, &err),
        -GM_E_MEDIA);
    assert_int_equal(
        gm_vui_set_rate(AV_CODEC_ID_H264, headers, size, (AVRational){0, 1}, &out, &err),
        -GM_E_MEDIA);
    assert_int_equal(out.size, 0);
    gm_buf_fini(&out);
    gm_encoder_close(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_what_a_decoder_reads),
        cmocka_unit_test(headers_without_a_rate_stay_as_they_are),
        cmocka_unit_test(bad_sets_and_rates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
