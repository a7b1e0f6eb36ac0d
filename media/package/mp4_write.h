#ifndef GM_MEDIA_PACKAGE_MP4_WRITE_H
#define GM_MEDIA_PACKAGE_MP4_WRITE_H

#include <libavutil/rational.h>

#include "common/err.h"
#include "media.pb-c.h"

/* A progressive MP4 file, moov first, by libavformat's muxer over a descriptor. Nothing of time or
 * library version gets into the bytes. Order of calls: open, add_video, add_audio ...,
 * add_text ..., begin,
 * sample ..., end, close. */
struct gm_mp4_writer; /* opaque */

struct gm_bitstream;
struct gm_mp4_video {
    uint32_t width_px, height_px, timescale;
    const struct gm_bitstream *codec;
    const uint8_t *config; /* body of the codec's configuration box */
    size_t config_size;
    AVRational rate;                /* constant frame rate, or 0/1 */
    const Gm__Rendition *rendition; /* its colour tags */
    const Gm__VideoFacts *facts;    /* mastering and light, where the rendition is PQ or HLG */
};
struct gm_mp4_sample {
    const uint8_t *data; /* borrowed for the call */
    size_t size;
    int64_t pts, dts, duration; /* the track's timescale; dts <= pts; may be negative */
    bool sync;
};

/* fd: readable, writable, seekable, empty; the caller's; lent until close.
 * tick(arg): called at each write, also while end moves the samples behind the moov. */
int gm_mp4_writer_open(int fd, void (*tick)(void *arg), void *arg, struct gm_mp4_writer **out,
                       struct gm_err *err) GM_MUST_CHECK;
int gm_mp4_writer_add_video(struct gm_mp4_writer *w, const struct gm_mp4_video *video,
                            struct gm_err *err) GM_MUST_CHECK;
int gm_mp4_writer_add_audio(struct gm_mp4_writer *w, const Gm__AudioTrack *track,
                            struct gm_err *err) GM_MUST_CHECK;
/* Timed text, timescale GM_TX3G_TIMESCALE. */
int gm_mp4_writer_add_text(struct gm_mp4_writer *w, const Gm__TextTrack *track,
                           struct gm_err *err) GM_MUST_CHECK;
/* Chapters, as a QuickTime text track and as Nero's list; before begin. */
int gm_mp4_writer_set_chapters(struct gm_mp4_writer *w, Gm__Chapter *const *chapters, size_t count,
                               struct gm_err *err) GM_MUST_CHECK;
int gm_mp4_writer_begin(struct gm_mp4_writer *w, struct gm_err *err) GM_MUST_CHECK;
/* track: in the order of adding, from 0. */
int gm_mp4_writer_sample(struct gm_mp4_writer *w, size_t track, const struct gm_mp4_sample *sample,
                         struct gm_err *err) GM_MUST_CHECK;
int gm_mp4_writer_end(struct gm_mp4_writer *w, struct gm_err *err) GM_MUST_CHECK;
void gm_mp4_writer_close(struct gm_mp4_writer **w);

#endif
