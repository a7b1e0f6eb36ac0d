#include "media/device/packed.h"

#include <string.h>

enum AVPixelFormat gm_packed_format(unsigned bits)
{
    return bits == 10 ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NV12;
}

static void row8(const uint8_t *from, uint8_t *to, int count, int from_step, int to_step)
{
    for (int x = 0; x < count; x++) {
        to[x * to_step] = from[x * from_step];
    }
}

static void row10(const uint8_t *from, uint8_t *to, int count, int from_step, int to_step,
                  bool pack)
{
    const uint16_t *a = (const uint16_t *)(const void *)from;
    uint16_t *b = (uint16_t *)(void *)to;
    for (int x = 0; x < count; x++) {
        uint16_t v = a[x * from_step];
        b[x * to_step] = (uint16_t)(pack ? v << 6 : v >> 6);
    }
}

static bool is_pair(int planar, int packed)
{
    return (planar == AV_PIX_FMT_YUV420P && packed == AV_PIX_FMT_NV12) ||
           (planar == AV_PIX_FMT_YUV420P10LE && packed == AV_PIX_FMT_P010LE);
}

int gm_packed_copy(const AVFrame *from, AVFrame *to, struct gm_err *err)
{
    bool pack = is_pair(from->format, to->format);
    if ((!pack && !is_pair(to->format, from->format)) || from->width != to->width ||
        from->height != to->height) {
        return gm_err_set(err, GM_E_BUG, 0, "pictures of format %d and %d are no pair",
                          from->format, to->format);
    }
    const AVFrame *planar = pack ? from : to;
    bool deep = planar->format == AV_PIX_FMT_YUV420P10LE;
    ptrdiff_t size = deep ? 2 : 1;
    for (int plane = 0; plane < 3; plane++) {
        int width = plane == 0 ? from->width : (from->width + 1) / 2;
        int height = plane == 0 ? from->height : (from->height + 1) / 2;
        int at = plane == 0 ? 0 : 1; /* in the packed frame */
        int step = plane == 0 ? 1 : 2;
        ptrdiff_t start = plane == 2 ? size : 0;
        for (int y = 0; y < height; y++) {
            const uint8_t *a = pack ? from->data[plane] + (ptrdiff_t)y * from->linesize[plane]
                                    : from->data[at] + (ptrdiff_t)y * from->linesize[at] + start;
            uint8_t *b = pack ? to->data[at] + (ptrdiff_t)y * to->linesize[at] + start
                              : to->data[plane] + (ptrdiff_t)y * to->linesize[plane];
            if (deep) {
                row10(a, b, width, pack ? 1 : step, pack ? step : 1, pack);
            } else {
                row8(a, b, width, pack ? 1 : step, pack ? step : 1);
            }
        }
    }
    return 0;
}
