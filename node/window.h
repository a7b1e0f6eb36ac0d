#ifndef GM_NODE_WINDOW_H
#define GM_NODE_WINDOW_H

#include "node/transfer/transfers.h"

/* Sources that are not on a file system, read through a window (ADR-0059): a file of the source's
 * size into which blocks are fetched when a reader needs them, or is about to, and from which those
 * that were not used for longest are taken back when all windows have more than they may. A source
 * that was read stays while there is room: the next reader of it finds what is there.
 *
 * Thread: the loop's own only
 */
struct gm_windows; /* opaque */

struct gm_windows_params {
    struct gm_transfers *transfers; /* borrowed */
    const char *folder;             /* copied; exists; files in it have no name */
    uint64_t max_bytes; /* of all; what readers hold is kept all the same. 0: what they hold */
    /* Closes a file, which may take long where it is large. NULL: at once, in the loop. */
    void (*close_file)(int fd, void *arg);
    void *close_arg;
};

int gm_windows_create(const struct gm_windows_params *params, struct gm_windows **out,
                      struct gm_err *err) GM_MUST_CHECK;
/* Its readers must be closed. NULL is fine. */
void gm_windows_destroy(struct gm_windows **windows);

struct gm_window_source { /* all borrowed for the call */
    const char *url;      /* http or https; with a signature it is followed nowhere else */
    const char *etag;     /* what it must have: an ETag, or a Last-Modified; "" or NULL: anything */
    uint64_t size;        /* what it must have, bytes */
    /* Of a source of parts (ADR-0061): their sizes, in order, which give `size`. Its URL is but a
     * name then; those of the parts are asked for. part_count 0: it is one object. */
    const uint64_t *parts;
    uint32_t part_count;
    /* The reader lacks the URLs of these, at most GM_WINDOW_PARTS_ASK: gm_window_part_is tells
     * them, when they are there, and not from within. arg is gm_window_open's. */
    void (*on_want)(const uint32_t *parts, size_t count, void *arg);
};
#define GM_WINDOW_PARTS_ASK 64

/* The end of a need. rc 0: bytes [offset, offset + length) are there and stay. */
struct gm_window_have {
    int rc; /* below 0: err says why */
    uint64_t offset, length;
    const struct gm_err *err; /* borrowed */
};

struct gm_window_range {
    uint64_t offset, length;
};

struct gm_window_reader; /* opaque: one who reads a source */

/* on_have: once for each need, maybe from within gm_window_need; it must not close the reader.
 * out_fd: read-only, owned by the caller. Errors: SYS, NO_SCRATCH, LIMIT, NOMEM. */
int gm_window_open(struct gm_windows *windows, const struct gm_window_source *source,
                   void (*on_have)(const struct gm_window_have *have, void *arg), void *arg,
                   struct gm_window_reader **out, int *out_fd, struct gm_err *err) GM_MUST_CHECK;
/* What it holds may go. Not from within on_have. NULL is fine. */
void gm_window_close(struct gm_window_reader **reader);
/* Answers are INPUT_CHANGED (it is not what it was), INPUT_MISSING, TIMEOUT (the URL's time is
 * over), LIMIT (its server gives no ranges, and it is larger than max_bytes), NO_SCRATCH, STORE and
 * STORE_DENIED.
 *
 * held: of what it was told before, what it still reads; all else may go.
 * Errors: INVAL: it waits already, or asks for what lies behind the end. */
int gm_window_need(struct gm_window_reader *reader, uint64_t offset, uint64_t length,
                   const struct gm_window_range *held, size_t held_count,
                   struct gm_err *err) GM_MUST_CHECK;
struct gm_window_part_url { /* all borrowed for the call */
    const char *url;
    const char *etag;      /* what it must have; "" or NULL: anything */
    int64_t until_unix_ms; /* by this machine's clock; 0: for ever */
};
/* Of a source of parts: where one is that this reader wanted. All that know it are told by
 * gm_window_parts_came. A URL that is refused, or whose time is over, is wanted again. Errors:
 * INVAL: it wanted no such part; NOMEM; INPUT_CHANGED: it must have another ETag than before, and
 * so all end that still need of the source what is not there. */
int gm_window_part_is(struct gm_window_reader *reader, uint32_t part,
                      const struct gm_window_part_url *url, struct gm_err *err) GM_MUST_CHECK;
void gm_window_parts_came(struct gm_window_reader *reader);
/* No further part will come to this reader: what it needs of them ends so. */
void gm_window_parts_end(struct gm_window_reader *reader, const struct gm_err *why);
/* Of a source of parts: what is needed lacks that part, which was asked for and has not come.
 * False: it waits for none. */
bool gm_window_waits_part(const struct gm_window_reader *reader, uint32_t *out_part);
/* Who was asked may have forgotten: all that it still waits for is wanted once more. */
void gm_window_ask_again(struct gm_window_reader *reader);
/* Bytes that were fetched for it since the last call. */
uint64_t gm_window_fetched(struct gm_window_reader *reader);

#endif
