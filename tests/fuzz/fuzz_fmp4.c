#include "fuzz.h"

#include "media/fmp4.h"

/* Our own MP4 reading: segments, init segments, and the parameter sets and NAL units that go into
 * them. Every byte that a reader lends is touched. */

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
    struct gm_buf buf = {0};
    char codecs[16];
    int rc = gm_fmp4_read_segment(data, size, touch, &in, &err);
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    if (gm_fmp4_read_init(data, size, &init, &err) == 0) {
        GM_ASSERT(init.config >= data && init.config + init.config_size <= data + size);
        in.sum += init.config[init.config_size - 1];
    }
    GM_IGNORE(gm_fmp4_from_annexb(data, size, &buf, &err), "either answer is right");
    gm_buf_fini(&buf);
    struct gm_fmp4_video video = {.width_px = 64,
                                  .height_px = 48,
                                  .timescale = 1000,
                                  .extradata = data,
                                  .extradata_size = size};
    if (gm_fmp4_avc_codecs(data, size, codecs, &err) == 0 &&
        gm_fmp4_video_init(&video, &buf, &err) == 0) {
        GM_ASSERT(gm_fmp4_read_init(buf.data, buf.size, &init, &err) == 0);
    }
    gm_buf_fini(&buf);
    return 0;
}
