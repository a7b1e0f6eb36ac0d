#ifndef GM_MEDIA_EYES_H
#define GM_MEDIA_EYES_H

#include <libavutil/frame.h>

#include "common/err.h"
#include "media.pb-c.h"
#include "media/picture/cuda_ladder.h"
#include "media/picture/score.h"

/* What images see of the pictures: small ones in SDR, each sample the mean of the area that it
 * covers, and scores. By the processor (media/picture/shrink.h), or by the GPU in whose memory a
 * picture lies (media/picture/cuda_small.h): the same bits, so tiles, scores and posters do not
 * depend on it. Light and gamut are mapped (media/picture/sdr.h) where the picture is small
 * already. Thread: one at a time. */
struct gm_eyes; /* opaque */

/* policy: has renditions, of which the largest says the size that is scored; facts: for the call;
 * ladder: whose pictures may be shown, and which then counts the scores; NULL: none. Policy and
 * ladder are borrowed for its life. Errors: NOMEM, of the device. */
int gm_eyes_create(const Gm__Policy *policy, const Gm__VideoFacts *facts,
                   struct gm_cuda_ladder *ladder, struct gm_eyes **out,
                   struct gm_err *err) GM_MUST_CHECK;
void gm_eyes_destroy(struct gm_eyes **eyes);
/* Size of what is scored: the largest rendition's by the least whole number that leaves at most
 * GM_EYES_SIDE, and even. Pure. */
#define GM_EYES_SIDE 640
struct gm_score_size gm_eyes_size(const Gm__Policy *policy);

/* A chunk begins: gm_eyes_by forgets. */
void gm_eyes_start(struct gm_eyes *eyes);
/* The picture that the calls below are about: the front's (media/picture/front.h), or, with a
 * ladder, one in the device's memory, as decoded. Borrowed until the next show. */
void gm_eyes_show(struct gm_eyes *eyes, const AVFrame *picture);
/* It, made small, yuv420p; borrowed until the next call. width, height: even. Errors: INVAL, MEDIA,
 * NOMEM, of the device. */
int gm_eyes_small(struct gm_eyes *eyes, uint32_t width_px, uint32_t height_px, const AVFrame **out,
                  struct gm_err *err) GM_MUST_CHECK;
/* It is kept as the one before, the one that is judged, or the one after. Errors: as small. */
enum gm_eyes_place { GM_EYES_BEFORE, GM_EYES_NOW, GM_EYES_AFTER, GM_EYES_PLACES };
int gm_eyes_look(struct gm_eyes *eyes, enum gm_eyes_place place, struct gm_err *err) GM_MUST_CHECK;
/* The score of the one that is judged, by itself or settled by those around it that there are. */
int gm_eyes_score(struct gm_eyes *eyes, struct gm_score_around around, uint32_t *out,
                  struct gm_err *err) GM_MUST_CHECK;
/* What made the chunk's small pictures: "cuda"; "software" where it made one; NULL: there was
 * none. Static. */
const char *gm_eyes_by(const struct gm_eyes *eyes);

/* A picture as posters and tiles are given it. */
struct gm_sight {
    struct gm_eyes *eyes; /* the picture is shown to them */
    /* The picture itself as the front makes it, in SDR: what posters are scaled from. Borrowed
     * until the next picture. Errors: MEDIA, NOMEM, of the device. */
    int (*sdr)(void *arg, const AVFrame **out, struct gm_err *err);
    void *arg;
};

#endif
