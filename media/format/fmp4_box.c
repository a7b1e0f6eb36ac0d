#include "media/format/fmp4_box.h"

#include <string.h>

size_t gm_box_open(struct gm_buf *buf, const char *type)
{
    size_t start = buf->size;
    gm_buf_be32(buf, 0);
    gm_buf_add(buf, type, 4);
    return start;
}

size_t gm_box_open_full(struct gm_buf *buf, const char *type, uint8_t version, uint32_t flags)
{
    size_t start = gm_box_open(buf, type);
    gm_buf_u8(buf, version);
    gm_buf_be24(buf, flags);
    return start;
}

void gm_box_patch32(struct gm_buf *buf, size_t at, uint32_t v)
{
    if (buf->failed) {
        return;
    }
    GM_ASSERT(at + 4 <= buf->size);
    buf->data[at] = (uint8_t)(v >> 24);
    buf->data[at + 1] = (uint8_t)(v >> 16);
    buf->data[at + 2] = (uint8_t)(v >> 8);
    buf->data[at + 3] = (uint8_t)v;
}

void gm_box_close(struct gm_buf *buf, size_t start)
{
    if (!buf->failed) {
        gm_box_patch32(buf, start, (uint32_t)(buf->size - start));
    }
}

void gm_box_zeros(struct gm_buf *buf, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gm_buf_u8(buf, 0);
    }
}

bool gm_box_u16(struct gm_box_view *v, uint16_t *out)
{
    if (gm_box_left(v) < 2) {
        return false;
    }
    *out = (uint16_t)(v->at[0] << 8 | v->at[1]);
    v->at += 2;
    return true;
}

bool gm_box_u32(struct gm_box_view *v, uint32_t *out)
{
    if (gm_box_left(v) < 4) {
        return false;
    }
    *out = GM_FOURCC(v->at[0], v->at[1], v->at[2], v->at[3]);
    v->at += 4;
    return true;
}

bool gm_box_u64(struct gm_box_view *v, uint64_t *out)
{
    if (gm_box_left(v) < 8) {
        return false;
    }
    uint32_t high = 0;
    uint32_t low = 0;
    (void)gm_box_u32(v, &high);
    (void)gm_box_u32(v, &low);
    *out = (uint64_t)high << 32 | low;
    return true;
}

bool gm_box_skip(struct gm_box_view *v, size_t count)
{
    if (gm_box_left(v) < count) {
        return false;
    }
    v->at += count;
    return true;
}

int gm_box_next(struct gm_box_view *v, struct gm_box *out, struct gm_err *err)
{
    struct gm_box_view in = *v;
    struct gm_box box = {.start = in.at};
    uint32_t size32 = 0;
    if (!gm_box_u32(&in, &size32) || !gm_box_u32(&in, &box.type)) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a box header is cut off");
    }
    uint64_t size = size32;
    if (size32 == 1 && !gm_box_u64(&in, &size)) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a box's 64-bit size is cut off");
    }
    size_t header = (size_t)(in.at - v->at);
    if (size < header || size - header > gm_box_left(&in)) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a box of %llu bytes does not fit where it is",
                          (unsigned long long)size);
    }
    box.body.at = in.at;
    box.body.end = v->at + size;
    v->at = box.body.end;
    *out = box;
    return 0;
}

int gm_box_expect(struct gm_box_view *v, uint32_t type, struct gm_box *out, struct gm_err *err)
{
    struct gm_box_view in = *v;
    struct gm_box box;
    int rc = gm_box_next(&in, &box, err);
    if (rc < 0) {
        return rc;
    }
    if (box.type != type) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a box of type %08x stands where %08x belongs",
                          box.type, type);
    }
    *v = in;
    *out = box;
    return 0;
}
