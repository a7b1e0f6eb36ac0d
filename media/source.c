#include "media/av.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/intreadwrite.h>
#include <libavutil/opt.h>

/* The one way sources are opened: libavformat over struct gm_source_file, so that the
 * demuxer can reach nothing else. The format is found by content alone, never by the file's name;
 * containers only. Whatever a file asks to be opened besides is refused by io_open.
 */
#define IO_BUFFER_BYTES 65536
#define PROBE_BYTES "20000000"
#define ANALYZE_US "20000000"
#define FIND_BYTES (256 << 20) /* read at most to find the streams, with what is no packet */
#define FRAGMENT_BOXES 1000    /* looked at for what says that there are fragments */
#define SPARE_BYTES (64 << 20) /* memory that is still there where a demuxer asked for too much */

/* Demuxers of libavformat 59 that read one self-contained media file; audio formats are here so
 * that a song is told apart from garbage. */
static const char *const allowed[] = {
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "mpegts",
    "mpeg",
    "avi",
    "flv",
    "live_flv",
    "ogg",
    "asf",
    "asf_o",
    "mxf",
    "h264",
    "hevc",
    "m4v",
    "mpegvideo",
    "ivf",
    "av1",
    "obu",
    "dv",
    "nut",
    "wav",
    "w64",
    "aiff",
    "mp3",
    "aac",
    "ac3",
    "eac3",
    "flac",
    "amr",
};

/* What points at other files, and so is refused by name; tests try the common ones. */
static const char *const playlists[] = {
    "hls", "concat", "dash", "imf", "sdp", "rtsp", "webm_dash_manifest", "lavfi",
};

struct source_io {
    AVIOContext *avio; /* owned */
    struct gm_source_file file;
    int64_t pos;
    int64_t size;
    bool limited; /* FIND_BYTES hold: at `left` 0 the file ends */
    int64_t left;
    struct gm_err failed; /* of the first read that failed; GM_OK: none did */
    bool counted;
    int64_t outside; /* counted: samples that lie behind the end of the file */
    int64_t passed;  /* of these, asked for */
};

/* Bytes that were read; below 0: none could be, and io->failed says why. After one that failed none
 * is tried: demuxers would go on behind what they could not have, without it. */
static int read_at(struct source_io *io, void *out, size_t size, int64_t at)
{
    size_t got = 0;
    if (io->failed.code != GM_OK ||
        gm_source_file_read(io->file, out, size, (uint64_t)at, &got, &io->failed) < 0) {
        return -1;
    }
    return (int)got;
}

static int io_read(void *opaque, uint8_t *buf, int size)
{
    struct source_io *io = opaque;
    if (size <= 0 || io->pos >= io->size || (io->limited && io->left <= 0)) {
        return AVERROR_EOF;
    }
    int n = read_at(io, buf, (size_t)size, io->pos);
    if (n < 0) {
        return AVERROR(EIO);
    }
    if (n == 0) {
        return AVERROR_EOF;
    }
    io->pos += n;
    io->left -= n;
    return n;
}

static int64_t io_seek(void *opaque, int64_t offset, int whence)
{
    struct source_io *io = opaque;
    whence &= ~AVSEEK_FORCE;
    int64_t base = 0;
    if (whence == AVSEEK_SIZE) {
        return io->size;
    }
    if (whence == SEEK_CUR) {
        base = io->pos;
    } else if (whence == SEEK_END) {
        base = io->size;
    } else if (whence != SEEK_SET) {
        return AVERROR(EINVAL);
    }
    int64_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0) {
        return AVERROR(EINVAL);
    }
    io->pos = to;
    return to;
}

static int refuse_open(AVFormatContext *ctx, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
    (void)ctx;
    (void)pb;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EPERM);
}

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Printable text, as web pages, JSON and scripts are: no control characters but white space. */
static bool looks_like_text(struct source_io *io)
{
    uint8_t head[512];
    int n = read_at(io, head, sizeof head, 0);
    for (int i = 0; i < n; i++) {
        if (head[i] < 0x20 && head[i] != '\n' && head[i] != '\r' && head[i] != '\t' &&
            head[i] != '\f') {
            return false;
        }
    }
    return n > 0;
}

/* Whether the file has a top-level box of that type (ISO/IEC 14496-12, 4.2). */
static bool has_box(struct source_io *io, const char type[4])
{
    int64_t at = 0;
    for (int boxes = 0; boxes < 100000 && at + 8 <= io->size; boxes++) {
        uint8_t head[16] = {0};
        if (read_at(io, head, sizeof head, at) < 8) {
            return false;
        }
        if (memcmp(head + 4, type, 4) == 0) {
            return true;
        }
        uint64_t size = 0;
        int first = 0, bytes = 4;
        if (head[0] == 0 && head[1] == 0 && head[2] == 0 && head[3] == 1) {
            first = 8;
            bytes = 8;
        }
        for (int i = 0; i < bytes; i++) {
            size = size << 8 | head[first + i];
        }
        if (size < 8 || size > (uint64_t)(io->size - at)) {
            return false; /* 0: up to the end of the file; the rest: broken */
        }
        at += (int64_t)size;
    }
    return false;
}

/* The body of the first top-level box of that type within [*io_at, end), if none of `before` lies
 * before it. */
static bool find_box(struct source_io *io, int64_t *io_at, int64_t *io_end, const char type[4],
                     const char *before)
{
    for (int boxes = 0; boxes < FRAGMENT_BOXES && *io_at + 8 <= *io_end; boxes++) {
        uint8_t head[16] = {0};
        if (read_at(io, head, sizeof head, *io_at) < 8) {
            return false;
        }
        int64_t skip = AV_RB32(head) == 1 ? 16 : 8;
        uint64_t size = skip == 16 ? AV_RB64(head + 8) : AV_RB32(head);
        if (size < (uint64_t)skip || size > (uint64_t)(*io_end - *io_at)) {
            return false;
        }
        if (memcmp(head + 4, type, 4) == 0) {
            *io_end = *io_at + (int64_t)size;
            *io_at += skip;
            return true;
        }
        if (before != NULL && memcmp(head + 4, before, 4) == 0) {
            return false;
        }
        *io_at += (int64_t)size;
    }
    return false;
}

/* The index goes before the media, and says that fragments follow (ISO/IEC 14496-12, 8.8.1). */
static bool is_fragmented(struct source_io *io)
{
    int64_t at = 0, end = io->size;
    return find_box(io, &at, &end, "moov", "mdat") && find_box(io, &at, &end, "mvex", NULL);
}

static int find_format(struct source_io *io, const char *name, const AVInputFormat **out,
                       struct gm_err *err)
{
    const AVInputFormat *format = NULL;
    int score = av_probe_input_buffer2(io->avio, &format, "", NULL, 0, 0);
    if (score == AVERROR(ENOMEM)) {
        return gm_err_nomem(err);
    }
    if (score < 0 || format == NULL) {
        return gm_err_set(err, GM_E_INPUT_UNREADABLE, score < 0 ? score : 0,
                          "%s is no media file: its content matches no known format%s", name,
                          looks_like_text(io) ? " (it is text)" : "");
    }
    if (is_one_of(format->name, allowed, sizeof allowed / sizeof allowed[0])) {
        *out = format;
        return 0;
    }
    bool playlist = is_one_of(format->name, playlists, sizeof playlists / sizeof playlists[0]);
    if (!playlist && (score <= AVPROBE_SCORE_RETRY || looks_like_text(io))) {
        return gm_err_set(err, GM_E_INPUT_UNREADABLE, 0, "%s is no media file%s", name,
                          looks_like_text(io) ? " (it is text)" : "");
    }
    return gm_err_set(err, GM_E_INPUT_FORMAT, 0,
                      "%s is of the format \"%s\", which gopmill does not open", name,
                      format->long_name != NULL ? format->long_name : format->name);
}

/* Demuxers say ENOMEM too for more than 1000 streams, and where an index asks for more than a
 * worker may have. */
static bool has_memory(void)
{
    void *spare = malloc(SPARE_BYTES);
    volatile bool have = spare != NULL;
    free(spare);
    return have;
}

static int open_demuxer(struct source_io *io, const AVInputFormat *format, const char *name,
                        AVFormatContext **out, struct gm_err *err)
{
    AVDictionary *options = NULL;
    AVFormatContext *ctx = avformat_alloc_context();
    int rc = 0;
    if (ctx == NULL) {
        return gm_err_nomem(err);
    }
    ctx->pb = io->avio;
    ctx->io_open = refuse_open;
    ctx->flags |= AVFMT_FLAG_CUSTOM_IO;
    if (io->file.in_parts && strncmp(format->name, "mov,", 4) == 0 && is_fragmented(io)) {
        ctx->flags |= AVFMT_FLAG_IGNIDX; /* else it looks for all fragments at once */
    }
    /* scan_all_pmts as the ffmpeg program sets it: programmes that appear late are found. */
    if (av_dict_set(&options, "probesize", PROBE_BYTES, 0) < 0 ||
        av_dict_set(&options, "analyzeduration", ANALYZE_US, 0) < 0 ||
        av_dict_set(&options, "protocol_whitelist", "none", 0) < 0 ||
        av_dict_set(&options, "format_whitelist", format->name, 0) < 0 ||
        av_dict_set(&options, "enable_drefs", "0", 0) < 0 ||
        av_dict_set(&options, "scan_all_pmts", "1", 0) < 0) {
        rc = gm_err_nomem(err);
        avformat_free_context(ctx);
        goto out;
    }
    int av = avformat_open_input(&ctx, "", format, &options); /* frees ctx when it fails */
    if (av < 0) {
        bool no_index =
            strncmp(format->name, "mov,", 4) == 0 && av != AVERROR(ENOMEM) && !has_box(io, "moov");
        if (av == AVERROR(ENOMEM) && has_memory()) {
            rc = gm_err_set(err, GM_E_INPUT_TOO_LARGE, av,
                            "%s has more than 1000 streams, or an index that takes more memory "
                            "than a worker may have",
                            name);
        } else {
            rc = no_index ? gm_err_set(err, GM_E_INPUT_NO_INDEX, av,
                                       "%s has no index (no moov box)", name)
                          : gm_err_av(err, GM_E_INPUT_UNREADABLE, av, "%s can't be read as %s",
                                      name, format->name);
        }
        goto out;
    }
    *out = ctx;
out:
    av_dict_free(&options);
    return rc;
}

/* Sizes that headers declare, before anything is decoded. */
static int check_pixels(const AVFormatContext *ctx, const char *name, int64_t max_pixels,
                        struct gm_err *err)
{
    for (unsigned i = 0; max_pixels > 0 && i < ctx->nb_streams; i++) {
        const AVCodecParameters *par = ctx->streams[i]->codecpar;
        if (par->codec_type == AVMEDIA_TYPE_VIDEO && par->width > 0 && par->height > 0 &&
            (int64_t)par->width * par->height > max_pixels &&
            (ctx->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0) {
            return gm_err_set(err, GM_E_INPUT_TOO_LARGE, 0,
                              "the picture of %s is %dx%d: more than %lld pixels", name, par->width,
                              par->height, (long long)max_pixels);
        }
    }
    return 0;
}

/* avformat_find_stream_info decodes where headers say too little: the pixel limit holds there. */
static int find_streams(AVFormatContext *ctx, struct source_io *io, const char *name,
                        int64_t max_pixels, struct gm_err *err)
{
    unsigned count = ctx->nb_streams;
    AVDictionary **options = av_calloc(count + 1u, sizeof(AVDictionary *));
    if (options == NULL) {
        return gm_err_nomem(err);
    }
    for (unsigned i = 0; i < count; i++) {
        if (max_pixels > 0) {
            (void)av_dict_set_int(&options[i], "max_pixels", gm_decoder_pixels(max_pixels), 0);
        }
        (void)av_dict_set(&options[i], "threads", "1", 0);
    }
    io->limited = true;
    io->left = FIND_BYTES;
    int av = avformat_find_stream_info(ctx, options);
    io->limited = false;
    if (io->left <= 0) { /* that end was none */
        ctx->pb->eof_reached = 0;
    }
    for (unsigned i = 0; i < count; i++) {
        av_dict_free(&options[i]);
    }
    av_free(options);
    if (av < 0) {
        return gm_err_av(err, GM_E_INPUT_UNREADABLE, av, "the streams of %s can't be read", name);
    }
    return 0;
}

/* WebM's transparency is known by a tag alone. See gm_decoder_open. */
static void mark_alpha(AVFormatContext *ctx)
{
    GM_ASSERT(ctx != NULL);
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        AVCodecParameters *par = ctx->streams[i]->codecpar;
        const AVDictionaryEntry *e = av_dict_get(ctx->streams[i]->metadata, "alpha_mode", NULL, 0);
        if (e != NULL && strcmp(e->value, "1") == 0 &&
            (par->codec_id == AV_CODEC_ID_VP8 || par->codec_id == AV_CODEC_ID_VP9)) {
            par->format = AV_PIX_FMT_YUVA420P;
        }
    }
}

/* Samples of the streams that are read which begin behind the end of the file. */
static int64_t count_outside(AVFormatContext *ctx, int64_t file_size)
{
    int64_t count = 0;
    for (unsigned i = 0; i < ctx->nb_streams; i++) {
        AVStream *st = ctx->streams[i];
        int entries = st->discard < AVDISCARD_ALL ? avformat_index_get_entries_count(st) : 0;
        for (int k = 0; k < entries; k++) {
            count += avformat_index_get_entry(st, k)->pos >= file_size;
        }
    }
    return count;
}

static int read_frame(AVFormatContext *ctx, AVPacket *packet)
{
    const struct source_io *io = ctx->pb->opaque;
    int av = av_read_frame(ctx, packet);
    if (io->failed.code == GM_OK) {
        return av;
    }
    if (av == 0) { /* maybe but its first part */
        av_packet_unref(packet);
    }
    return AVERROR_EXIT;
}

/* The demuxer goes through the samples of all streams by time. For each that lies behind the end it
 * says that the file has ended, and goes on with the next one when it is called again. */
int gm_source_read(AVFormatContext *ctx, AVPacket *packet)
{
    struct source_io *io = ctx->pb->opaque;
    int av = read_frame(ctx, packet);
    if (av != AVERROR_EOF || strncmp(ctx->iformat->name, "mov,", 4) != 0) {
        return av;
    }
    if (!io->counted) {
        io->counted = true;
        io->outside = count_outside(ctx, io->size);
    }
    while (av == AVERROR_EOF && io->passed < io->outside) {
        io->passed++;
        av = read_frame(ctx, packet);
    }
    return av;
}

/* Demuxers take a failed read for the end of the file, or for a fault of it. */
static int check_reads(const struct source_io *io, int rc, struct gm_err *err)
{
    if (io->failed.code == GM_OK) {
        return rc;
    }
    return gm_err_set(err, io->failed.code, io->failed.native, "the source could not be read: %s",
                      io->failed.text);
}

int gm_source_check(const struct gm_source *source, struct gm_err *err)
{
    return check_reads(source->io, 0, err);
}

int gm_source_open_limited(struct gm_source_file file, const char *name, bool find,
                           int64_t max_pixels, struct gm_source *out, struct gm_err *err)
{
    struct stat st;
    if (fstat(file.fd, &st) < 0) {
        return gm_err_sys(err, errno, "fstat of the source");
    }
    if (!S_ISREG(st.st_mode)) {
        return gm_err_set(err, GM_E_INPUT_NOT_FILE, 0, "%s is not a regular file", name);
    }
    if (st.st_size == 0) {
        return gm_err_set(err, GM_E_INPUT_EMPTY, 0, "%s is empty", name);
    }
    struct gm_source source = {0};
    int rc = 0;
    struct source_io *io = av_mallocz(sizeof *io);
    uint8_t *buffer = av_malloc(IO_BUFFER_BYTES);
    if (io == NULL || buffer == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    source.io = io;
    io->file = file;
    io->size = st.st_size;
    io->avio = avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, io, io_read, NULL, io_seek);
    if (io->avio == NULL) {
        rc = gm_err_nomem(err);
        goto out;
    }
    buffer = NULL;
    const AVInputFormat *format = NULL;
    rc = find_format(io, name, &format, err);
    if (rc == 0) {
        rc = open_demuxer(io, format, name, &source.format, err);
    }
    if (rc == 0) {
        rc = check_pixels(source.format, name, max_pixels, err);
    }
    if (rc == 0 && find) {
        rc = find_streams(source.format, io, name, max_pixels, err);
        mark_alpha(source.format);
        if (rc == 0) { /* what only the streams told */
            rc = check_pixels(source.format, name, max_pixels, err);
        }
    }
    rc = check_reads(io, rc, err);
    if (rc == 0) {
        *out = source;
        source = (struct gm_source){0};
        io = NULL;
    }
out:
    av_free(buffer);
    if (source.io != NULL) {
        gm_source_close(&source);
    } else {
        av_free(io);
    }
    return rc;
}

int gm_source_open(struct gm_source_file file, const char *name, bool find, struct gm_source *out,
                   struct gm_err *err)
{
    return gm_source_open_limited(file, name, find, 0, out, err);
}

void gm_source_close(struct gm_source *source)
{
    struct source_io *io = source->io;
    avformat_close_input(&source->format);
    if (io != NULL && io->avio != NULL) {
        av_freep(&io->avio->buffer);
        avio_context_free(&io->avio);
    }
    av_freep(&source->io);
}

int gm_source_holds(struct gm_source_file file, const AVPacket *packet, bool *out,
                    struct gm_err *err)
{
    uint8_t part[16384];
    size_t got = 0;
    size_t size = packet->size > 0 ? (size_t)packet->size : 0;
    bool same = packet->pos >= 0;
    for (size_t done = 0; same && done < size; done += got) {
        size_t want = size - done < sizeof part ? size - done : sizeof part;
        int rc = gm_source_file_read(file, part, want, (uint64_t)packet->pos + done, &got, err);
        if (rc < 0) {
            return rc;
        }
        same = got == want && memcmp(part, packet->data + done, got) == 0;
    }
    *out = same;
    return 0;
}
