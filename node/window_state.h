#ifndef GM_NODE_WINDOW_STATE_H
#define GM_NODE_WINDOW_STATE_H

#include "node/window.h"
#include "node/window_blocks.h"
#include "node/window_parts.h"

/* What window.c (readers), window_room.c (room), window_parts.c (URLs of parts) and window_fetch.c
 * (requests) share. */
#define GM_WINDOW_CHANGED "the source was written to after the job was submitted"
#define GM_WINDOW_HELD 16    /* ranges that a reader may keep */
#define GM_WINDOW_GRANT 8u   /* blocks that it is promised at most, of those it did not ask for */
#define GM_WINDOW_STREAMS 4u /* places from where it reads on, as of tracks that lie apart */
#define GM_WINDOW_AHEAD 32u  /* blocks before a stream at most */

struct gm_window_stream {
    uint32_t next;  /* the block where it goes on */
    uint32_t ahead; /* blocks that are fetched before they are asked for */
    uint64_t used;
    uint64_t need; /* the last one of its reader that went on with it */
};

struct gm_window_reader {
    struct gm_window_reader *next; /* of the window */
    struct gm_window *window;
    void (*on_have)(const struct gm_window_have *have, void *arg);
    void *arg;
    struct gm_block_run held[GM_WINDOW_HELD + 1]; /* promised */
    size_t held_count;
    bool waits; /* for held[held_count - 1] */
    uint64_t offset;
    struct gm_window_stream streams[GM_WINDOW_STREAMS];
    uint64_t needs;   /* so far */
    uint64_t fetched; /* bytes */
    void (*on_want)(const uint32_t *parts, size_t count, void *arg);
    bool *asked;         /* owned: whether it waits for that part's URL; NULL: one object */
    struct gm_err ended; /* no more parts come, for that; GM_OK: they may */
};

struct gm_window {
    struct gm_window *next;
    struct gm_windows *windows; /* borrowed */
    char *name;                 /* owned: what it is known by */
    char *url;                  /* owned: as it was given last */
    uint32_t url_serial;        /* one more with each */
    char *target;               /* owned: where url redirects to; NULL: nowhere */
    char *etag;                 /* owned; "": anything */
    uint64_t size;
    int fd; /* owned, read and write */
    struct gm_blocks blocks;
    struct gm_window_parts parts;
    struct gm_window_reader *readers;
    bool whole;   /* its server gives no ranges: it is fetched as one */
    bool changed; /* the source is another by now */
    uint64_t used;
};

struct gm_window_fetch {
    struct gm_window_fetch *next;
    struct gm_window *window;
    struct gm_window_reader *reader; /* for whom; NULL: it is gone */
    struct gm_transfer transfer;
    struct gm_block_run run;
    uint64_t from, size; /* bytes */
    uint64_t got;        /* of them, in the file */
    uint32_t arrived;    /* blocks of run that are present */
    bool whole;
    bool redirected;
    bool returned; /* what it was redirected to refused, and it went back to the URL once */
    bool emptied;  /* the disk was full, and what nobody holds was taken back for it */
    unsigned hops; /* tries before it, by other ways */
    uint32_t part, part_serial; /* of a source of parts: the request is for that one, by that URL */
    uint64_t part_at, until;    /* where it begins, and how far the request goes, bytes */
    uint32_t url_serial;
    struct gm_s3_field condition;
    char *url;  /* owned */
    char *etag; /* owned: of the condition */
};

struct gm_windows {
    struct gm_transfers *transfers; /* borrowed */
    char *folder;                   /* owned */
    void (*close_file)(int fd, void *arg);
    void *close_arg;
    uint64_t max_bytes;
    struct gm_window *first;
    struct gm_window_fetch *fetches;
    unsigned fetch_count;
    uint64_t clock; /* one more at each use */
    bool told;      /* that the file system makes no holes */
};

/* --- window.c */
/* Bytes of it came, or a fetch ended: readers that have what they wait for are told. */
void gm_window_serve(struct gm_window *window);
/* Those that wait for blocks of the run which are neither there nor coming are told so. */
void gm_window_fail(struct gm_window *window, struct gm_block_run run, const struct gm_err *why);
/* Starts what is needed, and what is read ahead. */
void gm_window_pump(struct gm_window *window);
void gm_window_free(struct gm_window *window); /* nobody reads it */
/* --- window_room.c */
/* The one that nobody has read for longest, of those without a reader. NULL: there is none. */
struct gm_window *gm_windows_unread(const struct gm_windows *windows, unsigned *out_count);
/* Takes blocks back until so many more fit, as far as nobody holds them. */
void gm_windows_make_room(struct gm_windows *windows, uint32_t blocks);
/* Takes all back that nobody holds. */
void gm_windows_empty(struct gm_windows *windows);
/* How many blocks before each stream may be fetched: all together a part of what nobody holds, so
 * that none takes back what was read ahead for another. */
uint32_t gm_windows_ahead(const struct gm_windows *windows);
/* --- window_parts.c */
/* Asks for what it lacks to fetch the run; no-op for a source that is one object. */
void gm_window_parts_want(struct gm_window_reader *reader, struct gm_block_run run);
/* --- window_fetch.c */
/* for whom: reader. Errors: what gm_transfer_start says, NOMEM. */
int gm_window_fetch_start(struct gm_window *window, struct gm_window_reader *reader,
                          struct gm_block_run run, struct gm_err *err) GM_MUST_CHECK;
void gm_window_fetch_cancel(struct gm_window *window); /* all of it */
void gm_window_fetch_forget(struct gm_window *window, const struct gm_window_reader *reader);

#endif
