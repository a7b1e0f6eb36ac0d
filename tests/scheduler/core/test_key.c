#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/streams.h"
#include "scheduler/core/key.h"
#include "scheduler/core/state.h"

static const struct gm_key ordered[] = {
    {.kind = GM_ROW_JOB, .job = 1},
    {.kind = GM_ROW_JOB, .job = UINT64_C(1) << 40},
    {.kind = GM_ROW_TASK, .job = 7, .task = 63, .instance = 65535},
    {.kind = GM_ROW_TASK, .job = 8},
    {.kind = GM_ROW_ITEM, .job = 7, .task = 2, .instance = 1, .stream = 3, .index = 262143},
    {.kind = GM_ROW_ITEM, .job = 7, .task = 2, .instance = 1, .stream = 4},
    {.kind = GM_ROW_ITEM, .job = 7, .task = 2, .instance = 2},
    {.kind = GM_ROW_ITEM,
     .job = 7,
     .task = 63,
     .instance = 4095,
     .stream = 32,
     .index = 4294967295},
    {.kind = GM_ROW_OBJECT, .job = 7, .store = 1, .name = (char *)"v/b"},
    {.kind = GM_ROW_OBJECT, .job = 7, .store = 2, .name = (char *)"v/a"},
    {.kind = GM_ROW_OBJECT, .job = 7, .store = 2, .name = (char *)"v/b"},
    {.kind = GM_ROW_ATTEMPT, .job = 7, .number = 9},
    {.kind = GM_ROW_ATTEMPT, .job = 7, .number = 10},
    {.kind = GM_ROW_NODE, .name = (char *)"n1"},
    {.kind = GM_ROW_NODE, .name = (char *)"n2"},
};
#define COUNT (sizeof(ordered) / sizeof(ordered[0]))

static void keys_sort_by_kind_job_and_numbers(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            int order = gm_key_compare(&ordered[i], &ordered[j]);
            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
    }
}

static void numbers_come_back(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        struct gm_key key = {
            .kind = ordered[i].kind, .job = ordered[i].job, .name = ordered[i].name};
        assert_true(gm_key_at(&ordered[i]) <= INT64_MAX); /* the stores' numbers have a sign */
        gm_key_set_at(&key, gm_key_at(&ordered[i]));
        assert_int_equal(gm_key_compare(&key, &ordered[i]), 0);
        assert_int_equal(key.index, ordered[i].index);
        assert_int_equal(key.instance, ordered[i].instance);
    }
}

static void all_that_a_pipeline_may_have_has_room(void **arg)
{
    (void)arg;
    assert_true(GM_CORE_MAX_TASKS <= GM_KEY_TASKS);
    assert_true(GM_STREAMS <= GM_KEY_STREAMS);
    for (const char *const *name =
             (const char *const[]){"inspect", "encode", "audio", "subtitles", "mp4", NULL};
         *name; name++) {
        const struct gm_core_task_type *type = gm_core_task_type_find(*name);
        assert_non_null(type);
        assert_true(gm_core_task_type_instances(type) < GM_KEY_INSTANCES);
    }
}

static void texts_name_what_is_meant(void **arg)
{
    static const char *const texts[COUNT] = {"job 1",
                                             "job 1099511627776",
                                             "task 7/63/65535",
                                             "task 8/0/0",
                                             "item 7/2/1/3/262143",
                                             "item 7/2/1/4/0",
                                             "item 7/2/2/0/0",
                                             "item 7/63/4095/32/4294967295",
                                             "object 7/1/v/b",
                                             "object 7/2/v/a",
                                             "object 7/2/v/b",
                                             "attempt 7/9",
                                             "attempt 7/10",
                                             "node n1",
                                             "node n2"};
    char text[GM_KEY_TEXT_BYTES], name[2 * GM_KEY_TEXT_BYTES];
    (void)arg;
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(gm_key_text(&ordered[i], text), texts[i]);
    }
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct gm_key key = {.kind = GM_ROW_NODE, .name = name};
    assert_int_equal(strlen(gm_key_text(&key, text)), GM_KEY_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_by_kind_job_and_numbers),
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(all_that_a_pipeline_may_have_has_room),
        cmocka_unit_test(texts_name_what_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
