#ifndef GM_MEDIA_AUDIO_H
#define GM_MEDIA_AUDIO_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media.pb-c.h"

#define GM_AAC_FRAME 1024 /* samples a frame of AAC-LC: ISO/IEC 14496-3 4.5.2.1 */

/* Opens the AAC-LC encoder exactly as every part of gopmill does: planar float samples in, frames
 * of GM_AAC_FRAME, AudioSpecificConfig in extradata, priming in initial_padding. `plan` opens it
 * once for these two; the audio task encodes with it.
 *
 * out:    owned by the caller: avcodec_free_context
 * Bytes:  the same on every x86 machine only while libav*'s CPU flags are forced off:
 *         gm_audio_cpu_begin before opening, gm_audio_cpu_end after closing
 * Errors: INVAL (channels not 1 or 2, a rate that AAC has no number for), MEDIA, NOMEM
 */
int gm_audio_encoder_open(const Gm__AudioParams *params, AVCodecContext **out,
                          struct gm_err *err) GM_MUST_CHECK;

/* Float arithmetic of libavcodec and libswresample differs in its last bits between vector
 * extensions, so sound is worked on in plain C. begin forces libav*'s CPU flags to none and returns
 * what end must be given to put them back.
 * Thread: the flags are the process's: one task at a time (a worker runs one), and no codec of
 * another task may be opened in between. */
int gm_audio_cpu_begin(void);
void gm_audio_cpu_end(int saved);

#endif
