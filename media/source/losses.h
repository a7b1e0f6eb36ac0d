#ifndef GM_MEDIA_SOURCE_LOSSES_H
#define GM_MEDIA_SOURCE_LOSSES_H

#include "media/av.h"
#include "media/format/ebml.h"

/* What is missing inside a source. libavformat's demuxer of Matroska passes over parts that it
 * can't read without a word. Here the file's elements are followed beside it: where bytes are none,
 * or a block is there that it did not give, and the packets of a stream have a gap in time at the
 * same place, that time is lost. A gap alone is none: it may be meant. Of other formats nothing is
 * known.
 *
 * What is missing at a source's end is for media/source/claims.h. Thread: one at a time. */
#define GM_LOSSES_BLOCKS 32 /* that a stream's packets may lag behind another's, at most */
#define GM_LOSSES_PLACES 32 /* the last damaged places */
struct gm_loss {
    bool any;                         /* a packet was seen */
    int64_t end;                      /* the latest end seen */
    int64_t given;                    /* position of the last packet */
    unsigned exact;                   /* packets in a row that were where a block is */
    int64_t blocks[GM_LOSSES_BLOCKS]; /* of its own behind `given`, passed, rising */
    size_t block_count;
    unsigned waits;         /* > 0: packets to be seen until the gap behind `from` is known */
    int64_t from, to, tick; /* to: earliest time since; tick: half a packet */
    int64_t lost;           /* the stream's time base */
};
struct gm_losses {
    AVFormatContext *format; /* borrowed; NULL: nothing is known of this format */
    struct gm_ebml walk;
    int64_t places[GM_LOSSES_PLACES];
    uint64_t place_count;          /* seen */
    struct gm_loss *streams;       /* owned */
    int stream_of[GM_EBML_TRACKS]; /* -1: not known yet */
};
/* format: just opened, of this file. All-zero is valid, and knows nothing. Errors: NOMEM. */
int gm_losses_init(struct gm_losses *l, AVFormatContext *format, struct gm_source_file file,
                   int64_t file_size, struct gm_err *err) GM_MUST_CHECK;
void gm_losses_fini(struct gm_losses *l);
/* The next packet read, with the demuxer's times. The file must be read from its begin on without
 * a seek. Errors: SYS. */
int gm_losses_packet(struct gm_losses *l, const AVPacket *packet, struct gm_err *err) GM_MUST_CHECK;
/* The stream of which most is missing, µs. All was read. */
int64_t gm_losses_us(struct gm_losses *l);

#endif
