#include "media/picture/burn_pack.h"

#include <string.h>

/* See burn_pack.h. */

static size_t run_at(const uint8_t *pixels, size_t count, size_t at, size_t most)
{
    size_t n = 1;
    while (n < most && at + n < count && pixels[at + n] == pixels[at]) {
        n++;
    }
    return n;
}

void gm_burn_pack(const uint8_t *pixels, size_t count, struct gm_buf *out)
{
    for (size_t at = 0; at < count;) {
        size_t n = run_at(pixels, count, at, 129);
        if (n >= 2) {
            gm_buf_u8(out, (uint8_t)(n + 126));
            gm_buf_u8(out, pixels[at]);
            at += n;
            continue;
        }
        size_t end = at + 1; /* of what differs from its neighbour */
        while (end < count && end - at < 128 && run_at(pixels, count, end, 3) < 3) {
            end++;
        }
        gm_buf_u8(out, (uint8_t)(end - at - 1));
        gm_buf_add(out, pixels + at, end - at);
        at = end;
    }
}

int gm_burn_unpack(const uint8_t *data, size_t size, uint8_t *out, size_t count, struct gm_err *err)
{
    size_t done = 0;
    for (size_t at = 0; at < size;) {
        size_t n = data[at] < 128 ? (size_t)data[at] + 1 : (size_t)data[at] - 126;
        size_t bytes = data[at] < 128 ? n : 1;
        if (bytes > size - at - 1 || n > count - done) {
            return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "packed subtitle pixels are malformed");
        }
        if (data[at] < 128) {
            memcpy(out + done, data + at + 1, n);
        } else {
            memset(out + done, data[at + 1], n);
        }
        done += n;
        at += 1 + bytes;
    }
    return done == count
               ? 0
               : gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "%zu subtitle pixels of %zu", done, count);
}
