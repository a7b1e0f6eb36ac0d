#include "proto/video_codec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct gm_video_level h264_levels[] = {
    {"1", 25344, 380160, 64000, 448, 448},
    {"1.1", 101376, 768000, 192000, 896, 896},
    {"1.2", 101376, 1536000, 384000, 896, 896},
    {"1.3", 101376, 3041280, 768000, 896, 896},
    {"2", 101376, 3041280, 2000000, 896, 896},
    {"2.1", 202752, 5068800, 4000000, 1264, 1264},
    {"2.2", 414720, 5184000, 4000000, 1808, 1808},
    {"3", 414720, 10368000, 10000000, 1808, 1808},
    {"3.1", 921600, 27648000, 14000000, 2704, 2704},
    {"3.2", 1310720, 55296000, 20000000, 3232, 3232},
    {"4", 2097152, 62914560, 20000000, 4096, 4096},
    {"4.1", 2097152, 62914560, 50000000, 4096, 4096},
    {"4.2", 2228224, 133693440, 50000000, 4208, 4208},
    {"5", 5652480, 150994944, 135000000, 6720, 6720},
    {"5.1", 9437184, 251658240, 240000000, 8688, 8688},
    {"5.2", 9437184, 530841600, 240000000, 8688, 8688},
    {"6", 35651584, 1069547520, 240000000, 16880, 16880},
    {"6.1", 35651584, 2139095040, 480000000, 16880, 16880},
    {"6.2", 35651584, 4278190080, 800000000, 16880, 16880},
    {0}};

static const struct gm_video_level hevc_levels[] = {
    {"1", 36864, 552960, 128000, 543, 543},
    {"2", 122880, 3686400, 1500000, 991, 991},
    {"2.1", 245760, 7372800, 3000000, 1402, 1402},
    {"3", 552960, 16588800, 6000000, 2103, 2103},
    {"3.1", 983040, 33177600, 10000000, 2804, 2804},
    {"4", 2228224, 66846720, 12000000, 4222, 4222},
    {"4.1", 2228224, 133693440, 20000000, 4222, 4222},
    {"5", 8912896, 267386880, 25000000, 8444, 8444},
    {"5.1", 8912896, 534773760, 40000000, 8444, 8444},
    {"5.2", 8912896, 1069547520, 60000000, 8444, 8444},
    {"6", 35651584, 1069547520, 60000000, 16888, 16888},
    {"6.1", 35651584, 2139095040, 120000000, 16888, 16888},
    {"6.2", 35651584, 4278190080, 240000000, 16888, 16888},
    {0}};

static const struct gm_video_level av1_levels[] = {
    {"2.0", 147456, 4423680, 1500000, 2048, 1152},
    {"2.1", 278784, 8363520, 3000000, 2816, 1584},
    {"3.0", 665856, 19975680, 6000000, 4352, 2448},
    {"3.1", 1065024, 31950720, 10000000, 5504, 3096},
    {"4.0", 2359296, 70778880, 12000000, 6144, 3456},
    {"4.1", 2359296, 141557760, 20000000, 6144, 3456},
    {"5.0", 8912896, 267386880, 30000000, 8192, 4352},
    {"5.1", 8912896, 534773760, 40000000, 8192, 4352},
    {"5.2", 8912896, 1069547520, 60000000, 8192, 4352},
    {"5.3", 8912896, 1069547520, 60000000, 8192, 4352},
    {"6.0", 35651584, 1069547520, 60000000, 16384, 8704},
    {"6.1", 35651584, 2139095040, 100000000, 16384, 8704},
    {"6.2", 35651584, 4278190080, 160000000, 16384, 8704},
    {"6.3", 35651584, 4278190080, 160000000, 16384, 8704},
    {0}};

static const struct gm_video_level vp9_levels[] = {
    {"1", 36864, 829440, 200000, 512, 512},
    {"1.1", 73728, 2764800, 800000, 768, 768},
    {"2", 122880, 4608000, 1800000, 960, 960},
    {"2.1", 245760, 9216000, 3600000, 1344, 1344},
    {"3", 552960, 20736000, 7200000, 2048, 2048},
    {"3.1", 983040, 36864000, 12000000, 2752, 2752},
    {"4", 2228224, 83558400, 18000000, 4160, 4160},
    {"4.1", 2228224, 160432128, 30000000, 4160, 4160},
    {"5", 8912896, 311951360, 60000000, 8384, 8384},
    {"5.1", 8912896, 588251136, 120000000, 8384, 8384},
    {"5.2", 8912896, 1176502272, 180000000, 8384, 8384},
    {"6", 35651584, 1176502272, 180000000, 16832, 16832},
    {"6.1", 35651584, 2353004544, 240000000, 16832, 16832},
    {"6.2", 35651584, 4706009088, 480000000, 16832, 16832},
    {0}};

static const struct gm_video_profile h264_profiles[] = {
    {"baseline", 8}, {"main", 8}, {"high", 8}, {"high10", 10}, {0}};
static const struct gm_video_profile hevc_profiles[] = {{"main", 8}, {"main10", 10}, {0}};
static const struct gm_video_profile av1_profiles[] = {{"main", 18}, {0}};
static const struct gm_video_profile vp9_profiles[] = {{"profile0", 8}, {"profile2", 10}, {0}};

/* Memory, measured at 480p and 1080p up to preset slow: x264 holds about 10 look-ahead, 3 B and 2
 * reference pictures in several planes and scales; the others keep more planes, and tables.
 * Default qualities look alike: each encoder's usual counterpart of x264's 23. Caps: what the
 * codecs need for equal quality at the presets that the shipped pipelines take. */
static const struct gm_video_codec h264 = {"h264",        0,          51, 23, 69, 16, 1, 40, 0, 100,
                                           h264_profiles, h264_levels};
static const struct gm_video_codec hevc = {"hevc",        0,          51, 26, 51, 8, 4, 140, 32, 70,
                                           hevc_profiles, hevc_levels};
static const struct gm_video_codec av1 = {"av1", 1,   63, 35, 63,           1,
                                          4,     140, 32, 60, av1_profiles, av1_levels};
static const struct gm_video_codec vp9 = {"vp9", 0,   63, 33, 63,           1,
                                          7,     100, 32, 75, vp9_profiles, vp9_levels};

const struct gm_video_codec *const gm_video_codecs[] = {&h264, &hevc, &av1, &vp9, NULL};

bool gm_video_codec_is_fine(const struct gm_video_codec *codec)
{
    return codec == &h264 || codec == &hevc;
}

const struct gm_video_codec *gm_video_codec_find(const char *name)
{
    for (size_t i = 0; gm_video_codecs[i] != NULL; i++) {
        if (strcmp(gm_video_codecs[i]->name, name) == 0) {
            return gm_video_codecs[i];
        }
    }
    return NULL;
}

const struct gm_video_profile *gm_video_profile_find(const struct gm_video_codec *codec,
                                                     const char *name)
{
    for (const struct gm_video_profile *p = codec->profiles; p->name != NULL; p++) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

/* "4", "4.0" or "4.1"; -1: none of these. */
static int number(const char *name)
{
    if (name[0] < '1' || name[0] > '9') {
        return -1;
    }
    int n = (name[0] - '0') * 10;
    if (name[1] == '\0') {
        return n;
    }
    return name[1] == '.' && name[2] >= '0' && name[2] <= '9' && name[3] == '\0' ? n + name[2] - '0'
                                                                                 : -1;
}

int gm_video_level_number(const struct gm_video_level *level)
{
    return number(level->name);
}

const struct gm_video_level *gm_video_level_find(const struct gm_video_codec *codec,
                                                 const char *name)
{
    for (const struct gm_video_level *l = codec->levels; l->name != NULL; l++) {
        if (number(l->name) == number(name)) {
            return l;
        }
    }
    return NULL;
}

bool gm_video_level_holds(const struct gm_video_codec *codec, const struct gm_video_level *l,
                          uint32_t width_px, uint32_t height_px, int64_t rate_num, int64_t rate_den,
                          int64_t max_bps)
{
    uint64_t unit = codec->unit_px;
    uint64_t picture = (width_px + unit - 1) / unit * unit * ((height_px + unit - 1) / unit * unit);
    if (picture > l->max_picture || width_px > l->max_width_px || height_px > l->max_height_px ||
        max_bps > l->max_bps || rate_num < 0 || rate_den <= 0) {
        return false;
    }
    return (unsigned __int128)picture * (uint64_t)rate_num <=
           (unsigned __int128)l->max_rate * (uint64_t)rate_den;
}

const struct gm_video_level *gm_video_level_lowest(const struct gm_video_codec *codec,
                                                   uint32_t width_px, uint32_t height_px,
                                                   int64_t rate_num, int64_t rate_den,
                                                   int64_t max_bps)
{
    for (const struct gm_video_level *l = codec->levels; l->name != NULL; l++) {
        if (gm_video_level_holds(codec, l, width_px, height_px, rate_num, rate_den, max_bps)) {
            return l;
        }
    }
    return NULL;
}
