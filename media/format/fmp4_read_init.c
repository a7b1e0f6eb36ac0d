/* Reads back the init segments that fmp4_init.c writes; see fmp4_read.c for the rules. */
#include <string.h>

#include "media/format/bitstream.h"
#include "media/format/fmp4.h"
#include "media/format/fmp4_box.h"

#define BOX(s) GM_FOURCC((s)[0], (s)[1], (s)[2], (s)[3])

static int bad(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_MEDIA, 0, "the init segment is malformed: %s", what);
}

/* The first child of that type, children of other types being passed over. */
static int find_child(struct gm_box_view parent, const char *type, struct gm_box *out,
                      struct gm_err *err)
{
    while (gm_box_left(&parent) > 0) {
        struct gm_box box;
        int rc = gm_box_next(&parent, &box, err);
        if (rc < 0) {
            return rc;
        }
        if (box.type == BOX(type)) {
            *out = box;
            return 0;
        }
    }
    return gm_err_set(err, GM_E_MEDIA, 0, "the init segment is malformed: no %s", type);
}

static int find_path(struct gm_box_view from, const char *const *path, struct gm_box *out,
                     struct gm_err *err)
{
    struct gm_box box = {.body = from};
    for (; *path != NULL; path++) {
        int rc = find_child(box.body, *path, &box, err);
        if (rc < 0) {
            return rc;
        }
    }
    *out = box;
    return 0;
}

/* mp4a with esds, or Opus with dOps. */
static int read_sound_entry(struct gm_box_view stsd, struct gm_fmp4_init *out, struct gm_err *err)
{
    struct gm_box entry;
    struct gm_box config;
    int rc = gm_box_next(&stsd, &entry, err);
    if (rc < 0) {
        return rc;
    }
    bool opus = entry.type == BOX("Opus");
    if ((!opus && entry.type != BOX("mp4a")) || !gm_box_skip(&entry.body, 28)) {
        return bad(err, "the sound's sample entry");
    }
    rc = find_child(entry.body, opus ? "dOps" : "esds", &config, err);
    if (rc < 0) {
        return rc;
    }
    out->config = config.body.at;
    out->config_size = gm_box_left(&config.body);
    return out->config_size > 0 ? 0 : bad(err, "an empty decoder configuration");
}

static int read_entry(struct gm_box_view stsd, struct gm_fmp4_init *out, struct gm_err *err)
{
    uint32_t word = 0;
    uint32_t count = 0;
    struct gm_box entry;
    struct gm_box config;
    uint16_t width = 0;
    uint16_t height = 0;
    if (!gm_box_u32(&stsd, &word) || !gm_box_u32(&stsd, &count) || count != 1) {
        return bad(err, "stsd");
    }
    if (!out->video) {
        return read_sound_entry(stsd, out, err);
    }
    int rc = gm_box_next(&stsd, &entry, err);
    if (rc < 0) {
        return rc;
    }
    out->codec = gm_bitstream_find_entry(entry.type);
    if (out->codec == NULL || !gm_box_skip(&entry.body, 24) || !gm_box_u16(&entry.body, &width) ||
        !gm_box_u16(&entry.body, &height) || !gm_box_skip(&entry.body, 50)) {
        return bad(err, "the sample entry of pictures");
    }
    rc = find_child(entry.body, out->codec->config, &config, err);
    if (rc < 0) {
        return rc;
    }
    out->width_px = width;
    out->height_px = height;
    out->config = config.body.at;
    out->config_size = gm_box_left(&config.body);
    return out->config_size > 0 ? 0 : bad(err, "an empty decoder configuration");
}

static int read_track(struct gm_box_view mdia, struct gm_fmp4_init *out, struct gm_err *err)
{
    struct gm_box box;
    uint32_t word = 0;
    int rc = find_child(mdia, "mdhd", &box, err);
    if (rc < 0) {
        return rc;
    }
    if (!gm_box_u32(&box.body, &word) || word != 0 || !gm_box_skip(&box.body, 8) ||
        !gm_box_u32(&box.body, &out->timescale) || out->timescale == 0) {
        return bad(err, "mdhd");
    }
    rc = find_child(mdia, "hdlr", &box, err);
    if (rc < 0) {
        return rc;
    }
    if (!gm_box_skip(&box.body, 8) || !gm_box_u32(&box.body, &word) ||
        (word != BOX("vide") && word != BOX("soun"))) {
        return bad(err, "hdlr");
    }
    out->video = word == BOX("vide");
    rc = find_path(mdia, (const char *const[]){"minf", "stbl", "stsd", NULL}, &box, err);
    return rc < 0 ? rc : read_entry(box.body, out, err);
}

int gm_fmp4_read_init(const uint8_t *data, size_t size, struct gm_fmp4_init *out,
                      struct gm_err *err)
{
    struct gm_box_view v = {data, data + size};
    struct gm_box ftyp;
    struct gm_box moov;
    struct gm_box box;
    struct gm_fmp4_init init;
    memset(&init, 0, sizeof(init));
    int rc = gm_box_expect(&v, BOX("ftyp"), &ftyp, err);
    if (rc < 0 || (rc = gm_box_expect(&v, BOX("moov"), &moov, err)) < 0) {
        return rc;
    }
    if (gm_box_left(&v) != 0) {
        return bad(err, "bytes behind moov");
    }
    rc = find_path(moov.body, (const char *const[]){"mvex", "trex", NULL}, &box, err);
    if (rc < 0 ||
        (rc = find_path(moov.body, (const char *const[]){"trak", "mdia", NULL}, &box, err)) < 0 ||
        (rc = read_track(box.body, &init, err)) < 0) {
        return rc;
    }
    *out = init;
    return 0;
}
