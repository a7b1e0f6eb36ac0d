#include "media/paff_io.h"

#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "media/av.h"

#define MBS (PAFF_SIDE / 16)
#define BOX 20
#define CELL 6     /* columns and rows of one bit of the field's number */
#define LOG2_NUM 8 /* bits of frame_num and of pic_order_cnt_lsb */

enum nal_type { NAL_SLICE = 1, NAL_IDR = 5, NAL_SEI = 6, NAL_SPS = 7, NAL_PPS = 8, NAL_AUD = 9 };
enum slice_type { SLICE_P = 5, SLICE_B = 6, SLICE_I = 7 }; /* all of the picture's slices */
enum structure { FRAME, TOP, BOTTOM };

static void check(int ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "paff_io: %s\n", what);
        abort();
    }
}

/* Pictures. */

static int luma(const struct paff_params *p, int frame, int x, int y)
{
    int t = 2 * frame + ((y & 1) != (p->bottom_first ? 1 : 0));
    int left = t * 3 % (PAFF_SIDE - BOX);
    int top = 16 + t * 2 % (PAFF_SIDE - 16 - BOX);
    if (y < 2 * CELL) {
        return (t >> (x / CELL) & 1) != 0 ? 220 : 30;
    }
    if (x >= left && x < left + BOX && y >= top && y < top + BOX) {
        return 100 + ((x * 5 + y * 3 + t * 11) & 127);
    }
    return 40 + ((x * 7 + y / 2 * 5) & 63);
}

/* The same in every row: prediction from a field of the other parity moves it by half a row. */
static int chroma(int plane, int x)
{
    return plane == 1 ? 96 + x : 160 - x;
}

void paff_picture(const struct paff_params *p, int frame, uint8_t out[PAFF_BYTES])
{
    for (int y = 0; y < PAFF_SIDE; y++) {
        for (int x = 0; x < PAFF_SIDE; x++) {
            *out++ = (uint8_t)luma(p, frame, x, y);
        }
    }
    for (int plane = 1; plane < 3; plane++) {
        for (int i = 0; i < PAFF_SIDE * PAFF_SIDE / 4; i++) {
            *out++ = (uint8_t)chroma(plane, i % (PAFF_SIDE / 2));
        }
    }
}

/* Bits. */

struct bits {
    struct gm_buf buf;
    uint32_t last; /* bits of the byte that is not full */
    int count;
};

static void put(struct bits *b, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        b->last = b->last << 1 | (value >> i & 1);
        if (++b->count == 8) {
            gm_buf_u8(&b->buf, (uint8_t)b->last);
            b->last = 0;
            b->count = 0;
        }
    }
}

static void put_ue(struct bits *b, uint32_t value)
{
    int length = 32 - __builtin_clz(value + 1);
    put(b, 0, length - 1);
    put(b, value + 1, length);
}

static void put_se(struct bits *b, int value)
{
    put_ue(b, value > 0 ? (uint32_t)value * 2 - 1 : (uint32_t)-value * 2);
}

static void align(struct bits *b)
{
    put(b, 0, (8 - b->count) & 7);
}

/* Ends the payload and appends it as a NAL unit. bits: emptied. */
static void add_nal(struct gm_buf *out, int ref_idc, enum nal_type type, struct bits *b)
{
    int zeros = 0;
    put(b, 1, 1);
    align(b);
    gm_buf_be32(out, 1);
    gm_buf_u8(out, (uint8_t)(ref_idc << 5 | type));
    for (size_t i = 0; i < b->buf.size; i++) {
        uint8_t v = b->buf.data[i];
        if (zeros == 2 && v <= 3) {
            gm_buf_u8(out, 3);
            zeros = 0;
        }
        gm_buf_u8(out, v);
        zeros = v == 0 ? zeros + 1 : 0;
    }
    check(!b->buf.failed, "memory");
    gm_buf_fini(&b->buf);
    *b = (struct bits){0};
}

static void add_sps(struct gm_buf *out, const struct paff_params *p)
{
    struct bits b = {0};
    put(&b, 77, 8); /* Main */
    put(&b, 0, 8);
    put(&b, 30, 8);           /* level 3 */
    put_ue(&b, 0);            /* seq_parameter_set_id */
    put_ue(&b, LOG2_NUM - 4); /* frame_num */
    put_ue(&b, 0);            /* pic_order_cnt_type */
    put_ue(&b, LOG2_NUM - 4); /* pic_order_cnt_lsb */
    put_ue(&b, 2);            /* max_num_ref_frames */
    put(&b, 0, 1);            /* gaps_in_frame_num_value_allowed_flag */
    put_ue(&b, MBS - 1);      /* width */
    put_ue(&b, MBS / 2 - 1);  /* height, in units of 32 rows */
    put(&b, 0, 1);            /* frame_mbs_only_flag */
    put(&b, p->mbaff ? 1 : 0, 1);
    put(&b, 1, 1); /* direct_8x8_inference_flag */
    put(&b, 0, 1); /* frame_cropping_flag */
    put(&b, 1, 1); /* vui_parameters_present_flag */
    put(&b, 0, 4); /* no aspect, overscan, signal type, chroma location */
    put(&b, 1, 1); /* timing: 50 fields a second */
    put(&b, 1, 32);
    put(&b, 50, 32);
    put(&b, 1, 1); /* fixed_frame_rate_flag */
    put(&b, 0, 3); /* no HRD, no pic_struct */
    put(&b, 1, 1); /* bitstream_restriction_flag */
    put(&b, 1, 1);
    put_ue(&b, 0);
    put_ue(&b, 0);
    put_ue(&b, 10);
    put_ue(&b, 10);
    put_ue(&b, p->open ? 1 : 0); /* max_num_reorder_frames */
    put_ue(&b, 2);               /* max_dec_frame_buffering */
    add_nal(out, 3, NAL_SPS, &b);
}

static void add_pps(struct gm_buf *out)
{
    struct bits b = {0};
    put_ue(&b, 0);
    put_ue(&b, 0);
    put(&b, 0, 1); /* CAVLC */
    put(&b, 1, 1); /* bottom_field_pic_order_in_frame_present_flag */
    put_ue(&b, 0); /* one slice group */
    put_ue(&b, 0); /* one reference in each list */
    put_ue(&b, 0);
    put(&b, 0, 3); /* no weights */
    put_se(&b, 0);
    put_se(&b, 0);
    put_se(&b, 0);
    put(&b, 1, 1); /* deblocking_filter_control_present_flag */
    put(&b, 0, 2);
    add_nal(out, 3, NAL_PPS, &b);
}

/* One coded picture: a frame or a field of it. */
struct picture {
    const struct paff_params *p;
    int frame; /* in output order */
    enum structure structure;
    enum slice_type type;
    bool idr, reference, second;
    int poc; /* of its first field, since the last IDR */
    int frame_num, idr_id;
    int past, future; /* frames that a skipped macroblock shows; past == frame: its first field */
};

static bool is_bottom(const struct picture *c)
{
    return c->structure == BOTTOM;
}

static void put_header(const struct picture *c, struct bits *b)
{
    const struct paff_params *p = c->p;
    bool frame = c->structure == FRAME;
    put_ue(b, 0); /* first_mb_in_slice */
    put_ue(b, c->type);
    put_ue(b, 0); /* pic_parameter_set_id */
    put(b, (uint32_t)c->frame_num, LOG2_NUM);
    put(b, frame ? 0 : 1, 1);
    if (!frame) {
        put(b, is_bottom(c) ? 1 : 0, 1);
    }
    if (c->idr) {
        put_ue(b, (uint32_t)c->idr_id);
    }
    int poc = c->poc + (frame ? p->bottom_first : c->second); /* a frame's is the top field's */
    put(b, (uint32_t)poc & ((1 << LOG2_NUM) - 1), LOG2_NUM);
    if (frame) {
        put_se(b, p->bottom_first ? -1 : 1); /* delta_pic_order_cnt_bottom */
    }
    if (c->type == SLICE_B) {
        put(b, 1, 1); /* direct_spatial_mv_pred_flag */
    }
    if (c->type != SLICE_I) {
        put(b, 0, 1); /* num_ref_idx_active_override_flag */
        bool own = c->past == c->frame;
        put(b, own ? 1 : 0, 1); /* ref_pic_list_modification_flag_l0 */
        if (own) {              /* the field just before this one */
            put_ue(b, 0);
            put_ue(b, 0);
            put_ue(b, 3);
        }
        if (c->type == SLICE_B) {
            put(b, 0, 1); /* ref_pic_list_modification_flag_l1 */
        }
    }
    if (c->reference) {
        put(b, 0, c->idr ? 2 : 1); /* the sliding window */
    }
    put_se(b, 0); /* slice_qp_delta */
    put_ue(b, 1); /* disable_deblocking_filter_idc */
}

/* Sixteen rows of the frame: from y, each step-th. */
struct rows {
    int y, step;
};

/* Whether the macroblock shows what it would if it were skipped. */
static bool is_skipped(const struct picture *c, int column, struct rows r)
{
    if (c->type == SLICE_I) {
        return false;
    }
    for (int i = 0; i < 256; i++) {
        int x = column * 16 + i % 16;
        int y = r.y + i / 16 * r.step;
        int past = c->past == c->frame ? luma(c->p, c->past, x, y ^ 1) : luma(c->p, c->past, x, y);
        int shown = c->type == SLICE_B ? (past + luma(c->p, c->future, x, y) + 1) >> 1 : past;
        if (shown != luma(c->p, c->frame, x, y)) {
            return false;
        }
    }
    return true;
}

static void put_pcm(const struct picture *c, struct bits *b, int column, struct rows r)
{
    static const uint32_t mb_type[] = {[SLICE_P] = 30, [SLICE_B] = 48, [SLICE_I] = 25};
    put_ue(b, mb_type[c->type]);
    align(b);
    for (int i = 0; i < 256; i++) {
        put(b, (uint32_t)luma(c->p, c->frame, column * 16 + i % 16, r.y + i / 16 * r.step), 8);
    }
    for (int i = 0; i < 128; i++) {
        put(b, (uint32_t)chroma(1 + i / 64, column * 8 + i % 8), 8);
    }
}

static void put_run(const struct picture *c, struct bits *b, int *run)
{
    if (c->type != SLICE_I) {
        put_ue(b, (uint32_t)*run);
        *run = 0;
    }
}

/* A frame or a field, macroblock by macroblock. */
static void put_macroblocks(const struct picture *c, struct bits *b)
{
    int step = c->structure == FRAME ? 1 : 2;
    int run = 0;
    for (int mb = 0; mb < MBS * MBS / step; mb++) {
        struct rows r = {.y = mb / MBS * 16 * step + is_bottom(c), .step = step};
        if (is_skipped(c, mb % MBS, r)) {
            run++;
            continue;
        }
        put_run(c, b, &run);
        put_pcm(c, b, mb % MBS, r);
    }
    if (run > 0) {
        put_run(c, b, &run);
    }
}

/* A frame in pairs of macroblocks, every other one of them of fields. */
static void put_pairs(const struct picture *c, struct bits *b)
{
    int run = 0;
    for (int pair = 0; pair < MBS * MBS / 2; pair++) {
        bool fields = ((pair + c->frame) & 1) != 0;
        bool flagged = false;
        for (int i = 0; i < 2; i++) {
            int y = pair / MBS * 32;
            struct rows r = {.y = y + (fields ? i : i * 16), .step = fields ? 2 : 1};
            if (is_skipped(c, pair % MBS, r)) {
                run++;
                continue;
            }
            put_run(c, b, &run);
            if (!flagged) {
                put(b, fields ? 1 : 0, 1); /* mb_field_decoding_flag */
                flagged = true;
            }
            put_pcm(c, b, pair % MBS, r);
        }
    }
    if (run > 0) {
        put_run(c, b, &run);
    }
}

static void add_picture(const struct picture *c, struct gm_buf *out)
{
    struct bits b = {0};
    put(&b, 7, 3); /* any slice type */
    add_nal(out, 0, NAL_AUD, &b);
    if (c->type == SLICE_I && !c->second) {
        add_sps(out, c->p);
        add_pps(out);
    }
    if (c->type == SLICE_I && !c->second && !c->idr) { /* recovery point: here, exactly */
        put(&b, 6, 8);
        put(&b, 1, 8);
        put(&b, 0xc4, 8);
        add_nal(out, 0, NAL_SEI, &b);
    }
    put_header(c, &b);
    if (c->structure == FRAME && c->p->mbaff) {
        put_pairs(c, &b);
    } else {
        put_macroblocks(c, &b);
    }
    add_nal(out, c->reference ? 3 : 0, c->idr ? NAL_IDR : NAL_SLICE, &b);
}

/* Files. */

struct writer {
    const struct paff_params *p;
    AVFormatContext *format;
    AVPacket *packet;
    int order;     /* of the next frame, in decoding order */
    int idr_frame; /* the last IDR's frame */
    int idrs;
    int references; /* frames since then that others refer to */
};

static bool is_frame_picture(const struct paff_params *p, int frame)
{
    return frame < p->first_field || (p->end_fields > 0 && frame >= p->end_fields) ||
           (p->frame_every > 0 && frame % p->frame_every == 0);
}

static void write_packet(struct writer *w, struct gm_buf *data, int64_t pts, int64_t dts,
                         int fields, bool key)
{
    AVRational tb = w->format->streams[0]->time_base;
    check(!data->failed && av_new_packet(w->packet, (int)data->size) == 0, "memory");
    memcpy(w->packet->data, data->data, data->size);
    w->packet->pts = pts;
    w->packet->dts = dts;
    w->packet->duration = fields;
    w->packet->flags = key ? AV_PKT_FLAG_KEY : 0;
    av_packet_rescale_ts(w->packet, (AVRational){1, 50}, tb);
    check(av_write_frame(w->format, w->packet) == 0, "write");
    av_packet_unref(w->packet);
    gm_buf_fini(data);
}

/* past, future: frames that it refers to. */
static void write_frame(struct writer *w, int frame, enum slice_type type, int past, int future)
{
    const struct paff_params *p = w->p;
    bool whole = is_frame_picture(p, frame);
    bool idr = type == SLICE_I && (frame == 0 || !p->open);
    bool lone = !whole && p->lone > 0 && frame == p->lone;
    struct gm_buf data = {0};
    if (idr) {
        w->idr_frame = frame;
        w->references = 0;
        w->idrs++;
    }
    int order = w->order++;
    int64_t pts = 2 * (frame + (p->open ? 1 : 0));
    for (int i = 0; i < (whole || lone ? 1 : 2); i++) {
        struct picture c = {
            .p = p,
            .frame = frame,
            .structure = whole                         ? FRAME
                         : p->bottom_first == (i == 0) ? BOTTOM
                                                       : TOP,
            .type = type == SLICE_I && i == 1 ? SLICE_P : type,
            .idr = idr && i == 0,
            .reference = type != SLICE_B,
            .second = i == 1,
            .poc = 2 * (frame - w->idr_frame),
            .frame_num = w->references & ((1 << LOG2_NUM) - 1),
            .idr_id = w->idrs & 1,
            .past = type == SLICE_I ? frame : past,
            .future = future,
        };
        add_picture(&c, &data);
        if (order >= p->cut && p->split) {
            write_packet(w, &data, pts + i, 2 * order + i, whole ? 2 : 1,
                         type == SLICE_I && i == 0);
        }
    }
    if (order >= p->cut && !p->split) {
        write_packet(w, &data, pts, 2 * order, 2, type == SLICE_I);
    }
    gm_buf_fini(&data);
    w->references += type != SLICE_B;
}

static void write_frames(struct writer *w)
{
    const struct paff_params *p = w->p;
    int step = p->open ? 3 : 1;
    write_frame(w, 0, SLICE_I, 0, 0);
    for (int last = 0; last < p->frames - 1;) {
        int anchor = last + step < p->frames ? last + step : p->frames - 1;
        write_frame(w, anchor, anchor % p->gop_frames == 0 ? SLICE_I : SLICE_P, last, 0);
        for (int frame = last + 1; frame < anchor; frame++) {
            write_frame(w, frame, SLICE_B, last, anchor);
        }
        last = anchor;
    }
}

static void describe(const struct paff_params *p, AVStream *stream)
{
    AVCodecParameters *par = stream->codecpar;
    struct gm_buf headers = {0};
    add_sps(&headers, p);
    add_pps(&headers);
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->format = AV_PIX_FMT_YUV420P;
    par->width = par->height = PAFF_SIDE;
    par->field_order = p->bottom_first ? AV_FIELD_BB : AV_FIELD_TT;
    check(!headers.failed && gm_av_set_extradata(par, headers.data, headers.size, NULL) == 0,
          "memory");
    gm_buf_fini(&headers);
    stream->time_base = (AVRational){1, 50};
    stream->avg_frame_rate = (AVRational){25, 1};
}

void paff_make(const char *path, const struct paff_params *p)
{
    struct writer w = {.p = p, .packet = av_packet_alloc()};
    check(p->frames > 0 && p->gop_frames > 0 && (!p->open || p->gop_frames % 3 == 0), "params");
    check(avformat_alloc_output_context2(&w.format, NULL, NULL, path) >= 0, "container");
    AVStream *stream = avformat_new_stream(w.format, NULL);
    check(w.packet != NULL && stream != NULL, "stream");
    w.format->flags |= AVFMT_FLAG_BITEXACT;
    describe(p, stream);
    check(avio_open(&w.format->pb, path, AVIO_FLAG_WRITE) >= 0, "open");
    check(avformat_write_header(w.format, NULL) >= 0, "header");
    write_frames(&w);
    check(av_write_trailer(w.format) == 0, "trailer");
    check(avio_closep(&w.format->pb) >= 0, "close");
    avformat_free_context(w.format);
    av_packet_free(&w.packet);
}
