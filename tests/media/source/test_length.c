#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/source/length.h"

#define S INT64_C(1000000)
#define MB INT64_C(1000000)
#define DAY (86400 * S)

static void claims_are_believed_as_far_as_the_file_bears_them_out(void **state)
{
    static const struct {
        struct gm_length length;
        int64_t us, sure_us;
    } rows[] = {
        /* read to the end: where packets end; the last one's length by the header */
        {{DAY, 20 * S, 0, 5 * S, 16 * MB, 65 * MB, true, false, 0, false}, 20 * S, 20 * S},
        {{20 * S + S / 25, 20 * S, 0, 5 * S, 16 * MB, 65 * MB, true, false, 0, false},
         20 * S + S / 25,
         20 * S},
        {{10 * S, 20 * S, 0, 5 * S, 16 * MB, 65 * MB, true, false, 0, false}, 20 * S, 20 * S},
        {{DAY, 0, 0, 0, 0, 65 * MB, true, false, 0, false}, 0, 0},
        /* not to the end: a claim that the bytes bear out, one that they don't */
        {{3600 * S, 80 * S, 0, 80 * S, 16 * MB, 700 * MB, false, false, 0, false},
         3600 * S,
         3500 * S},
        {{3600 * S, 80 * S, 0, 80 * S, 16 * MB, 800 * MB, false, false, 0, false},
         3600 * S,
         3600 * S},
        {{16 * S, 4 * S, 0, 4 * S, 16 * MB, 16 * MB, false, false, 0, false}, 16 * S, 4 * S},
        {{16 * S + 4, 4 * S, 0, 4 * S, 16 * MB, 16 * MB, false, false, 0, false}, 4 * S, 4 * S},
        {{DAY, 30 * S, 0, 5 * S, 16 * MB, 64 * MB, false, false, 0, false}, 30 * S, 30 * S},
        /* unless the index does */
        {{DAY, 30 * S, 50 * S, 5 * S, 16 * MB, 64 * MB, false, false, 0, false}, 50 * S, 50 * S},
        {{3600 * S, 80 * S, 3600 * S, 80 * S, 16 * MB, 17 * MB, false, false, 0, false},
         3600 * S,
         3600 * S},
        /* no bytes to compare with: taken, and not sure */
        {{DAY, 0, 0, 0, 0, 65 * MB, false, false, 0, false}, DAY, 0},
        {{0, 80 * S, 0, 80 * S, 16 * MB, 800 * MB, false, false, 0, false}, 80 * S, 80 * S},
        {{INT64_MIN, 80 * S, 0, 80 * S, 16 * MB, 800 * MB, false, false, 0, false}, 80 * S, 80 * S},
        {{INT64_MAX, 80 * S, 0, INT64_MAX, 1, INT64_MAX, false, false, 0, false},
         INT64_MAX,
         INT64_MAX},
        /* bytes before the first packet say nothing */
        {{880 * S, 4 * S, 0, 4 * S, 16 * MB, 70 * MB, false, false, 15 * MB, false},
         880 * S,
         220 * S},
        {{9000 * S, 9000 * S, 0, 10 * S, 3080 * 1000, 75 * MB, true, true, 3 * MB, false},
         9000 * S,
         9000 * S},
        {{9000 * S, 9000 * S, 0, 10 * S, 3080 * 1000, 75 * MB, true, true, 0, false},
         243506494,
         243506494},
        {{DAY, 4 * S, 0, 4 * S, 16 * MB, 70 * MB, false, false, 16 * MB, false}, DAY, 4 * S},
        {{DAY, 4 * S, 0, 4 * S, 16 * MB, 16 * MB, false, false, 17 * MB, false}, DAY, 4 * S},
        {{DAY, 4 * S, 0, 4 * S, 16 * MB, 64 * MB, false, false, -1, false}, 16 * S, 16 * S},
        /* clocks that may start anew: an end is one by the bytes alone */
        {{DAY, DAY, DAY, 5 * S, 16 * MB, 64 * MB, true, true, 0, false}, 20 * S, 20 * S},
        {{25 * S, 25 * S, 0, 5 * S, 16 * MB, 64 * MB, true, true, 0, false}, 25 * S, 20 * S},
        {{DAY, DAY, 0, 10 * S, 2 * MB, 16000 * MB, true, true, 0, false}, DAY, 80000 * S},
        {{5 * S, 3 * S, 0, 10 * S, 2 * MB, 16000 * MB, true, true, 0, false}, 10 * S, 10 * S},
        /* nothing is told: the bytes alone */
        {{42 * S, 40 * S, 0, 40 * S, 8 * MB, 64 * MB, false, false, 0, true}, 320 * S, 40 * S},
        {{42 * S, 40 * S, 0, 0, 0, 64 * MB, false, false, 0, true}, 40 * S, 40 * S},
        {{42 * S, 42 * S, 0, 40 * S, 8 * MB, 64 * MB, true, false, 0, true}, 42 * S, 42 * S},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t sure_us = -1;
        assert_int_equal(gm_length_guess(&rows[i].length, &sure_us), rows[i].us);
        assert_int_equal(sure_us, rows[i].sure_us);
    }
}

/* A stream whose index has a packet a second, of 100 bytes each. */
static void add_stream(AVFormatContext *f, enum AVMediaType type, int packets)
{
    AVStream *st = avformat_new_stream(f, NULL);
    assert_non_null(st);
    st->codecpar->codec_type = type;
    st->time_base = (AVRational){1, 1000};
    for (int i = 0; i < packets; i++) {
        assert_true(av_add_index_entry(st, 100 * i, 1000 * i, 100, 0, AVINDEX_KEYFRAME) >= 0);
    }
}

static void the_index_tells_of_what_the_file_holds(void **state)
{
    AVFormatContext *f = avformat_alloc_context();
    assert_non_null(f);
    (void)state;
    assert_int_equal(gm_length_indexed_us(f, 1000), INT64_MIN);
    add_stream(f, AVMEDIA_TYPE_SUBTITLE, 90);
    add_stream(f, AVMEDIA_TYPE_VIDEO, 0);
    assert_int_equal(gm_length_indexed_us(f, 9000), INT64_MIN);
    add_stream(f, AVMEDIA_TYPE_VIDEO, 10);
    add_stream(f, AVMEDIA_TYPE_AUDIO, 20);
    assert_int_equal(gm_length_indexed_us(f, 1000), 9 * S);
    assert_int_equal(gm_length_indexed_us(f, 1999), 18 * S);
    assert_int_equal(gm_length_indexed_us(f, 9000), 19 * S);
    assert_int_equal(gm_length_indexed_us(f, 99), INT64_MIN);
    f->streams[3]->discard = AVDISCARD_ALL;
    assert_int_equal(gm_length_indexed_us(f, 9000), 9 * S);
    avformat_free_context(f);
}

static void the_limit_is_the_pipelines(void **state)
{
    Gm__InspectParams params = GM__INSPECT_PARAMS__INIT;
    Gm__PipelineTask task = GM__PIPELINE_TASK__INIT;
    Gm__PipelineTask other = GM__PIPELINE_TASK__INIT;
    Gm__PipelineTask *tasks[] = {&other, &task};
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    (void)state;
    assert_int_equal(gm_length_limit_s(&spec), 43200);
    pipeline.tasks = tasks;
    pipeline.n_tasks = 2;
    spec.pipeline = &pipeline;
    assert_int_equal(gm_length_limit_s(&spec), 43200);
    task.params_case = GM__PIPELINE_TASK__PARAMS_INSPECT;
    task.inspect = &params;
    assert_int_equal(gm_length_limit_s(&spec), 43200);
    params.max_duration_s = 7;
    assert_int_equal(gm_length_limit_s(&spec), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_believed_as_far_as_the_file_bears_them_out),
        cmocka_unit_test(the_index_tells_of_what_the_file_holds),
        cmocka_unit_test(the_limit_is_the_pipelines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
