/* VP9 in MP4: the configuration, the RFC 6381 name, samples.
 * See: VP9 bitstream specification 6.2 (uncompressed header), annex B (superframes); VP codec ISO
 * media file format binding 1.0. */
#include <stdio.h>
#include <string.h>

#include "media/format/bitstream_nal.h"

#define CONFIG_SIZE 12
#define MAX_FRAMES 8 /* of a superframe */
#define SYNC_CODE 0x498342

struct frame {
    const uint8_t *data;
    size_t size;
};

/* vpcC is not in the stream: the encoder's headers are its body, made from the plan. */
static int check_config(const uint8_t *c, size_t size, struct gm_err *err)
{
    if (size != CONFIG_SIZE || c[0] != 1 || c[4] > 3 || (c[6] >> 4 != 8 && c[6] >> 4 != 10) ||
        c[10] != 0 || c[11] != 0) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a vpcC of %zu bytes makes no sense", size);
    }
    return 0;
}

static int add_config(const uint8_t *headers, size_t size, struct gm_buf *out, struct gm_err *err)
{
    int rc = check_config(headers, size, err);
    if (rc == 0) {
        gm_buf_add(out, headers, size);
        rc = gm_buf_check(out, err);
    }
    return rc;
}

static int name(const uint8_t *c, size_t size, char out[GM_CODECS_NAME], struct gm_err *err)
{
    int rc = check_config(c, size, err);
    if (rc == 0) {
        (void)snprintf(out, GM_CODECS_NAME, "vp09.%02u.%02u.%02u.%02u.%02u.%02u.%02u.%02u", c[4],
                       c[5], (unsigned)c[6] >> 4, c[6] >> 1 & 7U, c[7], c[8], c[9], c[6] & 1U);
    }
    return rc;
}

/* The frames of a sample: several where a superframe index ends it. 0: malformed. */
static size_t find_frames(const uint8_t *data, size_t size, struct frame out[MAX_FRAMES])
{
    unsigned mark = size > 0 ? data[size - 1] : 0;
    size_t count = (mark & 7) + 1;
    size_t bytes = (mark >> 3 & 3) + 1;
    size_t index = 2 + bytes * count;
    if (size == 0) {
        return 0;
    }
    if ((mark & 0xe0) != 0xc0 || index > size || data[size - index] != mark) {
        out[0] = (struct frame){data, size};
        return 1;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        for (size_t k = 0; k < bytes; k++) {
            length |= (size_t)data[size - index + 1 + i * bytes + k] << 8 * k;
        }
        if (length == 0 || length > size - index - at) {
            return 0;
        }
        out[i] = (struct frame){data + at, length};
        at += length;
    }
    return at == size - index ? count : 0;
}

/* What its uncompressed header says of a frame; NULL: fine. */
static const char *read_frame(const struct frame *f, const uint8_t *config, bool *out_key,
                              bool *out_show)
{
    struct gm_bits b = {f->data, 0, 8 * f->size, false};
    bool marked = gm_bits_take(&b, 2) == 2;
    unsigned profile = gm_bits_take(&b, 1);
    profile |= gm_bits_take(&b, 1) << 1;
    if (!marked || profile == 3) {
        return "a frame header is malformed";
    }
    if (config != NULL && profile != config[4]) {
        return "a frame is of another profile than the init segment says";
    }
    *out_key = false;
    *out_show = true;
    if (gm_bits_take(&b, 1) != 0) { /* show_existing_frame */
        (void)gm_bits_take(&b, 3);
        return b.over ? "a frame header is cut off" : NULL;
    }
    *out_key = gm_bits_take(&b, 1) == 0;
    *out_show = gm_bits_take(&b, 1) != 0;
    (void)gm_bits_take(&b, 1); /* error_resilient_mode */
    if (*out_key) {
        if (gm_bits_take(&b, 24) != SYNC_CODE) {
            return "a key frame has no sync code";
        }
        unsigned depth = profile >= 2 ? 10 + 2 * gm_bits_take(&b, 1) : 8;
        if (config != NULL && depth != config[6] >> 4) {
            return "a key frame has another bit depth than the init segment says";
        }
    }
    return b.over ? "a frame header is cut off" : NULL;
}

static int add_sample(const uint8_t *data, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct frame frames[MAX_FRAMES];
    size_t count = find_frames(data, size, frames);
    const char *why = count == 0 ? "the superframe is malformed" : NULL;
    bool key = false;
    bool show = false;
    for (size_t i = 0; i < count && why == NULL; i++) {
        why = read_frame(&frames[i], NULL, &key, &show);
    }
    if (why != NULL) {
        return gm_err_set(err, GM_E_MEDIA, 0, "a packet of %zu bytes holds no picture: %s", size,
                          why);
    }
    gm_buf_add(out, data, size);
    return gm_buf_check(out, err);
}

static const char *fault(const uint8_t *config, size_t config_size, const uint8_t *sample,
                         size_t size, bool sync)
{
    struct frame frames[MAX_FRAMES];
    size_t count = find_frames(sample, size, frames);
    size_t shown = 0;
    if (count == 0 || config_size != CONFIG_SIZE) {
        return "its superframe index is malformed";
    }
    for (size_t i = 0; i < count; i++) {
        bool key = false;
        bool show = false;
        const char *why = read_frame(&frames[i], config, &key, &show);
        if (why != NULL) {
            return why;
        }
        if (sync && (i > 0 || !key || !show)) {
            return "it is no shown key frame";
        }
        if (!sync && key) {
            return "it holds a key frame";
        }
        shown += show;
    }
    return shown == 1 ? NULL : "it does not show one picture";
}

const struct gm_bitstream gm_bitstream_vp9 = {
    .codec = "vp9",
    .id = AV_CODEC_ID_VP9,
    .entry = "vp09",
    .config = "vpcC",
    .add_config = add_config,
    .name = name,
    .add_sample = add_sample,
    .fault = fault,
};
