#include "sim/sim_io.h"

#include <string.h>

#include "scheduler/core/task_types.h"

static void every_type_of_the_pipeline_language_is_there(void **arg)
{
    static const char *const names[] = {"inspect",    "plan",      "split",  "analyze",
                                        "loudness",   "subtitles", "encode", "audio",
                                        "thumbnails", "mp4",       "package"};
    (void)arg;
    size_t n = 0;
    for (const struct gm_core_task_type *t = gm_core_task_type_list(); t->name; t++, n++) {
        assert_string_equal(t->name, names[n]);
        assert_ptr_equal(gm_core_task_type_find(t->name), t);
        assert_true(t->cpu_milli > 0 && t->memory_bytes > 0 && t->scratch_bytes > 0);
        assert_non_null(t->result_facts);
        assert_true(t->feed == GM_FEED_NONE || t->item_facts || strcmp(t->name, "loudness") == 0);
    }
    assert_int_equal(n, sizeof(names) / sizeof(names[0]));
    assert_null(gm_core_task_type_find("verify"));
    assert_null(gm_core_task_type_find(""));
}

static void only_makers_of_outputs_may_write_them(void **arg)
{
    (void)arg;
    assert_false(gm_core_task_type_find("inspect")->writes_out);
    assert_false(gm_core_task_type_find("plan")->writes_out);
    assert_false(gm_core_task_type_find("split")->writes_out);
    assert_false(gm_core_task_type_find("analyze")->writes_out);
    assert_false(gm_core_task_type_find("loudness")->writes_out);
    assert_true(gm_core_task_type_find("subtitles")->writes_out);
    assert_true(gm_core_task_type_find("encode")->writes_out);
    assert_true(gm_core_task_type_find("package")->writes_out);
}

static void a_track_keeps_its_stream_whatever_others_there_are(void **arg)
{
    (void)arg;
    static const struct {
        const char *type;
        uint32_t instance, stream;
    } rows[] = {{"analyze", 0, 0},     {"encode", 0, 0},
                {"audio", 0, 1},       {"audio", 15, 16},
                {"audio", 16, 33},     {"loudness", 15, 16},
                {"subtitles", 0, 17},  {"subtitles", 15, 32},
                {"subtitles", 16, 33}, {"subtitles", UINT32_MAX, 33},
                {"package", 0, 33},    {"split", 0, 33}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct gm_core_task_type *t = gm_core_task_type_find(rows[i].type);
        assert_int_equal(gm_core_task_type_stream(t, rows[i].instance), rows[i].stream);
    }
    assert_int_equal(gm_core_task_type_instances(gm_core_task_type_find("audio")), 16);
    assert_int_equal(gm_core_task_type_instances(gm_core_task_type_find("subtitles")), 16);
    assert_int_equal(gm_core_task_type_instances(gm_core_task_type_find("analyze")), 1);
    assert_true(gm_core_task_type_instances(gm_core_task_type_find("mp4")) > 16);
    assert_true(gm_core_task_type_is_track(gm_core_task_type_find("loudness")));
    assert_false(gm_core_task_type_is_track(gm_core_task_type_find("analyze")));
    assert_false(gm_core_task_type_is_track(gm_core_task_type_find("package")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_the_pipeline_language_is_there),
        cmocka_unit_test(a_track_keeps_its_stream_whatever_others_there_are),
        cmocka_unit_test(only_makers_of_outputs_may_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
