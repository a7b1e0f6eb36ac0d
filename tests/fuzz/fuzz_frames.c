#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "common/fs.h"
#include "media/av.h"
#include "media/chunk_packet.h"
#include "media/decode/frames_chunk.h"
#include "media/picture/burn.h"
#include "media/picture/burn_pack.h"
#include "media/text/text_decode.h"

/* A chunk object as media/ takes it: its header's lists of frames and the slots that come of them,
 * its packets as libavcodec's, subtitles that are drawn, and the same bytes as a chunk of text. */

#define MOST_PIXELS (1u << 16) /* of a subtitle: more costs time alone */

static int no_source(void *self, struct gm_source_file *out, struct gm_err *err)
{
    (void)self;
    (void)out;
    return gm_err_set(err, GM_E_SYS, 0, "there is no source");
}

static int memory_file(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    GM_ASSERT(fd >= 0);
    GM_ASSERT(gm_fs_write_all(fd, data, size, &err) == 0);
    return fd;
}

static AVFrame *grey_picture(void)
{
    AVFrame *p = gm_av_frame(AV_PIX_FMT_YUV420P, 36, 22);
    GM_ASSERT(p != NULL);
    for (int i = 0; i < 3; i++) {
        memset(p->data[i], 128, (size_t)p->linesize[i] * (i == 0 ? 22 : 11));
    }
    return p;
}

static void draw(const Gm__ChunkHeader *header)
{
    struct gm_burn *b = NULL;
    struct gm_err err = {0};
    uint64_t pixels = 0;
    for (size_t i = 0; i < header->n_burn; i++) {
        for (size_t k = 0; k < header->burn[i]->n_rects; k++) {
            const Gm__BurnRect *r = header->burn[i]->rects[k];
            pixels += (uint64_t)r->width * r->height;
        }
    }
    if (header->n_burn == 0 || header->n_burn > 4 || pixels > MOST_PIXELS) {
        return;
    }
    AVFrame *picture = grey_picture();
    GM_ASSERT(gm_burn_create(&b, &err) == 0);
    int rc = gm_burn_start(b, header, &err);
    for (size_t i = 0; rc == 0 && i < header->n_burn; i++) {
        const AVFrame *drawn = NULL;
        rc = gm_burn_picture(b, picture, header->burn[i]->start_ts, &drawn, &err);
        GM_ASSERT(rc < 0 || drawn != NULL);
    }
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    gm_burn_destroy(&b);
    av_frame_free(&picture);
}

/* All records; what a decoder would give for each packet goes into its slot. */
static void take_packets(struct gm_frames_chunk *c, int source_fd)
{
    struct gm_err err = {0};
    AVPacket *packet = av_packet_alloc();
    AVFrame *picture = grey_picture();
    GM_ASSERT(packet != NULL);
    for (;;) {
        int rc = gm_frames_chunk_peek(c, &err);
        if (rc < 0 || c->record == GM_CHUNK_END) {
            GM_ASSERT(rc == 0 || err.text[0] != '\0');
            break;
        }
        if (c->record == GM_CHUNK_PACKET) {
            enum gm_frames_use use = GM_FRAMES_UNLISTED;
            rc = gm_chunk_packet_fill(&c->packet, gm_source_plain(source_fd), packet, &err);
            GM_ASSERT(rc < 0 || packet->size == (int)c->packet.size);
            GM_ASSERT(gm_frames_chunk_offer(c, c->packet.id, picture, &use, &err) == 0);
        }
        c->held = false;
    }
    av_frame_free(&picture);
    av_packet_free(&packet);
}

static void as_text(const uint8_t *data, size_t size)
{
    struct gm_task_io io = {.source = no_source};
    Gm__Rational zero = GM__RATIONAL__INIT;
    struct gm_cues cues = {0};
    struct gm_text_decode *d = NULL;
    const Gm__ChunkHeader *header = NULL;
    struct gm_err err = {0};
    int fd = memory_file(data, size);
    zero.num = -7;
    zero.den = 3;
    GM_ASSERT(gm_text_decode_create(&io, &zero, &cues, &d, &err) == 0);
    if (gm_text_decode_chunk(d, fd, &header, &err) == 0) {
        GM_ASSERT(header != NULL);
        gm_cues_finish(&cues);
        for (size_t i = 0; i < cues.count; i++) {
            GM_ASSERT(cues.list[i].start_ms >= 0 && cues.list[i].end_ms > cues.list[i].start_ms);
        }
    }
    gm_text_decode_destroy(&d);
    gm_cues_fini(&cues);
    close(fd);
}

static void pack_and_unpack(const uint8_t *data, size_t size)
{
    struct gm_buf packed = {0};
    struct gm_err err = {0};
    uint8_t pixels[4096];
    GM_IGNORE(gm_burn_unpack(data, size, pixels, sizeof pixels, &err), "either answer is right");
    size = size < sizeof pixels ? size : sizeof pixels;
    gm_burn_pack(data, size, &packed);
    GM_ASSERT(gm_burn_unpack(packed.data, packed.size, pixels, size, &err) == 0);
    GM_ASSERT(size == 0 || memcmp(pixels, data, size) == 0);
    gm_buf_fini(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_frames_chunk *c = NULL;
    struct gm_err err = {0};
    av_log_set_level(AV_LOG_QUIET);
    int source_fd = memory_file(data, size);
    if (gm_frames_chunk_open(memory_file(data, size), &c, &err) == 0) {
        take_packets(c, source_fd);
        draw(c->header);
        GM_ASSERT(gm_frames_chunk_rewind(c, &err) == 0);
    } else {
        GM_ASSERT(c == NULL && err.text[0] != '\0');
    }
    gm_frames_chunk_close(&c);
    close(source_fd);
    as_text(data, size);
    pack_and_unpack(data, size);
    return 0;
}
