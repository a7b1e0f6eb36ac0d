/* fake_drv_video.so: slice data of libx265 behind the slice headers of an application.
 *
 * Both are parsed. The new header is the application's (number, order, pictures that are kept), but
 * for what the slice data hangs on: the kind of slice, the number of candidates and the quantiser
 * are x265's. Slice data begin at a whole byte and are copied. */
#include <stdlib.h>
#include <string.h>

#include "fake_va_bits.h"
#include "fake_va_hevc.h"

enum {
    SLICE_B = 0,
    SLICE_P = 1,
    SLICE_I = 2,
    NAL_IRAP = 16,
    NAL_IDR_W_RADL = 19,
    NAL_IDR_N_LP = 20,
    NAL_IRAP_END = 24,
    NAL_VCL_END = 32,
    NAL_SPS = 33,
    NAL_PPS = 34,
    HEAD = 2, /* bytes of a NAL unit's header */
};

struct header { /* what either says in a slice header */
    unsigned type, pps, slice;
    size_t order_at, order_bits; /* picture order count, reference picture set */
    unsigned candidates;         /* five_minus_max_num_merge_cand */
    int qp_delta;
};

/* The first NAL unit of a type from..until-1: its payload, owned; out_head: its header. */
static uint8_t *take_nal(const uint8_t *data, size_t size, unsigned from, unsigned until,
                         uint8_t out_head[HEAD], size_t *out_size)
{
    const uint8_t *at = data, *nal = NULL;
    size_t length = 0;
    while (fake_next_nal(&at, data + size, &nal, &length)) {
        unsigned found = nal[0] >> 1 & 63u;
        if (length > HEAD && found >= from && found < until) {
            memcpy(out_head, nal, HEAD);
            return fake_unescape(nal + HEAD, length - HEAD, out_size);
        }
    }
    return NULL;
}

static bool read_sps(struct fake_bits *b, struct fake_va_hevc_sets *out)
{
    struct fake_va_hevc_shape *s = &out->shape;
    unsigned other = fake_get(b, 7) & 7u; /* video_parameter_set_id; more sub-layers */
    (void)fake_get(b, 1);                 /* temporal_id_nesting */
    for (int i = 0; i < 12; i++) {
        (void)fake_get(b, 8); /* profile, tier, level */
    }
    (void)fake_get_ue(b);
    other |= fake_get_ue(b) != 1; /* chroma_format_idc */
    s->width = fake_get_ue(b);
    s->height = fake_get_ue(b);
    for (int i = fake_get(b, 1) != 0 ? 4 : 0; i > 0; i--) {
        (void)fake_get_ue(b); /* conformance window */
    }
    s->luma_bits = fake_get_ue(b) + 8;
    s->chroma_bits = fake_get_ue(b) + 8;
    out->poc_bits = fake_get_ue(b) + 4;
    (void)fake_get(b, 1);
    for (int i = 0; i < 3; i++) {
        (void)fake_get_ue(b); /* pictures kept, reordered, latency */
    }
    s->min_cb = fake_get_ue(b);
    s->diff_cb = fake_get_ue(b);
    s->min_tb = fake_get_ue(b);
    s->diff_tb = fake_get_ue(b);
    s->depth_inter = fake_get_ue(b);
    s->depth_intra = fake_get_ue(b);
    other |= fake_get(b, 1); /* scaling lists */
    s->amp = fake_get(b, 1);
    other |= fake_get(b, 2); /* SAO, PCM */
    other |= fake_get_ue(b); /* sets of reference pictures */
    other |= fake_get(b, 1); /* long-term ones */
    other |= fake_get(b, 1); /* temporal motion vectors */
    s->strong_smoothing = fake_get(b, 1);
    return other == 0 && !b->bad;
}

static bool read_pps(struct fake_bits *b, struct fake_va_hevc_sets *out)
{
    struct fake_va_hevc_shape *s = &out->shape;
    unsigned other = 0;
    (void)fake_get_ue(b);
    (void)fake_get_ue(b);
    other |= fake_get(b, 5); /* dependent slices, output flag, extra bits of slice headers */
    s->sign_hiding = fake_get(b, 1);
    other |= fake_get(b, 1); /* choice of CABAC's tables */
    out->references = fake_get_ue(b) + 1;
    (void)fake_get_ue(b); /* of list 1 */
    out->init_qp = 26 + fake_get_se(b);
    s->constrained_intra = fake_get(b, 1);
    s->transform_skip = fake_get(b, 1);
    s->cu_qp_delta = fake_get(b, 1);
    s->cu_qp_depth = s->cu_qp_delta != 0 ? fake_get_ue(b) : 0;
    s->cb = fake_get_se(b);
    s->cr = fake_get_se(b);
    other |= fake_get(b, 3); /* chroma offsets of slices, weights */
    s->bypass = fake_get(b, 1);
    other |= fake_get(b, 2); /* tiles, wavefronts */
    out->loop_across = fake_get(b, 1);
    other |= fake_get(b, 3); /* deblocking, scaling lists, order of lists */
    s->merge_level = fake_get_ue(b);
    other |= fake_get(b, 1); /* more in slice headers */
    return other == 0 && !b->bad;
}

bool fake_va_hevc_read_sets(const uint8_t *data, size_t size, struct fake_va_hevc_sets *out)
{
    uint8_t head[HEAD];
    size_t sps_size = 0, pps_size = 0;
    memset(out, 0, sizeof(*out));
    uint8_t *sps = take_nal(data, size, NAL_SPS, NAL_SPS + 1, head, &sps_size);
    uint8_t *pps = take_nal(data, size, NAL_PPS, NAL_PPS + 1, head, &pps_size);
    struct fake_bits s = {.data = sps, .size = sps_size}, p = {.data = pps, .size = pps_size};
    bool good = sps != NULL && pps != NULL && read_sps(&s, out) && read_pps(&p, out);
    free(sps);
    free(pps);
    return good;
}

/* st_ref_pic_set() where the SPS has none. */
static void skip_references(struct fake_bits *b)
{
    unsigned negative = fake_get_ue(b), positive = fake_get_ue(b);
    b->bad = b->bad || negative > 16 || positive > 16;
    for (unsigned i = 0; !b->bad && i < negative + positive; i++) {
        (void)fake_get_ue(b);
        (void)fake_get(b, 1);
    }
}

/* Up to the alignment before slice data; false: not the first slice, several references, or
 * nonsense. */
static bool read_header(struct fake_bits *b, const struct fake_va_hevc_sets *s, unsigned type,
                        struct header *h)
{
    memset(h, 0, sizeof(*h));
    h->type = type;
    bool good = fake_get(b, 1) != 0;
    if (type >= NAL_IRAP && type < NAL_IRAP_END) {
        (void)fake_get(b, 1); /* no_output_of_prior_pics_flag */
    }
    h->pps = fake_get_ue(b);
    h->slice = fake_get_ue(b);
    h->order_at = b->at;
    if (type != NAL_IDR_W_RADL && type != NAL_IDR_N_LP) {
        (void)fake_get(b, s->poc_bits);
        good = fake_get(b, 1) == 0 && good; /* the set is here */
        skip_references(b);
    }
    h->order_bits = b->at - h->order_at;
    if (h->slice != SLICE_I) {
        unsigned active = s->references;
        if (fake_get(b, 1) != 0) {
            active = fake_get_ue(b) + 1;
            if (h->slice == SLICE_B) {
                (void)fake_get_ue(b);
            }
        }
        if (h->slice == SLICE_B) {
            (void)fake_get(b, 1); /* mvd_l1_zero_flag */
        }
        good = good && active == 1;
        h->candidates = fake_get_ue(b);
    }
    h->qp_delta = fake_get_se(b);
    if (s->loop_across != 0) {
        (void)fake_get(b, 1);
    }
    return good && !b->bad && h->slice <= SLICE_I;
}

/* The new header. a: the application's; c: the coder's, whose kind of slice it is. */
static void write_header(struct fake_writer *w, const struct fake_va_hevc_sets *s,
                         const struct header *a, const struct fake_bits *from,
                         const struct header *c, int qp)
{
    fake_put(w, 1, 1);
    if (a->type >= NAL_IRAP && a->type < NAL_IRAP_END) {
        fake_put(w, 0, 1);
    }
    fake_put_ue(w, a->pps);
    fake_put_ue(w, c->slice);
    fake_put_bits(w, from, a->order_at, a->order_bits);
    if (c->slice == SLICE_P) {
        fake_put(w, s->references != 1 ? 1 : 0, 1);
        if (s->references != 1) {
            fake_put_ue(w, 0);
        }
        fake_put_ue(w, c->candidates);
    }
    fake_put_se(w, qp - s->init_qp);
    if (s->loop_across != 0) {
        fake_put(w, 1, 1);
    }
    fake_put(w, 1, 1);
    while (w->at % 8 != 0) {
        fake_put(w, 0, 1);
    }
}

/* From both payloads to the new one. */
static bool join(const struct fake_va_hevc_sets *sets, const uint8_t app_head[HEAD],
                 struct fake_bits *app, const struct fake_va_hevc_sets *own,
                 const uint8_t coder_head[HEAD], struct fake_bits *coder, uint8_t *out, size_t room,
                 size_t *io_size)
{
    struct header a, c;
    if (memcmp(&sets->shape, &own->shape, sizeof(own->shape)) != 0 ||
        !read_header(app, sets, app_head[0] >> 1 & 63u, &a) ||
        !read_header(coder, own, coder_head[0] >> 1 & 63u, &c) || c.slice == SLICE_B ||
        (c.slice == SLICE_P && a.slice == SLICE_I)) {
        return false;
    }
    coder->at = (coder->at / 8 + 1) * 8; /* a one, and zeros: the application's has neither */
    if (coder->at > coder->size * 8) {
        return false;
    }
    size_t size = coder->size + app->size + 64;
    struct fake_writer w = {.data = malloc(size), .room = size};
    if (w.data == NULL) {
        return false;
    }
    write_header(&w, sets, &a, app, &c, own->init_qp + c.qp_delta);
    size_t count = coder->size - coder->at / 8;
    bool good = !w.bad && count <= w.room - w.at / 8;
    if (good) {
        memcpy(w.data + w.at / 8, coder->data + coder->at / 8, count);
        good = fake_put_nal(app_head, HEAD, w.data, w.at / 8 + count, out, room, io_size);
    }
    free(w.data);
    return good;
}

bool fake_va_hevc_join(const struct fake_va_hevc_sets *sets, const struct fake_va_header *header,
                       const struct fake_va_hevc_sets *own, const uint8_t *coded, size_t coded_size,
                       uint8_t *out, size_t room, size_t *io_size)
{
    uint8_t app_head[HEAD], coder_head[HEAD];
    size_t app_size = 0, coder_size = 0;
    uint8_t *app =
        take_nal(header->data, (header->bits + 7) / 8, 0, NAL_VCL_END, app_head, &app_size);
    uint8_t *coder = take_nal(coded, coded_size, 0, NAL_VCL_END, coder_head, &coder_size);
    struct fake_bits a = {.data = app, .size = app_size}, c = {.data = coder, .size = coder_size};
    bool good = app != NULL && coder != NULL &&
                join(sets, app_head, &a, own, coder_head, &c, out, room, io_size);
    free(app);
    free(coder);
    return good;
}
