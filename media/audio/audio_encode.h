#ifndef GM_MEDIA_AUDIO_AUDIO_ENCODE_H
#define GM_MEDIA_AUDIO_AUDIO_ENCODE_H

#include <libavcodec/avcodec.h>

#include "common/err.h"
#include "media.pb-c.h"

/* A track's samples in, its packets out: the one place that feeds the encoder, so that a trial
 * gives the bytes that the track will have. */
struct gm_audio_encode; /* opaque */

/* Packets in order, none missing: the first at -priming_samples. Borrowed for the call. */
typedef int (*gm_audio_packet_fn)(const AVPacket *packet, void *arg, struct gm_err *err);

/* track: borrowed. gain: every sample is multiplied by it. Under gm_audio_cpu_begin.
 * Errors: MEDIA (this encoder is not the plan's), NOMEM, those of gm_audio_encoder_open. */
int gm_audio_encode_create(const Gm__AudioTrack *track, float gain, gm_audio_packet_fn fn,
                           void *arg, struct gm_audio_encode **out,
                           struct gm_err *err) GM_MUST_CHECK;
/* planes: count samples a channel; NULL: silence. */
int gm_audio_encode_samples(struct gm_audio_encode *e, const float *const *planes, size_t count,
                            struct gm_err *err) GM_MUST_CHECK;
/* Fills the last frame with silence and gets the encoder's last packets. */
int gm_audio_encode_end(struct gm_audio_encode *e, struct gm_err *err) GM_MUST_CHECK;
void gm_audio_encode_destroy(struct gm_audio_encode **e);

#endif
