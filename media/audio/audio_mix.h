#ifndef GM_MEDIA_AUDIO_AUDIO_MIX_H
#define GM_MEDIA_AUDIO_AUDIO_MIX_H

#include <libavutil/channel_layout.h>

#include "common/err.h"

/* How sound of any layout becomes mono, stereo or 5.1.
 *
 * Every channel is first given to the places of 5.1: itself, or the nearest ones at -3 dB each (two
 * pairs of surrounds share theirs at -3 dB). Stereo: L + 0.7071 C + 0.7071 Ls, R alike; mono:
 * 0.7071 (L + R) + C + 0.5 (Ls + Rs); the LFE goes into neither (ITU-R BS.775-3, table 2 and
 * annex 4). Then all coefficients are divided by the largest sum that an output has, where that is
 * above 1: whatever is put in, nothing clips, and the channels' balance stays.
 *
 * A layout that names no places: up to 8 channels count as the usual layout of that many; of more,
 * the first one or two are taken as they are.
 */
#define GM_AUDIO_MIX_INPUTS 64 /* channels that a source may have: SWR_CH_MAX */
#define GM_AUDIO_MIX_OUTPUTS 6

/* Channels of a track made of such sound: 1, 2 or 6, at most `most`, and never more than there is
 * sound for. 6 needs front left or right, a centre, surrounds, and five of them without the LFE. */
uint32_t gm_audio_mix_channels(const AVChannelLayout *layout, uint32_t most);

/* matrix[out * channels of layout + in]; outputs in libavutil's order (6: FL FR FC LFE BL BR).
 * channels: 1, 2 or 6. Errors: INVAL (more than GM_AUDIO_MIX_INPUTS or no channels in, or another
 * number out), NOMEM. */
int gm_audio_mix_matrix(const AVChannelLayout *layout, uint32_t channels, double *matrix,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
