/* fake_drv_video.so: slice data of libx264 behind the slice headers of an application.
 *
 * Both are parsed. The new header is the application's (number, order, marking of references), but
 * for what the slice data hangs on: quantiser, CABAC's table and deblocking are x264's; a picture
 * that x264 coded as intra says so, whatever the application called it. CABAC's data begin at a
 * whole byte and are copied; CAVLC's are shifted.
 *
 * See: ISO/IEC 14496-10 7.3.2.1, 7.3.2.2, 7.3.3. */
#include <stdlib.h>
#include <string.h>

#include "fake_va.h"

enum {
    SLICE_P = 0,
    SLICE_B = 1,
    SLICE_I = 2,
    NAL_SLICE = 1,
    NAL_IDR = 5,
    NAL_SPS = 7,
    NAL_PPS = 8
};

struct bits { /* a payload without emulation prevention; reading beyond it sets bad */
    const uint8_t *data;
    size_t size, at; /* bytes; bits */
    bool bad;
};

struct writer {
    uint8_t *data;
    size_t room, at; /* bytes; bits */
    bool bad;
};

struct header {                           /* what either says in a slice header */
    unsigned nal_ref_idc, nal_type, type; /* type modulo 5 */
    unsigned pps, frame_num, idr, poc;
    unsigned active;           /* references of list 0 */
    size_t list_at, list_bits; /* the modification of list 0, P alone */
    size_t marking_at, marking_bits;
    unsigned cabac_init;
    int qp_delta;
    unsigned deblocking_off;
    int alpha, beta;
};

static unsigned get(struct bits *b, unsigned count)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++, b->at++) {
        if (b->at >= b->size * 8) {
            b->bad = true;
            return 0;
        }
        value = value << 1 | (b->data[b->at / 8] >> (7 - b->at % 8) & 1u);
    }
    return value;
}

static unsigned get_ue(struct bits *b)
{
    unsigned zeros = 0;
    while (zeros < 32 && !b->bad && get(b, 1) == 0) {
        zeros++;
    }
    if (zeros > 31 || b->bad) {
        b->bad = true;
        return 0;
    }
    return (1u << zeros) - 1 + get(b, zeros);
}

static int get_se(struct bits *b)
{
    unsigned k = get_ue(b);
    return k % 2 != 0 ? (int)(k / 2 + 1) : -(int)(k / 2);
}

static void put(struct writer *w, unsigned value, unsigned count)
{
    for (unsigned i = count; i > 0; i--, w->at++) {
        if (w->at >= w->room * 8) {
            w->bad = true;
            return;
        }
        uint8_t *byte = &w->data[w->at / 8];
        *byte = (uint8_t)(w->at % 8 == 0 ? 0 : *byte);
        *byte |= (uint8_t)((value >> (i - 1) & 1u) << (7 - w->at % 8));
    }
}

static void put_ue(struct writer *w, unsigned value)
{
    unsigned length = 0;
    while ((value + 1) >> (length + 1) != 0) {
        length++;
    }
    put(w, 0, length);
    put(w, value + 1, length + 1);
}

static void put_se(struct writer *w, int value)
{
    put_ue(w, value > 0 ? (unsigned)value * 2 - 1 : (unsigned)-value * 2);
}

static void copy_bits(struct writer *w, const struct bits *from, size_t at, size_t count)
{
    struct bits b = *from;
    b.at = at;
    for (size_t i = 0; i < count; i++) {
        put(w, get(&b, 1), 1);
    }
}

/* Next NAL unit behind a start code: its bytes; false at the end. */
static bool next_nal(const uint8_t **io, const uint8_t *end, const uint8_t **out, size_t *size)
{
    const uint8_t *p = *io;
    while (p + 3 <= end && !(p[0] == 0 && p[1] == 0 && p[2] == 1)) {
        p++;
    }
    if (p + 4 > end) {
        return false;
    }
    const uint8_t *q = p + 3;
    while (q + 3 <= end && !(q[0] == 0 && q[1] == 0 && q[2] <= 1)) {
        q++;
    }
    q = q + 3 <= end ? q : end;
    *out = p + 3;
    *size = (size_t)(q - p - 3);
    *io = q;
    return *size > 0;
}

/* A copy without emulation prevention; owned. */
static uint8_t *unescape(const uint8_t *data, size_t size, size_t *out_size)
{
    uint8_t *out = malloc(size + 1);
    size_t n = 0, zeros = 0;
    for (size_t i = 0; out != NULL && i < size; i++) {
        if (zeros >= 2 && data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = data[i] == 0 ? zeros + 1 : 0;
        out[n++] = data[i];
    }
    *out_size = n;
    return out;
}

/* The NAL unit of one of two types; *out: its payload behind the NAL header, owned. */
static uint8_t *take_nal(const uint8_t *data, size_t size, unsigned type, unsigned or_type,
                         unsigned *out_head, size_t *out_size)
{
    const uint8_t *at = data, *nal = NULL;
    size_t length = 0;
    while (next_nal(&at, data + size, &nal, &length)) {
        unsigned found = nal[0] & 31u;
        if (found == type || found == or_type) {
            *out_head = nal[0];
            return unescape(nal + 1, length - 1, out_size);
        }
    }
    return NULL;
}

/* x264's own parameter sets. */
static bool read_sets(const uint8_t *data, size_t size, struct fake_va_syntax *out)
{
    unsigned head = 0;
    size_t length = 0;
    uint8_t *payload = take_nal(data, size, NAL_SPS, NAL_SPS, &head, &length);
    struct bits b = {.data = payload, .size = payload == NULL ? 0 : length};
    memset(out, 0, sizeof(*out));
    unsigned profile = get(&b, 8);
    (void)get(&b, 16);
    (void)get_ue(&b);
    if (profile >= 100) {
        b.bad = b.bad || get_ue(&b) != 1 || get_ue(&b) != 0 || get_ue(&b) != 0 || get(&b, 2) != 0;
    }
    out->frame_num_bits = get_ue(&b) + 4;
    out->poc_type = get_ue(&b);
    out->poc_bits = out->poc_type == 0 ? get_ue(&b) + 4 : 0;
    bool good = !b.bad && out->poc_type != 1;
    free(payload);
    payload = take_nal(data, size, NAL_PPS, NAL_PPS, &head, &length);
    b = (struct bits){.data = payload, .size = payload == NULL ? 0 : length};
    (void)get_ue(&b);
    (void)get_ue(&b);
    out->cabac = get(&b, 1) != 0;
    out->bottom_order = get(&b, 1) != 0;
    good = good && get_ue(&b) == 0;
    out->references[0] = get_ue(&b) + 1;
    out->references[1] = get_ue(&b) + 1;
    out->weighted = get(&b, 1) != 0;
    out->weighted_bipred = get(&b, 2);
    out->init_qp = 26 + get_se(&b);
    (void)get_se(&b);
    (void)get_se(&b);
    out->deblocking = get(&b, 1) != 0;
    good = good && !b.bad;
    free(payload);
    return good;
}

/* Modification of a list: as it stands, up to its end. */
static void skip_list(struct bits *b)
{
    if (get(b, 1) != 0) {
        unsigned what = 0;
        do {
            what = get_ue(b);
            if (what < 3) {
                (void)get_ue(b);
            }
        } while (what != 3 && !b->bad);
    }
}

static void skip_marking(struct bits *b, bool idr)
{
    if (idr) {
        (void)get(b, 2);
    } else if (get(b, 1) != 0) {
        unsigned what = 0;
        do {
            what = get_ue(b);
            unsigned numbers = what == 0 || what == 5 ? 0 : what == 3 ? 2 : 1;
            for (unsigned i = 0; i < numbers; i++) {
                (void)get_ue(b);
            }
        } while (what != 0 && !b->bad);
    }
}

/* Up to the slice data; false: fields, weights, several slices, or nonsense. */
static bool read_header(struct bits *b, const struct fake_va_syntax *s, unsigned head,
                        struct header *h)
{
    memset(h, 0, sizeof(*h));
    h->nal_ref_idc = head >> 5 & 3u;
    h->nal_type = head & 31u;
    bool first = get_ue(b) == 0;
    h->type = get_ue(b) % 5;
    h->pps = get_ue(b);
    h->frame_num = get(b, s->frame_num_bits);
    h->idr = h->nal_type == NAL_IDR ? get_ue(b) : 0;
    h->poc = s->poc_type == 0 ? get(b, s->poc_bits) : 0;
    if (s->poc_type == 0 && s->bottom_order) {
        b->bad = b->bad || get_se(b) != 0;
    }
    if (h->type == SLICE_B) {
        (void)get(b, 1); /* direct_spatial_mv_pred_flag */
    }
    h->active = s->references[0];
    if (h->type != SLICE_I && get(b, 1) != 0) {
        h->active = get_ue(b) + 1;
        if (h->type == SLICE_B) {
            (void)get_ue(b);
        }
    }
    h->list_at = b->at;
    for (unsigned list = 0; h->type != SLICE_I && list < (h->type == SLICE_B ? 2u : 1u); list++) {
        skip_list(b);
    }
    h->list_bits = b->at - h->list_at;
    bool weights =
        (h->type == SLICE_P && s->weighted) || (h->type == SLICE_B && s->weighted_bipred == 1);
    h->marking_at = b->at;
    if (h->nal_ref_idc != 0) {
        skip_marking(b, h->nal_type == NAL_IDR);
    }
    h->marking_bits = b->at - h->marking_at;
    h->cabac_init = s->cabac && h->type != SLICE_I ? get_ue(b) : 0;
    h->qp_delta = get_se(b);
    if (s->deblocking) {
        h->deblocking_off = get_ue(b);
        if (h->deblocking_off != 1) {
            h->alpha = get_se(b);
            h->beta = get_se(b);
        }
    }
    return first && !weights && !b->bad && h->type <= SLICE_I;
}

/* The new header. a: the application's; c: the coder's, whose kind of slice it is. */
static void write_header(struct writer *w, const struct fake_va_syntax *s, const struct header *a,
                         const struct bits *from, const struct header *c, int qp)
{
    put_ue(w, 0);
    put_ue(w, c->type);
    put_ue(w, a->pps);
    put(w, a->frame_num, s->frame_num_bits);
    if (a->nal_type == NAL_IDR) {
        put_ue(w, a->idr);
    }
    if (s->poc_type == 0) {
        put(w, a->poc, s->poc_bits);
        if (s->bottom_order) {
            put_se(w, 0);
        }
    }
    if (c->type == SLICE_P) {
        put(w, 1, 1);
        put_ue(w, 0); /* one reference */
        copy_bits(w, from, a->list_at, a->list_bits);
    }
    copy_bits(w, from, a->marking_at, a->marking_bits);
    if (s->cabac && c->type != SLICE_I) {
        put_ue(w, c->cabac_init);
    }
    put_se(w, qp - s->init_qp);
    if (s->deblocking) {
        put_ue(w, c->deblocking_off);
        if (c->deblocking_off != 1) {
            put_se(w, c->alpha);
            put_se(w, c->beta);
        }
    }
}

static void write_data(struct writer *w, struct bits *b, bool cabac)
{
    if (cabac) { /* cabac_alignment_one_bit, then whole bytes */
        while (w->at % 8 != 0) {
            put(w, 1, 1);
        }
        size_t at = (b->at + 7) / 8;
        size_t count = b->size - at;
        w->bad = w->bad || w->at / 8 + count > w->room;
        if (!w->bad) {
            memcpy(w->data + w->at / 8, b->data + at, count);
            w->at += count * 8;
        }
        return;
    }
    size_t end = b->size * 8; /* up to the stop bit */
    while (end > b->at && (b->data[(end - 1) / 8] >> (7 - (end - 1) % 8) & 1u) == 0) {
        end--;
    }
    copy_bits(w, b, b->at, end - b->at);
    while (w->at % 8 != 0) {
        put(w, 0, 1);
    }
}

static bool put_escaped(unsigned head, const uint8_t *data, size_t size, uint8_t *out, size_t room,
                        size_t *io_size)
{
    size_t n = *io_size, zeros = 0;
    if (n + 5 > room) {
        return false;
    }
    const uint8_t start[] = {0, 0, 0, 1, (uint8_t)head};
    memcpy(out + n, start, sizeof(start));
    n += sizeof(start);
    for (size_t i = 0; i < size; i++) {
        if (n + 2 > room) {
            return false;
        }
        if (zeros == 2 && data[i] <= 3) {
            out[n++] = 3;
            zeros = 0;
        }
        zeros = data[i] == 0 ? zeros + 1 : 0;
        out[n++] = data[i];
    }
    *io_size = n;
    return true;
}

/* From both payloads to the new one. */
static bool join(const struct fake_va_syntax *own, const struct fake_va_syntax *syntax,
                 unsigned app_head, struct bits *app, unsigned coder_head, struct bits *coder,
                 uint8_t *out, size_t room, size_t *io_size)
{
    struct header a, c;
    if (!read_header(app, syntax, app_head, &a) || !read_header(coder, own, coder_head, &c) ||
        own->cabac != syntax->cabac || (c.type == SLICE_P && (c.active != 1 || a.active != 1)) ||
        (c.type == SLICE_P && a.type != SLICE_P) || (c.type == SLICE_B)) {
        return false;
    }
    size_t size = coder->size + app->size + 64;
    struct writer w = {.data = malloc(size), .room = size};
    if (w.data == NULL) {
        return false;
    }
    write_header(&w, syntax, &a, app, &c, own->init_qp + c.qp_delta);
    write_data(&w, coder, own->cabac);
    bool good = !w.bad && put_escaped(app_head, w.data, w.at / 8, out, room, io_size);
    free(w.data);
    return good;
}

bool fake_va_join(const struct fake_va_syntax *syntax, const struct fake_va_header *header,
                  const AVPacket *packet, const uint8_t *extradata, size_t extradata_size,
                  uint8_t *out, size_t room, size_t *io_size)
{
    struct fake_va_syntax own;
    unsigned app_head = 0, coder_head = 0;
    size_t app_size = 0, coder_size = 0;
    if (!read_sets(extradata, extradata_size, &own)) {
        return false;
    }
    uint8_t *app =
        take_nal(header->data, (header->bits + 7) / 8, NAL_SLICE, NAL_IDR, &app_head, &app_size);
    uint8_t *coder =
        take_nal(packet->data, (size_t)packet->size, NAL_SLICE, NAL_IDR, &coder_head, &coder_size);
    struct bits a = {.data = app, .size = app_size}, c = {.data = coder, .size = coder_size};
    bool good = app != NULL && coder != NULL &&
                join(&own, syntax, app_head, &a, coder_head, &c, out, room, io_size);
    free(app);
    free(coder);
    return good;
}
