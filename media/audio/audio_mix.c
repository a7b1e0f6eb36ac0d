/* See audio_mix.h. */
#include "media/audio/audio_mix.h"

#include <math.h>
#include <string.h>

#define HALF M_SQRT1_2 /* -3 dB */

enum place { FL, FR, FC, LFE, SL, SR, PLACES };

/* What a channel gives to the places of 5.1. */
struct spread {
    enum AVChannel channel;
    double to[PLACES];
};
static const struct spread spreads[] = {
    {AV_CHAN_FRONT_LEFT, {[FL] = 1}},
    {AV_CHAN_FRONT_RIGHT, {[FR] = 1}},
    {AV_CHAN_FRONT_CENTER, {[FC] = 1}},
    {AV_CHAN_LOW_FREQUENCY, {[LFE] = 1}},
    {AV_CHAN_BACK_LEFT, {[SL] = 1}},
    {AV_CHAN_BACK_RIGHT, {[SR] = 1}},
    {AV_CHAN_FRONT_LEFT_OF_CENTER, {[FL] = HALF, [FC] = HALF}},
    {AV_CHAN_FRONT_RIGHT_OF_CENTER, {[FR] = HALF, [FC] = HALF}},
    {AV_CHAN_BACK_CENTER, {[SL] = HALF, [SR] = HALF}},
    {AV_CHAN_SIDE_LEFT, {[SL] = 1}},
    {AV_CHAN_SIDE_RIGHT, {[SR] = 1}},
    {AV_CHAN_TOP_CENTER, {[FL] = 0.5, [FR] = 0.5, [SL] = 0.5, [SR] = 0.5}},
    {AV_CHAN_TOP_FRONT_LEFT, {[FL] = HALF}},
    {AV_CHAN_TOP_FRONT_CENTER, {[FC] = HALF}},
    {AV_CHAN_TOP_FRONT_RIGHT, {[FR] = HALF}},
    {AV_CHAN_TOP_BACK_LEFT, {[SL] = HALF}},
    {AV_CHAN_TOP_BACK_CENTER, {[SL] = 0.5, [SR] = 0.5}},
    {AV_CHAN_TOP_BACK_RIGHT, {[SR] = HALF}},
    {AV_CHAN_STEREO_LEFT, {[FL] = 1}},
    {AV_CHAN_STEREO_RIGHT, {[FR] = 1}},
    {AV_CHAN_WIDE_LEFT, {[FL] = 1}},
    {AV_CHAN_WIDE_RIGHT, {[FR] = 1}},
    {AV_CHAN_SURROUND_DIRECT_LEFT, {[SL] = 1}},
    {AV_CHAN_SURROUND_DIRECT_RIGHT, {[SR] = 1}},
    {AV_CHAN_LOW_FREQUENCY_2, {[LFE] = 1}},
    {AV_CHAN_TOP_SIDE_LEFT, {[SL] = HALF}},
    {AV_CHAN_TOP_SIDE_RIGHT, {[SR] = HALF}},
    {AV_CHAN_BOTTOM_FRONT_CENTER, {[FC] = HALF}},
    {AV_CHAN_BOTTOM_FRONT_LEFT, {[FL] = HALF}},
    {AV_CHAN_BOTTOM_FRONT_RIGHT, {[FR] = HALF}},
};
#define SPREADS (sizeof(spreads) / sizeof(spreads[0]))

/* From the places of 5.1 to each output. */
static const double to_mono[1][PLACES] = {
    {[FL] = HALF, [FR] = HALF, [FC] = 1, [SL] = 0.5, [SR] = 0.5}};
static const double to_stereo[2][PLACES] = {{[FL] = 1, [FC] = HALF, [SL] = HALF},
                                            {[FR] = 1, [FC] = HALF, [SR] = HALF}};
static const double to_surround[6][PLACES] = {{[FL] = 1},  {[FR] = 1}, {[FC] = 1},
                                              {[LFE] = 1}, {[SL] = 1}, {[SR] = 1}};

/* The channels' places. Nothing at all where none is known: then the first ones are taken. */
struct placed {
    int channels;
    bool known;
    double to[GM_AUDIO_MIX_INPUTS][PLACES];
};

static void place_channels(const AVChannelLayout *layout, struct placed *out)
{
    bool side = av_channel_layout_index_from_channel(layout, AV_CHAN_SIDE_LEFT) >= 0 &&
                av_channel_layout_index_from_channel(layout, AV_CHAN_BACK_LEFT) >= 0;
    for (int i = 0; i < layout->nb_channels; i++) {
        enum AVChannel channel = av_channel_layout_channel_from_index(layout, (unsigned)i);
        for (size_t k = 0; k < SPREADS; k++) {
            if (spreads[k].channel == channel) {
                memcpy(out->to[i], spreads[k].to, sizeof(out->to[i]));
                out->known = true;
            }
        }
        bool pair = channel == AV_CHAN_SIDE_LEFT || channel == AV_CHAN_SIDE_RIGHT ||
                    channel == AV_CHAN_BACK_LEFT || channel == AV_CHAN_BACK_RIGHT;
        if (side && pair) { /* two pairs of surrounds share the one of 5.1 */
            out->to[i][SL] *= HALF;
            out->to[i][SR] *= HALF;
        }
    }
}

static void find_places(const AVChannelLayout *layout, struct placed *out)
{
    AVChannelLayout usual = {0};
    memset(out, 0, sizeof(*out));
    out->channels = layout->nb_channels;
    if (layout->order != AV_CHANNEL_ORDER_UNSPEC) {
        place_channels(layout, out);
    } else if (layout->nb_channels <= 8) {
        av_channel_layout_default(&usual, layout->nb_channels);
        place_channels(&usual, out);
        av_channel_layout_uninit(&usual);
    }
}

uint32_t gm_audio_mix_channels(const AVChannelLayout *layout, uint32_t most)
{
    struct placed p;
    bool has[PLACES] = {false};
    int full = 0;
    if (layout->nb_channels < 1 || layout->nb_channels > GM_AUDIO_MIX_INPUTS) {
        return 1;
    }
    find_places(layout, &p);
    for (int i = 0; i < p.channels; i++) {
        for (int k = 0; k < PLACES; k++) {
            has[k] = has[k] || p.to[i][k] > 0;
        }
        full += p.to[i][LFE] == 0;
    }
    if (!p.known) {
        return most < 2 || p.channels < 2 ? 1 : 2;
    }
    bool sides = has[FL] || has[FR] || has[SL] || has[SR];
    if (most < 2 || !sides || full < 2) {
        return 1;
    }
    return most >= 6 && full >= 5 && (has[FL] || has[FR]) && has[FC] && (has[SL] || has[SR]) ? 6
                                                                                             : 2;
}

/* All alike, so that no output can exceed full scale. */
static void normalise(double *matrix, size_t outputs, size_t inputs)
{
    double largest = 1;
    for (size_t o = 0; o < outputs; o++) {
        double sum = 0;
        for (size_t i = 0; i < inputs; i++) {
            sum += matrix[o * inputs + i];
        }
        largest = sum > largest ? sum : largest;
    }
    for (size_t i = 0; i < outputs * inputs; i++) {
        matrix[i] /= largest;
    }
}

int gm_audio_mix_matrix(const AVChannelLayout *layout, uint32_t channels, double *matrix,
                        struct gm_err *err)
{
    const double(*rule)[PLACES] = channels == 1   ? to_mono
                                  : channels == 2 ? to_stereo
                                  : channels == 6 ? to_surround
                                                  : NULL;
    if (rule == NULL || layout->nb_channels < 1 || layout->nb_channels > GM_AUDIO_MIX_INPUTS) {
        return gm_err_set(err, GM_E_INVAL, 0, "no mix of %d channels to %u", layout->nb_channels,
                          channels);
    }
    struct placed p;
    size_t inputs = (size_t)layout->nb_channels;
    bool heard = false;
    find_places(layout, &p);
    memset(matrix, 0, channels * inputs * sizeof(*matrix));
    if (inputs == 1) { /* wherever it says it belongs: one channel is heard in front, as loud */
        matrix[channels == 6 ? FC : 0] = 1;
        matrix[channels == 2 ? 1 : 0] += channels == 2;
        return 0;
    }
    for (size_t o = 0; o < channels; o++) {
        for (size_t i = 0; i < inputs; i++) {
            for (size_t k = 0; k < PLACES; k++) {
                matrix[o * inputs + i] += rule[o][k] * p.to[i][k];
            }
            heard = heard || matrix[o * inputs + i] > 0;
        }
    }
    if (!heard) { /* unknown places, or nothing but an LFE */
        for (size_t o = 0; o < channels && o < 2; o++) {
            matrix[o * inputs + (o < inputs ? o : 0)] = 1;
        }
        return 0;
    }
    normalise(matrix, channels, inputs);
    return 0;
}
