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
#include "fake_va_bits.h"

enum {
    SLICE_P = 0,
    SLICE_B = 1,
    SLICE_I = 2,
    NAL_SLICE = 1,
    NAL_IDR = 5,
    NAL_SPS = 7,
    NAL_PPS = 8
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

/* The NAL unit of one of two types; *out: its payload behind the NAL header, owned. */
static uint8_t *take_nal(const uint8_t *data, size_t size, unsigned type, unsigned or_type,
                         unsigned *out_head, size_t *out_size)
{
    const uint8_t *at = data, *nal = NULL;
    size_t length = 0;
    while (fake_next_nal(&at, data + size, &nal, &length)) {
        unsigned found = nal[0] & 31u;
        if (found == type || found == or_type) {
            *out_head = nal[0];
            return fake_unescape(nal + 1, length - 1, out_size);
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
    struct fake_bits b = {.data = payload, .size = payload == NULL ? 0 : length};
    memset(out, 0, sizeof(*out));
    unsigned profile = fake_get(&b, 8);
    (void)fake_get(&b, 16);
    (void)fake_get_ue(&b);
    if (profile >= 100) {
        b.bad = b.bad || fake_get_ue(&b) != 1 || fake_get_ue(&b) != 0 || fake_get_ue(&b) != 0 ||
                fake_get(&b, 2) != 0;
    }
    out->frame_num_bits = fake_get_ue(&b) + 4;
    out->poc_type = fake_get_ue(&b);
    out->poc_bits = out->poc_type == 0 ? fake_get_ue(&b) + 4 : 0;
    bool good = !b.bad && out->poc_type != 1;
    free(payload);
    payload = take_nal(data, size, NAL_PPS, NAL_PPS, &head, &length);
    b = (struct fake_bits){.data = payload, .size = payload == NULL ? 0 : length};
    (void)fake_get_ue(&b);
    (void)fake_get_ue(&b);
    out->cabac = fake_get(&b, 1) != 0;
    out->bottom_order = fake_get(&b, 1) != 0;
    good = good && fake_get_ue(&b) == 0;
    out->references[0] = fake_get_ue(&b) + 1;
    out->references[1] = fake_get_ue(&b) + 1;
    out->weighted = fake_get(&b, 1) != 0;
    out->weighted_bipred = fake_get(&b, 2);
    out->init_qp = 26 + fake_get_se(&b);
    (void)fake_get_se(&b);
    (void)fake_get_se(&b);
    out->deblocking = fake_get(&b, 1) != 0;
    good = good && !b.bad;
    free(payload);
    return good;
}

/* Modification of a list: as it stands, up to its end. */
static void skip_list(struct fake_bits *b)
{
    if (fake_get(b, 1) != 0) {
        unsigned what = 0;
        do {
            what = fake_get_ue(b);
            if (what < 3) {
                (void)fake_get_ue(b);
            }
        } while (what != 3 && !b->bad);
    }
}

static void skip_marking(struct fake_bits *b, bool idr)
{
    if (idr) {
        (void)fake_get(b, 2);
    } else if (fake_get(b, 1) != 0) {
        unsigned what = 0;
        do {
            what = fake_get_ue(b);
            unsigned numbers = what == 0 || what == 5 ? 0 : what == 3 ? 2 : 1;
            for (unsigned i = 0; i < numbers; i++) {
                (void)fake_get_ue(b);
            }
        } while (what != 0 && !b->bad);
    }
}

/* Up to the slice data; false: fields, weights, several slices, or nonsense. */
static bool read_header(struct fake_bits *b, const struct fake_va_syntax *s, unsigned head,
                        struct header *h)
{
    memset(h, 0, sizeof(*h));
    h->nal_ref_idc = head >> 5 & 3u;
    h->nal_type = head & 31u;
    bool first = fake_get_ue(b) == 0;
    h->type = fake_get_ue(b) % 5;
    h->pps = fake_get_ue(b);
    h->frame_num = fake_get(b, s->frame_num_bits);
    h->idr = h->nal_type == NAL_IDR ? fake_get_ue(b) : 0;
    h->poc = s->poc_type == 0 ? fake_get(b, s->poc_bits) : 0;
    if (s->poc_type == 0 && s->bottom_order) {
        b->bad = b->bad || fake_get_se(b) != 0;
    }
    if (h->type == SLICE_B) {
        (void)fake_get(b, 1); /* direct_spatial_mv_pred_flag */
    }
    h->active = s->references[0];
    if (h->type != SLICE_I && fake_get(b, 1) != 0) {
        h->active = fake_get_ue(b) + 1;
        if (h->type == SLICE_B) {
            (void)fake_get_ue(b);
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
    h->cabac_init = s->cabac && h->type != SLICE_I ? fake_get_ue(b) : 0;
    h->qp_delta = fake_get_se(b);
    if (s->deblocking) {
        h->deblocking_off = fake_get_ue(b);
        if (h->deblocking_off != 1) {
            h->alpha = fake_get_se(b);
            h->beta = fake_get_se(b);
        }
    }
    return first && !weights && !b->bad && h->type <= SLICE_I;
}

/* The new header. a: the application's; c: the coder's, whose kind of slice it is. */
static void write_header(struct fake_writer *w, const struct fake_va_syntax *s,
                         const struct header *a, const struct fake_bits *from,
                         const struct header *c, int qp)
{
    fake_put_ue(w, 0);
    fake_put_ue(w, c->type);
    fake_put_ue(w, a->pps);
    fake_put(w, a->frame_num, s->frame_num_bits);
    if (a->nal_type == NAL_IDR) {
        fake_put_ue(w, a->idr);
    }
    if (s->poc_type == 0) {
        fake_put(w, a->poc, s->poc_bits);
        if (s->bottom_order) {
            fake_put_se(w, 0);
        }
    }
    if (c->type == SLICE_P) {
        fake_put(w, 1, 1);
        fake_put_ue(w, 0); /* one reference */
        fake_put_bits(w, from, a->list_at, a->list_bits);
    }
    fake_put_bits(w, from, a->marking_at, a->marking_bits);
    if (s->cabac && c->type != SLICE_I) {
        fake_put_ue(w, c->cabac_init);
    }
    fake_put_se(w, qp - s->init_qp);
    if (s->deblocking) {
        fake_put_ue(w, c->deblocking_off);
        if (c->deblocking_off != 1) {
            fake_put_se(w, c->alpha);
            fake_put_se(w, c->beta);
        }
    }
}

static void write_data(struct fake_writer *w, struct fake_bits *b, bool cabac)
{
    if (cabac) { /* cabac_alignment_one_bit, then whole bytes */
        while (w->at % 8 != 0) {
            fake_put(w, 1, 1);
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
    fake_put_bits(w, b, b->at, end - b->at);
    while (w->at % 8 != 0) {
        fake_put(w, 0, 1);
    }
}

/* From both payloads to the new one. */
static bool join(const struct fake_va_syntax *own, const struct fake_va_syntax *syntax,
                 unsigned app_head, struct fake_bits *app, unsigned coder_head,
                 struct fake_bits *coder, uint8_t *out, size_t room, size_t *io_size)
{
    struct header a, c;
    if (!read_header(app, syntax, app_head, &a) || !read_header(coder, own, coder_head, &c) ||
        own->cabac != syntax->cabac || (c.type == SLICE_P && (c.active != 1 || a.active != 1)) ||
        (c.type == SLICE_P && a.type != SLICE_P) || (c.type == SLICE_B)) {
        return false;
    }
    size_t size = coder->size + app->size + 64;
    struct fake_writer w = {.data = malloc(size), .room = size};
    if (w.data == NULL) {
        return false;
    }
    const uint8_t head = (uint8_t)app_head;
    write_header(&w, syntax, &a, app, &c, own->init_qp + c.qp_delta);
    write_data(&w, coder, own->cabac);
    bool good = !w.bad && fake_put_nal(&head, 1, w.data, w.at / 8, out, room, io_size);
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
    struct fake_bits a = {.data = app, .size = app_size}, c = {.data = coder, .size = coder_size};
    bool good = app != NULL && coder != NULL &&
                join(&own, syntax, app_head, &a, coder_head, &c, out, room, io_size);
    free(app);
    free(coder);
    return good;
}
