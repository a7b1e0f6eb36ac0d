#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/va.h"

/* A driver: display points to it. */
struct driver {
    int most;
    VAStatus status;
    VAEntrypoint list[3];
    int count;
};

static int max_entrypoints(VADisplay display)
{
    return ((const struct driver *)display)->most;
}

static VAStatus entrypoints(VADisplay display, VAProfile profile, VAEntrypoint *out, int *count)
{
    const struct driver *d = display;
    assert_int_equal(profile, VAProfileH264High);
    for (int i = 0; i < d->count; i++) {
        out[i] = d->list[i];
    }
    *count = d->count;
    return d->status;
}

static void the_first_encoder_of_slices_is_taken(void **state)
{
    static const struct {
        struct driver driver;
        bool found;
        VAEntrypoint want;
    } rows[] = {
        {{3, VA_STATUS_SUCCESS, {VAEntrypointVLD, VAEntrypointEncSlice, VAEntrypointEncSliceLP}, 3},
         true,
         VAEntrypointEncSlice},
        {{3, VA_STATUS_SUCCESS, {VAEntrypointEncSliceLP, VAEntrypointEncSlice}, 2},
         true,
         VAEntrypointEncSliceLP},
        {{3, VA_STATUS_SUCCESS, {VAEntrypointVLD, VAEntrypointEncPicture}, 2}, false, 0},
        {{3, VA_STATUS_SUCCESS, {VAEntrypointVLD}, 0}, false, 0},
        {{3, VA_STATUS_ERROR_UNSUPPORTED_PROFILE, {VAEntrypointEncSlice}, 1}, false, 0},
        {{GM_VA_ENTRYPOINTS, VA_STATUS_SUCCESS, {VAEntrypointEncSlice}, 1},
         true,
         VAEntrypointEncSlice},
        {{GM_VA_ENTRYPOINTS + 1, VA_STATUS_SUCCESS, {VAEntrypointEncSlice}, 1}, false, 0},
    };
    const struct gm_va va = {.max_entrypoints = max_entrypoints, .entrypoints = entrypoints};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct driver d = rows[i].driver;
        VAEntrypoint entry = VAEntrypointIZZ;
        assert_int_equal(gm_va_find_encoder(&va, &d, VAProfileH264High, &entry), rows[i].found);
        assert_int_equal(entry, rows[i].found ? rows[i].want : VAEntrypointIZZ);
    }
}

static void what_a_driver_does_not_know_is_none(void **state)
{
    const VAConfigAttrib unknown = {VAConfigAttribRateControl, VA_ATTRIB_NOT_SUPPORTED};
    const VAConfigAttrib known = {VAConfigAttribRateControl, VA_RC_CQP};
    (void)state;
    assert_int_equal(gm_va_value(&unknown), 0);
    assert_int_equal(gm_va_value(&known), VA_RC_CQP);
}

/* libva2 and libva-drm2 come with libavutil. */
static void the_libraries_are_opened_and_closed(void **state)
{
    struct gm_va va;
    (void)state;
    assert_true(gm_va_open(&va));
    assert_non_null(va.display_drm);
    assert_non_null(va.destroy_context);
    gm_va_close(&va);
    assert_null(va.core);
    gm_va_close(&va);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_encoder_of_slices_is_taken),
        cmocka_unit_test(what_a_driver_does_not_know_is_none),
        cmocka_unit_test(the_libraries_are_opened_and_closed),
    };
    return cmocka_run_group_tests_name("kernels/va", tests, NULL, NULL);
}
