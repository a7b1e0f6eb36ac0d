/* AV1 in MP4: the sequence header, the RFC 6381 name, samples.
 * See: AV1 bitstream specification 5.3 to 5.5 and 5.9.2; AV1 codec ISO media file format
 * binding 2.3 (av1C), 2.4 (samples), 5 (the name). */
#include <stdio.h>
#include <string.h>

#include "media/format/bitstream_nal.h"

enum {
    OBU_SEQUENCE_HEADER = 1,
    OBU_TEMPORAL_DELIMITER = 2,
    OBU_FRAME_HEADER = 3,
    OBU_TILE_GROUP = 4,
    OBU_METADATA = 5,
    OBU_FRAME = 6,
    OBU_REDUNDANT_FRAME_HEADER = 7,
    OBU_TILE_LIST = 8,
    OBU_PADDING = 15,
};
#define KEY_FRAME 0
#define CONFIG_FIXED GM_AV1_CONFIG_FIXED

struct obu {
    unsigned type;
    const uint8_t *start; /* of its header */
    size_t size;          /* with the header */
    const uint8_t *body;
    size_t body_size;
};

/* What av1C and the name repeat of the sequence header. */
struct sequence {
    unsigned profile, level, tier;
    unsigned high_depth, twelve_bit, mono, subsampling_x, subsampling_y, position;
    unsigned primaries, transfer, matrix, full_range;
    bool described;
};

/* 1, 0 at the end, -1 when malformed: each OBU must say its size and be of no layer. */
static int next_obu(const uint8_t *data, size_t size, size_t *io_at, struct obu *out)
{
    size_t at = *io_at;
    uint64_t length = 0;
    if (at == size) {
        return 0;
    }
    out->start = data + at;
    unsigned header = data[at++];
    if ((header & 0x85) != 0 || (header & 2) == 0) {
        return -1;
    }
    for (unsigned i = 0;; i++) {
        if (at == size || i == 8) {
            return -1;
        }
        length |= (uint64_t)(data[at] & 0x7f) << 7 * i;
        if ((data[at++] & 0x80) == 0) {
            break;
        }
    }
    if (length > size - at) {
        return -1;
    }
    out->type = header >> 3 & 15;
    out->body = data + at;
    out->body_size = (size_t)length;
    *io_at = at + out->body_size;
    out->size = (size_t)(data + *io_at - out->start);
    return 1;
}

static void read_timing(struct gm_bits *b, bool *out_model, unsigned *out_delay_bits)
{
    (void)gm_bits_take(b, 32);
    (void)gm_bits_take(b, 32);
    if (gm_bits_take(b, 1) != 0) { /* equal_picture_interval */
        (void)gm_bits_take_ue(b);
    }
    *out_model = gm_bits_take(b, 1) != 0;
    if (*out_model) {
        *out_delay_bits = gm_bits_take(b, 5) + 1;
        (void)gm_bits_take(b, 32);
        (void)gm_bits_take(b, 10);
    }
}

static void read_operating_points(struct gm_bits *b, struct sequence *s)
{
    bool model = false;
    unsigned delay_bits = 0;
    if (gm_bits_take(b, 1) != 0) { /* timing_info_present_flag */
        read_timing(b, &model, &delay_bits);
    }
    bool display_delay = gm_bits_take(b, 1) != 0;
    unsigned points = gm_bits_take(b, 5) + 1;
    for (unsigned i = 0; i < points; i++) {
        (void)gm_bits_take(b, 12);
        unsigned level = gm_bits_take(b, 5);
        unsigned tier = level > 7 ? gm_bits_take(b, 1) : 0;
        if (i == 0) {
            s->level = level;
            s->tier = tier;
        }
        if (model && gm_bits_take(b, 1) != 0) {
            (void)gm_bits_take(b, delay_bits);
            (void)gm_bits_take(b, delay_bits);
            (void)gm_bits_take(b, 1);
        }
        if (display_delay && gm_bits_take(b, 1) != 0) {
            (void)gm_bits_take(b, 4);
        }
    }
}

static void skip_tools(struct gm_bits *b, bool reduced)
{
    (void)gm_bits_take(b, 3);
    if (!reduced) {
        (void)gm_bits_take(b, 4);
        bool order = gm_bits_take(b, 1) != 0;
        if (order) {
            (void)gm_bits_take(b, 2);
        }
        unsigned screen = gm_bits_take(b, 1) != 0 ? 2 : gm_bits_take(b, 1);
        if (screen > 0 && gm_bits_take(b, 1) == 0) { /* seq_choose_integer_mv */
            (void)gm_bits_take(b, 1);
        }
        if (order) {
            (void)gm_bits_take(b, 3);
        }
    }
    (void)gm_bits_take(b, 3);
}

static void read_colour(struct gm_bits *b, struct sequence *s)
{
    s->high_depth = gm_bits_take(b, 1);
    s->twelve_bit = s->profile == 2 && s->high_depth ? gm_bits_take(b, 1) : 0;
    s->mono = s->profile != 1 ? gm_bits_take(b, 1) : 0;
    s->primaries = s->transfer = s->matrix = 2;
    s->described = gm_bits_take(b, 1) != 0;
    if (s->described) {
        s->primaries = gm_bits_take(b, 8);
        s->transfer = gm_bits_take(b, 8);
        s->matrix = gm_bits_take(b, 8);
    }
    s->subsampling_x = s->subsampling_y = 1;
    s->full_range = gm_bits_take(b, 1);
    if (!s->mono) {
        s->position = gm_bits_take(b, 2);
    }
}

/* Main profile alone: 4:2:0 or monochrome. */
static int read_sequence(const struct obu *obu, struct sequence *out, struct gm_err *err)
{
    struct gm_bits b = {obu->body, 0, 8 * obu->body_size, false};
    struct sequence s = {0};
    s.profile = gm_bits_take(&b, 3);
    (void)gm_bits_take(&b, 1); /* still_picture */
    bool reduced = gm_bits_take(&b, 1) != 0;
    if (reduced) {
        s.level = gm_bits_take(&b, 5);
    } else {
        read_operating_points(&b, &s);
    }
    unsigned width_bits = gm_bits_take(&b, 4) + 1;
    unsigned height_bits = gm_bits_take(&b, 4) + 1;
    (void)gm_bits_take(&b, width_bits);
    (void)gm_bits_take(&b, height_bits);
    if (!reduced && gm_bits_take(&b, 1) != 0) { /* frame ids */
        (void)gm_bits_take(&b, 7);
    }
    skip_tools(&b, reduced);
    read_colour(&b, &s);
    if (b.over || s.profile != 0 || s.level > 31) {
        return gm_err_set(err, GM_E_MEDIA, 0, "the AV1 sequence header makes no sense");
    }
    *out = s;
    return 0;
}

/* The first sequence header of some OBUs. */
static int find_sequence(const uint8_t *data, size_t size, struct obu *out, struct sequence *seq,
                         struct gm_err *err)
{
    for (size_t at = 0; next_obu(data, size, &at, out) > 0;) {
        if (out->type == OBU_SEQUENCE_HEADER) {
            return read_sequence(out, seq, err);
        }
    }
    return gm_err_set(err, GM_E_MEDIA, 0, "the encoder gave no AV1 sequence header");
}

static int add_config(const uint8_t *headers, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct obu obu;
    struct sequence s;
    int rc = find_sequence(headers, size, &obu, &s, err);
    if (rc < 0) {
        return rc;
    }
    gm_buf_u8(out, 0x81);
    gm_buf_u8(out, (uint8_t)(s.profile << 5 | s.level));
    gm_buf_u8(out, (uint8_t)(s.tier << 7 | s.high_depth << 6 | s.twelve_bit << 5 | s.mono << 4 |
                             s.subsampling_x << 3 | s.subsampling_y << 2 | s.position));
    gm_buf_u8(out, 0); /* no presentation delay said */
    gm_buf_add(out, obu.start, obu.size);
    return gm_buf_check(out, err);
}

static int name(const uint8_t *config, size_t size, char out[GM_CODECS_NAME], struct gm_err *err)
{
    struct obu obu;
    struct sequence s;
    if (size <= CONFIG_FIXED || config[0] != 0x81) {
        return gm_err_set(err, GM_E_MEDIA, 0, "an av1C of %zu bytes makes no sense", size);
    }
    int rc = find_sequence(config + CONFIG_FIXED, size - CONFIG_FIXED, &obu, &s, err);
    if (rc < 0) {
        return rc;
    }
    /* the fields behind the depth are left out where they are what is assumed then: BT.709 */
    bool usual = !s.mono && s.position == 0 && !s.full_range &&
                 (!s.described || (s.primaries == 1 && s.transfer == 1 && s.matrix == 1));
    int n = snprintf(out, GM_CODECS_NAME, "av01.%u.%02u%c.%02u", s.profile, s.level,
                     s.tier ? 'H' : 'M', s.high_depth ? 10U : 8U);
    if (!usual) {
        (void)snprintf(out + n, GM_CODECS_NAME - (size_t)n, ".%u.%u%u%u.%02u.%02u.%02u.%u", s.mono,
                       s.subsampling_x, s.subsampling_y, s.position, s.primaries, s.transfer,
                       s.matrix, s.full_range);
    }
    return 0;
}

static bool is_left_out(unsigned type)
{
    return type == OBU_TEMPORAL_DELIMITER || type == OBU_PADDING || type == OBU_TILE_LIST ||
           type == OBU_REDUNDANT_FRAME_HEADER;
}

static int add_sample(const uint8_t *data, size_t size, struct gm_buf *out, struct gm_err *err)
{
    struct obu obu;
    int more = 0;
    bool picture = false;
    size_t before = out->size;
    for (size_t at = 0; (more = next_obu(data, size, &at, &obu)) > 0;) {
        if (!is_left_out(obu.type)) {
            gm_buf_add(out, obu.start, obu.size);
            picture = picture || obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER;
        }
    }
    int rc = gm_buf_check(out, err);
    if (rc == 0 && (more < 0 || !picture)) {
        out->size = before;
        rc = gm_err_set(err, GM_E_MEDIA, 0, "a temporal unit of %zu bytes %s", size,
                        more < 0 ? "is malformed" : "holds no picture");
    }
    return rc;
}

/* Frames of one sample as far as they were seen. */
struct frames {
    size_t count, shown;
    bool sequence;
};

static const char *check_frame(const struct obu *obu, struct frames *f, bool sync)
{
    if (obu->body_size == 0) {
        return "a frame header is empty";
    }
    bool existing = (obu->body[0] & 0x80) != 0;
    unsigned type = obu->body[0] >> 5 & 3U;
    bool show = existing || (obu->body[0] & 0x10) != 0;
    if (sync && (f->count > 0 || existing || type != KEY_FRAME || !show || !f->sequence)) {
        return "it is no shown key frame behind a sequence header";
    }
    if (!sync && !existing && type == KEY_FRAME) {
        return "it holds a key frame";
    }
    f->count++;
    f->shown += show;
    return NULL;
}

static const char *fault(const uint8_t *config, size_t config_size, const uint8_t *sample,
                         size_t size, bool sync)
{
    struct obu obu;
    struct frames f = {0};
    int more = 0;
    for (size_t at = 0; (more = next_obu(sample, size, &at, &obu)) > 0;) {
        const char *why = NULL;
        if (is_left_out(obu.type)) {
            why = "it holds an OBU that files leave out";
        } else if (obu.type == OBU_SEQUENCE_HEADER) {
            if (!sync || f.sequence || config_size != CONFIG_FIXED + obu.size ||
                memcmp(config + CONFIG_FIXED, obu.start, obu.size) != 0) {
                why = "its sequence header is not the init segment's";
            }
            f.sequence = true;
        } else if (obu.type == OBU_FRAME || obu.type == OBU_FRAME_HEADER) {
            why = check_frame(&obu, &f, sync);
        }
        if (why != NULL) {
            return why;
        }
    }
    return more < 0       ? "its OBUs are malformed"
           : f.shown == 1 ? NULL
                          : "it does not show one picture";
}

const struct gm_bitstream gm_bitstream_av1 = {
    .codec = "av1",
    .id = AV_CODEC_ID_AV1,
    .entry = "av01",
    .config = "av1C",
    .add_config = add_config,
    .name = name,
    .add_sample = add_sample,
    .fault = fault,
};
