#include "sim_io.h"

#include "scheduler/core/task_types.h"

static void every_type_of_the_pipeline_language_is_there(void **arg)
{
    static const char *const names[] = {"inspect", "plan",       "split", "encode",
                                        "audio",   "thumbnails", "mp4",   "package"};
    (void)arg;
    size_t n = 0;
    for (const struct gm_core_task_type *t = gm_core_task_type_list(); t->name; t++, n++) {
        assert_string_equal(t->name, names[n]);
        assert_ptr_equal(gm_core_task_type_find(t->name), t);
        assert_true(t->cpu_milli > 0 && t->memory_bytes > 0 && t->scratch_bytes > 0);
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
    assert_true(gm_core_task_type_find("encode")->writes_out);
    assert_true(gm_core_task_type_find("package")->writes_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_the_pipeline_language_is_there),
        cmocka_unit_test(only_makers_of_outputs_may_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
