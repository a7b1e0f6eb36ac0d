#include "media/encode/encode_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/hash.h"
#include "media/av.h"
#include "media/captions.h"
#include "media/encode/encoder.h"
#include "media/encode/vbv.h"
#include "media/format/bitstream.h"
#include "media/format/fmp4.h"
#include "media/results.h"
#include "proto/video_codec.h"

/* Packets come in decode order; a GOP's packets are all there when the next IDR comes. Each packet
 * is found again among the chunk's frames by its time stamp: no frame may be missing, double or in
 * another GOP than planned.
 */

#define MAX_GOPS 16 /* of a segment: their fragments are numbered segment * 16 + GOP */

struct segment {
    Gm__SegmentMeta meta;
    Gm__GopMeta gops[MAX_GOPS];
    Gm__GopMeta *gop_list[MAX_GOPS];
    char name[32];
    char scratch[48];
    char path[160];
    uint8_t sha256[GM_SHA256_SIZE];
};

struct sample {
    size_t at, size; /* in gop_bytes */
    int64_t pts;
};

struct gm_encode_writer {
    struct gm_encode_writer_params p;
    const Gm__Rendition *rendition;
    const struct gm_bitstream *codec;
    struct gm_encoder *encoder; /* owned */
    AVPacket *packet;           /* owned */
    bool *seen;                 /* owned, one a frame: its packet came */
    AVBufferRef **captions;     /* owned, one a frame; for encoders that take none */
    size_t frame_count;
    /* The GOP whose packets come now: frames first .. end - 1. */
    size_t gop_first, gop_end;
    struct sample *samples; /* owned */
    size_t count, cap;
    struct gm_buf gop_bytes;
    struct gm_buf prefix;           /* of every keyframe's sample */
    struct gm_fmp4_sample *scratch; /* owned, cap of them */
    int64_t *times;                 /* owned, cap of them: decode times */
    /* The chunk's way through the declared buffer. */
    bool capped, by_crf, last;
    struct gm_vbv_walk walk;
    Gm__BufferWalk buffer;
    /* Segments; the last one is open while fd >= 0. */
    struct segment *segments; /* owned, header->n_segments of them */
    Gm__SegmentMeta **metas;  /* owned */
    Gm__WFile *files;         /* owned */
    size_t segment_count;
    int fd;
    struct gm_sha256 *hash; /* owned */
    struct gm_buf bytes;    /* written to fd after each GOP */
};

static bool has_planned_headers(const struct gm_encode_writer *w)
{
    const ProtobufCBinaryData *planned = &w->rendition->extradata;
    size_t size = 0;
    const uint8_t *headers = gm_encoder_headers(w->encoder, &size);
    /* empty: they are in the stream, where verify compares them */
    return size == 0 || (size == planned->len && memcmp(headers, planned->data, planned->len) == 0);
}

/* limits: of a rendition with a cap. Some encoders signal a level that follows from them: then they
 * get what is declared, and further attempts count by quality alone. */
static int open_encoder(struct gm_encode_writer *w, struct gm_vbv_limits *limits,
                        struct gm_err *err)
{
    const Gm__Policy *policy = w->p.policy;
    struct gm_encoder_params params = {.rendition = w->rendition,
                                       .facts = w->p.facts,
                                       .timescale = policy->timescale,
                                       .rate = gm_av_rational(policy->timescale_rate),
                                       .limits = w->capped ? limits : NULL,
                                       .crf_centi = w->p.crf_centi,
                                       .chain = policy->chain,
                                       .device = w->p.io->device,
                                       .surfaces = w->p.surfaces};
    int rc = gm_encoder_open(&params, &w->encoder, err);
    if (rc == 0 && w->capped && !has_planned_headers(w)) {
        gm_encoder_close(&w->encoder);
        limits->rate_bps = w->walk.vbv.rate_bps;
        limits->buffer_bits = w->walk.vbv.size_bits;
        rc = gm_encoder_open(&params, &w->encoder, err);
    }
    if (rc == 0 && !has_planned_headers(w)) {
        rc = gm_err_set(err, GM_E_MEDIA, 0,
                        "The encoder of %s gives other parameter sets than the plan holds",
                        w->rendition->name);
    }
    return rc;
}

int gm_encode_writer_open(const struct gm_encode_writer_params *params,
                          struct gm_encode_writer **out, struct gm_err *err)
{
    const Gm__ChunkHeader *h = params->header;
    struct gm_encode_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return gm_err_nomem(err);
    }
    w->p = *params;
    w->fd = -1;
    w->frame_count = h->n_frames;
    w->rendition = params->policy->renditions[params->rendition];
    w->packet = av_packet_alloc();
    w->hash = gm_sha256_create();
    w->seen = calloc(h->n_frames, sizeof *w->seen);
    w->captions = calloc(h->n_frames, sizeof(AVBufferRef *));
    w->segments = calloc(h->n_segments, sizeof *w->segments);
    w->metas = calloc(h->n_segments, sizeof *w->metas);
    w->files = calloc(h->n_segments, sizeof *w->files);
    struct gm_vbv vbv;
    struct gm_vbv_limits limits;
    w->last = h->last;
    w->capped = gm_vbv_declared(w->rendition, params->policy->timescale, &vbv);
    if (w->capped) {
        int64_t start = h->frames[0]->out_ts;
        int64_t duration = h->end_ts > start ? h->end_ts - start : 1;
        gm_vbv_limits(&vbv, duration, h->last, params->attempt, &limits);
        w->by_crf = gm_encoder_caps_by_crf(params->policy->chain, w->rendition->encode->codec);
        limits.crf_add = w->by_crf ? params->crf_add : limits.crf_add;
        gm_vbv_walk_start(&w->walk, &vbv, start);
    }
    int rc = 0;
    if (w->packet == NULL || w->hash == NULL || w->seen == NULL || w->captions == NULL ||
        w->segments == NULL || w->metas == NULL || w->files == NULL) {
        rc = gm_err_nomem(err);
    }
    if (rc == 0) {
        rc = open_encoder(w, &limits, err);
    }
    if (rc == 0) {
        w->codec = gm_bitstream_find(w->rendition->encode->codec);
        GM_ASSERT(w->codec != NULL);
        gm_bitstream_add_prefix(w->rendition, params->facts, &w->prefix);
        rc = gm_buf_check(&w->prefix, err);
    }
    if (rc < 0) {
        gm_encode_writer_close(&w, true);
        return gm_encoder_blame(params->policy->chain, rc, err);
    }
    *out = w;
    return 0;
}

static void remove_files(struct gm_encode_writer *w)
{
    for (size_t i = 0; i < w->segment_count; i++) {
        w->p.io->remove_file(w->p.io->self, w->segments[i].scratch);
    }
}

void gm_encode_writer_close(struct gm_encode_writer **writer, bool remove)
{
    struct gm_encode_writer *w = *writer;
    if (w == NULL) {
        return;
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    if (remove) {
        remove_files(w);
    }
    gm_encoder_close(&w->encoder);
    av_packet_free(&w->packet);
    gm_sha256_destroy(&w->hash);
    gm_buf_fini(&w->gop_bytes);
    gm_buf_fini(&w->prefix);
    gm_buf_fini(&w->bytes);
    for (size_t i = 0; w->captions != NULL && i < w->frame_count; i++) {
        av_buffer_unref(&w->captions[i]);
    }
    free(w->captions);
    free(w->seen);
    free(w->samples);
    free(w->scratch);
    free(w->times);
    free(w->segments);
    free(w->metas);
    free(w->files);
    free(w);
    *writer = NULL;
}

static int open_segment(struct gm_encode_writer *w, struct gm_err *err)
{
    const Gm__ChunkHeader *h = w->p.header;
    size_t i = w->segment_count;
    struct segment *s = &w->segments[i];
    gm__segment_meta__init(&s->meta);
    s->meta.number = h->segments[i]->number;
    s->meta.start_ts = h->frames[h->segments[i]->first_frame]->out_ts;
    s->meta.gops = s->gop_list;
    int rc = gm_fs_path(s->scratch, sizeof s->scratch, err, "r%" PRIu32 "-%05" PRIu32 ".m4s",
                        w->p.rendition, s->meta.number);
    if (rc < 0) {
        return rc;
    }
    rc = w->p.io->create_file(w->p.io->self, s->scratch, &w->fd, err);
    if (rc < 0) {
        return rc;
    }
    w->segment_count++;
    gm_fmp4_segment_start(&w->bytes);
    return 0;
}

static int write_bytes(struct gm_encode_writer *w, struct segment *s, struct gm_err *err)
{
    int rc = gm_buf_check(&w->bytes, err);
    if (rc == 0) {
        rc = gm_fs_write_all(w->fd, w->bytes.data, w->bytes.size, err);
    }
    if (rc == 0) {
        gm_sha256_update(w->hash, w->bytes.data, w->bytes.size);
        s->meta.size += w->bytes.size;
        w->bytes.size = 0;
    }
    return rc;
}

static int close_segment(struct gm_encode_writer *w, int64_t end_ts, struct gm_err *err)
{
    size_t i = w->segment_count - 1;
    struct segment *s = &w->segments[i];
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) {
        return gm_err_sys(err, errno, "Closing %s", s->scratch);
    }
    gm_sha256_final(w->hash, s->sha256);
    gm_segment_name(s->meta.number, s->sha256, s->name);
    int rc = gm_fs_path(s->path, sizeof s->path, err, "video/%s/%s", w->rendition->name, s->name);
    if (rc < 0) {
        return rc;
    }
    s->meta.name = s->name;
    s->meta.sha256 = (ProtobufCBinaryData){GM_SHA256_SIZE, s->sha256};
    s->meta.duration_ts = end_ts - s->meta.start_ts;
    w->metas[i] = &s->meta;
    gm__wfile__init(&w->files[i]);
    w->files[i].name = s->scratch;
    w->files[i].path = s->path;
    w->files[i].store = gm_results_segment_store(w->p.io->spec);
    return 0;
}

/* The GOP's samples leave the buffer, in decode order. */
static int walk_gop(struct gm_encode_writer *w, struct gm_err *err)
{
    if (!gm_fmp4_decode_times(w->scratch, w->count, w->rendition->delay_ts, w->times)) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s moved pictures too far",
                          w->rendition->name);
    }
    for (size_t i = 0; i < w->count; i++) {
        gm_vbv_walk_sample(&w->walk, w->times[i], w->scratch[i].size);
    }
    return 0;
}

/* The GOP's packets are all there: one fragment. */
static int write_gop(struct gm_encode_writer *w, struct gm_err *err)
{
    const Gm__ChunkHeader *h = w->p.header;
    if (w->count != w->gop_end - w->gop_first) {
        return gm_err_set(err, GM_E_MEDIA, 0, "A GOP of %s has %zu packets for %zu frames",
                          w->rendition->name, w->count, w->gop_end - w->gop_first);
    }
    bool starts = w->segment_count < h->n_segments &&
                  h->segments[w->segment_count]->first_frame == w->gop_first;
    int rc = 0;
    if (starts && w->segment_count > 0) {
        rc = close_segment(w, h->frames[w->gop_first]->out_ts, err);
    }
    if (rc == 0 && starts) {
        rc = open_segment(w, err);
    }
    if (rc < 0) {
        return rc;
    }
    struct segment *s = &w->segments[w->segment_count - 1];
    if (s->meta.n_gops == MAX_GOPS) {
        return gm_err_set(err, GM_E_MEDIA_CHUNK, 0, "Segment %" PRIu32 " has too many GOPs",
                          s->meta.number);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->scratch[i] = (struct gm_fmp4_sample){.data = w->gop_bytes.data + w->samples[i].at,
                                                .size = w->samples[i].size,
                                                .pts = w->samples[i].pts,
                                                .sync = i == 0};
    }
    rc = w->capped ? walk_gop(w, err) : 0;
    if (rc < 0) {
        return rc;
    }
    int64_t end = w->gop_end < h->n_frames ? h->frames[w->gop_end]->out_ts : h->end_ts;
    Gm__GopMeta *gop = &s->gops[s->meta.n_gops];
    gm__gop_meta__init(gop);
    rc = gm_fmp4_fragment(s->meta.number * MAX_GOPS + (uint32_t)s->meta.n_gops,
                          w->rendition->delay_ts, w->scratch, w->count, end, &w->bytes, gop, err);
    if (rc < 0) {
        return rc;
    }
    gop->offset += s->meta.size;
    s->gop_list[s->meta.n_gops++] = gop;
    s->meta.samples += (uint32_t)w->count;
    w->count = 0;
    w->gop_bytes.size = 0;
    return write_bytes(w, s, err);
}

/* Position of the frame shown at pts; n_frames: none. */
static size_t find_frame(const Gm__ChunkHeader *h, int64_t pts)
{
    size_t low = 0;
    size_t high = h->n_frames;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (h->frames[mid]->out_ts < pts) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < h->n_frames && h->frames[low]->out_ts == pts ? low : h->n_frames;
}

static int begin_gop(struct gm_encode_writer *w, size_t index, struct gm_err *err)
{
    const Gm__ChunkHeader *h = w->p.header;
    int rc = w->gop_end > 0 ? write_gop(w, err) : 0;
    if (rc < 0) {
        return rc;
    }
    if (index != w->gop_end || !h->frames[index]->gop_start) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s put an IDR where none is planned",
                          w->rendition->name);
    }
    w->gop_first = index;
    w->gop_end = index + 1;
    while (w->gop_end < h->n_frames && !h->frames[w->gop_end]->gop_start) {
        w->gop_end++;
    }
    size_t need = w->gop_end - w->gop_first;
    if (need <= w->cap) {
        return 0;
    }
    struct sample *samples = realloc(w->samples, need * sizeof *samples);
    if (samples == NULL) {
        return gm_err_nomem(err);
    }
    w->samples = samples;
    struct gm_fmp4_sample *scratch = realloc(w->scratch, need * sizeof *scratch);
    if (scratch == NULL) {
        return gm_err_nomem(err);
    }
    w->scratch = scratch;
    int64_t *times = realloc(w->times, need * sizeof *times);
    if (times == NULL) {
        return gm_err_nomem(err);
    }
    w->times = times;
    w->cap = need;
    return 0;
}

static int take_packet(struct gm_encode_writer *w, struct gm_err *err)
{
    const AVPacket *p = w->packet;
    size_t index = find_frame(w->p.header, p->pts);
    int rc = 0;
    if (index == w->p.header->n_frames || w->seen[index]) {
        return gm_err_set(err, GM_E_MEDIA, 0,
                          "The encoder of %s gave a packet for no frame (pts %" PRId64 ")",
                          w->rendition->name, p->pts);
    }
    if ((p->flags & AV_PKT_FLAG_KEY) != 0) {
        rc = begin_gop(w, index, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (index < w->gop_first || index >= w->gop_end) {
        return gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s left its GOP", w->rendition->name);
    }
    w->seen[index] = true;
    struct sample *s = &w->samples[w->count];
    s->at = w->gop_bytes.size;
    s->pts = p->pts;
    if ((p->flags & AV_PKT_FLAG_KEY) != 0) {
        gm_buf_add(&w->gop_bytes, w->prefix.data, w->prefix.size);
    }
    if (w->captions[index] != NULL) {
        (w->codec->id == AV_CODEC_ID_H264 ? gm_captions_add_h264 : gm_captions_add_hevc)(
            w->captions[index]->data, w->captions[index]->size, &w->gop_bytes);
        av_buffer_unref(&w->captions[index]);
    }
    rc = w->codec->add_sample(p->data, (size_t)p->size, &w->gop_bytes, err);
    if (rc < 0) {
        return rc;
    }
    s->size = w->gop_bytes.size - s->at;
    w->count++;
    return gm_buf_check(&w->gop_bytes, err);
}

/* frame NULL: flush. */
static int encode(struct gm_encode_writer *w, const AVFrame *frame, struct gm_err *err)
{
    int rc = gm_encoder_send(w->encoder, frame, err);
    bool got = true;
    while (rc == 0 && got) {
        rc = gm_encoder_receive(w->encoder, w->packet, &got, err);
        if (rc == 0 && got) {
            rc = take_packet(w, err);
            av_packet_unref(w->packet);
        }
    }
    return rc;
}

int gm_encode_writer_frame(struct gm_encode_writer *w, size_t index, AVFrame *frame,
                           struct gm_err *err)
{
    const Gm__FrameEntry *entry = w->p.header->frames[index];
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    if (side != NULL && gm_captions_carries(w->rendition->encode->codec) &&
        (!gm_encoder_takes_captions(w->encoder) || side->size > GM_CAPTIONS_MESSAGE)) {
        w->captions[index] = av_buffer_ref(side->buf);
        if (w->captions[index] == NULL) {
            return gm_err_nomem(err);
        }
        av_frame_remove_side_data(frame, AV_FRAME_DATA_A53_CC); /* libavcodec writes one message */
    }
    frame->pts = entry->out_ts;
    frame->pict_type = entry->gop_start ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return gm_encoder_blame(w->p.policy->chain, encode(w, frame, err), err);
}

int gm_encode_writer_finish(struct gm_encode_writer *w, struct gm_err *err)
{
    const Gm__ChunkHeader *h = w->p.header;
    int rc = encode(w, NULL, err);
    if (rc == 0 && w->gop_end != h->n_frames) {
        rc = gm_err_set(err, GM_E_MEDIA, 0, "The encoder of %s gave too few packets",
                        w->rendition->name);
    }
    if (rc == 0) {
        rc = write_gop(w, err);
    }
    if (rc == 0) {
        rc = close_segment(w, h->end_ts, err);
    }
    if (rc == 0 && w->capped) {
        gm_vbv_walk_end(&w->walk, h->end_ts);
        gm_vbv_walk_message(&w->walk, &w->buffer);
    }
    gm_encoder_close(&w->encoder);
    return gm_encoder_blame(w->p.policy->chain, rc, err);
}

bool gm_encode_writer_holds(const struct gm_encode_writer *w, struct gm_vbv_miss *out_miss)
{
    const Gm__EncodeParams *p = w->rendition->encode;
    const struct gm_video_codec *codec = gm_video_codec_find(p->codec);
    if (!w->capped || !gm_vbv_walk_broke(&w->walk, w->last, out_miss)) {
        return true;
    }
    out_miss->crf_add = w->p.crf_add;
    out_miss->most_add = codec->max_crf - (w->p.crf_centi > 0 ? w->p.crf_centi / 100 : p->crf);
    return false;
}

bool gm_encode_writer_caps_by_crf(const struct gm_encode_writer *w)
{
    return w->by_crf;
}

int64_t gm_encode_writer_bits(const struct gm_encode_writer *w)
{
    int64_t bits = 0;
    for (size_t i = 0; i < w->segment_count; i++) {
        bits += (int64_t)w->segments[i].meta.size * 8;
    }
    return bits;
}

void gm_encode_writer_meta(struct gm_encode_writer *w, Gm__RenditionChunkMeta *out)
{
    gm__rendition_chunk_meta__init(out);
    out->rendition = w->p.rendition;
    out->n_segments = w->segment_count;
    out->segments = w->metas;
    out->buffer = w->capped ? &w->buffer : NULL;
    out->crf_centi = w->p.crf_centi;
}

size_t gm_encode_writer_files(const struct gm_encode_writer *w, const Gm__WFile **out)
{
    *out = w->files;
    return w->segment_count;
}
