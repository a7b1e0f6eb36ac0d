#include "common/image_header.h"

#include <stdbool.h>
#include <string.h>

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le24(const uint8_t *p)
{
    return (uint32_t)p[2] << 16 | le16(p);
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p + 2) << 16 | le16(p);
}

static int cut_off(const char *what, struct gm_err *err)
{
    return gm_err_set(err, GM_E_BAD_IMAGE, 0, "the %s image is cut off or damaged", what);
}

/* All chunks are walked: a file that was cut off has no IEND. */
static int read_png(const uint8_t *data, size_t size, struct gm_image_header *h, struct gm_err *err)
{
    size_t at = 8;
    bool first = true;
    while (size - at >= 12) {
        uint32_t length = be32(data + at);
        const uint8_t *type = data + at + 4;
        if (length > size - at - 12) {
            break;
        }
        if (first) {
            if (memcmp(type, "IHDR", 4) != 0 || length != 13) {
                break;
            }
            h->width_px = be32(data + at + 8);
            h->height_px = be32(data + at + 12);
            first = false;
        }
        if (memcmp(type, "IEND", 4) == 0) {
            return 0;
        }
        at += 12 + (size_t)length;
    }
    return cut_off("PNG", err);
}

static bool is_frame_header(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Marker segments up to the frame header. */
static int read_jpeg(const uint8_t *data, size_t size, struct gm_image_header *h,
                     struct gm_err *err)
{
    size_t at = 2;
    while (size - at >= 4) {
        if (data[at] != 0xff) {
            break;
        }
        uint8_t marker = data[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        uint32_t length = be16(data + at + 2);
        bool standalone = marker == 0x01 || (marker >= 0xd0 && marker <= 0xd9);
        if (standalone || marker == 0xda || length < 2 || length > size - at - 2) {
            break;
        }
        if (is_frame_header(marker) && length >= 8) {
            h->height_px = be16(data + at + 5);
            h->width_px = be16(data + at + 7);
            return 0;
        }
        at += 2 + (size_t)length;
    }
    return cut_off("JPEG", err);
}

static int read_webp(const uint8_t *data, size_t size, struct gm_image_header *h,
                     struct gm_err *err)
{
    uint32_t riff = le32(data + 4);
    const uint8_t *body = data + 20;
    if (size < 30 || riff > size - 8 || le32(data + 16) > size - 20) {
        return cut_off("WebP", err);
    }
    if (memcmp(data + 12, "VP8X", 4) == 0) {
        if ((body[0] & 0x02) != 0) {
            return gm_err_set(err, GM_E_BAD_IMAGE, 0, "the WebP image is animated");
        }
        h->width_px = le24(body + 4) + 1;
        h->height_px = le24(body + 7) + 1;
        return 0;
    }
    if (memcmp(data + 12, "VP8L", 4) == 0 && body[0] == 0x2f) {
        uint32_t bits = le32(body + 1);
        h->width_px = (bits & 0x3fff) + 1;
        h->height_px = (bits >> 14 & 0x3fff) + 1;
        return 0;
    }
    if (memcmp(data + 12, "VP8 ", 4) == 0 && memcmp(body + 3, "\x9d\x01\x2a", 3) == 0) {
        h->width_px = le16(body + 6) & 0x3fff;
        h->height_px = le16(body + 8) & 0x3fff;
        return 0;
    }
    return cut_off("WebP", err);
}

int gm_image_header_read(const uint8_t *data, size_t size, struct gm_image_header *out,
                         struct gm_err *err)
{
    struct gm_image_header h = {0};
    int rc;
    if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) {
        h.kind = GM_IMAGE_PNG;
        rc = read_png(data, size, &h, err);
    } else if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) {
        h.kind = GM_IMAGE_JPEG;
        rc = read_jpeg(data, size, &h, err);
    } else if (size >= 20 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0) {
        h.kind = GM_IMAGE_WEBP;
        rc = read_webp(data, size, &h, err);
    } else {
        rc = gm_err_set(err, GM_E_BAD_IMAGE, 0, "this is no PNG, JPEG or WebP image");
    }
    if (rc < 0) {
        return rc;
    }
    if (h.width_px == 0 || h.height_px == 0 || h.width_px > GM_IMAGE_MAX_SIDE ||
        h.height_px > GM_IMAGE_MAX_SIDE ||
        (uint64_t)h.width_px * h.height_px > GM_IMAGE_MAX_PIXELS) {
        return gm_err_set(err, GM_E_BAD_IMAGE, 0,
                          "an image of %ux%u pixels is refused: at most %d million, no side over "
                          "%d",
                          h.width_px, h.height_px, GM_IMAGE_MAX_PIXELS / 1000000,
                          GM_IMAGE_MAX_SIDE);
    }
    *out = h;
    return 0;
}
