#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/av.h"
#include "media/task_io.h"

static void rescaling_rounds_half_away_from_zero_and_never_overflows(void **state)
{
    static const struct {
        int64_t ticks;
        AVRational from, to;
        int64_t out;
    } rows[] = {
        {1, {1, 2}, {1, 1}, 1},
        {-1, {1, 2}, {1, 1}, -1},
        {1, {1, 3}, {1, 1}, 0},
        {3003, {1, 90000}, {1, 30000}, 1001},
        {INT64_MAX, {1, 1}, {1, 1}, INT64_MAX},
        {INT64_MAX, {INT32_MAX, 1}, {1, INT32_MAX}, INT64_MAX},
        {INT64_MAX / 3, {3, 7}, {3, 7}, INT64_MAX / 3},
        {AV_NOPTS_VALUE, {1, 2}, {1, 1}, AV_NOPTS_VALUE},
        {5, {1, 0}, {1, 1}, AV_NOPTS_VALUE},
        {5, {1, 1}, {0, 1}, AV_NOPTS_VALUE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gm_av_rescale(rows[i].ticks, rows[i].from, rows[i].to), rows[i].out);
    }
}

static void rationals_are_reduced_and_checked(void **state)
{
    Gm__Rational r = GM__RATIONAL__INIT;
    (void)state;
    r.num = 60000;
    r.den = 2002;
    assert_int_equal(gm_av_rational(&r).num, 30000);
    assert_int_equal(gm_av_rational(&r).den, 1001);
    r.den = 0;
    assert_int_equal(gm_av_rational(&r).num, 0);
    assert_int_equal(gm_av_rational(&r).den, 1);
    assert_int_equal(gm_av_rational(NULL).den, 1);
}

static void errors_keep_their_native_number(void **state)
{
    struct gm_err err;
    (void)state;
    assert_int_equal(gm_err_av(&err, GM_E_MEDIA, AVERROR_INVALIDDATA, "frame %d", 7), -GM_E_MEDIA);
    assert_int_equal(err.native, AVERROR_INVALIDDATA);
    assert_non_null(strstr(err.text, "frame 7: "));
    assert_int_equal(gm_err_av(&err, GM_E_MEDIA, AVERROR(ENOMEM), "x"), -GM_E_NOMEM);
    assert_int_equal(gm_err_av(&err, GM_E_MEDIA, AVERROR(ENOSPC), "x"), -GM_E_NO_SCRATCH);
    assert_int_equal(gm_err_av(&err, GM_E_MEDIA, AVERROR(EFBIG), "x"), -GM_E_NO_SCRATCH);
}

static void a_codec_without_decoder_is_named(void **state)
{
    AVCodecContext *ctx = NULL;
    struct gm_err err;
    AVCodecParameters *par = avcodec_parameters_alloc();
    (void)state;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_NONE;
    assert_int_equal(gm_decoder_open(par, (AVRational){1, 25}, &ctx, &err), -GM_E_INPUT_CODEC);
    assert_null(ctx);
    par->codec_id = AV_CODEC_ID_MPEG4;
    assert_int_equal(gm_decoder_open(par, (AVRational){1, 25}, &ctx, &err), 0);
    assert_int_equal(ctx->thread_count, 1);
    avcodec_free_context(&ctx);
    avcodec_parameters_free(&par);
}

static void only_the_word_none_asks_for_plain_c(void **state)
{
    (void)state;
    assert_int_equal(setenv("GOPMILL_CPU_FLAGS", "none", 1), 0);
    assert_true(gm_av_plain_c());
    assert_int_equal(setenv("GOPMILL_CPU_FLAGS", "sse2", 1), 0);
    assert_false(gm_av_plain_c());
    assert_int_equal(unsetenv("GOPMILL_CPU_FLAGS"), 0);
    assert_false(gm_av_plain_c());
}

static void every_task_type_is_found_by_its_name(void **state)
{
    static const char *const types[] = {"inspect",    "plan", "split",   "encode", "audio",
                                        "thumbnails", "mp4",  "package", "verify"};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct gm_task_type *t = gm_task_type_find(types[i]);
        assert_non_null(t);
        assert_string_equal(t->type, types[i]);
    }
    assert_null(gm_task_type_find("upload"));
    assert_null(gm_task_type_find(""));
}

static void extradata_is_copied_and_padded(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    static const uint8_t zero[AV_INPUT_BUFFER_PADDING_SIZE];
    (void)state;
    struct gm_err err = {0};
    AVCodecParameters *par = avcodec_parameters_alloc();
    assert_non_null(par);
    assert_int_equal(gm_av_set_extradata(par, bytes, sizeof bytes, &err), 0);
    assert_int_equal(par->extradata_size, sizeof bytes);
    assert_memory_equal(par->extradata, bytes, sizeof bytes);
    assert_memory_equal(par->extradata + sizeof bytes, zero, sizeof zero);
    assert_int_equal(gm_av_set_extradata(par, bytes, 1, &err), 0); /* in place of the other */
    assert_int_equal(par->extradata_size, 1);
    assert_int_equal(gm_av_set_extradata(par, bytes, SIZE_MAX, &err), -GM_E_LIMIT);
    assert_null(par->extradata);
    assert_int_equal(gm_av_set_extradata(par, NULL, 0, &err), 0);
    assert_null(par->extradata);
    assert_int_equal(par->extradata_size, 0);
    avcodec_parameters_free(&par);
}

static void a_frame_has_memory_of_its_own(void **state)
{
    (void)state;
    AVFrame *f = gm_av_frame(AV_PIX_FMT_YUV420P, 34, 18);
    assert_non_null(f);
    assert_int_equal(f->format, AV_PIX_FMT_YUV420P);
    assert_int_equal(f->width, 34);
    assert_int_equal(f->height, 18);
    assert_true(av_frame_is_writable(f));
    av_frame_free(&f);
    assert_null(gm_av_frame(AV_PIX_FMT_YUV420P, 0, 18));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rescaling_rounds_half_away_from_zero_and_never_overflows),
        cmocka_unit_test(rationals_are_reduced_and_checked),
        cmocka_unit_test(errors_keep_their_native_number),
        cmocka_unit_test(a_codec_without_decoder_is_named),
        cmocka_unit_test(only_the_word_none_asks_for_plain_c),
        cmocka_unit_test(extradata_is_copied_and_padded),
        cmocka_unit_test(a_frame_has_memory_of_its_own),
        cmocka_unit_test(every_task_type_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
