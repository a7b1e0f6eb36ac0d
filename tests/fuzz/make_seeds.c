/* Writes the seeds of the corpora that hold messages: whole samples, and samples bent where a
 * reader is likely to trust too much. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/samples.h"

static struct gm_err err;

static int put(const char *root, const char *name, const void *data, size_t size)
{
    char path[4096];
    int rc = gm_fs_path(path, sizeof(path), &err, "%s/%s", root, name);
    return rc < 0 ? rc : gm_fs_write_atomic(path, data, size, &err);
}

static int put_envelope(const char *root, const char *name, Gm__Envelope *env)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_envelope_encode(env, &data, &size, &err);
    if (rc == 0) {
        rc = put(root, name, data, size);
    }
    free(data);
    return rc;
}

static int put_worker(const char *root)
{
    static const uint8_t escape[] = "\x6a\x10\x12\x0e\x0a\x05../up\x10\x02\x1a\x03/etc";
    uint8_t *data = NULL;
    size_t size = 0;
    int rc = gm_worker_message_encode(sample_worker_done(), &data, &size, &err);
    if (rc == 0) {
        rc = put(root, "worker_message/done", data, size);
    }
    if (rc == 0) {
        rc = put(root, "worker_message/done-cut", data, size / 2);
    }
    if (rc == 0) {
        rc = put(root, "worker_message/path-escape", escape, sizeof(escape) - 1);
    }
    free(data);
    return rc;
}

static int put_chunk(const char *root)
{
    uint8_t *data = NULL;
    size_t size = 0;
    char path[4096];
    int rc = gm_fs_path(path, sizeof(path), &err, "%s/chunk/all-records", root);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -1;
    }
    rc = sample_chunk(fd, &err);
    close(fd);
    if (rc == 0) {
        rc = gm_fs_read(path, 1u << 20, &data, &size, &err);
    }
    if (rc == 0) {
        rc = put(root, "chunk/no-end", data, size - 5);
    }
    if (rc == 0) {
        data[size - 1]++;
        rc = put(root, "chunk/wrong-count", data, size);
    }
    if (rc == 0) {
        memset(data + 8, 0xff, 4);
        rc = put(root, "chunk/huge-header", data, size);
    }
    free(data);
    return rc;
}

/* A chunk whose pictures have context and a subtitle drawn over them. */
static int put_frames(const char *root)
{
    static uint8_t palette[4 * 256] = {255, 255, 255, 255};
    static uint8_t pixels[] = {0x80 | 13, 0};
    Gm__FrameEntry around[4], *before[] = {&around[0]}, *own[] = {&around[1], &around[2]},
                              *after[] = {&around[3]};
    Gm__Rational time_base = GM__RATIONAL__INIT;
    Gm__SegmentEntry segment = GM__SEGMENT_ENTRY__INIT, *segments[] = {&segment};
    Gm__BurnRect rect = GM__BURN_RECT__INIT, *rects[] = {&rect};
    Gm__BurnPicture burn = GM__BURN_PICTURE__INIT, *burns[] = {&burn};
    Gm__ChunkHeader h = GM__CHUNK_HEADER__INIT;
    struct gm_chunk_packet packet = {
        .pts = 0, .dts = 0, .size = 6, .data = (const uint8_t *)"packet"};
    struct gm_chunk_writer *w = NULL;
    char path[4096];
    for (int i = 0; i < 4; i++) {
        gm__frame_entry__init(&around[i]);
        around[i].packet_id = (uint64_t)i;
        around[i].out_ts = 512 * i;
        around[i].gop_start = i == 1;
    }
    time_base.num = 1;
    time_base.den = 12800;
    segment.number = 1;
    rect.width = 5;
    rect.height = 3;
    rect.palette = (ProtobufCBinaryData){sizeof palette, palette};
    rect.pixels = (ProtobufCBinaryData){sizeof pixels, pixels};
    burn.start_ts = 512;
    burn.end_ts = 1024;
    burn.canvas_width = 36;
    burn.canvas_height = 22;
    burn.rects = rects;
    burn.n_rects = 1;
    h.version = 1;
    h.codec = "h264";
    h.time_base = &time_base;
    h.before = before;
    h.frames = own;
    h.after = after;
    h.segments = segments;
    h.burn = burns;
    h.n_before = h.n_after = h.n_segments = h.n_burn = 1;
    h.n_frames = 2;
    h.end_ts = 1536;
    int rc = gm_fs_path(path, sizeof path, &err, "%s/frames/drawn", root);
    int fd = rc < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -1;
    }
    rc = gm_chunk_writer_open(fd, &h, &w, &err);
    for (packet.id = 0; rc == 0 && packet.id < 4; packet.id++) {
        rc = gm_chunk_write_packet(w, &packet, &err);
    }
    if (rc == 0) {
        rc = gm_chunk_writer_finish(w, &err);
    }
    gm_chunk_writer_close(&w);
    close(fd);
    return rc;
}

/* What inspect says of a film with sound and subtitles. The first byte: fuzz_facts.c's options. */
static int put_facts(const char *root)
{
    Gm__Rational tick = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 1, 90000};
    Gm__Rational rate = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 30000, 1001};
    Gm__Rational square = {PROTOBUF_C_MESSAGE_INIT(&gm__rational__descriptor), 1, 1};
    Gm__VideoFacts video = GM__VIDEO_FACTS__INIT;
    Gm__AudioFacts sound = GM__AUDIO_FACTS__INIT, *sounds[] = {&sound};
    Gm__TextFacts text[2], *texts[] = {&text[0], &text[1]};
    Gm__Chapter chapter = GM__CHAPTER__INIT, *chapters[] = {&chapter};
    Gm__Inspection facts = GM__INSPECTION__INIT;
    uint8_t *packed = NULL;
    size_t size = 0;
    video.codec = "h264";
    video.width_px = 640;
    video.height_px = 360;
    video.pixel_format = "yuv420p";
    video.time_base = &tick;
    video.frame_rate = video.peak_rate = &rate;
    video.constant_rate = true;
    video.sample_aspect = &square;
    video.frames = 300;
    video.rotation_deg = 90;
    video.primaries = video.transfer = video.matrix = "bt709";
    video.range = "tv";
    video.field_order = "progressive";
    video.chroma_location = "left";
    sound.codec = "aac";
    sound.sample_rate = 48000;
    sound.channels = 6;
    sound.layout = "5.1";
    sound.language = "ger";
    sound.time_base = &tick;
    for (int i = 0; i < 2; i++) {
        gm__text_facts__init(&text[i]);
        text[i].codec = i == 0 ? "subrip" : "dvb_subtitle";
        text[i].bitmap = i == 1;
        text[i].language = "eng";
        text[i].time_base = &tick;
    }
    chapter.end_us = 1000000;
    chapter.title = "One";
    facts.format = "matroska,webm";
    facts.duration_us = 10000000;
    facts.video = &video;
    facts.audio = sounds;
    facts.text = texts;
    facts.chapters = chapters;
    facts.n_audio = facts.n_chapters = 1;
    facts.n_text = 2;
    facts.zero = &square;
    int rc = gm_message_encode(&facts.base, &packed, &size, &err);
    uint8_t *seed = rc == 0 ? malloc(size + 1) : NULL;
    if (seed == NULL) {
        free(packed);
        return -1;
    }
    memcpy(seed + 1, packed, size);
    seed[0] = 16;
    rc = put(root, "facts/film", seed, size + 1);
    seed[0] = 0;
    if (rc == 0) {
        rc = put(root, "facts/film-without-sound", seed, size + 1);
    }
    free(seed);
    free(packed);
    return rc;
}

/* A task asks for parts of an upload, and gets one of them. */
static int put_parts(const char *root)
{
    uint32_t parts[] = {0, 9999, 7};
    Gm__PartsAsk ask = GM__PARTS_ASK__INIT;
    Gm__PartUrl url = GM__PART_URL__INIT, *urls[] = {&url};
    Gm__PartsAnswer answer = GM__PARTS_ANSWER__INIT;
    Gm__Envelope env = GM__ENVELOPE__INIT;
    ask.task_id = 7;
    ask.request = 3;
    ask.parts = parts;
    ask.n_parts = 3;
    env.body_case = GM__ENVELOPE__BODY_PARTS_ASK;
    env.parts_ask = &ask;
    int rc = put_envelope(root, "envelope/parts-ask", &env);
    url.index = 9999;
    url.url = (char *)"https://s3.example/b/part-09999?X-Amz-Signature=0";
    url.expires_unix_ms = 1763000000000;
    answer.request = 3;
    answer.urls = urls;
    answer.n_urls = 1;
    env.body_case = GM__ENVELOPE__BODY_PARTS_ANSWER;
    env.parts_answer = &answer;
    return rc < 0 ? rc : put_envelope(root, "envelope/parts-answer", &env);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"envelope", "worker_message", "chunk", "frames", "facts"};
    static const uint8_t twice[] = "\x08\x01\x08\x01\x8a\x01\x00";
    char path[4096];
    int rc = argc == 2 ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        rc = gm_fs_path(path, sizeof(path), &err, "%s/%s", argv[1], names[i]);
        if (rc == 0) {
            rc = gm_fs_mkdirs(path, &err);
        }
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/assign", sample_assign());
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/hello", sample_hello());
    }
    if (rc == 0) {
        rc = put_envelope(argv[1], "envelope/produced", sample_produced());
    }
    if (rc == 0) {
        rc = put_parts(argv[1]);
    }
    if (rc == 0) {
        rc = put(argv[1], "envelope/field-twice", twice, sizeof(twice) - 1);
    }
    if (rc == 0) {
        rc = put_worker(argv[1]);
    }
    if (rc == 0) {
        rc = put_chunk(argv[1]);
    }
    if (rc == 0) {
        rc = put_frames(argv[1]);
    }
    if (rc == 0) {
        rc = put_facts(argv[1]);
    }
    if (rc < 0) {
        fprintf(stderr, "usage: make_seeds FOLDER (%s)\n", err.text);
    }
    return rc < 0 ? 1 : 0;
}
