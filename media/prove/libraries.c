/* FFmpeg's by their functions; those behind them by the symbols of what it loaded, since nothing
 * here is built against them. */
#include "media/prove/libraries.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

static void add(struct gm_library *out, size_t *io_count, const char *name, const char *version)
{
    if (version != NULL && *io_count < GM_LIBRARIES_MAX) {
        struct gm_library *l = &out[(*io_count)++];
        (void)snprintf(l->name, sizeof l->name, "%s", name);
        (void)snprintf(l->version, sizeof l->version, "%s", version);
    }
}

static void add_ffmpeg(struct gm_library *out, size_t *io_count)
{
    const struct {
        const char *name;
        unsigned version;
    } rows[] = {
        {"libavcodec", avcodec_version()},   {"libavformat", avformat_version()},
        {"libavfilter", avfilter_version()}, {"libavutil", avutil_version()},
        {"libswscale", swscale_version()},   {"libswresample", swresample_version()},
    };
    add(out, io_count, "FFmpeg", av_version_info());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        unsigned v = rows[i].version;
        (void)snprintf(text, sizeof text, "%u.%u.%u", v >> 16, v >> 8 & 255u, v & 255u);
        add(out, io_count, rows[i].name, text);
    }
}

/* What a function of the loaded libraries says, or a pointer to its text. */
static const char *ask(const char *symbol, bool call)
{
    const char *(*version)(void);
    void *found = dlsym(RTLD_DEFAULT, symbol);
    if (found == NULL || !call) {
        return found == NULL ? NULL : *(const char *const *)found;
    }
    memcpy(&version, &found, sizeof version);
    return version();
}

static void add_zimg(struct gm_library *out, size_t *io_count)
{
    void (*version)(unsigned *major, unsigned *minor, unsigned *micro);
    void *found = dlsym(RTLD_DEFAULT, "zimg_get_version_info");
    if (found != NULL) {
        char text[40];
        unsigned v[3] = {0, 0, 0};
        memcpy(&version, &found, sizeof version);
        version(&v[0], &v[1], &v[2]);
        (void)snprintf(text, sizeof text, "%u.%u.%u", v[0], v[1], v[2]);
        add(out, io_count, "zimg", text);
    }
}

size_t gm_libraries_find(struct gm_library out[GM_LIBRARIES_MAX])
{
    size_t count = 0;
    add_ffmpeg(out, &count);
    add(out, &count, "x265", ask("x265_version_str", false));
    add(out, &count, "SVT-AV1", ask("svt_av1_get_version", true));
    add(out, &count, "libvpx", ask("vpx_codec_version_str", true));
    add(out, &count, "dav1d", ask("dav1d_version", true));
    add(out, &count, "libopus", ask("opus_get_version_string", true));
    add_zimg(out, &count);
    return count;
}
