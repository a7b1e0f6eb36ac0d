#ifndef GM_MEDIA_DEVICE_VAAPI_H
#define GM_MEDIA_DEVICE_VAAPI_H

#include <libavcodec/avcodec.h>

#include "common/err.h"

struct gm_va; /* kernels/va.h */

/* A render node as libavcodec's VAAPI encoders and decoders take it, and why they fail:
 * libavcodec's error numbers are the same for different causes, so the driver is asked again.
 *
 * Thread: any, several at once: libva and drivers take care of themselves (va.h, Multithreading
 * Guide), but for what one of their contexts does. Errors of all: DEVICE_ABSENT (no libva, no such
 * node, none that may be opened), DEVICE_DRIVER, DEVICE_MEMORY, DEVICE_BUSY, DEVICE_LOST (native =
 * VAStatus or errno). */

/* node: path of a render node. *out: an AVHWDeviceContext, owned: av_buffer_unref. The driver is
 * the one that LIBVA_DRIVER_NAME names, or libva's choice. Errors: INVAL no node; NOMEM besides. */
int gm_vaapi_open(const char *node, AVBufferRef **out, struct gm_err *err) GM_MUST_CHECK;

/* What the driver does of one profile, by the entry point that libavcodec takes. */
struct gm_vaapi_limits {
    bool encodes;   /* false: there is no encoder for it, and nothing below is set */
    bool low_power; /* the entry point is the one of low power */
    bool cqp, icq, qvbr;
    bool sequence_headers;                /* it takes parameter sets, and does not write its own */
    bool b_frames;                        /* and libavcodec uses them */
    unsigned quality_levels;              /* 1 is the best; 0: it has none */
    unsigned max_width_px, max_height_px; /* 0: not told */
};
/* codec: H.264 or HEVC; avprofile: its FF_PROFILE_... */
int gm_vaapi_ask(const AVBufferRef *device, enum AVCodecID codec, int avprofile,
                 struct gm_vaapi_limits *out, struct gm_err *err) GM_MUST_CHECK;
/* Takes a surface, waits for it and gives it back: 0 when the driver answers. Nothing is drawn on
 * it, so a GPU that hangs may go unnoticed. */
int gm_vaapi_check(const AVBufferRef *device, struct gm_err *err) GM_MUST_CHECK;
/* Surfaces for 4:2:0 pictures of 8 or 10 bits, as many as are needed at once. *out owned. Errors
 * besides: PIPELINE_UNFIT none of that size or depth. */
int gm_vaapi_frames(AVBufferRef *device, unsigned bits, int width, int height, AVBufferRef **out,
                    struct gm_err *err) GM_MUST_CHECK;
/* VA_RT_FORMAT_... of such 4:2:0 pictures. */
uint32_t gm_vaapi_format(unsigned bits);
/* Makes a surface and takes it away: a VAStatus. */
int gm_vaapi_try_surface(const AVBufferRef *device, unsigned bits, int width, int height);
#define GM_VAAPI_SMALL_PX 256 /* a side that anything takes that works at all */
#define GM_VAAPI_ROOM_MAX 16
/* Tries what said that it has no memory once more, in that size: a VAStatus. */
typedef int (*gm_vaapi_try_fn)(const void *arg, int width, int height);
/* Drivers say that they have no memory of sizes that they never make, too: true where a small one
 * opens, and there is memory for so many pictures, and still it has none; all that twice, with a
 * pause between, as others may take and give back memory meanwhile. */
bool gm_vaapi_never_makes(const AVBufferRef *device, unsigned bits, int width, int height,
                          unsigned pictures, gm_vaapi_try_fn attempt, const void *arg);
/* Memory for so many pictures of that size (GM_VAAPI_ROOM_MAX at most) is there, which is tried by
 * surfaces of half its sides: then it is not memory that a size lacks. */
bool gm_vaapi_has_room(const AVBufferRef *device, unsigned bits, int width, int height,
                       unsigned pictures);
/* libva's version and what the driver calls itself: "1.17-Intel-iHD-...", of letters, digits and
 * "-+._". */
void gm_vaapi_name(const AVBufferRef *device, char *out, size_t size);
/* "/dev/dri/renderD128 Intel iHD driver ...": the node, and what the driver calls itself. */
void gm_vaapi_label(const AVBufferRef *device, char *out, size_t size);

/* After avcodec_open2(ctx) gave averror. Makes a context of its own and takes it away.
 * *out_b_frames stays: there is nothing to open again with. Errors besides: PIPELINE_UNFIT the size
 * is not made. */
int gm_vaapi_explain_open(const AVBufferRef *device, const AVCodecContext *ctx, int averror,
                          int *out_b_frames, struct gm_err *err) GM_MUST_CHECK;
/* After sending, receiving or filling a surface gave averror. Errors: DEVICE_LOST, DEVICE_MEMORY,
 * DEVICE_BUSY. */
int gm_vaapi_explain_work(const AVCodecContext *ctx, int averror, struct gm_err *err) GM_MUST_CHECK;

/* libva and, in *out_display, the VADisplay, for what libavcodec leaves out; borrowed. */
const struct gm_va *gm_vaapi_library(const AVBufferRef *device, void **out_display);
/* The error of a call on the device that gave status (a VAStatus), though nothing was wrong with
 * what was asked. what: what the driver did not give. Always an error. */
int gm_vaapi_blame(const AVBufferRef *device, int status, const char *what, struct gm_err *err);

#endif
