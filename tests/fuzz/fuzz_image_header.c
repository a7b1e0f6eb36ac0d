#include "fuzz.h"

#include "common/image_header.h"

/* What is taken lies within the limits; what is not is refused with a message. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_image_header h = {0};
    if (gm_image_header_read(data, size, &h, &err) < 0) {
        GM_ASSERT(err.text[0] != '\0' && h.width_px == 0);
        return 0;
    }
    GM_ASSERT(h.width_px > 0 && h.height_px > 0 && h.width_px <= GM_IMAGE_MAX_SIDE &&
              h.height_px <= GM_IMAGE_MAX_SIDE &&
              (int64_t)h.width_px * h.height_px <= GM_IMAGE_MAX_PIXELS);
    return 0;
}
