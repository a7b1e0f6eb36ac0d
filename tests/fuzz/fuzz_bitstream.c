#include "fuzz.h"

#include "media/format/bitstream.h"
#include "media/format/fmp4.h"
#include "media/format/nal.h"

/* What media/format/bitstream.h reads of each codec: encoders' headers and packets, samples of
 * segments; and what media/format/nal.h reads of a source's. The first byte names the codec, and
 * where the config ends and a sample begins. */

static void make_init(const struct gm_bitstream *codec, const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_buf config = {0};
    struct gm_buf init = {0};
    struct gm_fmp4_init read;
    char name[GM_CODECS_NAME];
    if (codec->add_config(data, size, &config, &err) == 0) {
        struct gm_fmp4_video video = {.codec = codec->codec,
                                      .width_px = 64,
                                      .height_px = 48,
                                      .timescale = 1000,
                                      .config = config.data,
                                      .config_size = config.size};
        GM_ASSERT(codec->name(config.data, config.size, name, &err) == 0);
        GM_ASSERT(gm_fmp4_video_init(&video, &init, &err) == 0);
        GM_ASSERT(gm_fmp4_read_init(init.data, init.size, &read, &err) == 0);
        GM_ASSERT(read.codec == codec && read.config_size == config.size);
    } else {
        GM_ASSERT(err.text[0] != '\0');
    }
    gm_buf_fini(&config);
    gm_buf_fini(&init);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codecs[] = {"h264", "hevc", "av1", "vp9"};
    struct gm_err err = {0};
    struct gm_buf sample = {0};
    char name[GM_CODECS_NAME];
    if (size < 1) {
        return 0;
    }
    const struct gm_bitstream *codec = gm_bitstream_find(codecs[data[0] & 3]);
    if (codec == NULL) {
        return 0;
    }
    size_t cut = data[0] >> 2;
    data++;
    size--;
    cut = cut > size ? size : cut;
    make_init(codec, data, size);
    GM_IGNORE(codec->name(data, cut, name, &err), "either answer is right");
    (void)codec->fault(data, cut, data + cut, size - cut, true);
    (void)codec->fault(data, cut, data + cut, size - cut, false);
    if (codec->add_sample(data + cut, size - cut, &sample, &err) == 0) {
        (void)codec->fault(data, cut, sample.data, sample.size, true);
    }
    gm_buf_fini(&sample);
    (void)gm_nal_has_fields(data, size);
    (void)gm_nal_is_closed(codec->id, data, cut, data + cut, size - cut);
    return 0;
}
