#include "node/blind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/envelope.h"

#define URL (char *)(uintptr_t) "s3://secret?sig"

static void assert_blind(const ProtobufCMessage *msg)
{
    struct gm_err err;
    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(gm_message_encode(msg, &data, &size, &err), 0);
    assert_null(memmem(data, size, "secret", 6));
    assert_non_null(memmem(data, size, "a-key", 5));
    free(data);
}

static void all_urls_of_a_task_are_taken_out_of_its_copy(void **state)
{
    struct gm_err err;
    struct gm_pool pool = {NULL};
    Gm__Object object = GM__OBJECT__INIT;
    object.url = URL;
    object.key = (char *)(uintptr_t) "a-key";
    Gm__Object *objects[] = {&object, &object};
    Gm__Item item = GM__ITEM__INIT;
    item.objects = objects;
    item.n_objects = 2;
    Gm__TaskInput input = GM__TASK_INPUT__INIT;
    input.item = &item;
    Gm__TaskInput *inputs[] = {&input, &input};
    Gm__TaskResult result = GM__TASK_RESULT__INIT;
    result.objects = objects;
    result.n_objects = 2;
    Gm__TaskResult *results[] = {&result};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT, blind_spec;
    Gm__Feed feed = GM__FEED__INIT, blind_feed;
    (void)state;

    assert_int_equal(gm_blind_check_spec(&spec, &err), 0);
    spec.source = &object;
    assert_int_equal(gm_blind_check_spec(&spec, &err), -GM_E_BUG);
    spec.source = NULL;
    spec.results = results;
    spec.n_results = 1;
    assert_int_equal(gm_blind_check_spec(&spec, &err), -GM_E_BUG);
    spec.n_results = 0;
    spec.inputs = feed.inputs = inputs;
    spec.n_inputs = feed.n_inputs = 2;
    assert_int_equal(gm_blind_check_spec(&spec, &err), -GM_E_BUG);
    assert_int_equal(gm_blind_check_feed(&feed, &err), -GM_E_BUG);
    spec.source = &object;
    spec.n_results = 1;

    assert_int_equal(gm_blind_spec(&spec, &pool, &blind_spec, &err), 0);
    assert_blind(&blind_spec.base);
    assert_int_equal(gm_blind_check_spec(&blind_spec, &err), 0);
    assert_int_equal(gm_blind_feed(&feed, &pool, &blind_feed, &err), 0);
    assert_blind(&blind_feed.base);
    assert_int_equal(gm_blind_check_feed(&blind_feed, &err), 0);
    assert_string_equal(object.url, URL);
    gm_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_urls_of_a_task_are_taken_out_of_its_copy),
    };
    return cmocka_run_group_tests_name("node/blind", tests, NULL, NULL);
}
