#ifndef GM_HWTEST_LANES_H
#define GM_HWTEST_LANES_H

#include "hwtest/large.h"
#include "hwtest/load.h"

/* The work of lanes (load.h) on devices. What `how` points at lives as long as the lane, and is
 * shared by as many as there are. */

/* A stream decoded over and over. */
enum gm_hwtest_decoder {
    GM_HWTEST_BY_SOFTWARE,
    GM_HWTEST_BY_ENGINE, /* through libavcodec; pictures stay on the device */
    GM_HWTEST_BY_FARM    /* as the farm: media/decode/device_decoder.h, pictures in memory unless
                            they stay */
};
struct gm_hwtest_source_params {
    enum gm_hwtest_decoder by;
    AVBufferRef *held; /* borrowed; of BY_FARM: the device itself; NULL: api and device name it */
    const char *api;   /* borrowed; of BY_ENGINE, and of BY_FARM: "nvdec" or "vaapi" */
    const char *codec; /* borrowed; of BY_ENGINE, as depth is */
    uint32_t depth;
    const char *device;                    /* borrowed; as libavutil calls it */
    const struct gm_hwtest_stream *stream; /* borrowed for the source's life */
    bool stays;                            /* of BY_FARM: pictures stay on the device */
};
struct gm_hwtest_source; /* opaque */
/* Errors: those of media/prove/prove_device.h, media/decode/device_decoder.h and gm_decoder_open;
 * MEDIA the decoder says that it is none for the stream. */
int gm_hwtest_source_open(const struct gm_hwtest_source_params *params,
                          struct gm_hwtest_source **out, struct gm_err *err) GM_MUST_CHECK;
void gm_hwtest_source_close(struct gm_hwtest_source **source);
/* The next picture goes to frame; what it held goes. Errors: MEDIA, of devices; MEDIA_VERIFY
 * packets go in and no picture comes. */
int gm_hwtest_source_next(struct gm_hwtest_source *source, AVFrame *frame,
                          struct gm_err *err) GM_MUST_CHECK;

/* how: struct gm_hwtest_source_params */
struct gm_hwtest_lane gm_hwtest_decode_lane(const struct gm_hwtest_source_params *how);

struct gm_hwtest_encode_params {
    struct gm_hwtest_encoding encoding;
    const struct gm_hwtest_pictures *pictures; /* borrowed */
};
struct gm_hwtest_lane gm_hwtest_encode_lane(const struct gm_hwtest_encode_params *how);

struct gm_hwtest_ladder_params {
    struct gm_hwtest_source_params source; /* not BY_ENGINE */
    struct gm_hwtest_recipe_params recipe;
};
struct gm_hwtest_lane gm_hwtest_ladder_lane(const struct gm_hwtest_ladder_params *how);

/* stay.c: the same without a copy to memory: decoded by the device, four rungs by its ladder
 * (media/ picture/device_ladder.h), encoded there. Errors of step besides: DEVICE_MEMORY a VA
 * driver has no surfaces for pictures that stay, whose decoder brings them to memory then. */
struct gm_hwtest_stay_params {
    const char *api;                       /* borrowed; that decodes: "nvdec" or "vaapi" */
    const char *device;                    /* borrowed; as libavutil calls it */
    const char *chain;                     /* borrowed; of the encoders; NULL: none encodes */
    const struct gm_hwtest_stream *stream; /* borrowed */
    uint32_t height_px;                    /* of the source: 1080 or 2160 */
    bool quick;
};
struct gm_hwtest_lane gm_hwtest_stay_lane(const struct gm_hwtest_stay_params *how);

/* scale.c: the kernel `ladder` on a GPU, pictures to four rungs, over more memory than caches
 * hold where it is not quick. */
struct gm_hwtest_scale_params {
    const char *device; /* borrowed; PCI address or UUID */
    uint32_t height_px; /* 1080 or 2160 */
    bool quick;
};
struct gm_hwtest_lane gm_hwtest_scale_lane(const struct gm_hwtest_scale_params *how);
/* The least bytes that a picture of it reads and writes. */
uint64_t gm_hwtest_scale_bytes(uint32_t height_px, bool quick);
/* Bytes a second from memory to the device (up) and back, a block at a time. Errors: those of
 * kernels/gpu.h; NOMEM. */
struct gm_hwtest_copy {
    const char *device; /* borrowed; PCI address or UUID */
    bool up, pinned;    /* pinned: the memory is page-locked, else pageable */
    bool quick;
};
int gm_hwtest_copy_rate(const struct gm_hwtest_copy *how, double *out,
                        struct gm_err *err) GM_MUST_CHECK;

#endif
