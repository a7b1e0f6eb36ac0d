#include "fuzz.h"

#include "media/format/fmp4.h"

/* Our own MP4 reading: segments and init segments. Every byte that a reader lends is touched. */

struct input {
    const uint8_t *data;
    size_t size;
    volatile unsigned sum;
};

static int touch(const struct gm_fmp4_read_sample *sample, void *arg)
{
    struct input *in = arg;
    GM_ASSERT(sample->offset <= in->size && sample->size <= in->size - sample->offset);
    if (sample->size > 0) {
        in->sum += in->data[sample->offset] + in->data[sample->offset + sample->size - 1];
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct input in = {data, size, 0};
    struct gm_fmp4_init init;
    int rc = gm_fmp4_read_segment(data, size, touch, &in, &err);
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    if (gm_fmp4_read_init(data, size, &init, &err) == 0) {
        GM_ASSERT(init.config >= data && init.config + init.config_size <= data + size);
        in.sum += init.config[init.config_size - 1];
    }
    return 0;
}
