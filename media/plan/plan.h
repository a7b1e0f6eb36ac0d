#ifndef GM_MEDIA_PLAN_PLAN_H
#define GM_MEDIA_PLAN_PLAN_H

#include "media/av.h"
#include "media/picture/colour.h"
#include "wire.pb-c.h"

/* Inside of the plan task: the parts of the policy. Each fills fields of `policy`, which owns them.
 * Pure functions of the inspection and the pipeline, but for the encoders that are opened once. */

/* Timescale, grid and chunk rule. */
int gm_plan_grid(const Gm__VideoFacts *video, Gm__Policy *policy, struct gm_err *err) GM_MUST_CHECK;
/* Policy.front_filters and .context_frames: libavfilter chain from decoded picture to a
 * progressive, upright one; "": nothing to do. Errors: LIMIT, NOMEM. */
int gm_plan_front(const Gm__VideoFacts *video, const Gm__EncodeParams *params, Gm__Policy *policy,
                  struct gm_err *err) GM_MUST_CHECK;
/* libavfilter chain from the front's picture, or from a larger rendition, to a picture of that
 * size: square pixels, the format (4:2:0), matrix and levels of `colour` and its tags. out: size
 * bytes. Errors: LIMIT. */
int gm_plan_filters(uint32_t width, uint32_t height, const struct gm_colour *colour,
                    enum AVPixelFormat format, char *out, size_t size,
                    struct gm_err *err) GM_MUST_CHECK;
/* Renditions by ladder; opens each encoder of Policy.chain, on that device (gm_task_io.device), for
 * its parameter sets. */
int gm_plan_video(const Gm__VideoFacts *video, const uint32_t *ladder, size_t rungs,
                  const Gm__EncodeParams *params, const char *device, Gm__Policy *policy,
                  struct gm_err *err) GM_MUST_CHECK;
/* After gm_plan_video: Policy.tone_map where the source needs one, with a warning that says so. */
int gm_plan_light(const Gm__VideoFacts *video, Gm__Policy *policy,
                  struct gm_err *err) GM_MUST_CHECK;
/* After all else that becomes of pictures: Policy.scaler and scaler_reason. device: the chain's (of
 * gm_encoder_hold), where the kernel, or a VA driver's scaler, is tried if the chain's fingerprint
 * says that it was proved (kernels/kernels.h); NULL: it has none. One that fails by itself is no
 * error: a warning, and libavfilter. Errors: those of devices, NOMEM. */
int gm_plan_scaler(const Gm__VideoFacts *video, const Gm__Chain *chain, AVBufferRef *device,
                   Gm__Policy *policy, struct gm_err *err) GM_MUST_CHECK;
/* Tracks for the source's audio streams, at most GM_PLAN_TRACKS; one of silence where there is a
 * video, no sound, and it is asked for. Without a video also timescale and chunk rule.
 * loudness: the pipeline's task, NULL: none. */
#define GM_PLAN_TRACKS 8
int gm_plan_audio(const Gm__Inspection *facts, const Gm__AudioParams *params,
                  const Gm__PipelineTask *loudness, Gm__Policy *policy,
                  struct gm_err *err) GM_MUST_CHECK;
/* Tracks for the source's subtitles that are text, at most GM_MAX_TEXT_TRACKS. */
int gm_plan_text(const Gm__Inspection *facts, const Gm__SubtitlesParams *params, Gm__Policy *policy,
                 struct gm_err *err) GM_MUST_CHECK;
/* Policy.burn_text by EncodeParams.burn_subtitles; warns where what it names can't be drawn. facts:
 * with video. */
int gm_plan_burn(const Gm__Inspection *facts, const char *wanted, Gm__Policy *policy,
                 struct gm_err *err) GM_MUST_CHECK;
/* Warns of subtitles that nothing is made of. why: nothing is made of text tracks, either; NULL:
 * something is, or nobody would look for it. */
int gm_plan_text_dropped(const Gm__Inspection *facts, const char *why, Gm__Policy *policy,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_plan_chapters(const Gm__Inspection *facts, Gm__Policy *policy,
                     struct gm_err *err) GM_MUST_CHECK;
/* Names the chain, its encoders' builds (gm_encoder_build), libavfilter, media/'s version, and the
 * device's chip and driver as `chain` (TaskSpec.chain; NULL: software) tells them. */
int gm_plan_fingerprint(Gm__Policy *policy, const Gm__VideoFacts *video, const Gm__Chain *chain,
                        const char *device, struct gm_err *err) GM_MUST_CHECK;

/* thumbnails, tile_* and poster_* of the policy. */
int gm_plan_images(const Gm__VideoFacts *video, const Gm__ThumbnailsParams *params,
                   Gm__Policy *policy, struct gm_err *err) GM_MUST_CHECK;
/* No MP4 file is larger than stores take in one object, by the figures of the estimate: hours of
 * work would end with what can't be stored. Error: LIMIT. */
int gm_plan_check_mp4(const Gm__Inspection *facts, const Gm__Policy *policy,
                      struct gm_err *err) GM_MUST_CHECK;
/* Decodes every image that came with the pipeline, so that a damaged one ends the job before
 * anything is encoded. Errors: BAD_IMAGE. */
int gm_plan_check_images(const Gm__Pipeline *pipeline, struct gm_err *err) GM_MUST_CHECK;

#endif
