#ifndef GM_MEDIA_DECODE_FRAMES_CHUNK_H
#define GM_MEDIA_DECODE_FRAMES_CHUNK_H

#include <libavcodec/avcodec.h>

#include "media/decode/frames.h"
#include "proto/chunk.h"

/* One chunk of a run while its frames are found (inside of media/decode/frames.c). */

/* A listed frame that waits longer than this many decoded later ones will not come: no codec holds
 * more pictures back (ISO/IEC 14496-10 and 23008-2: at most 16 in the decoded picture buffer). */
#define GM_FRAMES_WINDOW 16

struct gm_frames_slot {
    AVFrame *frame; /* owned; NULL: not here */
    bool taken;     /* a decoded frame was assigned */
};
/* A slot's index counts the context before, the chunk's own frames and the context after. */
struct gm_frames_name {
    uint64_t id;
    size_t index;
};

struct gm_frames_chunk {
    int fd;                         /* owned */
    struct gm_chunk_reader *reader; /* owned */
    const Gm__ChunkHeader *header;  /* borrowed from the reader */
    struct gm_frames_slot *slots;   /* owned, one a listed frame, context too */
    struct gm_frames_name *names;   /* owned, sorted by id, then index */
    size_t count;                   /* listed frames, context too */
    size_t own, own_end;            /* slots [own, own_end) are the chunk's own */
    uint64_t reach_id;              /* lowest of all listed frames' packets */
    uint64_t min_id, max_id;        /* of its own frames' packets */
    size_t next;                    /* first slot not given out */
    size_t waiting;                 /* frames held in slots */
    int64_t newest_ts;              /* out_ts of the last listed frame that came; -1: none */
    bool arrived;                   /* a frame of its own was decoded */
    uint32_t unlisted;              /* frames decoded since the last listed one */
    bool started;                   /* its packets have their turn, or had it */
    bool fed;                       /* its end record was read */
    bool mixed;                     /* not decoded alone */
    bool dirty;                     /* damage was seen */
    bool alone;                     /* must be decoded alone */
    bool announced;                 /* GM_FRAMES_CHUNK was given out */
    bool soft;                      /* must be decoded in software */
    bool on_device;                 /* the device's decoder is asked for it */
    const char *why;                /* static: why soft */
    struct gm_frames_stats stats;
    /* The record read and not used yet. */
    bool held;
    enum gm_chunk_record record;
    struct gm_chunk_packet packet;
    const uint8_t *change;
    size_t change_size;
    struct gm_frames_chunk *after; /* owned by frames.c's list */
};

/* fd: taken, also on failure. */
int gm_frames_chunk_open(int fd, struct gm_frames_chunk **out, struct gm_err *err) GM_MUST_CHECK;
void gm_frames_chunk_close(struct gm_frames_chunk **chunk);
/* Back to the first packet, nothing decoded; announced, alone, soft and why stay. */
int gm_frames_chunk_rewind(struct gm_frames_chunk *chunk, struct gm_err *err) GM_MUST_CHECK;
/* Reads the next record into the chunk unless one is held. */
int gm_frames_chunk_peek(struct gm_frames_chunk *chunk, struct gm_err *err) GM_MUST_CHECK;
enum gm_frames_use { GM_FRAMES_UNLISTED, GM_FRAMES_AS_CONTEXT, GM_FRAMES_AS_OWN };
/* References a decoded frame in its slot. UNLISTED: it is not listed, or came before, or comes too
 * late. Errors: NOMEM. */
int gm_frames_chunk_offer(struct gm_frames_chunk *chunk, uint64_t id, const AVFrame *frame,
                          enum gm_frames_use *out_use, struct gm_err *err) GM_MUST_CHECK;
/* References frame in slot `at`, which is empty. Errors: NOMEM. */
int gm_frames_chunk_fill(struct gm_frames_chunk *chunk, size_t at, const AVFrame *frame,
                         struct gm_err *err) GM_MUST_CHECK;
/* The listed frame of slot `at`. */
const Gm__FrameEntry *gm_frames_chunk_entry(const struct gm_frames_chunk *chunk, size_t at);

/* A chunk's packet as libavcodec's, its body read from the source where it lies there; its id is
 * its time stamp. packet: overwritten. */
int gm_frames_packet_fill(const struct gm_frames_source *source, const struct gm_chunk_packet *p,
                          AVPacket *packet, struct gm_err *err) GM_MUST_CHECK;
/* Black in the size of the codec parameters at data (as ChunkHeader.codecpar). p: empty. */
int gm_frames_black(const uint8_t *data, size_t size, AVFrame *p, struct gm_err *err) GM_MUST_CHECK;
/* Is the decoder one that a keyframe resets whole? Then going on after the chunk before gives the
 * pictures of the chunk decoded alone. Others keep more than pictures (libavcodec's of WMV2). */
bool gm_frames_resets(enum AVCodecID codec);

#endif
