#ifndef GM_MEDIA_AUDIO_TRUE_PEAK_H
#define GM_MEDIA_AUDIO_TRUE_PEAK_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* The true peak of sound: its highest level between the samples too, by oversampling to 192 kHz
 * with libswresample's filter, which is steeper and longer than the example of ITU-R BS.1770-4
 * annex 2. */
struct gm_true_peak; /* opaque */

/* channels: 1 to 6; rate: 8000 to 96000. Under gm_audio_cpu_begin for the same value everywhere.
 * Errors: INVAL, MEDIA, NOMEM. */
int gm_true_peak_create(uint32_t channels, uint32_t rate, struct gm_true_peak **out,
                        struct gm_err *err) GM_MUST_CHECK;
/* planes: count samples a channel; NULL: silence. */
int gm_true_peak_add(struct gm_true_peak *p, const float *const *planes, size_t count,
                     struct gm_err *err) GM_MUST_CHECK;
/* Ends the measurement: dBTP of the loudest channel, -HUGE_VAL where all is silent. */
int gm_true_peak_end(struct gm_true_peak *p, double *out_db, struct gm_err *err) GM_MUST_CHECK;
void gm_true_peak_destroy(struct gm_true_peak **p);

#endif
