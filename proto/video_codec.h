#ifndef GM_PROTO_VIDEO_CODEC_H
#define GM_PROTO_VIDEO_CODEC_H

#include <stdbool.h>
#include <stdint.h>

/* What EncodeParams may ask of each video codec: the pipeline's checks and the encoders read the
 * same table. Constant data; any thread. */
struct gm_video_profile {
    const char *name;
    uint32_t bit_depths; /* what it holds: 8, 10, or 18 for both */
};
/* One level. Source: ITU-T H.264 table A-1 (picture and rate times 256; bit rates of the Main
 * profile); ITU-T H.265 tables A.8 and A.9 (Main tier); AV1 bitstream specification A.3 (Main
 * tier); webmproject.org/vp9/levels. */
struct gm_video_level {
    const char *name;     /* "4.1" */
    uint64_t max_picture; /* luma samples */
    uint64_t max_rate;    /* luma samples a second */
    int64_t max_bps;
    uint32_t max_width_px, max_height_px;
};
struct gm_video_codec {
    const char *name;    /* h264 hevc av1 vp9 */
    int32_t min_quality; /* of crf and qp */
    int32_t max_crf, default_crf, max_qp;
    uint32_t unit_px;       /* levels count pictures in whole blocks of that side */
    uint32_t work;          /* of its encoder for a picture, H.264's being 1; for estimates */
    uint32_t memory_frames; /* pictures' worth that an encoder holds, 12 bits a pixel; twice at 10
                               bits */
    uint32_t memory_mib;    /* and what it holds besides */
    uint32_t cap_percent;   /* of the ladder's table of bit rate caps, which is H.264's */
    const struct gm_video_profile *profiles; /* end with NULL name */
    const struct gm_video_level *levels;     /* rising; end with NULL name */
};

/* All of them, NULL at the end. */
extern const struct gm_video_codec *const gm_video_codecs[];

/* These give NULL for an unknown name. Level names: "4" and "4.0" are the same. */
const struct gm_video_codec *gm_video_codec_find(const char *name);
/* Its encoder takes fractions of a crf. */
bool gm_video_codec_is_fine(const struct gm_video_codec *codec);
const struct gm_video_profile *gm_video_profile_find(const struct gm_video_codec *codec,
                                                     const char *name);
const struct gm_video_level *gm_video_level_find(const struct gm_video_codec *codec,
                                                 const char *name);
/* Whether pictures of that size, rate num/den a second and cap (0: none) keep to the
 * level. */
bool gm_video_level_holds(const struct gm_video_codec *codec, const struct gm_video_level *level,
                          uint32_t width_px, uint32_t height_px, int64_t rate_num, int64_t rate_den,
                          int64_t max_bps);
/* The lowest that holds them; NULL: none does. */
const struct gm_video_level *gm_video_level_lowest(const struct gm_video_codec *codec,
                                                   uint32_t width_px, uint32_t height_px,
                                                   int64_t rate_num, int64_t rate_den,
                                                   int64_t max_bps);
/* Ten times the number: "4.1" is 41. */
int gm_video_level_number(const struct gm_video_level *level);

#endif
