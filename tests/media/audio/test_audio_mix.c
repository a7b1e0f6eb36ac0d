#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "media/audio/audio_mix.h"

/* The mix's coefficients, written out here from the standard once more. */

#define H 0.70710678118654752

struct row {
    const char *layout;
    uint32_t channels;
    double m[6][8]; /* before they are made quieter; in the layout's order */
};
static const struct row rows[] = {
    {"stereo", 2, {{1, 0}, {0, 1}}},
    {"mono", 1, {{1}}},
    {"mono", 2, {{1}, {1}}},
    {"stereo", 1, {{H, H}}},
    {"5.1", 2, {{1, 0, H, 0, H, 0}, {0, 1, H, 0, 0, H}}},
    {"5.1(side)", 2, {{1, 0, H, 0, H, 0}, {0, 1, H, 0, 0, H}}},
    {"5.1", 1, {{H, H, 1, 0, 0.5, 0.5}}},
    {"5.0", 2, {{1, 0, H, H, 0}, {0, 1, H, 0, H}}},
    {"2.1", 2, {{1, 0, 0}, {0, 1, 0}}},
    {"3.0", 2, {{1, 0, H}, {0, 1, H}}},
    {"4.0", 2, {{1, 0, H, 0.5}, {0, 1, H, 0.5}}},
    {"quad", 2, {{1, 0, H, 0}, {0, 1, 0, H}}},
    {"quad(side)", 2, {{1, 0, H, 0}, {0, 1, 0, H}}},
    {"7.1", 2, {{1, 0, H, 0, 0.5, 0, 0.5, 0}, {0, 1, H, 0, 0, 0.5, 0, 0.5}}},
    {"downmix", 2, {{1, 0}, {0, 1}}},
    {"5.1(side)", 6, {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 1}}},
    {"7.1",
     6,
     {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, H, 0, H, 0}, {0, 0, 0, 0, 0, H, 0, H}}},
    {"6.1",
     6,
     {{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, H, 1, 0}, {0, 0, 0, 0, H, 0, 1}}},
    {"6 channels", 2, {{1, 0, H, 0, H, 0}, {0, 1, H, 0, 0, H}}}, /* no places: 5.1 */
    {"1 channels", 1, {{1}}},
    {"LFE", 1, {{1}}},
    {"FR", 1, {{1}}},
};

static void coefficients_are_the_standards(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        const struct row *row = &rows[k];
        AVChannelLayout layout = {0};
        double matrix[GM_AUDIO_MIX_OUTPUTS * GM_AUDIO_MIX_INPUTS];
        struct gm_err err;
        assert_int_equal(av_channel_layout_from_string(&layout, row->layout), 0);
        assert_int_equal(gm_audio_mix_matrix(&layout, row->channels, matrix, &err), 0);
        size_t inputs = (size_t)layout.nb_channels;
        double largest = 1;
        for (size_t o = 0; o < row->channels; o++) {
            double sum = 0;
            for (size_t i = 0; i < inputs; i++) {
                sum += row->m[o][i];
            }
            largest = fmax(largest, sum);
        }
        for (size_t o = 0; o < row->channels; o++) {
            double sum = 0;
            for (size_t i = 0; i < inputs; i++) {
                double wanted = row->m[o][i] / largest;
                sum += matrix[o * inputs + i];
                if (fabs(matrix[o * inputs + i] - wanted) > 1e-12) {
                    fail_msg("%s to %u: %zu in %zu is %f instead of %f", row->layout, row->channels,
                             i, o, matrix[o * inputs + i], wanted);
                }
            }
            assert_true(sum <= 1 + 1e-9); /* nothing clips */
        }
        av_channel_layout_uninit(&layout);
    }
}

static void channels_are_never_more_than_there_are(void **state)
{
    (void)state;
    static const struct {
        const char *layout;
        uint32_t most, channels;
    } wanted[] = {
        {"mono", 1, 1},        {"mono", 2, 1},        {"mono", 6, 1},       {"stereo", 1, 1},
        {"stereo", 2, 2},      {"stereo", 6, 2},      {"2.1", 6, 2},        {"3.0", 6, 2},
        {"quad", 6, 2},        {"4.0", 6, 2},         {"5.0", 6, 6},        {"5.1", 6, 6},
        {"5.1(side)", 6, 6},   {"5.1", 2, 2},         {"7.1", 6, 6},        {"7.1(wide)", 6, 6},
        {"7.1", 2, 2},         {"7.1", 1, 1},         {"6 channels", 6, 6}, {"2 channels", 6, 2},
        {"16 channels", 6, 2}, {"16 channels", 1, 1}, {"1 channels", 6, 1}, {"LFE", 2, 1},
    };
    for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
        AVChannelLayout layout = {0};
        assert_int_equal(av_channel_layout_from_string(&layout, wanted[k].layout), 0);
        uint32_t channels = gm_audio_mix_channels(&layout, wanted[k].most);
        if (channels != wanted[k].channels) {
            fail_msg("%s, at most %u: %u channels", wanted[k].layout, wanted[k].most, channels);
        }
        av_channel_layout_uninit(&layout);
    }
}

static void unknown_places_are_taken_as_they_are(void **state)
{
    (void)state;
    AVChannelLayout layout = {.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = 12};
    double matrix[GM_AUDIO_MIX_OUTPUTS * GM_AUDIO_MIX_INPUTS];
    struct gm_err err;
    assert_int_equal(gm_audio_mix_matrix(&layout, 2, matrix, &err), 0);
    for (size_t i = 0; i < 24; i++) {
        assert_true(matrix[i] == (i == 0 || i == 13 ? 1.0 : 0.0));
    }
    AVChannelLayout sphere = {0};
    assert_int_equal(av_channel_layout_from_string(&sphere, "ambisonic 1"), 0);
    assert_int_equal(gm_audio_mix_channels(&sphere, 2), 2);
    assert_int_equal(gm_audio_mix_matrix(&sphere, 2, matrix, &err), 0);
    av_channel_layout_uninit(&sphere);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    double matrix[GM_AUDIO_MIX_OUTPUTS * GM_AUDIO_MIX_INPUTS];
    struct gm_err err;
    AVChannelLayout layout = {.order = AV_CHANNEL_ORDER_UNSPEC, .nb_channels = 65};
    assert_int_equal(gm_audio_mix_matrix(&layout, 2, matrix, &err), -GM_E_INVAL);
    assert_int_equal(gm_audio_mix_channels(&layout, 2), 1);
    layout.nb_channels = 0;
    assert_int_equal(gm_audio_mix_matrix(&layout, 2, matrix, &err), -GM_E_INVAL);
    layout.nb_channels = 2;
    assert_int_equal(gm_audio_mix_matrix(&layout, 3, matrix, &err), -GM_E_INVAL);
    assert_int_equal(gm_audio_mix_matrix(&layout, 0, matrix, &err), -GM_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_are_the_standards),
        cmocka_unit_test(channels_are_never_more_than_there_are),
        cmocka_unit_test(unknown_places_are_taken_as_they_are),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("audio_mix", tests, NULL, NULL);
}
