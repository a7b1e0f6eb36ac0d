#include "media/chunk_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "common/hash.h"
#include "media/av.h"
#include "proto/chunk.h"

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "chunk_io: %s failed\n", what);
        abort();
    }
}

AVFrame *clip_picture(int width, int height, enum AVPixelFormat format, int i)
{
    AVFrame *f = gm_av_frame(format, width, height);
    must(f != NULL, "frame");
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
    bool deep = desc->comp[0].depth > 8;
    for (int p = 0; p < AV_NUM_DATA_POINTERS && f->data[p] != NULL; p++) {
        int bytes = av_image_get_linesize(format, width, p);
        int shift = p == 1 || p == 2 ? desc->log2_chroma_h : 0;
        int rows = (height + (1 << shift) - 1) >> shift;
        for (int y = 0; y < rows; y++) {
            for (int x = 0; x < bytes; x++) {
                int v = (x - 3 * i) * (y + i) / 16 + ((x / 8 + i) ^ (y / 8)) * 9 + x * 2;
                uint8_t *to = &f->data[p][y * f->linesize[p] + x];
                *to = (uint8_t)(v & (p == 0 ? 255 : 127));
                if (deep && x % 2 != 0) { /* the high byte of a 10-bit sample */
                    *to &= 3;
                }
            }
        }
    }
    return f;
}

static struct clip *clip_new(void)
{
    struct clip *c = calloc(1, sizeof *c);
    must(c != NULL, "memory");
    c->par = avcodec_parameters_alloc();
    must(c->par != NULL, "memory");
    return c;
}

static void add_packet(struct clip *c, const AVPacket *p)
{
    c->packets = realloc(c->packets, (c->packet_count + 1) * sizeof *c->packets);
    must(c->packets != NULL, "memory");
    c->packets[c->packet_count] = av_packet_clone(p);
    must(av_packet_make_writable(c->packets[c->packet_count]) >= 0, "packet");
    c->packet_count++;
}

static void add_captions(AVFrame *f, int i)
{
    size_t triplets = (size_t)i % 19 + 1;
    if (i % 3 == 1) {
        return;
    }
    AVFrameSideData *side = av_frame_new_side_data(f, AV_FRAME_DATA_A53_CC, triplets * 3);
    must(side != NULL, "side data");
    for (size_t k = 0; k < triplets; k++) {
        side->data[k * 3] = (uint8_t)(0xfc + (k & 3));
        side->data[k * 3 + 1] = (uint8_t)(i & 0x7f);
        side->data[k * 3 + 2] = (uint8_t)(i % 7 == 0 ? 0 : (i >> 7) + (int)k);
    }
}

struct clip *clip_make(const char *encoder, const char *options, int frames)
{
    return clip_make_sized(encoder, options, frames, 96, 80, AV_PIX_FMT_YUV420P);
}

struct clip *clip_make_sized(const char *encoder, const char *options, int frames, int width,
                             int height, enum AVPixelFormat format)
{
    struct clip *c = clip_new();
    const AVCodec *codec = avcodec_find_encoder_by_name(encoder);
    must(codec != NULL, encoder);
    AVCodecContext *ctx = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    ctx->width = width;
    ctx->height = height;
    ctx->pix_fmt = format;
    ctx->time_base = (AVRational){1, 25};
    ctx->framerate = (AVRational){25, 1};
    ctx->thread_count = 1;
    ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary *dict = NULL;
    must(av_dict_parse_string(&dict, options, "=", ",", 0) >= 0, options);
    must(avcodec_open2(ctx, codec, &dict) >= 0 && av_dict_count(dict) == 0, options);
    av_dict_free(&dict);
    must(avcodec_parameters_from_context(c->par, ctx) >= 0, "parameters");
    c->time_base = ctx->time_base;
    for (int i = 0; i <= frames; i++) {
        AVFrame *f = i < frames ? clip_picture(width, height, format, i) : NULL;
        if (f != NULL) {
            f->pts = i;
        }
        if (f != NULL && strstr(options, "a53cc=1") != NULL) {
            add_captions(f, i);
        }
        must(avcodec_send_frame(ctx, f) >= 0, "encoding");
        while (avcodec_receive_packet(ctx, packet) >= 0) {
            add_packet(c, packet);
            av_packet_unref(packet);
        }
        av_frame_free(&f);
    }
    av_packet_free(&packet);
    avcodec_free_context(&ctx);
    clip_decode(c);
    return c;
}

struct clip *clip_load(const char *path)
{
    struct clip *c = clip_new();
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    must(avformat_open_input(&format, path, NULL, NULL) >= 0, path);
    must(avformat_find_stream_info(format, NULL) >= 0, path);
    int stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    must(stream >= 0, "finding video");
    must(avcodec_parameters_copy(c->par, format->streams[stream]->codecpar) >= 0, "parameters");
    c->time_base = format->streams[stream]->time_base;
    while (av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == stream) {
            add_packet(c, packet);
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    clip_decode(c);
    return c;
}

void clip_mux(const struct clip *c, const char *path)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    must(avformat_alloc_output_context2(&format, NULL, NULL, path) >= 0, path);
    AVStream *stream = avformat_new_stream(format, NULL);
    must(stream != NULL && avcodec_parameters_copy(stream->codecpar, c->par) >= 0, path);
    stream->time_base = c->time_base;
    stream->avg_frame_rate = av_inv_q(c->time_base);
    must(avio_open(&format->pb, path, AVIO_FLAG_WRITE) >= 0, path);
    must(avformat_write_header(format, NULL) >= 0, path);
    for (size_t i = 0; i < c->packet_count; i++) {
        must(av_packet_ref(packet, c->packets[i]) >= 0, "packet");
        packet->duration = 1;
        av_packet_rescale_ts(packet, c->time_base, stream->time_base);
        must(av_interleaved_write_frame(format, packet) >= 0, path);
    }
    must(av_write_trailer(format) >= 0, path);
    must(avio_closep(&format->pb) >= 0, path);
    avformat_free_context(format);
    av_packet_free(&packet);
}

void clip_free(struct clip **clip)
{
    struct clip *c = *clip;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->packet_count; i++) {
        av_packet_free(&c->packets[i]);
    }
    free(c->packets);
    free(c->frames);
    avcodec_parameters_free(&c->par);
    free(c);
    *clip = NULL;
}

static struct clip_source source;

void clip_source_make(const char *options, int frames)
{
    char dir[] = "/tmp/test-clip-XXXXXX";
    must(source.clip == NULL && mkdtemp(dir) != NULL, "folder");
    (void)snprintf(source.path, sizeof source.path, "%s/clip.mp4", dir);
    source.clip = clip_make("libx264", options, frames);
    clip_mux(source.clip, source.path);
}

int clip_source_remove(void **state)
{
    char dir[CLIP_PATH_MAX];
    const char *slash = strrchr(source.path, '/');
    (void)state;
    must(slash != NULL && unlink(source.path) == 0, source.path);
    (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - source.path), source.path);
    must(rmdir(dir) == 0, dir);
    clip_free(&source.clip);
    return 0;
}

const struct clip_source *clip_source(void)
{
    return &source;
}

void clip_hash(const AVFrame *f, uint8_t out[32])
{
    int size = av_image_get_buffer_size((enum AVPixelFormat)f->format, f->width, f->height, 1);
    must(size > 0, "size");
    uint8_t *bytes = malloc((size_t)size);
    must(bytes != NULL, "memory");
    const uint8_t *data[4] = {f->data[0], f->data[1], f->data[2], f->data[3]};
    must(av_image_copy_to_buffer(bytes, size, data, f->linesize, (enum AVPixelFormat)f->format,
                                 f->width, f->height, 1) >= 0,
         "copy");
    gm_sha256(bytes, (size_t)size, out);
    free(bytes);
}

static void take_frames(struct clip *c, AVCodecContext *ctx, AVFrame *frame)
{
    while (avcodec_receive_frame(ctx, frame) >= 0) {
        c->frames = realloc(c->frames, (c->frame_count + 1) * sizeof *c->frames);
        must(c->frames != NULL, "memory");
        c->frames[c->frame_count].id = (uint64_t)frame->reordered_opaque;
        clip_hash(frame, c->frames[c->frame_count++].sha256);
        av_frame_unref(frame);
    }
}

void clip_decode(struct clip *c)
{
    AVCodecContext *ctx = NULL;
    AVFrame *frame = av_frame_alloc();
    must(gm_decoder_open(c->par, c->time_base, &ctx, NULL) == 0, "decoder");
    c->frame_count = 0;
    for (size_t i = 0; i < c->packet_count; i++) {
        ctx->reordered_opaque = (int64_t)i;
        (void)avcodec_send_packet(ctx, c->packets[i]);
        take_frames(c, ctx, frame);
    }
    (void)avcodec_send_packet(ctx, NULL);
    take_frames(c, ctx, frame);
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

static Gm__FrameEntry *make_entry(const struct clip *c, size_t i)
{
    Gm__FrameEntry *e = calloc(1, sizeof *e);
    must(e != NULL, "memory");
    gm__frame_entry__init(e);
    e->packet_id = c->frames[i].id;
    e->out_ts = (int64_t)i * CLIP_TICKS;
    return e;
}

/* First frame of the context before, and the end of that after. */
static void find_context(const struct clip *c, const struct clip_cut *cut, size_t *first,
                         size_t *end)
{
    bool any = cut->end > cut->first;
    size_t rest = c->frame_count - cut->end;
    *first = !any ? cut->first : cut->first > cut->context ? cut->first - cut->context : 0;
    *end = !any ? cut->end : cut->end + (rest < cut->context ? rest : cut->context);
}

static void add_context(const struct clip *c, const struct clip_cut *cut, Gm__ChunkHeader *h)
{
    size_t first;
    size_t end;
    find_context(c, cut, &first, &end);
    h->before = calloc(cut->first - first + 1, sizeof(Gm__FrameEntry *));
    h->after = calloc(end - cut->end + 1, sizeof(Gm__FrameEntry *));
    must(h->before != NULL && h->after != NULL, "memory");
    for (size_t i = first; i < cut->first; i++) {
        h->before[h->n_before++] = make_entry(c, i);
    }
    for (size_t i = cut->end; i < end; i++) {
        h->after[h->n_after++] = make_entry(c, i);
    }
}

static Gm__ChunkHeader *make_header(const struct clip *c, const struct clip_cut *cut)
{
    Gm__ChunkHeader *h = calloc(1, sizeof *h);
    size_t n = cut->end - cut->first;
    must(h != NULL, "memory");
    gm__chunk_header__init(h);
    h->version = 1;
    h->index = cut->index;
    h->last = cut->last;
    h->by_reference = cut->reference_fd > 0;
    h->codec = strdup(avcodec_get_name(c->par->codec_id));
    h->time_base = calloc(1, sizeof *h->time_base);
    gm__rational__init(h->time_base);
    h->time_base->num = c->time_base.num;
    h->time_base->den = c->time_base.den;
    must(gm_codecpar_encode(c->par, NULL, &h->codecpar.data, &h->codecpar.len, NULL) == 0, "par");
    h->frames = calloc(n + 1, sizeof(Gm__FrameEntry *));
    h->n_frames = n;
    for (size_t i = 0; i < n; i++) {
        h->frames[i] = make_entry(c, cut->first + i);
        h->frames[i]->gop_start = i % CLIP_GOP == 0;
    }
    if (n > 0) {
        h->n_segments = 1;
        h->segments = calloc(1, sizeof(Gm__SegmentEntry *));
        h->segments[0] = calloc(1, sizeof(Gm__SegmentEntry));
        gm__segment_entry__init(h->segments[0]);
        h->segments[0]->number = cut->index + 1;
    }
    h->end_ts = (int64_t)cut->end * CLIP_TICKS;
    add_context(c, cut, h);
    if (cut->edit != NULL) {
        cut->edit(h, cut->arg);
    }
    return h;
}

static void find_packets(const struct clip *c, const struct clip_cut *cut, size_t *first,
                         size_t *end)
{
    size_t from;
    size_t to;
    find_context(c, cut, &from, &to);
    *first = c->packet_count - 1;
    *end = 0;
    for (size_t i = from; i < to; i++) {
        size_t id = (size_t)c->frames[i].id;
        *first = id < *first ? id : *first;
        *end = id + 1 > *end ? id + 1 : *end;
    }
    int keys = 0;
    while (*first > 0 && cut->keys_back >= 0) {
        if ((c->packets[*first]->flags & AV_PKT_FLAG_KEY) != 0 && keys++ == cut->keys_back) {
            return;
        }
        --*first;
    }
    *first = cut->keys_back < 0 ? 0 : *first;
}

static void write_packet(const struct clip *c, struct gm_chunk_writer *w, size_t id, bool reference)
{
    const AVPacket *p = c->packets[id];
    struct gm_chunk_side sides[16];
    struct gm_chunk_packet out = {.id = id,
                                  .pts = p->pts == AV_NOPTS_VALUE ? GM_CHUNK_NO_TS : p->pts,
                                  .dts = p->dts == AV_NOPTS_VALUE ? GM_CHUNK_NO_TS : p->dts,
                                  .duration = p->duration,
                                  .flags = (uint32_t)p->flags,
                                  .side = sides,
                                  .by_reference = reference,
                                  .size = (uint32_t)p->size,
                                  .data = reference ? NULL : p->data};
    for (int i = 0; i < p->side_data_elems && i < 16; i++) {
        sides[out.sides++] = (struct gm_chunk_side){
            (uint32_t)p->side_data[i].type, (uint32_t)p->side_data[i].size, p->side_data[i].data};
    }
    for (size_t i = 0; reference && i < id; i++) {
        out.offset += (uint64_t)c->packets[i]->size;
    }
    must(gm_chunk_write_packet(w, &out, NULL) == 0, "chunk packet");
}

int clip_cut(const struct clip *c, const struct clip_cut *cut)
{
    int fd = memfd_create("chunk", MFD_CLOEXEC);
    struct gm_chunk_writer *w = NULL;
    Gm__ChunkHeader *h = make_header(c, cut);
    must(fd >= 0 && gm_chunk_writer_open(fd, h, &w, NULL) == 0, "chunk");
    size_t first;
    size_t end;
    find_packets(c, cut, &first, &end);
    size_t change = SIZE_MAX;
    for (size_t i = first + 1; cut->change && i < end; i++) {
        change = (c->packets[i]->flags & AV_PKT_FLAG_KEY) != 0 ? i : change;
    }
    for (size_t i = first; i < end; i++) {
        if (i == change) {
            must(gm_chunk_write_change(w, h->codecpar.data, h->codecpar.len, NULL) == 0, "change");
        }
        write_packet(c, w, i, cut->reference_fd > 0);
    }
    must(gm_chunk_writer_finish(w, NULL) == 0, "chunk end");
    gm_chunk_writer_close(&w);
    gm__chunk_header__free_unpacked(h, NULL);
    return fd;
}

int clip_write(const struct clip *c)
{
    int fd = memfd_create("source", MFD_CLOEXEC);
    must(fd >= 0, "source");
    for (size_t i = 0; i < c->packet_count; i++) {
        ssize_t n = write(fd, c->packets[i]->data, (size_t)c->packets[i]->size);
        must(n == c->packets[i]->size, "source");
    }
    return fd;
}
