/* Init segments: ftyp + moov with one track and no samples. All times of making are 0, so that the
 * same track gives the same bytes.
 * See: ISO/IEC 23000-19 7, ISO/IEC 14496-12 8, ISO/IEC 14496-14 5.6 (mp4a, esds). */
#include <string.h>

#include "media/format/fmp4.h"
#include "media/format/fmp4_box.h"

#define OPUS_MAGIC 8 /* bytes of "OpusHead" */

static void add_ftyp(struct gm_buf *out)
{
    size_t box = gm_box_open(out, "ftyp");
    gm_buf_add(out, "cmfc", 4);
    gm_buf_be32(out, 0);
    gm_buf_add(out, "iso6cmfcmp41", 12);
    gm_box_close(out, box);
}

static void add_matrix(struct gm_buf *out)
{
    static const uint32_t unity[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (size_t i = 0; i < 9; i++) {
        gm_buf_be32(out, unity[i]);
    }
}

static void add_mvhd(struct gm_buf *out, uint32_t timescale)
{
    size_t box = gm_box_open_full(out, "mvhd", 0, 0);
    gm_box_zeros(out, 8); /* made, changed */
    gm_buf_be32(out, timescale);
    gm_buf_be32(out, 0);       /* duration: in the fragments */
    gm_buf_be32(out, 0x10000); /* rate */
    gm_buf_be16(out, 0x100);   /* volume */
    gm_box_zeros(out, 10);
    add_matrix(out);
    gm_box_zeros(out, 24);
    gm_buf_be32(out, 2); /* next track */
    gm_box_close(out, box);
}

static void add_tkhd(struct gm_buf *out, uint32_t width_px, uint32_t height_px, bool audio)
{
    size_t box = gm_box_open_full(out, "tkhd", 0, 7); /* enabled, in movie, in preview */
    gm_box_zeros(out, 8);
    gm_buf_be32(out, 1); /* track */
    gm_box_zeros(out, 4);
    gm_buf_be32(out, 0); /* duration */
    gm_box_zeros(out, 8);
    gm_buf_be16(out, 0);                 /* layer */
    gm_buf_be16(out, audio ? 1 : 0);     /* alternate group */
    gm_buf_be16(out, audio ? 0x100 : 0); /* volume */
    gm_buf_be16(out, 0);
    add_matrix(out);
    gm_buf_be32(out, width_px << 16);
    gm_buf_be32(out, height_px << 16);
    gm_box_close(out, box);
}

static void add_mdhd(struct gm_buf *out, uint32_t timescale, const char *language)
{
    if (language == NULL || strlen(language) != 3) {
        language = "und";
    }
    uint16_t packed = 0;
    for (size_t i = 0; i < 3; i++) {
        if (language[i] < 'a' || language[i] > 'z') {
            language = "und";
            packed = 0;
            i = 0;
        }
        packed = (uint16_t)(packed << 5 | (language[i] - 0x60));
    }
    size_t box = gm_box_open_full(out, "mdhd", 0, 0);
    gm_box_zeros(out, 8);
    gm_buf_be32(out, timescale);
    gm_buf_be32(out, 0);
    gm_buf_be16(out, packed);
    gm_buf_be16(out, 0);
    gm_box_close(out, box);
}

static void add_hdlr(struct gm_buf *out, const char *type)
{
    size_t box = gm_box_open_full(out, "hdlr", 0, 0);
    gm_box_zeros(out, 4);
    gm_buf_add(out, type, 4);
    gm_box_zeros(out, 12);
    gm_buf_add(out, "gopmill", 8);
    gm_box_close(out, box);
}

static void add_dinf(struct gm_buf *out)
{
    size_t dinf = gm_box_open(out, "dinf");
    size_t dref = gm_box_open_full(out, "dref", 0, 0);
    gm_buf_be32(out, 1);
    gm_box_close(out, gm_box_open_full(out, "url ", 0, 1)); /* in this file */
    gm_box_close(out, dref);
    gm_box_close(out, dinf);
}

static void add_empty_tables(struct gm_buf *out)
{
    static const char *const names[] = {"stts", "stsc", "stco"};
    for (size_t i = 0; i < 3; i++) {
        size_t box = gm_box_open_full(out, names[i], 0, 0);
        gm_buf_be32(out, 0);
        gm_box_close(out, box);
    }
    size_t stsz = gm_box_open_full(out, "stsz", 0, 0);
    gm_box_zeros(out, 8);
    gm_box_close(out, stsz);
}

static void add_mvex(struct gm_buf *out)
{
    size_t mvex = gm_box_open(out, "mvex");
    size_t trex = gm_box_open_full(out, "trex", 0, 0);
    gm_buf_be32(out, 1); /* track */
    gm_buf_be32(out, 1); /* sample description */
    gm_box_zeros(out, 12);
    gm_box_close(out, trex);
    gm_box_close(out, mvex);
}

/* One edit that begins at media_time: priming of sound, delay of pictures. */
static void add_edit(struct gm_buf *out, uint32_t media_time)
{
    size_t edts = gm_box_open(out, "edts");
    size_t elst = gm_box_open_full(out, "elst", 0, 0);
    gm_buf_be32(out, 1);
    gm_buf_be32(out, 0); /* to the end of the fragments */
    gm_buf_be32(out, media_time);
    gm_buf_be32(out, 0x10000); /* rate */
    gm_box_close(out, elst);
    gm_box_close(out, edts);
}

int gm_fmp4_video_init(const struct gm_fmp4_video *video, struct gm_buf *out, struct gm_err *err)
{
    if (video->width_px == 0 || video->width_px > UINT16_MAX || video->height_px == 0 ||
        video->height_px > UINT16_MAX || video->timescale == 0 || video->delay_ts > INT32_MAX / 2) {
        return gm_err_set(err, GM_E_INVAL, 0, "a video track of %ux%u, timescale %u",
                          video->width_px, video->height_px, video->timescale);
    }
    int rc = gm_fmp4_entry_check(video, err);
    if (rc < 0) {
        return rc;
    }
    add_ftyp(out);
    size_t moov = gm_box_open(out, "moov");
    add_mvhd(out, video->timescale);
    size_t trak = gm_box_open(out, "trak");
    add_tkhd(out, video->width_px, video->height_px, false);
    if (video->delay_ts > 0) {
        add_edit(out, video->delay_ts);
    }
    size_t mdia = gm_box_open(out, "mdia");
    add_mdhd(out, video->timescale, NULL);
    add_hdlr(out, "vide");
    size_t minf = gm_box_open(out, "minf");
    size_t vmhd = gm_box_open_full(out, "vmhd", 0, 1);
    gm_box_zeros(out, 8);
    gm_box_close(out, vmhd);
    add_dinf(out);
    size_t stbl = gm_box_open(out, "stbl");
    gm_fmp4_add_video_stsd(out, video);
    add_empty_tables(out);
    gm_box_close(out, stbl);
    gm_box_close(out, minf);
    gm_box_close(out, mdia);
    gm_box_close(out, trak);
    add_mvex(out);
    gm_box_close(out, moov);
    return gm_buf_check(out, err);
}

static void add_esds(struct gm_buf *out, const struct gm_fmp4_audio *a)
{
    size_t esds = gm_box_open_full(out, "esds", 0, 0);
    uint8_t config_size = (uint8_t)a->config_size;
    gm_buf_u8(out, 3); /* ES_Descriptor; all lengths are below 128, so one byte each */
    gm_buf_u8(out, (uint8_t)(3 + 2 + 13 + 2 + config_size + 3));
    gm_buf_be16(out, 0); /* ES id: 0 in files */
    gm_buf_u8(out, 0);
    gm_buf_u8(out, 4); /* DecoderConfigDescriptor */
    gm_buf_u8(out, (uint8_t)(13 + 2 + config_size));
    gm_buf_u8(out, 0x40); /* MPEG-4 audio */
    gm_buf_u8(out, 0x15); /* audio stream */
    gm_buf_be24(out, 0);  /* buffer size */
    gm_buf_be32(out, a->bitrate_bps);
    gm_buf_be32(out, a->bitrate_bps);
    gm_buf_u8(out, 5); /* DecoderSpecificInfo */
    gm_buf_u8(out, config_size);
    gm_buf_add(out, a->config, a->config_size);
    gm_buf_u8(out, 6); /* SLConfigDescriptor: MP4 */
    gm_buf_u8(out, 1);
    gm_buf_u8(out, 2);
    gm_box_close(out, esds);
}

/* OpusHead counts little endian, dOps big endian: Encapsulation of Opus in ISO Base Media File
 * Format 4.3.2. */
static void add_dops(struct gm_buf *out, const struct gm_fmp4_audio *a)
{
    const uint8_t *h = a->config + OPUS_MAGIC; /* version first */
    size_t box = gm_box_open(out, "dOps");
    gm_buf_u8(out, 0);                              /* version */
    gm_buf_u8(out, h[1]);                           /* channels */
    gm_buf_be16(out, (uint16_t)(h[2] | h[3] << 8)); /* pre-skip */
    gm_buf_u8(out, h[7]), gm_buf_u8(out, h[6]);     /* rate of the input */
    gm_buf_u8(out, h[5]), gm_buf_u8(out, h[4]);
    gm_buf_be16(out, (uint16_t)(h[8] | h[9] << 8));            /* gain */
    gm_buf_add(out, h + 10, a->config_size - OPUS_MAGIC - 10); /* mapping family and table */
    gm_box_close(out, box);
}

static void add_stsd_audio(struct gm_buf *out, const struct gm_fmp4_audio *a)
{
    size_t stsd = gm_box_open_full(out, "stsd", 0, 0);
    gm_buf_be32(out, 1);
    size_t entry = gm_box_open(out, a->opus ? "Opus" : "mp4a");
    gm_box_zeros(out, 6);
    gm_buf_be16(out, 1); /* data reference */
    gm_box_zeros(out, 8);
    gm_buf_be16(out, (uint16_t)a->channels);
    gm_buf_be16(out, 16); /* bits: a template value */
    gm_box_zeros(out, 4);
    gm_buf_be32(out, a->sample_rate <= UINT16_MAX ? a->sample_rate << 16 : 0);
    if (a->opus) {
        add_dops(out, a);
    } else {
        add_esds(out, a);
    }
    gm_box_close(out, entry);
    gm_box_close(out, stsd);
}

/* OpusHead: RFC 7845 5.1; family 0 has no mapping table, others one entry a channel. */
static bool is_opus_head(const struct gm_fmp4_audio *a)
{
    if (a->config_size < OPUS_MAGIC + 11 || memcmp(a->config, "OpusHead", OPUS_MAGIC) != 0 ||
        a->config[OPUS_MAGIC + 1] != a->channels) {
        return false;
    }
    size_t table = a->config[OPUS_MAGIC + 10] == 0 ? 0 : 2 + a->channels;
    return a->config_size == OPUS_MAGIC + 11 + table;
}

int gm_fmp4_audio_init(const struct gm_fmp4_audio *audio, struct gm_buf *out, struct gm_err *err)
{
    if (audio->sample_rate == 0 || audio->channels == 0 || audio->channels > 8 ||
        audio->config_size < 2 || audio->config_size > 64 || audio->priming_samples > INT32_MAX) {
        return gm_err_set(err, GM_E_INVAL, 0, "an audio track of %u Hz, %u channels, config %zu",
                          audio->sample_rate, audio->channels, audio->config_size);
    }
    if (audio->opus && !is_opus_head(audio)) {
        return gm_err_set(err, GM_E_INVAL, 0, "an Opus track of %u channels with another header",
                          audio->channels);
    }
    add_ftyp(out);
    size_t moov = gm_box_open(out, "moov");
    add_mvhd(out, audio->sample_rate);
    size_t trak = gm_box_open(out, "trak");
    add_tkhd(out, 0, 0, true);
    add_edit(out, audio->priming_samples);
    size_t mdia = gm_box_open(out, "mdia");
    add_mdhd(out, audio->sample_rate, audio->language);
    add_hdlr(out, "soun");
    size_t minf = gm_box_open(out, "minf");
    size_t smhd = gm_box_open_full(out, "smhd", 0, 0);
    gm_box_zeros(out, 4);
    gm_box_close(out, smhd);
    add_dinf(out);
    size_t stbl = gm_box_open(out, "stbl");
    add_stsd_audio(out, audio);
    add_empty_tables(out);
    gm_box_close(out, stbl);
    gm_box_close(out, minf);
    gm_box_close(out, mdia);
    gm_box_close(out, trak);
    add_mvex(out);
    gm_box_close(out, moov);
    return gm_buf_check(out, err);
}
