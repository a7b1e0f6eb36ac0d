#include "tests/scheduler/pipeline_text.h"

/* encode's `devices` and `fallback`. */
static int parse_with(const char *options, Gm__Pipeline **out, struct gm_err *err)
{
    char text[512];
    int n = snprintf(text, sizeof text, BASE "  v: {type: encode, needs: [s]%s}\n" PACK, options);
    assert_true(n > 0 && (size_t)n < sizeof text);
    return parse(text, out, err);
}

static void order_is_kept(void **state)
{
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    (void)state;
    ASSERT_OK(parse_with(", devices: [nvenc, cpu], fallback: wait", &p, &err));
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

static void refuses(const char *options, const char *why)
{
    struct gm_err err = {0};
    Gm__Pipeline *p = NULL;
    assert_int_equal(parse_with(options, &p, &err), -GM_E_CONFIG);
    assert_null(p);
    if (strstr(err.text, why) == NULL) {
        fail_msg("`%s` does not say `%s`", err.text, why);
    }
}

static void wrong_lists_are_refused(void **state)
{
    (void)state;
    refuses(", devices: nvenc", "devices is a list such as [nvenc]");
    refuses(", devices: []", "devices is a list such as [nvenc]");
    refuses(", devices: [nvenk]", "`nvenk` is none of the devices; did you mean `nvenc`?");
    refuses(", devices: [qsv]", "it is one of: nvenc, vaapi, cpu");
    refuses(", devices: [cpu, cpu]", "devices names `cpu` twice");
    refuses(", devices: [[cpu]]", "f.yaml:6");
    refuses(", fallback: never", "it is one of: software, wait, fail");
    refuses(", renditions: {360: {devices: [cpu]}}", "devices");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(unset_is_empty_and_software),
        cmocka_unit_test(wrong_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
