#ifndef GM_MEDIA_AV_H
#define GM_MEDIA_AV_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/hwcontext.h>

#include "common/err.h"
#include "common/source_file.h"
#include "media.pb-c.h"
#include "media/version.h"

/* What all of media/ shares about libav*. */

/* AVERROR as a gm_err: ENOMEM and ENOSPC keep their codes, all else `code`. */
int gm_err_av(struct gm_err *err, enum gm_code code, int averror, const char *fmt, ...)
    GM_PRINTF(4, 5);
/* Routes av_log into gm_log at debug; sets the CPU flags mask of the environment GOPMILL_CPU_FLAGS
 * (libavutil's flag names; "none": plain C) in libav* . Call once at start. */
void gm_av_init(void);
/* True when GOPMILL_CPU_FLAGS asks for plain C: encoders with their own detection must follow. */
bool gm_av_plain_c(void);

AVRational gm_av_rational(const Gm__Rational *r); /* NULL: 0/1 */
/* A sample aspect that can be meant (1/100 to 100), else 1/1. */
AVRational gm_av_aspect(AVRational aspect);
/* a * b / c rounded half away from zero; exact 128-bit inside. */
int64_t gm_av_rescale(int64_t ticks, AVRational from, AVRational to);

/* An empty frame with memory of its own; owned. NULL: out of memory. */
AVFrame *gm_av_frame(enum AVPixelFormat format, int width_px, int height_px);

/* What an AVHWFramesContext's reference holds; borrowed. */
const AVHWFramesContext *gm_av_pool(const AVBufferRef *pool);

/* par's extradata becomes a copy of data, padded as libavcodec wants it; what was there goes.
 * size 0: none. Errors: LIMIT, NOMEM; par has none then. */
int gm_av_set_extradata(AVCodecParameters *par, const void *data, size_t size,
                        struct gm_err *err) GM_MUST_CHECK;

/* codecpar <-> ChunkHeader.codecpar: every field and all coded side data. *out owned by the
 * caller. */
int gm_codecpar_encode(const AVCodecParameters *par, const AVStream *stream, uint8_t **out,
                       size_t *out_size, struct gm_err *err) GM_MUST_CHECK;
int gm_codecpar_decode(const uint8_t *data, size_t size, AVCodecParameters **out,
                       struct gm_err *err) GM_MUST_CHECK;
/* The stream's side data of that type among encoded parameters: borrowed from data; NULL:
 * absent. */
const uint8_t *gm_codecpar_find_side(const uint8_t *data, size_t size,
                                     enum AVPacketSideDataType wanted, size_t *out_size);

/* Opens the demuxer over a file, which stays the caller's: only the formats of the list
 * in source.c, no nested protocols, no external references; probing limited to 20 MB. find_streams
 * runs avformat_find_stream_info. Errors: INPUT_* codes, SYS. The packets of unwanted streams are
 * discarded by setting AVStream.discard. Close with gm_source_close. */
struct gm_source {
    AVFormatContext *format;
    void *io;
};
int gm_source_open(struct gm_source_file file, const char *name, bool find_streams,
                   struct gm_source *out, struct gm_err *err) GM_MUST_CHECK;
/* The same; decoders that libavformat runs to find parameters refuse pictures above max_pixels (0:
 * no limit of ours), and sizes that headers declare are checked first. Errors: INPUT_TOO_LARGE. */
int gm_source_open_limited(struct gm_source_file file, const char *name, bool find_streams,
                           int64_t max_pixels, struct gm_source *out,
                           struct gm_err *err) GM_MUST_CHECK;
void gm_source_close(struct gm_source *source);
/* av_read_frame of a context that was opened so. What an MP4 or QuickTime file's index places
 * behind the end of the file is not the end: what other streams still have there comes. Returns
 * AVERROR codes; AVERROR_EOF: no stream has more; AVERROR_EXIT: the file could not be read (why:
 * gm_source_check), and no packet will come any more, also where it could be read again. */
int gm_source_read(AVFormatContext *format, AVPacket *packet) GM_MUST_CHECK;
/* Whether all that was asked of the file since the source was opened could be read: to be
 * called when libavformat says that the file has ended, or is at fault, before that is believed.
 * Errors: of gm_source_file_read. */
int gm_source_check(const struct gm_source *source, struct gm_err *err) GM_MUST_CHECK;
/* Whether the packet's bytes lie in the file at the position that the demuxer says; false for a
 * packet without one. Errors: of gm_source_file_read. */
int gm_source_holds(struct gm_source_file file, const AVPacket *packet, bool *out,
                    struct gm_err *err) GM_MUST_CHECK;

/* A picture's pixels, where the pipeline says nothing else. */
#define GM_DEFAULT_PIXELS (8192 * 4320)
/* A decoder's max_pixels for pictures of at most so many: it counts rows with their padding. */
int64_t gm_decoder_pixels(int64_t max_pixels);
/* Opens a decoder exactly as every part of gopmill does: one thread, no hardware, no skipping,
 * errors concealed and shown (AV_CODEC_FLAG_OUTPUT_CORRUPT, which split clears: it lists what a
 * player would show of the whole stream, while encode begins at any keyframe). Of codecs that have
 * nothing but keyframes, what is not decoded of a picture is zero. Pictures that grow in mid-stream
 * beyond both GM_DEFAULT_PIXELS and what par says are not decoded. Errors: INPUT_CODEC, NOMEM,
 * MEDIA. */
int gm_decoder_open(const AVCodecParameters *par, AVRational packet_time_base, AVCodecContext **out,
                    struct gm_err *err) GM_MUST_CHECK;

#endif
