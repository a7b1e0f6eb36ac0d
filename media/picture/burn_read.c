#include "media/picture/burn_read.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/buf.h"
#include "media/pb.h"
#include "media/picture/burn_pack.h"
#include "media/timeline.h"

/* See burn_read.h. Each display replaces the one before: that is what PGS, DVB and DVD subtitles
 * do; one without rectangles clears the screen. */
#define FOREVER INT64_MAX
#define MAX_RECTS 64u

struct shown {
    Gm__BurnPicture *picture; /* owned; end_ts FOREVER: not known yet */
    int64_t end_ts;
    size_t bytes; /* packed */
};
struct gm_burn_read {
    AVCodecContext *ctx; /* owned */
    int stream;
    struct gm_timeline at; /* from the source's times to the policy's timescale */
    uint32_t picture_width, picture_height;
    struct shown *list; /* owned, in order of coming */
    size_t count, cap;
    Gm__BurnPicture **given; /* owned array */
    int64_t errors, left_out, late;
    int64_t closed_ts; /* where the last chunk that was closed ended; INT64_MIN: none was */
};

int gm_burn_read_create(AVStream *stream, uint32_t timescale, const Gm__Rational *zero,
                        uint32_t picture_width, uint32_t picture_height, struct gm_burn_read **out,
                        struct gm_err *err)
{
    Gm__Policy policy = GM__POLICY__INIT;
    struct gm_burn_read *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return gm_err_nomem(err);
    }
    int rc = gm_decoder_open(stream->codecpar, stream->time_base, &b->ctx, err);
    if (rc < 0) {
        gm_burn_read_destroy(&b);
        return rc;
    }
    stream->discard = AVDISCARD_DEFAULT;
    policy.timescale = timescale;
    gm_timeline_init(&b->at, &policy, stream->time_base, zero);
    b->stream = stream->index;
    b->closed_ts = INT64_MIN;
    b->picture_width = picture_width;
    b->picture_height = picture_height;
    *out = b;
    return 0;
}

void gm_burn_read_destroy(struct gm_burn_read **b)
{
    if (*b == NULL) {
        return;
    }
    for (size_t i = 0; i < (*b)->count; i++) {
        gm__burn_picture__free_unpacked((*b)->list[i].picture, NULL);
    }
    free((*b)->list);
    free((*b)->given);
    avcodec_free_context(&(*b)->ctx);
    free(*b);
    *b = NULL;
}

int64_t gm_burn_read_errors(const struct gm_burn_read *b)
{
    return b->errors;
}

int64_t gm_burn_read_left_out(const struct gm_burn_read *b)
{
    return b->left_out;
}

int64_t gm_burn_read_late(const struct gm_burn_read *b)
{
    return b->late;
}

/* libavcodec's palette entries are 0xAARRGGBB in the machine's order. */
static int fill_palette(const AVSubtitleRect *from, Gm__BurnRect *to, struct gm_err *err)
{
    uint8_t palette[4 * 256] = {0};
    int colours = from->nb_colors > 0 && from->nb_colors <= 256 ? from->nb_colors : 256;
    for (int i = 0; i < colours; i++) {
        uint32_t argb;
        memcpy(&argb, from->data[1] + 4 * i, 4);
        palette[4 * i] = (uint8_t)(argb >> 16);
        palette[4 * i + 1] = (uint8_t)(argb >> 8);
        palette[4 * i + 2] = (uint8_t)argb;
        palette[4 * i + 3] = (uint8_t)(argb >> 24);
    }
    return gm_pb_bytes(&to->palette, palette, sizeof palette, err);
}

static int fill_pixels(const AVSubtitleRect *from, Gm__BurnRect *to, struct gm_err *err)
{
    struct gm_buf packed = {0};
    size_t width = (size_t)from->w;
    uint8_t *pixels = malloc(width * (size_t)from->h);
    if (pixels == NULL) {
        return gm_err_nomem(err);
    }
    for (int y = 0; y < from->h; y++) {
        memcpy(pixels + (size_t)y * width, from->data[0] + (ptrdiff_t)y * from->linesize[0], width);
    }
    gm_burn_pack(pixels, width * (size_t)from->h, &packed);
    free(pixels);
    int rc = gm_buf_check(&packed, err);
    if (rc == 0) {
        rc = gm_pb_bytes(&to->pixels, packed.data, packed.size, err);
    }
    gm_buf_fini(&packed);
    return rc;
}

static bool is_usable(const AVSubtitleRect *r)
{
    return r->type == SUBTITLE_BITMAP && r->data[0] != NULL && r->data[1] != NULL && r->x >= 0 &&
           r->y >= 0 && r->w > 0 && r->h > 0 && r->x <= (int)GM_BURN_MAX_SIDE &&
           r->y <= (int)GM_BURN_MAX_SIDE && r->w <= (int)GM_BURN_MAX_SIDE &&
           r->h <= (int)GM_BURN_MAX_SIDE && r->linesize[0] >= r->w;
}

static int add_rect(Gm__BurnPicture *to, const AVSubtitleRect *from, size_t *io_bytes,
                    struct gm_err *err)
{
    Gm__BurnRect *r = malloc(sizeof *r);
    if (r == NULL) {
        return gm_err_nomem(err);
    }
    gm__burn_rect__init(r);
    r->x = (uint32_t)from->x;
    r->y = (uint32_t)from->y;
    r->width = (uint32_t)from->w;
    r->height = (uint32_t)from->h;
    int rc = fill_palette(from, r, err);
    if (rc == 0) {
        rc = fill_pixels(from, r, err);
    }
    *io_bytes += r->pixels.len + r->palette.len + 64;
    int appended = gm_pb_append(&to->rects, &to->n_rects, &r->base, err);
    return rc < 0 ? rc : appended;
}

/* The canvas: the codec's, else the picture's. */
static void set_canvas(const struct gm_burn_read *b, Gm__BurnPicture *p)
{
    p->canvas_width = b->ctx->width > 0 ? (uint32_t)b->ctx->width : b->picture_width;
    p->canvas_height = b->ctx->height > 0 ? (uint32_t)b->ctx->height : b->picture_height;
    if (p->canvas_width > GM_BURN_MAX_SIDE || p->canvas_height > GM_BURN_MAX_SIDE) {
        p->canvas_width = b->picture_width;
        p->canvas_height = b->picture_height;
    }
}

static int add_picture(struct gm_burn_read *b, const AVSubtitle *sub, int64_t start, int64_t end,
                       struct gm_err *err)
{
    size_t bytes = 0;
    if (b->count >= GM_BURN_MAX_PICTURES) {
        b->left_out++;
        return 0;
    }
    int rc = gm_array_reserve(&b->list, b->count, 1, &b->cap, sizeof b->list[0], err);
    if (rc < 0) {
        return rc;
    }
    Gm__BurnPicture *p = malloc(sizeof *p);
    if (p == NULL) {
        return gm_err_nomem(err);
    }
    b->list[b->count] = (struct shown){p, end, 0};
    gm__burn_picture__init(p);
    p->start_ts = start;
    set_canvas(b, p);
    for (unsigned i = 0; rc == 0 && i < sub->num_rects && i < MAX_RECTS; i++) {
        if (is_usable(sub->rects[i])) {
            rc = add_rect(p, sub->rects[i], &bytes, err);
        }
    }
    if (rc < 0 || p->n_rects == 0 || bytes > GM_BURN_CHUNK_BYTES) {
        b->left_out += bytes > GM_BURN_CHUNK_BYTES;
        gm__burn_picture__free_unpacked(p, NULL);
        return rc;
    }
    b->list[b->count++].bytes = bytes;
    return 0;
}

static int take_display(struct gm_burn_read *b, const AVPacket *packet, const AVSubtitle *sub,
                        struct gm_err *err)
{
    int64_t ts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    AVRational milli = {1, 1000}, unit = {1, (int)b->at.timescale};
    if (ts == AV_NOPTS_VALUE) {
        b->errors++;
        return 0;
    }
    int64_t base = gm_timeline_out(&b->at, ts);
    int64_t start = base + gm_av_rescale(sub->start_display_time, milli, unit);
    int64_t end = sub->end_display_time > 0 && sub->end_display_time < UINT32_MAX
                      ? base + gm_av_rescale(sub->end_display_time, milli, unit)
                      : FOREVER;
    bool changes = sub->num_rects > 0 && end > start;
    for (size_t i = 0; i < b->count; i++) {
        if (b->list[i].end_ts > start) {
            b->list[i].end_ts = start;
            changes = true;
        }
    }
    b->late += changes && start < b->closed_ts;
    return sub->num_rects > 0 && end > start ? add_picture(b, sub, start, end, err) : 0;
}

int gm_burn_read_packet(struct gm_burn_read *b, const AVPacket *packet, struct gm_err *err)
{
    AVSubtitle sub = {0};
    int got = 0;
    if (b == NULL || packet->stream_index != b->stream || packet->size <= 0) {
        return 0;
    }
    AVPacket *copy = av_packet_clone(packet); /* what the call takes is not const */
    if (copy == NULL) {
        return gm_err_nomem(err);
    }
    int av = avcodec_decode_subtitle2(b->ctx, &sub, &got, copy);
    av_packet_free(&copy);
    if (av == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    b->errors += av < 0;
    int rc = av >= 0 && got ? take_display(b, packet, &sub, err) : 0;
    avsubtitle_free(&sub);
    return rc;
}

int gm_burn_read_chunk(struct gm_burn_read *b, int64_t from_ts, int64_t to_ts,
                       Gm__ChunkHeader *header, struct gm_err *err)
{
    size_t n = 0, bytes = 0;
    if (b == NULL) {
        return 0;
    }
    free(b->given);
    b->given = calloc(b->count + 1, sizeof(Gm__BurnPicture *));
    if (b->given == NULL) {
        return gm_err_nomem(err);
    }
    for (size_t i = 0; i < b->count; i++) {
        struct shown *s = &b->list[i];
        if (s->picture->start_ts >= to_ts || s->end_ts <= from_ts) {
            continue;
        }
        bytes += s->bytes;
        if (bytes > GM_BURN_CHUNK_BYTES) {
            b->left_out++;
            bytes -= s->bytes;
            continue;
        }
        s->picture->end_ts = s->end_ts < to_ts ? s->end_ts : to_ts;
        b->given[n++] = s->picture;
    }
    header->burn = b->given;
    header->n_burn = n;
    return 0;
}

void gm_burn_read_forget(struct gm_burn_read *b, int64_t before_ts)
{
    size_t kept = 0;
    for (size_t i = 0; b != NULL && i < b->count; i++) {
        if (b->list[i].end_ts > before_ts) {
            b->list[kept++] = b->list[i];
        } else {
            gm__burn_picture__free_unpacked(b->list[i].picture, NULL);
        }
    }
    if (b != NULL) {
        b->count = kept;
        b->closed_ts = before_ts;
    }
}
