#include "media/sound_io.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fs.h"
#include "media/audio/audio.h"
#include "media/av.h"
#include "media/format/fmp4.h"
#include "proto/chunk.h"
#include "proto/envelope.h"

#define CHUNKS 16
#define FILES 64

struct scratch_file {
    char name[64];
    int fd;
};
struct world {
    struct gm_task_io io;
    const struct sound_params *params;
    struct sound_run *run;
    int chunk_fd[CHUNKS];
    Gm__Item items[CHUNKS];
    size_t next;
    struct scratch_file files[FILES];
    size_t file_count;
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "sound_io: %s\n", what);
        abort();
    }
}

/* ---- the task's world */

static int io_next(void *self, bool *out_more, struct gm_task_input *out, struct gm_err *err)
{
    struct world *w = self;
    (void)err;
    *out_more = w->next < w->params->chunks;
    if (*out_more) {
        *out = (struct gm_task_input){
            .index = (uint32_t)w->next, .task = "split", .item = &w->items[w->next]};
        w->next++;
    }
    return 0;
}

static int io_open(void *self, const struct gm_task_input *input, size_t object, int *out_fd,
                   struct gm_err *err)
{
    struct world *w = self;
    (void)err;
    check(object == 0, "one object a chunk");
    *out_fd = dup(w->chunk_fd[input->index]);
    return 0;
}

static int io_create(void *self, const char *name, int *out_fd, struct gm_err *err)
{
    struct world *w = self;
    (void)err;
    check(w->file_count < FILES && gm_is_file_name(name), "file name");
    struct scratch_file *f = &w->files[w->file_count++];
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    f->fd = memfd_create("scratch", MFD_CLOEXEC);
    *out_fd = dup(f->fd);
    return 0;
}

static void keep_file(struct world *w, const Gm__WFile *file, struct sound_segment *to)
{
    for (size_t i = 0; i < w->file_count; i++) {
        if (strcmp(w->files[i].name, file->name) == 0) {
            struct gm_err err;
            char path[128];
            (void)snprintf(path, sizeof(path), "audio/a0/%s", file->name);
            check(strcmp(path, file->path) == 0, "path");
            check(lseek(w->files[i].fd, 0, SEEK_SET) == 0, "seek");
            check(gm_fs_read_fd(w->files[i].fd, 1u << 24, &to->data, &to->size, &err) == 0, "read");
            return;
        }
    }
    check(false, "an announced file was not made");
}

static int io_produce(void *self, uint32_t stream, uint32_t index, bool last,
                      const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                      struct gm_err *err)
{
    struct world *w = self;
    struct sound_run *run = w->run;
    const Gm__AudioItemMeta *m = (const Gm__AudioItemMeta *)meta;
    (void)err;
    check(stream == 0 && count == m->n_segments && m->track == 0, "item");
    for (size_t i = 0; i < count; i++) {
        const Gm__SegmentMeta *from = m->segments[i];
        check(run->count < SOUND_MAX_SEGMENTS, "segments");
        struct sound_segment *to = &run->segments[run->count++];
        (void)snprintf(to->name, sizeof(to->name), "%s", from->name);
        check(strcmp(files[i].name, from->name) == 0, "name");
        keep_file(w, &files[i], to);
        check(from->size == to->size, "size");
        to->item = index;
        to->last_item = last;
        to->number = from->number;
        to->samples = from->samples;
        to->start_ts = from->start_ts;
        to->duration_ts = from->duration_ts;
    }
    run->items++;
    return 0;
}

static int io_finish(void *self, const Gm__WFile *files, size_t count, const ProtobufCMessage *meta,
                     const Gm__Expand *expand, size_t expands, const char *publication,
                     struct gm_err *err)
{
    struct world *w = self;
    const Gm__AudioMeta *m = (const Gm__AudioMeta *)meta;
    (void)files;
    (void)expand;
    (void)publication;
    (void)err;
    check(count == 0 && expands == 0, "finish");
    w->run->samples = m->samples;
    for (size_t i = 0; i < m->n_warnings; i++) {
        size_t at = strlen(w->run->warnings);
        (void)snprintf(w->run->warnings + at, sizeof(w->run->warnings) - at, "%s=%lld ",
                       m->warnings[i]->code, (long long)m->warnings[i]->count);
    }
    return 0;
}

static void io_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    check(done <= total, "progress");
}

/* ---- making the sound */

static uint32_t channels_of(const struct sound_params *p)
{
    return p->channels != 0 ? p->channels : 2;
}

static uint8_t *encode_par(int channels, size_t *out_size)
{
    struct gm_err err;
    uint8_t *out = NULL;
    AVCodecParameters *par = avcodec_parameters_alloc();
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = AV_CODEC_ID_PCM_S16LE;
    par->format = AV_SAMPLE_FMT_S16;
    par->sample_rate = SOUND_RATE;
    par->bits_per_coded_sample = 16;
    par->block_align = 2 * channels;
    av_channel_layout_default(&par->ch_layout, channels);
    check(gm_codecpar_encode(par, NULL, &out, out_size, &err) == 0, "codecpar");
    avcodec_parameters_free(&par);
    return out;
}

static void write_packet(struct gm_chunk_writer *writer, const struct sound_packet *p, int channels,
                         uint64_t id)
{
    struct gm_err err;
    int16_t *pcm = calloc((size_t)p->count * (size_t)channels, sizeof(*pcm));
    for (int i = 0; i < p->count; i++) {
        double t = (double)(p->pts + i) / SOUND_RATE;
        for (int c = 0; c < channels; c++) {
            double hz = 1000 + (channels == 6 ? 300 * c : 0);
            pcm[channels * i + c] =
                p->level == 0x7fff ? (int16_t)(8000 * sin(2 * M_PI * hz * t)) : p->level;
        }
    }
    struct gm_chunk_packet packet = {.id = id,
                                     .pts = p->pts,
                                     .dts = p->pts,
                                     .duration = p->count,
                                     .flags = AV_PKT_FLAG_KEY,
                                     .size = p->level == SOUND_BROKEN
                                                 ? 1 /* less than a sample */
                                                 : (uint32_t)p->count * 2 * (uint32_t)channels,
                                     .data = (const uint8_t *)pcm};
    check(gm_chunk_write_packet(writer, &packet, &err) == 0, "packet");
    free(pcm);
}

static int write_chunk(const struct sound_params *p, size_t index)
{
    struct gm_err err;
    struct gm_chunk_writer *writer = NULL;
    Gm__ChunkHeader header = GM__CHUNK_HEADER__INIT;
    Gm__Rational tb = GM__RATIONAL__INIT;
    int fd = memfd_create("chunk", MFD_CLOEXEC);
    size_t from = p->packet_count * index / p->chunks;
    size_t to = p->packet_count * (index + 1) / p->chunks;
    size_t border = p->border_count * index / p->chunks;
    size_t border_end = p->border_count * (index + 1) / p->chunks;
    tb.num = 1;
    tb.den = SOUND_RATE;
    header.version = 1;
    header.stream = 1;
    header.index = (uint32_t)index;
    header.codec = "pcm_s16le";
    header.codecpar.data = encode_par((int)channels_of(p), &header.codecpar.len);
    header.time_base = &tb;
    header.segment_starts_ts = (int64_t *)(uintptr_t)(p->borders + border);
    header.n_segment_starts_ts = border_end - border;
    header.last = index + 1 == p->chunks;
    header.programme_end_ts = header.last ? p->end_ts : 0;
    check(gm_chunk_writer_open(fd, &header, &writer, &err) == 0, "chunk");
    for (size_t i = from; i < to; i++) {
        write_packet(writer, &p->packets[i], (int)channels_of(p), i);
    }
    check(gm_chunk_writer_finish(writer, &err) == 0, "chunk");
    gm_chunk_writer_close(&writer);
    free(header.codecpar.data);
    return fd;
}

/* A plan and an inspection with what the task reads of them. */
static void make_results(const struct sound_params *asked, struct sound_run *run,
                         Gm__TaskResult *plan, Gm__TaskResult *inspect)
{
    struct gm_err err;
    AVCodecContext *encoder = NULL;
    Gm__AudioParams *params = &run->params;
    Gm__AudioTrack track = GM__AUDIO_TRACK__INIT;
    Gm__AudioTrack *tracks[] = {&track};
    Gm__Rendition rendition = GM__RENDITION__INIT;
    Gm__Rendition *renditions[] = {&rendition};
    Gm__Policy policy = GM__POLICY__INIT;
    Gm__Inspection facts = GM__INSPECTION__INIT;
    *params = (Gm__AudioParams)GM__AUDIO_PARAMS__INIT;
    params->codec = asked->opus ? "opus" : "aac";
    params->bitrate_bps = 64000 * channels_of(asked);
    params->channels = channels_of(asked);
    params->sample_rate = SOUND_RATE;
    check(gm_audio_encoder_open(params, &encoder, &err) == 0, "encoder");
    run->priming = (uint32_t)encoder->initial_padding;
    run->config_size = (size_t)encoder->extradata_size;
    check(run->config_size <= sizeof(run->config), "config");
    memcpy(run->config, encoder->extradata, run->config_size);
    track.name = "a0";
    track.params = params;
    track.arithmetic = gm_audio_arithmetic(params);
    track.priming_samples = (uint32_t)encoder->initial_padding;
    track.extradata = (ProtobufCBinaryData){(size_t)encoder->extradata_size, encoder->extradata};
    policy.timescale = SOUND_TIMESCALE;
    policy.renditions = renditions;
    policy.n_renditions = 1;
    policy.audio = tracks;
    policy.n_audio = 1;
    check(gm_message_encode(&policy.base, &plan->meta.data, &plan->meta.len, &err) == 0, "plan");
    check(gm_message_encode(&facts.base, &inspect->meta.data, &inspect->meta.len, &err) == 0,
          "facts");
    avcodec_free_context(&encoder);
}

int sound_run(const struct sound_params *params, struct sound_run *out)
{
    struct world w = {.params = params, .run = out};
    Gm__TaskSpec spec = GM__TASK_SPEC__INIT;
    Gm__Pipeline pipeline = GM__PIPELINE__INIT;
    Gm__PipelineTask tasks[2] = {GM__PIPELINE_TASK__INIT, GM__PIPELINE_TASK__INIT};
    Gm__PipelineTask *task_list[] = {&tasks[0], &tasks[1]};
    Gm__TaskResult results[2] = {GM__TASK_RESULT__INIT, GM__TASK_RESULT__INIT};
    Gm__TaskResult *result_list[] = {&results[0], &results[1]};
    Gm__SkipItems skip = GM__SKIP_ITEMS__INIT;
    Gm__SkipItems *skips[] = {&skip};
    int64_t chunk = 0;
    memset(out, 0, sizeof(*out));
    check(params->chunks > 0 && params->chunks <= CHUNKS, "chunks");
    tasks[0].name = tasks[0].type = results[0].task = "plan";
    tasks[1].name = tasks[1].type = results[1].task = "inspect";
    pipeline.tasks = task_list;
    pipeline.n_tasks = 2;
    make_results(params, out, &results[0], &results[1]);
    skip.count = params->skip_items;
    spec.pipeline = &pipeline;
    spec.results = result_list;
    spec.n_results = 2;
    spec.skip = skips;
    spec.n_skip = 1;
    for (size_t i = 0; i < params->chunks; i++) {
        w.chunk_fd[i] = write_chunk(params, i);
        w.items[i] = (Gm__Item)GM__ITEM__INIT;
        w.items[i].stream = 1;
        w.items[i].index = (uint32_t)i;
    }
    w.io = (struct gm_task_io){.self = &w,
                               .spec = &spec,
                               .next_input = io_next,
                               .open_object = io_open,
                               .create_file = io_create,
                               .produce = io_produce,
                               .finish = io_finish,
                               .progress = io_progress};
    int rc = gm_task_audio(&w.io, &chunk, &out->err);
    for (size_t i = 0; i < params->chunks; i++) {
        close(w.chunk_fd[i]);
    }
    for (size_t i = 0; i < w.file_count; i++) {
        close(w.files[i].fd);
    }
    free(results[0].meta.data);
    free(results[1].meta.data);
    return rc;
}

void sound_run_fini(struct sound_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        free(run->segments[i].data);
    }
    memset(run, 0, sizeof(*run));
}

/* ---- listening to it */

struct listener {
    const uint8_t *data;
    AVCodecContext *ctx;
    AVPacket *packet;
    AVFrame *frame;
    int channel;
    float *out;
    size_t count;
};

static int listen_sample(const struct gm_fmp4_read_sample *sample, void *arg)
{
    struct listener *l = arg;
    av_packet_unref(l->packet);
    check(av_new_packet(l->packet, (int)sample->size) == 0, "packet");
    memcpy(l->packet->data, l->data + sample->offset, sample->size);
    check(avcodec_send_packet(l->ctx, l->packet) == 0, "send");
    check(avcodec_receive_frame(l->ctx, l->frame) == 0, "receive");
    check(l->frame->format == AV_SAMPLE_FMT_FLTP && l->channel < l->frame->ch_layout.nb_channels,
          "format");
    l->out = realloc(l->out, (l->count + (size_t)l->frame->nb_samples) * sizeof(float));
    memcpy(l->out + l->count, l->frame->extended_data[l->channel],
           (size_t)l->frame->nb_samples * sizeof(float));
    l->count += (size_t)l->frame->nb_samples;
    return 0;
}

size_t sound_decode(const struct sound_run *run, int channel, float **out)
{
    struct listener l = {
        .packet = av_packet_alloc(), .frame = av_frame_alloc(), .channel = channel};
    struct gm_err err;
    AVCodecParameters *par = avcodec_parameters_alloc();
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = gm_audio_codec_id(&run->params);
    par->sample_rate = SOUND_RATE;
    check(gm_av_set_extradata(par, run->config, run->config_size, &err) == 0, "memory");
    if (run->params.codec[0] == 'o') { /* libavcodec takes Opus' priming off by itself */
        l.out = calloc(run->priming, sizeof(float));
        l.count = run->priming;
    }
    check(gm_decoder_open(par, (AVRational){1, SOUND_RATE}, &l.ctx, &err) == 0, "decoder");
    for (size_t i = 0; i < run->count; i++) {
        l.data = run->segments[i].data;
        check(gm_fmp4_read_segment(l.data, run->segments[i].size, listen_sample, &l, &err) == 0,
              "segment");
    }
    avcodec_parameters_free(&par);
    avcodec_free_context(&l.ctx);
    av_packet_free(&l.packet);
    av_frame_free(&l.frame);
    *out = l.out;
    return l.count;
}
