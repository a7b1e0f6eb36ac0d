#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "media/audio/audio.h"
#include "media/audio/true_peak.h"

#define COUNT 9600

static double peak_of(uint32_t channels, uint32_t rate, const float *const *planes, size_t step)
{
    struct gm_true_peak *p = NULL;
    struct gm_err err;
    double db = 1;
    assert_int_equal(gm_true_peak_create(channels, rate, &p, &err), 0);
    for (size_t done = 0; done < COUNT; done += step) {
        const float *at[6] = {NULL};
        for (uint32_t c = 0; planes != NULL && c < channels; c++) {
            at[c] = planes[c] + done;
        }
        size_t n = step < COUNT - done ? step : COUNT - done;
        assert_int_equal(gm_true_peak_add(p, planes != NULL ? at : NULL, n, &err), 0);
    }
    assert_int_equal(gm_true_peak_end(p, &db, &err), 0);
    gm_true_peak_destroy(&p);
    return db;
}

/* A quarter of the rate at 45 degrees: samples reach 0.707, the sound 1. */
static void peaks_between_the_samples_count(void **state)
{
    (void)state;
    static const uint32_t rates[] = {32000, 44100, 48000};
    static float quarter[COUNT], low[COUNT];
    int flags = gm_audio_cpu_begin();
    for (int i = 0; i < COUNT; i++) {
        double fade = fmin(1, fmin(i, COUNT - i) / 500.0); /* a hard start would ring */
        quarter[i] = (float)(fade * sin(M_PI / 2 * i + M_PI / 4));
        low[i] = (float)(0.25 * fade * sin(M_PI / 100 * i));
    }
    for (size_t k = 0; k < 3; k++) {
        const float *both[] = {low, quarter};
        assert_true(fabs(peak_of(1, rates[k], both + 1, 1000)) < 0.1);
        assert_true(fabs(peak_of(2, rates[k], both, 4800)) < 0.1); /* the louder channel */
        assert_true(fabs(peak_of(1, rates[k], both, COUNT) + 12.04) < 0.05);
        double a = peak_of(2, rates[k], both, 7), b = peak_of(2, rates[k], both, COUNT);
        assert_true(a == b); /* however it comes */
    }
    assert_true(peak_of(6, 48000, NULL, COUNT) == -HUGE_VAL);
    gm_audio_cpu_end(flags);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static const uint32_t rows[][2] = {{0, 48000}, {7, 48000}, {2, 0}, {2, 192000}};
    for (size_t i = 0; i < 4; i++) {
        struct gm_true_peak *p = NULL;
        struct gm_err err;
        assert_int_equal(gm_true_peak_create(rows[i][0], rows[i][1], &p, &err), -GM_E_INVAL);
        assert_null(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peaks_between_the_samples_count),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("true_peak", tests, NULL, NULL);
}
