/* Reads back the segments that fmp4_fragment.c writes. Strict on purpose: a box that we do not
 * write, or one in another place, is an error, because it can only mean damage. Every size and
 * count is checked against the bytes that are there before it is used; no memory is taken. */
#include <string.h>

#include "media/format/fmp4.h"
#include "media/format/fmp4_box.h"

#define SAMPLE_NON_SYNC 0x00010000U

struct fragment {
    uint32_t sequence;
    int64_t base_ts;
    uint32_t default_duration, default_size, default_flags, first_flags;
    bool has_duration, has_size, has_flags;
    uint32_t trun_flags;
    uint32_t samples;
    uint32_t data_offset;
    struct gm_box_view entries;
};

static int bad(struct gm_err *err, const char *what)
{
    return gm_err_set(err, GM_E_MEDIA, 0, "the segment is malformed: %s", what);
}

static int read_full(struct gm_box *box, uint8_t version, uint32_t *out_flags, struct gm_err *err)
{
    uint32_t word = 0;
    if (!gm_box_u32(&box->body, &word) || word >> 24 != version) {
        return bad(err, "a box of another version");
    }
    *out_flags = word & 0xffffff;
    return 0;
}

static int read_tfhd(struct gm_box *box, struct fragment *f, struct gm_err *err)
{
    uint32_t flags = 0;
    uint32_t track = 0;
    int rc = read_full(box, 0, &flags, err);
    if (rc < 0) {
        return rc;
    }
    if ((flags & ~(TFHD_DURATION | TFHD_SIZE | TFHD_FLAGS)) != TFHD_MOOF_BASE ||
        !gm_box_u32(&box->body, &track) || track != 1) {
        return bad(err, "tfhd");
    }
    f->has_duration = (flags & TFHD_DURATION) != 0;
    f->has_size = (flags & TFHD_SIZE) != 0;
    f->has_flags = (flags & TFHD_FLAGS) != 0;
    if ((f->has_duration && !gm_box_u32(&box->body, &f->default_duration)) ||
        (f->has_size && !gm_box_u32(&box->body, &f->default_size)) ||
        (f->has_flags && !gm_box_u32(&box->body, &f->default_flags)) ||
        gm_box_left(&box->body) != 0) {
        return bad(err, "tfhd");
    }
    return 0;
}

static int read_tfdt(struct gm_box *box, struct fragment *f, struct gm_err *err)
{
    uint32_t flags = 0;
    uint64_t ts = 0;
    int rc = read_full(box, 1, &flags, err);
    if (rc < 0) {
        return rc;
    }
    if (flags != 0 || !gm_box_u64(&box->body, &ts) || ts > INT64_MAX / 2 ||
        gm_box_left(&box->body) != 0) {
        return bad(err, "tfdt");
    }
    f->base_ts = (int64_t)ts;
    return 0;
}

static int read_trun(struct gm_box *box, struct fragment *f, struct gm_err *err)
{
    uint32_t flags = 0;
    int rc = read_full(box, 1, &flags, err);
    if (rc < 0) {
        return rc;
    }
    uint32_t fields = TRUN_FIRST_FLAGS | TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | TRUN_CTS;
    bool first = (flags & TRUN_FIRST_FLAGS) != 0;
    if ((flags & ~fields) != TRUN_OFFSET || (first && (flags & TRUN_FLAGS) != 0) ||
        !gm_box_u32(&box->body, &f->samples) || !gm_box_u32(&box->body, &f->data_offset) ||
        (first && !gm_box_u32(&box->body, &f->first_flags))) {
        return bad(err, "trun");
    }
    if ((!f->has_duration && !(flags & TRUN_DURATION)) || (!f->has_size && !(flags & TRUN_SIZE)) ||
        (!f->has_flags && !(flags & TRUN_FLAGS))) {
        return bad(err, "samples without duration, size or flags");
    }
    size_t entry = 0;
    for (uint32_t field = TRUN_DURATION; field <= TRUN_CTS; field <<= 1) {
        entry += flags & field ? 4 : 0;
    }
    if (f->samples == 0 || (uint64_t)f->samples * entry != gm_box_left(&box->body) ||
        (entry == 0 && f->samples > 100000)) {
        return bad(err, "trun's sample count");
    }
    f->trun_flags = flags;
    f->entries = box->body;
    return 0;
}

static int read_moof(struct gm_box *moof, struct fragment *f, struct gm_err *err)
{
    struct gm_box mfhd;
    struct gm_box traf;
    struct gm_box tfhd;
    struct gm_box tfdt;
    struct gm_box trun;
    uint32_t flags = 0;
    int rc = gm_box_expect(&moof->body, GM_FOURCC('m', 'f', 'h', 'd'), &mfhd, err);
    if (rc < 0 || (rc = read_full(&mfhd, 0, &flags, err)) < 0) {
        return rc;
    }
    if (flags != 0 || !gm_box_u32(&mfhd.body, &f->sequence) || gm_box_left(&mfhd.body) != 0) {
        return bad(err, "mfhd");
    }
    if ((rc = gm_box_expect(&moof->body, GM_FOURCC('t', 'r', 'a', 'f'), &traf, err)) < 0 ||
        (rc = gm_box_expect(&traf.body, GM_FOURCC('t', 'f', 'h', 'd'), &tfhd, err)) < 0 ||
        (rc = gm_box_expect(&traf.body, GM_FOURCC('t', 'f', 'd', 't'), &tfdt, err)) < 0 ||
        (rc = gm_box_expect(&traf.body, GM_FOURCC('t', 'r', 'u', 'n'), &trun, err)) < 0 ||
        (rc = read_tfhd(&tfhd, f, err)) < 0 || (rc = read_tfdt(&tfdt, f, err)) < 0 ||
        (rc = read_trun(&trun, f, err)) < 0) {
        return rc;
    }
    if (gm_box_left(&traf.body) != 0 || gm_box_left(&moof->body) != 0) {
        return bad(err, "boxes left over in moof");
    }
    return 0;
}

/* One row of trun. Its bytes were counted by read_trun. */
static void take_entry(struct fragment *f, uint32_t *out_flags, int32_t *out_cts,
                       struct gm_fmp4_read_sample *s)
{
    uint32_t cts = 0;
    s->duration = f->default_duration;
    s->size = f->default_size;
    *out_flags = f->default_flags;
    if (f->trun_flags & TRUN_DURATION) {
        (void)gm_box_u32(&f->entries, &s->duration);
    }
    if (f->trun_flags & TRUN_SIZE) {
        (void)gm_box_u32(&f->entries, &s->size);
    }
    if (f->trun_flags & TRUN_FLAGS) {
        (void)gm_box_u32(&f->entries, out_flags);
    }
    if (f->trun_flags & TRUN_CTS) {
        (void)gm_box_u32(&f->entries, &cts);
    }
    *out_cts = (int32_t)cts;
}

static int give_samples(struct fragment *f, uint32_t index, uint64_t offset, uint64_t end,
                        int (*fn)(const struct gm_fmp4_read_sample *sample, void *arg), void *arg,
                        struct gm_err *err)
{
    int64_t dts = f->base_ts;
    int64_t delay = 0;
    for (uint32_t i = 0; i < f->samples; i++) {
        struct gm_fmp4_read_sample s = {.fragment = index, .offset = offset, .dts = dts};
        uint32_t flags = 0;
        int32_t cts = 0;
        take_entry(f, &flags, &cts, &s);
        if (i == 0) {
            delay = cts;
            flags = f->trun_flags & TRUN_FIRST_FLAGS ? f->first_flags : flags;
        }
        s.pts = dts + cts - delay;
        s.delay_ts = (uint32_t)delay;
        s.sync = (flags & SAMPLE_NON_SYNC) == 0;
        if (s.size > end - offset || s.duration == 0 || s.pts < 0 || delay < 0 ||
            dts > INT64_MAX / 2) {
            return bad(err, "a sample's size or time");
        }
        offset += s.size;
        dts += s.duration;
        int rc = fn(&s, arg);
        if (rc != 0) {
            return rc;
        }
    }
    return offset == end ? 0 : bad(err, "bytes that belong to no sample");
}

int gm_fmp4_read_segment(const uint8_t *data, size_t size,
                         int (*fn)(const struct gm_fmp4_read_sample *sample, void *arg), void *arg,
                         struct gm_err *err)
{
    struct gm_box_view v = {data, data + size};
    struct gm_box styp;
    uint32_t index = 0;
    uint32_t sequence = 0;
    int rc = gm_box_expect(&v, GM_FOURCC('s', 't', 'y', 'p'), &styp, err);
    if (rc < 0) {
        return rc;
    }
    while (gm_box_left(&v) > 0) {
        struct fragment f;
        struct gm_box moof;
        struct gm_box mdat;
        memset(&f, 0, sizeof(f));
        if ((rc = gm_box_expect(&v, GM_FOURCC('m', 'o', 'o', 'f'), &moof, err)) < 0 ||
            (rc = gm_box_expect(&v, GM_FOURCC('m', 'd', 'a', 't'), &mdat, err)) < 0 ||
            (rc = read_moof(&moof, &f, err)) < 0) {
            return rc;
        }
        if (mdat.body.at - moof.start != (int64_t)f.data_offset) {
            return bad(err, "trun's data offset is not the start of mdat");
        }
        if (index > 0 && f.sequence <= sequence) {
            return bad(err, "fragment numbers do not rise");
        }
        sequence = f.sequence;
        rc = give_samples(&f, index++, (uint64_t)(mdat.body.at - data),
                          (uint64_t)(mdat.body.end - data), fn, arg, err);
        if (rc != 0) {
            return rc;
        }
    }
    return index > 0 ? 0 : bad(err, "no fragment");
}
