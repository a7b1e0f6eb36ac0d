#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/inputs.h"

/* A feed of n inputs whose items are numbered from first on; the one at `hole` has none. */
static Gm__Feed *make_feed(uint32_t first, size_t n, size_t hole)
{
    Gm__Feed *feed = calloc(1, sizeof(*feed));
    assert_non_null(feed);
    gm__feed__init(feed);
    feed->inputs = calloc(n + 1, sizeof(Gm__TaskInput *));
    assert_non_null(feed->inputs);
    for (size_t i = 0; i < n; i++) {
        Gm__TaskInput *input = calloc(1, sizeof(*input));
        assert_non_null(input);
        gm__task_input__init(input);
        if (i != hole) {
            input->item = calloc(1, sizeof(*input->item));
            assert_non_null(input->item);
            gm__item__init(input->item);
            input->item->index = first + (uint32_t)i;
        }
        feed->inputs[i] = input;
    }
    feed->n_inputs = n;
    return feed;
}

static void inputs_keep_their_positions(void **state)
{
    struct gm_inputs inputs = {0};
    struct gm_err err;
    Gm__Feed *spec = make_feed(0, 3, SIZE_MAX); /* stands for a TaskSpec: stays the caller's */
    uint32_t next = 3;

    (void)state;
    assert_int_equal(gm_inputs_add(&inputs, spec->inputs, spec->n_inputs, &err), 0);
    assert_int_equal(gm_inputs_add(&inputs, NULL, 0, &err), 0);
    for (size_t n = 0; n < 40; n++) {
        assert_int_equal(gm_inputs_feed(&inputs, make_feed(next, n, SIZE_MAX), &err), 0);
        next += (uint32_t)n;
    }
    assert_int_equal(inputs.feed_count, 40);
    assert_int_equal(inputs.count, next);
    for (size_t i = 0; i < inputs.count; i++) {
        assert_int_equal(inputs.list[i]->item->index, i);
    }
    gm_inputs_fini(&inputs);
    assert_int_equal(inputs.count, 0);
    gm__feed__free_unpacked(spec, NULL);
}

static void an_input_without_its_item_is_refused(void **state)
{
    struct gm_inputs inputs = {0};
    struct gm_err err;
    Gm__Feed *bad = make_feed(0, 3, 1);

    (void)state;
    assert_int_equal(gm_inputs_feed(&inputs, bad, &err), -GM_E_PROTO);
    assert_int_equal(err.native, 1);
    assert_int_equal(inputs.count, 0);
    assert_int_equal(inputs.feed_count, 0);
    gm__feed__free_unpacked(bad, NULL);
    gm_inputs_fini(&inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_keep_their_positions),
        cmocka_unit_test(an_input_without_its_item_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
