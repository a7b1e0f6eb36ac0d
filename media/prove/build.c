#include "media/prove/build.h"

#include <string.h>

#include <libavfilter/avfilter.h>
#include <libswscale/swscale.h>

#include "media/av.h"
#include "media/encode/encoder.h"
#include "media/prove/libraries.h"

#define SIDE_PX 64 /* every library takes it */

static const char *const CODECS[] = {"h264", "hevc", "av1", "vp9"};

static void add_version(struct gm_buf *out, const char *name, unsigned v)
{
    gm_buf_printf(out, " %s-%u.%u.%u", name, v >> 16, v >> 8 & 255, v & 255);
}

/* Those that no number of libav* tells of. */
static void add_libraries(struct gm_buf *out)
{
    struct gm_library all[GM_LIBRARIES_MAX];
    size_t count = gm_libraries_find(all);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].name, "FFmpeg") == 0 || strcmp(all[i].name, "zimg") == 0) {
            gm_buf_printf(out, " %s-%.24s", all[i].name, all[i].version);
        }
    }
}

static int add_codec(struct gm_buf *out, const char *codec, struct gm_err *err)
{
    char text[64];
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__EncodeParams encode = GM__ENCODE_PARAMS__INIT;
    Gm__VideoFacts facts = GM__VIDEO_FACTS__INIT;
    const struct gm_encoder_params params = {
        .rendition = &rendition, .facts = &facts, .timescale = 30, .rate = {30, 1}};
    encode.codec = (char *)(uintptr_t)codec;
    encode.crf = 23;
    encode.qp = -1;
    rendition.encode = &encode;
    rendition.name = (char *)(uintptr_t) "build";
    rendition.pixel_format = (char *)(uintptr_t) "yuv420p";
    rendition.width_px = rendition.height_px = SIDE_PX;
    int rc = gm_encoder_build(&params, text, err);
    if (rc < 0 && gm_encoder_is_there("cpu", codec)) {
        return gm_err_wrap(err, rc, "which build of %s this is could not be told: ", codec);
    }
    if (rc < 0) {
        gm_buf_printf(out, " %s-none", codec);
    } else {
        gm_buf_printf(out, " %s", text);
    }
    return 0;
}

int gm_media_build(struct gm_buf *out, struct gm_err *err)
{
    int rc = 0;
    gm_buf_printf(out, "gm%d", GM_MEDIA_VERSION);
    add_libraries(out);
    add_version(out, "lavc", avcodec_version());
    add_version(out, "lavfi", avfilter_version());
    add_version(out, "lsws", swscale_version());
    add_version(out, "lavu", avutil_version());
    for (size_t i = 0; i < sizeof CODECS / sizeof CODECS[0] && rc == 0; i++) {
        rc = add_codec(out, CODECS[i], err);
    }
    return rc < 0 ? rc : gm_buf_check(out, err);
}
