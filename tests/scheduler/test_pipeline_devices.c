#include "tests/scheduler/pipeline_text.h"

/* encode's `devices` and `fallback`. */
static int parse_with(const char *options, Gm__Pipeline **out, struct gm_err *err)
{
    char text[1024];
    encode_text(options, text);
    return parse(text, out, err);
}

static void order_is_kept(void **state)
{
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse_with("devices: [nvenc, cpu], fallback: wait", &p, &err));
    const Gm__EncodeParams *e = encode_of(p);
    assert_int_equal(e->n_devices, 2);
    assert_string_equal(e->devices[0], "nvenc");
    assert_string_equal(e->devices[1], "cpu");
    assert_string_equal(e->fallback, "wait");
    gm__pipeline__free_unpacked(p, NULL);
}

static void unset_is_empty_and_software(void **state)
{
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse_with("", &p, &err));
    assert_int_equal(encode_of(p)->n_devices, 0);
    assert_string_equal(encode_of(p)->fallback, "software");
    gm__pipeline__free_unpacked(p, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(unset_is_empty_and_software),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
