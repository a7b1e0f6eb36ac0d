#ifndef GM_MEDIA_AUDIO_AUDIO_H
#define GM_MEDIA_AUDIO_AUDIO_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media.pb-c.h"

#define GM_AAC_FRAME 1024 /* samples a frame of AAC-LC: ISO/IEC 14496-3 4.5.2.1 */
#define GM_OPUS_FRAME 960 /* 20 ms at 48 kHz: RFC 6716 2.1.4 */
#define GM_OPUS_RATE 48000

/* "aac" or "opus"; anything else is "aac"'s. */
bool gm_audio_is_opus(const Gm__AudioParams *params);
/* Samples a frame of that codec: GM_AAC_FRAME or GM_OPUS_FRAME. */
uint32_t gm_audio_frame_samples(const Gm__AudioParams *params);
/* libavcodec's number of the codec (enum AVCodecID). */
enum AVCodecID gm_audio_codec_id(const Gm__AudioParams *params);
/* Channels of the track in libavutil's order: mono, stereo or 5.1 (FL FR FC LFE BL BR). */
void gm_audio_layout(const Gm__AudioParams *params, AVChannelLayout *out);

/* Opens the encoder exactly as every part of gopmill does. AAC-LC: planar float samples in, frames
 * of GM_AAC_FRAME, AudioSpecificConfig in extradata. Opus (libopus, variable rate, complexity 10):
 * interleaved float in, frames of GM_OPUS_FRAME, OpusHead in extradata (RFC 7845 5.1). The priming
 * is in initial_padding. `plan` opens it for these two; the audio task encodes with it.
 *
 * out:    owned by the caller: avcodec_free_context
 * Bytes:  AAC's are the same on every x86 machine only while libav*'s CPU flags are forced off:
 *         gm_audio_cpu_begin before opening, gm_audio_cpu_end after closing. libopus rounds
 *         as the processor does: ADR-0014, gm_audio_arithmetic.
 * Errors: INVAL (channels not 1, 2 or 6; a rate that the codec has no number for), MEDIA, NOMEM
 */
int gm_audio_encoder_open(const Gm__AudioParams *params, AVCodecContext **out,
                          struct gm_err *err) GM_MUST_CHECK;

/* The factor of a gain in dB; 1 for 0. */
float gm_audio_gain(double db);

/* A number for how this processor rounds what the codec's encoder uses; 0: as all do (AAC).
 * Machines with the same number make the same bytes. */
uint32_t gm_audio_arithmetic(const Gm__AudioParams *params);

/* Float arithmetic of libavcodec and libswresample differs in its last bits between vector
 * extensions, so sound is worked on in plain C. begin forces libav*'s CPU flags to none and returns
 * what end must be given to put them back.
 * Thread: the flags are the process's: one task at a time (a worker runs one), and no codec of
 * another task may be opened in between. */
int gm_audio_cpu_begin(void);
void gm_audio_cpu_end(int saved);

#endif
