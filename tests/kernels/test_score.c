#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cards_io.h"
#include "kernels/fibers_io.h"
#include "kernels/reference.h"
#include "kernels/twin.h"

/* What lies around the picture, a bit each. */
enum { BEFORE = 1, AFTER = 2 };

/* drop < 0: one thread. */
static bool same(uint32_t w, uint32_t h, int around, bool backward, int drop)
{
    uint64_t random = 11 + w * 131 + h;
    struct card now, before, after;
    card_init(&now, w, h, false, w % 7, h % 3);
    card_init(&before, w, h, false, 4, 0);
    card_init(&after, w, h, false, 0, 1);
    card_noise(&now, &random);
    card_noise(&before, &random);
    card_noise(&after, &random);
    struct gm_score_sums sums[2] = {0}, want;
    struct gm_score_frame f[2];
    for (int i = 0; i < 2; i++) {
        f[i] = (struct gm_score_frame){.luma = now.surface.plane[0],
                                       .before = around & BEFORE ? before.surface.plane[0] : 0,
                                       .after = around & AFTER ? after.surface.plane[0] : 0,
                                       .sums = (uintptr_t)&sums[i],
                                       .stride = now.surface.stride[0],
                                       .before_stride = before.surface.stride[0],
                                       .after_stride = after.surface.stride[0]};
    }
    struct gm_score_args args;
    struct gm_launch launch;
    struct gm_err err;
    assert_int_equal(gm_score_prepare(w, h, (uintptr_t)f, 2, &args, &launch, &err), 0);
    assert_int_equal(gm_score_check(&args, &f[0], &err), 0);
    gm_reference_score(&args, &f[0], &want);
    if (drop < 0) {
        assert_int_equal(gm_twin_run(&launch, &args, &err), 0);
    } else {
        struct fibers_how how = {.backward = backward, .drop = drop};
        assert_int_equal(fibers_run(&launch, &args, &how), FIBERS_OK);
    }
    card_fini(&now);
    card_fini(&before);
    card_fini(&after);
    return memcmp(&sums[0], &want, sizeof want) == 0 && memcmp(&sums[1], &want, sizeof want) == 0;
}

static void sums_are_exact_for_every_size(void **state)
{
    (void)state;
    for (uint32_t w = 2; w < 20; w++) {
        for (uint32_t h = 2; h < 6; h++) {
            assert_true(same(w, h, (int)(w + h) % 4, false, -1));
        }
    }
    assert_true(same(333, 97, BEFORE, false, -1));
    assert_true(
        same(334, 33, BEFORE | AFTER, false, -1)); /* its last row of blocks has no gradient */
    assert_true(same(16384, 17, BEFORE | AFTER, false, -1));
    if (FIBERS_WORK) {
        assert_true(same(333, 37, BEFORE | AFTER, false, 0));
        assert_true(same(130, 37, AFTER, true, 0));
        assert_true(same(3, 3, 0, true, 0));
    }
}

static void a_missing_barrier_is_seen(void **state)
{
    (void)state;
    if (!FIBERS_DIRT) {
        print_message("SKIPPED here: a missing barrier (sanitizers refuse what this test does)\n");
        skip();
    }
    for (int drop = 2; drop <= 3; drop++) {
        assert_false(same(333, 37, BEFORE | AFTER, false, drop));
        assert_false(same(333, 37, BEFORE | AFTER, true, drop));
    }
}

static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    struct gm_score_args args;
    struct gm_launch launch;
    struct gm_err err;
    assert_int_equal(gm_score_prepare(1, 9, 8, 1, &args, &launch, &err), -GM_E_INVAL);
    assert_int_equal(gm_score_prepare(9, 16385, 8, 1, &args, &launch, &err), -GM_E_INVAL);
    assert_int_equal(gm_score_prepare(9, 9, 0, 1, &args, &launch, &err), -GM_E_INVAL);
    assert_int_equal(gm_score_prepare(9, 9, 8, 0, &args, &launch, &err), -GM_E_INVAL);
    assert_int_equal(gm_score_prepare(9, 9, 8, 1, &args, &launch, &err), 0);
    struct gm_score_frame f = {.luma = 8, .sums = 8, .stride = 9};
    assert_int_equal(gm_score_check(&args, &f, &err), 0);
    f.stride = 8;
    assert_int_equal(gm_score_check(&args, &f, &err), -GM_E_INVAL);
    f.stride = 9;
    f.before = 8;
    assert_int_equal(gm_score_check(&args, &f, &err), -GM_E_INVAL);
    f.before_stride = 9;
    f.after = 8;
    assert_int_equal(gm_score_check(&args, &f, &err), -GM_E_INVAL);
    f.after_stride = 9;
    assert_int_equal(gm_score_check(&args, &f, &err), 0);
    f.sums = 12;
    assert_int_equal(gm_score_check(&args, &f, &err), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_exact_for_every_size),
        cmocka_unit_test(a_missing_barrier_is_seen),
        cmocka_unit_test(what_is_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
